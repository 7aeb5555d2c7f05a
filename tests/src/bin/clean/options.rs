//! What the command line asks for.

use anyhow::{Context, Result, bail};
use std::path::PathBuf;

/// What is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Output {
    Tables,
    Json,
    Markdown,
}

#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) output: Output,
    /// A missed target is an error.
    pub(crate) check: bool,
    /// Where the cases that fail are written.
    pub(crate) fails: Option<PathBuf>,
    /// Files of public cases.
    pub(crate) cases: Vec<PathBuf>,
}

impl Options {
    pub(crate) fn read(words: impl Iterator<Item = String>) -> Result<Self> {
        let mut options = Self { output: Output::Tables, check: false, fails: None, cases: Vec::new() };
        let mut words = words.peekable();
        while let Some(word) = words.next() {
            match word.as_str() {
                "--json" => options.output = Output::Json,
                "--markdown" => options.output = Output::Markdown,
                "--check" => options.check = true,
                "--fails" => options.fails = Some(words.next().context("--fails needs a file")?.into()),
                "--cases" => {
                    while let Some(file) = words.next_if(|word| !word.starts_with("--")) {
                        options.cases.push(file.into());
                    }
                }
                other => bail!(
                    "unknown option {other}; there are --json, --markdown, --check, --fails FILE and --cases FILE…"
                ),
            }
        }
        Ok(options)
    }
}
