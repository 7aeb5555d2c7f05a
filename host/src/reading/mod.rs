//! Reading values: what a text says, in the language and the time zone of those who wrote it.
//!
//! Plugins ask for it: what the languages of the world do with points, commas, months and signs is no opinion, and no
//! rule should have to bring it along. Nothing here depends on the machine: the time zones are the program's own.

mod civil;
mod date;
mod locale;
mod money;
mod number;

use crate::field::{DateTime, Value};
use crate::ticket::TicketNumber;
use locale::{Locale, Numbers};

/// What a text is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A whole number.
    Integer,
    /// A decimal number, exactly as it is written.
    Decimal,
    /// A decimal number that can have an exponent; of too many digits the first ones.
    Float,
    /// An amount of money.
    Currency,
    /// True or false.
    Boolean,
    /// A point in time.
    DateTime,
    /// A ticket's number.
    Ticket,
}

impl Form {
    fn name(self) -> &'static str {
        match self {
            Self::Integer => "integer",
            Self::Decimal => "decimal",
            Self::Float => "float",
            Self::Currency => "amount of money",
            Self::Boolean => "boolean",
            Self::DateTime => "date-time",
            Self::Ticket => "number of a ticket",
        }
    }
}

/// How a text is to be understood. An empty text stands for what is the same everywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Reading<'a> {
    /// How numbers and dates are written: a language such as `de`, maybe with a region, such as `en-GB`.
    pub locale: &'a str,
    /// Where times without an offset are: a name such as `Europe/Berlin`, or an offset such as `+01:00`. Else in UTC.
    pub time_zone: &'a str,
    /// The currency of amounts without one (ISO 4217), which also decides between those that share a sign.
    pub currency: &'a str,
}

impl Reading<'_> {
    /// Reads a text. White space around it does not count.
    ///
    /// # Errors
    /// What is wrong with it, as the rest of a sentence that begins with the text: `is no integer`.
    pub fn value(&self, text: &str, form: Form) -> Result<Value, String> {
        let text = text.trim();
        let locale = if self.locale.is_empty() { None } else { Some(Locale::find(self.locale)?) };
        let numbers = locale.map_or(Numbers::PLAIN, |locale| locale.numbers);
        let value = match form {
            Form::Integer => number::integer(text, numbers).map(Value::Integer),
            Form::Decimal => number::decimal(text, numbers).map(Value::Decimal),
            Form::Float => number::float(text, numbers).map(Value::Decimal),
            Form::Currency => return money::read(text, numbers, self.own_currency()).map(Value::Currency),
            Form::Boolean => boolean(text).map(Value::Boolean),
            Form::DateTime => date::read(text, locale.as_ref()).and_then(|civil| self.at(civil)).map(Value::DateTime),
            Form::Ticket => TicketNumber::parse(text).map(|number| Value::Text(number.to_string())),
        };
        value.ok_or_else(|| format!("is no {}", form.name()))
    }

    fn own_currency(&self) -> Option<&str> {
        Some(self.currency).filter(|currency| !currency.is_empty())
    }

    fn at(&self, civil: civil::Civil) -> Option<DateTime> {
        let fixed = civil::offset(self.time_zone).filter(|_| self.time_zone.starts_with(['+', '-']));
        let at = match (civil.offset_minutes, fixed) {
            (None, Some(minutes)) => civil.at(minutes),
            (None, None) if !self.time_zone.is_empty() => DateTime::of_local(civil.seconds, self.time_zone)?,
            _ => civil.in_utc(),
        };
        // What lies beyond could not be written.
        jiff::Timestamp::from_second(at.seconds).is_ok().then_some(at)
    }
}

/// What is wrong with a locale, if something is.
#[must_use]
pub fn fault_of_locale(tag: &str) -> Option<String> {
    Locale::find(tag).err()
}

/// What is wrong with a time zone, if something is.
#[must_use]
pub fn fault_of_time_zone(name: &str) -> Option<String> {
    let known = Reading { time_zone: name, ..Reading::default() }.value("1970-01-01", Form::DateTime).is_ok();
    (!known || name.is_empty()).then(|| {
        format!("there is no time zone \"{name}\": write a name such as Europe/Berlin, or an offset such as +01:00")
    })
}

/// What is wrong with a currency, if something is.
#[must_use]
pub fn fault_of_currency(code: &str) -> Option<String> {
    (!money::is_code(code)).then(|| format!("unknown currency \"{code}\": write three letters, such as EUR"))
}

fn boolean(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "1" => Some(true),
        "false" | "no" | "0" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
