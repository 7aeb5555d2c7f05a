//! How a step's plugin fares: who fails again and again is left out, so that it costs no further message its time.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How one step fares, over all workers and for as long as neither its plugin nor its rules change.
#[derive(Debug, Default)]
pub struct Health {
    faults_in_a_row: AtomicU64,
    /// Whether there is a suspension: each message asks, and takes no lock for it.
    is_suspended: AtomicBool,
    suspension: Mutex<Option<Arc<Suspension>>>,
}

/// A step that is not called any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suspension {
    /// The step.
    pub step: String,
    /// Its plugin.
    pub plugin: String,
    /// The SHA-256 of the plugin's file, in hexadecimal.
    pub hash: String,
    /// How many calls in a row have failed; 0 if somebody has suspended it.
    pub faults: u64,
    /// How the last of them failed.
    pub last: String,
    /// Who has suspended it; none if its faults have.
    #[serde(default)]
    pub by: Option<String>,
    /// Since when.
    pub since: Timestamp,
}

impl std::fmt::Display for Suspension {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { plugin, faults, last, by, .. } = self;
        if let Some(by) = by {
            return write!(
                f,
                "{by} has suspended it, until somebody resumes it, the plugin \"{plugin}\" or the step's rules change, or the \
                 daemon starts anew"
            );
        }
        write!(
            f,
            "it is suspended until the plugin \"{plugin}\" or the step's rules change, because it has failed {faults} \
             times in a row; the last time {last}"
        )
    }
}

impl Health {
    /// Why the step is not called; none if it is.
    #[must_use]
    pub fn suspension(&self) -> Option<Arc<Suspension>> {
        if self.is_suspended.load(Ordering::Acquire) { self.held().clone() } else { None }
    }

    /// Has the step left out; false if it is already.
    pub fn suspend(&self, suspension: Suspension) -> bool {
        self.begin(&Arc::new(suspension))
    }

    /// Has the step called again, with no fault counted; false if it is not left out.
    pub fn resume(&self) -> bool {
        let mut held = self.held();
        self.faults_in_a_row.store(0, Ordering::Relaxed);
        self.is_suspended.store(false, Ordering::Release);
        held.take().is_some()
    }

    fn held(&self) -> MutexGuard<'_, Option<Arc<Suspension>>> {
        self.suspension.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self, suspension: &Arc<Suspension>) -> bool {
        let mut held = self.held();
        if held.is_some() {
            return false;
        }
        *held = Some(suspension.clone());
        self.is_suspended.store(true, Ordering::Release);
        true
    }

    /// Notes that a call went well.
    pub fn succeeded(&self) {
        // Mostly it is 0 already, and a store would take the line from the other workers.
        if self.faults_in_a_row.load(Ordering::Relaxed) > 0 {
            self.faults_in_a_row.store(0, Ordering::Relaxed);
        }
    }

    /// Notes that a call failed. With the fault that is one too many the step is suspended: then, and only then, `suspend` is
    /// called with the number of faults in a row, and what it makes comes back.
    pub fn failed(&self, faults_max: u64, suspend: impl FnOnce(u64) -> Suspension) -> Option<Arc<Suspension>> {
        let faults = self.faults_in_a_row.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        if faults < faults_max || self.is_suspended.load(Ordering::Acquire) {
            return None;
        }
        let suspension = Arc::new(suspend(faults));
        self.begin(&suspension).then_some(suspension)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn suspension(faults: u64) -> Suspension {
        let (step, plugin, last) = ("s".to_owned(), "p".to_owned(), "it panicked".to_owned());
        Suspension { step, plugin, hash: String::new(), faults, last, by: None, since: Timestamp::UNIX_EPOCH }
    }

    #[test]
    fn only_faults_in_a_row_suspend_and_only_once() {
        let health = Health::default();
        for _ in 0..10 {
            assert_eq!(health.failed(3, suspension), None);
            assert_eq!(health.failed(3, suspension), None);
            health.succeeded();
        }
        assert_eq!(health.suspension(), None);
        let ended: Vec<_> = (0..5).map(|_| health.failed(3, suspension).map(|suspension| suspension.faults)).collect();
        assert_eq!(ended, [None, None, Some(3), None, None]);
        assert_eq!(health.suspension().map(|suspension| suspension.faults), Some(3));
    }
    #[test]
    fn who_is_resumed_begins_with_no_fault() {
        let health = Health::default();
        assert!(!health.resume());
        assert!(health.suspend(suspension(0)) && !health.suspend(suspension(0)));
        assert_eq!(health.failed(1, suspension), None);
        assert!(health.resume() && !health.resume());
        assert_eq!(health.suspension(), None);
        assert_eq!(health.failed(2, suspension), None);
        assert_eq!(health.failed(2, suspension).map(|suspension| suspension.faults), Some(2));
    }
}
