//! `mailmill plugin inspect`: all that a plugin could ever do.

use crate::cli::{Done, Global, print, print_json};
use crate::plugin::Import;
use crate::rules::inspection::{Inspection, can, steps_of};
use crate::rules::pipeline::uses;
use crate::schema::Kind;
use std::fmt::Write as _;
use std::path::Path;

pub(super) fn run(global: &Global, plugin: &Path, json: bool) -> Done {
    let config = global.load_or_default()?;
    let engine = crate::cli::engine(&config)?;
    let named = config.plugins.join(plugin).with_extension("wasm");
    let path = if plugin.is_file() { plugin.to_owned() } else { named };
    let component = engine.load(&path)?;
    let steps = steps_of(&path, &uses(&config.rules));
    let seen = Inspection { path, component, steps, limits: config.plugin_limits };
    if json { print_json(&seen.json()) } else { print(&told(&seen)) }
}

fn told(seen: &Inspection) -> String {
    let (component, about) = (&seen.component, seen.component.about());
    let mut text = String::new();
    let _ = writeln!(text, "{} {}\n{}", about.name, about.version, about.summary);
    let _ = writeln!(text, "file     {}", seen.path.display());
    let _ = writeln!(text, "world    {}: {}", component.world(), can(component.world()));
    let _ = writeln!(text, "hash     {}", component.hash());
    let _ = writeln!(text, "used by  {}", seen.used_by());
    let limits = &seen.limits;
    let _ = writeln!(
        text,
        "limits   {} ms, {} MiB of memory and {} calls of the host for one message ([plugin_limits])",
        limits.deadline_ms, limits.memory_mb, limits.host_calls_max
    );
    let _ = writeln!(text, "may ask the host for (and nothing else):");
    let (system, own): (Vec<&Import>, Vec<&Import>) = component.imports().iter().partition(|import| import.is_system());
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

fn called(import: &Import) -> String {
    if import.functions.is_empty() { String::new() } else { format!(": {}", import.functions.join(", ")) }
}
