//! Quoted lines: those with `>` before them (RFC 3676 section 4.5).

use super::lines::{Lines, SPACE};
use std::ops::Range;

/// A quoted line at least this long may have been wrapped, so that its last words stand on a line without a mark.
const WRAPPED_BYTES_MIN: usize = 60;

/// The pattern for a line with a quote mark, as [`super::lines::Line::is_quoted`] sees it.
pub(super) fn pattern() -> String {
    format!("(?m)^[{SPACE}]*>")
}

/// The runs of quoted lines at or after line `from`. Blank lines between quoted lines belong to the run.
pub(super) fn runs(lines: &Lines<'_>, from: usize) -> Vec<Range<usize>> {
    let mut runs: Vec<Range<usize>> = Vec::new();
    for (ahead, line) in lines.from(from).enumerate() {
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
        || before.text.len() >= WRAPPED_BYTES_MIN && text.starts_with(|c: char| c.is_lowercase() || c.is_ascii_digit());
    before.is_quoted() && next.is_quoted() && goes_on
}
