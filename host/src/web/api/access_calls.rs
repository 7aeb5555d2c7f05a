//! The calls about people and tokens: for admins alone.

use super::answers::Done;
use super::caller::Changer;
use super::{Answer, Body, Path, Problem, Refused};
use crate::store::{TokenRow, UserRow};
use crate::web::error::Fault;
use crate::web::{Site, people};
use axum::Json;
use axum::extract::State;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;

type Here = State<Arc<Site>>;

/// What somebody may do.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Role {
    /// To look, and to change.
    Admin,
    /// To look.
    Viewer,
}

impl From<crate::store::Role> for Role {
    fn from(role: crate::store::Role) -> Self {
        match role {
            crate::store::Role::Admin => Self::Admin,
            crate::store::Role::Viewer => Self::Viewer,
        }
    }
}

impl Role {
    fn name(self) -> &'static str {
        match self {
            Self::Admin => crate::store::Role::Admin.name(),
            Self::Viewer => crate::store::Role::Viewer.name(),
        }
    }
}

/// Somebody who can log in.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Person {
    /// The name.
    name: String,
    /// What they may do.
    role: Role,
    /// Since when.
    #[schema(value_type = String, format = DateTime)]
    since: Timestamp,
}

/// Somebody as they are to be.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct NewPerson {
    /// What they may do.
    role: Role,
    /// Their password.
    password: String,
}

/// A token of the API; what it is made of is told only when it is made.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Token {
    /// Its number.
    id: i64,
    /// What it is for.
    name: String,
    /// What it may do.
    role: Role,
    /// Who made it.
    created_by: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it was last used.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_used_at: Option<Timestamp>,
}

/// A token as it is to be.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct NewToken {
    /// What it is for.
    name: String,
    /// What it may do.
    role: Role,
}

/// A token that was made.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct MadeToken {
    /// What is sent as a bearer. It is told this once.
    token: String,
}

impl From<UserRow> for Person {
    fn from(row: UserRow) -> Self {
        Self { name: row.name, role: row.role.into(), since: row.created_at }
    }
}

impl From<TokenRow> for Token {
    fn from(row: TokenRow) -> Self {
        let TokenRow { id, name, role, created_by, created_at, last_used_at } = row;
        Self { id, name, role: role.into(), created_by, created_at, last_used_at }
    }
}

/// Who can log in.
#[utoipa::path(get, path = "/api/v1/people", responses((status = 200, body = Vec<Person>), (status = 401, body = Problem), (status = 403, body = Problem)), security(("token" = [])))]
pub(super) async fn people(State(site): Here, _: Changer) -> Answer<Vec<Person>> {
    Ok(Json(site.ctx.store.users().await?.into_iter().map(Person::from).collect()))
}

/// Adds somebody, or sets the password and the role of somebody, who is then logged out everywhere.
#[utoipa::path(put, path = "/api/v1/people/{name}", params(("name" = String, Path)), request_body = NewPerson, responses((status = 200, body = Done), Refused), security(("token" = [])))]
pub(super) async fn set(
    State(site): Here,
    by: Changer,
    Path(name): Path<String>,
    Body(new): Body<NewPerson>,
) -> Answer<Done> {
    people::set(&site, &name, new.role.name(), &new.password, by.name()).await?;
    Ok(Json(Done { changed: true }))
}

/// Takes somebody's access. The last admin stays.
#[utoipa::path(delete, path = "/api/v1/people/{name}", params(("name" = String, Path)), responses((status = 200, body = Done), Refused), security(("token" = [])))]
pub(super) async fn remove(State(site): Here, by: Changer, Path(name): Path<String>) -> Answer<Done> {
    if !people::remove(&site, &name, by.name()).await? {
        return Err(Fault::NotFound(format!("person {name}")).into());
    }
    Ok(Json(Done { changed: true }))
}

/// The tokens that there are.
#[utoipa::path(get, path = "/api/v1/tokens", responses((status = 200, body = Vec<Token>), (status = 401, body = Problem), (status = 403, body = Problem)), security(("token" = [])))]
pub(super) async fn tokens(State(site): Here, _: Changer) -> Answer<Vec<Token>> {
    Ok(Json(site.ctx.store.api_tokens().await?.into_iter().map(Token::from).collect()))
}

/// Makes a token.
#[utoipa::path(post, path = "/api/v1/tokens", request_body = NewToken, responses((status = 200, body = MadeToken), Refused), security(("token" = [])))]
pub(super) async fn add_token(State(site): Here, by: Changer, Body(new): Body<NewToken>) -> Answer<MadeToken> {
    let secret = people::add_token(&site, &new.name, new.role.name(), by.name()).await?;
    Ok(Json(MadeToken { token: secret.text().to_owned() }))
}

/// Makes a token worthless; one that is used for this call stays.
#[utoipa::path(delete, path = "/api/v1/tokens/{id}", params(("id" = i64, Path)), responses((status = 200, body = Done), Refused), security(("token" = [])))]
pub(super) async fn revoke_token(State(site): Here, by: Changer, Path(id): Path<i64>) -> Answer<Done> {
    let tokens = site.ctx.store.api_tokens().await?;
    let token = tokens.iter().find(|token| token.id == id).ok_or_else(|| Fault::NotFound(format!("token {id}")))?;
    if token.name == by.name() {
        return Err(Fault::Refused(
            "This call came with that token, or one of the same name: revoke it in the browser.".to_owned(),
        )
        .into());
    }
    people::revoke_token(&site, id, by.name()).await?;
    Ok(Json(Done { changed: true }))
}
