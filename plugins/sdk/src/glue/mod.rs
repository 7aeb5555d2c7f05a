//! The glue to the component model: the host's functions as imports, a plugin's functions as exports.
//!
//! Exists on `wasm32` only. A plugin sees nothing of it but one line, such as `export_preprocessor!(Gmail);`.

mod convert;
mod export;

use crate::{
    Attachment, BodyKind, Conversation, CutKind, Field, Form, Host, Level, PatternError, Reading, Span, Value,
};
use bindings::mailmill::rules;
use rules::mail;
use std::sync::Once;

#[doc(hidden)]
#[allow(missing_docs, unsafe_code, reason = "generated; `wit/rules.wit` documents every item")]
pub mod bindings {
    // A world of imports only. `export` completes it in the plugin's own crate: what a component exports must be
    // generated where it is exported. Imports that a plugin does not use are left out of its component.
    wit_bindgen::generate!({
        inline: "
            package mailmill:sdk;
            world imports {
                import mailmill:rules/log@0.1.0;
                import mailmill:rules/patterns@0.1.0;
                import mailmill:rules/mail@0.1.0;
                import mailmill:rules/lookup@0.1.0;
                import mailmill:rules/edit@0.1.0;
                import mailmill:rules/wake@0.1.0;
            }
        ",
        path: "../../wit",
        generate_all,
        generate_unused_types: true,
        pub_export_macro: true,
    });
}

#[doc(hidden)]
pub use wit_bindgen;

/// The host, as a component sees it: every function is an import.
#[derive(Debug, Clone, Copy, Default)]
pub struct Guest;

impl Host for Guest {
    type Pattern = rules::patterns::Pattern;
    type PatternSet = rules::patterns::PatternSet;
    type Selector = rules::patterns::Selector;

    fn pattern(&self, source: &str) -> Result<Self::Pattern, PatternError> {
        Self::Pattern::compile(source).map_err(Into::into)
    }

    fn groups(&self, pattern: &Self::Pattern) -> Vec<Option<String>> {
        pattern.groups()
    }

    fn pattern_set(&self, sources: &[String]) -> Result<Self::PatternSet, PatternError> {
        Self::PatternSet::compile(sources).map_err(Into::into)
    }

    fn selector(&self, source: &str) -> Result<Self::Selector, PatternError> {
        Self::Selector::compile(source).map_err(Into::into)
    }

    fn wake_on_match(&self, pattern: &Self::Pattern) {
        rules::wake::on_match(pattern);
    }

    fn wake_on_element(&self, selector: &Self::Selector) {
        rules::wake::on_element(selector);
    }

    fn text(&self, field: &Field) -> Option<String> {
        mail::text(&field.into())
    }

    fn slice(&self, field: &Field, at: Span) -> String {
        mail::slice(&field.into(), at.into())
    }

    fn length(&self, field: &Field) -> u32 {
        mail::length(&field.into())
    }

    fn html(&self, field: &Field, at: Span) -> String {
        mail::html(&field.into(), at.into())
    }

    fn extracted(&self, name: &str) -> Value {
        mail::extracted(name).into()
    }

    fn received(&self) -> Value {
        mail::received().into()
    }

    fn thread(&self) -> Conversation {
        mail::thread().into()
    }

    fn kind_of_body(&self) -> BodyKind {
        mail::kind_of_body().into()
    }

    fn attachments(&self) -> Vec<Attachment> {
        mail::attachments().into_iter().map(Into::into).collect()
    }

    fn found(&self, name: &str, how: &str, at: Option<(&Field, Span)>) {
        let at: Option<(rules::types::Field, rules::types::Span)> = at.map(|(field, at)| (field.into(), at.into()));
        mail::found(name, how, at.as_ref().map(|(field, at)| (field, at)));
    }

    fn matches(&self, field: &Field, pattern: &Self::Pattern) -> bool {
        mail::matches(&field.into(), pattern)
    }

    fn which(&self, field: &Field, set: &Self::PatternSet) -> Vec<u32> {
        mail::which(&field.into(), set)
    }

    fn find(&self, field: &Field, pattern: &Self::Pattern, start: u32) -> Option<Span> {
        mail::find(&field.into(), pattern, start).map(Into::into)
    }

    fn find_all(&self, field: &Field, pattern: &Self::Pattern, limit: u32) -> Vec<Span> {
        mail::find_all(&field.into(), pattern, limit).into_iter().map(Into::into).collect()
    }

    fn captures(&self, field: &Field, pattern: &Self::Pattern, start: u32) -> Vec<Option<Span>> {
        mail::captures(&field.into(), pattern, start).into_iter().map(|group| group.map(Into::into)).collect()
    }

    fn elements(&self, selector: &Self::Selector, limit: u32) -> Vec<Span> {
        mail::elements(selector, limit).into_iter().map(Into::into).collect()
    }

    fn read(&self, text: &str, what: Form, how: &Reading) -> Result<Value, String> {
        rules::lookup::read(text, what.into(), &how.into()).map(Into::into)
    }

    fn fault_of_locale(&self, tag: &str) -> Option<String> {
        rules::lookup::fault_of_locale(tag)
    }

    fn fault_of_time_zone(&self, name: &str) -> Option<String> {
        rules::lookup::fault_of_time_zone(name)
    }

    fn fault_of_currency(&self, code: &str) -> Option<String> {
        rules::lookup::fault_of_currency(code)
    }

    fn placeholders(&self, verb: &str, argument: &str) -> Vec<String> {
        rules::lookup::placeholders(verb, argument)
    }

    fn cut(&self, at: Span, kind: CutKind, rule: &str) {
        rules::edit::cut(at.into(), kind.into(), rule);
    }

    fn replace(&self, at: Span, text: &str, rule: &str) {
        rules::edit::replace(at.into(), text, rule);
    }

    fn log(&self, level: Level, text: &str) {
        rules::log::log(level.into(), text);
    }
}

/// Makes a panic say where and why: a trap alone is only "unreachable". The host takes the last line of the log.
#[doc(hidden)]
pub fn report_panics() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        std::panic::set_hook(Box::new(|panic| rules::log::log(rules::log::Level::Error, &panic.to_string())));
    });
}
