//! Mail in a folder on this machine: a Maildir, or a folder of `.eml` files.

mod mark;

use super::error::Error;
use super::{Disposition, Fetched, HEADER_BYTES_MAX, Listed, MessageKey, Opened, RawMessage};
use crate::content::{self, Spool};
use crate::field::DateTime;
use crate::tame::tame;
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::{Notify, mpsc};

/// The mailbox in the keys of a folder's messages: the folder itself.
const MAILBOX: &str = ".";
/// How many characters of a content hash tell two files of one name apart.
const HASH_CHARS: usize = 16;

/// What kind of folder it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FolderKind {
    /// A Maildir: messages in `new` and `cur`, flags in the names.
    Maildir,
    /// A plain folder of `.eml` files.
    Eml,
}

/// A folder of mail on this machine.
#[derive(Debug, Clone)]
pub struct FolderAccount {
    /// Where it is.
    pub path: PathBuf,
    /// What kind it is.
    pub kind: FolderKind,
    /// How long an `.eml` file must be unchanged before it counts as whole. A Maildir needs no such time.
    pub settle: Duration,
    /// The most bytes of one message.
    pub message_bytes_max: u64,
    /// Whether a message of a Maildir that is to be deleted is removed, instead of being marked as deleted.
    pub purge: bool,
    /// Where long messages are kept.
    pub spool: Spool,
}

impl FolderAccount {
    pub(super) async fn open(&self) -> Result<Session, Error> {
        let account = self.clone();
        blocking(move || Session::open(account)).await
    }

    /// The directories that hold messages.
    fn directories(&self) -> Vec<PathBuf> {
        match self.kind {
            FolderKind::Maildir => vec![self.path.join("new"), self.path.join("cur")],
            FolderKind::Eml => vec![self.path.clone()],
        }
    }
}

/// A file that holds a message.
#[derive(Debug, Clone)]
struct File {
    path: PathBuf,
    size: u64,
    modified: SystemTime,
}

/// What a look at the folder found.
#[derive(Debug, Default)]
struct Found {
    files: BTreeMap<String, File>,
    /// Files that cannot be read, and why.
    unreadable: BTreeMap<PathBuf, String>,
    /// Some file is too young to be whole: look again soon.
    unsettled: bool,
}

/// What a file turned out to hold.
enum Content {
    Message(RawMessage),
    /// The file is gone, or holds another message by now.
    Gone,
    TooLarge(String),
    Unreadable(String),
}

/// An open folder.
#[derive(Debug)]
pub(super) struct Session {
    account: FolderAccount,
    found: Found,
    /// What is wrong with files of which this was not told yet.
    unreadable: Vec<String>,
    changed: Arc<Notify>,
    // Watches for as long as it lives.
    _watcher: RecommendedWatcher,
}

