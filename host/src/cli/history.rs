//! `mailmill rules history`, `diff` and `rollback`: the rules that were in force.

use super::table::table;
use super::{Done, Failure, Global, print, print_json};
use crate::config::Config;
use crate::plugin::Engine;
use crate::revisions::{self, Error, Folders, NOW, Named, difference};
use crate::store::{RevisionRow, Store};
use clap::Subcommand;
use std::io::IsTerminal;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List the revisions of the rules that were in force: which, since when, and who changed them
    History {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show how the rules of two revisions differ; "now" stands for the files as they are
    Diff {
        /// A revision, or how it begins
        from: String,
        /// Another one
        #[arg(default_value = NOW)]
        to: String,
    },
    /// Put the rule files of an earlier revision back; a running daemon takes them up at once
    #[command(after_help = "\
The files must be sound with the plugins that are there now, and pass their own tests, before anything is written. Files \
that the revision does not have are removed, if the rules in force have them. Plugins are not put back: if one is another \
by now, it is said.")]
    Rollback {
        /// The revision, or how it begins
        revision: String,
        /// Do not ask
        #[arg(long)]
        yes: bool,
        /// Show how the files would change, and change nothing
        #[arg(long)]
        dry_run: bool,
    },
}

pub(super) async fn run(global: &Global, command: Command) -> Done {
    let config = global.load()?;
    let store = global.store_to_read().await?;
    match command {
        Command::History { json } => {
            let rows = store.revisions().await?;
            if json { print_json(&rows) } else { print(&history(&rows)) }
        }
        Command::Diff { from, to } => {
            let (from, to) = (find(&config, &store, &from).await?, find(&config, &store, &to).await?);
            let shown = difference(&from, &to);
            print(if shown.is_empty() { "they do not differ\n" } else { &shown })
        }
        Command::Rollback { revision, yes, dry_run } => {
            let wanted = find(&config, &store, &revision).await?;
            let now = find(&config, &store, NOW).await?;
            rollback(&config, &wanted, &now, yes, dry_run)
        }
    }
}

async fn find(config: &Config, store: &Store, name: &str) -> Result<Named, Failure> {
    if name != NOW {
        return revisions::named(store, name).await.map_err(failed);
    }
    let latest = revisions::latest(store).await.map_err(failed)?;
    let engine = super::engine(config)?;
    revisions::now(folders(config, &engine), latest.as_ref()).map_err(failed)
}

fn folders<'a>(config: &'a Config, engine: &'a Engine) -> Folders<'a> {
    Folders { rules: &config.rules, plugins: &config.plugins, engine }
}

/// Faults of rules are shown as faults of rules.
fn failed(error: Error) -> Failure {
    match error {
        Error::Diagnostics(found) => Failure::Diagnostics(found),
        other => other.into(),
    }
}

fn history(rows: &[RevisionRow]) -> String {
    let cells: Vec<Vec<String>> = rows
        .iter()
        .enumerate()
        .map(|(at, row)| {
            let now = if at == 0 { "in force" } else { "" };
            let since = row.since.strftime("%Y-%m-%d %H:%M:%S").to_string();
            vec![
                row.revision.clone(),
                since,
                row.changed_by.clone(),
                row.tests.to_string(),
                row.origin.clone(),
                now.to_owned(),
            ]
        })
        .collect();
    table(&["REVISION", "SINCE (UTC)", "CHANGED BY", "TESTS", "FROM", ""], &cells)
}

fn rollback(config: &Config, wanted: &Named, now: &Named, yes: bool, dry_run: bool) -> Done {
    let engine = super::engine(config)?;
    let Some(rollback) = revisions::rollback(folders(config, &engine), wanted, now).map_err(failed)? else {
        let shown = difference(now, wanted);
        return print(&format!("the rule files are those of revision {} already\n{shown}", wanted.name));
    };
    print(&rollback.difference)?;
    if dry_run {
        return Ok(());
    }
    if !yes && !agreed(&format!("Put these {} files back to revision {}?", rollback.paths.len(), wanted.name))? {
        return print("nothing was changed\n");
    }
    rollback.write(&config.rules).map_err(failed)?;
    print(&format!("{} is as in revision {} again\n", config.rules.display(), wanted.name))
}

fn agreed(question: &str) -> Result<bool, Failure> {
    if !std::io::stdin().is_terminal() {
        return Err(anyhow::anyhow!("the files would be changed; to do so: --yes").into());
    }
    eprint!("{question} [y/N] ");
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    Ok(answer.trim().eq_ignore_ascii_case("y"))
}
