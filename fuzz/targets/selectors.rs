//! Any selector, on any HTML.
#![no_main]

libfuzzer_sys::fuzz_target!(init: mailmill_fuzz::seeds::offer("selectors"), |input: &[u8]| {
    mailmill_fuzz::in_time(mailmill_fuzz::selectors, input);
});
