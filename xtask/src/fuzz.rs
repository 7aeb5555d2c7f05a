//! `cargo xtask fuzz`: what reads mail, rules and servers' answers, given whatever a fuzzer thinks of.
//!
//! The targets are in `fuzz/`, a workspace of its own, laid out as `cargo fuzz` wants it. They are built here with what libFuzzer
//! needs and nothing else, so that nothing has to be installed but a nightly compiler, which serves this alone. Only the code that
//! reads is watched by the fuzzer: that makes it quick. Ours has no `unsafe` there, so no sanitizer is needed, and the memory
//! that is measured is the program's own.

use crate::command::{self, output, root, say};
use anyhow::{Context, Result, bail, ensure};
use std::collections::VecDeque;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// All targets: `fuzz/src/lib.rs` says what each does.
const TARGETS: [&str; 12] = [
    "parse",
    "document",
    "selectors",
    "cuts",
    "thread",
    "winmail",
    "rules",
    "fields",
    "statements",
    "files",
    "imap",
    "pop3",
];
/// The packages whose branches the fuzzer watches: none that has a build script, to which the flags would apply too.
const WATCHED: [&str; 13] = [
    "mailmill",
    "mailmill-fuzz",
    "mailmill-sdk",
    "mailmill-plugin-reply",
    "mailmill-plugin-fields",
    "mailmill-plugin-statements",
    "mail-parser",
    "html5gum",
    "cssparser",
    "imap-proto",
    "async-imap",
    "nom@7.1.3",
    "nom@8.0.0",
];
/// How they are watched (<https://clang.llvm.org/docs/SanitizerCoverage.html>).
const RUSTFLAGS: [&str; 7] = [
    "--cfg",
    "fuzzing",
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
];
/// What a target may take at most: memory of the whole process, and seconds for one input.
const MEMORY_MB_MAX: u64 = 256;
const SECONDS_MAX: u32 = 1;
/// The longest input, in bytes.
const INPUT_BYTES_MAX: u32 = 64 << 10;
/// Names the folder that a target writes its seeds into, as `fuzz/src/seeds.rs` has it.
const SEEDS: &str = "MAILMILL_FUZZ_SEEDS";
/// How often a target goes on after an input that was slow only because the machine was busy.
const FALSE_ALARMS_MAX: u32 = 100;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// For how many minutes each target runs at least; 1 unless there are --runs
    #[arg(long)]
    minutes: Option<u64>,
    /// How often each target runs at least
    #[arg(long, default_value_t = 0)]
    runs: u64,
    /// How many targets run at the same time
    #[arg(long, default_value_t = 1)]
    jobs: usize,
    /// Which targets; none: all of them
    targets: Vec<String>,
}

/// What a run of one target came to.
#[derive(Default)]
struct Outcome {
    target: &'static str,
    runs: u64,
    time: Duration,
    memory_mb: u64,
    findings: Vec<PathBuf>,
}

/// Builds the targets, runs them and prints a table.
pub(crate) fn run(args: &Args) -> Result<()> {
    let unknown = args.targets.iter().find(|target| !TARGETS.contains(&target.as_str()));
    ensure!(unknown.is_none(), "there is no target {unknown:?}; there are {}", TARGETS.join(" "));
    let folder = root()?.join("fuzz");
    let binaries = build(&folder)?;
    let wanted = TARGETS.into_iter().filter(|it| args.targets.is_empty() || args.targets.iter().any(|name| name == it));
    let campaign = Campaign {
        time: Duration::from_secs(60 * args.minutes.unwrap_or(u64::from(args.runs == 0))),
        runs: args.runs,
        binaries,
        folder,
    };
    let mut outcomes = campaign.all(wanted.collect(), args.jobs)?;
    outcomes.sort_by_key(|outcome| TARGETS.iter().position(|target| *target == outcome.target));
    report(&outcomes)?;
    let findings: usize = outcomes.iter().map(|outcome| outcome.findings.len()).sum();
    let binaries = campaign.binaries.display();
    ensure!(findings == 0, "{findings} findings: give each file to its target, in {binaries}, to see what happens");
    Ok(())
}

impl Outcome {
    /// A row of the table.
    #[expect(clippy::cast_precision_loss, reason = "what is shown is rounded anyway")]
    fn line(&self) -> String {
        let Self { target, runs, time, memory_mb, findings } = self;
        let seconds = time.as_secs_f64();
        let rate = *runs as f64 / seconds.max(0.001);
        format!("{target:<12} {runs:>11} {seconds:>9.0} {rate:>8.0} {memory_mb:>6} MB {:>9}", findings.len())
    }
}

fn report(outcomes: &[Outcome]) -> Result<()> {
    say(&format!("{:<12} {:>11} {:>9} {:>8} {:>9} {:>9}", "target", "runs", "seconds", "runs/s", "memory", "findings"));
    for outcome in outcomes {
        say(&outcome.line());
        outcome.findings.iter().for_each(|finding| say(&format!("             {}", finding.display())));
    }
    let large = outcomes.iter().find(|outcome| outcome.memory_mb > MEMORY_MB_MAX);
    if let Some(Outcome { target, memory_mb, .. }) = large {
        bail!("{target} took {memory_mb} MB, more than {MEMORY_MB_MAX}");
    }
    Ok(())
}

