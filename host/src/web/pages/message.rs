//! A message, and what every hop made of it.

use super::log::outcome;
use crate::message::{self, Message};
use crate::paint::Paint;
use crate::report::{Body, Report};
use crate::store::ReceiptRow;
use crate::story::result;
use crate::story::{self, Ends};
use crate::web::Site;
use crate::web::access::Visitor;
use crate::web::error::{Answer, Fault};
use crate::web::page::{self, Frame, bytes, in_path, time};
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::IntoResponse;
use maud::{Markup, html};
use std::fmt::Write as _;
use std::sync::Arc;

/// What a browser is told of a message's HTML: it may show text and the pictures in it, and do nothing.
const POLICY: &str = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'";
/// How much of the source of a message is shown, in bytes.
const RAW_BYTES_MAX: usize = 256 * 1024;

/// A message with its report, as far as there is one.
struct Opened {
    row: ReceiptRow,
    message: Message,
    report: Option<Report>,
    bytes: u64,
}

async fn open(site: &Site, receipt: i64) -> Result<Opened, Fault> {
    let store = &site.ctx.store;
    let row = store.receipt(receipt).await?.ok_or_else(|| Fault::NotFound(format!("receipt {receipt}")))?;
    let raw = store.raw(&row.sha256).await?;
    let report = store.report(receipt).await?;
    let length = raw.len();
    let message = tokio::task::spawn_blocking(move || message::read(&raw, None)).await?;
    let message = message.map_err(|error| Fault::Failed(error.to_string()))?;
    // A report of another version cannot be read; the message is as good.
    let report: Option<Report> = serde_json::from_value(report).ok();
    let report = report.map(|report: Report| report.with_texts(&message));
    Ok(Opened { row, message, report, bytes: length })
}

pub(super) async fn show(State(site): State<Arc<Site>>, visitor: Visitor, Path(receipt): Path<i64>) -> Answer {
    let opened = open(&site, receipt).await?;
    let Opened { row, message, report, bytes: length } = &opened;
    let subject = if message.subject.is_empty() { "(no subject)" } else { &message.subject };
    let marked = match row.marked_at {
        Some(at) => format!("marked in the mailbox at {at}"),
        None if row.receipt.disposition.is_nothing() => "left as it is in the mailbox".to_owned(),
        None => "not marked yet: the next session does it".to_owned(),
    };
    let committed = format!("{} at {}: {}", row.receipt.outcome.name(), row.committed_at, result(&row.receipt));
    let fetched = format!("{} by job {}, {length} bytes", row.receipt.key, row.job);
    let ends = Ends { fetched: &fetched, committed: &committed, marked: &marked };
    let body = html! {
        h1 { (subject) }
        p { (outcome(&row.receipt.outcome)) }
        (facts(message, row, *length))
        @match report {
            Some(report) => (account(report, &ends)),
            None => p.note { "The log has forgotten what each hop did, or another version of mailmill wrote it down. The message itself is kept." }
        }
        div.row {
            a.button.quiet href=(format!("/try?receipt={receipt}")) { "Try it again on the rules in force" }
            @if visitor.is_admin() { a.button.quiet href=(format!("/try?receipt={receipt}#edited")) { "Try it again on edited rules" } }
            a.button.quiet href=(format!("/messages/{receipt}/raw")) { "Source" }
        }
        @if message.document.kind() == crate::message::document::BodyKind::Html {
            h2 { "As the sender wrote it" }
            p.hint { "Without scripts, forms and pictures from elsewhere." }
            iframe title="The message as its sender wrote it" sandbox="" src=(format!("/messages/{receipt}/html")) loading="lazy" {}
        }
    };
    Ok(page::shown(&Frame::new(subject, "/log", &visitor), &body))
}

fn facts(message: &Message, row: &ReceiptRow, length: u64) -> Markup {
    let people: Vec<String> = message.recipients.iter().map(ToString::to_string).collect();
    html! {
        dl {
            dt { "From" } dd { (message.sender.as_ref().map_or_else(|| "nobody".to_owned(), ToString::to_string)) }
            dt { "To" } dd { (people.join(", ")) }
            dt { "Received" } dd { (time(row.received_at)) }
            dt { "Job" } dd { a href=(super::jobs::address(&row.job)) { (row.job) } @if let Some(session) = row.session { ", " a href=(format!("/log/{}", session.0)) { "session " (session.0) } } }
            dt { "Size" } dd { (bytes(length)) }
            @if !row.receipt.created.is_empty() || !row.receipt.updated.is_empty() {
                dt { "Tickets" } dd { @for number in row.receipt.created.iter().chain(&row.receipt.updated) { a href=(format!("/tickets/{}", in_path(&number.to_string()))) { (number) } " " } }
            }
        }
    }
}

