//! The processor `statements`: decides what a message becomes, as `rules/statements/*.toml` say.
//!
//! Conditions and macros are read and checked when the rules are loaded. Running them is total: it ends for every
//! message, and the same message always comes to the same actions.

mod argument;
mod condition;
mod name;
mod operator;
mod statement;
mod template;
mod token;

use mailmill_sdk::settings::read;
use mailmill_sdk::{About, Config, Diagnostic, Failure, Host, Outcome, Plugin, Processor};
use name::Name;
use statement::{Statement, run, statements};

/// The plugin, configured.
#[derive(Debug)]
pub struct Statements<H: Host> {
    statements: Vec<Statement<H::Pattern>>,
}

impl<H: Host> Plugin<H> for Statements<H> {
    const ABOUT: About = About {
        name: "statements",
        version: env!("CARGO_PKG_VERSION"),
        summary: "decides with conditions and actions what a message becomes",
    };

    fn configure(host: &H, config: &Config) -> Result<Self, Vec<Diagnostic>> {
        let statements = read(&config.rules, |root| {
            for field in config.fields.iter().filter(|field| Name::is_taken(&field.name)) {
                root.complain_here(format!(
                    "the field \"{}\" needs another name: every message has one of it",
                    field.name
                ));
            }
            statements(host, config, root)
        })?;
        Ok(Self { statements })
    }
}

impl<H: Host> Processor<H> for Statements<H> {
    fn process(&self, host: &H) -> Result<Outcome, Failure> {
        Ok(run(host, &self.statements))
    }
}

#[cfg(target_arch = "wasm32")]
mailmill_sdk::export_processor!(Statements);

#[cfg(test)]
#[path = "../../sdk/testing/host.rs"]
mod host;
#[cfg(test)]
mod tests;
