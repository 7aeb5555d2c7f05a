//! Why there is no access token.

use crate::class::Class;
use crate::secret;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Why there is no access token. No error holds a secret.
#[derive(Debug, Clone, thiserror::Error)]
#[allow(missing_docs)] // The sentences name the fields.
pub enum Error {
    #[error("job \"{job}\" is not authorised yet: run `mailmill authorize {job}`")]
    NotAuthorized { job: String },
    #[error("job \"{job}\" was authorised for another application than {client_id}: run `mailmill authorize {job}`")]
    OtherApplication { job: String, client_id: String },
    #[error("the authorisation of job \"{job}\" is not valid any more ({said}): run `mailmill authorize {job}`")]
    Withdrawn { job: String, said: String },
    #[error("{host} issues no token: {said}; check client_id, client_secret and the rights of the application")]
    Refused { host: String, said: String },
    #[error("{host} grants a token, but none that lasts: it must be asked for offline access, see `scopes`")]
    NotLasting { host: String },
    #[error("the right to read the mail was not granted: {said}")]
    Denied { said: String },
    #[error("nobody has granted the right within the time: run the command again")]
    TooLate,
    #[error("cannot reach {host}: {cause}")]
    Unreachable { host: String, cause: String },
    #[error("{host} cannot issue a token now: {said}")]
    Busy { host: String, said: String, retry_after: Option<Duration> },
    #[error("the answer of {host} makes no sense: {what}")]
    Nonsense { host: String, what: String },
    #[error("cannot keep what was granted in {}: {cause}", path.display())]
    Vault { path: PathBuf, cause: String },
    #[error("{0}")]
    Secret(Arc<secret::Error>),
}

impl Error {
    /// Whether trying again can help.
    #[must_use]
    pub fn class(&self) -> Class {
        match self {
            Self::Unreachable { .. } | Self::Busy { .. } | Self::Nonsense { .. } | Self::Vault { .. } => {
                Class::Transient
            }
            Self::NotAuthorized { .. }
            | Self::OtherApplication { .. }
            | Self::Withdrawn { .. }
            | Self::Refused { .. }
            | Self::NotLasting { .. }
            | Self::Denied { .. }
            | Self::TooLate
            | Self::Secret(_) => Class::Permanent,
        }
    }

    /// How long the provider asks us to wait (RFC 9110 section 10.2.3).
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Busy { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// A grant that is refused when it is used was withdrawn, and someone has to give it again.
    pub(super) fn of_job(self, job: &str) -> Self {
        match self {
            Self::Denied { said } => Self::Withdrawn { job: job.to_owned(), said },
            other => other,
        }
    }
}
