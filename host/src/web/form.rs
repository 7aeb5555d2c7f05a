//! What forms send.

use super::Site;
use super::access::Visitor;
use super::error::Fault;
use axum::body::to_bytes;
use axum::extract::{FromRequest, FromRequestParts, Request};
use std::sync::Arc;

/// The longest form or body of a call, in bytes: a rule file, or a message to try.
pub(super) const BYTES_MAX: usize = 8 * 1024 * 1024;

/// The fields of a form, in its order (URL standard section 5, `application/x-www-form-urlencoded`).
#[derive(Debug, Default)]
pub(super) struct Fields(Vec<(String, String)>);

/// A form that was made for whoever sends it.
#[derive(Debug)]
pub(super) struct Signed {
    /// Who sent it.
    pub(super) visitor: Visitor,
    /// What it says.
    pub(super) fields: Fields,
}

/// A form that was made for whoever sends it, who may change things.
#[derive(Debug)]
pub(super) struct Order {
    /// Who sent it.
    pub(super) visitor: Visitor,
    /// What it says.
    pub(super) fields: Fields,
}

impl Fields {
    /// The field of that name; empty if there is none.
    pub(super) fn text(&self, name: &str) -> &str {
        self.maybe(name).unwrap_or_default()
    }

    /// The field of that name.
    pub(super) fn maybe(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// All fields of that name, in order.
    pub(super) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0
            .iter()
            .filter(move |(own, _)| own == name)
            .map(|(_, value)| value.trim())
            .filter(|value| !value.is_empty())
    }

    /// The field of that name without white space around it; none if nothing is left.
    pub(super) fn filled(&self, name: &str) -> Option<&str> {
        self.maybe(name).map(str::trim).filter(|value| !value.is_empty())
    }

    /// Whether a box of that name is ticked.
    pub(super) fn is_ticked(&self, name: &str) -> bool {
        self.maybe(name).is_some()
    }
}

impl FromRequest<Arc<Site>> for Fields {
    type Rejection = Fault;

    async fn from_request(request: Request, _: &Arc<Site>) -> Result<Self, Fault> {
        let too_long = |_| Fault::Refused(format!("A form may have {} at most.", super::page::bytes(BYTES_MAX as u64)));
        let body = to_bytes(request.into_body(), BYTES_MAX).await.map_err(too_long)?;
        Ok(Self(form_urlencoded::parse(&body).into_owned().collect()))
    }
}

impl FromRequest<Arc<Site>> for Signed {
    type Rejection = Fault;

    async fn from_request(request: Request, site: &Arc<Site>) -> Result<Self, Fault> {
        let (mut parts, body) = request.into_parts();
        let visitor = <Visitor as FromRequestParts<Arc<Site>>>::from_request_parts(&mut parts, site).await?;
        let fields = Fields::from_request(Request::from_parts(parts, body), site).await?;
        if visitor.has_signed(fields.text("csrf")) { Ok(Self { visitor, fields }) } else { Err(Fault::Forged) }
    }
}

impl FromRequest<Arc<Site>> for Order {
    type Rejection = Fault;

    async fn from_request(request: Request, site: &Arc<Site>) -> Result<Self, Fault> {
        let Signed { visitor, fields } = Signed::from_request(request, site).await?;
        if visitor.is_admin() { Ok(Self { visitor, fields }) } else { Err(Fault::Forbidden) }
    }
}
