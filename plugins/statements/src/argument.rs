//! Arguments of actions: constants, texts with macros, and fields that keep their type.

use crate::name::Name;
use crate::template::{Setting, Target, Template};
use mailmill_sdk::settings::{Json, Table, unknown};
use mailmill_sdk::{Argument as Row, Declaration, Entry, Host, Reading, Value, ValueType, Verb};

/// An argument, checked against the table of verbs.
#[derive(Debug)]
pub(crate) struct Argument {
    name: String,
    source: Source,
}

#[derive(Debug)]
enum Source {
    Constant(Value),
    Field(Name),
    Text(Template),
    Html(Template),
}

impl Argument {
    /// Its value for the message.
    pub(crate) fn entry<H: Host>(&self, host: &H) -> Entry {
        let value = match &self.source {
            Source::Constant(value) => value.clone(),
            Source::Field(name) => name.value(host),
            Source::Text(template) => Value::Text(template.render(host)),
            Source::Html(template) => Value::Html(template.render(host)),
        };
        Entry { name: self.name.clone(), value }
    }
}

/// Reads the arguments of an action, and complains about whatever does not fit the verb.
pub(crate) fn arguments<H: Host>(host: &H, table: &Table<'_>, verb: &Verb, fields: &[Declaration]) -> Vec<Argument> {
    let known: Vec<&str> = std::iter::once("do").chain(verb.arguments.iter().map(|row| row.name.as_str())).collect();
    table.allow(&known);
    let read = |row: &Row| {
        let Some(json) = table.value(&row.name) else {
            if row.required {
                table.complain_here(format!("{} needs the argument \"{}\"", verb.name, row.name));
            }
            return None;
        };
        let places = host.placeholders(&verb.name, &row.name);
        let source = source(host, table, row, json, &Setting { fields, places: &places })?;
        Some(Argument { name: row.name.clone(), source })
    };
    verb.arguments.iter().filter_map(read).collect()
}

fn source<H: Host>(host: &H, table: &Table<'_>, row: &Row, json: &Json, setting: &Setting<'_>) -> Option<Source> {
    let refuse = || {
        table.complain(&row.name, format!("the argument \"{}\" is to be of type {}", row.name, row.kind), None);
        None
    };
    let text = match (json, row.kind) {
        (Json::Text(text), _) => text,
        (Json::Truth(truth), ValueType::Boolean) => return Some(Source::Constant(Value::Boolean(*truth))),
        (Json::Number(number), ValueType::Integer | ValueType::Decimal) => {
            return constant(host, row, number).map(Source::Constant).or_else(refuse);
        }
        _ => return refuse(),
    };
    let target = match row.kind {
        ValueType::Html => Target::Html,
        _ if row.one_line => Target::Line,
        _ => Target::Text,
    };
    let template = match Template::parse(host, text, setting, target) {
        Ok(template) => template,
        Err(fault) => {
            table.complain(&row.name, fault.reason, u32::try_from(fault.at).ok());
            return None;
        }
    };
    match (row.kind, template.sole_name(), template.constant()) {
        (ValueType::Text, _, constant) => {
            // A blank argument counts as not given.
            let text = constant.map(str::trim).filter(|text| row.required || !text.is_empty());
            if let Some(reason) = text.and_then(|text| no_choice(row, text, <str as PartialEq>::eq)) {
                table.complain(&row.name, reason, None);
            }
            Some(Source::Text(template))
        }
        (ValueType::Html, ..) => Some(Source::Html(template)),
        (kind, Some(name), _) if name.kind == kind => Some(Source::Field(name.clone())),
        (_, _, Some(text)) => constant(host, row, text).map(Source::Constant).or_else(refuse),
        (kind, ..) => {
            let reason =
                format!("the argument \"{}\" is of type {kind}: a macro of that type must stand alone", row.name);
            table.complain(&row.name, reason, None);
            None
        }
    }
}

/// A constant of an argument's type.
fn constant<H: Host>(host: &H, row: &Row, text: &str) -> Option<Value> {
    host.read(text, row.kind.form()?, &Reading::default()).ok()
}

/// Why a text is none of the argument's choices; none if it has no choices.
pub(crate) fn no_choice(row: &Row, text: &str, equals: fn(&str, &str) -> bool) -> Option<String> {
    if row.choices.is_empty() || row.choices.iter().any(|choice| equals(choice, text)) {
        return None;
    }
    let choices: Vec<&str> = row.choices.iter().map(String::as_str).collect();
    Some(unknown(&row.name, text, &choices))
}
