//! The rule files of one step: several TOML files read as one, and the way back from a key to its place.

use super::languages::{Languages, path_here};
use crate::config::reader;
use crate::diagnostic::{Diagnostic, Diagnostics, Source};
use crate::plugin::capabilities::GivenUp;
use serde_json::{Map, Value as Json};
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeInteger, DeTable, DeValue};

/// The key of a rule file's own tests. Plugins do not see it.
pub(super) const TEST: &str = "test";

/// The rules of one step.
#[derive(Debug, Clone)]
pub(crate) struct RuleFiles {
    /// The files, in order.
    pub(super) sources: Vec<Source>,
    /// The file of the languages, if tables of it were added.
    languages: Option<Source>,
    /// All files as one JSON object, which is what the plugin is configured with. Lists of several files are joined
    /// in the order of the files, tables are merged, dates are RFC 3339 texts.
    pub(crate) rules: Json,
    /// The `[[test]]` tables, in order.
    pub(crate) tests: Vec<OwnTest>,
}

/// A `[[test]]` table of a rule file.
#[derive(Debug, Clone)]
pub(crate) struct OwnTest {
    /// The file it stands in.
    pub(crate) source: Source,
    /// Where.
    pub(crate) span: Range<usize>,
    /// What it says.
    pub(crate) content: Json,
}

impl OwnTest {
    /// Where a key of the test stands; the test itself if it cannot be told.
    pub(crate) fn key_span(&self, key: &str) -> Range<usize> {
        let table = reader::parse(&self.source, &mut Diagnostics::default());
        let found = table.as_ref().and_then(|table| {
            let tests = table.get_ref().get(TEST)?.get_ref().as_array()?;
            let test = tests.iter().find(|test| test.span() == self.span)?.get_ref().as_table()?;
            test.keys().find(|known| known.get_ref() == key).map(Spanned::span)
        });
        found.unwrap_or_else(|| self.span.clone())
    }
}

/// A text in the rules, wherever it stands; not in their tests.
pub(crate) struct Text<'a> {
    source: &'a Source,
    span: Range<usize>,
    /// The keys that lead to it, outermost first; items of lists by their index in their file.
    pub(crate) path: Vec<String>,
    /// What it says.
    pub(crate) text: &'a str,
    /// The texts of the table that it stands in, if it stands in one directly.
    pub(crate) beside: &'a [(String, String)],
}

impl Text<'_> {
    /// Its last key that is no index.
    pub(crate) fn key(&self) -> &str {
        let keys = self.path.iter().rev().filter(|key| key.parse::<usize>().is_err());
        keys.map(String::as_str).next().unwrap_or_default()
    }

    /// A warning about it, at a byte offset of it if that is known.
    pub(crate) fn warning(&self, offset: Option<u32>, reason: impl Into<String>) -> Diagnostic {
        self.source.error(inside(self.source.text(), self.span.clone(), offset), reason).warning()
    }
}

impl RuleFiles {
    /// What the first lines of the first file say, before its first key: its first paragraph, on one line.
    pub(crate) fn summary(&self) -> Option<String> {
        let comment = self.sources.first()?.text().lines().map(str::trim);
        let lines = comment.map_while(|line| line.strip_prefix('#').map(str::trim)).take_while(|line| !line.is_empty());
        let summary = lines.collect::<Vec<_>>().join(" ");
        (!summary.is_empty()).then_some(summary)
    }

    /// Says which rule a pattern belongs to that was given up.
    pub(crate) fn blame(&self, given_up: &GivenUp) -> String {
        let rules = self.rules.as_object().into_iter().flat_map(Map::values).filter_map(Json::as_array).flatten();
        let mut owners = rules.filter(|rule| holds(rule, &given_up.pattern));
        let name = owners.find_map(|rule| rule.get("name")).and_then(Json::as_str);
        let rule = name.map(|name| format!("rule \"{name}\": ")).unwrap_or_default();
        format!("{rule}{given_up}; it counts as finding nothing")
    }

