//! Rulers: `-----Original Message-----`, `---------- Forwarded message ---------`, `Begin forwarded message:`.

use crate::lines::{Lines, offset};
use crate::pattern;
use crate::table;
use mailmill_sdk::settings::Table;
use mailmill_sdk::text::joined;
use mailmill_sdk::{Field, Host};

/// How many rulers are looked at.
const HITS_MAX: u32 = 64;
const DASHES: &str = r"[-\x{2010}-\x{2015}_=*]{2,}";

/// The rulers of one table of a rule file.
pub(crate) struct Rulers<H: Host> {
    pattern: H::Pattern,
}

impl<H: Host> Rulers<H> {
    /// Reads a table of texts per language. A text that ends with a colon is a line of its own; any other stands
    /// between dashes.
    pub(crate) fn read(host: &H, root: &Table<'_>, key: &str) -> Option<Self> {
        let table = root.table(key)?;
        let (mut bare, mut ruled) = (Vec::new(), Vec::new());
        for text in table::texts(&table) {
            let line = text.trim_end_matches([':', ' ']);
            if line.len() < text.len() { bare.push(line) } else { ruled.push(text) }
        }
        let blank = r"[ \t\x{a0}]*";
        let mut alternatives = Vec::new();
        if !ruled.is_empty() {
            alternatives.push(format!(r"{DASHES}{blank}(?:{}){blank}(?:{DASHES}|:?{blank}$)", pattern::any(&ruled)));
        }
        if !bare.is_empty() {
            alternatives.push(format!("(?:{}){blank}:{blank}$", pattern::any(&bare)));
        }
        let source = format!(r"(?im)^[ \t\x{{a0}}>*]*(?:{})", joined(alternatives, "|"));
        Some(Self { pattern: table::compiled(host, root, key, &source)? })
    }

    /// Matches every ruler.
    pub(crate) fn pattern(&self) -> &H::Pattern {
        &self.pattern
    }

    /// The lines that are rulers, first to last.
    pub(crate) fn find(&self, host: &H, lines: &Lines<'_>) -> Vec<usize> {
        let hits = host.find_all(&Field::Body, &self.pattern, HITS_MAX);
        hits.iter().map(|hit| lines.at(offset(hit.end).saturating_sub(1))).collect()
    }
}

/// The first line of what stands directly above a quote and belongs to it: rows of dashes, underscores or equals
/// signs, with blank lines between.
pub(crate) fn with_rows_above(lines: &Lines<'_>, start: usize) -> usize {
    let mut start = start;
    while let Some(above) = lines.visible_before(start) {
        let row = lines.get(above).map_or("", |line| line.text.trim());
        if row.len() < 3 || !row.chars().all(|c| matches!(c, '-' | '_' | '=' | '*' | '\u{2010}'..='\u{2015}')) {
            break;
        }
        start = above;
    }
    start
}
