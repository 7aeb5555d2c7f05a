//! The calls that keep the incoming mail log, and the one that tells what was done.

use super::answers::Done;
use super::caller::{Caller, Changer};
use super::calls::{known, rows};
use super::{Answer, Body, Path, Problem, Query, Refused};
use crate::store::AuditRow;
use crate::web::{Site, sessions};
use axum::Json;
use axum::extract::State;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};

type Here = State<Arc<Site>>;

/// Which sessions are forgotten.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Old {
    /// Those that began more than so many days ago.
    #[param(maximum = 65535)]
    older_than_days: u16,
    /// Only of this job.
    job: Option<String>,
}

/// How many sessions were forgotten.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Forgotten {
    /// Sessions.
    sessions: u64,
}

/// For how long the log is kept.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(super) struct Retention {
    /// Days; 0: for ever.
    #[schema(maximum = 65535)]
    days: u16,
}

/// Something that was done in the browser or by a script.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Deed {
    /// Its number.
    id: i64,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// Who did it.
    who: String,
    /// What, such as `edit-job`.
    what: String,
    /// Upon what.
    subject: String,
    /// More about it, such as the difference of a file.
    detail: String,
}

impl From<AuditRow> for Deed {
    fn from(row: AuditRow) -> Self {
        let AuditRow { id, at, who, action, subject, detail } = row;
        Self { id, at, who, what: action, subject, detail }
    }
}

/// Which of what was done.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Deeds {
    /// Only what was done before the one of this number.
    before: Option<i64>,
    /// At most so many.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u32>,
}

/// Forgets sessions that have ended, and the reports of their messages. Tickets, receipts and the quarantine stay.
#[utoipa::path(delete, path = "/api/v1/sessions", params(Old), responses((status = 200, body = Forgotten), Refused), security(("token" = [])))]
pub(super) async fn clear(State(site): Here, by: Changer, Query(old): Query<Old>) -> Answer<Forgotten> {
    if let Some(job) = &old.job {
        known(&site, job)?;
    }
    let sessions = sessions::clear(&site, old.job.as_deref(), old.older_than_days, by.name()).await?;
    Ok(Json(Forgotten { sessions }))
}

/// Forgets one session that has ended, and the reports of its messages.
#[utoipa::path(delete, path = "/api/v1/sessions/{id}", params(("id" = i64, Path)), responses((status = 200, body = Done), Refused), security(("token" = [])))]
pub(super) async fn delete(State(site): Here, by: Changer, Path(id): Path<i64>) -> Answer<Done> {
    sessions::delete(&site, id, by.name()).await?;
    Ok(Json(Done { changed: true }))
}

/// For how long the log is kept.
#[utoipa::path(get, path = "/api/v1/log/retention", responses((status = 200, body = Retention), (status = 401, body = Problem)), security(("token" = [])))]
pub(super) async fn retention(State(site): Here, _: Caller) -> Answer<Retention> {
    Ok(Json(Retention { days: sessions::retention_days(&site) }))
}

/// Sets for how long the log is kept: in the settings file, and at once.
#[utoipa::path(put, path = "/api/v1/log/retention", request_body = Retention, responses((status = 200, body = Retention), Refused), security(("token" = [])))]
pub(super) async fn set_retention(State(site): Here, by: Changer, Body(new): Body<Retention>) -> Answer<Retention> {
    sessions::set_retention(&site, new.days, by.name()).await?;
    Ok(Json(new))
}

/// What was done in the browser and by scripts, latest first.
#[utoipa::path(get, path = "/api/v1/audit", params(Deeds), responses((status = 200, body = Vec<Deed>), (status = 400, body = Problem), (status = 401, body = Problem)), security(("token" = [])))]
pub(super) async fn audit(State(site): Here, _: Caller, Query(part): Query<Deeds>) -> Answer<Vec<Deed>> {
    let entries = site.ctx.store.audit_log(part.before, rows(part.limit)?).await?;
    Ok(Json(entries.into_iter().map(Deed::from).collect()))
}
