//! Cases of cleaning: bodies, what should be left of them, and how an answer is judged.
//!
//! [`own`] are those of `tests/corpus/cleaning`, [`public`] those of a file of JSON lines. [`answers`] asks the real
//! program (`mailmill clean`) about them.

mod judge;
mod own;
mod public;
#[cfg(test)]
mod tests;

use crate::Installation;
use anyhow::{Context, Result, ensure};
use serde_json::json;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

pub use judge::{Verdict, judge};
pub use own::{Reasons, directory, own, reasons};
pub use public::public;

/// A body, and what should be left of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    /// The file it stands in, without its ending.
    pub file: String,
    /// What it shows; unique in its file.
    pub name: String,
    /// The mail client that wrote it; empty if none in particular.
    pub client: String,
    /// The language of the client, as in RFC 5646.
    pub language: String,
    /// Whether the body is HTML.
    pub html: bool,
    /// The kinds that are cut.
    pub drop: Vec<String>,
    /// Header fields of the message.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub input: String,
    /// What should be left.
    pub expect: Expect,
}

/// What should be left of a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expect {
    /// This text.
    Text(String),
    /// A text with all of some pieces and none of others.
    Pieces {
        /// Those that must be in it.
        kept: Vec<String>,
        /// Those that must not.
        cut: Vec<String>,
    },
}

impl Case {
    /// What is cut, in a word.
    #[must_use]
    pub fn policy(&self) -> String {
        match self.drop.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
            ["quote"] => "quotes".to_owned(),
            ["signature"] => "signatures".to_owned(),
            ["quote", "signature"] => "quotes and signatures".to_owned(),
            ["quote", "forward"] => "quotes and forwards".to_owned(),
            _ => "other kinds".to_owned(),
        }
    }

    /// Whether it is a message over a forwarded one that is to be cut.
    #[must_use]
    pub fn cuts_forward(&self) -> bool {
        self.drop.iter().any(|kind| kind == "forward")
    }

    fn request(&self) -> serde_json::Value {
        let format = if self.html { "html" } else { "text" };
        json!({ "id": self.name, "format": format, "input": self.input, "drop": self.drop, "headers": self.headers })
    }
}

/// What `mailmill clean` makes of the cases, in their order, and how long the program ran.
///
/// # Errors
/// When the program cannot be run, or does not answer each case.
pub fn answers(installation: &Installation, cases: &[Case]) -> Result<(Vec<String>, Duration)> {
    let requests: String = cases.iter().map(|case| format!("{}\n", case.request())).collect();
    let start = Instant::now();
    let run = installation.mailmill_fed(&["clean"], &requests)?.success()?;
    let time = start.elapsed();
    let output = |line: &str| -> Result<String> {
        let answer: serde_json::Value = serde_json::from_str(line)?;
        let output = answer.get("output").and_then(serde_json::Value::as_str);
        Ok(output.with_context(|| format!("an answer without output: {line}"))?.to_owned())
    };
    let outputs = run.stdout.lines().map(output).collect::<Result<Vec<_>>>()?;
    ensure!(outputs.len() == cases.len(), "{} cases, but {} answers", cases.len(), outputs.len());
    Ok((outputs, time))
}
