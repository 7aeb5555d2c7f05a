//! Whether each job gets on: a job says by when it will have said something again, and one that does not keep to it hangs.
//!
//! That the process is alive shows nothing of that. The watchdog of systemd and `/healthz` ask here.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The jobs that run, and by when each will have said something.
#[derive(Debug)]
pub struct Vitals {
    stall: Duration,
    jobs: Mutex<BTreeMap<String, Sign>>,
}

/// What a job last said.
#[derive(Debug, Clone, Copy)]
struct Sign {
    /// By when it says something again; none: it waits for people.
    by: Option<Instant>,
}

impl Vitals {
    /// With the time after which a job that says nothing counts as hanging.
    #[must_use]
    pub fn new(stall: Duration) -> Self {
        Self { stall, jobs: Mutex::default() }
    }

    /// Begins to watch a job, or finds it at work.
    pub fn watch(&self, job: &str) {
        self.watch_from(job, Instant::now());
    }

    /// The job has got on. Nothing happens if it is not watched, as where jobs run once.
    pub fn progress(&self, job: &str) {
        self.sign(job, Some(Duration::ZERO), Instant::now());
    }

    /// The job rests for so long at most; none: until people want something.
    pub fn rest(&self, job: &str, at_most: Option<Duration>) {
        self.sign(job, at_most, Instant::now());
    }

    /// The job has ended.
    pub fn forget(&self, job: &str) {
        self.lock().remove(job);
    }

    /// The jobs that should have said something by now.
    #[must_use]
    pub fn overdue(&self) -> Vec<String> {
        self.overdue_at(Instant::now())
    }

    fn watch_from(&self, job: &str, now: Instant) {
        self.lock().insert(job.to_owned(), Sign { by: Some(now + self.stall) });
    }

    fn sign(&self, job: &str, at_most: Option<Duration>, now: Instant) {
        // A time that cannot be reckoned never comes.
        let by = at_most.and_then(|rest| now.checked_add(rest)?.checked_add(self.stall));
        if let Some(sign) = self.lock().get_mut(job) {
            sign.by = by;
        }
    }

    fn overdue_at(&self, now: Instant) -> Vec<String> {
        let jobs = self.lock();
        let late = jobs.iter().filter(|(_, sign)| sign.by.is_some_and(|by| by < now));
        late.map(|(job, _)| job.clone()).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Sign>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_that_says_nothing_for_too_long_is_overdue() {
        let begin = Instant::now();
        let at = |seconds| begin + Duration::from_secs(seconds);
        let vitals = Vitals::new(Duration::from_secs(60));
        vitals.progress("unknown");
        vitals.watch_from("desk", at(0));
        assert_eq!(vitals.overdue_at(at(59)), [""; 0]);
        vitals.sign("desk", Some(Duration::ZERO), at(59));
        assert_eq!(vitals.overdue_at(at(118)), [""; 0], "it has got on meanwhile");
        assert_eq!(vitals.overdue_at(at(120)), ["desk"]);
        vitals.sign("desk", Some(Duration::from_secs(1_000)), at(120));
        assert_eq!(vitals.overdue_at(at(1_179)), [""; 0], "it may rest that long");
        assert_eq!(vitals.overdue_at(at(1_181)), ["desk"]);
        vitals.rest("desk", None);
        vitals.watch_from("sales", at(1_200));
        assert_eq!(vitals.overdue_at(at(100_000)), ["sales"], "a paused job waits for people");
        vitals.forget("sales");
        assert_eq!(vitals.overdue_at(at(100_000)), [""; 0]);
        vitals.rest("desk", Some(Duration::MAX));
        assert_eq!(vitals.overdue_at(at(100_000)), [""; 0], "a time beyond all time");
    }
}
