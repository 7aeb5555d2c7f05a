//! The board: what people want of the jobs, and what the jobs say of themselves. One task keeps it in step with the store,
//! for all jobs together.

use crate::store::{self, JobOrders, JobReport, JobState, LastRun, Store};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// How often the store is asked what people want; what the jobs say is written as often.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often all jobs' reports are written even if nothing changes: a sign of life.
const REPORT_EVERY: Duration = Duration::from_secs(15);
/// A report that is older is of a daemon that is gone.
pub const REPORT_LASTS: Duration = Duration::from_secs(45);

/// What people want of the jobs, and what the jobs say.
#[derive(Debug, Default)]
pub struct Board {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// What people wanted when the store was last asked.
    orders: BTreeMap<String, JobOrders>,
    posts: BTreeMap<String, Post>,
}

#[derive(Debug)]
struct Post {
    orders: watch::Sender<JobOrders>,
    report: JobReport,
    /// The store does not have it yet.
    is_new: bool,
}

/// A job's place at the board.
#[derive(Debug)]
pub struct Place {
    name: String,
    board: Arc<Board>,
    /// What people want of the job.
    pub(super) orders: watch::Receiver<JobOrders>,
}

impl Board {
    /// A place for a job; who had it before is heard no more.
    #[must_use]
    pub fn place(self: &Arc<Self>, name: &str) -> Place {
        let mut inner = self.lock();
        let (sender, orders) = watch::channel(inner.orders.get(name).copied().unwrap_or_default());
        let report = JobReport { state: JobState::Waiting, next_run_at: None, last: None };
        inner.posts.insert(name.to_owned(), Post { orders: sender, report, is_new: true });
        Place { name: name.to_owned(), board: self.clone(), orders }
    }

    /// Takes a job's place away.
    pub fn remove(&self, name: &str) {
        self.lock().posts.remove(name);
    }

    /// Asks the store what people want, and tells the jobs.
    ///
    /// # Errors
    /// If the store cannot say.
    pub async fn look(&self, store: &Store) -> Result<(), store::Error> {
        let orders = store.job_orders().await?;
        let mut inner = self.lock();
        for (name, post) in &inner.posts {
            let wanted = orders.get(name).copied().unwrap_or_default();
            post.orders.send_if_modified(|known| std::mem::replace(known, wanted) != wanted);
        }
        inner.orders = orders;
        Ok(())
    }

    /// Writes down what the jobs say: what is new, or all of it.
    ///
    /// # Errors
    /// If the store cannot be written; then it is tried again the next time.
    pub async fn publish(&self, store: &Store, all: bool) -> Result<(), store::Error> {
        let reports: Vec<(String, JobReport)> = {
            let mut inner = self.lock();
            let posts = inner.posts.iter_mut();
            let is_due = |(name, post): (&String, &mut Post)| {
                (std::mem::take(&mut post.is_new) || all).then(|| (name.clone(), post.report.clone()))
            };
            posts.filter_map(is_due).collect()
        };
        if reports.is_empty() {
            return Ok(());
        }
        store.report_jobs(&reports).await.inspect_err(|_| {
            let mut inner = self.lock();
            for (name, _) in &reports {
                if let Some(post) = inner.posts.get_mut(name) {
                    post.is_new = true;
                }
            }
        })
    }

    /// Keeps board and store in step, until the task is dropped.
    pub async fn keep(&self, store: &Store) {
        let (mut published, mut is_well) = (Instant::now(), true);
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            let all = published.elapsed() >= REPORT_EVERY;
            let kept = async {
                self.look(store).await?;
                self.publish(store, all).await
            };
            match kept.await {
                Ok(()) => is_well = true,
                Err(error) if is_well => {
                    is_well = false;
                    tracing::warn!(%error, "what people want of the jobs cannot be read, or their state not be written");
                }
                Err(_) => {}
            }
            if all {
                published = Instant::now();
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Says what the job does, and when it runs next.
    pub(super) fn say(&self, state: JobState, next_run_at: Option<Timestamp>) {
        self.change(|report| (report.state, report.next_run_at) = (state, next_run_at));
    }

    /// Says how a session ended.
    pub(super) fn say_ended(&self, received: u64, error: Option<String>) {
        self.change(|report| report.last = Some(LastRun { ended_at: Timestamp::now(), received, error }));
    }

    /// Waits until people want something else of the job than they did.
    pub(super) async fn ordered(&mut self) {
        if self.orders.changed().await.is_err() {
            // The place is another's by now: nothing will ever be wanted here.
            std::future::pending::<()>().await;
        }
    }

    fn change(&self, change: impl FnOnce(&mut JobReport)) {
        let mut inner = self.board.lock();
        let Some(post) = inner.posts.get_mut(&self.name) else { return };
        let before = post.report.clone();
        change(&mut post.report);
        post.is_new |= post.report != before;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_people_want_reaches_the_job_and_its_state_the_store() {
        let store = Store::in_memory().await.unwrap();
        let board = Arc::new(Board::default());
        store.pause_job("desk", "ann").await.unwrap();
        board.look(&store).await.unwrap();
        let mut desk = board.place("desk");
        assert!(desk.orders.borrow_and_update().paused, "a job starts paused if it was paused before");
        store.resume_job("desk").await.unwrap();
        board.look(&store).await.unwrap();
        tokio::time::timeout(Duration::from_secs(5), desk.ordered()).await.unwrap();
        assert!(!desk.orders.borrow_and_update().paused);

        desk.say(JobState::Retrying, Some(Timestamp::UNIX_EPOCH));
        desk.say_ended(2, Some("away".to_owned()));
        board.publish(&store, false).await.unwrap();
        let row = store.jobs().await.unwrap().remove(0);
        assert_eq!((row.state, row.next_run_at), (Some(JobState::Retrying), Some(Timestamp::UNIX_EPOCH)));
        assert_eq!(row.last.map(|last| (last.received, last.error)), Some((2, Some("away".to_owned()))));

        store.jobs_stopped(None).await.unwrap();
        board.publish(&store, false).await.unwrap();
        assert_eq!(store.jobs().await.unwrap().remove(0).reported_at, None, "nothing is new");
        board.publish(&store, true).await.unwrap();
        assert!(store.jobs().await.unwrap().remove(0).reported_at.is_some());
        board.remove("desk");
        desk.say(JobState::Running, None);
        board.publish(&store, true).await.unwrap();
        assert_eq!(store.jobs().await.unwrap().remove(0).state, Some(JobState::Retrying));
    }
}
