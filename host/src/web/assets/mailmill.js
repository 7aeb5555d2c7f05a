// What pages do where scripts run. Without, they can be read and used all the same.
"use strict";

const LOOK_EVERY_MS = 3000;

// Times in the reader's own zone; the server's is in the tooltip.
function localise(root) {
  for (const time of root.querySelectorAll("time[datetime]:not([title])")) {
    const at = new Date(time.dateTime);
    if (Number.isNaN(at.getTime())) continue;
    time.title = time.textContent;
    const two = (number) => String(number).padStart(2, "0");
    time.textContent = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ` +
      `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
  }
}

// Renews the live pieces of the page, unless somebody is at work in one of them.
async function look() {
  const pieces = [...document.querySelectorAll("[data-live]")];
  if (pieces.length === 0 || document.hidden) return;
  try {
    const answer = await fetch(location.href, { headers: { accept: "text/html" }, redirect: "error" });
    if (!answer.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const piece of pieces) {
      const other = fresh.getElementById(piece.id);
      if (!other || piece.contains(document.activeElement)) continue;
      localise(other);
      if (other.innerHTML !== piece.innerHTML) piece.replaceChildren(...other.childNodes);
    }
  } catch {
    // The daemon is away: the page stays as it is until it is back.
  }
}

// Sends the form of a button, with what is filled in.
function send(button, headers) {
  const body = new URLSearchParams(new FormData(button.form, button));
  return fetch(button.getAttribute("formaction") ?? button.form.getAttribute("action"), { method: "POST", body, headers });
}

// Does something instead of leaving the page, while the button waits.
function instead(button, place, work) {
  button.addEventListener("click", async (event) => {
    if (!document.getElementById(place)) return;
    event.preventDefault();
    const answer = send(button, work.headers);
    button.disabled = true;
    const waiting = document.createElement(work.fault);
    waiting.className = "dim";
    waiting.textContent = "Trying …";
    document.getElementById(place).append(waiting);
    try {
      await work.show(await answer, document.getElementById(place));
    } catch (error) {
      const fault = document.createElement(work.fault);
      fault.className = "bad";
      fault.textContent = `The daemon did not answer: ${error.message}`;
      document.getElementById(place).replaceChildren(fault);
    } finally {
      button.disabled = false;
      button.focus();
    }
  });
}

// Renews one piece of the page with what is filled in and not saved.
function part(button) {
  const show = async (answer, place) => {
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    const other = fresh.getElementById(place.id) ?? fresh.querySelector("main");
    localise(other);
    place.replaceChildren(...other.childNodes);
  };
  instead(button, button.dataset.part, { headers: { accept: "text/html" }, fault: "p", show });
}

// Sends a form without leaving the page: what is wrong is told beside the button, and what was typed stays, passwords too.
function stay(form) {
  form.addEventListener("submit", async (event) => {
    const place = form.querySelector("[data-faults]");
    if (event.submitter?.dataset.part || event.submitter?.dataset.stream || !place) return;
    event.preventDefault();
    const tell = (...nodes) => {
      place.replaceChildren(...nodes);
      place.scrollIntoView({ block: "nearest" });
    };
    try {
      const body = new URLSearchParams(new FormData(form));
      const answer = await fetch(form.getAttribute("action"), { method: "POST", body, headers: { accept: "text/html" } });
      if (answer.redirected) {
        location.assign(answer.url);
        return;
      }
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      const faults = fresh.getElementById(form.dataset.stay) ?? fresh.querySelector("main");
      tell(...faults.childNodes);
    } catch (error) {
      tell(`The daemon did not answer: ${error.message}`);
    }
  });
}

// Where a text has faults, buttons lead to their lines.
function places(list) {
  const text = document.getElementById(list.dataset.places);
  const found = [...list.textContent.matchAll(/\.toml:(\d+):(\d+)/g)].slice(0, 5);
  for (const [, line, column] of text ? found : []) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "quiet";
    button.textContent = `Go to line ${line}`;
    button.addEventListener("click", () => {
      const lines = text.value.split("\n");
      const start = lines.slice(0, line - 1).reduce((sum, before) => sum + before.length + 1, 0) + Number(column) - 1;
      text.focus();
      text.setSelectionRange(start, start + (lines[line - 1] ?? "").length - column + 1);
      text.scrollTop = (text.scrollHeight / lines.length) * (line - 5);
    });
    list.append(button);
  }
}

