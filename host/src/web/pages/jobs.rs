//! The list of jobs, and the page of each.

use super::told as done;
use crate::config::{Job, JobSource, Server};
use crate::job::{Standing, oauth_app, standings};
use crate::mailbox::Disposition;
use crate::message::document::CutKind;
use crate::rules::RuleSet;
use crate::store::{JobState, LastRun, SessionFilter, SessionRow, ended_early};
use crate::web::Site;
use crate::web::access::Visitor;
use crate::web::error::{Answer, Fault};
use crate::web::form::Order;
use crate::web::news::News;
use crate::web::page::{self, Frame, badge, in_path, live, text, time, time_maybe};
use crate::web::{job_files, steps};
use axum::extract::{Path, Query, State};
use jiff::Timestamp;
use maud::{Markup, html};
use serde::Deserialize;
use std::sync::Arc;

/// How many jobs a page has.
const JOBS_MAX: usize = 100;
/// How many hours the little chart shows.
const HOURS: u16 = 24;
/// How many runs a job's page previews.
const RUNS: usize = 10;
/// How many sessions a job's page shows.
const SESSIONS: u32 = 10;
/// The height of the little chart, in its own units.
const CHART_HEIGHT: u64 = 24;

#[derive(Debug, Deserialize)]
pub(super) struct Part {
    /// The last job of the page before.
    #[serde(default)]
    after: String,
}

pub(super) async fn list(State(site): State<Arc<Site>>, visitor: Visitor, Query(part): Query<Part>) -> Answer {
    let store = &site.ctx.store;
    let (jobs, activity) = tokio::join!(standings(&site.config.jobs, Some(store)), store.activity(HOURS));
    let (jobs, activity) = (jobs.map_err(|error| Fault::Failed(error.to_string()))?, activity?);
    let jobs: Vec<Standing> = jobs.into_iter().filter(|job| job.name > part.after).collect();
    let more = jobs.get(JOBS_MAX).and(jobs.get(JOBS_MAX - 1)).map(|last| last.name.clone());
    let rows: Vec<Vec<Markup>> = jobs
        .iter()
        .take(JOBS_MAX)
        .map(|job| {
            vec![
                html! { a href=(address(&job.name)) { (job.name) } },
                state(job),
                html! { (time_maybe(job.last.as_ref().map(|last| last.ended_at))) @if let Some(last) = &job.last { br; (result(last)) } },
                time_maybe(job.next_run_at),
                chart(activity.get(&job.name).map(Vec::as_slice).unwrap_or_default()),
                html! { @if visitor.is_admin() { (orders(job)) } },
            ]
        })
        .collect();
    let head = ["Job", "State", "Last session", "Next run", "Last 24 hours", "Change"];
    let body = html! {
        h1 { "Jobs" }
        @if visitor.is_admin() { p { a.button href="/jobs/new" { "New job" } } }
        (live("jobs", &told(&visitor, &page::table("Jobs", &head, &rows, "There is no job yet. A job watches one account."))))
        @if let Some(after) = more { p { a href=(format!("/jobs?after={}", in_path(&after))) { "Further jobs" } } }
    };
    Ok(page::shown(&Frame::new("Jobs", "/jobs", &visitor), &body))
}

/// The address of a job's page.
pub(super) fn address(name: &str) -> String {
    format!("/jobs/{}", in_path(name))
}

fn state(job: &Standing) -> Markup {
    let tone = match (job.faulty, job.paused_at, job.state) {
        (true, ..) | (_, _, Some(JobState::Retrying)) => "bad",
        (_, Some(_), _) => "warn",
        (_, _, Some(JobState::Running | JobState::Waiting | JobState::Listening)) => "good",
        _ => "calm",
    };
    html! {
        (badge(&job.in_words(), tone))
        @if job.faulty { " " (badge("its file has errors", "bad")) }
        @if job.run_requested_at.is_some() { " " (badge("about to run", "calm")) }
    }
}

