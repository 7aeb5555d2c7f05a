//! The calls about messages, the quarantine and tickets.

use super::answers::{Account, Done};
use super::caller::{Caller, Changer};
use super::{Answer, Body, Path, Problem, Refusal, Refused};
use crate::store::{Receipt, Store};
use crate::thread::FromOthers;
use crate::ticket::{TicketNumber, Visibility};
use crate::web::error::Fault;
use crate::web::tickets::{self, Work};
use crate::web::trial::{CleanedBy, Trial, rehearse};
use crate::web::{Site, job_files, quarantine};
use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;

type Here = State<Arc<Site>>;

/// A message to try: either its text, or the receipt of one that was received.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct Tried {
    /// Its source, with its header.
    message: Option<String>,
    /// The number of a receipt.
    receipt: Option<i64>,
    /// As which job would handle it; left out: as none, with every recommended step and every kind of cut.
    job: Option<String>,
    /// Whether it is about the cleaning: the message is cleaned whatever it is.
    #[serde(default)]
    cleaning: bool,
}

/// How a message leaves the quarantine.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct Release {
    /// What becomes of it if it answers a ticket of somebody else; left out: what the job says.
    others: Option<Others>,
}

/// What becomes of a message that answers a ticket of somebody else.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Others {
    /// It is taken as a follow-up.
    FollowUp,
    /// A new ticket is made of it.
    NewTicket,
}

/// What is done to a ticket.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct TicketWork {
    /// What to say.
    comment: Option<String>,
    /// Who can read it; left out: `internal`.
    visibility: Option<Readers>,
    /// The status that it is to have.
    status: Option<String>,
    /// What makes it one thing, however often it is sent; left out: each time is another one.
    key: Option<String>,
}

/// Work on a ticket that was recorded.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Recorded {
    /// The number of its receipt: the same one if the same key came before.
    receipt: i64,
}

/// Who can read a comment.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Readers {
    /// Who works here.
    Internal,
    /// The requester, too.
    Public,
}

impl Account {
    fn of(job: &str, receipt: &Receipt, report: serde_json::Value) -> Self {
        let numbers = |numbers: &[TicketNumber]| numbers.iter().map(ToString::to_string).collect();
        Self {
            receipt: receipt.id,
            job: job.to_owned(),
            outcome: receipt.outcome.name().to_owned(),
            created: numbers(&receipt.created),
            updated: numbers(&receipt.updated),
            report,
        }
    }
}

/// The bytes of a message that was received.
async fn source(store: &Store, receipt: i64) -> Result<(String, Vec<u8>), Fault> {
    let row = store.receipt(receipt).await?.ok_or_else(|| Fault::NotFound(format!("receipt {receipt}")))?;
    let raw = store.raw(&row.sha256).await?;
    let bytes = tokio::task::spawn_blocking(move || raw.to_vec()).await?;
    Ok((row.job, bytes.map_err(|error| Fault::Failed(error.to_string()))?))
}

/// A message as it was received, byte for byte.
#[utoipa::path(get, path = "/api/v1/messages/{receipt}/raw", params(("receipt" = i64, Path)), responses((status = 200, body = String, content_type = "message/rfc822"), (status = 400, body = Problem), (status = 401, body = Problem), (status = 404, body = Problem)), security(("token" = [])))]
pub(super) async fn raw(State(site): Here, _: Caller, Path(receipt): Path<i64>) -> Result<Response, Refusal> {
    let (_, bytes) = source(&site.ctx.store, receipt).await?;
    Ok(([(header::CONTENT_TYPE, "message/rfc822")], bytes).into_response())
}

