//! The document: one text, two renderings.
//!
//! Rules work on one canonical text with LF line ends, taken from the plain part or made from the HTML part with
//! its structure kept. A rule never rewrites it: it *cuts* spans, and a cut is a mark that can be shown, explained
//! and undone. A [`View`] is the text as it reads with some cuts applied.

mod html;
mod render;
mod select;
mod view;
#[cfg(test)]
mod xss;

pub use html::{ATTRIBUTES_MAX, DEPTH_MAX, ELEMENTS_MAX, Html};
pub(crate) use render::escape;
pub use render::{SANITISED_BYTES_MAX, SANITISED_DEPTH_MAX};
pub use select::{ELEMENT_WORK_MAX, Selector, SelectorError, WORK_MAX};
pub use view::View;

use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// The longest body text that rules see, in bytes. What is beyond stays in the raw message and is a defect.
pub const TEXT_BYTES_MAX: usize = 512 * 1024;
/// The longest HTML source that a text is made of, in bytes. What is beyond stays in the raw message as well.
pub const HTML_BYTES_MAX: usize = 2 * 1024 * 1024;

/// A piece of a text, as byte offsets; `end` is exclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Span {
    /// Offset of the first byte.
    pub start: u32,
    /// Offset just after the last byte.
    pub end: u32,
}

impl Span {
    /// The span of these offsets. Offsets beyond [`u32::MAX`] are clipped: no document is that long.
    #[must_use]
    pub fn new(start: usize, end: usize) -> Self {
        let clip = |offset: usize| u32::try_from(offset).unwrap_or(u32::MAX);
        Self { start: clip(start), end: clip(end) }
    }

    /// The span as a range, for slicing.
    #[must_use]
    pub fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }

    /// Length in bytes.
    #[must_use]
    pub fn len(self) -> usize {
        self.range().len()
    }

    /// Whether it covers nothing.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.end <= self.start
    }
}

/// Why a piece was cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CutKind {
    /// Text of an earlier message.
    Quote,
    /// A forwarded message.
    Forward,
    /// A signature, or a line that a device adds.
    Signature,
    /// A legal notice.
    Disclaimer,
    /// What a mail system put in.
    Banner,
    /// Anything else.
    Other,
}

impl CutKind {
    /// All kinds.
    pub const ALL: [Self; 6] =
        [Self::Quote, Self::Forward, Self::Signature, Self::Disclaimer, Self::Banner, Self::Other];

    /// The name used in rule files and reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Quote => "quote",
            Self::Forward => "forward",
            Self::Signature => "signature",
            Self::Disclaimer => "disclaimer",
            Self::Banner => "banner",
            Self::Other => "other",
        }
    }

    fn bit(self) -> u8 {
        match self {
            Self::Quote => 1,
            Self::Forward => 2,
            Self::Signature => 4,
            Self::Disclaimer => 8,
            Self::Banner => 16,
            Self::Other => 32,
        }
    }
}

impl fmt::Display for CutKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A set of kinds: what a job wants cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(from = "Vec<CutKind>", into = "Vec<CutKind>")]
pub struct CutKinds(u8);

impl CutKinds {
    /// Every kind.
    pub const ALL: Self = Self(0b11_1111);
    /// No kind.
    pub const NONE: Self = Self(0);

    /// Whether the set holds `kind`.
    #[must_use]
    pub fn contains(self, kind: CutKind) -> bool {
        self.0 & kind.bit() != 0
    }
}

impl FromIterator<CutKind> for CutKinds {
    fn from_iter<I: IntoIterator<Item = CutKind>>(kinds: I) -> Self {
        Self(kinds.into_iter().fold(0, |bits, kind| bits | kind.bit()))
    }
}

impl From<Vec<CutKind>> for CutKinds {
    fn from(kinds: Vec<CutKind>) -> Self {
        kinds.into_iter().collect()
    }
}

impl From<CutKinds> for Vec<CutKind> {
    fn from(kinds: CutKinds) -> Self {
        CutKind::ALL.into_iter().filter(|kind| kinds.contains(*kind)).collect()
    }
}

/// A mark on the document's text: this piece is not worth reading again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cut {
    /// The piece, in the whole text.
    pub span: Span,
    /// Why.
    pub kind: CutKind,
    /// The rule that asked.
    pub rule: String,
    /// The step of the pipeline whose rule it was.
    pub step: String,
    /// What stands in its place, if anything.
    pub replacement: Option<String>,
}

