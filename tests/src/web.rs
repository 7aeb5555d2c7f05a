//! A plain HTTP client: what a script, or somebody with bad intentions, sends to the web admin.

use anyhow::{Context, Result};
use http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// What was answered.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The header.
    pub headers: HeaderMap,
    /// The body, as text.
    pub text: String,
}

/// Somebody who asks, with a cookie or a token if they have one.
#[derive(Debug, Clone)]
pub struct Web {
    client: Client<HttpConnector, Full<hyper::body::Bytes>>,
    address: String,
    header: Option<(header::HeaderName, String)>,
    /// The one authority whose certificates are good, in PEM; none: there is no TLS.
    authority: Option<PathBuf>,
}

impl Web {
    /// Somebody nobody knows.
    #[must_use]
    pub fn new(address: &str) -> Self {
        let client = Client::builder(TokioExecutor::new()).build_http();
        Self { client, address: address.to_owned(), header: None, authority: None }
    }

    /// The same over TLS, trusting what this authority has signed: a PEM file.
    #[must_use]
    pub fn trusting(&self, authority: &Path) -> Self {
        Self { authority: Some(authority.to_owned()), ..self.clone() }
    }

    /// The same with a token of the API.
    #[must_use]
    pub fn with_token(&self, token: &str) -> Self {
        Self { header: Some((header::AUTHORIZATION, format!("Bearer {token}"))), ..self.clone() }
    }

    /// The same with the cookie of an answer.
    ///
    /// # Errors
    /// If it sets none.
    pub fn with_cookie_of(&self, answer: &Answer) -> Result<Self> {
        let cookie = answer.headers.get(header::SET_COOKIE).context("no cookie")?.to_str()?;
        let pair = cookie.split(';').next().unwrap_or_default().to_owned();
        Ok(Self { header: Some((header::COOKIE, pair)), ..self.clone() })
    }

    /// Asks for a page.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn get(&self, path: &str) -> Result<Answer> {
        self.send(Method::GET, path, "").await
    }

    /// Sends a form: its fields as they are encoded.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Result<Answer> {
        let form = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        self.send(Method::POST, path, &form).await
    }

    /// Sends a form of ours: one with the token that the page has for whoever asks.
    ///
    /// # Errors
    /// If there is no answer, or the page has no form.
    pub async fn submit(&self, page: &str, path: &str, fields: &[(&str, &str)]) -> Result<Answer> {
        let shown = self.get(page).await?;
        let token = shown.text.split("name=\"csrf\" value=\"").nth(1).and_then(|rest| rest.split('"').next());
        let token = token.with_context(|| format!("a form on {page}: {}", shown.text))?;
        let fields: Vec<(&str, &str)> = fields.iter().copied().chain([("csrf", token)]).collect();
        self.post(path, &fields).await
    }

    /// Sends a form as it is encoded, or nothing.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn send(&self, method: Method, path: &str, body: &str) -> Result<Answer> {
        self.send_as("application/x-www-form-urlencoded", method, path, body).await
    }

    /// Sends JSON.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn send_json(&self, method: Method, path: &str, body: &serde_json::Value) -> Result<Answer> {
        self.send_as("application/json", method, path, &body.to_string()).await
    }

    async fn send_as(&self, kind: &str, method: Method, path: &str, body: &str) -> Result<Answer> {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.address));
        request = request.header(header::CONTENT_TYPE, kind);
        if let Some((name, value)) = &self.header {
            request = request.header(name, value);
        }
        let request = request.body(Full::from(body.to_owned()))?;
        let answer = match &self.authority {
            None => self.client.request(request).await?,
            Some(authority) => over_tls(authority, request).await?,
        };
        let (parts, body) = answer.into_parts();
        let bytes = body.collect().await?.to_bytes();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        Ok(Answer { status: parts.status, headers: parts.headers, text })
    }
}

/// Sends one request over a TLS connection of its own.
async fn over_tls(authority: &Path, request: Request<Full<hyper::body::Bytes>>) -> Result<http::Response<Incoming>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(authority)?)?;
    let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let place = request.uri().authority().context("a host in the address")?.clone();
    let stream = tokio::net::TcpStream::connect(place.as_str()).await?;
    let name = ServerName::try_from(place.host().to_owned())?;
    let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    // RFC 9112 section 3.2.1: a server is asked for a path, and told its own name beside it.
    let (mut parts, body) = request.into_parts();
    parts.headers.insert(header::HOST, place.as_str().parse()?);
    parts.uri = parts.uri.path_and_query().context("a path in the address")?.as_str().parse()?;
    Ok(sender.send_request(Request::from_parts(parts, body)).await?)
}
