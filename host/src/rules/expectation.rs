//! Rewriting what tests expect, in place: whatever else stands in a rule file stays as it is, byte for byte.
//!
//! The parser says where an expectation stands, and only the pieces of the text that say something else than what was
//! found are replaced. Where they cannot be replaced one by one, the list or table is written anew, unless a comment
//! stands in it.

use super::check::{TestResult, TestRun, plain};
use super::file::{OwnTest, RuleFiles, TEST};
use crate::diagnostic::{Diagnostics, Source};
use serde_json::{Map, Value as Json};
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;
use toml_edit::{Document, Item, TableLike, Value};

/// The key of the expectation in a test.
const EXPECT: &str = "expect";

/// A rule file with other expectations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rewritten {
    /// The file.
    pub path: PathBuf,
    /// Its text as the tests were run.
    pub before: String,
    /// Its new text.
    pub after: String,
    /// How many expectations differ.
    pub expectations: usize,
}

/// An expectation cannot be changed in place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{} line {line}: what the test \"{name}\" expects is written in a form that cannot be changed in place: change it by hand",
    file.display()
)]
pub struct UpdateError {
    /// The file.
    pub file: PathBuf,
    /// The line of the test.
    pub line: usize,
    /// The test.
    pub name: String,
}

/// A piece of a text and what stands in its place.
type Edit = (Range<usize>, String);

pub(super) fn updated(runs: &[TestRun]) -> Result<Vec<Rewritten>, UpdateError> {
    let mut files: BTreeMap<&PathBuf, Vec<(&TestRun, &Json)>> = BTreeMap::new();
    for run in runs {
        if let TestResult::Different { found, .. } = &run.result {
            let tests = files.entry(&run.file).or_default();
            // A file of two steps has its tests run twice.
            if !tests.iter().any(|(other, _)| other.test.span == run.test.span) {
                tests.push((run, found));
            }
        }
    }
    files.into_values().map(|tests| rewritten(&tests)).collect()
}

fn rewritten(tests: &[(&TestRun, &Json)]) -> Result<Rewritten, UpdateError> {
    let mut edits = Vec::new();
    for (run, found) in tests {
        let by_hand = || UpdateError { file: run.file.clone(), line: run.line, name: run.name.clone() };
        let text = run.test.source.text();
        let own = edits_of(text, &run.test.span, found).ok_or_else(by_hand)?;
        // Whatever the form of the file, nothing but the expectation may change.
        if !says(&run.test.source, &applied(text, own.clone()), run, found) {
            return Err(by_hand());
        }
        edits.extend(own);
    }
    let (path, before) = tests.first().map(|(run, _)| (run.file.clone(), run.test.source.text())).unwrap_or_default();
    Ok(Rewritten { path, before: before.to_owned(), after: applied(before, edits), expectations: tests.len() })
}

fn applied(text: &str, mut edits: Vec<Edit>) -> String {
    let mut text = text.to_owned();
    edits.sort_by_key(|(place, _)| std::cmp::Reverse(place.start));
    for (place, written) in edits {
        text.replace_range(place, &written);
    }
    text
}

/// Whether the text says of this test that `found` is expected, and of all else what it said before.
fn says(source: &Source, text: &str, run: &TestRun, found: &Json) -> bool {
    let read = |source| RuleFiles::read(vec![source], None, &mut Diagnostics::default());
    let (Some(before), Some(after)) = (read(source.clone()), read(Source::new(source.path(), text))) else {
        return false;
    };
    let same = |(one, other): (&OwnTest, &OwnTest)| {
        if one.span != run.test.span {
            return one.content == other.content;
        }
        let Some(expect) = other.content.get(EXPECT) else { return false };
        let mut expected = one.content.clone();
        expected.as_object_mut().map(|test| test.insert(EXPECT.to_owned(), expect.clone()));
        expected == other.content && means(expect, found)
    };
    before.rules == after.rules
        && before.tests.len() == after.tests.len()
        && before.tests.iter().zip(&after.tests).all(same)
}

