//! Tables of texts per language.

use mailmill_sdk::Host;
use mailmill_sdk::settings::Table;
use mailmill_sdk::text::split_around;

/// The texts of all languages of a table.
#[inline(never)]
pub(crate) fn texts<'a>(table: &Table<'a>) -> Vec<&'a str> {
    let mut texts = Vec::new();
    for language in table.keys() {
        texts.extend(table.texts(language));
    }
    texts
}

/// The pattern that was made of a table.
#[inline(never)]
pub(crate) fn compiled<H: Host>(host: &H, root: &Table<'_>, key: &str, source: &str) -> Option<H::Pattern> {
    host.pattern(source).map_err(|error| root.complain(key, error.reason, None)).ok()
}

/// Adds a text to sorted ones, unless it is among them.
#[inline(never)]
pub(crate) fn insert(sorted: &mut Vec<String>, text: String) {
    if let Err(at) = sorted.binary_search(&text) {
        sorted.insert(at, text);
    }
}

/// Whether a text holds another.
#[inline(never)]
pub(crate) fn holds(text: &str, piece: &str) -> bool {
    piece.len() <= text.len() && split_around(text, piece).is_some()
}
