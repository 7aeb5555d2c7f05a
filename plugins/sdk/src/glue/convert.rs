//! Between the SDK's types, which exist everywhere, and those of the bindings, which exist in components only.

use super::bindings::mailmill::rules::{edit, log, lookup, mail, patterns, types};
use crate::{
    About, Action, Argument, Attachment, BodyKind, Config, Conversation, CutKind, Decision, Declaration, Diagnostic,
    Entry, Failure, Field, Form, Level, Outcome, PatternError, Reading, Span, Ticket, Value, ValueType, Verb, Verdict,
};

fn all<A, B: From<A>>(list: Vec<A>) -> Vec<B> {
    list.into_iter().map(B::from).collect()
}

impl From<Span> for types::Span {
    fn from(Span { start, end }: Span) -> Self {
        Self { start, end }
    }
}

impl From<types::Span> for Span {
    fn from(types::Span { start, end }: types::Span) -> Self {
        Self { start, end }
    }
}

impl From<&Field> for types::Field {
    fn from(field: &Field) -> Self {
        match field {
            Field::Subject => Self::Subject,
            Field::Sender => Self::Sender,
            Field::Recipients => Self::Recipients,
            Field::MessageId => Self::MessageId,
            Field::Client => Self::Client,
            Field::Origin => Self::Origin,
            Field::Body => Self::Body,
            Field::WholeBody => Self::WholeBody,
            Field::Header(name) => Self::Header(name.clone()),
            Field::Extracted(name) => Self::Extracted(name.clone()),
            Field::SenderAddress => Self::SenderAddress,
            Field::SenderName => Self::SenderName,
            Field::RecipientAddresses => Self::RecipientAddresses,
            Field::HeaderAddresses(name) => Self::HeaderAddresses(name.clone()),
            Field::AttachmentNames => Self::AttachmentNames,
            Field::AttachmentTypes => Self::AttachmentTypes,
        }
    }
}

impl From<types::Value> for Value {
    fn from(value: types::Value) -> Self {
        match value {
            types::Value::None => Self::None,
            types::Value::Text(text) => Self::Text(text),
            types::Value::Integer(number) => Self::Integer(number),
            types::Value::Decimal(types::Decimal { units, scale }) => Self::Decimal { units, scale },
            types::Value::Boolean(truth) => Self::Boolean(truth),
            types::Value::DateTime(at) => at.into(),
            types::Value::Currency(types::Money { amount: types::Decimal { units, scale }, currency }) => {
                Self::Currency { units, scale, currency }
            }
            types::Value::Html(html) => Self::Html(html),
        }
    }
}

impl From<types::DateTime> for Value {
    fn from(types::DateTime { seconds, offset_minutes }: types::DateTime) -> Self {
        Self::DateTime { seconds, offset_minutes }
    }
}

impl From<Value> for types::Value {
    fn from(value: Value) -> Self {
        match value {
            Value::None => Self::None,
            Value::Text(text) => Self::Text(text),
            Value::Integer(number) => Self::Integer(number),
            Value::Decimal { units, scale } => Self::Decimal(types::Decimal { units, scale }),
            Value::Boolean(truth) => Self::Boolean(truth),
            Value::DateTime { seconds, offset_minutes } => Self::DateTime(types::DateTime { seconds, offset_minutes }),
            Value::Currency { units, scale, currency } => {
                Self::Currency(types::Money { amount: types::Decimal { units, scale }, currency })
            }
            Value::Html(html) => Self::Html(html),
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
            types::ValueType::Currency => Self::Currency,
            types::ValueType::Html => Self::Html,
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
            ValueType::Currency => Self::Currency,
            ValueType::Html => Self::Html,
        }
    }
}

impl From<Form> for lookup::Form {
    fn from(form: Form) -> Self {
        match form {
            Form::Integer => Self::Integer,
            Form::Decimal => Self::Decimal,
            Form::Float => Self::Float,
            Form::Currency => Self::Currency,
            Form::Boolean => Self::Boolean,
            Form::DateTime => Self::DateTime,
            Form::Ticket => Self::Ticket,
        }
    }
}

impl From<&Reading> for lookup::Reading {
    fn from(Reading { locale, time_zone, currency }: &Reading) -> Self {
        Self { locale: locale.clone(), time_zone: time_zone.clone(), currency: currency.clone() }
    }
}

