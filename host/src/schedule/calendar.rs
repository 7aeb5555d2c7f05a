//! Days, times of day, and what they are in a time zone.

use super::Interval;
use jiff::civil::{Date, DateTime, Time, Weekday};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Timestamp};
use std::fmt;

/// The days of the week, as they are written.
const WEEKDAYS: [(&str, &str, Weekday); 7] = [
    ("mon", "monday", Weekday::Monday),
    ("tue", "tuesday", Weekday::Tuesday),
    ("wed", "wednesday", Weekday::Wednesday),
    ("thu", "thursday", Weekday::Thursday),
    ("fri", "friday", Weekday::Friday),
    ("sat", "saturday", Weekday::Saturday),
    ("sun", "sunday", Weekday::Sunday),
];
/// Which of a month, as it is written; `last` is counted from the end.
const ORDINALS: [(&str, i8); 5] = [("first", 1), ("second", 2), ("third", 3), ("fourth", 4), ("last", -1)];
/// A year that has every date.
const LEAP_YEAR: i16 = 2024;

/// Days that come again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Day {
    /// A day of each week.
    OfWeek(Weekday),
    /// A day of each month that has it.
    OfMonth(i8),
    /// The last day of each month.
    LastOfMonth,
    /// The first, second, … weekday of each month; -1 is the last.
    NthOfMonth(i8, Weekday),
    /// A date of each year that has it: month and day.
    OfYear(i8, i8),
}

/// Some days: those of any of the rules, or all days if there is none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Days(Vec<Day>);

/// A part of the day. It goes on after midnight if its end is not after its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    start: Time,
    end: Time,
}

/// A text is no day.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0} is no day: write \"mon\", 15 or \"last\" (of the month), \"first mon\", \"12-24\" (month and day), \"weekdays\" \
     or \"weekends\""
)]
pub struct NotADay(pub String);

/// A text is no time of day.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is no time of day: write it like \"08:00\" or \"17:30\"")]
pub struct NotATime(String);

/// A text is no window.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAWindow {
    /// It has not the form of one.
    #[error("\"{0}\" is no part of the day: write it like \"08:00-18:00\"")]
    Form(String),
    /// It has no length.
    #[error("\"{0}\" ends when it begins: leave it away for the whole day")]
    Empty(String),
}

impl Day {
    /// Reads a day, such as `mon`, `last`, `first mon` or `12-24`.
    ///
    /// # Errors
    /// If it is none.
    pub fn parse(text: &str) -> Result<Self, NotADay> {
        let word = text.trim().to_lowercase();
        let read = || {
            if word == "last" {
                return Some(Self::LastOfMonth);
            }
            if let Some((ordinal, day)) = word.split_once(' ') {
                let (_, nth) = ORDINALS.into_iter().find(|(name, _)| *name == ordinal)?;
                return Some(Self::NthOfMonth(nth, weekday(day.trim())?));
            }
            if let Some((month, day)) = word.split_once('-') {
                let (month, day) = (month.parse().ok()?, day.parse().ok()?);
                return Date::new(LEAP_YEAR, month, day).ok().map(|_| Self::OfYear(month, day));
            }
            weekday(&word).map(Self::OfWeek)
        };
        read().ok_or_else(|| NotADay(format!("\"{text}\"")))
    }

    /// A day of the month.
    ///
    /// # Errors
    /// If no month has it.
    pub fn of_month(number: i64) -> Result<Self, NotADay> {
        match i8::try_from(number) {
            Ok(day @ 1..=31) => Ok(Self::OfMonth(day)),
            _ => Err(NotADay(number.to_string())),
        }
    }

    fn is(self, date: Date) -> bool {
        match self {
            Self::OfWeek(weekday) => date.weekday() == weekday,
            Self::OfMonth(day) => date.day() == day,
            Self::LastOfMonth => date.day() == date.days_in_month(),
            Self::NthOfMonth(nth, weekday) => date.nth_weekday_of_month(nth, weekday).is_ok_and(|nth| nth == date),
            Self::OfYear(month, day) => date.month() == month && date.day() == day,
        }
    }
}

impl Days {
    /// Reads one word of a list of days: a day, or a word for several.
    ///
    /// # Errors
    /// If it is none.
    pub fn parse(word: &str) -> Result<Self, NotADay> {
        let of_week = |days: &[(&str, &str, Weekday)]| Self(days.iter().map(|(_, _, day)| Day::OfWeek(*day)).collect());
        let (weekdays, weekends) = WEEKDAYS.split_at(5);
        match word.trim().to_lowercase().as_str() {
            "daily" => Ok(of_week(&WEEKDAYS)),
            "weekdays" => Ok(of_week(weekdays)),
            "weekends" => Ok(of_week(weekends)),
            _ => Day::parse(word).map(|day| Self(vec![day])),
        }
    }

    /// These and those.
    #[must_use]
    pub fn and(mut self, more: Self) -> Self {
        self.0.extend(more.0);
        self
    }

