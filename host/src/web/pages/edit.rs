//! A job's form, and its file as it is written.

mod values;

use super::jobs::address;
use super::{back, job_file};
use crate::config::{Authentication, Job, JobFile, replace_text, with_values};
use crate::mailbox::Security;
use crate::web::Site;
use crate::web::access::{Admin, Visitor};
use crate::web::error::{Answer, Fault};
use crate::web::form::{Fields, Order};
use crate::web::page::{self, Frame};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use maud::{Markup, html};
use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path as FilePath;
use std::sync::Arc;
use values::Written;

/// The longest name of a job, in bytes.
const NAME_BYTES_MAX: usize = 100;
/// What a new job's file begins with.
const NEW: &str = "# A job of mailmill: one account. The file's name is the job's name. To see every setting:\n\
                   # mailmill config example --job\n\n[source]\n";

/// What people call a way to log in.
pub(super) fn authentication(authentication: Authentication) -> &'static str {
    match authentication {
        Authentication::Password => "password",
        Authentication::Ntlm => "Secure Password Authentication (NTLM)",
        Authentication::OAuth2 => "OAuth 2.0",
    }
}

/// What people call a way to secure a connection.
pub(super) fn security(security: Security) -> &'static str {
    match security {
        Security::None => "none",
        Security::StarttlsIfAvailable => "STARTTLS, if available",
        Security::Starttls => "STARTTLS",
        Security::Tls => "SSL/TLS",
    }
}

/// What a form shows: what was typed last, or else what the file says.
struct Shown<'a> {
    file: Option<&'a Written>,
    typed: Option<&'a Fields>,
}

impl Shown<'_> {
    /// The value of a field, which the file has there.
    fn value(&self, name: &str, keys: &[&str], otherwise: &str) -> String {
        if let Some(typed) = self.typed {
            return typed.text(name).to_owned();
        }
        self.file.and_then(|file| file.text(keys)).unwrap_or_else(|| otherwise.to_owned())
    }

    fn is_ticked(&self, name: &str, keys: &[&str], otherwise: bool) -> bool {
        if let Some(typed) = self.typed {
            return typed.is_ticked(name);
        }
        let Some(file) = self.file else { return otherwise };
        // What a table leaves out is off; what a file leaves out is as usual.
        let above = keys.split_last().map_or(&[][..], |(_, above)| above);
        let unsaid = if keys.first() == Some(&"handling") && above.len() > 1 {
            !file.has(above) && otherwise
        } else {
            otherwise
        };
        file.flag(keys).unwrap_or(unsaid)
    }
}

pub(super) async fn new_page(Admin(visitor): Admin) -> Answer {
    Ok(form_page(&visitor, None, &Shown { file: None, typed: None }, None))
}

pub(super) async fn page(State(site): State<Arc<Site>>, visitor: Visitor, Path(name): Path<String>) -> Answer {
    let written = Written::of(&std::fs::read_to_string(job_file(&site, &name)?)?);
    let kind = written.text(&["source", "type"]).unwrap_or_default();
    if !matches!(kind.as_str(), "imap" | "pop3") {
        // Folders of files have no form: there is little to set.
        return back(&format!("{}/file", address(&name)));
    }
    Ok(form_page(&visitor, Some(&name), &Shown { file: Some(&written), typed: None }, None))
}

fn form_page(
    visitor: &Visitor,
    name: Option<&str>,
    shown: &Shown<'_>,
    fault: Option<&str>,
) -> axum::response::Response {
    let (title, action) = name.map_or_else(
        || ("New job".to_owned(), "/jobs/new".to_owned()),
        |name| (format!("Edit job {name}"), format!("{}/edit", address(name))),
    );
    let body = html! {
        h1 { (title) }
        @if let Some(name) = name { p { "Only what you change is changed in its file; comments and order stay. " a href=(format!("{}/file", address(name))) { "Edit the file itself" } } }
        @if let Some(fault) = fault { p.fault role="alert" { (fault) } }
        form.wide method="post" action=(action) {
            (visitor.csrf_field())
            @if name.is_none() {
                label for="name" { "Name of the job" }
                input #name name="name" required value=(shown.value("name", &["name"], "")) aria-describedby="name-hint" autocomplete="off";
                p #name-hint.hint { "Letters, digits, - and _. Its file is called like that." }
            }
            (account(shown, name.is_some()))
            (schedule(shown))
            (handling(shown))
            @if visitor.is_admin() { button type="submit" { @if name.is_some() { "Save" } @else { "Create" } } }
        }
    };
    let page = page::document(&Frame::new(&title, "/jobs", visitor), &body);
    let status = if fault.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    (status, page).into_response()
}