/// How a session ended, in a few words.
fn result(last: &LastRun) -> Markup {
    match (&last.error, last.received) {
        (Some(error), _) => comment(error, ended_early(Some(error))),
        (None, 0) => html! { "nothing new" },
        (None, 1) => html! { "1 message" },
        (None, received) => html! { (received) " messages" },
    }
}

/// How many messages came in each hour.
fn chart(counts: &[u64]) -> Markup {
    let total: u64 = counts.iter().sum();
    let most = counts.iter().copied().max().unwrap_or_default().max(1);
    let label = format!("{total} messages in the last {HOURS} hours");
    let bars: String = (0..)
        .zip(counts)
        .filter(|(_, count)| **count > 0)
        .map(|(hour, count)| format!("M{} {CHART_HEIGHT}v-{}", hour * 5 + 2, (count * CHART_HEIGHT).div_ceil(most)))
        .collect();
    html! {
        @if total == 0 { span.none { "none" } }
        @else {
            svg.spark role="img" aria-label=(label) viewBox=(format!("0 0 {} {CHART_HEIGHT}", counts.len() * 5)) preserveAspectRatio="none" { path d=(bars) {} }
            " " (total)
        }
    }
}

/// Buttons for what can be told a job; the form around them is [`told`].
fn orders(job: &Standing) -> Markup {
    let (pause, label) = if job.paused_at.is_some() { ("resume", "Resume") } else { ("pause", "Pause") };
    let to = |order: &str| format!("{}/{order}", address(&job.name));
    html! {
        button.quiet formaction=(to("run")) { "Run now" }
        " "
        button.quiet formaction=(to(pause)) { (label) }
    }
}

/// A form around buttons for jobs, one for all of them; none for who may only look.
fn told(visitor: &Visitor, body: &Markup) -> Markup {
    html! { @if visitor.is_admin() { form method="post" { (visitor.csrf_field()) (body) } } @else { (body) } }
}

pub(super) async fn show(State(site): State<Arc<Site>>, visitor: Visitor, Path(name): Path<String>) -> Answer {
    let file = job_files::find(&site, &name)?;
    let jobs =
        standings(&site.config.jobs, Some(&site.ctx.store)).await.map_err(|error| Fault::Failed(error.to_string()))?;
    let standing =
        jobs.into_iter().find(|job| job.name == name).ok_or_else(|| Fault::NotFound(format!("job {name}")))?;
    let filter = SessionFilter { job: Some(name.clone()), limit: Some(SESSIONS), ..SessionFilter::default() };
    let sessions = site.ctx.store.sessions(&filter).await?;
    let at = address(&name);
    let needs_grant = Job::load(&file).is_ok_and(|job| oauth_app(&job).is_some());
    let body = html! {
        h1 { "Job " (name) }
        (live("standing", &html! {
            p { (state(&standing)) }
            dl {
                dt { "Last session" } dd { (time_maybe(standing.last.as_ref().map(|last| last.ended_at))) " " @if let Some(last) = &standing.last { (result(last)) } }
                dt { "Next run" } dd { (time_maybe(standing.next_run_at)) }
            }
        }))
        @if visitor.is_admin() { (told(&visitor, &html! { div.row { (orders(&standing)) } })) }
        div.row {
            @if visitor.is_admin() { a.button.quiet href=(format!("{at}/test")) { "Test connection" } }
            @if needs_grant && visitor.is_admin() { a.button.quiet href=(format!("{at}/authorize")) { "Authorise" } }
            a.button.quiet href=(format!("{at}/steps")) { "Preprocessing rules" }
            a.button.quiet href=(format!("{at}/edit")) { @if visitor.is_admin() { "Edit" } @else { "All its settings" } }
            a.button.quiet href=(format!("{at}/file")) { "Settings file" }
        }
        @match Job::load(&file) {
            Ok(job) => { (cleaning(&at, &job, &site.reloader.current())) (details(&job)) }
            Err(found) => p.fault role="alert" { (found.to_string()) },
        }
        h2 { "Last sessions" }
        (sessions_table(&sessions, NO_SESSION))
        p { a href=(format!("/log?job={}", in_path(&name))) { "All sessions of this job" } }
        @if visitor.is_admin() { (removal(&visitor, &name)) }
    };
    Ok(page::shown(&Frame::new(&format!("Job {name}"), "/jobs", &visitor), &body))
}

