//! The ways to a token: by the application itself (RFC 6749 section 4.4), by what was granted before (section 6), and by
//! a code that someone enters on another device (RFC 8628).

use super::http::{Fault, Http};
use super::{App, Error};
use crate::tame::tame;
use oauth2::basic::{BasicClient, BasicErrorResponse, BasicErrorResponseType, BasicTokenResponse};
use oauth2::{
    AuthType, ClientId, ClientSecret, DeviceAuthorizationUrl, DeviceCodeErrorResponseType, EndpointNotSet, EndpointSet,
    ErrorResponse, ErrorResponseType, RefreshToken, RequestTokenError, Scope, StandardDeviceAuthorizationResponse,
    StandardErrorResponse, TokenResponse, TokenUrl,
};
use secrecy::{ExposeSecret, SecretString};
use std::sync::Arc;
use std::time::Duration;

/// A client that knows where tokens are issued.
pub(super) type Client = BasicClient<EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointSet>;

/// A token, and what came with it.
#[derive(Debug)]
pub(super) struct Issued {
    pub(super) access: SecretString,
    /// How long it is good, if the provider says.
    pub(super) lasts: Option<Duration>,
    /// What the next one can be got with.
    pub(super) refresh: Option<SecretString>,
}

/// What someone has to do to grant the right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Prompt {
    /// Open a page on any device and enter a code.
    Code {
        /// The page.
        url: String,
        /// The code.
        code: String,
        /// How long there is time.
        lasts: Duration,
    },
    /// Open a page with the browser of this machine.
    Open {
        /// The page.
        url: String,
    },
}

/// The host of an address, for people.
pub(super) fn host_of(url: &str) -> String {
    let host = reqwest::Url::parse(url).ok().and_then(|url| url.host_str().map(str::to_owned));
    host.unwrap_or_else(|| url.to_owned())
}

impl App {
    pub(super) fn client(&self) -> Result<Client, Error> {
        let url = &self.endpoints.token_url;
        let token_url = TokenUrl::new(url.clone()).map_err(|error| not_a_url(url, &error))?;
        let mut client = BasicClient::new(ClientId::new(self.client_id.clone()))
            .set_token_uri(token_url)
            .set_auth_type(AuthType::RequestBody);
        if let Some(secret) = &self.client_secret {
            let secret = secret.resolve().map_err(|error| Error::Secret(Arc::new(error)))?;
            client = client.set_client_secret(ClientSecret::new(secret.secret.expose_secret().to_owned()));
        }
        Ok(client)
    }

    fn scopes(&self) -> impl Iterator<Item = Scope> {
        self.endpoints.scopes.iter().cloned().map(Scope::new)
    }
}

pub(super) fn not_a_url(url: &str, error: &impl std::fmt::Display) -> Error {
    Error::Nonsense { host: url.to_owned(), what: error.to_string() }
}

pub(super) async fn client_credentials(http: &Http, app: &App) -> Result<Issued, Error> {
    let client = app.client()?;
    let answer = client.exchange_client_credentials().add_scopes(app.scopes()).request_async(http).await;
    answer.map(Issued::from).map_err(|error| refused(&app.endpoints.token_url, error))
}

pub(super) async fn refresh(http: &Http, app: &App, granted: &SecretString) -> Result<Issued, Error> {
    let client = app.client()?;
    let granted = RefreshToken::new(granted.expose_secret().to_owned());
    let answer = client.exchange_refresh_token(&granted).request_async(http).await;
    answer.map(Issued::from).map_err(|error| refused(&app.endpoints.token_url, error))
}

pub(super) async fn device(http: &Http, app: &App, mut prompt: impl FnMut(Prompt)) -> Result<Issued, Error> {
    let url = app.endpoints.device_url.clone().unwrap_or_default();
    let device_url = DeviceAuthorizationUrl::new(url.clone()).map_err(|error| not_a_url(&url, &error))?;
    let client = app.client()?.set_device_authorization_url(device_url);
    let details: StandardDeviceAuthorizationResponse = client
        .exchange_device_code()
        .add_scopes(app.scopes())
        .request_async(http)
        .await
        .map_err(|error| refused(&url, error))?;
    prompt(Prompt::Code {
        url: tame(details.verification_uri()),
        code: tame(details.user_code().secret()),
        lasts: details.expires_in(),
    });
    let answer = client.exchange_device_access_token(&details).request_async(http, tokio::time::sleep, None).await;
    answer.map(Issued::from).map_err(|error| match &error {
        RequestTokenError::ServerResponse(response) => match response.error() {
            DeviceCodeErrorResponseType::AccessDenied => Error::Denied { said: said(response) },
            DeviceCodeErrorResponseType::ExpiredToken => Error::TooLate,
            _ => Error::Refused { host: host_of(&app.endpoints.token_url), said: said(response) },
        },
        _ => transport(&app.endpoints.token_url, error),
    })
}

/// What a refused request for a token means.
pub(super) fn refused(url: &str, error: RequestTokenError<Fault, BasicErrorResponse>) -> Error {
    match &error {
        RequestTokenError::ServerResponse(response) => match response.error() {
            BasicErrorResponseType::InvalidGrant => Error::Denied { said: said(response) },
            _ => Error::Refused { host: host_of(url), said: said(response) },
        },
        _ => transport(url, error),
    }
}

fn transport<T: ErrorResponse>(url: &str, error: RequestTokenError<Fault, T>) -> Error {
    let host = host_of(url);
    match error {
        RequestTokenError::Request(fault) => fault.at(url),
        // The answer itself may hold a token, and is not shown.
        RequestTokenError::Parse(error, _) => {
            Error::Nonsense { host, what: format!("it is no answer of OAuth 2.0 (at {})", error.path()) }
        }
        RequestTokenError::ServerResponse(_) => Error::Nonsense { host, what: "it is refused".to_owned() },
        RequestTokenError::Other(what) => Error::Nonsense { host, what: tame(&what) },
    }
}

/// A provider's own words: the short code, and its description.
fn said<T: ErrorResponseType + std::fmt::Display>(response: &StandardErrorResponse<T>) -> String {
    let code = response.error().to_string();
    match response.error_description() {
        // Microsoft adds identifiers for its support, each on a line of its own.
        Some(text) => tame(&format!("{code}: {}", text.lines().next().unwrap_or_default())),
        None => tame(&code),
    }
}

impl From<BasicTokenResponse> for Issued {
    fn from(response: BasicTokenResponse) -> Self {
        Self {
            access: SecretString::from(response.access_token().secret().as_str()),
            lasts: response.expires_in(),
            refresh: response.refresh_token().map(|token| SecretString::from(token.secret().as_str())),
        }
    }
}
