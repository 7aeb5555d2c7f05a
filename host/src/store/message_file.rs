//! The bytes of messages: one after the other in a file beside the database, whose rows say where each lies
//! (`docs/decisions/0033-messages-in-a-file.md`).
//!
//! The file only grows. What is added is on the disk before the transaction that names it is committed, so that a row never names bytes that
//! are not there; bytes that no row names, because the process ended in between, are never read and stay. A file that is copied after the
//! database has all that the copy of the database names.

use super::{Error, Sha256};
use crate::content::{Content, Spool};
use crate::message::Enclosure;
use std::fs::{File, OpenOptions};
use std::io;
use std::ops::Range;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::task::{JoinHandle, spawn_blocking};

/// What the name of the database gets at its end.
const ENDING: &str = "-messages";
/// How much is read at a time.
const PIECE_BYTES: usize = 512 << 10;

/// Where the file is, and what may be done with it.
#[derive(Debug)]
enum Kind {
    /// It is made when the first message comes.
    Written(PathBuf),
    Read(PathBuf),
    /// It has no name, and is gone with the store.
    Temporary,
}

/// A handle on the file; clones share it.
#[derive(Debug, Clone)]
pub(super) struct MessageFile {
    kind: Arc<Kind>,
    opened: Arc<OnceLock<Arc<File>>>,
    /// Held by who adds to it, until that is on the disk.
    appending: Arc<Mutex<()>>,
    spool: Spool,
    /// The database, as errors name it.
    database: Arc<str>,
}

/// Messages that are being added.
#[must_use = "they are on the disk once it has finished"]
pub(super) struct Appending {
    /// Where each begins, in order.
    pub(super) places: Vec<u64>,
    task: JoinHandle<Result<Appended, Error>>,
}

/// Messages that were added.
pub(super) struct Appended {
    file: Arc<File>,
    before: u64,
    _alone: OwnedMutexGuard<()>,
}

impl MessageFile {
    /// The file of a database that is written.
    pub(super) fn to_write(database: &Path, spool: Spool, place: &Arc<str>) -> Self {
        Self::new(Kind::Written(beside(database)), spool, place)
    }

    /// The file of a database that is only read.
    pub(super) fn to_read(database: &Path, spool: Spool, place: &Arc<str>) -> Self {
        Self::new(Kind::Read(beside(database)), spool, place)
    }

    /// A file for a database in memory.
    pub(super) fn temporary(place: &Arc<str>) -> Self {
        Self::new(Kind::Temporary, Spool::new(&std::env::temp_dir()), place)
    }

    fn new(kind: Kind, spool: Spool, database: &Arc<str>) -> Self {
        let database = Arc::clone(database);
        Self { kind: Arc::new(kind), opened: Arc::default(), appending: Arc::default(), spool, database }
    }

    /// Where contents are kept that are read from it.
    pub(super) fn spool(&self) -> &Spool {
        &self.spool
    }

    /// Whether it has the bytes up to this place, as the database says.
    pub(super) fn check(&self, end: u64) -> Result<(), Error> {
        let found = match &*self.kind {
            Kind::Written(path) | Kind::Read(path) => match std::fs::metadata(path) {
                Ok(file) => file.len(),
                Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
                Err(error) => return Err(self.failed(&error)),
            },
            Kind::Temporary => return Ok(()),
        };
        if found >= end { Ok(()) } else { Err(Error::MessagesShort { place: self.place(), found, expected: end }) }
    }

    /// Adds messages at the end. They are written, and made certain, while the caller goes on.
    pub(super) async fn append(&self, messages: Vec<Content>) -> Result<Appending, Error> {
        let alone = Arc::clone(&self.appending).lock_owned().await;
        let file = self.file()?;
        let before = file.metadata().map_err(|error| self.failed(&error))?.len();
        let mut end = before;
        let mut places = Vec::with_capacity(messages.len());
        for message in &messages {
            places.push(end);
            end = end.saturating_add(message.len());
        }
        let itself = self.clone();
        let task = spawn_blocking(move || {
            let appended = Appended { file, before, _alone: alone };
            match itself.write(&appended, &messages) {
                Ok(()) => Ok(appended),
                Err(error) => {
                    appended.take_back();
                    Err(error)
                }
            }
        });
        Ok(Appending { places, task })
    }

    fn write(&self, to: &Appended, messages: &[Content]) -> Result<(), Error> {
        let mut at = to.before;
        for message in messages {
            for piece in message.pieces_of(PIECE_BYTES) {
                let piece = piece?;
                to.file.write_all_at(&piece, at).map_err(|error| self.failed(&error))?;
                at = at.saturating_add(u64::try_from(piece.len()).unwrap_or(u64::MAX));
            }
        }
        to.file.sync_data().map_err(|error| self.failed(&error))
    }

