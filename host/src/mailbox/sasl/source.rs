//! What a mailbox's account knows about logging in.

use super::{Kind, Secret};
use crate::mailbox::error::Error;
use secrecy::SecretString;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

/// How a job proves who it is.
#[derive(Debug, Clone)]
pub enum Authentication {
    /// By a password, in the strongest way that the server offers.
    Password(SecretString),
    /// By a password and NTLM, which mail programs call SPA. The user is `DOMAIN\user`, `user` or `user@domain`.
    Ntlm(SecretString),
    /// By an OAuth 2.0 access token.
    OAuth2(Arc<dyn TokenSource>),
}

/// Where access tokens come from: they live for an hour, a job runs for years.
pub trait TokenSource: fmt::Debug + Send + Sync {
    /// A token to log in with now. `refused` is the one before, if the mail server has just refused it: then another
    /// one is wanted; the same one again says that there is no other.
    ///
    /// # Errors
    /// [`Error::Token`], which says whether trying again later can help.
    fn token<'a>(
        &'a self,
        refused: Option<&'a SecretString>,
    ) -> Pin<Box<dyn Future<Output = Result<SecretString, Error>> + Send + 'a>>;
}

impl Authentication {
    pub(super) fn kind(&self) -> Kind {
        match self {
            Self::Password(_) => Kind::Password,
            Self::Ntlm(_) => Kind::Ntlm,
            Self::OAuth2(_) => Kind::Token,
        }
    }

    /// What to log in with; `refused` as in [`TokenSource::token`].
    pub(super) async fn secret(&self, refused: Option<&SecretString>) -> Result<Secret, Error> {
        Ok(match self {
            Self::Password(password) | Self::Ntlm(password) => Secret::Password(password.clone()),
            Self::OAuth2(source) => Secret::Token(source.token(refused).await?),
        })
    }
}
