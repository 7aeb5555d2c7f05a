//! Quoted lines: those with `>` before them (RFC 3676 section 4.5).

use crate::cleaner::QUOTED_LINES;
use crate::cuts::Cuts;
use crate::lines::{Lines, SPACE, is_small};
use mailmill_sdk::settings::Table;
use mailmill_sdk::{CutKind, Field, Host};
use std::ops::Range;

/// A quoted line at least this long may have been wrapped, so that its last words stand on a line without a mark.
const WRAPPED_BYTES_MIN: usize = 60;

/// Quoted lines that nothing introduces.
pub(crate) struct QuotedLines<H: Host> {
    /// Matches if there is a quoted line, as [`crate::lines::Line::is_quoted`] sees it.
    pattern: H::Pattern,
}

impl<H: Host> QuotedLines<H> {
    /// Quoted lines, if the rule file wants them found.
    pub(crate) fn read(host: &H, root: &Table<'_>) -> Option<Self> {
        let wanted = root.texts("find").contains(&QUOTED_LINES);
        let pattern = wanted.then(|| host.pattern(&format!("(?m)^[{SPACE}]*>")).ok()).flatten()?;
        Some(Self { pattern })
    }

    /// Matches every text that has one.
    pub(crate) fn pattern(&self) -> &H::Pattern {
        &self.pattern
    }

    /// Cuts the last quoted lines if nothing of the sender's stands below them. Quoted lines above or amid the sender's
    /// own text are the sender's quotation.
    pub(crate) fn cut(&self, cuts: &mut Cuts<'_, H>) {
        if !cuts.host.matches(&Field::Body, &self.pattern) {
            return;
        }
        let runs = runs(&cuts.lines, 0, usize::MAX);
        let Some(last) = runs.last() else { return };
        if cuts.lines.visible(last.end).is_none() || cuts.is_signed_off(last.end) {
            let at = cuts.lines.span_from(last.start);
            cuts.cut(at, CutKind::Quote, "quoted lines");
        }
    }
}

/// The runs of quoted lines from line `from` to before line `until`. Blank lines between quoted lines belong to the run.
pub(crate) fn runs(lines: &Lines<'_>, from: usize, until: usize) -> Vec<Range<usize>> {
    let mut runs: Vec<Range<usize>> = Vec::new();
    for (ahead, line) in lines.from(from).take(until.saturating_sub(from)).enumerate() {
        let index = from + ahead;
        if line.is_quoted() || is_wrapped_rest(lines, index) {
            match runs.last_mut().filter(|run| only_blank(lines, run.end..index)) {
                Some(run) => run.end = index + 1,
                None => runs.push(index..index + 1),
            }
        }
    }
    runs
}

fn only_blank(lines: &Lines<'_>, between: Range<usize>) -> bool {
    lines.from(between.start).take(between.len()).all(|line| line.is_blank())
}

/// Whether the line is what is left of a quoted line that some program wrapped: between two quoted lines, and going
/// on in the middle of a sentence or of an address.
fn is_wrapped_rest(lines: &Lines<'_>, index: usize) -> bool {
    let (Some(line), Some(next)) = (lines.get(index), lines.get(index + 1)) else { return false };
    let Some(before) = index.checked_sub(1).and_then(|index| lines.get(index)) else { return false };
    let text = line.text.trim_start();
    let goes_on = text.starts_with(['_', '(', '<', '/', '&', '=', '?', '%', ')', ']', '}'])
        || before.text.len() >= WRAPPED_BYTES_MIN && text.starts_with(|c: char| is_small(c) || c.is_ascii_digit());
    before.is_quoted() && next.is_quoted() && goes_on
}
