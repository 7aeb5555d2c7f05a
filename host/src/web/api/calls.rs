//! The calls.

use super::answers::{
    Account, Done, Held, Job, Message, MessagePart, Outgoing, Part, Rules, Session, Ticket, TicketPart, WholeTicket,
};
use super::caller::{Caller, Changer};
use super::{Answer, Path, Problem, Query, Refusal};
use crate::job::standings;
use crate::message;
use crate::report::Report;
use crate::store::{OutboxFilter, SessionFilter, SessionId, TicketFilter};
use crate::ticket::{Status, TicketClass, TicketNumber};
use crate::web::Site;
use crate::web::error::Fault;
use crate::web::{job_files, tickets};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use std::sync::Arc;

/// How many rows a list has unless the caller says.
const ROWS: u32 = 100;
/// The most rows of a list.
const ROWS_MAX: u32 = 1000;

type Here = State<Arc<Site>>;

pub(super) fn rows(limit: Option<u32>) -> Result<u32, Refusal> {
    match limit.unwrap_or(ROWS) {
        limit @ 1..=ROWS_MAX => Ok(limit),
        other => Err(Refusal(StatusCode::BAD_REQUEST, format!("`limit` is 1 to {ROWS_MAX}, not {other}"))),
    }
}

async fn all_jobs(site: &Site) -> Result<Vec<Job>, Refusal> {
    let jobs = standings(&site.config.jobs, Some(&site.ctx.store)).await;
    let jobs = jobs.map_err(|error| Refusal::from(Fault::Failed(error.to_string())))?;
    Ok(jobs.into_iter().map(Job::from).collect())
}

pub(super) fn known(site: &Site, name: &str) -> Result<(), Refusal> {
    Ok(job_files::find(site, name).map(drop)?)
}

/// All jobs and how they stand.
#[utoipa::path(get, path = "/api/v1/jobs", responses((status = 200, body = Vec<Job>), (status = 401, body = Problem)), security(("token" = [])))]
pub(super) async fn jobs(State(site): Here, _: Caller) -> Answer<Vec<Job>> {
    Ok(Json(all_jobs(&site).await?))
}

/// A job and how it stands.
#[utoipa::path(get, path = "/api/v1/jobs/{name}", params(("name" = String, Path)), responses((status = 200, body = Job), (status = 400, body = Problem), (status = 401, body = Problem), (status = 404, body = Problem)), security(("token" = [])))]
pub(super) async fn job(State(site): Here, _: Caller, Path(name): Path<String>) -> Answer<Job> {
    known(&site, &name)?;
    let found = all_jobs(&site).await?.into_iter().find(|job| job.is(&name));
    found.map(Json).ok_or_else(|| Fault::NotFound(format!("job {name}")).into())
}

/// Has the daemon run a session of a job now.
#[utoipa::path(post, path = "/api/v1/jobs/{name}/run", params(("name" = String, Path)), responses((status = 200, body = Done), (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem)), security(("token" = [])))]
pub(super) async fn run_job(State(site): Here, by: Changer, Path(name): Path<String>) -> Answer<Done> {
    known(&site, &name)?;
    site.ctx.store.request_run(&name).await?;
    site.ctx.store.note(by.name(), "run-job", &name, "api").await?;
    Ok(Json(Done { changed: true }))
}

/// Leaves a job's mailbox alone until it is resumed.
#[utoipa::path(post, path = "/api/v1/jobs/{name}/pause", params(("name" = String, Path)), responses((status = 200, body = Done), (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem)), security(("token" = [])))]
pub(super) async fn pause_job(State(site): Here, by: Changer, Path(name): Path<String>) -> Answer<Done> {
    known(&site, &name)?;
    let changed = site.ctx.store.pause_job(&name, by.name()).await?;
    site.ctx.store.note(by.name(), "pause-job", &name, "api").await?;
    Ok(Json(Done { changed }))
}

/// Ends a pause.
#[utoipa::path(post, path = "/api/v1/jobs/{name}/resume", params(("name" = String, Path)), responses((status = 200, body = Done), (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem)), security(("token" = [])))]
pub(super) async fn resume_job(State(site): Here, by: Changer, Path(name): Path<String>) -> Answer<Done> {
    known(&site, &name)?;
    let changed = site.ctx.store.resume_job(&name).await?;
    site.ctx.store.note(by.name(), "resume-job", &name, "api").await?;
    Ok(Json(Done { changed }))
}

/// The incoming mail log, latest first.
#[utoipa::path(get, path = "/api/v1/sessions", params(Part), responses((status = 200, body = Vec<Session>), (status = 400, body = Problem), (status = 401, body = Problem)), security(("token" = [])))]
pub(super) async fn sessions(State(site): Here, _: Caller, Query(part): Query<Part>) -> Answer<Vec<Session>> {
    let limit = Some(rows(part.limit)?);
    let filter = SessionFilter { job: part.job, before: part.before.map(SessionId), limit, ..SessionFilter::default() };
    Ok(Json(site.ctx.store.sessions(&filter).await?.into_iter().map(Session::from).collect()))
}

/// The messages of a session, in order.
#[utoipa::path(get, path = "/api/v1/sessions/{id}/messages", params(("id" = i64, Path), MessagePart), responses((status = 200, body = Vec<Message>), (status = 400, body = Problem), (status = 401, body = Problem)), security(("token" = [])))]
pub(super) async fn session_messages(
    State(site): Here,
    _: Caller,
    Path(id): Path<i64>,
    Query(part): Query<MessagePart>,
) -> Answer<Vec<Message>> {
    let limit = rows(part.limit)?;
    let messages = site.ctx.store.session_page(SessionId(id), part.after.unwrap_or_default(), limit).await?;
    Ok(Json(messages.into_iter().map(Message::from).collect()))
}

