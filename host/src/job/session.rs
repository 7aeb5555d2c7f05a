//! One session: list, fetch, hand on, commit, mark. A row of the incoming mail log.

use super::order::{self, Turn};
use super::{Context, Error, cleaning};
use crate::class::Class;
use crate::config::{Handling, Job};
use crate::mailbox::{Disposition, Listed, MessageKey, RawMessage, Session};
use crate::pipeline::{self, Parsed, Verdict};
use crate::report::{Cause, Report};
use crate::store::{self, Entry, Receipt, SessionId, SessionTally};
use crate::thread::Conversation;
use futures::StreamExt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

/// The most messages that are asked for before those that are done are marked.
const CHUNK_MESSAGES: usize = 200;
/// The most messages that are parsed ahead.
const PARSE_AHEAD: usize = 8;
/// The unit of the byte budget: permits are counted in 32 bits.
const BUDGET_UNIT: u64 = 1024;
/// The most messages of one job that are in hand.
const IN_HAND_MAX: usize = 1000;

/// What comes back from a message in hand.
type Done = Result<Receipt, Error>;

/// Runs one session and records it in the log.
///
/// # Errors
/// If it ended early; what was committed before stays, all else is still on the server.
pub async fn session(ctx: &Arc<Context>, job: &Arc<Job>, mailbox: &mut Session) -> Result<SessionTally, Error> {
    let id = ctx.store.begin_session(&job.name).await?;
    let mut tally = SessionTally::default();
    let outcome = drain(ctx, job, id, mailbox, &mut tally).await;
    let comment = outcome.as_ref().err().map(ToString::to_string);
    ctx.store.finish_session(id, &tally, comment.as_deref()).await?;
    outcome.map(|()| tally)
}

/// Records a session that failed before it began, such as for a wrong password.
pub(super) async fn record_failure<T>(ctx: &Context, job: &Job, outcome: Result<T, Error>) -> Result<T, Error> {
    if let Err(error) = &outcome {
        let id = ctx.store.begin_session(&job.name).await?;
        ctx.store.finish_session(id, &SessionTally::default(), Some(&error.to_string())).await?;
    }
    outcome
}

async fn drain(
    ctx: &Arc<Context>,
    job: &Arc<Job>,
    id: SessionId,
    mailbox: &mut Session,
    tally: &mut SessionTally,
) -> Result<(), Error> {
    mark_left_over(ctx, job, mailbox).await?;
    let listed = mailbox.list().await?;
    tally.waiting = mailbox.waiting();
    let unknown = unknown(ctx, job, listed).await?;
    if unknown.is_empty() {
        return Ok(());
    }
    tracing::info!(job = job.name, messages = unknown.len(), "fetching");
    let bytes_max = ctx.limits.message_bytes_max(job);
    let (too_large, wanted): (Vec<Listed>, Vec<Listed>) =
        unknown.into_iter().partition(|listed| listed.size.is_some_and(|size| size > bytes_max));
    for listed in too_large {
        let receipt = refuse_oversize(ctx, job, id, &listed).await?;
        count(tally, &receipt);
    }
    let wanted: Vec<MessageKey> = wanted.into_iter().map(|listed| listed.key).collect();
    fetch_and_mark(ctx, job, id, mailbox, &wanted, tally).await
}

async fn unknown(ctx: &Context, job: &Job, listed: Vec<Listed>) -> Result<Vec<Listed>, Error> {
    let keys = listed.iter().map(|listed| listed.key.clone()).collect();
    let unknown: std::collections::HashSet<MessageKey> =
        ctx.store.unknown(&job.name, keys).await?.into_iter().collect();
    Ok(listed.into_iter().filter(|listed| unknown.contains(&listed.key)).collect())
}