/// What each hop did.
pub(super) fn account(report: &Report, ends: &Ends<'_>) -> Markup {
    html! {
        h2 { "What happened, step by step" }
        ol.story {
            @for (number, name, text) in story::hops(report, ends, Paint::new(false)) {
                li value=(number) {
                    strong { (name) }
                    @for line in text.lines() { br; (line) }
                    @if name == "preprocess" { (in_place(&report.body)) }
                }
            }
        }
        @for warning in &report.warnings { p.note { "Warning: " (warning) } }
        @if !report.steps.is_empty() { (times(report)) }
        p.hint { "Rules in force: revision " code { (report.revision) } }
    }
}

fn times(report: &Report) -> Markup {
    html! {
        details {
            summary { "The time that each hop and each step took" }
            p { (story::times(report)) }
            ul { @for step in &report.steps { li { (step.step) ": " (step.time.as_micros()) " µs" } } }
        }
    }
}

/// The body with its cuts marked where they are.
pub(super) fn in_place(body: &Body) -> Markup {
    let Some(whole) = &body.whole else { return html! {} };
    let kept_all = body.left.as_deref() == Some(whole.as_str());
    let end = whole.floor_char_boundary(story::BODY_BYTES_MAX.min(whole.len()));
    let mut pieces = Vec::new();
    let mut from = 0;
    while from < end {
        let (to, cut) = story::piece(body, from, end);
        let Some(part) = whole.get(from..to) else { break };
        pieces.push(match cut {
            Some(cut) if body.applied.contains(cut.kind) && !kept_all => {
                let by = format!("{}, cut by {}: {}", cut.kind, cut.step, cut.rule);
                html! { del class=(format!("cut {}", cut.kind.name())) title=(by) { (part) } }
            }
            Some(cut) => {
                let by = format!("{}, proposed by {}: {}; kept", cut.kind, cut.step, cut.rule);
                html! { span class=(format!("kept {}", cut.kind.name())) title=(by) { (part) } }
            }
            None => html! { (part) },
        });
        from = to;
    }
    html! {
        pre { @for piece in &pieces { (piece) } @if end < whole.len() { "\n… " (whole.len() - end) " more bytes" } }
        @if !body.cuts.is_empty() {
            ul.legend {
                @for cut in &body.cuts {
                    li { span class=(format!("cut {}", cut.kind.name())) { (cut.kind.name()) } " by " (cut.step) ": " (cut.rule) @if !body.applied.contains(cut.kind) || kept_all { " (kept)" } }
                }
            }
        }
    }
}

/// The body as HTML, harmless.
pub(super) async fn html(State(site): State<Arc<Site>>, _: Visitor, Path(receipt): Path<i64>) -> Answer {
    let opened = open(&site, receipt).await?;
    let none = crate::message::document::CutKinds::NONE;
    let text = opened.message.document.html_view(&[], none);
    let page = format!("<!doctype html><meta charset=\"utf-8\"><title>Message</title><body>{text}");
    let kind = [(header::CONTENT_TYPE, "text/html; charset=utf-8"), (header::CONTENT_SECURITY_POLICY, POLICY)];
    Ok((kind, page).into_response())
}

/// The message as it was received, as text.
pub(super) async fn raw(State(site): State<Arc<Site>>, _: Visitor, Path(receipt): Path<i64>) -> Answer {
    let row = site.ctx.store.receipt(receipt).await?.ok_or_else(|| Fault::NotFound(format!("receipt {receipt}")))?;
    let raw = site.ctx.store.raw(&row.sha256).await?;
    let shown = raw.read(0, RAW_BYTES_MAX).map_err(|error| Fault::Failed(error.to_string()))?;
    let mut text = String::from_utf8_lossy(&shown).into_owned();
    let more = raw.len().saturating_sub(shown.len() as u64);
    if more > 0 {
        let _ = write!(text, "\n… {more} more bytes\n");
    }
    Ok((([(header::CONTENT_TYPE, "text/plain; charset=utf-8")]), text).into_response())
}
