//! A server that issues OAuth 2.0 tokens, and does what a test tells it to: let them expire, make users wait, fail.
//!
//! It speaks plain HTTP on the loopback interface: RFC 6749 (client credentials, refresh), RFC 8628 (device flow) and
//! RFC 7662 (introspection, by which Dovecot asks about a token).

mod http;

use anyhow::Result;
use http::{Answer, Form, Listener};
use serde_json::{Value, json};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long a token is good unless a test says otherwise.
const LIFETIME: Duration = Duration::from_secs(3600);
/// How long a user has to enter a device's code.
const DEVICE_LIFETIME_S: u64 = 600;
const DEVICE_GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// A running token server. It ends when this value goes.
#[derive(Debug)]
pub struct TokenServer {
    state: Arc<Mutex<State>>,
    listener: Listener,
}

/// A kind of request, for counting them and for letting them fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Request {
    /// The token endpoint, `grant_type=client_credentials`.
    ClientCredentials,
    /// The token endpoint, `grant_type=refresh_token`.
    Refresh,
    /// The token endpoint, with a device code.
    DeviceToken,
    /// The device authorization endpoint.
    DeviceAuthorization,
    /// A mail server's question about a token.
    Introspection,
}

/// What the server says instead of what it would.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// HTTP 500, without a body that anybody could read.
    Broken,
    /// HTTP 503 with `Retry-After: 1`.
    Unavailable,
    /// `invalid_grant`: the refresh token or the code is not good (any more).
    InvalidGrant,
    /// `invalid_client`: the secret is wrong.
    InvalidClient,
    /// HTTP 200 with a body that is no JSON.
    Garbage,
}

/// What a device is told when it asks for its token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeviceAnswer {
    /// `authorization_pending`: the user has not entered the code yet.
    Pending,
    /// `slow_down`: ask less often.
    SlowDown,
    /// `access_denied`: the user said no.
    Denied,
    /// `expired_token`: the user took too long.
    Expired,
}

#[derive(Debug)]
struct State {
    access: BTreeMap<String, Access>,
    refresh: BTreeMap<String, String>,
    devices: BTreeMap<String, VecDeque<DeviceAnswer>>,
    device_script: VecDeque<DeviceAnswer>,
    device_interval_s: u64,
    failures: BTreeMap<Request, VecDeque<Failure>>,
    counts: BTreeMap<Request, usize>,
    scopes: Vec<String>,
    lifetime: Duration,
    rotation: bool,
    user: String,
    issued: usize,
}

#[derive(Debug)]
struct Access {
    user: String,
    until: Instant,
}

impl TokenServer {
    /// The one client that is known.
    pub const CLIENT_ID: &'static str = "mailmill-tests";
    /// Its secret. Needed for client credentials and introspection, checked wherever it is sent.
    pub const CLIENT_SECRET: &'static str = "client-secret";

    /// Starts a server on a free port of 127.0.0.1, whose tokens are for `user`.
    ///
    /// # Errors
    /// When no port can be had.
    pub fn start(user: &str) -> Result<Self> {
        let state = Arc::new(Mutex::new(State::new(user)));
        let shared = Arc::clone(&state);
        let listener = Listener::start(move |path, form| lock(&shared).answer(path, form))?;
        Ok(Self { state, listener })
    }

    /// The token endpoint.
    #[must_use]
    pub fn token_url(&self) -> String {
        self.listener.url("/token")
    }

    /// The device authorization endpoint.
    #[must_use]
    pub fn device_url(&self) -> String {
        self.listener.url("/device")
    }

    /// The introspection endpoint.
    #[must_use]
    pub fn introspection_url(&self) -> String {
        self.listener.url("/introspect")
    }

    /// A new access token of `user`, as if somebody had asked for it.
    #[must_use]
    pub fn issue(&self, user: &str) -> String {
        lock(&self.state).issue(user)
    }

    /// A new refresh token for the server's user, as an administrator would have stored it.
    #[must_use]
    pub fn issue_refresh(&self) -> String {
        let mut state = lock(&self.state);
        let user = state.user.clone();
        state.issue_refresh(&user)
    }

    /// How long tokens are good that are issued from now on. `expires_in` says so in whole seconds.
    pub fn set_lifetime(&self, lifetime: Duration) {
        lock(&self.state).lifetime = lifetime;
    }

    /// Whether a refresh token is good for one use only, and each answer has the next one. At first it is not.
    pub fn set_rotation(&self, rotation: bool) {
        lock(&self.state).rotation = rotation;
    }

    /// Makes all access tokens invalid, as a change of password does.
    pub fn revoke_access(&self) {
        lock(&self.state).access.clear();
    }

    /// Makes all refresh tokens invalid.
    pub fn revoke_refresh(&self) {
        lock(&self.state).refresh.clear();
    }

    /// What the next device is told, in this order, before it gets its token, and how long it is to wait in between.
    pub fn script_device(&self, interval_s: u64, answers: &[DeviceAnswer]) {
        let mut state = lock(&self.state);
        state.device_interval_s = interval_s;
        state.device_script = answers.iter().copied().collect();
    }

    /// Lets the next requests of a kind fail, one for each of `failures`.
    pub fn fail(&self, request: Request, failures: &[Failure]) {
        lock(&self.state).failures.entry(request).or_default().extend(failures);
    }

    /// How many requests of a kind there were.
    #[must_use]
    pub fn count(&self, request: Request) -> usize {
        lock(&self.state).counts.get(&request).copied().unwrap_or_default()
    }

