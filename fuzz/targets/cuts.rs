//! Any cuts of any body.
#![no_main]

libfuzzer_sys::fuzz_target!(init: mailmill_fuzz::seeds::offer("cuts"), |input: &[u8]| {
    mailmill_fuzz::in_time(mailmill_fuzz::cuts, input);
});
