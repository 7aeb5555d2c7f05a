//! The pages.

mod authorize;
mod connection;
mod edit;
mod jobs;
mod log;
mod message;
mod new_rule;
mod outbox;
mod plugins;
mod processing;
mod quarantine;
mod revisions;
mod rules;
mod settings;
mod steps;
mod tickets;
mod trial;

use super::Site;
use super::error::Answer;
use super::news::News;
use axum::Router;
use axum::response::{IntoResponse, Redirect};
use axum::routing::{get, post};
use std::sync::Arc;

/// How many rows a page of a list has.
const ROWS: u32 = 50;

/// The addresses served here.
pub(super) fn routes() -> Router<Arc<Site>> {
    Router::new()
        .route("/", get(|| async { Redirect::to("/jobs") }))
        .route("/jobs", get(jobs::list))
        .route("/jobs/new", get(edit::new_page).post(edit::create))
        .route("/jobs/{name}", get(jobs::show))
        .route("/jobs/{name}/edit", get(edit::page).post(edit::save))
        .route("/jobs/{name}/file", get(edit::file_page).post(edit::save_file))
        .route("/jobs/{name}/run", post(jobs::run))
        .route("/jobs/{name}/pause", post(jobs::pause))
        .route("/jobs/{name}/resume", post(jobs::resume))
        .route("/jobs/{name}/delete", post(jobs::delete))
        .route("/jobs/{name}/test", get(connection::page).post(connection::test))
        .route("/jobs/{name}/authorize", get(authorize::page).post(authorize::begin))
        .route("/jobs/{name}/steps", get(steps::page).post(steps::change))
        .route("/log", get(log::list))
        .route("/log/clear", post(log::clear))
        .route("/log/keep", post(log::keep))
        .route("/log/{session}", get(log::show))
        .route("/log/{session}/delete", post(log::delete))
        .route("/messages/{receipt}", get(message::show))
        .route("/messages/{receipt}/html", get(message::html))
        .route("/messages/{receipt}/raw", get(message::raw))
        .route("/tickets", get(tickets::list))
        .route("/tickets/{number}", get(tickets::show))
        .route("/tickets/{number}/change", post(tickets::change))
        .route("/tickets/{number}/attachments/{sha256}", get(tickets::attachment))
        .route("/quarantine", get(quarantine::list))
        .route("/quarantine/{id}", get(quarantine::show))
        .route("/quarantine/{id}/release", post(quarantine::release))
        .route("/quarantine/{id}/drop", post(quarantine::discard))
        .route("/outbox", get(outbox::list))
        .route("/outbox/{id}/retry", post(outbox::retry))
        .route("/outbox/{id}/drop", post(outbox::discard))
        .route("/processing", get(processing::page))
        .route("/rules", get(rules::list))
        .route("/rules/new", get(new_rule::page).post(new_rule::create))
        .route("/rules/file", get(rules::page).post(rules::save))
        .route("/try", get(trial::page).post(trial::run))
        .route("/revisions", get(revisions::list))
        .route("/revisions/difference", get(revisions::difference))
        .route("/revisions/rollback", get(revisions::confirm).post(revisions::put_back))
        .route("/plugins", get(plugins::list))
        .route("/plugins/{name}", get(plugins::show))
        .route("/plugins/steps/{step}/suspend", post(plugins::suspend))
        .route("/plugins/steps/{step}/resume", post(plugins::resume))
        .route("/settings", get(settings::page))
        .route("/settings/users", post(settings::set_user))
        .route("/settings/users/remove", post(settings::remove_user))
        .route("/settings/tokens", post(settings::add_token))
        .route("/settings/tokens/revoke", post(settings::revoke_token))
}

/// Sends the browser to a page.
fn back(to: &str) -> Answer {
    Ok(Redirect::to(to).into_response())
}

/// Sends the browser to a page that tells what was done.
fn told(news: News, to: &str) -> Answer {
    back(&news.told_at(to))
}
