//! Tickets: what mail has become.

use super::{ROWS, told};
use crate::store::{AttachmentRow, CommentRow, TicketFilter, TicketRow};
use crate::ticket::{Status, TicketClass, TicketNumber, Visibility};
use crate::web::Site;
use crate::web::access::{Secret, Visitor};
use crate::web::error::{Answer, Fault};
use crate::web::form::Order;
use crate::web::news::News;
use crate::web::page::{self, Frame, badge, bytes, in_path, text, time};
use crate::web::tickets::{self as work, Work};
use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderValue, header};
use axum::response::IntoResponse;
use maud::{Markup, html};
use serde::Deserialize;
use std::sync::Arc;

#[derive(Debug, Deserialize)]
pub(super) struct View {
    #[serde(default)]
    status: String,
    #[serde(default)]
    class: String,
    before: Option<String>,
}

pub(super) async fn list(State(site): State<Arc<Site>>, visitor: Visitor, Query(view): Query<View>) -> Answer {
    let rules = site.reloader.current();
    let classes = rules.classes();
    let filter = TicketFilter {
        status: Some(view.status.as_str()).filter(|status| !status.is_empty()).map(Status::new),
        class: Some(view.class.as_str()).filter(|class| !class.is_empty()).map(TicketClass::new),
        job: None,
        before: view.before.as_deref().and_then(TicketNumber::parse),
        limit: Some(ROWS),
    };
    let tickets = site.ctx.store.tickets(&filter).await?;
    let older = tickets.last().filter(|_| tickets.len() == ROWS as usize).map(|last| last.number.to_string());
    let rows: Vec<Vec<Markup>> = tickets.iter().map(row).collect();
    let head = ["Number", "Subject", "Class", "Status", "Requester", "Assigned", "Created", "Changed"];
    let option =
        |value: &str, words: &str, chosen: &str| html! { option value=(value) selected[value == chosen] { (words) } };
    let body = html! {
        h1 { "Tickets" }
        form.filters method="get" action="/tickets" data-auto {
            div { label for="class" { "Class" } select #class name="class" { (option("", "all", &view.class)) @for class in classes.names() { (option(class, class, &view.class)) } } }
            div { label for="status" { "Status" } select #status name="status" { (option("", "all", &view.status)) @for status in classes.statuses() { (option(status, status, &view.status)) } } }
            button.quiet type="submit" { "Show" }
        }
        (page::table("Tickets", &head, &rows, "There is no such ticket."))
        @if let Some(before) = older { p { a href=(format!("/tickets?class={}&status={}&before={}", in_path(&view.class), in_path(&view.status), in_path(&before))) { "Older tickets" } } }
    };
    Ok(page::shown(&Frame::new("Tickets", "/tickets", &visitor), &body))
}

/// The address of a ticket's page.
pub(super) fn address(number: &TicketNumber) -> String {
    format!("/tickets/{}", in_path(&number.to_string()))
}

fn row(ticket: &TicketRow) -> Vec<Markup> {
    vec![
        html! { a href=(address(&ticket.number)) { (ticket.number) } },
        html! { a href=(address(&ticket.number)) { @if ticket.subject.is_empty() { "(no subject)" } @else { (ticket.subject) } } },
        text(ticket.class.name()),
        badge(ticket.status.name(), "calm"),
        text(&ticket.requester),
        html! { @if ticket.assignment.is_nobody() { span.none { "nobody" } } @else { (ticket.assignment) } },
        time(ticket.created_at),
        time(ticket.updated_at),
    ]
}

pub(super) async fn show(State(site): State<Arc<Site>>, visitor: Visitor, Path(number): Path<String>) -> Answer {
    let (_, detail) = work::find(&site, &number).await?;
    let ticket = &detail.ticket;
    let people: Vec<String> = detail.participants.iter().map(ToString::to_string).collect();
    let of = |comment: Option<i64>| -> Vec<&AttachmentRow> {
        detail.attachments.iter().filter(|it| it.comment == comment).collect()
    };
    let body = html! {
        h1 { (ticket.number) ": " (ticket.subject) }
        p { (badge(ticket.status.name(), "calm")) " " (ticket.class.name()) }
        dl {
            dt { "Requester" } dd { (ticket.requester) }
            dt { "Assigned" } dd { @if ticket.assignment.is_nobody() { "nobody" } @else { (ticket.assignment) } }
            @if !people.is_empty() { dt { "Participants" } dd { (people.join(", ")) } }
            @for field in &detail.fields { dt { (field.name) } dd { (field.value.to_string()) } }
            dt { "Created" } dd { (time(ticket.created_at)) " by job " (ticket.job) }
            dt { "Changed" } dd { (time(ticket.updated_at)) }
        }
        h2 { "Description" }
        pre { (detail.description) }
        (attachments(&ticket.number, &of(None)))
        h2 { "Comments" }
        @if detail.comments.is_empty() { p.empty { "Nobody has commented." } }
        @for comment in &detail.comments { (shown(comment)) (attachments(&ticket.number, &of(Some(comment.id)))) }
        @if visitor.is_admin() { (work_on(&site, &visitor, ticket)?) }
    };
    Ok(page::shown(&Frame::new(&number, "/tickets", &visitor), &body))
}

fn shown(comment: &CommentRow) -> Markup {
    html! {
        h3 { (comment.author) ", " (time(comment.created_at)) @if comment.visibility == Visibility::Internal { " " (badge("internal", "warn")) } " " a href=(format!("/messages/{}", comment.receipt)) { "message" } }
        pre { (comment.text) }
    }
}

fn attachments(number: &TicketNumber, rows: &[&AttachmentRow]) -> Markup {
    html! {
        @if !rows.is_empty() {
            ul { @for row in rows { li { a href=(format!("{}/attachments/{}", address(number), row.sha256)) { @if row.name.is_empty() { "without a name" } @else { (row.name) } } " " span.dim { (row.media_type) ", " (bytes(row.size)) @if row.inline { ", inline" } } } } }
        }
    }
}

/// An attachment, to be saved: no browser opens it here.
pub(super) async fn attachment(
    State(site): State<Arc<Site>>,
    _: Visitor,
    Path((number, sha256)): Path<(String, String)>,
) -> Answer {
    let (row, bytes) = work::attachment(&site, &number, &sha256).await?;
    // RFC 6266 with RFC 8187: the name in UTF-8, every byte that could mean something escaped.
    let disposition =
        format!("attachment; filename*=UTF-8''{}", in_path(if row.name.is_empty() { "attachment" } else { &row.name }));
    let value = HeaderValue::from_str(&disposition).map_err(|error| Fault::Failed(error.to_string()))?;
    let mut response = ([(header::CONTENT_TYPE, "application/octet-stream")], Body::from(bytes)).into_response();
    response.headers_mut().insert(header::CONTENT_DISPOSITION, value);
    Ok(response)
}

/// A form to comment, and to set the status.
fn work_on(site: &Site, visitor: &Visitor, ticket: &TicketRow) -> Result<Markup, Fault> {
    let rules = site.reloader.current();
    let statuses = rules.classes().get(ticket.class.name()).map(|class| class.statuses.clone()).unwrap_or_default();
    let key = Secret::new().map_err(|error| Fault::Failed(error.to_string()))?;
    Ok(html! {
        h2 { "Work on it" }
        form.wide method="post" action=(format!("{}/change", address(&ticket.number))) {
            (visitor.csrf_field())
            // Sent twice, it is done once.
            input type="hidden" name="key" value=(key.text());
            label for="text" { "Comment" }
            textarea #text name="text" rows="5" {}
            label for="visibility" { "Who can read it" }
            select #visibility name="visibility" {
                option value="internal" { "internal: who works here" }
                option value="public" { "public: the requester, too" }
            }
            label for="status" { "Status" }
            select #status name="status" {
                @for status in &statuses { option value=(status.name()) selected[*status == ticket.status] { (status.name()) } }
            }
            p.hint { "A comment is recorded here; no mail is sent for it." }
            button type="submit" { "Record" }
        }
    })
}

pub(super) async fn change(State(site): State<Arc<Site>>, Path(number): Path<String>, order: Order) -> Answer {
    let fields = &order.fields;
    let (number, _) = work::find(&site, &number).await?;
    let visibility = Visibility::parse(fields.text("visibility")).unwrap_or(Visibility::Internal);
    let wanted = Work {
        key: fields.filled("key").map(str::to_owned),
        comment: fields.filled("text").map(|text| (text.replace("\r\n", "\n"), visibility)),
        status: fields.filled("status").map(str::to_owned),
    };
    work::carry_out(&site, &number, wanted, order.visitor.name()).await?;
    told(News::Recorded, &address(&number))
}
