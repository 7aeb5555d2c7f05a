//! The frame around every page, and the pieces that pages are made of.

use super::access::Visitor;
use axum::response::{Html, IntoResponse, Response};
use jiff::Timestamp;
use maud::{DOCTYPE, Markup, html};

/// The pages of the menu: address, name.
const MENU: [(&str, &str); 11] = [
    ("/jobs", "Jobs"),
    ("/log", "Incoming mail"),
    ("/tickets", "Tickets"),
    ("/quarantine", "Quarantine"),
    ("/outbox", "Outbox"),
    ("/processing", "Processing"),
    ("/rules", "Rules"),
    ("/revisions", "Revisions"),
    ("/try", "Try a message"),
    ("/plugins", "Plugins"),
    ("/settings", "People"),
];

/// What stands around a page.
#[derive(Debug)]
pub(super) struct Frame<'a> {
    title: &'a str,
    /// The entry of the menu that it belongs to.
    at: &'a str,
    visitor: Option<&'a Visitor>,
    /// Whether it has a menu, whoever looks.
    has_menu: bool,
}

impl<'a> Frame<'a> {
    /// The frame of a page for somebody who is logged in.
    pub(super) fn new(title: &'a str, at: &'a str, visitor: &'a Visitor) -> Self {
        Self { title, at, visitor: Some(visitor), has_menu: true }
    }

    /// A frame without a menu.
    pub(super) fn bare(title: &'a str) -> Self {
        Self { title, at: "", visitor: None, has_menu: false }
    }

    /// The frame of a page that does not know who looks at it, with a way to all others.
    pub(super) fn of_fault(title: &'a str) -> Self {
        Self { title, at: "", visitor: None, has_menu: true }
    }
}

/// A page.
pub(super) fn document(frame: &Frame<'_>, body: &Markup) -> Html<String> {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (frame.title) " · mailmill" }
                link rel="stylesheet" href="/assets/mailmill.css";
                link rel="icon" href="/assets/mailmill.svg" type="image/svg+xml";
                script src="/assets/mailmill.js" defer {}
            }
            body {
                a.skip href="#content" { "Skip to the content" }
                header {
                    a.brand href="/jobs" { "mailmill" }
                    @if frame.has_menu { (menu(frame.at)) }
                    @if let Some(visitor) = frame.visitor { (who(visitor)) }
                }
                main #content tabindex="-1" {
                    @if let Some(news) = frame.visitor.and_then(Visitor::news) { p.done role="status" { (news.sentence()) } }
                    (body)
                }
            }
        }
    };
    Html(page.into_string())
}

fn menu(at: &str) -> Markup {
    html! {
        nav aria-label="Main" {
            ul {
                @for (address, name) in MENU {
                    li { a href=(address) aria-current=[(address == at).then_some("page")] { (name) } }
                }
            }
        }
    }
}

fn who(visitor: &Visitor) -> Markup {
    html! {
        form.who method="post" action="/logout" {
            (visitor.csrf_field())
            span { (visitor.name()) @if !visitor.is_admin() { " (viewer)" } }
            button.quiet type="submit" { "Log out" }
        }
    }
}

/// A page as an answer.
pub(super) fn shown(frame: &Frame<'_>, body: &Markup) -> Response {
    document(frame, body).into_response()
}

/// A time as people read it, in UTC; their browser shows it in their own zone.
pub(super) fn time(at: Timestamp) -> Markup {
    html! { time datetime=(at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()) { (at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()) } }
}

/// A time, or a dash.
pub(super) fn time_maybe(at: Option<Timestamp>) -> Markup {
    at.map_or_else(|| html! { span.none { "–" } }, time)
}

/// A size in bytes as people read it.
pub(super) fn bytes(count: u64) -> String {
    match count {
        0..1024 => format!("{count} bytes"),
        1024..1_048_576 => format!("{} KiB", count.div_ceil(1024)),
        _ => format!("{} MiB", count.div_ceil(1_048_576)),
    }
}

/// A button that is a form of its own.
pub(super) fn button(visitor: &Visitor, action: &str, label: &str, class: &str) -> Markup {
    html! {
        form.inline method="post" action=(action) {
            (visitor.csrf_field())
            button type="submit" class=(class) { (label) }
        }
    }
}

/// A piece of a page that is renewed every few seconds where scripts run.
pub(super) fn live(id: &str, body: &Markup) -> Markup {
    html! { div id=(id) data-live { (body) } }
}

/// A table that can be scrolled sideways where it does not fit.
pub(super) fn table(label: &str, head: &[&str], rows: &[Vec<Markup>], empty: &str) -> Markup {
    html! {
        @if rows.is_empty() {
            p.empty { (empty) }
        } @else {
            div.scroll role="region" aria-label=(label) tabindex="0" {
                table {
                    thead { tr { @for name in head { th scope="col" { (name) } } } }
                    tbody { @for row in rows { tr { @for cell in row { td { (cell) } } } } }
                }
            }
        }
    }
}

/// A text in a table.
pub(super) fn text(text: impl std::fmt::Display) -> Markup {
    html! { (text.to_string()) }
}

/// A word in a coloured frame; the colour says no more than the word.
pub(super) fn badge(word: &str, tone: &str) -> Markup {
    html! { span class=(format!("badge {tone}")) { (word) } }
}

/// A piece of an address, with what has a meaning there escaped.
pub(super) fn in_path(piece: &str) -> String {
    let mut path = String::new();
    for byte in piece.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            path.push(char::from(byte));
        } else {
            path.push_str(&format!("%{byte:02X}"));
        }
    }
    path
}
