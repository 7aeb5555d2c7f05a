//! Any `winmail.dat` (MS-OXTNEF).
#![no_main]

libfuzzer_sys::fuzz_target!(init: mailmill_fuzz::seeds::offer("winmail"), |input: &[u8]| {
    mailmill_fuzz::in_time(mailmill_fuzz::winmail, input);
});
