//! Views: the text with cuts applied, and the way back from an offset in the view to the whole text.

use super::{Cut, CutKinds, Span};
use std::sync::Arc;

/// A stretch of the view and where it comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Segment {
    /// Where it starts in the view.
    at: usize,
    /// Its length in the view.
    len: usize,
    /// What it stands for in the whole text. As long as `len`, except for a replacement.
    origin: Span,
}

/// The text of a document with some cuts applied.
#[derive(Debug, Clone)]
pub struct View {
    text: Arc<str>,
    /// In order, without gaps in the view. Empty segments are left out.
    segments: Vec<Segment>,
    /// What is missing from the view, in order, without overlaps.
    removed: Vec<Span>,
    kept_all: bool,
}

impl View {
    pub(super) fn new(whole: Arc<str>, cuts: &[Cut], kinds: CutKinds) -> Self {
        let mut wanted: Vec<&Cut> =
            cuts.iter().filter(|cut| kinds.contains(cut.kind) && fits(&whole, cut.span)).collect();
        if wanted.is_empty() {
            return Self::uncut(whole, false);
        }
        // Longest first among those that start together, so that a replacement inside a cut vanishes with it.
        wanted.sort_by_key(|cut| (cut.span.start, std::cmp::Reverse(cut.span.end)));
        let built = build(&whole, &wanted);
        if built.text.trim().is_empty() && !whole.trim().is_empty() {
            return Self::uncut(whole, true);
        }
        built
    }

    fn uncut(whole: Arc<str>, kept_all: bool) -> Self {
        let all = Span::new(0, whole.len());
        let segments =
            if whole.is_empty() { Vec::new() } else { vec![Segment { at: 0, len: whole.len(), origin: all }] };
        Self { text: whole, segments, removed: Vec::new(), kept_all }
    }

    /// The text that is left.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether the cuts were dropped because nothing visible would have been left.
    #[must_use]
    pub fn kept_all(&self) -> bool {
        self.kept_all
    }

    /// What of the whole text is missing, in order, without overlaps.
    #[must_use]
    pub fn removed(&self) -> &[Span] {
        &self.removed
    }

    /// The piece of the whole text that a piece of the view stands for, with all that was cut in between.
    /// None for an empty piece or one that does not fit.
    #[must_use]
    pub fn to_whole(&self, span: Span) -> Option<Span> {
        if span.is_empty() || !fits(&self.text, span) {
            return None;
        }
        let first = self.segment_at(span.start as usize)?;
        let last = self.segment_at(span.end as usize - 1)?;
        Some(Span {
            start: offset_in(first, span.start as usize, false),
            end: offset_in(last, span.end as usize, true),
        })
    }

    /// The pieces of the whole text that a piece of the view stands for, without what was cut in between, in order.
    #[must_use]
    pub fn pieces(&self, span: Span) -> Vec<Span> {
        let mut pieces: Vec<Span> = Vec::new();
        if span.is_empty() || !fits(&self.text, span) {
            return pieces;
        }
        let (start, end) = (span.start as usize, span.end as usize);
        let first = self.segments.partition_point(|segment| segment.at + segment.len <= start);
        for segment in self.segments.iter().skip(first).take_while(|segment| segment.at < end) {
            let (from, to) = (start.max(segment.at), end.min(segment.at + segment.len));
            let piece = Span { start: offset_in(segment, from, false), end: offset_in(segment, to, true) };
            match pieces.last_mut().filter(|last| last.end == piece.start) {
                Some(last) => last.end = piece.end,
                None => pieces.push(piece),
            }
        }
        pieces
    }

    /// What of a piece of the whole text is left in the view; none if nothing is.
    #[must_use]
    pub fn from_whole(&self, span: Span) -> Option<Span> {
        let first = self.segments.partition_point(|segment| segment.origin.end <= span.start);
        let beyond = self.segments.partition_point(|segment| segment.origin.start < span.end);
        let first = self.segments.get(first)?;
        let last = self.segments.get(beyond.checked_sub(1)?)?;
        let start = first.at + clipped(first, span.start as usize);
        let end = last.at + clipped(last, span.end as usize);
        (start < end).then(|| Span::new(start, end))
    }

    /// Where in the view a place of the whole text is; none if what stands there is missing from it.
    #[must_use]
    pub fn place_of(&self, at: u32) -> Option<usize> {
        let gone = self.removed.get(self.removed.partition_point(|removed| removed.end <= at));
        if gone.is_some_and(|gone| gone.start <= at) {
            return None;
        }
        let before = self.segments.partition_point(|segment| segment.origin.end < at);
        match self.segments.get(before).filter(|segment| segment.origin.start <= at) {
            Some(segment) => Some(segment.at + clipped(segment, at as usize)),
            // Behind all that is left, or before it.
            None => Some(self.segments.get(before).map_or(self.text.len(), |segment| segment.at)),
        }
    }

