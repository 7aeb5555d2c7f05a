//! The pieces of a job's form that are made of what is filled in, before anything is saved: the mailboxes of the server, the next
//! runs, a test of the connection.

use super::draft::Draft;
use super::form::input;
use super::{sentences, values};
use crate::config::{Job, same_mailbox, with_values};
use crate::job;
use crate::mailbox::Folder;
use crate::web::Site;
use crate::web::connection::{self, Line};
use crate::web::error::{Answer, Fault};
use crate::web::form::{Fields, Order};
use crate::web::page::time;
use crate::web::pages::connection::{Wish, shown, streamed, streamed_fault};
use axum::response::Response;
use jiff::Timestamp;
use maud::{Markup, html};
use std::path::Path;

/// How many runs are shown.
const RUNS: usize = 10;
/// A job's file with nothing but a schedule.
const SCHEDULE_ONLY: &str = "[source]\ntype = \"folder\"\npath = \".\"\n";
/// What to write into the field for mailboxes.
const MAILBOX_HINT: &str = "INBOX, or several with commas: INBOX, INBOX/Support. Levels are separated by / or by a point, \
                            whatever the server uses.";

/// What was asked for, as far as it is there.
#[derive(Debug, Default)]
pub(super) struct Parts {
    folders: Option<Result<Vec<Folder>, String>>,
    runs: Option<Result<Runs, String>>,
    steps: Vec<Line>,
}

/// When a job would run.
#[derive(Debug)]
struct Runs {
    in_words: String,
    next: Vec<Timestamp>,
}

/// How what was asked for is answered.
pub(super) enum Asked {
    /// With the form and this in it.
    Form(Parts),
    /// With something else than a page.
    Stream(Response),
}

impl Asked {
    pub(super) fn answer(self, page: impl FnOnce(&Parts) -> Response) -> Answer {
        Ok(match self {
            Self::Form(parts) => page(&parts),
            Self::Stream(response) => response,
        })
    }
}

/// What a form asks for besides being saved; none if it is to be saved.
pub(super) async fn asked(
    site: &Site,
    wish: &Wish,
    order: &Order,
    draft: impl FnOnce() -> Result<Result<Draft, String>, Fault>,
) -> Result<Option<Asked>, Fault> {
    let fields = &order.fields;
    let parts = match fields.text("what") {
        "folders" => Parts { folders: Some(folders(site, fields, draft).await?), ..Parts::default() },
        "runs" => Parts { runs: Some(runs(fields)), ..Parts::default() },
        "test" => match draft()? {
            Err(fault) if wish.wants_lines() => return Ok(Some(Asked::Stream(streamed_fault(fault)))),
            Err(fault) => Parts { steps: vec![Line::fault(fault)], ..Parts::default() },
            Ok(Draft { job, folder }) => {
                let server = fields.text("host");
                site.ctx
                    .store
                    .note(order.visitor.name(), "test-connection", &job.name, &format!("not saved, {server}"))
                    .await?;
                let heard =
                    connection::begin(site, job, "These settings work. They are not saved yet.".to_owned(), folder);
                if wish.wants_lines() {
                    return Ok(Some(Asked::Stream(streamed(heard))));
                }
                Parts { steps: connection::collected(heard).await, ..Parts::default() }
            }
        },
        _ => return Ok(None),
    };
    Ok(Some(Asked::Form(parts)))
}

async fn folders(
    site: &Site,
    fields: &Fields,
    draft: impl FnOnce() -> Result<Result<Draft, String>, Fault>,
) -> Result<Result<Vec<Folder>, String>, Fault> {
    if fields.text("type") == "pop3" {
        return Ok(Err("POP3 knows one mailbox only: there is nothing to choose.".to_owned()));
    }
    let draft = match draft()? {
        Ok(draft) => draft,
        Err(fault) => return Ok(Err(fault)),
    };
    let ctx = &site.ctx;
    let account = match job::account(&draft.job, ctx.limits.message_bytes_max, &ctx.tokens, &ctx.spool) {
        Ok(account) => account,
        Err(error) => return Ok(Err(format!("The password cannot be read: {error}. Type it above."))),
    };
    Ok(account.folders().await.map_err(|error| error.to_string()))
}

fn runs(fields: &Fields) -> Result<Runs, String> {
    let text = with_values(SCHEDULE_ONLY, values::schedule(fields)).map_err(|error| error.to_string())?;
    let job = Job::parse(Path::new("schedule.toml"), &text).map_err(|found| sentences(&found))?;
    let runs = job.schedule.runs;
    let zone = runs.time_zone.iana_name().unwrap_or("this machine").to_owned();
    let next = runs.runs_after(Timestamp::now()).take(RUNS).collect();
    Ok(Runs { in_words: format!("{runs}, on the clock of {zone}"), next })
}

impl Parts {
    /// The mailboxes to watch: to be written, or to be chosen where the server has told its own. `chosen` has commas.
    pub(super) fn mailboxes(&self, chosen: &str) -> Markup {
        let Some(Ok(folders)) = &self.folders else {
            let fault = self.folders.as_ref().and_then(|folders| folders.as_ref().err());
            return html! {
                (input("mailbox", "Mailbox (IMAP4)", chosen, MAILBOX_HINT))
                @if let Some(fault) = fault { p.fault role="alert" { (fault) } }
            };
        };
        let chosen: Vec<&str> = chosen.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
        let is_chosen = |folder: &Folder| chosen.iter().any(|name| same_mailbox(name, &folder.name));
        let is_listed = |name: &str| folders.iter().any(|folder| same_mailbox(name, &folder.name));
        let others: Vec<&str> = chosen.iter().copied().filter(|name| !is_listed(name)).collect();
        html! {
            fieldset {
                legend { "Mailboxes to watch" }
                p.hint { "The server has these. New mail in the first one that is marked is noticed at once." }
                @for folder in folders {
                    label.tick {
                        input type="checkbox" name="mailbox" value=(folder.name) checked[is_chosen(folder)] disabled[!folder.holds_mail];
                        span { (folder.name) @if !folder.holds_mail { " " span.dim { "(holds no mail itself)" } } @if let Some(purpose) = folder.purpose { " " span.dim { "(" (purpose) ")" } } }
                    }
                }
                (input("mailbox", "Others", &others.join(", "), "Names that the server does not list."))
            }
        }
    }

    /// When the job would run.
    pub(super) fn runs(&self) -> Markup {
        html! {
            @match &self.runs {
                None => {}
                Some(Err(fault)) => p.fault role="alert" { (fault) },
                Some(Ok(Runs { in_words, next })) => {
                    p { (in_words) ":" }
                    @if next.is_empty() { p.empty { "There is no further run." } }
                    ol { @for run in next { li { (time(*run)) } } }
                }
            }
        }
    }

    /// How the test went.
    pub(super) fn steps(&self) -> Markup {
        shown(&self.steps)
    }
}
