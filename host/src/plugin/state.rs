//! What an instance's store holds, and the contract's imports on top of it.
#![allow(unreachable_pub, reason = "the generated bindings export the resources again, which takes a `pub`")]

use super::bindings::rules::{edit, log, lookup, mail, patterns, types, wake};
use super::capabilities::{Call, GivenUp, Level, LogLine};
use super::clock::{self, Clock};
use super::patterns::{self as host_patterns, PatternCache, PatternError};
use super::sight::Finders;
use super::{Fault, Limits};
use crate::action;
use crate::message::document::BodyKind;
use crate::reading::{self, Reading};
use std::sync::Arc;
use std::time::{Duration, Instant};
use wasmtime::component::{Resource, ResourceTable};
use wasmtime::{ResourceLimiter, Result};

/// A pattern that an instance holds.
pub struct Pattern(Arc<host_patterns::Pattern>);
/// A set of patterns that an instance holds.
pub struct PatternSet(host_patterns::PatternSet);
/// A selector that an instance holds.
pub struct Selector(Arc<host_patterns::Selector>);

/// The most lines of log outside a message that are kept; the most patterns of the bounded engine, too.
const REMARKS_MAX: usize = 100;
/// The most elements of all tables of an instance: indirect functions, above all.
const TABLE_ELEMENTS_MAX: usize = 100_000;

/// What the store of one instance holds.
pub(super) struct State {
    /// The call under way. None outside messages.
    pub(super) call: Option<Call>,
    /// What was logged outside messages.
    pub(super) remarks: Vec<LogLine>,
    /// The patterns that it has compiled which need the bounded engine.
    pub(super) bounded: Vec<Arc<host_patterns::Pattern>>,
    /// The last error logged: a panic's text, if a trap follows.
    pub(super) last_error: Option<String>,
    pub(super) limits: Limits,
    /// What a message must have for the plugin to be called.
    pub(super) interest: Finders,
    /// All that was compiled outside messages.
    pub(super) compiled: Finders,
    cache: PatternCache,
    table: ResourceTable,
    clock: Arc<Clock>,
    host_calls: u64,
    output_bytes: usize,
    deadline: Duration,
    /// The tick of the clock at which the time is up, unless the clock made up for ticks that it had missed.
    deadline_tick: u64,
    /// What the thread had used of the processor when the call began.
    used: Duration,
    /// What the next random number follows from.
    seed: u64,
}

impl State {
    pub(super) fn new(limits: Limits, cache: PatternCache, clock: Arc<Clock>) -> Self {
        Self {
            call: None,
            remarks: Vec::new(),
            bounded: Vec::new(),
            last_error: None,
            limits,
            interest: Finders::default(),
            compiled: Finders::default(),
            cache,
            table: ResourceTable::new(),
            clock,
            host_calls: 0,
            output_bytes: 0,
            deadline: Duration::ZERO,
            deadline_tick: 0,
            used: Duration::ZERO,
            seed: 0,
        }
    }

    /// Sets the counters back, for a call that may take this long.
    pub(super) fn begin(&mut self, call: Option<Call>, deadline: Duration) {
        self.call = call;
        if let Some(call) = &mut self.call {
            call.search_until(Instant::now() + deadline);
        }
        self.host_calls = 0;
        self.output_bytes = 0;
        self.last_error = None;
        self.seed = 0;
        self.deadline = deadline;
        self.used = clock::used();
        self.deadline_tick = self.clock.ticks().saturating_add(Clock::ticks_in(deadline));
    }

    /// How much of the time is left: processor time, so that a machine that is busy with others ends no plugin. Ticks only say
    /// when to look.
    ///
    /// # Errors
    /// If none is left.
    pub(super) fn left(&self) -> Result<Duration, Fault> {
        match self.deadline.checked_sub(clock::used().saturating_sub(self.used)) {
            Some(left) if !left.is_zero() => Ok(left),
            _ => Err(Fault::Deadline { limit: self.deadline }),
        }
    }

