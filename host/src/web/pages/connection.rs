//! Trying a job's settings on its server.

use super::jobs::address;
use crate::web::Site;
use crate::web::access::Visitor;
use crate::web::connection::{Line, begin, collected};
use crate::web::error::Answer;
use crate::web::form::Order;
use crate::web::job_files;
use crate::web::page::{self, Frame, badge};
use axum::body::Body;
use axum::extract::{FromRequestParts, Path, State};
use axum::http::header;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use futures::stream;
use maud::{Markup, html};
use std::convert::Infallible;
use std::sync::Arc;
use tokio::sync::mpsc::UnboundedReceiver;

/// What is asked for by a script that shows steps as they come.
const LINES: &str = "application/x-ndjson";

/// How a browser wants to be answered.
#[derive(Debug)]
pub(super) struct Wish(bool);

impl Wish {
    /// Whether it reads lines as they come.
    pub(super) fn wants_lines(&self) -> bool {
        self.0
    }
}

impl FromRequestParts<Arc<Site>> for Wish {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<Site>) -> Result<Self, Infallible> {
        Ok(Self(parts.headers.get(header::ACCEPT).is_some_and(|accept| accept.as_bytes() == LINES.as_bytes())))
    }
}

pub(super) async fn page(State(site): State<Arc<Site>>, visitor: Visitor, Path(name): Path<String>) -> Answer {
    job_files::find(&site, &name)?;
    Ok(page::shown(&Frame::new("Test connection", "/jobs", &visitor), &body(&visitor, &name, &[])))
}

fn body(visitor: &Visitor, name: &str, lines: &[Line]) -> Markup {
    html! {
        h1 { "Test connection of job " (name) }
        p { "Each step of a session is tried, up to counting the messages that wait. Nothing on the server is changed." }
        @if visitor.is_admin() {
            form method="post" action=(format!("{}/test", address(name))) {
                (visitor.csrf_field())
                button type="submit" data-stream="steps" { "Test connection" }
            }
        } @else { p { "Your role is viewer: an administrator can run this test." } }
        ol #steps.story aria-live="polite" { (shown(lines)) }
        p { a href=(address(name)) { "Back to the job" } }
    }
}

/// Steps as items of a list.
pub(super) fn shown(lines: &[Line]) -> Markup {
    html! { @for line in lines { li { (badge(line.mark, line.tone)) " " (line.text) } } }
}

/// Runs the test: line by line where the browser reads as it comes, else as a page once it is done.
pub(super) async fn test(State(site): State<Arc<Site>>, Path(name): Path<String>, wish: Wish, order: Order) -> Answer {
    let job = job_files::load(&site, &name)?;
    site.ctx.store.note(order.visitor.name(), "test-connection", &name, "").await?;
    let heard = begin(&site, job, format!("The settings of job {name} work."), ());
    if wish.wants_lines() {
        return Ok(streamed(heard));
    }
    let lines = collected(heard).await;
    Ok(page::shown(&Frame::new("Test connection", "/jobs", &order.visitor), &body(&order.visitor, &name, &lines)))
}

/// Steps as they come.
pub(super) fn streamed(heard: UnboundedReceiver<Line>) -> Response {
    let lines = stream::unfold(heard, |mut heard| async {
        let line: Line = heard.recv().await?;
        Some((Ok::<_, Infallible>(line.in_json()), heard))
    });
    ([(header::CONTENT_TYPE, LINES)], Body::from_stream(lines)).into_response()
}

/// The one step of a test that cannot begin.
pub(super) fn streamed_fault(fault: String) -> Response {
    ([(header::CONTENT_TYPE, LINES)], Line::fault(fault).in_json()).into_response()
}
