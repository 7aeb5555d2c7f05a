//! Makes a field of what a pattern finds in the body.

wit_bindgen::generate!({ path: "wit", world: "extractor" });

use exports::mailmill::rules::{extract, lifecycle};
use mailmill::rules::log::{Level, log};
use mailmill::rules::mail;
use mailmill::rules::patterns::Pattern;
use mailmill::rules::types::{
    About, Config, Declaration, Diagnostic, Entry, Failure, Field, Value, ValueType,
};
use std::cell::OnceCell;

struct Plugin {
    field: String,
    pattern: Pattern,
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
            summary: "makes a field of what a pattern finds in the body".to_owned(),
            schema: None,
        }
    }

    fn configure(config: Config) -> Result<(), Vec<Diagnostic>> {
        // A panic is reported with its text and place.
        std::panic::set_hook(Box::new(|panic| log(Level::Error, &panic.to_string())));
        let field = setting(&config, "field")?.to_owned();
        let pattern = Pattern::compile(setting(&config, "pattern")?)
            .map_err(|error| diagnostic("pattern", error.reason, error.offset))?;
        let _ = PLUGIN.with(|plugin| plugin.set(Plugin { field, pattern }));
        Ok(())
    }
}

impl extract::Guest for Component {
    fn declares() -> Vec<Declaration> {
        with_plugin(|plugin| vec![Declaration { name: plugin.field.clone(), kind: ValueType::Text }])
    }

    fn extract() -> Result<Vec<Entry>, Failure> {
        Ok(with_plugin(|plugin| {
            let groups = mail::captures(&Field::Body, &plugin.pattern, 0);
            let Some(Some(span)) = groups.get(1) else { return Vec::new() };
            let value = Value::Text(mail::slice(&Field::Body, *span));
            vec![Entry { name: plugin.field.clone(), value }]
        }))
    }
}

fn with_plugin<T>(run: impl FnOnce(&Plugin) -> T) -> T {
    PLUGIN.with(|plugin| run(plugin.get().expect("the host configures first")))
}

/// A text of the rules; what is nested has a path such as `rules.0.pattern`.
fn setting<'c>(config: &'c Config, key: &str) -> Result<&'c str, Vec<Diagnostic>> {
    let found = config.settings.iter().find(|(path, _)| path == key);
    found.map(|(_, value)| value.as_str()).ok_or_else(|| diagnostic(key, format!("`{key}` is missing"), None))
}

fn diagnostic(key: &str, reason: String, offset: Option<u32>) -> Vec<Diagnostic> {
    vec![Diagnostic { reason, path: vec![key.to_owned()], offset }]
}
