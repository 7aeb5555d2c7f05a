//! Every page on every width, in light and dark, for everybody; with keys alone; with hostile mail in it.

#[path = "../../../host/src/message/document/xss/corpus.rs"]
mod corpus;
#[path = "../../../host/src/message/document/xss/harmless.rs"]
mod harmless;

use super::scene::{HOSTILE, PASSWORD, Scene, block_on, pictures};
use anyhow::{Context, Result, ensure};
use mailmill_tests::browser::Browser;
use mailmill_tests::messages;

/// A job whose server nobody answers for: there is something to see of it all the same.
pub(super) const UNREACHABLE: &str = "[source]\ntype = \"imap\"\nhost = \"127.0.0.1\"\nport = 1\nuser = \"ann\"\nauthentication = \"oauth2\"\n\
                           mailbox = [\"INBOX\", \"Support\"]\n\n[source.oauth]\nprovider = \"microsoft365\"\nclient_id = \"app\"\n\
                           tenant = \"example.org\"\n\n[schedule]\nat = [\"08:00\", \"17:30\"]\ndays = [\"weekdays\"]\n";

/// The widths that pages are looked at in, in CSS pixels.
const WIDTHS: [u32; 3] = [320, 768, 1440];
/// Name of its picture, address.
pub(super) const PAGES: [(&str, &str); 27] = [
    ("jobs", "/jobs"),
    ("job", "/jobs/folder"),
    ("new-job", "/jobs/new"),
    ("edit-job", "/jobs/office/edit"),
    ("authorize", "/jobs/office/authorize"),
    ("steps", "/jobs/folder/steps"),
    ("connection", "/jobs/folder/test"),
    ("file", "/jobs/folder/file"),
    ("log", "/log"),
    ("session", "/log/1"),
    ("message", "/messages/1"),
    ("tickets", "/tickets"),
    ("ticket", "/tickets/T00001"),
    ("quarantine", "/quarantine"),
    ("outbox", "/outbox"),
    ("processing", "/processing"),
    ("rules", "/rules"),
    ("rule-file", "/rules/file?path=preprocess/gmail.toml"),
    ("new-rule", "/rules/new"),
    ("revisions", "/revisions"),
    ("difference", "/revisions/difference?from=now&to=now"),
    ("try", "/try"),
    ("plugins", "/plugins"),
    ("plugin", "/plugins/reply"),
    ("access", "/settings"),
    ("nothing", "/jobs/none"),
    ("nowhere", "/nowhere"),
];

#[test]
fn every_page_is_fit_for_everybody() -> Result<()> {
    let mut scene = Scene::start(|installation| {
        installation.add_folder_job("folder")?;
        installation.write("jobs/office.toml", UNREACHABLE)?;
        installation.write("mail/1.eml", &messages::reply(1, "ann@client.example"))
    })?;
    scene.daemon.wait_for("a message", 0, |line| line.contains("message handled"))?;
    block_on(async {
        let browser = Browser::start().await?;
        scene.enter(&browser).await?;
        let mut faults = Vec::new();
        for (name, path) in PAGES {
            browser.open(&scene.at(path)).await?;
            let text = browser.text().await?;
            ensure!(!text.contains("Something failed"), "{path}: {text}");
            ensure!(text.contains("Not found") == name.starts_with("no"), "{path}: {text}");
            faults.extend(browser.violations().await?.into_iter().map(|fault| format!("{path}: {fault}")));
            for width in WIDTHS {
                if !browser.picture(width, &pictures().join(format!("{name}-{width}.png"))).await? {
                    faults.push(format!("{path}: it is wider than a window of {width}"));
                }
            }
            browser.set_dark(true).await?;
            faults.extend(browser.colour_violations().await?.into_iter().map(|fault| format!("{path}, dark: {fault}")));
            browser.picture(1440, &pictures().join(format!("{name}-1440-dark.png"))).await?;
            browser.set_dark(false).await?;
        }
        ensure!(faults.is_empty(), "{}", faults.join("\n"));
        browser.open(&scene.at("/processing")).await?;
        browser.see("origin is in [\"bounce\"").await?;
        browser.see("create a ticket, class incident").await?;
        // What is tried comes without a new page, and is as fit.
        browser.open(&scene.at("/jobs/folder/steps")).await?;
        browser.press("Show what is cut").await?;
        browser.see("What is struck through would be gone").await?;
        let faults = browser.violations().await?;
        ensure!(faults.is_empty(), "what is tried: {}", faults.join("\n"));
        browser.picture(1440, &pictures().join("tried-1440.png")).await?;
        browser.end().await
    })
}

