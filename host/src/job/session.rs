//! One session: list, fetch, hand on, commit, mark. A row of the incoming mail log.

use super::order::Turn;
use super::pump::{PARSE_AHEAD, pump};
use super::sight::{self, Recognised, Renumbered};
use super::{Care, Context, Error, Progress, Reception, cleaning};
use crate::config::{Handling, Job};
use crate::fault::{self, Point};
use crate::mailbox::{self, Disposition, Fetched, Listed, MessageKey, Session};
use crate::message::Address;
use crate::metrics::Hop;
use crate::pipeline::{Parsed, Verdict};
use crate::store::{self, Entry, Receipt, SessionId, SessionTally, WARNING};
use crate::tame::tame;
use crate::thread;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::mpsc;

/// The most messages that are asked for before those that are done are marked.
const CHUNK_MESSAGES: usize = 200;
/// The most errors of a session up to which each message that could not be fetched is told of.
const ERRORS_TOLD_MAX: u64 = 10;

/// What comes back from a message in hand.
pub(super) type Done = Result<Handled, Error>;

/// What became of a message in hand.
pub(super) enum Handled {
    /// It is in the ledger.
    Recorded(Receipt),
    /// It was in the ledger under another number.
    Recognised(Receipt),
    /// It was there before the job, and is none of its business.
    PassedOver,
}

/// Runs one session and, if there was anything to do, records it in the log.
///
/// # Errors
/// If it ended early or left something undone; what was committed before stays, all else is still on the server.
pub async fn session(
    ctx: &Arc<Context>,
    job: &Arc<Job>,
    mailbox: &mut Session,
    care: &mut Care,
) -> Result<SessionTally, Error> {
    let tally = SessionTally::default();
    let recognised = Recognised::default();
    let (uncertain, unmarkable) = (Vec::new(), BTreeSet::new());
    let mut run = Run { ctx, job, mailbox, care, id: None, tally, undone: None, uncertain, unmarkable, recognised };
    let mut outcome = run.drain().await;
    if outcome.is_ok() {
        outcome = run.settle().await;
    }
    outcome = outcome.and_then(|()| run.undone.take().map_or(Ok(()), Err));
    if outcome.is_ok() {
        run.care.one_by_one = false;
    }
    if outcome.is_err() || run.id.is_some() {
        let id = run.id().await?;
        let warnings = run.mailbox.warnings().iter().map(|warning| format!("{WARNING}{warning}"));
        let comment: Vec<String> =
            outcome.as_ref().err().map(ToString::to_string).into_iter().chain(warnings).collect();
        let comment = (!comment.is_empty()).then(|| comment.join("; "));
        fault::pass(Point::SessionEnding);
        ctx.store.finish_session(id, &run.tally, comment.as_deref()).await?;
        fault::pass(Point::SessionEnded);
    }
    outcome.map(|()| run.tally)
}

/// Records a session that failed before it began, such as for a wrong password.
pub(super) async fn record_failure<T>(ctx: &Context, job: &Job, outcome: Result<T, Error>) -> Result<T, Error> {
    if let Err(error) = &outcome {
        let id = ctx.store.begin_session(&job.name).await?;
        ctx.store.finish_session(id, &SessionTally::default(), Some(&error.to_string())).await?;
    }
    outcome
}

/// A session under way.
pub(super) struct Run<'r> {
    pub(super) ctx: &'r Arc<Context>,
    pub(super) job: &'r Arc<Job>,
    pub(super) mailbox: &'r mut Session,
    care: &'r mut Care,
    /// Its row of the log, once there is something to log.
    id: Option<SessionId>,
    pub(super) tally: SessionTally,
    /// The first thing that was left undone, and did not keep the rest from being done.
    undone: Option<Error>,
    /// What is marked, but certain only once the mailbox has settled.
    uncertain: Vec<MessageKey>,
    /// The mailboxes that have refused to be marked.
    unmarkable: BTreeSet<String>,
    pub(super) recognised: Recognised,
}

