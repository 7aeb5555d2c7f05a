//! The outbox: what waits to be sent, and what was given up.

use super::{ROWS, tickets, told};
use crate::store::{OutboxFilter, OutboxRow, OutboxState};
use crate::web::Site;
use crate::web::access::Visitor;
use crate::web::error::{Answer, Fault};
use crate::web::form::Order;
use crate::web::news::News;
use crate::web::page::{self, Frame, badge, button, live, text, time, time_maybe};
use axum::extract::{Path, Query, State};
use maud::{Markup, html};
use serde::Deserialize;
use std::sync::Arc;

#[derive(Debug, Deserialize)]
pub(super) struct View {
    #[serde(default)]
    state: String,
}

pub(super) async fn list(State(site): State<Arc<Site>>, visitor: Visitor, Query(view): Query<View>) -> Answer {
    let filter = OutboxFilter { state: OutboxState::parse(&view.state), limit: Some(ROWS), ..OutboxFilter::default() };
    let rows: Vec<Vec<Markup>> =
        site.ctx.store.outbox(&filter).await?.iter().map(|row| self::row(&visitor, row)).collect();
    let mails = site.ctx.outlets.borrow().mail;
    let head = ["Number", "Goes to", "State", "Ticket", "Attempts", "Next attempt", "Last error", "Written", "Change"];
    let option = |value: &str, words: &str| html! { option value=(value) selected[value == view.state] { (words) } };
    let body = html! {
        h1 { "Outbox" }
        p { "What rules send is written here with the message's receipt, and sent after it." }
        @if !mails { p.note { "No mail goes out: no server is set that takes it. Give " code { "server" } " and " code { "from" } " in " code { "[smtp]" } " of mailmill.toml." } }
        form.filters method="get" action="/outbox" data-auto {
            div { label for="state" { "Show" } select #state name="state" { (option("", "all")) (option("waiting", "what waits")) (option("sent", "what was sent")) (option("dead", "what was given up")) } }
            button.quiet type="submit" { "Show" }
        }
        (live("outbox", &page::table("Outbox", &head, &rows, "There is nothing in the outbox.")))
    };
    Ok(page::shown(&Frame::new("Outbox", "/outbox", &visitor), &body))
}

fn row(visitor: &Visitor, row: &OutboxRow) -> Vec<Markup> {
    let tone = match row.state {
        OutboxState::Dead => "bad",
        OutboxState::Sent => "good",
        _ => "calm",
    };
    let to = |what: &str| format!("/outbox/{}/{what}", row.id);
    let acts = html! {
        @if visitor.is_admin() && !matches!(row.state, OutboxState::Sent) {
            div.row { (button(visitor, &to("retry"), "Try now", "quiet")) (button(visitor, &to("drop"), "Drop", "danger")) }
        }
    };
    vec![
        text(row.id),
        html! { (row.target) br; span.dim { (row.lane) } },
        badge(row.state.name(), tone),
        html! { @if let Some(ticket) = &row.ticket { a href=(tickets::address(ticket)) { (ticket) } } },
        text(row.attempts),
        time_maybe(row.next_attempt_at),
        text(row.last_error.as_deref().unwrap_or_default()),
        time(row.created_at),
        acts,
    ]
}

pub(super) async fn retry(State(site): State<Arc<Site>>, Path(id): Path<i64>, order: Order) -> Answer {
    if !site.ctx.store.outbox_retry(id).await? {
        return Err(Fault::Refused(format!("Entry {id} was sent, is being sent, or is gone.")));
    }
    site.ctx.store.note(order.visitor.name(), "retry-outbox", &id.to_string(), "").await?;
    told(News::SentAgain, "/outbox")
}

pub(super) async fn discard(State(site): State<Arc<Site>>, Path(id): Path<i64>, order: Order) -> Answer {
    if !site.ctx.store.outbox_drop(id).await? {
        return Err(Fault::Refused(format!("Entry {id} was sent, is being sent, or is gone.")));
    }
    site.ctx.store.note(order.visitor.name(), "drop-outbox", &id.to_string(), "").await?;
    told(News::NotSent, "/outbox")
}
