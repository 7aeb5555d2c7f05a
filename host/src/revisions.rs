//! The rules that were in force: named, compared, and put back into their folder.
//!
//! The folder of the rules stays the one truth: a rollback writes files, and a running daemon takes them up as it takes up any
//! change.

use crate::diagnostic::Diagnostics;
use crate::plugin::Engine;
use crate::rules::RuleSet;
use crate::store::{RevisionContent, Store};
use similar::TextDiff;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// What stands for the files as they are now.
pub const NOW: &str = "now";

/// Why rules cannot be named, compared or put back.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The store does not answer.
    #[error(transparent)]
    Store(#[from] crate::store::Error),
    /// The rules are not sound.
    #[error(transparent)]
    Diagnostics(#[from] Diagnostics),
    /// A name that more than one revision begins with.
    #[error("\"{name}\" begins more than one revision: {one}, {other}, …")]
    Ambiguous {
        /// The name.
        name: String,
        /// One of them.
        one: String,
        /// Another one.
        other: String,
    },
    /// No revision is called so.
    #[error("there is no revision \"{0}\"; to list them: mailmill rules history")]
    Unknown(String),
    /// The revision is known, and its files are not kept.
    #[error("the files of revision {0} are not kept any more")]
    Forgotten(String),
    /// A file cannot be written or removed.
    #[error("cannot write {}: {error}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
}

/// Where rules and plugins lie, and what runs them.
#[derive(Debug, Clone, Copy)]
pub struct Folders<'a> {
    /// The folder of the rules.
    pub rules: &'a Path,
    /// The folder of the plugins.
    pub plugins: &'a Path,
    /// What compiles the plugins.
    pub engine: &'a Engine,
}

/// Rules, and what they are called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// A whole revision, or [`NOW`].
    pub name: String,
    /// What they are made of.
    pub content: RevisionContent,
}

/// Rule files that can be put back: they are sound with the plugins that are there, and pass their own tests.
#[derive(Debug)]
pub struct Rollback {
    /// The revision that there would be then.
    pub revision: String,
    /// The files that are written or removed, by path.
    pub paths: Vec<String>,
    /// What that changes, as a unified difference.
    pub difference: String,
    wanted: RevisionContent,
}

/// The rules of the revision that begins so.
///
/// # Errors
/// If there is none or more than one, or its files are forgotten.
pub async fn named(store: &Store, name: &str) -> Result<Named, Error> {
    let rows = store.revisions().await?;
    let found: BTreeSet<&str> =
        rows.iter().map(|row| row.revision.as_str()).filter(|revision| revision.starts_with(name)).collect();
    let mut found = found.into_iter();
    let revision = match (found.next(), found.next()) {
        (Some(revision), None) => revision,
        (Some(one), Some(other)) => {
            let [name, one, other] = [name, one, other].map(str::to_owned);
            return Err(Error::Ambiguous { name, one, other });
        }
        (None, _) => return Err(Error::Unknown(name.to_owned())),
    };
    let content = store.revision(revision).await?.ok_or_else(|| Error::Forgotten(revision.to_owned()))?;
    Ok(Named { name: revision.to_owned(), content })
}

/// What came into force last, as far as it is kept.
///
/// # Errors
/// Where the store fails.
pub async fn latest(store: &Store) -> Result<Option<RevisionContent>, Error> {
    match store.revisions().await?.first() {
        Some(row) => Ok(store.revision(&row.revision).await?),
        None => Ok(None),
    }
}

/// The rules in the folder. Where they cannot be loaded, they count as the files that `latest` names, as they are now: it is then
/// that people want to go back. Blocks while plugins are loaded.
///
/// # Errors
/// If they cannot be loaded, and nothing is known of before.
pub fn now(folders: Folders<'_>, latest: Option<&RevisionContent>) -> Result<Named, Error> {
    let content = match (RuleSet::load_untested(folders.rules, folders.plugins, folders.engine), latest) {
        (Ok(untested), _) => untested.rules().content().clone(),
        (Err(found), None) => return Err(found.into()),
        (Err(_), Some(latest)) => {
            let text = |path: &String| std::fs::read_to_string(folders.rules.join(path)).ok();
            let files = latest.files.iter().filter_map(|(path, _)| Some((path.clone(), text(path)?))).collect();
            RevisionContent { files, plugins: latest.plugins.clone() }
        }
    };
    Ok(Named { name: NOW.to_owned(), content })
}

