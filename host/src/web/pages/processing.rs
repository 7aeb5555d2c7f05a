//! Processing: the statements as a tree, the fields that they see, the classes of tickets that they make.

mod tree;

use crate::web::Site;
use crate::web::access::Visitor;
use crate::web::error::{Answer, Fault};
use crate::web::page::{self, Frame, in_path, text};
use axum::extract::State;
use maud::{Markup, html};
use std::path::Path;
use std::sync::Arc;
use toml::{Table, Value};
use tree::list;

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
    let head = ["Class", "First number", "Statuses", "Begins as", "Closed when"];
    let body = html! {
        h1 { "Processing" }
        p { "What becomes of a message: statement by statement, from top to bottom; of a statement's branches the first whose condition is true." }
        h2 { "Statements" }
        @for (name, table) in &statements {
            div.row { h3 { (name) } a.button.quiet href=(edit(&format!("statements/{name}"))) aria-label=(format!("Edit {name}")) { "Edit" } }
            (tree::statements(table))
        }
        @if visitor.is_admin() {
            details {
                summary { "New file of statements" }
                form.narrow method="get" action="/rules/file" {
                    input type="hidden" name="new" value="true";
                    label for="path" { "Its name" }
                    input #path name="path" required pattern="statements/[0-9a-z-]+[.]toml" value="statements/05-own.toml" autocomplete="off" spellcheck="false" aria-describedby="path-hint";
                    p #path-hint.hint { "statements/, small letters, digits and -, .toml. Files are read in the order of their names: 05-own.toml comes before 10-default.toml, which makes a ticket of all that nobody has stopped." }
                    button type="submit" { "Write it" }
                }
            }
        }
        h2 { "Fields" }
        (page::table("Fields", &["Field", "Type", "From", "What it takes", "About"], &fields(rules)?, "No field is taken out of messages."))
        p { a.button.quiet href=(edit("fields.toml")) { "Edit fields" } }
        h2 { "Classes of tickets" }
        (page::table("Classes", &head, &classes, "There is no class."))
        p { a.button.quiet href=(edit("classes.toml")) { "Edit classes" } }
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
