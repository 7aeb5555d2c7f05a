//! Marks: what a text cannot hold, named in its place.

use super::document::{BodyKind, View};
use super::{Attachment, Message};

/// The most marks of images; a message with more of them shows the rest without.
const IMAGES_MAX: usize = 100;

/// The text of a view of the message's body, with a mark such as `[image: plan.png]` where it shows an image that it
/// carries itself, and below it one line each for the messages and events that it carries and the attachments that are
/// refused.
#[must_use]
pub fn marked_text(message: &Message, view: &View) -> String {
    if message.attachments.is_empty() {
        return view.text().to_owned();
    }
    let mut text = match message.document.kind() {
        BodyKind::Html => with_images(message, view),
        BodyKind::Empty | BodyKind::Plain => with_named_images(message, view.text()),
    };
    let lines: Vec<String> = message.attachments.iter().flat_map(lines).collect();
    if !lines.is_empty() {
        text.truncate(text.trim_end().len());
        if !text.is_empty() {
            text.push_str("\n\n");
        }
        text.push_str(&lines.join("\n"));
    }
    text
}

/// A text in which programs have written `[cid:…]` where an image stood.
fn with_named_images(message: &Message, text: &str) -> String {
    const OPENING: &str = "[cid:";
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let mut images = 0;
    while let Some(at) = rest.find('[').filter(|_| images < IMAGES_MAX) {
        let (before, from) = rest.split_at(at);
        let named = from.get(..OPENING.len()).filter(|opening| opening.eq_ignore_ascii_case(OPENING));
        let inner = named.and_then(|opening| from.get(opening.len()..)?.split_once(']'));
        let attachment = inner.and_then(|(content_id, _)| named_by(message, content_id));
        out.push_str(before);
        rest = match (attachment, inner) {
            (Some(attachment), Some((_, after))) => {
                images += 1;
                out.push_str(&mark(attachment));
                after
            }
            _ => {
                out.push('[');
                from.get(1..).unwrap_or_default()
            }
        };
    }
    out.push_str(rest);
    out
}

/// A view of HTML, with the images that it shows.
fn with_images(message: &Message, view: &View) -> String {
    let mut text = String::with_capacity(view.text().len());
    let mut done = 0;
    for (at, content_id) in message.document.images().into_iter().take(IMAGES_MAX) {
        let place = view.place_of(at).filter(|place| *place >= done);
        let (Some(attachment), Some(place)) = (named_by(message, &content_id), place) else { continue };
        text.push_str(view.text().get(done..place).unwrap_or_default());
        if text.chars().next_back().is_some_and(|last| !last.is_whitespace()) {
            text.push(' ');
        }
        text.push_str(&mark(attachment));
        done = place;
        if view.text().get(done..).and_then(|rest| rest.chars().next()).is_some_and(|next| !next.is_whitespace()) {
            text.push(' ');
        }
    }
    text.push_str(view.text().get(done..).unwrap_or_default());
    text
}

fn named_by<'m>(message: &'m Message, content_id: &str) -> Option<&'m Attachment> {
    let named = |attachment: &&Attachment| !content_id.is_empty() && attachment.content_id == content_id;
    message.attachments.iter().find(named)
}

fn mark(attachment: &Attachment) -> String {
    format!("[image: {}]", shown_name(attachment))
}

/// What is said of an attachment below the text.
fn lines(attachment: &Attachment) -> impl Iterator<Item = String> {
    let about = attachment.description.as_ref().map(|description| format!("[{description}]"));
    let refused = attachment.refused.as_ref();
    let refused = refused.map(|reason| format!("[not attached: {}: {reason}]", shown_name(attachment)));
    about.into_iter().chain(refused)
}

fn shown_name(attachment: &Attachment) -> &str {
    if attachment.name.is_empty() { &attachment.media_type } else { &attachment.name }
}

#[cfg(test)]
mod tests {
    use crate::message::document::{Cut, CutKind, CutKinds, Selector};
    use crate::message::{AttachmentLimits, parse};

