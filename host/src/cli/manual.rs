//! Shell completions and man pages, made from the same declarations as the command line itself.

use super::{Cli, Done, print};
use anyhow::Context as _;
use clap::{Args, CommandFactory};
use clap_complete::Shell;
use std::path::{Path, PathBuf};

#[derive(Debug, Args)]
pub(super) struct Completions {
    /// The shell
    shell: Shell,
}

#[derive(Debug, Args)]
pub(super) struct Man {
    /// The folder to write them to, such as /usr/local/share/man/man1
    dir: PathBuf,
}

pub(super) fn completions(options: &Completions) -> Done {
    let mut written = Vec::new();
    clap_complete::generate(options.shell, &mut Cli::command(), "mailmill", &mut written);
    print(&String::from_utf8(written)?)
}

pub(super) fn man(options: &Man) -> Done {
    std::fs::create_dir_all(&options.dir).with_context(|| format!("cannot make {}", options.dir.display()))?;
    let mut command = Cli::command();
    command.build();
    let pages = pages(&command, "", &options.dir)?;
    print(&format!("wrote {pages} pages to {}\n", options.dir.display()))
}

/// Writes the page of a command and those of all commands below it. Returns how many.
fn pages(command: &clap::Command, above: &str, dir: &Path) -> anyhow::Result<usize> {
    let name = if above.is_empty() { command.get_name().to_owned() } else { format!("{above}-{}", command.get_name()) };
    let mut page = Vec::new();
    clap_mangen::Man::new(command.clone()).title(name.clone()).render(&mut page)?;
    let path = dir.join(format!("{name}.1"));
    std::fs::write(&path, page).with_context(|| format!("cannot write {}", path.display()))?;
    let below = command.get_subcommands().filter(|below| !below.is_hide_set() && below.get_name() != "help");
    below.map(|below| pages(below, &name, dir)).try_fold(1, |sum, pages| Ok(sum + pages?))
}
