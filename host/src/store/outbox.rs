//! The outbox: what waits to be sent, what was sent, and what was given up.

use super::rows::{self, now};
use super::{Error, Lane, OutboxFilter, OutboxRow, OutboxState, ROWS_MAX, Store, Waiting};
use crate::thread::KEY_BYTES;
use jiff::Timestamp;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, AssertSqlSafe, Row};
use std::time::Duration;

const COLUMNS: &str = "id, idempotency_key, receipt, ticket, lane, target, state, attempts, next_attempt_at, \
                       claimed_until, last_error, created_at, ended_at";

/// What an attempt may begin for: `$1` is now.
const DUE: &str = "state = 'waiting' AND next_attempt_at <= $1 AND COALESCE(claimed_until, $1) <= $1";
/// What somebody may change by hand: what was not sent, and is not being sent. `$1` is now.
const AT_REST: &str = "state <> 'sent' AND COALESCE(claimed_until, $1) <= $1";
/// What is said of an entry whose last attempt never ended.
const NEVER_ENDED: &str =
    "the last attempt began and never ended: it may be what ends mailmill; see the log of that time";

/// The lanes in which something is due.
pub(super) async fn due_lanes(connection: &mut AnyConnection) -> sqlx::Result<Vec<Lane>> {
    let select = AssertSqlSafe(format!("SELECT DISTINCT lane FROM outbox WHERE {DUE}"));
    let rows = sqlx::query(select).bind(now()).fetch_all(connection).await?;
    rows.iter().map(lane).collect()
}

/// Begins an attempt of the oldest entry that is due in a lane. For as long as `claim` nobody else begins one. What has had
/// all its attempts, the last of which never ended, is given up.
pub(super) async fn claim(
    connection: &mut AnyConnection,
    lane: &Lane,
    claim: Duration,
    attempts_max: u64,
) -> sqlx::Result<Option<Waiting>> {
    let at = now();
    let update = AssertSqlSafe(format!(
        "UPDATE outbox SET state = 'dead', claimed_until = NULL, last_error = $2, ended_at = $1 \
         WHERE {DUE} AND lane = $3 AND attempts >= $4"
    ));
    let query = sqlx::query(update).bind(at).bind(NEVER_ENDED).bind(lane.to_string()).bind(rows::column(attempts_max));
    query.execute(&mut *connection).await?;
    let update = AssertSqlSafe(format!(
        "UPDATE outbox SET attempts = attempts + 1, claimed_until = $2 \
         WHERE id = (SELECT id FROM outbox WHERE {DUE} AND lane = $3 ORDER BY id LIMIT 1) \
         RETURNING id, payload_json, attempts"
    ));
    let until = at.saturating_add(rows::column(claim.as_millis()));
    let row = sqlx::query(update).bind(at).bind(until).bind(lane.to_string()).fetch_optional(connection).await?;
    let waiting = |row: AnyRow| {
        Ok(Waiting {
            id: row.try_get("id")?,
            attempt: rows::count(&row, "attempts")?,
            // What another version wrote, and this one cannot read, is given up with that reason.
            parcel: rows::json(&row, "payload_json").map_err(|error| error.to_string()),
        })
    };
    row.map(waiting).transpose()
}

/// Goes on with an attempt for as long as `claim` from now.
pub(super) async fn renew(connection: &mut AnyConnection, id: i64, claim: Duration) -> sqlx::Result<()> {
    let until = now().saturating_add(rows::column(claim.as_millis()));
    let update = "UPDATE outbox SET claimed_until = $1 WHERE id = $2 AND state = 'waiting'";
    sqlx::query(update).bind(until).bind(id).execute(connection).await.map(drop)
}

/// The attempts that are begun and of which nothing was noted: which entry, and the how manieth attempt.
pub(super) async fn interrupted(connection: &mut AnyConnection) -> sqlx::Result<Vec<(i64, u64)>> {
    let select = "SELECT id, attempts FROM outbox WHERE claimed_until IS NOT NULL AND state = 'waiting' ORDER BY id";
    let rows = sqlx::query(select).fetch_all(connection).await?;
    rows.iter().map(|row| Ok((row.try_get("id")?, rows::count(row, "attempts")?))).collect()
}