/// A list to choose from: value, words.
fn choice(name: &str, label: &str, options: &[(&str, &str)], chosen: &str) -> Markup {
    html! {
        label for=(name) { (label) }
        select id=(name) name=(name) {
            @for (value, words) in options { option value=(value) selected[*value == chosen] { (words) } }
        }
    }
}

fn input(name: &str, label: &str, value: &str, hint: &str) -> Markup {
    html! {
        label for=(name) { (label) }
        input id=(name) name=(name) value=(value) autocomplete="off" aria-describedby=[(!hint.is_empty()).then(|| format!("{name}-hint"))];
        @if !hint.is_empty() { p.hint id=(format!("{name}-hint")) { (hint) } }
    }
}

fn tick(name: &str, label: &str, ticked: bool) -> Markup {
    html! { label.tick { input type="checkbox" name=(name) value="yes" checked[ticked]; span { (label) } } }
}

fn account(shown: &Shown<'_>, is_known: bool) -> Markup {
    let of = |name: &str, otherwise: &str| shown.value(name, &["source", name], otherwise);
    let secret_hint = if is_known {
        "It is never shown. Empty: it stays as it is."
    } else {
        "It is kept in a file beside the job's, readable by mailmill alone."
    };
    html! {
        fieldset {
            legend { "Account" }
            (choice("type", "Account type", &[("imap", "IMAP4"), ("pop3", "POP3")], &of("type", "imap")))
            (input("host", "Server", &of("host", ""), ""))
            (input("port", "Port", &of("port", ""), "Empty: the usual one for the secure connection below."))
            (input("mailbox", "Mailbox", &of("mailbox", "INBOX"), "IMAP4 only. Several are written with commas. Levels are separated by / or by a point, whatever the server uses."))
            (input("user", "User", &of("user", ""), "With Secure Password Authentication also DOMAIN\\user."))
            label for="secret" { "Password" }
            input #secret name="secret" type="password" autocomplete="new-password" aria-describedby="secret-hint";
            p #secret-hint.hint { (secret_hint) }
            (choice("authentication", "Authentication", &[("password", "Password, in the strongest way offered"), ("ntlm", "Require Secure Password Authentication (SPA, NTLM)"), ("oauth2", "OAuth 2.0 (its settings are in the job's file)")], &of("authentication", "password")))
            (choice("security", "Secure connection", &[("none", "None"), ("starttls-if-available", "STARTTLS, if available"), ("starttls", "STARTTLS"), ("tls", "SSL/TLS")], &of("security", "tls")))
            (tick("reject", "Reject invalid certificates", shown.is_ticked("reject", &["source", "reject_invalid_certificates"], true)))
        }
    }
}

fn schedule(shown: &Shown<'_>) -> Markup {
    let of = |name: &str| shown.value(name, &["schedule", name], "");
    html! {
        fieldset {
            legend { "Schedule" }
            p.hint { "With nothing filled in: every 5 minutes. Fill in either how often, or times of the day, or a cron line." }
            (input("every", "Every", &of("every"), "A number with s, m or h: 30s, 5m, 1h."))
            (input("window", "Within this part of the day", &of("window"), "08:00-18:00; 22:00-06:00 goes on after midnight."))
            (input("at", "At these times of the day", &of("at"), "08:00, 17:30"))
            (input("days", "On these days", &of("days"), "mon, fri; weekdays; 15, last, first mon (of the month); 12-24 (of the year). Empty: daily."))
            (input("cron", "Cron line", &of("cron"), "*/10 8-18 * * mon-fri"))
            (input("from", "First date", &of("from"), "2026-01-31"))
            (input("until", "Last date", &of("until"), ""))
            (input("time_zone", "Time zone", &of("time_zone"), "Europe/Berlin. Empty: this machine's."))
        }
    }
}

fn handling(shown: &Shown<'_>) -> Markup {
    let part = |title: &str, prefix: &str, own: &'static str| {
        let named = |key: &str| format!("{prefix}-{key}");
        let text = |key: &str| shown.value(&named(key), &["handling", own, key], "");
        let ticked = |key: &str, otherwise: bool| shown.is_ticked(&named(key), &["handling", own, key], otherwise);
        html! {
            fieldset {
                legend { (title) }
                (tick(&named("seen"), "Mark as read (IMAP4)", ticked("seen", true)))
                (tick(&named("deleted"), "Mark as deleted (IMAP4), delete (POP3)", ticked("deleted", false)))
                (input(&named("move"), "Move to mailbox (IMAP4)", &text("move"), ""))
                (input(&named("keyword"), "Set keyword (IMAP4)", &text("keyword"), ""))
            }
        }
    };
    html! {
        (part("When a message was taken", "success", "on_success"))
        (part("When a message was rejected", "rejection", "on_rejection"))
        (tick("purge", "At the end of each session, purge the messages that this job marked as deleted", shown.is_ticked("purge", &["handling", "purge"], false)))
    }
}

