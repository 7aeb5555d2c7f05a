//! Any text is HTML.
#![no_main]

libfuzzer_sys::fuzz_target!(init: mailmill_fuzz::seeds::offer("document"), |input: &[u8]| {
    mailmill_fuzz::in_time(mailmill_fuzz::document, input);
});
