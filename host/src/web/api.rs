//! The JSON API under `/api/v1`: what the pages do, scripts can do. The description of it, OpenAPI 3.1, is made from this code.

mod answers;
mod caller;
mod calls;
mod rule_calls;

use super::Site;
use super::error::Fault;
use axum::extract::FromRequestParts;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
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
        rule_calls::suspend, rule_calls::resume
    ),
    modifiers(&Token)
)]
struct Description;

/// How callers say who they are.
struct Token;

impl Modify for Token {
    fn modify(&self, description: &mut utoipa::openapi::OpenApi) {
        let scheme =
            HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some("A token made on the page Access"));
        let components = description.components.get_or_insert_default();
        components.add_security_scheme("token", SecurityScheme::Http(scheme.build()));
    }
}

/// The addresses served here.
pub(super) fn routes() -> Router<Arc<Site>> {
    let api = Router::new()
        .route("/openapi.json", get(description))
        .route("/jobs", get(calls::jobs))
        .route("/jobs/{name}", get(calls::job))
        .route("/jobs/{name}/run", post(calls::run_job))
        .route("/jobs/{name}/pause", post(calls::pause_job))
        .route("/jobs/{name}/resume", post(calls::resume_job))
        .route("/sessions", get(calls::sessions))
        .route("/sessions/{id}/messages", get(calls::session_messages))
        .route("/messages/{receipt}", get(calls::message))
        .route("/tickets", get(calls::tickets))
        .route("/tickets/{number}", get(calls::ticket))
        .route("/quarantine", get(calls::quarantine))
        .route("/outbox", get(calls::outbox))
        .route("/outbox/{id}", axum::routing::delete(calls::discard))
        .route("/outbox/{id}/retry", post(calls::retry))
        .route("/rules", get(calls::rules))
        .route("/revisions", get(rule_calls::revisions))
        .route("/revisions/difference", get(rule_calls::difference))
        .route("/revisions/{revision}/rollback", post(rule_calls::roll_back))
        .route("/plugins", get(rule_calls::all_plugins))
        .route("/plugins/{name}", get(rule_calls::plugin))
        .route("/steps/{step}/suspend", post(rule_calls::suspend))
        .route("/steps/{step}/resume", post(rule_calls::resume))
        .method_not_allowed_fallback(not_so)
        .fallback(unknown);
    Router::new().nest("/api/v1", api)
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
