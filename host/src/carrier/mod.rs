//! Carriers: they take one thing that leaves the system to where it goes, and say how that went. Only `smtp` and `compose`
//! know lettre.

mod compose;
mod maildir;
mod smtp;
#[cfg(test)]
mod tests;
mod webhook;

pub use maildir::store;
pub use smtp::{Connection, Smtp};
pub use webhook::Webhook;

use crate::content::Content;
use std::time::Duration;

/// Why something did not arrive.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Failure {
    /// What happened, as a sentence.
    pub reason: String,
    /// Whether another attempt may help.
    pub remedy: Remedy,
}

/// What helps against a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy {
    /// Another attempt; not before that time has passed, if the receiver said so.
    Retry(Option<Duration>),
    /// Nothing: it is refused for good.
    Nothing,
}

impl Failure {
    /// Another attempt may help.
    #[must_use]
    pub fn passing(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), remedy: Remedy::Retry(None) }
    }

    /// No attempt will help.
    #[must_use]
    pub fn lasting(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), remedy: Remedy::Nothing }
    }
}

/// The bytes of a message that goes along.
fn bytes_of(original: &Content) -> Result<Vec<u8>, Failure> {
    original.to_vec().map_err(|error| Failure::passing(format!("the message cannot be read: {error}")))
}
