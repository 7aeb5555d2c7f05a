//! How the jobs stand: what their files say, what the daemon says that they do, and how their last sessions ended.

use super::REPORT_LASTS;
use crate::config::{Job, job_files};
use crate::store::{self, JobRow, JobState, LastRun, SessionRow, Store};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::SystemTime;

/// How many files are remembered.
const FILES_MAX: usize = 10_000;

/// How a job stands.
#[derive(Debug, Clone, Serialize)]
pub struct Standing {
    /// Its name.
    pub name: String,
    /// What it does; none while the daemon is not running.
    pub state: Option<JobState>,
    /// Since when it is paused.
    pub paused_at: Option<Timestamp>,
    /// Who paused it.
    pub paused_by: Option<String>,
    /// When somebody asked for a session that has not begun.
    pub run_requested_at: Option<Timestamp>,
    /// How its last session ended.
    pub last: Option<LastRun>,
    /// When it runs next.
    pub next_run_at: Option<Timestamp>,
    /// Its schedule in words; none if its file has errors.
    pub schedule: Option<String>,
    /// Its file has errors.
    pub faulty: bool,
    /// The time zone of its schedule.
    #[serde(skip)]
    pub zone: TimeZone,
}

/// Why nobody knows how the jobs stand.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The store does not say.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The folder of the jobs cannot be listed.
    #[error("the folder of the jobs cannot be listed: {0}")]
    Folder(#[from] std::io::Error),
}

/// How each job of a folder stands, by name. Without a store, nothing has happened yet.
///
/// # Errors
/// If the folder or the store cannot be read.
pub async fn standings(folder: &Path, store: Option<&Store>) -> Result<Vec<Standing>, Error> {
    let (rows, sessions) = match store {
        Some(store) => tokio::try_join!(store.jobs(), store.last_sessions())?,
        None => Default::default(),
    };
    let rows: HashMap<&str, &JobRow> = rows.iter().map(|row| (row.name.as_str(), row)).collect();
    let sessions: HashMap<&str, &SessionRow> = sessions.iter().map(|session| (session.job.as_str(), session)).collect();
    let mut standings = Vec::new();
    for file in job_files(folder)? {
        let Some(name) = Job::name_of(&file) else { continue };
        let row = rows.get(name.as_str()).copied();
        let last = sessions.get(name.as_str()).and_then(|session| last_run(session));
        standings.push(standing(name, row, last, summary(&file)));
    }
    Ok(standings)
}

/// What a job's file says.
#[derive(Debug, Clone)]
struct Summary {
    schedule: String,
    zone: TimeZone,
}

/// A file as it was when it was read.
type Known = (SystemTime, u64, Option<Summary>);

/// What a job's file says; none if it has errors. A file that has not changed is not read again: a page of two hundred jobs is renewed
/// every few seconds.
fn summary(file: &Path) -> Option<Summary> {
    static FILES: LazyLock<Mutex<HashMap<PathBuf, Known>>> = LazyLock::new(Mutex::default);
    let read = || {
        let job = Job::load(file).ok()?;
        Some(Summary { schedule: job.schedule.runs.to_string(), zone: job.schedule.runs.time_zone })
    };
    let Ok(metadata) = file.metadata() else { return read() };
    let Ok(changed) = metadata.modified() else { return read() };
    let mut files = FILES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((at, bytes, summary)) = files.get(file)
        && (*at, *bytes) == (changed, metadata.len())
    {
        return summary.clone();
    }
    if files.len() >= FILES_MAX {
        files.clear();
    }
    let summary = read();
    files.insert(file.to_owned(), (changed, metadata.len(), summary.clone()));
    summary
}

/// Whether the daemon is there to say what the job does.
#[must_use]
pub fn is_reported(row: &JobRow) -> bool {
    let age = row.reported_at.map(|at| Timestamp::now().duration_since(at).unsigned_abs());
    age.is_some_and(|age| age <= REPORT_LASTS)
}

/// How a session in the log ended: one that found nothing is not there.
fn last_run(row: &SessionRow) -> Option<LastRun> {
    Some(LastRun { ended_at: row.finished_at?, received: row.tally.received, error: row.error.clone() })
}

fn standing(name: String, row: Option<&JobRow>, logged: Option<LastRun>, job: Option<Summary>) -> Standing {
    let is_reported = row.is_some_and(is_reported);
    let told = row.and_then(|row| row.last.clone());
    let last = [told, logged].into_iter().flatten().max_by_key(|last| last.ended_at);
    Standing {
        name,
        state: row.and_then(|row| row.state).filter(|_| is_reported),
        paused_at: row.and_then(|row| row.paused_at),
        paused_by: row.and_then(|row| row.paused_by.clone()),
        run_requested_at: row.and_then(|row| row.run_requested_at),
        last,
        next_run_at: row.and_then(|row| row.next_run_at).filter(|_| is_reported),
        schedule: job.as_ref().map(|job| job.schedule.clone()),
        faulty: job.is_none(),
        zone: job.map_or(TimeZone::UTC, |job| job.zone),
    }
}

impl Standing {
    /// What the job does, in a few words. A pause, or its end, that the daemon does not know of yet is in force with its next look.
    #[must_use]
    pub fn in_words(&self) -> String {
        match (self.paused_at, self.state) {
            (Some(_), Some(JobState::Running)) => "running, then paused".to_owned(),
            (Some(_), _) => match &self.paused_by {
                Some(by) => format!("paused by {by}"),
                None => "paused".to_owned(),
            },
            (None, Some(JobState::Paused)) => "about to go on".to_owned(),
            (None, Some(state)) => state.name().to_owned(),
            (None, None) => "not running".to_owned(),
        }
    }
}
