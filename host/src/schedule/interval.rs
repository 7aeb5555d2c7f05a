//! Lengths of time: the interval between two runs, and how much it varies.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

/// The shortest interval between two runs of a job.
const EVERY_MIN: Duration = Duration::from_secs(1);
/// The longest interval between two runs of a job.
const EVERY_MAX: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// The longest delay of a run.
const JITTER_MAX: Duration = Duration::from_secs(60 * 60);

/// An interval between two runs: a number with `s`, `m` or `h`, such as `5m`; a second to a year.
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

    /// Every hour.
    pub const HOUR: Self = Self(Duration::from_secs(60 * 60));

    /// Reads an interval.
    ///
    /// # Errors
    /// If it is none, or out of range.
    pub fn parse(text: &str) -> Result<Self, NotAnInterval> {
        let every = duration(text).filter(|every| (EVERY_MIN..=EVERY_MAX).contains(every));
        every.map(Self).ok_or_else(|| NotAnInterval(text.to_owned()))
    }

    /// Its length.
    #[must_use]
    pub fn duration(self) -> Duration {
        self.0
    }
}

/// The most by which a run is delayed, so that many jobs do not call a server in the same second: a number with `s`, `m` or
/// `h`, such as `30s`; up to an hour, and `0s` for not at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Jitter(Duration);

/// Why a text is no delay.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is no delay: write a number and a unit, such as \"30s\"; at most \"1h\", and \"0s\" for none")]
pub struct NotADelay(String);

impl Jitter {
    /// Reads a delay.
    ///
    /// # Errors
    /// If it is none, or too long.
    pub fn parse(text: &str) -> Result<Self, NotADelay> {
        let delay = duration(text).filter(|delay| *delay <= JITTER_MAX);
        delay.map(Self).ok_or_else(|| NotADelay(text.to_owned()))
    }

    /// Its length.
    #[must_use]
    pub fn duration(self) -> Duration {
        self.0
    }
}

/// A number with a unit.
fn duration(text: &str) -> Option<Duration> {
    let split = text.len() - text.chars().next_back().map_or(0, char::len_utf8);
    let (number, unit) = text.split_at(split);
    let seconds_per_unit: u64 = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 60 * 60,
        _ => return None,
    };
    let number: u64 = number.trim_end().parse().ok()?;
    Some(Duration::from_secs(number.checked_mul(seconds_per_unit)?))
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

    #[test]
    fn a_delay_may_be_none_at_all() {
        let check = |text: &str, expect_s: Option<u64>| {
            assert_eq!(Jitter::parse(text).ok().map(|delay| delay.duration().as_secs()), expect_s, "{text:?}");
        };
        check("30s", Some(30));
        check("0s", Some(0));
        check("1h", Some(3600));
        check("61m", None);
        check("30", None);
    }
}
