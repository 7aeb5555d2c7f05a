//! Finding a compiler that knows the guests' target.

use super::{Way, debian};
use anyhow::{Context, Result, bail};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The guests' target.
pub(super) const TARGET: &str = "wasm32-unknown-unknown";

/// A cargo, and what it must find in its environment to build for [`TARGET`].
#[derive(Debug)]
pub(super) struct Toolchain {
    pub(super) cargo: OsString,
    pub(super) env: Vec<(OsString, OsString)>,
}

/// A toolchain for the guests, found or made in this way.
pub(super) fn find(way: Way, target_dir: &Path) -> Result<Toolchain> {
    match way {
        Way::Installed => installed()
            .context(format!("the compiler in use has no {TARGET}: `rustup target add {TARGET}`, or leave --way out")),
        Way::Rustup => rustup(),
        Way::Debian => debian::toolchain(target_dir),
        Way::Auto => match installed() {
            Some(toolchain) => Ok(toolchain),
            None => rustup().or_else(|first| {
                debian::toolchain(target_dir).with_context(|| {
                    format!("no compiler for {TARGET}: rustup failed ({first:#}), and so did Debian's")
                })
            }),
        },
    }
}

/// The toolchain in use, if it has the target.
fn installed() -> Option<Toolchain> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    has_target(&rustc, &[]).then(in_use)
}

fn in_use() -> Toolchain {
    Toolchain { cargo: std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()), env: Vec::new() }
}

fn rustup() -> Result<Toolchain> {
    let mut rustup = Command::new("rustup");
    // Without this, rustup might fetch a whole other toolchain first.
    rustup.env("RUSTUP_AUTO_INSTALL", "0").args(["--quiet", "target", "add", TARGET]);
    run(&mut rustup)?;
    installed().with_context(|| format!("rustup added {TARGET}, but the compiler in use does not find it"))
}

/// Whether this compiler has the target's standard library.
pub(super) fn has_target(rustc: &OsString, env: &[(OsString, OsString)]) -> bool {
    let Ok(sysroot) = sysroot(rustc, env) else { return false };
    let Ok(entries) = std::fs::read_dir(library_dir(&sysroot)) else { return false };
    entries.flatten().any(|entry| {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        name.starts_with("libstd-") && name.ends_with(".rlib")
    })
}

/// Where this compiler looks for its libraries.
pub(super) fn sysroot(rustc: &OsString, env: &[(OsString, OsString)]) -> Result<PathBuf> {
    let mut command = Command::new(rustc);
    command.args(["--print", "sysroot"]).envs(env.iter().cloned());
    Ok(PathBuf::from(output(&mut command)?))
}

/// Where the target's libraries lie in a sysroot.
pub(super) fn library_dir(sysroot: &Path) -> PathBuf {
    sysroot.join("lib/rustlib").join(TARGET).join("lib")
}

/// Runs a command for its output.
pub(super) fn output(command: &mut Command) -> Result<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.stderr(Stdio::piped()).output().with_context(|| format!("cannot start {name}"))?;
    if !output.status.success() {
        bail!("{name} failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Runs a command for its effect.
pub(super) fn run(command: &mut Command) -> Result<()> {
    output(command).map(drop)
}
