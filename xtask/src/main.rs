//! The project's automation: `cargo xtask <verb>`. One module per verb.

mod bench;
mod ci;
mod command;
mod demo;
mod docs;
mod fuzz;
mod languages;
mod plugins;
mod servers;
mod soak;
mod test;

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
    /// Sets up what the tests need and runs all of them
    Test,
    /// Runs the daemon on a folder of sample mail, in target/demo
    Demo(demo::Args),
    /// Measures the program against its targets, beside other programs where there are any
    Bench(bench::Args),
    /// Kills the program again and again while mail comes in, and looks whether anything is lost or doubled
    Soak(soak::Args),
    /// Gives what reads mail, rules and servers' answers whatever a fuzzer thinks of
    Fuzz(fuzz::Args),
    /// Writes the references in docs/reference anew
    Docs,
    /// Checks format, lints, dependencies and documentation, then runs all tests: what must pass before a push
    Ci,
}

fn main() -> anyhow::Result<()> {
    match Cli::parse().verb {
        Verb::Plugins(args) => plugins::run(&args),
        Verb::Test => test::run(),
        Verb::Demo(args) => demo::run(&args),
        Verb::Bench(args) => bench::run(&args),
        Verb::Soak(args) => soak::run(&args),
        Verb::Fuzz(args) => fuzz::run(&args),
        Verb::Docs => docs::run(),
        Verb::Ci => ci::run(),
    }
}
