//! Projects of plugins: `mailmill plugin new`, `build` and `test`.
//!
//! A project is a folder that needs nothing of this repository: it brings the contract along, is built with the tools of
//! its language, and names itself in [`MANIFEST`].

mod build;
mod contract;
mod language;
mod template;

pub use build::build;
pub use language::Language;
pub use template::write;

use crate::config::reader::{self, Section, leaves};
use crate::config::schema;
use crate::config::settings::settings;
use crate::diagnostic::{Diagnostics, Source};
use crate::plugin::{Engine, World};
use crate::rules::{Hop, RuleSet, Untested};
use std::path::{Path, PathBuf};

/// The file that makes a folder a project.
pub const MANIFEST: &str = "plugin.toml";
/// The rules that a project's plugin is configured with in its tests.
const RULES: &str = "rules.toml";
/// The folder of the messages that the plugin is tested with.
const CASES: &str = "cases";
/// The folder of the contract.
const WIT: &str = "wit";
/// The contract's file in it.
const CONTRACT: &str = "rules.wit";
/// The longest name of a plugin, in characters.
const NAME_CHARS_MAX: usize = 60;

leaves! {
    Language: "\"rust\", \"js\", \"python\" or \"c\"" => schema::words(Language::ALL.map(Language::name));
    World: "\"preprocessor\", \"extractor\" or \"processor\"" => schema::words(World::ALL.map(World::name));
}

settings! {
    /// What a project says of itself.
    pub struct Manifest {
        /// The plugin's name: its component is `NAME.wasm`.
        name: String => required("\"order\""),
        /// The language it is written in.
        language: Language => required("\"rust\""),
        /// Its world, which says what it can do.
        world: World => required("\"extractor\""),
    }
}

/// Why a project cannot be made or built.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The name is none for a plugin.
    #[error(
        "\"{0}\" is no name for a plugin: at most {NAME_CHARS_MAX} small letters, digits and hyphens, with a letter first"
    )]
    Name(String),
    /// There is something already.
    #[error("there is {} already: nothing was written", .0.display())]
    Exists(PathBuf),
    /// A file cannot be read or written.
    #[error("{}: {error}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
    /// A tool of the language is not there.
    #[error("{tool} does not start: {error}; {help}")]
    Tool {
        /// The program.
        tool: String,
        /// What the system says.
        error: std::io::Error,
        /// How one gets it.
        help: &'static str,
    },
    /// A tool of the language has failed, and has said why.
    #[error("`{command}` ended with {status}: see above{help}")]
    Failed {
        /// The command.
        command: String,
        /// How it ended.
        status: std::process::ExitStatus,
        /// What is often the reason.
        help: &'static str,
    },
    /// The project's copy of the contract cannot be used.
    #[error("the contract {} cannot be used: {reason}", path.display())]
    Contract {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// What was compiled is no component.
    #[error("what was compiled fits no world of the contract: {0}")]
    Component(String),
}

/// A plugin's project.
#[derive(Debug, Clone)]
pub struct Project {
    /// Its folder.
    pub folder: PathBuf,
    /// What it says of itself.
    pub manifest: Manifest,
}

impl Project {
    /// Reads what the project in this folder says of itself.
    ///
    /// # Errors
    /// With everything that is wrong.
    pub fn open(folder: &Path) -> Result<Self, Diagnostics> {
        let mut out = Diagnostics::default();
        let read = Source::read(&folder.join(MANIFEST), &mut out).and_then(|source| {
            let table = reader::parse(&source, &mut out)?;
            let mut section = Section::root(&source, &table);
            let manifest = Manifest::read_section(&mut section, &mut out);
            section.finish(&mut out);
            if let Some(fault) = manifest.as_ref().and_then(|manifest| check_name(&manifest.name).err()) {
                out.push(source.error(0..0, fault.to_string()));
            }
            manifest
        });
        out.or(read).map(|manifest| Self { folder: folder.to_owned(), manifest })
    }

    /// Where its component is built to.
    #[must_use]
    pub fn component(&self) -> PathBuf {
        self.folder.join(format!("{}.wasm", self.manifest.name))
    }

    /// The plugin with its rules and its cases, ready to be tested.
    ///
    /// # Errors
    /// With everything that is wrong with them.
    pub fn load(&self, engine: &Engine) -> Result<Untested, Diagnostics> {
        let Manifest { name, world, .. } = &self.manifest;
        let rules = if self.folder.join(RULES).exists() { format!("rules = \"{RULES}\"\n") } else { String::new() };
        let hop = Hop::of(*world);
        let step = format!("[[step]]\nname = \"{name}\"\nhop = \"{hop}\"\nplugin = \"{name}\"\n{rules}");
        let step = Source::new(&self.folder.join(MANIFEST), &step);
        RuleSet::of_project(&self.folder, &step, self.cases(), engine)
    }

    /// The files with its cases, by name.
    fn cases(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.folder.join(CASES)).into_iter().flatten().flatten();
        let mut files: Vec<_> = entries.map(|entry| entry.path()).collect();
        files.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
        files.sort();
        files
    }
}

fn check_name(name: &str) -> Result<(), Error> {
    let is_fit = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-';
    let is_name = name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.chars().all(is_fit)
        && !name.ends_with('-')
        && !name.contains("--")
        && name.len() <= NAME_CHARS_MAX;
    if is_name { Ok(()) } else { Err(Error::Name(name.to_owned())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_fit_for_files_and_crates() {
        let check = |name: &str, expect: bool| assert_eq!(check_name(name).is_ok(), expect, "{name:?}");
        check("order", true);
        check("order-2", true);
        check(&"a".repeat(NAME_CHARS_MAX), true);
        check(&"a".repeat(NAME_CHARS_MAX + 1), false);
        check("", false);
        check("2-order", false);
        check("order-", false);
        check("order--no", false);
        check("../order", false);
        check("Order", false);
        check("order_no", false);
    }
}
