//! The table of verbs, and what they have in common.

use super::edit::Edit;
pub use super::fault::Fault;
use super::written::Written;
use super::{Change, Facts, Outcome};
use crate::field::{Entry, Value, ValueType};
use crate::message::Address;
use crate::message::document::TEXT_BYTES_MAX;
use crate::outgoing::{Outgoing, PLACES};
use crate::thread::Conversation;
use crate::ticket::{ClassSpec, Classes, Status, TicketNumber};

/// The longest subject, reason or text of a field, in characters.
pub(super) const LINE_CHARS_MAX: usize = 1000;
/// The longest description or comment, in bytes: a whole body fits.
pub(super) const PROSE_BYTES_MAX: usize = TEXT_BYTES_MAX;

/// All verbs, in the order in which they are shown.
#[must_use]
pub fn verbs() -> &'static [Verb] {
    static VERBS: [Verb; 15] = [
        super::create_ticket::VERB,
        super::update_ticket::VERB,
        super::comment::VERB,
        super::set_status::VERB,
        super::set_field::VERB,
        super::assign::VERB,
        super::reopen::VERB,
        super::close::VERB,
        super::add_participants::VERB,
        super::notify::VERB,
        super::forward::VERB,
        super::webhook::VERB,
        super::store_maildir::VERB,
        super::reject::VERB,
        super::ignore::VERB,
    ];
    &VERBS
}

/// What stands in braces in an argument of a verb for something that is filled in later: `ticket` for `{ticket}`.
#[must_use]
pub fn placeholders(verb: &str, argument: &str) -> &'static [&'static str] {
    let row = |verb: &Verb| verb.arguments.iter().any(|row| row.name == argument && row.filled);
    if verbs().iter().any(|known| known.name == verb && row(known)) { &PLACES } else { &[] }
}

/// An action that statements can ask for: one row of the table.
#[derive(Debug, Clone, Copy)]
pub struct Verb {
    /// Its name, such as `create-ticket`.
    pub name: &'static str,
    /// What is asked for with it, as what follows "asks to": `create a ticket`.
    pub phrase: &'static str,
    /// What it does, as one sentence.
    pub summary: &'static str,
    /// What it takes.
    pub arguments: &'static [Argument],
    pub(super) plan: fn(&Arguments<'_>, &Facts<'_>) -> Result<Step, Fault>,
    /// What is wrong with an action as a rule writes it, whatever the message is.
    pub(super) fault: fn(&Written<'_>) -> Option<Fault>,
    /// Whether it decides about the message as a whole, and so must be the only action.
    pub verdict: bool,
    /// Whether it creates a ticket, of the class that its argument `class` names.
    pub creates: bool,
}

/// An argument of a verb.
#[derive(Debug, Clone, Copy)]
pub struct Argument {
    /// Its name.
    pub name: &'static str,
    /// Its type.
    pub kind: ValueType,
    /// Whether an action without it is refused.
    pub required: bool,
    /// Whether it may turn out to be blank, even if it is required.
    pub blank: bool,
    /// The texts that it can be.
    pub choices: Choices,
    /// Whether it is a text of one line.
    pub one_line: bool,
    /// Whether a text beyond the limit is cut, with a warning; else the action is refused.
    pub shortened: bool,
    /// Whether [`PLACES`] in it are filled once the message is committed.
    pub filled: bool,
    /// What is wrong with a text of it, as far as that does not depend on the message.
    pub(super) form: fn(&str) -> Result<(), Fault>,
    /// What it is for, as one sentence.
    pub summary: &'static str,
}

/// The texts that an argument can be.
#[derive(Debug, Clone, Copy)]
pub enum Choices {
    /// Whatever its type allows.
    Any,
    /// The names of the classes of tickets.
    Classes,
    /// The names of the statuses that a class has.
    Statuses,
    /// The names of those in which the life of a ticket is over.
    TerminalStatuses,
    /// These.
    These(fn() -> Vec<&'static str>),
}

impl Choices {
    /// The texts, where tickets have these classes; empty: whatever the argument's type allows.
    #[must_use]
    pub fn names(self, classes: &Classes) -> Vec<&str> {
        match self {
            Self::Any => Vec::new(),
            Self::Classes => classes.names(),
            Self::Statuses => classes.statuses(),
            Self::TerminalStatuses => classes.terminal_statuses(),
            Self::These(names) => names(),
        }
    }
}

impl Argument {
    pub(super) const fn required(name: &'static str, kind: ValueType, summary: &'static str) -> Self {
        Self { required: true, blank: false, ..Self::optional(name, kind, summary) }
    }

