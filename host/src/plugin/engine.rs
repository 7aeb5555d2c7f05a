//! The engine: compiles and links plugins, and keeps what they share.

use super::World;
use super::bindings::{extractor, preprocessor, processor, rules};
use super::cache::Cache;
use super::check::{self, LoadError, Outline};
use super::clock::Ticker;
use super::compile::{self, Compiler};
use super::component::{Component, Linked, WeakComponent};
use super::limits::Limits;
use super::patterns::PatternCache;
use super::state::State;
use super::system;
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;
use wasmtime::component::{HasSelf, Linker};
use wasmtime::{Config, InstanceAllocationStrategy, PoolingAllocationConfig};

/// The most instances at the same time: plugins × workers, twice during a reload.
pub const INSTANCES_MAX: u32 = 1_000;
/// The stack of a plugin in machine code; Rust guests keep another in their memory.
const STACK_BYTES_MAX: usize = 512 * 1024;

/// Why there is no engine.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// wasmtime does not start.
    #[error("the plugin engine does not start: {0}")]
    Engine(String),
    /// The clock does not start.
    #[error("the plugin engine's clock does not start: {0}")]
    Clock(std::io::Error),
}

/// What an engine is made with.
#[derive(Debug, Clone)]
pub struct EngineSettings {
    /// Where compiled plugins are kept. It must be a folder of its own: only this user may enter it afterwards.
    pub cache_dir: Option<PathBuf>,
    /// Where the compiler runs.
    pub compiler: Compiler,
    /// What each instance may use up.
    pub limits: Limits,
}

/// Compiles and links plugins. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    pub(super) shared: Arc<Shared>,
}

pub(super) struct Shared {
    pub(super) wasmtime: wasmtime::Engine,
    pub(super) ticker: Ticker,
    pub(super) patterns: PatternCache,
    pub(super) limits: Limits,
    settings: EngineSettings,
    /// The plugins in use, by their files: changed rules must not take as long as changed plugins.
    in_use: Mutex<HashMap<PathBuf, WeakComponent>>,
    /// Where compiled plugins are kept.
    cache: Option<Cache>,
    /// Why they are not kept, if they should be.
    cache_fault: Option<String>,
    /// What preprocessors are linked with.
    editing: Linker<State>,
    /// What the others are linked with: the same without `edit` and `wake`.
    reading: Linker<State>,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("settings", &self.shared.settings).finish_non_exhaustive()
    }
}

/// What machine code depends on. The child that compiles uses the same.
pub(super) fn settings() -> Config {
    let mut config = Config::new();
    config
        .epoch_interruption(true)
        .concurrency_support(false)
        .max_wasm_stack(STACK_BYTES_MAX)
        // A whole address space of 32 bits, so that machine code needs no bounds checks.
        .memory_reservation(4 << 30)
        .memory_may_move(false);
    config
}

fn start() -> wasmtime::Result<wasmtime::Engine> {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(INSTANCES_MAX)
        .total_core_instances(INSTANCES_MAX * 2)
        .total_memories(INSTANCES_MAX)
        .total_tables(INSTANCES_MAX * 2);
    let mut config = settings();
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    wasmtime::Engine::new(&config).or_else(|error| {
        tracing::warn!(%error, "no room to reserve memory for plugins in advance (a limit on address space?): slower starts");
        wasmtime::Engine::new(&settings())
    })
}

fn cache_fault(folder: &Path, error: &std::io::Error) -> String {
    format!(
        "the plugin cache {} cannot be used, so plugins are compiled at each start: {error}; set `dir` under \
         [plugins_cache] to a folder of this user's own",
        folder.display()
    )
}

impl Engine {
    /// An engine with its clock running. It does without a cache that it cannot use: see [`Self::cache_fault`].
    ///
    /// # Errors
    /// If the system lacks what it needs.
    pub fn new(settings: EngineSettings) -> Result<Self, Error> {
        let wasmtime = start().map_err(|error| Error::Engine(format!("{error:#}")))?;
        let ticker = Ticker::start(wasmtime.weak()).map_err(Error::Clock)?;
        let (cache, cache_fault) = match settings.cache_dir.as_deref().map(|folder| (folder, Cache::open(folder))) {
            None => (None, None),
            Some((_, Ok(cache))) => (Some(cache), None),
            Some((folder, Err(error))) => (None, Some(cache_fault(folder, &error))),
        };
        if let Some(fault) = &cache_fault {
            tracing::warn!("{fault}");
        }
        let linkers = linkers(&wasmtime).map_err(|error| Error::Engine(format!("{error:#}")))?;
        Ok(Self {
            shared: Arc::new(Shared {
                wasmtime,
                ticker,
                patterns: PatternCache::default(),
                limits: settings.limits.clone(),
                settings,
                in_use: Mutex::default(),
                cache,
                cache_fault,
                editing: linkers.0,
                reading: linkers.1,
            }),
        })
    }

