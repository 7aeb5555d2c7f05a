//! Trying a job's settings on its server.

use super::jobs::address;
use crate::job;
use crate::mailbox::Step;
use crate::web::Site;
use crate::web::access::Visitor;
use crate::web::error::{Answer, Fault};
use crate::web::form::Order;
use crate::web::page::{self, Frame, badge};
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, header};
use axum::response::IntoResponse;
use futures::stream;
use maud::{Markup, html};
use serde::Serialize;
use std::convert::Infallible;
use std::sync::Arc;
use tokio::sync::mpsc;

/// A step as the browser gets it: a line of JSON each.
#[derive(Debug, Serialize)]
struct Line {
    mark: &'static str,
    tone: &'static str,
    text: String,
}

impl Line {
    fn of(step: &Step) -> Vec<Self> {
        let took = step.took.as_millis();
        let warning = step.outcome.as_ref().ok().and_then(crate::mailbox::Seen::warning);
        let mut lines = vec![match &step.outcome {
            Ok(seen) => Self { mark: "ok", tone: "good", text: format!("{}, {took} ms: {seen}", step.stage) },
            Err(error) => Self { mark: "failed", tone: "bad", text: format!("{}, {took} ms: {error}", step.stage) },
        }];
        lines.extend(warning.map(|warning| Self { mark: "warning", tone: "warn", text: warning.to_string() }));
        lines
    }
}

pub(super) async fn page(State(site): State<Arc<Site>>, visitor: Visitor, Path(name): Path<String>) -> Answer {
    super::job_file(&site, &name)?;
    Ok(page::shown(&Frame::new("Test connection", "/jobs", &visitor), &body(&visitor, &name, &html! {})))
}

fn body(visitor: &Visitor, name: &str, lines: &Markup) -> Markup {
    html! {
        h1 { "Test connection of job " (name) }
        p { "Each step of a session is tried, up to counting the messages that wait. Nothing on the server is changed." }
        @if visitor.is_admin() {
            form method="post" action=(format!("{}/test", address(name))) data-stream="steps" {
                (visitor.csrf_field())
                button type="submit" { "Test connection" }
            }
        } @else { p { "Your role is viewer: an administrator can run this test." } }
        ol #steps.story aria-live="polite" { (lines) }
        p { a href=(address(name)) { "Back to the job" } }
    }
}

/// Runs the test: line by line where the browser reads as it comes, else as a page once it is done.
pub(super) async fn test(
    State(site): State<Arc<Site>>,
    Path(name): Path<String>,
    headers: HeaderMap,
    order: Order,
) -> Answer {
    let (lines, mut heard) = mpsc::unbounded_channel();
    let job = super::job(&site, &name)?;
    site.ctx.store.note(order.visitor.name(), "test-connection", &name, "").await?;
    let (tokens, spool, bytes_max) =
        (site.ctx.tokens.clone(), site.ctx.spool.clone(), site.ctx.limits.message_bytes_max);
    // On its own task: a browser that goes away ends nothing half-way, and the test changes nothing.
    tokio::spawn(async move {
        let say = |line: Line| _ = lines.send(line);
        match job::account(&job, bytes_max, &tokens, &spool) {
            Err(error) => {
                say(Line { mark: "failed", tone: "bad", text: format!("the job's password cannot be read: {error}") })
            }
            Ok(account) => {
                let outcome = account.test(|step| Line::of(&step).into_iter().for_each(say)).await;
                if outcome.is_ok() {
                    say(Line { mark: "ok", tone: "good", text: format!("The settings of job {} work.", job.name) });
                }
            }
        }
    });
    let wants_lines = headers.get(header::ACCEPT).is_some_and(|accept| accept.as_bytes() == b"application/x-ndjson");
    if wants_lines {
        let lines = stream::unfold(heard, |mut heard| async {
            let line: Line = heard.recv().await?;
            let text = serde_json::to_string(&line).unwrap_or_default() + "\n";
            Some((Ok::<_, Infallible>(text), heard))
        });
        let kind = [(header::CONTENT_TYPE, "application/x-ndjson")];
        return Ok((kind, Body::from_stream(lines)).into_response());
    }
    let mut shown = Vec::new();
    while let Some(line) = heard.recv().await {
        shown.push(line);
    }
    let lines = html! { @for line in &shown { li { (badge(line.mark, line.tone)) " " (line.text) } } };
    Ok(page::shown(&Frame::new("Test connection", "/jobs", &order.visitor), &body(&order.visitor, &name, &lines)))
}

/// The mailboxes that the server has.
pub(super) async fn folders(State(site): State<Arc<Site>>, visitor: Visitor, Path(name): Path<String>) -> Answer {
    if !visitor.is_admin() {
        return Err(Fault::Forbidden);
    }
    let job = super::job(&site, &name)?;
    let account = job::account(&job, site.ctx.limits.message_bytes_max, &site.ctx.tokens, &site.ctx.spool);
    let account = account.map_err(|error| Fault::Refused(format!("The job's password cannot be read: {error}")))?;
    let folders = account.folders().await.map_err(|error| Fault::Refused(error.to_string()))?;
    let body = html! {
        h1 { "Mailboxes of job " (name) }
        ul { @for folder in &folders { li { code { (folder.name) } @if !folder.holds_mail { " " span.dim { "holds no mail itself" } } @if let Some(purpose) = folder.purpose { " " span.dim { (purpose) } } } } }
        p { a href=(format!("{}/edit", address(&name))) { "Write one of them into the job's form" } }
    };
    Ok(page::shown(&Frame::new("Mailboxes", "/jobs", &visitor), &body))
}
