//! Rules: what is loaded from the folders of the rules and the plugins, checked as a whole, and swapped as a whole.
//!
//! A [`RuleSet`] is immutable. Workers make [`Instances`] of it, and a message runs start to end on one of them, so on
//! one [`Revision`]. [`Reloader`] keeps the set that is in force; [`watch`] says when the files have changed.

mod check;
mod classes;
mod constants;
mod coverage;
mod expectation;
mod file;
pub mod inspection;
mod languages;
mod listing;
mod loader;
mod outlets;
pub mod pipeline;
mod reload;
mod review;
mod run;
mod untested;
pub mod watch;

pub use check::{TestResult, TestRun};
pub use coverage::{Coverage, Place, Reach};
pub use expectation::UpdateError;
pub use listing::Offer;
pub use pipeline::{Hop, RECOMMENDED};
pub use reload::Reloader;
pub use run::{Extracted, FieldSource, Instances, Preprocessed, Processed, StepFault, StepReport};
pub use untested::Untested;

use crate::diagnostic::{Diagnostics, Source};
use crate::plugin::sight::{Interest, Scanners};
use crate::plugin::{Component, Engine, Health, PluginConfig, Suspension, World};
use crate::store::RevisionContent;
use crate::ticket::Classes;
use file::RuleFiles;
use jiff::Timestamp;
use loader::{Loader, plugin_names};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The file that lists the steps.
const PIPELINE: &str = "pipeline.toml";
/// The key of a rule file that lists the mail clients it is for.
const CLIENTS: &str = "clients";
/// How many hexadecimal digits of the hash a revision shows.
const REVISION_DIGITS: usize = 16;

/// Which rules: a hash of all rule files and plugins in use.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Revision(String);

