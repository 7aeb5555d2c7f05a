//! Sessions, as the incoming mail log has them.

use super::{Outcome, SessionId};
use crate::message::Address;
use jiff::Timestamp;
use serde::Serialize;

/// What a session counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct SessionTally {
    /// Messages in the mailbox.
    pub waiting: u64,
    /// Messages fetched.
    pub received: u64,
    /// Tickets created.
    pub created: u64,
    /// Tickets updated.
    pub updated: u64,
    /// Messages rejected.
    pub rejected: u64,
    /// Messages ignored.
    pub ignored: u64,
    /// Messages quarantined.
    pub quarantined: u64,
    /// Errors met.
    pub errors: u64,
    /// Messages passed over, because they were there before the job.
    pub passed_over: u64,
}

/// A session: a row of the incoming mail log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SessionRow {
    /// Which one.
    pub id: SessionId,
    /// The job.
    pub job: String,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended; none while it runs, or if the program was killed.
    pub finished_at: Option<Timestamp>,
    /// What ended it early, and what it warns of: see [`ended_early`].
    pub error: Option<String>,
    /// What it counted.
    #[serde(flatten)]
    pub tally: SessionTally,
}

/// What the comment on a session begins with that ended well, and warns of something.
pub const WARNING: &str = "warning: ";

/// Whether the comment on a session says what ended it early, and does not only warn.
#[must_use]
pub fn ended_early(comment: Option<&str>) -> bool {
    comment.is_some_and(|comment| !comment.starts_with(WARNING))
}

impl SessionRow {
    /// Whether it ended early, or something in it failed.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        ended_early(self.error.as_deref()) || self.tally.errors > 0
    }
}

/// A message of a session, as listed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MessageRow {
    /// Its receipt.
    pub receipt: i64,
    /// What became of it.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// Who wrote it; none if unknown, or forgotten.
    pub sender: Option<Address>,
    /// Its subject; empty if unknown, or forgotten.
    pub subject: String,
    /// When the mailbox received it.
    pub received_at: Timestamp,
}

/// What sessions can be picked by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionOutcome {
    /// Messages created or updated tickets.
    Accepted,
    /// Messages were rejected.
    Rejected,
    /// Messages were ignored.
    Ignored,
    /// Messages went to quarantine.
    Quarantined,
    /// Something went wrong.
    Failed,
    /// It has not ended.
    Running,
}

/// Which sessions to list; the default is all, up to [`crate::store::ROWS_MAX`].
#[derive(Debug, Clone, Default)]
pub struct SessionFilter {
    /// Of this job.
    pub job: Option<String>,
    /// Begun then or later.
    pub since: Option<Timestamp>,
    /// With this outcome.
    pub outcome: Option<SessionOutcome>,
    /// Begun after this one.
    pub after: Option<SessionId>,
    /// Begun before this one: the last of the page before.
    pub before: Option<SessionId>,
    /// At most so many, the latest.
    pub limit: Option<u32>,
}

/// Which sessions to forget: those that have ended and match.
#[derive(Debug, Clone, Default)]
pub struct OldSessions {
    /// Of this job.
    pub job: Option<String>,
    /// Begun before.
    pub before: Option<Timestamp>,
    /// This one.
    pub session: Option<SessionId>,
}

/// What was forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Forgotten {
    /// Sessions.
    pub sessions: u64,
    /// Reports of messages.
    pub reports: u64,
    /// Whether there may be more.
    pub is_partial: bool,
}
