//! `pipeline.toml`: the ordered list of steps that a message goes through.

use crate::config::reader::{self, Section, Setting, leaves};
use crate::config::schema;
use crate::config::settings::settings;
use crate::diagnostic::{Diagnostic, Diagnostics, Source, suggestion};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::{Component, Path, PathBuf};
use toml::Spanned;
use toml::de::DeValue;

/// What stands for the recommended steps in a job's file and on the command line.
pub const RECOMMENDED: &str = "recommended";

/// Where in a message's way a step stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Hop {
    /// Cuts what nobody needs to read again.
    Preprocess,
    /// Takes out fields.
    Extract,
    /// Decides what becomes of the message.
    Process,
}

impl Hop {
    /// The name used in `pipeline.toml`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Preprocess => "preprocess",
            Self::Extract => "extract",
            Self::Process => "process",
        }
    }
}

impl fmt::Display for Hop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

leaves! {
    Hop: "\"preprocess\", \"extract\" or \"process\"" => schema::words(["preprocess", "extract", "process"]);
}

settings! {
    /// A step as `pipeline.toml` has it.
    pub struct Step {
        /// Its name: jobs and reports call it so.
        name: Spanned<String> => required("\"gmail\""),
        /// Where it stands: `preprocess`, `extract` or `process`.
        hop: Spanned<Hop> => required("\"preprocess\""),
        /// The plugin: `NAME` is `NAME.wasm` in the folder of the plugins.
        plugin: Spanned<String> => required("\"gmail\""),
        /// Its rule file, or files such as `statements/*.toml`, in the folder of the rules.
        rules: Option<Spanned<String>> => unset("\"preprocess/gmail.toml\""),
        /// Whether one instance of the plugin may handle many messages. If not, each message gets its own.
        reuse: bool => default(false),
        /// Of a preprocess step: whether jobs run it that ask for the "recommended" steps.
        recommended: bool => default(true),
        /// What it does, in a sentence, for lists. Not set: the comment that its rule file begins with.
        summary: Option<String> => unset("\"cuts what Gmail quotes\""),
    }
}

impl<T: Setting> Setting for Spanned<T> {
    fn read(source: &Source, name: &str, value: &Spanned<DeValue<'_>>, out: &mut Diagnostics) -> Option<Self> {
        T::read(source, name, value, out).map(|read| Self::new(value.span(), read))
    }

    fn schema() -> serde_json::Value {
        T::schema()
    }
}

impl Setting for Vec<Step> {
    fn read(source: &Source, name: &str, value: &Spanned<DeValue<'_>>, out: &mut Diagnostics) -> Option<Self> {
        let Some(items) = value.get_ref().as_array() else {
            out.push(source.error(value.span(), format!("`{name}` must be a list: write [[{name}]]")));
            return None;
        };
        let steps: Vec<_> = items.iter().map(|item| Step::read(source, name, item, out)).collect();
        steps.into_iter().collect()
    }

    fn schema() -> serde_json::Value {
        schema::list(&Step::schema())
    }
}

/// The JSON Schema of `pipeline.toml`.
pub(crate) fn schema() -> serde_json::Value {
    let steps = <Vec<Step> as Setting>::schema();
    schema::table(vec![schema::Property::required("step", "The steps that a message goes through, in order.", steps)])
}

/// Reads the steps of `pipeline.toml`. `plugins` are the names of those that there are, in the folder `plugins_dir`.
pub(crate) fn read(
    source: &Source,
    plugins_dir: &Path,
    plugins: &[String],
    out: &mut Diagnostics,
) -> Option<Vec<Step>> {
    let steps = read_steps(source, plugins_dir, plugins, out)?;
    if !steps.iter().any(|step| *step.hop.get_ref() == Hop::Process) {
        let diagnostic = Diagnostic::error(source.path(), "no step decides what becomes of a message");
        out.push(diagnostic.help("add a [[step]] with hop = \"process\""));
    }
    Some(steps)
}

