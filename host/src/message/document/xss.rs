//! Whatever HTML a message or a plugin brings: what is shown of it runs nothing and fetches nothing. Each way of asking for HTML
//! is tried with a corpus of attacks, and what comes out is read by a tokenizer, not searched for words.

mod corpus;
mod harmless;

use super::{Cut, CutKind, CutKinds, Document, Span, harmless_html, text_as_html};
use corpus::CORPUS;
use harmless::assert_harmless;

#[test]
fn what_is_shown_runs_nothing_and_fetches_nothing() {
    for attack in CORPUS {
        let source = format!("<p>before</p>{attack}<p>after</p>");
        assert_harmless(attack, &harmless_html(attack));
        assert_harmless(attack, &text_as_html(attack));
        let document = Document::from_html(&source);
        assert_harmless(attack, &document.html_view(&[], CutKinds::NONE));
        let length = document.text().len();
        // Wherever a cut begins and ends, and whatever stands in its place.
        for start in (0..length).filter(|at| document.text().is_char_boundary(*at)) {
            let cut = Cut {
                span: Span::new(start, length),
                kind: CutKind::Quote,
                rule: String::new(),
                step: String::new(),
                replacement: Some((*attack).to_owned()),
            };
            let view = document.view(std::slice::from_ref(&cut), CutKinds::ALL);
            assert_harmless(attack, &document.html_view(&[cut], CutKinds::ALL));
            let whole = Span::new(0, view.text().len());
            assert_harmless(attack, &document.html_piece(&view, whole));
        }
        let plain = Document::from_plain(attack);
        assert_harmless(attack, &plain.html_view(&[], CutKinds::NONE));
    }
}

#[test]
fn the_check_finds_what_it_looks_for() {
    for shown in
        ["<script>", "<p onclick=x>", "<a href='javascript:x'>", "<img src='https://evil.example/x'>", "<p style=x>"]
    {
        assert!(std::panic::catch_unwind(|| assert_harmless("", shown)).is_err(), "{shown}");
    }
    assert_harmless(
        "",
        "<p>a <a href=\"https://example.com/\" rel=\"noopener noreferrer nofollow\">b</a><img src=\"cid:a\"></p>",
    );
}
