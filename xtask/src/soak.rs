//! `cargo xtask soak`: the tests that end when one says so, for as long as one likes.

use crate::command::{self, build, cargo};
use crate::servers;
use anyhow::Result;

/// What the test does in any case: each fault point with each protocol.
const KILLS_MIN: usize = 54;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// How often the program is killed: at every fault point first, then at points and times of chance
    #[arg(long, default_value_t = 1000)]
    kills: usize,
    /// Ends after so many minutes, even if there were fewer kills; what it counted is true all the same
    #[arg(long)]
    minutes: Option<u64>,
    /// Where the random numbers start: another seed kills in another order
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// Builds everything and runs the crash test with other numbers; what it counted is its last line.
pub(crate) fn run(args: &Args) -> Result<()> {
    servers::set_up()?;
    build()?;
    let mut test = cargo(&["test", "--workspace", "--test", "crash", "--", "--nocapture", "nothing_is_lost"])?;
    let further = args.kills.saturating_sub(KILLS_MIN).to_string();
    if let Some(minutes) = args.minutes {
        test.env("MAILMILL_CRASH_MINUTES", minutes.to_string());
    }
    command::run(
        test.env("MAILMILL_CRASH_FURTHER_KILLS", further).env("MAILMILL_CRASH_SEED", args.seed.max(1).to_string()),
    )
}
