//! What was granted, one file per job. Only the owner may read them.

use super::Error;
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The folder of what was granted.
#[derive(Debug)]
pub(super) struct Vault {
    folder: PathBuf,
}

/// What a file holds.
#[derive(Serialize, Deserialize)]
struct Granted {
    /// Whose grant it is: another application cannot use it.
    client_id: String,
    refresh_token: String,
}

impl Vault {
    pub(super) fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    fn path(&self, job: &str) -> PathBuf {
        self.folder.join(format!("{job}.json"))
    }

    pub(super) fn read(&self, job: &str, client_id: &str) -> Result<SecretString, Error> {
        let path = self.path(job);
        let failed = |cause: String| Error::Vault { path: path.clone(), cause };
        let text = match std::fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(Error::NotAuthorized { job: job.to_owned() });
            }
            read => Zeroizing::new(read.map_err(|error| failed(error.to_string()))?),
        };
        // What the parser says of a broken file may repeat a part of it.
        let granted: Granted = serde_json::from_slice(&text)
            .map_err(|_| failed(format!("the file is damaged: run `mailmill authorize {job}`")))?;
        if granted.client_id != client_id {
            return Err(Error::OtherApplication { job: job.to_owned(), client_id: client_id.to_owned() });
        }
        Ok(SecretString::from(granted.refresh_token))
    }

    /// Replaces the file as a whole: there is never a half-written one.
    pub(super) fn write(&self, job: &str, client_id: &str, refresh: &SecretString) -> Result<(), Error> {
        let granted = Granted { client_id: client_id.to_owned(), refresh_token: refresh.expose_secret().to_owned() };
        let path = self.path(job);
        let write = || -> io::Result<()> {
            DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)?;
            let next = self.folder.join(format!(".{job}.json.next"));
            let text = Zeroizing::new(serde_json::to_vec(&granted)?);
            let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&next)?;
            file.write_all(&text)?;
            file.sync_all()?;
            std::fs::rename(&next, &path)
        };
        write().map_err(|error| Error::Vault { path: path.clone(), cause: error.to_string() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn what_was_granted_is_kept_for_its_application_only() {
        let dir = tempfile::tempdir().unwrap();
        let vault = Vault::new(&dir.path().join("tokens"));
        let check = |client_id: &str, expect: Result<&str, &str>| {
            let read = vault.read("support", client_id);
            let read = read.as_ref().map(|token| token.expose_secret()).map_err(ToString::to_string);
            assert_eq!(read, expect.map_err(ToOwned::to_owned));
        };
        check("app", Err("job \"support\" is not authorised yet: run `mailmill authorize support`"));
        vault.write("support", "app", &"first".into()).unwrap();
        vault.write("support", "app", &"second".into()).unwrap();
        check("app", Ok("second"));
        check(
            "other",
            Err("job \"support\" was authorised for another application than other: run `mailmill authorize support`"),
        );
        let path = dir.path().join("tokens/support.json");
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
        std::fs::write(&path, "{\"refresh_token\": \"hunter2\"").unwrap();
        let said = vault.read("support", "app").unwrap_err().to_string();
        assert!(said.contains("damaged") && !said.contains("hunter2"), "{said}");
    }
}