    pub(super) const fn optional(name: &'static str, kind: ValueType, summary: &'static str) -> Self {
        Self {
            name,
            kind,
            required: false,
            blank: true,
            choices: Choices::Any,
            one_line: true,
            shortened: false,
            filled: false,
            form: |_| Ok(()),
            summary,
        }
    }

    /// The same, and it is to be one of these texts.
    pub(super) const fn one_of(self, choices: Choices) -> Self {
        Self { choices, ..self }
    }

    /// The same, and it may turn out to be blank.
    pub(super) const fn or_blank(self) -> Self {
        Self { blank: true, ..self }
    }

    /// The same, and it may have many lines.
    pub(super) const fn prose(self) -> Self {
        Self { one_line: false, ..self }
    }

    /// The same, and what is too long of it is cut.
    pub(super) const fn shortened(self) -> Self {
        Self { shortened: true, ..self }
    }

    /// The same, with places for the ticket's number and tag.
    pub(super) const fn filled(self) -> Self {
        Self { filled: true, ..self }
    }

    /// The same, and its texts have this form.
    pub(super) const fn of_form(self, form: fn(&str) -> Result<(), Fault>) -> Self {
        Self { form, ..self }
    }

    /// The argument with which a verb names its ticket.
    pub(super) const TICKET: Self = Self::optional(
        "ticket",
        ValueType::Text,
        "the ticket's number; else the ticket that an earlier action creates, or that the message follows up",
    )
    .of_form(|text| ticket_number(text).map(drop));
}

/// What one action comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// It changes something.
    Change(Change),
    /// It edits a ticket: the named one, or else the one that an earlier action creates.
    Edit {
        /// The ticket, if one is named.
        ticket: Option<TicketNumber>,
        /// What becomes of it.
        edit: Edit,
    },
    /// It sends something: about the named ticket, or else about the one that an earlier action creates.
    Send {
        /// The ticket, if one is named.
        ticket: Option<TicketNumber>,
        /// What is sent.
        outgoing: Outgoing,
    },
    /// It decides about the message as a whole.
    Verdict(Outcome),
}

/// The arguments of an action, checked against its row of the table.
#[derive(Debug)]
pub(super) struct Arguments<'a> {
    rows: &'static [Argument],
    entries: &'a [Entry],
}

impl<'a> Arguments<'a> {
    /// Checks names, types and presence.
    pub(super) fn check(verb: &Verb, entries: &'a [Entry]) -> Result<Self, Fault> {
        for (index, entry) in entries.iter().enumerate() {
            let argument = || entry.name.clone();
            let Some(row) = verb.arguments.iter().find(|row| row.name == entry.name) else {
                let known = listed(verb.arguments.iter().map(|row| row.name));
                return Err(Fault::UnknownArgument { argument: argument(), known });
            };
            if entries.iter().take(index).any(|other| other.name == entry.name) {
                return Err(Fault::RepeatedArgument { argument: argument() });
            }
            if let Some(found) = entry.value.value_type().filter(|found| *found != row.kind) {
                return Err(Fault::WrongType { argument: argument(), expected: row.kind, found });
            }
        }
        let arguments = Self { rows: verb.arguments, entries };
        let is_missing = |row: &&Argument| {
            row.required && !(row.blank && arguments.is_given(row.name)) && arguments.value(row.name).is_none()
        };
        match verb.arguments.iter().find(is_missing) {
            Some(row) => Err(Fault::MissingArgument { argument: row.name }),
            None => Ok(arguments),
        }
    }

    /// Whether an argument is given, if only as a blank.
    pub(super) fn is_given(&self, name: &str) -> bool {
        self.entries.iter().any(|entry| entry.name == name)
    }

