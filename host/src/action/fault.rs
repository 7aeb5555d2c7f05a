//! What is wrong with actions.

use super::verb::{Argument, listed, verbs};
use crate::field::ValueType;
use crate::ticket::{TicketClass, TicketNumber};

/// What is wrong with an action.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// No such verb.
    #[error("there is no such verb; there are {}", names_of_verbs())]
    UnknownVerb,
    /// No such argument.
    #[error("it takes no argument `{argument}`; it takes {known}")]
    UnknownArgument {
        /// The argument.
        argument: String,
        /// The arguments that there are.
        known: String,
    },
    /// The same argument twice.
    #[error("the argument `{argument}` is given twice")]
    RepeatedArgument {
        /// The argument.
        argument: String,
    },
    /// A required argument is not there, or blank.
    #[error("the argument `{argument}` is missing or blank")]
    MissingArgument {
        /// The argument.
        argument: &'static str,
    },
    /// An argument of another type.
    #[error("the argument `{argument}` is to be of type {expected}, not {found}")]
    WrongType {
        /// The argument.
        argument: String,
        /// The type it has in the table.
        expected: ValueType,
        /// The type of the value.
        found: ValueType,
    },
    /// A value that is none of those allowed.
    #[error("the argument `{argument}` is \"{found}\", which is none of {allowed}")]
    NoneOf {
        /// The argument.
        argument: &'static str,
        /// The value.
        found: String,
        /// The values that are allowed.
        allowed: String,
    },
    /// A value that has not the form it needs.
    #[error("the argument `{argument}` is \"{found}\", which is no {expected}")]
    Malformed {
        /// The argument.
        argument: &'static str,
        /// The value.
        found: String,
        /// What it should be.
        expected: &'static str,
    },
    /// A text that is too long.
    #[error(
        "the argument `{argument}` is {length} {unit} long; at most {max} are allowed (shorten it: `{{{{ name | first {max} }}}}`)"
    )]
    TooLong {
        /// The argument.
        argument: &'static str,
        /// How long it is.
        length: usize,
        /// What is counted.
        unit: &'static str,
        /// How long it may be.
        max: usize,
    },
    /// More than one value for one field.
    #[error("the arguments {arguments} exclude each other: a field has one value")]
    ManyValues {
        /// Those given.
        arguments: String,
    },
    /// A status that tickets of the class have not.
    #[error("the argument `status` is \"{found}\", but a ticket of the class {class} is {allowed}")]
    StatusOfAnotherClass {
        /// The value.
        found: String,
        /// The class.
        class: TicketClass,
        /// The statuses of that class.
        allowed: String,
    },
    /// The class of the ticket is none that there is any more.
    #[error("the ticket is of the class {class}, which rules/classes.toml has no more")]
    ClassGone {
        /// The class.
        class: TicketClass,
    },
    /// Nothing is asked for.
    #[error("at least one of the arguments {arguments} is needed")]
    Nothing {
        /// Those that there are.
        arguments: String,
    },
    /// It needs a ticket and there is none.
    #[error("the message follows up no ticket: ask for it in the condition (`ticket is not blank`)")]
    NoTicket,
    /// It would change somebody else's ticket.
    #[error(
        "the argument `ticket` is {named}, but the message follows up {follows_up}: no other ticket can be changed"
    )]
    ForeignTicket {
        /// The ticket that the action names.
        named: TicketNumber,
        /// What the message follows up, in words.
        follows_up: String,
    },
}

impl Fault {
    /// The argument that is to blame, if a single one is.
    pub(super) fn argument(&self) -> Option<&'static str> {
        match self {
            Self::MissingArgument { argument }
            | Self::NoneOf { argument, .. }
            | Self::Malformed { argument, .. }
            | Self::TooLong { argument, .. } => Some(argument),
            Self::StatusOfAnotherClass { .. } => Some("status"),
            Self::ForeignTicket { .. } => Some(Argument::TICKET.name),
            Self::UnknownVerb
            | Self::UnknownArgument { .. }
            | Self::RepeatedArgument { .. }
            | Self::WrongType { .. }
            | Self::ManyValues { .. }
            | Self::ClassGone { .. }
            | Self::Nothing { .. }
            | Self::NoTicket => None,
        }
    }
}

fn names_of_verbs() -> String {
    listed(verbs().iter().map(|verb| verb.name))
}
