//! Cuts what a reply repeats: quotes, forwarded messages, signatures, legal notices and banners.
//!
//! One plugin for all mail clients: what is peculiar to a client, and what lines look like in which language, is in
//! the rule files. Here is only how rules work together. The host runs the patterns (one for all languages of a
//! table); only if they match is the body copied, once, and the lines around the matches are weighed here.

mod attribution;
mod cleaner;
mod condition;
mod container;
mod cuts;
mod device;
mod evidence;
mod header_block;
mod lines;
mod pattern;
mod quoted;
mod rule;
mod rulers;
mod subject;
mod table;
mod tail;
mod template;

pub use cleaner::Cleaner;

use mailmill_sdk::{About, Config, Diagnostic, Failure, Host, Plugin, Preprocessor, Verdict};

/// The preprocessor `reply`.
pub struct Reply<H: Host> {
    cleaner: Cleaner<H>,
}

impl<H: Host> Plugin<H> for Reply<H> {
    const ABOUT: About =
        About { name: "reply", version: env!("CARGO_PKG_VERSION"), summary: env!("CARGO_PKG_DESCRIPTION") };

    fn configure(host: &H, config: &Config) -> Result<Self, Vec<Diagnostic>> {
        Ok(Self { cleaner: Cleaner::configure(host, &config.rules)? })
    }
}

impl<H: Host> Preprocessor<H> for Reply<H> {
    fn preprocess(&self, host: &H) -> Result<Verdict, Failure> {
        Ok(self.cleaner.clean(host))
    }
}

#[cfg(target_arch = "wasm32")]
mailmill_sdk::export_preprocessor!(Reply);

#[cfg(test)]
#[path = "../../sdk/testing/host.rs"]
mod testing;
