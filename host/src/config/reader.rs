//! Reading settings out of TOML: everything that is wrong is reported, with its place, and reading goes on.

use super::schema;
use crate::diagnostic::{Diagnostic, Diagnostics, Source, suggestion};
use crate::message::document::{CutKind, CutKinds};
use crate::schedule::Interval;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::num::{NonZeroU64, NonZeroUsize};
use std::ops::Range;
use std::path::{Path, PathBuf};
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

/// The longest piece of a file that is shown inside a sentence, in characters.
const SHOWN_CHARS_MAX: usize = 40;

/// Parses a TOML file. A file that is no TOML is reported, and read as far as it makes sense: not at all.
pub(crate) fn parse<'i>(source: &'i Source, out: &mut Diagnostics) -> Option<Spanned<DeTable<'i>>> {
    let (table, errors) = DeTable::parse_recoverable(source.text());
    // What follows a fault on the same line is most often a consequence of it.
    let mut line_before = None;
    for error in &errors {
        let diagnostic = source.error(error.span().unwrap_or_default(), format!("bad TOML: {}", error.message()));
        let line = diagnostic.position().map(|at| at.line);
        if line != line_before {
            out.push(diagnostic);
        }
        line_before = line;
    }
    errors.is_empty().then_some(table)
}

/// Something that can stand in a settings file.
pub(crate) trait Setting: Sized {
    /// Reads it from the value of key `name`; what is wrong is reported.
    fn read(source: &Source, name: &str, value: &Spanned<DeValue<'_>>, out: &mut Diagnostics) -> Option<Self>;

    /// What it can be, as a JSON Schema. Whatever the reader takes, the schema takes, too; the reader is stricter.
    fn schema() -> Value;
}

/// Reads a value through serde; `expected` says in a few words what it must be.
pub(crate) fn read_value<T: DeserializeOwned>(
    source: &Source,
    name: &str,
    expected: &str,
    value: &Spanned<DeValue<'_>>,
    out: &mut Diagnostics,
) -> Option<T> {
    let read = T::deserialize(ValueDeserializer::from(value.clone()));
    if read.is_err() {
        let found = shown(source, value);
        out.push(source.error(value.span(), format!("`{name}` must be {expected}, not {found}")));
    }
    read.ok()
}

/// A value as a sentence shows it: as written if it is short, else its type.
fn shown(source: &Source, value: &Spanned<DeValue<'_>>) -> String {
    let written = source.text().get(value.span()).unwrap_or_default();
    let is_short = written.chars().count() <= SHOWN_CHARS_MAX && !written.contains('\n');
    let is_scalar = !value.get_ref().is_table() && !value.get_ref().is_array();
    let kind = value.get_ref().type_str();
    let article = if kind.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
    if is_short && is_scalar { written.to_owned() } else { format!("{article} {kind}") }
}

/// Makes settings of types that serde reads, each with a few words that say what it must be, and its schema.
macro_rules! leaves {
    ($($type:ty: $expected:literal => $schema:expr;)*) => {
        $(impl $crate::config::reader::Setting for $type {
            fn read(
                source: &$crate::diagnostic::Source,
                name: &str,
                value: &toml::Spanned<toml::de::DeValue<'_>>,
                out: &mut $crate::diagnostic::Diagnostics,
            ) -> Option<Self> {
                $crate::config::reader::read_value(source, name, $expected, value, out)
            }

            fn schema() -> serde_json::Value {
                $schema
            }
        })*
    };
}
pub(crate) use leaves;

leaves! {
    String: "a string" => schema::text();
    bool: "true or false" => schema::truth();
    u8: "a whole number between 0 and 255" => schema::whole(0, Some(u8::MAX.into()));
    u16: "a whole number between 0 and 65535" => schema::whole(0, Some(u16::MAX.into()));
    u64: "a whole number" => schema::whole(0, None);
    NonZeroU64: "a whole number above 0" => schema::whole(1, None);
    NonZeroUsize: "a whole number above 0" => schema::whole(1, None);
    PathBuf: "a path, as a string" => schema::text();
    Vec<String>: "a list of strings" => schema::list(&schema::text());
    Interval: "an interval such as \"30s\", \"5m\" or \"1h\"" => schema::text();
}

impl<T: Setting> Setting for Option<T> {
    fn read(source: &Source, name: &str, value: &Spanned<DeValue<'_>>, out: &mut Diagnostics) -> Option<Self> {
        T::read(source, name, value, out).map(Some)
    }

    fn schema() -> Value {
        T::schema()
    }
}

impl Setting for CutKinds {
    fn read(source: &Source, name: &str, value: &Spanned<DeValue<'_>>, out: &mut Diagnostics) -> Option<Self> {
        let names: Vec<_> = CutKind::ALL.iter().map(ToString::to_string).collect();
        let quoted: Vec<_> = names.iter().map(|name| format!("\"{name}\"")).collect();
        let wrong: Vec<_> = value.get_ref().as_array().into_iter().flat_map(|words| words.iter()).collect();
        let wrong: Vec<_> = wrong
            .into_iter()
            .filter_map(|word| {
                Some((word, word.get_ref().as_str().filter(|word| !names.iter().any(|name| name == word))?))
            })
            .collect();
        for (place, word) in &wrong {
            let help = suggestion(word, names.iter().map(String::as_str))
                .unwrap_or_else(|| format!("the kinds are {}", quoted.join(", ")));
            out.push(source.error(place.span(), format!("unknown kind of cut \"{word}\" in `{name}`")).help(help));
        }
        if !wrong.is_empty() {
            return None;
        }
        let expected = format!("a list of {}", quoted.join(", "));
        read_value::<Vec<CutKind>>(source, name, &expected, value, out).map(Self::from)
    }