/// What kind of body a document was made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BodyKind {
    /// There was none.
    Empty,
    /// A plain text part.
    Plain,
    /// An HTML part.
    Html,
}

/// The body of a message: one text, and the HTML it was made from if it was. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Document {
    text: Arc<str>,
    html: Option<Arc<Html>>,
}

impl Document {
    /// The document of a plain text part. CRLF and lone CR become LF.
    /// Text beyond [`TEXT_BYTES_MAX`] is left out.
    #[must_use]
    pub fn from_plain(text: &str) -> Self {
        let mut text = Cow::Borrowed(text);
        for line_end in ["\r\n", "\r"] {
            if text.contains(line_end) {
                text = text.replace(line_end, "\n").into();
            }
        }
        Self { text: clip(&text).into(), html: None }
    }

    /// The document of an HTML part: its text as a reader sees it, with the span that each element covers.
    /// Takes time linear in the length of `source`, whatever it holds.
    #[must_use]
    pub fn from_html(source: &str) -> Self {
        let (text, html) = Html::parse(source);
        Self { text: text.into(), html: Some(Arc::new(html)) }
    }

    /// The whole text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The kind of body it was made from.
    #[must_use]
    pub fn kind(&self) -> BodyKind {
        match (&self.html, self.text.is_empty()) {
            (Some(_), _) => BodyKind::Html,
            (None, true) => BodyKind::Empty,
            (None, false) => BodyKind::Plain,
        }
    }

    /// All names and values of the elements and their attributes, one after the other: a selector finds nothing if what
    /// it asks for is not among them. Empty for a plain body.
    #[must_use]
    pub fn marks(&self) -> &str {
        self.html.as_ref().map_or("", |html| html.marks())
    }

    /// The spans of the whole text that matching elements cover, in document order. Elements without text have
    /// an empty span. Always empty for a plain body.
    #[must_use]
    pub fn select(&self, selector: &Selector) -> Vec<Span> {
        self.html.as_ref().map_or_else(Vec::new, |html| html.select(selector))
    }

    /// The images that the message carries itself: where each stands in the whole text, and the Content-ID that it names
    /// (RFC 2392). Hidden ones are left out.
    #[must_use]
    pub fn images(&self) -> Vec<(u32, String)> {
        self.html.as_ref().map_or_else(Vec::new, |html| html.images())
    }

    /// The text as it reads with the cuts of these kinds applied. If nothing visible would be left, nothing is cut:
    /// then [`View::kept_all`] says so.
    #[must_use]
    pub fn view(&self, cuts: &[Cut], kinds: CutKinds) -> View {
        View::new(self.text.clone(), cuts, kinds)
    }

    /// The HTML rendering with the same cuts applied, sanitised: no scripts, no styles that reach outside, no
    /// requests to other hosts. Plain bodies are rendered as preformatted text.
    #[must_use]
    pub fn html_view(&self, cuts: &[Cut], kinds: CutKinds) -> String {
        render::html(self.html.as_deref(), &self.text, &self.view(cuts, kinds))
    }

    /// The HTML rendering of a piece of a view of this document, sanitised. Of a plain body, see [`text_as_html`].
    #[must_use]
    pub fn html_piece(&self, view: &View, at: Span) -> String {
        match (&self.html, view.piece(at)) {
            (_, None) => String::new(),
            (None, Some(piece)) => text_as_html(piece.text()),
            (html, Some(piece)) => render::html(html.as_deref(), &self.text, &piece),
        }
    }
}

/// A text as HTML: escaped, with `<br>` at the line ends.
#[must_use]
pub fn text_as_html(text: &str) -> String {
    render::escape(text).replace('\n', "<br>")
}

/// What is harmless of an HTML fragment, whoever wrote it: see [`Document::html_view`].
#[must_use]
pub fn harmless_html(source: &str) -> String {
    Document::from_html(source).html_view(&[], CutKinds::NONE)
}

/// The longest prefix of at most [`TEXT_BYTES_MAX`] bytes.
fn clip(text: &str) -> &str {
    &text[..text.floor_char_boundary(TEXT_BYTES_MAX)]
}
