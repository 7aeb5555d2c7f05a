//! Values: reading them from text, writing them, comparing them.

use crate::text::lower;
use crate::{Value, ValueType};
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

impl fmt::Display for ValueType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl ValueType {
    /// All types.
    pub const ALL: [Self; 5] = [Self::Text, Self::Integer, Self::Decimal, Self::Boolean, Self::DateTime];

    /// The name used in rule files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Integer => "integer",
            Self::Decimal => "decimal",
            Self::Boolean => "boolean",
            Self::DateTime => "date-time",
        }
    }

    /// Reads a value of this type; none if `text` is not one. White space around it is ignored.
    ///
    /// Decimals have a point and no separators. Points in time are written as RFC 3339 or RFC 5322 has them, or as
    /// `2026-01-31`; without an offset they are in UTC.
    #[must_use]
    pub fn read(self, text: &str) -> Option<Value> {
        let text = text.trim();
        match self {
            Self::Text => Some(Value::Text(text.to_owned())),
            Self::Integer => text.parse().ok().map(Value::Integer),
            Self::Decimal => decimal(text),
            Self::Boolean => boolean(text),
            Self::DateTime => iso_date_time(text).or_else(|| mail_date_time(text)),
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
        }
    }

    /// Whether there is no value, or only white space.
    #[must_use]
    pub fn is_blank(&self) -> bool {
        match self {
            Self::None => true,
            Self::Text(text) => text.trim().is_empty(),
            Self::Integer(_) | Self::Decimal { .. } | Self::Boolean(_) | Self::DateTime { .. } => false,
        }
    }

    /// Compares numbers with numbers, points in time, truth values, and texts without regard to case and to white
    /// space around them; none if the two cannot be compared, or one is blank.
    #[must_use]
    pub fn compare(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Text(a), Self::Text(b)) => Some(lower(a.trim()).cmp(&lower(b.trim()))),
            (Self::Boolean(a), Self::Boolean(b)) => Some(a.cmp(b)),
            (Self::DateTime { seconds: a, .. }, Self::DateTime { seconds: b, .. }) => Some(a.cmp(b)),
            _ => Some(self.scaled()?.cmp(&other.scaled()?)),
        }
    }

    /// A number in units of 10^-18.
    fn scaled(&self) -> Option<i128> {
        let (units, scale) = match self {
            Self::Integer(units) => (*units, 0),
            Self::Decimal { units, scale } => (*units, usize::from(*scale)),
            Self::None | Self::Text(_) | Self::Boolean(_) | Self::DateTime { .. } => return None,
        };
        let shift = u32::try_from(SCALE_MAX.checked_sub(scale)?).ok()?;
        i128::from(units).checked_mul(10_i128.pow(shift))
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => Ok(()),
            Self::Text(text) => f.write_str(text),
            Self::Integer(number) => number.fmt(f),
            Self::Decimal { units, scale } => write_decimal(f, *units, usize::from(*scale)),
            Self::Boolean(truth) => truth.fmt(f),
            Self::DateTime { seconds, offset_minutes } => write_date_time(f, *seconds, *offset_minutes),
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

fn decimal(text: &str) -> Option<Value> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let unsigned = whole.strip_prefix(['-', '+']).unwrap_or(whole);
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let well_formed = digits(unsigned) && digits(fraction) && !(unsigned.is_empty() && fraction.is_empty());
    if !well_formed || fraction.len() > SCALE_MAX || text.ends_with('.') {
        return None;
    }
    let units = format!("{whole}{fraction}").parse().ok()?;
    Some(Value::Decimal { units, scale: u8::try_from(fraction.len()).ok()? })
}

fn boolean(text: &str) -> Option<Value> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "1" => Some(Value::Boolean(true)),
        "false" | "no" | "0" => Some(Value::Boolean(false)),
        _ => None,
    }
}

/// `2026-01-31`, `2026-01-31T10:00Z`, `2026-01-31 10:00:00.5+01:00` (RFC 3339).
fn iso_date_time(text: &str) -> Option<Value> {
    let (date, rest) = text.split_at_checked(10)?;
    let mut parts = date.splitn(3, '-').map(number);
    let day = day_of_date(parts.next()??, parts.next()??, parts.next()??)?;
    if rest.is_empty() {
        return at(day, 0, 0);
    }
    let rest = rest.strip_prefix(['T', 't', ' '])?;
    let (time, offset) = match rest.find(['Z', 'z', '+', '-']) {
        Some(split) => rest.split_at_checked(split)?,
        None => (rest, "Z"),
    };
    let (time, fraction) = time.split_once('.').unwrap_or((time, "0"));
    number(fraction.get(..fraction.len().min(9))?)?;
    at(day, clock(time)?, zone(offset)?)
}

/// `Sat, 31 Jan 2026 10:00:00 +0100` (RFC 5322 section 3.3), the day of the week and the seconds optional.
fn mail_date_time(text: &str) -> Option<Value> {
    let text = text.split_once(',').map_or(text, |(_, date)| date);
    let text = text.split_once('(').map_or(text, |(date, _)| date);
    let mut words = text.split_ascii_whitespace();
    let day = number(words.next()?)?;
    let month = words.next()?.get(..3)?.to_ascii_lowercase();
    let names = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
    let month = i64::try_from(names.iter().position(|name| *name == month)?).ok()? + 1;
    let year = match number(words.next()?)? {
        // RFC 5322 section 4.3: years of two and three digits.
        year @ 0..50 => year + 2000,
        year @ 50..1000 => year + 1900,
        year => year,
    };
    let clock = clock(words.next()?)?;
    at(day_of_date(year, month, day)?, clock, zone(words.next().unwrap_or("Z"))?)
}

