//! The life of a job: it waits for its schedule, for the server's push, or for people; then it runs a session. There is
//! never more than one of them, because one task does all this, one after the other.

use super::board::Place;
use super::pace::{self, Failure, Pace, Planned};
use super::{Care, Context, Error, STOP_GRACE, log_tally, open, session};
use crate::config::Job;
use crate::mailbox::Session;
use crate::metrics::Ended;
use crate::store::{JobState, SessionTally};
use jiff::Timestamp;
use std::sync::Arc;
use std::time::Duration;

/// Without push, a connection is kept only if the next run is at most so far away: servers end those that are silent.
const KEEP_OPEN_MAX: Duration = Duration::from_secs(60);
/// The clock may be set, or the machine sleep: so often a long wait is measured again.
const CLOCK_CHECK: Duration = Duration::from_secs(60);
/// A wait that ends so shortly before its time has not been cut short.
const NEARLY: Duration = Duration::from_millis(20);
/// The shortest time between two sessions that the server's news lead to, whatever it sends.
const NEWS_PAUSE: Duration = Duration::from_millis(200);

/// A job that runs.
struct Runner {
    ctx: Arc<Context>,
    job: Arc<Job>,
    place: Place,
    pace: Pace,
    care: Care,
    /// The open mailbox, between two sessions.
    mailbox: Option<Session>,
    /// It is paused, and has said so.
    paused: bool,
    /// When the last session that people asked for was asked for.
    taken: Option<Timestamp>,
}

/// Why a wait has ended.
enum Wake {
    /// It is time for a session.
    Run,
    /// A pause has ended.
    Resumed,
    /// The connection was lost meanwhile.
    Lost(Error),
    /// The daemon stops.
    Stop,
}

/// Runs a job until the daemon stops or the task is dropped.
pub async fn run(ctx: Arc<Context>, job: Arc<Job>, place: Place) {
    // Where a job was restarted in the middle of a session, nobody has closed that one.
    if let Err(error) = ctx.store.end_interrupted(Some(&job.name)).await {
        tracing::warn!(job = job.name, %error, "the session before could not be closed in the log");
    }
    let pace = Pace::new(pace::chance);
    let care = Care::default();
    let (vitals, name) = (ctx.vitals.clone(), job.name.clone());
    vitals.watch(&name);
    Runner { ctx, job, place, pace, care, mailbox: None, paused: false, taken: None }.run().await;
    vitals.forget(&name);
}

impl Runner {
    async fn run(mut self) {
        let mut next = self.first();
        loop {
            next = match self.wait(next).await {
                Wake::Run => match self.session().await {
                    Ok(tally) => {
                        self.ctx.metrics.session(&self.job.name, Ended::Well);
                        self.next_after(&tally, None)
                    }
                    Err(error) if error.is_undone() => {
                        tracing::warn!(job = self.job.name, "{error}");
                        self.ctx.metrics.session(&self.job.name, Ended::Incomplete);
                        self.next_after(&SessionTally::default(), Some(error.to_string()))
                    }
                    Err(error) => self.retry(&error),
                },
                Wake::Resumed => self.first(),
                Wake::Lost(error) => self.retry(&error),
                Wake::Stop => break,
            };
        }
        self.close().await;
    }

    fn first(&self) -> Planned {
        Planned { at: self.pace.first_run(&self.job.schedule, Timestamp::now()), is_retry: false }
    }

    fn next_after(&mut self, tally: &SessionTally, undone: Option<String>) -> Planned {
        log_tally(&self.job, tally);
        self.place.say_ended(tally.received, undone);
        self.pace.succeeded();
        let at = self.pace.next_run(&self.job.schedule, Timestamp::now());
        if at.is_none() {
            tracing::info!(job = self.job.name, "the schedule has no further run");
        }
        Planned { at, is_retry: false }
    }

    fn retry(&mut self, error: &Error) -> Planned {
        self.mailbox = None;
        self.ctx.metrics.session(&self.job.name, Ended::Failed);
        self.place.say_ended(0, Some(error.to_string()));
        let now = Timestamp::now();
        let failure = Failure { login_refused: error.is_login_refused(), hint: error.retry_hint() };
        let at = self.pace.retry(&self.job.schedule, now, failure);
        let retry_in_s = at.map(|at| at.duration_since(now).as_secs());
        let hint_s = failure.hint.map(|hint| hint.as_secs());
        if failure.login_refused {
            tracing::error!(job = self.job.name, %error, retry_in_s, hint_s, "the session failed; nothing is lost");
        } else {
            tracing::warn!(job = self.job.name, %error, retry_in_s, hint_s, "the session failed; nothing is lost");
        }
        Planned { at, is_retry: true }
    }

    /// Waits for the next run, the server's news, or people.
    async fn wait(&mut self, mut next: Planned) -> Wake {
        let mut last = Timestamp::now();
        loop {
            if self.ctx.stopping() {
                return Wake::Stop;
            }
            let orders = *self.place.orders.borrow_and_update();
            if let Some(asked_at) = orders.run_requested_at.filter(|asked_at| Some(*asked_at) > self.taken) {
                self.take_request(asked_at).await;
                return Wake::Run;
            }
            if orders.paused {
                self.pause().await;
                continue;
            }
            if std::mem::take(&mut self.paused) {
                tracing::info!(job = self.job.name, "the job is resumed");
                return Wake::Resumed;
            }
            let now = Timestamp::now();
            next = self.pace.replanned(&self.job.schedule, next, last, now);
            last = now;
            if next.at.is_some_and(|at| at <= now) {
                return Wake::Run;
            }
            if let Some(wake) = self.wait_a_while(next, now).await {
                return wake;
            }
        }
    }

