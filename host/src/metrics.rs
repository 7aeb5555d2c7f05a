//! What is counted while mailmill runs, for those who look from outside. Only this module knows the library that writes
//! it down (OpenMetrics text, which Prometheus reads). `docs/operations.md` says what each number means.

use jiff::Timestamp;
use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use std::fmt;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

/// The text's media type.
pub const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// What all names begin with.
const PREFIX: &str = "mailmill";
/// From half a millisecond to a minute: the upper ends of the classes, in seconds.
const HOP_SECONDS: [f64; 12] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.25, 1.0, 5.0, 15.0, 60.0];

type Labels<const N: usize> = [(&'static str, String); N];
type Seconds = Counter<f64, AtomicU64>;
type Level = Gauge<f64, AtomicU64>;

/// A hop whose time is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hop {
    /// 2: decoding, with the wait for a worker.
    Parse,
    /// 3: which conversation a message belongs to.
    Thread,
    /// 4 to 7: all the rules, with the wait for a worker.
    Rules,
    /// 8: the transaction, with the wait for company.
    Commit,
    /// 9: a batch of marks on the server.
    Mark,
}

/// How a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// All was done.
    Well,
    /// What could be done was done, and something was left.
    Incomplete,
    /// It ended early.
    Failed,
}

/// The counters. One for the whole process; cheap to add to, from any thread.
pub struct Metrics {
    registry: Registry,
    messages: Family<Labels<2>, Counter>,
    sessions: Family<Labels<2>, Counter>,
    succeeded_at: Family<Labels<1>, Level>,
    hops: Family<Labels<1>, Histogram, fn() -> Histogram>,
    step_calls: Family<Labels<2>, Counter>,
    step_faults: Family<Labels<2>, Counter>,
    step_time: Family<Labels<2>, Seconds>,
    in_hand: AtomicI64,
}

/// How a step has fared since the process started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StepCounts {
    /// Calls of its plugin.
    pub calls: u64,
    /// Those that came to nothing.
    pub faults: u64,
}

/// What is read off when somebody asks, because it is known elsewhere.
#[derive(Debug, Default)]
pub struct Levels {
    rows: Vec<LevelRow>,
}

/// Names and values.
type Named = Vec<(&'static str, String)>;

/// A level: its name, what it says, its labels, its value.
type LevelRow = (&'static str, &'static str, Named, f64);

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix(PREFIX);
        let messages = Family::default();
        registry.register("messages", "Messages that were recorded, by what became of them", messages.clone());
        let sessions = Family::default();
        registry.register("sessions", "Sessions of jobs, by how they ended", sessions.clone());
        let succeeded_at = Family::default();
        let help = "When the job's last session ended well, in seconds since 1970";
        registry.register("job_last_success_timestamp_seconds", help, succeeded_at.clone());
        let hops = Family::new_with_constructor(hop_classes as fn() -> Histogram);
        registry.register("hop_seconds", "How long the hops of a message took", hops.clone());
        let step_calls = Family::default();
        registry.register("step_calls", "Calls of plugins, by step", step_calls.clone());
        let step_faults = Family::default();
        registry.register("step_faults", "Calls of plugins that came to nothing, by step", step_faults.clone());
        let step_time = Family::default();
        registry.register("step_seconds", "Time that plugins took, by step", step_time.clone());
        let in_hand = AtomicI64::new(0);
        Self { registry, messages, sessions, succeeded_at, hops, step_calls, step_faults, step_time, in_hand }
    }
}

fn hop_classes() -> Histogram {
    Histogram::new(HOP_SECONDS)
}

impl Hop {
    fn name(self) -> &'static str {
        match self {
            Self::Parse => "parse",
            Self::Thread => "thread",
            Self::Rules => "rules",
            Self::Commit => "commit",
            Self::Mark => "mark",
        }
    }
}

impl Metrics {
    /// Counts a message that is in the ledger now.
    pub fn message(&self, job: &str, outcome: &str) {
        self.messages.get_or_create(&[("job", job.to_owned()), ("outcome", outcome.to_owned())]).inc();
    }

    /// Counts a session.
    pub fn session(&self, job: &str, ended: Ended) {
        let outcome = match ended {
            Ended::Well => "well",
            Ended::Incomplete => "incomplete",
            Ended::Failed => "failed",
        };
        self.sessions.get_or_create(&[("job", job.to_owned()), ("outcome", outcome.to_owned())]).inc();
        if ended == Ended::Well {
            self.succeeded(job, Timestamp::now());
        }
    }

    /// Notes when a job last ended well.
    pub fn succeeded(&self, job: &str, at: Timestamp) {
        self.succeeded_at.get_or_create(&[("job", job.to_owned())]).set(at.as_duration().as_secs_f64());
    }

    /// Forgets a job that is no more.
    pub fn forget(&self, job: &str) {
        self.succeeded_at.remove(&[("job", job.to_owned())]);
    }

    /// Notes how long a hop took.
    pub fn hop(&self, hop: Hop, took: Duration) {
        self.hops.get_or_create(&[("hop", hop.name().to_owned())]).observe(took.as_secs_f64());
    }

