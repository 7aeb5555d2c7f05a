//! Processing: the statements as a tree, the fields that they see, the classes of tickets that they make.

use crate::web::Site;
use crate::web::access::Visitor;
use crate::web::error::{Answer, Fault};
use crate::web::page::{self, Frame, in_path, text};
use axum::extract::State;
use maud::{Markup, html};
use std::path::Path;
use std::sync::Arc;
use toml::{Table, Value};

/// How deep statements are shown.
const DEPTH_MAX: usize = 12;

pub(super) async fn page(State(site): State<Arc<Site>>, visitor: Visitor) -> Answer {
    let rules = &site.config.rules;
    let set = site.reloader.current();
    let statements = files(rules, "statements")?;
    let classes: Vec<Vec<Markup>> = set
        .classes()
        .iter()
        .map(|class| {
            let statuses: Vec<&str> = class.statuses.iter().map(|status| status.name()).collect();
            let terminal: Vec<&str> = class.terminal.iter().map(|status| status.name()).collect();
            vec![
                text(class.class.name()),
                text(class.series.number(1)),
                text(statuses.join(", ")),
                text(class.initial.name()),
                text(terminal.join(", ")),
            ]
        })
        .collect();
    let head = ["Class", "First number", "Statuses", "Begins as", "Over when"];
    let body = html! {
        h1 { "Processing" }
        p { "What becomes of a message: statement by statement, from top to bottom; of a statement's branches the first whose condition is true." }
        h2 { "Statements" }
        @for (name, table) in &statements {
            h3 { a href=(edit(&format!("statements/{name}"))) { (name) } }
            @for statement in list(table, "statement") { (branch(statement, 0)) }
        }
        h2 { "Fields" }
        (page::table("Fields", &["Field", "Type", "From", "What it takes", "About"], &fields(rules)?, "No field is taken out of messages."))
        p { a href=(edit("fields.toml")) { "Edit them" } }
        h2 { "Classes of tickets" }
        (page::table("Classes", &head, &classes, "There is no class."))
        p { a href=(edit("classes.toml")) { "Edit them" } }
    };
    Ok(page::shown(&Frame::new("Processing", "/processing", &visitor), &body))
}

/// Where a rule file is edited.
fn edit(path: &str) -> String {
    format!("/rules/file?path={}", in_path(path))
}

/// The files of a folder of rules, in the order in which they are read. The files of a set in force are sound; one that is being
/// changed just now is left out.
fn files(rules: &Path, folder: &str) -> Result<Vec<(String, Table)>, Fault> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(rules.join(folder))? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.extension().is_some_and(|extension| extension == "toml")
            && let Some(table) = read(&path)
        {
            found.push((name, table));
        }
    }
    found.sort_by(|one, other| one.0.cmp(&other.0));
    Ok(found)
}

fn read(path: &Path) -> Option<Table> {
    std::fs::read_to_string(path).ok()?.parse().ok()
}

/// The tables of a list.
fn list<'a>(table: &'a Table, key: &str) -> impl Iterator<Item = &'a Table> {
    table.get(key).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_table)
}

/// A condition with its branches, or an action.
fn branch(table: &Table, depth: usize) -> Markup {
    let said = |key: &str| table.get(key).and_then(Value::as_str);
    if depth > DEPTH_MAX {
        return html! { p.dim { "…" } };
    }
    if let Some(verb) = said("do") {
        return html! { p { strong { (verb) } @for (key, value) in table.iter().filter(|(key, _)| *key != "do") { ", " (key) " = " code { (value.to_string()) } } } };
    }
    html! {
        @if let Some(name) = said("name") { p.dim { (name) } }
        @if let Some(condition) = said("if") { p { "IF " code { (condition) } } } @else { p { "ALWAYS" } }
        (branches(table, "then", depth))
        @for other in list(table, "else_if") {
            p { "ELSE IF " code { (other.get("if").and_then(Value::as_str).unwrap_or_default()) } }
            (branches(other, "then", depth))
        }
        @if table.contains_key("else") { p { "ELSE" } (branches(table, "else", depth)) }
        @if table.get("stop").and_then(Value::as_bool) == Some(true) { p.dim { "and no further statement" } }
    }
}

fn branches(table: &Table, key: &str, depth: usize) -> Markup {
    html! { ul.tree { @for inner in list(table, key) { li { (branch(inner, depth + 1)) } } } }
}

/// What to take of a text, by the keys of a field.
const TAKES: [&str; 7] = ["pattern", "after", "before", "check_for", "at", "length", "default"];

fn fields(rules: &Path) -> Result<Vec<Vec<Markup>>, Fault> {
    let table = read(&rules.join("fields.toml")).unwrap_or_default();
    let said = |field: &Table, key: &str, otherwise: &str| {
        field.get(key).and_then(Value::as_str).unwrap_or(otherwise).to_owned()
    };
    let row = |field: &Table, from: String| {
        let takes = TAKES.iter().filter_map(|key| Some((*key, field.get(*key)?)));
        let takes = html! { @for (key, value) in takes { (key) " " code { (value.to_string()) } " " } };
        vec![
            text(said(field, "name", "")),
            text(said(field, "type", "text")),
            text(from),
            takes,
            text(said(field, "description", "")),
        ]
    };
    let mut rows: Vec<Vec<Markup>> = list(&table, "field").map(|field| row(field, said(field, "from", ""))).collect();
    for pattern in list(&table, "pattern") {
        rows.extend(list(pattern, "field").map(|field| row(field, said(pattern, "from", ""))));
    }
    Ok(rows)
}
