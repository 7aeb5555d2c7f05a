//! `mailmill replay`: what other rules would have made of the mail that was handled.

use super::log::since;
use super::table::short;
use super::{Done, Failure, Global, print, print_json};
use crate::config::{Config, Job};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::paint::{Paint, Style, stdout_has_colour, tame};
use crate::replay::{Difference, Kind, Replay, Sign, Summary};
use crate::rules::RuleSet;
use crate::store::{HandledFilter, Store};
use anyhow::Context as _;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use jiff::Timestamp;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

mod page;

/// How many messages are shown to people, unless they want more.
const SHOWN: usize = 50;
/// How many are written to a page or as JSON.
const WRITTEN: usize = 10_000;
/// The most characters of a subject or sender on a line.
const HEAD_CHARS_MAX: usize = 60;

#[derive(Debug, Args)]
#[command(after_help = "\
--rules DIR names the candidate, --plugins DIR its plugins; what is not given is as in the settings. The candidate must \
be sound and pass its own tests.

Each message is run twice, through the rules in force and through the candidate, with the conversation that it had and \
as the job that handled it has messages cleaned now. Compared is what becomes of it: outcome, actions, fields, cuts with the text that is left, \
warnings. Nothing is written to the database, nothing is sent, no mailbox is touched; the same messages and rules always give the same answer.")]
pub(super) struct Options {
    /// Only messages handled since: 30d, 12h, 30m ago, or a date such as 2026-01-31 (UTC) [default: all]
    #[arg(long, value_name = "WHEN", value_parser = since)]
    since: Option<Timestamp>,
    /// Only messages of this job
    #[arg(long)]
    job: Option<String>,
    /// Show at most so many of the messages that change [default: 50; with --json or --html, 10000]
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Write a page to look at, which needs nothing else, to this file
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(global: &Global, options: Options) -> Done {
    if global.rules.is_none() && global.plugins.is_none() {
        return Err(anyhow::anyhow!("name the rules to try: --rules DIR, or --plugins DIR, or both").into());
    }
    let config = Config::load(&global.path()?).map_err(Failure::Diagnostics)?;
    let mut candidate = config.clone();
    global.override_folders(&mut candidate);
    let engine = super::engine(&config)?;
    let load = |config: &Config| RuleSet::load(&config.rules, &config.plugins, &engine).map_err(Failure::Diagnostics);
    let (in_force, candidate) = (load(&config)?, load(&candidate)?);
    let jobs = Job::load_all(&config.jobs).map_err(Failure::Diagnostics)?;
    if let Some(name) = options.job.as_ref().filter(|name| jobs.iter().all(|job| job.name != **name)) {
        let names: Vec<&str> = jobs.iter().map(|job| job.name.as_str()).collect();
        return Err(anyhow::anyhow!("there is no job \"{name}\"; there are: {}", names.join(", ")).into());
    }
    // A daemon would not take such rules; what they do can be looked at all the same.
    if let Err(faults) = crate::job::check_steps(&jobs, &config.jobs, &candidate) {
        let mut warnings = Diagnostics::default();
        warnings.extend(faults.into_iter().map(Diagnostic::warning));
        eprint!("{}", warnings.render(crate::paint::stderr_has_colour()));
    }
    let path = &config.store.path;
    if !path.exists() {
        return Err(anyhow::anyhow!("there is no database at {} yet; mailmill run makes it", path.display()).into());
    }
    let store = Store::open_to_read(path).await?;
    let filter = HandledFilter { job: options.job, since: options.since };
    let tags = crate::daemon::tags(&config)?;
    let limits = crate::daemon::attachment_limits(&config);
    let outlets = crate::outbox::outlets(&config, &jobs);
    let usual = if options.json || options.html.is_some() { WRITTEN } else { SHOWN };
    let progress = bar(store.count_handled(&filter).await?);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let replay = Arc::new(Replay::new(in_force, candidate, &jobs, tags, limits, outlets));
    let done = |many: usize| progress.inc(u64::try_from(many).unwrap_or_default());
    let summary = replay.run(&store, &filter, threads, options.limit.unwrap_or(usual), done).await;
    progress.finish_and_clear();
    let summary = summary?;
    if let Some(path) = &options.html {
        std::fs::write(path, page::page(&summary)).with_context(|| format!("cannot write {}", path.display()))?;
    }
    if options.json {
        return print_json(&summary);
    }
    let paint = Paint::new(stdout_has_colour());
    let mut text = counts(&summary, paint);
    match &options.html {
        Some(path) => drop(writeln!(text, "the messages that change are in {}", path.display())),
        None => text.push_str(&differences(&summary, paint)),
    }
    print(&text)
}

fn bar(messages: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{wide_bar} {pos} of {len} messages, {per_sec}, {eta} to go");
    ProgressBar::new(messages).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// `1 message`, `2 messages`.
fn messages(number: u64) -> String {
    if number == 1 { "1 message".to_owned() } else { format!("{number} messages") }
}

/// What the replay comes to, in numbers.
pub(super) fn counts(summary: &Summary, paint: Paint) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "rules in force: revision {}", summary.in_force);
    let _ = writeln!(text, "candidate:      revision {}", summary.candidate);
    let all = messages(summary.messages);
    let changed = format!("{all} run: {} the same, {} changed", summary.messages - summary.changed, summary.changed);
    let _ = writeln!(text, "{}", paint.paint(Style::Heading, changed));
    for (why, number) in &summary.left_out {
        let _ = writeln!(text, "{} left out: {}", messages(*number), why.clause());
    }
    for kind in Kind::ALL {
        let Some(number) = summary.kinds.get(&kind) else { continue };
        let _ = writeln!(text, "  {:<9} changed in {}", kind.name(), messages(*number));
        for (name, tally) in summary.details.get(&kind).into_iter().flatten() {
            let gone = paint.paint(Style::Bad, format!("-{}", tally.gone));
            let new = paint.paint(Style::Good, format!("+{}", tally.new));
            let _ = writeln!(text, "    {gone} {new}  {}", tame(name));
        }
    }
    text
}

/// The messages that change, each with its difference.
pub(super) fn differences(summary: &Summary, paint: Paint) -> String {
    let mut text: String = summary.differences.iter().map(|difference| told(difference, paint)).collect();
    if summary.not_shown > 0 {
        let _ = writeln!(text, "\nand {} more; to see them: --limit N, --json or --html FILE", summary.not_shown);
    }
    text
}

pub(super) fn told(difference: &Difference, paint: Paint) -> String {
    let subject = short(&difference.subject, HEAD_CHARS_MAX);
    let sender = short(&difference.sender, HEAD_CHARS_MAX);
    let head = format!("receipt {} of job {}: \"{subject}\" from {sender}", difference.receipt, difference.job);
    let mut text = format!("\n{}\n", paint.paint(Style::Heading, head));
    for change in &difference.changes {
        let _ = writeln!(text, "  {}", change.kind.name());
        for line in &change.lines {
            let shown = tame(&line.to_string()).replace('\n', "⏎");
            let shown = match line.sign {
                Sign::Both => shown,
                Sign::Gone => paint.paint(Style::Bad, shown),
                Sign::New => paint.paint(Style::Good, shown),
            };
            let _ = writeln!(text, "    {}", shown.trim_end());
        }
    }
    text
}
