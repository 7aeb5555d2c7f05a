//! Instances: configured plugins at work, one message after the other.

use super::bindings::rules::types;
use super::bindings::{extractor, preprocessor, processor};
use super::capabilities::{Call, Effects, LogLine};
use super::clock::Clock;
use super::engine::Engine;
use super::fault::{self, Fault};
use super::patterns::Pattern;
use super::sight::Finders;
use super::state::State;
use super::{Called, ConfigureError, Decision, PluginConfig, ProcessOutcome, Verdict, World};
use crate::field::{Declaration, Entry};
use std::sync::Arc;
use std::time::{Duration, Instant as Moment};
use wasmtime::Store;

/// A configured plugin with its own memory, for one worker.
pub struct Instance {
    engine: Engine,
    store: Store<State>,
    bound: Bound,
    step: String,
    declares: Vec<Declaration>,
    messages: u64,
    fault: Option<Fault>,
}

/// An instance's exports.
pub(super) enum Bound {
    Preprocessor(preprocessor::Preprocessor),
    Extractor(extractor::Extractor),
    Processor(processor::Processor),
}

impl std::fmt::Debug for Instance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Instance").field("step", &self.step).field("messages", &self.messages).finish_non_exhaustive()
    }
}

/// Runs a piece of the plugin within a time, and says what went wrong in our words.
pub(super) fn timed<T>(
    engine: &Engine,
    store: &mut Store<State>,
    call: Option<Call>,
    deadline: Duration,
    run: impl FnOnce(&mut Store<State>) -> wasmtime::Result<T>,
) -> Result<T, Fault> {
    let _running = engine.shared.ticker.running();
    store.data_mut().begin(call, deadline);
    store.set_epoch_deadline(Clock::ticks_in(deadline));
    run(store).map_err(|error| {
        let state = store.data();
        fault::classify(&error, state.last_error.as_deref(), state.limits.copied_bytes, state.limits.handles)
    })
}

impl Bound {
    pub(super) fn describe(&self, store: &mut Store<State>) -> wasmtime::Result<types::About> {
        match self {
            Self::Preprocessor(bound) => bound.mailmill_rules_lifecycle().call_describe(store),
            Self::Extractor(bound) => bound.mailmill_rules_lifecycle().call_describe(store),
            Self::Processor(bound) => bound.mailmill_rules_lifecycle().call_describe(store),
        }
    }

    fn configure(
        &self,
        store: &mut Store<State>,
        config: &types::Config,
    ) -> wasmtime::Result<Result<(), Vec<types::Diagnostic>>> {
        match self {
            Self::Preprocessor(bound) => bound.mailmill_rules_lifecycle().call_configure(store, config),
            Self::Extractor(bound) => bound.mailmill_rules_lifecycle().call_configure(store, config),
            Self::Processor(bound) => bound.mailmill_rules_lifecycle().call_configure(store, config),
        }
    }

    fn declares(&self, store: &mut Store<State>) -> wasmtime::Result<Vec<types::Declaration>> {
        match self {
            Self::Extractor(bound) => bound.mailmill_rules_extract().call_declares(store),
            Self::Preprocessor(_) | Self::Processor(_) => Ok(Vec::new()),
        }
    }

    fn wrong_world(&self, asked: World) -> wasmtime::Error {
        let is = match self {
            Self::Preprocessor(_) => World::Preprocessor,
            Self::Extractor(_) => World::Extractor,
            Self::Processor(_) => World::Processor,
        };
        Fault::World { is: is.name(), asked: asked.name() }.into()
    }
}

impl Instance {
    pub(super) fn configure(
        engine: Engine,
        mut store: Store<State>,
        bound: Bound,
        step: &str,
        config: &PluginConfig,
    ) -> Result<Self, ConfigureError> {
        let config = config.to_contract();
        let deadline = Duration::from_millis(engine.shared.limits.configure_deadline_ms);
        let declares = timed(&engine, &mut store, None, deadline, |store| {
            Ok(match bound.configure(store, &config)? {
                Ok(()) => Ok(bound.declares(store)?),
                Err(diagnostics) => Err(diagnostics),
            })
        })
        .map_err(ConfigureError::Fault)?
        .map_err(|diagnostics| ConfigureError::Rules(diagnostics.into_iter().map(Into::into).collect()))?;
        let declares = declares.into_iter().map(Into::into).collect();
        Ok(Self { engine, store, bound, step: step.to_owned(), declares, messages: 0, fault: None })
    }

