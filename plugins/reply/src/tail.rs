//! Tails: what stands at the end of a message and is no part of it, such as a signature.

use crate::cuts::Cuts;
use crate::lines::{Lines, is_space, lower_words, offset};
use crate::pattern;
use crate::table;
use mailmill_sdk::settings::Table;
use mailmill_sdk::{CutKind, Field, Host};

/// How many lines a tail may have if the rule does not say.
pub(crate) const LINES_DEFAULT: usize = 12;
/// The longest line of a tail, in characters, if the rule does not say: prose is longer.
pub(crate) const WIDTH_DEFAULT: usize = 120;
/// How many lines may follow a closing such as `Kind regards`.
const CLOSING_LINES_MAX: usize = 5;
/// The longest of those, in characters.
const CLOSING_CHARS_MAX: usize = 60;
/// The longest closing, in bytes.
const CLOSING_BYTES_MAX: usize = 120;
/// What stands around a closing on its line, as a pattern.
const FRAME: &str = r"[ \t\x{a0}\x{200b}*,.!，。、]*";
/// How many lines that are a closing are looked at.
const HITS_MAX: u32 = 1_000;

/// Whether all from line `from` on is at most so many lines that are not blank, each of at most so many characters.
pub(crate) fn is_tail(lines: &Lines<'_>, from: usize, lines_max: usize, chars_max: usize) -> bool {
    let mut visible = lines.from(from).filter(|line| !line.is_blank());
    let fitting = visible
        .by_ref()
        .take(lines_max)
        .all(|line| line.text.chars().nth(chars_max).is_none() && !is_content(line.text));
    fitting && visible.next().is_none()
}

/// Whether a line is an item of a list or a line of code: nobody signs with these.
fn is_content(text: &str) -> bool {
    text.starts_with("    ") || text.starts_with(['\t', '{', '}']) || text.starts_with("- ") || text.starts_with("* ")
}

/// A closing without what stands around it, in lower case.
fn key(text: &str) -> String {
    let is_frame = |c: char| is_space(c) || matches!(c, ',' | '.' | '!' | '*' | '，' | '。' | '、');
    lower_words(text.trim_matches(is_frame))
}

/// Whether a line starts with the same dashes as the one above it, and says something: an item of a list.
pub(crate) fn is_item(lines: &Lines<'_>, line: usize) -> bool {
    let dashes = |line: usize| {
        let text = lines.get(line)?.text.trim();
        let rest = text.trim_start_matches(['-', '–', '—']);
        (!rest.is_empty() && rest.len() < text.len()).then_some(text.len() - rest.len())
    };
    dashes(line).is_some() && line.checked_sub(1).and_then(dashes) == dashes(line)
}

/// The closings of a rule file: `Kind regards` and what people write below it.
pub(crate) struct Closings<H: Host> {
    /// Matches lines that are one.
    pattern: H::Pattern,
    /// All of them, sorted.
    texts: Vec<String>,
}

impl<H: Host> Closings<H> {
    /// Reads the table `closing`: texts per language.
    pub(crate) fn read(host: &H, root: &Table<'_>) -> Option<Self> {
        let table = root.table("closing")?;
        let mut texts = Vec::new();
        for text in table::texts(&table) {
            table::insert(&mut texts, key(text));
        }
        let words: Vec<&str> = texts.iter().map(String::as_str).collect();
        let source = format!("(?im)^{FRAME}(?:{}){FRAME}$", pattern::any_on_line(&words));
        Some(Self { pattern: table::compiled(host, root, "closing", &source)?, texts })
    }

    /// Matches every closing.
    pub(crate) fn pattern(&self) -> &H::Pattern {
        &self.pattern
    }

    /// Cuts the first closing that is one, and all below it.
    pub(crate) fn cut(&self, cuts: &mut Cuts<'_, H>) {
        if let Some(line) = self.find(cuts.host, &cuts.lines) {
            let at = cuts.lines.span_from(line);
            cuts.cut(at, CutKind::Signature, "closing");
        }
    }

    /// The line of the first closing below which there is a name, or a few short lines at most. Nobody starts with it.
    fn find(&self, host: &H, lines: &Lines<'_>) -> Option<usize> {
        let hits = host.find_all(&Field::Body, &self.pattern, HITS_MAX);
        let at = hits.iter().map(|hit| lines.at(offset(hit.end).saturating_sub(1)));
        let is_closing = |line: &usize| {
            let text = lines.get(*line).map_or("", |line| line.text);
            text.len() <= CLOSING_BYTES_MAX && self.texts.binary_search(&key(text)).is_ok()
        };
        at.filter(is_closing).find(|line| {
            let amid = lines.visible_before(*line).is_some() && lines.visible(line + 1).is_some();
            amid && is_tail(lines, line + 1, CLOSING_LINES_MAX, CLOSING_CHARS_MAX)
        })
    }
}
