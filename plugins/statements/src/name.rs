//! Names: what conditions and macros can ask for.

use crate::token::Fault;
use mailmill_sdk::name::TEXTS;
use mailmill_sdk::settings::nearest;
use mailmill_sdk::{Declaration, Field, Host, Value, ValueType};

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
    Attachments,
    Received,
}

/// Names besides those of texts that every message has.
const OTHERS: [&str; 2] = ["attachments", "received"];

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
        let known = TEXTS.into_iter().chain(OTHERS).chain(fields.iter().map(|field| field.name.as_str()));
        let hint = match nearest(name, known) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("a text is written in quotes: \"{name}\""),
        };
        Err(Fault { reason: format!("there is no field `{name}`: {hint}"), at })
    }

    /// The types of the attachments, which `has attachment` asks for.
    pub(crate) fn attachment_types() -> Self {
        let source = Source::Field(Field::AttachmentTypes);
        Self { name: "attachments.types".to_owned(), kind: ValueType::Text, source }
    }

    /// Whether a field of that name would be hidden by one that every message has.
    pub(crate) fn is_taken(name: &str) -> bool {
        builtin(name).is_some()
    }

    /// The field to search with a pattern; none for what is no text.
    pub(crate) fn searchable(&self) -> Option<&Field> {
        match &self.source {
            Source::Field(field) if matches!(self.kind, ValueType::Text | ValueType::Html) => Some(field),
            _ => None,
        }
    }

    /// The same, where only its addresses are to be looked at, one on each line; none for what holds none.
    pub(crate) fn addresses(&self) -> Option<Self> {
        let field = match self.searchable().filter(|_| self.kind == ValueType::Text)? {
            Field::Sender | Field::SenderAddress => Field::SenderAddress,
            Field::Recipients | Field::RecipientAddresses => Field::RecipientAddresses,
            Field::Header(name) => Field::HeaderAddresses(name.clone()),
            field @ Field::Extracted(_) if self.argument().is_none() => field.clone(),
            _ => return None,
        };
        Some(Self { source: Source::Field(field), ..self.clone() })
    }

    /// The argument of actions whose choices are its values too, if there is one.
    pub(crate) fn argument(&self) -> Option<&'static str> {
        let Source::Field(Field::Extracted(name)) = &self.source else { return None };
        match name.as_str() {
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
            Source::Attachments => Value::Integer(i64::try_from(host.attachments().len()).unwrap_or(i64::MAX)),
            Source::Received => host.received(),
        }
    }
}

fn builtin(name: &str) -> Option<(ValueType, Source)> {
    match name {
        "attachments" => Some((ValueType::Integer, Source::Attachments)),
        "received" => Some((ValueType::DateTime, Source::Received)),
        _ => Field::named(name).map(|field| (ValueType::Text, Source::Field(field))),
    }
}