/// Whether an expectation says this, as tests compare.
fn means(expect: &Json, found: &Json) -> bool {
    match (expect, found) {
        (Json::Object(one), Json::Object(other)) => {
            one.len() == other.len()
                && other.iter().all(|(key, value)| one.get(key).is_some_and(|one| plain(one) == plain(value)))
        }
        (Json::Array(one), Json::Array(other)) => {
            one.len() == other.len()
                && one.iter().zip(other).all(|(one, other)| {
                    means(one, other) || verb_of(one) == verb_of(other) && arguments(one) == arguments(other)
                })
        }
        (one, other) => plain(one).trim() == plain(other).trim(),
    }
}

fn verb_of(action: &Json) -> Option<&str> {
    action.as_str().or_else(|| action.get("do")?.as_str())
}

fn arguments(action: &Json) -> BTreeMap<&str, String> {
    let table = action.as_object().into_iter().flatten().filter(|(key, _)| *key != "do");
    table.map(|(key, value)| (key.as_str(), plain(value))).collect()
}

/// What is to be changed in the text so that the test at this place expects what was found; none if that cannot be done.
fn edits_of(text: &str, test: &Range<usize>, found: &Json) -> Option<Vec<Edit>> {
    let document = Document::parse(text).ok()?;
    let expect = match document.get(TEST)? {
        Item::ArrayOfTables(tests) => {
            tests.iter().find(|one| one.span().is_some_and(|span| span.start == test.start))?.get(EXPECT)?
        }
        Item::Value(Value::Array(tests)) => {
            let test = tests.iter().find(|one| one.span().is_some_and(|span| span.start == test.start))?;
            return value_edits(text, test.as_inline_table()?.get(EXPECT)?, found);
        }
        _ => return None,
    };
    match expect {
        Item::Value(value) => value_edits(text, value, found),
        // Its keys stand on lines of their own: none can be added or taken away in place.
        Item::Table(table) => entries(text, table, found.as_object()?),
        Item::ArrayOfTables(_) | Item::None => None,
    }
}

fn value_edits(text: &str, value: &Value, found: &Json) -> Option<Vec<Edit>> {
    let place = value.span()?;
    match (value, found) {
        (Value::InlineTable(table), Json::Object(wanted)) => {
            entries(text, table, wanted).or_else(|| anew(text, place, inline_table(wanted)))
        }
        (Value::Array(list), Json::Array(wanted)) => {
            let each = || {
                let pairs = list.iter().zip(wanted);
                let edits = pairs.map(|(item, wanted)| value_edits(text, item, wanted)).collect::<Option<Vec<_>>>()?;
                Some(edits.concat())
            };
            let each = if list.len() == wanted.len() { each() } else { None };
            each.or_else(|| {
                anew(text, place, format!("[{}]", wanted.iter().map(written).collect::<Vec<_>>().join(", ")))
            })
        }
        (Value::String(said), Json::String(wanted)) => {
            let is_same = said.value().trim() == wanted.trim();
            let edit = || (place.clone(), string_like(text.get(place.clone()).unwrap_or_default(), wanted));
            Some(if is_same { Vec::new() } else { vec![edit()] })
        }
        (said, Json::String(wanted)) if said.is_integer() || said.is_bool() || said.is_float() => {
            let is_same = text.get(place.clone())?.trim() == wanted;
            Some(if is_same { Vec::new() } else { vec![(place, quoted(wanted))] })
        }
        (_, wanted) => {
            // A number or a truth, in quotes or not: it is compared as it is written.
            let said = value.as_str().unwrap_or_else(|| text.get(place.clone()).unwrap_or_default().trim());
            Some(if said == plain(wanted) { Vec::new() } else { vec![(place, written(wanted))] })
        }
    }
}

