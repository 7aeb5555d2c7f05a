//! Work on tickets by hand, for pages and scripts.

use super::Site;
use super::access::Secret;
use super::error::Fault;
use crate::field::DateTime;
use crate::job::ByHand;
use crate::store::{AttachmentRow, Sha256, TicketDetail};
use crate::ticket::{TicketNumber, Visibility};
use jiff::Timestamp;

/// The longest key, in bytes.
const KEY_BYTES_MAX: usize = 200;

/// What somebody wants done to a ticket.
#[derive(Debug)]
pub(super) struct Work {
    /// What makes it one thing however often it is sent; none: each time is another one.
    pub(super) key: Option<String>,
    /// What to say, and who can read it.
    pub(super) comment: Option<(String, Visibility)>,
    /// The status that it is to have.
    pub(super) status: Option<String>,
}

/// A ticket with everything on it.
pub(super) async fn find(site: &Site, number: &str) -> Result<(TicketNumber, TicketDetail), Fault> {
    let missing = || Fault::NotFound(format!("ticket {number}"));
    let parsed = TicketNumber::parse(number).ok_or_else(missing)?;
    let detail = site.ctx.store.ticket(&parsed).await?.ok_or_else(missing)?;
    Ok((parsed, detail))
}

/// An attachment of a ticket, with its bytes.
pub(super) async fn attachment(site: &Site, number: &str, sha256: &str) -> Result<(AttachmentRow, Vec<u8>), Fault> {
    let missing = || Fault::NotFound(format!("such attachment of ticket {number}"));
    let digest = Sha256::parse(sha256).ok_or_else(missing)?;
    let (_, detail) = find(site, number).await?;
    let row = detail.attachments.into_iter().find(|row| row.sha256 == digest).ok_or_else(missing)?;
    let content = site.ctx.store.blob(&digest).await?;
    let bytes = tokio::task::spawn_blocking(move || content.to_vec()).await?;
    Ok((row, bytes.map_err(|error| Fault::Failed(error.to_string()))?))
}

/// Records it, unless that was done before; the number of its receipt.
pub(super) async fn carry_out(site: &Site, number: &TicketNumber, work: Work, by: &str) -> Result<i64, Fault> {
    let (_, detail) = find(site, &number.to_string()).await?;
    let rules = site.reloader.current();
    let class = rules.classes().get(detail.ticket.class.name());
    let status = match work.status.as_deref() {
        None => None,
        Some(wanted) => {
            let unknown = || {
                Fault::Refused(format!("Tickets of class {} have no status {wanted:?}.", detail.ticket.class.name()))
            };
            Some(class.and_then(|class| class.status(wanted).cloned()).ok_or_else(unknown)?)
        }
    };
    let status = status.filter(|status| *status != detail.ticket.status);
    if work.comment.is_none() && status.is_none() {
        let nothing = "There is nothing to record: write a comment, or choose another status.";
        return Err(Fault::Refused(nothing.to_owned()));
    }
    let key = match work.key {
        Some(key) if key.len() > KEY_BYTES_MAX => {
            return Err(Fault::Refused(format!("A key has {KEY_BYTES_MAX} bytes at most.")));
        }
        // What somebody calls one thing is one thing of this ticket.
        Some(key) => format!("{number} {key}"),
        None => Secret::new().map_err(|error| Fault::Failed(error.to_string()))?.text().to_owned(),
    };
    let detail = work.status.unwrap_or_default();
    let by_hand = ByHand {
        who: by.to_owned(),
        key,
        ticket: number.clone(),
        comment: work.comment,
        status,
        revision: rules.revision().to_string(),
        at: DateTime { seconds: Timestamp::now().as_second(), offset_minutes: 0 },
    };
    let receipt = by_hand.carry_out(&site.ctx.store).await?;
    site.ctx.store.note(by, "change-ticket", &number.to_string(), &detail).await?;
    receipt.map(|receipt| receipt.id).ok_or_else(|| Fault::Failed("nothing was recorded".to_owned()))
}
