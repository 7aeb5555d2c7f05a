//! `mailmill job`: what the jobs do, and what people want of them.

use super::table::{short, table};
use super::{Done, Failure, Global, print, print_json};
use crate::config::Job;
use crate::job::{Standing, find, is_reported, standings};
use crate::store::{JobRow, JobState, LastRun, Store};
use clap::Subcommand;
use jiff::Timestamp;
use jiff::tz::TimeZone;
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

async fn list(global: &Global, folder: &Path, json: bool) -> Done {
    let store = if global.load()?.store.path.exists() { Some(global.store_to_read().await?) } else { None };
    let jobs = standings(folder, store.as_ref()).await.map_err(anyhow::Error::new)?;
    if json { print_json(&jobs) } else { print(&jobs_table(&jobs)) }
}

fn jobs_table(jobs: &[Standing]) -> String {
    let rows: Vec<Vec<String>> = jobs
        .iter()
        .map(|job| {
            let time = |at: Option<Timestamp>| at.map_or_else(|| "-".to_owned(), |at| shown(at, &job.zone));
            vec![
                job.name.clone(),
                job.in_words(),
                time(job.last.as_ref().map(|last| last.ended_at)),
                job.last.as_ref().map_or_else(|| "-".to_owned(), result),
                time(job.next_run_at),
                job.schedule.clone().unwrap_or_else(|| "its file has errors: mailmill check".to_owned()),
            ]
        })
        .collect();
    table(&["JOB", "STATE", "LAST SESSION", "RESULT", "NEXT RUN", "SCHEDULE"], &rows)
}

fn result(last: &LastRun) -> String {
    match (&last.error, last.received) {
        (Some(error), _) => short(error, 80),
        (None, 0) => "nothing new".to_owned(),
        (None, 1) => "1 message".to_owned(),
        (None, received) => format!("{received} messages"),
    }
}