impl Revision {
    /// A revision that is known by its name.
    pub(crate) fn named(name: &str) -> Self {
        Self(name.to_owned())
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// All rules and plugins of one revision, checked.
#[derive(Debug)]
pub struct RuleSet {
    revision: Revision,
    steps: Vec<Step>,
    /// The places of the preprocessing steps, by name.
    preprocess: HashMap<String, usize>,
    scanners: Arc<Scanners>,
    classes: Classes,
    tests: usize,
    warnings: Diagnostics,
    content: RevisionContent,
}

/// A step of the pipeline, ready for instances.
#[derive(Debug)]
pub struct Step {
    /// Its name.
    pub name: Arc<str>,
    /// Where it stands.
    pub hop: Hop,
    /// Its plugin.
    pub component: Component,
    /// What the plugin's instances are configured with.
    pub config: PluginConfig,
    /// Whether one instance handles many messages.
    pub reuse: bool,
    /// What a message must have for the plugin to be called; empty if it is called for every message.
    interest: Interest,
    /// How it fares.
    pub health: Arc<Health>,
    /// Whether jobs run it that ask for the recommended steps.
    pub recommended: bool,
    /// What it does, in a sentence; none if neither the pipeline nor its rule file says so.
    pub summary: Option<String>,
    files: RuleFiles,
}

impl Step {
    /// What it is when it is left out from now on: after so many faults, the last of which was this one, or by somebody.
    fn suspended(&self, faults: u64, last: String, by: Option<String>) -> Suspension {
        Suspension {
            step: self.name.to_string(),
            plugin: self.component.about().name.clone(),
            hash: self.component.hash().to_owned(),
            faults,
            last,
            by,
            since: Timestamp::now(),
        }
    }
}

impl RuleSet {
    /// Loads everything and checks everything: syntax, plugins, rules, and the rule files' own tests.
    ///
    /// # Errors
    /// With everything that is wrong.
    pub fn load(rules_dir: &Path, plugins_dir: &Path, engine: &Engine) -> Result<Arc<Self>, Diagnostics> {
        let mut out = Diagnostics::default();
        let set = Self::load_instances(rules_dir, plugins_dir, engine, &mut out).map(|mut instances| {
            check::run(&mut instances, &mut out);
            instances.set().clone()
        });
        out.or(set)
    }

    /// The same, but for the files' own tests.
    ///
    /// # Errors
    /// With everything that is wrong.
    pub fn load_untested(rules_dir: &Path, plugins_dir: &Path, engine: &Engine) -> Result<Untested, Diagnostics> {
        let mut out = Diagnostics::default();
        let instances = Self::load_instances(rules_dir, plugins_dir, engine, &mut out);
        out.or(instances).map(Untested::new)
    }

    fn load_instances(
        rules_dir: &Path,
        plugins_dir: &Path,
        engine: &Engine,
        out: &mut Diagnostics,
    ) -> Option<Instances> {
        let loader = Loader {
            rules_dir,
            plugins_dir,
            engine,
            hash: Sha256::new(),
            components: BTreeMap::new(),
            languages: None,
            classes: Classes::default(),
            cases: Vec::new(),
            content: RevisionContent::default(),
        };
        let loaded = loader.load(out).filter(|_| out.errors() == 0);
        if loaded.is_some() {
            engine.tidy_cache();
        }
        loaded
    }

    /// A plugin that is being written, alone: `folder` has the component and its rules, `step` is a pipeline of one step
    /// that names them, and `cases` are files with more `[[test]]` tables.
    ///
    /// # Errors
    /// With everything that is wrong.
    pub(crate) fn of_project(
        folder: &Path,
        step: &Source,
        cases: Vec<PathBuf>,
        engine: &Engine,
    ) -> Result<Untested, Diagnostics> {
        let mut out = Diagnostics::default();
        let loader = Loader {
            rules_dir: folder,
            plugins_dir: folder,
            engine,
            hash: Sha256::new(),
            components: BTreeMap::new(),
            languages: None,
            classes: Classes::default(),
            cases,
            content: RevisionContent::default(),
        };
        let plugins = plugin_names(folder, &mut out);
        let listed = pipeline::read_steps(step, folder, &plugins, &mut out);
        let instances = listed.map(|listed| loader.assemble(step, &listed, &plugins, &mut out));
        out.or(instances).map(Untested::new)
    }

    /// Which rules they are.
    #[must_use]
    pub fn revision(&self) -> &Revision {
        &self.revision
    }

    /// The steps, in the order of the pipeline.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// The names of the preprocessing steps, in the order of the pipeline.
    #[must_use]
    pub fn preprocess_steps(&self) -> Vec<String> {
        self.steps.iter().filter(|step| step.hop == Hop::Preprocess).map(|step| step.name.to_string()).collect()
    }

    /// What looks for the patterns of all steps in one pass.
    #[must_use]
    pub fn scanners(&self) -> &Arc<Scanners> {
        &self.scanners
    }

    /// The names of those among them that a job means by "recommended", in the order of the pipeline.
    #[must_use]
    pub fn recommended_steps(&self) -> Vec<String> {
        let steps = self.steps.iter().filter(|step| step.hop == Hop::Preprocess && step.recommended);
        steps.map(|step| step.name.to_string()).collect()
    }

    /// The names of the preprocessing steps whose rules are in this file, given from the folder of the rules.
    #[must_use]
    pub fn steps_of_file(&self, file: &Path) -> Vec<String> {
        let reads = |step: &&Step| step.files.sources.iter().any(|source| source.path().ends_with(file));
        let steps = self.steps.iter().filter(|step| step.hop == Hop::Preprocess).filter(reads);
        steps.map(|step| step.name.to_string()).collect()
    }

    /// The steps that have failed so often that they are left out.
    #[must_use]
    pub fn suspensions(&self) -> Vec<Arc<Suspension>> {
        self.steps.iter().filter_map(|step| step.health.suspension()).collect()
    }

    /// Leaves a preprocessing step out because somebody says so; false if there is no such step, or it is left out already.
    pub fn suspend(&self, step: &str, by: &str) -> bool {
        let step = self.steps.iter().find(|own| own.hop == Hop::Preprocess && &*own.name == step);
        step.is_some_and(|step| step.health.suspend(step.suspended(0, String::new(), Some(by.to_owned()))))
    }

    /// Has a step called again; false if it is not left out.
    pub fn resume(&self, step: &str) -> bool {
        self.steps.iter().find(|own| &*own.name == step).is_some_and(|step| step.health.resume())
    }

    /// The classes of tickets.
    #[must_use]
    pub fn classes(&self) -> &Classes {
        &self.classes
    }

    /// What is to be said of rules that are sound all the same.
    #[must_use]
    pub fn warnings(&self) -> &Diagnostics {
        &self.warnings
    }

    /// What they are made of.
    #[must_use]
    pub fn content(&self) -> &RevisionContent {
        &self.content
    }

    /// How many tests of the rule files' own it has passed.
    #[must_use]
    pub fn tests(&self) -> usize {
        self.tests
    }
}

/// The classes of tickets that the rules of this folder have, without loading anything else of them.
///
/// # Errors
/// With all that is wrong with their file.
pub fn classes(rules_dir: &Path) -> Result<Classes, Diagnostics> {
    let path = rules_dir.join(classes::FILE);
    if !path.exists() {
        return Ok(Classes::default());
    }
    let mut out = Diagnostics::default();
    let read = Source::read(&path, &mut out).and_then(|source| classes::read(&source, &mut out));
    out.or(read)
}

impl Hop {
    /// The hop of the plugins of this world.
    #[must_use]
    pub fn of(world: World) -> Self {
        match world {
            World::Preprocessor => Self::Preprocess,
            World::Extractor => Self::Extract,
            World::Processor => Self::Process,
        }
    }

    /// The world of the plugins of this hop.
    #[must_use]
    pub fn world(self) -> World {
        match self {
            Self::Preprocess => World::Preprocessor,
            Self::Extract => World::Extractor,
            Self::Process => World::Processor,
        }
    }
}
