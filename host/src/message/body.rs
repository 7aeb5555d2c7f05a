//! The body: which parts it is made of, and their text (RFC 2046, RFC 3676).

use super::Defect;
use super::document::{Document, HTML_BYTES_MAX, TEXT_BYTES_MAX};
use mail_parser::decoders::base64::base64_decode;
use mail_parser::decoders::charsets::map::charset_decoder;
use mail_parser::decoders::quoted_printable::quoted_printable_decode;
use mail_parser::{Encoding, MessagePart, MimeHeaders, PartType};

/// The body of a message.
#[derive(Debug, Default)]
pub(super) struct Body {
    /// The HTML source, if there is an HTML part.
    pub(super) html: Option<String>,
    plain: String,
    /// The numbers of the parts that it is made of, and of those that say the same in another form.
    pub(super) parts: Vec<u32>,
}

impl Body {
    /// The document that rules work on. `is_cut` if the body is not all there.
    pub(super) fn document(&self, is_cut: bool, defects: &mut Vec<Defect>) -> Document {
        let (length, most) = match &self.html {
            Some(html) => (html.len(), HTML_BYTES_MAX),
            None => (self.plain.len(), TEXT_BYTES_MAX),
        };
        if is_cut || length > most {
            defects.push(Defect(format!("the body is longer than {most} bytes: rules see no more of it")));
        }
        match &self.html {
            Some(html) => Document::from_html(html),
            None => Document::from_plain(&self.plain),
        }
    }
}

/// The body of a message. If it has an HTML part, that is the body, together with what stands before and after it;
/// else it is the plain parts.
pub(super) fn of(message: &mail_parser::Message<'_>, defects: &mut Vec<Defect>) -> Body {
    let is_html = message.html_body.iter().any(|id| text_kind(message.part(*id)) == Some(Kind::Html));
    let mut body = Body::default();
    if is_html {
        let html = pieces(message, &message.html_body, defects);
        let source: String = html.iter().map(|(_, piece)| piece.to_html()).collect();
        body.html = Some(source);
        body.parts = texts(&html);
        let plain = message.text_body.iter().filter(|id| text_kind(message.part(**id)) == Some(Kind::Plain));
        body.parts.extend(plain);
    } else {
        let plain = pieces(message, &message.text_body, defects);
        body.parts = texts(&plain);
        body.plain = joined(plain);
    }
    if body.parts.is_empty() {
        body = undivided(message, defects).unwrap_or(body);
    }
    body
}

/// The text of a multipart message whose boundary never appears: nothing says what it is, but someone wrote it.
fn undivided(message: &mail_parser::Message<'_>, defects: &mut Vec<Defect>) -> Option<Body> {
    let root = message.part(0)?;
    let is_multipart = root.content_type().is_some_and(|kind| kind.c_type.eq_ignore_ascii_case("multipart"));
    if !is_multipart || matches!(root.body, PartType::Multipart(_)) {
        return None;
    }
    defects.push(Defect("a multipart message without parts: all of it is taken as text".to_owned()));
    let plain = String::from_utf8_lossy(root.contents()).into_owned();
    Some(Body { plain, parts: vec![0], ..Body::default() })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Plain,
    Html,
}

#[derive(Debug)]
enum Piece {
    Plain(String),
    Html(String),
    /// An image between texts, as `[cid:…]` of its Content-ID.
    Image(String),
}

impl Piece {
    fn source(&self) -> &str {
        match self {
            Self::Plain(text) | Self::Html(text) | Self::Image(text) => text,
        }
    }

    fn into_source(self) -> String {
        match self {
            Self::Plain(text) | Self::Html(text) | Self::Image(text) => text,
        }
    }

    fn to_html(&self) -> String {
        match self {
            Self::Html(source) => source.clone(),
            Self::Plain(text) => format!("<pre>\n{}</pre>", super::document::escape(text)),
            Self::Image(text) => {
                let url = text.trim_matches(['[', ']']).replace('%', "%25");
                format!("<p><img src=\"{}\"></p>", super::document::escape(&url))
            }
        }
    }
}

