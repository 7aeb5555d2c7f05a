//! `cargo xtask test`: everything that can fail, on a machine that has only Rust.

use crate::command::{self, cargo, say, succeeds};
use crate::{languages, plugins, servers};
use anyhow::{Context, Result, bail};
use std::io::{BufRead, BufReader};
use std::process::Stdio;

/// Sets up, builds and runs all tests. The runner's own closing line is the last that is printed.
pub(crate) fn run() -> Result<()> {
    servers::set_up()?;
    languages::set_up()?;
    // The daemon is built with the tests: by itself it would be built with other features of what they share.
    plugins::run(&plugins::Args { way: plugins::Way::Auto })?;
    if succeeds(&mut cargo(&["nextest", "--version"])?) {
        let threads = threads().to_string();
        command::run(&mut cargo(&["nextest", "run", "--workspace", "--no-fail-fast", "--test-threads", &threads])?)
    } else {
        cargo_test()
    }
}

/// How many tests run at a time: half as many again as there are cores, because many of them wait for servers.
fn threads() -> usize {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    cores + cores.div_ceil(2)
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