fn removal(visitor: &Visitor, name: &str) -> Markup {
    html! {
        details {
            summary { "Delete this job" }
            p { "Its file is removed. Tickets, receipts and the log stay; the mailbox is left as it is. To confirm, write the job's name." }
            form.narrow method="post" action=(format!("{}/delete", address(name))) {
                (visitor.csrf_field())
                label for="confirm" { "Name of the job" }
                input #confirm name="confirm" required autocomplete="off";
                button.danger type="submit" { "Delete" }
            }
        }
    }
}

/// Why there may be no session to show.
pub(super) const NO_SESSION: &str = "No session is in the log. One that finds nothing new is not kept.";

/// Sessions as a table, with the columns of the incoming mail log.
pub(super) fn sessions_table(sessions: &[SessionRow], empty: &str) -> Markup {
    let rows: Vec<Vec<Markup>> = sessions
        .iter()
        .map(|row| {
            let took = row.finished_at.map(|end| end.duration_since(row.started_at));
            let errors = html! { @if row.tally.errors > 0 { span.bad { (row.tally.errors) } } @else { "0" } };
            vec![
                html! { a href=(format!("/log/{}", row.id.0)) { (time(row.started_at)) } },
                html! { a href=(address(&row.job)) { (row.job) } },
                html! { @if let Some(error) = &row.error { (comment(error, row.has_failed())) } },
                took.map_or_else(|| text("running"), |took| text(format!("{:.1} s", took.as_secs_f64()))),
                text(row.tally.created),
                text(row.tally.updated),
                text(row.tally.received),
                text(row.tally.waiting),
                text(row.tally.rejected + row.tally.ignored),
                text(row.tally.quarantined),
                errors,
            ]
        })
        .collect();
    let head = [
        "Begun",
        "Job",
        "Comments",
        "Duration",
        "Created",
        "Updated",
        "Received",
        "In the mailbox",
        "Rejected or ignored",
        "Quarantined",
        "Errors",
    ];
    page::table("Sessions", &head, &rows, empty)
}

/// The longest comment that a list shows whole, in characters.
const COMMENT_CHARACTERS: usize = 160;

/// What is said about a session; all of it where the pointer is, and on the session's page.
fn comment(text: &str, has_failed: bool) -> Markup {
    let tone = if has_failed { "bad" } else { "warn" };
    let shown: String = text.chars().take(COMMENT_CHARACTERS).collect();
    html! { @if shown.len() < text.len() { span class=(tone) title=(text) { (shown) "…" } } @else { span class=(tone) { (text) } } }
}

/// What a job cuts off the messages, and whether it cuts anything.
fn cleaning(at: &str, job: &Job, rules: &RuleSet) -> Markup {
    let on = steps::enabled(job, rules).len();
    let kinds: Vec<&str> = steps::kinds(job).map(CutKind::name).collect();
    html! {
        h2 { "Preprocessing" }
        @if on == 0 {
            p.note { "No preprocessing rule is on: what replies quote goes onto the tickets. " a href=(format!("{at}/steps")) { "Choose rules, or switch on those that are recommended" } "." }
        } @else {
            p {
                a href=(format!("{at}/steps")) { (on) @if on == 1 { " rule is on" } @else { " rules are on" } }
                ", for " (steps::messages(job)) ". Kinds that are cut: " @if kinds.is_empty() { "none" } (kinds.join(", ")) "."
            }
        }
    }
}

