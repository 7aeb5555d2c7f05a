//! The eight plugins in a line, twice: in the sandbox and natively. What a message goes through is the same code for
//! both, down to the calls of the plugins.

use crate::native::Native as Host;
use anyhow::{Context, Result, anyhow};
use mailmill::action::Action;
use mailmill::field::{DateTime, Decimal, Entry, Money, Value, ValueType};
use mailmill::message::Message;
use mailmill::message::document::{Cut, CutKind, CutKinds};
use mailmill::plugin::capabilities::{Call, Effects};
use mailmill::plugin::patterns::PatternCache;
use mailmill::plugin::sight::{Interest, Scanners, Sight};
use mailmill::plugin::{Decision, Instance, PluginConfig, ProcessOutcome, Verdict};
use mailmill::rules::{RuleSet, Step};
use mailmill_sdk as sdk;
use std::sync::Arc;

/// The preprocess steps, in the order of the pipeline.
const PREPROCESS: [&str; 6] = ["gmail", "apple-mail", "thunderbird", "outlook", "attributions", "signatures"];
/// The extract step.
const EXTRACT: &str = "fields";
/// The process step.
const PROCESS: &str = "statements";

/// Configured plugins, one for each step.
pub(crate) trait Line {
    /// What is known of its steps.
    fn steps(&self) -> &Arc<Steps>;
    /// Runs the preprocessor at this place of [`PREPROCESS`].
    fn preprocess(&mut self, place: usize, call: Call) -> (Effects, Verdict);
    /// Runs the extractor.
    fn extract(&mut self, call: Call) -> Vec<Entry>;
    /// Runs the processor.
    fn process(&mut self, call: Call) -> ProcessOutcome;
}

/// What a message comes to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) cuts: Vec<Cut>,
    pub(crate) fields: Vec<Entry>,
    pub(crate) actions: Vec<Action>,
    decisions: Vec<Decision>,
}

/// Runs a message through the line, as a job does: quotes are cut before fields are taken.
pub(crate) fn handle(line: &mut impl Line, message: &Arc<Message>) -> Outcome {
    let steps = line.steps().clone();
    let begin = |cuts: &[Cut], kinds, fields| {
        Sight::new(message.clone(), Arc::default(), fields, cuts, kinds, steps.scanners.clone())
    };
    let mut cuts = Vec::new();
    let mut sight = Arc::new(begin(&[], CutKinds::ALL, Arc::default()));
    for (place, (step, interest)) in steps.preprocess.iter().enumerate() {
        if !sight.concerns(interest) {
            continue;
        }
        let (effects, verdict) = line.preprocess(place, Call::new(sight.clone(), step.clone()));
        if !effects.cuts.is_empty() {
            cuts.extend(effects.cuts);
            sight = Arc::new(sight.without(&cuts, CutKinds::ALL));
        }
        if verdict == Verdict::Stop {
            break;
        }
    }
    let kinds = CutKinds::from(vec![CutKind::Quote]);
    let extracted = begin(&cuts, kinds, Arc::default());
    let fields = Arc::new(line.extract(Call::new(Arc::new(extracted), EXTRACT.into())));
    let processed = begin(&cuts, kinds, fields.clone());
    let ProcessOutcome { actions, decisions, .. } = line.process(Call::new(Arc::new(processed), PROCESS.into()));
    let fields = Arc::unwrap_or_clone(fields);
    Outcome { cuts, fields, actions, decisions }
}

/// What is known of the steps of a line, the same whether they are components or not.
#[derive(Debug)]
pub(crate) struct Steps {
    /// The preprocessors: their names, and what they ask to be called for.
    preprocess: Vec<(Arc<str>, Interest)>,
    scanners: Arc<Scanners>,
}

/// The plugins as components: one long-lived instance for each step.
pub(crate) struct Sandboxed {
    steps: Arc<Steps>,
    preprocess: Vec<Instance>,
    extract: Instance,
    process: Instance,
}

