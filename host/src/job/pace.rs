//! The pace of a job: when exactly a planned run begins, and how long it waits after a failure.

use crate::config::Schedule;
use crate::schedule::Jitter;
use jiff::{SignedDuration, Timestamp};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

/// Where the job does not say: a run is late by at most one part in so many of the time to the next one.
const JITTER_PART: u32 = 10;
/// Where the job does not say: the longest delay of a run.
const JITTER_MAX: Duration = Duration::from_secs(30);
/// The first pause after a failed session; it doubles with each further failure.
const BACK_OFF_MIN: Duration = Duration::from_secs(1);
/// The longest pause after failed sessions.
const BACK_OFF_MAX: Duration = Duration::from_secs(300);
/// The first pause after a refused login, which doubles as well: many servers lock an account after five attempts in
/// half an hour.
const LOGIN_PAUSE_MIN: Duration = Duration::from_secs(300);
/// The longest pause after refused logins.
const LOGIN_PAUSE_MAX: Duration = Duration::from_secs(60 * 60);

/// A clock that goes back by less is only set right.
const SET_BACK_MIN: SignedDuration = SignedDuration::from_secs(1);

/// Gives numbers between 0 and 1.
pub(super) type Chance = fn() -> f64;

/// How a session failed, as far as the pause depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Failure {
    /// Each further attempt may get the account locked.
    pub(super) login_refused: bool,
    /// How long the server itself wants to be left alone.
    pub(super) hint: Option<Duration>,
}

/// What comes next, unless people or the server want something before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Planned {
    /// When; never, if the schedule is over.
    pub(super) at: Option<Timestamp>,
    /// The session before failed, and the server is left alone until then.
    pub(super) is_retry: bool,
}

/// How a job keeps its schedule.
#[derive(Debug)]
pub(super) struct Pace {
    failures: u32,
    chance: Chance,
}

impl Pace {
    pub(super) fn new(chance: Chance) -> Self {
        Self { failures: 0, chance }
    }

    /// When the first run after `now` begins.
    pub(super) fn next_run(&self, schedule: &Schedule, now: Timestamp) -> Option<Timestamp> {
        let run = schedule.runs.next_after(now)?;
        let usual = || {
            let gap = schedule.runs.next_after(run).map(|next| next.duration_since(run).unsigned_abs());
            gap.map_or(JITTER_MAX, |gap| JITTER_MAX.min(gap / JITTER_PART))
        };
        let most = schedule.jitter.map_or_else(usual, Jitter::duration);
        Some(later(run, most.mul_f64((self.chance)())))
    }

    /// When a job begins that starts now: at once if its schedule lets it.
    pub(super) fn first_run(&self, schedule: &Schedule, now: Timestamp) -> Option<Timestamp> {
        schedule.runs.open_until(now).map(|_| now).or_else(|| self.next_run(schedule, now))
    }

    /// When to run what was `planned`, if the clock shows `now` and showed `last` before. Where it was set back, what was planned
    /// would be late by as much: a planned run is planned anew, a retry waits as long as it had left.
    pub(super) fn replanned(&self, schedule: &Schedule, planned: Planned, last: Timestamp, now: Timestamp) -> Planned {
        let back = last.duration_since(now);
        if back < SET_BACK_MIN {
            return planned;
        }
        let at = match planned {
            Planned { at: Some(at), is_retry: true } => Some(at.checked_sub(back).unwrap_or(now)),
            Planned { at: _, is_retry: false } => self.next_run(schedule, now),
            Planned { at: None, is_retry: true } => None,
        };
        Planned { at, ..planned }
    }

    /// Notes that all is well.
    pub(super) fn succeeded(&mut self) {
        self.failures = 0;
    }

