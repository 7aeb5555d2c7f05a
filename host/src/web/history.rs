//! The rules that were in force, for pages and scripts: what `mailmill rules history`, `diff` and `rollback` do.

use super::error::Fault;
use super::{Site, rule_files};
use crate::revisions::{self, Error, Folders, NOW, Named, Rollback};
use crate::rules::Revision;
use std::sync::Arc;

/// What may have gone wrong, in the words of a page.
fn fault(error: Error) -> Fault {
    match error {
        Error::Unknown(name) => Fault::NotFound(format!("revision {name}")),
        Error::Store(error) => error.into(),
        Error::Write { .. } => Fault::Failed(error.to_string()),
        Error::Diagnostics(_) | Error::Ambiguous { .. } | Error::Forgotten(_) => Fault::Refused(error.to_string()),
    }
}

fn folders(site: &Site) -> Folders<'_> {
    Folders { rules: &site.config.rules, plugins: &site.config.plugins, engine: site.reloader.engine() }
}

/// The rules of a revision, or those in the folder.
pub(super) async fn find(site: &Arc<Site>, name: &str) -> Result<Named, Fault> {
    if name != NOW {
        return revisions::named(&site.ctx.store, name).await.map_err(fault);
    }
    let latest = revisions::latest(&site.ctx.store).await.map_err(fault)?;
    let site = site.clone();
    // Loading may take its time: not on a thread that answers others.
    let now = tokio::task::spawn_blocking(move || revisions::now(folders(&site), latest.as_ref()));
    now.await?.map_err(fault)
}

/// How a revision could be put back, and what it is called; none if the files are its files already.
pub(super) async fn rollback(site: &Arc<Site>, name: &str) -> Result<(String, Option<Rollback>), Fault> {
    let (wanted, now) = (find(site, name).await?, find(site, NOW).await?);
    let site = site.clone();
    let name = wanted.name.clone();
    let planned = tokio::task::spawn_blocking(move || revisions::rollback(folders(&site), &wanted, &now));
    Ok((name, planned.await?.map_err(fault)?))
}

/// Puts the files back, and waits for the daemon to take them up, as somebody's.
pub(super) async fn put_back(site: &Arc<Site>, name: &str, rollback: Rollback, by: &str) -> Result<(), Fault> {
    let revision = Revision::named(&rollback.revision);
    site.reloader.expect(revision.clone(), by.to_owned());
    let (own, difference) = (site.clone(), rollback.difference.clone());
    let written = tokio::task::spawn_blocking(move || rollback.write(&own.config.rules));
    written.await?.map_err(fault)?;
    site.ctx.store.note(by, "rollback", name, &difference).await?;
    rule_files::in_force(site, &revision).await;
    Ok(())
}
