//! How much waits, for those who look from outside.

use super::rows;
use super::{Error, Store};
use jiff::Timestamp;
use sqlx::{AnyConnection, Row};

/// How much waits.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Figures {
    /// Entries of the outbox that wait to be sent.
    pub outbox_waiting: u64,
    /// Entries that were given up, and are still there.
    pub outbox_dead: u64,
    /// Since when the oldest one waits.
    pub outbox_oldest: Option<Timestamp>,
    /// Messages in quarantine.
    pub quarantined: u64,
    /// Messages that are recorded, and not yet marked in their mailbox as they should be.
    pub unmarked: u64,
}

impl Store {
    /// Counts what waits.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn figures(&self) -> Result<Figures, Error> {
        self.explained(figures(&mut *self.reader().await?).await)
    }
}

async fn figures(connection: &mut AnyConnection) -> sqlx::Result<Figures> {
    // Each is answered from an index of just these rows.
    let select = "SELECT \
                  (SELECT COUNT(*) FROM outbox WHERE state = 'waiting') AS outbox_waiting, \
                  (SELECT COUNT(*) FROM outbox WHERE state = 'dead') AS outbox_dead, \
                  (SELECT MIN(created_at) FROM outbox WHERE state = 'waiting') AS outbox_oldest, \
                  (SELECT COUNT(*) FROM quarantine WHERE released_at IS NULL) AS quarantined, \
                  (SELECT COUNT(*) FROM receipts WHERE wanted_json IS NOT NULL AND marked_at IS NULL) AS unmarked";
    let row = sqlx::query(select).fetch_one(connection).await?;
    let oldest: Option<i64> = row.try_get("outbox_oldest")?;
    Ok(Figures {
        outbox_waiting: rows::count(&row, "outbox_waiting")?,
        outbox_dead: rows::count(&row, "outbox_dead")?,
        outbox_oldest: oldest.and_then(|at| Timestamp::from_millisecond(at).ok()),
        quarantined: rows::count(&row, "quarantined")?,
        unmarked: rows::count(&row, "unmarked")?,
    })
}
