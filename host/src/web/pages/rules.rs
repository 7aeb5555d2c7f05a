//! The rule files: read, edited as text, saved only if the whole set loads and passes its tests.

use super::back;
use crate::config::replace_text;
use crate::diagnostic::Diagnostics;
use crate::rules::RuleSet;
use crate::web::Site;
use crate::web::access::Visitor;
use crate::web::error::{Answer, Fault};
use crate::web::form::Order;
use crate::web::page::{self, Frame, badge, in_path, text};
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use maud::{Markup, html};
use serde::Deserialize;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

/// How deep folders of rules may lie in each other.
const DEPTH_MAX: usize = 8;
/// How many files are listed.
const FILES_MAX: usize = 2_000;

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
    let mut files = Vec::new();
    walk(&site.config.rules, &site.config.rules, 0, &mut files)?;
    let body = html! {
        h1 { "Rules" }
        p { "In force: revision " code { (set.revision()) } ", which has passed " (set.tests()) " tests of its own. " a href="/revisions" { "Earlier revisions" } }
        @if !set.warnings().is_empty() { p.note { (set.warnings().to_string()) } }
        h2 { "What every message passes through" }
        (page::table("Steps", &["Step", "Hop", "Plugin", "What it does"], &rows, "The pipeline has no step."))
        h2 { "Files" }
        p { "They lie in " code { (site.config.rules.display().to_string()) } ". A change comes into force at once if the whole set is sound, and not at all if it is not." }
        ul { @for file in &files { li { a href=(format!("/rules/file?path={}", in_path(file))) { (file) } } } }
    };
    Ok(page::shown(&Frame::new("Rules", "/rules", &visitor), &body))
}

/// The rule files below a folder, by name.
fn walk(root: &Path, folder: &Path, depth: usize, files: &mut Vec<String>) -> Result<(), Fault> {
    let mut entries: Vec<PathBuf> =
        std::fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
    entries.sort();
    for path in entries {
        let is_hidden = path.file_name().is_none_or(|name| name.to_string_lossy().starts_with('.'));
        if is_hidden || files.len() >= FILES_MAX {
            continue;
        }
        if path.is_dir() && depth < DEPTH_MAX {
            walk(root, &path, depth + 1, files)?;
        } else if path.extension().is_some_and(|extension| extension == "toml") {
            let name = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().into_owned();
            files.push(name);
        }
    }
    Ok(())
}

#[derive(Debug, Deserialize)]
pub(super) struct Wanted {
    #[serde(default)]
    path: String,
    #[serde(default)]
    step: String,
}

/// The file that is meant, which lies in the folder of the rules.
fn find(site: &Site, path: &str) -> Result<PathBuf, Fault> {
    let relative = Path::new(path);
    let is_plain = relative.components().all(|part| matches!(part, Component::Normal(_)));
    let is_rule = relative.extension().is_some_and(|extension| extension == "toml");
    let file = site.config.rules.join(relative);
    if is_plain && is_rule && file.is_file() { Ok(file) } else { Err(Fault::NotFound(format!("rule file {path}"))) }
}

pub(super) async fn page(State(site): State<Arc<Site>>, visitor: Visitor, Query(wanted): Query<Wanted>) -> Answer {
    // A step's rules are most often in the file that is called like it.
    let path = if wanted.path.is_empty() { format!("preprocess/{}.toml", wanted.step) } else { wanted.path };
    let text = std::fs::read_to_string(find(&site, &path)?)?;
    Ok(page::shown(&Frame::new(&path, "/rules", &visitor), &form(&visitor, &path, &text, &text, None)))
}

fn form(visitor: &Visitor, path: &str, before: &str, text: &str, answer: Option<&Markup>) -> Markup {
    html! {
        h1 { (path) }
        @if let Some(answer) = answer { (answer) }
        form method="post" action="/rules/file" {
            (visitor.csrf_field())
            input type="hidden" name="path" value=(path);
            input type="hidden" name="before" value=(before);
            label for="text" { "TOML" }
            textarea #text name="text" rows="30" spellcheck="false" readonly[!visitor.is_admin()] { (text) }
            @if visitor.is_admin() {
                div.row {
                    button.quiet type="submit" name="what" value="check" { "Check and show the difference" }
                    button type="submit" name="what" value="save" { "Save if it is sound" }
                    a.button.quiet href="/rules" { "Leave it" }
                }
            }
        }
    }
}

pub(super) async fn save(State(site): State<Arc<Site>>, order: Order) -> Answer {
    let path = order.fields.text("path").to_owned();
    let file = find(&site, &path)?;
    // Browsers send the line ends of forms as CRLF (HTML section 4.10.21.8).
    let [before, text] = ["before", "text"].map(|field| order.fields.text(field).replace("\r\n", "\n"));
    let checked = check(&site, path.clone(), text.clone()).await?;
    let difference = similar::TextDiff::from_lines(&before, &text).unified_diff().header(&path, &path).to_string();
    if order.fields.text("what") == "save"
        && let Ok(set) = &checked
    {
        site.reloader.expect(set.revision().clone(), order.visitor.name().to_owned());
        replace_text(&file, &before, &text)?;
        site.ctx.store.note(order.visitor.name(), "edit-rules", &path, &difference).await?;
        return back(&format!("/rules/file?path={}", in_path(&path)));
    }
    let (status, verdict) = match &checked {
        Ok(set) => (
            StatusCode::OK,
            html! { p.done role="status" { "Sound: the set would load, and its " (set.tests()) " tests pass. Nothing is saved yet." } },
        ),
        Err(found) => {
            (StatusCode::UNPROCESSABLE_ENTITY, html! { p.fault role="alert" { "Nothing is saved.\n" (found) } })
        }
    };
    let answer = html! { (verdict) @if !difference.is_empty() { h2 { "The difference" } (coloured(&difference)) } };
    let page = page::document(
        &Frame::new(&path, "/rules", &order.visitor),
        &form(&order.visitor, &path, &before, &text, Some(&answer)),
    );
    Ok((status, page).into_response())
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

/// Loads the whole set with this file as it would be, in a folder of its own, and runs its tests; what is wrong, if it is not sound.
async fn check(site: &Site, path: String, text: String) -> Result<Result<Arc<RuleSet>, String>, Fault> {
    let (rules, plugins) = (site.config.rules.clone(), site.config.plugins.clone());
    let engine = site.reloader.engine().clone();
    let work = move || -> std::io::Result<Result<Arc<RuleSet>, String>> {
        let copy = tempfile::tempdir()?;
        copy_rules(&rules, copy.path(), 0)?;
        std::fs::write(copy.path().join(&path), text)?;
        let shown = |found: Diagnostics| {
            found.to_string().replace(&copy.path().display().to_string(), &rules.display().to_string())
        };
        Ok(RuleSet::load(copy.path(), &plugins, &engine).map_err(shown))
    };
    Ok(tokio::task::spawn_blocking(work).await??)
}

fn copy_rules(from: &Path, to: &Path, depth: usize) -> std::io::Result<()> {
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            if depth < DEPTH_MAX {
                std::fs::create_dir(&target)?;
                copy_rules(&entry.path(), &target, depth + 1)?;
            }
        } else {
            std::fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
