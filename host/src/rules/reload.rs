//! The rule set in force, and how another takes its place.

use super::RuleSet;
use crate::diagnostic::{Diagnostics, Severity};
use crate::plugin::Engine;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::watch;

/// Keeps the rule set that is in force. A set that does not pass its checks never takes its place.
#[derive(Debug)]
pub struct Reloader {
    rules_dir: PathBuf,
    plugins_dir: PathBuf,
    engine: Engine,
    current: watch::Sender<Arc<RuleSet>>,
    /// Whether the last look at the folders found a set that was not taken.
    refused: AtomicBool,
}

impl Reloader {
    /// Loads the first set.
    ///
    /// # Errors
    /// With everything that is wrong with it.
    pub fn start(rules_dir: PathBuf, plugins_dir: PathBuf, engine: Engine) -> Result<Self, Diagnostics> {
        let first = RuleSet::load(&rules_dir, &plugins_dir, &engine)?;
        log(first.warnings());
        Ok(Self { rules_dir, plugins_dir, engine, current: watch::Sender::new(first), refused: AtomicBool::new(false) })
    }

    /// The set in force.
    #[must_use]
    pub fn current(&self) -> Arc<RuleSet> {
        self.current.borrow().clone()
    }

    /// What loads plugins.
    #[must_use]
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Tells of each set that comes into force; the one in force now counts as seen.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<Arc<RuleSet>> {
        self.current.subscribe()
    }

    /// Loads what the folders hold now. If all is well, `accept` says yes and it is another revision, it comes into
    /// force; else the one in force stays, and what is wrong is logged. Blocks while plugins compile and tests run.
    ///
    /// # Errors
    /// With everything that is wrong.
    pub fn reload(
        &self,
        accept: impl FnOnce(&RuleSet) -> Result<(), Diagnostics>,
    ) -> Result<Arc<RuleSet>, Diagnostics> {
        let before = self.current();
        let loaded = RuleSet::load(&self.rules_dir, &self.plugins_dir, &self.engine);
        match loaded.and_then(|set| accept(&set).map(|()| set)) {
            Ok(set) if set.revision() == before.revision() => {
                if self.refused.swap(false, Ordering::Relaxed) {
                    tracing::info!(revision = %before.revision(), "the rules are again what is in force");
                }
                Ok(before)
            }
            Ok(set) => {
                self.refused.store(false, Ordering::Relaxed);
                self.current.send_replace(set.clone());
                log(set.warnings());
                tracing::info!(revision = %set.revision(), before = %before.revision(), "new rules are in force");
                Ok(set)
            }
            Err(diagnostics) => {
                self.refused.store(true, Ordering::Relaxed);
                log(&diagnostics);
                tracing::error!(revision = %before.revision(), "the rules are not taken: those before stay in force");
                Err(diagnostics)
            }
        }
    }
}

/// Logs each diagnostic on its own.
fn log(diagnostics: &Diagnostics) {
    for diagnostic in diagnostics.iter() {
        match diagnostic.severity {
            Severity::Error => tracing::error!("{diagnostic}"),
            Severity::Warning => tracing::warn!("{diagnostic}"),
        }
    }
}
