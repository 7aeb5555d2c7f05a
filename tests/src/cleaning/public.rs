//! Cases that others wrote, as files of JSON lines. They are no part of the repository.

use super::{Case, Expect};
use anyhow::{Context, Result, bail};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;

/// A line of such a file; what else it says is of no use here.
#[derive(Deserialize)]
struct Line {
    id: String,
    format: String,
    input_text: Option<String>,
    input_html: Option<String>,
    policy: String,
    expected_text: Option<String>,
    #[serde(default)]
    must_contain: Vec<String>,
    #[serde(default)]
    must_not_contain: Vec<String>,
    lang: String,
    client: Option<String>,
    #[serde(default)]
    client_guess: String,
}

/// The cases of a file. In a file whose name begins with `forward`, forwarded messages are cut, too.
///
/// # Errors
/// When it cannot be read.
pub fn public(path: &Path) -> Result<Vec<Case>> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let file = path.file_stem().unwrap_or_default().to_string_lossy();
    let lines = text.lines().filter(|line| !line.trim().is_empty()).enumerate();
    let case = |(at, line): (usize, &str)| {
        let place = || format!("{}, case {}", path.display(), at + 1);
        let line: Line = serde_json::from_str(line).with_context(place)?;
        line.into_case(&file).with_context(place)
    };
    lines.map(case).collect()
}

impl Line {
    fn into_case(self, file: &str) -> Result<Case> {
        let kinds: &[&str] = match (self.policy.as_str(), file.starts_with("forward")) {
            ("quotes", true) => &["quote", "forward"],
            ("quotes", false) => &["quote"],
            ("quotes+sig", false) => &["quote", "signature"],
            ("sig", false) => &["signature"],
            (policy, _) => bail!("unknown policy {policy:?}"),
        };
        let expect = match self.expected_text {
            Some(text) => Expect::Text(text),
            None => Expect::Pieces { kept: self.must_contain, cut: self.must_not_contain },
        };
        Ok(Case {
            file: file.to_owned(),
            name: self.id,
            client: self.client.unwrap_or(self.client_guess),
            language: self.lang,
            html: self.format == "html",
            drop: kinds.iter().map(ToString::to_string).collect(),
            headers: BTreeMap::new(),
            // An HTML case has both; the text is what others were given.
            input: self
                .input_html
                .filter(|html| !html.is_empty())
                .or(self.input_text)
                .context("a case without a body")?,
            expect,
        })
    }
}