    /// Lets a preprocessor look at a message. On a fault its cuts are dropped, its log stays.
    pub fn preprocess(&mut self, call: Call) -> Called<Verdict> {
        let mut called = self.call(call.doing_without(), |bound, store| match bound {
            Bound::Preprocessor(bound) => bound.mailmill_rules_preprocess().call_preprocess(store),
            other => Err(other.wrong_world(World::Preprocessor)),
        });
        if called.result.is_err() {
            called.effects.cuts.clear();
        }
        called.map(|verdict| match verdict {
            types::Verdict::Next => Verdict::Next,
            types::Verdict::Stop => Verdict::Stop,
        })
    }

    /// Lets an extractor take the fields out of a message.
    pub fn extract(&mut self, call: Call) -> Called<Vec<Entry>> {
        self.call(call, |bound, store| match bound {
            Bound::Extractor(bound) => bound.mailmill_rules_extract().call_extract(store),
            other => Err(other.wrong_world(World::Extractor)),
        })
        .map(|entries| entries.into_iter().map(Into::into).collect())
    }

    /// Lets a processor decide what a message becomes.
    pub fn process(&mut self, call: Call) -> Called<ProcessOutcome> {
        self.call(call, |bound, store| match bound {
            Bound::Processor(bound) => bound.mailmill_rules_process().call_process(store),
            other => Err(other.wrong_world(World::Processor)),
        })
        .map(|outcome| ProcessOutcome {
            actions: outcome.actions.into_iter().map(Into::into).collect(),
            decisions: outcome.decisions.into_iter().map(Decision::from).collect(),
            stop: outcome.stop,
        })
    }

    /// The fields that an extractor makes; empty for the others.
    #[must_use]
    pub fn declares(&self) -> &[Declaration] {
        &self.declares
    }

    /// What a message must have for a preprocessor to be called; empty if it is called for every message.
    #[must_use]
    pub fn interest(&self) -> &Finders {
        &self.store.data().interest
    }

    /// All patterns and selectors that it was configured with.
    #[must_use]
    pub fn compiled(&self) -> &Finders {
        &self.store.data().compiled
    }

    /// What it logged outside messages.
    #[must_use]
    pub fn remarks(&self) -> &[LogLine] {
        &self.store.data().remarks
    }

    /// The patterns that it has compiled which need the bounded engine.
    #[must_use]
    pub fn bounded_patterns(&self) -> &[Arc<Pattern>] {
        &self.store.data().bounded
    }

    /// Whether a fresh instance must take its place: after a fault, and after many messages.
    #[must_use]
    pub fn is_spent(&self) -> bool {
        self.fault.is_some() || self.messages >= self.engine.shared.limits.messages
    }

    fn call<T>(
        &mut self,
        call: Call,
        run: impl FnOnce(&Bound, &mut Store<State>) -> wasmtime::Result<Result<T, types::Failure>>,
    ) -> Called<T> {
        let start = Moment::now();
        if let Some(fault) = &self.fault {
            let result = Err(Fault::Spent(Box::new(fault.clone())));
            return Called { effects: call.finish(), result, time: start.elapsed() };
        }
        self.messages += 1;
        let deadline = self.engine.shared.limits.deadline();
        let bound = &self.bound;
        let result = timed(&self.engine, &mut self.store, Some(call), deadline, |store| run(bound, store));
        let effects = self.store.data_mut().call.take().map_or_else(Effects::default, Call::finish);
        self.fault = result.as_ref().err().cloned();
        let result =
            result.and_then(|answer| answer.map_err(|types::Failure { reason, rule }| Fault::Failure { reason, rule }));
        Called { effects, result, time: start.elapsed() }
    }
}

impl<T> Called<T> {
    fn map<U>(self, map: impl FnOnce(T) -> U) -> Called<U> {
        Called { effects: self.effects, result: self.result.map(map), time: self.time }
    }
}