/// Notes that something was sent.
pub(super) async fn sent(connection: &mut AnyConnection, id: i64) -> sqlx::Result<()> {
    let update =
        "UPDATE outbox SET state = 'sent', claimed_until = NULL, last_error = NULL, ended_at = $1 WHERE id = $2";
    sqlx::query(update).bind(now()).bind(id).execute(connection).await.map(drop)
}

/// Notes why an attempt failed, and when the next one begins; none: it is given up.
pub(super) async fn failed(
    connection: &mut AnyConnection,
    id: i64,
    reason: &str,
    next: Option<Timestamp>,
) -> sqlx::Result<()> {
    let update = "UPDATE outbox SET last_error = $1, next_attempt_at = COALESCE($2, next_attempt_at), claimed_until = NULL, \
                  state = CASE WHEN CAST($2 AS BIGINT) IS NULL THEN 'dead' ELSE state END, \
                  ended_at = CASE WHEN CAST($2 AS BIGINT) IS NULL THEN CAST($3 AS BIGINT) ELSE NULL END \
                  WHERE id = $4 AND state = 'waiting'";
    let query = sqlx::query(update).bind(reason).bind(next.map(Timestamp::as_millisecond)).bind(now()).bind(id);
    query.execute(connection).await.map(drop)
}

/// Makes an entry due now, with all its attempts before it. Returns whether there is one that is at rest and was not sent.
pub(super) async fn retry(connection: &mut AnyConnection, id: i64) -> sqlx::Result<bool> {
    let update = AssertSqlSafe(format!(
        "UPDATE outbox SET state = 'waiting', attempts = 0, next_attempt_at = $1, claimed_until = NULL, ended_at = NULL \
         WHERE id = $2 AND {AT_REST}"
    ));
    Ok(sqlx::query(update).bind(now()).bind(id).execute(connection).await?.rows_affected() > 0)
}

/// The same for all that are in that state; which ones they were.
pub(super) async fn retry_all(connection: &mut AnyConnection, state: OutboxState) -> sqlx::Result<Vec<i64>> {
    let update = AssertSqlSafe(format!(
        "UPDATE outbox SET state = 'waiting', attempts = 0, next_attempt_at = $1, claimed_until = NULL, ended_at = NULL \
         WHERE state = $2 AND {AT_REST} RETURNING id"
    ));
    let rows = sqlx::query(update).bind(now()).bind(state.name()).fetch_all(connection).await?;
    let mut ids = rows.iter().map(|row| row.try_get("id")).collect::<sqlx::Result<Vec<i64>>>()?;
    ids.sort_unstable();
    Ok(ids)
}

/// Removes an entry that is at rest and was not sent. Returns whether there was one.
pub(super) async fn discard(connection: &mut AnyConnection, id: i64) -> sqlx::Result<bool> {
    let delete = AssertSqlSafe(format!("DELETE FROM outbox WHERE id = $2 AND {AT_REST}"));
    Ok(sqlx::query(delete).bind(now()).bind(id).execute(connection).await?.rows_affected() > 0)
}

/// Has nothing wait longer than that from now.
pub(super) async fn wait_at_most(
    connection: &mut AnyConnection,
    longest: Duration,
    claim: Duration,
) -> sqlx::Result<u64> {
    let latest = |wait: Duration| now().saturating_add(rows::column(wait.as_millis()));
    let update = "UPDATE outbox SET next_attempt_at = MIN(next_attempt_at, $1), claimed_until = MIN(claimed_until, $2) \
                  WHERE state = 'waiting' AND (next_attempt_at > $1 OR claimed_until > $2)";
    Ok(sqlx::query(update).bind(latest(longest)).bind(latest(claim)).execute(connection).await?.rows_affected())
}

