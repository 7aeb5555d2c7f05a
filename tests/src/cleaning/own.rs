//! The cases of `tests/corpus/cleaning`: `[[test]]` tables as in rule files, one file for each client or theme.

use super::{Case, Expect};
use crate::installation::repository;
use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Why cases fail: by file, then by name.
pub type Reasons = BTreeMap<String, BTreeMap<String, String>>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    client: Option<String>,
    language: Option<String>,
    test: Vec<Test>,
}

/// A `[[test]]` table as in a rule file, with client and language if they are not those of its file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Test {
    name: String,
    client: Option<String>,
    language: Option<String>,
    from: Option<String>,
    subject: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    body: Option<String>,
    html: Option<String>,
    #[serde(default = "quotes")]
    drop: Vec<String>,
    expect: String,
}

/// As in rule files: quotes alone.
fn quotes() -> Vec<String> {
    vec!["quote".to_owned()]
}

/// Where the own cases are.
#[must_use]
pub fn directory() -> PathBuf {
    repository().join("tests/corpus/cleaning")
}

/// All own cases, in the order of their files.
///
/// # Errors
/// When a file cannot be read, or two cases of a file have the same name.
pub fn own() -> Result<Vec<Case>> {
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(directory())?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    paths.sort();
    let mut cases: Vec<Case> = Vec::new();
    for path in paths {
        let file = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let File { client, language, test } = read(&path)?;
        for test in test {
            let twice = cases.iter().any(|case| case.file == file && case.name == test.name);
            ensure!(!twice, "{}: two cases are called {:?}", path.display(), test.name);
            let case = test.into_case(&file, client.as_deref(), language.as_deref());
            cases.push(case.with_context(|| path.display().to_string())?);
        }
    }
    Ok(cases)
}

/// Why cases are known to fail.
///
/// # Errors
/// When the file cannot be read.
pub fn reasons() -> Result<Reasons> {
    read(&repository().join("tests/corpus/cleaning-failures.toml"))
}

fn read<T: for<'de> Deserialize<'de>>(path: &Path) -> Result<T> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    toml::from_str(&text).with_context(|| path.display().to_string())
}

impl Test {
    fn into_case(self, file: &str, client: Option<&str>, language: Option<&str>) -> Result<Case> {
        let Self { name, from, subject, mut headers, body, html, .. } = self;
        ensure!(body.is_some() != html.is_some(), "the case {name:?} needs a body or an HTML body");
        headers.extend(from.map(|from| ("From".to_owned(), from)));
        headers.extend(subject.map(|subject| ("Subject".to_owned(), subject)));
        Ok(Case {
            file: file.to_owned(),
            name,
            client: self.client.as_deref().or(client).unwrap_or_default().to_owned(),
            language: self.language.as_deref().or(language).context("a case without a language")?.to_owned(),
            html: html.is_some(),
            drop: self.drop,
            headers,
            input: html.or(body).unwrap_or_default(),
            expect: Expect::Text(self.expect),
        })
    }
}
