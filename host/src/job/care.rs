//! What sessions of a job learn from each other.

use crate::config::Job;
use crate::mailbox::{self, LoginMemory, Session};

/// What a session passes on to the next one of its job: how careful it has to be.
#[derive(Debug, Default)]
pub struct Care {
    /// Messages are fetched one at a time, because an answer that made no sense ended the session before. Thus it
    /// shows which message is to blame.
    pub(super) one_by_one: bool,
    /// What the last connection was warned of.
    warned: Vec<mailbox::Warning>,
    /// How the job has logged in.
    pub(super) logins: LoginMemory,
    /// The last session learnt something that makes another attempt worthwhile at once.
    pub(super) learnt: bool,
}

impl Care {
    /// Logs what a new connection warns of, unless the one before did: some jobs connect every few minutes.
    pub(super) fn warn(&mut self, job: &Job, mailbox: &Session) {
        let warnings = mailbox.warnings();
        for warning in warnings.iter().filter(|warning| !self.warned.contains(warning)) {
            tracing::warn!(job = job.name, "{warning}");
        }
        self.warned = warnings.to_vec();
    }

    /// Whether another attempt is worthwhile at once.
    pub(super) fn take_learnt(&mut self) -> bool {
        std::mem::take(&mut self.learnt)
    }
}
