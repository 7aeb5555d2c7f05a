//! Whatever a server says by IMAP.
#![no_main]

libfuzzer_sys::fuzz_target!(init: mailmill_fuzz::seeds::offer("imap"), |input: &[u8]| {
    mailmill_fuzz::in_time(mailmill_fuzz::imap, input);
});
