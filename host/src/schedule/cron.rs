//! Cron tables: a shortcut for those who know them.

use croner::parser::{CronParser, Seconds, Year};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::fmt;

/// What stands in a field, in order, and what may.
const FIELDS: [(&str, &str, &[&str]); 5] = [
    ("minute", "0 to 59", &[]),
    ("hour", "0 to 23", &[]),
    ("day of the month", "1 to 31, or L for the last", &["L", "W", "LW"]),
    (
        "month",
        "1 to 12, or jan to dec",
        &["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"],
    ),
    ("day of the week", "0 to 7, or sun to sat", &["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT", "L"]),
];
/// Words for whole tables.
const NICKNAMES: [&str; 6] = ["@hourly", "@daily", "@weekly", "@monthly", "@yearly", "@annually"];
/// A time from which a table that can ever match is found to do so within eight years.
const PROBE: Timestamp = Timestamp::UNIX_EPOCH;

/// A line of a cron table: minute, hour, day of the month, month, day of the week.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cron {
    text: String,
    pattern: Box<croner::Cron>,
}

/// A text is no line of a cron table.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotACron {
    /// It has not five fields.
    #[error(
        "\"{text}\" has {found} fields and needs five: minute, hour, day of the month, month, day of the week, such as \
         \"*/10 8-18 * * mon-fri\""
    )]
    Fields {
        /// The text.
        text: String,
        /// How many it has.
        found: usize,
    },
    /// One of the fields is wrong.
    #[error(
        "\"{field}\" is no {name}: write {may_be}, * for any, a-b for a range, */n for each n-th, commas between several"
    )]
    Field {
        /// The field.
        field: String,
        /// What it should be.
        name: &'static str,
        /// What may stand there.
        may_be: &'static str,
    },
    /// It starts with `@` but is none of those words.
    #[error("\"{0}\" is none of {known}", known = NICKNAMES.join(", "))]
    Nickname(String),
    /// The fields are right, and no date has them all.
    #[error("\"{0}\" never comes: no date is like that")]
    Never(String),
}

impl Cron {
    /// Reads a line of five fields, or a word such as `@daily`.
    ///
    /// # Errors
    /// Says which field is wrong.
    pub fn parse(text: &str) -> Result<Self, NotACron> {
        let text = text.trim();
        if text.starts_with('@') && !NICKNAMES.iter().any(|known| known.eq_ignore_ascii_case(text)) {
            return Err(NotACron::Nickname(text.to_owned()));
        }
        if !text.starts_with('@') {
            check_fields(text)?;
        }
        let cron = parse(text).map(|pattern| Self { text: text.to_owned(), pattern });
        let comes = |cron: &Self| cron.next_after(PROBE, &TimeZone::UTC).is_some();
        cron.filter(comes).ok_or_else(|| NotACron::Never(text.to_owned()))
    }

    /// The first run after `now`.
    pub(super) fn next_after(&self, now: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let next = self.pattern.find_next_occurrence(&now.to_zoned(zone.clone()), false);
        next.ok().map(|next| next.timestamp()).filter(|next| *next > now)
    }
}

fn parse(text: &str) -> Option<Box<croner::Cron>> {
    let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
    parser.parse(text).ok().map(Box::new)
}

/// Each field is tried alone: the parser's own error does not say which one it means.
fn check_fields(text: &str) -> Result<(), NotACron> {
    let fields: Vec<&str> = text.split_whitespace().collect();
    if fields.len() != FIELDS.len() {
        return Err(NotACron::Fields { text: text.to_owned(), found: fields.len() });
    }
    for (place, (field, (name, may_be, words))) in fields.into_iter().zip(FIELDS).enumerate() {
        let alone =
            (0..FIELDS.len()).map(|other| if other == place { field } else { "*" }).collect::<Vec<_>>().join(" ");
        // The parser takes names of days for months, and of months for days.
        let is_known = |word: &str| word.is_empty() || words.contains(&word);
        let upper = field.to_uppercase();
        if !upper.split(|c: char| !c.is_alphabetic()).all(is_known) || parse(&alone).is_none() {
            return Err(NotACron::Field { field: field.to_owned(), name, may_be });
        }
    }
    Ok(())
}

impl fmt::Display for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
