//! An HTTP client over rustls, for whoever speaks HTTP: how it trusts servers is said here, once.

use std::sync::Arc;
use std::time::Duration;
use tokio_rustls::rustls::{self, ClientConfig, RootCertStore};

/// Makes a client that trusts the system's certificates and follows no redirect: what is sent is meant for one server.
///
/// # Errors
/// With the reason, if TLS cannot be set up.
pub(crate) async fn client(timeout: Duration) -> Result<reqwest::Client, String> {
    // Reading the system's certificates takes milliseconds of disk and CPU.
    let roots = tokio::task::spawn_blocking(|| {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        roots
    });
    let roots = roots.await.map_err(|error| error.to_string())?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let tls = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .redirect(reqwest::redirect::Policy::none())
        .timeout(timeout)
        .user_agent(concat!("mailmill/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| error.to_string())
}

/// The innermost cause of a failed request says it; the address, which may be long, is known from elsewhere.
#[allow(clippy::needless_pass_by_value)] // As `map_err` wants it.
pub(crate) fn cause(error: reqwest::Error, timeout: Duration) -> String {
    let mut cause: &dyn std::error::Error = &error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    if error.is_timeout() { format!("no answer within {} s", timeout.as_secs()) } else { cause.to_string() }
}

/// What `Retry-After` asks for in seconds; the other form, a date, is rare and not worth waiting for.
pub(crate) fn retry_after(headers: &reqwest::header::HeaderMap) -> Option<Duration> {
    let seconds = headers.get(reqwest::header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}
