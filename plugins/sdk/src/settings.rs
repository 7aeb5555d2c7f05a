//! Reading a plugin's rules, with diagnostics that name the offending key.
//!
//! A rule file arrives as JSON. [`read`] hands its root to a function as a [`Table`], whose readers note whatever is
//! wrong instead of failing at the first fault, so that the author of a rule file sees all faults at once.

use crate::Diagnostic;
pub use crate::json::Json;
use crate::text::joined;
use std::cell::RefCell;

/// The most edits at which a known key is still suggested for an unknown one.
const SUGGESTION_EDITS_MAX: usize = 2;

/// Reads the rules: `build` takes what it needs out of the root table.
///
/// # Errors
/// Everything that is wrong, at once.
pub fn read<T>(rules: &str, build: impl FnOnce(&Table<'_>) -> T) -> Result<T, Vec<Diagnostic>> {
    let value = Json::read(if rules.is_empty() { "{}" } else { rules })
        .map_err(|fault| vec![diagnostic(format!("the rules are not JSON: {fault}"), Vec::new(), None)])?;
    let Json::Table(entries) = &value else {
        return Err(vec![diagnostic("the rules must be a table".to_owned(), Vec::new(), None)]);
    };
    let report = Report::default();
    let built = build(&Table { entries, path: Vec::new(), report: &report });
    let found = report.diagnostics.into_inner();
    if found.is_empty() { Ok(built) } else { Err(found) }
}

#[derive(Default)]
struct Report {
    diagnostics: RefCell<Vec<Diagnostic>>,
}

/// A table of the rules.
pub struct Table<'a> {
    entries: &'a [(String, Json)],
    path: Vec<String>,
    report: &'a Report,
}

impl<'a> Table<'a> {
    /// The path to the table.
    #[must_use]
    pub fn path(&self) -> &[String] {
        &self.path
    }

    /// The keys of the table, in the order of the file.
    pub fn keys(&self) -> impl Iterator<Item = &'a str> {
        self.entries.iter().map(|(key, _)| key.as_str())
    }

    /// The value at `key`, whatever it is.
    #[must_use]
    #[inline(never)]
    pub fn value(&self, key: &str) -> Option<&'a Json> {
        self.entries.iter().find(|(other, _)| other == key).map(|(_, value)| value)
    }

    /// Notes that something is wrong with the table itself.
    #[cold]
    pub fn complain_here(&self, reason: impl Into<String>) {
        self.push(reason.into(), self.path.clone(), None);
    }

    /// Notes that something is wrong with the value of `key`, at a byte offset of it if that is known.
    #[cold]
    pub fn complain(&self, key: &str, reason: impl Into<String>, offset: Option<u32>) {
        self.push(reason.into(), self.path_of(key), offset);
    }

    /// Notes that something is wrong with an item of the list at `key`.
    #[cold]
    pub fn complain_at(&self, key: &str, index: usize, reason: impl Into<String>, offset: Option<u32>) {
        let mut path = self.path_of(key);
        path.push(index.to_string());
        self.push(reason.into(), path, offset);
    }

    /// Complains about every key that is not one of `known`.
    pub fn allow(&self, known: &[&str]) {
        for key in self.keys().filter(|key| !known.contains(key)) {
            self.complain(key, unknown("key", key, known), None);
        }
    }

    /// The text at `key`.
    #[must_use]
    #[inline(never)]
    pub fn text(&self, key: &str) -> Option<&'a str> {
        self.typed(key, "a text", as_text)
    }

    /// The text at `key`, which must be there.
    #[must_use]
    pub fn required_text(&self, key: &str) -> Option<&'a str> {
        if self.value(key).is_none() {
            self.push(format!("the key \"{key}\" is missing"), self.path.clone(), None);
        }
        self.text(key)
    }

    /// The truth value at `key`.
    #[must_use]
    pub fn boolean(&self, key: &str) -> Option<bool> {
        self.typed(key, "true or false", |value| if let Json::Truth(truth) = value { Some(*truth) } else { None })
    }

    /// The count at `key`.
    #[must_use]
    pub fn count(&self, key: &str) -> Option<usize> {
        self.typed(key, "a whole number, not negative", |value| {
            if let Json::Number(number) = value { number.parse().ok() } else { None }
        })
    }

    /// The texts at `key`; empty if there are none.
    #[must_use]
    pub fn texts(&self, key: &str) -> Vec<&'a str> {
        let items = self.typed(key, "a list of texts", as_list).unwrap_or_default();
        let check = |(index, item): (usize, &'a Json)| {
            let text = as_text(item);
            if text.is_none() {
                self.complain_at(key, index, format!("expected a text, found {}", item.kind()), None);
            }
            text
        };
        items.iter().enumerate().filter_map(check).collect()
    }

    /// The table at `key`.
    #[must_use]
    pub fn table(&self, key: &str) -> Option<Table<'a>> {
        let entries = self.typed(key, "a table", as_table)?;
        Some(Table { entries, path: self.path_of(key), report: self.report })
    }

    /// The tables in the list at `key`; empty if there are none.
    #[must_use]
    #[inline(never)]
    pub fn tables(&self, key: &str) -> Vec<Table<'a>> {
        let items = self.typed(key, "a list of tables", as_list).unwrap_or_default();
        let check = |(index, item): (usize, &'a Json)| {
            let Some(entries) = as_table(item) else {
                self.complain_at(key, index, format!("expected a table, found {}", item.kind()), None);
                return None;
            };
            let mut path = self.path_of(key);
            path.push(index.to_string());
            Some(Table { entries, path, report: self.report })
        };
        items.iter().enumerate().filter_map(check).collect()
    }

    fn typed<T>(&self, key: &str, expected: &str, read: impl FnOnce(&'a Json) -> Option<T>) -> Option<T> {
        let value = self.value(key)?;
        let found = read(value);
        if found.is_none() {
            self.complain(key, format!("expected {expected}, found {}", value.kind()), None);
        }
        found
    }

    #[inline(never)]
    fn path_of(&self, key: &str) -> Vec<String> {
        let mut path = self.path.clone();
        path.push(key.to_owned());
        path
    }

    #[cold]
    fn push(&self, reason: String, path: Vec<String>, offset: Option<u32>) {
        self.report.diagnostics.borrow_mut().push(diagnostic(reason, path, offset));
    }
}

