//! HTML: the text that a reader sees, and which span of it each element covers. (In the making.)

use super::{Selector, Span};

/// An HTML body: its elements, in document order, each with the span of the text that it covers.
#[derive(Debug)]
pub struct Html {
    source: String,
}

impl Html {
    pub(super) fn parse(source: &str) -> (String, Self) {
        (source.to_owned(), Self { source: source.to_owned() })
    }

    pub(super) fn select(&self, _selector: &Selector) -> Vec<Span> {
        let _ = &self.source;
        Vec::new()
    }
}
