//! The project's automation: `cargo xtask <verb>`. One module per verb.

mod plugins;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "The project's automation", disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Builds every plugin from source to a WebAssembly component, in target/plugins
    Plugins(plugins::Args),
}

fn main() -> anyhow::Result<()> {
    match Cli::parse().verb {
        Verb::Plugins(args) => plugins::run(&args),
    }
}