    /// Waits until it is time to look again at what to do; what to do, if that is clear.
    async fn wait_a_while(&mut self, next: Planned, now: Timestamp) -> Option<Wake> {
        let schedule = &self.job.schedule;
        let listens = schedule.push && !next.is_retry && self.mailbox.as_ref().is_some_and(Session::listens);
        let open_until = schedule.runs.open_until(now).filter(|_| listens);
        let far = Timestamp::MAX;
        let until = next.at.unwrap_or(far).min(open_until.unwrap_or(far));
        let left = until.duration_since(now).unsigned_abs();
        match (self.mailbox.take(), open_until) {
            (Some(mailbox), Some(_)) => self.listen(mailbox, next, left).await,
            (mailbox, _) => {
                self.mailbox = mailbox;
                if left > KEEP_OPEN_MAX {
                    self.close().await;
                }
                let state = match next {
                    Planned { at: None, .. } => JobState::Finished,
                    Planned { is_retry: true, .. } => JobState::Retrying,
                    Planned { .. } => JobState::Waiting,
                };
                self.place.say(state, next.at);
                self.ctx.vitals.rest(&self.job.name, Some(CLOCK_CHECK));
                tokio::select! {
                    () = tokio::time::sleep(left.min(CLOCK_CHECK)) => {}
                    () = self.place.ordered() => {}
                    () = self.ctx.stopped() => {}
                }
                None
            }
        }
    }

    /// Lets the server tell of news, for a time.
    async fn listen(&mut self, mut mailbox: Session, next: Planned, at_most: Duration) -> Option<Wake> {
        self.place.say(JobState::Listening, next.at);
        self.ctx.vitals.rest(&self.job.name, Some(at_most));
        let begun = tokio::time::Instant::now();
        let waited = tokio::select! {
            waited = mailbox.wait(at_most) => waited,
            () = self.place.ordered() => return self.leave(mailbox).await,
            () = self.ctx.stopped() => return self.leave(mailbox).await,
        };
        if let Err(error) = waited {
            return Some(Wake::Lost(error.into()));
        }
        self.mailbox = Some(mailbox);
        if begun.elapsed() + NEARLY >= at_most {
            return None;
        }
        tokio::time::sleep_until(begun + NEWS_PAUSE).await;
        Some(Wake::Run)
    }

    /// Leaves a mailbox in the middle of a wait: it cannot be used any more.
    async fn leave(&mut self, mailbox: Session) -> Option<Wake> {
        self.mailbox = Some(mailbox);
        self.close().await;
        None
    }

    /// Notes that what people asked for is done now.
    async fn take_request(&mut self, asked_at: Timestamp) {
        tracing::info!(job = self.job.name, "somebody asks for a session now");
        self.taken = Some(asked_at);
        if let Err(error) = self.ctx.store.run_begun(&self.job.name, asked_at).await {
            // At the next start there is one session more.
            tracing::warn!(job = self.job.name, %error, "that the session begins could not be recorded");
        }
    }

    /// Leaves the mailbox alone until people want something.
    async fn pause(&mut self) {
        if !std::mem::replace(&mut self.paused, true) {
            tracing::info!(job = self.job.name, "the job is paused");
        }
        self.close().await;
        self.place.say(JobState::Paused, None);
        self.ctx.vitals.rest(&self.job.name, None);
        tokio::select! {
            () = self.place.ordered() => {}
            () = self.ctx.stopped() => {}
        }
    }

    async fn session(&mut self) -> Result<SessionTally, Error> {
        self.place.say(JobState::Running, None);
        self.ctx.vitals.progress(&self.job.name);
        let mut mailbox = match self.mailbox.take() {
            Some(mailbox) => mailbox,
            None => tokio::select! {
                opened = open(&self.ctx, &self.job, &self.care) => {
                    let mailbox = opened?;
                    self.care.warn(&self.job, &mailbox);
                    mailbox
                }
                () = self.ctx.stopped() => return Ok(SessionTally::default()),
            },
        };
        let outcome = session(&self.ctx, &self.job, &mut mailbox, &mut self.care).await;
        if outcome.as_ref().err().is_none_or(Error::is_undone) {
            let is_lasting = mailbox.is_lasting();
            self.mailbox = Some(mailbox);
            if !is_lasting {
                self.close().await;
            }
        }
        outcome
    }

    /// Takes leave of the server, if the mailbox is open.
    async fn close(&mut self) {
        let Some(mailbox) = self.mailbox.take() else { return };
        // Whatever the server says to our leaving: all is done.
        if let Ok(Err(error)) = tokio::time::timeout(STOP_GRACE, mailbox.close()).await {
            tracing::debug!(job = self.job.name, %error, "leaving the mailbox");
        }
    }
}
