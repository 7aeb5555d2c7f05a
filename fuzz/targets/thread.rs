//! Any header names a conversation, or none.
#![no_main]

libfuzzer_sys::fuzz_target!(init: mailmill_fuzz::seeds::offer("thread"), |input: &[u8]| {
    mailmill_fuzz::in_time(mailmill_fuzz::thread, input);
});
