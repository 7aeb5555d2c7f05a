//! Who calls.

use super::Refusal;
use crate::store::{Known, Role};
use crate::web::Site;
use crate::web::access::{Visitor, bearer};
use crate::web::error::Fault;
use axum::extract::FromRequestParts;
use axum::http::Method;
use axum::http::request::Parts;
use std::sync::Arc;

/// Somebody with a token, or logged in.
#[derive(Debug)]
pub(super) struct Caller(Known);

/// One who may change things.
#[derive(Debug)]
pub(super) struct Changer(Known);

impl Changer {
    pub(super) fn name(&self) -> &str {
        &self.0.name
    }
}

impl FromRequestParts<Arc<Site>> for Caller {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, site: &Arc<Site>) -> Result<Self, Refusal> {
        if let Some(known) = bearer(parts, site).await? {
            return Ok(Self(known));
        }
        // A browser may look with what it has; it changes things with forms, which carry a token of their own.
        if parts.method == Method::GET {
            let visitor = <Visitor as FromRequestParts<Arc<Site>>>::from_request_parts(parts, site).await?;
            let role = if visitor.is_admin() { Role::Admin } else { Role::Viewer };
            return Ok(Self(Known { name: visitor.name().to_owned(), role }));
        }
        Err(Fault::LoggedOut.into())
    }
}

impl FromRequestParts<Arc<Site>> for Changer {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, site: &Arc<Site>) -> Result<Self, Refusal> {
        let Caller(known) = Caller::from_request_parts(parts, site).await?;
        if known.role == Role::Admin { Ok(Self(known)) } else { Err(Fault::Forbidden.into()) }
    }
}
