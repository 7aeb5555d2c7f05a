//! Schedules: when a job runs.
//!
//! A schedule is a pure value: asked with a time, it answers with the run after it. Times of day are those of its time
//! zone. Where a clock is put forward, what falls into the gap happens once, when the gap is over; where it is put back,
//! what falls into the repeated hour happens once, the first time. An interval counts the time that really passes.

mod calendar;
mod cron;
mod interval;
#[cfg(test)]
mod tests;

pub use calendar::{Day, Days, NotADay, NotATime, NotAWindow, Window, time_of_day};
pub use cron::{Cron, NotACron};
pub use interval::{Interval, Jitter, NotADelay, NotAnInterval};

use calendar::{Span, instant};
use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};
use std::fmt;

/// How many days are searched for the next run: two 29ths of February can be eight years apart.
const SEARCH_DAYS_MAX: usize = 9 * 366;

/// When a job runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// Its runs, if there were no first and last date.
    pub runs: Runs,
    /// The first date on which it runs.
    pub from: Option<Date>,
    /// The last one.
    pub until: Option<Date>,
    /// What its dates and times mean.
    pub time_zone: TimeZone,
}

/// The runs of a schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Runs {
    /// At some times of some days.
    On(Days, Times),
    /// As a cron table says.
    Cron(Cron),
}

/// When a job runs on a day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Times {
    /// Again and again, all day or in a window of it. A window belongs to the day on which it begins.
    Every(Interval, Option<Window>),
    /// At these times.
    At(Vec<Time>),
}

impl Default for Schedule {
    fn default() -> Self {
        let times = Times::Every(Interval::DEFAULT, None);
        Self { runs: Runs::On(Days::default(), times), from: None, until: None, time_zone: TimeZone::system() }
    }
}

impl Schedule {
    /// The first run after `now`; none if there is none any more.
    #[must_use]
    pub fn next_after(&self, now: Timestamp) -> Option<Timestamp> {
        let just_before = |begins: Timestamp| begins.saturating_sub(SignedDuration::from_nanos(1)).ok();
        let now = self.begins().and_then(just_before).map_or(now, |before| before.max(now));
        let next = match &self.runs {
            Runs::Cron(cron) => cron.next_after(now, &self.time_zone),
            Runs::On(days, Times::Every(every, None)) if days.are_all() => next_multiple(*every, now),
            Runs::On(days, times) => self.dates(now).filter(|date| days.has(*date)).find_map(|date| match times {
                Times::Every(every, window) => Span::of(date, *window, &self.time_zone)?.next_after(*every, now),
                Times::At(times) => {
                    let runs = times.iter().filter_map(|time| instant(&self.time_zone, date.to_datetime(*time)));
                    runs.filter(|run| *run > now).min()
                }
            }),
        };
        next.filter(|next| *next < self.ends())
    }

    /// All runs after `now`, in order.
    pub fn runs_after(&self, now: Timestamp) -> impl Iterator<Item = Timestamp> {
        std::iter::successors(self.next_after(now), |run| self.next_after(*run))
    }

    /// Until when the job may look at its mailbox at any time, if it may now: a schedule of intervals is open all day or
    /// in its window; one of fixed times never is.
    #[must_use]
    pub fn open_until(&self, now: Timestamp) -> Option<Timestamp> {
        let Runs::On(days, Times::Every(_, window)) = &self.runs else { return None };
        let ends = self.ends();
        if now >= ends || self.begins().is_some_and(|begins| now < begins) {
            return None;
        }
        if window.is_none() && days.are_all() {
            return Some(ends);
        }
        let days = self.dates(now).take(2).filter(|date| days.has(*date));
        let mut spans = days.filter_map(|date| Span::of(date, *window, &self.time_zone));
        spans.find(|span| span.has(now)).map(|span| span.end.min(ends))
    }

    /// Whether what failed may be tried again at this time: outside of its window a job leaves its mailbox alone, but a run
    /// at a fixed time must not be lost to a server that is away for a minute.
    #[must_use]
    pub fn allows_retry(&self, at: Timestamp) -> bool {
        !matches!(self.runs, Runs::On(_, Times::Every(..))) || self.open_until(at).is_some()
    }

    /// The dates whose runs may be after `now`, from the day before: its window may reach into today.
    fn dates(&self, now: Timestamp) -> impl Iterator<Item = Date> {
        let today = self.time_zone.to_datetime(now).date();
        let first = today.yesterday().unwrap_or(today);
        first.series(1.day()).take(SEARCH_DAYS_MAX).filter(|date| self.from.is_none_or(|from| *date >= from))
    }

    fn begins(&self) -> Option<Timestamp> {
        instant(&self.time_zone, self.from?.to_datetime(Time::midnight()))
    }

    /// The end of the last date.
    fn ends(&self) -> Timestamp {
        let after = self.until.and_then(|until| until.tomorrow().ok());
        after.and_then(|date| instant(&self.time_zone, date.to_datetime(Time::midnight()))).unwrap_or(Timestamp::MAX)
    }
}

/// The next multiple of an interval: counted from a fixed time, so that a new start does not shift the runs.
fn next_multiple(every: Interval, now: Timestamp) -> Option<Timestamp> {
    let every = i64::try_from(every.duration().as_secs()).ok()?;
    let multiple = now.as_second().div_euclid(every).checked_add(1)?.checked_mul(every)?;
    Timestamp::from_second(multiple).ok()
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.runs {
            Runs::Cron(cron) => write!(f, "cron {cron}")?,
            Runs::On(days, Times::Every(every, window)) => {
                write!(f, "every {every}")?;
                window.map_or(Ok(()), |window| write!(f, ", {window}"))?;
                if days.are_all() { Ok(()) } else { write!(f, ", {days}") }?;
            }
            Runs::On(days, Times::At(times)) => {
                let times: Vec<String> = times.iter().map(|time| calendar::written(*time)).collect();
                write!(f, "{days} at {}", times.join(", "))?;
            }
        }
        self.from.map_or(Ok(()), |from| write!(f, ", from {from}"))?;
        self.until.map_or(Ok(()), |until| write!(f, ", until {until}"))
    }
}
