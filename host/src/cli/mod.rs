//! The command line. Only this module and `main` know clap.

mod authorize;
mod check;
mod clean;
mod folders;
mod history;
mod job;
mod log;
mod manual;
mod outbox;
mod plugin;
mod quarantine;
mod ready;
mod reference;
mod replay;
mod rule_tests;
mod rules;
mod run;
mod schema;
mod shadow;
mod table;
mod ticket;
mod trial;

use crate::config::{Config, Job};
use crate::diagnostic::Diagnostics;
use crate::store::Store;
use crate::{daemon, plugin as plugins};
use anyhow::Context as _;
use clap::{Args, Parser, Subcommand};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  it failed; the reason is on standard error
  2  the command was called in a wrong way
  3  the settings, rules or plugins have errors; each is on standard error with file, line and column

Start here:
  mailmill config example > mailmill.toml   a commented settings file
  mailmill check                            are settings, rules and plugins sound?
  mailmill try message.eml                  what would become of this message, and why?
  mailmill run                              go to work";

/// A rules engine for incoming mail: it fetches messages, cleans them with sandboxed WASM plugins, and turns each into a
/// ticket change, exactly once.
#[derive(Debug, Parser)]
#[command(name = "mailmill", version, after_help = EXIT_CODES, max_term_width = 110)]
pub struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Args)]
struct Global {
    /// The settings file [default: mailmill.toml here, else /etc/mailmill/mailmill.toml]
    #[arg(long, short, global = true, env = "MAILMILL_CONFIG", value_name = "FILE", overrides_with = "config")]
    config: Option<PathBuf>,
    /// Use the rules in this folder instead of those the settings name
    #[arg(long, global = true, value_name = "DIR")]
    rules: Option<PathBuf>,
    /// Use the plugins in this folder instead of those the settings name
    #[arg(long, global = true, value_name = "DIR")]
    plugins: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Fetch mail and handle it until stopped; rules and plugins are reloaded when they change
    Run(run::Options),
    /// Check settings, jobs, rules (with their own tests) and plugins, and report everything that is wrong at once
    Check(check::Options),
    /// Run the tests in the rule files, and show what differs
    Test(rule_tests::Options),
    /// Show what would become of a message, hop by hop, with each cut in its place; nothing is stored
    Try(trial::Options),
    /// Run mail that was handled through other rules, and show what they would change; nothing is written
    Replay(replay::Options),
    /// Show what the candidate that runs beside live mail would have made of it
    Shadow(shadow::Options),
    /// A filter: JSON lines {"id", "format", "input", "drop"} in, {"id", "output"} out, the preprocessing rules alone
    Clean(clean::Options),
    /// Connect to a job's mail server step by step and say what is wrong; nothing is changed on the server
    TestConnection(check::Connection),
    /// Grant a job the right to read its mail with OAuth 2.0, once: shows where to log in, and keeps what is granted
    Authorize(authorize::Options),
    /// List the mailboxes (folders) of a job's account, as they can be written in the job's file
    Folders(folders::Options),
    /// Show the incoming mail log: sessions, or the messages of one session
    Log(log::Options),
    /// Show the jobs, pause them, run them now
    #[command(subcommand)]
    Job(job::Command),
    /// Show the preprocessing steps, and change which of them a job runs; the rules that were in force, and back to them
    #[command(subcommand)]
    Rules(rules::Command),
    /// Show tickets
    #[command(subcommand)]
    Ticket(ticket::Command),
    /// Show messages that could not be processed, and give them another try
    #[command(subcommand)]
    Quarantine(quarantine::Command),
    /// Show what waits to be sent, was sent or was given up, and give it another try
    #[command(subcommand)]
    Outbox(outbox::Command),
    /// Show the plugins that are there and all that they could ever do; write, build and test new ones
    #[command(subcommand)]
    Plugin(plugin::Command),
    /// Settings
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Print the JSON Schemas of settings, jobs, rules and reports, for editors and programs
    Schema(schema::Options),
    /// Print a script that completes the commands in a shell
    Completions(manual::Completions),
    /// Write the manual pages
    Man(manual::Man),
    /// Write the reference pages of settings, rules and commands
    #[command(hide = true)]
    Reference(reference::Options),
    /// Compile a component from standard input to standard output (the daemon calls this, as a child)
    #[command(hide = true)]
    CompilePlugin,
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Print a complete settings file with a comment on every setting
    Example {
        /// Print a job's file instead: what goes into jobs/NAME.toml
        #[arg(long)]
        job: bool,
    },
}

/// Why a command ends with something else than 0.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Files have errors.
    Diagnostics(Diagnostics),
    /// Anything else.
    Other(anyhow::Error),
    /// The command has said itself what is wrong.
    Silent,
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        match error.into().downcast::<daemon::Error>() {
            Ok(daemon::Error::Diagnostics(diagnostics)) => Self::Diagnostics(diagnostics),
            Ok(error) => Self::Other(error.into()),
            Err(error) => Self::Other(error),
        }
    }
}

pub(crate) type Done = Result<(), Failure>;

/// Runs the command line of this process.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let outcome = match cli.command {
        // The child must not do anything but compile: no settings, no logging, no runtime.
        Command::CompilePlugin => return plugins::compile_child(std::io::stdin(), std::io::stdout()),
        command => run(command, &cli.global),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Silent) => ExitCode::from(1),
        Err(Failure::Other(error)) => {
            eprintln!("error: {error:#}");
            ExitCode::from(1)
        }
        Err(Failure::Diagnostics(diagnostics)) => {
            eprint!("{}", diagnostics.render(crate::paint::stderr_has_colour()));
            ExitCode::from(3)
        }
    }
}

