//! `mailmill plugin`: what is there, all that it could ever do, and projects of plugins.

use super::rule_tests::{How, run_project};
use super::table::{short, table};
use super::{Done, Failure, Global, print, print_json};
use crate::config::Config;
use crate::plugin::{Component, Engine, Suspension, World};
use crate::project::{self, Language, MANIFEST, Project};
use crate::rules::inspection::{components, steps_of};
use crate::rules::pipeline::{Use, uses};
use crate::store::Store;
use anyhow::Context as _;
use clap::Subcommand;
use clap::builder::PossibleValue;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

mod inspect;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List the plugins in the plugin folder, and which steps of the pipeline use them
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show everything about one plugin: what it is, all that it may ask of the host, its limits, its hash
    Inspect {
        /// A component file, or the name of a plugin in the plugin folder
        plugin: PathBuf,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Write the project of a new plugin: a working example, with rules, cases and a README
    New {
        /// Its name: small letters, digits and hyphens
        name: String,
        /// The language
        #[arg(long, value_enum)]
        lang: Language,
        /// What it can do: cut the body, make fields, or decide what becomes of a message
        #[arg(long, value_enum, default_value_t = World::Extractor)]
        world: World,
        /// The folder to write it to, which must not exist [default: NAME]
        #[arg(long, value_name = "DIR")]
        dir: Option<PathBuf>,
    },
    /// Build a plugin's project with the tools of its language
    Build {
        /// The project's folder
        #[arg(default_value = ".")]
        project: PathBuf,
    },
    /// Run a plugin's cases, as the daemon would run the plugin
    Test {
        /// The project's folder
        #[arg(default_value = ".")]
        project: PathBuf,
        #[command(flatten)]
        how: How,
    },
}

impl clap::ValueEnum for Language {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.name()))
    }
}

impl clap::ValueEnum for World {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.name()))
    }
}

/// A plugin of a folder, as a list shows it.
#[derive(serde::Serialize)]
struct Row {
    file: String,
    name: Option<String>,
    version: Option<String>,
    world: Option<World>,
    hash: Option<String>,
    summary: Option<String>,
    /// The steps that use it; nothing runs it if there are none.
    steps: Vec<Use>,
    fault: Option<String>,
    /// Those of them that a running daemon leaves out.
    suspended: Vec<Suspension>,
}

pub(super) async fn run(global: &Global, command: &Command) -> Done {
    match command {
        Command::List { json } => list(global, *json).await,
        Command::Inspect { plugin, json } => inspect::run(global, plugin, *json),
        Command::New { name, lang, world, dir } => new(name, *lang, *world, dir.as_deref()),
        Command::Build { project } => build(global, project),
        Command::Test { project, how } => {
            let project = Project::open(project).map_err(Failure::Diagnostics)?;
            if !project.component().exists() {
                let folder = project.folder.display();
                return Err(anyhow::anyhow!("it is not built yet: mailmill plugin build {folder}").into());
            }
            run_project(&project, &engine(global)?, how)
        }
    }
}

fn new(name: &str, language: Language, world: World, dir: Option<&Path>) -> Done {
    let folder = dir.unwrap_or(Path::new(name));
    project::write(folder, name, language, world)?;
    let shown = folder.display();
    print(&format!(
        "wrote {shown}: a plugin of the world \"{world}\" in {language}; {shown}/README.md says what is where\n\
         next: mailmill plugin build {shown} && mailmill plugin test {shown}\n"
    ))
}

fn build(global: &Global, folder: &Path) -> Done {
    let project = Project::open(folder).map_err(Failure::Diagnostics)?;
    project::build(&project)?;
    let path = project.component();
    let component = engine(global)?.load(&path)?;
    let wanted = project.manifest.world;
    if component.world() != wanted {
        let world = component.world();
        let manifest = project.folder.join(MANIFEST);
        return Err(anyhow::anyhow!("it is a {world}, but {} says {wanted}", manifest.display()).into());
    }
    let bytes = std::fs::metadata(&path).map(|file| file.len()).unwrap_or_default();
    let about = component.about();
    print(&format!("built {}: {} {}, {} KiB\n", path.display(), about.name, about.version, bytes.div_ceil(1024)))
}

/// The engine of the settings, if there are settings: a project needs none.
fn engine(global: &Global) -> Result<Engine, Failure> {
    let config = match global.path() {
        Ok(_) => global.load()?,
        Err(_) => Config::defaults_in(Path::new("")).context("the defaults make no sense")?,
    };
    super::engine(&config)
}

async fn list(global: &Global, json: bool) -> Done {
    let config = global.load_or_default()?;
    let engine = super::engine(&config)?;
    let used = uses(&config.rules);
    let suspended = suspended(&config.store.path).await?;
    let mut rows = Vec::new();
    let folder = &config.plugins;
    let unread = || format!("the plugin folder {} cannot be read", folder.display());
    for path in components(folder).with_context(unread)? {
        let steps = steps_of(&path, &used);
        let row = row(&path, engine.load(&path).map_err(|error| error.to_string()), steps);
        let of_row = |suspension: &&Suspension| Some(&suspension.hash) == row.hash.as_ref();
        let suspended = suspended.iter().filter(of_row).cloned().collect();
        rows.push(Row { suspended, ..row });
    }
    if json { print_json(&rows) } else { print(&listed(&rows)) }
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

fn row(path: &Path, loaded: Result<Component, String>, steps: Vec<Use>) -> Row {
    let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    match loaded {
        Ok(component) => Row {
            file,
            name: Some(component.about().name.clone()),
            version: Some(component.about().version.clone()),
            world: Some(component.world()),
            hash: Some(component.hash().to_owned()),
            summary: Some(component.about().summary.clone()),
            steps,
            fault: None,
            suspended: Vec::new(),
        },
        Err(fault) => {
            let (name, version, world, hash, summary) = (None, None, None, None, None);
            Row { file, name, version, world, hash, summary, steps, fault: Some(fault), suspended: Vec::new() }
        }
    }
}

fn listed(rows: &[Row]) -> String {
    let cells: Vec<Vec<String>> = rows
        .iter()
        .map(|row| {
            let text = |cell: &Option<String>| cell.clone().unwrap_or_else(|| "-".to_owned());
            let about = row.fault.as_ref().or(row.summary.as_ref());
            let steps = match row.steps.as_slice() {
                [] => "off".to_owned(),
                [step] => step.step.clone(),
                steps => format!("{} steps", steps.len()),
            };
            vec![
                row.file.clone(),
                text(&row.version),
                row.world.map_or_else(|| "broken".to_owned(), |world| world.to_string()),
                steps,
                row.hash.as_deref().and_then(|hash| hash.get(..12)).unwrap_or("-").to_owned(),
                short(about.map(String::as_str).unwrap_or_default(), 100),
            ]
        })
        .collect();
    let mut text = table(&["FILE", "VERSION", "WORLD", "USED BY", "HASH", "ABOUT"], &cells);
    if rows.iter().any(|row| row.steps.is_empty()) {
        text.push_str("what is off does nothing until a [[step]] of pipeline.toml names it\n");
    }
    for suspension in rows.iter().flat_map(|row| &row.suspended) {
        let _ = writeln!(text, "suspended since {}: step \"{}\": {suspension}", suspension.since, suspension.step);
    }
    text
}
