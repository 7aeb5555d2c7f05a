//! Values: what extractors make, conditions compare and actions carry.

use serde::{Deserialize, Serialize};
use std::fmt;

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
}

impl fmt::Display for ValueType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text => "text",
            Self::Integer => "integer",
            Self::Decimal => "decimal",
            Self::Boolean => "boolean",
            Self::DateTime => "date-time",
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

impl fmt::Display for DateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let offset = jiff::tz::Offset::from_seconds(i32::from(self.offset_minutes) * 60);
        match (jiff::Timestamp::from_second(self.seconds), offset) {
            (Ok(at), Ok(offset)) => write!(f, "{}", at.display_with_offset(offset)),
            _ => write!(f, "@{}", self.seconds),
        }
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
        }
    }

    /// Whether there is no value, or only white space.
    #[must_use]
    pub fn is_blank(&self) -> bool {
        match self {
            Self::None => true,
            Self::Text(text) => text.trim().is_empty(),
            Self::Integer(_) | Self::Decimal(_) | Self::Boolean(_) | Self::DateTime(_) => false,
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => Ok(()),
            Self::Text(text) => f.write_str(text),
            Self::Integer(number) => number.fmt(f),
            Self::Decimal(number) => number.fmt(f),
            Self::Boolean(truth) => truth.fmt(f),
            Self::DateTime(at) => at.fmt(f),
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
}
