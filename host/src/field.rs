//! Values: what extractors make, conditions compare and actions carry.

use jiff::tz::{TimeZone, TimeZoneDatabase};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::LazyLock;

/// The type of a field or of an action's argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ValueType {
    /// Text.
    Text,
    /// A whole number.
    Integer,
    /// An exact decimal number.
    Decimal,
    /// True or false.
    Boolean,
    /// A point in time.
    DateTime,
    /// An amount of money.
    Currency,
    /// HTML.
    Html,
}

impl fmt::Display for ValueType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text => "text",
            Self::Integer => "integer",
            Self::Decimal => "decimal",
            Self::Boolean => "boolean",
            Self::DateTime => "date-time",
            Self::Currency => "currency",
            Self::Html => "html",
        })
    }
}

/// An exact decimal number: `units` × 10^-`scale`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decimal {
    /// The digits, as an integer.
    pub units: i64,
    /// How many of them stand behind the decimal point; at most [`Decimal::SCALE_MAX`].
    pub scale: u8,
}

impl Decimal {
    /// The most digits behind the decimal point.
    pub const SCALE_MAX: u8 = 18;
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.units.unsigned_abs().to_string();
        let scale = usize::from(self.scale);
        let padded = format!("{digits:0>width$}", width = scale + 1);
        let (whole, fraction) = padded.split_at(padded.len() - scale);
        let sign = if self.units < 0 { "-" } else { "" };
        if fraction.is_empty() { write!(f, "{sign}{whole}") } else { write!(f, "{sign}{whole}.{fraction}") }
    }
}

/// A point in time with the offset it was written in (RFC 3339).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DateTime {
    /// Seconds since 1970-01-01T00:00:00Z.
    pub seconds: i64,
    /// Offset from UTC in minutes.
    pub offset_minutes: i16,
}

impl DateTime {
    /// The point in time at which the clocks of a time zone show the time that is `seconds` after 1970-01-01T00:00:00.
    /// Of a time that comes twice the first one; a time that is left out counts on from the hour before (RFC 5545
    /// section 3.3.5). None if there is no such zone, or no such time.
    ///
    /// The zones are those that the program carries, not the system's, so that the answer is the same everywhere.
    #[must_use]
    pub fn of_local(seconds: i64, zone: &str) -> Option<Self> {
        static ZONES: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);
        let zone = ZONES.get(zone).ok()?;
        let shown = jiff::Timestamp::from_second(seconds).ok()?.to_zoned(TimeZone::UTC).datetime();
        let at = zone.to_ambiguous_timestamp(shown).compatible().ok()?;
        let offset_minutes = i16::try_from(zone.to_offset(at).seconds() / 60).ok()?;
        Some(Self { seconds: at.as_second(), offset_minutes })
    }
}

impl fmt::Display for DateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let offset = jiff::tz::Offset::from_seconds(i32::from(self.offset_minutes) * 60);
        match (jiff::Timestamp::from_second(self.seconds), offset) {
            (Ok(at), Ok(offset)) => write!(f, "{}", at.display_with_offset(offset)),
            _ => write!(f, "@{}", self.seconds),
        }
    }
}

/// An amount of money. The amount is exact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Money {
    /// How much.
    pub amount: Decimal,
    currency: String,
}

impl Money {
    /// An amount of a currency, given by its three letters (ISO 4217), such as `EUR`; none if they are not.
    #[must_use]
    pub fn new(amount: Decimal, currency: &str) -> Option<Self> {
        let is_code = currency.len() == 3 && currency.bytes().all(|byte| byte.is_ascii_uppercase());
        is_code.then(|| Self { amount, currency: currency.to_owned() })
    }

    /// The currency's three letters.
    #[must_use]
    pub fn currency(&self) -> &str {
        &self.currency
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.amount, self.currency)
    }
}

/// The value of a field or of an argument.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "type", content = "value")]
pub enum Value {
    /// Blank.
    #[default]
    None,
    /// Text.
    Text(String),
    /// A whole number.
    Integer(i64),
    /// An exact decimal number.
    Decimal(Decimal),
    /// True or false.
    Boolean(bool),
    /// A point in time.
    DateTime(DateTime),
    /// An amount of money.
    Currency(Money),
    /// HTML, with nothing harmful in it.
    Html(String),
}