/// The edits of a table whose keys are those that are wanted; none if they are others.
fn entries(text: &str, table: &dyn TableLike, wanted: &Map<String, Json>) -> Option<Vec<Edit>> {
    if table.len() != wanted.len() {
        return None;
    }
    let edits = wanted.iter().map(|(key, wanted)| value_edits(text, table.get(key)?.as_value()?, wanted));
    Some(edits.collect::<Option<Vec<_>>>()?.concat())
}

/// Another list or table in this place; none if a comment would be lost.
fn anew(text: &str, place: Range<usize>, written: String) -> Option<Vec<Edit>> {
    let before = text.get(place.clone())?;
    (!before.contains('#')).then(|| vec![(place, written)])
}

fn written(value: &Json) -> String {
    match value {
        Json::String(text) => quoted(text),
        Json::Object(table) => inline_table(table),
        other => other.to_string(),
    }
}

fn inline_table(table: &Map<String, Json>) -> String {
    if table.is_empty() {
        return "{}".to_owned();
    }
    let entry = |(key, value): (&String, &Json)| format!("{} = {}", toml_edit::Key::new(key), written(value));
    // The verb comes first, as people write it.
    let (verb, others): (Vec<_>, Vec<_>) = table.iter().partition(|(key, _)| *key == "do");
    let entries: Vec<String> = verb.into_iter().chain(others).map(entry).collect();
    format!("{{ {} }}", entries.join(", "))
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string().trim().to_owned()
}

/// A text, written as another was: on several lines between the same quotes where it can be.
fn string_like(before: &str, wanted: &str) -> String {
    let has_control = wanted.chars().any(|char| char.is_control() && !matches!(char, '\n' | '\t'));
    let line_end = if before.contains("\r\n") { "\r\n" } else { "\n" };
    let body = |text: &str| format!("{line_end}{}{line_end}", text.replace('\n', line_end));
    let one_line = !wanted.contains('\n');
    if before.starts_with("'''") && !has_control && !wanted.contains("'''") {
        return format!("'''{}'''", body(wanted));
    }
    if before.starts_with("\"\"\"") || (!one_line && !before.starts_with("'''")) {
        let escaped: String = wanted.chars().map(escaped).collect();
        return format!("\"\"\"{}\"\"\"", body(&escaped));
    }
    if before.starts_with('\'') && one_line && !has_control && !wanted.contains('\'') {
        return format!("'{wanted}'");
    }
    quoted(wanted)
}

