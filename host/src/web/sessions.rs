//! The incoming mail log as people keep it, for pages and scripts: cleared, one session deleted, kept for so many days.

use super::Site;
use super::error::Fault;
use crate::config::{Config, replace_text, with_values};
use crate::job::forget;
use crate::store::{OldSessions, SessionFilter, SessionId, SessionRow};
use jiff::{SignedDuration, Timestamp};
use toml_edit::Value;

/// A session of the log.
pub(super) async fn find(site: &Site, id: i64) -> Result<SessionRow, Fault> {
    let filter = SessionFilter {
        before: Some(SessionId(id.saturating_add(1))),
        after: Some(SessionId(id.saturating_sub(1))),
        limit: Some(1),
        ..SessionFilter::default()
    };
    let session = site.ctx.store.sessions(&filter).await?.into_iter().next();
    session.ok_or_else(|| Fault::NotFound(format!("session {id} in the log")))
}

/// Forgets the sessions that began more than so many days ago, of one job or all; how many.
pub(super) async fn clear(site: &Site, job: Option<&str>, days: u16, by: &str) -> Result<u64, Fault> {
    let before = Timestamp::now().checked_sub(SignedDuration::from_hours(24 * i64::from(days))).ok();
    let old = OldSessions { job: job.map(str::to_owned), before, session: None };
    let forgotten = forget(&site.ctx.store, &old).await?;
    let detail = format!("{} sessions begun more than {days} days ago", forgotten.sessions);
    site.ctx.store.note(by, "clear-log", job.unwrap_or_default(), &detail).await?;
    Ok(forgotten.sessions)
}

/// Forgets one session that has ended.
pub(super) async fn delete(site: &Site, id: i64, by: &str) -> Result<(), Fault> {
    let session = find(site, id).await?;
    if session.finished_at.is_none() {
        return Err(Fault::Refused(format!("Session {id} has not ended yet.")));
    }
    let old = OldSessions { job: None, before: None, session: Some(session.id) };
    forget(&site.ctx.store, &old).await?;
    let detail = format!("job {}, begun at {}", session.job, session.started_at);
    Ok(site.ctx.store.note(by, "delete-session", &id.to_string(), &detail).await?)
}

/// For how many days sessions are kept; 0: for ever.
pub(super) fn retention_days(site: &Site) -> u16 {
    *site.ctx.retention_days.borrow()
}

/// Writes into the settings for how many days sessions are kept; comments and the rest of the file stay.
pub(super) async fn set_retention(site: &Site, days: u16, by: &str) -> Result<(), Fault> {
    let before = std::fs::read_to_string(&site.file)?;
    let wanted = vec![(&["incoming_log", "retention_days"][..], Some(Value::from(i64::from(days))))];
    let after = with_values(&before, wanted).map_err(|error| Fault::Refused(error.to_string()))?;
    Config::parse(&site.file, &after)?;
    let was = retention_days(site);
    replace_text(&site.file, &before, &after)?;
    site.ctx.retention_days.send_replace(days);
    Ok(site.ctx.store.note(by, "set-retention", "log", &format!("{days} days; before, {was}")).await?)
}