    /// A message with this HTML, an image `logo.png` with the Content-ID `a b`, and a program.
    fn check(html: &str, cut: &str, expect: &str) {
        let raw = format!(
            "From: a@example.org\r\nMIME-Version: 1.0\r\nContent-Type: multipart/related; boundary=x\r\n\r\n\
             --x\r\nContent-Type: text/html\r\n\r\n{html}\r\n\
             --x\r\nContent-Type: image/png; name=logo.png\r\nContent-ID: <a b>\r\n\r\npng\r\n\
             --x\r\nContent-Type: application/x-tool; name=tool.bin\r\nContent-Disposition: attachment\r\n\r\nbin\r\n--x--\r\n"
        );
        let mut message = parse(raw.as_bytes(), None);
        let refuse_types = vec!["application/x-tool".to_owned()];
        AttachmentLimits { refuse_types, ..AttachmentLimits::NONE }.apply(&mut message.attachments);
        let cuts = message.document.select(&Selector::parse(cut).unwrap()).into_iter().map(|span| Cut {
            span,
            kind: CutKind::Quote,
            rule: "r".into(),
            step: "s".into(),
            replacement: None,
        });
        let view = message.document.view(&cuts.collect::<Vec<_>>(), CutKinds::ALL);
        let refused = "[not attached: tool.bin: it is application/x-tool, which is not taken]";
        assert_eq!(super::marked_text(&message, &view), format!("{expect}\n\n{refused}"), "{html}");
    }

    #[test]
    fn an_image_is_marked_in_its_place() {
        let image = "<img src='cid:a%20b'>";
        check(&format!("<p>Look: {image}</p><p>Broken.</p>"), "x", "Look: [image: logo.png]\n\nBroken.");
        check(&format!("<p>a{image}b</p>"), "x", "a [image: logo.png] b");
        check(&format!("<p>a</p>{image}{image}"), "x", "a [image: logo.png] [image: logo.png]");
        check("<p>a</p><img src='cid:unknown'><img src='https://example.org/x.png'>", "x", "a");
    }

    #[test]
    fn an_image_of_a_plain_text_is_marked_in_its_place() {
        let check = |parts: &[&str], expect: &str| {
            let parts: String = parts.iter().map(|part| format!("--x\r\n{part}\r\n")).collect();
            let head = "From: a@example.org\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=x";
            let message = parse(format!("{head}\r\n\r\n{parts}--x--\r\n").as_bytes(), None);
            let view = message.document.view(&[], CutKinds::NONE);
            assert_eq!(super::marked_text(&message, &view).trim_end(), expect, "{parts}");
        };
        let text = |text: &str| format!("Content-Type: text/plain\r\n\r\n{text}");
        let html = |html: &str| format!("Content-Type: text/html\r\n\r\n{html}");
        let image =
            "Content-Type: image/png; name=logo.png\r\nContent-Disposition: inline\r\nContent-ID: <a%1@x>\r\n\r\npng";
        // As Outlook writes it.
        check(
            &[&text("Look: [cid:a%1@x] there, [CID:a%1@x]"), image],
            "Look: [image: logo.png] there, [image: logo.png]",
        );
        check(&[&text("a [cid:other] [cid: [cid:"), image], "a [cid:other] [cid: [cid:");
        // Between two texts, as Apple Mail has it.
        check(&[&text("above"), image, &text("below")], "above\n[image: logo.png]\nbelow");
        check(&[&html("<p>above</p>"), image, &html("<p>below</p>")], "above [image: logo.png]\n\nbelow");
        // Behind all text it has no place of its own.
        check(&[&text("above"), image], "above");
    }

    #[test]
    fn an_image_in_what_is_cut_is_not_marked() {
        let image = "<img src='CID:a%20b'>";
        check(&format!("<p>a</p><blockquote>q {image} q</blockquote>"), "blockquote", "a");
        check(
            &format!("<p>{image} a</p><blockquote>q</blockquote><p>b</p>"),
            "blockquote",
            "[image: logo.png] a\n\n\n\nb",
        );
    }
}
