//! What only SQLite knows: opening and checking a file, its settings, its migrations, its error codes.

mod backup;

use super::Error;
use crate::fault::{self, Point};
use futures::FutureExt;
use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::{AnyConnection, AnyPool, ConnectOptions, Connection, Row, SqlSafeStr};
use std::cmp::Ordering;
use std::io;
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

/// Takes the write lock at once: a transaction that starts by reading and then writes could be refused half way.
pub(super) const BEGIN: &str = "BEGIN IMMEDIATE";

/// The place of the next value of a statement with many. The `$1` of other statements, which PostgreSQL knows too, is a name for SQLite: each
/// costs it a walk over those before.
pub(super) const NEXT_PLACE: &str = "?";

/// Connections that read while one writes.
const READERS_MAX: u32 = 4;
/// How long a call waits for a connection before it gives up as locked.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(30);
/// The largest file that is checked for damage whenever it is opened; the check reads all of it.
const CHECKED_BYTES_MAX: u64 = 256 << 20;

/// What a connection is set to. `busy_timeout` is in milliseconds.
#[derive(Clone, Copy)]
struct Settings {
    /// What it cannot do without. It does not look at the file.
    needed: &'static str,
    /// What it can do without, and what the file remembers or is SQLite's own default.
    tuning: &'static str,
}

/// Pages of 16 KiB, where the file is new: most messages are some pages long, and each page costs. Full sync, which is the
/// default: a receipt that was returned survives a power cut. The cache (in KiB) keeps most pages of a batch from being
/// written twice; the log of changes goes into the database every 2048 pages (32 MiB), and a longer log is cut to that.
const WRITER: Settings = Settings {
    needed: "PRAGMA busy_timeout = 10000; PRAGMA foreign_keys = ON",
    tuning: "PRAGMA page_size = 16384; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -4096; \
             PRAGMA wal_autocheckpoint = 2048; PRAGMA journal_size_limit = 33554432",
};
const READER: Settings = Settings { needed: "PRAGMA busy_timeout = 10000; PRAGMA query_only = ON", tuning: "" };

/// The two pools over one database: one connection that writes, some that read.
pub(super) struct Pools {
    pub(super) writer: AnyPool,
    pub(super) readers: AnyPool,
}

/// Opens the database file, makes it if there is none, checks it and brings its schema up to date.
pub(super) async fn open(path: &Path, place: &str) -> Result<Pools, Error> {
    sqlx::any::install_default_drivers();
    let path = create(path, place)?;
    let options = connect_options(&path, "mode=rw").map_err(|error| explain(place, &error))?;
    let mut connection = options.connect().await.map_err(|error| explain(place, &error))?;
    prepare(&mut connection, &path, place).await?;
    connection.close().await.map_err(|error| explain(place, &error))?;
    let writer = pool(1, WRITER)
        // A transaction that SQLite ended by itself, such as on a full disk, leaves its connection out of step.
        .before_acquire(|connection, _| std::future::ready(Ok(!connection.is_in_transaction())).boxed())
        .connect_lazy_with(options.clone());
    let readers = pool(READERS_MAX, READER).connect_lazy_with(options);
    Ok(Pools { writer, readers })
}

/// Opens a database file to read it; nothing is made or changed. What would write fails.
pub(super) async fn open_to_read(path: &Path, place: &str) -> Result<Pools, Error> {
    sqlx::any::install_default_drivers();
    let cannot_open = |error: io::Error| Error::CannotOpen { place: place.to_owned(), detail: error.to_string() };
    let path = std::path::absolute(path).map_err(cannot_open)?;
    let opened = match connect_to_read(&path, "mode=ro", place).await {
        // SQLite cannot make its shared memory in a directory where this user may not write. While there is no log of
        // changes beside the file, nobody has it open, and it can be read as it stands.
        Err(Error::CannotOpen { .. } | Error::ReadOnly { .. }) if !log_of(&path).exists() => {
            connect_to_read(&path, "mode=ro&immutable=true", place).await
        }
        opened => opened,
    };
    let (options, mut connection) = opened?;
    check_schema(&mut connection, place).await?;
    connection.close().await.map_err(|error| explain(place, &error))?;
    let readers = pool(READERS_MAX, READER).connect_lazy_with(options);
    Ok(Pools { writer: readers.clone(), readers })
}

/// SQLite's log of changes, which lies beside the database file while it is in use.
fn log_of(path: &Path) -> std::path::PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push("-wal");
    name.into()
}

async fn connect_to_read(path: &Path, how: &str, place: &str) -> Result<(AnyConnectOptions, AnyConnection), Error> {
    let explained = |error: sqlx::Error| explain(place, &error);
    let options = connect_options(path, how).map_err(explained)?;
    let mut connection = options.connect().await.map_err(explained)?;
    check_owner(&mut connection, place).await?;
    Ok((options, connection))
}

