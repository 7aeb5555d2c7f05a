//! The HTML rendering of a document: for a page that shows a message to a person, safe whoever wrote it.

use super::html::{ElementId, Html, Node};
use super::{Span, View};
use ammonia::{Builder, UrlRelative};
use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::LazyLock;

/// The longest HTML that is sanitised, in bytes. Longer bodies are shown as their text.
pub const SANITISED_BYTES_MAX: usize = 512 * 1024;
/// The deepest nesting that is sanitised: the sanitiser's cost grows with its square. Deeper bodies are shown as their
/// text.
pub const SANITISED_DEPTH_MAX: usize = 200;

/// Elements and attributes are on a list of harmless ones; images are only those that the message carries itself.
static SANITISER: LazyLock<Builder<'static>> = LazyLock::new(|| {
    let mut builder = Builder::default();
    builder
        .url_schemes(HashSet::from(["http", "https", "mailto", "tel", "cid"]))
        .url_relative(UrlRelative::Deny)
        .link_rel(Some("noopener noreferrer nofollow"))
        .attribute_filter(|element, attribute, value| {
            let is_remote = match (element, attribute) {
                ("img", "src") => !value.trim_start().to_ascii_lowercase().starts_with("cid:"),
                // Quotes may say which message they quote; nobody follows that.
                (_, "cite" | "background" | "srcset" | "longdesc") => true,
                _ => false,
            };
            (!is_remote).then_some(Cow::Borrowed(value))
        });
    builder
});

/// The document as HTML without what the view leaves out.
pub(super) fn html(html: Option<&Html>, text: &str, view: &View) -> String {
    let written = html.and_then(|html| Writer::new(html, text, view).write());
    match written {
        Some(source) => SANITISER.clean(&source).to_string(),
        None => format!("<pre>{}</pre>", escape(view.text())),
    }
}

/// Text for use in HTML, in content and in quoted attributes.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    text.chars().for_each(|character| push_escaped(&mut out, character));
    out
}

fn push_escaped(out: &mut String, character: char) {
    match character {
        '&' => out.push_str("&amp;"),
        '<' => out.push_str("&lt;"),
        '>' => out.push_str("&gt;"),
        '"' => out.push_str("&quot;"),
        _ => out.push(character),
    }
}

/// Writes the body again, step by step.
#[derive(Debug)]
struct Writer<'a> {
    html: &'a Html,
    text: &'a str,
    view: &'a View,
    out: String,
    /// Where the text that was written last ends.
    done: u32,
    /// How many of the removed pieces have been replaced.
    replaced: usize,
    depth: usize,
}

impl<'a> Writer<'a> {
    fn new(html: &'a Html, text: &'a str, view: &'a View) -> Self {
        Self { html, text, view, out: String::new(), done: 0, replaced: 0, depth: 0 }
    }

    /// None if it is too long or too deep to be sanitised.
    fn write(mut self) -> Option<String> {
        let mut skipping: Option<ElementId> = None;
        for node in self.html.nodes() {
            match *node {
                Node::Close(id) if skipping == Some(id) => {
                    skipping = None;
                    self.done = self.html.span(id).map_or(self.done, |span| self.done.max(span.end));
                }
                _ if skipping.is_some() => {}
                Node::Open(id) if self.is_gone(id) => {
                    self.blanks_before(id);
                    self.replacements_before(id);
                    skipping = Some(id);
                }
                Node::Open(id) => self.open(id),
                Node::Close(id) => self.close(id),
                Node::Text { span, verbatim } => self.piece(span, verbatim),
            }
            if self.out.len() > SANITISED_BYTES_MAX || self.depth > SANITISED_DEPTH_MAX {
                return None;
            }
        }
        self.replacements_until(u32::MAX);
        Some(self.out)
    }

    /// Whether nothing of an element is left, or nothing of it was ever shown.
    fn is_gone(&self, id: ElementId) -> bool {
        let span = self.html.span(id).unwrap_or(Span { start: 0, end: 0 });
        let removed = self.view.removed();
        let around = removed.get(removed.partition_point(|removed| removed.end <= span.start));
        let is_removed = around.is_some_and(|around| around.start <= span.start && span.end <= around.end);
        self.html.is_hidden(id) || is_removed
    }

