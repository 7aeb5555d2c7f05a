//! Pages of the incoming mail log, for those who look at it piece by piece.

use super::rows;
use super::sessions::session;
use super::{Error, MessageRow, SessionId, SessionRow, Store};
use crate::message::Address;
use jiff::Timestamp;
use serde::Deserialize;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};
use std::collections::BTreeMap;

/// From name to name by the index, and the last of each: the log is never read through.
const LAST_SESSIONS: &str = "WITH RECURSIVE names (job) AS (SELECT MIN(job) FROM sessions UNION ALL \
                             SELECT (SELECT MIN(job) FROM sessions WHERE job > names.job) FROM names WHERE names.job IS NOT NULL) \
                             SELECT sessions.* FROM names JOIN sessions \
                             ON sessions.id = (SELECT MAX(id) FROM sessions WHERE sessions.job = names.job) WHERE names.job IS NOT NULL";
/// How many milliseconds an hour has.
const HOUR_MS: i64 = 3_600_000;

/// The part of a report that says who wrote about what.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Shown {
    message: ShownMessage,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct ShownMessage {
    subject: String,
    sender: Option<Address>,
}

impl Store {
    /// Messages of a session after that receipt, in order; at most so many.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn session_page(&self, id: SessionId, after: i64, limit: u32) -> Result<Vec<MessageRow>, Error> {
        self.explained(page(&mut *self.reader().await?, id, after, limit).await)
    }

    /// The latest session of each job.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn last_sessions(&self) -> Result<Vec<SessionRow>, Error> {
        let rows = sqlx::query(LAST_SESSIONS).fetch_all(&mut *self.reader().await?).await;
        self.explained(rows.and_then(|rows| rows.iter().map(session).collect()))
    }

    /// How many messages each job received in each of the last hours, oldest first, the hour under way last.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn activity(&self, hours: u16) -> Result<BTreeMap<String, Vec<u64>>, Error> {
        let this_hour = Timestamp::now().as_millisecond().div_euclid(HOUR_MS);
        self.explained(activity(&mut *self.reader().await?, this_hour, hours).await)
    }
}

async fn page(connection: &mut AnyConnection, id: SessionId, after: i64, limit: u32) -> sqlx::Result<Vec<MessageRow>> {
    let select = "SELECT id, outcome, reason, class, received_at, report_json FROM receipts \
                  WHERE session = $1 AND id > $2 ORDER BY id LIMIT $3";
    let rows = sqlx::query(select).bind(id.0).bind(after).bind(i64::from(limit)).fetch_all(connection).await?;
    rows.iter().map(message).collect()
}

fn message(row: &AnyRow) -> sqlx::Result<MessageRow> {
    // A report of another version, or one that the log has forgotten, shows less.
    let shown: Shown = rows::json(row, "report_json").unwrap_or_default();
    Ok(MessageRow {
        receipt: row.try_get("id")?,
        outcome: rows::outcome(row)?,
        sender: shown.message.sender,
        subject: shown.message.subject,
        received_at: rows::timestamp(row, "received_at")?,
    })
}

async fn activity(
    connection: &mut AnyConnection,
    this_hour: i64,
    hours: u16,
) -> sqlx::Result<BTreeMap<String, Vec<u64>>> {
    let first = this_hour - i64::from(hours) + 1;
    // One row for each job, not one for each of its hours.
    let select = "SELECT job, string_agg(hour || ' ' || messages, ',') AS hours FROM \
                  (SELECT job, started_at / 3600000 - $1 AS hour, CAST(SUM(received) AS BIGINT) AS messages \
                   FROM sessions WHERE started_at >= $2 GROUP BY job, started_at / 3600000) AS hourly GROUP BY job";
    let mut jobs = BTreeMap::new();
    for row in sqlx::query(select).bind(first).bind(first * HOUR_MS).fetch_all(connection).await? {
        let mut counts = vec![0; usize::from(hours)];
        for (hour, messages) in row.try_get::<&str, _>("hours")?.split(',').filter_map(|text| text.split_once(' ')) {
            let count = hour.parse::<usize>().ok().and_then(|hour| counts.get_mut(hour));
            if let (Some(count), Ok(messages)) = (count, messages.parse()) {
                *count = messages;
            }
        }
        jobs.insert(row.try_get("job")?, counts);
    }
    Ok(jobs)
}
