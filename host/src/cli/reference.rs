//! `mailmill reference`: the pages of docs/reference, made from what the program itself goes by.

use super::{Cli, Done, print};
use crate::action::verbs;
use crate::schema::Kind;
use anyhow::Context as _;
use clap::{Args, Command, CommandFactory};
use std::fmt::Write as _;
use std::path::PathBuf;

const HEAD: &str = "<!-- Made by `cargo xtask docs`: a change belongs where the text comes from. -->\n\n";

#[derive(Debug, Args)]
pub(super) struct Options {
    /// The folder to write them to
    dir: PathBuf,
}

pub(super) fn run(options: &Options) -> Done {
    std::fs::create_dir_all(&options.dir).with_context(|| format!("cannot make {}", options.dir.display()))?;
    let settings = [Kind::Settings, Kind::Job];
    let rules = [Kind::Pipeline, Kind::Preprocess, Kind::Languages, Kind::Fields, Kind::Statements, Kind::Classes];
    let pages = [
        ("settings.md", kinds("Settings and jobs", &settings)),
        ("rules.md", kinds("Rule files", &rules) + &actions()),
        ("cli.md", commands()),
    ];
    for (name, text) in &pages {
        let path = options.dir.join(name);
        std::fs::write(&path, text.trim_end().to_owned() + "\n")
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    print(&format!("wrote {} pages to {}\n", pages.len(), options.dir.display()))
}

fn kinds(title: &str, kinds: &[Kind]) -> String {
    let pages: String = kinds.iter().map(|kind| kind.page()).collect();
    format!("{HEAD}# {title}\n\n{pages}")
}

/// What statements can ask for.
fn actions() -> String {
    let mut text = "## Actions\n\nWhat statements can ask for, and the arguments of each.\n\n".to_owned();
    for verb in verbs() {
        let _ = writeln!(text, "**`{}`**: {}\n", verb.name, verb.summary);
        if verb.arguments.is_empty() {
            continue;
        }
        text.push_str("| argument | type | | what it is for |\n|---|---|---|---|\n");
        for argument in verb.arguments {
            let required = if argument.required { "*required*" } else { "" };
            let _ = writeln!(text, "| `{}` | {} | {required} | {} |", argument.name, argument.kind, argument.summary);
        }
        text.push('\n');
    }
    text
}

fn commands() -> String {
    let mut command = Cli::command();
    command.build();
    let mut text = format!("{HEAD}# Commands\n\n");
    write_command(&mut text, &command, "mailmill");
    text
}

fn write_command(text: &mut String, command: &Command, name: &str) {
    let mut shown = command.clone().bin_name(name).term_width(100).disable_help_subcommand(true);
    let help = shown.render_long_help().to_string();
    let lines: Vec<&str> = help.lines().map(str::trim_end).collect();
    let _ = writeln!(text, "## {name}\n\n```text\n{}\n```\n", lines.join("\n").trim_end());
    for below in command.get_subcommands().filter(|below| !below.is_hide_set() && below.get_name() != "help") {
        write_command(text, below, &format!("{name} {}", below.get_name()));
    }
}
