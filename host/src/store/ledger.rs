//! The ledger: which messages are known, what was recorded of each, and what is still to be marked.

use super::bulk::{self, VALUES_PER_QUERY};
use super::rows::{self, now};
use super::{Receipt, ReceiptRow, SessionId};
use crate::mailbox::{Disposition, MessageKey};
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, AssertSqlSafe, Row};
use std::collections::{HashMap, HashSet};

/// The most marks that [`unmarked`] hands out at once.
const UNMARKED_MAX: i64 = 10_000;
/// What a [`ReceiptRow`] is made of: all but the report, which is large.
const COLUMNS: &str = "id, job, mailbox, uid_validity, uid, sha256, message_id, session, revision, outcome, reason, \
                       class, received_at, committed_at, wanted_json, marked_at";

/// Those of `keys` that have no receipt, in the same order.
pub(super) async fn unknown(
    connection: &mut AnyConnection,
    job: &str,
    keys: Vec<MessageKey>,
) -> sqlx::Result<Vec<MessageKey>> {
    not_in(connection, "receipts", job, keys).await
}

/// Those of `keys` that have no row in a table, in the same order.
pub(super) async fn not_in(
    connection: &mut AnyConnection,
    table: &'static str,
    job: &str,
    keys: Vec<MessageKey>,
) -> sqlx::Result<Vec<MessageKey>> {
    let mut known = HashSet::new();
    for ((mailbox, uid_validity), uids) in by_mailbox(&keys) {
        for chunk in uids.chunks(VALUES_PER_QUERY) {
            for uid in uids_in(&mut *connection, table, job, mailbox, uid_validity, chunk).await? {
                known.insert(MessageKey { mailbox: mailbox.to_owned(), uid_validity, uid });
            }
        }
    }
    Ok(keys.into_iter().filter(|key| !known.contains(key)).collect())
}

/// The numbers in keys, for each numbering of each mailbox.
fn by_mailbox(keys: &[MessageKey]) -> HashMap<(&str, u32), Vec<&str>> {
    let mut by_mailbox: HashMap<(&str, u32), Vec<&str>> = HashMap::new();
    for key in keys {
        by_mailbox.entry((&key.mailbox, key.uid_validity)).or_default().push(&key.uid);
    }
    by_mailbox
}

async fn uids_in(
    connection: &mut AnyConnection,
    table: &'static str,
    job: &str,
    mailbox: &str,
    uid_validity: u32,
    uids: &[&str],
) -> sqlx::Result<Vec<String>> {
    let select = format!("SELECT uid FROM {table} WHERE job = $1 AND mailbox = $2 AND uid_validity = $3 AND uid");
    let query = bulk::about(&select, 4, uids.len(), "").bind(job).bind(mailbox).bind(i64::from(uid_validity));
    let query = uids.iter().fold(query, |query, uid| query.bind(*uid));
    query.fetch_all(connection).await?.iter().map(|row| row.try_get("uid")).collect()
}

/// The receipt of a message that is already in the ledger.
pub(super) async fn existing(connection: &mut AnyConnection, job: &str, key: &MessageKey) -> sqlx::Result<Receipt> {
    let place = "job = $1 AND mailbox = $2 AND uid_validity = $3 AND uid = $4";
    let row = sqlx::query(AssertSqlSafe(format!("SELECT {COLUMNS} FROM receipts WHERE {place}")))
        .bind(job)
        .bind(key.mailbox.as_str())
        .bind(i64::from(key.uid_validity))
        .bind(key.uid.as_str())
        .fetch_one(&mut *connection)
        .await?;
    let row = row_with_tickets(connection, &row).await?;
    Ok(Receipt { repeated: true, ..row.receipt })
}

