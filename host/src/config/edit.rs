//! Changing the list of steps in a job's file, in place: whatever else stands in the file stays as it is, byte for byte.
//!
//! The file's text is not written anew from what was read of it. The parser says where the list stands, and only that
//! piece of the text is replaced; comments beside and above the steps in it go where their steps go.

mod array;
mod values;

pub use values::{Wanted, with_values};

use super::Job;
use super::steps::Steps;
use crate::diagnostic::{Diagnostics, Source};
use std::fs::{File, Metadata};
use std::io::Write;
use std::ops::Range;
use std::os::unix::fs::{MetadataExt, fchown};
use std::path::{Path, PathBuf};
use toml_edit::{Document, Item, TableLike, Value};

/// The longest line that a new list is written on.
const LINE_MAX: usize = 100;

/// Why a job's file cannot be changed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file has errors, or would have.
    #[error(transparent)]
    Diagnostics(#[from] Diagnostics),
    /// Somebody else has changed it.
    #[error("{} has changed meanwhile: nothing is written; look at it and try again", .0.display())]
    Changed(PathBuf),
    /// The list is written in a way that is not known here.
    #[error("the steps in {} are written in a way that cannot be changed in place: change them by hand", .0.display())]
    Form(PathBuf),
    /// The system refuses.
    #[error("cannot {what} {}: {error}", path.display())]
    System {
        /// What was tried.
        what: &'static str,
        /// With what.
        path: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
}

/// A job's file, read to be changed. Until it is dropped, other changes of this kind wait.
#[derive(Debug)]
pub struct JobFile {
    /// Where it really is: a link stays a link.
    path: PathBuf,
    shown: PathBuf,
    text: String,
    metadata: Metadata,
    job: Job,
    /// Holds the lock.
    _file: File,
}

impl JobFile {
    /// Reads the file of a job.
    ///
    /// # Errors
    /// If it cannot be read, or has errors.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let real = path.canonicalize().map_err(system("find", path))?;
        let file = File::open(&real).map_err(system("read", path))?;
        file.lock().map_err(system("lock", path))?;
        let metadata = file.metadata().map_err(system("read", path))?;
        let mut out = Diagnostics::default();
        let source = Source::read(path, &mut out);
        let job = source.as_ref().and_then(|source| Job::read_source(source, &mut out));
        let (source, job) = out.or(source.zip(job))?;
        let text = source.text().to_owned();
        Ok(Self { path: real, shown: path.to_owned(), text, metadata, job, _file: file })
    }

    /// The job that it describes.
    #[must_use]
    pub fn job(&self) -> &Job {
        &self.job
    }

    /// Its text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Its text with these steps.
    ///
    /// # Errors
    /// If the steps are written in a way that is not known here.
    pub fn with_steps(&self, steps: &[String]) -> Result<String, Error> {
        let form = || Error::Form(self.shown.clone());
        let (place, written) = replacement(&self.text, steps).ok_or_else(form)?;
        let mut text = self.text.clone();
        text.replace_range(place, &written);
        let mut out = Diagnostics::default();
        let job = Job::read_source(&Source::new(&self.shown, &text), &mut out);
        let mut expected = self.job.clone();
        expected.preprocess.steps = Steps::Named(steps.to_vec());
        // Whatever the form of the file, nothing but the steps may have changed.
        if out.or(job)? == expected { Ok(text) } else { Err(form()) }
    }

    /// Puts `text` in the place of the file's: whole or not at all, with the owner and the rights that the file had.
    ///
    /// # Errors
    /// If the file has changed since it was read, or cannot be written.
    pub fn write(&self, text: &str) -> Result<(), Error> {
        replace(Place { real: &self.path, shown: &self.shown, metadata: &self.metadata }, &self.text, text)
    }
}

/// Puts `after` in the place of a file's text, which is to be `before`: whole or not at all, with the owner and the rights
/// that the file had. A link stays a link.
///
/// # Errors
/// If the file says something else by now, or cannot be written.
pub fn replace_text(path: &Path, before: &str, after: &str) -> Result<(), Error> {
    let real = path.canonicalize().map_err(system("find", path))?;
    let metadata = std::fs::metadata(&real).map_err(system("read", path))?;
    replace(Place { real: &real, shown: path, metadata: &metadata }, before, after)
}

/// A file that is to be replaced.
struct Place<'a> {
    /// Where it really is.
    real: &'a Path,
    /// As people know it.
    shown: &'a Path,
    metadata: &'a Metadata,
}