// What was pressed in a list has the focus again on the page that comes next, wherever it has moved to.
const PRESSED = "pressed";
function remember(list) {
  list.addEventListener("submit", (event) => sessionStorage.setItem(PRESSED, event.submitter?.getAttribute("aria-label") ?? ""));
}
function recall() {
  const label = sessionStorage.getItem(PRESSED);
  sessionStorage.removeItem(PRESSED);
  const there = location.hash ? document.getElementById(decodeURIComponent(location.hash.slice(1))) : null;
  if (!label || !there) return;
  const buttons = [...there.querySelectorAll("button")];
  (buttons.find((button) => button.getAttribute("aria-label") === label) ?? buttons[0])?.focus();
}

// What was done is told once, and not again when the page is loaded anew.
function forget() {
  const address = new URL(location.href);
  if (!address.searchParams.has("done")) return;
  address.searchParams.delete("done");
  history.replaceState(null, "", address);
}

// Shows what the server says while it says it: a test of a connection takes its time.
function stream(button) {
  const show = async (answer, place) => {
    place.replaceChildren();
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      const { done, value } = await reader.read();
      rest += value ?? "";
      const lines = rest.split("\n");
      rest = lines.pop();
      for (const line of lines) {
        const item = document.createElement("li");
        const step = JSON.parse(line);
        const mark = document.createElement("span");
        mark.className = `badge ${step.tone}`;
        mark.textContent = step.mark;
        item.append(mark, " ", step.text);
        place.append(item);
      }
      if (done) break;
    }
  };
  instead(button, button.dataset.stream, { headers: { accept: "application/x-ndjson" }, fault: "li", show });
}

// Lists whose items can be dragged to another place; the buttons beside them do the same with keys.
function sortable(list) {
  let dragged = null;
  for (const item of list.querySelectorAll("li[data-step]")) {
    item.draggable = true;
    item.addEventListener("dragstart", () => { dragged = item; item.classList.add("dragged"); });
    item.addEventListener("dragend", () => item.classList.remove("dragged"));
    item.addEventListener("dragover", (event) => { event.preventDefault(); item.classList.add("over"); });
    item.addEventListener("dragleave", () => item.classList.remove("over"));
    item.addEventListener("drop", (event) => {
      event.preventDefault();
      item.classList.remove("over");
      if (!dragged || dragged === item) return;
      const form = document.getElementById(list.dataset.move);
      form.elements.step.value = dragged.dataset.step;
      form.elements.place.value = item.dataset.place;
      form.requestSubmit();
    });
  }
}

document.addEventListener("DOMContentLoaded", () => {
  localise(document);
  document.querySelectorAll("button[data-stream]").forEach(stream);
  document.querySelectorAll("button[data-part]").forEach(part);
  document.querySelectorAll("form[data-stay]").forEach(stay);
  document.querySelectorAll("[data-places]").forEach(places);
  document.querySelectorAll("ol.steps").forEach(remember);
  document.querySelectorAll("a[data-back]").forEach((link) => {
    if (history.length < 2) return;
    link.textContent = "Back";
    link.addEventListener("click", (event) => { event.preventDefault(); history.back(); });
  });
  forget();
  document.querySelectorAll("ol[data-move]").forEach(sortable);
  document.querySelectorAll("form[data-confirm]").forEach((form) =>
    form.addEventListener("submit", (event) => { if (!confirm(form.dataset.confirm)) event.preventDefault(); }));
  document.querySelectorAll("form[data-auto] select").forEach((select) =>
    select.addEventListener("change", () => select.form.requestSubmit()));
  if (document.querySelector("[data-live]")) setInterval(look, LOOK_EVERY_MS);
});
// The browser itself goes to what the address names first, and takes the focus away.
addEventListener("load", () => setTimeout(recall, 0));