    /// Hands over each text of the rules.
    pub(crate) fn each_text(&self, mut visit: impl FnMut(&Text<'_>)) {
        for source in &self.sources {
            let Some(table) = reader::parse(source, &mut Diagnostics::default()) else { continue };
            for (key, value) in in_order(table.get_ref()).into_iter().filter(|(key, _)| key.get_ref() != TEST) {
                visit_texts(source, value, &mut vec![key.get_ref().to_string()], &[], &mut visit);
            }
        }
    }

    /// Reads the files, given in their order, and adds the tables of the languages that they want. What is wrong with
    /// them as TOML is reported.
    pub(crate) fn read(sources: Vec<Source>, languages: Option<&Languages>, out: &mut Diagnostics) -> Option<Self> {
        let mut rules = Map::new();
        let mut tests = Vec::new();
        let errors_before = out.errors();
        for source in &sources {
            let Some(table) = reader::parse(source, out) else { continue };
            for (key, value) in in_order(table.get_ref()) {
                if key.get_ref() == TEST {
                    tests.extend(own_tests(source, value, out));
                } else {
                    let json = to_json(source, value, out);
                    merge(
                        &mut rules,
                        key.get_ref(),
                        json,
                        &|key| {
                            source.error(value.span(), format!("`{key}` is set in an earlier file of this step too"))
                        },
                        out,
                    );
                }
            }
        }
        if let Some(languages) = languages {
            languages.fill(&mut rules, out);
        }
        let languages = languages.map(|languages| languages.source().clone());
        let unharmed = out.errors() == errors_before;
        unharmed.then_some(Self { sources, languages, rules: Json::Object(rules), tests })
    }

    /// The diagnostic for what a plugin says of its rules: `path` leads to the value, `offset` is a byte offset in it.
    /// A path that leads nowhere means the deepest value on it that exists.
    pub(crate) fn diagnostic(&self, path: &[String], offset: Option<u32>, reason: &str) -> Option<Diagnostic> {
        let mut ignored = Diagnostics::default();
        let mut parse = |source| Some((source, reader::parse(source, &mut ignored)?));
        let own: Vec<_> = self.sources.iter().filter_map(&mut parse).collect();
        let languages: Vec<_> = self.languages.iter().filter_map(&mut parse).collect();
        let (source, found) = walk(roots(&own), path)
            .or_else(|deepest| {
                // The first two keys are the other way round there, so that the ways join behind them.
                let Some(there) = path_here(path) else { return Err(deepest) };
                let (Some(head), Some(rest)) = (path.get(..2), path.get(2..)) else { return Err(deepest) };
                let mut places = walk(roots(&own), head).unwrap_or_default();
                places.extend(walk(roots(&languages), there.get(..2).unwrap_or_default()).unwrap_or_default());
                if places.is_empty() { Err(deepest) } else { Ok(walk(places, rest).unwrap_or_else(|deepest| deepest)) }
            })
            .unwrap_or_else(|deepest| deepest)
            .into_iter()
            .next()?;
        let span = found.span();
        if span.is_empty() {
            return Some(Diagnostic::error(source.path(), reason));
        }
        Some(source.error(inside(source.text(), span, offset), reason))
    }
}

/// Whether a value is that text, or has it in it.
fn holds(value: &Json, text: &str) -> bool {
    match value {
        Json::String(found) => found == text,
        Json::Array(items) => items.iter().any(|item| holds(item, text)),
        Json::Object(entries) => entries.values().any(|entry| holds(entry, text)),
        Json::Null | Json::Bool(_) | Json::Number(_) => false,
    }
}

fn visit_texts(
    source: &Source,
    value: &Spanned<DeValue<'_>>,
    path: &mut Vec<String>,
    beside: &[(String, String)],
    visit: &mut dyn FnMut(&Text<'_>),
) {
    match value.get_ref() {
        DeValue::String(text) => {
            visit(&Text { source, span: value.span(), path: path.clone(), text: text.as_ref(), beside });
        }
        DeValue::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                path.push(index.to_string());
                visit_texts(source, item, path, beside, visit);
                path.pop();
            }
        }
        DeValue::Table(table) => {
            let texts = table
                .iter()
                .filter_map(|(key, value)| Some((key.get_ref().to_string(), value.get_ref().as_str()?.to_owned())));
            let beside: Vec<_> = texts.collect();
            for (key, value) in in_order(table) {
                path.push(key.get_ref().to_string());
                visit_texts(source, value, path, &beside, visit);
                path.pop();
            }
        }
        _ => {}
    }
}

/// A value on the way along a path.
#[derive(Clone)]
enum At<'a, 'i> {
    Table(&'a DeTable<'i>, Range<usize>),
    Value(&'a Spanned<DeValue<'i>>),
}

impl<'a, 'i> At<'a, 'i> {
    fn span(&self) -> Range<usize> {
        match self {
            Self::Table(_, span) => span.clone(),
            Self::Value(value) => value.span(),
        }
    }

