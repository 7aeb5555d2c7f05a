//! The incoming mail log: sessions, and the messages of each.

use super::{ROWS, jobs, told};
use crate::config::{Job, job_files};
use crate::store::{MessageRow, Outcome, SessionFilter, SessionId, SessionOutcome};
use crate::web::Site;
use crate::web::access::Visitor;
use crate::web::error::{Answer, Fault};
use crate::web::form::Order;
use crate::web::news::News;
use crate::web::page::{self, Frame, badge, in_path, live, time, time_maybe};
use crate::web::sessions;
use axum::extract::{Path, Query, State};
use jiff::{SignedDuration, Timestamp};
use maud::{Markup, html};
use serde::Deserialize;
use std::sync::Arc;

/// What sessions can be picked by: word, what it says.
const OUTCOMES: [(&str, &str, SessionOutcome); 5] = [
    ("accepted", "with accepted messages", SessionOutcome::Accepted),
    ("rejected", "with rejected messages", SessionOutcome::Rejected),
    ("ignored", "with ignored messages", SessionOutcome::Ignored),
    ("quarantined", "with quarantined messages", SessionOutcome::Quarantined),
    ("failed", "with errors", SessionOutcome::Failed),
];
/// How far back a view goes: word, what it says, hours.
const VIEWS: [(&str, &str, i64); 3] =
    [("24h", "the last 24 hours", 24), ("7d", "the last 7 days", 7 * 24), ("30d", "the last 30 days", 30 * 24)];

#[derive(Debug, Deserialize)]
pub(super) struct View {
    #[serde(default)]
    job: String,
    #[serde(default)]
    since: String,
    #[serde(default)]
    outcome: String,
    before: Option<i64>,
}

impl View {
    /// Whether nothing is chosen.
    fn is_all(&self) -> bool {
        self.job.is_empty() && self.since.is_empty() && self.outcome.is_empty() && self.before.is_none()
    }

    fn filter(&self) -> SessionFilter {
        let hours = VIEWS.iter().find(|(word, ..)| *word == self.since).map(|(.., hours)| *hours);
        let since = hours.and_then(|hours| Timestamp::now().checked_sub(SignedDuration::from_hours(hours)).ok());
        SessionFilter {
            job: Some(self.job.clone()).filter(|job| !job.is_empty()),
            since,
            outcome: OUTCOMES.iter().find(|(word, ..)| *word == self.outcome).map(|(.., outcome)| *outcome),
            before: self.before.map(SessionId),
            limit: Some(ROWS),
            ..SessionFilter::default()
        }
    }
}