fn diagnostic(reason: String, path: Vec<String>, offset: Option<u32>) -> Diagnostic {
    Diagnostic { reason, path, offset }
}

fn as_text(value: &Json) -> Option<&str> {
    if let Json::Text(text) = value { Some(text) } else { None }
}

fn as_list(value: &Json) -> Option<&[Json]> {
    if let Json::List(items) = value { Some(items) } else { None }
}

fn as_table(value: &Json) -> Option<&[(String, Json)]> {
    if let Json::Table(entries) = value { Some(entries) } else { None }
}

/// The known name that `name` was probably meant to be.
#[must_use]
pub fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let (distance, near) = known.map(|known| (edits(name, known), known)).min()?;
    (distance <= SUGGESTION_EDITS_MAX).then_some(near)
}

/// What to say of a `name` that is none of `known`: the one that was probably meant, or else all that there are.
#[must_use]
pub fn unknown(what: &str, name: &str, known: &[&str]) -> String {
    let (hint, names, end) = match nearest(name, known.iter().copied()) {
        Some(near) => ("did you mean \"", near.to_owned(), "\"?"),
        None => ("expected one of ", joined(known, ", "), ""),
    };
    joined(&["unknown ", what, " \"", name, "\": ", hint, &names, end][..], "")
}

/// How many characters to insert, delete or replace to make `b` of `a` (Levenshtein distance).
fn edits(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, left) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut before = i + 1;
        for (cell, right) in row.iter_mut().zip(std::iter::once(None).chain(b.chars().map(Some))) {
            let above = *cell;
            *cell = match right {
                None => before,
                Some(right) => (diagonal + usize::from(left != right)).min(above + 1).min(before + 1),
            };
            diagonal = above;
            before = *cell;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(rules: &str, expect: &[(&str, &str)]) {
        let outcome = read(rules, |root| {
            root.allow(&["rule", "name"]);
            let _ = root.text("name");
            for rule in root.tables("rule") {
                rule.allow(&["pattern", "lines", "any"]);
                let _ = (rule.required_text("pattern"), rule.count("lines"), rule.texts("any"));
            }
        });
        let found = outcome.err().unwrap_or_default();
        let found: Vec<(String, &str)> = found.iter().map(|d| (d.path.join("."), d.reason.as_str())).collect();
        let expect: Vec<(String, &str)> = expect.iter().map(|(path, reason)| ((*path).to_owned(), *reason)).collect();
        assert_eq!(found, expect, "{rules}");
    }

    #[test]
    fn every_fault_is_named_with_its_path() {
        check(r#"{"name": "a", "rule": [{"pattern": "x", "lines": 3, "any": ["a"]}]}"#, &[]);
        check("", &[]);
        check(r#"{"nmae": 1}"#, &[("nmae", "unknown key \"nmae\": did you mean \"name\"?")]);
        check(r#"{"zzzzz": 1}"#, &[("zzzzz", "unknown key \"zzzzz\": expected one of rule, name")]);
        check(
            r#"{"name": 1, "rule": [{"lines": -1, "any": [2]}, 5]}"#,
            &[
                ("name", "expected a text, found a number"),
                ("rule.1", "expected a table, found a number"),
                ("rule.0", "the key \"pattern\" is missing"),
                ("rule.0.lines", "expected a whole number, not negative, found a number"),
                ("rule.0.any.0", "expected a text, found a number"),
            ],
        );
        check("[]", &[("", "the rules must be a table")]);
    }

    #[test]
    fn edits_count_characters() {
        let check = |a, b, expect| assert_eq!(edits(a, b), expect, "{a} {b}");
        check("", "", 0);
        check("abc", "abc", 0);
        check("kitten", "sitting", 3);
        check("", "ab", 2);
    }
}
