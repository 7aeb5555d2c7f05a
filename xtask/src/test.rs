//! `cargo xtask test`: everything that can fail, on a machine that has only Rust.

use crate::command::{self, build, cargo, output, say, succeeds};
use anyhow::{Context, Result, bail};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

/// A program that tests need and cargo cannot bring.
pub(crate) struct Server {
    pub(crate) name: &'static str,
    /// It is there if one of these files is.
    pub(crate) files: &'static [&'static str],
    pub(crate) debian: &'static str,
}

pub(crate) const SERVERS: [Server; 1] = [Server {
    name: "Dovecot 2.3 with IMAP",
    files: &["/usr/lib/dovecot/imap", "/usr/libexec/dovecot/imap", "/usr/local/libexec/dovecot/imap"],
    debian: "dovecot-imapd",
}];

/// Sets up, builds and runs all tests. The runner's own closing line is the last that is printed.
pub(crate) fn run() -> Result<()> {
    install(&SERVERS)?;
    build()?;
    if succeeds(&mut cargo(&["nextest", "--version"])?) {
        command::run(&mut cargo(&["test", "--workspace", "--doc", "--quiet"])?)?;
        command::run(&mut cargo(&["nextest", "run", "--workspace", "--no-fail-fast"])?)
    } else {
        cargo_test()
    }
}

/// Installs what is missing, where that may be done without being asked.
pub(crate) fn install(wanted: &[Server]) -> Result<()> {
    let missing: Vec<_> = wanted.iter().filter(|server| !is_installed(server)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let packages: Vec<_> = missing.iter().map(|server| server.debian).collect();
    let names: Vec<_> = missing.iter().map(|server| server.name).collect();
    if !may_install()? {
        bail!(
            "{} is needed: install it (Debian, Ubuntu: sudo apt-get install {}) and run this again",
            names.join(", "),
            packages.join(" ")
        );
    }
    say(&format!("installing {}: apt-get install {}", names.join(", "), packages.join(" ")));
    command::run(apt_get(&["update", "--quiet"]).stdout(Stdio::null()))?;
    command::run(apt_get(&["install", "--quiet", "--yes", "--no-install-recommends"]).args(&packages))
}

fn is_installed(server: &Server) -> bool {
    server.files.iter().any(|file| Path::new(file).exists())
}

/// Whether this is Debian (or made of it) and we are root: nowhere else is anything installed without being asked.
fn may_install() -> Result<bool> {
    Ok(Path::new("/etc/debian_version").exists() && output(Command::new("id").arg("-u"))?.trim() == "0")
}

fn apt_get(arguments: &[&str]) -> Command {
    let mut command = Command::new("apt-get");
    command.args(arguments).env("DEBIAN_FRONTEND", "noninteractive");
    command
}

/// Without cargo-nextest: `cargo test`, whose many closing lines are added up to one.
fn cargo_test() -> Result<()> {
    let mut child = cargo(&["test", "--workspace", "--no-fail-fast"])?.stdout(Stdio::piped()).spawn()?;
    let stdout = child.stdout.take().context("the output of cargo test was not captured")?;
    let mut total = Tally::default();
    for line in BufReader::new(stdout).lines() {
        let line = line?;
        total.add(&line);
        say(&line);
    }
    let status = child.wait()?;
    say(&total.closing_line(status.success()));
    if !status.success() {
        bail!("`cargo test --workspace` failed: {status}");
    }
    Ok(())
}

/// The sums of all closing lines.
#[derive(Debug, Default, PartialEq, Eq)]
struct Tally {
    passed: u64,
    failed: u64,
    ignored: u64,
}

impl Tally {
    /// Counts a line such as `test result: ok. 3 passed; 0 failed; 1 ignored; …`; any other line is nothing.
    fn add(&mut self, line: &str) {
        let Some((_, counts)) = line.strip_prefix("test result: ").and_then(|rest| rest.split_once(". ")) else {
            return;
        };
        for part in counts.split(';') {
            let mut words = part.split_whitespace();
            let Some(count) = words.next().and_then(|word| word.parse::<u64>().ok()) else { continue };
            match words.next() {
                Some("passed") => self.passed += count,
                Some("failed") => self.failed += count,
                Some("ignored") => self.ignored += count,
                Some(_) | None => {}
            }
        }
    }

    fn closing_line(&self, ok: bool) -> String {
        let verdict = if ok { "ok" } else { "FAILED" };
        let Self { passed, failed, ignored } = self;
        format!(
            "test result: {verdict}. {passed} passed; {failed} failed; {ignored} ignored; all test programs together"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closing_lines_add_up() {
        let mut tally = Tally::default();
        tally.add("running 3 tests");
        tally.add("test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s");
        tally.add("test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s");
        assert_eq!(tally, Tally { passed: 4, failed: 2, ignored: 1 });
        assert_eq!(
            tally.closing_line(false),
            "test result: FAILED. 4 passed; 2 failed; 1 ignored; all test programs together"
        );
    }
}
