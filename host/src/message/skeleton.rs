//! The skeleton of a long message: short enough for the memory, and the parser finds the same parts in it.
//!
//! It is the message without the middle of what is long: the beginning of each stretch that cannot hold a boundary is
//! kept, the rest is a gap. What the parser says about places in the skeleton is then translated to places in the
//! message.

use super::document::HTML_BYTES_MAX;
use super::transfer::is_base64;
use crate::content::{self, Content};
use std::ops::Range;

/// How much is kept of a stretch without boundaries: half as much again as rules see of a text at most, because an
/// encoded text is longer.
const STRETCH_BYTES_MAX: u64 = HTML_BYTES_MAX as u64 * 3 / 2;
/// How much is kept of lines of base64, which most likely are no text.
const BASE64_BYTES_MAX: u64 = 64 << 10;
/// The longest piece of a line that is looked at on its own.
const PIECE_BYTES_MAX: usize = 16 << 10;

/// The skeleton of a message.
#[derive(Debug, Default)]
pub(super) struct Skeleton {
    /// What the parser reads.
    pub(super) bytes: Vec<u8>,
    gaps: Vec<Gap>,
}

/// Something that was left out.
#[derive(Debug)]
struct Gap {
    /// Where it would stand in the skeleton.
    at: usize,
    /// Where it stands in the message.
    original: Range<u64>,
}

impl Skeleton {
    /// The skeleton of a message. Lines of base64 inside of `texts` are kept as other lines are.
    pub(super) fn of(message: &Content, texts: &[Range<u64>]) -> Result<Self, content::Error> {
        // Of most messages, what is kept is one stretch at most.
        let bytes = Vec::with_capacity(usize::try_from(message.len().min(STRETCH_BYTES_MAX)).unwrap_or_default());
        let skeleton = Self { bytes, gaps: Vec::new() };
        let mut builder = Builder { skeleton, texts, ..Builder::default() };
        if let Some(bytes) = message.in_memory() {
            builder.take_lines(bytes, true);
            builder.end_gap();
            return Ok(builder.skeleton);
        }
        let mut rest = Vec::new();
        for piece in message.pieces() {
            rest.extend_from_slice(&piece?);
            let taken = builder.take_lines(&rest, false);
            rest.drain(..taken);
        }
        builder.take_lines(&rest, true);
        builder.end_gap();
        Ok(builder.skeleton)
    }

    /// Whether something was left out there.
    pub(super) fn has_gap(&self, range: &Range<usize>) -> bool {
        self.gaps.iter().any(|gap| lies_in(gap, range))
    }

    /// The place in the message.
    pub(super) fn original(&self, range: &Range<usize>) -> Range<u64> {
        let before = |place: usize, at_too: bool| {
            let gaps = self.gaps.iter().filter(|gap| gap.at < place || at_too && gap.at == place);
            gaps.map(|gap| gap.original.end - gap.original.start).sum::<u64>()
        };
        length(range.start) + before(range.start, false)..length(range.end) + before(range.end, true)
    }
}

/// A part keeps the beginning of what it holds, so a gap is never where a part begins, but may be where it ends.
fn lies_in(gap: &Gap, range: &Range<usize>) -> bool {
    range.start < gap.at && gap.at <= range.end
}

#[derive(Debug, Default)]
struct Builder<'t> {
    skeleton: Skeleton,
    texts: &'t [Range<u64>],
    /// How much of the message was looked at.
    at: u64,
    /// The header of the message itself has ended.
    in_body: bool,
    /// The last piece did not end its line.
    in_line: bool,
    /// How long this stretch without boundaries is by now, and how long the lines of base64 at its end.
    stretch: u64,
    base64: u64,
    gap: Option<OpenGap>,
}

/// A gap that may grow.
#[derive(Debug)]
struct OpenGap {
    start: u64,
    end: u64,
    /// The line end behind it.
    line_end: &'static [u8],
}

impl Builder<'_> {
    /// Looks at the lines, and says how many bytes that were: an unfinished last line is left for later.
    fn take_lines(&mut self, bytes: &[u8], is_end: bool) -> usize {
        let mut taken = 0;
        while let Some((piece, line_end)) = next_piece(bytes.get(taken..).unwrap_or_default(), is_end) {
            self.take(piece, line_end);
            taken += piece.len() + line_end.len();
        }
        taken
    }

    fn take(&mut self, piece: &[u8], line_end: &'static [u8]) {
        if !self.in_body {
            let is_empty_line = piece.is_empty() && !self.in_line;
            self.in_body = is_empty_line || self.at > STRETCH_BYTES_MAX;
            self.keep(piece, line_end);
        } else {
            let is_base64 = is_base64(piece);
            if !is_base64 && memchr::memmem::find(piece, b"--").is_some() {
                // Whatever follows a boundary begins anew.
                (self.stretch, self.base64) = (0, 0);
                self.keep(piece, line_end);
            } else if self.is_too_much(piece, is_base64) {
                self.leave_out(piece, line_end);
            } else {
                self.keep(piece, line_end);
            }
        }
        self.in_line = line_end.is_empty();
        self.at += length(piece.len() + line_end.len());
    }

    fn is_too_much(&mut self, piece: &[u8], is_base64: bool) -> bool {
        self.stretch += length(piece.len());
        self.base64 = if is_base64 { self.base64 + length(piece.len()) } else { 0 };
        let is_text = || self.texts.iter().any(|text| text.contains(&self.at));
        self.stretch > STRETCH_BYTES_MAX || self.base64 > BASE64_BYTES_MAX && !is_text()
    }

    fn keep(&mut self, piece: &[u8], line_end: &[u8]) {
        self.end_gap();
        self.skeleton.bytes.extend_from_slice(piece);
        self.skeleton.bytes.extend_from_slice(line_end);
    }

    /// The line end behind a gap stays: it may belong to a boundary.
    fn end_gap(&mut self) {
        if let Some(gap) = self.gap.take() {
            self.skeleton.gaps.push(Gap { at: self.skeleton.bytes.len(), original: gap.start..gap.end });
            self.skeleton.bytes.extend_from_slice(gap.line_end);
        }
    }

    fn leave_out(&mut self, piece: &[u8], line_end: &'static [u8]) {
        let end = self.at + length(piece.len());
        let start = self.gap.take().map_or(self.at, |gap| gap.start);
        self.gap = Some(OpenGap { start, end, line_end });
    }
}

/// The next line, or a piece of one, and the line end behind it; none if that is not all there yet.
fn next_piece(bytes: &[u8], is_end: bool) -> Option<(&[u8], &'static [u8])> {
    let window = bytes.get(..PIECE_BYTES_MAX).unwrap_or(bytes);
    if let Some(at) = memchr::memchr(b'\n', window) {
        let line = bytes.get(..at).unwrap_or_default();
        return Some(line.strip_suffix(b"\r").map_or((line, &b"\n"[..]), |line| (line, &b"\r\n"[..])));
    }
    if window.len() < PIECE_BYTES_MAX {
        return (is_end && !window.is_empty()).then_some((window, b""));
    }
    // A boundary or a line end must not be cut in two.
    let end = window.iter().rposition(|byte| !matches!(byte, b'-' | b'\r')).map_or(window.len(), |last| last + 1);
    Some((bytes.get(..end).unwrap_or(window), b""))
}

fn length(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}
