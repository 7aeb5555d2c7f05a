//! The cache of compiled plugins: a folder of machine code, by digest.

use super::compile::hexadecimal;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};
use wasmtime::Engine;

/// What an entry starts with, before the digest of what follows.
const MAGIC: &[u8; 16] = b"mailmill-cwasm-1";
/// The length of a digest.
const DIGEST_BYTES: usize = 32;
/// How long an entry is kept that nobody reads: each version of each plugin, and of mailmill, leaves one of some megabytes.
const UNUSED_MAX: Duration = Duration::from_hours(30 * 24);

/// A folder of compiled plugins, for this user alone.
#[derive(Debug)]
pub(super) struct Cache {
    folder: PathBuf,
    state: Mutex<State>,
}

/// What this process did with the cache.
#[derive(Debug, Default)]
struct State {
    /// The entries that it has read or written.
    used: BTreeSet<PathBuf>,
    /// Whether it has written one since it last looked for old ones.
    has_grown: bool,
}

impl Cache {
    /// Opens the cache in a folder, which is made if there is none.
    pub(super) fn open(folder: &Path) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            // Fails if the folder belongs to someone else, who could then put machine code there.
            fs::set_permissions(folder, fs::Permissions::from_mode(0o700))?;
        }
        Ok(Self { folder: folder.to_owned(), state: Mutex::default() })
    }

    /// The machine code of a component; none if there is no entry, or it is not what was written.
    pub(super) fn read(&self, engine: &Engine, component: &[u8]) -> Option<Vec<u8>> {
        let path = self.entry(engine, component);
        let code = read_entry(&path)?;
        self.note(path, false);
        Some(code)
    }

    /// Keeps the machine code of a component.
    pub(super) fn write(&self, engine: &Engine, component: &[u8], code: &[u8]) {
        let path = self.entry(engine, component);
        if let Err(error) = write_entry(&path, code) {
            // The plugin works without; only the next start takes longer.
            tracing::warn!(entry = %path.display(), %error, "compiled plugin not kept");
        }
        self.note(path, true);
    }

    /// Removes the entries that nobody has read for long, if there are new ones. To be called when all plugins in force have been
    /// read: theirs are kept.
    pub(super) fn tidy(&self, now: SystemTime) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if !std::mem::take(&mut state.has_grown) {
            return;
        }
        for entry in &state.used {
            // One that is gone, or that this user may only read, is none of this user's business.
            let _ = fs::File::open(entry).and_then(|file| file.set_modified(now));
        }
        if let Err(error) = forget_unused(&self.folder, now) {
            tracing::warn!(folder = %self.folder.display(), %error, "unused compiled plugins are still there");
        }
    }

    fn note(&self, entry: PathBuf, is_new: bool) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.used.insert(entry);
        state.has_grown |= is_new;
    }

    fn entry(&self, engine: &Engine, component: &[u8]) -> PathBuf {
        self.folder.join(format!("{}.cwasm", key(engine, component)))
    }
}

/// Names what the machine code depends on: the component, and the engine with its version and settings.
fn key(engine: &Engine, component: &[u8]) -> String {
    let mut settings = DefaultHasher::new();
    engine.precompile_compatibility_hash().hash(&mut settings);
    let mut key = Sha256::new();
    key.update(MAGIC);
    key.update(settings.finish().to_le_bytes());
    key.update(component);
    hexadecimal(&key.finalize())
}

fn read_entry(path: &Path) -> Option<Vec<u8>> {
    let mut entry = fs::read(path).ok()?;
    let rest = entry.strip_prefix(MAGIC)?;
    let (written, code) = rest.split_at_checked(DIGEST_BYTES)?;
    if Sha256::digest(code).as_slice() != written {
        tracing::warn!(entry = %path.display(), "damaged entry of the plugin cache: compiling again");
        return None;
    }
    Some(entry.split_off(MAGIC.len() + DIGEST_BYTES))
}

/// Writes an entry whole or not at all.
fn write_entry(path: &Path, code: &[u8]) -> io::Result<()> {
    let half = path.with_extension(format!("{}.half", std::process::id()));
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&half)?;
    file.write_all(MAGIC)?;
    file.write_all(&Sha256::digest(code))?;
    file.write_all(code)?;
    drop(file);
    fs::rename(&half, path)
}

/// Removes the entries that nobody has used for long; the first error of those that stay.
fn forget_unused(folder: &Path, now: SystemTime) -> io::Result<()> {
    let mut done = Ok(());
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let age = |metadata: fs::Metadata| now.duration_since(metadata.modified().ok()?).ok();
        if is_entry(&path) && path.metadata().ok().and_then(age).is_some_and(|age| age > UNUSED_MAX) {
            let removed = fs::remove_file(&path);
            // Another process may have been quicker.
            done = done.and(removed.or_else(|error| if path.exists() { Err(error) } else { Ok(()) }));
        }
    }
    done
}

/// Whether a file is named as an entry is, whole or half written.
fn is_entry(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    let (key, rest) = name.split_once('.').unwrap_or((&name, ""));
    let is_key = key.len() == 2 * DIGEST_BYTES && key.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_key && (rest == "cwasm" || rest.ends_with(".half"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_that_nobody_uses_are_removed() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let now = SystemTime::now();
        let key = |digit: &str| digit.repeat(2 * DIGEST_BYTES);
        let names = [
            (format!("{}.cwasm", key("a")), 31),
            (format!("{}.7.half", key("a")), 31),
            (format!("{}.cwasm", key("b")), 29),
            (format!("{}.cwasm", key("c")), 31),
            (format!("{}.txt", key("a")), 99),
            ("mine.cwasm".to_owned(), 99),
        ];
        for (name, days) in &names {
            fs::File::create(folder.path().join(name))?.set_modified(now - Duration::from_hours(days * 24))?;
        }
        let left = || -> io::Result<Vec<String>> {
            let names = fs::read_dir(folder.path())?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
            let mut names = names.collect::<io::Result<Vec<_>>>()?;
            names.sort();
            Ok(names)
        };
        let cache = Cache::open(folder.path())?;
        let used = folder.path().join(format!("{}.cwasm", key("c")));
        cache.note(used.clone(), false);
        cache.tidy(now);
        assert_eq!(left()?.len(), names.len(), "nothing was compiled");
        cache.note(used, true);
        cache.tidy(now);
        let expect = [2, 4, 3, 5].map(|kept: usize| names[kept].0.clone());
        let mut expect = expect.to_vec();
        expect.sort();
        assert_eq!(left()?, expect);
        Ok(())
    }
}