impl Sandboxed {
    /// Instances for the steps of the set.
    pub(crate) fn start(set: &RuleSet) -> Result<Self> {
        let start = |name: &str| {
            let step = step(set, name)?;
            step.component.instantiate(name, &step.config).with_context(|| format!("step {name}"))
        };
        let preprocess: Vec<Instance> = PREPROCESS.into_iter().map(start).collect::<Result<_>>()?;
        let interests = preprocess.iter().map(|instance| set.scanners().interest(instance.interest().clone()));
        let steps = Steps {
            preprocess: PREPROCESS.into_iter().map(Arc::from).zip(interests).collect(),
            scanners: set.scanners().clone(),
        };
        Ok(Self { steps: Arc::new(steps), preprocess, extract: start(EXTRACT)?, process: start(PROCESS)? })
    }
}

impl Line for Sandboxed {
    fn steps(&self) -> &Arc<Steps> {
        &self.steps
    }

    fn preprocess(&mut self, place: usize, call: Call) -> (Effects, Verdict) {
        let called = self.preprocess.get_mut(place).expect("a place of the line").preprocess(call);
        (called.effects, called.result.expect("no plugin fails"))
    }

    fn extract(&mut self, call: Call) -> Vec<Entry> {
        self.extract.extract(call).result.expect("no plugin fails")
    }

    fn process(&mut self, call: Call) -> ProcessOutcome {
        self.process.process(call).result.expect("no plugin fails")
    }
}

type Run<T> = Box<dyn Fn(&Host) -> Result<T, sdk::Failure>>;

/// The same plugins, compiled into this program.
pub(crate) struct Native {
    steps: Arc<Steps>,
    host: Host,
    preprocess: Vec<Run<sdk::Verdict>>,
    extract: Run<Vec<sdk::Entry>>,
    process: Run<sdk::Outcome>,
}

impl Native {
    /// The plugins of the steps of the set, with the same rules.
    pub(crate) fn start(set: &RuleSet) -> Result<Self> {
        let host = Host::new(PatternCache::default());
        let (mut preprocess, mut interests, mut compiled) = (Vec::new(), Vec::new(), Vec::new());
        for name in PREPROCESS {
            preprocess.push(preprocessor(&host, step(set, name)?)?);
            let (interest, all) = host.configured();
            interests.push((Arc::from(name), interest));
            compiled.push(all);
        }
        let fields: fields::Fields<Host> = configured(&host, step(set, EXTRACT)?)?;
        let statements: statements::Statements<Host> = configured(&host, step(set, PROCESS)?)?;
        let extract = Box::new(move |host: &Host| sdk::Extractor::extract(&fields, host));
        let process = Box::new(move |host: &Host| sdk::Processor::process(&statements, host));
        compiled.push(host.configured().1);
        let scanners = Arc::new(Scanners::new(compiled.iter()));
        let preprocess_steps = interests.into_iter().map(|(name, finders)| (name, scanners.interest(finders)));
        let steps = Steps { preprocess: preprocess_steps.collect(), scanners };
        Ok(Self { steps: Arc::new(steps), host, preprocess, extract, process })
    }
}

impl Line for Native {
    fn steps(&self) -> &Arc<Steps> {
        &self.steps
    }

    fn preprocess(&mut self, place: usize, call: Call) -> (Effects, Verdict) {
        let plugin = self.preprocess.get(place).expect("a place of the line");
        let (effects, verdict) = self.host.run(call, plugin).expect("no plugin fails");
        let verdict = match verdict {
            sdk::Verdict::Next => Verdict::Next,
            sdk::Verdict::Stop => Verdict::Stop,
        };
        (effects, verdict)
    }

    fn extract(&mut self, call: Call) -> Vec<Entry> {
        entries(self.host.run(call, &self.extract).expect("no plugin fails").1)
    }