    /// The scopes that were asked for, oldest first; empty where a request named none.
    #[must_use]
    pub fn scopes(&self) -> Vec<String> {
        lock(&self.state).scopes.clone()
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl State {
    fn new(user: &str) -> Self {
        Self {
            access: BTreeMap::new(),
            refresh: BTreeMap::new(),
            devices: BTreeMap::new(),
            device_script: VecDeque::new(),
            device_interval_s: 1,
            failures: BTreeMap::new(),
            counts: BTreeMap::new(),
            scopes: Vec::new(),
            lifetime: LIFETIME,
            rotation: false,
            user: user.to_owned(),
            issued: 0,
        }
    }

    fn answer(&mut self, path: &str, form: &Form) -> Answer {
        let Some(request) = request(path, form) else { return refused("unsupported_grant_type") };
        *self.counts.entry(request).or_default() += 1;
        if let Some(failure) = self.failures.get_mut(&request).and_then(VecDeque::pop_front) {
            return failure.answer();
        }
        let needs_secret = matches!(request, Request::ClientCredentials | Request::Introspection);
        if !is_our_client(form, needs_secret) {
            return Failure::InvalidClient.answer();
        }
        match request {
            Request::Introspection => self.introspect(form),
            Request::ClientCredentials => self.grant(form, None),
            Request::Refresh => self.refresh(form),
            Request::DeviceAuthorization => self.authorize_device(form),
            Request::DeviceToken => self.device_token(form),
        }
    }

    fn introspect(&self, form: &Form) -> Answer {
        let known = self.access.get(form.get("token")).filter(|access| Instant::now() < access.until);
        Answer::json(
            200,
            &known.map_or(json!({ "active": false }), |access| json!({ "active": true, "username": access.user })),
        )
    }

    /// The answer of the token endpoint when all is well.
    fn grant(&mut self, form: &Form, refresh: Option<String>) -> Answer {
        self.scopes.push(form.get("scope").to_owned());
        let user = self.user.clone();
        let mut body = json!({
            "token_type": "Bearer",
            "access_token": self.issue(&user),
            "expires_in": self.lifetime.as_secs(),
        });
        if let (Some(refresh), Value::Object(fields)) = (refresh, &mut body) {
            fields.insert("refresh_token".into(), Value::String(refresh));
        }
        Answer::json(200, &body)
    }

    fn refresh(&mut self, form: &Form) -> Answer {
        let token = form.get("refresh_token");
        let Some(user) = self.refresh.get(token).cloned() else { return Failure::InvalidGrant.answer() };
        if !self.rotation {
            return self.grant(form, None);
        }
        self.refresh.remove(token);
        let next = self.issue_refresh(&user);
        self.grant(form, Some(next))
    }

    fn authorize_device(&mut self, form: &Form) -> Answer {
        self.scopes.push(form.get("scope").to_owned());
        let code = self.next("device");
        self.devices.insert(code.clone(), std::mem::take(&mut self.device_script));
        Answer::json(
            200,
            &json!({
                "device_code": code,
                "user_code": "WDJB-MJHT",
                "verification_uri": "https://login.example/device",
                "expires_in": DEVICE_LIFETIME_S,
                "interval": self.device_interval_s,
            }),
        )
    }

    fn device_token(&mut self, form: &Form) -> Answer {
        let code = form.get("device_code");
        let Some(script) = self.devices.get_mut(code) else { return Failure::InvalidGrant.answer() };
        match script.pop_front() {
            Some(DeviceAnswer::Pending) => refused("authorization_pending"),
            Some(DeviceAnswer::SlowDown) => refused("slow_down"),
            Some(DeviceAnswer::Denied) => refused("access_denied"),
            Some(DeviceAnswer::Expired) => refused("expired_token"),
            None => {
                self.devices.remove(code);
                let user = self.user.clone();
                let refresh = self.issue_refresh(&user);
                self.grant(form, Some(refresh))
            }
        }
    }

    fn issue(&mut self, user: &str) -> String {
        let token = self.next("access");
        let until = Instant::now() + self.lifetime;
        self.access.insert(token.clone(), Access { user: user.to_owned(), until });
        token
    }

    fn issue_refresh(&mut self, user: &str) -> String {
        let token = self.next("refresh");
        self.refresh.insert(token.clone(), user.to_owned());
        token
    }

    fn next(&mut self, kind: &str) -> String {
        self.issued += 1;
        format!("{kind}-token-nobody-may-see-{:04}", self.issued)
    }
}

impl Failure {
    fn answer(self) -> Answer {
        match self {
            Self::Broken => Answer::text(500, "something went wrong"),
            Self::Unavailable => Answer::text(503, "").with("Retry-After", "1"),
            Self::InvalidGrant => refused("invalid_grant"),
            Self::InvalidClient => Answer::json(401, &error("invalid_client")),
            Self::Garbage => Answer::text(200, "<html>Sign in to continue</html>"),
        }
    }
}

fn request(path: &str, form: &Form) -> Option<Request> {
    match (path, form.get("grant_type")) {
        ("/introspect", _) => Some(Request::Introspection),
        ("/device", _) => Some(Request::DeviceAuthorization),
        ("/token", "client_credentials") => Some(Request::ClientCredentials),
        ("/token", "refresh_token") => Some(Request::Refresh),
        ("/token", DEVICE_GRANT) => Some(Request::DeviceToken),
        _ => None,
    }
}

fn is_our_client(form: &Form, needs_secret: bool) -> bool {
    let secret = form.get("client_secret");
    form.get("client_id") == TokenServer::CLIENT_ID
        && (secret == TokenServer::CLIENT_SECRET || secret.is_empty() && !needs_secret)
}

/// RFC 6749 section 5.2.
fn refused(code: &str) -> Answer {
    Answer::json(400, &error(code))
}

fn error(code: &str) -> Value {
    json!({ "error": code, "error_description": format!("the test says {code}") })
}

#[cfg(test)]
mod tests;
