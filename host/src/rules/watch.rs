//! Noticing that rules, plugins, jobs or settings have changed.
//!
//! Folders are watched, never files: editors save by renaming a new file over the old one, and a watch on the file
//! would stay with the old one. An event is only a hint to look: what counts is whether the content differs from what
//! it was, once the files have been left alone for a moment. So a burst of events, a touched file or a file written in
//! two halves cause one notice at most.

use crate::config::{Config, Job, job_files};
use notify::event::{AccessKind, AccessMode};
use notify::{Event, EventKind, EventKindMask, RecommendedWatcher, RecursiveMode, Watcher};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;
use tokio::sync::mpsc;

/// What the system is asked to tell. On Linux, that a file was closed after it was written, and not each write: the
/// database may lie beside the settings, is written all the time, and is never closed.
const EVENTS: EventKindMask = {
    let written = if cfg!(target_os = "linux") { EventKindMask::ACCESS_CLOSE } else { EventKindMask::MODIFY_DATA };
    EventKindMask::CREATE.union(EventKindMask::REMOVE).union(EventKindMask::MODIFY_NAME).union(written)
};
/// How many notices may wait to be taken.
const CHANGES_MAX: usize = 64;
/// How deep folders of rules are looked into.
const DEPTH_MAX: usize = 8;

/// What has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Changed {
    /// A rule file or a plugin.
    Rules,
    /// The file of a job: it is new, different or gone.
    Job {
        /// The job.
        name: String,
        /// Its file; none if it is gone.
        file: Option<PathBuf>,
    },
    /// `mailmill.toml`.
    Config,
}

/// What is watched.
#[derive(Debug, Clone)]
pub struct Places {
    /// `mailmill.toml`, if there is one.
    pub config: Option<PathBuf>,
    /// The folder of the rules.
    pub rules: PathBuf,
    /// The folder of the plugins.
    pub plugins: PathBuf,
    /// The folder of the jobs.
    pub jobs: PathBuf,
}

impl Places {
    /// The places of an installation.
    #[must_use]
    pub fn new(config_file: Option<PathBuf>, config: &Config) -> Self {
        let Config { rules, plugins, jobs, .. } = config.clone();
        Self { config: config_file, rules, plugins, jobs }
    }

    fn folders(&self) -> [&Path; 3] {
        [&self.rules, &self.plugins, &self.jobs]
    }

    /// Whether an event at `path` may matter. Beside the settings file lies what changes all the time, the database.
    fn concerns(&self, path: &Path) -> bool {
        // A name that begins with two dots is how Kubernetes swaps a whole folder of settings.
        let is_swap = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b".."));
        let is_config = self.config.as_deref().is_some_and(|file| file.file_name() == path.file_name());
        is_swap || is_config || self.folders().into_iter().any(|dir| path.starts_with(dir))
    }
}

/// Watches until it is dropped.
#[derive(Debug)]
pub struct Watch {
    stop: Sender<Hint>,
    thread: Option<thread::JoinHandle<()>>,
}

/// What the watching thread is woken by.
enum Hint {
    Look,
    Stop,
}

impl Watch {
    /// Starts to watch. What the files hold now counts as known.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn start(places: Places, debounce: Duration) -> notify::Result<(Self, mpsc::Receiver<Changed>)> {
        let places = absolute(places)?;
        let (hints, hinted) = channel();
        let (changes, changed) = mpsc::channel(CHANGES_MAX);
        let mut watcher = watcher(places.clone(), hints.clone())?;
        // The watch comes first: a change between the two is seen twice rather than not at all.
        watch_folders(&mut watcher, &places);
        let known = Snapshot::take(&places);
        let run = move || Watching { watcher, places, debounce, known, changes }.run(&hinted);
        let thread = thread::Builder::new().name("watch".into()).spawn(run).map_err(notify::Error::io)?;
        Ok((Self { stop: hints, thread: Some(thread) }, changed))
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // Both fail only if the thread has ended already.
        let _ = self.stop.send(Hint::Stop);
        let _ = self.thread.take().map(thread::JoinHandle::join);
    }
}

/// The state of the watching thread.
struct Watching {
    watcher: RecommendedWatcher,
    places: Places,
    debounce: Duration,
    known: Snapshot,
    changes: mpsc::Sender<Changed>,
}

impl Watching {
    fn run(mut self, hinted: &Receiver<Hint>) {
        while matches!(hinted.recv(), Ok(Hint::Look)) {
            if !self.is_left_alone(hinted) {
                return;
            }
            // A folder may have come, or have been replaced by another of the same name.
            watch_folders(&mut self.watcher, &self.places);
            let now = Snapshot::take(&self.places);
            let changes = now.differences(&self.known);
            self.known = now;
            if changes.into_iter().any(|change| self.changes.blocking_send(change).is_err()) {
                return;
            }
        }
    }

