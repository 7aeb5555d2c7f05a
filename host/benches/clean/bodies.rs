//! The bodies that are cleaned.

use anyhow::{Context, Result};
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// A body.
pub(crate) struct Body {
    pub(crate) html: bool,
    pub(crate) source: String,
}

/// What a file of own cases says of bodies.
#[derive(Deserialize)]
struct File {
    test: Vec<Test>,
}

#[derive(Deserialize)]
struct Test {
    body: Option<String>,
    html: Option<String>,
}

/// What a line of a file of public cases says of its body.
#[derive(Deserialize)]
struct Line {
    input_text: Option<String>,
    input_html: Option<String>,
}

/// The bodies of the own cases.
pub(crate) fn own(folder: &Path) -> Result<Vec<Body>> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    paths.sort();
    let mut bodies = Vec::new();
    for path in paths {
        let file: File =
            toml::from_str(&std::fs::read_to_string(&path)?).with_context(|| path.display().to_string())?;
        bodies.extend(file.test.into_iter().filter_map(|test| body(test.html, test.body)));
    }
    Ok(bodies)
}

/// The bodies of files of public cases.
pub(crate) fn public(paths: &[PathBuf]) -> Result<Vec<Body>> {
    let mut bodies = Vec::new();
    for path in paths {
        let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            let line: Line = serde_json::from_str(line).with_context(|| path.display().to_string())?;
            bodies.extend(body(line.input_html, line.input_text));
        }
    }
    Ok(bodies)
}

fn body(html: Option<String>, text: Option<String>) -> Option<Body> {
    let html = html.filter(|html| !html.is_empty()).map(|source| Body { html: true, source });
    html.or(text.map(|source| Body { html: false, source }))
}

/// Bodies that are made to be slow.
pub(crate) fn hostile() -> Vec<(&'static str, Body)> {
    const MEGABYTE: usize = 1 << 20;
    const DEPTH: usize = 100_000;
    let text = |piece: &str, bytes: usize| Body { html: false, source: piece.repeat(bytes / piece.len()) };
    let nested = |open: &str, close: &str| Body {
        html: true,
        source: format!("{}x{}", open.repeat(DEPTH), close.repeat(DEPTH)),
    };
    vec![
        ("1 MB of lines \"On \"", text("On \n", MEGABYTE)),
        ("1 MB of \"On \" on one line", text("On ", MEGABYTE)),
        ("1 MB of lines \">\"", text(">\n", MEGABYTE)),
        ("1 MB of \">\" on one line", text(">", MEGABYTE)),
        ("1 MB of lines \"From: a\"", text("From: a\n", MEGABYTE)),
        ("1 MB of lines \"a wrote:\"", text("a wrote:\n", MEGABYTE)),
        ("100,000 nested div", nested("<div>", "</div>")),
        ("100,000 nested blockquote", nested("<blockquote type=\"cite\">", "</blockquote>")),
        ("a line of 10 MB", text("lorem ipsum ", 10 * MEGABYTE)),
    ]
}
