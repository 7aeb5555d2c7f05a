//! What reads messages.

use super::harmless::assert_harmless;
use super::two_texts;
use mailmill::content::Content;
use mailmill::message::document::{
    BodyKind, Cut, CutKind, CutKinds, Selector, Span, View, harmless_html, text_as_html,
};
use mailmill::message::{
    Attachment, AttachmentLimits, Document, Message, loop_sign, marked_text, parse as parsed, read,
};
use mailmill::thread::{self as threads, BaseSubject, OwnIds, TagPlace, Tags, ThreadTag};
use std::sync::LazyLock;

/// How many bytes of contents come out of one byte of a message, at most: UTF-16 and base64 make them fewer, character sets of one
/// byte more.
const GROWTH_MAX: u64 = 4;
/// What a description of an attachment may add.
const ADDED_BYTES_MAX: u64 = 4096;
/// How many cuts one input of [`cuts`] makes.
const CUTS_MAX: usize = 64;

/// Any bytes are a message: it is parsed in memory and from a file alike, its attachments have harmless names, and what
/// is shown of it is harmless.
pub fn parse(input: &[u8]) {
    let message = parsed(input, None);
    let content: Content = input.into();
    let mut again = read(&content, None).expect("what is in memory can be read");
    assert_eq!(again.subject, message.subject);
    assert_eq!(again.document.text(), message.document.text());
    let refuse_types = vec!["application/*".to_owned(), "text/html".to_owned()];
    let limits = AttachmentLimits { count_max: 3, bytes_max: 100, total_bytes_max: 200, refuse_types };
    limits.apply(&mut again.attachments);
    again.attachments.iter().for_each(check_attachment);
    let view = message.document.view(&[], CutKinds::NONE);
    check_view(&message.document, &view);
    drop(marked_text(&message, &view));
    drop(loop_sign(&message, &[], 50));
    names_of(&message);
}

/// Any text is HTML: it becomes a document, and what is shown of it is harmless.
pub fn document(input: &[u8]) {
    let source = String::from_utf8_lossy(input);
    let document = Document::from_html(&source);
    check_view(&document, &document.view(&[], CutKinds::NONE));
    check_html(&source, &document.html_view(&[], CutKinds::ALL));
    check_html(&source, &harmless_html(&source));
    check_html(&source, &text_as_html(&source));
    drop(document.images());
    check_view(&document, &Document::from_plain(&source).view(&[], CutKinds::NONE));
}

/// Any selector on any HTML: it is refused, or finds spans of the text.
pub fn selectors(input: &[u8]) {
    let (selector, source) = two_texts(input);
    let Ok(selector) = Selector::parse(&selector) else { return };
    drop(selector.needles());
    let document = Document::from_html(&source);
    for span in document.select(&selector) {
        assert!(document.text().get(span.range()).is_some(), "{span:?}");
    }
}

/// Any cuts of any body: what is left is made of pieces of it, and its HTML is harmless. The first byte says how many cuts there are,
/// the second what kind of body; each cut has five bytes.
pub fn cuts(input: &[u8]) {
    let Some(([count, kind], rest)) = input.split_first_chunk::<2>() else { return };
    let places = usize::from(*count).min(CUTS_MAX).min(rest.len() / 5) * 5;
    let (places, source) = rest.split_at(places);
    let source = String::from_utf8_lossy(source);
    let document = if kind & 1 == 1 { Document::from_html(&source) } else { Document::from_plain(&source) };
    let text = document.text();
    let boundary = |at: &[u8]| {
        let at = at.iter().fold(0, |at, byte| at << 8 | usize::from(*byte)) % (text.len() + 1);
        (0..=at).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
    };
    let cut = |place: &[u8]| {
        let (start, end) = (boundary(&place[..2]), boundary(&place[2..4]));
        Cut {
            span: Span::new(start.min(end), start.max(end)),
            kind: CutKind::Quote,
            step: "step".to_owned(),
            rule: "rule".to_owned(),
            replacement: (place[4] & 1 == 1).then(|| source.chars().take(40).collect()),
        }
    };
    let cuts: Vec<Cut> = places.chunks_exact(5).map(cut).collect();
    let view = document.view(&cuts, CutKinds::ALL);
    check_view(&document, &view);
    check_html(&source, &document.html_view(&cuts, CutKinds::ALL));
    for span in view.pieces(Span::new(0, view.text().len())) {
        assert!(text.get(span.range()).is_some(), "{span:?}");
    }
}

/// Any header: what it refers to is looked up, and a tag is found wherever it stands.
pub fn thread(input: &[u8]) {
    names_of(&parsed(input, None));
    drop(BaseSubject::of(&String::from_utf8_lossy(input)));
}

/// Any winmail.dat: it is opened, or left as it is, and does not grow.
pub fn winmail(input: &[u8]) {
    use base64::Engine;
    let encoded = base64::engine::general_purpose::STANDARD.encode(input);
    let message = format!(
        "From: a@client.example\r\nMIME-Version: 1.0\r\nContent-Type: application/ms-tnef; name=winmail.dat\r\n\
         Content-Transfer-Encoding: base64\r\n\r\n{encoded}\r\n"
    );
    let message = parsed(message.as_bytes(), None);
    let bytes: u64 = message.attachments.iter().map(|attachment| attachment.enclosure.size).sum();
    assert!(bytes <= GROWTH_MAX * input.len() as u64 + ADDED_BYTES_MAX, "{bytes} bytes out of {}", input.len());
    message.attachments.iter().for_each(check_attachment);
    check_view(&message.document, &message.document.view(&[], CutKinds::NONE));
}

fn names_of(message: &Message) {
    static TAGS: LazyLock<Vec<Tags>> = LazyLock::new(|| {
        let tags = |place, own_ids| {
            let tags = [("MessageID:", "#"), ("[Case ", "]"), ("Ticket", "")];
            let tags = tags.into_iter().filter_map(|(prefix, suffix)| ThreadTag::new(prefix, suffix).ok()).collect();
            Tags { tags, place, own_ids }
        };
        vec![
            tags(TagPlace::Subject, None),
            tags(TagPlace::SubjectAndBody, Some(OwnIds::new(Default::default(), "desk.example"))),
        ]
    });
    for tags in TAGS.iter() {
        drop(threads::keys(message, tags));
    }
    drop(threads::authors(message));
    drop(threads::people(message));
}

fn check_attachment(attachment: &Attachment) {
    let name = &attachment.name;
    assert!(!name.contains(['/', '\\', '\0', '\n']) && name != ".." && name != ".", "a name leads elsewhere: {name:?}");
}

/// A view is made of pieces of the document, and its HTML is harmless.
fn check_view(document: &Document, view: &View) {
    if document.kind() != BodyKind::Empty {
        check_html(view.text(), &document.html_piece(view, Span::new(0, view.text().len())));
    }
}

fn check_html(source: &str, shown: &str) {
    assert_harmless(source, shown);
}
