//! `cargo xtask bench`: figures that need more than one program.

use crate::command::{self, cargo, root, say};
use crate::plugins;
use crate::servers;
use anyhow::{Context, Result, bail};
use clap::Subcommand;
use std::path::PathBuf;

/// What it is compared with.
const OTHERS: [&str; 4] = ["isync", "fetchmail", "procmail", "getmail6"];
/// The page with the figures of cleaning, and what stands around them.
const CLEANING: &str = "docs/cleaning.md";
const FIGURES: &str = "<!-- figures: `cargo xtask bench clean --markdown` writes them -->";

#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Empties a mailbox of 2,000 messages (140 MB) from Dovecot over TLS, in turn with programs that only copy mail
    Drain(Drain),
    /// Asks the web admin for its pages, with 100,000 messages of 200 jobs in the log
    Pages(Pages),
    /// Cleans the cases of tests/corpus/cleaning, and public ones if they are at hand: how well, and how fast
    Clean(Clean),
    /// Replays stored messages through changed rules: how long it takes, and how much memory
    Replay(Replay),
}

#[derive(clap::Args)]
struct Replay {
    /// How many messages
    #[arg(long, default_value_t = 10_000)]
    messages: u32,
    /// Prints the figures as JSON
    #[arg(long)]
    json: bool,
    /// Fails when a target is missed
    #[arg(long)]
    check: bool,
}

#[derive(clap::Args)]
struct Drain {
    /// How often each program takes its turn; the medians count
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    /// Prints the figures as JSON
    #[arg(long)]
    json: bool,
    /// Fails when a target is missed
    #[arg(long)]
    check: bool,
    /// Leaves the other programs out: for profiling
    #[arg(long)]
    only_mailmill: bool,
}

#[derive(clap::Args)]
struct Pages {
    /// Fails when a target is missed
    #[arg(long)]
    check: bool,
}

#[derive(clap::Args)]
struct Clean {
    /// Prints the figures as JSON: a line for accuracy, a line for speed
    #[arg(long)]
    json: bool,
    /// Writes the figures into docs/cleaning.md
    #[arg(long, conflicts_with_all = ["json", "check"])]
    markdown: bool,
    /// Fails when a target is missed
    #[arg(long)]
    check: bool,
    /// Measures how well alone, which is quicker
    #[arg(long)]
    accuracy_only: bool,
    /// Writes the cases that fail to this file, as JSON lines
    #[arg(long, value_name = "FILE")]
    fails: Option<PathBuf>,
    /// Public cases, as JSON lines; a file that begins with `forward` has forwards that are cut [default: those of
    /// ../shared/corpus, if it is there]
    #[arg(long, num_args = 1.., value_name = "FILE")]
    cases: Vec<PathBuf>,
}

/// Sets up what is needed, builds for release, and measures.
pub(crate) fn run(args: &Args) -> Result<()> {
    match &args.what {
        What::Drain(drain) => run_drain(drain),
        What::Clean(clean) => run_clean(clean),
        What::Pages(pages) => {
            servers::install(&["sqlite3"], "the bench")?;
            build()?;
            command::run(program("pages")?.args(pages.check.then_some("--check")))
        }
        What::Replay(replay) => run_replay(replay),
    }
}

fn run_drain(args: &Drain) -> Result<()> {
    servers::set_up()?;
    if !args.only_mailmill {
        servers::install(&OTHERS, "the bench")?;
    }
    build()?;
    say("draining: this takes some minutes");
    let mut bench = program("drain")?;
    bench.arg("--rounds").arg(args.rounds.to_string());
    let flags = [(args.json, "--json"), (args.check, "--check"), (args.only_mailmill, "--only-mailmill")];
    bench.args(flags.into_iter().filter_map(|(wanted, flag)| wanted.then_some(flag)));
    command::run(&mut bench)
}

fn run_replay(args: &Replay) -> Result<()> {
    build()?;
    let mut bench = program("replay")?;
    bench.arg("--messages").arg(args.messages.to_string());
    let flags = [(args.json, "--json"), (args.check, "--check")];
    bench.args(flags.into_iter().filter_map(|(wanted, flag)| wanted.then_some(flag)));
    command::run(&mut bench)
}

fn run_clean(args: &Clean) -> Result<()> {
    build()?;
    let mut accuracy = program("clean")?;
    let mut speed = cargo(&["bench", "--quiet", "--package", "mailmill", "--bench", "clean", "--"])?;
    if let Some(file) = &args.fails {
        accuracy.arg("--fails").arg(std::path::absolute(file)?);
    }
    let cases = args.public_cases()?;
    for bench in [&mut accuracy, &mut speed] {
        let flags = [(args.json, "--json"), (args.markdown, "--markdown")];
        bench.args(flags.into_iter().filter_map(|(wanted, flag)| wanted.then_some(flag)));
        // At the end, so that both programs have shown all that they found.
        bench.args(args.check.then_some("--check"));
    }
    accuracy.args(cases.first().map(|_| "--cases")).args(&cases);
    let replies: Vec<&PathBuf> = cases.iter().filter(|path| !is_forwards(path)).collect();
    speed.args(replies.first().map(|_| "--cases")).args(replies);
    let mut benches = vec![accuracy];
    benches.extend((!args.accuracy_only).then_some(speed));
    if args.markdown {
        let figures: Vec<String> = benches.iter_mut().map(command::output).collect::<Result<_>>()?;
        return write_figures(&figures.join("\n"));
    }
    let outcomes: Vec<Result<()>> = benches.iter_mut().map(command::run).collect();
    outcomes.into_iter().collect()
}

impl Clean {
    /// The files that are asked for, or else those beside the repository.
    fn public_cases(&self) -> Result<Vec<PathBuf>> {
        if !self.cases.is_empty() {
            return self.cases.iter().map(|path| Ok(std::path::absolute(path)?)).collect();
        }
        let folder = root()?.join("../shared/corpus");
        if !folder.is_dir() {
            return Ok(Vec::new());
        }
        let mut files: Vec<PathBuf> =
            std::fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
        files.retain(|file| file.extension().is_some_and(|extension| extension == "jsonl"));
        files.sort();
        Ok(files)
    }
}

fn is_forwards(path: &std::path::Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("forward"))
}

/// Puts the figures in the place of those that are on the page.
fn write_figures(figures: &str) -> Result<()> {
    let path = root()?.join(CLEANING);
    let page = std::fs::read_to_string(&path).with_context(|| format!("cannot read {CLEANING}"))?;
    let parts: Vec<&str> = page.split(FIGURES).collect();
    let [before, _, after] = parts.as_slice() else {
        bail!("{CLEANING} needs the line {FIGURES} twice: above the figures and below them");
    };
    let page = format!("{before}{FIGURES}\n{}\n{FIGURES}{after}", figures.trim());
    std::fs::write(&path, page).with_context(|| format!("cannot write {CLEANING}"))?;
    say(&format!("{CLEANING} has the new figures"));
    Ok(())
}

/// The plugins and the daemon, as they are released.
fn build() -> Result<()> {
    plugins::run(&plugins::Args { way: plugins::Way::Auto })?;
    command::run(&mut cargo(&["build", "--release", "--package", "mailmill"])?)
}

/// A program of the package of the tests, which runs the released daemon.
fn program(name: &str) -> Result<std::process::Command> {
    let mut program = cargo(&["run", "--release", "--quiet", "--package", "mailmill-tests", "--bin", name, "--"])?;
    program.env("MAILMILL_TEST_PROFILE", "release");
    Ok(program)
}
