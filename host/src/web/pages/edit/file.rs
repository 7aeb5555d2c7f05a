//! A job's file as it is written.

use crate::web::Site;
use crate::web::access::Visitor;
use crate::web::error::{Answer, Fault};
use crate::web::form::Order;
use crate::web::job_files;
use crate::web::page::{self, Frame};
use crate::web::pages::back;
use crate::web::pages::jobs::address;
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
    let path = job_files::find(&site, &name)?;
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
        @if visitor.is_admin() {
            form method="post" action=(format!("{}/file", address(name))) {
                (visitor.csrf_field())
                input type="hidden" name="before" value=(before);
                label for="text" { "TOML" }
                textarea #text name="text" rows="28" spellcheck="false" { (text) }
                div.row { button type="submit" { "Save" } a.button.quiet href=(address(name)) { "Cancel" } }
            }
        } @else { pre { (text) } p { a href=(address(name)) { "Back to the job" } } }
    }
}

pub(in crate::web::pages) async fn save_file(
    State(site): State<Arc<Site>>,
    Path(name): Path<String>,
    order: Order,
) -> Answer {
    let path = job_files::find(&site, &name)?;
    // Browsers send the line ends of forms as CRLF (HTML section 4.10.21.8).
    let [before, text] = ["before", "text"].map(|field| order.fields.text(field).replace("\r\n", "\n"));
    match job_files::replace(&site, &name, &before, &text, order.visitor.name()).await {
        Err(Fault::Refused(found)) => {
            let body = file_form(&order.visitor, &name, &path, &before, &text, Some(&found));
            let page = page::document(&Frame::new("A job's file", "/jobs", &order.visitor), &body);
            Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response())
        }
        replaced => replaced.and_then(|()| back(&address(&name))),
    }
}
