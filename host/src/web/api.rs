//! The JSON API under `/api/v1`: what the pages do, scripts can do. The description of it, OpenAPI 3.1, is made from this code.

mod access_calls;
mod answers;
mod caller;
mod calls;
mod desk_calls;
mod job_calls;
mod log_calls;
mod rule_calls;

use super::Site;
use super::error::Fault;
use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::extract::{DefaultBodyLimit, FromRequest, FromRequestParts};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post, put};
use axum::{Json, Router};
use serde::Serialize;
use std::sync::Arc;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi, ToSchema};

/// What went wrong, as one sentence.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Problem {
    /// The sentence.
    error: String,
}

/// Why a call is not answered.
#[derive(Debug)]
pub(super) struct Refusal(StatusCode, String);

/// How a call ends.
type Answer<T> = Result<Json<T>, Refusal>;

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.0, Json(Problem { error: self.1 })).into_response()
    }
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        Self(fault.status(), fault.sentence())
    }
}

impl From<crate::store::Error> for Refusal {
    fn from(error: crate::store::Error) -> Self {
        Fault::from(error).into()
    }
}

impl From<PathRejection> for Refusal {
    fn from(error: PathRejection) -> Self {
        Self(StatusCode::BAD_REQUEST, error.body_text())
    }
}

impl From<QueryRejection> for Refusal {
    fn from(error: QueryRejection) -> Self {
        Self(StatusCode::BAD_REQUEST, error.body_text())
    }
}

impl From<JsonRejection> for Refusal {
    fn from(error: JsonRejection) -> Self {
        Self(error.status(), error.body_text())
    }
}

/// How calls that take a body, or change something, are refused.
#[derive(Debug, utoipa::IntoResponses)]
#[expect(dead_code, reason = "it says what is answered; what is answered is a Refusal")]
enum Refused {
    /// What was sent is not what the call takes.
    #[response(status = 400)]
    BadRequest(Problem),
    /// There is no token, or it is not known.
    #[response(status = 401)]
    Unauthorized(Problem),
    /// Who asks may only look.
    #[response(status = 403)]
    Forbidden(Problem),
    /// There is no such thing.
    #[response(status = 404)]
    NotFound(Problem),
    /// What was looked at has changed meanwhile: look again.
    #[response(status = 409)]
    Conflict(Problem),
    /// The body is too long.
    #[response(status = 413)]
    TooLarge(Problem),
    /// The body is not said to be JSON.
    #[response(status = 415)]
    UnsupportedMediaType(Problem),
    /// It cannot be done; the sentence says why.
    #[response(status = 422)]
    Unprocessable(Problem),
}

/// A body that is what the call takes.
#[derive(Debug, FromRequest)]
#[from_request(via(axum::Json), rejection(Refusal))]
struct Body<T>(T);

/// A piece of the path that is what the call takes.
#[derive(Debug, FromRequestParts)]
#[from_request(via(axum::extract::Path), rejection(Refusal))]
struct Path<T>(T);

/// A query that is what the call takes.
#[derive(Debug, FromRequestParts)]
#[from_request(via(axum::extract::Query), rejection(Refusal))]
struct Query<T>(T);

#[derive(OpenApi)]
#[openapi(
    info(title = "mailmill", description = "The inbound-mail rules engine: jobs, the incoming mail log, tickets, quarantine and outbox."),
    paths(
        calls::jobs, calls::job, calls::run_job, calls::pause_job, calls::resume_job, calls::sessions, calls::session_messages,
        calls::message, calls::tickets, calls::ticket, calls::quarantine, calls::outbox, calls::retry, calls::discard, calls::rules,
        rule_calls::revisions, rule_calls::difference, rule_calls::roll_back, rule_calls::all_plugins, rule_calls::plugin,
        rule_calls::suspend, rule_calls::resume,
        job_calls::create, job_calls::delete, job_calls::file, job_calls::replace_file, job_calls::set_password, job_calls::test,
        job_calls::mailboxes, job_calls::runs, job_calls::steps, job_calls::set_steps, job_calls::grant, job_calls::authorize,
        rule_calls::files, rule_calls::file, rule_calls::change,
        desk_calls::raw, desk_calls::try_message, desk_calls::release, desk_calls::discard, desk_calls::work, desk_calls::attachment,
        log_calls::clear, log_calls::delete, log_calls::retention, log_calls::set_retention, log_calls::audit,
        access_calls::people, access_calls::set, access_calls::remove, access_calls::tokens, access_calls::add_token,
        access_calls::revoke_token
    ),
    modifiers(&Token)
)]
struct Description;

