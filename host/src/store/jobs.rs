//! Jobs: what people want of them, and what the daemon says of them.

use super::rows::{self, column, now};
use super::{Error, JobOrders, JobReport, JobRow, JobState, LastRun, Store};
use jiff::Timestamp;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};
use std::collections::BTreeMap;

impl Store {
    /// Pauses a job; `by` says who wanted it. Returns whether it was not paused before.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn pause_job(&self, name: &str, by: &str) -> Result<bool, Error> {
        let mut transaction = self.transaction().await?;
        let paused = self.explained(pause(&mut transaction, name, by).await)?;
        self.explained(transaction.commit().await)?;
        Ok(paused)
    }

    /// Ends the pause of a job. Returns whether it was paused.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn resume_job(&self, name: &str) -> Result<bool, Error> {
        let mut transaction = self.transaction().await?;
        let resumed = self.explained(resume(&mut transaction, name).await)?;
        self.explained(transaction.commit().await)?;
        Ok(resumed)
    }

    /// Asks for a session of a job as soon as may be.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn request_run(&self, name: &str) -> Result<(), Error> {
        let mut transaction = self.transaction().await?;
        self.explained(request_run(&mut transaction, name).await)?;
        self.explained(transaction.commit().await)
    }

    /// Notes that the session that was asked for at this time begins; what was asked for later stays.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn run_begun(&self, name: &str, requested_at: Timestamp) -> Result<(), Error> {
        let mut transaction = self.transaction().await?;
        self.explained(run_begun(&mut transaction, name, requested_at).await)?;
        self.explained(transaction.commit().await)
    }

    /// What people want of jobs; those of which they want nothing are left out.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn job_orders(&self) -> Result<BTreeMap<String, JobOrders>, Error> {
        self.explained(orders(&mut *self.reader().await?).await)
    }

    /// Writes down what the daemon says of its jobs, in one transaction.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn report_jobs(&self, reports: &[(String, JobReport)]) -> Result<(), Error> {
        let mut transaction = self.transaction().await?;
        for (name, told) in reports {
            self.explained(report(&mut transaction, name, told).await)?;
        }
        self.explained(transaction.commit().await)
    }

    /// Notes that nobody runs this job any more; without a name, any job.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn jobs_stopped(&self, name: Option<&str>) -> Result<(), Error> {
        let mut transaction = self.transaction().await?;
        self.explained(stopped(&mut transaction, name).await)?;
        self.explained(transaction.commit().await)
    }

    /// All that is known of jobs, by name.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn jobs(&self) -> Result<Vec<JobRow>, Error> {
        self.explained(list(&mut *self.reader().await?).await)
    }
}

/// Makes sure that a job has a row.
async fn enter(connection: &mut AnyConnection, name: &str) -> sqlx::Result<()> {
    let insert = "INSERT INTO jobs (name) VALUES ($1) ON CONFLICT (name) DO NOTHING";
    sqlx::query(insert).bind(name).execute(connection).await.map(drop)
}

/// Pauses a job. Returns whether it was not paused before.
async fn pause(connection: &mut AnyConnection, name: &str, by: &str) -> sqlx::Result<bool> {
    enter(&mut *connection, name).await?;
    let update = "UPDATE jobs SET paused_at = $1, paused_by = $2 WHERE name = $3 AND paused_at IS NULL";
    let paused = sqlx::query(update).bind(now()).bind(by).bind(name).execute(connection).await?;
    Ok(paused.rows_affected() > 0)
}

/// Ends a pause. Returns whether there was one.
async fn resume(connection: &mut AnyConnection, name: &str) -> sqlx::Result<bool> {
    let update = "UPDATE jobs SET paused_at = NULL, paused_by = NULL WHERE name = $1 AND paused_at IS NOT NULL";
    Ok(sqlx::query(update).bind(name).execute(connection).await?.rows_affected() > 0)
}

/// Asks for a session as soon as may be.
async fn request_run(connection: &mut AnyConnection, name: &str) -> sqlx::Result<()> {
    enter(&mut *connection, name).await?;
    let update = "UPDATE jobs SET run_requested_at = $1 WHERE name = $2";
    sqlx::query(update).bind(now()).bind(name).execute(connection).await.map(drop)
}

