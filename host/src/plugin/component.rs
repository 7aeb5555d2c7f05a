//! Components: plugins that are loaded and checked, ready to be made instances of.

use super::bindings::rules::types;
use super::bindings::{extractor, preprocessor, processor};
use super::check::{Import, Outline};
use super::clock::Clock;
use super::engine::Engine;
use super::health::Health;
use super::instance::{Bound, Instance};
use super::state::State;
use super::{About, ConfigureError, Fault, PluginConfig, World};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;
use wasmtime::{Store, UpdateDeadline};

/// A loaded plugin. Cheap to clone.
#[derive(Clone)]
pub struct Component {
    shared: Arc<Shared>,
}

/// A component that may be out of use.
#[derive(Debug)]
pub(super) struct WeakComponent {
    shared: Weak<Shared>,
}

struct Shared {
    engine: Engine,
    outline: Outline,
    linked: Linked,
    about: About,
    path: Option<PathBuf>,
    hash: String,
    /// How its steps fare, by their names and rules. A file that has not changed is the same component, as long as any rules use it:
    /// so changed rules of another step do not let a suspended one off.
    healths: Mutex<BTreeMap<(String, String), Weak<Health>>>,
}

/// A component with its imports resolved.
pub(super) enum Linked {
    Preprocessor(preprocessor::PreprocessorPre<State>),
    Extractor(extractor::ExtractorPre<State>),
    Processor(processor::ProcessorPre<State>),
}

impl std::fmt::Debug for Component {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Component")
            .field("about", self.about())
            .field("hash", &self.shared.hash)
            .finish_non_exhaustive()
    }
}

impl Component {
    pub(super) fn new(
        engine: Engine,
        outline: Outline,
        linked: Linked,
        path: Option<&Path>,
        hash: String,
    ) -> Result<Self, Fault> {
        let (mut store, bound) = bind(&engine, &linked)?;
        let deadline = Duration::from_millis(engine.shared.limits.configure_deadline_ms);
        let about = super::instance::timed(&engine, &mut store, None, deadline, |store| bound.describe(store))?;
        let types::About { name, version, summary, schema } = about;
        let about = About { name, version, summary, schema };
        let path = path.map(Path::to_owned);
        let healths = Mutex::default();
        Ok(Self { shared: Arc::new(Shared { engine, outline, linked, about, path, hash, healths }) })
    }

    pub(super) fn downgrade(&self) -> WeakComponent {
        WeakComponent { shared: Arc::downgrade(&self.shared) }
    }

    /// Its world.
    #[must_use]
    pub fn world(&self) -> World {
        self.shared.outline.world
    }

    /// What it says of itself.
    #[must_use]
    pub fn about(&self) -> &About {
        &self.shared.about
    }

    /// The SHA-256 of its file, in hexadecimal.
    #[must_use]
    pub fn hash(&self) -> &str {
        &self.shared.hash
    }

    /// Its file, if it came from one.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.shared.path.as_deref()
    }

    /// The interfaces that it imports, with their functions.
    #[must_use]
    pub fn imports(&self) -> &[Import] {
        &self.shared.outline.imports
    }

    /// The interfaces that it exports.
    #[must_use]
    pub fn exports(&self) -> &[String] {
        &self.shared.outline.exports
    }

    /// How the step of this name and with these rules fares.
    #[must_use]
    pub fn health(&self, step: &str, config: &PluginConfig) -> Arc<Health> {
        let mut healths = self.shared.healths.lock().unwrap_or_else(PoisonError::into_inner);
        healths.retain(|_, health| health.strong_count() > 0);
        let key = (step.to_owned(), config.rules.to_string());
        if let Some(known) = healths.get(&key).and_then(Weak::upgrade) {
            return known;
        }
        let health = Arc::default();
        healths.insert(key, Arc::downgrade(&health));
        health
    }

    /// After how many faults in a row its steps are suspended.
    #[must_use]
    pub fn faults_in_a_row_max(&self) -> u64 {
        self.shared.engine.shared.limits.faults_in_a_row
    }

    /// Makes an instance for the step of the pipeline and gives it its rules.
    ///
    /// # Errors
    /// If the rules are wrong, or the plugin fails.
    pub fn instantiate(&self, step: &str, config: &PluginConfig) -> Result<Instance, ConfigureError> {
        let (store, bound) = bind(&self.shared.engine, &self.shared.linked).map_err(ConfigureError::Fault)?;
        Instance::configure(self.shared.engine.clone(), store, bound, step, config)
    }
}

impl WeakComponent {
    /// The component, if it is still in use.
    pub(super) fn upgrade(&self) -> Option<Component> {
        self.shared.upgrade().map(|shared| Component { shared })
    }
}

/// A fresh store with an instance in it.
fn bind(engine: &Engine, linked: &Linked) -> Result<(Store<State>, Bound), Fault> {
    let shared = &engine.shared;
    let state = State::new(shared.limits.clone(), shared.patterns.clone(), shared.ticker.clock().clone());
    let mut store = Store::new(&shared.wasmtime, state);
    store.limiter(|state| state);
    store.set_hostcall_fuel(shared.limits.copied_bytes);
    store.set_max_component_handles(shared.limits.handles);
    store.epoch_deadline_callback(|context| {
        let left = context.data().left()?;
        Ok(UpdateDeadline::Continue(Clock::ticks_in(left)))
    });
    let deadline = Duration::from_millis(shared.limits.configure_deadline_ms);
    let bound = super::instance::timed(engine, &mut store, None, deadline, |store| {
        Ok(match linked {
            Linked::Preprocessor(linked) => Bound::Preprocessor(linked.instantiate(store)?),
            Linked::Extractor(linked) => Bound::Extractor(linked.instantiate(store)?),
            Linked::Processor(linked) => Bound::Processor(linked.instantiate(store)?),
        })
    })?;
    Ok((store, bound))
}