#[test]
fn keys_alone_are_enough() -> Result<()> {
    let scene = Scene::start(|_| Ok(()))?;
    block_on(async {
        let browser = Browser::start().await?;
        scene.enter(&browser).await?;
        browser.tab_to("header form button").await?;
        browser.type_keys("\u{e007}").await?;
        browser.see("Log in").await?;
        browser.tab_to("[name=name]").await?;
        browser.type_keys("admin").await?;
        browser.tab_to("[name=password]").await?;
        browser.type_keys(&format!("{PASSWORD}\u{e007}")).await?;
        browser.see("There is no job yet").await?;

        // The first key leads past the menu.
        browser.tab_to("a.skip").await?;
        browser.type_keys("\u{e007}").await?;
        browser.tab_to("main a.button").await?;
        browser.type_keys("\u{e007}").await?;
        browser.see("Account type").await?;
        for (name, keys) in [
            ("name", "keys"),
            ("type", "pop3"),
            ("host", "127.0.0.1"),
            ("port", "1"),
            ("user", "ann"),
            ("secret", "a secret"),
            ("security", "none"),
            ("at", "08:00"),
        ] {
            browser.tab_to(&format!("[name={name}]")).await?;
            browser.type_keys(keys).await?;
        }
        // Nothing that POP3 does not have is in the way.
        browser.tab_to("[name=rejection-deleted]").await?;
        browser.type_keys(" ").await?;
        // Enter in a field saves; it does not press the first button that is seen.
        browser.tab_back_to("[name=every]").await?;
        browser.type_keys("\u{e007}").await?;
        browser.see("The job is made").await?;
        browser.tab_to("main a[href$='/test']").await?;
        browser.type_keys("\u{e007}").await?;
        browser.see("Test connection of job keys").await?;
        browser.tab_to("[data-stream]").await?;
        browser.type_keys("\u{e007}").await?;
        browser.see("failed").await?;
        let file = scene.installation.read("jobs/keys.toml")?;
        for line in ["type = \"pop3\"", "at = [\"08:00\"]", "on_rejection = { deleted = true }"] {
            ensure!(file.contains(line), "{line}: {file}");
        }
        browser.end().await
    })
}

#[test]
fn hostile_mail_stays_text() -> Result<()> {
    let mut scene = Scene::start(|installation| {
        installation.add_folder_job("folder")?;
        installation.write("mail/1.eml", HOSTILE)
    })?;
    scene.daemon.wait_for("the message", 0, |line| line.contains("message handled"))?;
    block_on(async {
        let browser = Browser::start().await?;
        scene.enter(&browser).await?;
        for path in ["/messages/1", "/try?receipt=1", "/jobs/folder/steps", "/log/1", "/tickets"] {
            browser.open(&scene.at(path)).await?;
            tokio::time::sleep(std::time::Duration::from_millis(500)).await;
            let script = "return window.fooled === undefined ? document.title : 'fooled'";
            let title = browser.script(script, Vec::new()).await?;
            ensure!(title.as_str().is_some_and(|title| title.ends_with("· mailmill")), "{path}: {title}");
        }
        browser.open(&scene.at("/messages/1/html")).await?;
        // A sandboxed page runs no script, not even the driver's, so the driver may have nothing to say of it.
        let inside = browser.client().source().await.unwrap_or_default();
        for wrong in
            ["onerror", "onload", "<script", "javascript:", "evil.example/", "<form", "<iframe", "<svg", "<style"]
        {
            ensure!(!inside.contains(wrong), "{wrong}: {inside}");
        }
        browser.end().await
    })
}

/// Once the frame with the message's HTML has been loaded: the title of the page around it, if nothing has run, and that HTML.
const OPENED: &str = "const done = arguments[0], frame = document.querySelector('iframe'); frame.addEventListener('load', async () => { \
    const html = await (await fetch(frame.src)).text(); done({ title: window.fooled === undefined ? document.title : 'fooled', html }); }); \
    frame.loading = 'eager'; frame.src = frame.src;";

#[test]
fn no_attack_of_the_corpus_runs_when_its_message_is_opened() -> Result<()> {
    let attacks: Vec<String> = corpus::CORPUS.iter().map(|attack| attack.replace("run()", "top.fooled=1")).collect();
    let mut scene = Scene::start(|installation| {
        installation.add_folder_job("folder")?;
        for (number, attack) in (1..).zip(&attacks) {
            let head =
                "From: mallory@evil.example\nSubject: Hello\nMIME-Version: 1.0\nContent-Type: text/html; charset=utf-8";
            installation
                .write(&format!("mail/{number:03}.eml"), &format!("{head}\n\n<p>before</p>{attack}<p>after</p>\n"))?;
        }
        Ok(())
    })?;
    let last = format!("{:03}.eml", attacks.len());
    scene.daemon.wait_for("all messages", 0, |line| line.contains("message handled") && line.contains(&last))?;
    block_on(async {
        let browser = Browser::start().await?;
        scene.enter(&browser).await?;
        for (number, attack) in (1..).zip(&attacks) {
            browser.open(&scene.at(&format!("/messages/{number}"))).await?;
            let seen = browser.client().execute_async(OPENED, Vec::new()).await;
            let seen = seen.with_context(|| attack.clone())?;
            ensure!(seen["title"] == "Hello · mailmill", "{attack}: {seen}");
            let html = seen["html"].as_str().and_then(|html| html.split_once("<body>")).context("a body")?.1;
            harmless::assert_harmless(attack, html);
        }
        browser.end().await
    })
}
