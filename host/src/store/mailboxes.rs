//! What a job knows of its mailboxes: since when it watches each, what it passes over there, and which of its messages are
//! known by another number.

use super::bulk::{self, Insert};
use super::rows::{self, column, now};
use super::{KnownMailbox, Receipt, ReceiptRow, Sha256, ledger};
use crate::mailbox::{Disposition, MessageKey};
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, AssertSqlSafe, Row};

/// The mailboxes that a job has seen.
pub(super) async fn list(connection: &mut AnyConnection, job: &str) -> sqlx::Result<Vec<KnownMailbox>> {
    let select = "SELECT * FROM mailboxes WHERE job = $1 ORDER BY mailbox";
    sqlx::query(select).bind(job).fetch_all(connection).await?.iter().map(known).collect()
}

fn known(row: &AnyRow) -> sqlx::Result<KnownMailbox> {
    let uid_validity: i64 = row.try_get("uid_validity")?;
    Ok(KnownMailbox {
        mailbox: row.try_get("mailbox")?,
        uid_validity: u32::try_from(uid_validity).map_err(|_| rows::unknown("uid_validity", uid_validity))?,
        first_seen_at: rows::timestamp(row, "first_seen_at")?,
        passed_over: rows::count(row, "passed_over")?,
        passed_below: rows::count(row, "passed_below")?,
    })
}

/// Those of `keys` that are not passed over, in the same order.
pub(super) async fn not_passed_over(
    connection: &mut AnyConnection,
    job: &str,
    keys: Vec<MessageKey>,
) -> sqlx::Result<Vec<MessageKey>> {
    let mailboxes = list(&mut *connection, job).await?;
    let below = |key: &MessageKey| {
        let of_key = |it: &&KnownMailbox| it.mailbox == key.mailbox && it.uid_validity == key.uid_validity;
        let mailbox = mailboxes.iter().find(of_key);
        mailbox.is_some_and(|it| it.passed_below > 0 && key.uid.parse().is_ok_and(|uid: u64| uid < it.passed_below))
    };
    let keys = keys.into_iter().filter(|key| !below(key)).collect();
    ledger::not_in(connection, "passed_over", job, keys).await
}

/// Notes that a job sees a mailbox for the first time. Returns whether it does.
pub(super) async fn first_sight(
    connection: &mut AnyConnection,
    job: &str,
    (mailbox, written, uid_validity): (&str, &str, u32),
    passed_over: &[MessageKey],
) -> sqlx::Result<bool> {
    if rename(&mut *connection, job, written, mailbox).await? {
        return Ok(false);
    }
    let numbers = passed_over.iter().map(|key| key.uid.parse::<u64>().ok());
    // Where identifiers are numbers that only grow, one number says it all.
    let highest = if uid_validity == 0 { None } else { numbers.collect::<Option<Vec<u64>>>() };
    let below = highest.as_ref().and_then(|all| all.iter().max()).map_or(0, |uid| uid.saturating_add(1));
    let insert = "INSERT INTO mailboxes (job, mailbox, uid_validity, first_seen_at, passed_over, passed_below) \
                  VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (job, mailbox) DO NOTHING";
    let inserted = sqlx::query(insert)
        .bind(job)
        .bind(mailbox)
        .bind(i64::from(uid_validity))
        .bind(now())
        .bind(column(passed_over.len()))
        .bind(column(below))
        .execute(&mut *connection)
        .await?;
    let is_first = inserted.rows_affected() > 0;
    if is_first && highest.is_none() {
        pass_over(connection, job, passed_over).await?;
    }
    Ok(is_first)
}

/// What older versions recorded of a mailbox, they recorded under its name as the settings wrote it. Returns whether
/// there was anything.
async fn rename(connection: &mut AnyConnection, job: &str, written: &str, mailbox: &str) -> sqlx::Result<bool> {
    if written == mailbox {
        return Ok(false);
    }
    let known = "UPDATE mailboxes SET mailbox = $1 WHERE job = $2 AND mailbox = $3 \
                 AND NOT EXISTS (SELECT 1 FROM mailboxes WHERE job = $2 AND mailbox = $1)";
    let renamed = sqlx::query(known).bind(mailbox).bind(job).bind(written).execute(&mut *connection).await?;
    if renamed.rows_affected() == 0 {
        return Ok(false);
    }
    for table in ["receipts", "passed_over"] {
        let update = format!("UPDATE {table} SET mailbox = $1 WHERE job = $2 AND mailbox = $3");
        let query = sqlx::query(AssertSqlSafe(update)).bind(mailbox).bind(job).bind(written);
        query.execute(&mut *connection).await?;
    }
    Ok(true)
}

const PASSED_OVER: Insert = Insert {
    table: "passed_over",
    columns: &["job", "mailbox", "uid_validity", "uid"],
    end: "ON CONFLICT (job, mailbox, uid_validity, uid) DO NOTHING",
};

/// Notes messages that are passed over.
pub(super) async fn pass_over(connection: &mut AnyConnection, job: &str, keys: &[MessageKey]) -> sqlx::Result<()> {
    let statements = PASSED_OVER.all(keys, |query, key| {
        query.bind(job).bind(key.mailbox.as_str()).bind(i64::from(key.uid_validity)).bind(key.uid.as_str())
    });
    bulk::run(connection, statements).await
}

/// Gives the oldest receipt for these bytes, under another numbering of the same mailbox, the key that the message has
/// now. What is still to be done in the mailbox is in the disposition of the receipt returned.
pub(super) async fn recognise(
    connection: &mut AnyConnection,
    job: &str,
    key: &MessageKey,
    sha256: &Sha256,
) -> sqlx::Result<Option<Receipt>> {
    let oldest = "SELECT id FROM receipts WHERE job = $3 AND mailbox = $4 AND uid_validity <> $1 AND sha256 = $5 \
                  ORDER BY id LIMIT 1";
    let update = format!("UPDATE receipts SET uid_validity = $1, uid = $2 WHERE id = ({oldest}) RETURNING id");
    let row = sqlx::query(AssertSqlSafe(update))
        .bind(i64::from(key.uid_validity))
        .bind(key.uid.as_str())
        .bind(job)
        .bind(key.mailbox.as_str())
        .bind(sha256.0.as_slice())
        .fetch_optional(&mut *connection)
        .await?;
    let Some(row) = row else { return Ok(None) };
    let row: Option<ReceiptRow> = ledger::receipt(connection, row.try_get("id")?).await?;
    Ok(row.map(|row| {
        let disposition = if row.marked_at.is_some() { Disposition::default() } else { row.receipt.disposition };
        Receipt { repeated: true, disposition, ..row.receipt }
    }))
}

/// Notes that all messages of a mailbox are known under this numbering.
pub(super) async fn renumbered(
    connection: &mut AnyConnection,
    job: &str,
    mailbox: &str,
    uid_validity: u32,
) -> sqlx::Result<()> {
    let update = "UPDATE mailboxes SET uid_validity = $1, passed_below = 0, passed_over = \
                  (SELECT COUNT(*) FROM passed_over p WHERE p.job = $2 AND p.mailbox = $3 AND p.uid_validity = $1) \
                  WHERE job = $2 AND mailbox = $3";
    sqlx::query(update).bind(i64::from(uid_validity)).bind(job).bind(mailbox).execute(&mut *connection).await?;
    let delete = "DELETE FROM passed_over WHERE job = $1 AND mailbox = $2 AND uid_validity <> $3";
    sqlx::query(delete).bind(job).bind(mailbox).bind(i64::from(uid_validity)).execute(connection).await?;
    Ok(())
}
