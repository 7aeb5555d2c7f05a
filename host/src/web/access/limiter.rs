//! How often somebody may try to log in.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How many failed attempts are free.
const FREE: u32 = 5;
/// How long one waits after the first that is not; each further one doubles it.
const WAIT: Duration = Duration::from_secs(2);
/// The longest wait.
const WAIT_MAX: Duration = Duration::from_secs(15 * 60);
/// How many addresses are remembered; beyond, those that have waited longest are forgotten.
const ADDRESSES_MAX: usize = 10_000;

/// Who has failed to log in, and how often. Counted by the address that they come from, so that nobody can lock somebody else out.
#[derive(Debug, Default)]
pub(in crate::web) struct Limiter {
    failures: Mutex<HashMap<IpAddr, Failures>>,
}

#[derive(Debug, Clone, Copy)]
struct Failures {
    count: u32,
    until: Instant,
}

impl Limiter {
    /// How long an address has to wait before it may try; zero if it may.
    pub(in crate::web) fn wait(&self, address: IpAddr, now: Instant) -> Duration {
        let failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        failures.get(&address).map_or(Duration::ZERO, |failures| failures.until.saturating_duration_since(now))
    }

    /// Notes that an attempt failed.
    pub(in crate::web) fn failed(&self, address: IpAddr, now: Instant) {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        if failures.len() >= ADDRESSES_MAX && !failures.contains_key(&address) {
            let oldest = failures.iter().min_by_key(|(_, failures)| failures.until).map(|(address, _)| *address);
            oldest.map(|oldest| failures.remove(&oldest));
        }
        let failures = failures.entry(address).or_insert(Failures { count: 0, until: now });
        // Who has stayed away for as long as the longest wait begins anew.
        if now.saturating_duration_since(failures.until) > WAIT_MAX {
            failures.count = 0;
        }
        failures.count = failures.count.saturating_add(1);
        let beyond = failures.count.saturating_sub(FREE);
        let wait = if beyond == 0 { Duration::ZERO } else { WAIT * 2u32.saturating_pow(beyond - 1) };
        failures.until = now + wait.min(WAIT_MAX);
    }

    /// Notes that an attempt succeeded.
    pub(in crate::web) fn succeeded(&self, address: IpAddr) {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner).remove(&address);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_guesses_waits_longer_and_longer() {
        let limiter = Limiter::default();
        let (one, other) = (IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 2]));
        let mut now = Instant::now();
        let mut waits = Vec::new();
        for _ in 0..8 {
            limiter.failed(one, now);
            waits.push(limiter.wait(one, now).as_secs());
            now += limiter.wait(one, now);
        }
        assert_eq!(waits, [0, 0, 0, 0, 0, 2, 4, 8]);
        assert_eq!(limiter.wait(other, now), Duration::ZERO);
        for _ in 0..40 {
            limiter.failed(one, now);
        }
        assert_eq!(limiter.wait(one, now), WAIT_MAX);
        limiter.succeeded(one);
        assert_eq!(limiter.wait(one, now), Duration::ZERO);
    }

    #[test]
    fn addresses_without_end_take_no_memory_without_end() {
        let limiter = Limiter::default();
        let now = Instant::now();
        for number in 0..=u32::try_from(ADDRESSES_MAX).unwrap() {
            limiter.failed(IpAddr::from(number.to_be_bytes()), now);
        }
        assert_eq!(limiter.failures.lock().unwrap().len(), ADDRESSES_MAX);
    }
}