/// A character between three quotation marks (TOML 1.0, strings).
fn escaped(char: char) -> String {
    match char {
        '\\' => "\\\\".to_owned(),
        '"' => "\\\"".to_owned(),
        '\n' | '\t' => char.to_string(),
        control if control.is_control() => format!("\\u{:04X}", u32::from(control)),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    /// The text after the expectation of its only test has become what was found; none if it cannot be changed.
    fn update(text: &str, found: &Json) -> Option<String> {
        let source = Source::new(Path::new("a.toml"), text);
        let files = RuleFiles::read(vec![source.clone()], None, &mut Diagnostics::default()).unwrap();
        let test = files.tests.into_iter().next().unwrap();
        let result = TestResult::Different { difference: String::new(), found: found.clone() };
        let run = TestRun {
            file: "a.toml".into(),
            line: 1,
            step: "a".into(),
            name: "n".into(),
            result,
            log: Vec::new(),
            reached: super::super::coverage::Reached::default(),
            test,
        };
        updated(&[run]).ok().map(|files| files.into_iter().next().unwrap().after)
    }

    fn check(expect: &str, found: Json, updated: &str) {
        let text = |expect: &str| format!("# Head\n[[test]]\nname = 'n' # why\nexpect = {expect} # end\n\n# Tail\n");
        assert_eq!(update(&text(expect), &found), Some(text(updated)), "{expect}");
    }

    #[test]
    fn texts_keep_their_form() {
        check("'''\na\n'''", "b\n\nc".into(), "'''\nb\n\nc\n'''");
        check("'''\na\n'''", "it's '''".into(), "\"it's '''\"");
        check("\"\"\"\na\n\"\"\"", "b \\ \"c\"".into(), "\"\"\"\nb \\\\ \\\"c\\\"\n\"\"\"");
        check("'a'", "b".into(), "'b'");
        check("'a'", "b\nc".into(), "\"\"\"\nb\nc\n\"\"\"");
        check("\"a\"", "Zürich \u{7}".into(), "\"Zürich \\u0007\"");
    }

    #[test]
    fn fields_change_one_by_one() {
        let found = serde_json::json!({ "a": 2, "b": "x" });
        check("{ a = 1, b  =  'x' }", found.clone(), "{ a = 2, b  =  'x' }");
        check("{ a = '2', b = 'y' }", found.clone(), "{ a = '2', b = 'x' }");
        check("{ a = 1 }", found.clone(), "{ a = 2, b = \"x\" }");
        check("{ a = 1, b = 'x', c = 3 }", found.clone(), "{ a = 2, b = \"x\" }");
        check("{ a = 1 }", serde_json::json!({}), "{}");
        let table = |a: u8| format!("[[test]]\nname = 'n'\n[test.expect]\n# One.\na = {a}\nb = 'x'\n");
        assert_eq!(update(&table(1), &found), Some(table(2)));
        assert_eq!(
            update("[[test]]\nname = 'n'\n[test.expect]\na = 1\n", &found),
            None,
            "a key would have to be added"
        );
    }

    #[test]
    fn actions_change_one_by_one() {
        let found = serde_json::json!(["comment", { "do": "set-status", "status": "open" }]);
        let form = "[\n  \"comment\", # first\n  { do = \"set-status\", status = \"STATUS\" },\n]";
        check(&form.replace("STATUS", "new"), found.clone(), &form.replace("STATUS", "open"));
        check("['ignore']", found.clone(), "[\"comment\", { do = \"set-status\", status = \"open\" }]");
        check("[]", serde_json::json!(["ignore"]), "[\"ignore\"]");
        check("[{ do = 'comment' }]", serde_json::json!([{ "do": "ignore" }]), "[{ do = 'ignore' }]");
        let with_comment = "[[test]]\nname = 'n'\nexpect = [\n 'ignore', # a comment\n]\n";
        assert_eq!(update(with_comment, &found), None);
    }

    proptest::proptest! {
        /// What a message says ends up in a file of rules when expectations are rewritten: it stays one text there, whatever it is.
        #[test]
        fn a_text_stays_one_text(
            wanted in r#"(.|\n|\r|'''|"""|\\|\[\[test\]\]\nname = 'x'\n){0,12}"#,
            form in 0..5_usize,
        ) {
            let forms = ["'a'", "\"a\"", "'''\na\n'''", "\"\"\"\na\n\"\"\"", "{ a = 'x' }"];
            let form = forms.get(form).copied().unwrap_or_default();
            let is_table = form.starts_with('{');
            let found = if is_table { serde_json::json!({ "a": wanted }) } else { Json::from(wanted.as_str()) };
            if let Some(after) = update(&format!("[[test]]\nname = 'n'\nexpect = {form}\n"), &found) {
                let read: toml::Table = after.parse().unwrap();
                let tests = read["test"].as_array().unwrap();
                let test = tests[0].as_table().unwrap();
                proptest::prop_assert_eq!((read.len(), tests.len(), test.len(), test["name"].as_str()), (1, 1, 2, Some("n")));
                let said = test["expect"].get("a").unwrap_or(&test["expect"]).as_str().unwrap();
                let bare = |text: &str| text.split_whitespace().collect::<String>();
                proptest::prop_assert_eq!(bare(said), bare(&wanted));
            }
        }
    }
}
