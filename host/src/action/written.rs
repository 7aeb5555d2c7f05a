//! An action as a rule writes it, before there is a message: what of it could never be carried out.

use super::edit::NewStatus;
use super::verb::{Fault, LINE_CHARS_MAX, PROSE_BYTES_MAX, Verb, too_long};
use crate::field::ValueType;
use crate::ticket::{ClassSpec, Classes, Status};

/// An action of a rule.
#[derive(Debug)]
pub struct Written<'a> {
    /// Its verb.
    pub verb: &'a Verb,
    /// The arguments that it is given.
    pub arguments: Vec<(&'a str, Given<'a>)>,
    /// The classes of tickets.
    pub classes: &'a Classes,
    /// The class of the ticket that it is about, if that is known.
    pub class: Option<&'a ClassSpec>,
}

/// What a rule gives an argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Given<'a> {
    /// A text that is the same for all messages.
    Text(&'a str),
    /// A number or a truth value.
    Value,
    /// Something that depends on the message.
    Open,
}

impl Written<'_> {
    /// What no message can be handled with, each with the argument that is to blame, if a single one is.
    #[must_use]
    pub fn faults(&self) -> Vec<(Option<&'static str>, Fault)> {
        let of_arguments = self.arguments.iter().filter_map(|(name, given)| self.fault_of(name, *given));
        let of_all = (self.verb.fault)(self).map(|fault| (fault.argument(), fault));
        of_arguments.chain(of_all).collect()
    }

    /// The class of the ticket that it creates, as far as that is known.
    #[must_use]
    pub fn creates(&self) -> Option<&ClassSpec> {
        self.classes.get(self.constant("class")?)
    }

    fn fault_of(&self, name: &str, given: Given<'_>) -> Option<(Option<&'static str>, Fault)> {
        let row = self.verb.arguments.iter().find(|row| row.name == name && row.kind == ValueType::Text)?;
        let Given::Text(text) = given else { return None };
        let (length, unit, max) = match row.one_line {
            true => (text.chars().count(), "characters", LINE_CHARS_MAX),
            false => (text.len(), "bytes", PROSE_BYTES_MAX),
        };
        let fault = match text.trim().is_empty() {
            true => (row.required && !row.blank).then_some(Fault::MissingArgument { argument: row.name }),
            false if length > max => Some(too_long(row.name, length, unit, max)),
            false => (row.form)(text).err(),
        };
        Some((Some(row.name), fault?))
    }

    /// The text of an argument, if that is the same for all messages, not blank, and one of its choices.
    pub(super) fn constant(&self, name: &str) -> Option<&str> {
        let row = self.verb.arguments.iter().find(|row| row.name == name)?;
        let text = self.arguments.iter().find_map(|(given, text)| match text {
            Given::Text(text) if *given == name => Some(text.trim()),
            _ => None,
        })?;
        let choices = row.choices.names(self.classes);
        (!text.is_empty() && (choices.is_empty() || choices.contains(&text))).then_some(text)
    }

    /// Whether an argument is given, and not only as a blank; `surely` if it has a value whatever the message is.
    pub(super) fn has(&self, name: &str, surely: bool) -> bool {
        self.arguments.iter().filter(|(given, _)| *given == name).any(|(_, given)| match given {
            Given::Text(text) => !text.trim().is_empty(),
            Given::Value => true,
            Given::Open => !surely,
        })
    }

    /// What is wrong with the status that it sets, if the class of the ticket is known. Where it names a ticket, that is
    /// another one.
    pub(super) fn fault_of_status(&self, status: fn(Status) -> NewStatus) -> Option<Fault> {
        let class = self.class.filter(|_| !self.has("ticket", false))?;
        status(Status::new(self.constant("status")?)).of(class).err()
    }
}
