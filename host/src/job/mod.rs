//! A job: one account, watched. It waits for its schedule or for the server's push, fetches what is new, hands it to
//! the workers, and marks on the server what is committed.

mod account;
mod committer;
mod order;
mod session;
mod workers;

pub use account::{account, check_steps, cleaning};
pub use committer::{Committer, Settings as BatchSettings};
pub use order::Order;
pub use session::{entry, session};
pub use workers::Workers;

use crate::config::Job;
use crate::mailbox::{self, Session};
use crate::rules::RuleSet;
use crate::secret;
use crate::store::{self, SessionTally, Store};
use crate::thread::Tags;
use std::num::NonZeroU64;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;
use tokio::sync::watch;

/// The first pause after a failed session; it doubles with each further failure.
const BACK_OFF_MIN: Duration = Duration::from_secs(1);
/// The longest pause after failed sessions.
const BACK_OFF_MAX: Duration = Duration::from_secs(300);

/// What all jobs share.
#[derive(Debug)]
pub struct Context {
    /// The store.
    pub store: Store,
    /// The threads that run the rules.
    pub workers: Workers,
    /// What writes to the store.
    pub committer: Committer,
    /// The messages in hand.
    pub order: Order,
    /// Counts the messages, so that each has its own place in the order.
    pub turns: AtomicU64,
    /// The rule set in force.
    pub rules: watch::Receiver<Arc<RuleSet>>,
    /// How ticket tags are written.
    pub tags: Arc<Tags>,
    /// The limits of fetching.
    pub limits: Limits,
    /// Becomes true when the daemon is to stop.
    pub stop: watch::Receiver<bool>,
}

/// The limits of fetching.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The most bytes that one job has in hand: fetched, and not yet committed.
    pub fetch_ahead_bytes: u64,
    /// The largest message that is fetched, in bytes. A larger one is quarantined without its bytes and stays, untouched,
    /// on the server.
    pub message_bytes_max: u64,
}

/// Why a session ended early. What was committed before stays; all else is still on the server.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The mail server, or the folder.
    #[error(transparent)]
    Mailbox(#[from] mailbox::Error),
    /// The store.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The store, in a batch.
    #[error(transparent)]
    Commit(#[from] committer::Error),
    /// The workers.
    #[error(transparent)]
    Workers(#[from] workers::Error),
    /// The password cannot be read.
    #[error(transparent)]
    Secret(#[from] secret::Error),
}

impl Limits {
    /// The largest message that this job fetches.
    fn message_bytes_max(&self, job: &Job) -> u64 {
        job.limits.message_bytes_max.map_or(self.message_bytes_max, NonZeroU64::get)
    }

    /// The most bytes that this job has in hand.
    fn fetch_ahead_bytes(&self, job: &Job) -> u64 {
        job.limits.fetch_ahead_bytes.map_or(self.fetch_ahead_bytes, NonZeroU64::get)
    }
}

impl Context {
    fn stopping(&self) -> bool {
        *self.stop.borrow()
    }

    async fn stopped(&self) {
        // It fails only if the daemon is gone, which is a reason to stop too.
        let _ = self.stop.clone().wait_for(|stop| *stop).await;
    }
}

/// Runs a job until the daemon stops or the task is dropped.
pub async fn run(ctx: Arc<Context>, job: Arc<Job>) {
    let mut failures = 0u32;
    while !ctx.stopping() {
        match watch_account(&ctx, &job, &mut failures).await {
            Ok(()) => return,
            Err(error) => {
                failures = failures.saturating_add(1);
                let pause = back_off(failures, job.schedule.every.duration());
                tracing::warn!(job = job.name, %error, retry_in_s = pause.as_secs(), "the session failed; nothing is lost");
                pause_or_stop(&ctx, pause).await;
            }
        }
    }
}

/// Runs one session of a job, with a connection of its own.
///
/// # Errors
/// If the session ended early; the tally of what was done before is in the log.
pub async fn run_once(ctx: &Arc<Context>, job: &Arc<Job>) -> Result<SessionTally, Error> {
    let mut mailbox = open(ctx, job).await?;
    let tally = session(ctx, job, &mut mailbox).await?;
    mailbox.close().await?;
    Ok(tally)
}

/// Opens the account; a failure is a row of the log.
async fn open(ctx: &Context, job: &Job) -> Result<Session, Error> {
    let opened = match account(job, ctx.limits.message_bytes_max(job)) {
        Ok(account) => account.open().await.map_err(Error::from),
        Err(error) => Err(error.into()),
    };
    session::record_failure(ctx, job, opened).await
}

/// One connection's life: sessions, with waits in between. Ends well when the daemon stops.
async fn watch_account(ctx: &Arc<Context>, job: &Arc<Job>, failures: &mut u32) -> Result<(), Error> {
    let mut mailbox = open(ctx, job).await?;
    loop {
        let tally = session(ctx, job, &mut mailbox).await?;
        *failures = 0;
        log_tally(job, &tally);
        tokio::select! {
            waited = mailbox.wait(job.schedule.every.duration()) => waited?,
            () = ctx.stopped() => return Ok(mailbox.close().await?),
        }
    }
}

/// Says what a session did, unless it found nothing.
pub fn log_tally(job: &Job, tally: &SessionTally) {
    if tally.received > 0 {
        tracing::info!(
            job = job.name,
            received = tally.received,
            created = tally.created,
            updated = tally.updated,
            quarantined = tally.quarantined,
            waiting = tally.waiting,
            "session finished"
        );
    }
}

async fn pause_or_stop(ctx: &Context, pause: Duration) {
    tokio::select! {
        () = tokio::time::sleep(pause) => {}
        () = ctx.stopped() => {}
    }
}

/// The pause after so many failures in a row: doubling, but never longer than the schedule's own wait.
fn back_off(failures: u32, every: Duration) -> Duration {
    let doubled = BACK_OFF_MIN.saturating_mul(2u32.saturating_pow(failures.saturating_sub(1)));
    doubled.min(BACK_OFF_MAX).min(every.max(BACK_OFF_MIN))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_doubles_up_to_a_limit() {
        let check = |failures, every_s, expect_s| {
            assert_eq!(back_off(failures, Duration::from_secs(every_s)), Duration::from_secs(expect_s));
        };
        check(1, 300, 1);
        check(2, 300, 2);
        check(5, 300, 16);
        check(40, 3600, 300);
        check(40, 30, 30);
        check(9, 0, 1);
    }
}
