//! The ledger: which messages are known, what is recorded of each, and what is still to be marked.

use super::bytes::{self, Kind};
use super::change::{Changing, Effects, Failure};
use super::rows::{self, now, to_json};
use super::{Entry, Outcome, Receipt, ReceiptRow, SessionId, Sha256, Verdict};
use crate::action;
use crate::class::Class;
use crate::mailbox::{Disposition, MessageKey};
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, AssertSqlSafe, Connection, Row};
use std::collections::{HashMap, HashSet};

/// How many keys one query asks for.
const KEYS_PER_QUERY: usize = 500;
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
    let mut by_mailbox: HashMap<(&str, u32), Vec<&str>> = HashMap::new();
    for key in &keys {
        by_mailbox.entry((&key.mailbox, key.uid_validity)).or_default().push(&key.uid);
    }
    let mut known = HashSet::new();
    for ((mailbox, uid_validity), uids) in by_mailbox {
        for chunk in uids.chunks(KEYS_PER_QUERY) {
            for uid in uids_in(&mut *connection, table, job, mailbox, uid_validity, chunk).await? {
                known.insert(MessageKey { mailbox: mailbox.to_owned(), uid_validity, uid });
            }
        }
    }
    Ok(keys.into_iter().filter(|key| !known.contains(key)).collect())
}

async fn uids_in(
    connection: &mut AnyConnection,
    table: &'static str,
    job: &str,
    mailbox: &str,
    uid_validity: u32,
    uids: &[&str],
) -> sqlx::Result<Vec<String>> {
    let places: Vec<String> = (4..).take(uids.len()).map(|place| format!("${place}")).collect();
    let select = format!(
        "SELECT uid FROM {table} WHERE job = $1 AND mailbox = $2 AND uid_validity = $3 AND uid IN ({})",
        places.join(", ")
    );
    let mut query = sqlx::query(AssertSqlSafe(select)).bind(job).bind(mailbox).bind(i64::from(uid_validity));
    for uid in uids {
        query = query.bind(*uid);
    }
    query.fetch_all(connection).await?.iter().map(|row| row.try_get("uid")).collect()
}

/// Where an entry is recorded.
#[derive(Clone, Copy)]
pub(super) enum Slot {
    /// In a receipt of its own.
    New,
    /// In this receipt, which so far says that the message is in quarantine.
    Receipt(i64),
}

/// Records one entry inside the caller's transaction, at most once. An entry whose changes cannot be made is
/// quarantined instead.
pub(super) async fn record(connection: &mut AnyConnection, slot: Slot, entry: &Entry) -> sqlx::Result<Receipt> {
    let cause = match attempt(connection, slot, entry, &entry.verdict, &entry.disposition).await {
        Ok(receipt) => return Ok(receipt),
        Err(Failure::Database(error)) => return Err(error),
        Err(Failure::Refused(cause)) => cause,
    };
    let verdict = Verdict::Quarantine { cause, class: Class::Permanent };
    // The message stays as it is in its mailbox, where someone can see it too.
    match attempt(connection, slot, entry, &verdict, &Disposition::default()).await {
        Ok(receipt) => Ok(receipt),
        Err(Failure::Database(error)) => Err(error),
        Err(Failure::Refused(cause)) => Err(sqlx::Error::Protocol(format!("quarantine was refused: {cause}"))),
    }
}

async fn attempt(
    connection: &mut AnyConnection,
    slot: Slot,
    entry: &Entry,
    verdict: &Verdict,
    disposition: &Disposition,
) -> Result<Receipt, Failure> {
    let mut savepoint = connection.begin().await?;
    let settled = Settled::new(entry, verdict, disposition)?;
    let Some(id) = settled.write(&mut savepoint, slot).await? else {
        savepoint.rollback().await?;
        return Ok(existing(connection, &entry.job, &entry.key).await?);
    };
    match settled.carry_out(&mut savepoint, id).await {
        Ok(receipt) => {
            savepoint.commit().await?;
            Ok(receipt)
        }
        Err(failure) => {
            savepoint.rollback().await?;
            Err(failure)
        }
    }
}

/// The receipt of a message that is already in the ledger.
async fn existing(connection: &mut AnyConnection, job: &str, key: &MessageKey) -> sqlx::Result<Receipt> {
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

/// An entry with the verdict that holds: the one it came with, or quarantine.
struct Settled<'e> {
    entry: &'e Entry,
    verdict: &'e Verdict,
    outcome: Outcome,
    disposition: &'e Disposition,
    wanted_json: Option<String>,
    at: i64,
}

impl<'e> Settled<'e> {
    fn new(entry: &'e Entry, verdict: &'e Verdict, disposition: &'e Disposition) -> sqlx::Result<Self> {
        let outcome = match verdict {
            Verdict::Quarantine { cause, class } => Outcome::Quarantined { reason: cause.clone(), class: *class },
            Verdict::Plan(plan) => match &plan.outcome {
                action::Outcome::Accepted => Outcome::Accepted,
                action::Outcome::Rejected { reason } => Outcome::Rejected { reason: reason.clone() },
                action::Outcome::Ignored { reason } => Outcome::Ignored { reason: reason.clone() },
            },
        };
        let wanted_json = if disposition.is_nothing() { None } else { Some(to_json(disposition)?) };
        Ok(Self { entry, verdict, outcome, disposition, wanted_json, at: now() })
    }

