//! A schema as a page to read: a table of keys for each table of the file.

use super::Kind;
use serde_json::{Map, Value};
use std::fmt::Write as _;

/// The most levels of tables that a page shows: what nests in itself ends there.
const DEPTH_MAX: usize = 6;

impl Kind {
    /// The reference page of this kind of file, in Markdown.
    #[must_use]
    pub fn page(self) -> String {
        let schema = self.schema();
        let mut text = format!("## {}\n\n{}.\n\n", self.name(), sentence(self.describes()));
        write_table(&mut text, &schema, "", 0);
        text
    }
}

fn sentence(text: &str) -> String {
    // The name of the file is code.
    match text.split_once(": ") {
        Some((file, rest)) => format!("`{file}`: {rest}"),
        None => text.to_owned(),
    }
}

/// A table of the file, and then the tables in it.
fn write_table(text: &mut String, schema: &Value, path: &str, depth: usize) {
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else { return };
    let required: Vec<&str> =
        schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    let rows: Vec<(&String, &Value)> = properties.iter().filter(|(key, _)| *key != "$schema").collect();
    if rows.is_empty() || depth > DEPTH_MAX {
        return;
    }
    if !path.is_empty() {
        let _ = writeln!(text, "**`{path}`**\n");
    }
    text.push_str("| key | what it can be | default | what it is for |\n|---|---|---|---|\n");
    for (key, property) in &rows {
        let default = match property.get("default") {
            Some(default) => format!("`{}`", cell(&default.to_string())),
            None if required.contains(&key.as_str()) => "*required*".to_owned(),
            None => String::new(),
        };
        let doc = property.get("description").and_then(Value::as_str).unwrap_or_default();
        let _ = writeln!(text, "| `{key}` | {} | {default} | {} |", form(property), cell(doc));
    }
    text.push('\n');
    for (key, property) in rows {
        let inner = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        write_inner(text, property, &inner, depth);
    }
}

/// The tables in a value: itself, the items of a list, the values of a table of any names, or each of several forms.
fn write_inner(text: &mut String, schema: &Value, path: &str, depth: usize) {
    if schema.get("properties").is_some() {
        let kind = schema.pointer("/properties/type/enum/0").or_else(|| schema.pointer("/properties/do/enum/0"));
        let path = match kind.and_then(Value::as_str) {
            Some(kind) => format!("{path}, {kind}"),
            None => path.to_owned(),
        };
        write_table(text, schema, &path, depth + 1);
    }
    if let Some(items) = schema.get("items") {
        write_inner(text, items, &format!("{path}[]"), depth);
    }
    if let Some(values @ Value::Object(_)) = schema.get("additionalProperties") {
        write_inner(text, values, &format!("{path}.NAME"), depth);
    }
    for form in schema.get("anyOf").and_then(Value::as_array).into_iter().flatten() {
        write_inner(text, form, path, depth);
    }
}

/// What a value can be, in a few words.
fn form(schema: &Value) -> String {
    if let Some(words) = schema.get("enum").and_then(Value::as_array) {
        return words.iter().map(|word| format!("`{}`", cell(&word.to_string()))).collect::<Vec<_>>().join(", ");
    }
    if let Some(forms) = schema.get("anyOf").and_then(Value::as_array) {
        let mut shown: Vec<String> = forms.iter().map(form).collect();
        shown.dedup();
        return shown.join(" or ");
    }
    if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
        return reference.rsplit('/').next().unwrap_or_default().to_owned();
    }
    match schema.get("type").and_then(Value::as_str) {
        Some("string") => "text".to_owned(),
        Some("boolean") => "true or false".to_owned(),
        Some("integer") => number(schema.as_object()),
        Some("number") => "number".to_owned(),
        Some("array") => format!("list of {}", schema.get("items").map_or_else(|| "anything".to_owned(), form)),
        Some("object") => "table".to_owned(),
        Some("null") => "nothing".to_owned(),
        _ => "anything".to_owned(),
    }
}

fn number(schema: Option<&Map<String, Value>>) -> String {
    let limit = |key| schema.and_then(|schema| schema.get(key)).and_then(Value::as_u64);
    match (limit("minimum"), limit("maximum")) {
        (Some(least), Some(most)) => format!("whole number, {least} to {most}"),
        (Some(least @ 1..), None) => format!("whole number from {least} on"),
        _ => "whole number".to_owned(),
    }
}

/// A text in a table of Markdown.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_shows_each_key() {
        let page = Kind::Settings.page();
        assert!(page.contains("| `deadline_ms` | whole number from 1 on | `1000` |"), "{page}");
        assert!(page.contains("**`plugin_limits`**"), "{page}");
        let page = Kind::Job.page();
        assert!(page.contains("**`source, imap`**") && page.contains("| `host` | text | *required* |"), "{page}");
    }
}
