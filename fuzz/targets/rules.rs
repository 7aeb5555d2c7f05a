//! Any rules of the preprocessor `reply`, on any message.
#![no_main]

libfuzzer_sys::fuzz_target!(init: mailmill_fuzz::seeds::offer("rules"), |input: &[u8]| {
    mailmill_fuzz::in_time(mailmill_fuzz::rules, input);
});
