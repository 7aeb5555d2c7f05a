//! The files of jobs as texts, for pages and scripts: made, replaced, deleted; what is not sound is not written.

use super::Site;
use super::error::Fault;
use crate::config::{Job, replace_text};
use crate::job;
use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// The longest name of a job, in bytes.
const NAME_BYTES_MAX: usize = 100;
/// Names that are addresses of other pages.
const RESERVED: [&str; 1] = ["new"];

/// The file of a job.
pub(super) fn find(site: &Site, name: &str) -> Result<PathBuf, Fault> {
    job::find(&site.config.jobs, name).map_err(|_| Fault::NotFound(format!("job {name}")))
}

/// A job as its file says now.
pub(super) fn load(site: &Site, name: &str) -> Result<Job, Fault> {
    Ok(Job::load(&find(site, name)?)?)
}

/// Whether a new job may be called so.
pub(super) fn check_name(name: &str) -> Result<(), Fault> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if name.is_empty() || name.len() > NAME_BYTES_MAX || !name.chars().all(fits) {
        return Err(Fault::Refused("The name of a job has letters, digits, - and _ only.".to_owned()));
    }
    if RESERVED.contains(&name) {
        return Err(Fault::Refused(format!("A job cannot be called {name:?}: that is a page of its own.")));
    }
    Ok(())
}

/// Whether the text makes a job that the rules in force suit.
fn check(site: &Site, path: &Path, text: &str) -> Result<(), Fault> {
    let job = Job::parse(path, text)?;
    Ok(job::check_steps(&[job], &site.config.jobs, &site.reloader.current())?)
}

/// Makes a new job of that text. `secrets` writes what it has to be kept secret into the folder that it gets, which is that of the jobs.
pub(super) async fn create(
    site: &Site,
    name: &str,
    text: &str,
    secrets: impl FnOnce(&Path) -> Result<(), Fault> + Send,
    by: &str,
) -> Result<(), Fault> {
    check_name(name)?;
    let taken = || Fault::Changed("There is a job of that name already.".to_owned());
    let path = site.config.jobs.join(format!("{name}.toml"));
    if path.exists() {
        return Err(taken());
    }
    check(site, &path, text)?;
    std::fs::create_dir_all(&site.config.jobs)?;
    secrets(&site.config.jobs)?;
    match write_new(&path, text) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => return Err(taken()),
        written => written?,
    }
    Ok(site.ctx.store.note(by, "create-job", name, text).await?)
}

fn write_new(path: &Path, text: &str) -> std::io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// Puts `after` in the place of the text of a job's file, which is to be `before`.
pub(super) async fn replace(site: &Site, name: &str, before: &str, after: &str, by: &str) -> Result<(), Fault> {
    let path = find(site, name)?;
    check(site, &path, after)?;
    replace_text(&path, before, after)?;
    if before != after {
        site.ctx.store.note(by, "edit-job", name, &difference(name, before, after)).await?;
    }
    Ok(())
}

/// Removes the file of a job.
pub(super) async fn delete(site: &Site, name: &str, by: &str) -> Result<(), Fault> {
    let path = find(site, name)?;
    let text = std::fs::read_to_string(&path)?;
    std::fs::remove_file(&path)?;
    // Whoever deleted it by mistake finds it here.
    Ok(site.ctx.store.note(by, "delete-job", name, &text).await?)
}

/// Keeps a secret in a file of a folder, for mailmill alone; one that is there is replaced as a whole.
pub(super) fn keep_secret(folder: &Path, file: &str, secret: &str) -> Result<(), Fault> {
    let mut kept = tempfile::Builder::new().prefix(".new-").tempfile_in(folder)?;
    kept.write_all(secret.as_bytes())?;
    kept.as_file().sync_all()?;
    kept.persist(folder.join(file)).map_err(|error| Fault::from(error.error))?;
    Ok(())
}

/// How one text becomes another: a unified difference.
pub(super) fn difference(name: &str, before: &str, after: &str) -> String {
    similar::TextDiff::from_lines(before, after).unified_diff().header(name, name).to_string()
}
