//! Suspended steps: what the daemon says of them, for whoever asks beside it.

use super::rows::{self, column};
use super::{Error, Store};
use crate::plugin::Suspension;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};
use std::sync::Arc;

impl Store {
    /// Writes down which steps are suspended now: these, and no others.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn report_suspensions(&self, suspended: &[Arc<Suspension>]) -> Result<(), Error> {
        let mut transaction = self.transaction().await?;
        self.explained(report(&mut transaction, suspended).await)?;
        self.explained(transaction.commit().await)
    }

    /// The steps that are suspended, by name, as a daemon last said: one that has ended suspends nothing.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn suspensions(&self) -> Result<Vec<Suspension>, Error> {
        self.explained(list(&mut *self.reader().await?).await)
    }
}

async fn report(connection: &mut AnyConnection, suspended: &[Arc<Suspension>]) -> sqlx::Result<()> {
    sqlx::query("DELETE FROM suspensions").execute(&mut *connection).await?;
    for suspension in suspended {
        let insert = "INSERT INTO suspensions (step, plugin, hash, faults, last, since, suspended_by) VALUES ($1, $2, $3, $4, $5, $6, $7)";
        sqlx::query(insert)
            .bind(&suspension.step)
            .bind(&suspension.plugin)
            .bind(&suspension.hash)
            .bind(column(suspension.faults))
            .bind(&suspension.last)
            .bind(suspension.since.as_millisecond())
            .bind(&suspension.by)
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

async fn list(connection: &mut AnyConnection) -> sqlx::Result<Vec<Suspension>> {
    let rows = sqlx::query("SELECT * FROM suspensions ORDER BY step").fetch_all(connection).await?;
    let read = |row: &AnyRow| -> sqlx::Result<Suspension> {
        Ok(Suspension {
            step: row.try_get("step")?,
            plugin: row.try_get("plugin")?,
            hash: row.try_get("hash")?,
            faults: rows::count(row, "faults")?,
            last: row.try_get("last")?,
            by: row.try_get("suspended_by")?,
            since: rows::timestamp(row, "since")?,
        })
    };
    rows.iter().map(read).collect()
}
