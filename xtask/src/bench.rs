//! `cargo xtask bench`: figures that need more than one program.

use crate::command::{self, cargo, say};
use crate::plugins;
use crate::servers;
use anyhow::Result;
use clap::Subcommand;

/// What it is compared with.
const OTHERS: [&str; 4] = ["isync", "fetchmail", "procmail", "getmail6"];

#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Empties a mailbox of 2,000 messages (140 MB) from Dovecot over TLS, in turn with programs that only copy mail
    Drain {
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
    },
}

/// Sets up what is needed, builds for release, and measures.
pub(crate) fn run(args: &Args) -> Result<()> {
    let What::Drain { rounds, json, check, only_mailmill } = &args.what;
    servers::set_up()?;
    if !only_mailmill {
        servers::install(&OTHERS, "the bench")?;
    }
    plugins::run(&plugins::Args { way: plugins::Way::Auto })?;
    command::run(&mut cargo(&["build", "--release", "--package", "mailmill"])?)?;
    say("draining: this takes some minutes");
    let mut bench = cargo(&["run", "--release", "--quiet", "--package", "mailmill-tests", "--bin", "drain", "--"])?;
    bench.env("MAILMILL_TEST_PROFILE", "release").arg("--rounds").arg(rounds.to_string());
    let flags = [(json, "--json"), (check, "--check"), (only_mailmill, "--only-mailmill")];
    bench.args(flags.into_iter().filter_map(|(wanted, flag)| wanted.then_some(flag)));
    command::run(&mut bench)
}