/// The folder of the built targets.
fn build(folder: &Path) -> Result<PathBuf> {
    let host = output(Command::new("rustup").args(["run", "nightly", "rustc", "-vV"]))
        .context("the targets need a nightly compiler: rustup toolchain install nightly --profile minimal")?;
    let triple = host.lines().find_map(|line| line.strip_prefix("host: ")).context("rustc names no host")?;
    let flags = RUSTFLAGS.map(|flag| format!("\"{flag}\"")).join(",");
    let mut cargo = Command::new("rustup");
    cargo.args(["run", "nightly", "cargo", "build", "--locked", "--release", "--bins", "--target", triple]);
    cargo.arg("-Zprofile-rustflags");
    for package in WATCHED {
        cargo.arg("--config").arg(format!("profile.release.package.\"{package}\".rustflags=[{flags}]"));
    }
    // What runs this task is another compiler, with a folder of its own.
    for variable in ["CARGO", "RUSTC", "RUSTFLAGS", "RUSTUP_TOOLCHAIN", "CARGO_TARGET_DIR"] {
        cargo.env_remove(variable);
    }
    command::run(cargo.current_dir(folder))?;
    Ok(folder.join("target").join(triple).join("release"))
}

/// How long and how often each target runs, and where everything is.
struct Campaign {
    time: Duration,
    runs: u64,
    binaries: PathBuf,
    folder: PathBuf,
}

impl Campaign {
    /// Runs targets, so many at the same time.
    fn all(&self, targets: VecDeque<&'static str>, jobs: usize) -> Result<Vec<Outcome>> {
        let (waiting, done) = (Mutex::new(targets), Mutex::new(Vec::new()));
        let work = || {
            loop {
                let next = waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
                let Some(target) = next else { return };
                say(&format!("fuzz: {target}"));
                let outcome = self.one(target);
                // What is said at once is not lost when the rest is interrupted.
                outcome.iter().for_each(|outcome| say(&outcome.line()));
                done.lock().unwrap_or_else(PoisonError::into_inner).push(outcome);
            }
        };
        std::thread::scope(|scope| (0..jobs.max(1)).for_each(|_| drop(scope.spawn(work))));
        done.into_inner().unwrap_or_else(PoisonError::into_inner).into_iter().collect()
    }

    /// Runs a target until it has run for long and often enough, or has found something.
    fn one(&self, target: &'static str) -> Result<Outcome> {
        let artifacts = self.folder.join("artifacts").join(target);
        fs::create_dir_all(&artifacts)?;
        let mut outcome = Outcome { target, ..Outcome::default() };
        for _ in 0..FALSE_ALARMS_MAX {
            let (time, runs) = (self.time.saturating_sub(outcome.time), self.runs.saturating_sub(outcome.runs));
            if time < Duration::from_secs(1) && runs == 0 {
                break;
            }
            let begun = Instant::now();
            // The time first: it may be enough for the runs.
            let limit = if time >= Duration::from_secs(1) {
                format!("-max_total_time={}", time.as_secs())
            } else {
                format!("-runs={runs}")
            };
            let told = self.fuzz(target, &limit, &artifacts)?;
            outcome.time += begun.elapsed();
            let runs = statistic(&told, "number_of_executed_units");
            ensure!(runs > 0, "{target} did not run:\n{told}");
            outcome.runs += runs;
            outcome.memory_mb = outcome.memory_mb.max(statistic(&told, "peak_rss_mb"));
            outcome.findings = confirmed(&self.binaries.join(target), &artifacts)?;
            if !outcome.findings.is_empty() {
                say(&told);
                break;
            }
        }
        Ok(outcome)
    }

    /// What the fuzzer says of a run of a target.
    fn fuzz(&self, target: &str, limit: &str, artifacts: &Path) -> Result<String> {
        let corpus = self.folder.join("corpus").join(target);
        fs::create_dir_all(&corpus)?;
        let mut command = Command::new(self.binaries.join(target));
        command
            .env(SEEDS, &corpus)
            .arg(limit)
            .arg(format!("-rss_limit_mb={MEMORY_MB_MAX}"))
            .arg(format!("-timeout={SECONDS_MAX}"))
            .arg(format!("-max_len={INPUT_BYTES_MAX}"))
            .arg(format!("-artifact_prefix={}/", artifacts.display()))
            .args(["-print_final_stats=1", "-verbosity=0"])
            .arg(&corpus);
        // What was found before is a good place to look for more.
        let found = self.folder.join("found").join(target);
        if found.is_dir() {
            command.arg(found);
        }
        let told = command.stdin(Stdio::null()).output().with_context(|| format!("cannot run {target}"))?;
        Ok(String::from_utf8_lossy(&told.stderr).into_owned())
    }
}

fn statistic(told: &str, name: &str) -> u64 {
    let line = told.lines().find_map(|line| line.strip_prefix(&format!("stat::{name}:")));
    line.and_then(|text| text.trim().parse().ok()).unwrap_or(0)
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
