//! `mailmill rules history`, `diff` and `rollback`: the rules that were in force.

use super::table::table;
use super::{Done, Failure, Global, print, print_json};
use crate::config::Config;
use crate::rules::RuleSet;
use crate::store::{RevisionContent, RevisionRow, Store};
use anyhow::Context as _;
use clap::Subcommand;
use similar::TextDiff;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::{IsTerminal, Write as _};
use std::path::{Path, PathBuf};

/// What stands for the files as they are now.
const NOW: &str = "now";

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
            let (from, to) = (named(&config, &store, &from).await?, named(&config, &store, &to).await?);
            let shown = difference(&from, &to);
            print(if shown.is_empty() { "they do not differ\n" } else { &shown })
        }
        Command::Rollback { revision, yes, dry_run } => {
            let wanted = named(&config, &store, &revision).await?;
            let now = named(&config, &store, NOW).await?;
            rollback(&config, &wanted, &now, yes, dry_run)
        }
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

/// Rules and what they are called.
struct Named {
    name: String,
    content: RevisionContent,
}

/// The rules of the revision that begins so.
async fn named(config: &Config, store: &Store, name: &str) -> Result<Named, Failure> {
    if name == NOW {
        let engine = super::engine(config)?;
        let untested = RuleSet::load_untested(&config.rules, &config.plugins, &engine).map_err(Failure::Diagnostics)?;
        return Ok(Named { name: NOW.to_owned(), content: untested.rules().content().clone() });
    }
    let rows = store.revisions().await?;
    let found: BTreeSet<&str> =
        rows.iter().map(|row| row.revision.as_str()).filter(|revision| revision.starts_with(name)).collect();
    let mut found = found.into_iter();
    let revision = match (found.next(), found.next()) {
        (Some(revision), None) => revision,
        (Some(one), Some(other)) => {
            return Err(anyhow::anyhow!("\"{name}\" begins more than one revision: {one}, {other}, …").into());
        }
        (None, _) => {
            let reason = format!("there is no revision \"{name}\"; to list them: mailmill rules history");
            return Err(anyhow::anyhow!(reason).into());
        }
    };
    let content = store.revision(revision).await?.context("its files are not kept any more")?;
    Ok(Named { name: revision.to_owned(), content })
}

fn find<'a>(pairs: &'a [(String, String)], key: &str) -> Option<&'a str> {
    pairs.iter().find(|(other, _)| other == key).map(|(_, value)| value.as_str())
}

/// The names of both, each once, by name.
fn names<'a>(one: &'a [(String, String)], other: &'a [(String, String)]) -> BTreeSet<&'a str> {
    one.iter().chain(other).map(|(name, _)| name.as_str()).collect()
}

fn difference(from: &Named, to: &Named) -> String {
    let mut text = String::new();
    let (old, new) = (&from.content, &to.content);
    for path in names(&old.files, &new.files) {
        let (before, after) = (find(&old.files, path), find(&new.files, path));
        if before != after {
            let head = |name: &str, side: Option<&str>| match side {
                Some(_) => format!("{name}/{path}"),
                None => "/dev/null".to_owned(),
            };
            let diff = TextDiff::from_lines(before.unwrap_or_default(), after.unwrap_or_default());
            let (old, new) = (head(&from.name, before), head(&to.name, after));
            text.push_str(&diff.unified_diff().header(&old, &new).to_string());
        }
    }
    for plugin in names(&old.plugins, &new.plugins) {
        let (before, after) = (find(&old.plugins, plugin), find(&new.plugins, plugin));
        if before != after {
            let (before, after) = (before.unwrap_or("none"), after.unwrap_or("none"));
            let _ = writeln!(text, "plugin {plugin}: {before} became {after}");
        }
    }
    text
}

fn rollback(config: &Config, wanted: &Named, now: &Named, yes: bool, dry_run: bool) -> Done {
    let shown = difference(now, wanted);
    let differ = names(&wanted.content.files, &now.content.files)
        .into_iter()
        .filter(|path| find(&wanted.content.files, path) != find(&now.content.files, path));
    let differ: Vec<&str> = differ.collect();
    if differ.is_empty() {
        return print(&format!("the rule files are those of revision {} already\n{shown}", wanted.name));
    }
    check(config, wanted)?;
    print(&shown)?;
    if dry_run {
        return Ok(());
    }
    if !yes && !agreed(&format!("Put these {} files back to revision {}?", differ.len(), wanted.name))? {
        return print("nothing was changed\n");
    }
    for path in &differ {
        put(&config.rules.join(path), find(&wanted.content.files, path))?;
    }
    print(&format!("{} is as in revision {} again\n", config.rules.display(), wanted.name))
}

/// Whether the rules are sound with the plugins that are there, before anything is written.
fn check(config: &Config, wanted: &Named) -> Result<(), Failure> {
    let folder = tempfile::tempdir()?;
    for (path, text) in &wanted.content.files {
        put(&folder.path().join(path), Some(text))?;
    }
    let engine = super::engine(config)?;
    RuleSet::load(folder.path(), &config.plugins, &engine).map(drop).map_err(Failure::Diagnostics)
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

/// Writes a file whole or not at all; removes it if there is to be none.
fn put(path: &Path, text: Option<&str>) -> Result<(), Failure> {
    let cannot = || format!("cannot write {}", path.display());
    let Some(text) = text else { return Ok(std::fs::remove_file(path).with_context(cannot)?) };
    let folder: PathBuf = path.parent().map(Path::to_owned).unwrap_or_default();
    std::fs::create_dir_all(&folder).with_context(cannot)?;
    let kept = std::fs::metadata(path).map(|file| file.permissions()).ok();
    // The daemon does not look at names that begin with a dot.
    let mut file = tempfile::Builder::new().prefix(".new-").tempfile_in(&folder).with_context(cannot)?;
    file.write_all(text.as_bytes()).with_context(cannot)?;
    if let Some(permissions) = kept {
        file.as_file().set_permissions(permissions).with_context(cannot)?;
    }
    file.persist(path).with_context(cannot)?;
    Ok(())
}
