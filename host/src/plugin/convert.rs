//! Between the contract's types and the host's own.

use super::bindings::rules::{edit, log, mail, types};
use super::capabilities::{Level, Source};
use super::{Argument, Diagnostic, VerbSpec};
use crate::action::Action;
use crate::field::{DateTime, Decimal, Declaration, Entry, Value, ValueType};
use crate::message::Attachment;
use crate::message::document::{CutKind, Span};
use crate::thread::Conversation;
use crate::ticket::TicketSummary;

impl From<types::Field> for Source {
    fn from(field: types::Field) -> Self {
        match field {
            types::Field::Subject => Self::Subject,
            types::Field::Sender => Self::Sender,
            types::Field::Recipients => Self::Recipients,
            types::Field::MessageId => Self::MessageId,
            types::Field::Client => Self::Client,
            types::Field::Origin => Self::Origin,
            types::Field::Body => Self::Body,
            types::Field::WholeBody => Self::WholeBody,
            types::Field::Header(name) => Self::Header(name),
            types::Field::Extracted(name) => Self::Extracted(name),
        }
    }
}

impl From<types::Span> for Span {
    fn from(types::Span { start, end }: types::Span) -> Self {
        Self { start, end }
    }
}

impl From<Span> for types::Span {
    fn from(Span { start, end }: Span) -> Self {
        Self { start, end }
    }
}

impl From<DateTime> for types::DateTime {
    fn from(DateTime { seconds, offset_minutes }: DateTime) -> Self {
        Self { seconds, offset_minutes }
    }
}

impl From<Value> for types::Value {
    fn from(value: Value) -> Self {
        match value {
            Value::None => Self::None,
            Value::Text(text) => Self::Text(text),
            Value::Integer(number) => Self::Integer(number),
            Value::Decimal(Decimal { units, scale }) => Self::Decimal(types::Decimal { units, scale }),
            Value::Boolean(truth) => Self::Boolean(truth),
            Value::DateTime(at) => Self::DateTime(at.into()),
        }
    }
}

impl From<types::Value> for Value {
    fn from(value: types::Value) -> Self {
        match value {
            types::Value::None => Self::None,
            types::Value::Text(text) => Self::Text(text),
            types::Value::Integer(number) => Self::Integer(number),
            // A larger scale has no meaning, and no digits left to stand behind the point.
            types::Value::Decimal(types::Decimal { units, scale }) => {
                Self::Decimal(Decimal { units, scale: scale.min(Decimal::SCALE_MAX) })
            }
            types::Value::Boolean(truth) => Self::Boolean(truth),
            types::Value::DateTime(types::DateTime { seconds, offset_minutes }) => {
                Self::DateTime(DateTime { seconds, offset_minutes })
            }
        }
    }
}

impl From<ValueType> for types::ValueType {
    fn from(kind: ValueType) -> Self {
        match kind {
            ValueType::Text => Self::Text,
            ValueType::Integer => Self::Integer,
            ValueType::Decimal => Self::Decimal,
            ValueType::Boolean => Self::Boolean,
            ValueType::DateTime => Self::DateTime,
        }
    }
}

impl From<types::ValueType> for ValueType {
    fn from(kind: types::ValueType) -> Self {
        match kind {
            types::ValueType::Text => Self::Text,
            types::ValueType::Integer => Self::Integer,
            types::ValueType::Decimal => Self::Decimal,
            types::ValueType::Boolean => Self::Boolean,
            types::ValueType::DateTime => Self::DateTime,
        }
    }
}

impl From<types::Entry> for Entry {
    fn from(types::Entry { name, value }: types::Entry) -> Self {
        Self { name, value: value.into() }
    }
}

impl From<types::Declaration> for Declaration {
    fn from(types::Declaration { name, kind }: types::Declaration) -> Self {
        Self { name, kind: kind.into() }
    }
}

impl From<&Declaration> for types::Declaration {
    fn from(Declaration { name, kind }: &Declaration) -> Self {
        Self { name: name.clone(), kind: (*kind).into() }
    }
}

impl From<&Argument> for types::Argument {
    fn from(Argument { name, kind, required, choices }: &Argument) -> Self {
        Self { name: name.clone(), kind: (*kind).into(), required: *required, choices: choices.clone() }
    }
}

impl From<&VerbSpec> for types::Verb {
    fn from(VerbSpec { name, arguments }: &VerbSpec) -> Self {
        Self { name: name.clone(), arguments: arguments.iter().map(Into::into).collect() }
    }
}

impl From<types::Diagnostic> for Diagnostic {
    fn from(types::Diagnostic { reason, path, offset }: types::Diagnostic) -> Self {
        Self { reason, path, offset }
    }
}

impl From<types::Action> for Action {
    fn from(types::Action { verb, arguments, statement }: types::Action) -> Self {
        Self { verb, arguments: arguments.into_iter().map(Into::into).collect(), statement }
    }
}

impl From<edit::Kind> for CutKind {
    fn from(kind: edit::Kind) -> Self {
        match kind {
            edit::Kind::Quote => Self::Quote,
            edit::Kind::Forward => Self::Forward,
            edit::Kind::Signature => Self::Signature,
            edit::Kind::Disclaimer => Self::Disclaimer,
            edit::Kind::Banner => Self::Banner,
            edit::Kind::Other => Self::Other,
        }
    }
}

impl From<log::Level> for Level {
    fn from(level: log::Level) -> Self {
        match level {
            log::Level::Debug => Self::Debug,
            log::Level::Info => Self::Info,
            log::Level::Warn => Self::Warn,
            log::Level::Error => Self::Error,
        }
    }
}

impl From<&TicketSummary> for mail::Ticket {
    fn from(ticket: &TicketSummary) -> Self {
        Self {
            number: ticket.number.to_string(),
            class: ticket.class.name().to_owned(),
            status: ticket.status.name().to_owned(),
        }
    }
}

impl From<&Conversation> for mail::Conversation {
    fn from(conversation: &Conversation) -> Self {
        match conversation {
            Conversation::New => Self::New,
            Conversation::Active(ticket) => Self::Active(ticket.into()),
            Conversation::Inactive(ticket) => Self::Inactive(ticket.into()),
        }
    }
}

impl From<&Attachment> for mail::Attachment {
    fn from(attachment: &Attachment) -> Self {
        Self {
            name: attachment.name.clone(),
            media_type: attachment.media_type.clone(),
            size: attachment.enclosure.size,
            inline: attachment.inline,
        }
    }
}