impl From<CutKind> for edit::Kind {
    fn from(kind: CutKind) -> Self {
        match kind {
            CutKind::Quote => Self::Quote,
            CutKind::Forward => Self::Forward,
            CutKind::Signature => Self::Signature,
            CutKind::Disclaimer => Self::Disclaimer,
            CutKind::Banner => Self::Banner,
            CutKind::Other => Self::Other,
        }
    }
}

impl From<Level> for log::Level {
    fn from(level: Level) -> Self {
        match level {
            Level::Debug => Self::Debug,
            Level::Info => Self::Info,
            Level::Warn => Self::Warn,
            Level::Error => Self::Error,
        }
    }
}

impl From<mail::BodyKind> for BodyKind {
    fn from(kind: mail::BodyKind) -> Self {
        match kind {
            mail::BodyKind::Empty => Self::Empty,
            mail::BodyKind::Plain => Self::Plain,
            mail::BodyKind::Html => Self::Html,
        }
    }
}

impl From<mail::Ticket> for Ticket {
    fn from(mail::Ticket { number, class, status }: mail::Ticket) -> Self {
        Self { number, class, status }
    }
}

impl From<mail::Conversation> for Conversation {
    fn from(conversation: mail::Conversation) -> Self {
        match conversation {
            mail::Conversation::New => Self::New,
            mail::Conversation::Active(ticket) => Self::Active(ticket.into()),
            mail::Conversation::Inactive(ticket) => Self::Inactive(ticket.into()),
        }
    }
}

impl From<mail::Attachment> for Attachment {
    fn from(mail::Attachment { name, media_type, size, inline }: mail::Attachment) -> Self {
        Self { name, media_type, size, inline }
    }
}

impl From<patterns::PatternError> for PatternError {
    fn from(patterns::PatternError { reason, offset }: patterns::PatternError) -> Self {
        Self { reason, offset }
    }
}

impl From<Diagnostic> for types::Diagnostic {
    fn from(Diagnostic { reason, path, offset }: Diagnostic) -> Self {
        Self { reason, path, offset }
    }
}

impl From<Failure> for types::Failure {
    fn from(Failure { reason, rule }: Failure) -> Self {
        Self { reason, rule }
    }
}

impl From<About> for types::About {
    fn from(About { name, version, summary }: About) -> Self {
        Self { name: name.to_owned(), version: version.to_owned(), summary: summary.to_owned(), schema: None }
    }
}

impl From<types::Argument> for Argument {
    fn from(types::Argument { name, kind, required, choices, one_line }: types::Argument) -> Self {
        Self { name, kind: kind.into(), required, choices, one_line }
    }
}

impl From<types::Verb> for Verb {
    fn from(types::Verb { name, arguments }: types::Verb) -> Self {
        Self { name, arguments: all(arguments) }
    }
}

impl From<types::Declaration> for Declaration {
    fn from(types::Declaration { name, kind }: types::Declaration) -> Self {
        Self { name, kind: kind.into() }
    }
}

impl From<Declaration> for types::Declaration {
    fn from(Declaration { name, kind }: Declaration) -> Self {
        Self { name, kind: kind.into() }
    }
}

impl From<types::Config> for Config {
    fn from(types::Config { rules, settings: _, verbs, fields }: types::Config) -> Self {
        Self { rules, verbs: all(verbs), fields: all(fields) }
    }
}

impl From<Entry> for types::Entry {
    fn from(Entry { name, value }: Entry) -> Self {
        Self { name, value: value.into() }
    }
}

impl From<Action> for types::Action {
    fn from(Action { verb, arguments, statement }: Action) -> Self {
        Self { verb, arguments: all(arguments), statement }
    }
}

impl From<Decision> for types::Decision {
    fn from(Decision { statement, condition, holds }: Decision) -> Self {
        Self { statement, condition, holds }
    }
}

impl From<Outcome> for types::Outcome {
    fn from(Outcome { actions, decisions, stop }: Outcome) -> Self {
        Self { actions: all(actions), decisions: all(decisions), stop }
    }
}

impl From<Verdict> for types::Verdict {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Next => Self::Next,
            Verdict::Stop => Self::Stop,
        }
    }
}
