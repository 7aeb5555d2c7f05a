//! The shipped plugins, natively, on the host's own functions.
#![allow(clippy::expect_used, reason = "tests, with what they share")]

mod cleaning;
#[path = "../native/mod.rs"]
mod native;
mod types;
