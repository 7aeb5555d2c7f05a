//! Logging in and out, and the first password.

use super::{COOKIE, Secret, Visitor, hash, password};
use crate::web::error::{Answer, Fault};
use crate::web::form::{Fields, Signed};
use crate::web::page::{self, Frame};
use crate::web::tls::Peer;
use crate::web::{Error, Site};
use axum::Router;
use axum::extract::{ConnectInfo, Query, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use jiff::{SignedDuration, Timestamp};
use maud::{Markup, html};
use serde::Deserialize;
use std::sync::Arc;
use std::time::Instant;

/// For how long somebody stays logged in.
const STAYS: SignedDuration = SignedDuration::from_hours(12);
/// The name of the first user.
const FIRST_USER: &str = "admin";

/// The way in before there is any user: whoever has this secret sets the first password.
#[derive(Debug)]
pub(in crate::web) struct Setup(Secret);

impl Setup {
    /// A new one: it is good until there is a user, or the daemon ends.
    pub(in crate::web) fn new() -> Result<Self, Error> {
        Secret::new().map(Self)
    }

    pub(in crate::web) fn secret(&self) -> &Secret {
        &self.0
    }
}

/// The addresses served here.
pub(in crate::web) fn routes() -> Router<Arc<Site>> {
    Router::new()
        .route("/login", get(login_page).post(login))
        .route("/logout", post(logout))
        .route("/setup", get(setup_page).post(setup))
}

async fn login_page(State(site): State<Arc<Site>>, visitor: Option<Visitor>) -> Answer {
    if visitor.is_some() {
        return Ok(Redirect::to("/jobs").into_response());
    }
    if site.ctx.store.users().await?.is_empty() {
        let body = html! {
            h1 { "Nobody can log in yet" }
            p { "When the daemon starts, it prints a link with which you set the first password. Open that link." }
        };
        return Ok(page::shown(&Frame::bare("Log in"), &body));
    }
    Ok(page::shown(&Frame::bare("Log in"), &login_form(None)))
}

fn login_form(fault: Option<&str>) -> Markup {
    html! {
        h1 { "Log in" }
        @if let Some(fault) = fault { p.fault role="alert" { (fault) } }
        form.narrow method="post" action="/login" {
            label for="name" { "Name" }
            input #name name="name" autocomplete="username" required autofocus;
            label for="password" { "Password" }
            input #password name="password" type="password" autocomplete="current-password" required;
            button type="submit" { "Log in" }
        }
    }
}

async fn login(State(site): State<Arc<Site>>, ConnectInfo(Peer(from)): ConnectInfo<Peer>, fields: Fields) -> Answer {
    let now = Instant::now();
    let wait = site.limiter.wait(from.ip(), now);
    if !wait.is_zero() {
        return Err(Fault::TooOften(wait.as_secs() + 1));
    }
    let (name, given) = (fields.text("name"), fields.text("password"));
    let user = site.ctx.store.users().await?.into_iter().find(|user| user.name == name);
    let is_right = password::is_right(given.to_owned(), user.as_ref().map(|user| user.password.clone())).await?;
    let Some(user) = user.filter(|_| is_right) else {
        site.limiter.failed(from.ip(), now);
        tracing::warn!(%from, "a login failed");
        let body = login_form(Some("Name or password are wrong."));
        let page = page::document(&Frame::bare("Log in"), &body);
        return Ok((axum::http::StatusCode::UNAUTHORIZED, page).into_response());
    };
    site.limiter.succeeded(from.ip());
    log_in(&site, &user.name).await
}

/// Logs somebody in, with a secret of their own.
async fn log_in(site: &Site, user: &str) -> Answer {
    let secret = Secret::new().map_err(|error| Fault::Failed(error.to_string()))?;
    let expires_at = Timestamp::now().saturating_add(STAYS).unwrap_or(Timestamp::MAX);
    site.ctx.store.begin_web_session(&secret.digest(), user, expires_at).await?;
    site.ctx.store.note(user, "log-in", user, "").await?;
    let cookie = format!("{}; Max-Age={}", cookie(site, secret.text()), STAYS.as_secs());
    with_cookie(Redirect::to("/jobs"), &cookie)
}

fn cookie(site: &Site, value: &str) -> String {
    // A browser sends such a cookie over HTTPS only, which it speaks with us or with the proxy.
    let is_https = site.config.web.behind_https_proxy || site.config.web.tls.is_some();
    let secure = if is_https { "; Secure" } else { "" };
    format!("{COOKIE}={value}; Path=/; HttpOnly; SameSite=Strict{secure}")
}

fn with_cookie(to: Redirect, cookie: &str) -> Answer {
    let mut response = to.into_response();
    let value = HeaderValue::from_str(cookie).map_err(|error| Fault::Failed(error.to_string()))?;
    response.headers_mut().insert(header::SET_COOKIE, value);
    Ok(response)
}

async fn logout(State(site): State<Arc<Site>>, signed: Signed) -> Answer {
    site.ctx.store.end_web_session(&signed.visitor.secret().digest()).await?;
    with_cookie(Redirect::to("/login"), &format!("{}; Max-Age=0", cookie(&site, "")))
}

#[derive(Deserialize)]
struct Token {
    #[serde(default)]
    token: String,
}

async fn setup_page(State(site): State<Arc<Site>>, Query(Token { token }): Query<Token>) -> Answer {
    is_open(&site, &token).await?;
    Ok(setup_form(&token, None))
}

fn setup_form(token: &str, fault: Option<&str>) -> Response {
    let hint = format!(
        "At least {} characters. Several words that have nothing to do with each other are good.",
        password::CHARACTERS_MIN
    );
    let body = html! {
        h1 { "Welcome to mailmill" }
        p { "Set the password of the administrator, " strong { (FIRST_USER) } ". This link is then used up." }
        @if let Some(fault) = fault { p.fault role="alert" { (fault) } }
        form.narrow method="post" action="/setup" {
            input type="hidden" name="token" value=(token);
            input type="hidden" name="name" value=(FIRST_USER) autocomplete="username";
            label for="password" { "Password" }
            input #password name="password" type="password" autocomplete="new-password" required
                minlength=(password::CHARACTERS_MIN) aria-describedby="hint" autofocus;
            p #hint.hint { (hint) }
            label for="again" { "The same again" }
            input #again name="again" type="password" autocomplete="new-password" required;
            button type="submit" { "Set the password" }
        }
    };
    page::shown(&Frame::bare("First password"), &body)
}

/// Whether the first password may be set with that.
async fn is_open(site: &Site, token: &str) -> Result<(), Fault> {
    if !site.ctx.store.users().await?.is_empty() {
        return Err(Fault::Refused("The first password is set: this link is used up.".to_owned()));
    }
    if !site.setup.secret().is(token) {
        return Err(Fault::Refused("This is not the link that the daemon printed when it last started.".to_owned()));
    }
    Ok(())
}

async fn setup(State(site): State<Arc<Site>>, fields: Fields) -> Answer {
    let token = fields.text("token");
    is_open(&site, token).await?;
    if fields.text("password") != fields.text("again") {
        return Ok(setup_form(token, Some("The two passwords differ.")));
    }
    let hashed = match hash(fields.text("password").to_owned()).await {
        Ok(hashed) => hashed,
        Err(Fault::Refused(sentence)) => return Ok(setup_form(token, Some(&sentence))),
        Err(fault) => return Err(fault),
    };
    if !site.ctx.store.set_first_user(FIRST_USER, &hashed).await? {
        return Err(Fault::Refused("The first password is set: this link is used up.".to_owned()));
    }
    log_in(&site, FIRST_USER).await
}
