//! Between the contract's types and the host's own.

use super::bindings::rules::{edit, log, lookup, mail, types};
use super::capabilities::{Level, Source};
use super::{Argument, Diagnostic, VerbSpec};
use crate::action::Action;
use crate::field::{DateTime, Decimal, Declaration, Entry, Money, Value, ValueType};
use crate::message::Attachment;
use crate::message::document::{CutKind, Span, harmless_html};
use crate::reading::Form;
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
            types::Field::SenderAddress => Self::SenderAddress,
            types::Field::SenderName => Self::SenderName,
            types::Field::RecipientAddresses => Self::RecipientAddresses,
            types::Field::HeaderAddresses(name) => Self::HeaderAddresses(name),
            types::Field::AttachmentNames => Self::AttachmentNames,
            types::Field::AttachmentTypes => Self::AttachmentTypes,
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
            Value::Currency(money) => {
                let Decimal { units, scale } = money.amount;
                let amount = types::Decimal { units, scale };
                Self::Currency(types::Money { amount, currency: money.currency().to_owned() })
            }
            Value::Html(html) => Self::Html(html),
        }
    }
}

impl From<types::Value> for Value {
    fn from(value: types::Value) -> Self {
        match value {
            types::Value::None => Self::None,
            types::Value::Text(text) => Self::Text(text),
            types::Value::Integer(number) => Self::Integer(number),
            types::Value::Decimal(number) => Self::Decimal(number.into()),
            types::Value::Boolean(truth) => Self::Boolean(truth),
            types::Value::DateTime(types::DateTime { seconds, offset_minutes }) => {
                Self::DateTime(DateTime { seconds, offset_minutes })
            }
            // What is no currency has no value.
            types::Value::Currency(types::Money { amount, currency }) => {
                Money::new(amount.into(), &currency).map_or(Self::None, Self::Currency)
            }
            types::Value::Html(html) => Self::Html(harmless_html(&html)),
        }
    }
}

impl From<types::Decimal> for Decimal {
    fn from(types::Decimal { units, scale }: types::Decimal) -> Self {
        // A larger scale has no meaning, and no digits left to stand behind the point.
        Self { units, scale: scale.min(Self::SCALE_MAX) }
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
    fn from(Argument { name, kind, required, choices, one_line }: &Argument) -> Self {
        let (name, choices) = (name.clone(), choices.clone());
        Self { name, kind: (*kind).into(), required: *required, choices, one_line: *one_line }
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

impl From<lookup::Form> for Form {
    fn from(form: lookup::Form) -> Self {
        match form {
            lookup::Form::Integer => Self::Integer,
            lookup::Form::Decimal => Self::Decimal,
            lookup::Form::Float => Self::Float,
            lookup::Form::Currency => Self::Currency,
            lookup::Form::Boolean => Self::Boolean,
            lookup::Form::DateTime => Self::DateTime,
            lookup::Form::Ticket => Self::Ticket,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_plugin_hands_over_is_what_the_host_takes_it_for() {
        let check = |given: types::Value, expect: Value| assert_eq!(Value::from(given), expect);
        let amount = |scale| types::Decimal { units: 1, scale };
        let money = |currency: &str| types::Money { amount: amount(0), currency: currency.to_owned() };
        check(types::Value::Html("a<script>b</script>".to_owned()), Value::Html("a".to_owned()));
        check(types::Value::Decimal(amount(200)), Value::Decimal(Decimal { units: 1, scale: 18 }));
        check(types::Value::Currency(money("eur")), Value::None);
        check(types::Value::Currency(money("EUR\r\n")), Value::None);
        let kept = Money::new(Decimal { units: 1, scale: 0 }, "EUR").expect("is a currency");
        check(types::Value::Currency(money("EUR")), Value::Currency(kept));
    }
}
