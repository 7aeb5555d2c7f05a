//! What is known of HTML's elements: how they lay out, and which of them end others.

/// How an element lays out its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    /// Within the line.
    Inline,
    /// On lines of its own.
    Block,
    /// On lines of its own, with a blank line before and after it.
    Paragraph,
    /// A cell of a table: kept apart from the one before it.
    Cell,
    /// Not shown.
    Hidden,
}

/// What is known of an element by its name.
#[derive(Debug, Clone, Copy)]
pub(super) struct Traits {
    /// How it lays out its content.
    pub(super) layout: Layout,
    /// It has no content and no end tag.
    pub(super) void: bool,
    /// White space counts in it.
    pub(super) verbatim: bool,
    /// End tags inside it do not reach beyond it ("scope" in the HTML standard, section 13.2.4.2).
    pub(super) barrier: bool,
}

impl Traits {
    /// The traits of an element of that name, which is lower case.
    pub(super) fn of(name: &str) -> Self {
        Self {
            layout: layout(name),
            void: is_void(name),
            verbatim: matches!(name, "pre" | "textarea" | "listing" | "xmp" | "plaintext"),
            barrier: matches!(name, "table" | "td" | "th" | "caption" | "object" | "button" | "template" | "marquee"),
        }
    }

    /// Whether it starts and ends lines.
    pub(super) fn is_block(self) -> bool {
        matches!(self.layout, Layout::Block | Layout::Paragraph | Layout::Cell)
    }
}

fn layout(name: &str) -> Layout {
    match name {
        "p" | "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => Layout::Paragraph,
        "td" | "th" => Layout::Cell,
        "script" | "style" | "title" | "template" | "xml" | "iframe" | "noframes" | "noframe" | "noembed"
        | "noscript" => Layout::Hidden,
        "address" | "article" | "aside" | "blockquote" | "body" | "caption" | "center" | "dd" | "details"
        | "dialog" | "dir" | "div" | "dl" | "dt" | "fieldset" | "figcaption" | "figure" | "footer" | "form"
        | "head" | "header" | "hgroup" | "hr" | "html" | "legend" | "li" | "listing" | "main" | "menu" | "nav"
        | "ol" | "optgroup" | "option" | "plaintext" | "pre" | "search" | "section" | "summary" | "table" | "tbody"
        | "tfoot" | "thead" | "tr" | "ul" | "xmp" => Layout::Block,
        _ => Layout::Inline,
    }
}

fn is_void(name: &str) -> bool {
    matches!(
        name,
        "area"
            | "base"
            | "basefont"
            | "bgsound"
            | "br"
            | "col"
            | "embed"
            | "frame"
            | "hr"
            | "img"
            | "input"
            | "keygen"
            | "link"
            | "meta"
            | "param"
            | "source"
            | "track"
            | "wbr"
    )
}

/// Which open elements a start tag ends.
#[derive(Debug, Clone, Copy)]
pub(super) struct Implied {
    /// The names of the elements that it ends.
    pub(super) ends: &'static [&'static str],
    /// The names of the elements beyond which it does not look, besides barriers.
    pub(super) within: &'static [&'static str],
}

/// The elements that the start tag of `name` ends although their own end tags are missing.
pub(super) fn implied_ends(name: &str) -> Option<Implied> {
    let (ends, within): (&[_], &[_]) = match name {
        "li" => (&["li"], &["ul", "ol", "menu", "dir"]),
        "dd" | "dt" => (&["dd", "dt"], &["dl"]),
        "option" => (&["option"], &["select", "optgroup"]),
        "optgroup" => (&["option", "optgroup"], &["select"]),
        "td" | "th" => (&["td", "th", "caption"], &["tr"]),
        "tr" => (&["tr", "td", "th", "caption"], &["tbody", "thead", "tfoot"]),
        "tbody" | "thead" | "tfoot" => (&["tbody", "thead", "tfoot", "tr", "td", "th", "caption"], &[]),
        "head" | "body" => (&["head"], &[]),
        "a" => (&["a"], &["div", "p", "li", "blockquote", "body"]),
        // Mail is shown in quirks mode, where a table may stand in a paragraph.
        "table" | "html" | "caption" | "legend" => return None,
        _ if matches!(layout(name), Layout::Block | Layout::Paragraph) => (&["p"], &[]),
        _ => return None,
    };
    Some(Implied { ends, within })
}

/// How far an end tag reaches up among the open elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// Up to the next block: an unmatched `</b>` must not end a `div`.
    Line,
    /// Up to the next barrier.
    Scope,
    /// Up to the next table.
    Table,
    /// All the way.
    Document,
}

/// How far the end tag of `name` reaches.
pub(super) fn reach(name: &str) -> Reach {
    match name {
        "html" | "head" | "body" | "table" => Reach::Document,
        "td" | "th" | "tr" | "tbody" | "thead" | "tfoot" | "caption" => Reach::Table,
        _ if Traits::of(name).is_block() || Traits::of(name).barrier => Reach::Scope,
        _ => Reach::Line,
    }
}
