//! A plugin, looked at: all that it could ever do, and which steps run it.

use super::pipeline::Use;
use crate::config::PluginLimits;
use crate::plugin::{Component, World};
use crate::schema::Kind;
use std::path::{Path, PathBuf};

/// A plugin of the folder.
#[derive(Debug, Clone)]
pub struct Inspection {
    /// Its file.
    pub path: PathBuf,
    /// What lies in it.
    pub component: Component,
    /// The steps of the pipeline that name it; nothing runs it if there are none.
    pub steps: Vec<Use>,
    /// What one message may cost.
    pub limits: PluginLimits,
}

impl Inspection {
    /// All of it, for programs.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        let (component, about, limits) = (&self.component, self.component.about(), &self.limits);
        serde_json::json!({
            "file": self.path,
            "name": about.name,
            "version": about.version,
            "summary": about.summary,
            "schema": self.schema(),
            "world": component.world(),
            "hash": component.hash(),
            "bytes": self.bytes(),
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

    /// The JSON Schema of its rules: what it says itself, or else the published one of a shipped plugin.
    #[must_use]
    pub fn schema(&self) -> Option<serde_json::Value> {
        let about = self.component.about();
        let own = about
            .schema
            .as_ref()
            .map(|own| serde_json::from_str(own).unwrap_or_else(|_| serde_json::Value::String(own.clone())));
        own.or_else(|| Kind::of_rules_for(&about.name).map(Kind::schema))
    }

    /// The steps that run it, in words, with what they are granted.
    #[must_use]
    pub fn used_by(&self) -> String {
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

    /// The length of its file.
    #[must_use]
    pub fn bytes(&self) -> Option<u64> {
        std::fs::metadata(&self.path).map(|file| file.len()).ok()
    }
}

/// What a plugin of a world can do, in words.
#[must_use]
pub fn can(world: World) -> &'static str {
    match world {
        World::Preprocessor => "reads the message and cuts pieces of its body",
        World::Extractor => "reads the message and makes fields; it changes nothing",
        World::Processor => "reads the message and asks for actions, which the host checks",
    }
}

/// The steps that use the plugin of this file.
#[must_use]
pub fn steps_of(path: &Path, used: &[Use]) -> Vec<Use> {
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    used.iter().filter(|step| step.plugin == name).cloned().collect()
}

/// The component files of a folder, by name; those whose names begin with a dot are being written.
///
/// # Errors
/// If the folder cannot be read.
pub fn components(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder)?
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "wasm"))
        .filter(|path| !path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.')))
        .collect();
    paths.sort();
    Ok(paths)
}
