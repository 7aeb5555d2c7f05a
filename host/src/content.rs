//! Contents: bytes of any length. Few are in memory, many in a file without a name, so that no message fills the
//! memory.
//!
//! The files lie in a [`Spool`] and have no name in it: whatever becomes of the process, the system removes them.

use crate::class::Class;
use aws_lc_rs::digest::{Context, SHA256, SHA256_OUTPUT_LEN};
use std::borrow::Cow;
use std::fmt;
use std::fs::File;
use std::io::{self, Read, Write as _};
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

/// The most bytes that a content holds in memory, unless its spool says otherwise.
pub const MEMORY_BYTES_MAX: u64 = 1 << 20;
/// How much is read from a file at a time.
const READ_BYTES: usize = 64 << 10;

/// Why bytes could not be kept or read back.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The disk is full, or the folder cannot be used.
    #[error("cannot {action} a temporary file in {}: {cause}; nothing is lost: make room there, or let mailmill write there", folder.display())]
    Spool {
        /// What was tried.
        action: &'static str,
        /// Where.
        folder: PathBuf,
        /// What the system says.
        cause: String,
    },
    /// There are more bytes than allowed.
    #[error("there are more than {0} bytes")]
    TooLong(u64),
}

impl Error {
    /// How the error is to be answered.
    #[must_use]
    pub fn class(&self) -> Class {
        match self {
            Self::Spool { .. } => Class::Transient,
            Self::TooLong(_) => Class::Permanent,
        }
    }
}

/// The folder where contents that are too long for the memory are kept. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spool {
    folder: Arc<Path>,
    memory_bytes_max: u64,
}

impl Spool {
    /// A spool in this folder, which should be on a disk: the system's folder for temporary files often is in memory.
    #[must_use]
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.into(), memory_bytes_max: MEMORY_BYTES_MAX }
    }

    /// The spool of a database: the folder that it is in.
    #[must_use]
    pub fn beside(database: &Path) -> Self {
        let folder = database.parent().filter(|folder| !folder.as_os_str().is_empty());
        Self::new(folder.unwrap_or(Path::new(".")))
    }

    /// The same, for contents that are longer than this; shorter ones are in memory.
    #[must_use]
    pub fn for_longer_than(self, memory_bytes_max: u64) -> Self {
        Self { memory_bytes_max, ..self }
    }

    /// The most bytes of a content in memory.
    #[must_use]
    pub fn memory_bytes_max(&self) -> u64 {
        self.memory_bytes_max
    }

    /// A writer that takes up to `bytes_max` bytes.
    #[must_use]
    pub fn writer(&self, bytes_max: u64) -> Writer {
        Writer { spool: self.clone(), bytes_max, written: 0, buffer: Vec::new(), file: None }
    }

    /// Everything that a reader gives, up to `bytes_max` bytes.
    ///
    /// # Errors
    /// As of [`Writer::append`]; the reader's own error is the inner result.
    pub fn read_all(&self, mut from: impl Read, bytes_max: u64) -> Result<io::Result<Content>, Error> {
        let mut writer = self.writer(bytes_max);
        let mut buffer = vec![0; READ_BYTES];
        loop {
            match from.read(&mut buffer) {
                Ok(0) => return writer.finish().map(Ok),
                Ok(read) => writer.append(buffer.get(..read).unwrap_or_default())?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Ok(Err(error)),
            }
        }
    }

    fn failed(&self, action: &'static str, error: &io::Error) -> Error {
        Error::Spool { action, folder: self.folder.to_path_buf(), cause: error.to_string() }
    }
}

/// Takes bytes as they arrive and makes a [`Content`] of them.
#[derive(Debug)]
pub struct Writer {
    spool: Spool,
    bytes_max: u64,
    written: u64,
    buffer: Vec<u8>,
    file: Option<File>,
}

impl Writer {
    /// Adds bytes at the end. The disk is waited for only if the system's own cache is full.
    ///
    /// # Errors
    /// If there are too many, or the spool cannot be written; then the writer is of no further use.
    pub fn append(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.written = self.written.saturating_add(length(bytes));
        if self.written > self.bytes_max {
            return Err(Error::TooLong(self.bytes_max));
        }
        let memory_bytes_max = self.spool.memory_bytes_max;
        if self.written <= memory_bytes_max {
            // What is announced and stays in memory is put there once.
            if self.buffer.capacity() == 0 && self.bytes_max <= memory_bytes_max {
                self.buffer.reserve_exact(usize::try_from(self.bytes_max).unwrap_or_default());
            }
            self.buffer.extend_from_slice(bytes);
            return Ok(());
        }
        let spool = &self.spool;
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(tempfile::tempfile_in(&spool.folder).map_err(|error| spool.failed("make", &error))?),
        };
        let before = std::mem::take(&mut self.buffer);
        file.write_all(&before).and_then(|()| file.write_all(bytes)).map_err(|error| spool.failed("write", &error))
    }

    /// How many bytes it has taken.
    #[must_use]
    pub fn written(&self) -> u64 {
        self.written
    }

    /// What was taken.
    ///
    /// # Errors
    /// None at present; a caller must be ready for those of [`Self::append`].
    pub fn finish(self) -> Result<Content, Error> {
        let Self { spool, written, buffer, file, .. } = self;
        Ok(match file {
            None => {
                let mut buffer = buffer;
                buffer.shrink_to_fit();
                buffer.into()
            }
            Some(file) => Content::new(Source::File(Arc::new(Spooled { file, spool })), 0, written),
        })
    }
}

