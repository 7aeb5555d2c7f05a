//! `languages.toml`: how lines look in which language, one block per language.
//!
//! A rule file names the tables that it wants (`find = ["attribution"]`) and gets them with all languages in them, as if
//! it had them itself: `attribution.de` of the rule file is `de.attribution` here. So a language is added in one place.

use super::file::{merge, to_json};
use crate::config::reader;
use crate::diagnostic::{Diagnostics, Source, suggestion};
use serde_json::{Map, Value as Json};
use toml::Spanned;
use toml::de::DeTable;

/// The file, in the folder of the rules.
pub(crate) const FILE: &str = "languages.toml";
/// The tables that a language may have.
const TABLES: [&str; 7] =
    ["attribution", "header-block", "original-ruler", "forward-ruler", "forward-subject", "device-line", "closing"];
/// The key of a rule file that lists the tables that it wants.
const FIND: &str = "find";

/// The tables of all languages.
#[derive(Debug, Clone)]
pub(crate) struct Languages {
    source: Source,
    /// By table, then by language.
    tables: Map<String, Json>,
}

impl Languages {
    /// Reads the file. What its tables hold is checked by the plugins that get them.
    pub(crate) fn read(source: Source, out: &mut Diagnostics) -> Option<Self> {
        let table = reader::parse(&source, out)?;
        let mut tables = Map::new();
        for (language, block) in super::file::in_order(table.get_ref()) {
            let Some(block) = block.get_ref().as_table() else {
                let reason = format!("`{}` is no language: a language is a table, such as [de]", language.get_ref());
                out.push(source.error(language.span(), reason));
                continue;
            };
            add(&source, language.get_ref(), block, &mut tables, out);
        }
        Some(Self { source, tables })
    }

    /// The file.
    pub(crate) fn source(&self) -> &Source {
        &self.source
    }

    /// Adds the tables that `rules` wants found to those that it has itself.
    pub(crate) fn fill(&self, rules: &mut Map<String, Json>, out: &mut Diagnostics) {
        let wanted: Vec<String> =
            rules.get(FIND).and_then(Json::as_array).into_iter().flatten().filter_map(text).collect();
        for name in wanted {
            if let Some(table) = self.tables.get(&name) {
                // Lists are joined and tables merged: only an entry of the wrong kind is a conflict, and of the rule file.
                merge(rules, &name, table.clone(), &|_| self.source.error(0..0, format!("`{name}` is no table")), out);
            }
        }
    }
}

/// The path to what a rule file has at `path`, if it came from here.
pub(crate) fn path_here(path: &[String]) -> Option<Vec<String>> {
    let [table, language, rest @ ..] = path else { return None };
    let mut here = vec![language.clone(), table.clone()];
    here.extend_from_slice(rest);
    TABLES.contains(&table.as_str()).then_some(here)
}

fn text(value: &Json) -> Option<String> {
    value.as_str().map(str::to_owned)
}

/// Adds the block of a language.
fn add(source: &Source, language: &str, block: &DeTable<'_>, tables: &mut Map<String, Json>, out: &mut Diagnostics) {
    for (name, value) in super::file::in_order(block) {
        let known: &Spanned<_> = name;
        if !TABLES.contains(&&**known.get_ref()) {
            let help =
                suggestion(known.get_ref(), TABLES).unwrap_or_else(|| format!("known here: `{}`", TABLES.join("`, `")));
            out.push(
                source.error(known.span(), format!("unknown table `{}` of a language", known.get_ref())).help(help),
            );
            continue;
        }
        let table = tables.entry(known.get_ref().to_string()).or_insert_with(|| Json::Object(Map::new()));
        if let Json::Object(table) = table {
            table.insert(language.to_owned(), to_json(source, value, out));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn languages(text: &str) -> Result<Languages, String> {
        let mut out = Diagnostics::default();
        let read = Languages::read(Source::new(Path::new("languages.toml"), text), &mut out);
        out.or(read).map_err(|all| all.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
    }

    #[test]
    fn a_rule_file_gets_the_tables_that_it_names() {
        let read = languages("[de]\nattribution = ['a']\nclosing = ['b']\n[fr]\nattribution = ['c']").unwrap();
        let check = |rules: &str, expect: &str| {
            let mut rules: Map<String, Json> = serde_json::from_str(rules).unwrap();
            read.fill(&mut rules, &mut Diagnostics::default());
            assert_eq!(Json::Object(rules).to_string(), expect);
        };
        check(r#"{"find":["quoted-lines"]}"#, r#"{"find":["quoted-lines"]}"#);
        check(
            r#"{"find":["attribution"],"attribution":{"de":["own"]}}"#,
            r#"{"find":["attribution"],"attribution":{"de":["own","a"],"fr":["c"]}}"#,
        );
    }

    #[test]
    fn what_is_no_language_is_reported() {
        let check = |text: &str, expect: &str| assert_eq!(languages(text).unwrap_err(), expect);
        check("de = 1", "languages.toml:1:1: `de` is no language: a language is a table, such as [de]");
        check(
            "[de]\natribution = []",
            "languages.toml:2:1: unknown table `atribution` of a language (did you mean `attribution`?)",
        );
    }

    #[test]
    fn a_path_leads_here() {
        let check = |path: &[&str], expect: Option<&str>| {
            let path: Vec<String> = path.iter().map(ToString::to_string).collect();
            assert_eq!(path_here(&path).map(|path| path.join(".")).as_deref(), expect);
        };
        check(&["attribution", "de", "3"], Some("de.attribution.3"));
        check(&["rule", "0", "pattern"], None);
        check(&["attribution"], None);
    }
}
