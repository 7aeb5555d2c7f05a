//! The workers: plain threads, one per core, each with its own plugin instances. They run hops 2 and 4 to 7.

use crate::class::Class;
use crate::content;
use crate::mailbox::RawMessage;
use crate::pipeline::{self, Cleaning, Parsed, Verdict};
use crate::report::{Cause, Report};
use crate::rules::{Instances, RuleSet};
use crate::thread::{Conversation, Tags};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use tokio::sync::oneshot;

/// A piece of work for a worker's instances.
type Task = Box<dyn FnOnce(&mut Bench) + Send>;

/// The threads. They end when the last handle is dropped. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Workers {
    tasks: mpsc::SyncSender<Task>,
}

/// The work could not be done: the workers are gone or the instances could not be made.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The threads are gone, which happens only at the end of the process.
    #[error("the workers have stopped")]
    Stopped,
    /// The bytes of a message cannot be read, or those of its attachments cannot be kept.
    #[error(transparent)]
    Content(#[from] content::Error),
    /// The plugins of a rule set that was accepted could not be instantiated again.
    #[error("the plugins cannot be started: {0}")]
    Instances(String),
}

/// What one worker has in hand: the instances of the rule set that it used last.
#[derive(Default)]
struct Bench {
    instances: Option<Instances>,
}

impl Workers {
    /// Starts `count` threads (at least one).
    #[must_use]
    pub fn start(count: usize) -> Self {
        let count = count.max(1);
        // A task waits here only while all threads are busy: what bounds the work in hand is the fetch budget.
        let (tasks, inlet) = mpsc::sync_channel::<Task>(count);
        let inlet = Arc::new(Mutex::new(inlet));
        for number in 0..count {
            let inlet = inlet.clone();
            let run = move || work(&inlet);
            if let Err(error) = std::thread::Builder::new().name(format!("worker-{number}")).spawn(run) {
                tracing::error!(%error, "a worker thread could not be started");
            }
        }
        Self { tasks }
    }

    /// Hop 2 on a worker.
    ///
    /// # Errors
    /// If the workers have stopped, or the message's bytes cannot be read or kept.
    pub async fn parse(&self, raw: RawMessage, tags: Arc<Tags>) -> Result<Parsed, Error> {
        Ok(self.run(move |_| pipeline::parse(raw, &tags)).await??)
    }

    /// Hops 4 to 7 on a worker, on this rule set. A panic on the way is a bug of ours and quarantines the message.
    ///
    /// # Errors
    /// If the workers have stopped, or the instances cannot be made.
    pub async fn decide(
        &self,
        rules: Arc<RuleSet>,
        parsed: Arc<Parsed>,
        conversation: Conversation,
        cleaning: Arc<Cleaning>,
    ) -> Result<Verdict, Error> {
        self.run(move |bench| bench.decide(&rules, &parsed, &conversation, &cleaning)).await?
    }

    async fn run<T: Send + 'static>(&self, work: impl FnOnce(&mut Bench) -> T + Send + 'static) -> Result<T, Error> {
        let (answer, answered) = oneshot::channel();
        let task: Task = Box::new(move |bench| {
            // Nobody waits any more if the job was stopped: then the answer is not needed.
            let _ = answer.send(work(bench));
        });
        let tasks = self.tasks.clone();
        // The queue is short, and a thread of the blocking pool may wait for it.
        let sent = match tasks.try_send(task) {
            Ok(()) => true,
            Err(mpsc::TrySendError::Full(task)) => {
                tokio::task::spawn_blocking(move || tasks.send(task).is_ok()).await.unwrap_or(false)
            }
            Err(mpsc::TrySendError::Disconnected(_)) => false,
        };
        if !sent {
            return Err(Error::Stopped);
        }
        answered.await.map_err(|_| Error::Stopped)
    }
}

impl Bench {
    fn decide(
        &mut self,
        rules: &Arc<RuleSet>,
        parsed: &Parsed,
        conversation: &Conversation,
        cleaning: &Cleaning,
    ) -> Result<Verdict, Error> {
        let mut instances = match self.instances.take() {
            Some(instances) if instances.revision() == rules.revision() => instances,
            _ => rules.instances().map_err(|error| Error::Instances(error.to_string()))?,
        };
        let run = || pipeline::run(&mut instances, parsed, conversation, cleaning);
        match catch_unwind(AssertUnwindSafe(run)) {
            Ok(verdict) => {
                self.instances = Some(instances);
                Ok(verdict)
            }
            // The instances may be in any state after a panic: they are not used again.
            Err(panic) => Ok(bug(rules, parsed, conversation, &panic_text(&*panic))),
        }
    }
}

fn work(inlet: &Mutex<mpsc::Receiver<Task>>) {
    let mut bench = Bench::default();
    loop {
        let task = inlet.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(task) = task else { return };
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| task(&mut bench))) {
            tracing::error!(panic = panic_text(&*panic), "a worker's task panicked");
            bench = Bench::default();
        }
    }
}

fn bug(rules: &RuleSet, parsed: &Parsed, conversation: &Conversation, panic: &str) -> Verdict {
    let cause = Cause {
        hop: "pipeline".to_owned(),
        step: None,
        reason: format!("a bug in mailmill: {panic}; please report it"),
        class: Class::Bug,
    };
    let mut report =
        Report::begin(&rules.revision().to_string(), &parsed.message, parsed.raw.content.len(), conversation);
    report.quarantine = Some(cause.clone());
    tracing::error!(panic, key = %parsed.raw.key, "a message made the pipeline panic; it is quarantined");
    Verdict { plan: Err(cause), report }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no text".to_owned())
}
