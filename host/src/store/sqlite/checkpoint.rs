//! Bringing SQLite's log of changes into the database (sqlite.org/wal.html, "Checkpointing") beside those who write, so that no message
//! waits for it.

use sqlx::AnyPool;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// After how many bytes of messages the log is brought into the database.
const EVERY_BYTES: u64 = 32 << 20;

/// A connection that does nothing else. Clones share it.
#[derive(Debug, Clone)]
pub(in crate::store) struct Checkpoints(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    pool: AnyPool,
    /// How many bytes were written since the last one began.
    written: AtomicU64,
    is_busy: AtomicBool,
}

impl Checkpoints {
    pub(super) fn new(pool: AnyPool) -> Self {
        Self(Arc::new(Shared { pool, written: AtomicU64::new(0), is_busy: AtomicBool::new(false) }))
    }

    /// Notes that about so many bytes were written, and begins a checkpoint if it is time for one. It waits for nobody and nobody waits
    /// for it: the writer goes on in the log, and starts it anew once all of it is in the database.
    pub(in crate::store) fn written(&self, bytes: u64) {
        let shared = &self.0;
        if shared.written.fetch_add(bytes, Ordering::Relaxed) + bytes < EVERY_BYTES
            || shared.is_busy.swap(true, Ordering::Relaxed)
        {
            return;
        }
        shared.written.store(0, Ordering::Relaxed);
        let shared = shared.clone();
        tokio::spawn(async move {
            let done = sqlx::raw_sql("PRAGMA wal_checkpoint(PASSIVE)").execute(&shared.pool).await;
            shared.is_busy.store(false, Ordering::Relaxed);
            if let Err(error) = done {
                // The log only grows meanwhile; from 256 MiB on its writer does it, and tells.
                tracing::debug!(%error, "the log of changes is not yet brought into the database");
            }
        });
    }

    /// Waits for the one that is under way.
    pub(in crate::store) async fn close(&self) {
        self.0.pool.close().await;
    }
}