fn run(command: Command, global: &Global) -> Done {
    match command {
        Command::Config(ConfigCommand::Example { job: true }) => print(&crate::config::job_example()),
        Command::Config(ConfigCommand::Example { job: false }) => print(&crate::config::example()),
        Command::Clean(options) => clean::run(global, &options),
        Command::Plugin(command) => block_on(plugin::run(global, &command)),
        Command::Test(options) => rule_tests::run(global, &options),
        Command::Schema(options) => schema::run(&options),
        Command::Completions(options) => manual::completions(&options),
        Command::Reference(options) => reference::run(&options),
        Command::Man(options) => manual::man(&options),
        Command::Rules(rules::Command::History(command)) => block_on(history::run(global, command)),
        Command::Rules(command) => rules::run(global, command),
        Command::Run(options) => run::run(global, options),
        Command::Check(options) => block_on(check::run(global, options)),
        Command::TestConnection(options) => block_on(check::connection(global, options)),
        Command::Authorize(options) => block_on(authorize::run(global, options)),
        Command::Folders(options) => block_on(folders::run(global, options)),
        Command::Try(options) => block_on(trial::run(global, options)),
        Command::Replay(options) => block_on(replay::run(global, options)),
        Command::Shadow(options) => block_on(async { shadow::run(global, &options).await }),
        Command::Log(options) => block_on(log::run(global, options)),
        Command::Job(command) => block_on(job::run(global, command)),
        Command::Ticket(command) => block_on(ticket::run(global, command)),
        Command::Quarantine(command) => block_on(quarantine::run(global, command)),
        Command::Outbox(command) => block_on(outbox::run(global, command)),
        Command::CompilePlugin => Ok(()),
    }
}

/// The plugin engine that the settings ask for. That it must do without a cache is said once.
fn engine(config: &Config) -> Result<plugins::Engine, Failure> {
    let engine = daemon::engine(config)?;
    if let Some(fault) = engine.cache_fault() {
        eprintln!("warning: {fault}");
    }
    Ok(engine)
}

/// The job of that name.
fn block_on(work: impl Future<Output = Done>) -> Done {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().context("the runtime cannot be started")?;
    let done = runtime.block_on(work);
    // What still runs has been given its time: a file that does not answer must not keep the process.
    runtime.shutdown_background();
    done
}

/// Writes to standard output. A reader that has gone away (`| head`) is no error.
pub(crate) fn print(text: &str) -> Done {
    print_content(&text.as_bytes().into())
}

fn print_content(content: &crate::content::Content) -> Done {
    use std::io::Write;
    let mut output = std::io::stdout().lock();
    match std::io::copy(&mut content.reader(), &mut output).and_then(|_| output.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// The job of that name.
fn find_job(config: &Config, name: &str) -> Result<Job, Failure> {
    let jobs = Job::load_all(&config.jobs).map_err(Failure::Diagnostics)?;
    let names: Vec<String> = jobs.iter().map(|job| job.name.clone()).collect();
    let job = jobs.into_iter().find(|job| job.name == name);
    Ok(job.with_context(|| format!("there is no job \"{name}\"; there are: {}", names.join(", ")))?)
}

/// How many rows a list has: scripts want all of them, people the latest.
fn rows(limit: Option<u32>, json: bool) -> Option<u32> {
    limit.or_else(|| (!json).then_some(50))
}

/// Writes a value as JSON to standard output.
pub(crate) fn print_json(value: &impl serde::Serialize) -> Done {
    let mut text = serde_json::to_string_pretty(value)?;
    text.push('\n');
    print(&text)
}

impl Global {
    /// The settings file.
    fn path(&self) -> Result<PathBuf, Failure> {
        if let Some(path) = &self.config {
            return Ok(path.clone());
        }
        let usual = [Path::new("mailmill.toml"), Path::new("/etc/mailmill/mailmill.toml")];
        usual.into_iter().find(|path| path.exists()).map(Path::to_owned).ok_or_else(|| {
            Failure::Other(anyhow::anyhow!(
                "no settings file: neither mailmill.toml here nor /etc/mailmill/mailmill.toml exists; \
                 name one with --config, or write one with: mailmill config example > mailmill.toml"
            ))
        })
    }

    /// The settings, with the folders of the command line.
    fn load(&self) -> Result<Config, Failure> {
        let mut config = Config::load(&self.path()?).map_err(Failure::Diagnostics)?;
        self.override_folders(&mut config);
        Ok(config)
    }

    /// The settings, or the defaults if both folders are given on the command line: enough for what needs rules alone.
    fn load_or_default(&self) -> Result<Config, Failure> {
        let needless = self.config.is_none() && self.rules.is_some() && self.plugins.is_some();
        let defaults = needless.then(|| Config::defaults_in(Path::new(""))).flatten();
        let Some(mut config) = defaults else { return self.load() };
        self.override_folders(&mut config);
        Ok(config)
    }

    /// The store that the settings name.
    async fn store(&self) -> Result<Store, Failure> {
        Ok(Store::open(&self.store_path()?).await?)
    }

    /// The same, to be read only: whoever may read the file can.
    async fn store_to_read(&self) -> Result<Store, Failure> {
        Ok(Store::open_to_read(&self.store_path()?).await?)
    }

    fn store_path(&self) -> Result<PathBuf, Failure> {
        let path = self.load()?.store.path;
        if path.exists() {
            return Ok(path);
        }
        Err(anyhow::anyhow!("there is no database at {} yet; mailmill run makes it", path.display()).into())
    }

    fn override_folders(&self, config: &mut Config) {
        if let Some(rules) = &self.rules {
            config.rules.clone_from(rules);
        }
        if let Some(plugins) = &self.plugins {
            config.plugins.clone_from(plugins);
        }
    }
}
