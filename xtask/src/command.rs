//! Running other programs, and where things lie.

use crate::plugins;
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The repository's root folder.
pub(crate) fn root() -> Result<PathBuf> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    Ok(own.parent().context("xtask lies in no repository")?.to_owned())
}

/// Cargo's target directory.
pub(crate) fn target_dir(root: &Path) -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |dir| root.join(dir))
}

/// The daemon's binary, built by [`build`].
pub(crate) fn mailmill() -> Result<PathBuf> {
    Ok(target_dir(&root()?).join("debug").join("mailmill"))
}

/// Cargo, in the repository's root.
pub(crate) fn cargo(arguments: &[&str]) -> Result<Command> {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments).current_dir(root()?);
    Ok(command)
}

/// Builds all plugins and the daemon.
pub(crate) fn build() -> Result<()> {
    plugins::run(&plugins::Args { way: plugins::Way::Auto })?;
    // Of the whole workspace, so that what it shares with the tests is built once.
    run(&mut cargo(&["build", "--workspace", "--bin", "mailmill"])?)
}

/// Runs a command, showing what it prints.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot run {}", shown(command)))?;
    if !status.success() {
        bail!("`{}` failed: {status}", shown(command));
    }
    Ok(())
}

/// Runs a command and gives what it writes on stdout.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output = command.stderr(Stdio::inherit()).output().with_context(|| format!("cannot run {}", shown(command)))?;
    if !output.status.success() {
        bail!("`{}` failed: {}", shown(command), output.status);
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// Whether a command runs and succeeds, quietly.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// A command as a user would type it.
fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

/// Tells the user something, on stdout.
#[expect(clippy::print_stdout, reason = "a tool for the terminal speaks on stdout")]
pub(crate) fn say(text: &str) {
    println!("{text}");
}