    fn key(&self, key: &str) -> Option<Self> {
        let table = match self {
            Self::Table(table, _) => table,
            Self::Value(value) => value.get_ref().as_table()?,
        };
        table.get(key).map(At::Value)
    }

    fn items(&self) -> Option<&'a [Spanned<DeValue<'i>>]> {
        match self {
            Self::Table(..) => None,
            Self::Value(value) => value.get_ref().as_array().map(|array| &**array),
        }
    }
}

/// The places of the same path in several files, in the order of the files.
type Places<'a, 'i> = Vec<(&'a Source, At<'a, 'i>)>;

/// The roots of files.
fn roots<'a, 'i>(files: &'a [(&'a Source, Spanned<DeTable<'i>>)]) -> Places<'a, 'i> {
    files.iter().map(|(source, table)| (*source, At::Table(table.get_ref(), 0..0))).collect()
}

/// All the way along a path; an error with the deepest places on it if it leads nowhere.
fn walk<'a, 'i>(from: Places<'a, 'i>, path: &[String]) -> Result<Places<'a, 'i>, Places<'a, 'i>> {
    path.iter().try_fold(from, |places, key| descend(&places, key).ok_or(places))
}

/// One step along a path; none if it leads nowhere.
fn descend<'a, 'i>(places: &Places<'a, 'i>, key: &str) -> Option<Places<'a, 'i>> {
    let mut next: Places<'a, 'i> = places.iter().filter_map(|(source, at)| Some((*source, at.key(key)?))).collect();
    if let Ok(index) = key.parse::<usize>() {
        let items = places
            .iter()
            .flat_map(|(source, at)| at.items().unwrap_or_default().iter().map(|item| (*source, At::Value(item))));
        next.extend(items.skip(index).take(1));
    }
    (!next.is_empty()).then_some(next)
}

/// The place of byte `offset` of a string that stands at `span`; `span` itself if it cannot be told.
fn inside(text: &str, span: Range<usize>, offset: Option<u32>) -> Range<usize> {
    let (Some(written), Some(offset)) = (text.get(span.clone()), offset) else { return span };
    let quotes = ["'''", "\"\"\"", "'", "\""];
    let Some(quote) = quotes.into_iter().find(|quote| written.starts_with(quote)) else { return span };
    if quote.starts_with('"') && written.contains('\\') {
        return span;
    }
    let mut start = span.start + quote.len();
    if quote.len() == 3 {
        // TOML 1.0: a line end directly after the opening quotes is no part of the string.
        let rest = text.get(start..).unwrap_or_default();
        start += if rest.starts_with("\r\n") { 2 } else { usize::from(rest.starts_with('\n')) };
    }
    let at = start.saturating_add(offset as usize).min(span.end - quote.len());
    at..at + 1
}

/// The entries of a table as they stand in the file.
pub(super) fn in_order<'a, 'i>(
    table: &'a DeTable<'i>,
) -> Vec<(&'a Spanned<toml::de::DeString<'i>>, &'a Spanned<DeValue<'i>>)> {
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    entries
}

fn own_tests(source: &Source, value: &Spanned<DeValue<'_>>, out: &mut Diagnostics) -> Vec<OwnTest> {
    let Some(items) = value.get_ref().as_array() else {
        out.push(source.error(value.span(), "`test` must be a list: write [[test]]"));
        return Vec::new();
    };
    let test = |item: &Spanned<DeValue<'_>>, out: &mut Diagnostics| OwnTest {
        source: source.clone(),
        span: item.span(),
        content: to_json(source, item, out),
    };
    items.iter().map(|item| test(item, out)).collect()
}

/// Adds a value under a key that an earlier file may have, too.
pub(super) fn merge(
    into: &mut Map<String, Json>,
    key: &str,
    value: Json,
    twice: &dyn Fn(&str) -> Diagnostic,
    out: &mut Diagnostics,
) {
    match (into.get_mut(key), value) {
        (None, value) => drop(into.insert(key.to_owned(), value)),
        (Some(Json::Array(before)), Json::Array(items)) => before.extend(items),
        (Some(Json::Object(before)), Json::Object(entries)) => {
            entries.into_iter().for_each(|(key, value)| merge(before, &key, value, twice, out));
        }
        (Some(_), _) => out.push(twice(key)),
    }
}