impl Run<'_> {
    pub(super) async fn id(&mut self) -> Result<SessionId, Error> {
        if let Some(id) = self.id {
            return Ok(id);
        }
        let id = self.ctx.store.begin_session(&self.job.name).await?;
        self.id = Some(id);
        fault::pass(Point::SessionBegun);
        Ok(id)
    }

    async fn drain(&mut self) -> Result<(), Error> {
        self.mark_left_over().await?;
        let Some(listed) = self.ctx.unless_stopped(self.mailbox.list()).await else { return Ok(()) };
        let listed = listed?;
        self.tally.waiting = self.mailbox.waiting();
        let unopened = self.mailbox.unopened();
        if !unopened.is_empty() {
            self.tally.errors += unopened.len() as u64;
            self.undone.get_or_insert(Error::Unopened(unopened));
        }
        for cause in self.mailbox.take_unreadable() {
            tracing::warn!(job = self.job.name, cause, "a message cannot be read and is left out");
            self.tally.errors += 1;
            self.undone.get_or_insert(Error::Withheld(cause));
        }
        self.ctx.vitals.progress(&self.job.name);
        let renumbered = Arc::new(self.look_around(&listed).await?);
        // There may be hundreds of thousands.
        let again = if renumbered.is_empty() { Vec::new() } else { listed.clone() };
        let unknown = unknown(self.ctx, self.job, listed).await?;
        if !unknown.is_empty() {
            self.take_in(unknown, &renumbered).await?;
        }
        self.settle_numbers(&renumbered, &again).await
    }

    async fn take_in(&mut self, unknown: Vec<Listed>, renumbered: &Arc<Renumbered>) -> Result<(), Error> {
        self.id().await?;
        tracing::info!(job = self.job.name, messages = unknown.len(), "fetching");
        self.ctx.tell(Progress::Found { job: self.job.name.clone(), messages: unknown.len() });
        let bytes_max = self.ctx.limits.message_bytes_max(self.job);
        let (too_large, wanted): (Vec<Listed>, Vec<Listed>) =
            unknown.into_iter().partition(|listed| listed.size.is_some_and(|size| size > bytes_max));
        for listed in too_large {
            self.keep_out(&listed, bytes_max, renumbered).await?;
        }
        let wanted: Vec<MessageKey> = wanted.into_iter().map(|listed| listed.key).collect();
        self.fetch_and_mark(&wanted, renumbered).await
    }

    /// Fetches chunk by chunk; while the next chunk is fetched, the one before goes through the rules. What is
    /// committed is marked between chunks and at the end.
    async fn fetch_and_mark(&mut self, wanted: &[MessageKey], renumbered: &Arc<Renumbered>) -> Result<(), Error> {
        let (sink, fetched) = mpsc::channel(PARSE_AHEAD);
        let (done, mut receipts) = mpsc::unbounded_channel();
        let id = self.id().await?;
        let pump = tokio::spawn(pump(self.ctx.clone(), self.job.clone(), id, renumbered.clone(), fetched, done));
        let (mut outcome, mut refused, mut usable) = (Ok(()), Vec::new(), true);
        for chunk in wanted.chunks(if self.care.one_by_one { 1 } else { CHUNK_MESSAGES }) {
            if self.ctx.stopping() {
                break;
            }
            self.ctx.vitals.progress(&self.job.name);
            fault::pass(Point::FetchBefore);
            outcome = match self.ctx.unless_stopped(self.mailbox.fetch(chunk, &sink)).await {
                Some(Ok(fetched)) => {
                    self.withheld(&fetched);
                    refused.extend(fetched.refused);
                    self.mark(std::iter::from_fn(|| receipts.try_recv().ok()).collect()).await
                }
                Some(Err(error)) => {
                    usable = false;
                    refused.extend(self.blame(chunk, &error));
                    Err(error.into())
                }
                None => {
                    usable = false;
                    Ok(())
                }
            };
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
        if let Err(error) = pump.await {
            tracing::error!(job = self.job.name, %error, "the session's pump ended early");
        }
        // Not before: a message that did arrive is in the ledger by now, and stays as it is there.
        for (key, cause) in refused {
            self.refuse(&key, Arc::default(), &cause).await?;
        }
        if usable {
            return outcome.and(self.mark(rest).await);
        }
        // The connection is half way through an answer: the next session marks, from the ledger.
        let (_, failed) = self.note_done(rest);
        outcome.and(failed)
    }

    /// The message to blame for an answer that makes no sense, if only one was asked for; or else, the next session
    /// asks for one at a time.
    fn blame(&mut self, chunk: &[MessageKey], error: &mailbox::Error) -> Option<(MessageKey, String)> {
        if !matches!(error, mailbox::Error::Protocol { .. }) {
            return None;
        }
        self.care.one_by_one = true;
        self.care.learnt = true;
        match chunk {
            [key] => Some((key.clone(), error.to_string())),
            _ => None,
        }
    }

    /// Messages that could not be had this time: the next session tries again.
    fn withheld(&mut self, fetched: &Fetched) {
        for (key, cause) in &fetched.withheld {
            self.tally.errors += 1;
            if self.tally.errors <= ERRORS_TOLD_MAX {
                let key = tame(&key.to_string());
                tracing::warn!(job = self.job.name, key, cause, "a message could not be fetched; the others are");
            }
            self.undone.get_or_insert_with(|| Error::Withheld(cause.clone()));
        }
    }

    /// Hop 9: marks in the mailbox what is committed, and only that.
    async fn mark(&mut self, done: Vec<Done>) -> Result<(), Error> {
        let (marks, failed) = self.note_done(done);
        self.set_marks(&marks, false).await?;
        failed
    }

    /// Counts what is done; what is to be marked, and the first error.
    fn note_done(&mut self, done: Vec<Done>) -> (Vec<(MessageKey, Disposition)>, Result<(), Error>) {
        let mut marks = Vec::new();
        let mut failed = Ok(());
        for done in done {
            match done {
                Ok(Handled::Recorded(receipt)) => {
                    count(&mut self.tally, &receipt);
                    marks.push((receipt.key, receipt.disposition));
                }
                Ok(Handled::Recognised(receipt)) => {
                    self.recognised.known += 1;
                    marks.push((receipt.key, receipt.disposition));
                }
                Ok(Handled::PassedOver) => {
                    self.recognised.passed_over += 1;
                    self.tally.passed_over += 1;
                }
                Err(error) => {
                    self.tally.errors += 1;
                    failed = failed.and(Err(error));
                }
            }
        }
        marks.retain(|(_, disposition): &(_, Disposition)| !disposition.is_nothing());
        (marks, failed)
    }

    async fn mark_left_over(&mut self) -> Result<(), Error> {
        let mut left_over = self.ctx.store.unmarked(&self.job.name).await?;
        // After the server has renumbered a mailbox, what the old numbers meant can no longer be said.
        left_over.retain(|(key, _)| self.mailbox.is_current(key));
        self.set_marks(&left_over, true).await
    }

    /// A mailbox that cannot be marked can be read all the same. `again` says that it may have been tried before.
    async fn set_marks(&mut self, marks: &[(MessageKey, Disposition)], again: bool) -> Result<(), Error> {
        let mut by_mailbox: BTreeMap<&str, Vec<(MessageKey, Disposition)>> = BTreeMap::new();
        for mark in marks {
            by_mailbox.entry(&mark.0.mailbox).or_default().push(mark.clone());
        }
        for (mailbox, marks) in by_mailbox {
            // Once refused, it would be refused again; what is refused in one mailbox says nothing of the others.
            if !self.unmarkable.contains(mailbox) {
                self.set_marks_in(mailbox, &marks, again).await?;
            }
        }
        Ok(())
    }

    async fn set_marks_in(
        &mut self,
        mailbox: &str,
        marks: &[(MessageKey, Disposition)],
        again: bool,
    ) -> Result<(), Error> {
        self.ctx.vitals.progress(&self.job.name);
        let begun = Instant::now();
        fault::pass(Point::MarkBefore);
        let mark = async { if again { self.mailbox.mark_again(marks).await } else { self.mailbox.mark(marks).await } };
        match self.ctx.unless_stopped(mark).await {
            None => return Ok(()),
            Some(Ok(())) => {}
            Some(Err(error)) if error.is_refusal() => {
                self.tally.errors += 1;
                self.unmarkable.insert(mailbox.to_owned());
                self.undone = Some(Error::Unmarked(error));
                return Ok(());
            }
            Some(Err(error)) => return Err(error.into()),
        }
        fault::pass(Point::MarkAfter);
        self.ctx.metrics.hop(Hop::Mark, begun.elapsed());
        let keys: Vec<MessageKey> = marks.iter().map(|(key, _)| key.clone()).collect();
        if !self.mailbox.settles() {
            return self.record_marks(&keys).await;
        }
        self.uncertain.extend(keys);
        Ok(())
    }

    /// Where marks are certain only at the end of a session, this is it.
    async fn settle(&mut self) -> Result<(), Error> {
        fault::pass(Point::SettleBefore);
        match self.ctx.unless_stopped(self.mailbox.settle()).await {
            None => return Ok(()),
            Some(Err(error)) if error.is_refusal() => {
                self.tally.errors += 1;
                self.undone = Some(Error::Unmarked(error));
                return Ok(());
            }
            Some(settled) => settled?,
        }
        fault::pass(Point::SettleAfter);
        let certain = std::mem::take(&mut self.uncertain);
        self.record_marks(&certain).await
    }

    async fn record_marks(&self, keys: &[MessageKey]) -> Result<(), Error> {
        self.ctx.store.marked(&self.job.name, keys).await?;
        fault::pass(Point::MarkRecorded);
        Ok(())
    }
}