/// The same for a part of a pipeline.
pub(crate) fn read_steps(
    source: &Source,
    plugins_dir: &Path,
    plugins: &[String],
    out: &mut Diagnostics,
) -> Option<Vec<Step>> {
    let table = reader::parse(source, out)?;
    let mut section = Section::root(source, &table);
    let steps: Option<Vec<Step>> = section.required("step", out);
    section.finish(out);
    let steps = steps?;
    check_names(source, &steps, out);
    for step in &steps {
        check_plugin(source, step, plugins_dir, plugins, out);
        if step.name.get_ref() == RECOMMENDED {
            out.push(source.error(step.name.span(), format!("`{RECOMMENDED}` stands for steps and cannot be one")));
        }
    }
    Some(steps)
}

/// A step that uses a plugin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Use {
    /// The step.
    pub step: String,
    /// Where it stands.
    pub hop: Hop,
    /// The plugin.
    #[serde(skip)]
    pub plugin: String,
    /// Whether one instance of the plugin may handle many messages.
    pub reuse: bool,
}

/// Which steps of a folder's pipeline use which plugins, whatever may be wrong with the pipeline; none if it cannot be read.
#[must_use]
pub fn uses(rules_dir: &Path) -> Vec<Use> {
    let mut ignored = Diagnostics::default();
    let source = Source::read(&rules_dir.join(super::PIPELINE), &mut ignored);
    let steps = source.and_then(|source| read_steps(&source, rules_dir, &[], &mut ignored));
    let used = |step: Step| Use {
        step: step.name.into_inner(),
        hop: step.hop.into_inner(),
        plugin: step.plugin.into_inner(),
        reuse: step.reuse,
    };
    steps.into_iter().flatten().map(used).collect()
}

fn check_names(source: &Source, steps: &[Step], out: &mut Diagnostics) {
    for (at, step) in steps.iter().enumerate() {
        let name = step.name.get_ref();
        if steps.iter().take(at).any(|before| before.name.get_ref() == name) {
            out.push(source.error(step.name.span(), format!("there is an earlier step `{name}`")));
        }
    }
}

fn check_plugin(source: &Source, step: &Step, plugins_dir: &Path, plugins: &[String], out: &mut Diagnostics) {
    let plugin = step.plugin.get_ref();
    if plugins.contains(plugin) {
        return;
    }
    let reason = format!("unknown plugin `{plugin}`: there is no {plugin}.wasm in {}", plugins_dir.display());
    let known = || match plugins {
        [] => "the folder holds no plugin".to_owned(),
        plugins => format!("there are `{}`", plugins.join("`, `")),
    };
    let help = suggestion(plugin, plugins.iter().map(String::as_str)).unwrap_or_else(known);
    out.push(source.error(step.plugin.span(), reason).help(help));
}

/// The files that a step's `rules` name, in the order of their names. `*` in the last part stands for anything.
pub(crate) fn rule_files(rules_dir: &Path, source: &Source, step: &Step, out: &mut Diagnostics) -> Vec<PathBuf> {
    let Some(rules) = &step.rules else { return Vec::new() };
    let wanted = Path::new(rules.get_ref());
    let is_inside = wanted.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    if !is_inside {
        out.push(source.error(rules.span(), "a rule file must lie in the folder of the rules"));
        return Vec::new();
    }
    let files = match wanted.file_name().and_then(|name| name.to_str()).and_then(|name| name.split_once('*')) {
        None => vec![rules_dir.join(wanted)],
        Some((start, end)) => matching(&rules_dir.join(wanted.parent().unwrap_or(wanted)), start, end),
    };
    if files.is_empty() || files.iter().any(|file| !file.is_file()) {
        let reason = format!("there is no rule file {}", rules_dir.join(wanted).display());
        out.push(source.error(rules.span(), reason));
        return Vec::new();
    }
    files
}