impl Session {
    fn open(account: FolderAccount) -> Result<Self, Error> {
        let changed = Arc::new(Notify::new());
        let (wake, kind) = (Arc::clone(&changed), account.kind);
        let failed = |path: &Path, cause: String| Error::Folder { path: path.to_owned(), action: "watch", cause };
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            if !event.is_ok_and(|event| is_noise(&event, kind)) {
                wake.notify_one();
            }
        })
        .map_err(|error| failed(&account.path, error.to_string()))?;
        for directory in account.directories() {
            std::fs::read_dir(&directory).map_err(|error| folder_error(&directory, "open", &error))?;
            watcher
                .watch(&directory, RecursiveMode::NonRecursive)
                .map_err(|error| failed(&directory, error.to_string()))?;
        }
        Ok(Self { account, found: Found::default(), unreadable: Vec::new(), changed, _watcher: watcher })
    }

    pub(super) fn path(&self) -> &Path {
        &self.account.path
    }

    pub(super) fn opened(&self) -> Vec<Opened> {
        let written = self.account.path.display().to_string();
        vec![Opened { mailbox: MAILBOX.into(), uid_validity: 0, written, messages: self.waiting() }]
    }

    pub(super) fn waiting(&self) -> u64 {
        u64::try_from(self.found.files.len()).unwrap_or(u64::MAX)
    }

    pub(super) fn is_current(&self, key: &MessageKey) -> bool {
        key.mailbox == MAILBOX && key.uid_validity == 0
    }

    pub(super) async fn list(&mut self) -> Result<Vec<Listed>, Error> {
        self.look().await?;
        if self.found.unsettled {
            // What was written a moment ago is most likely whole a moment later.
            tokio::time::sleep(self.account.settle).await;
            self.look().await?;
        }
        let listed = |(uid, file): (&String, &File)| Listed { key: key(uid), size: Some(file.size) };
        Ok(self.found.files.iter().map(listed).collect())
    }

    async fn look(&mut self) -> Result<(), Error> {
        let account = self.account.clone();
        let known = std::mem::take(&mut self.found.files);
        let told = std::mem::take(&mut self.found.unreadable);
        self.found = blocking(move || look(&account, &known)).await?;
        self.note_unreadable(&told);
        Ok(())
    }

    fn note_unreadable(&mut self, told: &BTreeMap<PathBuf, String>) {
        let fresh = self.found.unreadable.iter().filter(|(path, _)| !told.contains_key(*path));
        self.unreadable.extend(fresh.map(|(_, cause)| cause.clone()));
    }

    /// Files that were found to be unreadable since this was last asked, each told once.
    pub(super) fn take_unreadable(&mut self) -> Vec<String> {
        std::mem::take(&mut self.unreadable)
    }

    pub(super) async fn fetch(
        &mut self,
        keys: &[MessageKey],
        sink: &mpsc::Sender<RawMessage>,
    ) -> Result<Fetched, Error> {
        let mut fetched = Fetched::default();
        for key in keys {
            match self.read(key).await? {
                Content::Message(message) => {
                    sink.send(message).await.map_err(|_| Error::Stopped)?;
                    fetched.delivered += 1;
                }
                Content::Gone => fetched.vanished.push(key.clone()),
                Content::TooLarge(cause) => fetched.refused.push((key.clone(), cause)),
                Content::Unreadable(cause) => fetched.withheld.push((key.clone(), cause)),
            }
        }
        Ok(fetched)
    }

    async fn read(&mut self, key: &MessageKey) -> Result<Content, Error> {
        let Some(file) = self.find(key).await? else { return Ok(Content::Gone) };
        match self.read_file(key, file).await? {
            Content::Gone => {}
            content => return Ok(content),
        }
        // A mail client renames a Maildir message when its flags change: look once more.
        self.look().await?;
        match self.find(key).await? {
            Some(file) => self.read_file(key, file).await,
            None => Ok(Content::Gone),
        }
    }

    async fn read_file(&self, key: &MessageKey, file: File) -> Result<Content, Error> {
        let (key, kind, bytes_max) = (key.clone(), self.account.kind, self.account.message_bytes_max);
        let spool = self.account.spool.clone();
        blocking(move || {
            let opened = std::fs::File::open(&file.path);
            let bytes = match opened.map(|file| spool.read_all(file, bytes_max)) {
                Ok(Err(content::Error::TooLong(_))) => {
                    return Ok(Content::TooLarge(format!("the file is larger than {bytes_max} bytes")));
                }
                Ok(read) => read?,
                Err(error) => Err(error),
            };
            let content = match bytes {
                Ok(content) => content,
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Content::Gone),
                Err(error) => return Ok(Content::Unreadable(folder_error(&file.path, "read", &error).to_string())),
            };
            // The key of an .eml file names its content: other content is another message, for a later look.
            if kind == FolderKind::Eml && eml_uid(&file.path, &content.sha256()?) != key.uid {
                return Ok(Content::Gone);
            }
            Ok(Content::Message(RawMessage { key, received: received(file.modified), content }))
        })
        .await
    }

    async fn find(&mut self, key: &MessageKey) -> Result<Option<File>, Error> {
        if !self.is_current(key) {
            return Err(Error::ForeignKey { key: key.to_string() });
        }
        if !self.found.files.contains_key(&key.uid) {
            self.look().await?;
        }
        Ok(self.found.files.get(&key.uid).cloned())
    }

    /// The header of a message, or as much of it as is fetched at most.
    pub(super) async fn fetch_header(&mut self, key: &MessageKey) -> Result<Option<Arc<[u8]>>, Error> {
        let Some(file) = self.find(key).await? else { return Ok(None) };
        blocking(move || match read_file(&file.path, HEADER_BYTES_MAX) {
            Ok(bytes) => Ok(Some(header_of(&bytes).into())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(folder_error(&file.path, "read", &error)),
        })
        .await
    }

    pub(super) async fn mark(&mut self, marks: &[(MessageKey, Disposition)]) -> Result<(), Error> {
        if marks.iter().all(|(_, disposition)| disposition.is_nothing()) {
            return Ok(());
        }
        // Names may have changed since the listing.
        self.look().await?;
        for (key, disposition) in marks {
            if disposition.is_nothing() {
                continue;
            }
            let Some(file) = self.find(key).await? else { continue };
            let (account, disposition) = (self.account.clone(), disposition.clone());
            blocking(move || mark::mark(&account, &file.path, &disposition)).await?;
        }
        self.look().await
    }

    pub(super) async fn wait(&mut self, at_most: Duration) -> Result<(), Error> {
        let soon = if self.found.unsettled { self.account.settle.min(at_most) } else { at_most };
        // When the time is up, that is an answer as well.
        let _ = tokio::time::timeout(soon, self.changed.notified()).await;
        Ok(())
    }
}