pub(super) async fn create(State(site): State<Arc<Site>>, order: Order) -> Answer {
    let Order { visitor, fields } = &order;
    let again = |fault: &str| Ok(form_page(visitor, None, &Shown { file: None, typed: Some(fields) }, Some(fault)));
    let name = fields.text("name").trim().to_owned();
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if name.is_empty() || name.len() > NAME_BYTES_MAX || !name.chars().all(fits) {
        return again("The name of a job has letters, digits, - and _ only.");
    }
    let path = site.config.jobs.join(format!("{name}.toml"));
    if fields.filled("secret").is_none() && fields.text("authentication") != "oauth2" {
        return again("A password is needed to log in.");
    }
    let wanted = values::wanted(fields, Some(&secret_file(&name)));
    let text = match with_values(NEW, wanted).map_err(|error| error.to_string()).and_then(|text| sound(&path, &text)) {
        Ok(text) => text,
        Err(fault) => return again(&fault),
    };
    std::fs::create_dir_all(&site.config.jobs)?;
    write_secret(&site.config.jobs, &name, fields)?;
    match write_new(&path, &text) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => return again("There is a job of that name already."),
        written => written?,
    }
    site.ctx.store.note(visitor.name(), "create-job", &name, "").await?;
    back(&format!("{}/test", address(&name)))
}

/// The text, if it makes a job.
fn sound(path: &FilePath, text: &str) -> Result<String, String> {
    Job::parse(path, text).map(|_| text.to_owned()).map_err(|found| found.to_string())
}

fn secret_file(name: &str) -> String {
    format!("{name}.password")
}

/// Writes the password that was typed, if one was, for mailmill alone; one that is there is replaced as a whole.
fn write_secret(folder: &FilePath, name: &str, fields: &Fields) -> Result<(), Fault> {
    let Some(secret) = fields.filled("secret") else { return Ok(()) };
    let mut file = tempfile::Builder::new().prefix(".new-").tempfile_in(folder)?;
    file.write_all(secret.as_bytes())?;
    file.as_file().sync_all()?;
    file.persist(folder.join(secret_file(name))).map_err(|error| Fault::from(error.error))?;
    Ok(())
}

fn write_new(path: &FilePath, text: &str) -> std::io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

pub(super) async fn save(State(site): State<Arc<Site>>, Path(name): Path<String>, order: Order) -> Answer {
    let Order { visitor, fields } = &order;
    let path = job_file(&site, &name)?;
    let file = JobFile::read(&path)?;
    let written = Written::of(file.text());
    let typed = Shown { file: Some(&written), typed: Some(fields) };
    let again = |fault: &str| Ok(form_page(visitor, Some(&name), &typed, Some(fault)));
    let secret = fields.filled("secret").map(|_| secret_file(&name));
    let changed = with_values(file.text(), values::changed(fields, &written, secret.as_deref()));
    let text = match changed.map_err(|error| error.to_string()).and_then(|text| sound(&path, &text)) {
        Ok(text) => text,
        Err(fault) => return again(&fault),
    };
    write_secret(&site.config.jobs, &name, fields)?;
    if secret.is_some() {
        // A job whose login failed waits long before it tries again, and does not watch its password.
        site.ctx.store.request_run(&name).await?;
    }
    if text != file.text() {
        file.write(&text)?;
        site.ctx.store.note(visitor.name(), "edit-job", &name, &difference(&name, file.text(), &text)).await?;
    }
    back(&address(&name))
}

fn difference(name: &str, before: &str, after: &str) -> String {
    similar::TextDiff::from_lines(before, after).unified_diff().header(name, name).to_string()
}

pub(super) async fn file_page(State(site): State<Arc<Site>>, visitor: Visitor, Path(name): Path<String>) -> Answer {
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

pub(super) async fn save_file(State(site): State<Arc<Site>>, Path(name): Path<String>, order: Order) -> Answer {
    let path = job_file(&site, &name)?;
    // Browsers send the line ends of forms as CRLF (HTML section 4.10.21.8).
    let [before, text] = ["before", "text"].map(|field| order.fields.text(field).replace("\r\n", "\n"));
    if let Err(fault) = sound(&path, &text) {
        let body = file_form(&order.visitor, &name, &path, &before, &text, Some(&fault));
        let page = page::document(&Frame::new("A job's file", "/jobs", &order.visitor), &body);
        return Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response());
    }
    replace_text(&path, &before, &text)?;
    site.ctx.store.note(order.visitor.name(), "edit-job", &name, &difference(&name, &before, &text)).await?;
    back(&address(&name))
}