async fn unknown(ctx: &Context, job: &Job, listed: Vec<Listed>) -> Result<Vec<Listed>, Error> {
    let keys = listed.iter().map(|listed| listed.key.clone()).collect();
    let unknown: std::collections::HashSet<MessageKey> =
        ctx.store.unknown(&job.name, keys).await?.into_iter().collect();
    Ok(listed.into_iter().filter(|listed| unknown.contains(&listed.key)).collect())
}

pub(super) fn count(tally: &mut SessionTally, receipt: &Receipt) {
    // It was counted when it was recorded.
    if receipt.repeated {
        return;
    }
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

/// Hops 3 to 8 for one message, after those before it in its conversation.
pub(super) async fn handle(
    ctx: &Context,
    job: &Job,
    reception: &Reception,
    id: SessionId,
    renumbered: &Renumbered,
    parsed: Parsed,
    mut turn: Turn,
) -> Done {
    turn.wait().await;
    if let Some(known) = sight::recognise(ctx, job, renumbered, &parsed).await? {
        ctx.tell(Progress::Handled { job: job.name.clone() });
        return Ok(known);
    }
    let rules = ctx.rules.borrow().clone();
    let begun = Instant::now();
    let threading = reception.thread(&ctx.store, &parsed, rules.classes()).await?;
    ctx.metrics.hop(Hop::Thread, begun.elapsed());
    fault::pass(Point::ThreadAfter);
    let cleaning = Arc::new(cleaning(job, &rules));
    let parsed = Arc::new(parsed);
    let outlets = ctx.outlets.borrow().clone();
    let begun = Instant::now();
    let verdict = ctx.workers.decide(&job.name, rules, parsed.clone(), threading, cleaning, outlets).await?;
    fault::pass(Point::RulesAfter);
    ctx.metrics.hop(Hop::Rules, begun.elapsed());
    for step in &verdict.report.steps {
        ctx.metrics.step(&step.step, &step.plugin, step.time, step.fault.is_some());
    }
    let begun = Instant::now();
    let receipt =
        ctx.committer.commit(reception.admitted(entry(&job.name, &job.handling, Some(id), &parsed, verdict))).await?;
    fault::pass(Point::CommitAnswered);
    ctx.metrics.hop(Hop::Commit, begun.elapsed());
    ctx.tell(Progress::Handled { job: job.name.clone() });
    if receipt.repeated {
        tracing::debug!("the message is known already");
        return Ok(Handled::Recorded(receipt));
    }
    ctx.metrics.message(&job.name, receipt.outcome.name());
    tracing::info!(
        outcome = receipt.outcome.name(),
        created = %list(&receipt.created),
        updated = %list(&receipt.updated),
        revision = receipt.revision,
        "message handled"
    );
    if !receipt.withheld.is_empty() {
        let (receipt, count) = (receipt.id, receipt.withheld.len());
        tracing::warn!(receipt, count, "not all that the rules send is sent: mailmill log --message {receipt}");
    }
    Ok(Handled::Recorded(receipt))
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
        raw: parsed.raw.content.clone(),
        message_id: message.message_id.clone(),
        sender: message.sender.as_ref().map(Address::key),
        people: thread::people(message),
        brake: None,
        attachments: message.attachments.iter().filter(|one| one.refused.is_none()).cloned().collect(),
        revision: report.revision.clone(),
        report: serde_json::to_string(&report.without_texts(message)).unwrap_or_else(|_| "null".to_owned()),
        verdict: match plan {
            Ok(plan) => store::Verdict::Plan(plan),
            Err(cause) => store::Verdict::Quarantine { cause: cause.reason, class: cause.class },
        },
        disposition,
        received_at: message.received,
        header_only: false,
    }
}
