//! Loading a set of rules: everything is read, checked and taken by its plugins, or nothing is.

use super::file::RuleFiles;
use super::languages::{self, Languages};
use super::{
    CLIENTS, Hop, Instances, PIPELINE, REVISION_DIGITS, Revision, RuleSet, Step, classes, constants, pipeline, review,
};
use crate::action::verbs;
use crate::diagnostic::{Diagnostic, Diagnostics, Source, suggestion};
use crate::message::client;
use crate::plugin::sight::{Interest, Scanners};
use crate::plugin::{Argument, Component, ConfigureError, Engine, Instance, PluginConfig, VerbSpec};
use crate::store::RevisionContent;
use crate::ticket::Classes;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZero;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What is kept while a set is loaded.
pub(super) struct Loader<'a> {
    pub(super) rules_dir: &'a Path,
    pub(super) plugins_dir: &'a Path,
    pub(super) engine: &'a Engine,
    pub(super) hash: Sha256,
    /// Each plugin is loaded once, however many steps use it; none if it cannot be.
    pub(super) components: BTreeMap<String, Option<Component>>,
    pub(super) languages: Option<Languages>,
    pub(super) classes: Classes,
    /// Files of tests that no step names: those of a plugin that is being written.
    pub(super) cases: Vec<PathBuf>,
    /// What was read.
    pub(super) content: RevisionContent,
}

