//! The access tokens of a job, as its account asks for them.

use crate::class::Class;
use crate::config::{Authentication, Job, JobSource, Server};
use crate::mailbox::{self, Protocol, TokenSource};
use crate::oauth::{self, App, Source, Tokens};
use crate::secret::SecretRef;
use secrecy::SecretString;
use std::pin::Pin;
use std::sync::Arc;

/// The application with which a job gets its tokens; none if it logs in by other means.
#[must_use]
pub fn oauth_app(job: &Job) -> Option<App> {
    let (server, protocol) = match &job.source {
        JobSource::Imap(imap) => (&imap.server, Protocol::Imap),
        JobSource::Pop3(pop3) => (&pop3.server, Protocol::Pop3),
        JobSource::Maildir(_) | JobSource::Folder(_) => return None,
    };
    let oauth = server.oauth.as_ref().filter(|_| server.authentication == Authentication::OAuth2)?;
    // That it has all it needs was checked when the job was loaded.
    Some(App::new(oauth, oauth.endpoints(protocol).ok()?))
}

/// Where a job's access tokens come from.
pub(super) fn source(job: &Job, server: &Server, tokens: &Arc<Tokens>) -> Arc<dyn TokenSource> {
    let user = server.user.clone();
    match oauth_app(job) {
        Some(app) => Arc::new(Issued { user, source: tokens.of(&job.name, app) }),
        None => Arc::new(Stored { user, place: server.password.clone() }),
    }
}

type Token<'a> = Pin<Box<dyn Future<Output = Result<SecretString, mailbox::Error>> + Send + 'a>>;

/// Access tokens that are issued to us.
#[derive(Debug)]
struct Issued {
    user: String,
    source: Source,
}

impl TokenSource for Issued {
    fn token<'a>(&'a self, refused: Option<&'a SecretString>) -> Token<'a> {
        Box::pin(async move { self.source.token(refused).await.map_err(|error| explain(&self.user, &error)) })
    }
}

fn explain(user: &str, error: &oauth::Error) -> mailbox::Error {
    let retry_after = error.retry_after();
    mailbox::Error::Token { user: user.to_owned(), cause: error.to_string(), class: error.class(), retry_after }
}

/// An access token that another program keeps fresh.
#[derive(Debug)]
struct Stored {
    user: String,
    place: Option<SecretRef>,
}

impl TokenSource for Stored {
    fn token<'a>(&'a self, _: Option<&'a SecretString>) -> Token<'a> {
        let failed = |cause: String| mailbox::Error::Token {
            user: self.user.clone(),
            cause,
            class: Class::Permanent,
            retry_after: None,
        };
        let token = match &self.place {
            Some(place) => place.resolve().map(|resolved| resolved.secret).map_err(|error| failed(error.to_string())),
            None => Err(failed("the job names no place for it".to_owned())),
        };
        Box::pin(std::future::ready(token))
    }
}