    /// The message that lies there, if it is what it was.
    pub(super) async fn message(&self, range: Range<u64>, sha256: Sha256) -> Result<Content, Error> {
        self.blocking(move |file| {
            let mut writer = file.spool.writer(range.end.saturating_sub(range.start));
            file.pieces(range.clone(), |piece| Ok(writer.append(piece)?))?;
            let content = writer.finish()?;
            if content.sha256()? == sha256.0 {
                return Ok(content);
            }
            Err(file.damaged(format!("the message at byte {} is not what it was ({sha256})", range.start)))
        })
        .await
    }

    /// The content that lies in the message that is there, if it is what it was.
    pub(super) async fn enclosed(&self, message: Range<u64>, enclosure: Enclosure) -> Result<Content, Error> {
        self.blocking(move |file| {
            let Range { start, end } = enclosure.range;
            let (mut opening, mut writer) = (enclosure.opening(start), file.spool.writer(enclosure.size));
            let within = |place: u64| message.start.saturating_add(place).min(message.end);
            let range = within(start)..within(end);
            file.pieces(range, |piece| opening.take(piece, &mut writer).map_err(|error| file.not_opened(error)))?;
            opening.finish(writer).map_err(|error| file.not_opened(error))
        })
        .await
    }

    fn pieces(&self, range: Range<u64>, mut take: impl FnMut(&[u8]) -> Result<(), Error>) -> Result<(), Error> {
        let file = self.file()?;
        let mut buffer = Vec::new();
        let mut at = range.start;
        while at < range.end {
            let length = usize::try_from(range.end - at).unwrap_or(usize::MAX).min(PIECE_BYTES);
            buffer.resize(length, 0);
            file.read_exact_at(&mut buffer, at).map_err(|error| match error.kind() {
                io::ErrorKind::UnexpectedEof => {
                    self.damaged(format!("it ends before byte {}, where a message does", range.end))
                }
                _ => self.failed(&error),
            })?;
            take(&buffer)?;
            at += u64::try_from(length).unwrap_or(u64::MAX);
        }
        Ok(())
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let itself = self.clone();
        spawn_blocking(move || work(&itself)).await.map_err(gone)?
    }

    fn file(&self) -> Result<Arc<File>, Error> {
        if let Some(file) = self.opened.get() {
            return Ok(Arc::clone(file));
        }
        let file = match &*self.kind {
            Kind::Written(path) => make(path),
            Kind::Read(path) => File::open(path),
            Kind::Temporary => tempfile::tempfile(),
        };
        let file = Arc::new(file.map_err(|error| self.failed(&error))?);
        // Another may have opened it meanwhile.
        Ok(Arc::clone(self.opened.get_or_init(|| file)))
    }

    fn place(&self) -> String {
        match &*self.kind {
            Kind::Written(path) | Kind::Read(path) => path.display().to_string(),
            Kind::Temporary => "the messages in a temporary file".to_owned(),
        }
    }

    fn failed(&self, error: &io::Error) -> Error {
        match error.kind() {
            // They share the disk.
            io::ErrorKind::StorageFull => Error::DiskFull { place: self.database.to_string() },
            io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied
                if matches!(&*self.kind, Kind::Written(_)) =>
            {
                Error::ReadOnly { place: self.place() }
            }
            _ => Error::Io { place: self.place(), detail: error.to_string() },
        }
    }

    fn damaged(&self, detail: String) -> Error {
        Error::MessagesDamaged { place: self.place(), detail }
    }

    fn not_opened(&self, error: crate::message::enclosure::OpenError) -> Error {
        use crate::content;
        use crate::message::enclosure::OpenError;
        match error {
            OpenError::Content(content::Error::TooLong(_)) => {
                self.damaged("an attachment is longer than it was".to_owned())
            }
            OpenError::Content(error) => error.into(),
            OpenError::Damaged(cause) => self.damaged(cause),
        }
    }
}

impl Appending {
    /// Waits until they are on the disk.
    pub(super) async fn finish(self) -> Result<Appended, Error> {
        self.task.await.map_err(gone)?
    }
}

impl Appended {
    /// Removes them again, for a transaction that is rolled back.
    pub(super) fn take_back(self) {
        // If that fails, they stay as bytes that no row names.
        drop(self.file.set_len(self.before));
    }
}

/// Opens the file and makes it, for its owner alone, if there is none: so that it is there after a power cut too.
fn make(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
    if let Some(folder) = path.parent() {
        File::open(folder)?.sync_all()?;
    }
    Ok(file)
}

/// Links are followed, as SQLite does for the files that it keeps beside a database.
fn beside(database: &Path) -> PathBuf {
    let real = std::fs::canonicalize(database).unwrap_or_else(|_| database.to_owned());
    let mut name = real.into_os_string();
    name.push(ENDING);
    name.into()
}

fn gone(error: tokio::task::JoinError) -> Error {
    Error::Bug(format!("work on the file of messages ended early: {error}"))
}
