//! Jobs by name.

use crate::config::{Job, job_files};
use crate::diagnostic::suggestion;
use std::path::{Path, PathBuf};

/// There is no job of that name.
#[derive(Debug, thiserror::Error)]
#[error("there is no job \"{name}\" in the folder {}; {help}", folder.display())]
pub struct Unknown {
    name: String,
    folder: PathBuf,
    help: String,
}

/// The file of the job of that name.
///
/// # Errors
/// If there is none; then the error says what may have been meant.
pub fn find(folder: &Path, name: &str) -> Result<PathBuf, Unknown> {
    let files = job_files(folder).unwrap_or_default();
    if let Some(file) = files.iter().find(|file| Job::name_of(file).as_deref() == Some(name)) {
        return Ok(file.clone());
    }
    let names: Vec<String> = files.iter().filter_map(|file| Job::name_of(file)).collect();
    let help = suggestion(name, names.iter().map(String::as_str)).unwrap_or_else(|| match names.as_slice() {
        [] => "it holds no job".to_owned(),
        names => format!("there are: {}", names.join(", ")),
    });
    Err(Unknown { name: name.to_owned(), folder: folder.to_owned(), help })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_name_is_told_with_those_that_are_known() {
        let dir = tempfile::tempdir().unwrap();
        let check = |name: &str, expect: &str| {
            let error = find(dir.path(), name).unwrap_err().to_string();
            assert!(error.ends_with(expect), "{error}");
        };
        check("desk", "; it holds no job");
        std::fs::write(dir.path().join("desk.toml"), "this is read later").unwrap();
        std::fs::write(dir.path().join("sales.toml"), "").unwrap();
        check("dsk", "; did you mean `desk`?");
        check("xyz", "; there are: desk, sales");
        assert_eq!(find(dir.path(), "desk").unwrap(), dir.path().join("desk.toml"));
    }
}
