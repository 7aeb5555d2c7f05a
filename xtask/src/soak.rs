//! `cargo xtask soak`: the tests that end when one says so, for as long as one likes.

use crate::command::{self, cargo, root, target_dir};
use crate::{plugins, servers};
use anyhow::Result;
use std::process::Command;

/// What the test does in any case: each fault point of a start or of a session with each protocol.
const KILLS_MIN: usize = 34;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// How often the program is killed: at every fault point of a session with each protocol alone first, then in turn at all points and at times of chance, with both [default: 1000]
    #[arg(long)]
    kills: Option<usize>,
    /// Instead: for so many minutes mail comes in, rules change and one of two programs is killed once a minute. With --kills: ends
    /// after so many minutes, even if there were fewer kills
    #[arg(long)]
    minutes: Option<f64>,
    /// With --kills: where the random numbers start; another seed kills in another order
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// With --minutes alone: prints the figures as JSON
    #[arg(long, conflicts_with = "kills", requires = "minutes")]
    json: bool,
    /// With --minutes alone: fails when the memory grows or messages wait, and not only when something is lost or doubled
    #[arg(long, conflicts_with = "kills", requires = "minutes")]
    check: bool,
}

/// Builds everything and runs what is asked for; what it counted comes last.
pub(crate) fn run(args: &Args) -> Result<()> {
    servers::set_up()?;
    plugins::run(&plugins::Args { way: plugins::Way::Auto })?;
    command::run(&mut cargo(&["build", "--workspace"])?)?;
    match args.minutes {
        Some(minutes) if args.kills.is_none() => {
            let mut soak = Command::new(target_dir(&root()?).join("debug/soak"));
            soak.arg("--minutes").arg(minutes.to_string());
            let flags = [(args.json, "--json"), (args.check, "--check")];
            command::run(soak.args(flags.into_iter().filter_map(|(wanted, flag)| wanted.then_some(flag))))
        }
        minutes => kill(args, minutes),
    }
}

/// Runs the crash test with other numbers.
fn kill(args: &Args, minutes: Option<f64>) -> Result<()> {
    let mut test = cargo(&["test", "--workspace", "--test", "crash", "--", "--nocapture", "nothing_is_lost"])?;
    let further = args.kills.unwrap_or(1000).saturating_sub(KILLS_MIN).to_string();
    if let Some(minutes) = minutes {
        test.env("MAILMILL_CRASH_MINUTES", minutes.ceil().to_string());
    }
    command::run(
        test.env("MAILMILL_CRASH_FURTHER_KILLS", further).env("MAILMILL_CRASH_SEED", args.seed.max(1).to_string()),
    )
}
