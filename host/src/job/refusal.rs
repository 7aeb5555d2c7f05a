//! Messages that are not fetched, or of which only the header is: too large, or not to be had.

use super::session::{Run, count, entry};
use super::sight::{self, Renumbered};
use super::{Context, Error, Progress};
use crate::class::Class;
use crate::config::Job;
use crate::mailbox::{self, Listed, MessageKey, RawMessage};
use crate::pipeline::{self, Verdict};
use crate::report::{Cause, Report};
use crate::store::{Entry, SessionId};
use crate::tame::tame;
use crate::thread::Threading;
use std::sync::Arc;

impl Run<'_> {
    /// A message that is too large: of its header, people can tell what it is.
    pub(super) async fn keep_out(
        &mut self,
        listed: &Listed,
        bytes_max: u64,
        renumbered: &Renumbered,
    ) -> Result<(), Error> {
        let cause = too_large_cause(listed.size.unwrap_or_default(), bytes_max);
        let header = match self.ctx.unless_stopped(self.mailbox.fetch_header(&listed.key)).await {
            None => return Ok(()),
            Some(Ok(header)) => header.unwrap_or_default(),
            Some(Err(error)) if error.is_refusal() => Arc::default(),
            Some(Err(error)) => {
                // An answer that makes no sense would end the next session as well, at the same message.
                if matches!(error, mailbox::Error::Protocol { .. }) {
                    self.refuse(&listed.key, Arc::default(), &cause).await?;
                }
                return Err(error.into());
            }
        };
        let raw = RawMessage { key: listed.key.clone(), received: None, content: header.clone().into() };
        match sight::recognise(
            self.ctx,
            self.job,
            renumbered,
            &pipeline::parse(raw, &self.ctx.tags, &self.ctx.attachments)?,
        )
        .await?
        {
            Some(_) => {
                self.ctx.tell(Progress::Handled { job: self.job.name.clone() });
                self.recognised.known += 1;
            }
            None => self.refuse(&listed.key, header, &cause).await?,
        }
        Ok(())
    }

    /// A message that cannot be fetched: it stays in the mailbox, and an entry in the quarantine says so.
    pub(super) async fn refuse(&mut self, key: &MessageKey, header: Arc<[u8]>, reason: &str) -> Result<(), Error> {
        let id = self.id().await?;
        let header = RawMessage { key: key.clone(), received: None, content: header.into() };
        let entry = refusal(self.ctx, self.job, id, header, reason)?;
        let receipt = self.ctx.committer.commit(entry).await?;
        self.ctx.tell(Progress::Handled { job: self.job.name.clone() });
        if !receipt.repeated {
            let key = tame(&key.to_string());
            tracing::warn!(job = self.job.name, key, reason, "a message cannot be fetched; it is in quarantine");
        }
        count(&mut self.tally, &receipt);
        Ok(())
    }
}

/// What goes into the ledger for a message that cannot be fetched, or only its header.
fn refusal(ctx: &Context, job: &Job, id: SessionId, header: RawMessage, reason: &str) -> Result<Entry, Error> {
    let cause = Cause {
        hop: "fetch".to_owned(),
        step: None,
        reason: format!(
            "{reason}; it was not fetched and is still in the mailbox: to have it fetched again, release it from quarantine"
        ),
        class: Class::Permanent,
    };
    let parsed = pipeline::parse(header, &ctx.tags, &ctx.attachments)?;
    let revision = ctx.rules.borrow().revision().to_string();
    let mut report = Report::begin(&revision, &parsed.message, parsed.raw.content.len(), &Threading::default());
    report.quarantine = Some(cause.clone());
    let verdict = Verdict { plan: Err(cause), report };
    Ok(Entry { header_only: true, ..entry(&job.name, &job.handling, Some(id), &parsed, verdict) })
}

fn too_large_cause(size: u64, bytes_max: u64) -> String {
    format!(
        "the message is {size} bytes long and the limit message_bytes_max is {bytes_max}: raise it if this one is wanted"
    )
}