/// Notes that the session asked for at that time has begun. What was asked for later stays.
async fn run_begun(connection: &mut AnyConnection, name: &str, requested_at: Timestamp) -> sqlx::Result<()> {
    let update = "UPDATE jobs SET run_requested_at = NULL WHERE name = $1 AND run_requested_at <= $2";
    sqlx::query(update).bind(name).bind(requested_at.as_millisecond()).execute(connection).await.map(drop)
}

/// What people want, of those jobs of which they want something.
async fn orders(connection: &mut AnyConnection) -> sqlx::Result<BTreeMap<String, JobOrders>> {
    let select = "SELECT name, paused_at, run_requested_at FROM jobs \
                  WHERE paused_at IS NOT NULL OR run_requested_at IS NOT NULL";
    let rows = sqlx::query(select).fetch_all(connection).await?;
    let orders = |row: &AnyRow| -> sqlx::Result<(String, JobOrders)> {
        let paused = rows::timestamp_maybe(row, "paused_at")?.is_some();
        let run_requested_at = rows::timestamp_maybe(row, "run_requested_at")?;
        Ok((row.try_get("name")?, JobOrders { paused, run_requested_at }))
    };
    rows.iter().map(orders).collect()
}

/// Writes down what the daemon says of a job.
async fn report(connection: &mut AnyConnection, name: &str, report: &JobReport) -> sqlx::Result<()> {
    enter(&mut *connection, name).await?;
    let update = "UPDATE jobs SET state = $1, next_run_at = $2, last_run_at = COALESCE($3, last_run_at), \
                  last_received = COALESCE($4, last_received), \
                  last_error = CASE WHEN CAST($3 AS BIGINT) IS NULL THEN last_error ELSE $5 END, reported_at = $6 \
                  WHERE name = $7";
    let last = report.last.as_ref();
    sqlx::query(update)
        .bind(report.state.name())
        .bind(report.next_run_at.map(Timestamp::as_millisecond))
        .bind(last.map(|last| last.ended_at.as_millisecond()))
        .bind(last.map(|last| column(last.received)))
        .bind(last.and_then(|last| last.error.as_deref()))
        .bind(now())
        .bind(name)
        .execute(connection)
        .await
        .map(drop)
}

/// Notes that nobody runs the jobs any more (or, with a name, that one).
async fn stopped(connection: &mut AnyConnection, name: Option<&str>) -> sqlx::Result<()> {
    let update = "UPDATE jobs SET reported_at = NULL WHERE CAST($1 AS TEXT) IS NULL OR name = $1";
    sqlx::query(update).bind(name).execute(connection).await.map(drop)
}

/// All rows, by name.
async fn list(connection: &mut AnyConnection) -> sqlx::Result<Vec<JobRow>> {
    let rows = sqlx::query("SELECT * FROM jobs ORDER BY name").fetch_all(connection).await?;
    rows.iter().map(job).collect()
}

fn job(row: &AnyRow) -> sqlx::Result<JobRow> {
    let last = match rows::timestamp_maybe(row, "last_run_at")? {
        Some(ended_at) => {
            Some(LastRun { ended_at, received: rows::count(row, "last_received")?, error: row.try_get("last_error")? })
        }
        None => None,
    };
    let state = match row.try_get::<Option<String>, _>("state")? {
        Some(name) => Some(JobState::parse(&name).ok_or_else(|| rows::unknown("state", name))?),
        None => None,
    };
    Ok(JobRow {
        name: row.try_get("name")?,
        paused_at: rows::timestamp_maybe(row, "paused_at")?,
        paused_by: row.try_get("paused_by")?,
        run_requested_at: rows::timestamp_maybe(row, "run_requested_at")?,
        state,
        next_run_at: rows::timestamp_maybe(row, "next_run_at")?,
        last,
        reported_at: rows::timestamp_maybe(row, "reported_at")?,
    })
}
