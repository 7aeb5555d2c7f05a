//! HTTP, as far as OAuth 2.0 needs it.

use super::flow::host_of;
use oauth2::{AsyncHttpClient, HttpRequest, HttpResponse};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::OnceCell;
use tokio_rustls::rustls::{self, ClientConfig, RootCertStore};

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
            return Err(Fault::Busy { said, retry_after: retry_after(answer.headers()) });
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

/// Seconds; the other form, a date, is rare and not worth waiting for.
fn retry_after(headers: &reqwest::header::HeaderMap) -> Option<Duration> {
    let seconds = headers.get(reqwest::header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

async fn build() -> Result<reqwest::Client, Fault> {
    let internal = |error: String| Fault::Unreachable(format!("HTTPS cannot be used here: {error}"));
    // Reading the system's certificates takes milliseconds of disk and CPU.
    let roots = tokio::task::spawn_blocking(|| {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        roots
    });
    let roots = roots.await.map_err(|error| internal(error.to_string()))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let tls = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| internal(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .redirect(reqwest::redirect::Policy::none())
        .timeout(TIMEOUT)
        .user_agent(concat!("mailmill/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| internal(error.to_string()))
}

/// The innermost cause says it; the address, which may be long, is known from elsewhere.
#[allow(clippy::needless_pass_by_value)] // As `map_err` wants it.
fn unreachable(error: reqwest::Error) -> Fault {
    let mut cause: &dyn std::error::Error = &error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    let said = if error.is_timeout() { format!("no answer within {} s", TIMEOUT.as_secs()) } else { cause.to_string() };
    Fault::Unreachable(said)
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
