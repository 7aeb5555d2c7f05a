//! Any statements on any message: they are refused, or decide something.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mailmill_fuzz::{message, process, rules, two_parts};
use mailmill_plugin_statements::Statements;

fuzz_target!(|data: &[u8]| {
    let Some((file, source)) = two_parts(data) else { return };
    let Some(config) = rules(file) else { return };
    drop(process::<Statements<_>>(&config, message(source)));
});
