//! Sessions: the incoming mail log.

use super::bulk::{self, VALUES_PER_QUERY};
use super::rows::{self, column, now};
use super::{Forgotten, OldSessions, ROWS_MAX, SessionFilter, SessionId, SessionOutcome, SessionRow, SessionTally};
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, AssertSqlSafe, Row};
use std::collections::BTreeSet;

/// What is said of a session that was never closed.
const INTERRUPTED: &str = "ended early: mailmill or the job was stopped";

pub(super) async fn begin(connection: &mut AnyConnection, job: &str) -> sqlx::Result<SessionId> {
    let insert = "INSERT INTO sessions (job, started_at) VALUES ($1, $2) RETURNING id";
    let row = sqlx::query(insert).bind(job).bind(now()).fetch_one(connection).await?;
    row.try_get("id").map(SessionId)
}

/// Closes a session. Returns whether there is one.
pub(super) async fn finish(
    connection: &mut AnyConnection,
    id: SessionId,
    tally: &SessionTally,
    error: Option<&str>,
) -> sqlx::Result<bool> {
    let update = "UPDATE sessions SET finished_at = $1, error = $2, waiting = $3, received = $4, created = $5, \
                  updated = $6, rejected = $7, ignored = $8, quarantined = $9, errors = $10, passed_over = $11 WHERE id = $12";
    let finished = sqlx::query(update)
        .bind(now())
        .bind(error)
        .bind(column(tally.waiting))
        .bind(column(tally.received))
        .bind(column(tally.created))
        .bind(column(tally.updated))
        .bind(column(tally.rejected))
        .bind(column(tally.ignored))
        .bind(column(tally.quarantined))
        .bind(column(tally.errors))
        .bind(column(tally.passed_over))
        .bind(id.0)
        .execute(connection)
        .await?;
    Ok(finished.rows_affected() > 0)
}

/// Closes the sessions that were never closed, of one job or of all, counting what the ledger has of them.
pub(super) async fn end_interrupted(connection: &mut AnyConnection, job: Option<&str>) -> sqlx::Result<()> {
    let update = "UPDATE sessions SET finished_at = $1, error = $2, \
                  received = (SELECT COUNT(*) FROM receipts r WHERE r.session = sessions.id), \
                  created = (SELECT COUNT(*) FROM receipts r JOIN receipt_tickets t ON t.receipt = r.id \
                             WHERE r.session = sessions.id AND t.effect = 'created'), \
                  updated = (SELECT COUNT(*) FROM receipts r JOIN receipt_tickets t ON t.receipt = r.id \
                             WHERE r.session = sessions.id AND t.effect = 'updated'), \
                  rejected = (SELECT COUNT(*) FROM receipts r WHERE r.session = sessions.id AND r.outcome = 'rejected'), \
                  ignored = (SELECT COUNT(*) FROM receipts r WHERE r.session = sessions.id AND r.outcome = 'ignored'), \
                  quarantined = (SELECT COUNT(*) FROM receipts r \
                                 WHERE r.session = sessions.id AND r.outcome = 'quarantined') \
                  WHERE finished_at IS NULL AND (CAST($3 AS TEXT) IS NULL OR job = $3)";
    sqlx::query(update).bind(now()).bind(INTERRUPTED).bind(job).execute(connection).await?;
    Ok(())
}

/// Those of these sessions that there are.
pub(super) async fn existing(
    connection: &mut AnyConnection,
    sessions: &BTreeSet<SessionId>,
) -> sqlx::Result<BTreeSet<SessionId>> {
    let mut existing = BTreeSet::new();
    let sessions: Vec<SessionId> = sessions.iter().copied().collect();
    for sessions in sessions.chunks(VALUES_PER_QUERY) {
        let query = bulk::about("SELECT id FROM sessions WHERE id", 1, sessions.len(), "");
        let query = sessions.iter().fold(query, |query, id| query.bind(id.0));
        for row in query.fetch_all(&mut *connection).await? {
            existing.insert(SessionId(row.try_get("id")?));
        }
    }
    Ok(existing)
}

