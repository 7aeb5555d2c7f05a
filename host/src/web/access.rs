//! Who asks: logging in, roles, forms that only our own pages send.
//!
//! What a browser keeps is 32 random bytes; the store has their SHA-256 only. The token in each form is derived from the same bytes,
//! so a form is good for one login and nothing else.

mod limiter;
mod login;
mod password;

pub(super) use limiter::Limiter;
pub(super) use login::{Setup, routes};
pub(super) use password::{CHARACTERS_MIN as PASSWORD_CHARACTERS_MIN, hash};

use super::error::Fault;
use super::news::News;
use super::{Error, Site};
use crate::store::{Known, Role, Sha256};
use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use axum::http::header;
use axum::http::request::Parts;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use maud::{Markup, html};
use std::sync::Arc;

/// The cookie of who is logged in.
const COOKIE: &str = "mailmill_session";
/// What the token of a form is derived with.
const FORM: &[u8] = b"mailmill form";

/// 32 random bytes as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Secret(String);

impl Secret {
    /// A new one.
    ///
    /// # Errors
    /// If there are no random numbers.
    pub(super) fn new() -> Result<Self, Error> {
        let mut bytes = [0; 32];
        aws_lc_rs::rand::fill(&mut bytes).map_err(|_| Error::Random)?;
        Ok(Self(URL_SAFE_NO_PAD.encode(bytes)))
    }

    pub(super) fn text(&self) -> &str {
        &self.0
    }

    /// What the store knows of it.
    pub(super) fn digest(&self) -> Sha256 {
        Sha256::of(self.0.as_bytes())
    }

    /// Whether a text is this one; how long that takes tells nothing.
    pub(super) fn is(&self, text: &str) -> bool {
        aws_lc_rs::constant_time::verify_slices_are_equal(self.0.as_bytes(), text.as_bytes()).is_ok()
    }
}

/// Somebody who is logged in.
#[derive(Debug, Clone)]
pub(super) struct Visitor {
    known: Known,
    secret: Secret,
    /// What they have just done, if they come from there.
    news: Option<News>,
}

/// Somebody who is logged in and may change things.
#[derive(Debug, Clone)]
pub(super) struct Admin(pub(super) Visitor);

impl Visitor {
    /// The name.
    pub(super) fn name(&self) -> &str {
        &self.known.name
    }

    /// Whether they may change things.
    pub(super) fn is_admin(&self) -> bool {
        self.known.role == Role::Admin
    }

    /// What they have just done, which this page is to tell.
    pub(super) fn news(&self) -> Option<News> {
        self.news
    }

    /// What every form of theirs has to bring along.
    fn form_token(&self) -> String {
        // A key of any length will do.
        let Ok(mut mac) = Hmac::<sha2::Sha256>::new_from_slice(self.secret.text().as_bytes()) else {
            return String::new();
        };
        mac.update(FORM);
        URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
    }

    /// The hidden field for it.
    pub(super) fn csrf_field(&self) -> Markup {
        html! { input type="hidden" name="csrf" value=(self.form_token()); }
    }

    /// Whether a form brought it along.
    pub(super) fn has_signed(&self, token: &str) -> bool {
        let own = self.form_token();
        !own.is_empty() && Secret(own).is(token)
    }

    fn secret(&self) -> &Secret {
        &self.secret
    }
}

impl FromRequestParts<Arc<Site>> for Visitor {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, site: &Arc<Site>) -> Result<Self, Fault> {
        let secret = cookie(parts).ok_or(Fault::LoggedOut)?;
        let known = site.ctx.store.web_session(&secret.digest()).await?.ok_or(Fault::LoggedOut)?;
        Ok(Self { known, secret, news: parts.uri.query().and_then(News::of) })
    }
}

impl OptionalFromRequestParts<Arc<Site>> for Visitor {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, site: &Arc<Site>) -> Result<Option<Self>, Fault> {
        match <Self as FromRequestParts<Arc<Site>>>::from_request_parts(parts, site).await {
            Ok(visitor) => Ok(Some(visitor)),
            Err(Fault::LoggedOut) => Ok(None),
            Err(fault) => Err(fault),
        }
    }
}

impl FromRequestParts<Arc<Site>> for Admin {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, site: &Arc<Site>) -> Result<Self, Fault> {
        let visitor = <Visitor as FromRequestParts<Arc<Site>>>::from_request_parts(parts, site).await?;
        if visitor.is_admin() { Ok(Self(visitor)) } else { Err(Fault::Forbidden) }
    }
}

fn cookie(parts: &Parts) -> Option<Secret> {
    let cookies = parts.headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs = cookies.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let mut own = pairs.filter(|(name, _)| *name == COOKIE).map(|(_, value)| value);
    own.next().filter(|value| !value.is_empty()).map(|value| Secret(value.to_owned()))
}

/// The bearer of a token, where an API is asked (RFC 6750 section 2.1).
pub(super) async fn bearer(parts: &Parts, site: &Site) -> Result<Option<Known>, Fault> {
    let header = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let Some(token) = header.and_then(|header| header.strip_prefix("Bearer ")) else { return Ok(None) };
    Ok(site.ctx.store.api_token(&Sha256::of(token.trim().as_bytes())).await?)
}

/// The link with which the first user sets a password, at this origin, for whoever reads what the daemon prints; none if there are users.
///
/// # Errors
/// Where the store fails.
pub(super) async fn first_password_link(site: &Site, at: &str) -> Result<Option<String>, crate::store::Error> {
    let link = || format!("{at}/setup?token={}", site.setup.secret().text());
    Ok(site.ctx.store.users().await?.is_empty().then(link))
}
