//! Cuts what Thunderbird and its relatives quote.
//!
//! Thunderbird marks every quoted line, so that answers below and between them can be told apart.

use mailmill_sdk::cleaning::Cleaner;
use mailmill_sdk::{About, Config, Diagnostic, Failure, Host, Plugin, Preprocessor, Verdict};

/// The preprocessor `thunderbird`.
pub struct Thunderbird<H: Host> {
    cleaner: Cleaner<H>,
}

impl<H: Host> Plugin<H> for Thunderbird<H> {
    const ABOUT: About =
        About { name: "thunderbird", version: env!("CARGO_PKG_VERSION"), summary: env!("CARGO_PKG_DESCRIPTION") };

    fn configure(host: &H, config: &Config) -> Result<Self, Vec<Diagnostic>> {
        Ok(Self { cleaner: Cleaner::configure(host, &config.rules)? })
    }
}

impl<H: Host> Preprocessor<H> for Thunderbird<H> {
    fn preprocess(&self, host: &H) -> Result<Verdict, Failure> {
        Ok(self.cleaner.clean(host))
    }
}

#[cfg(target_arch = "wasm32")]
mailmill_sdk::export_preprocessor!(Thunderbird);
