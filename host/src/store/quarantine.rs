//! Quarantine: messages that could not be processed, with their bytes and their cause.

use super::draft::Slot;
use super::message_file::MessageFile;
use super::rows::{self, now};
use super::{Entry, Outcome, QuarantineDetail, QuarantineRow, ROWS_MAX, Receipt, batch, bytes};
use crate::class::Class;
use crate::message::Address;
use crate::outgoing::Sender;
use serde::Deserialize;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, AssertSqlSafe, Row};

const COLUMNS: &str = "q.id, q.receipt, q.cause, q.class, q.at, q.released_at, q.header_only, q.report_json, r.job, \
                       r.mailbox, r.uid_validity, r.uid, r.message_id, r.sha256, r.received_at, r.received_offset";

/// What a list shows of a message: the part of its report that says who wrote about what.
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

/// The messages that wait, oldest first.
pub(super) async fn list(connection: &mut AnyConnection) -> sqlx::Result<Vec<QuarantineRow>> {
    let select = format!(
        "SELECT {COLUMNS} FROM quarantine q JOIN receipts r ON r.id = q.receipt WHERE q.released_at IS NULL \
         ORDER BY q.id LIMIT $1"
    );
    let rows = sqlx::query(AssertSqlSafe(select)).bind(i64::from(ROWS_MAX)).fetch_all(connection).await?;
    rows.iter().map(quarantine_row).collect()
}

/// One of them, waiting or released, with its bytes.
pub(super) async fn detail(
    connection: &mut AnyConnection,
    id: i64,
    file: &MessageFile,
) -> sqlx::Result<Option<QuarantineDetail>> {
    let select = format!("SELECT {COLUMNS} FROM quarantine q JOIN receipts r ON r.id = q.receipt WHERE q.id = $1");
    let row = sqlx::query(AssertSqlSafe(select)).bind(id).fetch_optional(&mut *connection).await?;
    let Some(row) = row else { return Ok(None) };
    let sha256 = rows::sha256(&row)?;
    let raw = bytes::message(connection, file, &sha256).await?;
    Ok(Some(QuarantineDetail {
        row: quarantine_row(&row)?,
        report: rows::json(&row, "report_json")?,
        received_at: rows::received(&row)?,
        raw: raw.ok_or_else(|| rows::unknown("sha256", sha256))?,
    }))
}

fn quarantine_row(row: &AnyRow) -> sqlx::Result<QuarantineRow> {
    // A report of another version shows less; the message is as good.
    let shown: Shown = rows::json(row, "report_json").unwrap_or_default();
    Ok(QuarantineRow {
        sender: shown.message.sender.map(|sender| sender.email).unwrap_or_default(),
        subject: shown.message.subject,
        header_only: row.try_get::<i64, _>("header_only")? != 0,
        id: row.try_get("id")?,
        receipt: row.try_get("receipt")?,
        job: row.try_get("job")?,
        key: rows::key(row)?,
        message_id: rows::message_id(row)?,
        sha256: rows::sha256(row)?,
        cause: row.try_get("cause")?,
        class: rows::named(row, "class", Class::parse)?,
        at: rows::timestamp(row, "at")?,
        released_at: rows::timestamp_maybe(row, "released_at")?,
    })
}

/// What came of an attempt to release a message.
pub(super) enum Release {
    /// It was recorded: released, or kept with its new cause.
    Recorded(Box<Receipt>),
    /// It had been released before; the number of its receipt.
    Before(i64),
    /// There is no such message in quarantine.
    Absent,
}

/// Records a message from quarantine with the verdict of `entry`, inside the caller's transaction.
pub(super) async fn release(
    connection: &mut AnyConnection,
    id: i64,
    entry: &Entry,
    sender: Option<&Sender>,
    file: &MessageFile,
) -> sqlx::Result<Release> {
    let select = "SELECT q.receipt, q.released_at FROM quarantine q JOIN receipts r ON r.id = q.receipt \
                  WHERE q.id = $1 AND r.job = $2 AND r.mailbox = $3 AND r.uid_validity = $4 AND r.uid = $5";
    let row = sqlx::query(select)
        .bind(id)
        .bind(entry.job.as_str())
        .bind(entry.key.mailbox.as_str())
        .bind(i64::from(entry.key.uid_validity))
        .bind(entry.key.uid.as_str())
        .fetch_optional(&mut *connection)
        .await?;
    let Some(row) = row else { return Ok(Release::Absent) };
    let receipt: i64 = row.try_get("receipt")?;
    if row.try_get::<Option<i64>, _>("released_at")?.is_some() {
        return Ok(Release::Before(receipt));
    }
    let slot = Slot::Receipt(receipt);
    let recorded = batch::record(connection, slot, std::slice::from_ref(entry), sender, Some(file)).await?;
    let Some(recorded) = recorded.into_iter().next() else { return Ok(Release::Absent) };
    if !matches!(recorded.outcome, Outcome::Quarantined { .. }) {
        let update = "UPDATE quarantine SET released_at = $1 WHERE id = $2";
        sqlx::query(update).bind(now()).bind(id).execute(connection).await?;
    }
    Ok(Release::Recorded(Box::new(recorded)))
}

/// Removes a waiting message that has no body, with its receipt. Returns whether there is one.
pub(super) async fn forget(connection: &mut AnyConnection, id: i64) -> sqlx::Result<bool> {
    let select = "SELECT receipt FROM quarantine WHERE id = $1 AND released_at IS NULL AND header_only = 1";
    let Some(row) = sqlx::query(select).bind(id).fetch_optional(&mut *connection).await? else { return Ok(false) };
    // The entry of the quarantine goes with its receipt.
    let delete = "DELETE FROM receipts WHERE id = $1";
    sqlx::query(delete).bind(row.try_get::<i64, _>("receipt")?).execute(connection).await?;
    Ok(true)
}