    /// Counts a call of the host.
    pub(super) fn enter(&mut self) -> Result<()> {
        self.host_calls += 1;
        if self.host_calls > self.limits.host_calls {
            return Err(Fault::HostCalls { limit: self.limits.host_calls }.into());
        }
        self.in_time()
    }

    /// Charges the time of what the host runs to the plugin: no epoch ends a pattern.
    fn in_time(&self) -> Result<()> {
        if self.clock.ticks() > self.deadline_tick {
            self.left()?;
        }
        Ok(())
    }

    /// A number that looks random, and is the same in each call at the same place (SplitMix64).
    pub(super) fn random(&mut self) -> u64 {
        self.seed = self.seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.seed ^ (self.seed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// So many bytes of such numbers.
    ///
    /// # Errors
    /// If they are more than may be handed over at once.
    pub(super) fn random_bytes(&mut self, length: u64) -> Result<Vec<u8>, Fault> {
        let limit = self.limits.copied_bytes;
        let length = usize::try_from(length).ok().filter(|length| *length <= limit).ok_or(Fault::Copied { limit })?;
        let mut bytes = Vec::with_capacity(length);
        while bytes.len() < length {
            bytes.extend(self.random().to_le_bytes());
        }
        bytes.truncate(length);
        Ok(bytes)
    }

    /// Keeps a remark of the plugin: in the message's report, or outside of messages among what it says of its rules.
    pub(super) fn note(&mut self, level: Level, text: String) {
        match &mut self.call {
            Some(call) => call.log(level, &text),
            None if self.remarks.len() < REMARKS_MAX => self.remarks.push(LogLine { level, text }),
            None => {}
        }
    }

    /// The call under way.
    fn call(&mut self) -> Result<&mut Call> {
        self.enter()?;
        self.call.as_mut().ok_or_else(|| Fault::OutsideCall.into())
    }

    /// Counts a call that makes sense outside messages only.
    fn enter_configure(&mut self) -> Result<()> {
        self.enter()?;
        if self.call.is_some() { Err(Fault::InsideCall.into()) } else { Ok(()) }
    }

    /// Runs a pattern on the message.
    fn run<P: 'static, T>(
        &mut self,
        pattern: &Resource<P>,
        run: impl FnOnce(&Call, &P) -> Result<T, GivenUp>,
    ) -> Result<T> {
        self.enter()?;
        let call = self.call.as_ref().ok_or(Fault::OutsideCall)?;
        let found = run(call, self.table.get(pattern)?);
        self.in_time()?;
        Ok(found.map_err(Fault::from)?)
    }

    fn keep<P: Send + 'static>(
        &mut self,
        compiled: Result<P, PatternError>,
    ) -> Result<Result<Resource<P>, patterns::PatternError>> {
        self.in_time()?;
        match compiled {
            Ok(pattern) => Ok(Ok(self.table.push(pattern)?)),
            Err(PatternError { reason, offset }) => Ok(Err(patterns::PatternError { reason, offset })),
        }
    }

    fn charge_output(&mut self, bytes: usize) -> Result<()> {
        self.output_bytes = self.output_bytes.saturating_add(bytes);
        let limit = self.limits.output_bytes;
        if self.output_bytes > limit { Err(Fault::Output { limit }.into()) } else { Ok(()) }
    }
}

impl types::Host for State {}
impl patterns::Host for State {}

impl patterns::HostPattern for State {
    fn compile(&mut self, source: String) -> Result<Result<Resource<Pattern>, patterns::PatternError>> {
        self.enter()?;
        let compiled = self.cache.pattern(&source);
        if let Ok(pattern) = &compiled {
            if self.call.is_none() {
                self.compiled.patterns.push(pattern.clone());
            }
            if pattern.need().is_some() && self.bounded.len() < REMARKS_MAX {
                self.bounded.push(pattern.clone());
            }
        }
        self.keep(compiled.map(Pattern))
    }

    fn groups(&mut self, pattern: Resource<Pattern>) -> Result<Vec<Option<String>>> {
        self.enter()?;
        let names = self.table.get(&pattern)?.0.capture_names();
        Ok(names.into_iter().map(|name| name.map(str::to_owned)).collect())
    }

