//! OAuth 2.0 (RFC 6749): access tokens, with which a mail server lets a job in instead of a password.
//!
//! What someone granted once (`mailmill authorize JOB`) is a refresh token in a file that only the owner can read; access
//! tokens are got with it when they are needed, and kept in memory for as long as they are good.

mod browser;
mod error;
mod flow;
mod http;
mod vault;

pub use error::Error;
pub use flow::Prompt;

use crate::config::{Endpoints, Grant, OAuth};
use crate::secret::SecretRef;
use flow::Issued;
use http::Http;
use secrecy::{ExposeSecret, SecretString};
use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use vault::Vault;

/// A token is renewed so long before it expires: a session wants to begin with a good one.
const RENEW_BEFORE: Duration = Duration::from_secs(60);

/// A registered application, and where it gets its tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct App {
    client_id: String,
    client_secret: Option<SecretRef>,
    endpoints: Endpoints,
}

impl App {
    /// The application that the settings of a job describe.
    #[must_use]
    pub fn new(settings: &OAuth, endpoints: Endpoints) -> Self {
        Self { client_id: settings.client_id.clone(), client_secret: settings.client_secret.clone(), endpoints }
    }
}

/// An access token in memory.
#[derive(Debug)]
struct Held {
    app: App,
    token: SecretString,
    good_until: Option<Instant>,
}

/// What jobs hold, each behind a lock of its own: waiting for the provider of one delays no other.
type Slot = Arc<tokio::sync::Mutex<Option<Held>>>;

/// The access tokens of all jobs.
#[derive(Debug)]
pub struct Tokens {
    vault: Vault,
    http: Http,
    held: Mutex<HashMap<String, Slot>>,
}

impl Tokens {
    /// Those of the installation with this database: what was granted is kept in the folder `tokens` beside it, which is
    /// made when it is needed.
    #[must_use]
    pub fn beside(database: &Path) -> Arc<Self> {
        let vault = Vault::new(&database.with_file_name("tokens"));
        Arc::new(Self { vault, http: Http::default(), held: Mutex::default() })
    }

    /// Where a job's access tokens come from.
    #[must_use]
    pub fn of(self: &Arc<Self>, job: &str, app: App) -> Source {
        Source { tokens: self.clone(), job: job.to_owned(), app }
    }

    fn slot(&self, job: &str) -> Slot {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).entry(job.to_owned()).or_default().clone()
    }
}

/// Where the access tokens of a job come from.
#[derive(Debug, Clone)]
pub struct Source {
    tokens: Arc<Tokens>,
    job: String,
    app: App,
}

impl Source {
    /// A good access token. `refused` is the one that the mail server has just refused: it is not handed out again.
    ///
    /// # Errors
    /// If nobody has granted the right, or the provider issues no token.
    pub async fn token(&self, refused: Option<&SecretString>) -> Result<SecretString, Error> {
        let slot = self.tokens.slot(&self.job);
        let mut held = slot.lock().await;
        if let Some(held) = &*held
            && held.app == self.app
            && held.good_until.is_none_or(|until| Instant::now() < until)
            && refused.is_none_or(|refused| refused.expose_secret() != held.token.expose_secret())
        {
            return Ok(held.token.clone());
        }
        *held = None;
        let issued = self.issue().await?;
        let good_until = issued.lasts.map(|lasts| Instant::now() + lasts.saturating_sub(RENEW_BEFORE.min(lasts / 2)));
        let token = issued.access.clone();
        *held = Some(Held { app: self.app.clone(), token: issued.access, good_until });
        Ok(token)
    }

    async fn issue(&self) -> Result<Issued, Error> {
        let (http, app) = (&self.tokens.http, &self.app);
        if app.endpoints.grant == Grant::ClientCredentials {
            return flow::client_credentials(http, app).await;
        }
        let granted = self.tokens.vault.read(&self.job, &app.client_id)?;
        let issued = flow::refresh(http, app, &granted).await.map_err(|error| error.of_job(&self.job))?;
        // Providers may hand out another refresh token each time, and then forget the one before.
        if let Some(next) = &issued.refresh
            && next.expose_secret() != granted.expose_secret()
        {
            self.tokens.vault.write(&self.job, &app.client_id, next)?;
        }
        Ok(issued)
    }

    /// Has someone grant the right, and keeps it. `prompt` shows what that person has to do.
    ///
    /// # Errors
    /// If it is not granted, or cannot be kept.
    pub async fn authorize(&self, prompt: impl FnMut(Prompt)) -> Result<(), Error> {
        let (http, app) = (&self.tokens.http, &self.app);
        let issued = match app.endpoints.grant {
            Grant::ClientCredentials => return flow::client_credentials(http, app).await.map(drop),
            Grant::Device => flow::device(http, app, prompt).await?,
            Grant::Browser => browser::log_in(http, app, prompt).await?,
        };
        let Some(refresh) = issued.refresh else {
            return Err(Error::NotLasting { host: flow::host_of(&app.endpoints.token_url) });
        };
        self.tokens.vault.write(&self.job, &app.client_id, &refresh)
    }
}
