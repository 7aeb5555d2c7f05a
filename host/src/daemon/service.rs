//! What systemd is told (sd_notify): that the daemon is ready, that it stops, and that its jobs get on.
//!
//! Where no systemd has started it, nothing is told to anybody.

use crate::job::Vitals;
use sd_notify::NotifyState;
use std::time::Duration;

/// The shortest pause between two signs of life.
const PAUSE_MIN: Duration = Duration::from_millis(50);

/// The daemon is ready.
pub(super) fn ready() {
    tell(NotifyState::Ready);
}

/// The daemon begins to stop.
pub(super) fn stopping() {
    tell(NotifyState::Stopping);
}

/// Gives signs of life, as often as systemd wants them, while every job gets on; until the task is dropped. With one job that
/// hangs they end: systemd then ends the process and starts it again, and nothing is lost by it.
pub(super) async fn keep_alive(vitals: &Vitals) {
    let Some(within) = sd_notify::watchdog_enabled() else { return std::future::pending().await };
    // Half of what systemd waits for, as it advises itself.
    let pause = (within / 2).max(PAUSE_MIN);
    let mut silent = false;
    loop {
        let overdue = vitals.overdue();
        if overdue.is_empty() {
            silent = false;
            tell(NotifyState::Watchdog);
        } else if !std::mem::replace(&mut silent, true) {
            let jobs = overdue.join(", ");
            tracing::error!(
                jobs,
                "these jobs do not get on: systemd gets no more signs of life, and will start mailmill again"
            );
        }
        tokio::time::sleep(pause).await;
    }
}

/// Says so if the daemon runs as root: nothing that it does needs that, and whatever goes wrong then goes wrong everywhere.
#[allow(unsafe_code, reason = "the standard library does not say who runs a process")]
pub(super) fn warn_of_root() {
    // SAFETY: it takes nothing, touches no memory of this process, and cannot fail.
    if unsafe { libc::geteuid() } == 0 {
        tracing::warn!(
            "mailmill runs as root, which it never needs: give it a user of its own, as packaging/mailmill.service does"
        );
    }
}

fn tell(state: NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        tracing::warn!(%error, "systemd cannot be told how the daemon does");
    }
}
