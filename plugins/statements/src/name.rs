//! Names: what conditions and macros can ask for.

use crate::token::Fault;
use mailmill_sdk::settings::nearest;
use mailmill_sdk::{Conversation, Declaration, Field, Host, Ticket, Value, ValueType};

/// Something that can be asked for by its name.
#[derive(Debug, Clone)]
pub(crate) struct Name {
    pub(crate) name: String,
    pub(crate) kind: ValueType,
    source: Source,
}

#[derive(Debug, Clone)]
enum Source {
    Field(Field),
    Ticket { active: bool, part: fn(Ticket) -> String },
    Attachments,
    Received,
}

const NAMES: [&str; 17] = [
    "subject",
    "sender",
    "recipients",
    "body",
    "whole-body",
    "client",
    "origin",
    "message-id",
    "ticket",
    "ticket.class",
    "ticket.status",
    "inactive-ticket",
    "inactive-ticket.class",
    "inactive-ticket.status",
    "attachments",
    "received",
    "header:NAME",
];

impl Name {
    /// Finds a name: those of every message, then the extracted `fields`.
    pub(crate) fn find(name: &str, fields: &[Declaration], at: usize) -> Result<Self, Fault> {
        if let Some((kind, source)) = builtin(name) {
            return Ok(Self { name: name.to_owned(), kind, source });
        }
        if let Some(field) = fields.iter().find(|field| field.name == name) {
            let source = Source::Field(Field::Extracted(name.to_owned()));
            return Ok(Self { name: name.to_owned(), kind: field.kind, source });
        }
        let known = NAMES.into_iter().chain(fields.iter().map(|field| field.name.as_str()));
        let hint = match nearest(name, known) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("a text is written in quotes: \"{name}\""),
        };
        Err(Fault { reason: format!("there is no field `{name}`: {hint}"), at })
    }

    /// Whether a field of that name would be hidden by one that every message has.
    pub(crate) fn is_taken(name: &str) -> bool {
        builtin(name).is_some()
    }

    /// The field to search with a pattern; none for what is no text of the message itself.
    pub(crate) fn searchable(&self) -> Option<&Field> {
        match &self.source {
            Source::Field(field) if self.kind == ValueType::Text => Some(field),
            _ => None,
        }
    }

    /// The argument of actions whose choices are its values too, if there is one.
    pub(crate) fn argument(&self) -> Option<&'static str> {
        match self.name.as_str() {
            "ticket.class" | "inactive-ticket.class" => Some("class"),
            "ticket.status" | "inactive-ticket.status" => Some("status"),
            _ => None,
        }
    }

    /// What the message has there.
    pub(crate) fn value<H: Host>(&self, host: &H) -> Value {
        match &self.source {
            Source::Field(Field::Extracted(name)) => host.extracted(name),
            Source::Field(field) => host.text(field).map_or(Value::None, Value::Text),
            Source::Ticket { active, part } => match (host.thread(), active) {
                (Conversation::Active(ticket), true) | (Conversation::Inactive(ticket), false) => {
                    Value::Text(part(ticket))
                }
                _ => Value::None,
            },
            Source::Attachments => Value::Integer(i64::try_from(host.attachments().len()).unwrap_or(i64::MAX)),
            Source::Received => host.received(),
        }
    }
}

fn builtin(name: &str) -> Option<(ValueType, Source)> {
    let field = match name {
        "subject" => Field::Subject,
        "sender" => Field::Sender,
        "recipients" => Field::Recipients,
        "body" => Field::Body,
        "whole-body" => Field::WholeBody,
        "client" => Field::Client,
        "origin" => Field::Origin,
        "message-id" => Field::MessageId,
        "attachments" => return Some((ValueType::Integer, Source::Attachments)),
        "received" => return Some((ValueType::DateTime, Source::Received)),
        _ => match name.strip_prefix("header:") {
            Some(header) if !header.is_empty() => Field::Header(header.to_owned()),
            _ => return ticket(name),
        },
    };
    Some((ValueType::Text, Source::Field(field)))
}

fn ticket(name: &str) -> Option<(ValueType, Source)> {
    let (active, rest) = match name.strip_prefix("inactive-") {
        Some(rest) => (false, rest),
        None => (true, name),
    };
    let part: fn(Ticket) -> String = match rest {
        "ticket" => |ticket| ticket.number,
        "ticket.class" => |ticket| ticket.class,
        "ticket.status" => |ticket| ticket.status,
        _ => return None,
    };
    Some((ValueType::Text, Source::Ticket { active, part }))
}
