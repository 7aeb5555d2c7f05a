//! Plugins: WASM components that see one message at a time.
//!
//! An [`Engine`] loads a [`Component`], which makes [`Instance`]s: one for each worker, configured with the step's
//! rules. An instance handles one [`capabilities::Call`] after the other. Whatever a plugin does, the worst that comes
//! of it is a [`Fault`]. This is the only module that knows wasmtime.

mod bindings;
mod cache;
pub mod capabilities;
mod check;
mod clock;
mod compile;
mod component;
mod convert;
mod engine;
mod fault;
pub mod found;
mod health;
#[cfg(test)]
mod hostile;
mod instance;
mod limits;
mod needles;
pub mod patterns;
mod scan;
pub mod sight;
mod state;
mod system;
#[cfg(test)]
mod tests;

pub use check::{Import, LoadError};
pub use compile::{COMPILE_SUBCOMMAND, Compiler, compile_child};
pub use component::Component;
pub use engine::{Engine, EngineSettings, Error, INSTANCES_MAX};
pub use fault::Fault;
pub use health::{Health, Suspension};
pub use instance::Instance;
pub use limits::Limits;

use crate::action::Action;
use crate::field::{Declaration, ValueType};
use bindings::rules::types;
use capabilities::Effects;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt;
use std::time::Duration;

/// What kind of plugin it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum World {
    /// Cuts what nobody needs to read again.
    Preprocessor,
    /// Takes fields out of a message.
    Extractor,
    /// Decides what a message becomes.
    Processor,
}

impl World {
    /// All worlds, in the order of the pipeline.
    pub const ALL: [Self; 3] = [Self::Preprocessor, Self::Extractor, Self::Processor];

    /// Its name in the contract.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Preprocessor => "preprocessor",
            Self::Extractor => "extractor",
            Self::Processor => "processor",
        }
    }

    /// The interface that makes a component one of this world.
    fn export(self) -> &'static str {
        match self {
            Self::Preprocessor => "preprocess",
            Self::Extractor => "extract",
            Self::Processor => "process",
        }
    }

    /// The interfaces that it may import.
    fn grants(self) -> &'static [&'static str] {
        match self {
            Self::Preprocessor => &["types", "log", "patterns", "mail", "lookup", "edit", "wake"],
            Self::Extractor | Self::Processor => &["types", "log", "patterns", "mail", "lookup"],
        }
    }
}

impl fmt::Display for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a plugin says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// What it does, in one sentence.
    pub summary: String,
    /// A JSON Schema of its rules.
    pub schema: Option<String>,
}

/// An action that the host can carry out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerbSpec {
    /// Its name.
    pub name: String,
    /// What it takes.
    pub arguments: Vec<Argument>,
}

/// An argument of a verb.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Argument {
    /// Its name.
    pub name: String,
    /// Its type.
    pub kind: ValueType,
    /// Whether an action without it is refused.
    pub required: bool,
    /// The texts that it can be; empty: whatever its type allows.
    pub choices: Vec<String>,
    /// Whether it is a text of one line.
    pub one_line: bool,
}

/// What an instance is configured with.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PluginConfig {
    /// The step's rule file. Null counts as empty.
    pub rules: Value,
    /// The actions that the host knows.
    pub verbs: Vec<VerbSpec>,
    /// The fields that the extractors of the pipeline make; for processors.
    pub fields: Vec<Declaration>,
}

/// What is wrong with a plugin's rules, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{}{}{reason}", path.join("."), if path.is_empty() { "" } else { ": " })]
pub struct Diagnostic {
    /// What is wrong and what to do, as one sentence.
    pub reason: String,
    /// The path to the offending value, outermost key first; list items by their index.
    pub path: Vec<String>,
    /// Byte offset inside the value, when it is a text.
    pub offset: Option<u32>,
}

/// Why a plugin cannot be used with its rules.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigureError {
    /// The rules are wrong: everything at once.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Rules(Vec<Diagnostic>),
    /// The plugin failed.
    #[error("{0}")]
    Fault(Fault),
}

/// Whether further preprocessors look at the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// They do.
    Next,
    /// They do not.
    Stop,
}

/// A condition that a processor looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// The statement it belongs to.
    pub statement: String,
    /// The condition in words, with the values it saw.
    pub condition: String,
    /// Whether it was true.
    pub holds: bool,
}

impl From<types::Decision> for Decision {
    fn from(types::Decision { statement, condition, holds }: types::Decision) -> Self {
        Self { statement, condition, holds }
    }
}

/// What a processor makes of a message.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ProcessOutcome {
    /// What to do, in order.
    pub actions: Vec<Action>,
    /// How it came to that.
    pub decisions: Vec<Decision>,
    /// Whether later processors are skipped.
    pub stop: bool,
}

/// One call of a plugin: what it did, what it answered, and how long it took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Called<T> {
    /// What it did.
    pub effects: Effects,
    /// What it answered, or how it failed.
    pub result: Result<T, Fault>,
    /// How long it took, patterns that the host ran for it included.
    pub time: Duration,
}

impl PluginConfig {
    fn to_contract(&self) -> types::Config {
        let rules = if self.rules.is_null() { Value::Object(serde_json::Map::new()) } else { self.rules.clone() };
        let mut settings = Vec::new();
        flatten("", &rules, &mut settings);
        types::Config {
            rules: rules.to_string(),
            settings,
            verbs: self.verbs.iter().map(Into::into).collect(),
            fields: self.fields.iter().map(Into::into).collect(),
        }
    }
}

/// `{"a": [{"b": 1}]}` as `("a.0.b", "1")`.
fn flatten(path: &str, value: &Value, into: &mut Vec<(String, String)>) {
    let below = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    match value {
        Value::Object(members) => members.iter().for_each(|(key, value)| flatten(&below(key), value, into)),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(index, value)| flatten(&below(&index.to_string()), value, into));
        }
        Value::String(text) => into.push((path.to_owned(), text.clone())),
        Value::Null | Value::Bool(_) | Value::Number(_) => into.push((path.to_owned(), value.to_string())),
    }
}
