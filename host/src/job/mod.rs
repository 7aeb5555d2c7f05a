//! A job: one account, watched. It waits for its schedule or for the server's push, fetches what is new, hands it to
//! the workers, and marks on the server what is committed.

mod account;
mod board;
mod by_hand;
mod care;
mod committer;
mod fair;
mod name;
mod order;
mod pace;
mod pump;
mod reception;
mod refusal;
mod release;
mod retention;
mod runner;
mod session;
mod sight;
mod standing;
mod steps;
mod suspended;
mod tokens;
mod vitals;
mod workers;

pub use account::{account, check_steps, cleaning, spool};
pub use board::{Board, Place, REPORT_LASTS};
pub use by_hand::ByHand;
pub use care::Care;
pub use committer::{Committer, Settings as BatchSettings};
pub use name::{Unknown, find};
pub use order::Order;
pub use reception::Reception;
pub use release::{ReleaseError, ReleaseWith, Released, discard, release};
pub use retention::{forget, keep_log, sweep_log};
pub use runner::run;
pub use session::{entry, session};
pub use standing::{Error as StandingError, Standing, is_reported, standings};
pub use steps::{Change, Error as StepsError, Known, Place as StepPlace};
pub use suspended::keep_suspensions;
pub use tokens::oauth_app;
pub use vitals::Vitals;
pub use workers::Workers;

use crate::config::Job;
use crate::content::{self, Spool};
use crate::mailbox::{self, Session};
use crate::message::AttachmentLimits;
use crate::metrics::Metrics;
use crate::oauth::Tokens;
use crate::outgoing::Outlets;
use crate::rules::RuleSet;
use crate::secret;
use crate::store::{self, SessionTally, Store};
use crate::thread::Tags;
use std::num::NonZeroU64;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;
use tokio::sync::{mpsc, watch};

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
    /// The access tokens of the jobs that log in with OAuth 2.0.
    pub tokens: Arc<Tokens>,
    /// How ticket tags are written.
    pub tags: Arc<Tags>,
    /// Where things can be sent.
    pub outlets: watch::Receiver<Arc<Outlets>>,
    /// Which attachments go to tickets.
    pub attachments: Arc<AttachmentLimits>,
    /// The limits of fetching.
    pub limits: Limits,
    /// Where long messages are kept until they are in the store.
    pub spool: Spool,
    /// Becomes true when the daemon is to stop.
    pub stop: watch::Receiver<bool>,
    /// Who watches how far the sessions are.
    pub progress: Option<mpsc::UnboundedSender<Progress>>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Whether the jobs get on.
    pub vitals: Arc<Vitals>,
    /// For how many days the log is kept; 0: for ever.
    pub retention_days: watch::Sender<u16>,
}

/// How far a session is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// It has found messages to handle.
    Found {
        /// The job.
        job: String,
        /// How many.
        messages: usize,
    },
    /// It has handled a message.
    Handled {
        /// The job.
        job: String,
    },
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
    /// Some of the mailboxes cannot be opened.
    #[error("what is in the other mailboxes is handled, but {}", sentences(.0))]
    Unopened(Vec<mailbox::Error>),
    /// Some messages were fetched and some were not; the first of these.
    #[error("not all messages could be fetched, the next session tries again: {0}")]
    Withheld(String),
}

impl Error {
    /// Whether all was done that could be, so that the connection is still good.
    fn is_undone(&self) -> bool {
        matches!(self, Self::Unmarked(_) | Self::Unopened(_) | Self::Withheld(_))
    }

    /// How long the server itself wants to be left alone, if it says so.
    fn retry_hint(&self) -> Option<Duration> {
        if let Self::Mailbox(error) = self { error.retry_hint() } else { None }
    }

    fn is_login_refused(&self) -> bool {
        matches!(self, Self::Mailbox(error) if error.is_login_refused())
    }
}

fn sentences(errors: &[mailbox::Error]) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; and ")
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

    fn tell(&self, progress: Progress) {
        if let Some(watcher) = &self.progress {
            // Nobody watches any more: nothing is lost by it.
            let _ = watcher.send(progress);
        }
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
    let mut mailbox = open(ctx, job, care).await?;
    care.warn(job, &mailbox);
    let tally = session(ctx, job, &mut mailbox, care).await?;
    mailbox.close().await?;
    Ok(tally)
}

/// Opens the account; a failure is a row of the log.
async fn open(ctx: &Context, job: &Job, care: &Care) -> Result<Session, Error> {
    let opened = match account(job, ctx.limits.message_bytes_max(job), &ctx.tokens, &ctx.spool) {
        Ok(account) => account.remembering(&care.logins).open().await.map_err(Error::from),
        Err(error) => Err(error.into()),
    };
    session::record_failure(ctx, job, opened).await
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
