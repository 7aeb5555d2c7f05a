//! `mailmill run`: the daemon, or one session of each job with a bar for each.

use super::{Done, Global, block_on};
use crate::config::{Log, LogFormat, LogLevel};
use crate::daemon::{self, Mode, Once};
use crate::job::Progress;
use crate::paint::stderr_has_colour;
use clap::Args;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use std::collections::BTreeMap;
use std::io::{self, Write};
use tokio::sync::mpsc;

#[derive(Debug, Args)]
pub(super) struct Options {
    /// Run one session of each job that is not paused, then end
    #[arg(long)]
    once: bool,
    /// With --once: only these jobs, even if they are paused
    #[arg(value_name = "JOB", requires = "once")]
    jobs: Vec<String>,
    /// How log lines look, whatever the settings say
    #[arg(long, value_name = "FORMAT", value_enum)]
    log_format: Option<Format>,
    /// Log as the level debug does, whatever the settings say
    #[arg(long)]
    debug: bool,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Format {
    /// For people
    Human,
    /// One JSON object per line
    Json,
}

impl Options {
    /// What the command line says of the log wins over the settings.
    fn apply(&self, log: &mut Log) {
        match self.log_format {
            Some(Format::Human) => log.format = LogFormat::Human,
            Some(Format::Json) => log.format = LogFormat::Json,
            None => {}
        }
        if self.debug {
            log.level = log.level.max(LogLevel::Debug);
        }
    }
}

pub(super) fn run(global: &Global, options: Options) -> Done {
    crate::fault::arm().map_err(anyhow::Error::msg)?;
    let (file, mut config) = (global.path()?, global.load()?);
    options.apply(&mut config.log);
    // Where standard error is no terminal, the bars are hidden and the lines go through as they are.
    let bars = MultiProgress::new();
    let above = bars.clone();
    let lines = move || AboveBars(above.clone());
    daemon::start_log(&config, stderr_has_colour(), lines).map_err(anyhow::Error::msg)?;
    block_on(async {
        if !options.once {
            return Ok(daemon::run(&file, config, Mode::UntilStopped).await?);
        }
        let (progress, told) = mpsc::unbounded_channel();
        let shown = tokio::spawn(show(bars.clone(), told));
        let once = Once { jobs: options.jobs, progress: Some(progress) };
        let outcome = daemon::run(&file, config, Mode::Once(once)).await;
        shown.abort();
        // If they cannot be taken away, they are still right.
        let _ = bars.clear();
        Ok(outcome?)
    })
}

/// Shows how far each job is: messages done of messages waiting.
async fn show(bars: MultiProgress, mut told: mpsc::UnboundedReceiver<Progress>) {
    let mut shown = BTreeMap::new();
    while let Some(progress) = told.recv().await {
        note(&mut shown, progress, |bar| bars.add(bar));
    }
}

fn note(shown: &mut BTreeMap<String, ProgressBar>, progress: Progress, add: impl FnOnce(ProgressBar) -> ProgressBar) {
    match progress {
        Progress::Found { job, messages } => {
            let bar = shown.entry(job).or_insert_with_key(|job| add(bar(job)));
            bar.inc_length(messages.try_into().unwrap_or(u64::MAX));
        }
        Progress::Handled { job } => {
            if let Some(bar) = shown.get(&job) {
                bar.inc(1);
            }
        }
    }
}

fn bar(job: &str) -> ProgressBar {
    let style = ProgressStyle::with_template("{prefix}: {wide_bar} {pos} of {len} messages, {eta} left");
    ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar())).with_prefix(job.to_owned())
}

/// Standard error, above the bars.
struct AboveBars(MultiProgress);

impl Write for AboveBars {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.suspend(|| io::stderr().write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use indicatif::ProgressDrawTarget;

    #[test]
    fn each_job_has_its_bar() {
        let found = |job: &str, messages| Progress::Found { job: job.to_owned(), messages };
        let handled = |job: &str| Progress::Handled { job: job.to_owned() };
        let hidden = |bar: ProgressBar| {
            bar.set_draw_target(ProgressDrawTarget::hidden());
            bar
        };
        let mut shown = BTreeMap::new();
        // A session that is tried again finds more.
        let told =
            [found("desk", 2), handled("desk"), found("sales", 1), handled("desk"), found("desk", 3), handled("none")];
        told.into_iter().for_each(|progress| note(&mut shown, progress, hidden));
        let bars: Vec<_> = shown.iter().map(|(job, bar)| (job.as_str(), bar.position(), bar.length())).collect();
        assert_eq!(bars, [("desk", 2, Some(5)), ("sales", 0, Some(1))]);
    }
}
