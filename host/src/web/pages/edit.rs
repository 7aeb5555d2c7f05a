//! A job's form: made anew, changed, and tried before it is saved.

mod draft;
mod file;
mod form;
mod parts;
mod values;

pub(super) use file::{file_page, save_file};
pub(super) use form::{authentication, security};

use super::connection::Wish;
use super::jobs::address;
use super::{back, told};
use crate::config::{Job, JobFile, with_values};
use crate::diagnostic::Diagnostics;
use crate::web::Site;
use crate::web::access::{Admin, Visitor};
use crate::web::error::{Answer, Fault};
use crate::web::form::Order;
use crate::web::job_files::{self, difference};
use crate::web::news::News;
use crate::web::page::{self, Frame};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use draft::{Draft, Secrets};
use form::Shown;
use maud::{Markup, html};
use parts::Parts;
use std::path::Path as FilePath;
use std::sync::Arc;
use values::Written;

/// What a new job's file begins with.
const NEW: &str = "# A job of mailmill: one account. The file's name is the job's name. To see every setting:\n\
                   # mailmill config example --job\n\n[source]\n";
/// What a job is called that has no name yet.
const NAMELESS: &str = "new-job";

pub(super) async fn new_page(Admin(visitor): Admin) -> Answer {
    Ok(form_page(&visitor, None, &Shown { file: None, typed: None }, None, &Parts::default()))
}

pub(super) async fn page(State(site): State<Arc<Site>>, visitor: Visitor, Path(name): Path<String>) -> Answer {
    let written = Written::of(&std::fs::read_to_string(job_files::find(&site, &name)?)?);
    let kind = written.text(&["source", "type"]).unwrap_or_default();
    if !matches!(kind.as_str(), "imap" | "pop3") {
        // Folders of files have no form: there is little to set.
        return back(&format!("{}/file", address(&name)));
    }
    let shown = Shown { file: Some(&written), typed: None };
    Ok(form_page(&visitor, Some(&name), &shown, None, &Parts::default()))
}

fn form_page(visitor: &Visitor, name: Option<&str>, shown: &Shown<'_>, fault: Option<&str>, parts: &Parts) -> Response {
    let (title, action) = name.map_or_else(
        || ("New job".to_owned(), "/jobs/new".to_owned()),
        |name| {
            let what = if visitor.is_admin() { "Edit job" } else { "Settings of job" };
            (format!("{what} {name}"), format!("{}/edit", address(name)))
        },
    );
    let save = if name.is_some() { "Save" } else { "Create" };
    let fields =
        html! { (form::account(shown, name.is_some(), parts)) (form::schedule(shown, parts)) (form::handling(shown)) };
    let body = html! {
        h1 { (title) }
        @if let Some(name) = name.filter(|_| visitor.is_admin()) { p { "Only what you change is changed in its file; comments and order stay. " a href=(format!("{}/file", address(name))) { "Edit the file itself" } } }
        div #faults { @if let Some(fault) = fault { p.fault role="alert" { (fault) } } }
        @if visitor.is_admin() {
            form.wide method="post" action=(action) data-stay="faults" {
                (visitor.csrf_field())
                // What the key Enter presses: the first button of a form (HTML section 4.10.21.2).
                input.default type="submit" value=(save) tabindex="-1" aria-hidden="true";
                @if name.is_none() { (new_name(shown)) }
                (fields)
                div data-faults {}
                button type="submit" { (save) }
            }
        } @else { fieldset.shown disabled { legend { "As it is set" } (fields) } }
    };
    let page = page::document(&Frame::new(&title, "/jobs", visitor), &body);
    let status = if fault.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    (status, page).into_response()
}

fn new_name(shown: &Shown<'_>) -> Markup {
    html! {
        label for="name" { "Name of the job" }
        input #name name="name" required value=(shown.value("name", &["name"], "")) aria-describedby="name-hint" autocomplete="off";
        p #name-hint.hint { "Letters, digits, - and _. Its file is called like that." }
    }
}

