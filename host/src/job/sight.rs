//! What a session makes of mailboxes before it handles their messages: those that the job sees for the first time, and
//! those that the server has numbered anew.
//!
//! A new job must not turn years of old mail into tickets, so what is there at first sight is passed over for ever, unless
//! the job says otherwise. A mailbox with another UIDVALIDITY holds mostly messages that are known by other numbers:
//! they are recognised by their bytes.

use super::session::{Handled, Run};
use super::{Context, Error};
use crate::config::{ExistingMail, Job};
use crate::fault::{self, Point};
use crate::mailbox::{Listed, MessageKey, Opened};
use crate::pipeline::Parsed;
use crate::store::{KnownMailbox, Sha256};
use std::collections::HashMap;

/// The mailboxes that were numbered anew, by name, as they were known.
pub(super) type Renumbered = HashMap<String, KnownMailbox>;

/// How many messages of renumbered mailboxes were told from new ones.
#[derive(Debug, Default)]
pub(super) struct Recognised {
    pub(super) known: u64,
    pub(super) passed_over: u64,
}

impl Run<'_> {
    /// Decides, before anything is handled, what is none of this job's business, and finds what is renumbered.
    pub(super) async fn look_around(&mut self, listed: &[Listed]) -> Result<Renumbered, Error> {
        let mut renumbered = Renumbered::new();
        let mut known = self.ctx.store.mailboxes(&self.job.name).await?;
        for opened in self.mailbox.opened() {
            let find = |known: &[KnownMailbox]| known.iter().find(|it| it.mailbox == opened.mailbox).cloned();
            let mut before = find(&known);
            if before.is_none() && !self.see_first(&opened, listed).await? {
                known = self.ctx.store.mailboxes(&self.job.name).await?;
                before = find(&known);
            }
            if let Some(before) = before.filter(|before| before.uid_validity != opened.uid_validity) {
                tracing::warn!(
                    job = self.job.name,
                    mailbox = opened.mailbox,
                    before = before.uid_validity,
                    now = opened.uid_validity,
                    "the server has numbered the mailbox anew: its messages are fetched once more, to recognise those \
                     that are known"
                );
                renumbered.insert(opened.mailbox, before);
            }
        }
        Ok(renumbered)
    }

    /// Returns whether it really is the first time.
    async fn see_first(&mut self, opened: &Opened, listed: &[Listed]) -> Result<bool, Error> {
        let there = listed.iter().filter(|listed| listed.key.mailbox == opened.mailbox);
        let passed_over: Vec<MessageKey> = match self.job.source.existing_mail() {
            ExistingMail::PassOver => there.map(|listed| listed.key.clone()).collect(),
            ExistingMail::Handle => Vec::new(),
        };
        let is_first = self.ctx.store.first_sight(&self.job.name, opened, &passed_over).await?;
        fault::pass(Point::SightNoted);
        if is_first && !passed_over.is_empty() {
            self.id().await?;
            self.tally.passed_over += passed_over.len() as u64;
            tracing::warn!(
                job = self.job.name,
                mailbox = opened.mailbox,
                passed_over = passed_over.len(),
                "the mailbox is new to this job: what was there before is passed over, as existing_mail says"
            );
        }
        Ok(is_first)
    }

    /// Once all messages of a renumbered mailbox have been looked at, the new numbers are as good as the old were.
    pub(super) async fn settle_numbers(&mut self, renumbered: &Renumbered, listed: &[Listed]) -> Result<(), Error> {
        for opened in self.mailbox.opened().into_iter().filter(|it| renumbered.contains_key(&it.mailbox)) {
            let keys: Vec<MessageKey> =
                listed.iter().filter(|it| it.key.mailbox == opened.mailbox).map(|it| it.key.clone()).collect();
            let messages = keys.len();
            if !self.ctx.store.unknown(&self.job.name, keys).await?.is_empty() {
                continue;
            }
            self.ctx.store.renumbered(&self.job.name, &opened.mailbox, opened.uid_validity).await?;
            tracing::info!(
                job = self.job.name,
                mailbox = opened.mailbox,
                messages,
                recognised = self.recognised.known,
                passed_over = self.recognised.passed_over,
                "the mailbox's new numbers are known"
            );
        }
        Ok(())
    }
}

/// What is known of a message of a renumbered mailbox; none if it is new.
pub(super) async fn recognise(
    ctx: &Context,
    job: &Job,
    renumbered: &Renumbered,
    parsed: &Parsed,
) -> Result<Option<Handled>, Error> {
    let raw = &parsed.raw;
    let Some(before) = renumbered.get(&raw.key.mailbox) else { return Ok(None) };
    if let Some(receipt) = ctx.store.recognise(&job.name, &raw.key, &Sha256(raw.content.sha256()?)).await? {
        return Ok(Some(Handled::Recognised(receipt)));
    }
    // What was passed over left no trace but its age.
    let is_older = raw.received.is_some_and(|at| at.seconds < before.first_seen_at.as_second());
    if before.passed_over > 0 && is_older {
        ctx.store.pass_over(&job.name, &raw.key).await?;
        return Ok(Some(Handled::PassedOver));
    }
    Ok(None)
}
