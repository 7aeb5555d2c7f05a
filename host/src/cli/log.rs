//! `mailmill log`: the incoming mail log.

use super::table::{short, table};
use super::{Done, Failure, Global, print, print_json};
use crate::job;
use crate::message;
use crate::paint::{Paint, stdout_has_colour, tame};
use crate::replay::Summary;
use crate::report::Report;
use crate::store::{OldSessions, Outcome, ReceiptRow, SessionFilter, SessionId, SessionOutcome, SessionRow, Store};
use crate::story::{Ends, result, story};
use anyhow::Context as _;
use clap::{Args, Subcommand, ValueEnum};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeSet;
use std::io::{IsTerminal, Write};
use std::time::Duration;

/// How often `--follow` looks.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How many earlier sessions `--follow` begins with.
const FOLLOW_BEFORE: u32 = 10;

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Options {
    #[command(subcommand)]
    command: Option<Command>,
    /// The session whose messages to list [default: list the sessions]
    session: Option<i64>,
    /// Tell the story of one message, by the number of its receipt
    #[arg(long, value_name = "RECEIPT", conflicts_with = "session")]
    message: Option<i64>,
    /// With a session: tell the story of each of its messages
    #[arg(long, requires = "session")]
    reports: bool,
    /// Only sessions of this job
    #[arg(long)]
    job: Option<String>,
    /// Only sessions begun since: 7d, 12h, 30m ago, or a date such as 2026-01-31 (UTC) [default: all]
    #[arg(long, value_name = "WHEN", value_parser = since)]
    since: Option<Timestamp>,
    /// Only sessions, or messages of a session, with this outcome
    #[arg(long, value_name = "OUTCOME")]
    outcome: Option<Wanted>,
    /// At most so many sessions [default: 50; with --json, all]
    #[arg(long)]
    limit: Option<u32>,
    /// Print each session as it ends, until stopped
    #[arg(long, short, conflicts_with_all = ["session", "message", "limit"])]
    follow: bool,
    /// Print JSON; with --follow, a line for each session
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Tell the story of one message, as --message does
    Show {
        /// The number of its receipt
        receipt: i64,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Remove sessions, and the reports of their messages; tickets, receipts and the quarantine stay
    Clear {
        /// Only sessions of this job
        #[arg(long)]
        job: Option<String>,
        /// Only sessions begun before: 30d, 12h ago, or a date such as 2026-01-31 (UTC) [default: all]
        #[arg(long, value_name = "WHEN", value_parser = since)]
        before: Option<Timestamp>,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
}

/// An outcome of a message, or of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Wanted {
    /// It created or updated a ticket.
    Accepted,
    /// A statement refused it.
    Rejected,
    /// It was kept, and nothing was done.
    Ignored,
    /// It went to quarantine.
    Quarantined,
    /// The session ended early, or left something undone.
    Failed,
}

impl Wanted {
    fn session(self) -> SessionOutcome {
        match self {
            Self::Accepted => SessionOutcome::Accepted,
            Self::Rejected => SessionOutcome::Rejected,
            Self::Ignored => SessionOutcome::Ignored,
            Self::Quarantined => SessionOutcome::Quarantined,
            Self::Failed => SessionOutcome::Failed,
        }
    }

    fn is(self, outcome: &Outcome) -> bool {
        match self {
            Self::Accepted => matches!(outcome, Outcome::Accepted),
            Self::Rejected => matches!(outcome, Outcome::Rejected { .. }),
            Self::Ignored => matches!(outcome, Outcome::Ignored { .. }),
            Self::Quarantined => matches!(outcome, Outcome::Quarantined { .. }),
            Self::Failed => false,
        }
    }
}

/// A time in the past: so long ago, or a date.
pub(super) fn since(text: &str) -> Result<Timestamp, String> {
    let refused = || format!("write how long ago, such as 7d, 12h or 30m, or a date such as 2026-01-31, not {text:?}");
    if let Ok(date) = text.parse::<jiff::civil::Date>() {
        return date.to_zoned(jiff::tz::TimeZone::UTC).map(|at| at.timestamp()).map_err(|_| refused());
    }
    let unit = text.chars().last().ok_or_else(refused)?;
    let seconds = match unit {
        'd' => 24 * 60 * 60,
        'h' => 60 * 60,
        'm' => 60,
        _ => return Err(refused()),
    };
    let number: u32 = text.strip_suffix(unit).and_then(|number| number.parse().ok()).ok_or_else(refused)?;
    let age = SignedDuration::from_secs(i64::from(number) * seconds);
    Timestamp::now().checked_sub(age).map_err(|_| refused())
}

pub(super) async fn run(global: &Global, options: Options) -> Done {
    match options.command {
        Some(Command::Show { receipt, json }) => {
            return show_message(&global.store_to_read().await?, receipt, json).await;
        }
        Some(Command::Clear { job, before, yes }) => {
            let before = Some(before.unwrap_or_else(Timestamp::now));
            return clear(&global.store().await?, &OldSessions { job, before, session: None }, yes).await;
        }
        None => {}
    }
    let store = global.store_to_read().await?;
    if let Some(receipt) = options.message {
        return show_message(&store, receipt, options.json).await;
    }
    if let Some(session) = options.session {
        return show_session(&store, session, &options).await;
    }
    let outcome = options.outcome.map(Wanted::session);
    let filter = SessionFilter { job: options.job, since: options.since, outcome, ..SessionFilter::default() };
    if options.follow {
        return follow(&store, filter, options.json).await;
    }
    let sessions = store.sessions(&SessionFilter { limit: super::rows(options.limit, options.json), ..filter }).await?;
    if options.json { print_json(&sessions) } else { print(&sessions_table(&sessions)) }
}

async fn clear(store: &Store, old: &OldSessions, yes: bool) -> Done {
    let sessions = store.old_sessions(old).await?;
    if sessions > 0 && !yes {
        if !std::io::stdin().is_terminal() {
            return Err(anyhow::anyhow!("{sessions} sessions would be removed from the log; to do so: --yes").into());
        }
        eprint!("Remove {sessions} sessions, and the reports of their messages? Tickets and receipts stay. [y/N] ");
        let mut answer = String::new();
        std::io::stdin().read_line(&mut answer)?;
        if !answer.trim().eq_ignore_ascii_case("y") {
            return print("nothing was removed\n");
        }
    }
    let forgotten = job::forget(store, old).await?;
    print(&format!("removed {} sessions and {} reports\n", forgotten.sessions, forgotten.reports))
}

/// Prints sessions as they end. They may end in another order than they began.
async fn follow(store: &Store, filter: SessionFilter, json: bool) -> Done {
    let mut following = Following::begin(store, filter).await?;
    loop {
        for row in following.ended(store).await? {
            if !print_line(&row, json)? {
                return Ok(());
            }
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Sessions, each once it has ended. What came of one is known only then, so those that run are looked at whatever outcome is
/// asked for.
struct Following {
    filter: SessionFilter,
    outcome: Option<SessionOutcome>,
    printed: BTreeSet<SessionId>,
}

impl Following {
    /// Begins with the latest that match, and with those that run.
    async fn begin(store: &Store, filter: SessionFilter) -> Result<Self, Failure> {
        let latest = store.sessions(&SessionFilter { limit: Some(FOLLOW_BEFORE), ..filter.clone() }).await?;
        let running = SessionFilter { outcome: Some(SessionOutcome::Running), ..filter.clone() };
        let running = store.sessions(&running).await?;
        let newest = store.sessions(&SessionFilter { limit: Some(1), ..SessionFilter::default() }).await?;
        let first = latest.iter().chain(&running).chain(&newest).map(|row| row.id).min();
        let outcome = filter.outcome;
        let filter = SessionFilter { outcome: None, after: first.map(|id| SessionId(id.0 - 1)), ..filter };
        let mut following = Self { filter, outcome, printed: BTreeSet::new() };
        // Of what has ended, only the latest are shown.
        let known = store.sessions(&following.filter).await?;
        let shown = |row: &SessionRow| row.finished_at.is_none() || latest.iter().any(|other| other.id == row.id);
        following.printed.extend(known.iter().filter(|row| !shown(row)).map(|row| row.id));
        Ok(following)
    }

    /// Those that have ended since, in the order in which they began.
    async fn ended(&mut self, store: &Store) -> Result<Vec<SessionRow>, Failure> {
        let mut sessions = store.sessions(&self.filter).await?;
        sessions.reverse();
        // What lies before the first that still runs need not be asked for again.
        let running = sessions.iter().find(|row| row.finished_at.is_none());
        let last = running.map(|row| SessionId(row.id.0 - 1)).or_else(|| sessions.last().map(|row| row.id));
        self.filter.after = last.or(self.filter.after);
        sessions.retain(|row| row.finished_at.is_some() && self.printed.insert(row.id));
        self.printed.retain(|id| Some(*id) > self.filter.after);
        sessions.retain(|row| self.outcome.is_none_or(|outcome| outcome.is(row)));
        Ok(sessions)
    }
}

/// Answers whether somebody still reads.
fn print_line(row: &SessionRow, json: bool) -> Result<bool, Failure> {
    let line = if json { serde_json::to_string(row)? } else { line(row) };
    let mut output = std::io::stdout().lock();
    match writeln!(output, "{line}").and_then(|()| output.flush()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(false),
        written => Ok(written.map(|()| true)?),
    }
}

fn line(row: &SessionRow) -> String {
    let tally = &row.tally;
    let comment = comment(row);
    let comment = if comment.is_empty() { comment } else { format!("; {comment}") };
    format!(
        "{} {}: session {}, {}: created {}, updated {}, received {}, waiting {}, quarantined {}, errors {}{comment}",
        row.started_at.strftime("%Y-%m-%d %H:%M:%SZ"),
        tame(&row.job),
        row.id.0,
        duration(row),
        tally.created,
        tally.updated,
        tally.received,
        tally.waiting,
        tally.quarantined,
        tally.errors,
    )
}

async fn show_session(store: &Store, session: i64, options: &Options) -> Done {
    let id = SessionId(session);
    let mut messages = store.session_messages(id).await?;
    if messages.is_empty() && !is_session(store, id).await? {
        return Err(anyhow::anyhow!("there is no session {session}; see: mailmill log").into());
    }
    messages.retain(|row| options.outcome.is_none_or(|wanted| wanted.is(&row.receipt.outcome)));
    if !options.reports {
        return if options.json { print_json(&messages) } else { print(&messages_table(&messages)) };
    }
    let mut list = Vec::new();
    for row in messages {
        if options.json {
            let report = store.report(row.receipt.id).await?;
            list.push(serde_json::json!({ "receipt": row, "report": report }));
        } else {
            print(&format!("RECEIPT {}\n{}\n", row.receipt.id, message_story(store, &row).await?))?;
        }
    }
    if options.json { print_json(&list) } else { Ok(()) }
}

async fn is_session(store: &Store, id: SessionId) -> Result<bool, Failure> {
    let this = SessionFilter { after: Some(SessionId(id.0.saturating_sub(1))), ..SessionFilter::default() };
    Ok(store.sessions(&this).await?.iter().any(|session| session.id == id))
}

async fn show_message(store: &Store, id: i64, json: bool) -> Done {
    let row =
        store.receipt(id).await?.with_context(|| format!("there is no receipt {id}; see: mailmill log SESSION"))?;
    if !json {
        return print(&message_story(store, &row).await?);
    }
    match full_report(store, &row).await? {
        Some((report, _)) => print_json(&report),
        None => print_json(&serde_json::Value::Null),
    }
}

/// The report of a message with its texts, and the message's length; none if the log has forgotten it.
async fn full_report(store: &Store, row: &ReceiptRow) -> Result<Option<(Report, u64)>, Failure> {
    let report = store.report(row.receipt.id).await?;
    if report.is_null() {
        return Ok(None);
    }
    let raw = store.raw(&row.sha256).await?;
    let report: Report = serde_json::from_value(report).context("the report was written by another version")?;
    Ok(Some((report.with_texts(&message::read(&raw, None)?), raw.len())))
}

async fn message_story(store: &Store, row: &ReceiptRow) -> Result<String, Failure> {
    let committed = format!("{} at {}: {}", row.receipt.outcome.name(), row.committed_at, result(&row.receipt));
    let marked = match row.marked_at {
        Some(at) => format!("marked in the mailbox at {at}"),
        None if row.receipt.disposition.is_nothing() => "left as it is in the mailbox".to_owned(),
        None => "not marked yet: the next session does it".to_owned(),
    };
    let Some((report, bytes)) = full_report(store, row).await? else {
        let key = tame(&row.receipt.key.to_string());
        return Ok(format!("{key} by job {}\n{committed}\n{marked}\nits report is no longer in the log\n", row.job));
    };
    let fetched = format!("{} by job {}, {bytes} bytes", row.receipt.key, row.job);
    let ends = Ends { fetched: &fetched, committed: &committed, marked: &marked };
    let paint = Paint::new(stdout_has_colour());
    Ok(story(&report, &ends, paint) + &beside(store, row, paint).await?)
}

/// What the candidate beside live mail would have made of it.
async fn beside(store: &Store, row: &ReceiptRow, paint: Paint) -> Result<String, Failure> {
    let Some(shadow) = store.shadow(row.receipt.id).await? else { return Ok(String::new()) };
    let told = Summary::of_shadows(std::slice::from_ref(&shadow), 1).and_then(|summary| {
        let difference = summary.differences.first()?;
        Some(format!(", something would have been different:\n{}", super::replay::told(difference, paint)))
    });
    let told = told.unwrap_or_else(|| ", nothing would have been different\n".to_owned());
    Ok(format!("by the candidate beside live mail, revision {}{told}", shadow.candidate))
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

fn duration(row: &SessionRow) -> String {
    row.finished_at.map_or_else(
        || "running".to_owned(),
        |finished| format!("{} ms", finished.duration_since(row.started_at).as_millis()),
    )
}

fn sessions_table(sessions: &[SessionRow]) -> String {
    let rows: Vec<Vec<String>> = sessions
        .iter()
        .map(|row| {
            let tally = &row.tally;
            vec![
                row.id.0.to_string(),
                row.started_at.strftime("%Y-%m-%d %H:%M:%SZ").to_string(),
                row.job.clone(),
                duration(row),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::SessionTally;

    #[tokio::test]
    async fn a_session_is_followed_to_its_end_whatever_comes_of_it() {
        let store = Store::in_memory().await.unwrap();
        let begin = async || store.begin_session("desk").await.unwrap();
        let end = async |id, created| {
            let tally = SessionTally { created, ..SessionTally::default() };
            store.finish_session(id, &tally, None).await.unwrap();
        };
        // One that runs for long, behind more than are looked back at.
        let long = begin().await;
        for number in 0..u64::from(FOLLOW_BEFORE) + 3 {
            let id = begin().await;
            end(id, number % 2).await;
        }
        let outcome = Some(SessionOutcome::Accepted);
        let mut following =
            Following::begin(&store, SessionFilter { outcome, ..SessionFilter::default() }).await.unwrap();
        let mut ended = async || {
            let rows = following.ended(&store).await.unwrap();
            rows.iter().map(|row| row.id.0).collect::<Vec<_>>()
        };
        assert_eq!(ended().await, [3, 5, 7, 9, 11, 13]);
        let (first, second, idle) = (begin().await, begin().await, begin().await);
        assert_eq!(ended().await, Vec::<i64>::new());
        end(second, 1).await;
        end(idle, 0).await;
        assert_eq!(ended().await, [second.0]);
        end(long, 1).await;
        assert_eq!(ended().await, [long.0]);
        end(first, 1).await;
        assert_eq!(ended().await, [first.0]);
        assert_eq!(ended().await, Vec::<i64>::new());
    }

    #[test]
    fn times_in_the_past_are_read() {
        let ago = |text: &str| {
            let at = since(text).expect("is a time");
            Timestamp::now().duration_since(at).as_secs()
        };
        for (text, seconds) in [("7d", 604_800), ("12h", 43_200), ("30m", 1_800), ("0d", 0)] {
            assert!((seconds..seconds + 60).contains(&ago(text)), "{text}");
        }
        assert_eq!(since("2026-01-31").unwrap().to_string(), "2026-01-31T00:00:00Z");
        for text in ["", "d", "7", "-7d", "7w", "7 d", "yesterday", "2026-02-30", "99999999999d", "4294967295d", "7é"]
        {
            assert!(since(text).is_err(), "{text:?}");
        }
    }
}
