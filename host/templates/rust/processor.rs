//! Ignores messages whose subject a pattern matches.

wit_bindgen::generate!({ path: "wit", world: "processor" });

use exports::mailmill::rules::{lifecycle, process};
use mailmill::rules::log::{Level, log};
use mailmill::rules::mail;
use mailmill::rules::patterns::Pattern;
use mailmill::rules::types::{
    About, Action, Config, Decision, Diagnostic, Entry, Failure, Field, Outcome, Value,
};
use std::cell::OnceCell;

struct Plugin {
    pattern: Pattern,
    reason: String,
}

thread_local! {
    /// What `configure` has made of the rules.
    static PLUGIN: OnceCell<Plugin> = const { OnceCell::new() };
}

struct Component;
export!(Component);

impl lifecycle::Guest for Component {
    fn describe() -> About {
        About {
            name: "{{name}}".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            summary: "ignores messages whose subject a pattern matches".to_owned(),
            schema: None,
        }
    }

    fn configure(config: Config) -> Result<(), Vec<Diagnostic>> {
        // A panic is reported with its text and place.
        std::panic::set_hook(Box::new(|panic| log(Level::Error, &panic.to_string())));
        let reason = setting(&config, "reason")?.to_owned();
        let pattern = Pattern::compile(setting(&config, "pattern")?)
            .map_err(|error| diagnostic("pattern", error.reason, error.offset))?;
        let _ = PLUGIN.with(|plugin| plugin.set(Plugin { pattern, reason }));
        Ok(())
    }
}

impl process::Guest for Component {
    fn process() -> Result<Outcome, Failure> {
        PLUGIN.with(|plugin| {
            let plugin = plugin.get().expect("the host configures first");
            let holds = mail::matches(&Field::Subject, &plugin.pattern);
            let condition = "the subject matches the pattern".to_owned();
            let decision = Decision { statement: "{{name}}".to_owned(), condition, holds };
            let ignore = || Action {
                verb: "ignore".to_owned(),
                arguments: vec![Entry { name: "reason".to_owned(), value: Value::Text(plugin.reason.clone()) }],
                statement: "{{name}}".to_owned(),
            };
            let actions = holds.then(ignore).into_iter().collect();
            // `stop`: no later processor is asked.
            Ok(Outcome { actions, decisions: vec![decision], stop: holds })
        })
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
