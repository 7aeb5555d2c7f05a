//! Any cuts of any body: what is left is made of pieces of it, and its HTML is harmless.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mailmill::message::Document;
use mailmill::message::document::{Cut, CutKind, CutKinds, Span};
use mailmill_fuzz::{check_html, check_view};

fuzz_target!(|input: (Vec<(u16, u16, bool)>, bool, String)| {
    let (places, is_html, source) = input;
    let document = if is_html { Document::from_html(&source) } else { Document::from_plain(&source) };
    let text = document.text();
    let floor = |at: u16| (0..=usize::from(at).min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    let cut = |(start, end, replaces): &(u16, u16, bool)| {
        let (start, end) = (floor(*start), floor(*end));
        Cut {
            span: Span::new(start.min(end), start.max(end)),
            kind: CutKind::Quote,
            step: "step".to_owned(),
            rule: "rule".to_owned(),
            replacement: replaces.then(|| "<b>instead</b>".to_owned()),
        }
    };
    let cuts: Vec<Cut> = places.iter().take(64).map(cut).collect();
    let view = document.view(&cuts, CutKinds::ALL);
    check_view(&document, &view);
    check_html(&document.html_view(&cuts, CutKinds::ALL));
    let length = u32::try_from(view.text().len()).unwrap_or(u32::MAX);
    for span in view.pieces(Span { start: 0, end: length }) {
        assert!(text.get(span.range()).is_some(), "{span:?}");
    }
});
