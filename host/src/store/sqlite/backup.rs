//! A copy of the database before its schema changes: whoever wants the mailmill of before back, has what it can read.

use super::{explain, newest, version};
use crate::store::Error;
use sqlx::{AnyConnection, Row};
use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Copies the file to `NAME.before-NNNN` beside it, for its owner alone, if it is about to get the schema NNNN. Such a copy that is
/// there already is replaced: it is of the same schema, and older.
pub(super) async fn before_migrating(connection: &mut AnyConnection, path: &Path, place: &str) -> Result<(), Error> {
    let explained = |error: sqlx::Error| explain(place, &error);
    let tables = "SELECT COUNT(*) AS tables FROM sqlite_schema WHERE name = '_sqlx_migrations'";
    let row = sqlx::query(tables).fetch_one(&mut *connection).await.map_err(explained)?;
    if row.try_get::<i64, _>("tables").map_err(explained)? == 0 {
        return Ok(());
    }
    let found = version(&mut *connection, place).await?;
    // What a newer mailmill wrote is refused further on, and left as it is.
    if found == 0 || found >= newest() {
        return Ok(());
    }
    let copy = beside(path, &format!(".before-{:04}", newest()));
    let unfinished = beside(&copy, ".new");
    let failed = |error: io::Error| Error::Backup { place: copy.display().to_string(), detail: error.to_string() };
    make_empty(&unfinished).map_err(failed)?;
    let name = unfinished.to_str().ok_or_else(|| failed(io::Error::other("its path is no UTF-8")))?;
    let copied = sqlx::query("VACUUM INTO $1").bind(name).execute(&mut *connection).await;
    copied.map_err(|error| failed(io::Error::other(error)))?;
    std::fs::File::open(&unfinished).and_then(|file| file.sync_all()).map_err(failed)?;
    std::fs::rename(&unfinished, &copy).map_err(failed)?;
    tracing::info!(copy = %copy.display(), found, "the database gets a new schema; a copy of it as it was is kept");
    Ok(())
}

/// SQLite takes an empty file for a new one, and leaves its mode as it is.
fn make_empty(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map(drop)
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}