/// Whether this program can read the schema of the file as it is.
async fn check_schema(connection: &mut AnyConnection, place: &str) -> Result<(), Error> {
    let explained = |error: sqlx::Error| explain(place, &error);
    let tables = "SELECT COUNT(*) AS tables FROM sqlite_schema";
    let tables: i64 = sqlx::query(tables)
        .fetch_one(&mut *connection)
        .await
        .and_then(|row| row.try_get("tables"))
        .map_err(explained)?;
    let found = if tables > 0 { version(connection, place).await? } else { 0 };
    let known = newest();
    match found.cmp(&known) {
        Ordering::Equal => Ok(()),
        Ordering::Less => Err(Error::OlderSchema { place: place.to_owned(), found, known }),
        Ordering::Greater => Err(Error::NewerSchema { place: place.to_owned(), found, known }),
    }
}

/// The schema that the file has.
async fn version(connection: &mut AnyConnection, place: &str) -> Result<i64, Error> {
    let select = "SELECT COALESCE(MAX(version), 0) AS version FROM _sqlx_migrations";
    let row = sqlx::query(select).fetch_one(connection).await;
    row.and_then(|row| row.try_get("version")).map_err(|error| explain(place, &error))
}

/// Opens a database in memory: a single connection, kept for as long as the store lives.
pub(super) async fn open_in_memory(place: &str) -> Result<Pools, Error> {
    sqlx::any::install_default_drivers();
    let options = AnyConnectOptions::from_str("sqlite::memory:").map_err(|error| explain(place, &error))?;
    let pool = pool(1, WRITER).idle_timeout(None).max_lifetime(None).connect_lazy_with(options);
    let mut connection = pool.acquire().await.map_err(|error| explain(place, &error))?;
    migrate(&mut connection, place).await?;
    drop(connection);
    Ok(Pools { writer: pool.clone(), readers: pool })
}

/// The absolute path of the file, made if there is none, for its owner alone: it will hold mail.
fn create(path: &Path, place: &str) -> Result<std::path::PathBuf, Error> {
    let cannot_open = |error: io::Error| Error::CannotOpen { place: place.to_owned(), detail: error.to_string() };
    let path = std::path::absolute(path).map_err(cannot_open)?;
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    // An existing file is never opened here: closing it would drop the locks that SQLite holds on it in this process.
    match options.open(&path) {
        Ok(_) => Ok(path),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(path),
        Err(error) if error.kind() == io::ErrorKind::StorageFull => Err(Error::DiskFull { place: place.to_owned() }),
        Err(error) => Err(cannot_open(error)),
    }
}

fn connect_options(path: &Path, how: &str) -> Result<AnyConnectOptions, sqlx::Error> {
    let mut url = "sqlite://".to_owned();
    for byte in path.as_os_str().as_encoded_bytes() {
        match char::from(*byte) {
            plain @ ('/' | '-' | '_' | '.' | 'a'..='z' | 'A'..='Z' | '0'..='9') => url.push(plain),
            _ => url.push_str(&format!("%{byte:02X}")),
        }
    }
    url.push('?');
    url.push_str(how);
    AnyConnectOptions::from_str(&url)
}

fn pool(connections_max: u32, settings: Settings) -> AnyPoolOptions {
    // A file does not go away as a server does: asking before each use whether it is there is half of a query's time.
    let options = AnyPoolOptions::new().max_connections(connections_max).test_before_acquire(false);
    options.acquire_timeout(ACQUIRE_TIMEOUT).after_connect(move |connection, _| {
        async move {
            sqlx::raw_sql(settings.needed).execute(&mut *connection).await?;
            // A full disk refuses this, and the pool would try again until its time is up. What the connection is wanted for is
            // refused at once, and says why.
            drop(sqlx::raw_sql(settings.tuning).execute(connection).await);
            Ok(())
        }
        .boxed()
    })
}

/// Checks first, writes after: a file that is not ours, or damaged, is left as it is.
async fn prepare(connection: &mut AnyConnection, path: &Path, place: &str) -> Result<(), Error> {
    check(connection, path, place).await?;
    for settings in [WRITER.needed, WRITER.tuning] {
        sqlx::raw_sql(settings).execute(&mut *connection).await.map_err(|error| explain(place, &error))?;
    }
    backup::before_migrating(connection, path, place).await?;
    migrate(connection, place).await
}

/// Whether the file is mailmill's, or still empty.
async fn check_owner(connection: &mut AnyConnection, place: &str) -> Result<(), Error> {
    let explained = |error: sqlx::Error| explain(place, &error);
    let tables = "SELECT COUNT(*) AS tables, COALESCE(SUM(name = '_sqlx_migrations'), 0) AS ours FROM sqlite_schema";
    let row = sqlx::query(tables).fetch_one(connection).await.map_err(explained)?;
    let tables: i64 = row.try_get("tables").map_err(explained)?;
    let ours: i64 = row.try_get("ours").map_err(explained)?;
    if tables > 0 && ours == 0 { Err(Error::Foreign { place: place.to_owned() }) } else { Ok(()) }
}

