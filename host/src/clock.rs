//! The system's clock, which people and time servers set: when it is to be believed about how old things are.

use jiff::{SignedDuration, Timestamp};
use std::time::{Duration, Instant};

/// By how much more than the time that has passed the clock may go forward. A computer that sleeps does not count that time.
const FORWARD_MAX: SignedDuration = SignedDuration::from_hours(24);
/// How long a clock that was set forward further is not believed: enough for a time server or a person to set it right.
const DOUBT: Duration = Duration::from_secs(24 * 60 * 60);

/// Looks at the clock again and again, for whoever forgets what is old: a clock that is set to next year must not make
/// everything old.
#[derive(Debug)]
pub(crate) struct Clock {
    /// What was believed last, and when.
    believed: (Timestamp, Instant),
    doubted_since: Option<Instant>,
}

impl Clock {
    /// What the clock shows now is believed: there is nothing to compare it with.
    pub(crate) fn new() -> Self {
        Self { believed: (Timestamp::now(), Instant::now()), doubted_since: None }
    }

    /// What it shows; none while it is in doubt.
    pub(crate) fn believed(&mut self) -> Option<Timestamp> {
        self.look(Timestamp::now(), Instant::now())
    }

    fn look(&mut self, shown: Timestamp, now: Instant) -> Option<Timestamp> {
        let (shown_before, before) = self.believed;
        let passed = SignedDuration::try_from(now.duration_since(before)).unwrap_or(SignedDuration::MAX);
        let forward = shown.duration_since(shown_before).saturating_sub(passed);
        if forward > FORWARD_MAX {
            let since = *self.doubted_since.get_or_insert_with(|| {
                let hours = forward.as_hours();
                tracing::warn!(
                    hours,
                    "the clock went forward by that much: what is old now is not forgotten for a day"
                );
                now
            });
            if now.duration_since(since) < DOUBT {
                return None;
            }
        }
        (self.believed, self.doubted_since) = ((shown, now), None);
        Some(shown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(60 * 60);

    /// Whether the clock is believed at each look, an hour after the one before, if it goes by so many hours each time.
    fn check(hours: &[i64], expect: &[bool]) {
        let mut clock = Clock::new();
        let (mut shown, mut now) = clock.believed;
        for (hours, expect) in hours.iter().zip(expect) {
            shown += SignedDuration::from_hours(*hours);
            now += HOUR;
            assert_eq!(clock.look(shown, now), expect.then_some(shown), "{hours} in {hours:?}");
        }
    }

    #[test]
    fn a_clock_that_jumps_forward_is_in_doubt_for_a_day() {
        check(&[1, 1, 25, 1], &[true; 4]);
        check(&[1, 26, 1, 1], &[true, false, false, false]);
        // It is set back: not far enough, and then as far as it is right.
        check(&[9_000, 1, -8_997, 1], &[false, false, true, true]);
        check(&[9_000, -30, 1, -8_960, 1], &[false, false, false, true, true]);
        // In small steps it gets there as well.
        check(&[20, 20, 1], &[true, true, true]);
        check(&[-9_000, 1], &[true, true]);
        // It stays so: then it is right.
        let mut hours = vec![9_000];
        hours.resize(30, 1);
        let mut expect = vec![false; 24];
        expect.resize(30, true);
        check(&hours, &expect);
        // A computer that sleeps for two days, again and again, is in doubt for a day of its own at a time.
        let mut hours = vec![49; 30];
        hours.resize(31, 1);
        let mut expect = vec![false; 24];
        expect.extend([true, false, false, false, false, false, false]);
        check(&hours, &expect);
    }
}