/// Every fault as a sentence of its own, without the places in a file that nobody has seen yet.
fn sentences(found: &Diagnostics) -> String {
    let line = |found: &crate::diagnostic::Diagnostic| {
        let help = found.help.as_ref().map(|help| format!(" ({help})")).unwrap_or_default();
        format!("{}{help}", found.reason)
    };
    found.iter().map(line).collect::<Vec<_>>().join("\n")
}

pub(super) async fn create(State(site): State<Arc<Site>>, wish: Wish, order: Order) -> Answer {
    let Order { visitor, fields } = &order;
    let shown = Shown { file: None, typed: Some(fields) };
    let name = fields.text("name").trim().to_owned();
    let called = if name.is_empty() { NAMELESS } else { &name };
    let draft = || Draft::of(called, NEW, &site.config.jobs, fields, |secrets| values::wanted(fields, secrets));
    if let Some(parts) = parts::asked(&site, &wish, &order, draft).await? {
        return parts.answer(|parts| form_page(visitor, None, &shown, None, parts));
    }
    let again = |fault: &str| Ok(form_page(visitor, None, &shown, Some(fault), &Parts::default()));
    if let Err(fault) = job_files::check_name(&name) {
        return again(&fault.sentence());
    }
    let path = site.config.jobs.join(format!("{name}.toml"));
    if fields.filled("secret").is_none() && !values::has_application(fields) {
        return again("A password is needed to log in.");
    }
    let wanted = values::wanted(fields, &Secrets::kept(&name, fields));
    let text = match with_values(NEW, wanted).map_err(|error| error.to_string()).and_then(|text| sound(&path, &text)) {
        Ok(text) => text,
        Err(fault) => return again(&fault),
    };
    let secrets = |folder: &FilePath| Secrets::kept(&name, fields).write(folder, fields);
    match job_files::create(&site, &name, &text, secrets, visitor.name()).await {
        Err(Fault::Refused(fault) | Fault::Changed(fault)) => again(&fault),
        made => made.and_then(|()| told(News::JobCreated, &address(&name))),
    }
}

/// The text, if it makes a job.
fn sound(path: &FilePath, text: &str) -> Result<String, String> {
    Job::parse(path, text).map(|_| text.to_owned()).map_err(|found| sentences(&found))
}

pub(super) async fn save(State(site): State<Arc<Site>>, Path(name): Path<String>, wish: Wish, order: Order) -> Answer {
    let Order { visitor, fields } = &order;
    let path = job_files::find(&site, &name)?;
    let before = std::fs::read_to_string(&path)?;
    let written = Written::of(&before);
    let typed = Shown { file: Some(&written), typed: Some(fields) };
    let changed = |secrets: &Secrets| values::changed(fields, &written, secrets);
    let draft = || Draft::of(&name, &before, &site.config.jobs, fields, changed);
    if let Some(parts) = parts::asked(&site, &wish, &order, draft).await? {
        return parts.answer(|parts| form_page(visitor, Some(&name), &typed, None, parts));
    }
    let again = |fault: &str| Ok(form_page(visitor, Some(&name), &typed, Some(fault), &Parts::default()));
    let secrets = Secrets::kept(&name, fields);
    let file = JobFile::read(&path)?;
    let changed = with_values(file.text(), changed(&secrets));
    let text = match changed.map_err(|error| error.to_string()).and_then(|text| sound(&path, &text)) {
        Ok(text) => text,
        Err(fault) => return again(&fault),
    };
    secrets.write(&site.config.jobs, fields)?;
    if secrets.any() {
        // A job whose login failed waits long before it tries again, and does not watch its password.
        site.ctx.store.request_run(&name).await?;
    }
    if text != file.text() {
        file.write(&text)?;
        site.ctx.store.note(visitor.name(), "edit-job", &name, &difference(&name, file.text(), &text)).await?;
    }
    told(News::JobSaved, &address(&name))
}