/// What became of a message, and what every hop did.
#[utoipa::path(get, path = "/api/v1/messages/{receipt}", params(("receipt" = i64, Path)), responses((status = 200, body = Account), (status = 400, body = Problem), (status = 401, body = Problem), (status = 404, body = Problem)), security(("token" = [])))]
pub(super) async fn message(State(site): Here, _: Caller, Path(receipt): Path<i64>) -> Answer<Account> {
    let row = site.ctx.store.receipt(receipt).await?;
    let row = row.ok_or_else(|| Refusal::from(Fault::NotFound(format!("receipt {receipt}"))))?;
    let stored = site.ctx.store.report(receipt).await?;
    let raw = site.ctx.store.raw(&row.sha256).await?;
    let with_texts = move || match serde_json::from_value::<Report>(stored.clone()) {
        Ok(report) => {
            message::read(&raw, None).ok().and_then(|message| serde_json::to_value(report.with_texts(&message)).ok())
        }
        Err(_) => Some(stored),
    };
    let report = tokio::task::spawn_blocking(with_texts).await.map_err(Fault::from)?;
    let numbers = |numbers: &[TicketNumber]| numbers.iter().map(ToString::to_string).collect();
    Ok(Json(Account {
        receipt,
        job: row.job.clone(),
        outcome: row.receipt.outcome.name().to_owned(),
        created: numbers(&row.receipt.created),
        updated: numbers(&row.receipt.updated),
        report: report.unwrap_or_default(),
    }))
}

/// Tickets, latest first.
#[utoipa::path(get, path = "/api/v1/tickets", params(TicketPart), responses((status = 200, body = Vec<Ticket>), (status = 400, body = Problem), (status = 401, body = Problem), (status = 404, body = Problem)), security(("token" = [])))]
pub(super) async fn tickets(State(site): Here, _: Caller, Query(part): Query<TicketPart>) -> Answer<Vec<Ticket>> {
    let before = match part.before.as_deref() {
        None => None,
        Some(text) => {
            let missing = || Refusal::from(Fault::NotFound(format!("ticket {text:?}")));
            Some(TicketNumber::parse(text).ok_or_else(missing)?)
        }
    };
    let filter = TicketFilter {
        status: part.status.as_deref().map(Status::new),
        class: part.class.as_deref().map(TicketClass::new),
        job: None,
        before,
        limit: Some(rows(part.limit)?),
    };
    Ok(Json(site.ctx.store.tickets(&filter).await?.into_iter().map(Ticket::from).collect()))
}

/// A ticket with everything on it.
#[utoipa::path(get, path = "/api/v1/tickets/{number}", params(("number" = String, Path)), responses((status = 200, body = WholeTicket), (status = 400, body = Problem), (status = 401, body = Problem), (status = 404, body = Problem)), security(("token" = [])))]
pub(super) async fn ticket(State(site): Here, _: Caller, Path(number): Path<String>) -> Answer<WholeTicket> {
    Ok(Json(tickets::find(&site, &number).await?.1.into()))
}

/// What waits in quarantine, oldest first.
#[utoipa::path(get, path = "/api/v1/quarantine", responses((status = 200, body = Vec<Held>), (status = 401, body = Problem)), security(("token" = [])))]
pub(super) async fn quarantine(State(site): Here, _: Caller) -> Answer<Vec<Held>> {
    Ok(Json(site.ctx.store.quarantine_list().await?.into_iter().map(Held::from).collect()))
}

/// The outbox, latest first.
#[utoipa::path(get, path = "/api/v1/outbox", responses((status = 200, body = Vec<Outgoing>), (status = 401, body = Problem)), security(("token" = [])))]
pub(super) async fn outbox(State(site): Here, _: Caller) -> Answer<Vec<Outgoing>> {
    let filter = OutboxFilter { limit: Some(ROWS_MAX), ..OutboxFilter::default() };
    Ok(Json(site.ctx.store.outbox(&filter).await?.into_iter().map(Outgoing::from).collect()))
}

/// Makes an entry of the outbox due now.
#[utoipa::path(post, path = "/api/v1/outbox/{id}/retry", params(("id" = i64, Path)), responses((status = 200, body = Done), (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem)), security(("token" = [])))]
pub(super) async fn retry(State(site): Here, by: Changer, Path(id): Path<i64>) -> Answer<Done> {
    let changed = site.ctx.store.outbox_retry(id).await?;
    site.ctx.store.note(by.name(), "retry-outbox", &id.to_string(), "api").await?;
    Ok(Json(Done { changed }))
}

/// Removes an entry of the outbox that was not sent.
#[utoipa::path(delete, path = "/api/v1/outbox/{id}", params(("id" = i64, Path)), responses((status = 200, body = Done), (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem)), security(("token" = [])))]
pub(super) async fn discard(State(site): Here, by: Changer, Path(id): Path<i64>) -> Answer<Done> {
    let changed = site.ctx.store.outbox_drop(id).await?;
    site.ctx.store.note(by.name(), "drop-outbox", &id.to_string(), "api").await?;
    Ok(Json(Done { changed }))
}

/// The rules in force.
#[utoipa::path(get, path = "/api/v1/rules", responses((status = 200, body = Rules), (status = 401, body = Problem)), security(("token" = [])))]
pub(super) async fn rules(State(site): Here, _: Caller) -> Answer<Rules> {
    let set = site.reloader.current();
    let steps = set.steps().iter().map(|step| step.name.to_string()).collect();
    Ok(Json(Rules { revision: set.revision().to_string(), tests: set.tests(), steps }))
}