    fn process(&mut self, call: Call) -> ProcessOutcome {
        let sdk::Outcome { actions, decisions, stop } = self.host.run(call, &self.process).expect("no plugin fails").1;
        let action =
            |sdk::Action { verb, arguments, statement }| Action { verb, arguments: entries(arguments), statement };
        let decision = |sdk::Decision { statement, condition, holds }| Decision { statement, condition, holds };
        let (actions, decisions) = (actions.into_iter().map(action), decisions.into_iter().map(decision));
        ProcessOutcome { actions: actions.collect(), decisions: decisions.collect(), stop }
    }
}

fn step<'a>(set: &'a RuleSet, name: &str) -> Result<&'a Step> {
    set.steps().iter().find(|step| &*step.name == name).with_context(|| format!("the pipeline has no step {name}"))
}

fn preprocessor(host: &Host, step: &Step) -> Result<Run<sdk::Verdict>> {
    fn boxed<P: sdk::Preprocessor<Host> + 'static>(host: &Host, step: &Step) -> Result<Run<sdk::Verdict>> {
        let plugin: P = configured(host, step)?;
        Ok(Box::new(move |host| plugin.preprocess(host)))
    }
    match step.component.about().name.as_str() {
        "reply" => boxed::<reply::Reply<Host>>(host, step),
        other => Err(anyhow!("no native plugin is called {other}")),
    }
}

fn configured<P: sdk::Plugin<Host>>(host: &Host, step: &Step) -> Result<P> {
    P::configure(host, &config(&step.config)).map_err(|faults| anyhow!("step {}: {faults:?}", step.name))
}

fn config(config: &PluginConfig) -> sdk::Config {
    let argument = |argument: &mailmill::plugin::Argument| sdk::Argument {
        name: argument.name.clone(),
        kind: value_type(argument.kind),
        required: argument.required,
        choices: argument.choices.clone(),
        one_line: argument.one_line,
    };
    let verb = |verb: &mailmill::plugin::VerbSpec| sdk::Verb {
        name: verb.name.clone(),
        arguments: verb.arguments.iter().map(argument).collect(),
    };
    let field = |field: &mailmill::field::Declaration| sdk::Declaration {
        name: field.name.clone(),
        kind: value_type(field.kind),
    };
    sdk::Config {
        rules: config.rules.to_string(),
        verbs: config.verbs.iter().map(verb).collect(),
        fields: config.fields.iter().map(field).collect(),
    }
}

fn value_type(kind: ValueType) -> sdk::ValueType {
    match kind {
        ValueType::Text => sdk::ValueType::Text,
        ValueType::Integer => sdk::ValueType::Integer,
        ValueType::Decimal => sdk::ValueType::Decimal,
        ValueType::Boolean => sdk::ValueType::Boolean,
        ValueType::DateTime => sdk::ValueType::DateTime,
        ValueType::Currency => sdk::ValueType::Currency,
        ValueType::Html => sdk::ValueType::Html,
    }
}

fn entries(entries: Vec<sdk::Entry>) -> Vec<Entry> {
    entries.into_iter().map(|sdk::Entry { name, value }| Entry { name, value: value_of(value) }).collect()
}

fn value_of(value: sdk::Value) -> Value {
    match value {
        sdk::Value::None => Value::None,
        sdk::Value::Text(text) => Value::Text(text),
        sdk::Value::Integer(number) => Value::Integer(number),
        sdk::Value::Decimal { units, scale } => Value::Decimal(Decimal { units, scale }),
        sdk::Value::Boolean(truth) => Value::Boolean(truth),
        sdk::Value::DateTime { seconds, offset_minutes } => Value::DateTime(DateTime { seconds, offset_minutes }),
        sdk::Value::Currency { units, scale, currency } => {
            Money::new(Decimal { units, scale }, &currency).map_or(Value::None, Value::Currency)
        }
        sdk::Value::Html(html) => Value::Html(html),
    }
}
