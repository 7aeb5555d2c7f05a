//! The fuzz targets: what reads mail, rules and servers' answers, given any bytes. A target returns, or it panics: then it has
//! found something.
//!
//! `cargo xtask fuzz` has a fuzzer think of the bytes. The host's own tests include this file and run each target on its
//! seeds, on all that was ever found, and on a few variations of both.

mod files;
#[path = "../../host/src/message/document/xss/harmless.rs"]
mod harmless;
#[allow(dead_code, reason = "others use more of it")]
#[path = "../../host/tests/native/mod.rs"]
mod native;
mod plugins;
mod reading;
pub mod seeds;
mod server;

pub use files::files;
pub use plugins::{fields, rules, statements};
pub use reading::{cuts, document, parse, selectors, thread, winmail};
pub use server::{imap, pop3};

/// What is done with an input.
pub type Target = fn(&[u8]);

/// All targets, by the name of their program.
pub const TARGETS: [(&str, Target); 12] = [
    ("parse", parse),
    ("document", document),
    ("selectors", selectors),
    ("cuts", cuts),
    ("thread", thread),
    ("winmail", winmail),
    ("rules", rules),
    ("fields", fields),
    ("statements", statements),
    ("files", files),
    ("imap", imap),
    ("pop3", pop3),
];

/// Runs a target, and panics if that takes a second: the fuzzer itself looks at the time only now and then.
#[allow(dead_code, reason = "for a fuzzer alone")]
pub fn in_time(target: Target, input: &[u8]) {
    let began = std::time::Instant::now();
    target(input);
    let took = began.elapsed();
    assert!(took.as_secs() == 0, "this input took {} ms", took.as_millis());
}

/// Between the two texts of one input.
const SEPARATOR: &str = "\n=====\n";

/// Two texts; the second is empty if there is but one.
fn two_texts(input: &[u8]) -> (String, String) {
    let text = String::from_utf8_lossy(input);
    let (first, second) = text.split_once(SEPARATOR).unwrap_or((&text, ""));
    (first.to_owned(), second.to_owned())
}
