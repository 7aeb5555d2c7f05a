//! What goes wrong while a page is made, as people read it.

use super::Site;
use super::page::{self, Frame};
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Redirect, Response};
use maud::html;
use std::sync::Arc;

/// Why a page is not shown.
#[derive(Debug)]
pub(super) enum Fault {
    /// Who asks is not logged in.
    LoggedOut,
    /// Who asks may only look.
    Forbidden,
    /// There is no such thing.
    NotFound(String),
    /// What was asked for cannot be done; the sentence says why.
    Refused(String),
    /// What was looked at has changed meanwhile; the sentence says what.
    Changed(String),
    /// A form that was not made here, or by somebody else.
    Forged,
    /// Too many attempts; try again in so many seconds.
    TooOften(u64),
    /// Something else failed.
    Failed(String),
}

/// How a page ends.
pub(super) type Answer = Result<Response, Fault>;

impl Fault {
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::LoggedOut => StatusCode::UNAUTHORIZED,
            Self::Forbidden | Self::Forged => StatusCode::FORBIDDEN,
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::Refused(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Changed(_) => StatusCode::CONFLICT,
            Self::TooOften(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::Failed(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    pub(super) fn sentence(&self) -> String {
        match self {
            Self::LoggedOut => "Log in first.".to_owned(),
            Self::Forbidden => "You may look at this, but not change it: your role is viewer.".to_owned(),
            Self::Forged => {
                "This form is out of date: you have logged in anew, or it was not made here. Go back, load the page \
                             again, and repeat what you did."
                    .to_owned()
            }
            Self::NotFound(what) => format!("There is no {what}."),
            Self::Refused(sentence) | Self::Changed(sentence) | Self::Failed(sentence) => sentence.clone(),
            Self::TooOften(seconds) => format!("Too many attempts. Try again in {seconds} seconds."),
        }
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        if matches!(self, Self::LoggedOut) {
            return Redirect::to("/login").into_response();
        }
        if let Self::Failed(reason) = &self {
            tracing::error!(reason, "a page could not be made");
        }
        let title = match self.status() {
            StatusCode::NOT_FOUND => "Not found",
            StatusCode::INTERNAL_SERVER_ERROR => "Something failed",
            _ => "Not done",
        };
        let body = html! {
            h1 { (title) }
            p.fault role="alert" { (self.sentence()) }
            p { a href="/jobs" data-back { "Back to the jobs" } }
        };
        (self.status(), page::document(&Frame::of_fault(title), &body)).into_response()
    }
}

impl From<crate::store::Error> for Fault {
    fn from(error: crate::store::Error) -> Self {
        match error {
            crate::store::Error::NotFound { what } => Self::NotFound(what),
            other => Self::Failed(other.to_string()),
        }
    }
}

impl From<std::io::Error> for Fault {
    fn from(error: std::io::Error) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<crate::config::EditError> for Fault {
    fn from(error: crate::config::EditError) -> Self {
        match error {
            crate::config::EditError::Changed(_) => Self::Changed(error.to_string()),
            other => Self::Refused(other.to_string()),
        }
    }
}

impl From<crate::diagnostic::Diagnostics> for Fault {
    fn from(found: crate::diagnostic::Diagnostics) -> Self {
        Self::Refused(found.to_string())
    }
}

impl From<tokio::task::JoinError> for Fault {
    fn from(error: tokio::task::JoinError) -> Self {
        Self::Failed(error.to_string())
    }
}

/// Any other address.
pub(super) async fn not_found(State(_): State<Arc<Site>>, parts: Parts) -> Response {
    Fault::NotFound(format!("page {}", parts.uri.path())).into_response()
}
