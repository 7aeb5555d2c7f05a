//! What the targets share: messages, plugins that run natively, and servers that say what the fuzzer thinks of.

#[path = "../../host/tests/native/mod.rs"]
mod native;
pub mod server;

use mailmill::message::document::{BodyKind, CutKinds, Span, View};
use mailmill::message::{Document, Message, parse};
use mailmill::plugin::capabilities::{Call, Effects};
use mailmill::plugin::patterns::PatternCache;
use mailmill::plugin::sight::Sight;
use mailmill_sdk::{Config, Extractor, Plugin, Preprocessor, Processor};
use native::Native;
use std::sync::Arc;

/// Between two parts of one input.
pub const SEPARATOR: &str = "\n=====\n";

/// The parts of an input, if it is text.
#[must_use]
pub fn two_parts(data: &[u8]) -> Option<(&str, &str)> {
    std::str::from_utf8(data).ok()?.split_once(SEPARATOR)
}

/// A rule file as the host gives it to a plugin, if it is TOML.
#[must_use]
pub fn rules(text: &str) -> Option<Config> {
    let rules: serde_json::Value = toml::from_str(text).ok()?;
    Some(Config { rules: rules.to_string(), ..Config::default() })
}

/// What plugins see of a message.
#[must_use]
pub fn sight(message: Message) -> Arc<Sight> {
    let kinds = CutKinds::ALL;
    Arc::new(Sight::new(Arc::new(message), Arc::default(), Arc::default(), &[], kinds, Arc::default()))
}

/// A message with this source, parsed as it was received.
#[must_use]
pub fn message(source: &str) -> Message {
    parse(source.as_bytes(), None)
}

/// Has a plugin take rules and do its work on a message; what it did to it.
pub fn preprocess<P: Preprocessor<Native> + Plugin<Native>>(config: &Config, message: Message) -> Option<Effects> {
    run(config, message, |plugin: &P, host| plugin.preprocess(host).map(drop))
}

/// The same for an extractor.
pub fn extract<P: Extractor<Native> + Plugin<Native>>(config: &Config, message: Message) -> Option<Effects> {
    run(config, message, |plugin: &P, host| plugin.extract(host).map(drop))
}

/// The same for a processor.
pub fn process<P: Processor<Native> + Plugin<Native>>(config: &Config, message: Message) -> Option<Effects> {
    run(config, message, |plugin: &P, host| plugin.process(host).map(drop))
}

fn run<P: Plugin<Native>>(
    config: &Config,
    message: Message,
    work: impl FnOnce(&P, &Native) -> Result<(), mailmill_sdk::Failure>,
) -> Option<Effects> {
    let host = Native::new(PatternCache::default());
    let plugin = P::configure(&host, config).ok()?;
    let call = Call::new(sight(message), "step".into());
    let (effects, ()) = host.run(call, |host| work(&plugin, host)).ok()?;
    Some(effects)
}

/// A view is made of pieces of the document, and its HTML is harmless.
pub fn check_view(document: &Document, view: &View) {
    let text = view.text();
    let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
    if document.kind() != BodyKind::Empty {
        check_html(&document.html_piece(view, Span { start: 0, end: length }));
    }
}

/// Nothing in it runs or is fetched.
pub fn check_html(html: &str) {
    let html = html.to_ascii_lowercase();
    for tag in ["<script", "<iframe", "<object", "<embed", "<style", "<link", "<meta", "<base", "<form", "<svg", "<math"] {
        assert!(!html.contains(tag), "{tag} in {html}");
    }
    assert!(!html.contains("src=\"http"), "something is fetched: {html}");
}
