//! Any rule file of the preprocessor `reply` on any message: it is refused, or cuts pieces of the body.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mailmill_fuzz::{message, preprocess, rules, two_parts};
use mailmill_plugin_reply::Reply;

fuzz_target!(|data: &[u8]| {
    let Some((file, source)) = two_parts(data) else { return };
    let Some(config) = rules(file) else { return };
    drop(preprocess::<Reply<_>>(&config, message(source)));
});
