//! Sessions: the incoming mail log.

use super::rows::{self, column, now};
use super::{ROWS_MAX, SessionFilter, SessionId, SessionRow, SessionTally};
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};

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

/// The sessions that match, latest first.
pub(super) async fn list(connection: &mut AnyConnection, filter: &SessionFilter) -> sqlx::Result<Vec<SessionRow>> {
    let select = "SELECT * FROM sessions WHERE (CAST($1 AS TEXT) IS NULL OR job = $1) AND started_at >= $2 \
                  ORDER BY id DESC LIMIT $3";
    let since = filter.since.map_or(i64::MIN, jiff::Timestamp::as_millisecond);
    let rows = sqlx::query(select)
        .bind(filter.job.as_deref())
        .bind(since)
        .bind(i64::from(filter.limit.unwrap_or(ROWS_MAX)))
        .fetch_all(connection)
        .await?;
    rows.iter().map(session).collect()
}

fn session(row: &AnyRow) -> sqlx::Result<SessionRow> {
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