    /// When to try again after a session that has just failed.
    pub(super) fn retry(&mut self, schedule: &Schedule, now: Timestamp, failure: Failure) -> Option<Timestamp> {
        self.failures = self.failures.saturating_add(1);
        let (least, most) =
            if failure.login_refused { (LOGIN_PAUSE_MIN, LOGIN_PAUSE_MAX) } else { (BACK_OFF_MIN, BACK_OFF_MAX) };
        let doubled = least.saturating_mul(2u32.saturating_pow(self.failures - 1)).min(most);
        // Jobs that failed together must not come back together.
        let varied = doubled.mul_f64(1.0 + (self.chance)() / 4.0);
        let asked_for = failure.hint.unwrap_or_default();
        let retry = later(now, varied.max(asked_for));
        let next = self.next_run(schedule, now);
        if !failure.login_refused && failure.hint.is_none() && next.is_some_and(|next| next < retry) {
            return next;
        }
        if schedule.runs.allows_retry(retry) { Some(retry) } else { self.next_run(schedule, retry) }
    }
}

fn later(at: Timestamp, by: Duration) -> Timestamp {
    SignedDuration::try_from(by).ok().and_then(|by| at.checked_add(by).ok()).unwrap_or(Timestamp::MAX)
}

/// A number between 0 and 1 that nobody can foretell.
pub(super) fn chance() -> f64 {
    let [a, b, c, d, ..] = RandomState::new().build_hasher().finish().to_le_bytes();
    f64::from(u32::from_le_bytes([a, b, c, d])) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::{self, Cron, Days, Interval, Runs, Times, Window};

    fn every(text: &str, window: Option<&str>) -> Schedule {
        let window = window.map(|window| Window::parse(window).unwrap());
        of(Runs::On(Days::default(), Times::Every(Interval::parse(text).unwrap(), window)))
    }

    fn of(runs: Runs) -> Schedule {
        let runs = schedule::Schedule { runs, time_zone: jiff::tz::TimeZone::UTC, ..Default::default() };
        Schedule { runs, jitter: None, push: true }
    }

    fn at(time: &str) -> Timestamp {
        format!("2026-01-01T{time}Z").parse().unwrap()
    }

    #[test]
    fn a_clock_that_is_set_back_delays_nothing() {
        let check = |schedule: &Schedule, is_retry, planned: &str, now: &str, expect: &str| {
            let planned = Planned { at: Some(at(planned)), is_retry };
            let expect = Planned { at: Some(at(expect)), is_retry };
            let found = Pace::new(|| 0.0).replanned(schedule, planned, at("12:00:00"), at(now));
            assert_eq!(found, expect, "the clock shows {now}");
        };
        let (five, nine) = (every("5m", None), of(Runs::Cron(Cron::parse("0 13 * * *").unwrap())));
        check(&five, false, "12:05:00", "08:01:00", "08:05:00");
        check(&five, true, "12:00:40", "08:00:00", "08:00:40");
        // What is to be at a time of day is at that time.
        check(&nine, false, "13:00:00", "11:00:00", "13:00:00");
        // Forward, or hardly back: what was planned stays, and is due sooner.
        check(&five, false, "12:05:00", "23:00:00", "12:05:00");
        check(&five, false, "12:05:00", "11:59:59.5", "12:05:00");
    }

    #[test]
    fn a_run_is_a_little_late() {
        let check = |schedule: &Schedule, chance: Chance, expect: &str| {
            assert_eq!(Pace::new(chance).next_run(schedule, at("00:00:01")), Some(at(expect)));
        };
        let five = every("5m", None);
        check(&five, || 0.0, "00:05:00");
        check(&five, || 0.5, "00:05:15");
        check(&five, || 1.0, "00:05:30");
        check(&every("10s", None), || 1.0, "00:00:11");
        check(&of(Runs::Cron(Cron::parse("0 8 * * *").unwrap())), || 0.0, "08:00:00");
        check(&Schedule { jitter: Jitter::parse("2m").ok(), ..five.clone() }, || 0.5, "00:06:00");
        check(&Schedule { jitter: Jitter::parse("0s").ok(), ..five }, || 1.0, "00:05:00");
        assert!((0..100).all(|_| (0.0..=1.0).contains(&chance())));
        assert!((0..100).map(|_| chance().to_bits()).collect::<std::collections::BTreeSet<_>>().len() > 90);
    }

    #[test]
    fn a_job_starts_at_once_only_within_its_window() {
        let check = |schedule: &Schedule, now: &str, expect: &str| {
            assert_eq!(Pace::new(|| 0.0).first_run(schedule, at(now)), Some(at(expect)), "{now}");
        };
        check(&every("5m", None), "00:01:00", "00:01:00");
        check(&every("5m", Some("08:00-18:00")), "09:01:00", "09:01:00");
        check(&every("5m", Some("08:00-18:00")), "07:01:00", "08:00:00");
        check(&of(Runs::Cron(Cron::parse("0 8 * * *").unwrap())), "07:01:00", "08:00:00");
    }

    /// The pauses in seconds after failures that follow each other.
    fn pauses(schedule: &Schedule, chance: Chance, failure: Failure, count: usize) -> Vec<i64> {
        let mut pace = Pace::new(chance);
        let mut now = at("08:00:00");
        std::iter::repeat_with(|| {
            let retry = pace.retry(schedule, now, failure).unwrap();
            let pause = retry.duration_since(now).as_secs();
            now = retry;
            pause
        })
        .take(count)
        .collect()
    }

    #[test]
    fn pauses_grow_up_to_a_limit() {
        let check = |schedule: &Schedule, chance: Chance, expect: &[i64]| {
            assert_eq!(pauses(schedule, chance, Failure::default(), expect.len()), expect);
        };
        let rare = every("24h", None);
        check(&rare, || 0.0, &[1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
        check(&rare, || 1.0, &[1, 2, 5, 10, 20, 40, 80, 160, 320, 375, 375]);
        // The schedule's own next run comes first.
        check(&every("30s", None), || 0.0, &[1, 2, 4, 8, 15, 30, 30]);
        let mut pace = Pace::new(|| 0.0);
        pace.retry(&rare, at("08:00:00"), Failure::default());
        pace.succeeded();
        assert_eq!(pace.retry(&rare, at("08:00:00"), Failure::default()), Some(at("08:00:01")));
    }

    #[test]
    fn a_refused_login_is_no_reason_to_hammer() {
        let refused = Failure { login_refused: true, hint: None };
        let expect = [300, 600, 1200, 2400, 3600, 3600];
        assert_eq!(pauses(&every("1s", None), || 0.0, refused, 6), expect);
        assert_eq!(pauses(&every("24h", None), || 0.0, refused, 6), expect);
        // Five attempts within half an hour lock many an account.
        let half_an_hour = pauses(&every("1s", None), || 0.0, refused, 4);
        assert!(half_an_hour.iter().sum::<i64>() > 30 * 60);
    }

    #[test]
    fn a_server_is_left_alone_for_as_long_as_it_wants() {
        let hinted = |seconds| Failure { login_refused: false, hint: Some(Duration::from_secs(seconds)) };
        assert_eq!(pauses(&every("1s", None), || 0.0, hinted(120), 2), [120, 120]);
        assert_eq!(pauses(&every("24h", None), || 0.0, hinted(3), 4), [3, 3, 4, 8]);
        let both = Failure { login_refused: true, hint: Some(Duration::from_secs(900)) };
        assert_eq!(pauses(&every("1s", None), || 0.0, both, 3), [900, 900, 1200]);
    }

    #[test]
    fn outside_of_its_window_a_job_does_not_try_again() {
        let check = |schedule: &Schedule, now: &str, hint: Option<u64>, expect: &str| {
            let failure = Failure { login_refused: false, hint: hint.map(Duration::from_secs) };
            let next = Pace::new(|| 0.0).retry(schedule, at(now), failure);
            assert_eq!(next, Some(expect.parse().unwrap()), "{now}");
        };
        let office = every("5m", Some("08:00-18:00"));
        check(&office, "17:56:00", None, "2026-01-01T17:56:01Z");
        check(&office, "17:56:00", Some(600), "2026-01-02T08:00:00Z");
        check(&office, "18:00:00", None, "2026-01-02T08:00:00Z");
        // A run at a fixed time is tried again whenever it may succeed.
        check(&of(Runs::Cron(Cron::parse("0 8 * * *").unwrap())), "08:00:00", None, "2026-01-01T08:00:01Z");
    }
}
