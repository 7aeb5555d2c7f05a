//! Whatever a server says by POP3.
#![no_main]

libfuzzer_sys::fuzz_target!(init: mailmill_fuzz::seeds::offer("pop3"), |input: &[u8]| {
    mailmill_fuzz::in_time(mailmill_fuzz::pop3, input);
});
