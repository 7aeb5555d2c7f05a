//! The lease on a database: only one process at a time fetches mail into it and sends what its outbox holds.
//!
//! It is a lock of the operating system on a file beside the database, so it ends with the process that holds it, however that
//! ends. What the file says is for people alone. Commands that read or ask for something need no lease.

use super::Error;
use jiff::Timestamp;
use std::fmt;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What the name of the file beside the database ends with.
const SUFFIX: &str = ".lock";
/// How often the file is read until it says who holds the lease, and how long to wait in between: the holder writes it a
/// moment after it has taken the lock.
const READS_MAX: u32 = 10;
const READ_AGAIN: Duration = Duration::from_millis(10);
/// The most bytes of the file that are read.
const TEXT_BYTES_MAX: u64 = 1024;

/// The right to run on a database; it ends when this value is dropped.
#[derive(Debug)]
pub struct Lease {
    file: File,
}

/// Who holds a lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// The number of the process.
    pub pid: u32,
    /// The name of its host.
    pub host: String,
    /// When it took the lease.
    pub since: Timestamp,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process {} on host {}, since {}", self.pid, self.host, self.since)
    }
}

impl Lease {
    /// Takes the lease on the database at `path`, which need not be there yet.
    ///
    /// # Errors
    /// [`Error::Held`], with the holder, if another process has it; or where the file beside the database cannot be written or
    /// locked.
    pub fn take(path: &Path) -> Result<Self, Error> {
        let place = path.display().to_string();
        let file = open(path).map_err(|error| explain(&place, &error))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(Error::Held { place, holder: holder(file) }),
            Err(TryLockError::Error(error)) => {
                let detail = format!("{} beside it cannot be locked: {error}", beside(path).display());
                return Err(Error::CannotOpen { place, detail });
            }
        }
        let lease = Self { file };
        if let Err(error) = lease.sign() {
            tracing::warn!(%error, "nobody can read who uses the database, but nobody else can run on it either");
        }
        Ok(lease)
    }

    fn sign(&self) -> io::Result<()> {
        let mut file = &self.file;
        file.set_len(0)?;
        file.rewind()?;
        let since = Timestamp::now().round(jiff::Unit::Second).unwrap_or_default();
        write!(file, "pid {}\nhost {}\nsince {since}\n", std::process::id(), host_name())
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        // The lock goes with the file's handle; a text that stays misleads only who reads it without asking for the lock.
        let _ = self.file.set_len(0);
    }
}

/// Opened for its owner alone, as the database is.
fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(beside(path))
}

/// The file of the lease: the same for every way to write the path of the database.
fn beside(path: &Path) -> PathBuf {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let in_parent = || Some(parent.canonicalize().ok()?.join(path.file_name()?));
    let path = path.canonicalize().ok().or_else(in_parent).unwrap_or_else(|| path.to_owned());
    let mut name = path.into_os_string();
    name.push(SUFFIX);
    name.into()
}

fn explain(place: &str, error: &io::Error) -> Error {
    let place = place.to_owned();
    match error.kind() {
        io::ErrorKind::StorageFull => Error::DiskFull { place },
        io::ErrorKind::ReadOnlyFilesystem => Error::ReadOnly { place },
        _ => Error::CannotOpen { place, detail: error.to_string() },
    }
}

fn holder(mut file: File) -> Option<Holder> {
    for _ in 0..READS_MAX {
        let mut text = String::new();
        file.rewind().ok()?;
        (&mut file).take(TEXT_BYTES_MAX).read_to_string(&mut text).ok()?;
        if let Some(holder) = parse(&text) {
            return Some(holder);
        }
        std::thread::sleep(READ_AGAIN);
    }
    None
}

fn parse(text: &str) -> Option<Holder> {
    let value = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    Some(Holder {
        pid: value("pid")?.parse().ok()?,
        host: value("host")?.to_owned(),
        since: value("since")?.parse().ok()?,
    })
}

/// The name of this machine, for people.
fn host_name() -> String {
    let known = ["/proc/sys/kernel/hostname", "/etc/hostname"];
    let name = known.into_iter().find_map(|path| std::fs::read_to_string(path).ok());
    let name = name.as_deref().map(str::trim).filter(|name| !name.is_empty());
    name.unwrap_or("without a name").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_has_one_lease_however_its_path_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mailmill.db");
        let lease = Lease::take(&path).unwrap();
        std::fs::write(&path, "").unwrap();
        let link = folder.path().join("link.db");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        for other in [path.clone(), folder.path().join("./mailmill.db"), link] {
            let Err(Error::Held { holder, .. }) = Lease::take(&other) else { panic!("{} is free", other.display()) };
            assert_eq!(holder.map(|it| (it.pid, it.host)), Some((std::process::id(), host_name())));
        }
        drop(lease);
        Lease::take(&path).unwrap();
    }

    #[test]
    fn a_lease_whose_holder_is_not_known_is_held_all_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mailmill.db");
        let lease = Lease::take(&path).unwrap();
        std::fs::write(beside(&path), "pid x\nhost y\n").unwrap();
        let error = Lease::take(&path).unwrap_err();
        assert!(matches!(error, Error::Held { holder: None, .. }), "{error}");
        drop(lease);
    }

    #[test]
    fn a_folder_that_is_not_there_is_told() {
        let error = Lease::take(Path::new("/nowhere/mailmill.db")).unwrap_err();
        assert!(matches!(error, Error::CannotOpen { .. }), "{error}");
    }
}
