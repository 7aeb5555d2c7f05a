//! Replay: messages that were handled are run again through two rule sets, those in force and a candidate, to see what the
//! candidate would change. Nothing is written.
//!
//! Hops 2 and 4 to 7 are a pure function of the bytes, the conversation, the time of receipt and the rules (invariant 3).
//! Bytes and time are in the store, the conversation is in the report of the run; so the same messages always come to
//! the same differences, whichever thread runs them.

mod difference;
mod shadow;
mod summary;

pub use difference::{Changed, Difference, Kind, LINE_CHARS_MAX, Line, Sign};
pub use shadow::Shadow;
pub use summary::{DIFFERENCES_BYTES_MAX, LeftOut, Summary, Tally};

use crate::config::Job;
use crate::job::cleaning;
use crate::mailbox::RawMessage;
use crate::message::AttachmentLimits;
use crate::outgoing::Outlets;
use crate::pipeline::{self, Cleaning};
use crate::report::Cause;
use crate::rules::{Instances, RuleSet};
use crate::store::{self, HandledFilter, HandledMessage, Store};
use crate::thread::{Conversation, Finding, Tags, Threading};
use serde::Deserialize;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The hop that holds messages for a person.
const THREAD: &str = "thread";

/// A replay cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database fails.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// A message made the program panic: a bug.
    #[error(
        "a bug in mailmill: a message between the receipts {from} and {to} made the pipeline panic; please report it"
    )]
    Bug {
        /// The first receipt of those that were run together.
        from: i64,
        /// The last one.
        to: i64,
    },
}

/// Two rule sets, and all else that hops 2 and 4 to 7 have to know.
#[derive(Debug)]
pub struct Replay {
    in_force: Side,
    candidate: Side,
    tags: Tags,
    limits: AttachmentLimits,
    outlets: Outlets,
}

/// A rule set, and how each job has its messages cleaned by it.
#[derive(Debug)]
struct Side {
    rules: Arc<RuleSet>,
    cleaning: HashMap<String, Cleaning>,
}

impl Side {
    fn new(rules: Arc<RuleSet>, jobs: &[Job]) -> Self {
        let cleaning = jobs.iter().map(|job| (job.name.clone(), cleaning(job, &rules))).collect();
        Self { rules, cleaning }
    }
}

/// What the report of a message says of its conversation.
#[derive(Debug, Deserialize)]
struct Then {
    conversation: Conversation,
    #[serde(default)]
    thread: Vec<Finding>,
    quarantine: Option<Cause>,
}

impl From<Then> for Threading {
    fn from(then: Then) -> Self {
        let held = then.quarantine.filter(|cause| cause.hop == THREAD).map(|cause| cause.reason);
        Self { conversation: then.conversation, findings: then.thread, held, ..Self::default() }
    }
}

/// What became of one message.
enum Outcome {
    Same,
    Changed(Box<Difference>),
    LeftOut(LeftOut),
}

/// The instances of one thread.
struct Bench {
    in_force: Instances,
    candidate: Instances,
}

impl Replay {
    /// A replay of messages of these jobs.
    #[must_use]
    pub fn new(
        in_force: Arc<RuleSet>,
        candidate: Arc<RuleSet>,
        jobs: &[Job],
        tags: Tags,
        limits: AttachmentLimits,
        outlets: Outlets,
    ) -> Self {
        Self { in_force: Side::new(in_force, jobs), candidate: Side::new(candidate, jobs), tags, limits, outlets }
    }

