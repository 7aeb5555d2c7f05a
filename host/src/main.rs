//! The `mailmill` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    mailmill::cli::main()
}
