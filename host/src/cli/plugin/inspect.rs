//! `mailmill plugin inspect`: all that a plugin could ever do.

use super::{steps_of, uses};
use crate::cli::{Done, Global, print, print_json};
use crate::config::PluginLimits;
use crate::plugin::{Component, Import, World};
use crate::rules::pipeline::Use;
use crate::schema::Kind;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

pub(super) fn run(global: &Global, plugin: &Path, json: bool) -> Done {
    let config = global.load_or_default()?;
    let engine = crate::cli::engine(&config)?;
    let named = config.plugins.join(plugin).with_extension("wasm");
    let path = if plugin.is_file() { plugin.to_owned() } else { named };
    let component = engine.load(&path)?;
    let steps = steps_of(&path, &uses(&config.rules));
    let seen = Seen { path, component, steps, limits: config.plugin_limits };
    if json { print_json(&seen.json()) } else { print(&seen.told()) }
}

/// A plugin, looked at.
struct Seen {
    path: PathBuf,
    component: Component,
    steps: Vec<Use>,
    limits: PluginLimits,
}

impl Seen {
    fn json(&self) -> serde_json::Value {
        let (component, about, limits) = (&self.component, self.component.about(), &self.limits);
        serde_json::json!({
            "file": self.path,
            "name": about.name,
            "version": about.version,
            "summary": about.summary,
            "schema": about.schema.clone().map_or_else(
                || Kind::of_rules_for(&about.name).map(Kind::schema),
                |schema| Some(serde_json::from_str(&schema).unwrap_or(serde_json::Value::String(schema))),
            ),
            "world": component.world(),
            "hash": component.hash(),
            "bytes": std::fs::metadata(&self.path).map(|file| file.len()).ok(),
            "imports": component.imports(),
            "exports": component.exports(),
            "steps": self.steps,
            "limits": {
                "deadline_ms": limits.deadline_ms,
                "memory_mb": limits.memory_mb,
                "host_calls_max": limits.host_calls_max,
                "output_bytes_max": limits.output_bytes_max,
                "copied_bytes_max": limits.copied_bytes_max,
                "handles_max": limits.handles_max,
            },
        })
    }

    fn told(&self) -> String {
        let (component, about) = (&self.component, self.component.about());
        let mut text = String::new();
        let _ = writeln!(text, "{} {}\n{}", about.name, about.version, about.summary);
        let _ = writeln!(text, "file     {}", self.path.display());
        let _ = writeln!(text, "world    {}: {}", component.world(), can(component.world()));
        let _ = writeln!(text, "hash     {}", component.hash());
        let _ = writeln!(text, "used by  {}", self.used());
        let limits = &self.limits;
        let _ = writeln!(
            text,
            "limits   {} ms, {} MiB of memory and {} calls of the host for one message ([plugin_limits])",
            limits.deadline_ms, limits.memory_mb, limits.host_calls_max
        );
        let _ = writeln!(text, "may ask the host for (and nothing else):");
        let (system, own): (Vec<&Import>, Vec<&Import>) =
            component.imports().iter().partition(|import| import.is_system());
        for import in own {
            let _ = writeln!(text, "  {}{}", import.name, called(import));
        }
        if !system.is_empty() {
            let _ = writeln!(
                text,
                "its runtime wants a system (WASI), and gets one with nothing in it: no files, no network, no environment,\n\
                 a clock that stands still, the same random numbers in each call:"
            );
        }
        for import in system {
            let _ = writeln!(text, "  {}", import.name);
        }
        let _ = writeln!(text, "offers:");
        for export in component.exports() {
            let _ = writeln!(text, "  {export}");
        }
        match (&about.schema, Kind::of_rules_for(&about.name)) {
            (Some(schema), _) => drop(writeln!(text, "schema of its rules:\n{schema}")),
            (None, Some(kind)) => drop(writeln!(text, "schema of its rules: mailmill schema {}", kind.name())),
            (None, None) => drop(writeln!(text, "schema of its rules: it tells none")),
        }
        text
    }

    fn used(&self) -> String {
        if self.steps.is_empty() {
            return "nothing: it is off until a [[step]] of pipeline.toml names it".to_owned();
        }
        let alike = self.steps.chunk_by(|one, next| (one.hop, one.reuse) == (next.hop, next.reuse));
        let told = alike.filter_map(|steps| {
            let first = steps.first()?;
            let reuse = if first.reuse { "granted reuse" } else { "a fresh instance for each message" };
            let names: Vec<String> = steps.iter().map(|step| format!("\"{}\"", step.step)).collect();
            let step = if steps.len() == 1 { "step" } else { "steps" };
            Some(format!("{step} {} ({}, {reuse})", names.join(", "), first.hop))
        });
        told.collect::<Vec<_>>().join("; ")
    }
}

/// What a plugin of a world can do, in words.
fn can(world: World) -> &'static str {
    match world {
        World::Preprocessor => "reads the message and cuts pieces of its body",
        World::Extractor => "reads the message and makes fields; it changes nothing",
        World::Processor => "reads the message and asks for actions, which the host checks",
    }
}

fn called(import: &Import) -> String {
    if import.functions.is_empty() { String::new() } else { format!(": {}", import.functions.join(", ")) }
}