    /// Runs the messages on `threads` threads, and keeps at most `differences_max` of the messages that change; the
    /// others are counted. `progress` is told how many messages are done, in between.
    ///
    /// # Errors
    /// If the database fails, or the pipeline panics.
    pub async fn run(
        self: Arc<Self>,
        store: &Store,
        filter: &HandledFilter,
        threads: usize,
        differences_max: usize,
        progress: impl Fn(usize),
    ) -> Result<Summary, Error> {
        let (in_force, candidate) = (self.in_force.rules.revision(), self.candidate.rules.revision());
        let mut summary = Summary::new(in_force, candidate, differences_max);
        let mut benches: Vec<Bench> = (0..threads.max(1)).map(|_| self.bench()).collect();
        let mut next = store.handled(filter, 0).await?;
        while let (Some(from), Some(to)) = (next.first().map(|one| one.receipt), next.last().map(|one| one.receipt)) {
            let chunk = std::mem::take(&mut next);
            let (replay, many) = (self.clone(), chunk.len());
            let work = tokio::task::spawn_blocking(move || {
                let outcomes = replay.run_chunk(&mut benches, &chunk);
                (benches, outcomes)
            });
            let (done, read) = tokio::join!(work, store.handled(filter, to));
            let (back, outcomes) = done.map_err(|_| Error::Bug { from, to })?;
            benches = back;
            for outcome in outcomes.ok_or(Error::Bug { from, to })? {
                summary.add(outcome);
            }
            progress(many);
            next = read?;
        }
        Ok(summary)
    }

    fn bench(&self) -> Bench {
        Bench { in_force: self.in_force.rules.instances(), candidate: self.candidate.rules.instances() }
    }

    /// What became of each message, in their order; none if a thread panicked.
    fn run_chunk(&self, benches: &mut [Bench], chunk: &[HandledMessage]) -> Option<Vec<Outcome>> {
        let taken = AtomicUsize::new(0);
        let work = |bench: &mut Bench| {
            let mut done = Vec::new();
            loop {
                let at = taken.fetch_add(1, Ordering::Relaxed);
                let Some(message) = chunk.get(at) else { return done };
                done.push((at, self.run_one(bench, message)));
            }
        };
        let mut done = Vec::with_capacity(chunk.len());
        std::thread::scope(|scope| {
            let threads: Vec<_> = benches.iter_mut().map(|bench| scope.spawn(|| work(bench))).collect();
            // All are waited for: a thread that nobody waits for would end the process with its panic.
            let ended: Vec<_> = threads.into_iter().map(std::thread::ScopedJoinHandle::join).collect();
            ended.into_iter().try_for_each(|part| part.ok().map(|part| done.extend(part)))
        })?;
        done.sort_by_key(|(at, _)| *at);
        Some(done.into_iter().map(|(_, outcome)| outcome).collect())
    }

    fn run_one(&self, bench: &mut Bench, message: &HandledMessage) -> Outcome {
        if message.header_only {
            return Outcome::LeftOut(LeftOut::HeaderOnly);
        }
        let sides = (self.in_force.cleaning.get(&message.job), self.candidate.cleaning.get(&message.job));
        let (Some(in_force), Some(candidate)) = sides else { return Outcome::LeftOut(LeftOut::JobGone) };
        let threading: Threading = match serde_json::from_str::<Option<Then>>(&message.report) {
            Ok(Some(then)) => then.into(),
            Ok(None) => return Outcome::LeftOut(LeftOut::ReportForgotten),
            Err(_) => return Outcome::LeftOut(LeftOut::ReportUnreadable),
        };
        let (key, received) = (message.key.clone(), Some(message.received_at));
        let raw = RawMessage { key, received, content: message.raw.clone() };
        let Ok(parsed) = pipeline::parse(raw, &self.tags, &self.limits) else {
            return Outcome::LeftOut(LeftOut::BytesUnreadable);
        };
        let before = pipeline::run(&mut bench.in_force, &parsed, &threading, in_force, &self.outlets);
        let after = pipeline::run(&mut bench.candidate, &parsed, &threading, candidate, &self.outlets);
        let changes = difference::compare(&before, &after, parsed.message.document.text());
        if changes.is_empty() {
            return Outcome::Same;
        }
        Outcome::Changed(Box::new(Difference::new(message, &before.report.message, changes)))
    }
}
