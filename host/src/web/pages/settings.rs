//! Who may use these pages and the API, and what was done.

use super::told;
use crate::web::Site;
use crate::web::access::{PASSWORD_CHARACTERS_MIN, Visitor};
use crate::web::error::{Answer, Fault};
use crate::web::form::Order;
use crate::web::news::News;
use crate::web::page::{self, Frame, text, time, time_maybe};
use crate::web::people;
use axum::extract::{Query, State};
use maud::{Markup, html};
use serde::Deserialize;
use std::sync::Arc;

/// How many entries of the audit log a page has.
const ENTRIES: u32 = 50;
/// Up to how many bytes of what was done stand in the table itself.
const DETAIL_BYTES_SHORT: usize = 80;

#[derive(Debug, Deserialize)]
pub(super) struct View {
    before: Option<i64>,
}

pub(super) async fn page(State(site): State<Arc<Site>>, visitor: Visitor, Query(view): Query<View>) -> Answer {
    shown(&site, &visitor, view.before, &html! {}).await
}

async fn shown(site: &Site, visitor: &Visitor, before: Option<i64>, news: &Markup) -> Answer {
    let entries = site.ctx.store.audit_log(before, ENTRIES).await?;
    let older = entries.last().filter(|_| entries.len() == ENTRIES as usize).map(|last| last.id);
    let rows: Vec<Vec<Markup>> = entries
        .iter()
        .map(|row| {
            let is_short = row.detail.len() <= DETAIL_BYTES_SHORT && !row.detail.contains('\n');
            let detail =
                html! { @if is_short { (row.detail) } @else { details { summary { "Show" } pre { (row.detail) } } } };
            vec![time(row.at), text(&row.who), text(&row.action), text(&row.subject), detail]
        })
        .collect();
    let body = html! {
        h1 { "People" }
        (news)
        @if visitor.is_admin() { (users(site, visitor).await?) (tokens(site, visitor).await?) }
        h2 { "What was done here" }
        (page::table("Audit log", &["When", "Who", "What", "To what", "Details"], &rows, "Nothing was done yet."))
        @if let Some(before) = older { p { a href=(format!("/settings?before={before}")) { "Earlier" } } }
    };
    Ok(page::shown(&Frame::new("People", "/settings", visitor), &body))
}

async fn users(site: &Site, visitor: &Visitor) -> Result<Markup, Fault> {
    let rows: Vec<Vec<Markup>> = site
        .ctx
        .store
        .users()
        .await?
        .iter()
        .map(|user| {
            let remove = html! {
                @if user.name != visitor.name() {
                    form.inline method="post" action="/settings/users/remove" data-confirm=(format!("Remove {}?", user.name)) {
                        (visitor.csrf_field())
                        input type="hidden" name="name" value=(user.name);
                        button.danger type="submit" aria-label=(format!("Remove {}", user.name)) { "Remove" }
                    }
                }
            };
            vec![text(&user.name), text(user.role.name()), time(user.created_at), remove]
        })
        .collect();
    Ok(html! {
        h2 { "People" }
        (page::table("People", &["Name", "Role", "Since", "Change"], &rows, "Nobody."))
        details {
            summary { "Add somebody, or change a password" }
            form.narrow method="post" action="/settings/users" {
                (visitor.csrf_field())
                label for="user-name" { "Name" }
                input #user-name name="name" required autocomplete="off";
                (roles("user-role"))
                label for="user-password" { "Password" }
                input #user-password name="password" type="password" required minlength=(PASSWORD_CHARACTERS_MIN) autocomplete="new-password" aria-describedby="user-hint";
                p #user-hint.hint { "At least " (PASSWORD_CHARACTERS_MIN) " characters. For a name that is there already, yours too, it replaces the password, and they are logged out everywhere." }
                button type="submit" { "Save" }
            }
        }
    })
}

fn roles(id: &str) -> Markup {
    html! {
        label for=(id) { "Role" }
        select id=(id) name="role" { option value="viewer" { "viewer: may look" } option value="admin" { "admin: may look and change" } }
    }
}

async fn tokens(site: &Site, visitor: &Visitor) -> Result<Markup, Fault> {
    let rows: Vec<Vec<Markup>> = site
        .ctx
        .store
        .api_tokens()
        .await?
        .iter()
        .map(|token| {
            let revoke = html! {
                form.inline method="post" action="/settings/tokens/revoke" {
                    (visitor.csrf_field())
                    input type="hidden" name="id" value=(token.id);
                    button.danger type="submit" aria-label=(format!("Revoke {}", token.name)) { "Revoke" }
                }
            };
            vec![
                text(&token.name),
                text(token.role.name()),
                text(&token.created_by),
                time(token.created_at),
                time_maybe(token.last_used_at),
                revoke,
            ]
        })
        .collect();
    Ok(html! {
        h2 { "Tokens of the API" }
        p { "Scripts send one as " code { "Authorization: Bearer …" } " to " code { "/api/v1" } ". " a href="/api/v1/openapi.json" { "What they can ask" } }
        (page::table("Tokens", &["For", "Role", "Made by", "Made", "Last used", "Change"], &rows, "There is no token."))
        details {
            summary { "Make a token" }
            form.narrow method="post" action="/settings/tokens" {
                (visitor.csrf_field())
                label for="token-name" { "What it is for" }
                input #token-name name="name" required autocomplete="off";
                (roles("token-role"))
                button type="submit" { "Make" }
            }
        }
    })
}

pub(super) async fn set_user(State(site): State<Arc<Site>>, order: Order) -> Answer {
    let [name, role, password] = ["name", "role", "password"].map(|field| order.fields.text(field));
    people::set(&site, name, role, password, order.visitor.name()).await?;
    told(News::PersonSet, "/settings")
}

pub(super) async fn remove_user(State(site): State<Arc<Site>>, order: Order) -> Answer {
    people::remove(&site, order.fields.text("name"), order.visitor.name()).await?;
    told(News::PersonRemoved, "/settings")
}

pub(super) async fn add_token(State(site): State<Arc<Site>>, order: Order) -> Answer {
    let (name, role) = (order.fields.text("name"), order.fields.text("role"));
    let secret = people::add_token(&site, name, role, order.visitor.name()).await?;
    let news = html! { div.done role="status" { p { "The token for " strong { (name) } ". It is shown this once, so copy it now:" } pre { (secret.text()) } } };
    shown(&site, &order.visitor, None, &news).await
}

pub(super) async fn revoke_token(State(site): State<Arc<Site>>, order: Order) -> Answer {
    let id: i64 = order.fields.text("id").parse().map_err(|_| Fault::Refused("Which token?".to_owned()))?;
    people::revoke_token(&site, id, order.visitor.name()).await?;
    told(News::TokenRevoked, "/settings")
}