/// How callers say who they are.
struct Token;

impl Modify for Token {
    fn modify(&self, description: &mut utoipa::openapi::OpenApi) {
        let scheme =
            HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some("A token made on the page People"));
        let components = description.components.get_or_insert_default();
        components.add_security_scheme("token", SecurityScheme::Http(scheme.build()));
    }
}

/// The addresses served here.
pub(super) fn routes() -> Router<Arc<Site>> {
    let api = Router::new().merge(job_routes()).merge(desk_routes()).merge(access_routes());
    let api = api
        .route("/openapi.json", get(description))
        .route("/rules", get(calls::rules))
        .route("/rules/files", get(rule_calls::files))
        .route("/rules/file", get(rule_calls::file))
        .route("/rules/changes", post(rule_calls::change))
        .route("/revisions", get(rule_calls::revisions))
        .route("/revisions/difference", get(rule_calls::difference))
        .route("/revisions/{revision}/rollback", post(rule_calls::roll_back))
        .route("/plugins", get(rule_calls::all_plugins))
        .route("/plugins/{name}", get(rule_calls::plugin))
        .route("/steps/{step}/suspend", post(rule_calls::suspend))
        .route("/steps/{step}/resume", post(rule_calls::resume))
        .method_not_allowed_fallback(not_so)
        .fallback(unknown)
        .layer(DefaultBodyLimit::max(super::form::BYTES_MAX));
    Router::new().nest("/api/v1", api)
}

fn job_routes() -> Router<Arc<Site>> {
    Router::new()
        .route("/jobs", get(calls::jobs).post(job_calls::create))
        .route("/jobs/{name}", get(calls::job).delete(job_calls::delete))
        .route("/jobs/{name}/run", post(calls::run_job))
        .route("/jobs/{name}/pause", post(calls::pause_job))
        .route("/jobs/{name}/resume", post(calls::resume_job))
        .route("/jobs/{name}/file", get(job_calls::file).put(job_calls::replace_file))
        .route("/jobs/{name}/password", put(job_calls::set_password))
        .route("/jobs/{name}/test", post(job_calls::test))
        .route("/jobs/{name}/mailboxes", get(job_calls::mailboxes))
        .route("/jobs/{name}/runs", get(job_calls::runs))
        .route("/jobs/{name}/steps", get(job_calls::steps).put(job_calls::set_steps))
        .route("/jobs/{name}/authorization", get(job_calls::grant).post(job_calls::authorize))
}

fn desk_routes() -> Router<Arc<Site>> {
    Router::new()
        .route("/sessions", get(calls::sessions).delete(log_calls::clear))
        .route("/sessions/{id}", delete(log_calls::delete))
        .route("/sessions/{id}/messages", get(calls::session_messages))
        .route("/messages/{receipt}", get(calls::message))
        .route("/messages/{receipt}/raw", get(desk_calls::raw))
        .route("/tickets", get(calls::tickets))
        .route("/tickets/{number}", get(calls::ticket))
        .route("/tickets/{number}/changes", post(desk_calls::work))
        .route("/tickets/{number}/attachments/{sha256}", get(desk_calls::attachment))
        .route("/quarantine", get(calls::quarantine))
        .route("/quarantine/{id}", delete(desk_calls::discard))
        .route("/quarantine/{id}/release", post(desk_calls::release))
        .route("/try", post(desk_calls::try_message))
        .route("/outbox", get(calls::outbox))
        .route("/outbox/{id}", delete(calls::discard))
        .route("/outbox/{id}/retry", post(calls::retry))
}

fn access_routes() -> Router<Arc<Site>> {
    Router::new()
        .route("/log/retention", get(log_calls::retention).put(log_calls::set_retention))
        .route("/audit", get(log_calls::audit))
        .route("/people", get(access_calls::people))
        .route("/people/{name}", put(access_calls::set).delete(access_calls::remove))
        .route("/tokens", get(access_calls::tokens).post(access_calls::add_token))
        .route("/tokens/{id}", delete(access_calls::revoke_token))
}

async fn description() -> Json<utoipa::openapi::OpenApi> {
    Json(Description::openapi())
}

async fn unknown() -> Refusal {
    Refusal(StatusCode::NOT_FOUND, "there is no such call; see /api/v1/openapi.json".to_owned())
}

async fn not_so() -> Refusal {
    Refusal(StatusCode::METHOD_NOT_ALLOWED, "this address takes another method; see /api/v1/openapi.json".to_owned())
}
