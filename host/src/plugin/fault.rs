//! Faults: how a plugin's run can end, other than well, in sentences that the operator of a desk understands.

use super::capabilities::{GivenUp, Misuse};
use std::time::Duration;
use wasmtime::{Trap, WasmBacktrace};

/// Why a plugin's call came to nothing. After any of them but [`Fault::Failure`] the instance is spent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// It took too long.
    #[error("it took longer than {} ms and was stopped (limit `deadline_ms`)", limit.as_millis())]
    Deadline {
        /// What was allowed.
        limit: Duration,
    },
    /// It wanted too much memory.
    #[error("it asked for more than {} KiB of memory (limit `memory_mb`)", limit / 1024)]
    Memory {
        /// What was allowed, in bytes.
        limit: usize,
    },
    /// It called itself too deeply, or reached outside its memory.
    #[error("it used up its stack: endless recursion, or far too much data in local variables")]
    StackOverflow,
    /// It panicked.
    #[error("it panicked: {0}")]
    Panic(String),
    /// It ended in another way that its language calls impossible.
    #[error("it crashed: {0}")]
    Trap(String),
    /// It called the host too often.
    #[error("it called the host's functions more than {limit} times for one message (limit `host_calls_max`)")]
    HostCalls {
        /// What was allowed.
        limit: u64,
    },
    /// It handed over too much at once.
    #[error("it handed over more than {} KiB at once (limit `copied_bytes_max`)", limit / 1024)]
    Copied {
        /// What was allowed, in bytes.
        limit: usize,
    },
    /// Its cuts and replacements carry too much text.
    #[error("its rule names and replacements are more than {} KiB long (limit `output_bytes_max`)", limit / 1024)]
    Output {
        /// What was allowed, in bytes.
        limit: usize,
    },
    /// It holds too many patterns.
    #[error("it holds more than {limit} patterns and selectors at the same time (limit `handles_max`)")]
    Handles {
        /// What was allowed.
        limit: usize,
    },
    /// It called a function with arguments that make no sense.
    #[error("it called the host in a way that is not allowed: {0}")]
    Misuse(#[from] Misuse),
    /// A pattern of the bounded engine did not come to an end.
    #[error(transparent)]
    Pattern(#[from] GivenUp),
    /// It asked for the message where there is none.
    #[error(
        "it asked for the message outside a message, in its own configuration: only patterns and the log work there"
    )]
    OutsideCall,
    /// It asked the system for what is not there.
    #[error("it asked the system for `{asked}`: a plugin has no files, no network and no processes")]
    System {
        /// The interface and the function.
        asked: String,
    },
    /// It said what it is to be called for while it was called.
    #[error("it used `wake` outside of `configure`")]
    InsideCall,
    /// It gave up on the message, by its own word.
    #[error("it gave up: {reason}{}", rule.as_ref().map(|rule| format!(" (rule \"{rule}\")")).unwrap_or_default())]
    Failure {
        /// What went wrong.
        reason: String,
        /// The rule to blame.
        rule: Option<String>,
    },
    /// There are too many instances at the same time.
    #[error("there is no room for one more instance: {0}")]
    Room(String),
    /// The host asked it for something that its world does not have.
    #[error("it is a plugin of the world \"{is}\", but was asked as a \"{asked}\"")]
    World {
        /// What it is.
        is: &'static str,
        /// What was asked of it.
        asked: &'static str,
    },
    /// An instance was used after a fault.
    #[error("the instance was used again after a fault: {0}")]
    Spent(Box<Fault>),
}

/// The fault behind wasmtime's error. `panic` is the last error that the plugin logged, `copied` and `handles` are the
/// limits in force.
pub(super) fn classify(error: &wasmtime::Error, panic: Option<&str>, copied: usize, handles: usize) -> Fault {
    if let Some(fault) = error.downcast_ref::<Fault>() {
        return fault.clone();
    }
    if error.is::<wasmtime::PoolConcurrencyLimitError>() {
        return Fault::Room(error.root_cause().to_string());
    }
    let cause = error.root_cause().to_string();
    match error.downcast_ref::<Trap>() {
        Some(Trap::StackOverflow) => Fault::StackOverflow,
        Some(Trap::MemoryOutOfBounds) if below_zero(error) => Fault::StackOverflow,
        Some(Trap::UnreachableCodeReached) => match panic.and_then(|text| text.strip_prefix("panicked at ")) {
            Some(text) => Fault::Panic(panic_text(text)),
            None => Fault::Trap(located(error, &cause)),
        },
        // wasmtime keeps the types of these two to itself; the tests of this module hold it to its wording.
        _ if cause.starts_with("too much data is being copied") => Fault::Copied { limit: copied },
        _ if cause.contains("handle limit exceeded") => Fault::Handles { limit: handles },
        _ => Fault::Trap(located(error, &cause)),
    }
}

/// Rust's own stack lies at the bottom of a guest's memory: running out of it reaches below address 0, which counts
/// as the top of the address space.
fn below_zero(error: &wasmtime::Error) -> bool {
    const TOP: u64 = 0xF000_0000;
    let fault = error.chain().map(ToString::to_string).find_map(|cause| {
        let address = cause.strip_prefix("memory fault at wasm address 0x")?.split(' ').next()?;
        u64::from_str_radix(address, 16).ok()
    });
    fault.is_some_and(|address| address >= TOP)
}

/// `file:line:column:\ntext` with the text first.
fn panic_text(text: &str) -> String {
    match text.split_once(":\n") {
        Some((place, text)) => format!("{text} ({place})"),
        None => text.to_owned(),
    }
}

/// The cause, with the function that it happened in.
fn located(error: &wasmtime::Error, cause: &str) -> String {
    let backtrace = error.downcast_ref::<WasmBacktrace>().map(ToString::to_string).unwrap_or_default();
    let function = backtrace.lines().find_map(|line| line.split_once(" - ")).map(|(_, function)| function);
    let cause = cause.strip_prefix("wasm trap: ").unwrap_or(cause);
    match function.and_then(|function| function.split('!').next_back()) {
        Some(function) => format!("{cause} (in {function})"),
        None => cause.to_owned(),
    }
}
