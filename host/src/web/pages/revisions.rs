//! The rules that were in force: since when, by whom, how they differ, and the way back.

use super::rules::coloured;
use super::told;
use crate::revisions::{self, NOW};
use crate::store::{RevisionRow, Sha256};
use crate::web::access::{Admin, Visitor};
use crate::web::error::{Answer, Fault};
use crate::web::form::Order;
use crate::web::news::News;
use crate::web::page::{self, Frame, badge, in_path, text, time};
use crate::web::{Site, history};
use axum::extract::{Query, State};
use maud::{Markup, html};
use serde::Deserialize;
use std::sync::Arc;

/// What a page of this kind is called.
const TITLE: &str = "Revisions of the rules";

pub(super) async fn list(State(site): State<Arc<Site>>, visitor: Visitor) -> Answer {
    let revisions = site.ctx.store.revisions().await?;
    let in_force = site.reloader.current().revision().to_string();
    // What people ask first: what has changed last.
    let before = usize::from(revisions.len() > 1);
    let mut rows = vec![vec![
        sides(NOW, "the files as they are", revisions.is_empty(), true),
        html! { "the files as they are now" @if site.reloader.has_refused() { " " (badge("not in force: they have errors", "bad")) } },
        text(""),
        text(""),
        text(site.config.rules.display()),
        text(""),
        text(""),
    ]];
    rows.extend(revisions.iter().enumerate().map(|(at, row)| cells(&visitor, row, (at == 0, at == before), &in_force)));
    let head = ["From, to", "Revision", "Since", "Changed by", "Read from", "Tests", "Go back"];
    let body = html! {
        h1 { (TITLE) }
        p { "Whenever other rules come into force, their files are kept here. Mark two and compare them, or bring one back." }
        form method="get" action="/revisions/difference" {
            (page::table("Revisions", &head, &rows, ""))
            div.row { button type="submit" { "Show the difference" } a.button.quiet href="/rules" { "The rules in force" } }
        }
    };
    Ok(page::shown(&Frame::new(TITLE, "/revisions", &visitor), &body))
}

/// Where a revision is chosen as one side of a comparison.
fn sides(revision: &str, called: &str, is_from: bool, is_to: bool) -> Markup {
    html! {
        span.sides {
            input type="radio" name="from" value=(revision) checked[is_from] aria-label=(format!("From {called}"));
            input type="radio" name="to" value=(revision) checked[is_to] aria-label=(format!("To {called}"));
        }
    }
}

fn cells(visitor: &Visitor, row: &RevisionRow, (is_first, is_from): (bool, bool), in_force: &str) -> Vec<Markup> {
    let is_in_force = is_first && row.revision == in_force;
    vec![
        sides(&row.revision, &format!("{} of {}", row.revision, row.since), is_from, false),
        html! { code { (row.revision) } @if is_in_force { " " (badge("in force", "good")) } },
        time(row.since),
        text(&row.changed_by),
        text(&row.origin),
        text(row.tests),
        html! {
            @if visitor.is_admin() && !is_in_force {
                a href=(format!("/revisions/rollback?to={}", in_path(&row.revision))) aria-label=(format!("Go back to {} of {}", row.revision, row.since)) { "Go back to it" }
            }
        },
    ]
}

#[derive(Debug, Deserialize)]
pub(super) struct Sides {
    from: String,
    to: String,
}

pub(super) async fn difference(State(site): State<Arc<Site>>, visitor: Visitor, Query(sides): Query<Sides>) -> Answer {
    let (from, to) = (history::find(&site, &sides.from).await?, history::find(&site, &sides.to).await?);
    let difference = revisions::difference(&from, &to);
    let body = html! {
        h1 { "How the rules differ" }
        p { "From " code { (from.name) } " to " code { (to.name) } "." }
        @if difference.is_empty() { p.empty { "They do not differ." } } @else { (coloured(&difference)) }
        div.row {
            a.button.quiet href="/revisions" { "All revisions" }
            @if visitor.is_admin() && to.name == NOW { a.button.quiet href=(format!("/revisions/rollback?to={}", in_path(&from.name))) { "Go back to " (from.name) } }
        }
    };
    Ok(page::shown(&Frame::new("How the rules differ", "/revisions", &visitor), &body))
}

#[derive(Debug, Deserialize)]
pub(super) struct Wanted {
    to: String,
}

pub(super) async fn confirm(
    State(site): State<Arc<Site>>,
    Admin(visitor): Admin,
    Query(wanted): Query<Wanted>,
) -> Answer {
    let (name, planned) = history::rollback(&site, &wanted.to).await?;
    let body = html! {
        h1 { "Go back to revision " (name) }
        @match &planned {
            None => p.empty { "The rule files are those of this revision already." },
            Some(rollback) => {
                p { "With the plugins that are there now these rules are sound, and their tests pass. " (rollback.paths.len()) @if rollback.paths.len() == 1 { " file in " } @else { " files in " } code { (site.config.rules.display().to_string()) } " would change, and the rules come into force at once:" }
                (coloured(&rollback.difference))
                form method="post" action="/revisions/rollback" {
                    (visitor.csrf_field())
                    input type="hidden" name="to" value=(name);
                    input type="hidden" name="seen" value=(digest(&rollback.difference));
                    button.danger type="submit" { "Put these files back" }
                }
            }
        }
        p { a href="/revisions" { "Cancel" } }
    };
    Ok(page::shown(&Frame::new("Go back", "/revisions", &visitor), &body))
}

/// What a difference is recognised by.
fn digest(difference: &str) -> String {
    Sha256::of(difference.as_bytes()).to_string()
}

pub(super) async fn put_back(State(site): State<Arc<Site>>, order: Order) -> Answer {
    let (name, planned) = history::rollback(&site, order.fields.text("to")).await?;
    let changed = || Fault::Refused("The rule files have changed meanwhile: look at the difference again.".to_owned());
    let rollback = planned.filter(|planned| digest(&planned.difference) == order.fields.text("seen"));
    history::put_back(&site, &name, rollback.ok_or_else(changed)?, order.visitor.name()).await?;
    told(News::RolledBack, "/revisions")
}
