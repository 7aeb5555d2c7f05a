//! Times as they are written: what clocks showed, and where, if that is said.

use crate::field::DateTime;

const SECONDS_PER_DAY: i64 = 86_400;

/// A time as it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Civil {
    /// What clocks showed, in seconds after 1970-01-01T00:00:00.
    pub(super) seconds: i64,
    /// Their offset from UTC.
    pub(super) offset_minutes: Option<i16>,
}

impl Civil {
    /// A time of a day, which is counted from 1970-01-01, in seconds since midnight.
    pub(super) fn new(day: i64, clock: i64, offset_minutes: Option<i16>) -> Self {
        Self { seconds: day * SECONDS_PER_DAY + clock, offset_minutes }
    }

    /// The point in time; where nothing is said, in UTC.
    pub(super) fn in_utc(self) -> DateTime {
        self.at(self.offset_minutes.unwrap_or_default())
    }

    /// The point in time, if the clocks were at this offset.
    pub(super) fn at(self, offset_minutes: i16) -> DateTime {
        DateTime { seconds: self.seconds - i64::from(offset_minutes) * 60, offset_minutes }
    }
}

/// Reads a time in a form that is the same everywhere: `2026-01-31`, `2026-01-31T10:00:00+01:00` (RFC 3339), or that of
/// mail (RFC 5322 section 3.3).
pub(super) fn standard(text: &str) -> Option<Civil> {
    iso_date_time(text).or_else(|| mail_date_time(text))
}

/// `2026-01-31`, `2026-01-31T10:00Z`, `2026-01-31 10:00:00.5+01:00` (RFC 3339).
fn iso_date_time(text: &str) -> Option<Civil> {
    let (date, rest) = text.split_at_checked(10)?;
    let mut parts = date.splitn(3, '-').map(number);
    let day = day_of_date(parts.next()??, parts.next()??, parts.next()??)?;
    if rest.is_empty() {
        return Some(Civil::new(day, 0, None));
    }
    let rest = rest.strip_prefix(['T', 't', ' '])?;
    let (time, offset_minutes) = match rest.find(['Z', 'z', '+', '-']) {
        Some(split) => {
            let (time, offset_text) = rest.split_at_checked(split)?;
            (time, Some(offset(offset_text)?))
        }
        None => (rest, None),
    };
    let (time, fraction) = time.split_once('.').unwrap_or((time, "0"));
    number(fraction.get(..fraction.len().min(9))?)?;
    Some(Civil::new(day, clock(time)?, offset_minutes))
}

/// `Sat, 31 Jan 2026 10:00:00 +0100` (RFC 5322 section 3.3), the day of the week and the seconds optional.
fn mail_date_time(text: &str) -> Option<Civil> {
    let text = text.split_once(',').map_or(text, |(_, date)| date);
    let text = text.split_once('(').map_or(text, |(date, _)| date);
    let mut words = text.split_ascii_whitespace();
    let day = number(words.next()?)?;
    let month = words.next()?.get(..3)?.to_ascii_lowercase();
    let names = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
    let month = i64::try_from(names.iter().position(|name| *name == month)?).ok()? + 1;
    let year = full_year(number(words.next()?)?);
    let clock = clock(words.next()?)?;
    let offset_minutes = match words.next() {
        Some(word) => Some(offset(word)?),
        None => None,
    };
    Some(Civil::new(day_of_date(year, month, day)?, clock, offset_minutes))
}

/// The year that is meant by one of two or three digits (RFC 5322 section 4.3).
pub(super) fn full_year(year: i64) -> i64 {
    match year {
        0..50 => year + 2000,
        50..1000 => year + 1900,
        _ => year,
    }
}

/// A number of at most nine digits.
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
pub(super) fn offset(text: &str) -> Option<i16> {
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
pub(super) fn day_of_date(year: i64, month: i64, day: i64) -> Option<i64> {
    let year = i16::try_from(year).ok().filter(|year| (1..=9999).contains(year))?;
    let date = jiff::civil::Date::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()?;
    let midnight = date.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_second();
    Some(midnight.div_euclid(SECONDS_PER_DAY))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_in_the_forms_of_mail_and_iso() {
        let time = |text, expect: Option<&str>| {
            let found = standard(text).map(|civil| civil.in_utc().to_string());
            assert_eq!(found.as_deref(), expect, "{text:?}");
        };
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
}
