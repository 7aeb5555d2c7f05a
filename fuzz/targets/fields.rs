//! Any `fields.toml` on any message: it is refused, or makes fields.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mailmill_fuzz::{extract, message, rules, two_parts};
use mailmill_plugin_fields::Fields;

fuzz_target!(|data: &[u8]| {
    let Some((file, source)) = two_parts(data) else { return };
    let Some(config) = rules(file) else { return };
    drop(extract::<Fields<_>>(&config, message(source)));
});