/// Forgets what came to this end before that time.
pub(super) async fn forget(connection: &mut AnyConnection, state: OutboxState, before: Timestamp) -> sqlx::Result<u64> {
    let delete = "DELETE FROM outbox WHERE state = $1 AND state <> 'waiting' AND ended_at < $2";
    let query = sqlx::query(delete).bind(state.name()).bind(before.as_millisecond());
    Ok(query.execute(connection).await?.rows_affected())
}

/// The entries that match, latest first.
pub(super) async fn list(connection: &mut AnyConnection, filter: &OutboxFilter) -> sqlx::Result<Vec<OutboxRow>> {
    let select = format!(
        "SELECT {COLUMNS}, payload_json, prefix, digits, sequence FROM outbox \
         LEFT JOIN (SELECT number, prefix, digits, sequence FROM tickets) ON number = ticket WHERE (CAST($1 AS TEXT) IS NULL OR state = $1) \
         AND (CAST($2 AS BIGINT) IS NULL OR id = $2) ORDER BY id DESC LIMIT $3"
    );
    let query = sqlx::query(AssertSqlSafe(select))
        .bind(filter.state.map(OutboxState::name))
        .bind(filter.id)
        .bind(i64::from(filter.limit.unwrap_or(ROWS_MAX)));
    query.fetch_all(connection).await?.iter().map(outbox_row).collect()
}

fn outbox_row(row: &AnyRow) -> sqlx::Result<OutboxRow> {
    let ticket: Option<i64> = row.try_get("ticket")?;
    let state = rows::named(row, "state", OutboxState::parse)?;
    let next = rows::timestamp(row, "next_attempt_at")?;
    Ok(OutboxRow {
        id: row.try_get("id")?,
        idempotency_key: row.try_get("idempotency_key")?,
        receipt: row.try_get("receipt")?,
        ticket: ticket.map(|_| rows::ticket(row)).transpose()?,
        lane: lane(row)?,
        target: row.try_get("target")?,
        state,
        attempts: rows::count(row, "attempts")?,
        next_attempt_at: (state == OutboxState::Waiting).then_some(next),
        claimed_until: rows::timestamp_maybe(row, "claimed_until")?,
        last_error: row.try_get("last_error")?,
        created_at: rows::timestamp(row, "created_at")?,
        ended_at: rows::timestamp_maybe(row, "ended_at")?,
        payload: rows::json(row, "payload_json").unwrap_or_default(),
    })
}

fn lane(row: &AnyRow) -> sqlx::Result<Lane> {
    let name: String = row.try_get("lane")?;
    Lane::parse(&name).ok_or_else(|| rows::unknown("lane", name))
}

/// The key that Message-IDs are signed with; the given one if there was none.
pub(super) async fn own_key(connection: &mut AnyConnection, new: [u8; KEY_BYTES]) -> sqlx::Result<[u8; KEY_BYTES]> {
    const NAME: &str = "message-id";
    let insert = "INSERT INTO own_keys (name, bytes) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING";
    sqlx::query(insert).bind(NAME).bind(new.as_slice()).execute(&mut *connection).await?;
    let row = sqlx::query("SELECT bytes FROM own_keys WHERE name = $1").bind(NAME).fetch_one(connection).await?;
    let bytes: Vec<u8> = row.try_get("bytes")?;
    bytes.try_into().map_err(|_| rows::unknown("own_keys.bytes", "a key of another length"))
}

