//! Schedules: how often a job runs.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

/// The shortest interval between two runs of a job.
pub const EVERY_MIN: Duration = Duration::from_secs(1);
/// The longest interval between two runs of a job.
pub const EVERY_MAX: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// An interval between two runs: a number with `s`, `m` or `h`, such as `5m`; between [`EVERY_MIN`] and [`EVERY_MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Interval(Duration);

/// Why a text is no interval.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is no interval: write a number and a unit, such as \"30s\", \"5m\" or \"1h\"; at least \"1s\"")]
pub struct NotAnInterval(String);

impl Interval {
    /// Every five minutes.
    pub const DEFAULT: Self = Self(Duration::from_secs(5 * 60));

    /// Every minute.
    pub const MINUTE: Self = Self(Duration::from_secs(60));

    /// Reads an interval.
    ///
    /// # Errors
    /// If it is none, or out of range.
    pub fn parse(text: &str) -> Result<Self, NotAnInterval> {
        let refused = || NotAnInterval(text.to_owned());
        let split = text.len() - text.chars().next_back().map_or(0, char::len_utf8);
        let (number, unit) = text.split_at(split);
        let seconds_per_unit: u64 = match unit {
            "s" => 1,
            "m" => 60,
            "h" => 60 * 60,
            _ => return Err(refused()),
        };
        let number: u64 = number.trim_end().parse().map_err(|_| refused())?;
        let every = Duration::from_secs(number.checked_mul(seconds_per_unit).ok_or_else(refused)?);
        if (EVERY_MIN..=EVERY_MAX).contains(&every) { Ok(Self(every)) } else { Err(refused()) }
    }

    /// Its length.
    #[must_use]
    pub fn duration(self) -> Duration {
        self.0
    }
}

impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_secs() {
            seconds if seconds % 3600 == 0 => write!(f, "{}h", seconds / 3600),
            seconds if seconds % 60 == 0 => write!(f, "{}m", seconds / 60),
            seconds => write!(f, "{seconds}s"),
        }
    }
}

impl From<Interval> for String {
    fn from(interval: Interval) -> Self {
        interval.to_string()
    }
}

impl TryFrom<String> for Interval {
    type Error = NotAnInterval;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_read_and_written() {
        let check = |text: &str, expect: Option<&str>| {
            assert_eq!(Interval::parse(text).ok().map(|every| every.to_string()).as_deref(), expect, "{text:?}");
        };
        check("5m", Some("5m"));
        check("1s", Some("1s"));
        check("90s", Some("90s"));
        check("120 s", Some("2m"));
        check("24h", Some("24h"));
        check("0s", None);
        check("8784h", Some("8784h"));
        check("8785h", None);
        check("5", None);
        check("", None);
        check("m", None);
        check("-5m", None);
        check("5é", None);
        check("99999999999999999999h", None);
        check("9999999999999999999h", None);
        assert_eq!(Interval::DEFAULT.to_string(), "5m");
    }
}
