//! Bringing SQLite's log of changes into the database (sqlite.org/wal.html, "Checkpointing") beside those who write, so that no message
//! waits for it.

use sqlx::AnyPool;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// After how many bytes of messages the log is brought into the database, once nobody writes for a while.
const EVERY_BYTES: u64 = 32 << 20;
/// From how many bytes on it is, whoever writes.
const BYTES_MAX: u64 = 192 << 20;
/// How long nobody writes before it begins.
const PAUSE: Duration = Duration::from_millis(500);

/// A connection that does nothing else. Clones share it.
#[derive(Debug, Clone)]
pub(in crate::store) struct Checkpoints(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    pool: AnyPool,
    /// How many bytes were written since the last one began.
    written: AtomicU64,
    is_planned: AtomicBool,
}

impl Checkpoints {
    pub(super) fn new(pool: AnyPool) -> Self {
        Self(Arc::new(Shared { pool, written: AtomicU64::new(0), is_planned: AtomicBool::new(false) }))
    }

    /// Notes that about so many bytes were written, and plans a checkpoint if there is enough for one. Nobody waits for it: the writer
    /// goes on in the log, and starts it anew once all of it is in the database.
    pub(in crate::store) fn written(&self, bytes: u64) {
        let shared = &self.0;
        let written = shared.written.fetch_add(bytes, Ordering::Relaxed) + bytes;
        if written >= EVERY_BYTES && !shared.is_planned.swap(true, Ordering::Relaxed) {
            tokio::spawn(shared.clone().checkpoint());
        }
    }

    /// Waits for the one that is under way.
    pub(in crate::store) async fn close(&self) {
        self.0.pool.close().await;
    }
}

impl Shared {
    async fn checkpoint(self: Arc<Self>) {
        let mut before = 0;
        loop {
            let written = self.written.load(Ordering::Relaxed);
            if written == before || written >= BYTES_MAX {
                break;
            }
            before = written;
            tokio::time::sleep(PAUSE).await;
        }
        self.written.store(0, Ordering::Relaxed);
        self.is_planned.store(false, Ordering::Relaxed);
        if let Err(error) = sqlx::raw_sql("PRAGMA wal_checkpoint(PASSIVE)").execute(&self.pool).await {
            // The log only grows meanwhile; from 256 MiB on its writer does it, and tells.
            tracing::debug!(%error, "the log of changes is not yet brought into the database");
        }
    }
}
