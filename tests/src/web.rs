//! A plain HTTP client: what a script, or somebody with bad intentions, sends to the web admin.

use anyhow::{Context, Result};
use http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

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
}

impl Web {
    /// Somebody nobody knows.
    #[must_use]
    pub fn new(address: &str) -> Self {
        let client = Client::builder(TokioExecutor::new()).build_http();
        Self { client, address: address.to_owned(), header: None }
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

    /// Sends a request.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn send(&self, method: Method, path: &str, body: &str) -> Result<Answer> {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.address));
        request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        if let Some((name, value)) = &self.header {
            request = request.header(name, value);
        }
        let answer = self.client.request(request.body(Full::from(body.to_owned()))?).await?;
        let (parts, body) = answer.into_parts();
        let bytes = body.collect().await?.to_bytes();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        Ok(Answer { status: parts.status, headers: parts.headers, text })
    }
}
