//! Values: writing them, comparing them. The host reads them: see [`Host::read`](crate::Host::read).

use crate::text::{joined, lower};
use crate::{Form, Value, ValueType};
use std::cmp::Ordering;
use std::fmt;

/// The most digits behind a decimal point.
const SCALE_MAX: usize = 18;
const SECONDS_PER_DAY: i64 = 86_400;

/// The source of a pattern that matches exactly `text`.
#[must_use]
pub fn literal_pattern(text: &str) -> String {
    let is_special = |c: char| u8::try_from(c).is_ok_and(|byte| br"\.+*?()|[]{}^$#&-~".contains(&byte));
    let mut source = String::with_capacity(text.len());
    for character in text.chars() {
        if is_special(character) {
            source.push('\\');
        }
        source.push(character);
    }
    source
}

/// Reads a whole or a decimal number as rule files have it: with a point, without separators.
#[must_use]
pub fn number(text: &str) -> Option<Value> {
    if let Ok(number) = text.parse() {
        return Some(Value::Integer(number));
    }
    let point = text.bytes().position(|byte| byte == b'.')?;
    let (whole, fraction) = (text.get(..point)?, text.get(point + 1..)?);
    let unsigned = whole.strip_prefix('-').unwrap_or(whole);
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(unsigned) || !digits(fraction) || fraction.is_empty() || fraction.len() > SCALE_MAX {
        return None;
    }
    Some(Value::Decimal {
        units: joined([whole, fraction], "").parse().ok()?,
        scale: u8::try_from(fraction.len()).ok()?,
    })
}

impl fmt::Display for ValueType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl ValueType {
    /// What a text has to be for it; none for text and HTML, which any text can be.
    #[must_use]
    pub fn form(self) -> Option<Form> {
        match self {
            Self::Text | Self::Html => None,
            Self::Integer => Some(Form::Integer),
            Self::Decimal => Some(Form::Decimal),
            Self::Boolean => Some(Form::Boolean),
            Self::DateTime => Some(Form::DateTime),
            Self::Currency => Some(Form::Currency),
        }
    }

    /// The name used in rule files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Integer => "integer",
            Self::Decimal => "decimal",
            Self::Boolean => "boolean",
            Self::DateTime => "date-time",
            Self::Currency => "currency",
            Self::Html => "html",
        }
    }
}

impl Value {
    /// The value's type; none for a blank one.
    #[must_use]
    pub fn value_type(&self) -> Option<ValueType> {
        match self {
            Self::None => None,
            Self::Text(_) => Some(ValueType::Text),
            Self::Integer(_) => Some(ValueType::Integer),
            Self::Decimal { .. } => Some(ValueType::Decimal),
            Self::Boolean(_) => Some(ValueType::Boolean),
            Self::DateTime { .. } => Some(ValueType::DateTime),
            Self::Currency { .. } => Some(ValueType::Currency),
            Self::Html(_) => Some(ValueType::Html),
        }
    }

    /// Whether there is no value, or only white space.
    #[must_use]
    pub fn is_blank(&self) -> bool {
        match self {
            Self::None => true,
            Self::Text(text) | Self::Html(text) => text.trim().is_empty(),
            Self::Integer(_)
            | Self::Decimal { .. }
            | Self::Boolean(_)
            | Self::DateTime { .. }
            | Self::Currency { .. } => false,
        }
    }

    /// Compares numbers with numbers, amounts of the same currency, points in time, truth values, and texts without
    /// regard to case and to white space around them; none if the two cannot be compared, or one is blank.
    #[must_use]
    pub fn compare(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Text(a), Self::Text(b)) => Some(lower(a.trim()).cmp(&lower(b.trim()))),
            (Self::Boolean(a), Self::Boolean(b)) => Some(a.cmp(b)),
            (Self::DateTime { seconds: a, .. }, Self::DateTime { seconds: b, .. }) => Some(a.cmp(b)),
            _ => match (self.scaled()?, other.scaled()?) {
                ((a, one), (b, other)) if one == other => Some(a.cmp(&b)),
                _ => None,
            },
        }
    }

    /// A number in units of 10^-18, and of which currency it is; empty: of none.
    fn scaled(&self) -> Option<(i128, &str)> {
        let (units, scale, currency) = match self {
            Self::Integer(units) => (*units, 0, ""),
            Self::Decimal { units, scale } => (*units, usize::from(*scale), ""),
            Self::Currency { units, scale, currency } => (*units, usize::from(*scale), currency.as_str()),
            Self::None | Self::Text(_) | Self::Boolean(_) | Self::DateTime { .. } | Self::Html(_) => return None,
        };
        let shift = u32::try_from(SCALE_MAX.checked_sub(scale)?).ok()?;
        Some((i128::from(units).checked_mul(10_i128.pow(shift))?, currency))
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => Ok(()),
            Self::Text(text) | Self::Html(text) => f.write_str(text),
            Self::Integer(number) => number.fmt(f),
            Self::Decimal { units, scale } => write_decimal(f, *units, usize::from(*scale)),
            Self::Boolean(truth) => truth.fmt(f),
            Self::DateTime { seconds, offset_minutes } => write_date_time(f, *seconds, *offset_minutes),
            Self::Currency { units, scale, currency } => {
                write_decimal(f, *units, usize::from(*scale))?;
                f.write_str(" ")?;
                f.write_str(currency)
            }
        }
    }
}