/// The sessions that match, latest first.
pub(super) async fn list(connection: &mut AnyConnection, filter: &SessionFilter) -> sqlx::Result<Vec<SessionRow>> {
    let select = "SELECT * FROM sessions WHERE (CAST($1 AS TEXT) IS NULL OR job = $1) AND started_at >= $2 AND id > $3 \
                  AND CASE $4 WHEN 'accepted' THEN created + updated > 0 WHEN 'rejected' THEN rejected > 0 \
                  WHEN 'ignored' THEN ignored > 0 WHEN 'quarantined' THEN quarantined > 0 \
                  WHEN 'failed' THEN error NOT LIKE 'warning: %' OR errors > 0 \
                  WHEN 'running' THEN finished_at IS NULL ELSE TRUE END AND id < $6 ORDER BY id DESC LIMIT $5";
    let since = filter.since.map_or(i64::MIN, jiff::Timestamp::as_millisecond);
    let rows = sqlx::query(select)
        .bind(filter.job.as_deref())
        .bind(since)
        .bind(filter.after.map_or(i64::MIN, |after| after.0))
        .bind(filter.outcome.map_or("", SessionOutcome::name))
        .bind(i64::from(filter.limit.unwrap_or(ROWS_MAX)))
        .bind(filter.before.map_or(i64::MAX, |before| before.0))
        .fetch_all(connection)
        .await?;
    rows.iter().map(session).collect()
}

/// The sessions that [`forget`] is about.
const OLD: &str = "sessions.finished_at IS NOT NULL AND (CAST($1 AS TEXT) IS NULL OR sessions.job = $1) \
                   AND sessions.started_at < $2 AND (CAST($3 AS BIGINT) IS NULL OR sessions.id = $3)";

/// How many sessions match.
pub(super) async fn count_old(connection: &mut AnyConnection, old: &OldSessions) -> sqlx::Result<u64> {
    let select = AssertSqlSafe(format!("SELECT COUNT(*) AS sessions FROM sessions WHERE {OLD}"));
    let row = sqlx::query(select)
        .bind(old.job.as_deref())
        .bind(before(old))
        .bind(old.session.map(|id| id.0))
        .fetch_one(connection)
        .await?;
    rows::count(&row, "sessions")
}

/// Forgets sessions that match, and the reports of their messages, at most so many rows of each. The receipts stay: they
/// are what makes a message count once.
pub(super) async fn forget(
    connection: &mut AnyConnection,
    old: &OldSessions,
    rows_max: u32,
) -> sqlx::Result<Forgotten> {
    let receipts = format!(
        "UPDATE receipts SET session = NULL, report_json = 'null' WHERE id IN (SELECT receipts.id FROM sessions \
         JOIN receipts ON receipts.session = sessions.id WHERE {OLD} LIMIT $4)"
    );
    let empty = format!(
        "DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE {OLD} \
         AND NOT EXISTS (SELECT 1 FROM receipts WHERE receipts.session = sessions.id) LIMIT $4)"
    );
    let mut counts = [0; 2];
    for (statement, count) in [receipts, empty].into_iter().zip(&mut counts) {
        let query = sqlx::query(AssertSqlSafe(statement)).bind(old.job.as_deref()).bind(before(old));
        let query = query.bind(old.session.map(|id| id.0));
        *count = query.bind(i64::from(rows_max)).execute(&mut *connection).await?.rows_affected();
    }
    let [reports, sessions] = counts;
    Ok(Forgotten { sessions, reports, is_partial: counts.iter().any(|count| *count >= u64::from(rows_max)) })
}

fn before(old: &OldSessions) -> i64 {
    old.before.map_or(i64::MAX, jiff::Timestamp::as_millisecond)
}

impl SessionOutcome {
    /// Its name, in the query.
    fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Rejected => "rejected",
            Self::Ignored => "ignored",
            Self::Quarantined => "quarantined",
            Self::Failed => "failed",
            Self::Running => "running",
        }
    }

    /// Whether a session is picked by it.
    #[must_use]
    pub fn is(self, row: &SessionRow) -> bool {
        let tally = &row.tally;
        match self {
            Self::Accepted => tally.created + tally.updated > 0,
            Self::Rejected => tally.rejected > 0,
            Self::Ignored => tally.ignored > 0,
            Self::Quarantined => tally.quarantined > 0,
            Self::Failed => row.has_failed(),
            Self::Running => row.finished_at.is_none(),
        }
    }
}

pub(super) fn session(row: &AnyRow) -> sqlx::Result<SessionRow> {
    Ok(SessionRow {
        id: SessionId(row.try_get("id")?),
        job: row.try_get("job")?,
        started_at: rows::timestamp(row, "started_at")?,
        finished_at: rows::timestamp_maybe(row, "finished_at")?,
        error: row.try_get("error")?,
        tally: SessionTally {
            waiting: rows::count(row, "waiting")?,
            received: rows::count(row, "received")?,
            created: rows::count(row, "created")?,
            updated: rows::count(row, "updated")?,
            rejected: rows::count(row, "rejected")?,
            ignored: rows::count(row, "ignored")?,
            quarantined: rows::count(row, "quarantined")?,
            errors: rows::count(row, "errors")?,
            passed_over: rows::count(row, "passed_over")?,
        },
    })
}