/// The files of a folder whose names start and end so, by name. Hidden files never match.
fn matching(dir: &Path, start: &str, end: &str) -> Vec<PathBuf> {
    let is_wanted = |name: &str| {
        let rest = name.strip_prefix(start).filter(|_| !name.starts_with('.'));
        rest.is_some_and(|rest| rest.ends_with(end))
    };
    let entries = std::fs::read_dir(dir).into_iter().flatten().filter_map(Result::ok);
    let mut files: Vec<_> =
        entries.filter(|entry| entry.file_name().to_str().is_some_and(is_wanted)).map(|entry| entry.path()).collect();
    files.sort();
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROCESS: &str = "[[step]]\nname = \"s\"\nhop = \"process\"\nplugin = \"statements\"\n";

    fn check(text: &str, expect: &str) {
        let source = Source::new(Path::new("pipeline.toml"), text);
        let plugins = ["gmail".to_owned(), "statements".to_owned()];
        let mut out = Diagnostics::default();
        let steps = read(&source, Path::new("plugins"), &plugins, &mut out);
        let read = out.or(steps).map_or_else(
            |all| all.render(false),
            |steps| steps.iter().map(|step| format!("{} {}\n", step.hop.get_ref(), step.name.get_ref())).collect(),
        );
        assert_eq!(read, expect);
    }

    #[test]
    fn steps_keep_their_order() {
        let text = format!("{PROCESS}[[step]]\nname = \"g\"\nhop = \"preprocess\"\nplugin = \"gmail\"\nreuse = true\n");
        check(&text, "process s\npreprocess g\n");
    }

    #[test]
    fn faults_are_reported_at_once() {
        let text = format!("{PROCESS}[[step]]\nname = \"s\"\nhop = \"preproces\"\nplugin = \"gmial\"\n");
        check(
            &text,
            r#"error: `hop` must be "preprocess", "extract" or "process", not "preproces"
 --> pipeline.toml:7:7
  |
7 | hop = "preproces"
  |       ^^^^^^^^^^^
"#,
        );
        let text = format!("{PROCESS}[[step]]\nname = \"s\"\nhop = \"preprocess\"\nplugin = \"gmial\"\n");
        check(
            &text,
            r#"error: there is an earlier step `s`
 --> pipeline.toml:6:8
  |
6 | name = "s"
  |        ^^^

error: unknown plugin `gmial`: there is no gmial.wasm in plugins
 --> pipeline.toml:8:10
  |
8 | plugin = "gmial"
  |          ^^^^^^^
  |
  = help: did you mean `gmail`?
"#,
        );
    }

    #[test]
    fn something_must_decide() {
        check(
            "[[step]]\nname = \"g\"\nhop = \"preprocess\"\nplugin = \"gmail\"\n",
            "error: no step decides what becomes of a message\n--> pipeline.toml\n\
             \x20= help: add a [[step]] with hop = \"process\"\n",
        );
        check("", "error: the file has no `step`\n--> pipeline.toml\n");
    }

    #[test]
    fn rule_files_are_found_by_name() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("st")).unwrap();
        for name in ["20-b.toml", "10-a.toml", ".10-a.toml", "notes.txt"] {
            std::fs::write(dir.path().join("st").join(name), "").unwrap();
        }
        let check = |rules: &str, expect: Result<&[&str], &str>| {
            let text = format!("{PROCESS}rules = \"{rules}\"");
            let source = Source::new(Path::new("pipeline.toml"), &text);
            let mut out = Diagnostics::default();
            let steps = read(&source, Path::new("p"), &["statements".to_owned()], &mut out).unwrap();
            let files = rule_files(dir.path(), &source, &steps[0], &mut out);
            let names: Vec<_> = files.iter().map(|file| file.file_name().unwrap().to_str().unwrap()).collect();
            let errors: Vec<_> =
                out.iter().map(|one| one.to_string().replace(dir.path().to_str().unwrap(), "rules")).collect();
            match expect {
                Ok(expect) => assert_eq!((names.as_slice(), errors.len()), (expect, 0), "{rules}"),
                Err(expect) => assert_eq!(errors, [format!("pipeline.toml:5:9: {expect}")], "{rules}"),
            }
        };
        check("st/*.toml", Ok(&["10-a.toml", "20-b.toml"]));
        check("st/20-b.toml", Ok(&["20-b.toml"]));
        check("st/30-*.toml", Err("there is no rule file rules/st/30-*.toml"));
        check("fields.toml", Err("there is no rule file rules/fields.toml"));
        check("../x.toml", Err("a rule file must lie in the folder of the rules"));
        check("/etc/x.toml", Err("a rule file must lie in the folder of the rules"));
    }
}