fn write_decimal(f: &mut fmt::Formatter<'_>, units: i64, scale: usize) -> fmt::Result {
    let digits = units.unsigned_abs().to_string();
    let padded = format!("{digits:0>width$}", width = scale + 1);
    let (whole, fraction) = padded.split_at_checked(padded.len() - scale).unwrap_or((&padded, ""));
    let sign = if units < 0 { "-" } else { "" };
    if fraction.is_empty() { write!(f, "{sign}{whole}") } else { write!(f, "{sign}{whole}.{fraction}") }
}

fn write_date_time(f: &mut fmt::Formatter<'_>, seconds: i64, offset_minutes: i16) -> fmt::Result {
    let local = seconds.saturating_add(i64::from(offset_minutes) * 60);
    let (year, month, day) = date_of_day(local.div_euclid(SECONDS_PER_DAY));
    let clock = local.rem_euclid(SECONDS_PER_DAY);
    let (hour, minute, second) = (clock / 3600, clock / 60 % 60, clock % 60);
    write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")?;
    let sign = if offset_minutes < 0 { '-' } else { '+' };
    let offset = offset_minutes.unsigned_abs();
    write!(f, "{sign}{:02}:{:02}", offset / 60, offset % 60)
}

/// The date of a day, as year, month and day.
fn date_of_day(day: i64) -> (i64, i64, i64) {
    let shifted = day + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_exact() {
        let check = |text: &str, expect: Option<&str>| {
            assert_eq!(number(text).map(|value| value.to_string()).as_deref(), expect, "{text:?}");
        };
        check("12.50", Some("12.50"));
        check("-0.05", Some("-0.05"));
        check(".5", Some("0.5"));
        check("-12", Some("-12"));
        check("9223372036854775807", Some("9223372036854775807"));
        check("9223372036854775808", None);
        check("0.123456789012345678", Some("0.123456789012345678"));
        check("0.1234567890123456789", None);
        check("1,5", None);
        check("1.", None);
        check(".", None);
        check("-", None);
        check("", None);
        check("1e5", None);
    }

    #[test]
    fn values_are_written() {
        let check = |value: Value, expect: &str| assert_eq!(value.to_string(), expect);
        check(Value::None, "");
        check(Value::DateTime { seconds: 0, offset_minutes: 0 }, "1970-01-01T00:00:00+00:00");
        check(Value::DateTime { seconds: 1_769_850_007, offset_minutes: 90 }, "2026-01-31T10:30:07+01:30");
        check(Value::DateTime { seconds: -1, offset_minutes: -300 }, "1969-12-31T18:59:59-05:00");
        check(Value::DateTime { seconds: 951_782_400, offset_minutes: 0 }, "2000-02-29T00:00:00+00:00");
        check(Value::Currency { units: -1250, scale: 2, currency: "EUR".to_owned() }, "-12.50 EUR");
        check(Value::Html("<b>".to_owned()), "<b>");
    }

    #[test]
    fn values_are_compared_by_what_they_mean() {
        let check = |a: Value, b: Value, expect| assert_eq!(a.compare(&b), expect, "{a} {b}");
        let decimal = |units, scale| Value::Decimal { units, scale };
        let money = |units, scale, currency: &str| Value::Currency { units, scale, currency: currency.to_owned() };
        let text = |text: &str| Value::Text(text.to_owned());
        let time = |seconds, offset_minutes| Value::DateTime { seconds, offset_minutes };
        check(Value::Integer(2), decimal(200, 2), Some(Ordering::Equal));
        check(decimal(199, 2), Value::Integer(2), Some(Ordering::Less));
        check(decimal(i64::MAX, 0), decimal(i64::MIN, 18), Some(Ordering::Greater));
        check(decimal(1, 19), decimal(1, 0), None);
        check(text("Ärger "), text("ärger"), Some(Ordering::Equal));
        check(time(60, 60), time(60, 0), Some(Ordering::Equal));
        check(Value::Boolean(true), Value::Boolean(true), Some(Ordering::Equal));
        check(money(200, 2, "EUR"), money(2, 0, "EUR"), Some(Ordering::Equal));
        check(money(2, 0, "EUR"), money(3, 0, "JPY"), None);
        check(money(2, 0, "EUR"), Value::Integer(2), None);
        check(text("2"), Value::Integer(2), None);
        check(Value::Html("a".to_owned()), Value::Html("a".to_owned()), None);
        check(Value::None, Value::None, None);
    }
}
