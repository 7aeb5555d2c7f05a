//! The `mailmill` command.

use std::process::ExitCode;

#[cfg(target_os = "linux")]
mod memory;

fn main() -> ExitCode {
    mailmill::cli::main()
}
