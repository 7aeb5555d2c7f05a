//! Trying a message: pasted, or one that was received. Nothing is stored.

use crate::config::{Job, job_files};
use crate::report::Report;
use crate::store::{MessageRow, Receipt, SessionFilter};
use crate::story::Ends;
use crate::story::result;
use crate::web::Site;
use crate::web::access::Visitor;
use crate::web::error::{Answer, Fault};
use crate::web::form::{Fields, Signed};
use crate::web::page::{self, Frame};
use crate::web::rule_files;
use crate::web::trial::{CleanedBy, Trial, rehearse};
use axum::extract::{Query, State};
use maud::{Markup, html};
use serde::Deserialize;
use std::sync::Arc;

/// The most of a message that is put into a form, in bytes.
const SHOWN_BYTES_MAX: usize = 512 * 1024;
/// How many received messages can be picked, and how many sessions are looked through for them.
const PICKED_MAX: u32 = 20;
/// What the form shows first.
pub(super) const SAMPLE: &str = "From: Ann Smith <ann@example.org>\nTo: support@example.com\nSubject: Re: The printer\n\nIt works again, thank you!\n\n\
                      On Mon, Jan 5, 2026 at 9:14 AM Support <support@example.com> wrote:\n> Dear Ann,\n> did you switch it off and on?\n";

#[derive(Debug, Deserialize)]
pub(super) struct View {
    #[serde(default)]
    job: String,
    receipt: Option<i64>,
}

/// A message that was received: as a form holds it, and the job that brought it.
pub(super) async fn received(site: &Site, receipt: i64) -> Result<(String, String), Fault> {
    let row = site.ctx.store.receipt(receipt).await?.ok_or_else(|| Fault::NotFound(format!("receipt {receipt}")))?;
    let raw = site.ctx.store.raw(&row.sha256).await?;
    if raw.len() > SHOWN_BYTES_MAX as u64 {
        return Err(Fault::Refused("This message is too long for a form: mailmill try takes it as a file.".to_owned()));
    }
    let bytes = raw.to_vec().map_err(|error| Fault::Failed(error.to_string()))?;
    Ok((String::from_utf8_lossy(&bytes).replace("\r\n", "\n"), row.job))
}

pub(super) async fn page(State(site): State<Arc<Site>>, visitor: Visitor, Query(view): Query<View>) -> Answer {
    let (message, job) = match view.receipt {
        None => (SAMPLE.to_owned(), view.job),
        Some(receipt) => received(&site, receipt).await?,
    };
    let body = html! {
        h1 { "Try a message" }
        (form(&site, &visitor, &job, &message)?)
        section #tried aria-live="polite" {}
    };
    Ok(page::shown(&Frame::new("Try a message", "/try", &visitor), &body))
}

/// A list of the jobs as one of which a message is tried.
pub(super) fn jobs(site: &Site, chosen: &str) -> Result<Markup, Fault> {
    let names: Vec<String> = job_files(&site.config.jobs)?.iter().filter_map(|file| Job::name_of(file)).collect();
    Ok(html! {
        label for="job" { "As this job would handle it" }
        select #job name="job" {
            option value="" { "no job: every recommended rule, every kind of cut" }
            @for name in &names { option value=(name) selected[name == chosen] { (name) } }
        }
    })
}

fn form(site: &Site, visitor: &Visitor, job: &str, message: &str) -> Result<Markup, Fault> {
    let files = rule_files::list(site)?;
    Ok(html! {
        p { "The message goes through all nine hops on the rules in force. Nothing is stored, nothing is sent." }
        form method="post" action="/try" {
            (visitor.csrf_field())
            (jobs(site, job)?)
            label for="message" { "The message, with its header if you have it" }
            textarea #message name="message" rows="14" spellcheck="false" { (message) }
            div.row { button type="submit" data-part="tried" { "Try it" } }
            @if visitor.is_admin() {
                fieldset #edited {
                    legend { "On edited rules" }
                    label for="path" { "The rule file to edit; nothing of it is saved before you say so" }
                    select #path name="path" { @for file in &files { option value=(file) selected[file == "preprocess/gmail.toml"] { (file) } } }
                    div.row { button.quiet type="submit" formaction="/rules/file" name="what" value="open" { "Edit it beside this message" } }
                }
            }
        }
    })
}

