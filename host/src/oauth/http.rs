//! HTTP, as far as OAuth 2.0 needs it.

use super::flow::host_of;
use crate::http;
use oauth2::{AsyncHttpClient, HttpRequest, HttpResponse};
use std::pin::Pin;
use std::time::Duration;
use tokio::sync::OnceCell;

/// How long a provider may take to answer.
const TIMEOUT: Duration = Duration::from_secs(30);
/// The longest answer that is read.
const ANSWER_BYTES_MAX: usize = 256 * 1024;

/// An HTTP client, made when it is first needed: most installations never do.
#[derive(Debug, Default)]
pub(super) struct Http {
    client: OnceCell<reqwest::Client>,
}

/// What goes wrong below OAuth.
#[derive(Debug, Clone, thiserror::Error)]
pub(super) enum Fault {
    #[error("{0}")]
    Unreachable(String),
    #[error("{said}")]
    Busy { said: String, retry_after: Option<Duration> },
    #[error("{0}")]
    Nonsense(String),
}

impl<'c> AsyncHttpClient<'c> for Http {
    type Error = Fault;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, Fault>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.send(request))
    }
}

impl Http {
    /// Sends a request. Redirects are not followed: what is sent holds secrets.
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, Fault> {
        let client = self.client.get_or_try_init(build).await?;
        let request = reqwest::Request::try_from(request).map_err(unreachable)?;
        let mut answer = client.execute(request).await.map_err(unreachable)?;
        let status = answer.status();
        if status.as_u16() == 429 || status.is_server_error() {
            let said = format!("it answers {status}");
            return Err(Fault::Busy { said, retry_after: http::retry_after(answer.headers()) });
        }
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(unreachable)? {
            body.extend_from_slice(&chunk);
            if body.len() > ANSWER_BYTES_MAX {
                return Err(Fault::Nonsense(format!("it is longer than {ANSWER_BYTES_MAX} bytes")));
            }
        }
        let mut response = HttpResponse::new(body);
        *response.status_mut() = status;
        *response.headers_mut() = answer.headers().clone();
        Ok(response)
    }
}

async fn build() -> Result<reqwest::Client, Fault> {
    let built = http::client(TIMEOUT).await;
    built.map_err(|error| Fault::Unreachable(format!("HTTPS cannot be used here: {error}")))
}

fn unreachable(error: reqwest::Error) -> Fault {
    Fault::Unreachable(http::cause(error, TIMEOUT))
}

impl Fault {
    /// The error that this is for whoever needs a token of `url`.
    pub(super) fn at(self, url: &str) -> super::Error {
        let host = host_of(url);
        match self {
            Self::Unreachable(cause) => super::Error::Unreachable { host, cause },
            Self::Busy { said, retry_after } => super::Error::Busy { host, said, retry_after },
            Self::Nonsense(what) => super::Error::Nonsense { host, what },
        }
    }
}
