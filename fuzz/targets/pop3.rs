//! Whatever a server says: a session over POP3 ends, with an error or without.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|answers: &[u8]| mailmill_fuzz::server::pop3(answers));