/// The message that a form is about: the one that is picked, or else the text.
pub(super) async fn message(site: &Site, fields: &Fields) -> Result<Vec<u8>, Fault> {
    match fields.filled("receipt").and_then(|receipt| receipt.parse().ok()) {
        Some(receipt) => Ok(received(site, receipt).await?.0.into_bytes()),
        None => Ok(as_message(&fields.text("message").replace("\r\n", "\n"))),
    }
}

/// What was pasted, as a message: a text that does not begin with a field of a header (RFC 5322 section 2.2) is taken as the body of one.
pub(super) fn as_message(pasted: &str) -> Vec<u8> {
    let first = pasted.lines().next().unwrap_or_default();
    let name = first.split_once(':').map(|(name, _)| name.trim_end());
    let is_field = name.is_some_and(|name| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic()));
    // The line with which a mailbox file begins a message.
    if pasted.is_empty() || is_field || first.starts_with("From ") {
        return pasted.as_bytes().to_vec();
    }
    format!("From: somebody@client.example\nSubject: what was pasted\n\n{pasted}").into_bytes()
}

/// Tries what a form says on the rules in force.
pub(super) async fn run(State(site): State<Arc<Site>>, signed: Signed) -> Answer {
    let fields = &signed.fields;
    let (job, message) = (fields.text("job").to_owned(), message(&site, fields).await?);
    let text = String::from_utf8_lossy(&message).into_owned();
    let is_cleaning = fields.is_ticked("cleaning");
    let rules = site.reloader.current();
    let cleaned_by = CleanedBy::of(is_cleaning);
    let tried = rehearse(&site, Trial { job: job.clone(), message, rules, cleaned_by }).await?;
    let body = html! {
        h1 { "Try a message" }
        section #tried aria-live="polite" { (if is_cleaning { cleaned(&tried.0) } else { outcome(&tried) }) }
        h2 { "Again" }
        (form(&site, &signed.visitor, &job, &text)?)
    };
    Ok(page::shown(&Frame::new("Try a message", "/try", &signed.visitor), &body))
}

/// What would become of a message.
pub(super) fn outcome((report, receipt): &(Report, Receipt)) -> Markup {
    let committed = format!("would be {}: {}", receipt.outcome.name(), result(receipt));
    let ends = Ends { fetched: "pasted", committed: &committed, marked: "nothing is marked" };
    html! { p.done role="status" { (committed) } (super::message::account(report, &ends)) }
}

/// What would be cut of a message.
pub(super) fn cleaned(report: &Report) -> Markup {
    let cuts = report.body.cuts.len();
    html! {
        p.done role="status" { @match cuts { 0 => "No rule wants anything cut.", 1 => "1 piece is marked.", _ => { (cuts) " pieces are marked." } } " What is struck through would be gone; what is only marked is of a kind that stays." }
        (super::message::in_place(&report.body))
        @for warning in &report.warnings { p.note { "Warning: " (warning) } }
    }
}

/// A form to try a message on the rules that a job runs.
pub(super) async fn cleaning(site: &Site, visitor: &Visitor, job: &str) -> Result<Markup, Fault> {
    let recent = recent(site, job).await?;
    Ok(html! {
        h2 #try { "Try them" }
        form method="post" action="/try" {
            (visitor.csrf_field())
            input type="hidden" name="job" value=(job);
            input type="hidden" name="cleaning" value="yes";
            @if !recent.is_empty() {
                label for="receipt" { "A message that was received" }
                select #receipt name="receipt" {
                    option value="" { "none: the text below" }
                    @for row in &recent { option value=(row.receipt) { (row.receipt) ": " (row.subject) @if let Some(sender) = &row.sender { ", from " (sender) } } }
                }
            }
            label for="message" { "Or one that is pasted, with its header if you have it" }
            textarea #message name="message" rows="10" spellcheck="false" { (SAMPLE) }
            div.row { button type="submit" data-part="tried" { "Show what is cut" } }
        }
        section #tried aria-live="polite" {}
    })
}

/// The latest messages that a job has received.
async fn recent(site: &Site, job: &str) -> Result<Vec<MessageRow>, Fault> {
    let filter = SessionFilter { job: Some(job.to_owned()), limit: Some(PICKED_MAX), ..SessionFilter::default() };
    let mut recent = Vec::new();
    for session in site.ctx.store.sessions(&filter).await? {
        if recent.len() >= PICKED_MAX as usize {
            break;
        }
        if session.tally.received > 0 {
            recent.extend(site.ctx.store.session_page(session.id, 0, PICKED_MAX).await?);
        }
    }
    Ok(recent)
}
