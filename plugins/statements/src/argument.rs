//! Arguments of actions: constants, texts with macros, and fields that keep their type.

use crate::name::Name;
use crate::template::Template;
use mailmill_sdk::settings::Table;
use mailmill_sdk::{Argument as Row, Declaration, Entry, Host, Value, ValueType, Verb};
use serde_json::Value as Json;

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
}

impl Argument {
    /// Its value for the message.
    pub(crate) fn entry<H: Host>(&self, host: &H) -> Entry {
        let value = match &self.source {
            Source::Constant(value) => value.clone(),
            Source::Field(name) => name.value(host),
            Source::Text(template) => Value::Text(template.render(host)),
        };
        Entry { name: self.name.clone(), value }
    }
}

/// Reads the arguments of an action, and complains about whatever does not fit the verb.
pub(crate) fn arguments(table: &Table<'_>, verb: &Verb, fields: &[Declaration]) -> Vec<Argument> {
    let known: Vec<&str> = std::iter::once("do").chain(verb.arguments.iter().map(|row| row.name.as_str())).collect();
    table.allow(&known);
    let read = |row: &Row| {
        let Some(json) = table.value(&row.name) else {
            if row.required {
                table.complain_here(format!("{} needs the argument \"{}\"", verb.name, row.name));
            }
            return None;
        };
        let source = source(table, row, json, fields)?;
        Some(Argument { name: row.name.clone(), source })
    };
    verb.arguments.iter().filter_map(read).collect()
}

fn source(table: &Table<'_>, row: &Row, json: &Json, fields: &[Declaration]) -> Option<Source> {
    let refuse = || {
        table.complain(&row.name, format!("the argument \"{}\" is to be of type {}", row.name, row.kind), None);
        None
    };
    let text = match (json, row.kind) {
        (Json::String(text), _) => text,
        (Json::Bool(truth), ValueType::Boolean) => return Some(Source::Constant(Value::Boolean(*truth))),
        (Json::Number(number), ValueType::Integer | ValueType::Decimal) => {
            return row.kind.read(&number.to_string()).map(Source::Constant).or_else(refuse);
        }
        _ => return refuse(),
    };
    let template = match Template::parse(text, fields) {
        Ok(template) => template,
        Err(fault) => {
            table.complain(&row.name, fault.reason, u32::try_from(fault.at).ok());
            return None;
        }
    };
    match (row.kind, template.sole_name()) {
        (ValueType::Text, _) => Some(Source::Text(template)),
        (kind, Some(name)) if name.kind == kind => Some(Source::Field(name.clone())),
        (kind, _) if template.is_constant() => kind.read(text).map(Source::Constant).or_else(refuse),
        (kind, _) => {
            let reason =
                format!("the argument \"{}\" is of type {kind}: a macro of that type must stand alone", row.name);
            table.complain(&row.name, reason, None);
            None
        }
    }
}
