//! The rule set in force, and how another takes its place.

use super::{Revision, RuleSet};
use crate::diagnostic::{Diagnostics, Severity};
use crate::plugin::Engine;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
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
    /// Who is about to bring which rules into force, as far as they said so.
    author: Mutex<Option<(Revision, String)>>,
}

impl Reloader {
    /// Loads the first set.
    ///
    /// # Errors
    /// With everything that is wrong with it.
    pub fn start(rules_dir: PathBuf, plugins_dir: PathBuf, engine: Engine) -> Result<Self, Diagnostics> {
        let first = RuleSet::load(&rules_dir, &plugins_dir, &engine)?;
        log(first.warnings());
        let (current, refused) = (watch::Sender::new(first), AtomicBool::new(false));
        Ok(Self { rules_dir, plugins_dir, engine, current, refused, author: Mutex::default() })
    }

    /// What runs the plugins.
    #[must_use]
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The set in force.
    #[must_use]
    pub fn current(&self) -> Arc<RuleSet> {
        self.current.borrow().clone()
    }

    /// Whether the last look at the folders found rules that were not taken.
    #[must_use]
    pub fn has_refused(&self) -> bool {
        self.refused.load(Ordering::Relaxed)
    }

    /// Notes who is about to write the files that these rules are made of.
    pub fn expect(&self, revision: Revision, author: String) {
        *self.author.lock().unwrap_or_else(PoisonError::into_inner) = Some((revision, author));
    }

    /// Who has said that these rules are theirs.
    #[must_use]
    pub fn author_of(&self, revision: &Revision) -> Option<String> {
        let author = self.author.lock().unwrap_or_else(PoisonError::into_inner);
        author.as_ref().filter(|(theirs, _)| theirs == revision).map(|(_, author)| author.clone())
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
