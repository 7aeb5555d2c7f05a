//! The workers: plain threads, one per core, each with its own plugin instances. They run hops 2 and 4 to 7.

use super::fair::Lanes;
use crate::class::Class;
use crate::content;
use crate::mailbox::RawMessage;
use crate::message::AttachmentLimits;
use crate::outgoing::Outlets;
use crate::pipeline::{self, Cleaning, Parsed, Verdict};
use crate::report::{Cause, Report};
use crate::rules::{Instances, RuleSet};
use crate::thread::{Tags, Threading};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use tokio::sync::oneshot;

/// A piece of work for a worker's instances.
type Task = Box<dyn FnOnce(&mut Bench) + Send>;

/// The threads. They end when the last handle is dropped. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Workers {
    queue: Arc<Inlet>,
}

/// The way into the queue, shared by all handles: when it goes, the threads end.
#[derive(Debug)]
struct Inlet(Arc<Queue>);

/// What the threads take their work from. Each job has its turn, however much another one sends.
#[derive(Default)]
struct Queue {
    waiting: Mutex<Waiting>,
    ready: Condvar,
}

#[derive(Default)]
struct Waiting {
    tasks: Lanes<Task>,
    is_closed: bool,
}

/// The work could not be done: the workers are gone or the bytes cannot be read.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The threads are gone, which happens only at the end of the process.
    #[error("the workers have stopped")]
    Stopped,
    /// The bytes of a message cannot be read.
    #[error(transparent)]
    Content(#[from] content::Error),
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
        let queue = Arc::new(Queue::default());
        for number in 0..count.max(1) {
            let queue = queue.clone();
            let run = move || work(&queue);
            if let Err(error) = std::thread::Builder::new().name(format!("worker-{number}")).spawn(run) {
                tracing::error!(%error, "a worker thread could not be started");
            }
        }
        Self { queue: Arc::new(Inlet(queue)) }
    }

    /// Hop 2 on a worker, when it is this job's turn.
    ///
    /// # Errors
    /// If the workers have stopped, or the message's bytes cannot be read.
    pub async fn parse(
        &self,
        job: &str,
        raw: RawMessage,
        tags: Arc<Tags>,
        attachments: Arc<AttachmentLimits>,
    ) -> Result<Parsed, Error> {
        Ok(self.run(job, move |_| pipeline::parse(raw, &tags, &attachments)).await??)
    }

    /// Hops 4 to 7 on a worker, on this rule set, when it is this job's turn. A panic on the way is a bug of ours and quarantines the message.
    ///
    /// # Errors
    /// If the workers have stopped.
    pub async fn decide(
        &self,
        job: &str,
        rules: Arc<RuleSet>,
        parsed: Arc<Parsed>,
        threading: Threading,
        cleaning: Arc<Cleaning>,
        outlets: Arc<Outlets>,
    ) -> Result<Verdict, Error> {
        self.run(job, move |bench| bench.decide(&rules, &parsed, &threading, &cleaning, &outlets)).await
    }

    /// How much work waits for a worker.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.queue.0.lock().tasks.len()
    }

    async fn run<T: Send + 'static>(
        &self,
        job: &str,
        work: impl FnOnce(&mut Bench) -> T + Send + 'static,
    ) -> Result<T, Error> {
        let (answer, answered) = oneshot::channel();
        let task: Task = Box::new(move |bench| {
            // Nobody waits any more if the job was stopped: then the answer is not needed.
            let _ = answer.send(work(bench));
        });
        self.queue.0.push(job, task);
        answered.await.map_err(|_| Error::Stopped)
    }
}

impl Drop for Inlet {
    fn drop(&mut self) {
        self.0.lock().is_closed = true;
        self.0.ready.notify_all();
    }
}

impl Queue {
    fn push(&self, job: &str, task: Task) {
        self.lock().tasks.push(job, task);
        self.ready.notify_one();
    }

    /// The next piece of work; none when there will never be one again.
    fn next(&self) -> Option<Task> {
        let mut waiting = self.lock();
        loop {
            if let Some(task) = waiting.tasks.pop() {
                return Some(task);
            }
            if waiting.is_closed {
                return None;
            }
            waiting = self.ready.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Queue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Queue").field("waiting", &self.lock().tasks.len()).finish_non_exhaustive()
    }
}

impl Bench {
    fn decide(
        &mut self,
        rules: &Arc<RuleSet>,
        parsed: &Parsed,
        threading: &Threading,
        cleaning: &Cleaning,
        outlets: &Outlets,
    ) -> Verdict {
        let mut instances = match self.instances.take() {
            Some(instances) if instances.revision() == rules.revision() => instances,
            _ => rules.instances().that_suspend(),
        };
        let run = || pipeline::run(&mut instances, parsed, threading, cleaning, outlets);
        match catch_unwind(AssertUnwindSafe(run)) {
            Ok(verdict) => {
                self.instances = Some(instances);
                verdict
            }
            // The instances may be in any state after a panic: they are not used again.
            Err(panic) => bug(rules, parsed, threading, &panic_text(&*panic)),
        }
    }
}

fn work(queue: &Queue) {
    let mut bench = Bench::default();
    while let Some(task) = queue.next() {
        // The log has it already.
        if catch_unwind(AssertUnwindSafe(|| task(&mut bench))).is_err() {
            bench = Bench::default();
        }
    }
}

fn bug(rules: &RuleSet, parsed: &Parsed, threading: &Threading, panic: &str) -> Verdict {
    let cause = Cause {
        hop: "pipeline".to_owned(),
        step: None,
        reason: format!("a bug in mailmill: {panic}; please report it"),
        class: Class::Bug,
    };
    let mut report = Report::begin(&rules.revision().to_string(), &parsed.message, parsed.raw.content.len(), threading);
    report.quarantine = Some(cause.clone());
    tracing::error!(key = %parsed.raw.key, "a message made the pipeline panic; it is quarantined");
    Verdict { plan: Err(cause), report }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no text".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[test]
    fn a_flood_of_one_job_does_not_delay_another() {
        let workers = Workers::start(1);
        let (open, gate) = mpsc::channel::<()>();
        let (note, notes) = mpsc::channel();
        // The only worker is held up until everything else stands in line.
        workers.queue.0.push("flood", Box::new(move |_| gate.recv().unwrap()));
        for _ in 0..1000 {
            let note = note.clone();
            workers.queue.0.push("flood", Box::new(move |_| note.send("flood").unwrap()));
        }
        workers.queue.0.push("quiet", Box::new(move |_| note.send("quiet").unwrap()));
        open.send(()).unwrap();
        let place = notes.iter().position(|job| job == "quiet").unwrap();
        assert!(place <= 1, "it waited for {place} others");
    }

    #[test]
    fn the_threads_end_with_the_last_handle() {
        let workers = Workers::start(2);
        let queue = Arc::downgrade(&workers.queue.0);
        drop(workers.clone());
        assert!(!queue.upgrade().unwrap().lock().is_closed);
        drop(workers);
        while queue.upgrade().is_some() {
            std::thread::yield_now();
        }
    }
}
