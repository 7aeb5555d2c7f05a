//! How fast bodies are cleaned, and what the worst ones cost: one core, through the plugins as WASM components, all
//! preprocess steps in their order, from the body to the text that is left. `docs/cleaning.md` says how to repeat it.
#![allow(clippy::print_stdout, clippy::expect_used, reason = "a program for developers, on inputs of its own")]

#[path = "clean/bodies.rs"]
mod bodies;
#[path = "clean/figure.rs"]
mod figure;

use anyhow::{Context, Result, ensure};
use bodies::Body;
use clap::Parser;
use figure::Figure;
use mailmill::message::document::{CutKind, CutKinds};
use mailmill::message::{ClientGuess, Document, Message, parse};
use mailmill::plugin::{Compiler, Engine, EngineSettings, Limits};
use mailmill::rules::{Instances, RuleSet};
use mailmill::thread::Conversation;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often all bodies are cleaned; the median counts.
const ROUNDS: usize = 15;
/// How long one round takes, about.
const ROUND: Duration = Duration::from_millis(300);
/// How often a hostile body is cleaned; the median counts.
const HOSTILE_ROUNDS: usize = 5;
/// How many bodies a second are aimed at.
const TEXT_MIN: f64 = 30_000.0;
const HTML_MIN: f64 = 3_000.0;
/// What a hostile body may take.
const HOSTILE_MAX: Duration = Duration::from_millis(250);

#[derive(Parser)]
struct Args {
    /// End with an error if a target is missed
    #[arg(long)]
    check: bool,
    /// Print the figures as JSON
    #[arg(long, conflicts_with = "markdown")]
    json: bool,
    /// Print the figures as a table in Markdown
    #[arg(long)]
    markdown: bool,
    /// Files of cases whose bodies are cleaned, as JSON lines [default: tests/corpus/cleaning]
    #[arg(long, num_args = 1.., value_name = "FILE")]
    cases: Vec<PathBuf>,
    /// What `cargo bench` passes
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> Result<ExitCode> {
    let args = Args::parse();
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("the crate lies in a repository")?;
    let temporary = tempfile::tempdir()?;
    let mut line = Line::start(&repository.join("rules"), temporary.path())?;

    let bodies = if args.cases.is_empty() {
        bodies::own(&repository.join("tests/corpus/cleaning"))?
    } else {
        bodies::public(&args.cases)?
    };
    let (html, text): (Vec<Body>, Vec<Body>) = bodies.into_iter().partition(|body| body.html);
    let mut figures = Vec::new();
    for (name, target, bodies) in [("text bodies", TEXT_MIN, text), ("HTML bodies", HTML_MIN, html)] {
        ensure!(!bodies.is_empty(), "there are no {name}");
        figures.push(throughput(&mut line, name, target, &bodies)?);
    }
    for (name, body) in bodies::hostile() {
        figures.push(hostile(&mut line, name, &body)?);
    }

    figure::print(&figures, args.json, args.markdown)?;
    let missed = figures.iter().any(|figure| !figure.is_met());
    Ok(if args.check && missed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// What a body passes through.
struct Line {
    instances: Instances,
    steps: Vec<String>,
    kinds: CutKinds,
}

impl Line {
    fn start(rules: &Path, cache: &Path) -> Result<Self> {
        // What a body costs is to be seen, not where it would be stopped.
        let limits = Limits { messages: u64::MAX, deadline_ms: 60_000, ..Limits::default() };
        let settings = EngineSettings { cache_dir: Some(cache.to_owned()), compiler: Compiler::InProcess, limits };
        let plugins = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("plugins");
        let set = RuleSet::load(rules, &plugins, &Engine::new(settings)?)
            .map_err(|found| anyhow::anyhow!("{found}\n(plugins are built with `cargo xtask plugins`)"))?;
        let kinds = CutKinds::from(vec![CutKind::Quote, CutKind::Signature]);
        Ok(Self { instances: set.instances(), steps: set.preprocess_steps(), kinds })
    }

    /// From the body to the text that is left; an error if a step failed.
    fn clean(&mut self, body: &Body) -> Result<String> {
        let (document, html) = if body.html {
            (Document::from_html(&body.source), body.source.as_str())
        } else {
            (Document::from_plain(&body.source), "")
        };
        let client = ClientGuess::of(&[], html);
        let message = Arc::new(Message { document, client, ..parse(b"", None) });
        let done = self.instances.preprocess(&message, &Conversation::New, &self.steps);
        let fault = done.steps.iter().find_map(|step| Some(format!("{}: {}", step.step, step.fault.as_ref()?)));
        ensure!(fault.is_none(), "a step failed: {}", fault.unwrap_or_default());
        Ok(message.document.view(&done.cuts, self.kinds).text().to_owned())
    }
}

fn throughput(line: &mut Line, name: &str, target: f64, bodies: &[Body]) -> Result<Figure> {
    let once = round(line, bodies, 2)? / 2;
    let times = u32::try_from(ROUND.as_nanos() / once.as_nanos().max(1)).unwrap_or(1).max(1);
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        rounds.push(round(line, bodies, times)? / times);
    }
    Ok(Figure::throughput(name, target, bodies, rounds))
}

/// The time that all bodies take, so many times.
fn round(line: &mut Line, bodies: &[Body], times: u32) -> Result<Duration> {
    let start = Instant::now();
    for _ in 0..times {
        for body in bodies {
            black_box(line.clean(black_box(body))?);
        }
    }
    Ok(start.elapsed())
}

fn hostile(line: &mut Line, name: &str, body: &Body) -> Result<Figure> {
    let mut times = Vec::new();
    for _ in 0..HOSTILE_ROUNDS {
        let start = Instant::now();
        black_box(line.clean(black_box(body))?);
        times.push(start.elapsed());
    }
    Ok(Figure::time(name, HOSTILE_MAX, times))
}
