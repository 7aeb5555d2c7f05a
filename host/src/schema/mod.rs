//! JSON Schemas of all files that people write, for editors, and of what the program prints for programs.
//!
//! Those of settings are made from the declarations of the settings; actions come from the table of verbs. What the shipped
//! plugins read is described in `rules`, and held to the shipped files by a test.

mod page;
mod report;
mod rules;

use crate::config::reader::Setting;
use crate::config::schema::document;
use crate::config::{Config, Job};
use crate::project::Manifest;
use serde_json::Value;

/// The end of the name of a schema's file.
const SUFFIX: &str = ".schema.json";

/// What a schema is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `mailmill.toml`.
    Settings,
    /// `jobs/NAME.toml`.
    Job,
    /// `pipeline.toml`.
    Pipeline,
    /// `preprocess/NAME.toml`: rules of the plugin `reply`.
    Preprocess,
    /// `languages.toml`.
    Languages,
    /// `fields.toml`: rules of the plugin `fields`.
    Fields,
    /// `statements/NAME.toml`: rules of the plugin `statements`.
    Statements,
    /// `classes.toml`.
    Classes,
    /// `cases/NAME.toml` of a plugin's project.
    Cases,
    /// `plugin.toml` of a plugin's project.
    Plugin,
    /// The report that `mailmill try --json` and `mailmill log show --json` print.
    Report,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 11] = [
        Self::Settings,
        Self::Job,
        Self::Pipeline,
        Self::Preprocess,
        Self::Languages,
        Self::Fields,
        Self::Statements,
        Self::Classes,
        Self::Cases,
        Self::Plugin,
        Self::Report,
    ];

    /// Its name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Settings => "settings",
            Self::Job => "job",
            Self::Pipeline => "pipeline",
            Self::Preprocess => "preprocess",
            Self::Languages => "languages",
            Self::Fields => "fields",
            Self::Statements => "statements",
            Self::Classes => "classes",
            Self::Cases => "cases",
            Self::Plugin => "plugin",
            Self::Report => "report",
        }
    }

    /// The file that the schema is written to.
    #[must_use]
    pub fn file(self) -> String {
        format!("{}{SUFFIX}", self.name())
    }

    /// What it describes, in a few words.
    #[must_use]
    pub fn describes(self) -> &'static str {
        match self {
            Self::Settings => "mailmill.toml: the settings of an installation",
            Self::Job => "jobs/NAME.toml: one account, and what is done with its mail",
            Self::Pipeline => "pipeline.toml: the steps that a message goes through",
            Self::Preprocess => "preprocess/NAME.toml: what is cut from bodies (the plugin `reply`)",
            Self::Languages => "languages.toml: how lines around quotes look in which language",
            Self::Fields => "fields.toml: the fields taken out of messages (the plugin `fields`)",
            Self::Statements => "statements/NAME.toml: what becomes of messages (the plugin `statements`)",
            Self::Classes => "classes.toml: the classes of tickets, and the life that each leads",
            Self::Cases => "cases/NAME.toml of a plugin's project: messages, and what the plugin makes of them",
            Self::Plugin => "plugin.toml: what a plugin's project says of itself",
            Self::Report => "the report of one message, as `try --json` and `log show --json` print it",
        }
    }

    /// Which files it describes, as patterns of paths below the folder of `mailmill.toml`; none if it is of no file.
    #[must_use]
    pub fn paths(self) -> Option<&'static str> {
        match self {
            Self::Settings => Some("mailmill.toml"),
            Self::Job => Some("**/jobs/*.toml"),
            Self::Pipeline => Some("**/pipeline.toml"),
            Self::Preprocess => Some("**/preprocess/*.toml"),
            Self::Languages => Some("**/languages.toml"),
            Self::Fields => Some("**/fields.toml"),
            Self::Statements => Some("**/statements/*.toml"),
            Self::Classes => Some("**/classes.toml"),
            Self::Cases => Some("**/cases/*.toml"),
            Self::Plugin => Some("**/plugin.toml"),
            Self::Report => None,
        }
    }

    /// The kind of the rule files of a shipped plugin.
    #[must_use]
    pub fn of_rules_for(plugin: &str) -> Option<Self> {
        match plugin {
            "reply" => Some(Self::Preprocess),
            "fields" => Some(Self::Fields),
            "statements" => Some(Self::Statements),
            _ => None,
        }
    }

    /// The schema.
    #[must_use]
    pub fn schema(self) -> Value {
        let schema = match self {
            Self::Settings => Config::schema(),
            Self::Job => Job::schema(),
            Self::Pipeline => crate::rules::pipeline::schema(),
            Self::Preprocess => rules::preprocess(),
            Self::Languages => rules::languages(),
            Self::Fields => rules::fields(),
            Self::Statements => rules::statements(),
            Self::Classes => rules::classes(),
            Self::Cases => rules::cases(),
            Self::Plugin => Manifest::schema(),
            Self::Report => report::schema(),
        };
        document(&format!("mailmill: {}", self.name()), self.describes(), schema)
    }
}
