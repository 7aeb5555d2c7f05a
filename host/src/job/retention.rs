//! How long the incoming mail log is kept: what is older goes in small pieces, so that no message waits for it.

use crate::clock::Clock;
use crate::store::{self, Forgotten, OldSessions, Store};
use jiff::{SignedDuration, Timestamp};
use std::time::Duration;
use tokio::sync::watch;

/// The most rows that one transaction forgets.
const PIECE_ROWS_MAX: u32 = 500;
/// How long others can write between two pieces.
const BETWEEN_PIECES: Duration = Duration::from_millis(50);
/// How often the daemon looks for what is too old.
const SWEEP_EVERY: Duration = Duration::from_secs(60 * 60);

/// Forgets sessions that match, piece by piece, until there are none.
///
/// # Errors
/// Where the database fails; what was forgotten before stays so.
pub async fn forget(store: &Store, old: &OldSessions) -> Result<Forgotten, store::Error> {
    let mut all = Forgotten::default();
    loop {
        let piece = store.forget_sessions(old, PIECE_ROWS_MAX).await?;
        all.sessions += piece.sessions;
        all.reports += piece.reports;
        if !piece.is_partial {
            return Ok(all);
        }
        tokio::time::sleep(BETWEEN_PIECES).await;
    }
}

/// Forgets what is older than so many days; with 0, nothing. A failure is logged: the next sweep tries again.
pub async fn sweep_log(store: &Store, days: u16) {
    sweep(store, days, Timestamp::now()).await;
}

async fn sweep(store: &Store, days: u16, now: Timestamp) {
    let age = SignedDuration::from_hours(i64::from(days) * 24);
    let Some(before) = now.checked_sub(age).ok().filter(|_| days > 0) else { return };
    let old = OldSessions { before: Some(before), ..OldSessions::default() };
    match forget(store, &old).await {
        Ok(forgotten) if forgotten.sessions > 0 => {
            let Forgotten { sessions, reports, .. } = forgotten;
            tracing::info!(sessions, reports, days, "what is older than the log is kept is forgotten");
        }
        Ok(_) => {}
        Err(error) => tracing::warn!(%error, "the log could not be shortened; it is tried again in an hour"),
    }
}

/// Keeps the log to so many days, for as long as the daemon runs; to another number as soon as somebody sets it.
pub async fn keep_log(store: &Store, mut days: watch::Receiver<u16>) {
    let mut clock = Clock::new();
    loop {
        let wanted = *days.borrow_and_update();
        if let Some(now) = clock.believed() {
            sweep(store, wanted, now).await;
        }
        // That nobody can set it any more is as good as that nobody does.
        let _ = tokio::time::timeout(SWEEP_EVERY, days.changed()).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{SessionFilter, SessionTally};

    #[tokio::test]
    async fn what_is_older_than_the_log_is_kept_is_forgotten() {
        let store = Store::in_memory().await.unwrap();
        let now = Timestamp::now();
        // More than one piece, and one that still runs.
        for number in 0..=u64::from(PIECE_ROWS_MAX) + 1 {
            let id = store.begin_session("desk").await.unwrap();
            if number > 0 {
                store.finish_session(id, &SessionTally::default(), None).await.unwrap();
            }
        }
        let left = async |days: u16, later: i64| {
            sweep(&store, days, now + SignedDuration::from_hours(later * 24)).await;
            store.sessions(&SessionFilter::default()).await.unwrap().len()
        };
        let all = PIECE_ROWS_MAX as usize + 2;
        assert_eq!(left(0, 1000).await, all, "for ever");
        assert_eq!(left(90, 89).await, all);
        assert_eq!(left(90, 91).await, 1);
    }
}
