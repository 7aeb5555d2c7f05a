//! `mailmill quarantine`: messages that could not be processed. None is lost: bytes, cause and report are kept.

use super::table::{short, table};
use super::{Done, Failure, Global, print, print_content, print_json};
use crate::config::Job;
use crate::job::{self, ReleaseWith, Released};
use crate::mailbox::RawMessage;
use crate::paint::{Paint, stdout_has_colour, tame};
use crate::report::Report;
use crate::rules::RuleSet;
use crate::store::{QuarantineDetail, QuarantineRow, Store};
use crate::story::result;
use crate::story::{Ends, story};
use crate::thread::FromOthers;
use anyhow::Context as _;
use clap::{Subcommand, ValueEnum};
use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List what is in quarantine
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show one message: why it is here, and how far it came
    Show {
        /// Its number in the quarantine
        id: i64,
        /// Print the raw message instead
        #[arg(long)]
        raw: bool,
        /// Print JSON
        #[arg(long, conflicts_with = "raw")]
        json: bool,
    },
    /// Run a message again, on the rules in force; if it succeeds, it leaves the quarantine
    Release {
        /// Its number in the quarantine
        id: i64,
        /// Take the answer of somebody who is not on the ticket all the same: as the follow-up that it says it is, or as a
        /// message of its own
        #[arg(long = "as", value_name = "WHAT")]
        taken: Option<As>,
        /// Run it on the rules in this folder instead of those in force
        #[arg(long, value_name = "DIR")]
        with: Option<PathBuf>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

/// What the answer of somebody who is not on the ticket is taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum As {
    /// The follow-up that it says it is.
    FollowUp,
    /// A message of its own.
    NewTicket,
}

impl As {
    fn policy(self) -> FromOthers {
        match self {
            Self::FollowUp => FromOthers::Accept,
            Self::NewTicket => FromOthers::NewTicket,
        }
    }
}

/// What can be done about a message that hop 3 holds.
const HELD: &str = "; to take it all the same: --as follow-up, or --as new-ticket";

pub(super) async fn run(global: &Global, command: Command) -> Done {
    let store = match &command {
        Command::Release { .. } => global.store().await?,
        Command::List { .. } | Command::Show { .. } => global.store_to_read().await?,
    };
    match command {
        Command::List { json } => {
            let rows = store.quarantine_list().await?;
            if json {
                return print_json(&rows);
            }
            let cells: Vec<Vec<String>> = rows
                .iter()
                .map(|row| {
                    vec![
                        row.id.to_string(),
                        row.at.strftime("%Y-%m-%d %H:%M:%SZ").to_string(),
                        row.job.clone(),
                        row.key.to_string(),
                        short(&row.sender, 40),
                        short(&row.subject, 40),
                        short(&row.cause, 100),
                    ]
                })
                .collect();
            print(&table(&["ID", "SINCE", "JOB", "MESSAGE", "FROM", "SUBJECT", "CAUSE"], &cells))
        }
        Command::Show { id, raw, json } => {
            let detail = find(&store, id).await?;
            if raw {
                return print_content(&detail.raw);
            }
            if json {
                return print_json(&serde_json::json!({ "entry": detail.row, "report": detail.report }));
            }
            print(&shown(&detail)?)
        }
        Command::Release { id, taken, with, json } => release(global, &store, id, (taken, with), json).await,
    }
}

async fn find(store: &Store, id: i64) -> Result<QuarantineDetail, Failure> {
    let found = store.quarantine(id).await?;
    Ok(found.with_context(|| format!("nothing in quarantine has the number {id}; see: mailmill quarantine list"))?)
}

fn shown(detail: &QuarantineDetail) -> Result<String, Failure> {
    let report: Report =
        serde_json::from_value(detail.report.clone()).context("the report was written by another version")?;
    let raw = raw_message(detail);
    let report = report.with_texts(&crate::message::read(&raw.content, raw.received)?);
    let row = &detail.row;
    let released = row.released_at.map_or_else(|| "it waits here".to_owned(), |at| format!("released at {at}"));
    let ends = Ends {
        fetched: &format!("{} by job {}, {} bytes{}", row.key, row.job, raw.content.len(), extent(row)),
        committed: &format!("quarantine entry {} since {}; {released}", row.id, row.at),
        marked: "left as it is in the mailbox",
    };
    let mut story = story(&report, &ends, Paint::new(stdout_has_colour()));
    let _ = writeln!(story, "cause: {}", tame(&row.cause));
    if row.released_at.is_none() {
        let _ = writeln!(story, "to try it again: mailmill quarantine release {}", row.id);
    }
    Ok(story)
}

fn extent(row: &QuarantineRow) -> &'static str {
    if row.header_only { " of its header; the body is in the mailbox alone" } else { "" }
}

fn raw_message(detail: &QuarantineDetail) -> RawMessage {
    RawMessage { key: detail.row.key.clone(), received: Some(detail.received_at), content: detail.raw.clone() }
}

async fn release(
    global: &Global,
    store: &Store,
    id: i64,
    (taken, with): (Option<As>, Option<PathBuf>),
    json: bool,
) -> Done {
    let config = global.load()?;
    let detail = find(store, id).await?;
    let engine = super::engine(&config)?;
    let rules = with.as_deref().unwrap_or(&config.rules);
    let rules = RuleSet::load(rules, &config.plugins, &engine).map_err(Failure::Diagnostics)?;
    let jobs = Job::load_all(&config.jobs).map_err(Failure::Diagnostics)?;
    let job = jobs.iter().find(|job| job.name == detail.row.job);
    let job = job.with_context(|| format!("the job \"{}\" that fetched it is gone", detail.row.job))?;

    let mut tags = crate::daemon::tags(&config)?;
    let sender = crate::outbox::sender(&config, &jobs, &tags, store).await?;
    tags.own_ids = sender.as_ref().map(|sender| sender.ids.clone());
    let store = store.clone().sending_as(sender);
    let with = ReleaseWith {
        rules,
        tags: Arc::new(tags),
        attachments: Arc::new(crate::daemon::attachment_limits(&config)),
        outlets: Arc::new(crate::outbox::outlets(&config, &jobs)),
        others: taken.map(As::policy),
    };
    match job::release(&store, &detail, job, with).await.map_err(anyhow::Error::new)? {
        Released::Recorded(receipt) if json => print_json(&receipt),
        Released::Recorded(receipt) => print(&format!("{}: {}\n", receipt.outcome.name(), result(&receipt))),
        Released::FetchedAgain(forgotten) if json => {
            print_json(&serde_json::json!({ "id": id, "fetched_again": forgotten }))
        }
        Released::FetchedAgain(_) => print(&format!("{id}: the next session fetches it again\n")),
        Released::Kept { cause, held } => {
            let help = if held { HELD } else { "" };
            Err(anyhow::anyhow!("it stays in quarantine: {}{help}", tame(&cause)).into())
        }
    }
}