    /// Writes what stands in the place of an element that is gone.
    fn replacements_before(&mut self, id: ElementId) {
        if let Some(span) = self.html.span(id) {
            self.replacements_until(span.start.saturating_add(1));
        }
    }

    /// Writes the blanks before an element, which stand outside of it.
    fn blanks_before(&mut self, id: ElementId) {
        let Some(span) = self.html.span(id).filter(|span| span.start > self.done) else { return };
        let gap = self.text.get(self.done as usize..span.start as usize).unwrap_or_default();
        if gap.bytes().all(|byte| byte == b' ') {
            self.piece(Span { start: span.start, end: span.start }, false);
        }
    }

    fn open(&mut self, id: ElementId) {
        self.blanks_before(id);
        self.out.push('<');
        self.out.push_str(self.html.name(id));
        for (name, value) in self.html.attributes(id) {
            self.out.push(' ');
            self.out.push_str(name);
            self.out.push_str("=\"");
            value.chars().for_each(|character| push_escaped(&mut self.out, character));
            self.out.push('"');
        }
        self.out.push('>');
        self.depth += usize::from(!self.html.is_void(id));
    }

    fn close(&mut self, id: ElementId) {
        if self.html.is_void(id) {
            return;
        }
        self.depth = self.depth.saturating_sub(1);
        self.out.push_str("</");
        self.out.push_str(self.html.name(id));
        self.out.push('>');
    }

    /// Writes what is left of a piece of text, with the white space before it that no element stands for.
    fn piece(&mut self, span: Span, verbatim: bool) {
        let gap = self.text.get(self.done as usize..span.start as usize).unwrap_or_default();
        let counts = verbatim || gap.bytes().all(|byte| byte == b' ');
        let start = if counts { self.done } else { span.start };
        self.done = span.end;
        let mut from = start;
        let removed = self.view.removed();
        let first = removed.partition_point(|removed| removed.end <= start);
        for gone in removed.iter().skip(first).take_while(|gone| gone.start < span.end) {
            self.kept(from, gone.start, verbatim);
            self.replacements_until(gone.end);
            from = from.max(gone.end);
        }
        self.kept(from, span.end, verbatim);
    }

    fn kept(&mut self, start: u32, end: u32, verbatim: bool) {
        if start >= end {
            return;
        }
        self.replacements_until(start);
        let text = self.text.get(start as usize..end as usize).unwrap_or_default();
        self.push_text(text, verbatim);
    }

    /// Writes text so that it reads the same: of several blanks in a row, HTML shows only one.
    fn push_text(&mut self, text: &str, verbatim: bool) {
        let mut after_blank = false;
        for character in text.chars() {
            match character {
                ' ' if after_blank && !verbatim => self.out.push_str("&nbsp;"),
                _ => push_escaped(&mut self.out, character),
            }
            after_blank = character == ' ';
        }
    }