/// TOML as JSON.
pub(super) fn to_json(source: &Source, value: &Spanned<DeValue<'_>>, out: &mut Diagnostics) -> Json {
    match value.get_ref() {
        DeValue::String(text) => Json::from(&**text),
        DeValue::Integer(number) => integer(number).map_or_else(
            || {
                out.push(source.error(value.span(), "the number does not fit 64 bits"));
                Json::Null
            },
            Json::from,
        ),
        DeValue::Float(number) => {
            let number = number.as_str().parse::<f64>().ok().and_then(serde_json::Number::from_f64);
            number.map_or_else(
                || {
                    out.push(source.error(value.span(), "rules can only hold finite numbers"));
                    Json::Null
                },
                Json::Number,
            )
        }
        DeValue::Boolean(truth) => Json::from(*truth),
        DeValue::Datetime(at) => Json::from(at.to_string()),
        DeValue::Array(items) => items.iter().map(|item| to_json(source, item, out)).collect(),
        DeValue::Table(table) => Json::Object(
            in_order(table)
                .into_iter()
                .map(|(key, value)| (key.get_ref().to_string(), to_json(source, value, out)))
                .collect(),
        ),
    }
}

fn integer(number: &DeInteger<'_>) -> Option<i64> {
    i64::from_str_radix(number.as_str(), number.radix()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn files(texts: &[&str]) -> Result<RuleFiles, String> {
        let sources = texts.iter().enumerate().map(|(n, text)| Source::new(Path::new(&format!("{n}.toml")), text));
        let mut out = Diagnostics::default();
        let files = RuleFiles::read(sources.collect(), None, &mut out);
        out.or(files).map_err(|all| all.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
    }

    #[test]
    fn several_files_are_one_object() {
        let read = files(&[
            "a = 0x1F\n[t]\nx = 1.5\n[[rule]]\nname = 'one'\nsince = 2024-05-01T10:00:00+02:00\n[[test]]\nname = 't1'",
            "[t]\ny = true\n[[rule]]\nname = 'two'\n[[test]]\nname = 't2'",
        ])
        .unwrap();
        let expect = r#"{"a":31,"t":{"x":1.5,"y":true},"rule":[{"name":"one","since":"2024-05-01T10:00:00+02:00"},{"name":"two"}]}"#;
        assert_eq!(read.rules.to_string(), expect);
        let tests: Vec<_> =
            read.tests.iter().map(|test| (test.source.path().to_str().unwrap(), &test.content["name"])).collect();
        assert_eq!(tests, [("0.toml", &Json::from("t1")), ("1.toml", &Json::from("t2"))]);
    }

    #[test]
    fn what_cannot_be_read_is_reported() {
        let check = |texts: &[&str], expect: &str| assert_eq!(files(texts).unwrap_err(), expect);
        check(&["a = 1", "a = 2"], "1.toml:1:5: `a` is set in an earlier file of this step too");
        check(&["a = inf"], "0.toml:1:5: rules can only hold finite numbers");
        check(&["a = 99999999999999999999"], "0.toml:1:5: the number does not fit 64 bits");
        check(&["test = 1"], "0.toml:1:8: `test` must be a list: write [[test]]");
    }

    #[test]
    fn a_path_leads_back_to_its_place() {
        let read = files(&[
            "top = 1\n[[rule]]\npattern = 'a(b'\n",
            "[[rule]]\npattern = '''\nx\ny['''\n[[rule]]\npattern = \"\\\\d(\"\nkinds = ['quote', 'qoute']\n",
        ])
        .unwrap();
        let check = |path: &[&str], offset, expect: &str| {
            let path: Vec<_> = path.iter().map(ToString::to_string).collect();
            assert_eq!(read.diagnostic(&path, offset, "bad").unwrap().to_string(), expect, "{path:?}");
        };
        check(&["rule", "0", "pattern"], Some(1), "0.toml:3:13: bad");
        check(&["rule", "0", "pattern"], None, "0.toml:3:11: bad");
        check(&["rule", "0", "pattern"], Some(900), "0.toml:3:15: bad");
        check(&["rule", "1", "pattern"], Some(3), "1.toml:4:2: bad");
        check(&["rule", "2", "pattern"], Some(2), "1.toml:6:11: bad");
        check(&["rule", "2", "kinds", "1"], Some(0), "1.toml:7:20: bad");
        check(&["rule", "2", "colour"], None, "1.toml:5:1: bad");
        check(&["top"], None, "0.toml:1:7: bad");
        check(&[], None, "0.toml: bad");
    }
}
