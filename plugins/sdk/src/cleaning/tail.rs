//! Tails: what stands at the end of a message and is no part of it, such as a signature.

use super::lines::{Lines, offset};
use super::pattern;
use crate::settings::Table;
use crate::{Field, Host};

/// How many lines a tail may have if the rule does not say.
pub(super) const LINES_DEFAULT: usize = 12;
/// The longest line of a tail, in characters, if the rule does not say: prose is longer.
pub(super) const WIDTH_DEFAULT: usize = 120;
/// How many lines may follow a closing such as `Kind regards`.
const CLOSING_LINES_MAX: usize = 5;
/// The longest of those, in characters.
const CLOSING_CHARS_MAX: usize = 60;
/// How many closings are looked at.
const HITS_MAX: u32 = 64;

/// Whether all from line `from` on is at most so many lines that are not blank, each of at most so many characters.
pub(super) fn is_tail(lines: &Lines<'_>, from: usize, lines_max: usize, chars_max: usize) -> bool {
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

/// The closings of a rule file: `Kind regards` and what people write below it.
pub(super) struct Closings<H: Host> {
    pattern: H::Pattern,
}

impl<H: Host> Closings<H> {
    /// Reads the table `closing`: texts per language.
    pub(super) fn read(host: &H, root: &Table<'_>) -> Option<Self> {
        let table = root.table("closing")?;
        let texts: Vec<&str> = table.keys().flat_map(|language| table.texts(language)).collect();
        let source = format!(r"(?im)^[ \t\x{{a0}}]*(?:{})[ \t\x{{a0}}]*[,.!]*[ \t\x{{a0}}]*$", pattern::any(&texts));
        match host.pattern(&source) {
            Ok(pattern) => Some(Self { pattern }),
            Err(error) => {
                root.complain("closing", error.reason, None);
                None
            }
        }
    }

    /// Matches every closing.
    pub(super) fn pattern(&self) -> &H::Pattern {
        &self.pattern
    }

    /// The line of the first closing below which there is a name, or a few short lines at most. Nobody starts with it.
    pub(super) fn find(&self, host: &H, lines: &Lines<'_>) -> Option<usize> {
        let hits = host.find_all(&Field::Body, &self.pattern, HITS_MAX);
        let mut at = hits.iter().map(|hit| lines.at(offset(hit.end).saturating_sub(1)));
        at.find(|line| {
            let amid = lines.visible_before(*line).is_some() && lines.visible(line + 1).is_some();
            amid && is_tail(lines, line + 1, CLOSING_LINES_MAX, CLOSING_CHARS_MAX)
        })
    }
}