    /// Waits until there was no event for the time of the debounce. False if the watch is over.
    fn is_left_alone(&self, hinted: &Receiver<Hint>) -> bool {
        loop {
            match hinted.recv_timeout(self.debounce) {
                Ok(Hint::Look) => {}
                Ok(Hint::Stop) | Err(RecvTimeoutError::Disconnected) => return false,
                Err(RecvTimeoutError::Timeout) => return true,
            }
        }
    }
}

/// Events name absolute paths, so the places must be such.
fn absolute(places: Places) -> notify::Result<Places> {
    let absolute = |path: PathBuf| std::path::absolute(path).map_err(notify::Error::io);
    Ok(Places {
        config: places.config.map(absolute).transpose()?,
        rules: absolute(places.rules)?,
        plugins: absolute(places.plugins)?,
        jobs: absolute(places.jobs)?,
    })
}

fn watcher(places: Places, hints: Sender<Hint>) -> notify::Result<RecommendedWatcher> {
    let tell = move |event: notify::Result<Event>| {
        if event.as_ref().map_or(true, |event| is_hint(&places, event)) {
            // It fails only when the watching thread has ended.
            let _ = hints.send(Hint::Look);
        }
    };
    RecommendedWatcher::new(tell, notify::Config::default().with_event_kinds(EVENTS))
}

/// Whether an event may matter. An error does: events were lost.
fn is_hint(places: &Places, event: &Event) -> bool {
    match event.kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => {}
        // Reading a file is an event, too: our own reading must not wake us.
        EventKind::Access(_) => return event.need_rescan(),
        EventKind::Any | EventKind::Create(_) | EventKind::Modify(_) | EventKind::Remove(_) | EventKind::Other => {}
    }
    event.need_rescan() || event.paths.iter().any(|path| places.concerns(path))
}

/// Watches the folders, and the folders that they are in. One that does not exist is watched for through its parent.
fn watch_folders(watcher: &mut RecommendedWatcher, places: &Places) {
    let parents: BTreeSet<_> =
        places.folders().into_iter().chain(places.config.as_deref()).filter_map(Path::parent).collect();
    let parents = parents.into_iter().map(|dir| (dir, RecursiveMode::NonRecursive));
    let folders = places.folders().into_iter().map(|dir| (dir, RecursiveMode::Recursive));
    for (dir, mode) in parents.chain(folders).filter(|(dir, _)| dir.is_dir()) {
        if let Err(error) = watcher.watch(dir, mode) {
            tracing::warn!(dir = %dir.display(), %error, "cannot watch this folder: its changes go unnoticed");
        }
    }
}

/// The content of everything watched, as hashes.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Snapshot {
    rules: Hash,
    config: Hash,
    jobs: BTreeMap<String, (PathBuf, Hash)>,
}

type Hash = [u8; 32];

impl Snapshot {
    fn take(places: &Places) -> Self {
        let mut rules = Sha256::new();
        hash_folder(&places.rules, "toml", DEPTH_MAX, &mut rules);
        hash_folder(&places.plugins, "wasm", 1, &mut rules);
        let jobs = job_files(&places.jobs).unwrap_or_default();
        let job = |file: PathBuf| Some((Job::name_of(&file)?, (file.clone(), hash_file(&file))));
        Self {
            rules: rules.finalize().into(),
            config: places.config.as_deref().map_or([0; 32], hash_file),
            jobs: jobs.into_iter().filter_map(job).collect(),
        }
    }

    fn differences(&self, known: &Self) -> Vec<Changed> {
        let mut changes = Vec::new();
        if self.config != known.config {
            changes.push(Changed::Config);
        }
        if self.rules != known.rules {
            changes.push(Changed::Rules);
        }
        let names: BTreeSet<_> = self.jobs.keys().chain(known.jobs.keys()).collect();
        let changed = names.into_iter().filter(|name| self.jobs.get(*name) != known.jobs.get(*name));
        changes.extend(
            changed.map(|name| Changed::Job {
                name: name.clone(),
                file: self.jobs.get(name).map(|(file, _)| file.clone()),
            }),
        );
        changes
    }
}

/// Adds the files of a folder with that extension, by name. What cannot be read counts as not there.
fn hash_folder(dir: &Path, extension: &str, depth: usize, hash: &mut Sha256) {
    let entries = std::fs::read_dir(dir).into_iter().flatten().filter_map(Result::ok);
    let mut paths: Vec<_> = entries.map(|entry| entry.path()).filter(|path| !is_hidden(path)).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() && depth > 1 {
            hash_folder(&path, extension, depth - 1, hash);
        } else if path.extension().is_some_and(|found| found == extension) {
            hash.update(Sha256::digest(path.as_os_str().as_encoded_bytes()));
            hash.update(hash_file(&path));
        }
    }
}

fn is_hidden(path: &Path) -> bool {
    path.file_name().is_none_or(|name| name.as_encoded_bytes().starts_with(b"."))
}