    /// A piece of the view as a view of its own: of the whole text nothing else is left. None for an empty piece or
    /// one that does not fit.
    pub(super) fn piece(&self, at: Span) -> Option<Self> {
        let whole = self.to_whole(at)?;
        let text = self.text.get(at.range())?;
        let range = at.range();
        let mut segments = Vec::new();
        for segment in &self.segments {
            let (start, end) = (segment.at.max(range.start), (segment.at + segment.len).min(range.end));
            if start < end {
                let origin = Span {
                    start: offset_in(segment, start, false).max(whole.start),
                    end: offset_in(segment, end, true).min(whole.end),
                };
                segments.push(Segment { at: start - range.start, len: end - start, origin });
            }
        }
        let last = self.segments.last().map_or(0, |segment| segment.origin.end);
        let end = self.removed.last().map_or(last, |removed| removed.end.max(last));
        let mut removed = Vec::new();
        let inside = self.removed.iter().copied().filter(|gone| gone.start < whole.end && whole.start < gone.end);
        let before = Span { start: 0, end: whole.start };
        let after = Span { start: whole.end, end };
        for span in std::iter::once(before).chain(inside).chain([after]).filter(|span| span.start < span.end) {
            remove(&mut removed, span);
        }
        Some(Self { text: text.into(), segments, removed, kept_all: false })
    }

    fn segment_at(&self, offset: usize) -> Option<&Segment> {
        let beyond = self.segments.partition_point(|segment| segment.at <= offset);
        self.segments.get(beyond.checked_sub(1)?)
    }
}

/// Whether the span lies within the text, on character boundaries.
fn fits(text: &str, span: Span) -> bool {
    span.start <= span.end && text.get(span.range()).is_some()
}

/// How far into the segment an offset of the whole text lies.
fn clipped(segment: &Segment, whole: usize) -> usize {
    if segment.len == segment.origin.len() {
        whole.saturating_sub(segment.origin.start as usize).min(segment.len)
    } else if whole <= segment.origin.start as usize {
        0
    } else {
        segment.len
    }
}

/// The offset of the whole text that an offset of the view lies at. A replacement counts as one piece.
fn offset_in(segment: &Segment, view: usize, end: bool) -> u32 {
    if segment.len == segment.origin.len() {
        let into = u32::try_from(view - segment.at).unwrap_or(u32::MAX);
        segment.origin.start.saturating_add(into)
    } else if end {
        segment.origin.end
    } else {
        segment.origin.start
    }
}

/// Builds the view from cuts that are sorted by start.
fn build(whole: &Arc<str>, cuts: &[&Cut]) -> View {
    let mut text = String::with_capacity(whole.len());
    let mut view = View { text: "".into(), segments: Vec::new(), removed: Vec::new(), kept_all: false };
    let mut done = 0usize;
    for cut in cuts {
        let (start, end) = (cut.span.start as usize, cut.span.end as usize);
        if start > done {
            push(&mut view.segments, &mut text, whole.get(done..start), Span::new(done, start));
        }
        if end > done {
            let from = start.max(done);
            remove(&mut view.removed, Span::new(from, end));
            // A replacement that an earlier cut reaches into is gone with it.
            if start >= done {
                push(&mut view.segments, &mut text, cut.replacement.as_deref(), cut.span);
            }
            done = end;
        }
    }
    push(&mut view.segments, &mut text, whole.get(done..), Span::new(done, whole.len()));
    view.text = text.into();
    view
}

fn push(segments: &mut Vec<Segment>, text: &mut String, piece: Option<&str>, origin: Span) {
    let Some(piece) = piece.filter(|piece| !piece.is_empty()) else { return };
    segments.push(Segment { at: text.len(), len: piece.len(), origin });
    text.push_str(piece);
}

