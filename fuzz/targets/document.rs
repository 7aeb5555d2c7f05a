//! Any text is HTML: it becomes a document in linear time, and what is shown of it is harmless.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mailmill::message::Document;
use mailmill::message::document::{CutKinds, harmless_html};
use mailmill_fuzz::{check_html, check_view};

fuzz_target!(|source: &str| {
    let document = Document::from_html(source);
    check_view(&document, &document.view(&[], CutKinds::NONE));
    check_html(&document.html_view(&[], CutKinds::ALL));
    check_html(&harmless_html(source));
    drop(document.images());
});
