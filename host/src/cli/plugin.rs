//! `mailmill plugin`: what is there, and all that it could ever do.

use super::table::{short, table};
use super::{Done, Failure, Global, print, print_json};
use crate::plugin::{Component, Suspension, World};
use crate::store::Store;
use anyhow::Context as _;
use clap::Subcommand;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List the plugins in the plugin folder
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show everything about one plugin: what it is, what it may ask of the host, its hash
    Inspect {
        /// A component file, or the name of a plugin in the plugin folder
        plugin: PathBuf,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

#[derive(serde::Serialize)]
struct Row {
    file: String,
    name: Option<String>,
    version: Option<String>,
    world: Option<World>,
    hash: Option<String>,
    summary: Option<String>,
    fault: Option<String>,
    /// The steps with this plugin that a running daemon leaves out.
    suspended: Vec<Suspension>,
}

pub(super) async fn run(global: &Global, command: &Command) -> Done {
    let config = global.load_or_default()?;
    let engine = super::engine(&config)?;
    match command {
        Command::List { json } => {
            let suspended = suspended(&config.store.path).await?;
            let mut rows = Vec::new();
            for path in components(&config.plugins)? {
                let row = row(&path, engine.load(&path).map_err(|error| error.to_string()));
                let of_row = |suspension: &&Suspension| Some(&suspension.hash) == row.hash.as_ref();
                let suspended = suspended.iter().filter(of_row).cloned().collect();
                rows.push(Row { suspended, ..row });
            }
            if *json { print_json(&rows) } else { print(&listed(&rows)) }
        }
        Command::Inspect { plugin, json } => {
            let named = config.plugins.join(plugin).with_extension("wasm");
            let path = if plugin.exists() { plugin.clone() } else { named };
            let component = engine.load(&path)?;
            if *json {
                return print_json(&serde_json::json!({
                    "file": path,
                    "name": component.about().name,
                    "version": component.about().version,
                    "summary": component.about().summary,
                    "schema": component.about().schema,
                    "world": component.world(),
                    "hash": component.hash(),
                    "imports": component.imports(),
                    "exports": component.exports(),
                }));
            }
            print(&inspected(&path, &component))
        }
    }
}

/// The steps that a daemon leaves out; none where there is no database yet.
async fn suspended(path: &Path) -> Result<Vec<Suspension>, Failure> {
    if !path.exists() {
        return Ok(Vec::new());
    }
    let store = Store::open_to_read(path).await?;
    let suspended = store.suspensions().await?;
    store.close().await;
    Ok(suspended)
}

/// The component files of a folder, by name.
fn components(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let entries =
        std::fs::read_dir(folder).with_context(|| format!("the plugin folder {} cannot be read", folder.display()))?;
    let mut paths: Vec<PathBuf> = entries
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "wasm"))
        .collect();
    paths.sort();
    Ok(paths)
}

fn row(path: &Path, loaded: Result<Component, String>) -> Row {
    let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    match loaded {
        Ok(component) => Row {
            file,
            name: Some(component.about().name.clone()),
            version: Some(component.about().version.clone()),
            world: Some(component.world()),
            hash: Some(component.hash().to_owned()),
            summary: Some(component.about().summary.clone()),
            fault: None,
            suspended: Vec::new(),
        },
        Err(fault) => {
            let (name, version, world, hash, summary) = (None, None, None, None, None);
            Row { file, name, version, world, hash, summary, fault: Some(fault), suspended: Vec::new() }
        }
    }
}

fn listed(rows: &[Row]) -> String {
    let cells: Vec<Vec<String>> = rows
        .iter()
        .map(|row| {
            let text = |cell: &Option<String>| cell.clone().unwrap_or_else(|| "-".to_owned());
            let about = row.fault.as_ref().or(row.summary.as_ref());
            vec![
                row.file.clone(),
                text(&row.version),
                row.world.map_or_else(|| "broken".to_owned(), |world| world.to_string()),
                row.hash.as_deref().and_then(|hash| hash.get(..12)).unwrap_or("-").to_owned(),
                short(about.map(String::as_str).unwrap_or_default(), 100),
            ]
        })
        .collect();
    let mut text = table(&["FILE", "VERSION", "WORLD", "HASH", "ABOUT"], &cells);
    for suspension in rows.iter().flat_map(|row| &row.suspended) {
        let _ = writeln!(text, "suspended since {}: step \"{}\": {suspension}", suspension.since, suspension.step);
    }
    text
}

fn inspected(path: &Path, component: &Component) -> String {
    let about = component.about();
    let mut text = String::new();
    let _ = writeln!(text, "{} {}", about.name, about.version);
    let _ = writeln!(text, "{}", about.summary);
    let _ = writeln!(text, "file     {}", path.display());
    let _ = writeln!(text, "world    {}", component.world());
    let _ = writeln!(text, "hash     {}", component.hash());
    let _ = writeln!(text, "may ask the host for (and nothing else):");
    for import in component.imports() {
        let _ = writeln!(text, "  {import}");
    }
    let _ = writeln!(text, "offers:");
    for export in component.exports() {
        let _ = writeln!(text, "  {export}");
    }
    if let Some(schema) = &about.schema {
        let _ = writeln!(text, "schema of its rules:\n{schema}");
    }
    text
}