/// Runs file work off the event loop's threads.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Error> + Send + 'static) -> Result<T, Error> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|_| Err(Error::Stopped))
}

fn folder_error(path: &Path, action: &'static str, error: &io::Error) -> Error {
    Error::Folder { path: path.to_owned(), action, cause: error.to_string() }
}

fn key(uid: &str) -> MessageKey {
    MessageKey { mailbox: MAILBOX.into(), uid_validity: 0, uid: uid.into() }
}

/// Finds the messages; `known` spares hashing a file that has not changed since.
fn look(account: &FolderAccount, known: &BTreeMap<String, File>) -> Result<Found, Error> {
    let known: BTreeMap<&Path, (&String, &File)> =
        known.iter().map(|(uid, file)| (file.path.as_path(), (uid, file))).collect();
    let mut found = Found::default();
    for directory in account.directories() {
        let entries = std::fs::read_dir(&directory).map_err(|error| folder_error(&directory, "read", &error))?;
        for entry in entries {
            let path = entry.map_err(|error| folder_error(&directory, "read", &error))?.path();
            let Some(file) = regular_file(&path)? else { continue };
            match account.kind {
                FolderKind::Maildir => {
                    if let Some(uid) = maildir_uid(&path) {
                        found.files.insert(uid, file);
                    }
                }
                FolderKind::Eml if !is_eml(&path) => {}
                FolderKind::Eml if !settled(&file, account.settle) => found.unsettled = true,
                FolderKind::Eml => match known.get(path.as_path()) {
                    Some((uid, old)) if old.size == file.size && old.modified == file.modified => {
                        found.files.insert((*uid).clone(), file);
                    }
                    _ => add_eml(&mut found, file),
                },
            }
        }
    }
    Ok(found)
}

/// A file of this folder itself: what a symbolic link leads to may be anything, and is not ours to read.
fn regular_file(path: &Path) -> Result<Option<File>, Error> {
    match std::fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_file() => {
            let modified = metadata.modified().map_err(|error| folder_error(path, "read", &error))?;
            Ok(Some(File { path: path.to_owned(), size: metadata.len(), modified }))
        }
        Ok(_) => Ok(None),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(folder_error(path, "read", &error)),
    }
}