impl Loader<'_> {
    /// The set, with the instances that took its rules.
    pub(super) fn load(mut self, out: &mut Diagnostics) -> Option<Instances> {
        let pipeline = self.read(&self.rules_dir.join(PIPELINE), out)?;
        self.languages = self.languages(out);
        self.classes = self.classes(out);
        let plugins = plugin_names(self.plugins_dir, out);
        let listed = pipeline::read(&pipeline, self.plugins_dir, &plugins, out)?;
        Some(self.assemble(&pipeline, &listed, &plugins, out))
    }

    pub(super) fn assemble(
        mut self,
        pipeline: &Source,
        listed: &[pipeline::Step],
        plugins: &[String],
        out: &mut Diagnostics,
    ) -> Instances {
        let loaded: Vec<_> = listed.iter().map(|step| self.step(pipeline, step, plugins, out)).collect();
        let mut cleaners = cleaners(&loaded).into_iter();
        let (mut steps, mut idle): (Vec<Step>, Vec<Option<Instance>>) = Default::default();
        let (mut fields, mut compiled) = (Vec::new(), Vec::new());
        for (listed, loaded) in listed.iter().zip(loaded) {
            let cleaner = cleaners.next().flatten();
            let Some(mut step) = loaded else { continue };
            step.config.fields = if step.hop == Hop::Process { fields.clone() } else { Vec::new() };
            let instance = configure(pipeline, listed, &step, cleaner.unwrap_or_else(|| step.instance()), out);
            if step.hop == Hop::Process && step.component.about().name == constants::PLUGIN {
                constants::check(&step.files, &self.classes, out);
            }
            if let Some(instance) = &instance {
                fields.extend_from_slice(instance.declares());
                compiled.push(instance.compiled().clone());
            }
            idle.push(instance);
            steps.push(step);
        }
        let tests = steps.iter().map(|step| step.files.tests.len()).sum();
        let places = steps.iter().enumerate().filter(|(_, step)| step.hop == Hop::Preprocess);
        let preprocess = places.map(|(place, step)| (step.name.to_string(), place)).collect();
        let scanners = Arc::new(Scanners::new(compiled.iter()));
        for (step, instance) in steps.iter_mut().zip(&idle) {
            step.interest =
                instance.as_ref().map(|instance| scanners.interest(instance.interest().clone())).unwrap_or_default();
        }
        let (classes, warnings) = (self.classes.clone(), out.clone());
        let mut content = std::mem::take(&mut self.content);
        content.files.sort();
        content.plugins.sort();
        let revision = self.revision();
        let set = RuleSet { revision, steps, preprocess, scanners, classes, tests, warnings, content };
        Instances::with(Arc::new(set), idle)
    }

    fn step(
        &mut self,
        pipeline: &Source,
        listed: &pipeline::Step,
        plugins: &[String],
        out: &mut Diagnostics,
    ) -> Option<Step> {
        let component = self.component(pipeline, listed, plugins, out);
        let paths = pipeline::rule_files(self.rules_dir, pipeline, listed, out);
        let sources: Vec<_> = paths.iter().chain(&self.cases.clone()).filter_map(|path| self.read(path, out)).collect();
        let files = RuleFiles::read(sources, self.languages.as_ref(), out)?;
        check_clients(&files, out);
        let (hop, component) = (*listed.hop.get_ref(), component?);
        if component.world() != hop.world() {
            let plugin = listed.plugin.get_ref();
            let reason = format!("the plugin `{plugin}` is a {}: it cannot {hop}", component.world());
            out.push(pipeline.error(listed.hop.span(), reason));
            return None;
        }
        let config = PluginConfig { rules: files.rules.clone(), verbs: verb_specs(&self.classes), fields: Vec::new() };
        Some(Step {
            name: listed.name.get_ref().as_str().into(),
            hop,
            health: component.health(listed.name.get_ref(), &config),
            component,
            config,
            reuse: listed.reuse,
            interest: Interest::default(),
            recommended: listed.recommended,
            summary: listed.summary.clone().or_else(|| files.summary()),
            files,
        })
    }

    /// The tables of the languages, if the rules have some.
    fn languages(&mut self, out: &mut Diagnostics) -> Option<Languages> {
        let path = self.rules_dir.join(languages::FILE);
        let source = if path.exists() { self.read(&path, out)? } else { return None };
        Languages::read(source, out)
    }

    /// The classes of tickets: the usual ones, if the rules do not say.
    pub(super) fn classes(&mut self, out: &mut Diagnostics) -> Classes {
        let path = self.rules_dir.join(classes::FILE);
        let source = if path.exists() { self.read(&path, out) } else { None };
        source.and_then(|source| classes::read(&source, out)).unwrap_or_default()
    }

    fn component(
        &mut self,
        pipeline: &Source,
        listed: &pipeline::Step,
        plugins: &[String],
        out: &mut Diagnostics,
    ) -> Option<Component> {
        let plugin = listed.plugin.get_ref();
        if let Some(component) = self.components.get(plugin) {
            return component.clone();
        }
        if !plugins.contains(plugin) {
            return None;
        }
        let loaded = self.engine.load(&self.plugins_dir.join(format!("{plugin}.wasm")));
        if let Err(error) = &loaded {
            out.push(pipeline.error(listed.plugin.span(), error.to_string()));
        }
        let component = loaded.ok();
        if let Some(component) = &component {
            self.note(plugin, component.hash().as_bytes());
            self.content.plugins.push((plugin.clone(), component.hash().to_owned()));
        }
        self.components.insert(plugin.clone(), component.clone());
        component
    }

    /// Reads a rule file. What was read is what the revision names.
    fn read(&mut self, path: &Path, out: &mut Diagnostics) -> Option<Source> {
        let source = Source::read(path, out)?;
        let name = path.strip_prefix(self.rules_dir).unwrap_or(path).to_string_lossy();
        self.note(&name, source.text().as_bytes());
        let path = (name.replace('\\', "/"), source.text().to_owned());
        if !self.content.files.contains(&path) {
            self.content.files.push(path);
        }
        Some(source)
    }

    fn note(&mut self, name: &str, content: &[u8]) {
        for piece in [name.as_bytes(), content] {
            // With its length before it, no piece can look like a part of its neighbour.
            self.hash.update(piece.len().to_le_bytes());
            self.hash.update(piece);
        }
    }

    fn revision(self) -> Revision {
        let hex: String = self.hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        Revision(hex.chars().take(REVISION_DIGITS).collect())
    }
}

