//! The cuts of one call, and the body they are made in.

use crate::lines::{Lines, is_space, offset, span};
use crate::quoted;
use crate::rulers;
use crate::tail;
use mailmill_sdk::{CutKind, Host, Span, Verdict};
use std::cell::OnceCell;
use std::ops::Range;

/// The most runs of quoted lines that are cut one by one.
const RUNS_MAX: usize = 1_000;
/// How many block quotes are looked at.
const BLOCK_QUOTES_MAX: u32 = 200;

/// The cuts of one call, and the body they are made in.
pub(crate) struct Cuts<'a, H: Host> {
    pub(crate) host: &'a H,
    pub(crate) lines: Lines<'a>,
    has_quote: bool,
    verdict: Verdict,
    block_quote: Option<&'a H::Selector>,
    block_quotes: OnceCell<Vec<Span>>,
}

/// The lines above a quote.
pub(crate) struct Opener {
    /// The lines.
    pub(crate) lines: Range<usize>,
    /// Where in the first of them it starts, as an offset of the text.
    pub(crate) start: usize,
}

impl<'a, H: Host> Cuts<'a, H> {
    /// No cuts yet, in the body that `load` gives. `block_quote` finds the block quotes of an HTML body.
    pub(crate) fn new(host: &'a H, load: &'a dyn Fn() -> &'a str, block_quote: Option<&'a H::Selector>) -> Self {
        let lines = Lines::of(load);
        Self { host, lines, has_quote: false, verdict: Verdict::Next, block_quote, block_quotes: OnceCell::new() }
    }

    /// Whether a quote or a forwarded message was cut.
    pub(crate) fn has_quote(&self) -> bool {
        self.has_quote
    }

    /// Whether further steps look at the message.
    pub(crate) fn verdict(&self) -> Verdict {
        self.verdict
    }

    /// Lets no further step look at the message.
    pub(crate) fn stop(&mut self) {
        self.verdict = Verdict::Stop;
    }

    /// Cuts a span, unless it is empty.
    pub(crate) fn cut(&mut self, at: Span, kind: CutKind, rule: &str) {
        if at.start < at.end {
            self.host.cut(at, kind, rule);
            self.has_quote |= matches!(kind, CutKind::Quote | CutKind::Forward);
        }
    }

    /// Cuts the pieces of a quote, in order, and looks no further than `until`. Pieces that the sender answers point by
    /// point are the context of the answers: kind `other`, so that a job can keep them.
    pub(crate) fn pieces(&mut self, pieces: &[Span], until: usize, kind: CutKind, rule: &str) {
        let is_answered = |pair: &[Span]| match pair {
            [one, next] => self.is_visible(offset(one.end)..offset(next.start)),
            _ => false,
        };
        let answered = pieces.windows(2).rposition(is_answered).map_or(0, |last| last + 1);
        let below = pieces.last().map_or(0, |last| offset(last.end));
        let all = answered > 0 && self.is_visible(below..until);
        let context = if all { pieces.len() } else { answered };
        for (index, piece) in pieces.iter().enumerate() {
            self.cut(*piece, if index < context { CutKind::Other } else { kind }, rule);
        }
        // What stands around an answer is no quote to look for again.
        self.has_quote |= !pieces.is_empty();
    }

    /// Whether anything can be seen in a piece of the body.
    fn is_visible(&self, at: Range<usize>) -> bool {
        self.lines.text().get(at).is_some_and(|text| !text.chars().all(is_space))
    }

    /// Cuts the lines above a quote, and the quote: the quoted lines that follow, or else all that follows.
    /// What stands between and below quoted lines stays. The next quote starts at line `until`, if there is one.
    pub(crate) fn quote(&mut self, opener: &Opener, until: Option<usize>, kind: CutKind, rule: &str) {
        let start = self.start(opener);
        let opener = &opener.lines;
        let runs = quoted::runs(&self.lines, opener.end, until.unwrap_or(usize::MAX));
        let follows = runs.first().is_some_and(|run| self.lines.visible(opener.end) == Some(run.start));
        if !follows {
            let end = self.block_quote_end(opener.end).map_or(self.lines.text().len(), offset);
            return self.cut(span(start, end), kind, rule);
        }
        let piece = |(index, run): (usize, &Range<usize>)| {
            let at = if self.is_signed_off(run.end) {
                self.lines.span_from(run.start)
            } else {
                self.lines.span(run.clone())
            };
            if index == 0 { span(start, offset(at.end)) } else { at }
        };
        let pieces: Vec<Span> = runs.iter().take(RUNS_MAX).enumerate().map(piece).collect();
        let until = until.and_then(|line| self.lines.get(line)).map_or(self.lines.text().len(), |line| line.start);
        self.pieces(&pieces, until, kind, rule);
    }

    /// Where the cut of a quote starts: rows of dashes above it belong to it.
    fn start(&self, opener: &Opener) -> usize {
        let line = self.lines.get(opener.lines.start).map_or(0, |line| line.start);
        if opener.start > line {
            return opener.start;
        }
        let first = rulers::with_rows_above(&self.lines, opener.lines.start);
        self.lines.get(first).map_or(line, |line| line.start)
    }

    /// The end of the HTML block quote that starts with the first visible line at or after `line`.
    fn block_quote_end(&self, line: usize) -> Option<u32> {
        let line = self.lines.visible(line)?;
        let selector = self.block_quote?;
        let quotes = self.block_quotes.get_or_init(|| self.host.elements(selector, BLOCK_QUOTES_MAX));
        let starts = |quote: &&Span| self.lines.visible(self.lines.at(offset(quote.start))) == Some(line);
        quotes.iter().find(starts).map(|quote| quote.end)
    }

    /// Whether nothing but a signature (RFC 3676 section 4.3) or a mailing list's footer stands below a quote: nobody
    /// signs twice, so it goes along.
    pub(crate) fn is_signed_off(&self, line: usize) -> bool {
        let is_delimiter = |text: &str| matches!(text, "--" | "__") || text.len() > 9 && text.chars().all(|c| c == '_');
        let delimiter = self
            .lines
            .visible(line)
            .filter(|at| self.lines.get(*at).is_some_and(|line| is_delimiter(line.text.trim())));
        delimiter.is_some_and(|at| tail::is_tail(&self.lines, at + 1, tail::LINES_DEFAULT, tail::WIDTH_DEFAULT))
    }
}