/// What a job is set to, in the order of the form.
fn details(job: &Job) -> Markup {
    let runs: Vec<Timestamp> = job.schedule.runs.runs_after(Timestamp::now()).take(RUNS).collect();
    html! {
        h2 { "Mail" }
        dl {
            @match &job.source {
                JobSource::Imap(imap) => {
                    dt { "Account type" } dd { "IMAP4" }
                    (server(&imap.server, crate::mailbox::Protocol::Imap))
                    dt { "Mailbox" } dd { (imap.watched.mailbox.names().join(", ")) }
                }
                JobSource::Pop3(pop3) => {
                    dt { "Account type" } dd { "POP3" }
                    (server(&pop3.server, crate::mailbox::Protocol::Pop3))
                }
                JobSource::Maildir(maildir) => { dt { "Maildir" } dd { (maildir.path.display().to_string()) } }
                JobSource::Folder(folder) => { dt { "Folder of .eml files" } dd { (folder.path.display().to_string()) } }
            }
        }
        h2 { "Schedule" }
        p { (job.schedule.runs.to_string()) ", on the clock of " (job.schedule.runs.time_zone.iana_name().unwrap_or("this machine")) }
        details {
            summary { "The next " (RUNS) " runs" }
            @if runs.is_empty() { p { "There is no further run." } }
            ol { @for run in &runs { li { (time(*run)) } } }
        }
        h2 { "Handling of the original message" }
        dl {
            dt { "When it was taken" } dd { (disposition(&job.handling.on_success)) }
            dt { "When it was rejected" } dd { (disposition(&job.handling.on_rejection)) }
            dt { "At the end of a session" } dd { @if job.handling.purge { "purge what this job marked as deleted" } @else { "nothing is purged" } }
        }
    }
}

/// What becomes of a message in its mailbox, in words.
fn disposition(disposition: &Disposition) -> String {
    let moved = disposition.move_to.as_ref().map(|to| format!("move to {to}"));
    let keyword = disposition.keyword.as_ref().map(|keyword| format!("set the keyword {keyword}"));
    let marks = [(disposition.seen, "mark as read"), (disposition.deleted, "mark as deleted")];
    let marks = marks.into_iter().filter(|(wanted, _)| *wanted).map(|(_, words)| words.to_owned());
    let all: Vec<String> = marks.chain(keyword).chain(moved).collect();
    if all.is_empty() { "leave it as it is".to_owned() } else { all.join(", ") }
}

fn server(server: &Server, protocol: crate::mailbox::Protocol) -> Markup {
    html! {
        dt { "Server" } dd { (server.host) ", port " (server.port(protocol)) }
        dt { "User" } dd { (server.user) }
        dt { "Authentication" } dd { (crate::web::pages::edit::authentication(server.authentication)) }
        dt { "Secure connection" } dd { (crate::web::pages::edit::security(server.security)) }
        dt { "Invalid certificates" } dd { @if server.reject_invalid_certificates { "rejected" } @else { span.warn { "accepted" } } }
    }
}

pub(super) async fn run(State(site): State<Arc<Site>>, Path(name): Path<String>, order: Order) -> Answer {
    job_files::find(&site, &name)?;
    site.ctx.store.request_run(&name).await?;
    site.ctx.store.note(order.visitor.name(), "run-job", &name, "").await?;
    done(News::RunWanted, &address(&name))
}

pub(super) async fn pause(State(site): State<Arc<Site>>, Path(name): Path<String>, order: Order) -> Answer {
    job_files::find(&site, &name)?;
    site.ctx.store.pause_job(&name, order.visitor.name()).await?;
    site.ctx.store.note(order.visitor.name(), "pause-job", &name, "").await?;
    done(News::Paused, &address(&name))
}

pub(super) async fn resume(State(site): State<Arc<Site>>, Path(name): Path<String>, order: Order) -> Answer {
    job_files::find(&site, &name)?;
    site.ctx.store.resume_job(&name).await?;
    site.ctx.store.note(order.visitor.name(), "resume-job", &name, "").await?;
    done(News::Resumed, &address(&name))
}

pub(super) async fn delete(State(site): State<Arc<Site>>, Path(name): Path<String>, order: Order) -> Answer {
    job_files::find(&site, &name)?;
    if order.fields.text("confirm").trim() != name {
        return Err(Fault::Refused("Nothing is deleted: the name that you wrote is not the job's.".to_owned()));
    }
    job_files::delete(&site, &name, order.visitor.name()).await?;
    done(News::JobDeleted, "/jobs")
}