    fn drop(&mut self, pattern: Resource<Pattern>) -> Result<()> {
        self.table.delete(pattern)?;
        Ok(())
    }
}

impl patterns::HostPatternSet for State {
    fn compile(&mut self, sources: Vec<String>) -> Result<Result<Resource<PatternSet>, patterns::PatternError>> {
        self.enter()?;
        let compiled = self.cache.pattern_set(&sources).map(PatternSet);
        if let (Ok(set), None) = (&compiled, &self.call) {
            self.compiled.patterns.extend(set.0.patterns().iter().cloned());
        }
        self.keep(compiled)
    }

    fn drop(&mut self, set: Resource<PatternSet>) -> Result<()> {
        self.table.delete(set)?;
        Ok(())
    }
}

impl patterns::HostSelector for State {
    fn compile(&mut self, source: String) -> Result<Result<Resource<Selector>, patterns::PatternError>> {
        self.enter()?;
        let compiled = self.cache.selector(&source).map(Selector);
        if let (Ok(selector), None) = (&compiled, &self.call) {
            self.compiled.selectors.push(selector.0.clone());
        }
        self.keep(compiled)
    }

    fn drop(&mut self, selector: Resource<Selector>) -> Result<()> {
        self.table.delete(selector)?;
        Ok(())
    }
}

impl mail::Host for State {
    fn text(&mut self, field: types::Field) -> Result<Option<String>> {
        Ok(self.call()?.text(&field.into()).map(std::borrow::Cow::into_owned))
    }

    fn slice(&mut self, field: types::Field, at: types::Span) -> Result<String> {
        Ok(self.call()?.slice(&field.into(), at.into()).map_err(Fault::from)?)
    }

    fn html(&mut self, field: types::Field, at: types::Span) -> Result<String> {
        let html = self.call()?.html(&field.into(), at.into()).map_err(Fault::from)?;
        self.in_time()?;
        Ok(html)
    }

    fn length(&mut self, field: types::Field) -> Result<u32> {
        let length = self.call()?.text(&field.into()).map_or(0, |text| text.len());
        Ok(u32::try_from(length).unwrap_or(u32::MAX))
    }

    fn extracted(&mut self, name: String) -> Result<types::Value> {
        Ok(self.call()?.extracted(&name).into())
    }

    fn received(&mut self) -> Result<types::DateTime> {
        Ok(self.call()?.message().received.into())
    }

    fn thread(&mut self) -> Result<mail::Conversation> {
        Ok(self.call()?.conversation().into())
    }

    fn kind_of_body(&mut self) -> Result<mail::BodyKind> {
        Ok(match self.call()?.message().document.kind() {
            BodyKind::Empty => mail::BodyKind::Empty,
            BodyKind::Plain => mail::BodyKind::Plain,
            BodyKind::Html => mail::BodyKind::Html,
        })
    }

    fn attachments(&mut self) -> Result<Vec<mail::Attachment>> {
        Ok(self.call()?.message().attachments.iter().map(Into::into).collect())
    }

    fn found(&mut self, name: String, how: String, at: Option<(types::Field, types::Span)>) -> Result<()> {
        let at = at.map(|(field, at)| (field.into(), at.into()));
        Ok(self.call()?.found(&name, &how, at).map_err(Fault::from)?)
    }

    fn matches(&mut self, field: types::Field, pattern: Resource<Pattern>) -> Result<bool> {
        self.run(&pattern, |call, pattern| call.matches(&field.into(), &pattern.0))
    }

    fn which(&mut self, field: types::Field, set: Resource<PatternSet>) -> Result<Vec<u32>> {
        self.run(&set, |call, set| call.which(&field.into(), &set.0))
    }

    fn find(&mut self, field: types::Field, pattern: Resource<Pattern>, start: u32) -> Result<Option<types::Span>> {
        self.run(&pattern, |call, pattern| Ok(call.find(&field.into(), &pattern.0, start)?.map(Into::into)))
    }