/// Fetches chunk by chunk; while the next chunk is fetched, the one before goes through the rules. What is committed is
/// marked between chunks and at the end.
async fn fetch_and_mark(
    ctx: &Arc<Context>,
    job: &Arc<Job>,
    id: SessionId,
    mailbox: &mut Session,
    wanted: &[MessageKey],
    tally: &mut SessionTally,
) -> Result<(), Error> {
    let (sink, fetched) = mpsc::channel(PARSE_AHEAD);
    let (done, mut receipts) = mpsc::unbounded_channel();
    let pump = tokio::spawn(pump(ctx.clone(), job.clone(), id, fetched, done));
    let mut outcome = Ok(());
    for chunk in wanted.chunks(CHUNK_MESSAGES) {
        if ctx.stopping() {
            break;
        }
        outcome = mailbox.fetch(chunk, &sink).await.map(|_| ()).map_err(Error::from);
        let ready = std::iter::from_fn(|| receipts.try_recv().ok()).collect();
        outcome = outcome.and(mark(ctx, job, mailbox, ready, tally).await);
        if outcome.is_err() {
            break;
        }
    }
    // The messages in hand are finished in any case: they may be committed already.
    drop(sink);
    let mut rest = Vec::new();
    while let Some(done) = receipts.recv().await {
        rest.push(done);
    }
    outcome = outcome.and(mark(ctx, job, mailbox, rest, tally).await);
    if let Err(error) = pump.await {
        tracing::error!(job = job.name, %error, "the session's pump ended early");
    }
    outcome
}

/// Hop 9: marks on the server what is committed, and only that.
async fn mark(
    ctx: &Context,
    job: &Job,
    mailbox: &mut Session,
    done: Vec<Done>,
    tally: &mut SessionTally,
) -> Result<(), Error> {
    let mut marks = Vec::new();
    let mut failed = Ok(());
    for done in done {
        match done {
            Ok(receipt) => {
                count(tally, &receipt);
                if !receipt.disposition.is_nothing() {
                    marks.push((receipt.key, receipt.disposition));
                }
            }
            Err(error) => {
                tally.errors += 1;
                failed = failed.and(Err(error));
            }
        }
    }
    set_marks(ctx, job, mailbox, &marks).await?;
    failed
}

async fn mark_left_over(ctx: &Context, job: &Job, mailbox: &mut Session) -> Result<(), Error> {
    let mut left_over = ctx.store.unmarked(&job.name).await?;
    // After the server has renumbered a mailbox, what the old numbers meant can no longer be said.
    left_over.retain(|(key, _)| mailbox.is_current(key));
    set_marks(ctx, job, mailbox, &left_over).await
}

async fn set_marks(
    ctx: &Context,
    job: &Job,
    mailbox: &mut Session,
    marks: &[(MessageKey, Disposition)],
) -> Result<(), Error> {
    if marks.is_empty() {
        return Ok(());
    }
    mailbox.mark(marks).await?;
    let keys: Vec<MessageKey> = marks.iter().map(|(key, _)| key.clone()).collect();
    Ok(ctx.store.marked(&job.name, &keys).await?)
}

fn count(tally: &mut SessionTally, receipt: &Receipt) {
    tally.received += 1;
    tally.created += receipt.created.len() as u64;
    tally.updated += receipt.updated.len() as u64;
    match receipt.outcome {
        store::Outcome::Accepted => {}
        store::Outcome::Rejected { .. } => tally.rejected += 1,
        store::Outcome::Ignored { .. } => tally.ignored += 1,
        store::Outcome::Quarantined { .. } => tally.quarantined += 1,
    }
}

/// Takes fetched messages in mailbox order, within the byte budget, and starts each on its way.
async fn pump(
    ctx: Arc<Context>,
    job: Arc<Job>,
    id: SessionId,
    fetched: mpsc::Receiver<RawMessage>,
    done: mpsc::UnboundedSender<Done>,
) {
    let units = u32::try_from(ctx.limits.fetch_ahead_bytes(&job) / BUDGET_UNIT).unwrap_or(u32::MAX).max(1);
    let budget = Arc::new(Semaphore::new(units as usize));
    let places = Arc::new(Semaphore::new(IN_HAND_MAX));
    // The budget is taken before the next message is looked at, in order: a large message cannot be overtaken for ever.
    let within_budget = futures::stream::unfold((fetched, budget), |(mut fetched, budget)| async move {
        let raw: RawMessage = fetched.recv().await?;
        let need = u32::try_from(raw.bytes.len() as u64 / BUDGET_UNIT + 1).unwrap_or(u32::MAX).min(units);
        let permit = budget.clone().acquire_many_owned(need).await.ok()?;
        Some(((raw, permit), (fetched, budget)))
    });
    let parse = |(raw, permit): (RawMessage, OwnedSemaphorePermit)| {
        let (workers, tags) = (ctx.workers.clone(), ctx.tags.clone());
        async move { (workers.parse(raw, tags).await, permit) }
    };
    let mut parsed = std::pin::pin!(within_budget.map(parse).buffered(PARSE_AHEAD));
    while let Some((parsed, permit)) = parsed.next().await {
        let (Ok(parsed), Ok(place)) = (parsed, places.clone().acquire_owned().await) else { return };
        let turn = ctx.order.enter(order::names(&parsed), ctx.turns.fetch_add(1, Ordering::Relaxed));
        let (ctx, job, done) = (ctx.clone(), job.clone(), done.clone());
        tokio::spawn(async move {
            // If the session is gone, nobody marks: the next one does, from the ledger.
            let _ = done.send(handle(&ctx, &job, id, parsed, turn).await);
            drop((permit, place));
        });
    }
}

