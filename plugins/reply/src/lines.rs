//! A text as lines.

use mailmill_sdk::Span;
use mailmill_sdk::text::lower;
use std::cell::{Cell, RefCell};
use std::ops::Range;

/// A line of a text, without its line end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Line<'a> {
    /// Offset of its first byte.
    pub start: usize,
    /// What it says.
    pub text: &'a str,
}

impl<'a> Line<'a> {
    pub(crate) fn end(&self) -> usize {
        self.start + self.text.len()
    }

    /// What it says from a byte offset of the whole text on.
    pub(crate) fn after(&self, offset: usize) -> &'a str {
        offset.checked_sub(self.start).and_then(|from| self.text.get(from..)).unwrap_or_default()
    }

    pub(crate) fn is_blank(&self) -> bool {
        self.text.chars().all(is_space)
    }

    /// Whether it starts with a quote mark (RFC 3676 section 4.5, with the blanks that clients put before it).
    pub(crate) fn is_quoted(&self) -> bool {
        self.text.trim_start_matches(is_space).starts_with('>')
    }
}

/// The characters of [`is_space`], for the class of a pattern.
pub(crate) const SPACE: &str = r"\s\x{200b}-\x{200f}\x{202a}-\x{202e}\x{feff}\x{2060}";

/// White space, and the characters that clients use to no visible effect.
pub(crate) fn is_space(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{feff}' | '\u{2060}')
}

/// Whether a letter is written small, in the scripts that have capitals.
pub(crate) fn is_small(c: char) -> bool {
    c < '\u{530}' && c.is_alphabetic() && c.to_lowercase().eq([c])
}

/// Adds the words of a text, with one space between them and before the first unless there is nothing yet.
#[inline(never)]
pub(crate) fn add_words(to: &mut String, text: &str) {
    let mut apart = true;
    for c in text.chars() {
        if is_space(c) {
            apart = true;
            continue;
        }
        if apart && !to.is_empty() {
            to.push(' ');
        }
        apart = false;
        to.push(c);
    }
}

/// The words of a text with one space between them.
#[inline(never)]
pub(crate) fn words(text: &str) -> String {
    let mut words = String::new();
    add_words(&mut words, text);
    words
}

/// The words of a text with one space between them, in lower case.
#[inline(never)]
pub(crate) fn lower_words(text: &str) -> String {
    lower(&words(text))
}

/// The lines of a text, by index. The text is asked for when the first line is: in most messages most plugins find
/// nothing that makes them look at a line. It is split only as far as somebody looks.
pub(crate) struct Lines<'a> {
    load: &'a dyn Fn() -> &'a str,
    split: RefCell<Vec<Line<'a>>>,
    /// Where the first line that is not split off starts; none if there is no further one.
    rest: Cell<Option<usize>>,
}

impl<'a> Lines<'a> {
    /// The lines of the text that `load` gives, always the same.
    pub(crate) fn of(load: &'a dyn Fn() -> &'a str) -> Self {
        Self { load, split: RefCell::default(), rest: Cell::new(Some(0)) }
    }

    /// The whole text.
    pub(crate) fn text(&self) -> &'a str {
        (self.load)()
    }

    /// Splits off lines as long as there are some and they are `wanted`, given the index and the offset of the next.
    fn split_while(&self, wanted: impl Fn(usize, usize) -> bool) {
        let mut split = self.split.borrow_mut();
        while let Some(start) = self.rest.get().filter(|start| wanted(split.len(), *start)) {
            let rest = self.text().get(start..).unwrap_or_default();
            let end = rest.find('\n');
            split.push(Line { start, text: end.and_then(|end| rest.get(..end)).unwrap_or(rest) });
            self.rest.set(end.map(|end| start + end + 1));
        }
    }

    pub(crate) fn get(&self, index: usize) -> Option<Line<'a>> {
        self.split_while(|next, _| next <= index);
        self.split.borrow().get(index).copied()
    }

    /// The lines from `index` on.
    pub(crate) fn from(&self, index: usize) -> impl Iterator<Item = Line<'a>> {
        (index..).map_while(|index| self.get(index))
    }

    /// The lines before `index`, last to first.
    pub(crate) fn before(&self, index: usize) -> impl Iterator<Item = Line<'a>> {
        (0..index).rev().filter_map(|index| self.get(index))
    }

    /// The index of the line that holds a byte offset.
    pub(crate) fn at(&self, offset: usize) -> usize {
        self.split_while(|_, start| start <= offset);
        self.split.borrow().partition_point(|line| line.start <= offset).saturating_sub(1)
    }

    /// The first line at or after `index` that is not blank.
    pub(crate) fn visible(&self, index: usize) -> Option<usize> {
        self.from(index).position(|line| !line.is_blank()).map(|ahead| index + ahead)
    }

    /// The last line before `index` that is not blank.
    pub(crate) fn visible_before(&self, index: usize) -> Option<usize> {
        (0..index).rev().find(|index| self.get(*index).is_some_and(|line| !line.is_blank()))
    }

    /// The span of these lines, with the line end of the last.
    pub(crate) fn span(&self, lines: Range<usize>) -> Span {
        let start = self.get(lines.start).map_or(self.text().len(), |line| line.start);
        let end = self.get(lines.end).map_or(self.text().len(), |line| line.start);
        span(start, end)
    }

    /// The span from this line to the end of the text.
    pub(crate) fn span_from(&self, line: usize) -> Span {
        let end = self.text().len();
        span(self.get(line).map_or(end, |line| line.start), end)
    }
}

/// The span of these offsets; a text is never longer than [`u32::MAX`].
pub(crate) fn span(start: usize, end: usize) -> Span {
    let clip = |offset: usize| u32::try_from(offset).unwrap_or(u32::MAX);
    Span { start: clip(start), end: clip(end) }
}

/// An offset of the host as an index.
pub(crate) fn offset(at: u32) -> usize {
    usize::try_from(at).unwrap_or(usize::MAX)
}
