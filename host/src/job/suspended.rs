//! Tells the store which steps are suspended, so that people see it beside the daemon.

use crate::plugin::Suspension;
use crate::rules::RuleSet;
use crate::store::Store;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// How often the rules are asked.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Keeps the store up to date with the rules in force, until the task is dropped.
pub async fn keep_suspensions(store: &Store, rules: &watch::Receiver<Arc<RuleSet>>) {
    // What an earlier daemon said is over.
    let mut told: Option<Vec<Arc<Suspension>>> = None;
    loop {
        let suspended = rules.borrow().suspensions();
        if told.as_ref() != Some(&suspended) {
            match store.report_suspensions(&suspended).await {
                Ok(()) => told = Some(suspended),
                Err(error) => tracing::warn!(%error, "which steps are suspended could not be recorded"),
            }
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
