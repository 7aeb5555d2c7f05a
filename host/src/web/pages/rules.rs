//! The rule files: read, edited as text, saved only if the whole set loads and passes its tests.

use super::{told, trial};
use crate::rules::RuleSet;
use crate::web::Site;
use crate::web::access::Visitor;
use crate::web::error::{Answer, Fault};
use crate::web::form::Order;
use crate::web::news::News;
use crate::web::page::{self, Frame, badge, in_path, text};
use crate::web::rule_files::{self, Change};
use crate::web::trial::{CleanedBy, Trial, rehearse, with_files};
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use maud::{Markup, html};
use serde::Deserialize;
use std::path::Path;
use std::sync::Arc;

pub(super) async fn list(State(site): State<Arc<Site>>, visitor: Visitor) -> Answer {
    let set = site.reloader.current();
    let rows: Vec<Vec<Markup>> = set
        .steps()
        .iter()
        .map(|step| {
            vec![
                html! { (step.name) @if step.recommended { " " (badge("recommended", "good")) } },
                text(step.hop),
                text(&step.component.about().name),
                text(step.summary.as_deref().unwrap_or_default()),
            ]
        })
        .collect();
    let files = rule_files::list(&site)?;
    let body = html! {
        h1 { "Rules" }
        p { "In force: revision " code { (set.revision()) } ", which has passed " (set.tests()) " tests of its own. " a href="/revisions" { "Earlier revisions" } }
        @if !set.warnings().is_empty() { p.note { (set.warnings().to_string()) } }
        h2 { "What every message passes through" }
        (page::table("Steps", &["Step", "Hop", "Plugin", "What it does"], &rows, "The pipeline has no step."))
        @if visitor.is_admin() { p { a.button href="/rules/new" { "New preprocessing rule" } } }
        h2 { "Files" }
        p { "They lie in " code { (site.config.rules.display().to_string()) } ". A change comes into force at once if the whole set is sound, and not at all if it is not." }
        ul { @for file in &files { li { a href=(format!("/rules/file?path={}", in_path(file))) { (file) } } } }
    };
    Ok(page::shown(&Frame::new("Rules", "/rules", &visitor), &body))
}

#[derive(Debug, Deserialize)]
pub(super) struct Wanted {
    #[serde(default)]
    path: String,
    #[serde(default)]
    step: String,
    #[serde(default)]
    job: String,
    receipt: Option<i64>,
    /// Whether the file is to be made, if it is not there.
    #[serde(default)]
    new: bool,
}

/// What a new file of statements begins with.
const NEW_STATEMENTS: &str = "# What these statements are for.\n\n[[statement]]\nname = \"mail about invoices\"\n\
                              if = 'subject contains \"invoice\"'\nthen = [{ do = \"create-ticket\", class = \"incident\" }]\nstop = true\n\n\
                              [[test]]\nname = \"an invoice\"\nfrom = \"Ann Lee <ann@example.org>\"\nsubject = \"Invoice 4711\"\nbody = \"Here it is.\"\n\
                              expect = [\"create-ticket\"]\n";

pub(super) async fn page(State(site): State<Arc<Site>>, visitor: Visitor, Query(wanted): Query<Wanted>) -> Answer {
    // A step's rules are most often in the file that is called like it.
    let path = if wanted.path.is_empty() { format!("preprocess/{}.toml", wanted.step) } else { wanted.path };
    let before = match wanted.new {
        true => rule_files::read_maybe(&site, &path)?,
        false => Some(rule_files::read(&site, &path)?),
    };
    let text = before.clone().unwrap_or_else(|| NEW_STATEMENTS.to_owned());
    let (message, job) = match wanted.receipt {
        Some(receipt) => trial::received(&site, receipt).await?,
        None => (trial::SAMPLE.to_owned(), wanted.job),
    };
    let edited = Edited { before, path, text, message, job };
    Ok(page::shown(&Frame::new(&edited.path, "/rules", &visitor), &form(&site, &visitor, &edited, None, None)?))
}

/// A rule file in a form, with a message to try it on.
struct Edited {
    path: String,
    /// What the file says; none: it is to be made.
    before: Option<String>,
    text: String,
    message: String,
    job: String,
}

impl Edited {
    fn change(&self) -> Change {
        Change { path: self.path.clone(), before: self.before.clone(), after: Some(self.text.clone()) }
    }
}

