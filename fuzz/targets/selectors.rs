//! Any selector on any HTML: it is refused, or finds spans of the text.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mailmill::message::Document;
use mailmill::message::document::Selector;
use mailmill_fuzz::two_parts;

fuzz_target!(|data: &[u8]| {
    let Some((selector, source)) = two_parts(data) else { return };
    let Ok(selector) = Selector::parse(selector) else { return };
    let document = Document::from_html(source);
    for span in document.select(&selector) {
        assert!(document.text().get(span.range()).is_some(), "{span:?}");
    }
});
