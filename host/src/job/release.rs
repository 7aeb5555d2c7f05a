//! A message of quarantine, run again.

use super::{Reception, cleaning, entry};
use crate::action::{Outcome, Plan};
use crate::config::Job;
use crate::content;
use crate::mailbox::{Disposition, RawMessage};
use crate::message::AttachmentLimits;
use crate::outgoing::Outlets;
use crate::pipeline;
use crate::rules::RuleSet;
use crate::store::{self, Entry, QuarantineDetail, Receipt, Store, Verdict};
use crate::thread::{FromOthers, Tags};
use std::sync::Arc;

/// What a message is run with.
#[derive(Debug, Clone)]
pub struct ReleaseWith {
    /// The rules.
    pub rules: Arc<RuleSet>,
    /// How ticket tags are written.
    pub tags: Arc<Tags>,
    /// Which attachments go to tickets.
    pub attachments: Arc<AttachmentLimits>,
    /// Where things can be sent.
    pub outlets: Arc<Outlets>,
    /// What becomes of it if it answers a ticket of somebody else; none: what the job says.
    pub others: Option<FromOthers>,
}

/// What came of it.
#[derive(Debug)]
pub enum Released {
    /// It was recorded.
    Recorded(Box<Receipt>),
    /// Only its header is here: its receipt is gone, so that the next session fetches it. Whether there was one.
    FetchedAgain(bool),
    /// It stays in quarantine.
    Kept {
        /// Why.
        cause: String,
        /// Whether it is held because of who wrote it.
        held: bool,
    },
}

/// Why nothing came of it.
#[derive(Debug, thiserror::Error)]
pub enum ReleaseError {
    /// It waits no more.
    #[error("{id} was released already, at {at}")]
    Before {
        /// Which.
        id: i64,
        /// When.
        at: jiff::Timestamp,
    },
    /// The store.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The message's bytes.
    #[error(transparent)]
    Content(#[from] content::Error),
    /// A thread ended.
    #[error("the rules ended early: {0}")]
    Task(#[from] tokio::task::JoinError),
}

/// Runs a message of quarantine as `job` does now, and records what comes of it.
///
/// # Errors
/// If it was released before, or the store fails.
pub async fn release(
    store: &Store,
    detail: &QuarantineDetail,
    job: &Job,
    with: ReleaseWith,
) -> Result<Released, ReleaseError> {
    let id = detail.row.id;
    if let Some(at) = detail.row.released_at {
        return Err(ReleaseError::Before { id, at });
    }
    if detail.row.header_only {
        return Ok(Released::FetchedAgain(store.quarantine_forget(id).await?));
    }
    let raw =
        RawMessage { key: detail.row.key.clone(), received: Some(detail.received_at), content: detail.raw.clone() };
    let ReleaseWith { rules, tags, attachments, outlets, others } = with;
    let parsed = pipeline::parse(raw, &tags, &attachments)?;
    let reception = Reception::of(job, &outlets.own_addresses).released(others);
    let threading = reception.thread(store, &parsed, rules.classes()).await?;
    let held = threading.held.is_some();
    let cleaning = cleaning(job, &rules);
    // Rules may take their time: not on a thread that answers others.
    let run = move || {
        let verdict = pipeline::run(&mut rules.instances(), &parsed, &threading, &cleaning, &outlets);
        (parsed, verdict)
    };
    let (parsed, verdict) = tokio::task::spawn_blocking(run).await?;
    let entry = reception.admitted(entry(&job.name, &job.handling, None, &parsed, verdict));
    if let Verdict::Quarantine { cause, .. } = &entry.verdict {
        return Ok(Released::Kept { cause: cause.clone(), held });
    }
    Ok(Released::Recorded(Box::new(store.quarantine_release(id, &entry).await?)))
}

/// Takes a message out of quarantine without running it: its receipt says that it was rejected, by whom. Its bytes stay.
///
/// # Errors
/// If it was released before, or the store fails.
pub async fn discard(store: &Store, detail: &QuarantineDetail, by: &str) -> Result<Receipt, ReleaseError> {
    let row = &detail.row;
    if let Some(at) = row.released_at {
        return Err(ReleaseError::Before { id: row.id, at });
    }
    let revision = detail.report.get("revision").and_then(serde_json::Value::as_str).unwrap_or_default();
    let entry = Entry {
        job: row.job.clone(),
        session: None,
        key: row.key.clone(),
        raw: detail.raw.clone(),
        message_id: row.message_id.clone(),
        sender: Some(row.sender.clone()).filter(|sender| !sender.is_empty()),
        people: Vec::new(),
        brake: None,
        attachments: Vec::new(),
        revision: revision.to_owned(),
        report: detail.report.to_string(),
        verdict: Verdict::Plan(Plan {
            outcome: Outcome::Rejected { reason: format!("dropped from quarantine by {by}") },
            changes: Vec::new(),
        }),
        // What a person decides here says nothing about the mailbox.
        disposition: Disposition::default(),
        received_at: detail.received_at,
        header_only: row.header_only,
    };
    Ok(store.quarantine_release(row.id, &entry).await?)
}