fn form(
    site: &Site,
    visitor: &Visitor,
    edited: &Edited,
    answer: Option<&Markup>,
    tried: Option<&Markup>,
) -> Result<Markup, Fault> {
    let Edited { path, before, text, message, job } = edited;
    if !visitor.is_admin() {
        return Ok(html! { h1 { (path) } pre { (text) } p { a href="/rules" { "All rule files" } } });
    }
    Ok(html! {
        h1 { (path) }
        @if let Some(answer) = answer { (answer) }
        form method="post" action="/rules/file" {
            (visitor.csrf_field())
            input type="hidden" name="path" value=(path);
            @if let Some(before) = before { input type="hidden" name="before" value=(before); }
            label for="text" { @if before.is_some() { "The file, as TOML" } @else { "The new file, as TOML: it is made when you save it" } }
            textarea #text name="text" rows="24" spellcheck="false" { (text) }
            p.hint { "Saved only if the whole set of rules loads, and its tests pass." }
            div.row {
                button.quiet type="submit" name="what" value="check" { "Check and show the difference" }
                button type="submit" name="what" value="save" { "Save" }
                a.button.quiet href="/rules" { "Cancel" }
            }
            h2 { "Try it before it is saved" }
            (trial::jobs(site, job)?)
            label for="message" { "The message, with its header" }
            textarea #message name="message" rows="12" spellcheck="false" { (message) }
            div.row { button.quiet type="submit" name="what" value="try" data-part="tried" { "Try the text above on it" } }
        }
        section #tried aria-live="polite" { @if let Some(tried) = tried { (tried) } }
    })
}

pub(super) async fn save(State(site): State<Arc<Site>>, order: Order) -> Answer {
    let (visitor, fields) = (&order.visitor, &order.fields);
    let path = fields.text("path").to_owned();
    let now = rule_files::read_maybe(&site, &path)?;
    // Browsers send the line ends of forms as CRLF (HTML section 4.10.21.8).
    let lines = |text: &str| text.replace("\r\n", "\n");
    let [text, message] = ["text", "message"].map(|field| lines(fields.text(field)));
    let before = fields.maybe("before").map(lines);
    let mut edited = Edited { path, before, text, message, job: fields.text("job").to_owned() };
    let frame = edited.path.clone();
    let shown = |body: &Markup| page::document(&Frame::new(&frame, "/rules", visitor), body);
    match fields.text("what") {
        "open" => {
            edited.text = now.clone().ok_or_else(|| Fault::NotFound(format!("rule file {}", edited.path)))?;
            edited.before = now;
            Ok(shown(&form(&site, visitor, &edited, None, None)?).into_response())
        }
        "try" => {
            let tried = try_edited(&site, &edited).await?;
            let status = if tried.is_ok() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
            let tried =
                tried.unwrap_or_else(|found| html! { p.fault.listing role="alert" data-places="text" { (found) } });
            Ok((status, shown(&form(&site, visitor, &edited, None, Some(&tried))?)).into_response())
        }
        what => {
            let changes = [edited.change()];
            let checked = rule_files::check(&site, &changes).await?;
            let difference = rule_files::differences(&changes);
            if let ("save", Ok(set)) = (what, &checked) {
                rule_files::save(&site, set, &changes, visitor.name()).await?;
                let is_there = rule_files::in_force(&site, set.revision()).await;
                let news = if is_there { News::RulesSaved } else { News::RulesWritten };
                return told(news, &format!("/rules/file?path={}", in_path(&edited.path)));
            }
            let (status, verdict) = verdict(&checked);
            let answer =
                html! { (verdict) @if !difference.is_empty() { h2 { "The difference" } (coloured(&difference)) } };
            Ok((status, shown(&form(&site, visitor, &edited, Some(&answer), None)?)).into_response())
        }
    }
}

fn verdict(checked: &Result<Arc<RuleSet>, String>) -> (StatusCode, Markup) {
    match checked {
        Ok(set) => (
            StatusCode::OK,
            html! { p.done role="status" { "Sound: the set would load, and its " (set.tests()) " tests pass. Nothing is saved yet." } },
        ),
        Err(found) => (
            StatusCode::UNPROCESSABLE_ENTITY,
            html! { p.fault.listing role="alert" data-places="text" { "Nothing is saved.\n" (found) } },
        ),
    }
}

/// What the rules would do with the message if the file were like this; what is wrong, if they could not be loaded.
async fn try_edited(site: &Site, edited: &Edited) -> Result<Result<Markup, String>, Fault> {
    let files = vec![(edited.path.clone(), Some(edited.text.clone()))];
    let loaded = with_files(site, files, |rules, plugins, engine| {
        RuleSet::load_untested(rules, plugins, engine).map(|untested| untested.to_try())
    });
    let rules = match loaded.await? {
        Ok(rules) => rules,
        Err(found) => return Ok(Err(found)),
    };
    let steps = rules.steps_of_file(Path::new(&edited.path));
    let is_cleaning = !steps.is_empty();
    let (job, message) = (edited.job.clone(), trial::as_message(&edited.message));
    let cleaned_by = if is_cleaning { CleanedBy::JobAnd(steps) } else { CleanedBy::Job };
    let tried = rehearse(site, Trial { job, message, rules, cleaned_by }).await?;
    Ok(Ok(html! {
        @if is_cleaning { h2 { "What is cut" } (trial::cleaned(&tried.0)) details { summary { "All hops" } (trial::outcome(&tried)) } }
        @else { h2 { "What would become of it" } (trial::outcome(&tried)) }
    }))
}

/// A difference, line by line.
pub(super) fn coloured(difference: &str) -> Markup {
    html! {
        pre {
            @for line in difference.lines() {
                @match line.chars().next() {
                    Some('+') => ins { (line) },
                    Some('-') => del { (line) },
                    _ => (line),
                }
                "\n"
            }
        }
    }
}
