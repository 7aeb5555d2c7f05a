//! Granting a job the right to read its mail (OAuth 2.0): what `mailmill authorize` does.

use super::back;
use super::jobs::address;
use crate::job::oauth_app;
use crate::oauth::Prompt;
use crate::web::Site;
use crate::web::access::Visitor;
use crate::web::error::{Answer, Fault};
use crate::web::form::Order;
use crate::web::page::{self, Frame, live};
use axum::extract::{Path, State};
use maud::{Markup, html};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::task::AbortHandle;

/// Who is being asked for a right now, and who was asked since the daemon started; by the name of the job.
#[derive(Debug, Default)]
pub(in crate::web) struct Grants(Mutex<BTreeMap<String, Granting>>);

/// One attempt.
#[derive(Debug)]
struct Granting {
    state: Progress,
    task: Option<AbortHandle>,
}

/// How far an attempt has come.
#[derive(Debug, Clone)]
enum Progress {
    /// The provider is asked.
    Begun,
    /// Somebody has to do something.
    Waiting(Prompt),
    /// The right is granted, and kept.
    Granted,
    /// It is not.
    Failed(String),
}

impl Grants {
    fn held(&self) -> MutexGuard<'_, BTreeMap<String, Granting>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn progress(&self, job: &str) -> Option<Progress> {
        self.held().get(job).map(|granting| granting.state.clone())
    }

    fn set(&self, job: &str, state: Progress) {
        if let Some(granting) = self.held().get_mut(job) {
            granting.state = state;
        }
    }

    /// Notes that an attempt begins; the one before it ends.
    fn begin(&self, job: &str) {
        let before = self.held().insert(job.to_owned(), Granting { state: Progress::Begun, task: None });
        if let Some(task) = before.and_then(|before| before.task) {
            task.abort();
        }
    }

    fn keep(&self, job: &str, task: AbortHandle) {
        if let Some(granting) = self.held().get_mut(job) {
            granting.task = Some(task);
        }
    }
}

pub(super) async fn page(State(site): State<Arc<Site>>, visitor: Visitor, Path(name): Path<String>) -> Answer {
    let job = super::job(&site, &name)?;
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
    let job = super::job(&site, &name)?;
    let missing = || Fault::Refused("This job does not log in with OAuth 2.0 of its own.".to_owned());
    let source = site.ctx.tokens.of(&name, oauth_app(&job).ok_or_else(missing)?);
    site.ctx.store.note(order.visitor.name(), "authorize-job", &name, "").await?;
    site.grants.begin(&name);
    let (own, job) = (site.clone(), name.clone());
    let task = tokio::spawn(async move {
        let outcome = source.authorize(|prompt| own.grants.set(&job, Progress::Waiting(prompt))).await;
        match outcome {
            Ok(()) => {
                own.grants.set(&job, Progress::Granted);
                // A job whose login failed waits long before it tries again.
                if let Err(error) = own.ctx.store.request_run(&job).await {
                    tracing::warn!(%error, job, "the job is not run at once");
                }
            }
            Err(error) => own.grants.set(&job, Progress::Failed(error.to_string())),
        }
    });
    site.grants.keep(&name, task.abort_handle());
    back(&format!("{}/authorize", address(&name)))
}
