//! `set-field`: a field of a ticket gets a value.

use super::Facts;
use super::edit::Edit;
use super::verb::{Argument, Arguments, Fault, PROSE_BYTES_MAX, Step, Verb, excerpt, listed, too_long};
use super::written::Written;
use crate::field::{Entry, Value, ValueType};

/// The longest name of a field, in characters.
const NAME_CHARS_MAX: usize = 64;
/// The longest HTML of a field, in bytes: a whole body fits, with its tags.
const HTML_BYTES_MAX: usize = 2 * PROSE_BYTES_MAX;
/// The arguments that carry the value: one for each type.
const VALUES: [&str; 7] = ["text", "integer", "decimal", "boolean", "date-time", "currency", "html"];

pub(super) const VERB: Verb = Verb {
    name: "set-field",
    phrase: "set a field",
    summary: "sets a field of the ticket that an earlier action creates, or else of the one that the message follows up",
    arguments: &[
        Argument::required("field", ValueType::Text, "the field's name: lower-case letters, digits and `-`")
            .of_form(|text| name(text).map(drop)),
        Argument::optional(
            "text",
            ValueType::Text,
            "its value, if it is a text; without any value the field is cleared",
        )
        .prose()
        .shortened(),
        Argument::optional("integer", ValueType::Integer, "its value, if it is a whole number"),
        Argument::optional("decimal", ValueType::Decimal, "its value, if it is a decimal number"),
        Argument::optional("boolean", ValueType::Boolean, "its value, if it is true or false"),
        Argument::optional("date-time", ValueType::DateTime, "its value, if it is a point in time"),
        Argument::optional("currency", ValueType::Currency, "its value, if it is an amount of money"),
        Argument::optional("html", ValueType::Html, "its value, if it is HTML").prose(),
        Argument::TICKET,
    ],
    plan,
    fault,
    verdict: false,
    creates: false,
};

fn plan(arguments: &Arguments<'_>, facts: &Facts<'_>) -> Result<Step, Fault> {
    let field = Entry { name: name(arguments.text("field").unwrap_or_default())?, value: value(arguments)? };
    Ok(Step::Edit { ticket: arguments.named_ticket(facts)?, edit: Edit::Field(field) })
}

fn fault(written: &Written<'_>) -> Option<Fault> {
    let given: Vec<&str> = VALUES.into_iter().filter(|name| written.has(name, true)).collect();
    (given.len() > 1).then(|| Fault::ManyValues { arguments: listed(given.into_iter()) })
}

fn name(text: &str) -> Result<String, Fault> {
    let name = text.trim();
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if name.len() > NAME_CHARS_MAX || !name.bytes().all(allowed) {
        let expected = "name of a field (lower-case letters, digits and `-`, at most 64)";
        return Err(Fault::Malformed { argument: "field", found: excerpt(name), expected });
    }
    Ok(name.to_owned())
}

fn value(arguments: &Arguments<'_>) -> Result<Value, Fault> {
    let given: Vec<&str> = VALUES.into_iter().filter(|name| arguments.value(name).is_some()).collect();
    if given.len() > 1 {
        return Err(Fault::ManyValues { arguments: listed(given.into_iter()) });
    }
    let value = given.first().and_then(|name| arguments.value(name)).cloned().unwrap_or_default();
    match &value {
        Value::Text(text) if text.len() > PROSE_BYTES_MAX => {
            Err(too_long("text", text.len(), "bytes", PROSE_BYTES_MAX))
        }
        Value::Html(html) if html.len() > HTML_BYTES_MAX => Err(too_long("html", html.len(), "bytes", HTML_BYTES_MAX)),
        _ => Ok(value),
    }
}
