//! What a candidate would have made of live mail.

use super::{Error, Store};
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};

/// A message that was run through a candidate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShadowRow {
    /// The number of its receipt.
    pub receipt: i64,
    /// The candidate's revision.
    pub candidate: String,
    /// The revision of the rules in force.
    pub in_force: String,
    /// What would have been different, as JSON; none: nothing.
    pub difference: Option<String>,
}

impl Store {
    /// The receipt up to which messages have been run through a candidate. Before the first, the latest receipt there
    /// is: what was handled before is what a replay is for.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn shadowed_up_to(&self) -> Result<i64, Error> {
        let select =
            "SELECT COALESCE((SELECT MAX(receipt) FROM shadows), (SELECT MAX(id) FROM receipts), 0) AS receipt";
        let row = sqlx::query(select).fetch_one(&mut *self.reader().await?).await;
        self.explained(row.and_then(|row| row.try_get("receipt")))
    }

    /// Notes what a candidate would have made of messages.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn note_shadows(&self, rows: &[ShadowRow]) -> Result<(), Error> {
        let mut transaction = self.transaction().await?;
        self.explained(note(&mut transaction, rows).await)?;
        self.explained(transaction.commit().await)
    }

    /// The messages that were run through the candidate that was looked at last, oldest first.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn shadows(&self) -> Result<Vec<ShadowRow>, Error> {
        let select = "SELECT * FROM shadows WHERE candidate = \
                      (SELECT candidate FROM shadows ORDER BY receipt DESC LIMIT 1) ORDER BY receipt";
        let rows = sqlx::query(select).fetch_all(&mut *self.reader().await?).await;
        self.explained(rows.and_then(|rows| rows.iter().map(shadow).collect()))
    }

    /// What a candidate would have made of one message; none if it was not run through one.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn shadow(&self, receipt: i64) -> Result<Option<ShadowRow>, Error> {
        let select = sqlx::query("SELECT * FROM shadows WHERE receipt = $1").bind(receipt);
        let row = select.fetch_optional(&mut *self.reader().await?).await;
        self.explained(row.and_then(|row| row.as_ref().map(shadow).transpose()))
    }
}

async fn note(connection: &mut AnyConnection, rows: &[ShadowRow]) -> sqlx::Result<()> {
    for row in rows {
        let insert = "INSERT INTO shadows (receipt, candidate, in_force, difference) VALUES ($1, $2, $3, $4) \
                      ON CONFLICT (receipt) DO NOTHING";
        sqlx::query(insert)
            .bind(row.receipt)
            .bind(&row.candidate)
            .bind(&row.in_force)
            .bind(row.difference.as_deref())
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

fn shadow(row: &AnyRow) -> sqlx::Result<ShadowRow> {
    Ok(ShadowRow {
        receipt: row.try_get("receipt")?,
        candidate: row.try_get("candidate")?,
        in_force: row.try_get("in_force")?,
        difference: row.try_get("difference")?,
    })
}
