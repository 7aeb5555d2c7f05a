//! What becomes of handled messages in a folder.
//!
//! In a Maildir, flags are part of the name, and a subfolder `A/B` is the directory `.A.B` beside `cur` (Maildir++). In a
//! folder of `.eml` files there are no flags: a message can be removed, or moved into a directory below.

use super::{FolderAccount, FolderKind, folder_error, split_flags};
use crate::mailbox::{Disposition, Error};
use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// How many names are tried for a file that moves to where others of its name are.
const NAMES_MAX: u32 = 1000;

/// Carries out a disposition. A file that is gone is passed over.
pub(super) fn mark(account: &FolderAccount, path: &Path, disposition: &Disposition) -> Result<(), Error> {
    let removes = account.purge || account.kind == FolderKind::Eml;
    match account.kind {
        _ if disposition.deleted && removes => gone_is_done(std::fs::remove_file(path), path, "remove"),
        FolderKind::Maildir => flag_and_move(&account.path, path, disposition),
        FolderKind::Eml => match &disposition.move_to {
            Some(target) => {
                move_file(path, &target.split('/').fold(account.path.clone(), |path, level| path.join(level)))
            }
            None => Ok(()),
        },
    }
}

/// Sets flags by renaming, and takes a new message out of `new`, as the Maildir format asks of a reader.
fn flag_and_move(root: &Path, path: &Path, disposition: &Disposition) -> Result<(), Error> {
    let name = path.file_name().unwrap_or_default().as_bytes();
    let (unique, old) = split_flags(name);
    let mut flags = old.to_vec();
    flags.extend(disposition.seen.then_some(b'S'));
    flags.extend(disposition.deleted.then_some(b'T'));
    flags.sort_unstable();
    flags.dedup();
    let name = OsString::from_vec([unique, b":2,", &flags].concat());
    let folder = match &disposition.move_to {
        Some(target) => subfolder(root, target)?,
        None => root.to_owned(),
    };
    let action = if disposition.move_to.is_some() { "move" } else { "mark" };
    gone_is_done(std::fs::rename(path, folder.join("cur").join(name)), path, action)
}

/// The directory of a subfolder of a Maildir; made if there is none.
fn subfolder(root: &Path, name: &str) -> Result<PathBuf, Error> {
    let levels: Vec<&str> = name.split(['/', '.']).collect();
    let folder = root.join(format!(".{}", levels.join(".")));
    for part in ["tmp", "new", "cur"] {
        let part = folder.join(part);
        std::fs::create_dir_all(&part).map_err(|error| folder_error(&part, "move", &error))?;
    }
    Ok(folder)
}

fn move_file(path: &Path, folder: &Path) -> Result<(), Error> {
    std::fs::create_dir_all(folder).map_err(|error| folder_error(folder, "move", &error))?;
    let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let mut names = std::iter::once(path.file_name().unwrap_or_default().to_owned())
        .chain((2..NAMES_MAX).map(|number| format!("{stem}-{number}.eml").into()));
    // Another message of the same name is not to be written over.
    let free = names.find(|name| !folder.join(name).exists());
    let free = free.ok_or_else(|| folder_error(path, "move", &io::ErrorKind::AlreadyExists.into()))?;
    gone_is_done(std::fs::rename(path, folder.join(free)), path, "move")
}

fn gone_is_done(done: io::Result<()>, path: &Path, action: &'static str) -> Result<(), Error> {
    match done {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(folder_error(path, action, &error)),
        _ => Ok(()),
    }
}
