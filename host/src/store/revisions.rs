//! The rules that were in force: each revision with its files, so that it can be looked at and brought back.

use super::rows::{self, column, now};
use super::{Error, Store};
use jiff::Timestamp;
use serde::Serialize;
use sha2::{Digest, Sha256 as Hasher};
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};

/// How many times of coming into force are kept; the files of older revisions are forgotten.
pub const REVISIONS_MAX: u32 = 1_000;

/// Rules, as they come into force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRevision {
    /// Which.
    pub revision: String,
    /// Whose the file is that was changed last.
    pub changed_by: String,
    /// The folder that they were read from.
    pub origin: String,
    /// How many of their own tests they passed.
    pub tests: u64,
    /// What they are made of.
    pub content: RevisionContent,
}

/// What rules are made of.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct RevisionContent {
    /// The rule files, each with its path from the folder of the rules, by path.
    pub files: Vec<(String, String)>,
    /// The plugins, each with the SHA-256 of its component in hexadecimal, by name.
    pub plugins: Vec<(String, String)>,
}

/// A time at which rules came into force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RevisionRow {
    /// Which.
    pub revision: String,
    /// When.
    pub since: Timestamp,
    /// Whose the file was that was changed last.
    pub changed_by: String,
    /// The folder that they were read from.
    pub origin: String,
    /// How many of their own tests they passed.
    pub tests: u64,
}

impl Store {
    /// Notes that these rules are in force from now on. Nothing is noted if they are what came into force last.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn note_revision(&self, revision: &NewRevision) -> Result<bool, Error> {
        let mut transaction = self.transaction().await?;
        let noted = self.explained(note(&mut transaction, revision).await)?;
        self.explained(transaction.commit().await)?;
        Ok(noted)
    }

    /// The times at which rules came into force, the latest first.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn revisions(&self) -> Result<Vec<RevisionRow>, Error> {
        self.explained(list(&mut *self.reader().await?).await)
    }

    /// What the rules of a revision were made of; none if it was never in force, or is forgotten.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn revision(&self, revision: &str) -> Result<Option<RevisionContent>, Error> {
        self.explained(content(&mut *self.reader().await?, revision).await)
    }
}

async fn note(connection: &mut AnyConnection, new: &NewRevision) -> sqlx::Result<bool> {
    let last = "SELECT revision FROM revisions ORDER BY id DESC LIMIT 1";
    let last = sqlx::query(last).fetch_optional(&mut *connection).await?;
    if last.map(|row| row.try_get::<String, _>("revision")).transpose()?.as_ref() == Some(&new.revision) {
        return Ok(false);
    }
    let insert = "INSERT INTO revisions (revision, since, changed_by, origin, tests) VALUES ($1, $2, $3, $4, $5)";
    sqlx::query(insert)
        .bind(&new.revision)
        .bind(now())
        .bind(&new.changed_by)
        .bind(&new.origin)
        .bind(column(new.tests))
        .execute(&mut *connection)
        .await?;
    for (path, text) in &new.content.files {
        let sha256 = Hasher::digest(text.as_bytes()).to_vec();
        let insert = "INSERT INTO rule_texts (sha256, text) VALUES ($1, $2) ON CONFLICT (sha256) DO NOTHING";
        sqlx::query(insert).bind(sha256.clone()).bind(text).execute(&mut *connection).await?;
        let insert = "INSERT INTO revision_files (revision, path, sha256) VALUES ($1, $2, $3) \
                      ON CONFLICT (revision, path) DO NOTHING";
        sqlx::query(insert).bind(&new.revision).bind(path).bind(sha256).execute(&mut *connection).await?;
    }
    for (plugin, sha256) in &new.content.plugins {
        let insert = "INSERT INTO revision_plugins (revision, plugin, sha256) VALUES ($1, $2, $3) \
                      ON CONFLICT (revision, plugin) DO NOTHING";
        sqlx::query(insert).bind(&new.revision).bind(plugin).bind(sha256).execute(&mut *connection).await?;
    }
    forget(connection).await?;
    Ok(true)
}