fn pieces(message: &mail_parser::Message<'_>, ids: &[u32], defects: &mut Vec<Defect>) -> Vec<(u32, Piece)> {
    let mut pieces = Vec::new();
    for id in ids {
        let Some(part) = message.part(*id) else { continue };
        let piece = match text_kind(Some(part)) {
            Some(Kind::Html) => Some(Piece::Html(text(message, part, HTML_BYTES_MAX, defects))),
            Some(Kind::Plain) => Some(Piece::Plain(plain_text(message, part, defects))),
            None if pieces.is_empty() => None,
            None => image(part),
        };
        pieces.extend(piece.map(|piece| (*id, piece)));
    }
    // Behind all text an image has no place of its own.
    let last = pieces.iter().rposition(|(_, piece)| !matches!(piece, Piece::Image(_)));
    pieces.truncate(last.map_or(0, |last| last + 1));
    pieces
}

/// All pieces as one text. Most messages have one, which may be long: it is not copied.
fn joined(mut pieces: Vec<(u32, Piece)>) -> String {
    match (pieces.pop(), pieces.is_empty()) {
        (Some((_, piece)), true) => piece.into_source(),
        (last, _) => pieces.iter().chain(&last).map(|(_, piece)| piece.source()).collect::<Vec<_>>().join("\n"),
    }
}

/// The numbers of the pieces that are texts.
fn texts(pieces: &[(u32, Piece)]) -> Vec<u32> {
    pieces.iter().filter(|(_, piece)| !matches!(piece, Piece::Image(_))).map(|(id, _)| *id).collect()
}

/// An image that stands between texts, if it can be named.
fn image(part: &MessagePart<'_>) -> Option<Piece> {
    let is_image = part.content_type()?.ctype().eq_ignore_ascii_case("image");
    let content_id = super::attachment::content_id(part.content_id()?);
    (is_image && !content_id.is_empty()).then(|| Piece::Image(format!("[cid:{content_id}]")))
}

/// Whether a part can be a body: `text/plain`, `text/html`, or a text without a type.
fn text_kind(part: Option<&MessagePart<'_>>) -> Option<Kind> {
    let part = part?;
    match &part.body {
        PartType::Html(_) => Some(Kind::Html),
        PartType::Text(_) => {
            let subtype = part.content_type().and_then(|kind| kind.subtype());
            subtype.is_none_or(|subtype| subtype.eq_ignore_ascii_case("plain")).then_some(Kind::Plain)
        }
        PartType::Binary(_) | PartType::InlineBinary(_) | PartType::Message(_) | PartType::Multipart(_) => None,
    }
}

fn plain_text(message: &mail_parser::Message<'_>, part: &MessagePart<'_>, defects: &mut Vec<Defect>) -> String {
    let text = text(message, part, PLAIN_BYTES_MAX, defects);
    let parameter = |name: &str, value: &str| {
        let kind = part.content_type();
        kind.and_then(|kind| kind.attribute(name)).is_some_and(|other| other.eq_ignore_ascii_case(value))
    };
    if parameter("format", "flowed") { unflow(&text, parameter("delsp", "yes")) } else { text }
}

/// The most that is looked at of a plain part: joining its lines may make it shorter than what rules see.
const PLAIN_BYTES_MAX: usize = 2 * TEXT_BYTES_MAX;

/// The text of a part in its own character set or, if it is mislabelled, in the one it is really in. Of more bytes than
/// that, the first are enough.
fn text(
    message: &mail_parser::Message<'_>,
    part: &MessagePart<'_>,
    bytes_max: usize,
    defects: &mut Vec<Defect>,
) -> String {
    if part.is_encoding_problem {
        defects.push(Defect("a text part is not encoded as it says".to_owned()));
    }
    let decoded = part.text_contents().unwrap_or_default();
    let label = part.content_type().and_then(|kind| kind.attribute("charset")).unwrap_or("us-ascii");
    let label = label.trim().to_ascii_lowercase();
    let suspicious = !decoded.is_ascii() && (part.is_encoding_problem || is_often_wrong(&label))
        || decoded.contains(char::REPLACEMENT_CHARACTER);
    let bytes = if suspicious { transfer_decoded(message, part) } else { None };
    // One more, so that it shows that there are more.
    let end = decoded.ceil_char_boundary(bytes_max.saturating_add(1));
    let Some(bytes) = bytes else { return decoded.get(..end).unwrap_or_default().to_owned() };
    let (text, charset) = recognised(&bytes, &label);
    if charset != label {
        defects.push(Defect(format!("a text part says it is in {label:?} but is read as {charset:?}")));
    }
    text
}

