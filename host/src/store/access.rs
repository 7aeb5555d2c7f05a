//! Who may use the web admin and the API, and what they did.

use super::rows::{self, now};
use super::{Error, Sha256, Store};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};

/// How often the last use of a token is written down at most, in milliseconds.
const USE_NOTED_EVERY_MS: i64 = 60_000;

/// What somebody may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Look and change.
    Admin,
    /// Look.
    Viewer,
}

impl Role {
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Viewer => "viewer",
        }
    }

    /// The role of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Admin, Self::Viewer].into_iter().find(|role| role.name() == name)
    }
}

/// Somebody who can log in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UserRow {
    /// The name.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// The password's Argon2id hash, as a PHC string.
    #[serde(skip)]
    pub password: String,
    /// Since when.
    pub created_at: Timestamp,
}

/// Who asks, as far as the store knows them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// The user's or the token's name.
    pub name: String,
    /// What they may do.
    pub role: Role,
}

/// A token of the API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TokenRow {
    /// Which one.
    pub id: i64,
    /// What it is for.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// Who made it.
    pub created_by: String,
    /// When.
    pub created_at: Timestamp,
    /// When it was last used, to the minute.
    pub last_used_at: Option<Timestamp>,
}

/// Something that somebody did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AuditRow {
    /// Which entry.
    pub id: i64,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub who: String,
    /// What, as a verb with a noun such as `pause-job`.
    pub action: String,
    /// Upon what.
    pub subject: String,
    /// What else there is to say; may be empty.
    pub detail: String,
}

impl Store {
    /// All who can log in, by name.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn users(&self) -> Result<Vec<UserRow>, Error> {
        let select = "SELECT name, role, password, created_at FROM web_users ORDER BY name";
        let mut reader = self.reader().await?;
        let rows = self.explained(sqlx::query(select).fetch_all(&mut *reader).await)?;
        self.explained(rows.iter().map(user).collect())
    }

    /// Enters somebody, or gives them this role and this password; then they are logged out everywhere.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn set_user(&self, name: &str, role: Role, password: &str) -> Result<(), Error> {
        let mut transaction = self.transaction().await?;
        self.explained(set_user(&mut transaction, name, role, password).await)?;
        self.explained(transaction.commit().await)
    }

    /// Enters the first user; whether there was none.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn set_first_user(&self, name: &str, password: &str) -> Result<bool, Error> {
        let mut transaction = self.transaction().await?;
        let count = sqlx::query("SELECT COUNT(*) AS number FROM web_users").fetch_one(&mut *transaction).await;
        let is_first = self.explained(count.and_then(|row| rows::count(&row, "number")))? == 0;
        if is_first {
            self.explained(set_user(&mut transaction, name, Role::Admin, password).await)?;
        }
        self.explained(transaction.commit().await)?;
        Ok(is_first)
    }

    /// Removes somebody; whether they were there.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn remove_user(&self, name: &str) -> Result<bool, Error> {
        self.changed("DELETE FROM web_users WHERE name = $1", name).await
    }

    /// Notes that somebody is logged in, and forgets those who were.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn begin_web_session(&self, digest: &Sha256, user: &str, expires_at: Timestamp) -> Result<(), Error> {
        let mut transaction = self.transaction().await?;
        self.explained(begin_session(&mut transaction, digest, user, expires_at).await)?;
        self.explained(transaction.commit().await)
    }

    /// Who is logged in with that.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn web_session(&self, digest: &Sha256) -> Result<Option<Known>, Error> {
        let select = "SELECT name, role FROM web_sessions JOIN web_users ON name = user_name \
                      WHERE digest = $1 AND expires_at > $2";
        let mut reader = self.reader().await?;
        let row = sqlx::query(select).bind(digest.to_string()).bind(now()).fetch_optional(&mut *reader).await;
        self.explained(row.and_then(|row| row.as_ref().map(known).transpose()))
    }

    /// Logs somebody out; whether they were logged in.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn end_web_session(&self, digest: &Sha256) -> Result<bool, Error> {
        self.changed("DELETE FROM web_sessions WHERE digest = $1", &digest.to_string()).await
    }

    /// All tokens of the API, latest first.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn api_tokens(&self) -> Result<Vec<TokenRow>, Error> {
        let select = "SELECT id, name, role, created_by, created_at, last_used_at FROM api_tokens ORDER BY id DESC";
        let mut reader = self.reader().await?;
        let rows = self.explained(sqlx::query(select).fetch_all(&mut *reader).await)?;
        self.explained(rows.iter().map(token).collect())
    }

    /// Enters a token.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn add_api_token(&self, name: &str, role: Role, digest: &Sha256, by: &str) -> Result<(), Error> {
        let insert = "INSERT INTO api_tokens (name, role, digest, created_by, created_at) VALUES ($1, $2, $3, $4, $5)";
        let mut transaction = self.transaction().await?;
        let query = sqlx::query(insert).bind(name).bind(role.name()).bind(digest.to_string()).bind(by).bind(now());
        self.explained(query.execute(&mut *transaction).await)?;
        self.explained(transaction.commit().await)
    }

    /// Whose token that is; notes the use.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn api_token(&self, digest: &Sha256) -> Result<Option<Known>, Error> {
        let select = "SELECT name, role, last_used_at FROM api_tokens WHERE digest = $1";
        let mut reader = self.reader().await?;
        let row = sqlx::query(select).bind(digest.to_string()).fetch_optional(&mut *reader).await;
        let Some(row) = self.explained(row)? else { return Ok(None) };
        drop(reader);
        let last: Option<i64> = self.explained(row.try_get("last_used_at"))?;
        if last.is_none_or(|last| last + USE_NOTED_EVERY_MS < now()) {
            let mut transaction = self.transaction().await?;
            let update = sqlx::query("UPDATE api_tokens SET last_used_at = $1 WHERE digest = $2");
            self.explained(update.bind(now()).bind(digest.to_string()).execute(&mut *transaction).await)?;
            self.explained(transaction.commit().await)?;
        }
        self.explained(known(&row).map(Some))
    }

    /// Revokes a token; whether there was one.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn remove_api_token(&self, id: i64) -> Result<bool, Error> {
        let mut transaction = self.transaction().await?;
        let done = sqlx::query("DELETE FROM api_tokens WHERE id = $1").bind(id).execute(&mut *transaction).await;
        let removed = self.explained(done)?.rows_affected() > 0;
        self.explained(transaction.commit().await)?;
        Ok(removed)
    }

    /// Writes down what somebody did.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn note(&self, who: &str, action: &str, subject: &str, detail: &str) -> Result<(), Error> {
        let insert = "INSERT INTO audit_log (at, who, action, subject, detail) VALUES ($1, $2, $3, $4, $5)";
        let mut transaction = self.transaction().await?;
        let query = sqlx::query(insert).bind(now()).bind(who).bind(action).bind(subject).bind(detail);
        self.explained(query.execute(&mut *transaction).await)?;
        self.explained(transaction.commit().await)
    }

    /// What was done before that entry, or last; at most so many, latest first.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn audit_log(&self, before: Option<i64>, limit: u32) -> Result<Vec<AuditRow>, Error> {
        let select =
            "SELECT id, at, who, action, subject, detail FROM audit_log WHERE id < $1 ORDER BY id DESC LIMIT $2";
        let mut reader = self.reader().await?;
        let query = sqlx::query(select).bind(before.unwrap_or(i64::MAX)).bind(i64::from(limit));
        let rows = self.explained(query.fetch_all(&mut *reader).await)?;
        self.explained(rows.iter().map(audit).collect())
    }

    async fn changed(&self, statement: &'static str, what: &str) -> Result<bool, Error> {
        let mut transaction = self.transaction().await?;
        let done = sqlx::query(statement).bind(what).execute(&mut *transaction).await;
        let changed = self.explained(done)?.rows_affected() > 0;
        self.explained(transaction.commit().await)?;
        Ok(changed)
    }
}

