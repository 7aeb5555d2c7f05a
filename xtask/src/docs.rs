//! `cargo xtask docs`: the generated references, written anew.

use crate::command::{self, build, mailmill, root};
use anyhow::Result;
use std::process::Command;

/// Builds the program and lets it write the pages.
pub(crate) fn run() -> Result<()> {
    build()?;
    command::run(Command::new(mailmill()?).arg("reference").arg(root()?.join("docs/reference")))
}
