//! What a test of a connection saw, step by step.

use super::error::Error;
use std::fmt;
use std::time::{Duration, Instant};

/// A step of opening a mailbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Finding the host's addresses.
    Resolve,
    /// Connecting to one of them.
    Connect,
    /// Securing the connection.
    Tls,
    /// The server's greeting, and what it says it can do.
    Greeting,
    /// Logging in.
    Authentication,
    /// Opening the mailbox or the folder, without changing it.
    Folder,
    /// Counting the messages in it.
    Waiting,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Resolve => "resolve",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Greeting => "greeting",
            Self::Authentication => "authentication",
            Self::Folder => "folder",
            Self::Waiting => "waiting",
        })
    }
}

/// What became of one step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Which one.
    pub stage: Stage,
    /// How long it took.
    pub took: Duration,
    /// What was seen, or why it failed and what to change. The last step reported is the one that failed.
    pub outcome: Result<String, Error>,
}

/// Runs steps and reports each.
pub(super) struct Steps<'a> {
    report: &'a mut (dyn FnMut(Step) + Send),
}

impl<'a> Steps<'a> {
    pub(super) fn new(report: &'a mut (dyn FnMut(Step) + Send)) -> Self {
        Self { report }
    }

    pub(super) async fn run<T>(
        &mut self,
        stage: Stage,
        step: impl Future<Output = Result<T, Error>>,
        describe: impl FnOnce(&T) -> String,
    ) -> Result<T, Error> {
        let start = Instant::now();
        let result = step.await;
        let outcome = result.as_ref().map(describe).map_err(Clone::clone);
        (self.report)(Step { stage, took: start.elapsed(), outcome });
        result
    }
}
