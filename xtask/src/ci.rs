//! `cargo xtask ci`: what must pass before a push, and what the continuous integration runs, nothing more.

use crate::command::{self, cargo, say, succeeds};
use crate::test;
use anyhow::Result;

/// Known to read this repository's `deny.toml`. It runs for seconds, so it is built without optimisation.
const CARGO_DENY_VERSION: &str = "0.20.2";
/// Those who have dependencies of their own: the fuzz targets are another workspace.
const MANIFESTS: [&str; 2] = ["Cargo.toml", "fuzz/Cargo.toml"];

/// Runs all checks, the quickest first, and then all tests.
pub(crate) fn run() -> Result<()> {
    step("format", &["fmt", "--all", "--check"])?;
    step("lints", &["clippy", "--workspace", "--all-targets", "--locked", "--", "--deny", "warnings"])?;
    documentation()?;
    dependencies()?;
    say("ci: tests");
    test::run()
}

fn step(name: &str, arguments: &[&str]) -> Result<()> {
    say(&format!("ci: {name}"));
    command::run(&mut cargo(arguments)?)
}

fn documentation() -> Result<()> {
    say("ci: documentation");
    command::run(cargo(&["doc", "--workspace", "--no-deps", "--quiet"])?.env("RUSTDOCFLAGS", "--deny warnings"))
}

fn dependencies() -> Result<()> {
    if !succeeds(&mut cargo(&["deny", "--version"])?) {
        step(
            "installing cargo-deny",
            &["install", "--debug", "--locked", "--quiet", "cargo-deny", "--version", CARGO_DENY_VERSION],
        )?;
    }
    for manifest in MANIFESTS {
        let deny = ["deny", "--manifest-path", manifest, "--config", "deny.toml", "check"];
        step(&format!("dependencies of {manifest}"), &[&deny[..], &["bans", "licenses", "sources"]].concat())?;
    }
    if !succeeds(&mut cargo(&["deny", "fetch", "db"])?) {
        say(
            "ci: advisories skipped: the advisory database cannot be fetched (no network, or its host is not reachable)",
        );
        return Ok(());
    }
    for manifest in MANIFESTS {
        let deny = ["deny", "--manifest-path", manifest, "--config", "deny.toml", "check", "--disable-fetch"];
        step(&format!("advisories on {manifest}"), &[&deny[..], &["advisories"]].concat())?;
    }
    Ok(())
}