    /// Counts a call of a step's plugin.
    pub fn step(&self, step: &str, plugin: &str, took: Duration, failed: bool) {
        let labels = [("step", step.to_owned()), ("plugin", plugin.to_owned())];
        self.step_calls.get_or_create(&labels).inc();
        self.step_time.get_or_create(&labels).inc_by(took.as_secs_f64());
        // It is there from the start, so that its first fault is a change that can be seen.
        self.step_faults.get_or_create(&labels).inc_by(u64::from(failed));
    }

    /// How often a step's plugin was called, and how often in vain.
    #[must_use]
    pub fn of_step(&self, step: &str, plugin: &str) -> StepCounts {
        let labels = [("step", step.to_owned()), ("plugin", plugin.to_owned())];
        let of = |family: &Family<Labels<2>, Counter>| family.get(&labels).map(|counter| counter.get());
        let [calls, faults] = [&self.step_calls, &self.step_faults].map(|family| of(family).unwrap_or_default());
        StepCounts { calls, faults }
    }

    /// A message is in hand from now on, until the value goes.
    pub fn take_in_hand(&self) -> InHand<'_> {
        self.in_hand.fetch_add(1, Ordering::Relaxed);
        InHand(self)
    }

    /// All of it as text, with these levels.
    ///
    /// # Errors
    /// Never: the text is written to memory.
    pub fn text(&self, mut levels: Levels) -> Result<String, fmt::Error> {
        let in_hand = self.in_hand.load(Ordering::Relaxed);
        #[allow(clippy::cast_precision_loss, reason = "there are a thousand for each job at most")]
        levels.add("messages_in_hand", "Messages that are fetched and not yet recorded", [], in_hand as f64);
        let mut text = String::new();
        encode_registry(&mut text, &self.registry)?;
        encode_registry(&mut text, &levels.registry())?;
        encode_eof(&mut text)?;
        Ok(text)
    }
}

impl Levels {
    /// Adds a number. Those of one name stand one after the other.
    pub fn add<const N: usize>(
        &mut self,
        name: &'static str,
        help: &'static str,
        labels: [(&'static str, &str); N],
        value: f64,
    ) {
        let labels = labels.into_iter().map(|(name, value)| (name, value.to_owned())).collect();
        self.rows.push((name, help, labels, value));
    }

    fn registry(self) -> Registry {
        let mut registry = Registry::with_prefix(PREFIX);
        let mut last: Option<(&str, Family<Named, Level>)> = None;
        for (name, help, labels, value) in self.rows {
            let family = match last.take() {
                Some((before, family)) if before == name => family,
                _ => {
                    let family = Family::default();
                    registry.register(name, help, family.clone());
                    family
                }
            };
            family.get_or_create(&labels).set(value);
            last = Some((name, family));
        }
        registry
    }
}

/// A message in hand.
#[derive(Debug)]
pub struct InHand<'m>(&'m Metrics);

impl Drop for InHand<'_> {
    fn drop(&mut self) {
        self.0.in_hand.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_is_counted_is_in_the_text() {
        let metrics = Metrics::default();
        metrics.message("desk", "accepted");
        metrics.message("desk", "accepted");
        metrics.session("desk \"1\"", Ended::Failed);
        metrics.succeeded("desk", Timestamp::from_second(12).unwrap());
        metrics.hop(Hop::Rules, Duration::from_millis(3));
        metrics.step("gmail", "reply 0.1.0", Duration::from_millis(1_500), true);
        let mut levels = Levels::default();
        levels.add("queue_depth", "How much waits", [("queue", "workers")], 3.0);
        levels.add("queue_depth", "How much waits", [("queue", "committer")], 4.0);
        let text = {
            let _in_hand = metrics.take_in_hand();
            metrics.text(levels).unwrap()
        };
        for line in [
            "mailmill_messages_total{job=\"desk\",outcome=\"accepted\"} 2",
            "mailmill_sessions_total{job=\"desk \\\"1\\\"\",outcome=\"failed\"} 1",
            "mailmill_job_last_success_timestamp_seconds{job=\"desk\"} 12.0",
            "mailmill_hop_seconds_bucket{le=\"0.0025\",hop=\"rules\"} 0",
            "mailmill_hop_seconds_bucket{le=\"0.005\",hop=\"rules\"} 1",
            "mailmill_step_calls_total{step=\"gmail\",plugin=\"reply 0.1.0\"} 1",
            "mailmill_step_faults_total{step=\"gmail\",plugin=\"reply 0.1.0\"} 1",
            "mailmill_step_seconds_total{step=\"gmail\",plugin=\"reply 0.1.0\"} 1.5",
            "mailmill_queue_depth{queue=\"workers\"} 3.0",
            "mailmill_queue_depth{queue=\"committer\"} 4.0",
            "mailmill_messages_in_hand 1.0",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
        assert!(text.ends_with("# EOF\n"), "{text}");
        assert_eq!(text.matches("# TYPE mailmill_queue_depth gauge").count(), 1, "{text}");
        metrics.forget("desk");
        let text = metrics.text(Levels::default()).unwrap();
        assert!(!text.contains("job_last_success_timestamp_seconds{") && text.contains("in_hand 0.0"), "{text}");
    }
}
