//! Cuts what Apple Mail quotes, on the Mac and on iPhones.
//!
//! Apple Mail quotes in `blockquote[type=cite]`, and may put the attribution line inside.

use mailmill_sdk::cleaning::Cleaner;
use mailmill_sdk::{About, Config, Diagnostic, Failure, Host, Plugin, Preprocessor, Verdict};

/// The preprocessor `apple-mail`.
pub struct AppleMail<H: Host> {
    cleaner: Cleaner<H>,
}

impl<H: Host> Plugin<H> for AppleMail<H> {
    const ABOUT: About =
        About { name: "apple-mail", version: env!("CARGO_PKG_VERSION"), summary: env!("CARGO_PKG_DESCRIPTION") };

    fn configure(host: &H, config: &Config) -> Result<Self, Vec<Diagnostic>> {
        Ok(Self { cleaner: Cleaner::configure(host, &config.rules)? })
    }
}

impl<H: Host> Preprocessor<H> for AppleMail<H> {
    fn preprocess(&self, host: &H) -> Result<Verdict, Failure> {
        Ok(self.cleaner.clean(host))
    }
}

#[cfg(target_arch = "wasm32")]
mailmill_sdk::export_preprocessor!(AppleMail);