fn remove(removed: &mut Vec<Span>, span: Span) {
    match removed.last_mut() {
        Some(last) if last.end >= span.start => last.end = last.end.max(span.end),
        _ => removed.push(span),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{CutKind, Document};
    use super::*;
    use proptest::prelude::*;

    fn cut(start: usize, end: usize, replacement: Option<&str>) -> Cut {
        Cut {
            span: Span::new(start, end),
            kind: CutKind::Quote,
            rule: "r".into(),
            step: "s".into(),
            replacement: replacement.map(str::to_owned),
        }
    }

    fn check(text: &str, cuts: &[Cut], expect: &str) {
        assert_eq!(Document::from_plain(text).view(cuts, CutKinds::ALL).text(), expect);
    }

    #[test]
    fn cuts_are_applied() {
        check("hello", &[], "hello");
        check("hello world", &[cut(5, 11, None)], "hello");
        check("hello world", &[cut(0, 2, None), cut(1, 4, None)], "o world");
        check("hello world", &[cut(0, 5, Some("bye"))], "bye world");
        check("hello world", &[cut(0, 8, None), cut(2, 5, Some("x"))], "rld");
        check("", &[cut(0, 0, None)], "");
    }

    #[test]
    fn a_cut_that_does_not_fit_is_ignored() {
        check("grün", &[cut(3, 4, None)], "grün");
        check("abc", &[cut(2, 9, None)], "abc");
    }

    #[test]
    fn if_all_would_go_all_stays() {
        let view = Document::from_plain("> a\n").view(&[cut(0, 4, None)], CutKinds::ALL);
        assert_eq!((view.text(), view.kept_all()), ("> a\n", true));
    }

    #[test]
    fn kinds_that_are_not_wanted_stay() {
        let kinds = [CutKind::Signature].into_iter().collect();
        assert_eq!(Document::from_plain("hello").view(&[cut(0, 2, None)], kinds).text(), "hello");
    }

    #[test]
    fn offsets_lead_back_to_the_whole_text() {
        let document = Document::from_plain("aaXXbbYYcc");
        let view = document.view(&[cut(2, 4, None), cut(6, 8, Some("--"))], CutKinds::ALL);
        assert_eq!(view.text(), "aabb--cc");
        assert_eq!(view.to_whole(Span::new(0, 2)), Some(Span::new(0, 2)));
        assert_eq!(view.to_whole(Span::new(2, 4)), Some(Span::new(4, 6)));
        assert_eq!(view.to_whole(Span::new(1, 3)), Some(Span::new(1, 5)), "what was cut in between goes along");
        assert_eq!(view.from_whole(Span::new(0, 5)), Some(Span::new(0, 3)));
        assert_eq!(view.from_whole(Span::new(2, 4)), None, "nothing of it is left");
    }

    #[test]
    fn a_piece_is_a_view_of_its_own() {
        let document = Document::from_plain("aaXXbbYYcc");
        let view = document.view(&[cut(2, 4, None), cut(6, 8, Some("--"))], CutKinds::ALL);
        let check = |start, end, text: &str, removed: &[(usize, usize)]| {
            let piece = view.piece(Span::new(start, end)).expect("fits");
            let removed: Vec<_> = removed.iter().map(|(start, end)| Span::new(*start, *end)).collect();
            assert_eq!((piece.text(), piece.removed()), (text, removed.as_slice()), "{start}..{end}");
        };
        check(0, 8, "aabb--cc", &[(2, 4), (6, 8)]);
        check(1, 3, "ab", &[(0, 1), (2, 4), (5, 10)]);
        check(2, 4, "bb", &[(0, 4), (6, 10)]);
        check(3, 7, "b--c", &[(0, 5), (6, 8), (9, 10)]);
        assert!(view.piece(Span::new(2, 2)).is_none(), "of nothing");
        assert!(view.piece(Span::new(0, 9)).is_none(), "beyond the end");
    }

    #[test]
    fn pieces_leave_out_what_was_cut_in_between() {
        let document = Document::from_plain("aaXXbbYYcc");
        let view = document.view(&[cut(2, 4, None), cut(6, 8, Some("---"))], CutKinds::ALL);
        let check = |start, end, expect: &[(usize, usize)]| {
            let expect: Vec<Span> = expect.iter().map(|(start, end)| Span::new(*start, *end)).collect();
            assert_eq!(view.pieces(Span::new(start, end)), expect, "{start}..{end}");
        };
        check(0, 2, &[(0, 2)]);
        check(1, 3, &[(1, 2), (4, 5)]);
        check(2, 4, &[(4, 6)]);
        check(1, 8, &[(1, 2), (4, 9)]);
        check(3, 5, &[(5, 8)]);
        check(5, 6, &[(6, 8)]);
        check(3, 3, &[]);
        check(3, 99, &[]);
    }

    proptest! {
        #[test]
        fn a_view_is_what_the_cuts_leave(text in "[a-zäö\n ]{1,60}", spans in proptest::collection::vec((0usize..80, 0usize..80), 0..8)) {
            let cuts: Vec<Cut> = spans.iter().map(|(a, b)| cut(*a.min(b), *a.max(b), None)).collect();
            let document = Document::from_plain(&text);
            let view = document.view(&cuts, CutKinds::ALL);
            let mut kept = vec![true; text.len()];
            for cut in &cuts {
                if text.get(cut.span.range()).is_some() {
                    kept[cut.span.range()].fill(false);
                }
            }
            let expect: Vec<u8> = text.bytes().zip(kept).filter_map(|(byte, kept)| kept.then_some(byte)).collect();
            let expect = String::from_utf8(expect).expect("cuts lie on character boundaries");
            if !view.kept_all() {
                prop_assert_eq!(view.text(), expect.as_str());
            }
            for (at, character) in view.text().char_indices() {
                let span = Span::new(at, at + character.len_utf8());
                let whole = view.to_whole(span).expect("every piece has an origin");
                prop_assert_eq!(&document.text()[whole.range()], &view.text()[span.range()]);
                prop_assert_eq!(view.from_whole(whole), Some(span));
                prop_assert_eq!(view.pieces(span), vec![whole]);
            }
        }
    }
}
