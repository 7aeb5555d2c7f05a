//! Cuts what Outlook quotes, on the desktop, the web and phones.
//!
//! Outlook sets a header block above what it quotes and marks nothing below it, so a quote goes on to the end.

use mailmill_sdk::cleaning::Cleaner;
use mailmill_sdk::{About, Config, Diagnostic, Failure, Host, Plugin, Preprocessor, Verdict};

/// The preprocessor `outlook`.
pub struct Outlook<H: Host> {
    cleaner: Cleaner<H>,
}

impl<H: Host> Plugin<H> for Outlook<H> {
    const ABOUT: About =
        About { name: "outlook", version: env!("CARGO_PKG_VERSION"), summary: env!("CARGO_PKG_DESCRIPTION") };

    fn configure(host: &H, config: &Config) -> Result<Self, Vec<Diagnostic>> {
        Ok(Self { cleaner: Cleaner::configure(host, &config.rules)? })
    }
}

impl<H: Host> Preprocessor<H> for Outlook<H> {
    fn preprocess(&self, host: &H) -> Result<Verdict, Failure> {
        Ok(self.cleaner.clean(host))
    }
}

#[cfg(target_arch = "wasm32")]
mailmill_sdk::export_preprocessor!(Outlook);
