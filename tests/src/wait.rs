//! Waiting without fixed sleeps: ask again until it is so, or give up.

use anyhow::{Result, bail};
use std::time::{Duration, Instant};

/// How long a test waits for something that normally takes a moment.
pub const PATIENCE: Duration = Duration::from_secs(60);
const POLL_EVERY: Duration = Duration::from_millis(20);

/// Asks `probe` until it gives a value.
///
/// # Errors
/// When [`PATIENCE`] runs out, naming `what` was waited for, and the moment `probe` itself fails.
pub fn wait_until<T>(what: &str, mut probe: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(value) = probe()? {
            return Ok(value);
        }
        if Instant::now() > deadline {
            bail!("waited {} s in vain for {what}", PATIENCE.as_secs());
        }
        std::thread::sleep(POLL_EVERY);
    }
}
