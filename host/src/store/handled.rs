//! Messages as they were handled, in order, for those who want to run them again.

use super::message_file::MessageFile;
use super::rows::{self, count as counted};
use super::{Error, HandledFilter, HandledMessage, Store, bytes};
use futures::TryStreamExt as _;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, AssertSqlSafe, Row as _};

/// The most messages of a chunk.
const CHUNK_ROWS: i64 = 128;
/// A chunk ends with the message that brings its bytes to this; long messages lie in files and count as less.
const CHUNK_BYTES: u64 = 8 << 20;
/// What a long message counts.
const LONG_BYTES: u64 = 512 << 10;

const FROM: &str = "FROM receipts r JOIN messages m ON m.sha256 = r.sha256 LEFT JOIN quarantine q ON q.receipt = r.id \
                    WHERE r.id > $1 AND r.committed_at >= $2 AND (CAST($3 AS TEXT) IS NULL OR r.job = $3)";

impl Store {
    /// How many messages there are for [`Self::handled`].
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn count_handled(&self, filter: &HandledFilter) -> Result<u64, Error> {
        self.explained(count(&mut *self.reader().await?, filter).await)
    }

    /// The messages with a receipt after this one, oldest first: as many as fit into memory with ease, and none at the
    /// end. The first receipt is after 0.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn handled(&self, filter: &HandledFilter, after: i64) -> Result<Vec<HandledMessage>, Error> {
        self.explained(chunk(&mut *self.reader().await?, filter, after, &self.messages).await)
    }
}

/// How many messages there are.
async fn count(connection: &mut AnyConnection, filter: &HandledFilter) -> sqlx::Result<u64> {
    let select = AssertSqlSafe(format!("SELECT COUNT(*) AS number {FROM}"));
    let query = sqlx::query(select).bind(0_i64).bind(since(filter)).bind(filter.job.as_deref());
    counted(&query.fetch_one(connection).await?, "number")
}

/// The next messages after this receipt, oldest first; none at the end.
async fn chunk(
    connection: &mut AnyConnection,
    filter: &HandledFilter,
    after: i64,
    file: &MessageFile,
) -> sqlx::Result<Vec<HandledMessage>> {
    let rows = rows(connection, filter, after).await?;
    let mut messages = Vec::with_capacity(rows.len());
    for row in rows {
        let sha256 = rows::sha256(&row)?;
        let raw = bytes::of_row(&mut *connection, file, &row, &sha256).await?;
        messages.push(HandledMessage {
            receipt: row.try_get("id")?,
            key: rows::key(&row)?,
            job: row.try_get("job")?,
            received_at: rows::received(&row)?,
            header_only: row.try_get::<Option<i64>, _>("header_only")?.unwrap_or_default() != 0,
            report: row.try_get("report_json")?,
            raw,
        });
    }
    Ok(messages)
}

async fn rows(connection: &mut AnyConnection, filter: &HandledFilter, after: i64) -> sqlx::Result<Vec<AnyRow>> {
    let select = AssertSqlSafe(format!(
        "SELECT r.id, r.job, r.mailbox, r.uid_validity, r.uid, r.sha256, r.received_at, r.received_offset, \
         r.report_json, m.size, m.bytes, m.place, q.header_only {FROM} ORDER BY r.id LIMIT $4"
    ));
    let query = sqlx::query(select).bind(after).bind(since(filter)).bind(filter.job.as_deref()).bind(CHUNK_ROWS);
    let mut found = query.fetch(connection);
    let (mut rows, mut bytes) = (Vec::new(), 0);
    while bytes < CHUNK_BYTES
        && let Some(row) = found.try_next().await?
    {
        bytes += counted(&row, "size")?.min(LONG_BYTES);
        rows.push(row);
    }
    Ok(rows)
}

fn since(filter: &HandledFilter) -> i64 {
    filter.since.map_or(i64::MIN, jiff::Timestamp::as_millisecond)
}
