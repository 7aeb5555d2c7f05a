//! `mailmill job`: what the jobs do, and what people want of them.

use super::table::{short, table};
use super::{Done, Failure, Global, print, print_json};
use crate::config::{Job, job_files};
use crate::job::{REPORT_LASTS, find};
use crate::store::{JobRow, JobState, LastRun, SessionFilter, Store};
use clap::Subcommand;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;
use std::path::Path;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Show what each job does, how its last session ended, and when it runs next
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Have the daemon run a session of a job now, whatever its schedule says
    Run {
        /// The job, as its file is called, without .toml
        job: String,
    },
    /// Leave a job's mailbox alone until it is resumed, over restarts too; a session under way is finished
    Pause {
        /// The job, as its file is called, without .toml
        job: String,
    },
    /// End a pause
    Resume {
        /// The job, as its file is called, without .toml
        job: String,
    },
    /// Show when a job's schedule lets it run next; the daemon is not asked
    Next {
        /// The job, as its file is called, without .toml
        job: String,
        /// How many runs
        #[arg(long, default_value_t = 10)]
        count: u16,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

pub(super) async fn run(global: &Global, command: Command) -> Done {
    let folder = global.load()?.jobs;
    match command {
        Command::List { json } => list(global, &folder, json).await,
        Command::Next { job, count, json } => next(&find(&folder, &job)?, count, json),
        Command::Run { job } => {
            find(&folder, &job)?;
            let store = global.store().await?;
            let row = row(&store, &job).await?;
            store.request_run(&job).await?;
            print(&match row.filter(is_reported).and_then(|row| row.state) {
                None => format!(
                    "the daemon is not running: job \"{job}\" runs when it is started; to run it now: \
                     mailmill run --once {job}\n"
                ),
                Some(JobState::Running) => format!("job \"{job}\" is in a session: another one follows it\n"),
                Some(_) => format!("job \"{job}\" runs now; see: mailmill job list\n"),
            })
        }
        Command::Pause { job } => {
            find(&folder, &job)?;
            let store = global.store().await?;
            let fresh = store.pause_job(&job, &user()).await?;
            let row = row(&store, &job).await?;
            print(&format!("job \"{job}\" is {}{}\n", if fresh { "" } else { "already " }, pause(row.as_ref())))
        }
        Command::Resume { job } => {
            find(&folder, &job)?;
            let resumed = global.store().await?.resume_job(&job).await?;
            print(&format!("job \"{job}\" {}\n", if resumed { "is resumed" } else { "was not paused" }))
        }
    }
}

async fn row(store: &Store, job: &str) -> Result<Option<JobRow>, Failure> {
    Ok(store.jobs().await?.into_iter().find(|row| row.name == job))
}

/// Who calls this command.
fn user() -> String {
    ["SUDO_USER", "USER", "LOGNAME"]
        .iter()
        .find_map(|name| std::env::var(name).ok())
        .unwrap_or_else(|| "someone".into())
}

/// Whether the daemon is there to say what the job does.
fn is_reported(row: &JobRow) -> bool {
    let age = row.reported_at.map(|at| Timestamp::now().duration_since(at).unsigned_abs());
    age.is_some_and(|age| age <= REPORT_LASTS)
}

fn pause(row: Option<&JobRow>) -> String {
    let since = row.and_then(|row| row.paused_at).map(|at| format!(" since {}", shown(at, &TimeZone::UTC)));
    let by = row.and_then(|row| row.paused_by.as_ref()).map(|by| format!(" by {by}"));
    format!("paused{}{}", since.unwrap_or_default(), by.unwrap_or_default())
}

/// A time as people read it.
fn shown(at: Timestamp, zone: &TimeZone) -> String {
    if *zone == TimeZone::UTC {
        return at.strftime("%Y-%m-%d %H:%M:%SZ").to_string();
    }
    at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S %:z").to_string()
}

fn next(file: &Path, count: u16, json: bool) -> Done {
    let job = Job::load(file).map_err(Failure::Diagnostics)?;
    let schedule = &job.schedule.runs;
    let runs: Vec<Timestamp> = schedule.runs_after(Timestamp::now()).take(usize::from(count)).collect();
    if json {
        return print_json(&serde_json::json!({ "job": job.name, "schedule": schedule.to_string(), "runs": runs }));
    }
    let zone = schedule.time_zone.iana_name().unwrap_or("local time");
    let mut text = format!("{schedule} ({zone})\n");
    for run in &runs {
        let local = run.to_zoned(schedule.time_zone.clone());
        text.push_str(&local.strftime("%a %Y-%m-%d %H:%M:%S %:z\n").to_string());
    }
    if runs.len() < usize::from(count) {
        text.push_str("no further run\n");
    }
    print(&text)
}

/// A job as it is listed.
#[derive(Debug, Serialize)]
struct Listed {
    name: String,
    /// None while the daemon is not running.
    state: Option<JobState>,
    paused_at: Option<Timestamp>,
    paused_by: Option<String>,
    run_requested_at: Option<Timestamp>,
    last: Option<LastRun>,
    next_run_at: Option<Timestamp>,
    schedule: Option<String>,
    /// Its file has errors.
    faulty: bool,
    #[serde(skip)]
    zone: TimeZone,
}

async fn list(global: &Global, folder: &Path, json: bool) -> Done {
    let store = if global.load()?.store.path.exists() { Some(global.store_to_read().await?) } else { None };
    let rows = match &store {
        Some(store) => store.jobs().await?,
        None => Vec::new(),
    };
    let mut jobs = Vec::new();
    for file in job_files(folder)? {
        let Some(name) = Job::name_of(&file) else { continue };
        let row = rows.iter().find(|row| row.name == name).cloned();
        let logged = match &store {
            Some(store) => logged(store, &name).await?,
            None => None,
        };
        jobs.push(listed(name, row, logged, Job::load(&file).ok()));
    }
    if json { print_json(&jobs) } else { print(&jobs_table(&jobs)) }
}

/// How the job's last session in the log ended: one that found nothing is not there.
async fn logged(store: &Store, name: &str) -> Result<Option<LastRun>, Failure> {
    let filter = SessionFilter { job: Some(name.to_owned()), limit: Some(1), ..SessionFilter::default() };
    let last = store.sessions(&filter).await?.into_iter().next();
    Ok(last
        .and_then(|row| Some(LastRun { ended_at: row.finished_at?, received: row.tally.received, error: row.error })))
}

fn listed(name: String, row: Option<JobRow>, logged: Option<LastRun>, job: Option<Job>) -> Listed {
    let is_reported = row.as_ref().is_some_and(is_reported);
    let told = row.as_ref().and_then(|row| row.last.clone());
    let last = [told, logged].into_iter().flatten().max_by_key(|last| last.ended_at);
    Listed {
        name,
        state: row.as_ref().and_then(|row| row.state).filter(|_| is_reported),
        paused_at: row.as_ref().and_then(|row| row.paused_at),
        paused_by: row.as_ref().and_then(|row| row.paused_by.clone()),
        run_requested_at: row.as_ref().and_then(|row| row.run_requested_at),
        last,
        next_run_at: row.and_then(|row| row.next_run_at).filter(|_| is_reported),
        schedule: job.as_ref().map(|job| job.schedule.runs.to_string()),
        faulty: job.is_none(),
        zone: job.map_or(TimeZone::UTC, |job| job.schedule.runs.time_zone),
    }
}

fn jobs_table(jobs: &[Listed]) -> String {
    let rows: Vec<Vec<String>> = jobs
        .iter()
        .map(|job| {
            let time = |at: Option<Timestamp>| at.map_or_else(|| "-".to_owned(), |at| shown(at, &job.zone));
            vec![
                job.name.clone(),
                state(job),
                time(job.last.as_ref().map(|last| last.ended_at)),
                job.last.as_ref().map_or_else(|| "-".to_owned(), result),
                time(job.next_run_at),
                job.schedule.clone().unwrap_or_else(|| "its file has errors: mailmill check".to_owned()),
            ]
        })
        .collect();
    table(&["JOB", "STATE", "LAST SESSION", "RESULT", "NEXT RUN", "SCHEDULE"], &rows)
}

/// What a job does, in a few words. A pause that the daemon does not know of yet is in force with its next look.
fn state(job: &Listed) -> String {
    match (job.paused_at, job.state) {
        (Some(_), Some(JobState::Running)) => "running, then paused".to_owned(),
        (Some(_), _) => match &job.paused_by {
            Some(by) => format!("paused by {by}"),
            None => "paused".to_owned(),
        },
        (None, Some(state)) => state.name().to_owned(),
        (None, None) => "not running".to_owned(),
    }
}

fn result(last: &LastRun) -> String {
    match (&last.error, last.received) {
        (Some(error), _) => short(error, 80),
        (None, 0) => "nothing new".to_owned(),
        (None, 1) => "1 message".to_owned(),
        (None, received) => format!("{received} messages"),
    }
}