    fn class(&self) -> Option<&'static str> {
        match &self.outcome {
            Outcome::Quarantined { class, .. } => Some(class.name()),
            Outcome::Accepted | Outcome::Rejected { .. } | Outcome::Ignored { .. } => None,
        }
    }

    /// Writes the receipt; none if another has the key.
    async fn write(&self, connection: &mut AnyConnection, slot: Slot) -> sqlx::Result<Option<i64>> {
        match slot {
            Slot::New => self.insert(connection).await,
            Slot::Receipt(id) => self.update(connection, id).await.map(|()| Some(id)),
        }
    }

    /// Claims the key; none if it is taken.
    async fn insert(&self, connection: &mut AnyConnection) -> sqlx::Result<Option<i64>> {
        let insert = "INSERT INTO receipts (job, mailbox, uid_validity, uid, sha256, message_id, session, revision, \
                      outcome, reason, class, report_json, received_at, received_offset, committed_at, wanted_json) \
                      VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16) \
                      ON CONFLICT (job, mailbox, uid_validity, uid) DO NOTHING RETURNING id";
        let sha256 = Sha256(self.entry.raw.sha256().map_err(bytes::failed)?);
        let row = sqlx::query(insert)
            .bind(self.entry.job.as_str())
            .bind(self.entry.key.mailbox.as_str())
            .bind(i64::from(self.entry.key.uid_validity))
            .bind(self.entry.key.uid.as_str())
            .bind(sha256.0.as_slice())
            .bind(self.entry.message_id.as_ref().map(|id| id.0.as_str()))
            .bind(self.entry.session.map(|id| id.0))
            .bind(self.entry.revision.as_str())
            .bind(self.outcome.name())
            .bind(self.outcome.reason())
            .bind(self.class())
            .bind(self.entry.report.as_str())
            .bind(rows::milliseconds(&self.entry.received_at))
            .bind(i64::from(self.entry.received_at.offset_minutes))
            .bind(self.at)
            .bind(self.wanted_json.as_deref())
            .fetch_optional(&mut *connection)
            .await?;
        let Some(row) = row else { return Ok(None) };
        bytes::put(connection, Kind::Message, &self.entry.raw).await?;
        row.try_get("id").map(Some)
    }

    /// Writes a new outcome into a receipt; the disposition is to be carried out again.
    async fn update(&self, connection: &mut AnyConnection, id: i64) -> sqlx::Result<()> {
        let update = "UPDATE receipts SET revision = $1, outcome = $2, reason = $3, class = $4, report_json = $5, \
                      committed_at = $6, wanted_json = $7, marked_at = NULL WHERE id = $8";
        sqlx::query(update)
            .bind(self.entry.revision.as_str())
            .bind(self.outcome.name())
            .bind(self.outcome.reason())
            .bind(self.class())
            .bind(self.entry.report.as_str())
            .bind(self.at)
            .bind(self.wanted_json.as_deref())
            .bind(id)
            .execute(connection)
            .await?;
        Ok(())
    }

    /// Makes the changes of an accepted plan, or fills in the quarantine.
    async fn carry_out(&self, connection: &mut AnyConnection, id: i64) -> Result<Receipt, Failure> {
        let effects = match (self.verdict, &self.outcome) {
            (Verdict::Quarantine { cause, class }, _) => {
                self.quarantine(connection, id, cause, *class).await?;
                Effects::default()
            }
            (Verdict::Plan(plan), Outcome::Accepted) => {
                Changing { connection, entry: self.entry, receipt: id, at: self.at }.apply(&plan.changes).await?
            }
            (Verdict::Plan(_), _) => Effects::default(),
        };
        Ok(Receipt {
            id,
            key: self.entry.key.clone(),
            outcome: self.outcome.clone(),
            created: effects.created,
            updated: effects.updated,
            repeated: false,
            revision: self.entry.revision.clone(),
            disposition: self.disposition.clone(),
        })
    }

    async fn quarantine(
        &self,
        connection: &mut AnyConnection,
        receipt: i64,
        cause: &str,
        class: Class,
    ) -> sqlx::Result<()> {
        let upsert = "INSERT INTO quarantine (receipt, cause, class, report_json, at, header_only) \
                      VALUES ($1, $2, $3, $4, $5, $6) \
                      ON CONFLICT (receipt) DO UPDATE SET cause = excluded.cause, class = excluded.class, \
                      report_json = excluded.report_json, at = excluded.at";
        sqlx::query(upsert)
            .bind(receipt)
            .bind(cause)
            .bind(class.name())
            .bind(self.entry.report.as_str())
            .bind(self.at)
            .bind(i64::from(self.entry.header_only))
            .execute(connection)
            .await?;
        Ok(())
    }
}

/// Notes that the dispositions of these messages were carried out.
pub(super) async fn marked(connection: &mut AnyConnection, job: &str, keys: &[MessageKey]) -> sqlx::Result<()> {
    let update = "UPDATE receipts SET marked_at = $1 WHERE job = $2 AND mailbox = $3 AND uid_validity = $4 \
                  AND uid = $5 AND wanted_json IS NOT NULL";
    let at = now();
    for key in keys {
        sqlx::query(update)
            .bind(at)
            .bind(job)
            .bind(key.mailbox.as_str())
            .bind(i64::from(key.uid_validity))
            .bind(key.uid.as_str())
            .execute(&mut *connection)
            .await?;
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
    let select = "SELECT ticket, effect FROM receipt_tickets WHERE receipt = $1 ORDER BY position";
    let (mut created, mut updated) = (Vec::new(), Vec::new());
    for row in sqlx::query(select).bind(id).fetch_all(connection).await? {
        let effect: String = row.try_get("effect")?;
        let tickets = if effect == "created" { &mut created } else { &mut updated };
        tickets.push(rows::ticket(&row, "ticket")?);
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
