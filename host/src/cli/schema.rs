//! `mailmill schema`: the JSON Schemas of all files, for editors.

use super::table::table;
use super::{Done, print, print_json};
use crate::schema::Kind;
use anyhow::Context as _;
use clap::Args;
use clap::builder::PossibleValue;
use std::io::Write as _;
use std::path::{Path, PathBuf};

#[derive(Debug, Args)]
#[command(after_help = "\
An editor with the TOML language server taplo (VS Code with Even Better TOML, Helix, Neovim, Zed and others) completes and \
checks all files once this has run in the folder of mailmill.toml:

  mailmill schema --editor

Other programs may want the schemas alone: mailmill schema --write DIR. A file can also say in its first line which one \
it is for: #:schema ../schemas/fields.schema.json")]
pub(super) struct Options {
    /// The file that the schema is of [default: list them]
    kind: Option<Kind>,
    /// Write all schemas to this folder
    #[arg(long, value_name = "DIR", conflicts_with = "kind")]
    write: Option<PathBuf>,
    /// Write all schemas to the folder schemas, and .taplo.toml, which tells editors what they are for
    #[arg(long, conflicts_with_all = ["kind", "write"])]
    editor: bool,
}

/// Where `--editor` puts the schemas.
const FOLDER: &str = "schemas";
/// What taplo reads.
const TAPLO: &str = ".taplo.toml";

impl clap::ValueEnum for Kind {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.name()).help(self.describes()))
    }
}

pub(super) fn run(options: &Options) -> Done {
    if let Some(kind) = options.kind {
        return print_json(&kind.schema());
    }
    if options.editor {
        return set_up_editor();
    }
    let Some(folder) = &options.write else {
        let rows: Vec<Vec<String>> =
            Kind::ALL.iter().map(|kind| vec![kind.name().to_owned(), kind.describes().to_owned()]).collect();
        return print(&table(&["KIND", "OF"], &rows));
    };
    write(folder)?;
    print(&format!("wrote {} schemas to {}\n", Kind::ALL.len(), folder.display()))
}

/// Writes the schemas, and a configuration of taplo unless there is one: that may say more than we know of.
fn set_up_editor() -> Done {
    write(Path::new(FOLDER))?;
    let rules = taplo();
    let said = match std::fs::File::create_new(TAPLO) {
        Ok(mut file) => {
            file.write_all(rules.as_bytes()).with_context(|| format!("cannot write {TAPLO}"))?;
            format!("wrote {TAPLO}: editors with taplo complete and check the files in this folder now\n")
        }
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            let there = std::fs::read_to_string(TAPLO).with_context(|| format!("cannot read {TAPLO}"))?;
            if there.contains(&rules) {
                format!("{TAPLO} names them already\n")
            } else {
                format!("{TAPLO} is there and stays as it is; add to it:\n\n{rules}")
            }
        }
        Err(error) => return Err(anyhow::Error::new(error).context(format!("cannot write {TAPLO}")).into()),
    };
    print(&format!("wrote {} schemas to {FOLDER}\n{said}", Kind::ALL.len()))
}

/// Which file each schema is for, as taplo's configuration says it.
fn taplo() -> String {
    let rule = |kind: &Kind| {
        let (paths, file) = (kind.paths()?, kind.file());
        Some(format!("[[rule]]\ninclude = [\"{paths}\"]\n\n[rule.schema]\npath = \"{FOLDER}/{file}\"\n"))
    };
    Kind::ALL.iter().filter_map(rule).collect::<Vec<_>>().join("\n")
}

fn write(folder: &Path) -> Done {
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    for kind in Kind::ALL {
        let path = folder.join(kind.file());
        let text = serde_json::to_string_pretty(&kind.schema())? + "\n";
        std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}