/// Labels that programs put on whatever they have.
fn is_often_wrong(label: &str) -> bool {
    let usual = ["us-ascii", "ascii", "utf-8", "utf8", "iso-8859-1", "latin1", "windows-1252", "x-user-defined"];
    usual.contains(&label) || charset_decoder(label.as_bytes()).is_none()
}

/// Reads bytes as what they look like, and says as what.
fn recognised<'l>(bytes: &[u8], label: &'l str) -> (String, &'l str) {
    // No other character set in use looks like UTF-8 by accident.
    if let Ok(text) = std::str::from_utf8(bytes) {
        return (text.to_owned(), if matches!(label, "utf-8" | "utf8") { label } else { "utf-8" });
    }
    let decoder = match label {
        "cp932" | "windows-31j" | "ms932" => charset_decoder(b"shift_jis"),
        "utf-8" | "utf8" | "us-ascii" | "ascii" | "x-user-defined" => None,
        _ => charset_decoder(label.as_bytes()),
    };
    let labelled = decoder.map(|decode| decode(bytes));
    labelled.map(|text| (text, label)).unwrap_or_else(|| {
        let decode = charset_decoder(b"windows-1252");
        (decode.map_or_else(|| String::from_utf8_lossy(bytes).into_owned(), |decode| decode(bytes)), "windows-1252")
    })
}

fn transfer_decoded(message: &mail_parser::Message<'_>, part: &MessagePart<'_>) -> Option<Vec<u8>> {
    let raw = message.raw_message.get(part.offset_body as usize..part.offset_end as usize)?;
    match part.encoding {
        Encoding::None => Some(raw.to_vec()),
        Encoding::QuotedPrintable => quoted_printable_decode(raw),
        Encoding::Base64 => base64_decode(raw),
    }
}

/// Joins the lines that a sender broke (RFC 3676 section 4). Quote marks stay.
fn unflow(text: &str, delete_space: bool) -> String {
    let mut out = String::with_capacity(text.len());
    let mut flowing: Option<usize> = None;
    for line in text.lines() {
        let depth = line.bytes().take_while(|byte| *byte == b'>').count();
        let content = line.get(depth..).unwrap_or_default();
        let content = content.strip_prefix(' ').unwrap_or(content);
        // RFC 3676 section 4.3: the signature's mark ends in a space and flows nowhere.
        let is_mark = content == "-- ";
        if flowing != Some(depth) || is_mark {
            start_line(&mut out, depth, content);
        }
        let flows = content.ends_with(' ') && !is_mark;
        let content = if flows && delete_space { content.strip_suffix(' ').unwrap_or(content) } else { content };
        out.push_str(content);
        flowing = flows.then_some(depth);
    }
    if text.ends_with('\n') {
        out.push('\n');
    }
    out
}

fn start_line(out: &mut String, depth: usize, content: &str) {
    if !out.is_empty() {
        out.push('\n');
    }
    out.extend(std::iter::repeat_n('>', depth));
    if depth > 0 && !content.is_empty() {
        out.push(' ');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, delete_space: bool, expect: &str) {
        assert_eq!(unflow(text, delete_space), expect, "{text:?}");
    }

    #[test]
    fn flowed_lines_are_joined() {
        check("one \r\ntwo\r\nthree\r\n", false, "one two\nthree\n");
        check("one \ntwo", true, "onetwo");
        check("> one \n> two\n>> three \n> four\n", false, "> one two\n>> three \n> four\n");
        check(" > not a quote\n From here", false, "> not a quote\nFrom here");
        check("bye \n-- \nme", false, "bye \n-- \nme");
        check("a\n\nb", false, "a\n\nb");
        check("", false, "");
    }
}
