//! Any bytes are a message.
#![no_main]

libfuzzer_sys::fuzz_target!(init: mailmill_fuzz::seeds::offer("parse"), |input: &[u8]| {
    mailmill_fuzz::in_time(mailmill_fuzz::parse, input);
});