impl Value {
    /// The value's type; none for a blank one.
    #[must_use]
    pub fn value_type(&self) -> Option<ValueType> {
        match self {
            Self::None => None,
            Self::Text(_) => Some(ValueType::Text),
            Self::Integer(_) => Some(ValueType::Integer),
            Self::Decimal(_) => Some(ValueType::Decimal),
            Self::Boolean(_) => Some(ValueType::Boolean),
            Self::DateTime(_) => Some(ValueType::DateTime),
            Self::Currency(_) => Some(ValueType::Currency),
            Self::Html(_) => Some(ValueType::Html),
        }
    }

    /// Whether there is no value, or only white space.
    #[must_use]
    pub fn is_blank(&self) -> bool {
        match self {
            Self::None => true,
            Self::Text(text) | Self::Html(text) => text.trim().is_empty(),
            Self::Integer(_) | Self::Decimal(_) | Self::Boolean(_) | Self::DateTime(_) | Self::Currency(_) => false,
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => Ok(()),
            Self::Text(text) | Self::Html(text) => f.write_str(text),
            Self::Integer(number) => number.fmt(f),
            Self::Decimal(number) => number.fmt(f),
            Self::Boolean(truth) => truth.fmt(f),
            Self::DateTime(at) => at.fmt(f),
            Self::Currency(money) => money.fmt(f),
        }
    }
}

/// A named value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The name.
    pub name: String,
    /// The value.
    pub value: Value,
}

/// A field that an extractor makes, known before any message is read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Declaration {
    /// The field's name.
    pub name: String,
    /// The field's type.
    pub kind: ValueType,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_written_exactly() {
        let check = |units, scale, expect: &str| assert_eq!(Decimal { units, scale }.to_string(), expect);
        check(0, 0, "0");
        check(5, 2, "0.05");
        check(-5, 2, "-0.05");
        check(12345, 2, "123.45");
        check(i64::MIN, 18, "-9.223372036854775808");
    }

    #[test]
    fn times_keep_their_offset() {
        let at = DateTime { seconds: 0, offset_minutes: 90 };
        assert_eq!(at.to_string(), "1970-01-01T01:30:00+01:30");
    }

    #[test]
    fn local_times_have_the_offset_of_their_zone() {
        let check = |shown: &str, zone: &str, expect: Option<&str>| {
            let shown: jiff::civil::DateTime = shown.parse().unwrap();
            let seconds = shown.to_zoned(TimeZone::UTC).unwrap().timestamp().as_second();
            let found = DateTime::of_local(seconds, zone).map(|at| at.to_string());
            assert_eq!(found.as_deref(), expect, "{shown} {zone}");
        };
        check("2026-01-31T10:00:00", "Europe/Berlin", Some("2026-01-31T10:00:00+01:00"));
        check("2026-07-31T10:00:00", "europe/berlin", Some("2026-07-31T10:00:00+02:00"));
        check("2026-07-31T10:00:00", "Asia/Kathmandu", Some("2026-07-31T10:00:00+05:45"));
        check("2026-07-31T10:00:00", "UTC", Some("2026-07-31T10:00:00+00:00"));
        // Left out, and twice.
        check("2026-03-29T02:30:00", "Europe/Berlin", Some("2026-03-29T03:30:00+02:00"));
        check("2026-10-25T02:30:00", "Europe/Berlin", Some("2026-10-25T02:30:00+02:00"));
        check("2026-01-31T10:00:00", "Europe/Entenhausen", None);
        check("2026-01-31T10:00:00", "", None);
        assert_eq!(DateTime::of_local(i64::MAX, "UTC"), None);
    }

    #[test]
    fn money_has_a_currency() {
        let amount = Decimal { units: 1250, scale: 2 };
        let check = |code: &str, expect: Option<&str>| {
            assert_eq!(Money::new(amount, code).map(|money| money.to_string()).as_deref(), expect, "{code}");
        };
        check("EUR", Some("12.50 EUR"));
        check("eur", None);
        check("€", None);
        check("", None);
    }
}
