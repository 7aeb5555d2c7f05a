//! The shipped plugins, which run natively on the host's own functions.

use super::native::Native;
use super::two_texts;
use ::fields::Fields;
use ::statements::Statements;
use mailmill::action::verbs;
use mailmill::field::ValueType as HostValueType;
use mailmill::message::document::CutKinds;
use mailmill::message::parse;
use mailmill::plugin::capabilities::Call;
use mailmill::plugin::patterns::PatternCache;
use mailmill::plugin::sight::{Finders, Sight};
use mailmill::ticket::Classes;
use mailmill_sdk::{
    Argument, Config, Declaration, Extractor, Failure, Plugin, Preprocessor, Processor, ValueType, Verb,
};
use reply::Reply;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

/// The deadline that the daemon sets unless it is told otherwise.
const DEADLINE: Duration = Duration::from_millis(100);

/// Any rules of the preprocessor `reply` on any message: they are refused, or cut pieces of the body.
pub fn rules(input: &[u8]) {
    run(input, |plugin: &Reply<Native>, host| plugin.preprocess(host).map(drop));
}

/// Any rules of the extractor `fields` on any message: they are refused, or make fields.
pub fn fields(input: &[u8]) {
    run(input, |plugin: &Fields<Native>, host| plugin.extract(host).map(drop));
}

/// Any statements on any message: they are refused, or decide something.
pub fn statements(input: &[u8]) {
    run(input, |plugin: &Statements<Native>, host| plugin.process(host).map(drop));
}

/// How many runs' patterns are kept for the next ones: most inputs differ little from the one before.
const KEPT_RUNS: usize = 32;

thread_local! {
    static PATTERNS: RefCell<(PatternCache, VecDeque<Finders>)> = RefCell::default();
}

/// Has a plugin take the rules before the separator, and do its work on the message after it.
fn run<P: Plugin<Native>>(input: &[u8], work: impl FnOnce(&P, &Native) -> Result<(), Failure>) {
    let (file, source) = two_texts(input);
    let Ok(rules) = toml::from_str::<serde_json::Value>(&file) else { return };
    let host = Native::new(PATTERNS.with_borrow(|(cache, _)| cache.clone()));
    let configured = P::configure(&host, &config(&rules));
    let (_, compiled) = host.configured();
    PATTERNS.with_borrow_mut(|(_, kept)| {
        kept.push_back(compiled);
        if kept.len() > KEPT_RUNS {
            kept.pop_front();
        }
    });
    let Ok(plugin) = configured else { return };
    let message = Arc::new(parse(source.as_bytes(), None));
    let sight = Sight::new(message, Arc::default(), Arc::default(), &[], CutKinds::ALL, Arc::default());
    let mut call = Call::new(Arc::new(sight), "step".into());
    call.search_until(Instant::now() + DEADLINE);
    drop(host.run(call, |host| work(&plugin, host)));
}

fn config(rules: &serde_json::Value) -> Config {
    static VERBS: LazyLock<Vec<Verb>> = LazyLock::new(|| {
        let argument = |argument: &mailmill::action::Argument| Argument {
            name: argument.name.to_owned(),
            kind: kind(argument.kind),
            required: argument.required,
            choices: argument.choices.names(&Classes::default()).into_iter().map(str::to_owned).collect(),
            one_line: argument.one_line,
        };
        let verb = |verb: &mailmill::action::Verb| Verb {
            name: verb.name.to_owned(),
            arguments: verb.arguments.iter().map(argument).collect(),
        };
        verbs().iter().map(verb).collect()
    });
    let field = |(name, kind): (&str, ValueType)| Declaration { name: name.to_owned(), kind };
    let fields = [("priority", ValueType::Integer), ("amount", ValueType::Currency), ("due", ValueType::DateTime)];
    Config { rules: rules.to_string(), verbs: VERBS.clone(), fields: fields.map(field).to_vec() }
}

fn kind(kind: HostValueType) -> ValueType {
    match kind {
        HostValueType::Text => ValueType::Text,
        HostValueType::Integer => ValueType::Integer,
        HostValueType::Decimal => ValueType::Decimal,
        HostValueType::Boolean => ValueType::Boolean,
        HostValueType::DateTime => ValueType::DateTime,
        HostValueType::Currency => ValueType::Currency,
        HostValueType::Html => ValueType::Html,
    }
}
