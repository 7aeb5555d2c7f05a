//! Cuts quotes, signatures and footers that no client's own rules know.
//!
//! It has no client in mind: its rule file says all, so that one pipeline may use it in several steps.

use mailmill_sdk::cleaning::Cleaner;
use mailmill_sdk::{About, Config, Diagnostic, Failure, Host, Plugin, Preprocessor, Verdict};

/// The preprocessor `plain-quote`.
pub struct PlainQuote<H: Host> {
    cleaner: Cleaner<H>,
}

impl<H: Host> Plugin<H> for PlainQuote<H> {
    const ABOUT: About =
        About { name: "plain-quote", version: env!("CARGO_PKG_VERSION"), summary: env!("CARGO_PKG_DESCRIPTION") };

    fn configure(host: &H, config: &Config) -> Result<Self, Vec<Diagnostic>> {
        Ok(Self { cleaner: Cleaner::configure(host, &config.rules)? })
    }
}

impl<H: Host> Preprocessor<H> for PlainQuote<H> {
    fn preprocess(&self, host: &H) -> Result<Verdict, Failure> {
        Ok(self.cleaner.clean(host))
    }
}

#[cfg(target_arch = "wasm32")]
mailmill_sdk::export_preprocessor!(PlainQuote);