/// What would become of a message on the rules in force. Nothing is stored, nothing is sent; the receipt is one that is not kept.
#[utoipa::path(post, path = "/api/v1/try", request_body = Tried, responses((status = 200, body = Account), Refused), security(("token" = [])))]
pub(super) async fn try_message(State(site): Here, _: Caller, Body(tried): Body<Tried>) -> Answer<Account> {
    let (job, message) = match (tried.message, tried.receipt) {
        (Some(text), None) => (tried.job, text.into_bytes()),
        (None, Some(receipt)) => {
            let (job, bytes) = source(&site.ctx.store, receipt).await?;
            (Some(tried.job.unwrap_or(job)), bytes)
        }
        _ => return Err(Fault::Refused("Send either `message` or `receipt`.".to_owned()).into()),
    };
    if let Some(job) = &job {
        job_files::find(&site, job)?;
    }
    let job = job.unwrap_or_default();
    let (rules, cleaned_by) = (site.reloader.current(), CleanedBy::of(tried.cleaning));
    let (report, receipt) = rehearse(&site, Trial { job: job.clone(), message, rules, cleaned_by }).await?;
    let report = serde_json::to_value(report).map_err(|error| Fault::Failed(error.to_string()))?;
    Ok(Json(Account::of(&job, &receipt, report)))
}

/// Runs a message of the quarantine again, on the rules in force.
#[utoipa::path(post, path = "/api/v1/quarantine/{id}/release", params(("id" = i64, Path)), request_body = Release, responses((status = 200, body = Done), Refused), security(("token" = [])))]
pub(super) async fn release(
    State(site): Here,
    by: Changer,
    Path(id): Path<i64>,
    Body(release): Body<Release>,
) -> Answer<Done> {
    let others = release.others.map(|others| match others {
        Others::FollowUp => FromOthers::Accept,
        Others::NewTicket => FromOthers::NewTicket,
    });
    quarantine::release(&site, id, others, by.name()).await?;
    Ok(Json(Done { changed: true }))
}

/// Takes a message out of the quarantine without running it: it is recorded as rejected, and its source is kept.
#[utoipa::path(delete, path = "/api/v1/quarantine/{id}", params(("id" = i64, Path)), responses((status = 200, body = Done), Refused), security(("token" = [])))]
pub(super) async fn discard(State(site): Here, by: Changer, Path(id): Path<i64>) -> Answer<Done> {
    quarantine::discard(&site, id, by.name()).await?;
    Ok(Json(Done { changed: true }))
}

/// Comments on a ticket, sets its status, or both. No mail is sent for it.
#[utoipa::path(post, path = "/api/v1/tickets/{number}/changes", params(("number" = String, Path)), request_body = TicketWork, responses((status = 200, body = Recorded), Refused), security(("token" = [])))]
pub(super) async fn work(
    State(site): Here,
    by: Changer,
    Path(number): Path<String>,
    Body(work): Body<TicketWork>,
) -> Answer<Recorded> {
    let (number, _) = tickets::find(&site, &number).await?;
    let visibility = match work.visibility {
        Some(Readers::Public) => Visibility::Public,
        Some(Readers::Internal) | None => Visibility::Internal,
    };
    let comment = work.comment.filter(|text| !text.trim().is_empty()).map(|text| (text, visibility));
    let work = Work { key: work.key, comment, status: work.status };
    let receipt = tickets::carry_out(&site, &number, work, by.name()).await?;
    Ok(Json(Recorded { receipt }))
}

/// An attachment of a ticket.
#[utoipa::path(get, path = "/api/v1/tickets/{number}/attachments/{sha256}", params(("number" = String, Path), ("sha256" = String, Path)), responses((status = 200, body = String, content_type = "application/octet-stream"), (status = 400, body = Problem), (status = 401, body = Problem), (status = 404, body = Problem)), security(("token" = [])))]
pub(super) async fn attachment(
    State(site): Here,
    _: Caller,
    Path((number, sha256)): Path<(String, String)>,
) -> Result<Response, Refusal> {
    let (_, bytes) = tickets::attachment(&site, &number, &sha256).await?;
    Ok(([(header::CONTENT_TYPE, "application/octet-stream")], bytes).into_response())
}
