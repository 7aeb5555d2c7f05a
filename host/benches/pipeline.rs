//! What the sandbox costs: eight plugins in sequence, as WASM components and natively, in the same run and on the same
//! message; and how fast changed plugins and rules come into force. `docs/performance.md` says how to repeat it.
#![allow(clippy::print_stdout, clippy::expect_used, reason = "a program for developers, on inputs of its own")]

#[path = "pipeline/figure.rs"]
mod figure;
#[path = "pipeline/line.rs"]
mod line;
#[path = "pipeline/mail.rs"]
mod mail;
#[path = "../tests/native/mod.rs"]
mod native;
#[path = "pipeline/swap.rs"]
mod swap;

use anyhow::{Context, Result, ensure};
use clap::Parser;
use figure::Figure;
use line::{Line, Native, Sandboxed, handle};
use mailmill::message::Message;
use mailmill::plugin::{Compiler, Engine, EngineSettings, Limits};
use mailmill::rules::RuleSet;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often both sides take turns.
const ROUNDS: usize = 200;
/// How long one side's turn takes, about. Short, so that a busy machine disturbs both sides alike.
const TURN: Duration = Duration::from_millis(5);

/// The messages, with what the sandbox may cost on them.
const MESSAGES: [(&str, bool, usize, f64); 4] = [
    ("6 KB reply", false, 6 * 1024, 1.4),
    ("60 KB reply", false, 60 * 1024, 1.1),
    ("6 KB reply in HTML", true, 6 * 1024, 1.4),
    ("60 KB reply in HTML", true, 60 * 1024, 1.1),
];

#[derive(Parser)]
struct Args {
    /// End with an error if a target is missed
    #[arg(long)]
    check: bool,
    /// Print the figures as JSON
    #[arg(long)]
    json: bool,
    /// What `cargo bench` passes
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> Result<ExitCode> {
    let args = Args::parse();
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("the crate lies in a repository")?;
    let (rules, plugins) = (repository.join("rules"), plugins_dir());
    let temporary = tempfile::tempdir()?;
    let cache = temporary.path().join("cache");
    let engine = start_engine(&cache)?;
    let set = RuleSet::load(&rules, &plugins, &engine)
        .map_err(|found| anyhow::anyhow!("{found}\n(plugins are built with `cargo xtask plugins`)"))?;
    let (mut sandboxed, mut native) = (Sandboxed::start(&set)?, Native::start(&set)?);

    let mut figures = Vec::new();
    for (name, html, bytes, target) in MESSAGES {
        let message = Arc::new(mail::reply(bytes, html));
        same(name, &mut sandboxed, &mut native, &message)?;
        figures.push(compare(name, target, &mut sandboxed, &mut native, &message));
    }
    figures.push(swap::plugin(&set, &start_engine(&cache)?)?);
    figures.push(swap::rules(&rules, &plugins, &engine)?);

    figure::print(&figures, args.json)?;
    let missed = figures.iter().any(|figure| !figure.is_met());
    Ok(if args.check && missed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Where `cargo xtask plugins` puts the plugins.
fn plugins_dir() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("plugins")
}

fn start_engine(cache: &Path) -> Result<Engine> {
    // A busy machine must not end the measurement.
    let limits = Limits { messages: u64::MAX, deadline_ms: 10_000, ..Limits::default() };
    Ok(Engine::new(EngineSettings { cache_dir: Some(cache.to_owned()), compiler: Compiler::InProcess, limits })?)
}

/// Both sides come to the same; else there is nothing to compare.
fn same(name: &str, sandboxed: &mut Sandboxed, native: &mut Native, message: &Arc<Message>) -> Result<()> {
    let (one, other) = (handle(sandboxed, message), handle(native, message));
    ensure!(one == other, "{name}: sandboxed {one:#?}\nnative {other:#?}");
    ensure!(!one.cuts.is_empty() && !one.fields.is_empty() && !one.actions.is_empty(), "{name}: nothing done: {one:?}");
    Ok(())
}

/// Lets both sides take turns at a message.
fn compare(name: &str, target: f64, sandboxed: &mut Sandboxed, native: &mut Native, message: &Arc<Message>) -> Figure {
    let once = turn(native, message, 10);
    let times = u32::try_from(TURN.as_nanos() / once.as_nanos().max(1)).unwrap_or(1).max(1);
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        theirs.push(turn(native, message, times));
        ours.push(turn(sandboxed, message, times));
    }
    Figure::ratio(name, target, ours, theirs)
}

/// The time per message.
fn turn(line: &mut impl Line, message: &Arc<Message>, times: u32) -> Duration {
    let start = Instant::now();
    for _ in 0..times {
        black_box(handle(line, black_box(message)));
    }
    start.elapsed() / times
}