/// Hops 3 to 8 for one message, after those before it in its conversation.
async fn handle(ctx: &Context, job: &Job, id: SessionId, parsed: Parsed, mut turn: Turn) -> Done {
    turn.wait().await;
    let conversation = ctx.store.conversation(&parsed.keys).await?;
    let rules = ctx.rules.borrow().clone();
    let cleaning = Arc::new(cleaning(job, &rules));
    let parsed = Arc::new(parsed);
    let verdict = ctx.workers.decide(rules, parsed.clone(), conversation, cleaning).await?;
    let outcome = pipeline::outcome_name(&verdict.plan);
    let receipt = ctx.committer.commit(entry(&job.name, &job.handling, Some(id), &parsed, verdict)).await?;
    tracing::info!(
        job = job.name,
        key = %receipt.key,
        outcome,
        created = %list(&receipt.created),
        updated = %list(&receipt.updated),
        revision = receipt.revision,
        "message handled"
    );
    Ok(receipt)
}

fn list(numbers: &[crate::ticket::TicketNumber]) -> String {
    numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

/// What goes into the ledger for a message that went through the rules.
#[must_use]
pub fn entry(job: &str, handling: &Handling, session: Option<SessionId>, parsed: &Parsed, verdict: Verdict) -> Entry {
    let Verdict { plan, report } = verdict;
    let disposition = match &plan {
        Ok(plan) => match plan.outcome {
            crate::action::Outcome::Accepted | crate::action::Outcome::Ignored { .. } => handling.on_success.clone(),
            crate::action::Outcome::Rejected { .. } => handling.on_rejection.clone(),
        },
        // What could not be processed is left alone on the server.
        Err(_) => Disposition::default(),
    };
    let message = &parsed.message;
    Entry {
        job: job.to_owned(),
        session,
        key: parsed.raw.key.clone(),
        raw: parsed.raw.bytes.clone(),
        message_id: message.message_id.clone(),
        attachments: message.attachments.clone(),
        revision: report.revision.clone(),
        report: serde_json::to_value(&report).unwrap_or_default(),
        verdict: match plan {
            Ok(plan) => store::Verdict::Plan(plan),
            Err(cause) => store::Verdict::Quarantine { cause: cause.reason, class: cause.class },
        },
        disposition,
        received_at: message.received,
    }
}

/// A message that is larger than the limit: it stays on the server, and an entry in the quarantine says so.
async fn refuse_oversize(ctx: &Context, job: &Job, id: SessionId, listed: &Listed) -> Result<Receipt, Error> {
    let size = listed.size.unwrap_or_default();
    let cause = Cause {
        hop: "fetch".to_owned(),
        step: None,
        reason: format!(
            "the message is {size} bytes long and the limit message_bytes_max is {}; it was not fetched and is still in the mailbox",
            ctx.limits.message_bytes_max(job)
        ),
        class: Class::Permanent,
    };
    let nothing: Arc<[u8]> = Arc::from([]);
    let raw = RawMessage { key: listed.key.clone(), received: None, bytes: nothing };
    let parsed = pipeline::parse(raw, &ctx.tags);
    let revision = ctx.rules.borrow().revision().to_string();
    let mut report = Report::begin(&revision, &parsed.message, 0, &Conversation::New);
    report.quarantine = Some(cause.clone());
    let verdict = Verdict { plan: Err(cause), report };
    Ok(ctx.committer.commit(entry(&job.name, &job.handling, Some(id), &parsed, verdict)).await?)
}