async fn set_user(connection: &mut AnyConnection, name: &str, role: Role, password: &str) -> sqlx::Result<()> {
    sqlx::query("DELETE FROM web_sessions WHERE user_name = $1").bind(name).execute(&mut *connection).await?;
    let insert = "INSERT INTO web_users (name, role, password, created_at) VALUES ($1, $2, $3, $4) \
                  ON CONFLICT (name) DO UPDATE SET role = excluded.role, password = excluded.password";
    sqlx::query(insert).bind(name).bind(role.name()).bind(password).bind(now()).execute(connection).await.map(drop)
}

async fn begin_session(
    connection: &mut AnyConnection,
    digest: &Sha256,
    user: &str,
    expires_at: Timestamp,
) -> sqlx::Result<()> {
    sqlx::query("DELETE FROM web_sessions WHERE expires_at <= $1").bind(now()).execute(&mut *connection).await?;
    let insert = "INSERT INTO web_sessions (digest, user_name, expires_at) VALUES ($1, $2, $3)";
    let query = sqlx::query(insert).bind(digest.to_string()).bind(user).bind(expires_at.as_millisecond());
    query.execute(connection).await.map(drop)
}

fn user(row: &AnyRow) -> sqlx::Result<UserRow> {
    Ok(UserRow {
        name: row.try_get("name")?,
        role: rows::named(row, "role", Role::parse)?,
        password: row.try_get("password")?,
        created_at: rows::timestamp(row, "created_at")?,
    })
}

fn known(row: &AnyRow) -> sqlx::Result<Known> {
    Ok(Known { name: row.try_get("name")?, role: rows::named(row, "role", Role::parse)? })
}

fn token(row: &AnyRow) -> sqlx::Result<TokenRow> {
    Ok(TokenRow {
        id: row.try_get("id")?,
        name: row.try_get("name")?,
        role: rows::named(row, "role", Role::parse)?,
        created_by: row.try_get("created_by")?,
        created_at: rows::timestamp(row, "created_at")?,
        last_used_at: rows::timestamp_maybe(row, "last_used_at")?,
    })
}

fn audit(row: &AnyRow) -> sqlx::Result<AuditRow> {
    Ok(AuditRow {
        id: row.try_get("id")?,
        at: rows::timestamp(row, "at")?,
        who: row.try_get("who")?,
        action: row.try_get("action")?,
        subject: row.try_get("subject")?,
        detail: row.try_get("detail")?,
    })
}
