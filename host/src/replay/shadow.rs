//! A candidate beside live mail: what was handled a moment ago is run again, through the rules in force and through the
//! candidate, and compared as a replay compares. It is never acted on, and no message waits for it.

use super::{Bench, Difference, Outcome, Replay};
use crate::config::Job;
use crate::diagnostic::Severity;
use crate::message::AttachmentLimits;
use crate::outgoing::Outlets;
use crate::plugin::Engine;
use crate::rules::RuleSet;
use crate::store::{self, HandledFilter, HandledMessage, ShadowRow, Store};
use crate::thread::Tags;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::watch;

/// How often it looks for messages, and whether the candidate has changed.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How deep the candidate's folder is looked into for changes.
const DEPTH_MAX: usize = 8;

/// A candidate, and what it needs to be run beside live mail.
#[derive(Debug)]
pub struct Shadow {
    /// The folder of the candidate's rules.
    pub rules: PathBuf,
    /// The folder of the plugins.
    pub plugins: PathBuf,
    /// The folder of the jobs.
    pub jobs: PathBuf,
    /// What loads it.
    pub engine: Engine,
    /// The tags of tickets.
    pub tags: Tags,
    /// Which attachments go to tickets.
    pub limits: AttachmentLimits,
    /// What rules can send to.
    pub outlets: Outlets,
}

/// What the candidate's files looked like, and what they came to.
#[derive(Default)]
struct Loaded {
    look: Vec<(PathBuf, SystemTime, u64)>,
    candidate: Option<Arc<RuleSet>>,
}

impl Shadow {
    /// Runs until it is dropped. What goes wrong is logged, and tried again.
    pub async fn run(self, store: Store, in_force: watch::Receiver<Arc<RuleSet>>) {
        let shadow = Arc::new(self);
        let mut loaded = Loaded::default();
        let mut after = None;
        loop {
            let began = in_force.borrow().clone();
            loaded = shadow.clone().load(loaded).await;
            if let Err(error) = shadow.clone().look(&store, &began, &loaded, &mut after).await {
                tracing::warn!(%error, "messages could not be run through the candidate");
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Loads the candidate if its files have changed.
    async fn load(self: Arc<Self>, before: Loaded) -> Loaded {
        let loaded = tokio::task::spawn_blocking(move || {
            let look = look_of(&self.rules, DEPTH_MAX);
            if look == before.look {
                return before;
            }
            let candidate = match RuleSet::load(&self.rules, &self.plugins, &self.engine) {
                Ok(candidate) => {
                    tracing::info!(revision = %candidate.revision(), "the candidate runs beside live mail");
                    Some(candidate)
                }
                Err(faults) => {
                    for fault in faults.iter().filter(|fault| fault.severity == Severity::Error) {
                        tracing::warn!("the candidate is not run: {fault}");
                    }
                    None
                }
            };
            Loaded { look, candidate }
        });
        loaded.await.unwrap_or_default()
    }

    /// Runs what was handled since the last look.
    async fn look(
        self: Arc<Self>,
        store: &Store,
        in_force: &Arc<RuleSet>,
        loaded: &Loaded,
        after: &mut Option<i64>,
    ) -> Result<(), store::Error> {
        let mut up_to = match *after {
            Some(up_to) => up_to,
            None => store.shadowed_up_to().await?,
        };
        *after = Some(up_to);
        let Some(candidate) = &loaded.candidate else { return Ok(()) };
        loop {
            let messages = store.handled(&HandledFilter::default(), up_to).await?;
            let Some(last) = messages.last().map(|message| message.receipt) else { return Ok(()) };
            let (shadow, sides) = (self.clone(), (in_force.clone(), candidate.clone()));
            let ran = tokio::task::spawn_blocking(move || shadow.compare(sides, &messages)).await;
            match ran {
                Ok(rows) => store.note_shadows(&rows).await?,
                // A bug of ours: the messages are left out, so that it does not come again and again.
                Err(error) => tracing::error!(%error, "the candidate made the pipeline panic; please report it"),
            }
            up_to = last;
            *after = Some(up_to);
        }
    }

    fn compare(&self, sides: (Arc<RuleSet>, Arc<RuleSet>), messages: &[HandledMessage]) -> Vec<ShadowRow> {
        let (in_force, candidate) = (sides.0.revision().to_string(), sides.1.revision().to_string());
        let jobs = Job::load_all(&self.jobs).unwrap_or_default();
        let replay = Replay::new(sides.0, sides.1, &jobs, self.tags.clone(), self.limits.clone(), self.outlets.clone());
        let mut bench: Bench = replay.bench();
        let row = |message: &HandledMessage| {
            let difference = match replay.run_one(&mut bench, message) {
                Outcome::Changed(difference) => serde_json::to_string(&Kept::from(*difference)).ok(),
                Outcome::Same | Outcome::LeftOut(_) => None,
            };
            let (candidate, in_force) = (candidate.clone(), in_force.clone());
            ShadowRow { receipt: message.receipt, candidate, in_force, difference }
        };
        messages.iter().map(row).collect()
    }
}

/// A difference as it is kept: with what is counted of it.
#[derive(serde::Serialize, serde::Deserialize)]
struct Kept {
    difference: Difference,
    counted: Vec<Vec<(String, super::Sign)>>,
}

impl From<Difference> for Kept {
    fn from(difference: Difference) -> Self {
        let counted = difference.changes.iter().map(|change| change.counted.clone()).collect();
        Self { difference, counted }
    }
}

/// What is kept of a message; none if it was written by another version.
pub(super) fn kept(row: &ShadowRow) -> Option<Difference> {
    let Kept { mut difference, counted } = serde_json::from_str(row.difference.as_deref()?).ok()?;
    for (change, counted) in difference.changes.iter_mut().zip(counted) {
        change.counted = counted;
    }
    Some(difference)
}

/// The files of a folder, with what tells that they have changed.
fn look_of(folder: &Path, depth: usize) -> Vec<(PathBuf, SystemTime, u64)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        match entry.metadata() {
            Ok(metadata) if metadata.is_dir() && depth > 0 => found.extend(look_of(&path, depth - 1)),
            Ok(metadata) => {
                let modified = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
                found.push((path, modified, metadata.len()));
            }
            Err(_) => {}
        }
    }
    found.sort();
    found
}