/// Bytes that stay as they are. Clones share them.
#[derive(Clone)]
pub struct Content {
    source: Source,
    start: u64,
    length: u64,
    sha256: Arc<OnceLock<[u8; 32]>>,
}

#[derive(Clone)]
enum Source {
    Memory(Arc<Vec<u8>>),
    File(Arc<Spooled>),
}

struct Spooled {
    file: File,
    spool: Spool,
}

impl Content {
    fn new(source: Source, start: u64, length: u64) -> Self {
        Self { source, start, length, sha256: Arc::default() }
    }

    /// How many bytes there are.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.length
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// The bytes, if they are in memory. All contents of up to [`Spool::memory_bytes_max`] bytes are, unless they are a
    /// part of a longer one.
    #[must_use]
    pub fn in_memory(&self) -> Option<&[u8]> {
        match &self.source {
            Source::Memory(bytes) => {
                let start = usize::try_from(self.start).ok()?;
                bytes.get(start..start.checked_add(usize::try_from(self.length).ok()?)?)
            }
            Source::File(_) => None,
        }
    }

    /// The bytes in a range, without a copy. What is beyond the end is left out.
    #[must_use]
    pub fn slice(&self, range: Range<u64>) -> Self {
        let start = range.start.min(self.length);
        let end = range.end.clamp(start, self.length);
        Self::new(self.source.clone(), self.start + start, end - start)
    }

    /// The bytes from `offset` on, at most `bytes_max`; fewer only at the end. A borrow if they are in memory.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn read(&self, offset: u64, bytes_max: usize) -> Result<Cow<'_, [u8]>, Error> {
        let end = offset.saturating_add(u64::try_from(bytes_max).unwrap_or(u64::MAX));
        let part = self.slice(offset..end);
        let (Ok(start), Ok(length)) = (usize::try_from(part.start), usize::try_from(part.length)) else {
            return Err(Error::TooLong(part.length));
        };
        match &self.source {
            Source::Memory(bytes) => Ok(Cow::Borrowed(bytes.get(start..start + length).unwrap_or_default())),
            Source::File(spooled) => {
                let mut buffer = vec![0; length];
                let read = spooled.file.read_exact_at(&mut buffer, part.start);
                read.map_err(|error| spooled.spool.failed("read", &error))?;
                Ok(Cow::Owned(buffer))
            }
        }
    }

    /// All bytes, one piece after the other.
    pub fn pieces(&self) -> impl Iterator<Item = Result<Cow<'_, [u8]>, Error>> {
        self.pieces_of(READ_BYTES)
    }

    /// All bytes in pieces of `bytes` each; the last one may be shorter.
    pub fn pieces_of(&self, bytes: usize) -> impl Iterator<Item = Result<Cow<'_, [u8]>, Error>> {
        let step = bytes.max(1);
        (0..self.length).step_by(step).map(move |offset| self.read(offset, step))
    }

    /// All bytes in memory.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn to_vec(&self) -> Result<Vec<u8>, Error> {
        self.read(0, usize::MAX).map(Cow::into_owned)
    }

    /// A reader of all bytes.
    #[must_use]
    pub fn reader(&self) -> Reader {
        Reader { content: self.clone(), at: 0 }
    }

    /// The SHA-256 of the bytes; it is worked out once for all clones.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn sha256(&self) -> Result<[u8; 32], Error> {
        if let Some(known) = self.sha256.get() {
            return Ok(*known);
        }
        let mut context = Context::new(&SHA256);
        for piece in self.pieces() {
            context.update(&piece?);
        }
        Ok(*self.sha256.get_or_init(|| digest(context)))
    }
}

impl From<Vec<u8>> for Content {
    fn from(bytes: Vec<u8>) -> Self {
        let length = length(&bytes);
        Self::new(Source::Memory(Arc::new(bytes)), 0, length)
    }
}

impl From<&[u8]> for Content {
    fn from(bytes: &[u8]) -> Self {
        Self::from(bytes.to_vec())
    }
}

impl From<Arc<[u8]>> for Content {
    fn from(bytes: Arc<[u8]>) -> Self {
        Self::from(bytes.to_vec())
    }
}