    /// Checks, compiles and links the plugin of this file, and asks it what it is. As long as the component is in use,
    /// a file that has not changed is the same component.
    ///
    /// # Errors
    /// If the file is no plugin, or asks for more than its world is granted.
    pub fn load(&self, path: &Path) -> Result<Component, LoadError> {
        let bytes = fs::read(path).map_err(|error| LoadError::Read { path: path.to_owned(), error })?;
        let hash = compile::digest(&bytes);
        if let Some(component) = self.in_use(path).filter(|component| component.hash() == hash) {
            return Ok(component);
        }
        let component = self.component(&path.display().to_string(), Some(path), &bytes, hash)?;
        let mut in_use = self.shared.in_use.lock().unwrap_or_else(PoisonError::into_inner);
        in_use.insert(path.to_owned(), component.downgrade());
        Ok(component)
    }

    /// The same for bytes; `name` is for errors.
    ///
    /// # Errors
    /// As [`Engine::load`].
    pub fn load_bytes(&self, name: &str, bytes: &[u8]) -> Result<Component, LoadError> {
        self.component(name, None, bytes, compile::digest(bytes))
    }

    /// Why compiled plugins are not kept, if they should be: each start takes longer then.
    #[must_use]
    pub fn cache_fault(&self) -> Option<&str> {
        self.shared.cache_fault.as_deref()
    }

    /// Removes compiled plugins that nobody has used for long from the cache, if something was compiled. To be called when all plugins
    /// in force are loaded: theirs are kept.
    pub fn tidy_cache(&self) {
        self.shared.cache.iter().for_each(|cache| cache.tidy(SystemTime::now()));
    }

    /// The patterns of all plugins.
    #[must_use]
    pub fn patterns(&self) -> &PatternCache {
        &self.shared.patterns
    }

    fn in_use(&self, path: &Path) -> Option<Component> {
        self.shared.in_use.lock().unwrap_or_else(PoisonError::into_inner).get(path)?.upgrade()
    }

    fn component(&self, name: &str, path: Option<&Path>, bytes: &[u8], hash: String) -> Result<Component, LoadError> {
        let outline = check::outline(name, bytes)?;
        let Shared { wasmtime, settings, cache, .. } = &*self.shared;
        let code = compile::machine_code(wasmtime, &settings.compiler, cache.as_ref(), bytes)
            .map_err(|reason| LoadError::Compile { name: name.to_owned(), reason })?;
        let link = |error: wasmtime::Error| LoadError::Link { name: name.to_owned(), reason: format!("{error:#}") };
        let linked = self.link(&outline, &code).map_err(link)?;
        Component::new(self.clone(), outline, linked, path, hash)
            .map_err(|fault| LoadError::Describe { name: name.to_owned(), fault })
    }

    fn link(&self, outline: &Outline, code: &[u8]) -> wasmtime::Result<Linked> {
        // SAFETY: machine code runs as it is, so it must come from this program's own compiler. It does: it was
        // either compiled for this call (in this process, or by the child process of our own executable), or read
        // from the cache, whose folder belongs to this user and lets no one else in, and then proved, by its digest,
        // to be the very bytes that were written there. The bytes checked are the bytes used: the file is not
        // opened again. wasmtime itself refuses code of another version or other settings.
        #[allow(unsafe_code, reason = "the only way to load compiled components")]
        let component = unsafe { wasmtime::component::Component::deserialize(&self.shared.wasmtime, code) }?;
        let linker = match outline.world {
            World::Preprocessor => &self.shared.editing,
            World::Extractor | World::Processor => &self.shared.reading,
        };
        let own = system::link(&self.shared.wasmtime, &component, linker, outline.world)?;
        let instance = own.as_ref().unwrap_or(linker).instantiate_pre(&component)?;
        Ok(match outline.world {
            World::Preprocessor => Linked::Preprocessor(preprocessor::PreprocessorPre::new(instance)?),
            World::Extractor => Linked::Extractor(extractor::ExtractorPre::new(instance)?),
            World::Processor => Linked::Processor(processor::ProcessorPre::new(instance)?),
        })
    }
}

/// The host's functions: for preprocessors, and for the other worlds.
fn linkers(engine: &wasmtime::Engine) -> wasmtime::Result<(Linker<State>, Linker<State>)> {
    let mut reading = Linker::<State>::new(engine);
    rules::types::add_to_linker::<_, HasSelf<State>>(&mut reading, |state| state)?;
    rules::log::add_to_linker::<_, HasSelf<State>>(&mut reading, |state| state)?;
    rules::patterns::add_to_linker::<_, HasSelf<State>>(&mut reading, |state| state)?;
    rules::mail::add_to_linker::<_, HasSelf<State>>(&mut reading, |state| state)?;
    rules::lookup::add_to_linker::<_, HasSelf<State>>(&mut reading, |state| state)?;
    let mut editing = reading.clone();
    rules::edit::add_to_linker::<_, HasSelf<State>>(&mut editing, |state| state)?;
    rules::wake::add_to_linker::<_, HasSelf<State>>(&mut editing, |state| state)?;
    Ok((editing, reading))
}
