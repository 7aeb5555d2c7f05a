//! `mailmill plugin new`: a complete project, with rules, cases and a README.

use super::language::template;
use super::{CASES, CONTRACT, Error, Language, MANIFEST, Manifest, Project, RULES, WIT, check_name, contract};
use crate::plugin::World;
use crate::rules::Hop;
use std::fs;
use std::path::{Path, PathBuf};

/// Writes a project into a new folder.
///
/// # Errors
/// If the name is none for a plugin, the folder exists, or cannot be written.
pub fn write(folder: &Path, name: &str, language: Language, world: World) -> Result<Project, Error> {
    check_name(name)?;
    if folder.exists() {
        return Err(Error::Exists(folder.to_owned()));
    }
    for (path, text) in files(name, language, world) {
        put(&folder.join(path), &text)?;
    }
    let manifest = Manifest { name: name.to_owned(), language, world };
    let project = Project { folder: folder.to_owned(), manifest };
    if language == Language::C {
        contract::write_c_bindings(&project)?;
    }
    Ok(project)
}

pub(super) fn put(path: &Path, content: impl AsRef<[u8]>) -> Result<(), Error> {
    let written = path.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(path, content));
    written.map_err(|error| Error::File { path: path.to_owned(), error })
}

fn files(name: &str, language: Language, world: World) -> Vec<(PathBuf, String)> {
    let (rules, cases) = match world {
        World::Preprocessor => (template!("rules-preprocessor.toml"), template!("cases-preprocessor.toml")),
        World::Extractor => (template!("rules-extractor.toml"), template!("cases-extractor.toml")),
        World::Processor => (template!("rules-processor.toml"), template!("cases-processor.toml")),
    };
    let manifest = format!(
        "# What `mailmill plugin build` and `mailmill plugin test` go by.\n\
         name = \"{name}\"\nlanguage = \"{language}\"\nworld = \"{world}\"\n"
    );
    let mut files = vec![
        (PathBuf::from(MANIFEST), manifest),
        (RULES.into(), rules.to_owned()),
        (Path::new(CASES).join("first.toml"), cases.to_owned()),
        ("README.md".into(), template!("README.md").to_owned()),
        (".gitignore".into(), template!("gitignore").to_owned()),
        (language.source().into(), language.example(world).concat()),
    ];
    files.extend(language.files().iter().map(|(path, text)| (PathBuf::from(path), (*text).to_owned())));
    for (_, text) in &mut files {
        *text = filled(text, name, language, world);
    }
    // The contract has no places to fill.
    files.push((Path::new(WIT).join(CONTRACT), contract::TEXT.to_owned()));
    files
}

fn filled(text: &str, name: &str, language: Language, world: World) -> String {
    let article = if world == World::Extractor { "an" } else { "a" };
    let more_files = match language {
        Language::C => "| `bindings/` | the contract as C, written by `mailmill plugin build` |\n",
        Language::Python => "| `helpers.py` | what any plugin in Python has use for |\n",
        Language::Rust | Language::Js => "",
    };
    let place = match world {
        World::Preprocessor | World::Extractor => "",
        World::Processor => {
            "Steps that decide are asked in the order of the file: put it before the one that decides about the other \
             messages. "
        }
    };
    let places = [
        ("{{name}}", name),
        ("{{world}}", world.name()),
        ("{{article}}", article),
        ("{{hop}}", Hop::of(world).name()),
        ("{{language}}", language.title()),
        ("{{source}}", language.source()),
        ("{{tools}}", language.tools()),
        ("{{ignored}}", language.ignored()),
        ("{{more_files}}", more_files),
        ("{{place}}", place),
    ];
    places.iter().fold(text.to_owned(), |text, (place, value)| text.replace(place, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_is_filled() {
        for language in Language::ALL {
            for world in World::ALL {
                for (path, text) in files("order", language, world) {
                    let left = text.find("{{").map(|at| text[at..].lines().next().unwrap());
                    // A format string of Rust writes a brace so.
                    assert_eq!(left, None, "{language} {world} {}", path.display());
                }
            }
        }
    }
}