    fn schema() -> Value {
        let names: Vec<_> = CutKind::ALL.iter().map(ToString::to_string).collect();
        schema::list(&schema::words(names.iter().map(String::as_str)))
    }
}

/// An error about the value under `keys` of a file that was read before; the last key may also be a text in a list.
/// What is not there any more is told of the deepest value that is, or of the file as a whole.
pub(crate) fn error_at(path: &Path, keys: &[&str], reason: impl Into<String>) -> Diagnostic {
    let mut ignored = Diagnostics::default();
    let place = Source::read(path, &mut ignored).and_then(|source| {
        let span = span_under(parse(&source, &mut ignored)?.get_ref(), keys)?;
        Some((source, span))
    });
    match place {
        Some((source, span)) => source.error(span, reason),
        None => Diagnostic::error(path, reason),
    }
}

fn span_under(table: &DeTable<'_>, keys: &[&str]) -> Option<Range<usize>> {
    let (first, rest) = keys.split_first()?;
    let mut value = table.get(*first)?;
    for key in rest {
        let below = match value.get_ref() {
            DeValue::Table(table) => table.get(*key),
            DeValue::Array(items) => items.iter().find(|item| item.get_ref().as_str() == Some(*key)),
            _ => None,
        };
        let Some(below) = below else { break };
        value = below;
    }
    Some(value.span())
}

/// A table being read. Keys that nobody asked for are reported by [`Section::finish`].
pub(crate) struct Section<'a, 'i> {
    source: &'a Source,
    name: &'a str,
    table: &'a DeTable<'i>,
    span: Range<usize>,
    known: Vec<&'static str>,
}

impl<'a, 'i> Section<'a, 'i> {
    /// The file as a whole.
    pub(crate) fn root(source: &'a Source, table: &'a Spanned<DeTable<'i>>) -> Self {
        Self { source, name: "", table: table.get_ref(), span: 0..0, known: Vec::new() }
    }

    /// The table that is the value of key `name`; reported if it is none.
    pub(crate) fn of(
        source: &'a Source,
        name: &'a str,
        value: &'a Spanned<DeValue<'i>>,
        out: &mut Diagnostics,
    ) -> Option<Self> {
        let Some(table) = value.get_ref().as_table() else {
            let found = shown(source, value);
            out.push(source.error(value.span(), format!("`{name}` must be a table, not {found}")));
            return None;
        };
        Some(Self { source, name, table, span: value.span(), known: Vec::new() })
    }

    /// The value of a key, which is known from now on.
    pub(crate) fn value(&mut self, key: &'static str) -> Option<&'a Spanned<DeValue<'i>>> {
        self.known.push(key);
        self.table.get(key)
    }

    /// Whether the key is there.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// Where the value of a key stands; the table itself if there is no such key.
    pub(crate) fn span_of(&self, key: &str) -> Range<usize> {
        self.table.get(key).map_or(self.span.clone(), Spanned::span)
    }

    /// Reports something about the value of a key, or about the table if there is no such key.
    pub(crate) fn error(&self, key: &str, reason: impl Into<String>) -> Diagnostic {
        self.source.error(self.span_of(key), reason)
    }

    /// The setting of that key; `absent` if there is no such key, none if it is wrong.
    pub(crate) fn optional<T: Setting>(&mut self, key: &'static str, absent: T, out: &mut Diagnostics) -> Option<T> {
        let source = self.source;
        self.value(key).map_or(Some(absent), |value| T::read(source, key, value, out))
    }

    /// The setting of that key; reported if there is no such key.
    pub(crate) fn required<T: Setting>(&mut self, key: &'static str, out: &mut Diagnostics) -> Option<T> {
        let source = self.source;
        match self.value(key) {
            Some(value) => T::read(source, key, value, out),
            None => {
                out.push(if self.name.is_empty() {
                    Diagnostic::error(source.path(), format!("the file has no `{key}`"))
                } else {
                    source.error(self.span.clone(), format!("`{}` has no `{key}`", self.name))
                });
                None
            }
        }
    }

    /// The group of settings under that key. If there is no such key the group is read from an empty table, so that
    /// its defaults apply and what it cannot do without is reported.
    pub(crate) fn table<T: Setting>(&mut self, key: &'static str, out: &mut Diagnostics) -> Option<T> {
        let source = self.source;
        match self.value(key) {
            Some(value) => T::read(source, key, value, out),
            None => T::read(source, key, &Spanned::new(self.span.clone(), DeValue::Table(DeTable::new())), out),
        }
    }

    /// Reports the keys that nobody asked for.
    pub(crate) fn finish(self, out: &mut Diagnostics) {
        for key in self.table.keys().filter(|key| !self.known.contains(&&**key.get_ref())) {
            let name = key.get_ref();
            let diagnostic = self.source.error(key.span(), format!("unknown key `{name}`"));
            let help = suggestion(name, self.known.iter().copied())
                .unwrap_or_else(|| format!("known here: `{}`", self.known.join("`, `")));
            out.push(diagnostic.help(help));
        }
    }
}