    fn find_all(&mut self, field: types::Field, pattern: Resource<Pattern>, limit: u32) -> Result<Vec<types::Span>> {
        self.run(&pattern, |call, pattern| {
            let found = call.find_all(&field.into(), &pattern.0, limit)?;
            Ok(found.into_iter().map(Into::into).collect())
        })
    }

    fn captures(
        &mut self,
        field: types::Field,
        pattern: Resource<Pattern>,
        start: u32,
    ) -> Result<Vec<Option<types::Span>>> {
        self.run(&pattern, |call, pattern| {
            let groups = call.captures(&field.into(), &pattern.0, start)?;
            Ok(groups.into_iter().map(|group| group.map(Into::into)).collect())
        })
    }

    fn elements(&mut self, selector: Resource<Selector>, limit: u32) -> Result<Vec<types::Span>> {
        self.run(&selector, |call, selector| {
            Ok(call.elements(&selector.0, limit).into_iter().map(Into::into).collect())
        })
    }
}

impl wake::Host for State {
    fn on_match(&mut self, pattern: Resource<Pattern>) -> Result<()> {
        self.enter_configure()?;
        let pattern = self.table.get(&pattern)?.0.clone();
        self.interest.patterns.push(pattern);
        Ok(())
    }

    fn on_element(&mut self, selector: Resource<Selector>) -> Result<()> {
        self.enter_configure()?;
        let selector = self.table.get(&selector)?.0.clone();
        self.interest.selectors.push(selector);
        Ok(())
    }
}

impl edit::Host for State {
    fn cut(&mut self, at: types::Span, why: edit::Kind, rule: String) -> Result<()> {
        self.charge_output(rule.len())?;
        Ok(self.call()?.cut(at.into(), why.into(), rule).map_err(Fault::from)?)
    }

    fn replace(&mut self, at: types::Span, text: String, rule: String) -> Result<()> {
        self.charge_output(rule.len().saturating_add(text.len()))?;
        Ok(self.call()?.replace(at.into(), text, rule).map_err(Fault::from)?)
    }
}

impl lookup::Host for State {
    fn read(
        &mut self,
        text: String,
        what: lookup::Form,
        how: lookup::Reading,
    ) -> Result<std::result::Result<types::Value, String>> {
        self.enter()?;
        let how = Reading { locale: &how.locale, time_zone: &how.time_zone, currency: &how.currency };
        Ok(how.value(&text, what.into()).map(Into::into))
    }

    fn fault_of_locale(&mut self, tag: String) -> Result<Option<String>> {
        self.enter()?;
        Ok(reading::fault_of_locale(&tag))
    }

    fn fault_of_time_zone(&mut self, name: String) -> Result<Option<String>> {
        self.enter()?;
        Ok(reading::fault_of_time_zone(&name))
    }

    fn fault_of_currency(&mut self, code: String) -> Result<Option<String>> {
        self.enter()?;
        Ok(reading::fault_of_currency(&code))
    }

    fn placeholders(&mut self, verb: String, argument: String) -> Result<Vec<String>> {
        self.enter()?;
        Ok(action::placeholders(&verb, &argument).iter().map(|place| (*place).to_owned()).collect())
    }
}

impl log::Host for State {
    fn log(&mut self, level: log::Level, text: String) -> Result<()> {
        let level = Level::from(level);
        if level == Level::Error {
            self.last_error = Some(text.clone());
        }
        self.note(level, text);
        self.enter()
    }
}

impl ResourceLimiter for State {
    fn memory_growing(&mut self, _current: usize, desired: usize, _maximum: Option<usize>) -> Result<bool> {
        let limit = self.limits.memory_bytes;
        if desired > limit { Err(Fault::Memory { limit }.into()) } else { Ok(true) }
    }

    fn table_growing(&mut self, _current: usize, desired: usize, _maximum: Option<usize>) -> Result<bool> {
        Ok(desired <= TABLE_ELEMENTS_MAX)
    }
}
