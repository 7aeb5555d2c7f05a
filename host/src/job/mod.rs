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
pub use session::{Care, entry, session};
pub use workers::Workers;

use crate::config::Job;
use crate::content::{self, Spool};
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
/// The shortest pause after a refused login: servers lock accounts out for less.
const LOGIN_PAUSE_MIN: Duration = Duration::from_secs(60);
/// How long what is under way with a mailbox may take to finish once the daemon is told to stop.
const STOP_GRACE: Duration = Duration::from_secs(5);

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
    /// Where long messages are kept until they are in the store.
    pub spool: Spool,
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
    /// The bytes of a message.
    #[error(transparent)]
    Content(#[from] content::Error),
    /// The password cannot be read.
    #[error(transparent)]
    Secret(#[from] secret::Error),
    /// Messages are fetched, but the mailbox does not let us mark them.
    #[error(
        "messages are fetched and handled, but not marked: {0}; give the user the right, or set on_success and \
         on_rejection to {{}}"
    )]
    Unmarked(mailbox::Error),
    /// Some messages were fetched and some were not; the first of these.
    #[error("not all messages could be fetched, the next session tries again: {0}")]
    Withheld(String),
}

impl Error {
    /// Whether all was done that could be, so that the connection is still good.
    fn is_undone(&self) -> bool {
        matches!(self, Self::Unmarked(_) | Self::Withheld(_))
    }

    fn is_login_refused(&self) -> bool {
        matches!(self, Self::Mailbox(error) if error.is_login_refused())
    }
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

    /// What becomes of `work`, unless the daemon is to stop and the work takes much longer.
    async fn unless_stopped<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            outcome = work => Some(outcome),
            () = async { self.stopped().await; tokio::time::sleep(STOP_GRACE).await } => None,
        }
    }
}

/// Runs a job until the daemon stops or the task is dropped.
pub async fn run(ctx: Arc<Context>, job: Arc<Job>) {
    let (mut failures, mut care) = (0u32, Care::default());
    // Where a job was restarted in the middle of a session, nobody has closed that one.
    if let Err(error) = ctx.store.end_interrupted(Some(&job.name)).await {
        tracing::warn!(job = job.name, %error, "the session before could not be closed in the log");
    }
    while !ctx.stopping() {
        match watch_account(&ctx, &job, &mut failures, &mut care).await {
            Ok(()) => return,
            Err(error) => {
                failures = failures.saturating_add(1);
                let every = job.schedule.every.duration();
                let refused = error.is_login_refused();
                let pause = if refused { every.max(LOGIN_PAUSE_MIN) } else { back_off(failures, every) };
                let retry_in_s = pause.as_secs();
                if refused {
                    tracing::error!(job = job.name, %error, retry_in_s, "the session failed; nothing is lost");
                } else {
                    tracing::warn!(job = job.name, %error, retry_in_s, "the session failed; nothing is lost");
                }
                pause_or_stop(&ctx, pause).await;
            }
        }
    }
}

/// Runs one session of a job, with a connection of its own.
///
/// # Errors
/// If the session ended early or left something undone; what was done before is in the log.
pub async fn run_once(ctx: &Arc<Context>, job: &Arc<Job>) -> Result<SessionTally, Error> {
    let mut care = Care::default();
    loop {
        let outcome = connect_once(ctx, job, &mut care).await;
        // Each further attempt finds one message at least that cannot be fetched, so there is an end to this.
        if outcome.is_ok() || !care.take_learnt() {
            return outcome;
        }
    }
}

async fn connect_once(ctx: &Arc<Context>, job: &Arc<Job>, care: &mut Care) -> Result<SessionTally, Error> {
    let mut mailbox = open(ctx, job).await?;
    let tally = session(ctx, job, &mut mailbox, care).await?;
    mailbox.close().await?;
    Ok(tally)
}

/// Opens the account; a failure is a row of the log.
async fn open(ctx: &Context, job: &Job) -> Result<Session, Error> {
    let opened = match account(job, ctx.limits.message_bytes_max(job), &ctx.spool) {
        Ok(account) => account.open().await.map_err(Error::from),
        Err(error) => Err(error.into()),
    };
    session::record_failure(ctx, job, opened).await
}

/// One connection's life: sessions, with waits in between. Ends well when the daemon stops.
async fn watch_account(ctx: &Arc<Context>, job: &Arc<Job>, failures: &mut u32, care: &mut Care) -> Result<(), Error> {
    let mut mailbox = tokio::select! {
        opened = open(ctx, job) => opened?,
        () = ctx.stopped() => return Ok(()),
    };
    while !ctx.stopping() {
        match session(ctx, job, &mut mailbox, care).await {
            Ok(tally) => log_tally(job, &tally),
            Err(error) if error.is_undone() => tracing::warn!(job = job.name, "{error}"),
            Err(error) => return Err(error),
        }
        *failures = 0;
        tokio::select! {
            waited = mailbox.wait(job.schedule.every.duration()) => waited?,
            () = ctx.stopped() => {}
        }
    }
    // Whatever the server says to our leaving: all is done.
    if let Ok(Err(error)) = tokio::time::timeout(STOP_GRACE, mailbox.close()).await {
        tracing::debug!(job = job.name, %error, "leaving the mailbox");
    }
    Ok(())
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
