//! The types of fields, and their limits.

use mailmill_sdk::settings::{Table, nearest};
use mailmill_sdk::text::joined;
use mailmill_sdk::{Form, Host, Reading, Value, ValueType};

/// The longest text of a field, in characters.
pub(crate) const TEXT_CHARS_MAX: usize = 1000;
/// The longest memo, in bytes: all that rules see of a body fits.
pub(crate) const MEMO_BYTES_MAX: usize = 512 * 1024;
/// The longest HTML, in bytes.
pub(crate) const HTML_BYTES_MAX: usize = 1024 * 1024;
/// The largest whole number, and the smallest with its sign changed.
const INTEGER_MAX: u64 = 99_999_999;

/// The type of a field. Several make values of the same type for conditions and actions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Memo,
    Html,
    Integer,
    Decimal,
    Float,
    Currency,
    Boolean,
    DateTime,
    Ticket,
}

impl Kind {
    const ALL: [(Self, &'static str, ValueType); 10] = [
        (Self::Text, "text", ValueType::Text),
        (Self::Memo, "memo", ValueType::Text),
        (Self::Html, "html", ValueType::Html),
        (Self::Integer, "integer", ValueType::Integer),
        (Self::Decimal, "decimal", ValueType::Decimal),
        (Self::Float, "float", ValueType::Decimal),
        (Self::Currency, "currency", ValueType::Currency),
        (Self::Boolean, "boolean", ValueType::Boolean),
        (Self::DateTime, "date-time", ValueType::DateTime),
        (Self::Ticket, "ticket", ValueType::Text),
    ];

    /// The type of that name.
    pub(crate) fn find(name: &str) -> Result<Self, String> {
        if let Some((kind, ..)) = Self::ALL.iter().find(|(_, other, _)| *other == name) {
            return Ok(*kind);
        }
        let names = Self::ALL.map(|(_, name, _)| name);
        let hint = match nearest(name, names.into_iter()) {
            Some(near) => format!("did you mean \"{near}\"? "),
            None => String::new(),
        };
        Err(format!("unknown type \"{name}\": {hint}there are {}", joined(names, ", ")))
    }

    /// The type of its values.
    pub(crate) fn value_type(self) -> ValueType {
        Self::ALL.iter().find(|(kind, ..)| *kind == self).map_or(ValueType::Text, |(_, _, value_type)| *value_type)
    }
}

/// Reads how the texts of fields are understood from the keys of a table; what it does not say is as in `outer`.
pub(crate) fn reading<H: Host>(host: &H, table: &Table<'_>, outer: &Reading) -> Reading {
    let read = |key: &str, outer: &str, fault: &dyn Fn(&str) -> Option<String>| {
        let Some(text) = table.text(key) else { return outer.to_owned() };
        if let Some(fault) = fault(text) {
            table.complain(key, fault, None);
        }
        text.to_owned()
    };
    Reading {
        locale: read("locale", &outer.locale, &|tag| host.fault_of_locale(tag)),
        time_zone: read("time_zone", &outer.time_zone, &|name| host.fault_of_time_zone(name)),
        currency: read("currency", &outer.currency, &|code| host.fault_of_currency(code)),
    }
}

/// Whether texts can be understood so at all.
pub(crate) fn is_sound<H: Host>(host: &H, Reading { locale, time_zone, currency }: &Reading) -> bool {
    let is = |text: &str, fault: &dyn Fn(&str) -> Option<String>| text.is_empty() || fault(text).is_none();
    is(locale, &|tag| host.fault_of_locale(tag))
        && is(time_zone, &|name| host.fault_of_time_zone(name))
        && is(currency, &|code| host.fault_of_currency(code))
}

/// Reads a text, without white space around it, as a value of this type within its limits; or says why it is none.
pub(crate) fn fit<H: Host>(host: &H, kind: Kind, how: &Reading, text: &str) -> Result<Value, String> {
    let form = match kind {
        Kind::Text if text.chars().count() > TEXT_CHARS_MAX => {
            return Err(format!("the text is longer than {TEXT_CHARS_MAX} characters"));
        }
        Kind::Memo if text.len() > MEMO_BYTES_MAX => {
            return Err(format!("the text is longer than {MEMO_BYTES_MAX} bytes"));
        }
        Kind::Html if text.len() > HTML_BYTES_MAX => {
            return Err(format!("the HTML is longer than {HTML_BYTES_MAX} bytes"));
        }
        Kind::Text | Kind::Memo => return Ok(Value::Text(text.to_owned())),
        Kind::Html => return Ok(Value::Html(text.to_owned())),
        Kind::Integer => Form::Integer,
        Kind::Decimal => Form::Decimal,
        Kind::Float => Form::Float,
        Kind::Currency => Form::Currency,
        Kind::Boolean => Form::Boolean,
        Kind::DateTime => Form::DateTime,
        Kind::Ticket => Form::Ticket,
    };
    match host.read(text, form, how).map_err(|reason| format!("\"{}\" {reason}", excerpt(text)))? {
        Value::Integer(number) if number.unsigned_abs() > INTEGER_MAX => {
            Err(format!("{number} is outside of -{INTEGER_MAX} to {INTEGER_MAX}"))
        }
        value => Ok(value),
    }
}

fn excerpt(text: &str) -> String {
    const CHARS_MAX: usize = 40;
    let short: String = text.chars().take(CHARS_MAX).collect();
    if short.len() < text.len() { format!("{short}…") } else { short }
}
