//! What can be done about a message in quarantine, for pages and scripts.

use super::error::Fault;
use super::{Site, job_files};
use crate::job::{self, ReleaseWith, Released};
use crate::store::{QuarantineDetail, Receipt};
use crate::thread::FromOthers;

/// A message in quarantine, or one that was.
pub(super) async fn find(site: &Site, id: i64) -> Result<QuarantineDetail, Fault> {
    let found = site.ctx.store.quarantine(id).await?;
    found.ok_or_else(|| Fault::NotFound(format!("number {id} in quarantine")))
}

/// Runs it again on the rules in force; its receipt, or none if the next session fetches it again.
pub(super) async fn release(
    site: &Site,
    id: i64,
    others: Option<FromOthers>,
    by: &str,
) -> Result<Option<Box<Receipt>>, Fault> {
    let detail = find(site, id).await?;
    let job = job_files::load(site, &detail.row.job)?;
    let ctx = &site.ctx;
    let with = ReleaseWith {
        rules: site.reloader.current(),
        tags: ctx.tags.clone(),
        attachments: ctx.attachments.clone(),
        outlets: ctx.outlets.borrow().clone(),
        others,
    };
    let released = job::release(&ctx.store, &detail, &job, with).await;
    match released.map_err(|error| Fault::Refused(error.to_string()))? {
        Released::Kept { cause, .. } => Err(Fault::Refused(format!("It stays in quarantine: {cause}"))),
        Released::FetchedAgain(_) => {
            ctx.store.note(by, "release", &id.to_string(), "the next session fetches it again").await?;
            Ok(None)
        }
        Released::Recorded(receipt) => {
            ctx.store.note(by, "release", &id.to_string(), receipt.outcome.name()).await?;
            Ok(Some(receipt))
        }
    }
}

/// Takes it out of quarantine without running it.
pub(super) async fn discard(site: &Site, id: i64, by: &str) -> Result<(), Fault> {
    let detail = find(site, id).await?;
    let dropped = job::discard(&site.ctx.store, &detail, by).await;
    dropped.map_err(|error| Fault::Refused(error.to_string()))?;
    Ok(site.ctx.store.note(by, "drop-quarantined", &id.to_string(), &detail.row.cause).await?)
}
