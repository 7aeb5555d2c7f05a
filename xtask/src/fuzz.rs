//! `cargo xtask fuzz`: what reads mail, rules and servers' answers, given whatever a fuzzer thinks of.
//!
//! The targets are in `fuzz/`, a workspace of its own, laid out as `cargo fuzz` wants it. They are built here with what libFuzzer
//! needs and nothing else, so that nothing has to be installed but a nightly compiler, which serves this alone.

mod seeds;

use crate::command::{self, output, root, say};
use anyhow::{Context, Result, bail, ensure};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// All targets.
const TARGETS: [&str; 11] =
    ["parse", "document", "selectors", "cuts", "thread", "rules", "fields", "statements", "imap", "pop3", "winmail"];
/// What libFuzzer wants to know of a program while it runs.
const RUSTFLAGS: &str = "--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
                         -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
                         -Cllvm-args=-sanitizer-coverage-trace-compares";
/// What one input may take: memory of the whole process, and seconds.
const MEMORY_MB_MAX: u32 = 256;
const SECONDS_MAX: u32 = 1;
/// The longest input, in bytes.
const INPUT_BYTES_MAX: u32 = 64 << 10;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// How long each target runs
    #[arg(long, default_value_t = 60)]
    seconds: u32,
    /// Which targets; none: all of them
    targets: Vec<String>,
}

/// What a run of one target came to.
struct Outcome {
    target: &'static str,
    runs: u64,
    new_inputs: u64,
    memory_mb: u64,
    findings: Vec<PathBuf>,
}

/// Builds the targets, seeds their corpora, runs them one after the other and prints a table.
pub(crate) fn run(args: &Args) -> Result<()> {
    let unknown = args.targets.iter().find(|target| !TARGETS.contains(&target.as_str()));
    ensure!(unknown.is_none(), "there is no target {unknown:?}; there are {}", TARGETS.join(" "));
    let folder = root()?.join("fuzz");
    let binaries = build(&folder)?;
    seeds::write(&root()?, &folder.join("corpus"))?;
    let wanted = TARGETS.into_iter().filter(|it| args.targets.is_empty() || args.targets.iter().any(|name| name == it));
    let mut outcomes = Vec::new();
    for target in wanted {
        say(&format!("fuzz: {target} for {} s", args.seconds));
        outcomes.push(fuzz(target, &binaries, &folder, args.seconds)?);
    }
    say(&format!("{:<12} {:>10} {:>11} {:>10} {:>9}", "target", "runs", "new inputs", "memory", "findings"));
    for Outcome { target, runs, new_inputs, memory_mb, findings } in &outcomes {
        say(&format!("{target:<12} {runs:>10} {new_inputs:>11} {memory_mb:>7} MB {:>9}", findings.len()));
        findings.iter().for_each(|finding| say(&format!("             {}", finding.display())));
    }
    let findings: usize = outcomes.iter().map(|outcome| outcome.findings.len()).sum();
    ensure!(
        findings == 0,
        "{findings} findings: give each file to its target, in {}, to see what happens",
        binaries.display()
    );
    Ok(())
}

/// The folder of the built targets.
fn build(folder: &Path) -> Result<PathBuf> {
    let host = output(Command::new("rustup").args(["run", "nightly", "rustc", "-vV"]))
        .context("the targets need a nightly compiler: rustup toolchain install nightly --profile minimal")?;
    let triple = host.lines().find_map(|line| line.strip_prefix("host: ")).context("rustc names no host")?;
    // For a target that is named, flags do not apply to build scripts and macros.
    let mut cargo = Command::new("rustup");
    cargo.args(["run", "nightly", "cargo", "build", "--locked", "--release", "--bins", "--target", triple]);
    cargo.env("RUSTFLAGS", RUSTFLAGS).env_remove("CARGO").env_remove("RUSTC").env_remove("RUSTUP_TOOLCHAIN");
    command::run(cargo.env_remove("CARGO_TARGET_DIR").current_dir(folder))?;
    Ok(folder.join("target").join(triple).join("release"))
}

fn fuzz(target: &'static str, binaries: &Path, folder: &Path, seconds: u32) -> Result<Outcome> {
    let (corpus, artifacts) = (folder.join("corpus").join(target), folder.join("artifacts").join(target));
    fs::create_dir_all(&artifacts)?;
    let mut command = Command::new(binaries.join(target));
    command
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-rss_limit_mb={MEMORY_MB_MAX}"))
        .arg(format!("-timeout={SECONDS_MAX}"))
        .arg(format!("-max_len={INPUT_BYTES_MAX}"))
        .arg(format!("-artifact_prefix={}/", artifacts.display()))
        .args(["-print_final_stats=1", "-verbosity=0"])
        .arg(&corpus);
    let told = command.stdin(Stdio::null()).output().with_context(|| format!("cannot run {target}"))?;
    let told = String::from_utf8_lossy(&told.stderr).into_owned();
    let number = |name: &str| {
        let line = told.lines().find_map(|line| line.strip_prefix(&format!("stat::{name}:")));
        line.and_then(|text| text.trim().parse().ok()).unwrap_or(0)
    };
    let findings = confirmed(&binaries.join(target), &artifacts)?;
    if !findings.is_empty() {
        say(&told);
    } else if number("number_of_executed_units") == 0 {
        bail!("{target} did not run:\n{told}");
    }
    Ok(Outcome {
        target,
        runs: number("number_of_executed_units"),
        new_inputs: number("new_units_added"),
        memory_mb: number("peak_rss_mb"),
        findings,
    })
}

/// What happens again when it is tried alone. On a machine that does much else an input may seem slow that is not.
fn confirmed(binary: &Path, artifacts: &Path) -> Result<Vec<PathBuf>> {
    let mut findings = Vec::new();
    for entry in fs::read_dir(artifacts)? {
        let path = entry?.path();
        let mut again = Command::new(binary);
        again.arg(format!("-rss_limit_mb={MEMORY_MB_MAX}")).arg(format!("-timeout={SECONDS_MAX}")).arg(&path);
        if command::succeeds(&mut again) {
            fs::remove_file(&path)?;
        } else {
            findings.push(path);
        }
    }
    Ok(findings)
}
