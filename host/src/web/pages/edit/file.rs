//! A job's file as it is written.

use super::difference;
use crate::config::{Job, replace_text};
use crate::web::Site;
use crate::web::access::Visitor;
use crate::web::error::Answer;
use crate::web::form::Order;
use crate::web::page::{self, Frame};
use crate::web::pages::jobs::address;
use crate::web::pages::{back, job_file};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use maud::{Markup, html};
use std::path::Path as FilePath;
use std::sync::Arc;

pub(in crate::web::pages) async fn file_page(
    State(site): State<Arc<Site>>,
    visitor: Visitor,
    Path(name): Path<String>,
) -> Answer {
    let path = job_file(&site, &name)?;
    let text = std::fs::read_to_string(&path)?;
    Ok(page::shown(
        &Frame::new("A job's file", "/jobs", &visitor),
        &file_form(&visitor, &name, &path, &text, &text, None),
    ))
}

fn file_form(visitor: &Visitor, name: &str, path: &FilePath, before: &str, text: &str, fault: Option<&str>) -> Markup {
    html! {
        h1 { "The file of job " (name) }
        p { code { (path.display().to_string()) } }
        @if let Some(fault) = fault { p.fault role="alert" { (fault) } }
        form method="post" action=(format!("{}/file", address(name))) {
            (visitor.csrf_field())
            input type="hidden" name="before" value=(before);
            label for="text" { "TOML" }
            textarea #text name="text" rows="28" spellcheck="false" readonly[!visitor.is_admin()] { (text) }
            @if visitor.is_admin() { div.row { button type="submit" { "Save if it is sound" } a.button.quiet href=(address(name)) { "Leave it" } } }
        }
    }
}

pub(in crate::web::pages) async fn save_file(
    State(site): State<Arc<Site>>,
    Path(name): Path<String>,
    order: Order,
) -> Answer {
    let path = job_file(&site, &name)?;
    // Browsers send the line ends of forms as CRLF (HTML section 4.10.21.8).
    let [before, text] = ["before", "text"].map(|field| order.fields.text(field).replace("\r\n", "\n"));
    if let Err(found) = Job::parse(&path, &text) {
        let body = file_form(&order.visitor, &name, &path, &before, &text, Some(&found.to_string()));
        let page = page::document(&Frame::new("A job's file", "/jobs", &order.visitor), &body);
        return Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response());
    }
    replace_text(&path, &before, &text)?;
    site.ctx.store.note(order.visitor.name(), "edit-job", &name, &difference(&name, &before, &text)).await?;
    back(&address(&name))
}
