//! Copies of messages in a Maildir.

use super::Failure;
use crate::content::Content;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

/// Mail is nobody else's business: modes of what is made.
const FOLDER_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;

/// Puts a message into `new` of a Maildir, which is made if there is none; others than the owner cannot read it. If a file of
/// that name is there already, nothing is done; nor, if this is a `repeated` attempt, where somebody has read it meanwhile.
///
/// # Errors
/// If it cannot be written; then another attempt may help.
pub async fn store(folder: &Path, file: &str, original: &Content, repeated: bool) -> Result<(), Failure> {
    let (folder, file, original) = (folder.to_owned(), file.to_owned(), original.clone());
    let shown = folder.display().to_string();
    let stored = tokio::task::spawn_blocking(move || put(&folder, &file, &original, repeated)).await;
    stored
        .map_err(|error| Failure::passing(error.to_string()))?
        .map_err(|error| Failure::passing(format!("the Maildir {shown} cannot be written: {error}")))
}

fn put(folder: &Path, file: &str, original: &Content, repeated: bool) -> io::Result<()> {
    for part in ["tmp", "new", "cur"] {
        DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(folder.join(part))?;
    }
    let (tmp, new) = (folder.join("tmp").join(file), folder.join("new").join(file));
    // `cur` may hold years of mail: it is searched only where an attempt before may have put the message there.
    if new.exists() || (repeated && was_read(folder, file)?) {
        return Ok(());
    }
    // What an attempt before has left there is not whole.
    let mut written = OpenOptions::new().write(true).create(true).truncate(true).mode(FILE_MODE).open(&tmp)?;
    for piece in original.pieces() {
        written.write_all(&piece.map_err(io::Error::other)?)?;
    }
    written.sync_all()?;
    fs::rename(&tmp, &new)?;
    File::open(folder.join("new"))?.sync_all()
}

/// Whether a mail program has moved it to `cur`, where its name has its flags behind a colon.
fn was_read(folder: &Path, file: &str) -> io::Result<bool> {
    for entry in fs::read_dir(folder.join("cur"))? {
        let name = entry?.file_name();
        let name = name.to_string_lossy();
        if name.split_once(':').map_or(&*name, |(name, _)| name) == file {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(folder: &Path, part: &str) -> Vec<String> {
        let entries = fs::read_dir(folder.join(part)).unwrap();
        entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn a_message_is_stored_once_also_after_it_was_read() {
        let folder = tempfile::tempdir().unwrap();
        let (path, content) = (folder.path().join("archive"), Content::from(&b"hello"[..]));
        put(&path, "1.x", &content, false).unwrap();
        put(&path, "1.x", &content, false).unwrap();
        assert_eq!((files(&path, "new"), files(&path, "tmp").len()), (vec!["1.x".to_owned()], 0));
        assert_eq!(fs::read(path.join("new/1.x")).unwrap(), b"hello");
        fs::rename(path.join("new/1.x"), path.join("cur/1.x:2,S")).unwrap();
        put(&path, "1.x", &content, true).unwrap();
        assert_eq!(files(&path, "new").len(), 0);
        put(&path, "1.xy", &content, true).unwrap();
        assert_eq!(files(&path, "new").len(), 1);
    }

    #[test]
    fn what_was_left_half_written_is_written_anew() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("tmp")).unwrap();
        fs::write(folder.path().join("tmp/1.x"), "half of something longer").unwrap();
        put(folder.path(), "1.x", &Content::from(&b"hello"[..]), false).unwrap();
        assert_eq!(fs::read(folder.path().join("new/1.x")).unwrap(), b"hello");
    }
    #[test]
    fn nobody_else_can_read_it() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("archive");
        put(&path, "1.x", &Content::from(&b"hello"[..]), false).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!([&path, &path.join("new"), &path.join("new/1.x")].map(|path| mode(path)), [0o700, 0o700, 0o600]);
    }
}
