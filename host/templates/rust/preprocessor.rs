//! Cuts what a pattern finds in the body.

wit_bindgen::generate!({ path: "wit", world: "preprocessor" });

use exports::mailmill::rules::{lifecycle, preprocess};
use mailmill::rules::edit::{self, Kind};
use mailmill::rules::log::{Level, log};
use mailmill::rules::patterns::Pattern;
use mailmill::rules::types::{About, Config, Diagnostic, Failure, Field, Verdict};
use mailmill::rules::{mail, wake};
use std::cell::OnceCell;

/// The most matches that are cut of one message.
const CUTS_MAX: u32 = 100;

thread_local! {
    /// What `configure` has made of the rules.
    static PATTERN: OnceCell<Pattern> = const { OnceCell::new() };
}

struct Component;
export!(Component);

impl lifecycle::Guest for Component {
    fn describe() -> About {
        About {
            name: "{{name}}".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            summary: "cuts what a pattern finds in the body".to_owned(),
            schema: None,
        }
    }

    fn configure(config: Config) -> Result<(), Vec<Diagnostic>> {
        // A panic is reported with its text and place.
        std::panic::set_hook(Box::new(|panic| log(Level::Error, &panic.to_string())));
        let pattern = Pattern::compile(setting(&config, "pattern")?)
            .map_err(|error| diagnostic("pattern", error.reason, error.offset))?;
        // The plugin is called for messages only in which the pattern matches.
        wake::on_match(&pattern);
        let _ = PATTERN.with(|kept| kept.set(pattern));
        Ok(())
    }
}

impl preprocess::Guest for Component {
    fn preprocess() -> Result<Verdict, Failure> {
        PATTERN.with(|pattern| {
            let pattern = pattern.get().expect("the host configures first");
            for span in mail::find_all(&Field::Body, pattern, CUTS_MAX) {
                edit::cut(span, Kind::Banner, "pattern");
            }
        });
        Ok(Verdict::Next)
    }
}

/// A text of the rules; what is nested has a path such as `rules.0.pattern`.
fn setting<'c>(config: &'c Config, key: &str) -> Result<&'c str, Vec<Diagnostic>> {
    let found = config.settings.iter().find(|(path, _)| path == key);
    found.map(|(_, value)| value.as_str()).ok_or_else(|| diagnostic(key, format!("`{key}` is missing"), None))
}

fn diagnostic(key: &str, reason: String, offset: Option<u32>) -> Vec<Diagnostic> {
    vec![Diagnostic { reason, path: vec![key.to_owned()], offset }]
}
