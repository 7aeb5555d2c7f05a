//! The rule files as texts, for pages and scripts: changed several at a time, and only if the whole set is sound then.

use super::Site;
use super::error::Fault;
use super::job_files::difference;
use super::trial::{DEPTH_MAX, with_files};
use crate::config::{EditError, replace_text};
use crate::rules::{Revision, RuleSet};
use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// How many files are listed.
const FILES_MAX: usize = 2_000;
/// The longest name of a file, with its folders, in bytes.
const PATH_BYTES_MAX: usize = 200;
/// How often it is looked whether rules are in force, and how long each time.
const LOOKS: u32 = 200;
const LOOKS_EVERY: Duration = Duration::from_millis(50);

/// A change of a file. Not there is no text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Change {
    /// The file, below the folder of the rules.
    pub(super) path: String,
    /// What it says now.
    pub(super) before: Option<String>,
    /// What it is to say.
    pub(super) after: Option<String>,
}

/// The rule files, by name.
pub(super) fn list(site: &Site) -> Result<Vec<String>, Fault> {
    let mut files = Vec::new();
    walk(&site.config.rules, &site.config.rules, 0, &mut files)?;
    Ok(files)
}

/// The rule files below a folder, by name.
fn walk(root: &Path, folder: &Path, depth: usize, files: &mut Vec<String>) -> Result<(), Fault> {
    let mut entries: Vec<PathBuf> =
        std::fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
    entries.sort();
    for path in entries {
        let is_hidden = path.file_name().is_none_or(|name| name.to_string_lossy().starts_with('.'));
        if is_hidden || files.len() >= FILES_MAX {
            continue;
        }
        if path.is_dir() && depth < DEPTH_MAX {
            walk(root, &path, depth + 1, files)?;
        } else if path.extension().is_some_and(|extension| extension == "toml") {
            let name = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().into_owned();
            files.push(name);
        }
    }
    Ok(())
}

/// Where a file of that name is, or would be: in the folder of the rules, and with a name that the daemon looks at.
fn place(site: &Site, path: &str) -> Option<PathBuf> {
    let relative = Path::new(path);
    let is_shown = |part: Component<'_>| match part {
        Component::Normal(name) => !name.to_string_lossy().starts_with('.') && !name.to_string_lossy().contains('\0'),
        _ => false,
    };
    let is_plain = relative.components().all(is_shown) && relative.components().count() <= DEPTH_MAX;
    let is_in_folders = !relative.ancestors().skip(1).any(|folder| site.config.rules.join(folder).is_file());
    let is_rule = relative.extension().is_some_and(|extension| extension == "toml");
    (path.len() <= PATH_BYTES_MAX && is_plain && is_in_folders && is_rule).then(|| site.config.rules.join(relative))
}

/// What a file says.
pub(super) fn read(site: &Site, path: &str) -> Result<String, Fault> {
    let file = place(site, path).filter(|file| file.is_file());
    let file = file.ok_or_else(|| Fault::NotFound(format!("rule file {path}")))?;
    Ok(std::fs::read_to_string(file)?)
}

/// What a file says; none if there is no file of that name.
pub(super) fn read_maybe(site: &Site, path: &str) -> Result<Option<String>, Fault> {
    let named = || {
        Fault::Refused(format!("{path:?} is no name of a rule file: it is to be a path such as preprocess/own.toml."))
    };
    let file = place(site, path).ok_or_else(named)?;
    if file.is_file() { Ok(Some(std::fs::read_to_string(file)?)) } else { Ok(None) }
}

/// How files become others, as a unified difference.
pub(super) fn differences(changes: &[Change]) -> String {
    let text = |side: &Option<String>| side.clone().unwrap_or_default();
    changes.iter().map(|change| difference(&change.path, &text(&change.before), &text(&change.after))).collect()
}

/// Loads the whole set as it would be, and runs its tests; what is wrong, if it is not sound.
pub(super) async fn check(site: &Site, changes: &[Change]) -> Result<Result<Arc<RuleSet>, String>, Fault> {
    with_files(site, texts(changes), RuleSet::load).await
}

/// Waits until the daemon has taken rules up that were written, and has put them into the history; whether it did so soon.
pub(super) async fn in_force(site: &Site, revision: &Revision) -> bool {
    let name = revision.to_string();
    for _ in 0..LOOKS {
        let is_taken = site.reloader.current().revision() == revision;
        let latest = if is_taken { site.ctx.store.revisions().await.unwrap_or_default() } else { Vec::new() };
        if latest.first().is_some_and(|row| row.revision == name) {
            return true;
        }
        tokio::time::sleep(LOOKS_EVERY).await;
    }
    false
}

/// The texts that there would be.
fn texts(changes: &[Change]) -> Vec<(String, Option<String>)> {
    changes.iter().map(|change| (change.path.clone(), change.after.clone())).collect()
}

/// Writes files of a set that was found sound; the daemon takes them up, as somebody's. New files come first, so that none names one
/// that is not there.
pub(super) async fn save(site: &Site, set: &RuleSet, changes: &[Change], by: &str) -> Result<(), Fault> {
    site.reloader.expect(set.revision().clone(), by.to_owned());
    let order = |change: &&Change| match (&change.before, &change.after) {
        (None, _) => 0,
        (Some(_), Some(_)) => 1,
        (Some(_), None) => 2,
    };
    let mut sorted: Vec<&Change> = changes.iter().collect();
    sorted.sort_by_key(order);
    let mut done = Vec::new();
    for change in sorted {
        if let Err(fault) = write(site, change) {
            // All or nothing, as far as that is possible.
            for done in done.into_iter().rev() {
                write(site, &Change::back(done))?;
            }
            return Err(fault);
        }
        done.push(change);
    }
    let subject = changes.iter().map(|change| change.path.as_str()).collect::<Vec<_>>().join(", ");
    Ok(site.ctx.store.note(by, "edit-rules", &subject, &differences(changes)).await?)
}

impl Change {
    fn back(&self) -> Self {
        Self { path: self.path.clone(), before: self.after.clone(), after: self.before.clone() }
    }
}

fn write(site: &Site, change: &Change) -> Result<(), Fault> {
    let missing = || Fault::NotFound(format!("rule file {}", change.path));
    let path = place(site, &change.path).ok_or_else(missing)?;
    match (&change.before, &change.after) {
        (Some(before), Some(after)) => Ok(replace_text(&path, before, after)?),
        (None, Some(after)) => create(&path, after).map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists => Fault::Changed(format!("There is a file {} already.", change.path)),
            _ => error.into(),
        }),
        (Some(before), None) => {
            if std::fs::read_to_string(&path)? != *before {
                return Err(EditError::Changed(path).into());
            }
            Ok(std::fs::remove_file(&path)?)
        }
        (None, None) => Ok(()),
    }
}

fn create(path: &Path, text: &str) -> std::io::Result<()> {
    path.parent().map_or(Ok(()), std::fs::create_dir_all)?;
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}
