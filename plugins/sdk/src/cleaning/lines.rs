//! A text as lines.

use crate::Span;
use std::cell::OnceCell;
use std::ops::Range;

/// A line of a text, without its line end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Line<'a> {
    /// Offset of its first byte.
    pub start: usize,
    /// What it says.
    pub text: &'a str,
}

impl<'a> Line<'a> {
    pub(super) fn end(&self) -> usize {
        self.start + self.text.len()
    }

    /// What it says from a byte offset of the whole text on.
    pub(super) fn after(&self, offset: usize) -> &'a str {
        offset.checked_sub(self.start).and_then(|from| self.text.get(from..)).unwrap_or_default()
    }

    pub(super) fn is_blank(&self) -> bool {
        self.text.chars().all(is_space)
    }

    /// Whether it starts with a quote mark (RFC 3676 section 4.5, with the blanks that clients put before it).
    pub(super) fn is_quoted(&self) -> bool {
        self.text.trim_start_matches(is_space).starts_with('>')
    }
}

/// White space, and the characters that clients use to no visible effect.
pub(super) fn is_space(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{feff}' | '\u{2060}')
}

/// The lines of a text, by index. The text is asked for when the first line is: in most messages most plugins find
/// nothing that makes them look at a line.
pub(super) struct Lines<'a> {
    load: &'a dyn Fn() -> &'a str,
    lines: OnceCell<Vec<Line<'a>>>,
}

impl<'a> Lines<'a> {
    /// The lines of the text that `load` gives, always the same.
    pub(super) fn of(load: &'a dyn Fn() -> &'a str) -> Self {
        Self { load, lines: OnceCell::new() }
    }

    /// The whole text.
    pub(super) fn text(&self) -> &'a str {
        (self.load)()
    }

    fn all(&self) -> &[Line<'a>] {
        self.lines.get_or_init(|| {
            let mut start = 0;
            let lines = self.text().split('\n').map(|piece| {
                let line = Line { start, text: piece };
                start += piece.len() + 1;
                line
            });
            lines.collect()
        })
    }

    pub(super) fn len(&self) -> usize {
        self.all().len()
    }

    pub(super) fn get(&self, index: usize) -> Option<Line<'a>> {
        self.all().get(index).copied()
    }

    /// The lines from `index` on.
    pub(super) fn from(&self, index: usize) -> &[Line<'a>] {
        self.all().get(index..).unwrap_or_default()
    }

    /// The lines before `index`.
    pub(super) fn before(&self, index: usize) -> &[Line<'a>] {
        self.all().get(..index).unwrap_or(self.all())
    }

    /// The index of the line that holds a byte offset.
    pub(super) fn at(&self, offset: usize) -> usize {
        self.all().partition_point(|line| line.start <= offset).saturating_sub(1)
    }

    /// The first line at or after `index` that is not blank.
    pub(super) fn visible(&self, index: usize) -> Option<usize> {
        self.from(index).iter().position(|line| !line.is_blank()).map(|ahead| index + ahead)
    }

    /// The last line before `index` that is not blank.
    pub(super) fn visible_before(&self, index: usize) -> Option<usize> {
        self.before(index).iter().rposition(|line| !line.is_blank())
    }

    /// The span of these lines, with the line end of the last.
    pub(super) fn span(&self, lines: Range<usize>) -> Span {
        let start = self.get(lines.start).map_or(self.text().len(), |line| line.start);
        let end = self.get(lines.end).map_or(self.text().len(), |line| line.start);
        span(start, end)
    }
}

/// The span of these offsets; a text is never longer than [`u32::MAX`].
pub(super) fn span(start: usize, end: usize) -> Span {
    let clip = |offset: usize| u32::try_from(offset).unwrap_or(u32::MAX);
    Span { start: clip(start), end: clip(end) }
}

/// An offset of the host as an index.
pub(super) fn offset(at: u32) -> usize {
    usize::try_from(at).unwrap_or(usize::MAX)
}
