//! What to take of a text: a group of a pattern, what stands between two texts, characters by their position, or
//! whether a text occurs at all.

use crate::kind::TEXT_CHARS_MAX;
use mailmill_sdk::Host;
use mailmill_sdk::settings::Table;

/// The last character at which a field may start.
const POSITION_MAX: usize = 1_000_000;

/// What to take.
#[derive(Debug)]
pub(crate) enum Method<P> {
    /// All of it.
    Whole,
    /// Groups of a pattern's first match.
    Pattern(P),
    /// The first group of a pattern's first match.
    Between(P),
    /// Whether the pattern matches.
    CheckFor(P),
    /// Characters by their position, counted from 0.
    Position { at: usize, length: usize },
}

/// The method, from the keys that are given: they exclude each other.
pub(crate) fn read<H: Host>(host: &H, table: &Table<'_>) -> Option<Method<H::Pattern>> {
    let has = |key: &str| table.value(key).is_some();
    let ways = [has("pattern"), has("after") || has("before"), has("check_for"), has("at") || has("length")];
    if ways.iter().filter(|way| **way).count() > 1 {
        table.complain_here("take one of `pattern`, `after` and `before`, `check_for`, `at` and `length`");
        return None;
    }
    match ways {
        [true, ..] => pattern(host, table).map(Method::Pattern),
        [_, true, ..] => tags(host, table),
        [_, _, true, _] => check_for(host, table),
        [_, _, _, true] => position(table),
        _ => Some(Method::Whole),
    }
}

/// How a field is found, in words for the report.
pub(crate) fn describe(table: &Table<'_>) -> String {
    let text = |key: &str| table.value(key).and_then(|_| table.text(key));
    let count = |key: &str| table.value(key).and_then(|_| table.count(key));
    match (text("pattern"), text("after"), text("before"), text("check_for")) {
        (Some(pattern), ..) => format!("by `{pattern}`"),
        (_, Some(after), Some(before), _) => format!("between \"{after}\" and \"{before}\""),
        (_, Some(after), None, _) => format!("after \"{after}\""),
        (_, None, Some(before), _) => format!("before \"{before}\""),
        (.., Some(_)) => "looked for".to_owned(),
        _ => match (count("at"), count("length")) {
            (None, None) => "all of it".to_owned(),
            (at, None) => format!("from character {}", at.unwrap_or(0)),
            (at, Some(length)) => format!("characters {} to {}", at.unwrap_or(0), at.unwrap_or(0) + length),
        },
    }
}

pub(crate) fn pattern<H: Host>(host: &H, table: &Table<'_>) -> Option<H::Pattern> {
    match host.pattern(table.text("pattern")?) {
        Ok(pattern) => Some(pattern),
        Err(error) => {
            table.complain("pattern", error.reason, error.offset);
            None
        }
    }
}

/// Between two texts, in any case; without `before`, to the end of the line.
fn tags<H: Host>(host: &H, table: &Table<'_>) -> Option<Method<H::Pattern>> {
    let after = part(table, "after")?;
    let source = match (after.is_empty(), part(table, "before")?) {
        (false, before) if before.is_empty() => format!(r"(?i){after}[ \t]*([^\n]*)"),
        (true, before) => format!(r"(?is)\A(.*?){before}"),
        (false, before) => format!(r"(?is){after}(.*?){before}"),
    };
    compiled(host, table, "after", &source).map(Method::Between)
}

fn check_for<H: Host>(host: &H, table: &Table<'_>) -> Option<Method<H::Pattern>> {
    let source = format!("(?i){}", part(table, "check_for")?);
    compiled(host, table, "check_for", &source).map(Method::CheckFor)
}

/// A text that is looked for literally, as the source of a pattern; empty if the key is not given.
fn part(table: &Table<'_>, key: &str) -> Option<String> {
    if table.value(key).is_none() {
        return Some(String::new());
    }
    let text = table.text(key)?;
    if text.is_empty() {
        table.complain(key, "the text to look for is empty", None);
        return None;
    }
    Some(mailmill_sdk::literal_pattern(text))
}

fn compiled<H: Host>(host: &H, table: &Table<'_>, key: &str, source: &str) -> Option<H::Pattern> {
    host.pattern(source).map_err(|error| table.complain(key, error.reason, None)).ok()
}

fn position<P>(table: &Table<'_>) -> Option<Method<P>> {
    let at = if table.value("at").is_some() { table.count("at")? } else { 0 };
    let length = if table.value("length").is_some() { table.count("length")? } else { TEXT_CHARS_MAX };
    if at > POSITION_MAX {
        table.complain("at", format!("a field starts at most at character {POSITION_MAX}"), None);
    }
    if length == 0 || length > TEXT_CHARS_MAX {
        table.complain("length", format!("a field has 1 to {TEXT_CHARS_MAX} characters"), None);
    }
    Some(Method::Position { at, length })
}

/// Which group of a pattern holds the value: the one named `value`, or else the first, or else the whole match.
pub(crate) fn value_group(groups: &[Option<String>]) -> usize {
    let named = groups.iter().position(|name| name.as_deref() == Some("value"));
    named.unwrap_or(usize::from(groups.len() > 1))
}