/// Removes what is beyond [`REVISIONS_MAX`].
async fn forget(connection: &mut AnyConnection) -> sqlx::Result<()> {
    let old = "DELETE FROM revisions WHERE id <= (SELECT MAX(id) FROM revisions) - $1";
    if sqlx::query(old).bind(i64::from(REVISIONS_MAX)).execute(&mut *connection).await?.rows_affected() == 0 {
        return Ok(());
    }
    for unused in [
        "DELETE FROM revision_files WHERE revision NOT IN (SELECT revision FROM revisions)",
        "DELETE FROM revision_plugins WHERE revision NOT IN (SELECT revision FROM revisions)",
        "DELETE FROM rule_texts WHERE sha256 NOT IN (SELECT sha256 FROM revision_files)",
    ] {
        sqlx::query(unused).execute(&mut *connection).await?;
    }
    Ok(())
}

async fn list(connection: &mut AnyConnection) -> sqlx::Result<Vec<RevisionRow>> {
    let rows = sqlx::query("SELECT * FROM revisions ORDER BY id DESC").fetch_all(connection).await?;
    let row = |row: &AnyRow| -> sqlx::Result<RevisionRow> {
        Ok(RevisionRow {
            revision: row.try_get("revision")?,
            since: rows::timestamp(row, "since")?,
            changed_by: row.try_get("changed_by")?,
            origin: row.try_get("origin")?,
            tests: rows::count(row, "tests")?,
        })
    };
    rows.iter().map(row).collect()
}

async fn content(connection: &mut AnyConnection, revision: &str) -> sqlx::Result<Option<RevisionContent>> {
    let pairs = |rows: &[AnyRow], key: &str, value: &str| -> sqlx::Result<Vec<(String, String)>> {
        rows.iter().map(|row| Ok((row.try_get(key)?, row.try_get(value)?))).collect()
    };
    let files =
        "SELECT path, text FROM revision_files JOIN rule_texts USING (sha256) WHERE revision = $1 ORDER BY path";
    let files = sqlx::query(files).bind(revision).fetch_all(&mut *connection).await?;
    let plugins = "SELECT plugin, sha256 FROM revision_plugins WHERE revision = $1 ORDER BY plugin";
    let plugins = sqlx::query(plugins).bind(revision).fetch_all(connection).await?;
    let content =
        RevisionContent { files: pairs(&files, "path", "text")?, plugins: pairs(&plugins, "plugin", "sha256")? };
    Ok((!content.files.is_empty()).then_some(content))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn revision(name: &str, text: &str) -> NewRevision {
        let files = vec![("a.toml".to_owned(), "same".to_owned()), ("b/c.toml".to_owned(), text.to_owned())];
        let content = RevisionContent { files, plugins: vec![("p".to_owned(), "00".to_owned())] };
        let (changed_by, origin) = ("ann".to_owned(), "rules".to_owned());
        NewRevision { revision: name.to_owned(), changed_by, origin, tests: 3, content }
    }

    #[tokio::test]
    async fn each_time_of_coming_into_force_is_kept() {
        let store = Store::in_memory().await.unwrap();
        assert!(store.note_revision(&revision("one", "1")).await.unwrap());
        assert!(!store.note_revision(&revision("one", "1")).await.unwrap(), "a restart is no news");
        assert!(store.note_revision(&revision("two", "2")).await.unwrap());
        assert!(store.note_revision(&revision("one", "1")).await.unwrap(), "back again");
        let list: Vec<_> = store.revisions().await.unwrap().into_iter().map(|row| row.revision).collect();
        assert_eq!(list, ["one", "two", "one"]);
        assert_eq!(store.revision("two").await.unwrap(), Some(revision("two", "2").content));
        assert_eq!(store.revision("three").await.unwrap(), None);
    }

    #[tokio::test]
    async fn the_oldest_are_forgotten() {
        let store = Store::in_memory().await.unwrap();
        for number in 0..=REVISIONS_MAX {
            store.note_revision(&revision(&format!("r{number}"), &number.to_string())).await.unwrap();
        }
        assert_eq!(store.revisions().await.unwrap().len(), REVISIONS_MAX as usize);
        assert_eq!(store.revision("r0").await.unwrap(), None);
        assert!(store.revision("r1").await.unwrap().is_some());
        let texts = sqlx::query("SELECT COUNT(*) AS texts FROM rule_texts");
        let texts: i64 = texts.fetch_one(&mut *store.reader().await.unwrap()).await.unwrap().try_get("texts").unwrap();
        assert_eq!(texts, i64::from(REVISIONS_MAX) + 1, "what none has is gone");
    }
}
