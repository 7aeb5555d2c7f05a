//! Seen from outside: whether the daemon is well, and what it has counted.
//!
//! It shows names of jobs, steps and plugins, and numbers: nothing of any message. There are no passwords, so it listens where
//! the settings say and nowhere else, and by default nowhere.

mod levels;

use crate::job::Context;
use crate::metrics::MEDIA_TYPE;
use crate::rules::Reloader;
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;

/// How long the store may take before it counts as not ready.
const STORE_ANSWERS_IN: Duration = Duration::from_secs(5);

/// A place to listen at that is taken, before anybody is answered there.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
}

/// What is looked at.
#[derive(Debug, Clone)]
pub struct Seen {
    /// What the jobs share.
    pub ctx: Arc<Context>,
    /// The rules.
    pub reloader: Arc<Reloader>,
}

/// The address cannot be listened at.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen at {address} (`listen` under [observe] in the settings): {error}")]
pub struct Error {
    address: SocketAddr,
    error: std::io::Error,
}

impl Server {
    /// Takes the address.
    ///
    /// # Errors
    /// If the system does not give it.
    pub async fn bind(address: SocketAddr) -> Result<Self, Error> {
        let listener = TcpListener::bind(address).await.map_err(|error| Error { address, error })?;
        if !address.ip().is_loopback() {
            tracing::warn!(%address, "the counters can be read from other hosts, by whoever reaches this address");
        }
        let at = listener.local_addr().unwrap_or(address);
        tracing::info!(%at, "/healthz, /readyz and /metrics are served here");
        Ok(Self { listener })
    }

    /// Answers, until the task is dropped.
    pub async fn serve(self, seen: Seen) {
        if let Err(error) = axum::serve(self.listener, router(seen)).await {
            tracing::error!(%error, "/healthz, /readyz and /metrics are served no more");
        }
    }
}

fn router(seen: Seen) -> Router {
    let router = Router::new().route("/healthz", get(healthz)).route("/readyz", get(readyz));
    router.route("/metrics", get(metrics)).with_state(seen)
}

/// 200 while every job gets on; otherwise 503, with those that do not.
async fn healthz(State(seen): State<Seen>) -> Response {
    let overdue = seen.ctx.vitals.overdue();
    if overdue.is_empty() {
        return (StatusCode::OK, "ok\n").into_response();
    }
    (StatusCode::SERVICE_UNAVAILABLE, format!("jobs that do not get on: {}\n", overdue.join(", "))).into_response()
}

/// 200 while messages are taken in; 503 while the daemon stops, or the store does not answer.
async fn readyz(State(seen): State<Seen>) -> Response {
    if *seen.ctx.stop.borrow() {
        return (StatusCode::SERVICE_UNAVAILABLE, "stopping\n").into_response();
    }
    match tokio::time::timeout(STORE_ANSWERS_IN, seen.ctx.store.figures()).await {
        Ok(Ok(_)) => (StatusCode::OK, "ready\n").into_response(),
        Ok(Err(error)) => (StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n")).into_response(),
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "the store does not answer\n").into_response(),
    }
}

async fn metrics(State(seen): State<Seen>) -> Response {
    let levels = levels::read(&seen).await;
    match seen.ctx.metrics.text(levels) {
        Ok(text) => ([(header::CONTENT_TYPE, MEDIA_TYPE)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    }
}