/// How one becomes the other: a unified difference of the files, and a line for each plugin that is not the same.
#[must_use]
pub fn difference(from: &Named, to: &Named) -> String {
    let mut text = String::new();
    let (old, new) = (&from.content, &to.content);
    for path in names(&old.files, &new.files) {
        let (before, after) = (find(&old.files, path), find(&new.files, path));
        if before != after {
            let head = |name: &str, side: Option<&str>| match side {
                Some(_) => format!("{name}/{path}"),
                None => "/dev/null".to_owned(),
            };
            let diff = TextDiff::from_lines(before.unwrap_or_default(), after.unwrap_or_default());
            let (old, new) = (head(&from.name, before), head(&to.name, after));
            text.push_str(&diff.unified_diff().header(&old, &new).to_string());
        }
    }
    for plugin in names(&old.plugins, &new.plugins) {
        let (before, after) = (find(&old.plugins, plugin), find(&new.plugins, plugin));
        if before != after {
            let (before, after) = (before.unwrap_or("none"), after.unwrap_or("none"));
            let _ = writeln!(text, "plugin {plugin}: {before} became {after}");
        }
    }
    text
}

/// What it takes to have these rules again; nothing is written yet. None if the files are theirs already. Blocks while their
/// tests run.
///
/// # Errors
/// With everything that is wrong with them and the plugins that are there now.
pub fn rollback(folders: Folders<'_>, wanted: &Named, now: &Named) -> Result<Option<Rollback>, Error> {
    let differ = names(&wanted.content.files, &now.content.files)
        .into_iter()
        .filter(|path| find(&wanted.content.files, path) != find(&now.content.files, path));
    let paths: Vec<String> = differ.map(str::to_owned).collect();
    if paths.is_empty() {
        return Ok(None);
    }
    let folder = tempfile::tempdir().map_err(|error| Error::Write { path: std::env::temp_dir(), error })?;
    for (path, text) in &wanted.content.files {
        put(&folder.path().join(path), Some(text))?;
    }
    let set = RuleSet::load(folder.path(), folders.plugins, folders.engine)?;
    let (revision, difference) = (set.revision().to_string(), difference(now, wanted));
    Ok(Some(Rollback { revision, paths, difference, wanted: wanted.content.clone() }))
}

impl Rollback {
    /// Writes the files.
    ///
    /// # Errors
    /// If the system refuses; those before are written then.
    pub fn write(&self, rules: &Path) -> Result<(), Error> {
        self.paths.iter().try_for_each(|path| put(&rules.join(path), find(&self.wanted.files, path)))
    }
}

fn find<'a>(pairs: &'a [(String, String)], key: &str) -> Option<&'a str> {
    pairs.iter().find(|(other, _)| other == key).map(|(_, value)| value.as_str())
}

/// The names of both, each once, by name.
fn names<'a>(one: &'a [(String, String)], other: &'a [(String, String)]) -> BTreeSet<&'a str> {
    one.iter().chain(other).map(|(name, _)| name.as_str()).collect()
}

/// Writes a file whole or not at all; removes it if there is to be none.
fn put(path: &Path, text: Option<&str>) -> Result<(), Error> {
    let cannot = |error| Error::Write { path: path.to_owned(), error };
    let Some(text) = text else { return std::fs::remove_file(path).map_err(cannot) };
    let folder: PathBuf = path.parent().map(Path::to_owned).unwrap_or_default();
    std::fs::create_dir_all(&folder).map_err(cannot)?;
    let kept = std::fs::metadata(path).map(|file| file.permissions()).ok();
    // The daemon does not look at names that begin with a dot.
    let mut file = tempfile::Builder::new().prefix(".new-").tempfile_in(&folder).map_err(cannot)?;
    file.write_all(text.as_bytes()).map_err(cannot)?;
    if let Some(permissions) = kept {
        file.as_file().set_permissions(permissions).map_err(cannot)?;
    }
    file.persist(path).map_err(|error| cannot(error.error))?;
    Ok(())
}
