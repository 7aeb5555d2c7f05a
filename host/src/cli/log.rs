//! `mailmill log`: the incoming mail log.

use super::paint::{Paint, stdout_has_colour};
use super::show::{Ends, story};
use super::table::{short, table};
use super::{Done, Failure, Global, print, print_json};
use crate::message;
use crate::report::Report;
use crate::store::{Receipt, ReceiptRow, SessionFilter, SessionId, SessionRow, Store};
use anyhow::Context as _;
use clap::Args;
use jiff::{Timestamp, ToSpan};

#[derive(Debug, Args)]
pub(super) struct Options {
    /// The session whose messages to list [default: list the sessions]
    session: Option<i64>,
    /// Tell the story of one message, by the number of its receipt
    #[arg(long, value_name = "RECEIPT", conflicts_with = "session")]
    message: Option<i64>,
    /// Only sessions of this job
    #[arg(long)]
    job: Option<String>,
    /// Only sessions of so many days back
    #[arg(long)]
    days: Option<u16>,
    /// At most so many sessions [default: 50; with --json, all]
    #[arg(long)]
    limit: Option<u32>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(global: &Global, options: Options) -> Done {
    let store = global.store_to_read().await?;
    if let Some(receipt) = options.message {
        return show_message(&store, receipt, options.json).await;
    }
    match options.session {
        Some(session) => {
            let messages = store.session_messages(SessionId(session)).await?;
            if messages.is_empty() && !is_session(&store, session).await? {
                return Err(anyhow::anyhow!("there is no session {session}; see: mailmill log").into());
            }
            if options.json { print_json(&messages) } else { print(&messages_table(&messages)) }
        }
        None => {
            let since = options.days.map(|days| Timestamp::now() - (i64::from(days) * 24).hours());
            let filter = SessionFilter { job: options.job, since, limit: super::rows(options.limit, options.json) };
            let sessions = store.sessions(&filter).await?;
            if options.json { print_json(&sessions) } else { print(&sessions_table(&sessions)) }
        }
    }
}

async fn is_session(store: &Store, id: i64) -> Result<bool, Failure> {
    let all = SessionFilter { job: None, since: None, limit: None };
    Ok(store.sessions(&all).await?.iter().any(|session| session.id == SessionId(id)))
}

async fn show_message(store: &Store, id: i64, json: bool) -> Done {
    let row =
        store.receipt(id).await?.with_context(|| format!("there is no receipt {id}; see: mailmill log SESSION"))?;
    let report = store.report(id).await?;
    let raw = store.raw(&row.sha256).await?;
    let report: Report = serde_json::from_value(report).context("the report was written by another version")?;
    let report = report.with_texts(&message::read(&raw, None)?);
    if json {
        return print_json(&report);
    }
    let marked = match row.marked_at {
        Some(at) => format!("marked in the mailbox at {at}"),
        None if row.receipt.disposition.is_nothing() => "left as it is in the mailbox".to_owned(),
        None => "not marked yet: the next session does it".to_owned(),
    };
    let ends = Ends {
        fetched: &format!("{} by job {}, {} bytes", row.receipt.key, row.job, raw.len()),
        committed: &format!("{} at {}: {}", row.receipt.outcome.name(), row.committed_at, result(&row.receipt)),
        marked: &marked,
    };
    print(&story(&report, &ends, Paint::new(stdout_has_colour())))
}

/// What a receipt says, in short.
pub(super) fn result(receipt: &Receipt) -> String {
    let list = |numbers: &[crate::ticket::TicketNumber]| {
        numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    };
    let mut parts = Vec::new();
    if !receipt.created.is_empty() {
        parts.push(format!("created {}", list(&receipt.created)));
    }
    if !receipt.updated.is_empty() {
        parts.push(format!("updated {}", list(&receipt.updated)));
    }
    parts.extend(receipt.withheld.iter().map(|reason| format!("not sent: {}", short(reason, 300))));
    if parts.is_empty() { short(receipt.outcome.reason(), 100) } else { parts.join("; ") }
}

fn messages_table(messages: &[ReceiptRow]) -> String {
    let rows: Vec<Vec<String>> = messages
        .iter()
        .map(|row| {
            vec![
                row.receipt.id.to_string(),
                row.receipt.key.to_string(),
                row.receipt.outcome.name().to_owned(),
                result(&row.receipt),
                row.receipt.revision.clone(),
            ]
        })
        .collect();
    table(&["RECEIPT", "MESSAGE", "OUTCOME", "RESULT", "REVISION"], &rows)
}

/// What went wrong, or else what was left out on purpose.
fn comment(row: &SessionRow) -> String {
    match (&row.error, row.tally.passed_over) {
        (Some(error), _) => short(error, 80),
        (None, 0) => String::new(),
        (None, count) => format!("passed over {count} messages from before the first run"),
    }
}

fn sessions_table(sessions: &[SessionRow]) -> String {
    let rows: Vec<Vec<String>> = sessions
        .iter()
        .map(|row| {
            let tally = &row.tally;
            let duration = row.finished_at.map_or_else(
                || "running".to_owned(),
                |finished| format!("{} ms", finished.duration_since(row.started_at).as_millis()),
            );
            vec![
                row.id.0.to_string(),
                row.started_at.strftime("%Y-%m-%d %H:%M:%SZ").to_string(),
                row.job.clone(),
                duration,
                tally.created.to_string(),
                tally.updated.to_string(),
                tally.received.to_string(),
                tally.waiting.to_string(),
                tally.quarantined.to_string(),
                tally.errors.to_string(),
                comment(row),
            ]
        })
        .collect();
    let head = [
        "SESSION",
        "STARTED",
        "JOB",
        "DURATION",
        "CREATED",
        "UPDATED",
        "RECEIVED",
        "WAITING",
        "QUARANTINED",
        "ERRORS",
        "COMMENT",
    ];
    table(&head, &rows)
}
