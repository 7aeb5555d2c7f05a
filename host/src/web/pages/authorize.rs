//! Granting a job the right to read its mail (OAuth 2.0): what `mailmill authorize` does.

use super::back;
use super::jobs::address;
use crate::job::oauth_app;
use crate::oauth::Prompt;
use crate::web::Site;
use crate::web::access::Visitor;
use crate::web::error::Answer;
use crate::web::form::Order;
use crate::web::grants::{self, Progress};
use crate::web::job_files;
use crate::web::page::{self, Frame, live};
use axum::extract::{Path, State};
use maud::{Markup, html};
use std::sync::Arc;

pub(super) async fn page(State(site): State<Arc<Site>>, visitor: Visitor, Path(name): Path<String>) -> Answer {
    let job = job_files::load(&site, &name)?;
    let is_oauth = oauth_app(&job).is_some();
    let body = html! {
        h1 { "Authorise job " (name) }
        @if !is_oauth {
            p.note { "This job does not log in with OAuth 2.0 of its own: choose it in the job's form first." }
        } @else {
            p { "Somebody who may read the mailbox grants mailmill the right to do so, once, with the provider. No password is told to mailmill." }
            (live("progress", &progress(site.grants.progress(&name).as_ref())))
            @if visitor.is_admin() {
                form method="post" action=(format!("{}/authorize", address(&name))) {
                    (visitor.csrf_field())
                    button type="submit" { "Authorise" }
                }
            } @else { p { "Your role is viewer: an administrator can do this." } }
        }
        div.row { a.button.quiet href=(format!("{}/test", address(&name))) { "Test connection" } a.button.quiet href=(address(&name)) { "Back to the job" } }
    };
    Ok(page::shown(&Frame::new("Authorise", "/jobs", &visitor), &body))
}

fn progress(state: Option<&Progress>) -> Markup {
    let link = |url: &str| html! { a href=(url) target="_blank" rel="noopener noreferrer" { (url) } };
    html! {
        @match state {
            None => {}
            Some(Progress::Begun) => p.note role="status" { "The provider is asked … (load this page again)" },
            Some(Progress::Waiting(Prompt::Code { url, code, lasts })) => div.note role="status" {
                p { "With any browser, open " (link(url)) ", log in as the mailbox's user, and enter this code within " (lasts.as_secs().div_ceil(60)) " minutes:" }
                p { strong.code { (code) } }
            },
            Some(Progress::Waiting(Prompt::Open { url })) => div.note role="status" {
                p { "With a browser " strong { "of the machine where mailmill runs" } ", open this address and log in as the mailbox's user:" }
                p { (link(url)) }
            },
            Some(Progress::Granted) => p.done role="status" { "Granted. The job can log in from now on." },
            Some(Progress::Failed(reason)) => p.fault role="alert" { (reason) },
        }
    }
}

pub(super) async fn begin(State(site): State<Arc<Site>>, Path(name): Path<String>, order: Order) -> Answer {
    grants::begin(&site, &name, order.visitor.name()).await?;
    back(&format!("{}/authorize", address(&name)))
}
