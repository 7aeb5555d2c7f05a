//! The extractor `fields`: takes typed fields out of a message, as `rules/fields.toml` says.

mod kind;
mod method;
mod rule;
mod take;

use kind::{HTML_BYTES_MAX, Kind, fit};
use mailmill_sdk::settings::read;
use mailmill_sdk::{About, Config, Declaration, Diagnostic, Entry, Extractor, Failure, Host, Level, Plugin, Value};
use rule::{Rule, Search, searches};
use take::{Found, take};

/// The most bytes of all texts and HTML together; what is beyond counts as not there. What one call may hand over to the
/// host has a limit, and a message is not to be lost for it.
const TEXTS_BYTES_MAX: usize = 4 * HTML_BYTES_MAX;

/// The plugin, configured.
#[derive(Debug)]
pub struct Fields<H: Host> {
    searches: Vec<Search<H::Pattern>>,
}

impl<H: Host> Plugin<H> for Fields<H> {
    const ABOUT: About = About {
        name: "fields",
        version: env!("CARGO_PKG_VERSION"),
        summary: "takes typed fields out of subject, body, addresses, headers and names of attachments",
    };

    fn configure(host: &H, config: &Config) -> Result<Self, Vec<Diagnostic>> {
        read(&config.rules, |root| searches(host, root)).map(|searches| Self { searches })
    }
}

impl<H: Host> Extractor<H> for Fields<H> {
    fn declares(&self) -> Vec<Declaration> {
        let rules = self.searches.iter().flat_map(|search| &search.rules);
        rules.map(|rule| Declaration { name: rule.name.clone(), kind: rule.kind.value_type() }).collect()
    }

    fn extract(&self, host: &H) -> Result<Vec<Entry>, Failure> {
        let mut entries = Vec::new();
        let mut bytes = 0;
        for search in &self.searches {
            let found = take(host, search);
            for (at, rule) in search.rules.iter().enumerate() {
                let mut value = value(host, rule, &found, at);
                bytes += text_bytes(&value);
                if bytes > TEXTS_BYTES_MAX && text_bytes(&value) > 0 {
                    let reason = format!("all fields together are longer than {TEXTS_BYTES_MAX} bytes");
                    warn(host, rule, &reason);
                    bytes -= text_bytes(&value);
                    value = Value::None;
                }
                let is_found = !value.is_blank();
                let value = if is_found { value } else { rule.default.clone() };
                if value.is_blank() && rule.required {
                    let reason = format!("the required field \"{}\" is not in the message", rule.name);
                    return Err(Failure { reason, rule: Some(rule.name.clone()) });
                }
                if !value.is_blank() {
                    if is_found {
                        host.found(&rule.name, &search.how, found.place(host, search, at));
                    } else {
                        host.found(&rule.name, "its default", None);
                    }
                    entries.push(Entry { name: rule.name.clone(), value });
                }
            }
        }
        Ok(entries)
    }
}

/// What the message has for the field at `at` of a search; none if nothing, or nothing that fits its type.
fn value<H: Host>(host: &H, rule: &Rule, found: &Found<'_>, at: usize) -> Value {
    let fitted = match found {
        Found::Nothing => return Value::None,
        Found::Truth(truth) => return Value::Boolean(*truth),
        Found::Pieces(source, pieces) => match pieces.get(at) {
            Some(Some(piece)) if rule.kind == Kind::Html => {
                fit(host, Kind::Html, &rule.reading, &host.html(source, piece.at))
            }
            Some(Some(piece)) => fit(host, rule.kind, &rule.reading, &piece.text),
            _ => return Value::None,
        },
    };
    fitted.unwrap_or_else(|reason| {
        warn(host, rule, &reason);
        Value::None
    })
}

fn warn<H: Host>(host: &H, rule: &Rule, reason: &str) {
    let then = if rule.default.is_blank() { "it stays blank" } else { "it gets its default" };
    host.log(Level::Warn, &format!("field \"{}\": {reason}; {then}", rule.name));
}

fn text_bytes(value: &Value) -> usize {
    match value {
        Value::Text(text) | Value::Html(text) => text.len(),
        Value::None
        | Value::Integer(_)
        | Value::Decimal { .. }
        | Value::Boolean(_)
        | Value::DateTime { .. }
        | Value::Currency { .. } => 0,
    }
}

#[cfg(target_arch = "wasm32")]
mailmill_sdk::export_extractor!(Fields);

#[cfg(test)]
#[path = "../../sdk/testing/host.rs"]
mod host;
#[cfg(test)]
mod tests;
