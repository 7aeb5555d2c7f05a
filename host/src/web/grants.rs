//! Granting a job the right to read its mail (OAuth 2.0), for pages and scripts: what `mailmill authorize` does.

use super::error::Fault;
use super::{Site, job_files};
use crate::job::oauth_app;
use crate::oauth::Prompt;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::task::AbortHandle;

/// Who is being asked for a right now, and who was asked since the daemon started; by the name of the job.
#[derive(Debug, Default)]
pub(super) struct Grants(Mutex<BTreeMap<String, Granting>>);

/// One attempt.
#[derive(Debug)]
struct Granting {
    state: Progress,
    task: Option<AbortHandle>,
}

/// How far an attempt has come.
#[derive(Debug, Clone)]
pub(super) enum Progress {
    /// The provider is asked.
    Begun,
    /// Somebody has to do something.
    Waiting(Prompt),
    /// The right is granted, and kept.
    Granted,
    /// It is not.
    Failed(String),
}

impl Grants {
    fn held(&self) -> MutexGuard<'_, BTreeMap<String, Granting>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How far the last attempt of a job has come; none if there was none.
    pub(super) fn progress(&self, job: &str) -> Option<Progress> {
        self.held().get(job).map(|granting| granting.state.clone())
    }

    fn set(&self, job: &str, state: Progress) {
        if let Some(granting) = self.held().get_mut(job) {
            granting.state = state;
        }
    }

    /// Notes that an attempt begins; the one before it ends.
    fn begin(&self, job: &str) {
        let before = self.held().insert(job.to_owned(), Granting { state: Progress::Begun, task: None });
        if let Some(task) = before.and_then(|before| before.task) {
            task.abort();
        }
    }

    fn keep(&self, job: &str, task: AbortHandle) {
        if let Some(granting) = self.held().get_mut(job) {
            granting.task = Some(task);
        }
    }
}

/// Begins an attempt; the one before it ends.
pub(super) async fn begin(site: &Arc<Site>, name: &str, by: &str) -> Result<(), Fault> {
    let job = job_files::load(site, name)?;
    let missing = || Fault::Refused("This job does not log in with OAuth 2.0 of its own.".to_owned());
    let source = site.ctx.tokens.of(name, oauth_app(&job).ok_or_else(missing)?);
    site.ctx.store.note(by, "authorize-job", name, "").await?;
    site.grants.begin(name);
    let (own, job) = (site.clone(), name.to_owned());
    let task = tokio::spawn(async move {
        let outcome = source.authorize(|prompt| own.grants.set(&job, Progress::Waiting(prompt))).await;
        match outcome {
            Ok(()) => {
                own.grants.set(&job, Progress::Granted);
                // A job whose login failed waits long before it tries again.
                if let Err(error) = own.ctx.store.request_run(&job).await {
                    tracing::warn!(%error, job, "the job is not run at once");
                }
            }
            Err(error) => own.grants.set(&job, Progress::Failed(error.to_string())),
        }
    });
    site.grants.keep(name, task.abort_handle());
    Ok(())
}
