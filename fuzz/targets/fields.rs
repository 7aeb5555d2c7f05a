//! Any rules of the extractor `fields`, on any message.
#![no_main]

libfuzzer_sys::fuzz_target!(init: mailmill_fuzz::seeds::offer("fields"), |input: &[u8]| {
    mailmill_fuzz::in_time(mailmill_fuzz::fields, input);
});
