//! Secrets: settings name the place of a password, never the password itself.

use secrecy::{ExposeSecret, SecretString};
use std::path::{Path, PathBuf};

/// The longest secret that is read, in bytes.
pub const SECRET_BYTES_MAX: u64 = 64 * 1024;
/// Where systemd says in which directory the credentials of a service are.
const CREDENTIALS_DIRECTORY: &str = "CREDENTIALS_DIRECTORY";

/// Where a secret is to be found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretRef {
    /// In an environment variable.
    Env(String),
    /// In a file: its text, without the line end.
    File(PathBuf),
    /// In a systemd credential: the file of that name in `$CREDENTIALS_DIRECTORY`.
    Credential(String),
}

/// Why there is no secret.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The variable does not exist.
    #[error("the environment variable {0} is not set: set it to the password, or name a file with `file`")]
    NotSet(String),
    /// The variable holds nothing.
    #[error("the environment variable {0} is empty: set it to the password, or name a file with `file`")]
    Empty(String),
    /// The variable is not text.
    #[error("the environment variable {0} is not UTF-8")]
    NotText(String),
    /// The file cannot be read.
    #[error("cannot read the password from {}: {error}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
    /// The file holds no password.
    #[error("{} cannot be a password: {reason}", path.display())]
    Unfit {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: &'static str,
    },
    /// There are no credentials.
    #[error(
        "there is no credential \"{0}\": the service has no {CREDENTIALS_DIRECTORY}; add LoadCredential={0}:… to its unit"
    )]
    NoCredentials(String),
    /// The name leads out of the directory.
    #[error("\"{0}\" is no name of a credential: it must be a plain file name")]
    CredentialName(String),
}

/// A secret, and what is to be said about the way it is kept.
#[derive(Debug)]
pub struct Resolved {
    /// The secret. It cannot be printed.
    pub secret: SecretString,
    /// A sentence for the log, if others can read the file.
    pub warning: Option<String>,
}

impl SecretRef {
    /// Reads the secret.
    ///
    /// # Errors
    /// If it is not where it is said to be.
    pub fn resolve(&self) -> Result<Resolved, Error> {
        self.resolve_in(|name| std::env::var_os(name))
    }

    /// The same with its own environment.
    fn resolve_in(&self, env: impl Fn(&str) -> Option<std::ffi::OsString>) -> Result<Resolved, Error> {
        match self {
            Self::Env(name) => {
                let value = env(name).ok_or_else(|| Error::NotSet(name.clone()))?;
                if value.is_empty() {
                    return Err(Error::Empty(name.clone()));
                }
                let secret = value.into_string().map_err(|_| Error::NotText(name.clone()))?;
                Ok(Resolved { secret: secret.into(), warning: None })
            }
            Self::File(path) => Ok(Resolved { secret: read(path)?, warning: exposure(path) }),
            Self::Credential(name) => {
                if name.is_empty() || name.contains(['/', '\\']) || name.starts_with('.') {
                    return Err(Error::CredentialName(name.clone()));
                }
                let dir = env(CREDENTIALS_DIRECTORY).ok_or_else(|| Error::NoCredentials(name.clone()))?;
                Ok(Resolved { secret: read(&Path::new(&dir).join(name))?, warning: None })
            }
        }
    }
}

fn read(path: &Path) -> Result<SecretString, Error> {
    let failed = |error| Error::File { path: path.to_owned(), error };
    let unfit = |reason| Error::Unfit { path: path.to_owned(), reason };
    if std::fs::metadata(path).map_err(failed)?.len() > SECRET_BYTES_MAX {
        return Err(unfit("it is longer than 64 KiB"));
    }
    // An error of `read_to_string` says that the text is not UTF-8, but never shows it.
    let text = SecretString::from(std::fs::read_to_string(path).map_err(failed)?);
    let secret = text.expose_secret().trim_end_matches(['\r', '\n']);
    if secret.is_empty() { Err(unfit("it is empty")) } else { Ok(secret.into()) }
}

/// What to say if others than the owner can read the file.
#[cfg(unix)]
fn exposure(path: &Path) -> Option<String> {
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::metadata(path).ok()?.permissions().mode();
    let shown = path.display();
    (mode & 0o077 != 0).then(|| format!("others can read the password file {shown}: run chmod 600 {shown}"))
}

#[cfg(not(unix))]
fn exposure(_: &Path) -> Option<String> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsString;

    fn resolve(secret: &SecretRef, env: &[(&str, &str)]) -> Result<String, String> {
        let look_up = |name: &str| env.iter().find(|(key, _)| *key == name).map(|(_, value)| OsString::from(value));
        let resolved = secret.resolve_in(look_up).map_err(|error| error.to_string())?;
        assert!(!format!("{resolved:?}").contains("hunter2"), "printable");
        Ok(resolved.secret.expose_secret().to_owned())
    }

    #[test]
    fn a_variable_is_read() {
        let secret = SecretRef::Env("PASSWORD".into());
        assert_eq!(resolve(&secret, &[("PASSWORD", "hunter2")]), Ok("hunter2".into()));
        let expect = "the environment variable PASSWORD is not set: set it to the password, or name a file with `file`";
        assert_eq!(resolve(&secret, &[]), Err(expect.into()));
        let expect = "the environment variable PASSWORD is empty: set it to the password, or name a file with `file`";
        assert_eq!(resolve(&secret, &[("PASSWORD", "")]), Err(expect.into()));
    }

    #[test]
    fn a_file_is_read_without_its_line_end() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("password");
        let secret = SecretRef::File(path.clone());
        let shown = path.display();
        let expect = format!("cannot read the password from {shown}: No such file or directory (os error 2)");
        assert_eq!(resolve(&secret, &[]), Err(expect));
        std::fs::write(&path, "\n").unwrap();
        assert_eq!(resolve(&secret, &[]), Err(format!("{shown} cannot be a password: it is empty")));
        std::fs::write(&path, " hunter2 \r\n").unwrap();
        assert_eq!(resolve(&secret, &[]), Ok(" hunter2 ".into()));
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_others_can_read_is_a_warning() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("password");
        std::fs::write(&path, "hunter2").unwrap();
        let warning = |mode| {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            SecretRef::File(path.clone()).resolve().unwrap().warning
        };
        let shown = path.display();
        assert_eq!(warning(0o600), None);
        assert_eq!(warning(0o640), Some(format!("others can read the password file {shown}: run chmod 600 {shown}")));
    }

    #[test]
    fn a_credential_is_a_file_of_its_directory() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("imap"), "hunter2\n").unwrap();
        let env = [(CREDENTIALS_DIRECTORY, dir.path().to_str().unwrap())];
        assert_eq!(resolve(&SecretRef::Credential("imap".into()), &env), Ok("hunter2".into()));
        let expect = "\"../imap\" is no name of a credential: it must be a plain file name";
        assert_eq!(resolve(&SecretRef::Credential("../imap".into()), &env), Err(expect.into()));
        let expect = "there is no credential \"imap\": the service has no CREDENTIALS_DIRECTORY; \
                      add LoadCredential=imap:… to its unit";
        assert_eq!(resolve(&SecretRef::Credential("imap".into()), &[]), Err(expect.into()));
    }
}
