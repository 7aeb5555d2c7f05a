//! The quarantine: what could not be handled, and why.

use super::told;
use crate::message;
use crate::report::Report;
use crate::store::QuarantineDetail;
use crate::thread::FromOthers;
use crate::web::Site;
use crate::web::access::Visitor;
use crate::web::error::{Answer, Fault};
use crate::web::form::Order;
use crate::web::news::News;
use crate::web::page::{self, Frame, bytes, live, text, time};
use crate::web::quarantine;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use maud::{Markup, html};
use std::sync::Arc;

pub(super) async fn list(State(site): State<Arc<Site>>, visitor: Visitor) -> Answer {
    let rows: Vec<Vec<Markup>> = site
        .ctx
        .store
        .quarantine_list()
        .await?
        .iter()
        .map(|row| {
            vec![
                html! { a href=(format!("/quarantine/{}", row.id)) { (row.id) } },
                time(row.at),
                html! { a href=(super::jobs::address(&row.job)) { (row.job) } },
                text(&row.sender),
                html! { a href=(format!("/quarantine/{}", row.id)) { @if row.subject.is_empty() { "(no subject)" } @else { (row.subject) } } },
                text(&row.cause),
            ]
        })
        .collect();
    let table = page::table(
        "Quarantine",
        &["Number", "Since", "Job", "From", "Subject", "Cause"],
        &rows,
        "Nothing is in quarantine.",
    );
    let body = html! {
        h1 { "Quarantine" }
        p { "Messages that could not be handled, or that may not do what they ask for. They are kept as they were received." }
        (live("quarantine", &table))
    };
    Ok(page::shown(&Frame::new("Quarantine", "/quarantine", &visitor), &body))
}

pub(super) async fn show(State(site): State<Arc<Site>>, visitor: Visitor, Path(id): Path<i64>) -> Answer {
    shown(&site, &visitor, id, None).await
}

/// An entry; with what stood in the way of what was asked for, if something did.
async fn shown(site: &Site, visitor: &Visitor, id: i64, refused: Option<&str>) -> Answer {
    let detail = quarantine::find(site, id).await?;
    let row = &detail.row;
    let report = report(&detail).await?;
    let body = html! {
        h1 { @if row.subject.is_empty() { "(no subject)" } @else { (row.subject) } }
        @if let Some(refused) = refused { p.fault role="alert" { (refused) } }
        p.note { "Here because: " (row.cause) }
        dl {
            dt { "From" } dd { (row.sender) }
            dt { "Job" } dd { a href=(super::jobs::address(&row.job)) { (row.job) } }
            dt { "In quarantine since" } dd { (time(row.at)) }
            @if let Some(at) = row.released_at { dt { "Released" } dd { (time(at)) } }
            dt { "Size" } dd { (bytes(detail.raw.len())) @if row.header_only { " of its header; the body is in the mailbox alone" } }
        }
        div.row {
            a.button.quiet href=(format!("/try?receipt={}", row.receipt)) { "Try it on the rules in force" }
            a.button.quiet href=(format!("/messages/{}/raw", row.receipt)) { "Source" }
        }
        @if visitor.is_admin() && row.released_at.is_none() { (decision(visitor, id)) }
        @if let Some(report) = &report { (super::message::account(report, &crate::story::Ends::default())) }
    };
    let page = page::document(&Frame::new("Quarantine", "/quarantine", visitor), &body);
    let status = if refused.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    Ok((status, page).into_response())
}

/// The report of the run that failed, with the texts; none if another version wrote it.
async fn report(detail: &QuarantineDetail) -> Result<Option<Report>, Fault> {
    let Ok(report) = serde_json::from_value::<Report>(detail.report.clone()) else { return Ok(None) };
    let (raw, received) = (detail.raw.clone(), detail.received_at);
    let message = tokio::task::spawn_blocking(move || message::read(&raw, Some(received))).await?;
    Ok(message.ok().map(|message| report.with_texts(&message)))
}

/// What can be done about it.
fn decision(visitor: &Visitor, id: i64) -> Markup {
    html! {
        form.row method="post" action=(format!("/quarantine/{id}/release")) {
            (visitor.csrf_field())
            label for="others" { "If it answers a ticket of somebody else" }
            select #others name="others" {
                option value="" { "as the job says" }
                option value="follow-up" { "take it as a follow-up" }
                option value="new-ticket" { "make a new ticket of it" }
            }
            button type="submit" { "Release: run it again on the rules in force" }
        }
        form method="post" action=(format!("/quarantine/{id}/drop")) data-confirm="Drop this message? It is recorded as rejected; its source is kept." {
            (visitor.csrf_field())
            button.danger type="submit" { "Drop" }
        }
    }
}

pub(super) async fn release(State(site): State<Arc<Site>>, Path(id): Path<i64>, order: Order) -> Answer {
    let others = match order.fields.text("others") {
        "follow-up" => Some(FromOthers::Accept),
        "new-ticket" => Some(FromOthers::NewTicket),
        _ => None,
    };
    match quarantine::release(&site, id, others, order.visitor.name()).await {
        Err(Fault::Refused(sentence)) => shown(&site, &order.visitor, id, Some(&sentence)).await,
        Ok(None) => told(News::Released, "/quarantine"),
        Ok(Some(receipt)) => told(News::Released, &format!("/messages/{}", receipt.id)),
        Err(fault) => Err(fault),
    }
}

pub(super) async fn discard(State(site): State<Arc<Site>>, Path(id): Path<i64>, order: Order) -> Answer {
    quarantine::discard(&site, id, order.visitor.name()).await?;
    told(News::Rejected, "/quarantine")
}
