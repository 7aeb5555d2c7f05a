//! `mailmill schema`: the JSON Schemas of all files, for editors.

use super::table::table;
use super::{Done, print, print_json};
use crate::schema::Kind;
use anyhow::Context as _;
use clap::Args;
use clap::builder::PossibleValue;
use std::path::PathBuf;

#[derive(Debug, Args)]
#[command(after_help = "\
An editor with a TOML language server completes and checks a file by its schema. Write all of them to a folder \
(mailmill schema --write schemas), and say in the first line of a file which one it is for:

  #:schema ../schemas/fields.schema.json")]
pub(super) struct Options {
    /// The file that the schema is of [default: list them]
    kind: Option<Kind>,
    /// Write all schemas to this folder
    #[arg(long, value_name = "DIR", conflicts_with = "kind")]
    write: Option<PathBuf>,
}

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
    let Some(folder) = &options.write else {
        let rows: Vec<Vec<String>> =
            Kind::ALL.iter().map(|kind| vec![kind.name().to_owned(), kind.describes().to_owned()]).collect();
        return print(&table(&["KIND", "OF"], &rows));
    };
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    for kind in Kind::ALL {
        let path = folder.join(kind.file());
        let text = serde_json::to_string_pretty(&kind.schema())? + "\n";
        std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    print(&format!("wrote {} schemas to {}\n", Kind::ALL.len(), folder.display()))
}
