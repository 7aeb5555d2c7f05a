//! Between fetching and the rules: messages in mailbox order, within the budget of bytes, each on its way.

use super::order;
use super::session::{Done, handle};
use super::sight::Renumbered;
use super::{Context, Reception};
use crate::config::Job;
use crate::fault::{self, Point};
use crate::mailbox::RawMessage;
use crate::metrics::Hop;
use crate::store::SessionId;
use crate::tame::tame;
use futures::StreamExt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tracing::Instrument;

/// The most messages that are parsed ahead.
pub(super) const PARSE_AHEAD: usize = 8;
/// The unit of the byte budget: permits are counted in 32 bits.
const BUDGET_UNIT: u64 = 1024;
/// The most messages of one job that are in hand.
const IN_HAND_MAX: usize = 1000;

/// Takes fetched messages in mailbox order, within the byte budget, and starts each on its way.
pub(super) async fn pump(
    ctx: Arc<Context>,
    job: Arc<Job>,
    id: SessionId,
    renumbered: Arc<Renumbered>,
    fetched: mpsc::Receiver<RawMessage>,
    done: mpsc::UnboundedSender<Done>,
) {
    let units = u32::try_from(ctx.limits.fetch_ahead_bytes(&job) / BUDGET_UNIT).unwrap_or(u32::MAX).max(1);
    let budget = Arc::new(Semaphore::new(units as usize));
    let places = Arc::new(Semaphore::new(IN_HAND_MAX));
    // The budget is taken before the next message is looked at, in order: a large message cannot be overtaken for ever.
    let begin = (fetched, budget, ctx.vitals.clone(), job.name.clone());
    let within_budget = futures::stream::unfold(begin, |(mut fetched, budget, vitals, job)| async move {
        let raw: RawMessage = fetched.recv().await?;
        vitals.progress(&job);
        fault::pass(Point::FetchMessage);
        let need = u32::try_from(raw.content.len() / BUDGET_UNIT + 1).unwrap_or(u32::MAX).min(units);
        let permit = budget.clone().acquire_many_owned(need).await.ok()?;
        Some(((raw, permit), (fetched, budget, vitals, job)))
    });
    let parse = |(raw, permit): (RawMessage, OwnedSemaphorePermit)| {
        let (workers, tags, job) = (ctx.workers.clone(), ctx.tags.clone(), job.clone());
        let (attachments, metrics) = (ctx.attachments.clone(), ctx.metrics.clone());
        async move {
            let begun = Instant::now();
            let parsed = workers.parse(&job.name, raw, tags, attachments).await;
            metrics.hop(Hop::Parse, begun.elapsed());
            (parsed, permit)
        }
    };
    let reception = Arc::new(Reception::of(&job, &ctx.outlets.borrow().own_addresses));
    let mut parsed = std::pin::pin!(within_budget.map(parse).buffered(PARSE_AHEAD));
    while let Some((parsed, permit)) = parsed.next().await {
        let parsed = match parsed {
            Ok(parsed) => parsed,
            Err(error) => {
                // As below.
                let _ = done.send(Err(error.into()));
                continue;
            }
        };
        fault::pass(Point::ParseAfter);
        let Ok(place) = places.clone().acquire_owned().await else { return };
        let turn = ctx.order.enter(order::names(&parsed), ctx.turns.fetch_add(1, Ordering::Relaxed));
        let (ctx, job, renumbered, done) = (ctx.clone(), job.clone(), renumbered.clone(), done.clone());
        let reception = reception.clone();
        let span = tracing::info_span!("message", job = job.name, key = tame(&parsed.raw.key.to_string()));
        let work = async move {
            let _in_hand = ctx.metrics.take_in_hand();
            // If the session is gone, nobody marks: the next one does, from the ledger.
            let _ = done.send(handle(&ctx, &job, &reception, id, &renumbered, parsed, turn).await);
            ctx.vitals.progress(&job.name);
            drop((permit, place));
        };
        tokio::spawn(work.instrument(span));
    }
}