    /// The value of an argument; none if it is not given or blank.
    pub(super) fn value(&self, name: &str) -> Option<&'a Value> {
        self.entries.iter().find(|entry| entry.name == name).map(|entry| &entry.value).filter(|value| !value.is_blank())
    }

    /// The text of an argument; none if it is not given or blank.
    pub(super) fn text(&self, name: &str) -> Option<&'a str> {
        match self.value(name)? {
            Value::Text(text) => Some(text),
            Value::None
            | Value::Integer(_)
            | Value::Decimal(_)
            | Value::Boolean(_)
            | Value::DateTime(_)
            | Value::Currency(_)
            | Value::Html(_) => None,
        }
    }

    /// A text of one line, such as a subject: at most [`LINE_CHARS_MAX`] characters.
    pub(super) fn line(&self, name: &'static str) -> Result<Option<String>, Fault> {
        let Some(text) = self.text(name) else { return Ok(None) };
        match text.chars().count() {
            length if length > LINE_CHARS_MAX => Err(too_long(name, length, "characters", LINE_CHARS_MAX)),
            _ => Ok(Some(text.split_whitespace().collect::<Vec<_>>().join(" "))),
        }
    }

    /// A long text, such as a description: at most [`PROSE_BYTES_MAX`] bytes.
    pub(super) fn prose(&self, name: &'static str) -> Result<Option<String>, Fault> {
        match self.text(name) {
            Some(text) if text.len() > PROSE_BYTES_MAX => Err(too_long(name, text.len(), "bytes", PROSE_BYTES_MAX)),
            text => Ok(text.map(str::to_owned)),
        }
    }

    /// One of the choices that the table gives for the argument, read by `parse`; none if it is not given.
    pub(super) fn choice<T>(
        &self,
        name: &'static str,
        facts: &Facts<'_>,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>, Fault> {
        let Some(text) = self.text(name) else { return Ok(None) };
        let choices =
            || self.rows.iter().filter(|row| row.name == name).flat_map(|row| row.choices.names(facts.classes));
        let refused = || Fault::NoneOf { argument: name, found: excerpt(text), allowed: listed(choices()) };
        parse(text.trim()).map(Some).ok_or_else(refused)
    }

    /// The status that is asked for; none if it is not given. Whether tickets of the class have it, is checked once it is
    /// known which ticket is meant.
    pub(super) fn status(&self) -> Option<Status> {
        self.text("status").map(|text| Status::new(text.trim()))
    }

    /// `Name <local@domain>` or `local@domain`; none if it is not given.
    pub(super) fn address(&self, name: &'static str) -> Result<Option<Address>, Fault> {
        let Some(text) = self.line(name)? else { return Ok(None) };
        person(name, &text).map(Some)
    }

    /// The ticket that the argument `ticket` names; none if it is not given.
    pub(super) fn named_ticket(&self, facts: &Facts<'_>) -> Result<Option<TicketNumber>, Fault> {
        let Some(text) = self.text(Argument::TICKET.name) else { return Ok(None) };
        let named = ticket_number(text)?;
        match followed_up(facts) {
            Some(ticket) if ticket == named => Ok(Some(named)),
            other => {
                let follows_up = other.map_or_else(|| "no ticket".to_owned(), |ticket| ticket.to_string());
                Err(Fault::ForeignTicket { named, follows_up })
            }
        }
    }
}

/// The ticket that the message follows up, active or not.
pub(super) fn followed_up(facts: &Facts<'_>) -> Option<TicketNumber> {
    match facts.conversation {
        Conversation::New => None,
        Conversation::Active(ticket) | Conversation::Inactive(ticket) => Some(ticket.number.clone()),
    }
}

/// The class of the ticket that the message follows up.
pub(super) fn class_followed_up<'f>(facts: &Facts<'f>) -> Result<&'f ClassSpec, Fault> {
    match facts.conversation {
        Conversation::New => Err(Fault::NoTicket),
        Conversation::Active(ticket) | Conversation::Inactive(ticket) => {
            let gone = || Fault::ClassGone { class: ticket.class.clone() };
            facts.classes.get(ticket.class.name()).ok_or_else(gone)
        }
    }
}

/// Reads `Name <local@domain>` or `local@domain`.
pub(super) fn address(text: &str) -> Option<Address> {
    let (name, email) = match text.trim().strip_suffix('>') {
        Some(rest) => rest.rsplit_once('<')?,
        None => ("", text),
    };
    let email = email.trim();
    let (local, domain) = email.rsplit_once('@')?;
    let well_formed = !local.is_empty() && !domain.is_empty() && !email.contains(char::is_whitespace);
    let name = name.trim().trim_matches('"').trim();
    well_formed.then(|| Address { name: name.to_owned(), email: email.to_owned() })
}

/// Reads an argument as an address.
pub(super) fn person(argument: &'static str, text: &str) -> Result<Address, Fault> {
    let expected = "address such as `Ann Lee <ann@example.org>`";
    address(text).ok_or_else(|| Fault::Malformed { argument, found: excerpt(text), expected })
}

fn ticket_number(text: &str) -> Result<TicketNumber, Fault> {
    let (argument, expected) = (Argument::TICKET.name, "ticket number");
    TicketNumber::parse(text).ok_or_else(|| Fault::Malformed { argument, found: excerpt(text), expected })
}

/// A piece of a value that is short enough for an error message.
pub(super) fn excerpt(text: &str) -> String {
    const CHARS_MAX: usize = 40;
    match text.char_indices().nth(CHARS_MAX) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// `a, b, c`
pub(super) fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.collect::<Vec<_>>().join(", ")
}

pub(super) fn too_long(argument: &'static str, length: usize, unit: &'static str, max: usize) -> Fault {
    Fault::TooLong { argument, length, unit, max }
}
