//! The committer: gathers what is ready, from all jobs, into one transaction (hop 8).
//!
//! A full sync per message would be the slowest part of the pipeline by far; a sync per batch is not. A message waits
//! at most [`Settings::wait`] for company. Where more is ready than goes into one batch, the jobs take turns.

use super::fair::Lanes;
use crate::fault::{self, Point};
use crate::store::{self, Entry, Receipt, Store};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout_at};

/// A batch of this many bytes waits for no more messages: what a transaction writes, goes through the log of changes.
const BATCH_BYTES_MAX: u64 = 32 << 20;

/// How batches are made.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// The most messages in one transaction.
    pub messages_max: usize,
    /// How long a message waits for others.
    pub wait: Duration,
}

/// A message could not be committed. Nothing of it was stored.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The store refused the batch.
    #[error("{0}")]
    Store(Arc<store::Error>),
    /// The committer is gone, which happens only at the end of the process.
    #[error("the committer has stopped")]
    Stopped,
}

type Answer = oneshot::Sender<Result<Receipt, Error>>;

/// A handle on the committer. Cheap to clone; the committer ends when the last handle is dropped.
#[derive(Debug, Clone)]
pub struct Committer {
    inlet: mpsc::UnboundedSender<(Entry, Answer)>,
    waiting: Arc<AtomicUsize>,
}

impl Committer {
    /// Starts the committer.
    #[must_use]
    pub fn start(store: Store, settings: Settings) -> Self {
        let messages_max = settings.messages_max.max(1);
        // What bounds it is what bounds the messages that a job has in hand.
        let (inlet, outlet) = mpsc::unbounded_channel();
        tokio::spawn(run(store, Settings { messages_max, ..settings }, outlet));
        Self { inlet, waiting: Arc::default() }
    }

    /// Commits one message and waits for its receipt.
    ///
    /// # Errors
    /// If the store refuses; then nothing of the message is stored and it can be committed again.
    pub async fn commit(&self, entry: Entry) -> Result<Receipt, Error> {
        let (answer, answered) = oneshot::channel();
        self.inlet.send((entry, answer)).map_err(|_| Error::Stopped)?;
        let _waits = Waits::begin(&self.waiting);
        answered.await.map_err(|_| Error::Stopped)?
    }

    /// How many messages wait to be recorded.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }
}

/// One more waits, until the value goes: also where nobody waits for the answer any more.
struct Waits<'c>(&'c AtomicUsize);

impl<'c> Waits<'c> {
    fn begin(waiting: &'c AtomicUsize) -> Self {
        waiting.fetch_add(1, Ordering::Relaxed);
        Self(waiting)
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

async fn run(store: Store, settings: Settings, mut outlet: mpsc::UnboundedReceiver<(Entry, Answer)>) {
    let mut lanes = Lanes::default();
    let put = |lanes: &mut Lanes<(Entry, Answer)>, next: (Entry, Answer)| lanes.push(&next.0.job.clone(), next);
    loop {
        if lanes.is_empty() {
            let Some(first) = outlet.recv().await else { return };
            put(&mut lanes, first);
        }
        let until = Instant::now() + settings.wait;
        let mut bytes = 0;
        while lanes.len() < settings.messages_max && bytes < BATCH_BYTES_MAX {
            match timeout_at(until, outlet.recv()).await {
                Ok(Some(next)) => {
                    bytes += next.0.bytes();
                    put(&mut lanes, next);
                }
                Ok(None) | Err(_) => break,
            }
        }
        // What has come meanwhile takes part in the turns.
        while let Ok(next) = outlet.try_recv() {
            put(&mut lanes, next);
        }
        let mut bytes = 0;
        let next = || {
            let next = if bytes < BATCH_BYTES_MAX { lanes.pop() } else { None };
            bytes += next.as_ref().map_or(0, |(entry, _): &(Entry, Answer)| entry.bytes());
            next
        };
        let (entries, answers): (Vec<Entry>, Vec<Answer>) =
            std::iter::from_fn(next).take(settings.messages_max).unzip();
        fault::pass(Point::CommitBefore);
        let outcome = store.commit(&entries).await;
        fault::pass(Point::CommitAfter);
        answer_all(outcome, answers);
    }
}

fn answer_all(outcome: Result<Vec<Receipt>, store::Error>, answers: Vec<Answer>) {
    // A waiter that is gone has been stopped: its message is in the ledger and will not be fetched again.
    match outcome {
        Ok(receipts) => {
            for (answer, receipt) in answers.into_iter().zip(receipts) {
                let _ = answer.send(Ok(receipt));
            }
        }
        Err(error) => {
            let error = Arc::new(error);
            for answer in answers {
                let _ = answer.send(Err(Error::Store(error.clone())));
            }
        }
    }
}