/// Mail has no place in a log: only the length shows.
impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = if self.in_memory().is_none() { "in a file" } else { "in memory" };
        write!(f, "Content({} bytes {place})", self.length)
    }
}

/// Reads a content from its beginning.
#[derive(Debug)]
pub struct Reader {
    content: Content,
    at: u64,
}

impl Read for Reader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let piece = self.content.read(self.at, buffer.len()).map_err(io::Error::other)?;
        if let Some(place) = buffer.get_mut(..piece.len()) {
            place.copy_from_slice(&piece);
        }
        self.at += length(&piece);
        Ok(piece.len())
    }
}

/// What a SHA-256 comes to. It is the one of TLS: all mail goes through it.
pub(crate) fn digest(context: Context) -> [u8; SHA256_OUTPUT_LEN] {
    let mut sha256 = [0; SHA256_OUTPUT_LEN];
    // It is as long as that.
    sha256.iter_mut().zip(context.finish().as_ref()).for_each(|(to, from)| *to = *from);
    sha256
}

fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use sha2::Digest as _;

    fn numbered(length: usize) -> Vec<u8> {
        (0..length).map(|at| (at % 251) as u8).collect()
    }

    fn check(length: usize, step: usize, in_file: bool) {
        let folder = tempfile::tempdir().unwrap();
        let expect = numbered(length);
        let mut writer = Spool::new(folder.path()).writer(length as u64);
        expect.chunks(step).for_each(|chunk| writer.append(chunk).unwrap());
        let content = writer.finish().unwrap();
        let what = format!("{length} bytes in steps of {step}");
        assert_eq!((content.len(), content.in_memory().is_none()), (length as u64, in_file), "{what}");
        assert_eq!(content.to_vec().unwrap(), expect, "{what}");
        let mut read = Vec::new();
        content.reader().read_to_end(&mut read).unwrap();
        assert_eq!(read, expect, "{what}");
        assert_eq!(content.sha256().unwrap(), <[u8; 32]>::from(sha2::Sha256::digest(&expect)), "{what}");
        let pieces: Vec<u8> = content.pieces_of(1000).flat_map(|piece| piece.unwrap().into_owned()).collect();
        assert_eq!(pieces, expect, "{what}");
        let (from, to) = (length / 3, length / 2);
        let slice = content.slice(from as u64..to as u64);
        assert_eq!(slice.to_vec().unwrap(), expect[from..to], "{what}");
        assert_eq!(slice.slice(5..7).to_vec().unwrap(), expect[from..to][5.min(to - from)..7.min(to - from)], "{what}");
        assert!(content.slice(length as u64..u64::MAX).is_empty(), "{what}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "a file has a name: {what}");
    }

    #[test]
    fn contents_are_what_was_written() {
        let limit = MEMORY_BYTES_MAX as usize;
        check(0, 1, false);
        check(20, 3, false);
        check(limit, limit, false);
        check(limit + 1, limit + 1, true);
        check(limit + 1, 4096, true);
        check(3 * limit + 17, 100_000, true);
    }

    #[test]
    fn what_is_long_is_a_setting() {
        let in_memory = |length: usize| {
            let mut writer = Spool::new(&std::env::temp_dir()).for_longer_than(10).writer(u64::MAX);
            writer.append(&numbered(length)).unwrap();
            writer.finish().unwrap().in_memory().is_some()
        };
        assert_eq!((in_memory(10), in_memory(11)), (true, false));
    }

    #[test]
    fn too_many_bytes_are_refused() {
        let mut writer = Spool::new(Path::new("/nowhere")).writer(3);
        writer.append(b"abc").unwrap();
        let error = writer.append(b"d").unwrap_err();
        assert_eq!((error.to_string().as_str(), error.class()), ("there are more than 3 bytes", Class::Permanent));
    }

    #[test]
    fn a_spool_that_cannot_be_written_is_named() {
        let mut writer = Spool::beside(Path::new("/nowhere/mailmill.db")).writer(u64::MAX);
        let error = writer.append(&numbered(MEMORY_BYTES_MAX as usize + 1)).unwrap_err();
        assert_eq!(error.class(), Class::Transient);
        assert_eq!(
            error.to_string(),
            "cannot make a temporary file in /nowhere: No such file or directory (os error 2); nothing is \
             lost: make room there, or let mailmill write there"
        );
    }

    #[test]
    fn what_a_reader_gives_is_kept() {
        let spool = Spool::new(&std::env::temp_dir());
        let content = spool.read_all(&b"abc"[..], 3).unwrap().unwrap();
        assert_eq!(content.in_memory(), Some(&b"abc"[..]));
        assert_eq!(spool.read_all(&b"abcd"[..], 3).unwrap_err(), Error::TooLong(3));
    }
}
