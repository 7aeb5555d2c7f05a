//! Any file of a job, of the pipeline, or of the classes of tickets.
#![no_main]

libfuzzer_sys::fuzz_target!(init: mailmill_fuzz::seeds::offer("files"), |input: &[u8]| {
    mailmill_fuzz::in_time(mailmill_fuzz::files, input);
});
