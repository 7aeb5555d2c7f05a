//! Cuts what Gmail quotes, on the web and on phones.
//!
//! Gmail puts a quote into `div.gmail_quote`; a sender who answers point by point writes between the block quotes
//! inside it, and that stays.

use mailmill_sdk::cleaning::Cleaner;
use mailmill_sdk::{About, Config, Diagnostic, Failure, Host, Plugin, Preprocessor, Verdict};

/// The preprocessor `gmail`.
pub struct Gmail<H: Host> {
    cleaner: Cleaner<H>,
}

impl<H: Host> Plugin<H> for Gmail<H> {
    const ABOUT: About =
        About { name: "gmail", version: env!("CARGO_PKG_VERSION"), summary: env!("CARGO_PKG_DESCRIPTION") };

    fn configure(host: &H, config: &Config) -> Result<Self, Vec<Diagnostic>> {
        Ok(Self { cleaner: Cleaner::configure(host, &config.rules)? })
    }
}

impl<H: Host> Preprocessor<H> for Gmail<H> {
    fn preprocess(&self, host: &H) -> Result<Verdict, Failure> {
        Ok(self.cleaner.clean(host))
    }
}

#[cfg(target_arch = "wasm32")]
mailmill_sdk::export_preprocessor!(Gmail);
