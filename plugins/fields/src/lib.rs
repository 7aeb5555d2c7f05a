//! The extractor `fields`: takes typed fields out of a message, as `rules/fields.toml` says.

mod rule;
mod take;

use mailmill_sdk::settings::read;
use mailmill_sdk::{About, Config, Declaration, Diagnostic, Entry, Extractor, Failure, Host, Level, Plugin, Value};
use rule::{Rule, rules};

/// The plugin, configured.
#[derive(Debug)]
pub struct Fields<H: Host> {
    rules: Vec<Rule<H::Pattern>>,
}

impl<H: Host> Plugin<H> for Fields<H> {
    const ABOUT: About = About {
        name: "fields",
        version: env!("CARGO_PKG_VERSION"),
        summary: "takes typed fields out of subject, body, addresses and headers",
    };

    fn configure(host: &H, config: &Config) -> Result<Self, Vec<Diagnostic>> {
        read(&config.rules, |root| rules(host, root)).map(|rules| Self { rules })
    }
}

impl<H: Host> Extractor<H> for Fields<H> {
    fn declares(&self) -> Vec<Declaration> {
        self.rules.iter().map(|rule| Declaration { name: rule.name.clone(), kind: rule.kind }).collect()
    }

    fn extract(&self, host: &H) -> Result<Vec<Entry>, Failure> {
        let values = self.rules.iter().map(|rule| Ok(Entry { name: rule.name.clone(), value: value(host, rule)? }));
        let entries: Result<Vec<Entry>, Failure> = values.collect();
        entries.map(|entries| entries.into_iter().filter(|entry| !entry.value.is_blank()).collect())
    }
}

/// What a rule makes of the message: what it takes, or else its default, or else nothing.
fn value<H: Host>(host: &H, rule: &Rule<H::Pattern>) -> Result<Value, Failure> {
    if let Some(text) = take::take(host, rule) {
        match rule::fit(rule.kind, &text) {
            Ok(value) => return Ok(value),
            Err(reason) => host.log(Level::Warn, &format!("field \"{}\": {reason}; it stays blank", rule.name)),
        }
    }
    if rule.default.is_blank() && rule.required {
        let reason = format!("the required field \"{}\" is not in the message", rule.name);
        return Err(Failure { reason, rule: Some(rule.name.clone()) });
    }
    Ok(rule.default.clone())
}

#[cfg(target_arch = "wasm32")]
mailmill_sdk::export_extractor!(Fields);

#[cfg(test)]
#[path = "../../sdk/testing/host.rs"]
mod host;
#[cfg(test)]
mod tests;