pub(super) async fn list(State(site): State<Arc<Site>>, visitor: Visitor, Query(view): Query<View>) -> Answer {
    let sessions = site.ctx.store.sessions(&view.filter()).await?;
    let names: Vec<String> = job_files(&site.config.jobs)?.iter().filter_map(|file| Job::name_of(file)).collect();
    let older = sessions.last().filter(|_| sessions.len() == ROWS as usize).map(|last| last.id.0);
    let pages = html! {
        (jobs::sessions_table(&sessions, if view.is_all() { jobs::NO_SESSION } else { "No session is like that: choose others above." }))
        @if let Some(before) = older { p { a href=(format!("/log?job={}&since={}&outcome={}&before={before}", in_path(&view.job), in_path(&view.since), in_path(&view.outcome))) { "Older sessions" } } }
    };
    let option =
        |value: &str, words: &str, chosen: &str| html! { option value=(value) selected[value == chosen] { (words) } };
    let body = html! {
        h1 { "Incoming mail" }
        form.filters method="get" action="/log" data-auto {
            div { label for="job" { "Job" } select #job name="job" { (option("", "all jobs", &view.job)) @for name in &names { (option(name, name, &view.job)) } } }
            div { label for="since" { "Begun in" } select #since name="since" { (option("", "all the time", &view.since)) @for (word, words, _) in VIEWS { (option(word, words, &view.since)) } } }
            div { label for="outcome" { "Sessions" } select #outcome name="outcome" { (option("", "all", &view.outcome)) @for (word, words, _) in OUTCOMES { (option(word, words, &view.outcome)) } } }
            button.quiet type="submit" { "Show" }
        }
        // A page of older sessions does not change.
        @if view.before.is_none() { (live("sessions", &pages)) } @else { (pages) }
        p.hint { @match sessions::retention_days(&site) { 0 => "Sessions are kept for ever.", 1 => "Sessions are kept for a day.", days => { "Sessions are kept for " (days) " days." } } }
        @if visitor.is_admin() { (keeping(&visitor, sessions::retention_days(&site))) (clearing(&visitor, &view)) }
    };
    Ok(page::shown(&Frame::new("Incoming mail", "/log", &visitor), &body))
}

fn keeping(visitor: &Visitor, days: u16) -> Markup {
    html! {
        details {
            summary { "Change for how long they are kept" }
            form.narrow method="post" action="/log/keep" {
                (visitor.csrf_field())
                label for="kept" { "Days (0: for ever)" }
                input #kept name="days" type="number" min="0" max=(u16::MAX) value=(days) required aria-describedby="kept-hint";
                p #kept-hint.hint { "Older sessions, and the reports of their messages, go at once. Tickets and receipts stay." }
                button type="submit" { "Save" }
            }
        }
    }
}

fn clearing(visitor: &Visitor, view: &View) -> Markup {
    let of = if view.job.is_empty() { "all jobs".to_owned() } else { format!("job {}", view.job) };
    html! {
        details {
            summary { "Clear the log" }
            p { "Removes the sessions of " (of) " and the reports of their messages. Tickets, receipts and the quarantine stay." }
            form.narrow method="post" action="/log/clear" {
                (visitor.csrf_field())
                input type="hidden" name="job" value=(view.job);
                label for="days" { "Older than so many days" }
                input #days name="days" type="number" min="0" value="30" required aria-describedby="days-hint";
                p #days-hint.hint { "0: all of them." }
                button.danger type="submit" { "Clear" }
            }
        }
    }
}

pub(super) async fn clear(State(site): State<Arc<Site>>, order: Order) -> Answer {
    let days = days(&order)?;
    sessions::clear(&site, order.fields.filled("job"), days, order.visitor.name()).await?;
    told(News::SessionsCleared, "/log")
}

fn days(order: &Order) -> Result<u16, Fault> {
    let asked = order.fields.text("days").trim().parse();
    asked.map_err(|_| Fault::Refused(format!("Write a number of days, from 0 to {}.", u16::MAX)))
}

/// Sets for how long the log is kept.
pub(super) async fn keep(State(site): State<Arc<Site>>, order: Order) -> Answer {
    sessions::set_retention(&site, days(&order)?, order.visitor.name()).await?;
    told(News::RetentionSaved, "/log")
}

pub(super) async fn delete(State(site): State<Arc<Site>>, Path(id): Path<i64>, order: Order) -> Answer {
    sessions::delete(&site, id, order.visitor.name()).await?;
    told(News::SessionDeleted, "/log")
}

#[derive(Debug, Deserialize)]
pub(super) struct Part {
    #[serde(default)]
    after: i64,
}

pub(super) async fn show(
    State(site): State<Arc<Site>>,
    visitor: Visitor,
    Path(id): Path<i64>,
    Query(part): Query<Part>,
) -> Answer {
    let session = sessions::find(&site, id).await?;
    let messages = site.ctx.store.session_page(session.id, part.after, ROWS).await?;
    let more = messages.last().filter(|_| messages.len() == ROWS as usize).map(|last| last.receipt);
    let rows: Vec<Vec<Markup>> = messages.iter().map(row).collect();
    let body = html! {
        h1 { "Session of job " (session.job) }
        (live("session", &html! {
            dl {
                dt { "Begun" } dd { (time(session.started_at)) }
                dt { "Ended" } dd { (time_maybe(session.finished_at)) }
                @if let Some(error) = &session.error { dt { "Comments" } dd class=(if session.has_failed() { "bad" } else { "warn" }) { (error) } }
            }
            (page::table("Messages", &["Receipt", "Outcome", "From", "Subject", "Received"], &rows, "This session received no message."))
        }))
        @if let Some(after) = more { p { a href=(format!("/log/{id}?after={after}")) { "Further messages" } } }
        p { a href="/log" { "All sessions" } }
        @if visitor.is_admin() && session.finished_at.is_some() {
            form method="post" action=(format!("/log/{id}/delete")) data-confirm="Delete this session and the reports of its messages? Tickets and receipts stay." {
                (visitor.csrf_field())
                button.danger type="submit" { "Delete this session" }
            }
        }
    };
    Ok(page::shown(&Frame::new("Session", "/log", &visitor), &body))
}

fn row(message: &MessageRow) -> Vec<Markup> {
    let sender = message.sender.as_ref().map(ToString::to_string).unwrap_or_default();
    vec![
        html! { a href=(format!("/messages/{}", message.receipt)) { (message.receipt) } },
        outcome(&message.outcome),
        html! { (sender) },
        html! { a href=(format!("/messages/{}", message.receipt)) { @if message.subject.is_empty() { "(no subject)" } @else { (message.subject) } } },
        time(message.received_at),
    ]
}

/// What became of a message.
pub(super) fn outcome(outcome: &Outcome) -> Markup {
    let tone = match outcome {
        Outcome::Accepted => "good",
        Outcome::Rejected { .. } | Outcome::Ignored { .. } => "calm",
        Outcome::Quarantined { .. } => "bad",
    };
    html! { (badge(outcome.name(), tone)) @if !outcome.reason().is_empty() { " " span.dim { (outcome.reason()) } } }
}