    /// Writes what stands in the place of the removed pieces that begin before `end`.
    fn replacements_until(&mut self, end: u32) {
        while let Some(removed) = self.view.removed().get(self.replaced).filter(|removed| removed.start < end) {
            self.replaced += 1;
            let place = self.view.from_whole(*removed);
            let text = place.and_then(|place| self.view.text().get(place.range())).unwrap_or_default();
            self.push_text(text, false);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Cut, CutKind, CutKinds, Document, Selector, harmless_html};
    use super::*;

    fn cuts(document: &Document, selector: &str, replacement: Option<&str>) -> Vec<Cut> {
        let cut = |span| Cut {
            span,
            kind: CutKind::Quote,
            rule: "r".into(),
            step: "s".into(),
            replacement: replacement.map(str::to_owned),
        };
        document.select(&Selector::parse(selector).unwrap()).into_iter().map(cut).collect()
    }

    fn check(source: &str, cut: &str, replacement: Option<&str>, expect: &str) {
        let document = Document::from_html(source);
        let rendered = document.html_view(&cuts(&document, cut, replacement), CutKinds::ALL);
        assert_eq!(rendered, expect, "{source}");
    }

    #[test]
    fn what_is_cut_is_gone_from_the_html() {
        check("<p>a</p><blockquote>b<hr></blockquote><p>c</p>", "blockquote", None, "<p>a</p><p>c</p>");
        check("<p>a <b>b</b> c</p>", "b", None, "<p>a  c</p>");
        check("<p>a</p><div>b</div>", "div", Some("<cut>"), "<p>a</p>&lt;cut&gt;");
        check("<p>a <b>b</b> c</p>", "b", Some("x"), "<p>a x c</p>");
    }

    #[test]
    fn the_rest_reads_as_before() {
        check("<p>a <b>b</b>&nbsp; c</p>", "x", None, "<p>a <b>b</b> &nbsp;c</p>");
        check("<pre>a\n  <b>b</b>\n\n<i>c</i></pre>", "x", None, "<pre>a<b>\n  b</b><i>\n\nc</i></pre>");
        check("a<br>b<div style='display:none'>x</div>", "x", None, "a<br>b");
        check("<ul><li>a<li>b</ul>", "x", None, "<ul><li>a</li><li>b</li></ul>");
        check("a &amp; &lt;b&gt;", "x", None, "a &amp; &lt;b&gt;");
    }

    #[test]
    fn nothing_harmful_is_left() {
        check("<script>x</script><p onclick=x()>a</p>", "x", None, "<p>a</p>");
        check("<img src='https://spy.example/x.png'><img src='cid:1'>a", "x", None, "<img><img src=\"cid:1\">a");
        check("<a href='javascript:x()'>a</a>", "x", None, "<a rel=\"noopener noreferrer nofollow\">a</a>");
        check("<p style='background:url(https://spy.example)'>a</p>", "x", None, "<p>a</p>");
        check("<iframe src='https://spy.example'></iframe>a", "x", None, "a");
    }

    #[test]
    fn what_is_too_deep_or_too_long_is_shown_as_text() {
        let deep = format!("{}a&lt;", "<div>".repeat(SANITISED_DEPTH_MAX + 1));
        check(&deep, "x", None, "<pre>a&lt;</pre>");
        let long = format!("<p>{}", "x".repeat(SANITISED_BYTES_MAX));
        check(&long, "x", None, &format!("<pre>{}</pre>", "x".repeat(SANITISED_BYTES_MAX)));
    }

    #[test]
    fn a_piece_has_its_formatting_and_nothing_else() {
        let check = |source: &str, wanted: &str, expect: &str| {
            let document = Document::from_html(source);
            let start = document.text().find(wanted).unwrap();
            let view = document.view(&cuts(&document, "blockquote", None), CutKinds::ALL);
            let at = view.from_whole(Span::new(start, start + wanted.len())).unwrap();
            assert_eq!(document.html_piece(&view, at), expect, "{source}");
        };
        check("<p>a <b>b</b></p><p>c <i>d</i> e</p>", "d", "<p><i>d</i></p>");
        check("<p>a <b>bcd</b></p><p>e</p>", "c", "<p><b>c</b></p>");
        check("<p>a</p><blockquote>q</blockquote><p>b</p>", "b", "<p>b</p>");
        check("<div>a<p>b &lt;c&gt;<script>x</script></p></div>", "b <c>", "<div><p>b &lt;c&gt;</p></div>");
        let document = Document::from_plain("a <b>\nc & d");
        let view = document.view(&[], CutKinds::ALL);
        assert_eq!(document.html_piece(&view, Span::new(2, 9)), "&lt;b&gt;<br>c &amp;");
        assert_eq!(document.html_piece(&view, Span::new(3, 3)), "");
    }

    #[test]
    fn html_of_a_plugin_is_harmless() {
        let check = |source: &str, expect: &str| assert_eq!(harmless_html(source), expect);
        check("<p title=\"a\">b<br>c</p>", "<p title=\"a\">b<br>c</p>");
        check("<p onclick='x()'>a<script>b</script><img src='https://spy.example/'></p>", "<p>a<img></p>");
        check("<b>a", "<b>a</b>");
        check("a &amp; b", "a &amp; b");
        check("", "");
    }

    #[test]
    fn plain_text_is_preformatted() {
        let document = Document::from_plain("a <b>\n  & c");
        assert_eq!(document.html_view(&[], CutKinds::ALL), "<pre>a &lt;b&gt;\n  &amp; c</pre>");
    }
}
