//! Trying a message: pasted, or one that was received. Nothing is stored.

use crate::config::{ApplyTo, Handling, Job, job_files};
use crate::job::{Reception, cleaning, entry};
use crate::mailbox::{Disposition, MessageKey, RawMessage};
use crate::message::document::CutKinds;
use crate::pipeline::{self, Cleaning};
use crate::report::Report;
use crate::store::Receipt;
use crate::story::Ends;
use crate::story::result;
use crate::web::Site;
use crate::web::access::Visitor;
use crate::web::error::{Answer, Fault};
use crate::web::form::Signed;
use crate::web::page::{self, Frame};
use axum::extract::{Query, State};
use maud::{Markup, html};
use serde::Deserialize;
use std::sync::Arc;

/// The most of a message that is put into the form, in bytes.
const SHOWN_BYTES_MAX: usize = 512 * 1024;
/// What the form shows first.
const SAMPLE: &str = "From: Ann Smith <ann@example.org>\nTo: support@example.com\nSubject: Re: The printer\n\nIt works again, thank you!\n\n\
                      On Mon, Jan 5, 2026 at 9:14 AM Support <support@example.com> wrote:\n> Dear Ann,\n> did you switch it off and on?\n";

#[derive(Debug, Deserialize)]
pub(super) struct View {
    #[serde(default)]
    job: String,
    receipt: Option<i64>,
}

pub(super) async fn page(State(site): State<Arc<Site>>, visitor: Visitor, Query(view): Query<View>) -> Answer {
    let (message, job) = match view.receipt {
        None => (SAMPLE.to_owned(), view.job),
        Some(receipt) => {
            let row =
                site.ctx.store.receipt(receipt).await?.ok_or_else(|| Fault::NotFound(format!("receipt {receipt}")))?;
            let raw = site.ctx.store.raw(&row.sha256).await?;
            if raw.len() > SHOWN_BYTES_MAX as u64 {
                return Err(Fault::Refused(
                    "This message is too long for a form: mailmill try takes it as a file.".to_owned(),
                ));
            }
            let bytes = raw.to_vec().map_err(|error| Fault::Failed(error.to_string()))?;
            (String::from_utf8_lossy(&bytes).replace("\r\n", "\n"), row.job)
        }
    };
    let body = html! { h1 { "Try a message" } (form(&site, &visitor, &job, &message)?) };
    Ok(page::shown(&Frame::new("Try a message", "/try", &visitor), &body))
}

fn form(site: &Site, visitor: &Visitor, job: &str, message: &str) -> Result<Markup, Fault> {
    let names: Vec<String> = job_files(&site.config.jobs)?.iter().filter_map(|file| Job::name_of(file)).collect();
    Ok(html! {
        p { "The message goes through all nine hops on the rules in force. Nothing is stored, nothing is sent." }
        form method="post" action="/try" {
            (visitor.csrf_field())
            label for="job" { "As this job would handle it" }
            select #job name="job" {
                option value="" { "no job: every recommended rule, every kind of cut" }
                @for name in &names { option value=(name) selected[name == job] { (name) } }
            }
            label for="message" { "The message, with its header" }
            textarea #message name="message" rows="18" spellcheck="false" { (message) }
            button type="submit" { "Try it" }
        }
    })
}

pub(super) async fn run(State(site): State<Arc<Site>>, signed: Signed) -> Answer {
    let (name, message) = (signed.fields.text("job").to_owned(), signed.fields.text("message").replace("\r\n", "\n"));
    let (report, receipt) = rehearse(&site, &name, message.clone()).await?;
    let committed = format!("would be {}: {}", receipt.outcome.name(), result(&receipt));
    let ends = Ends { fetched: "pasted", committed: &committed, marked: "nothing is marked" };
    let body = html! {
        h1 { "Try a message" }
        section aria-label="What would become of it" { p.done role="status" { (committed) } (super::message::account(&report, &ends)) }
        h2 { "Again" }
        (form(&site, &signed.visitor, &name, &message)?)
    };
    Ok(page::shown(&Frame::new("Try a message", "/try", &signed.visitor), &body))
}

/// All nine hops, up to a transaction that is rolled back.
async fn rehearse(site: &Site, name: &str, message: String) -> Result<(Report, Receipt), Fault> {
    let (ctx, rules) = (&site.ctx, site.reloader.current());
    let job = if name.is_empty() { None } else { Some(super::job(site, name)?) };
    let outlets = ctx.outlets.borrow().clone();
    let seen = Disposition::SEEN;
    let usual = Handling { on_success: seen.clone(), on_rejection: seen, purge: false };
    let (handling, wanted, reception) = match &job {
        Some(job) => (job.handling.clone(), cleaning(job, &rules), Reception::of(job, &outlets.own_addresses)),
        None => {
            let all = Cleaning { steps: rules.recommended_steps(), kinds: CutKinds::ALL, apply_to: ApplyTo::All };
            (usual, all, Reception::usual(&outlets.own_addresses))
        }
    };
    let failed = |error: crate::content::Error| Fault::Failed(error.to_string());
    let content = ctx.spool.read_all(message.as_bytes(), u64::MAX).map_err(failed)??;
    let key = MessageKey { mailbox: "try".to_owned(), uid_validity: 0, uid: "pasted".to_owned() };
    let parsed =
        pipeline::parse(RawMessage { key, received: None, content }, &ctx.tags, &ctx.attachments).map_err(failed)?;
    let threading = reception.thread(&ctx.store, &parsed, rules.classes()).await?;
    // Rules may take their time: not on a thread that answers others.
    let run = move || {
        let verdict = pipeline::run(&mut rules.instances(), &parsed, &threading, &wanted, &outlets);
        (verdict, parsed)
    };
    let (verdict, parsed) = tokio::task::spawn_blocking(run).await?;
    let report = verdict.report.clone().with_texts(&parsed.message);
    let name = if name.is_empty() { "try" } else { name };
    let receipt = ctx.store.rehearse(&reception.admitted(entry(name, &handling, None, &parsed, verdict))).await?;
    Ok((report, receipt))
}