fn hash_file(path: &Path) -> Hash {
    std::fs::read(path).map_or([0; 32], |bytes| Sha256::digest(bytes).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn installation() -> (tempfile::TempDir, Places) {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        for name in ["rules/statements", "plugins", "jobs"] {
            std::fs::create_dir_all(at(name)).unwrap();
        }
        let places =
            Places { config: Some(at("mailmill.toml")), rules: at("rules"), plugins: at("plugins"), jobs: at("jobs") };
        (dir, places)
    }

    #[test]
    fn only_content_counts() {
        let (dir, places) = installation();
        let changes = |name: &str, change: &dyn Fn(&Path)| {
            let before = Snapshot::take(&places);
            change(&dir.path().join(name));
            Snapshot::take(&places).differences(&before)
        };
        let write = |text: &'static str| move |path: &Path| std::fs::write(path, text).unwrap();
        let job = |file: Option<PathBuf>| vec![Changed::Job { name: "support".into(), file }];
        assert_eq!(changes("rules/statements/10.toml", &write("a")), [Changed::Rules]);
        assert_eq!(changes("rules/statements/10.toml", &write("a")), [], "same content");
        assert_eq!(changes("rules/statements/.10.toml.swp", &write("a")), []);
        assert_eq!(changes("rules/notes.txt", &write("a")), []);
        assert_eq!(changes("plugins/gmail.wasm", &write("a")), [Changed::Rules]);
        assert_eq!(changes("mailmill.toml", &write("a")), [Changed::Config]);
        assert_eq!(changes("mailmill.db", &write("a")), []);
        let file = dir.path().join("jobs/support.toml");
        assert_eq!(changes("jobs/support.toml", &write("a")), job(Some(file)));
        assert_eq!(changes("jobs/support.toml", &|path| std::fs::remove_file(path).unwrap()), job(None));
    }

    #[test]
    fn events_beside_the_settings_do_not_matter() {
        let (dir, places) = installation();
        let check = |name: &str, expect: bool| assert_eq!(places.concerns(&dir.path().join(name)), expect, "{name}");
        check("mailmill.toml", true);
        check("mailmill.db-wal", false);
        check("rules", true);
        check("rules/statements/10.toml", true);
        check("..data", true);
    }

    /// What is told of a file beside the settings while `change` goes on.
    #[cfg(target_os = "linux")]
    fn told(change: impl FnOnce(&Path)) -> Vec<PathBuf> {
        let dir = tempfile::tempdir().unwrap();
        let (tell, told) = channel();
        let tell = move |event: notify::Result<Event>| tell.send(event.unwrap().paths).unwrap();
        let config = notify::Config::default().with_event_kinds(EVENTS);
        let mut watcher = RecommendedWatcher::new(tell, config).unwrap();
        watcher.watch(dir.path(), RecursiveMode::NonRecursive).unwrap();
        change(dir.path());
        std::fs::write(dir.path().join("last"), "").unwrap();
        let names = |paths: Vec<PathBuf>| paths.into_iter().map(|path| path.file_name().unwrap().into());
        told.iter().flat_map(names).take_while(|name: &PathBuf| name != Path::new("last")).collect()
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_database_beside_the_settings_is_silent() {
        use std::io::Write as _;
        let told = told(|dir| {
            let mut database = std::fs::File::create(dir.join("mailmill.db")).unwrap();
            for _ in 0..1000 {
                database.write_all(b"page").unwrap();
            }
            std::fs::write(dir.join("mailmill.toml"), "a").unwrap();
            std::mem::forget(database);
        });
        assert_eq!(told.iter().filter(|name| *name == Path::new("mailmill.db")).count(), 1, "it is made: {told:?}");
        assert!(told.contains(&"mailmill.toml".into()), "{told:?}");
    }

    #[test]
    fn a_burst_is_one_change() {
        /// Far longer than the system needs to tell.
        const PATIENCE: Duration = Duration::from_secs(20);
        let (dir, places) = installation();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let (watch, mut changed) = Watch::start(places, Duration::from_millis(50)).unwrap();
        let mut next = || runtime.block_on(async { tokio::time::timeout(PATIENCE, changed.recv()).await.unwrap() });
        let rule = dir.path().join("rules/statements/10.toml");
        for half in ["a", "ab", "abc"] {
            std::fs::write(&rule, half).unwrap();
        }
        assert_eq!(next(), Some(Changed::Rules));
        let saved = dir.path().join("rules/statements/.10.toml.new");
        std::fs::write(&saved, "abcd").unwrap();
        std::fs::rename(&saved, &rule).unwrap();
        assert_eq!(next(), Some(Changed::Rules), "saved by renaming");
        std::fs::write(&rule, "abcd").unwrap();
        let job = dir.path().join("jobs/support.toml");
        std::fs::write(&job, "a").unwrap();
        assert_eq!(next(), Some(Changed::Job { name: "support".into(), file: Some(job) }), "and nothing before it");
        drop(watch);
        assert_eq!(next(), None);
    }
}