async fn check(connection: &mut AnyConnection, path: &Path, place: &str) -> Result<(), Error> {
    let explained = |error: sqlx::Error| explain(place, &error);
    check_owner(connection, place).await?;
    if std::fs::metadata(path).is_ok_and(|file| file.len() > CHECKED_BYTES_MAX) {
        return Ok(());
    }
    let row = sqlx::query("PRAGMA quick_check(1)").fetch_one(&mut *connection).await.map_err(explained)?;
    let detail: String = row.try_get(0).map_err(explained)?;
    if detail == "ok" { Ok(()) } else { Err(Error::Corrupted { place: place.to_owned(), detail: one_line(&detail) }) }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// All migrations, oldest first. Released ones never change: the database remembers their checksums.
pub(super) fn migrations() -> Vec<Migration> {
    let first = include_str!("../../migrations/sqlite/0001_ledger_and_tickets.sql");
    let second = include_str!("../../migrations/sqlite/0002_job_control.sql");
    let third = include_str!("../../migrations/sqlite/0003_mailboxes.sql");
    let fourth = include_str!("../../migrations/sqlite/0004_chunks.sql");
    let fifth = include_str!("../../migrations/sqlite/0005_enclosures.sql");
    let sixth = include_str!("../../migrations/sqlite/0006_outbox.sql");
    let seventh = include_str!("../../migrations/sqlite/0007_follow_ups_and_brakes.sql");
    let eighth = include_str!("../../migrations/sqlite/0008_desk.sql");
    let eleventh = include_str!("../../migrations/sqlite/0011_suspensions.sql");
    let thirteenth = include_str!("../../migrations/sqlite/0013_revisions.sql");
    let fourteenth = include_str!("../../migrations/sqlite/0014_shadow.sql");
    let fifteenth = include_str!("../../migrations/sqlite/0015_web.sql");
    let sixteenth = include_str!("../../migrations/sqlite/0016_suspended_by.sql");
    let seventeenth = include_str!("../../migrations/sqlite/0017_message_file.sql");
    let all = [
        (1, "ledger and tickets", first),
        (2, "job control", second),
        (3, "mailboxes", third),
        (4, "chunks", fourth),
        (5, "enclosures", fifth),
        (6, "outbox", sixth),
        (7, "follow-ups and brakes", seventh),
        (8, "desk", eighth),
        (11, "suspensions", eleventh),
        (13, "revisions", thirteenth),
        (14, "shadow", fourteenth),
        (15, "web admin", fifteenth),
        (16, "suspended by", sixteenth),
        (17, "message file", seventeenth),
    ];
    all.into_iter()
        .map(|(version, description, sql)| {
            Migration::new(version, description.into(), MigrationType::Simple, sql.into_sql_str(), false)
        })
        .collect()
}

/// The schema that this program writes.
pub(super) fn newest() -> i64 {
    migrations().iter().map(|migration| migration.version).max().unwrap_or_default()
}

/// Runs the missing migrations in one transaction, so that two programs that start at once do not meet half way.
async fn migrate(connection: &mut AnyConnection, place: &str) -> Result<(), Error> {
    let explained = |error: sqlx::Error| explain(place, &error);
    let known = newest();
    let mut transaction = connection.begin_with(BEGIN).await.map_err(explained)?;
    let run = Migrator::with_migrations(migrations()).run_direct(None, &mut *transaction, false).await;
    run.map_err(|error| match error {
        MigrateError::VersionMissing(found) => Error::NewerSchema { place: place.to_owned(), found, known },
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => explain(place, &error),
        other => Error::Bug(format!("the schema of {place} cannot be brought up to date: {other}")),
    })?;
    fault::pass(Point::StartMigrating);
    transaction.commit().await.map_err(explained)
}

/// Puts a database error into words. The numbers are SQLite's primary result codes (sqlite.org/rescode.html).
pub(super) fn explain(place: &str, error: &sqlx::Error) -> Error {
    let place = place.to_owned();
    let detail = match error {
        sqlx::Error::Database(error) => error.message().to_owned(),
        other => other.to_string(),
    };
    let code = match error {
        sqlx::Error::Database(error) => match error.code().and_then(|code| code.parse::<i32>().ok()) {
            // SQLITE_IOERR_SHMSIZE: there is no room for what all readers share.
            Some(4874) => Some(13),
            code => code.map(|code| code & 0xff),
        },
        sqlx::Error::PoolTimedOut => return Error::Locked { place },
        sqlx::Error::Io(error) => {
            let kept = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
            return kept.cloned().unwrap_or_else(|| Error::Io { place, detail: error.to_string() });
        }
        sqlx::Error::Decode(detail) => return Error::Corrupted { place, detail: detail.to_string() },
        sqlx::Error::ColumnDecode { source, .. } => return Error::Corrupted { place, detail: source.to_string() },
        _ => None,
    };
    match code {
        Some(5 | 6) => Error::Locked { place },
        Some(10) => Error::Io { place, detail },
        Some(13) => Error::DiskFull { place },
        Some(3 | 8) => Error::ReadOnly { place },
        Some(14) => Error::CannotOpen { place, detail },
        Some(11) => Error::Corrupted { place, detail },
        Some(26) => Error::NotADatabase { place },
        _ => Error::Bug(format!("{place}: {error}")),
    }
}