/// Reports the clients of a rule file that no message can be from.
fn check_clients(files: &RuleFiles, out: &mut Diagnostics) {
    let listed = files.rules.get(CLIENTS).and_then(Value::as_array).into_iter().flatten().enumerate();
    for (index, name) in listed.filter_map(|(index, name)| Some((index, name.as_str()?))) {
        if !client::names().any(|known| known == name) {
            let path = [CLIENTS.to_owned(), index.to_string()];
            let help = suggestion(name, client::names()).unwrap_or_else(|| {
                let known: BTreeSet<_> = client::names().collect();
                format!("known are `{}`", known.into_iter().collect::<Vec<_>>().join("`, `"))
            });
            let found = files.diagnostic(&path, None, &format!("unknown mail client `{name}`"));
            out.extend(found.map(|found| found.help(help)));
        }
    }
}

/// An instance of a step, if its plugin takes its rules.
type Configured = Result<Instance, ConfigureError>;

/// Gives the plugins of the preprocessing steps their rules, on all cores: these steps do not depend on each other. None for
/// the other steps.
fn cleaners(steps: &[Option<Step>]) -> Vec<Option<Configured>> {
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    let one = |step: &Option<Step>| {
        let cleaner = step.as_ref().filter(|step| step.hop == Hop::Preprocess);
        cleaner.map(Step::instance)
    };
    std::thread::scope(|scope| {
        let share = |steps| scope.spawn(move || <[Option<Step>]>::iter(steps).map(one).collect::<Vec<_>>());
        let shares: Vec<_> = steps.chunks(steps.len().div_ceil(cores).max(1)).map(share).collect();
        shares.into_iter().flat_map(|share| share.join().unwrap_or_else(|panic| resume_unwind(panic))).collect()
    })
}

/// Says what a plugin says of its rules.
fn configure(
    pipeline: &Source,
    listed: &pipeline::Step,
    step: &Step,
    configured: Configured,
    out: &mut Diagnostics,
) -> Option<Instance> {
    match configured {
        Ok(instance) => {
            for remark in instance.remarks() {
                tracing::info!(step = &*step.name, level = ?remark.level, "the plugin says of its rules: {}", remark.text);
            }
            review::review(&step.files, instance.bounded_patterns(), out);
            return Some(instance);
        }
        Err(ConfigureError::Rules(diagnostics)) => out.extend(diagnostics.iter().map(|diagnostic| {
            let found = step.files.diagnostic(&diagnostic.path, diagnostic.offset, &diagnostic.reason);
            found.unwrap_or_else(|| pipeline.error(listed.name.span(), diagnostic.to_string()))
        })),
        Err(ConfigureError::Fault(fault)) => {
            let reason = format!("the plugin `{}` failed over its rules: {fault}", listed.plugin.get_ref());
            out.push(pipeline.error(listed.plugin.span(), reason));
        }
    }
    None
}

impl Step {
    /// A fresh instance of the step's plugin, configured.
    pub(super) fn instance(&self) -> Result<Instance, ConfigureError> {
        self.component.instantiate(&self.name, &self.config)
    }
}

/// The plugins of a folder, by name. Files that begin with a dot are none: they are being written.
pub(super) fn plugin_names(dir: &Path, out: &mut Diagnostics) -> Vec<String> {
    let entries = match std::fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) => {
            out.push(Diagnostic::error(dir, format!("cannot list the folder of the plugins: {error}")));
            return Vec::new();
        }
    };
    let files = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let names =
        files.filter(|name| !name.starts_with('.')).filter_map(|name| Some(name.strip_suffix(".wasm")?.to_owned()));
    let mut names: Vec<_> = names.collect();
    names.sort();
    names
}

/// The table of verbs as plugins get it.
fn verb_specs(classes: &Classes) -> Vec<VerbSpec> {
    let argument = |argument: &crate::action::Argument| Argument {
        name: argument.name.to_owned(),
        kind: argument.kind,
        required: argument.required,
        choices: argument.choices.names(classes).into_iter().map(str::to_owned).collect(),
        one_line: argument.one_line,
    };
    let spec = |verb: &crate::action::Verb| VerbSpec {
        name: verb.name.to_owned(),
        arguments: verb.arguments.iter().map(argument).collect(),
    };
    verbs().iter().map(spec).collect()
}
