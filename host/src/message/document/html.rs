//! HTML: the text that a reader sees, and which span of it each element covers.
//!
//! A tokenizer that follows the standard feeds a small tree of our own, which knows as much of HTML's repair rules as
//! mail needs: missing end tags, stray ones, several `html` elements in one body, text before and after them. It takes
//! time linear in the source, never recurses, and its memory is bounded: a tree that browsers would repair more
//! thoroughly is not worth a parser whose cost grows with the square of the nesting.
//!
//! What the text is: white space collapses as in a browser, blocks and `br` begin new lines, paragraphs have a blank
//! line between them, cells of a row are kept apart by a tab. There are no bullets and no `>`: structure is found by
//! selector, not by punctuation. Non-breaking spaces are plain ones. What is not shown (`script`, `title`, comments,
//! `display: none`, `mso-hide: all`) is not in it.

mod build;
mod flow;
mod tags;

/// RFC 2392: a Content-ID in a URL is percent-encoded.
fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let digits = after.get(..2).filter(|_| *first == b'%').and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests;

use super::{Selector, Span};
use std::ops::Range;

/// The most elements of a body that selectors can find; tags beyond are ignored, their text is not.
pub const ELEMENTS_MAX: usize = 200_000;
/// The most attributes of a body, all elements together; those beyond are ignored.
pub const ATTRIBUTES_MAX: usize = 400_000;
/// The deepest nesting. An element beyond ends the one that it stands in, as in browsers.
pub const DEPTH_MAX: usize = 512;

/// An HTML body: its elements, in document order, each with the span of the text that it covers.
#[derive(Debug, Default)]
pub struct Html {
    elements: Vec<Element>,
    attributes: Vec<Attribute>,
    /// Names and values of attributes, and the names of elements, each once.
    marks: String,
    names: Vec<Box<str>>,
    nodes: Vec<Node>,
}

/// An element of the body.
#[derive(Debug)]
struct Element {
    /// Index into the names.
    name: u32,
    /// Its attributes, as a piece of all attributes.
    attributes: Range<u32>,
    parent: Option<u32>,
    previous: Option<u32>,
    next: Option<u32>,
    first_child: Option<u32>,
    span: Span,
    /// Whether it and its content are not shown.
    hidden: bool,
}

/// An attribute, as pieces of the marks.
#[derive(Debug)]
struct Attribute {
    name: Range<usize>,
    value: Range<usize>,
}

/// A step on the way through the body, in document order. Elements nest properly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Node {
    /// An element begins.
    Open(ElementId),
    /// An element ends.
    Close(ElementId),
    /// A piece of the text.
    Text {
        /// What it covers of the document's text.
        span: Span,
        /// Whether white space counts in it.
        verbatim: bool,
    },
}

/// Which element of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ElementId(u32);

impl Html {
    /// The text of an HTML source, and its elements.
    pub(super) fn parse(source: &str) -> (String, Self) {
        build::build(source)
    }

    /// See [`super::Document::images`].
    pub(super) fn images(&self) -> Vec<(u32, String)> {
        let images = self.ids().filter(|id| self.name(*id) == "img" && !self.is_hidden(*id));
        let place = |id| {
            let (scheme, content_id) = self.attribute(id, "src")?.trim().split_at_checked("cid:".len())?;
            let named = scheme.eq_ignore_ascii_case("cid:").then(|| percent_decoded(content_id));
            Some((self.span(id)?.start, named?))
        };
        images.filter_map(place).collect()
    }

    /// The spans of the elements that match, in document order.
    pub(super) fn select(&self, selector: &Selector) -> Vec<Span> {
        selector.matching(self).filter_map(|id| self.span(id)).collect()
    }

    /// All elements, in document order.
    pub(super) fn ids(&self) -> impl Iterator<Item = ElementId> + use<> {
        (0..u32::try_from(self.elements.len()).unwrap_or(u32::MAX)).map(ElementId)
    }

    /// The body as steps.
    pub(super) fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// What an element covers of the text.
    pub(super) fn span(&self, id: ElementId) -> Option<Span> {
        self.element(id).map(|element| element.span)
    }

    /// Whether an element is not shown.
    pub(super) fn is_hidden(&self, id: ElementId) -> bool {
        self.element(id).is_some_and(|element| element.hidden)
    }

    /// The name of an element, lower case.
    pub(super) fn name(&self, id: ElementId) -> &str {
        self.element(id).and_then(|element| self.names.get(element.name as usize)).map_or("", |name| name)
    }

    /// Whether an element has no content by its nature.
    pub(super) fn is_void(&self, id: ElementId) -> bool {
        tags::Traits::of(self.name(id)).void
    }

    /// The attributes of an element, names in lower case, as written. The first of a name counts.
    pub(super) fn attributes(&self, id: ElementId) -> impl Iterator<Item = (&str, &str)> {
        let range = self.element(id).map_or(0..0, |element| element.attributes.clone());
        let attributes = self.attributes.get(range.start as usize..range.end as usize).unwrap_or_default();
        let mark = |at: &Range<usize>| self.marks.get(at.clone()).unwrap_or_default();
        attributes.iter().map(move |attribute| (mark(&attribute.name), mark(&attribute.value)))
    }

    /// All names and values of elements and attributes, one after the other.
    pub(super) fn marks(&self) -> &str {
        &self.marks
    }

    /// The value of an attribute.
    pub(super) fn attribute(&self, id: ElementId, name: &str) -> Option<&str> {
        self.attributes(id).find(|(other, _)| *other == name).map(|(_, value)| value)
    }

    /// The element that it stands in.
    pub(super) fn parent(&self, id: ElementId) -> Option<ElementId> {
        self.element(id)?.parent.map(ElementId)
    }

    /// The element before it in the same parent.
    pub(super) fn previous(&self, id: ElementId) -> Option<ElementId> {
        self.element(id)?.previous.map(ElementId)
    }

    /// The element after it in the same parent.
    pub(super) fn next(&self, id: ElementId) -> Option<ElementId> {
        self.element(id)?.next.map(ElementId)
    }

    /// Its first child.
    pub(super) fn first_child(&self, id: ElementId) -> Option<ElementId> {
        self.element(id)?.first_child.map(ElementId)
    }

    fn element(&self, id: ElementId) -> Option<&Element> {
        self.elements.get(id.0 as usize)
    }

    /// Something with an address of its own for each element.
    pub(super) fn identity(&self, id: ElementId) -> Option<&impl Sized> {
        self.element(id)
    }
}
