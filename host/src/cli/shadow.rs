//! `mailmill shadow`: what the candidate would have made of live mail.

use super::replay::{counts, differences};
use super::{Done, Global, print, print_json};
use crate::paint::{Paint, stdout_has_colour};
use crate::replay::Summary;
use clap::Args;

/// How many messages are shown to people, unless they want more.
const SHOWN: usize = 50;
/// How many are written as JSON.
const WRITTEN: usize = 10_000;

#[derive(Debug, Args)]
#[command(after_help = "\
With `shadow = \"rules-next\"` in the settings, the daemon runs each message that it has handled through the rules in that \
folder, too, and notes what would have been different. Nothing of it is acted on. What is shown is of the candidate as it \
was with the latest message; mailmill log --message N shows it for one message.")]
pub(super) struct Options {
    /// Show at most so many of the messages that would change [default: 50; with --json, 10000]
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(global: &Global, options: &Options) -> Done {
    let rows = global.store_to_read().await?.shadows().await?;
    let usual = if options.json { WRITTEN } else { SHOWN };
    let Some(summary) = Summary::of_shadows(&rows, options.limit.unwrap_or(usual)) else {
        return Err(anyhow::anyhow!(
            "no message was run beside live mail yet; set `shadow = \"DIR\"` in the settings, and restart the daemon"
        )
        .into());
    };
    if options.json {
        return print_json(&summary);
    }
    let paint = Paint::new(stdout_has_colour());
    print(&format!("{}{}", counts(&summary, paint), differences(&summary, paint)))
}
