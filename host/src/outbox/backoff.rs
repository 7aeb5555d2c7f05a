//! How long to wait after an attempt that failed.

use std::time::Duration;

/// Doubling waits that are not the same for all: what failed at the same time is not tried at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// The first wait.
    pub first: Duration,
    /// The longest wait.
    pub longest: Duration,
}

impl Backoff {
    /// The wait after the `attempt`-th attempt, counted from 1: at most a quarter longer or shorter than the doubled one
    /// before.
    #[must_use]
    pub fn after(&self, attempt: u64) -> Duration {
        let mut random = [0; 4];
        // Without a source of random numbers, the waits are even.
        let jitter = match aws_lc_rs::rand::fill(&mut random) {
            Ok(()) => f64::from(u32::from_le_bytes(random)) / f64::from(u32::MAX),
            Err(_) => 0.5,
        };
        self.with(attempt, jitter)
    }

    /// The same with a jitter between 0 and 1.
    fn with(&self, attempt: u64, jitter: f64) -> Duration {
        let doublings = u32::try_from(attempt.saturating_sub(1)).unwrap_or(u32::MAX).min(31);
        let wait = self.first.saturating_mul(1 << doublings).min(self.longest);
        wait.mul_f64(0.75 + jitter / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest() {
        let backoff = Backoff { first: Duration::from_secs(60), longest: Duration::from_secs(3600) };
        let check = |attempt, jitter, expect| assert_eq!(backoff.with(attempt, jitter), Duration::from_secs(expect));
        check(1, 0.5, 60);
        check(2, 0.5, 120);
        check(3, 0.0, 180);
        check(3, 1.0, 300);
        check(7, 0.5, 3600);
        check(u64::MAX, 0.5, 3600);
    }
}
