//! What `/metrics` shows besides the counters: how things stand at the moment.

use super::{STORE_ANSWERS_IN, Seen};
use crate::metrics::Levels;
use crate::store::{Figures, JobRow};
use jiff::Timestamp;

const QUEUES: &str = "Pieces of work that wait for a worker, or messages that wait to be recorded";
const OUTBOX: &str = "Entries of the outbox that wait to be sent (waiting) or were given up (dead)";
const STATE: &str = "What the job does: 1 at the state it is in";

/// Reads everything off. What the store does not tell in time is left out, and `store_up` is 0.
pub(super) async fn read(seen: &Seen) -> Levels {
    let mut levels = Levels::default();
    let ctx = &seen.ctx;
    let rules = seen.reloader.current();
    let revision = rules.revision().to_string();
    let build = [("version", env!("CARGO_PKG_VERSION")), ("revision", revision.as_str())];
    levels.add("build_info", "The version of mailmill, and the revision of the rules in force", build, 1.0);
    let refused = f64::from(u8::from(seen.reloader.has_refused()));
    levels.add("rules_refused", "1 while the rules on disk have errors and those before are in force", [], refused);
    levels.add("queue_depth", QUEUES, [("queue", "workers")], number(ctx.workers.waiting()));
    levels.add("queue_depth", QUEUES, [("queue", "committer")], number(ctx.committer.waiting()));
    for step in rules.steps() {
        let suspended = f64::from(u8::from(step.health.suspension().is_some()));
        levels.add(
            "step_suspended",
            "1 while the step is left out after repeated faults",
            [("step", &*step.name)],
            suspended,
        );
    }
    for job in ctx.vitals.overdue() {
        levels.add("job_overdue", "1 for a job that does not get on", [("job", job.as_str())], 1.0);
    }
    let told = async { Ok::<_, crate::store::Error>((ctx.store.figures().await?, ctx.store.jobs().await?)) };
    let told = tokio::time::timeout(STORE_ANSWERS_IN, told).await;
    let store_up = matches!(told, Ok(Ok(_)));
    levels.add("store_up", "1 while the database answers", [], f64::from(u8::from(store_up)));
    if let Ok(Ok((figures, jobs))) = told {
        add_figures(&mut levels, &figures);
        add_jobs(&mut levels, &jobs);
    }
    levels
}

fn add_figures(levels: &mut Levels, figures: &Figures) {
    levels.add("outbox_entries", OUTBOX, [("state", "waiting")], count(figures.outbox_waiting));
    levels.add("outbox_entries", OUTBOX, [("state", "dead")], count(figures.outbox_dead));
    let age = figures.outbox_oldest.map_or(0.0, |since| Timestamp::now().duration_since(since).as_secs_f64().max(0.0));
    levels.add("outbox_oldest_age_seconds", "For how long the oldest entry waits; 0 if none does", [], age);
    levels.add("quarantined_messages", "Messages in quarantine", [], count(figures.quarantined));
    let unmarked = "Messages that are recorded and not yet marked in their mailbox";
    levels.add("unmarked_messages", unmarked, [], count(figures.unmarked));
}

/// The jobs that a daemon runs: of others there is nothing to say.
fn add_jobs(levels: &mut Levels, jobs: &[JobRow]) {
    for job in jobs.iter().filter(|job| job.reported_at.is_some()) {
        if let Some(state) = job.state {
            levels.add("job_state", STATE, [("job", job.name.as_str()), ("state", state.name())], 1.0);
        }
    }
}

fn number(count: usize) -> f64 {
    self::count(u64::try_from(count).unwrap_or(u64::MAX))
}

#[allow(clippy::cast_precision_loss, reason = "nobody counts that far")]
fn count(count: u64) -> f64 {
    count as f64
}