impl Store {
    /// The key that our Message-IDs are signed with; made at the first call.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn own_key(&self) -> Result<[u8; KEY_BYTES], Error> {
        let mut new = [0; KEY_BYTES];
        aws_lc_rs::rand::fill(&mut new).map_err(|_| Error::Bug("there is no source of random numbers".to_owned()))?;
        let mut transaction = self.transaction().await?;
        let key = self.explained(own_key(&mut transaction, new).await)?;
        self.explained(transaction.commit().await)?;
        Ok(key)
    }

    /// The lanes of the outbox in which something is due.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn outbox_due(&self) -> Result<Vec<Lane>, Error> {
        self.explained(due_lanes(&mut *self.reader().await?).await)
    }

    /// Begins an attempt of the oldest entry that is due in a lane; none if none is. For as long as `until` nobody else begins
    /// one; if by then nothing was noted, it counts as failed. What has begun `attempts_max` attempts is given up.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn outbox_claim(
        &self,
        lane: &Lane,
        until: Duration,
        attempts_max: u64,
    ) -> Result<Option<Waiting>, Error> {
        let mut transaction = self.transaction().await?;
        let claimed = self.explained(claim(&mut transaction, lane, until, attempts_max).await)?;
        self.explained(transaction.commit().await)?;
        Ok(claimed)
    }

    /// The attempts that are under way, or were when a process ended: the entry's number, and which attempt it is, counted from 1.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn outbox_interrupted(&self) -> Result<Vec<(i64, u64)>, Error> {
        self.explained(interrupted(&mut *self.reader().await?).await)
    }

    /// Goes on with an attempt: for as long as `until`, from now, nobody else begins one.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn outbox_renew(&self, id: i64, until: Duration) -> Result<(), Error> {
        let mut transaction = self.transaction().await?;
        self.explained(renew(&mut transaction, id, until).await)?;
        self.explained(transaction.commit().await)
    }

    /// Notes that something was sent.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn outbox_sent(&self, id: i64) -> Result<(), Error> {
        let mut transaction = self.transaction().await?;
        self.explained(sent(&mut transaction, id).await)?;
        self.explained(transaction.commit().await)
    }

    /// Notes why an attempt failed, and when the next one begins; none: it is given up.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn outbox_failed(&self, id: i64, reason: &str, next: Option<Timestamp>) -> Result<(), Error> {
        let mut transaction = self.transaction().await?;
        self.explained(failed(&mut transaction, id, reason, next).await)?;
        self.explained(transaction.commit().await)
    }

    /// Makes an entry due now, with all its attempts before it. Returns whether there is one that was not sent, and is not being
    /// sent.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn outbox_retry(&self, id: i64) -> Result<bool, Error> {
        let mut transaction = self.transaction().await?;
        let found = self.explained(retry(&mut transaction, id).await)?;
        self.explained(transaction.commit().await)?;
        Ok(found)
    }

    /// Makes all entries in this state due now, as [`Self::outbox_retry`] does, except those that are being sent. Returns their
    /// numbers.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn outbox_retry_all(&self, state: OutboxState) -> Result<Vec<i64>, Error> {
        let mut transaction = self.transaction().await?;
        let ids = self.explained(retry_all(&mut transaction, state).await)?;
        self.explained(transaction.commit().await)?;
        Ok(ids)
    }

    /// Removes an entry that was not sent, and is not being sent. Returns whether there was one.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn outbox_drop(&self, id: i64) -> Result<bool, Error> {
        let mut transaction = self.transaction().await?;
        let found = self.explained(discard(&mut transaction, id).await)?;
        self.explained(transaction.commit().await)?;
        Ok(found)
    }

    /// Has nothing wait longer than that from now, and no attempt be under way longer than `claim`, as it would after the clock was
    /// set back; returns how much it was.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn outbox_wait_at_most(&self, longest: Duration, claim: Duration) -> Result<u64, Error> {
        let mut transaction = self.transaction().await?;
        let shortened = self.explained(wait_at_most(&mut transaction, longest, claim).await)?;
        self.explained(transaction.commit().await)?;
        Ok(shortened)
    }

    /// Forgets what was sent, or what was given up, before that time; returns how much it was.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn outbox_forget(&self, state: OutboxState, before: Timestamp) -> Result<u64, Error> {
        let mut transaction = self.transaction().await?;
        let forgotten = self.explained(forget(&mut transaction, state, before).await)?;
        self.explained(transaction.commit().await)?;
        Ok(forgotten)
    }

    /// The entries of the outbox that match, latest first.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn outbox(&self, filter: &OutboxFilter) -> Result<Vec<OutboxRow>, Error> {
        self.explained(list(&mut *self.reader().await?, filter).await)
    }
}
