//! Any statements, on any message.
#![no_main]

libfuzzer_sys::fuzz_target!(init: mailmill_fuzz::seeds::offer("statements"), |input: &[u8]| {
    mailmill_fuzz::in_time(mailmill_fuzz::statements, input);
});