fn at(day: i64, clock: i64, offset_minutes: i16) -> Option<Value> {
    let seconds = day * SECONDS_PER_DAY + clock - i64::from(offset_minutes) * 60;
    Some(Value::DateTime { seconds, offset_minutes })
}

fn number(text: &str) -> Option<i64> {
    let digits = !text.is_empty() && text.len() <= 9 && text.bytes().all(|byte| byte.is_ascii_digit());
    if digits { text.parse().ok() } else { None }
}

/// Seconds since midnight; a leap second counts as the next minute's first.
fn clock(text: &str) -> Option<i64> {
    let mut parts = text.split(':').map(number);
    let (hour, minute) = (parts.next()??, parts.next()??);
    let second = parts.next().unwrap_or(Some(0))?;
    let well_formed = parts.next().is_none() && hour < 24 && minute < 60 && second <= 60;
    well_formed.then_some(hour * 3600 + minute * 60 + second)
}

/// Minutes east of UTC: `Z`, `+01:00`, `+0100`, or a name of RFC 5322 section 4.3.
fn zone(text: &str) -> Option<i16> {
    let hours: i16 = match text.to_ascii_uppercase().as_str() {
        "Z" | "GMT" | "UT" | "UTC" => 0,
        "EDT" => -4,
        "EST" | "CDT" => -5,
        "CST" | "MDT" => -6,
        "MST" | "PDT" => -7,
        "PST" => -8,
        _ => return numeric_zone(text),
    };
    Some(hours * 60)
}

fn numeric_zone(text: &str) -> Option<i16> {
    let sign = if text.starts_with('-') { -1 } else { 1 };
    let digits = text.strip_prefix(['+', '-'])?.replace(':', "");
    let (hours, minutes) = digits.split_at_checked(2).filter(|_| digits.len() == 4)?;
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    let well_formed = hours < 24 && minutes < 60;
    i16::try_from(hours * 60 + minutes).ok().filter(|_| well_formed).map(|offset| sign * offset)
}

/// Days since 1970-01-01 in the Gregorian calendar; none if there is no such date.
fn day_of_date(year: i64, month: i64, day: i64) -> Option<i64> {
    if !(1..=9999).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    // Years begin in March, so that the leap day is the last one.
    let shifted_year = if month <= 2 { year - 1 } else { year };
    let shifted_month = (month + 9) % 12;
    let leap_days = shifted_year.div_euclid(4) - shifted_year.div_euclid(100) + shifted_year.div_euclid(400);
    let days = shifted_year * 365 + leap_days + (153 * shifted_month + 2) / 5 + day - 1 - 719_468;
    (date_of_day(days) == (year, month, day)).then_some(days)
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

    fn check(kind: ValueType, text: &str, expect: Option<&str>) {
        assert_eq!(kind.read(text).map(|value| value.to_string()).as_deref(), expect, "{text:?}");
    }

    #[test]
    fn numbers_are_exact() {
        let decimal = |text, expect| check(ValueType::Decimal, text, expect);
        decimal("12.50", Some("12.50"));
        decimal("-0.05", Some("-0.05"));
        decimal(".5", Some("0.5"));
        decimal("7", Some("7"));
        decimal("1,5", None);
        decimal("1.", None);
        decimal(".", None);
        decimal("1e5", None);
        decimal("9223372036854775808", None);
        check(ValueType::Integer, " -12 ", Some("-12"));
        check(ValueType::Integer, "1.0", None);
    }

    #[test]
    fn times_are_read_in_the_forms_of_mail_and_iso() {
        let time = |text, expect| check(ValueType::DateTime, text, expect);
        time("2026-01-31", Some("2026-01-31T00:00:00+00:00"));
        time("2026-01-31T10:00Z", Some("2026-01-31T10:00:00+00:00"));
        time("2026-01-31 10:00:07.25+01:30", Some("2026-01-31T10:00:07+01:30"));
        time("Sat, 31 Jan 2026 10:00:00 -0500 (EST)", Some("2026-01-31T10:00:00-05:00"));
        time("1 Feb 99 10:00 GMT", Some("1999-02-01T10:00:00+00:00"));
        time("2024-02-29", Some("2024-02-29T00:00:00+00:00"));
        time("2026-02-29", None);
        time("2026-13-01", None);
        time("2026-01-31T25:00Z", None);
        time("tomorrow", None);
        time("31.01.2026", None);
    }

    #[test]
    fn values_are_compared_by_what_they_mean() {
        let check = |kind_a: ValueType, a: &str, kind_b: ValueType, b: &str, expect| {
            let (a, b) = (kind_a.read(a).expect("reads"), kind_b.read(b).expect("reads"));
            assert_eq!(a.compare(&b), expect, "{a} {b}");
        };
        check(ValueType::Integer, "2", ValueType::Decimal, "2.00", Some(Ordering::Equal));
        check(ValueType::Decimal, "1.99", ValueType::Integer, "2", Some(Ordering::Less));
        check(ValueType::Text, "Ärger ", ValueType::Text, "ärger", Some(Ordering::Equal));
        check(ValueType::DateTime, "2026-01-01T01:00+01:00", ValueType::DateTime, "2026-01-01", Some(Ordering::Equal));
        check(ValueType::Text, "2", ValueType::Integer, "2", None);
    }
}