fn replace(place: Place<'_>, before: &str, after: &str) -> Result<(), Error> {
    let Place { real, shown, metadata } = place;
    let system = |what| system(what, shown);
    let folder = real.parent().unwrap_or(Path::new("."));
    // A name that begins with a dot is no job's and no rule file's: the daemon does not look at it.
    let mut file = tempfile::Builder::new().prefix(".new-").tempfile_in(folder).map_err(system("write beside"))?;
    file.write_all(after.as_bytes()).map_err(system("write beside"))?;
    let now = file.as_file().metadata().map_err(system("write beside"))?;
    let (user, group) = (metadata.uid(), metadata.gid());
    if (now.uid(), now.gid()) != (user, group) {
        fchown(file.as_file(), Some(user), Some(group)).map_err(system("keep the owner of"))?;
    }
    file.as_file().set_permissions(metadata.permissions()).map_err(system("keep the rights of"))?;
    file.as_file().sync_all().map_err(system("write beside"))?;
    if std::fs::read(real).map_err(system("read"))? != before.as_bytes() {
        return Err(Error::Changed(shown.to_owned()));
    }
    file.persist(real).map_err(|error| system("replace")(error.error))?;
    // That the folder cannot be synced on some systems is no reason to say that nothing was written.
    let _ = File::open(folder).and_then(|folder| folder.sync_all());
    Ok(())
}

fn system<'a>(what: &'static str, path: &'a Path) -> impl FnOnce(std::io::Error) -> Error + 'a {
    move |error| Error::System { what, path: path.to_owned(), error }
}

/// Which piece of a job's file is to be replaced so that it has these steps, and by what.
fn replacement(text: &str, steps: &[String]) -> Option<(Range<usize>, String)> {
    let document = Document::parse(text).ok()?;
    let line_end = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let new = || new_list(&steps.iter().map(|step| quoted(step)).collect::<Vec<_>>(), line_end);
    let Some(preprocess) = document.get("preprocess") else {
        let gap = if text.is_empty() || text.ends_with('\n') { "" } else { line_end };
        let list = new();
        let table = format!("{gap}{line_end}[preprocess]{line_end}steps = {list}{line_end}");
        return Some((text.len()..text.len(), table));
    };
    match preprocess.as_table_like()?.get("steps") {
        Some(Item::Value(Value::Array(list))) => {
            let place = list.span()?;
            let spans = list.iter().map(|step| Some((step.as_str()?.to_owned(), step.span()?)));
            let list = array::Array::read(text, place.clone(), &spans.collect::<Option<Vec<_>>>()?)?;
            Some((place, list.with(steps, line_end)))
        }
        Some(other) => Some((other.span()?, new())),
        None => {
            let list = new();
            match preprocess {
                Item::Table(table) if !table.is_dotted() => {
                    let header = table.span()?;
                    let rest = text.get(header.start..)?;
                    let line = rest.find('\n').map_or(rest.len(), |at| at + 1);
                    let gap = if rest.contains('\n') { "" } else { line_end };
                    let at = header.start + line;
                    Some((at..at, format!("{gap}steps = {list}{line_end}")))
                }
                Item::Table(table) => {
                    let first = first_key(table)?;
                    let line = text.get(..first)?.rfind('\n').map_or(0, |at| at + 1);
                    Some((line..line, format!("preprocess.steps = {list}{line_end}")))
                }
                Item::Value(Value::InlineTable(table)) => {
                    let at = table.span()?.start + 1;
                    let comma = if table.is_empty() { " " } else { "," };
                    Some((at..at, format!(" steps = {list}{comma}")))
                }
                _ => None,
            }
        }
    }
}

/// Where the first key of a table stands.
fn first_key(table: &dyn TableLike) -> Option<usize> {
    table.iter().filter_map(|(key, _)| Some(table.key(key)?.span()?.start)).min()
}

/// A list in a form of our own.
fn new_list(written: &[String], line_end: &str) -> String {
    let line = format!("[{}]", written.join(", "));
    if fits(&line) {
        return line;
    }
    let lines: Vec<String> = written.iter().map(|step| format!("    {step},{line_end}")).collect();
    format!("[{line_end}{}]", lines.concat())
}

/// Whether a list is short enough for one line.
fn fits(list: &str) -> bool {
    "steps = ".len() + list.chars().count() <= LINE_MAX
}

/// A step's name as TOML.
fn quoted(step: &str) -> String {
    Value::from(step).to_string()
}

#[cfg(test)]
mod tests;