    /// Whether every day is one of them.
    #[must_use]
    pub fn are_all(&self) -> bool {
        let has = |weekday| self.0.contains(&Day::OfWeek(weekday));
        self.0.is_empty() || WEEKDAYS.iter().all(|(_, _, weekday)| has(*weekday))
    }

    /// Whether a date is one of them.
    #[must_use]
    pub fn has(&self, date: Date) -> bool {
        self.0.is_empty() || self.0.iter().any(|day| day.is(date))
    }
}

impl FromIterator<Day> for Days {
    fn from_iter<I: IntoIterator<Item = Day>>(days: I) -> Self {
        Self(days.into_iter().collect())
    }
}

fn weekday(name: &str) -> Option<Weekday> {
    WEEKDAYS.into_iter().find(|(short, long, _)| name == *short || name == *long).map(|(_, _, weekday)| weekday)
}

/// Reads a time of day, such as `08:00`.
///
/// # Errors
/// If it is none.
pub fn time_of_day(text: &str) -> Result<Time, NotATime> {
    let read = || {
        let (hour, minute) = text.trim().split_once(':')?;
        let number =
            |text: &str| (text.len() <= 2 && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok());
        Time::new(number(hour)??, number(minute).filter(|_| minute.len() == 2)??, 0, 0).ok()
    };
    read().ok_or_else(|| NotATime(text.to_owned()))
}

impl Window {
    /// Reads a window, such as `08:00-18:00` or `22:00-06:00`. `24:00` is the end of the day.
    ///
    /// # Errors
    /// If it is none, or has no length.
    pub fn parse(text: &str) -> Result<Self, NotAWindow> {
        let form = || NotAWindow::Form(text.to_owned());
        let (start, end) = text.split_once('-').ok_or_else(form)?;
        let end = if end.trim() == "24:00" { "00:00" } else { end };
        let window =
            Self { start: time_of_day(start).map_err(|_| form())?, end: time_of_day(end).map_err(|_| form())? };
        if window.start == window.end { Err(NotAWindow::Empty(text.to_owned())) } else { Ok(window) }
    }
}

/// A stretch of time, and whether a run may fall on its very end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    start: Timestamp,
    pub(super) end: Timestamp,
    with_end: bool,
}

impl Span {
    /// What a window is on a date; the whole day without one.
    pub(super) fn of(date: Date, window: Option<Window>, zone: &TimeZone) -> Option<Self> {
        let start = window.map_or(Time::midnight(), |window| window.start);
        let end = window.map_or(Time::midnight(), |window| window.end);
        let end_date = if end <= start { date.tomorrow().ok()? } else { date };
        Some(Self {
            start: instant(zone, date.to_datetime(start))?,
            end: instant(zone, end_date.to_datetime(end))?,
            // Midnight belongs to the day that it begins; who writes "08:00-18:00" expects a run at 18:00.
            with_end: window.is_some(),
        })
    }

    pub(super) fn has(&self, now: Timestamp) -> bool {
        self.start <= now && now < self.end
    }

    /// The first run in it after `now`.
    pub(super) fn next_after(&self, every: Interval, now: Timestamp) -> Option<Timestamp> {
        let every = i128::try_from(every.duration().as_nanos()).ok()?;
        let passed = now.duration_since(self.start).as_nanos();
        let steps = if passed < 0 { 0 } else { passed / every + 1 };
        let offset = i64::try_from(steps.checked_mul(every)?).ok()?;
        let run = self.start.checked_add(SignedDuration::from_nanos(offset)).ok()?;
        (run < self.end || self.with_end && run == self.end).then_some(run)
    }
}

/// When a clock shows a time: the first time that it does; if it skips that time, when it has done so.
pub(super) fn instant(zone: &TimeZone, at: DateTime) -> Option<Timestamp> {
    let found = zone.to_ambiguous_timestamp(at);
    let is_skipped = matches!(found.offset(), AmbiguousOffset::Gap { .. });
    let earlier = found.earlier().ok()?;
    if is_skipped { zone.following(earlier).next().map(|transition| transition.timestamp()) } else { Some(earlier) }
}

/// A time of day as it is written.
pub(super) fn written(time: Time) -> String {
    time.strftime("%H:%M").to_string()
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", written(self.start), written(self.end))
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let short = |weekday| WEEKDAYS.iter().find(|(_, _, known)| *known == weekday).map_or("", |(short, _, _)| short);
        match *self {
            Self::OfWeek(weekday) => f.write_str(short(weekday)),
            Self::OfMonth(day) => write!(f, "{day}"),
            Self::LastOfMonth => f.write_str("last"),
            Self::NthOfMonth(nth, weekday) => {
                let ordinal = ORDINALS.iter().find(|(_, known)| *known == nth).map_or("", |(name, _)| name);
                write!(f, "{ordinal} {}", short(weekday))
            }
            Self::OfYear(month, day) => write!(f, "{month:02}-{day:02}"),
        }
    }
}

impl fmt::Display for Days {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.are_all() {
            return f.write_str("daily");
        }
        let days: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&days.join(", "))
    }
}