/// A time in the future counts as long ago, or a wrong clock would keep a file back for ever.
fn settled(file: &File, settle: Duration) -> bool {
    file.modified.elapsed().map_or(true, |age| age >= settle)
}

/// One file that cannot be read must not hold up the others.
fn add_eml(found: &mut Found, file: File) {
    match eml_hash(&file.path) {
        Ok((hash, size)) if size == file.size => {
            found.files.insert(eml_uid(&file.path, &hash.finalize()), file);
        }
        Ok(_) => found.unsettled = true,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => {
            let cause = tame(&folder_error(&file.path, "read", &error).to_string());
            found.unreadable.insert(file.path, cause);
        }
    }
}

/// The hash of a file's content, and how many bytes that is.
fn eml_hash(path: &Path) -> io::Result<(Sha256, u64)> {
    let mut file = std::fs::File::open(path)?;
    let (mut hash, mut size, mut buffer) = (Sha256::new(), 0, [0; 16 << 10]);
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok((hash, size));
        }
        hash.update(buffer.get(..read).unwrap_or_default());
        size += u64::try_from(read).unwrap_or(u64::MAX);
    }
}

/// Events that tell nothing new: our own reading is one, and so is a file that can be no message.
fn is_noise(event: &notify::Event, kind: FolderKind) -> bool {
    let concerns_us = |path: &PathBuf| match kind {
        FolderKind::Maildir => !is_hidden(path),
        FolderKind::Eml => is_eml(path),
    };
    // Without a path, it says that events were lost.
    let elsewhere = !event.paths.is_empty() && !event.paths.iter().any(concerns_us);
    matches!(event.kind, EventKind::Access(_)) || (elsewhere && !event.need_rescan())
}

fn is_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_bytes().starts_with(b"."))
}

fn is_eml(path: &Path) -> bool {
    !is_hidden(path) && path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("eml"))
}

/// The name and the content: a file that is replaced is another message.
fn eml_uid(path: &Path, sha256: &[u8]) -> String {
    let hash: String = sha256.iter().map(|byte| format!("{byte:02x}")).collect();
    let name = path.file_name().map(spell).unwrap_or_default();
    format!("{name}:{}", hash.get(..HASH_CHARS).unwrap_or(&hash))
}

/// The unique part of a Maildir name: what stands before the flags.
fn maildir_uid(path: &Path) -> Option<String> {
    let name = path.file_name()?;
    if name.as_bytes().starts_with(b".") {
        return None;
    }
    Some(spell(OsStr::from_bytes(split_flags(name.as_bytes()).0)))
}

/// A file name as text, different for different names: bytes that are not UTF-8 are escaped, and so is `%`.
fn spell(name: &OsStr) -> String {
    let mut text = String::new();
    for chunk in name.as_bytes().utf8_chunks() {
        text.push_str(&chunk.valid().replace('%', "%25"));
        for byte in chunk.invalid() {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text
}

/// The unique part and the flags of a Maildir name, `unique:2,flags`.
fn split_flags(name: &[u8]) -> (&[u8], &[u8]) {
    match name.windows(3).position(|window| window == b":2,") {
        Some(at) => (name.get(..at).unwrap_or(name), name.get(at + 3..).unwrap_or_default()),
        None => (name, b""),
    }
}

/// The content of a file, but at most one byte more than allowed.
fn read_file(path: &Path, bytes_max: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(bytes_max.saturating_add(1)).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// What stands before the first empty line, that line included.
fn header_of(bytes: &[u8]) -> &[u8] {
    let end = |gap: &[u8]| bytes.windows(gap.len()).position(|window| window == gap).map(|at| at + gap.len());
    let end = end(b"\n\r\n").into_iter().chain(end(b"\n\n")).min().unwrap_or(bytes.len());
    bytes.get(..end).unwrap_or(bytes)
}

fn received(modified: SystemTime) -> Option<DateTime> {
    let since = modified.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    Some(DateTime { seconds: i64::try_from(since.as_secs()).ok()?, offset_minutes: 0 })
}

#[cfg(test)]
mod tests;