/// Notes that the dispositions of these messages were carried out.
pub(super) async fn marked(connection: &mut AnyConnection, job: &str, keys: &[MessageKey]) -> sqlx::Result<()> {
    let update = "UPDATE receipts SET marked_at = $1 WHERE job = $2 AND mailbox = $3 AND uid_validity = $4 \
                  AND wanted_json IS NOT NULL AND uid";
    let at = now();
    for ((mailbox, uid_validity), uids) in by_mailbox(keys) {
        for uids in uids.chunks(VALUES_PER_QUERY) {
            let query = bulk::about(update, 5, uids.len(), "").bind(at).bind(job).bind(mailbox);
            let query = uids.iter().fold(query.bind(i64::from(uid_validity)), |query, uid| query.bind(*uid));
            query.execute(&mut *connection).await?;
        }
    }
    Ok(())
}

/// The dispositions that were wanted and never noted as carried out, oldest first.
pub(super) async fn unmarked(
    connection: &mut AnyConnection,
    job: &str,
) -> sqlx::Result<Vec<(MessageKey, Disposition)>> {
    let select = "SELECT mailbox, uid_validity, uid, wanted_json FROM receipts WHERE job = $1 \
                  AND wanted_json IS NOT NULL AND marked_at IS NULL ORDER BY id LIMIT $2";
    let rows = sqlx::query(select).bind(job).bind(UNMARKED_MAX).fetch_all(connection).await?;
    rows.iter().map(|row| Ok((rows::key(row)?, rows::json(row, "wanted_json")?))).collect()
}

/// One receipt.
pub(super) async fn receipt(connection: &mut AnyConnection, id: i64) -> sqlx::Result<Option<ReceiptRow>> {
    let select = AssertSqlSafe(format!("SELECT {COLUMNS} FROM receipts WHERE id = $1"));
    let row = sqlx::query(select).bind(id).fetch_optional(&mut *connection).await?;
    match row {
        Some(row) => row_with_tickets(connection, &row).await.map(Some),
        None => Ok(None),
    }
}

/// The receipts of a session, oldest first.
pub(super) async fn of_session(connection: &mut AnyConnection, session: SessionId) -> sqlx::Result<Vec<ReceiptRow>> {
    let select = AssertSqlSafe(format!("SELECT {COLUMNS} FROM receipts WHERE session = $1 ORDER BY id LIMIT $2"));
    let rows = sqlx::query(select).bind(session.0).bind(i64::from(super::ROWS_MAX)).fetch_all(&mut *connection).await?;
    let mut receipts = Vec::with_capacity(rows.len());
    for row in &rows {
        receipts.push(row_with_tickets(connection, row).await?);
    }
    Ok(receipts)
}

async fn row_with_tickets(connection: &mut AnyConnection, row: &AnyRow) -> sqlx::Result<ReceiptRow> {
    let id: i64 = row.try_get("id")?;
    let select = "SELECT prefix, digits, sequence, effect FROM receipt_tickets JOIN tickets ON number = ticket \
                  WHERE receipt = $1 ORDER BY position";
    let (mut created, mut updated) = (Vec::new(), Vec::new());
    for row in sqlx::query(select).bind(id).fetch_all(connection).await? {
        let effect: String = row.try_get("effect")?;
        let tickets = if effect == "created" { &mut created } else { &mut updated };
        tickets.push(rows::ticket(&row)?);
    }
    let wanted: Option<String> = row.try_get("wanted_json")?;
    let wanted = wanted.map(|text| rows::parse_json("wanted_json", &text)).transpose()?;
    let receipt = Receipt {
        id,
        key: rows::key(row)?,
        outcome: rows::outcome(row)?,
        created,
        updated,
        repeated: false,
        revision: row.try_get("revision")?,
        disposition: wanted.unwrap_or_default(),
        withheld: Vec::new(),
    };
    Ok(ReceiptRow {
        receipt,
        job: row.try_get("job")?,
        session: row.try_get::<Option<i64>, _>("session")?.map(SessionId),
        message_id: rows::message_id(row)?,
        sha256: rows::sha256(row)?,
        received_at: rows::timestamp(row, "received_at")?,
        committed_at: rows::timestamp(row, "committed_at")?,
        marked_at: rows::timestamp_maybe(row, "marked_at")?,
    })
}
