//! Parsing: bytes to a message. It cannot fail: whatever is wrong with a message is a [`Defect`] of it.

use super::document::{Document, TEXT_BYTES_MAX};
use super::skeleton::Skeleton;
use super::{Defect, Enclosure, Message, attachment, authentication, body, client, header, origin, remarks, smime};
use crate::content::{self, Content};
use crate::field::DateTime;
use mail_parser::{Encoding, MessageParser, MessagePart, PartType};
use std::ops::Range;

/// The longest message that the parser sees as a whole. Of a longer one it sees a skeleton: it would decode the attachments
/// and keep them.
const WHOLE_BYTES_MAX: u64 = 128 << 10;

/// Decodes a raw message. Whatever the bytes are, the result is a message, with its defects listed.
/// `received` is when the mailbox received it, if that is known.
///
/// The body is the HTML part if there is one, also beside a plain part: its structure says where a quote begins.
/// Nested messages are attachments and are not looked into.
#[must_use]
pub fn parse(raw: &[u8], received: Option<DateTime>) -> Message {
    let source = Source { raw: &raw.into(), skeleton: None };
    // What is in memory can be read.
    message(raw, received, &source).unwrap_or_else(|_| without_structure(raw, received))
}

/// Decodes a raw message of any length, as [`parse`] would. A long one is never in memory as a whole.
///
/// # Errors
/// If the bytes cannot be read.
pub fn read(raw: &Content, received: Option<DateTime>) -> Result<Message, content::Error> {
    if raw.len() <= WHOLE_BYTES_MAX {
        return message(&raw.read(0, usize::MAX)?, received, &Source { raw, skeleton: None });
    }
    let skeleton = Skeleton::of(raw, &[])?;
    let Some(parsed) = parsed(&skeleton.bytes) else { return Ok(without_structure(&skeleton.bytes, received)) };
    let texts = cut_texts(&parsed, &skeleton);
    if texts.is_empty() {
        let read = with_structure(&parsed, received, &Source { raw, skeleton: Some(&skeleton) });
        take_apart(parsed);
        return read;
    }
    take_apart(parsed);
    drop(skeleton);
    let skeleton = Skeleton::of(raw, &texts)?;
    message(&skeleton.bytes, received, &Source { raw, skeleton: Some(&skeleton) })
}

/// What a message is parsed from.
pub(super) struct Source<'s> {
    /// All of its bytes.
    raw: &'s Content,
    /// What the parser sees of them; none if it sees all.
    skeleton: Option<&'s Skeleton>,
}

impl Source<'_> {
    /// Where the content of a part lies, and whether it is encoded as it says.
    pub(super) fn enclosure(&self, part: &MessagePart<'_>) -> Result<(Enclosure, bool), content::Error> {
        let seen = body_range(part);
        let range = match self.skeleton {
            Some(skeleton) => skeleton.original(&seen),
            None => length(seen.start)..length(seen.end),
        };
        let (enclosure, is_as_it_says) = Enclosure::measure(self.raw, range, part.encoding.into())?;
        // What the parser says of an encoding, it says of what it has seen.
        let is_fault_of_cut = self.is_cut(part) && part.encoding != Encoding::None;
        Ok((enclosure, is_as_it_says && (is_fault_of_cut || !part.is_encoding_problem)))
    }

    /// All bytes of the message.
    pub(super) fn raw(&self) -> &Content {
        self.raw
    }

    /// Whether the parser has not seen all of a part.
    fn is_cut(&self, part: &MessagePart<'_>) -> bool {
        self.skeleton.is_some_and(|skeleton| skeleton.has_gap(&body_range(part)))
    }
}

fn length(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

fn body_range(part: &MessagePart<'_>) -> Range<usize> {
    part.offset_body as usize..part.offset_end as usize
}

/// Where in the message the parts of the body are that a skeleton shows less of than it could.
fn cut_texts(parsed: &mail_parser::Message<'_>, skeleton: &Skeleton) -> Vec<Range<u64>> {
    let parts = body::of(parsed, &mut Vec::new()).parts;
    let ranges = parts.iter().filter_map(|id| parsed.part(*id)).map(body_range);
    ranges.filter(|range| skeleton.has_gap(range)).map(|range| skeleton.original(&range)).collect()
}

fn parsed(raw: &[u8]) -> Option<mail_parser::Message<'_>> {
    MessageParser::default().parse(raw).filter(|parsed| !parsed.parts.is_empty())
}

fn message(raw: &[u8], received: Option<DateTime>, source: &Source<'_>) -> Result<Message, content::Error> {
    let Some(parsed) = parsed(raw) else { return Ok(without_structure(raw, received)) };
    let message = with_structure(&parsed, received, source);
    take_apart(parsed);
    message
}

fn with_structure(
    parsed: &mail_parser::Message<'_>,
    received: Option<DateTime>,
    source: &Source<'_>,
) -> Result<Message, content::Error> {
    let mut defects = Vec::new();
    let headers = header::fields(parsed, &mut defects);
    let body = match smime::of(parsed) {
        Some(sealed) => unsealed(sealed, &mut defects),
        None => body::of(parsed, &mut defects),
    };
    let date = header::date(parsed, &mut defects);
    let attachments = attachment::of(parsed, &body.parts, source, &mut defects)?;
    let is_cut = body.parts.iter().filter_map(|id| parsed.part(*id)).any(|part| source.is_cut(part));
    Ok(Message {
        subject: header::value(&headers, "Subject").unwrap_or_default().to_owned(),
        sender: header::sender(parsed, &mut defects),
        recipients: header::recipients(parsed),
        address_fields: header::address_fields(parsed),
        message_id: header::message_id(parsed, &mut defects),
        in_reply_to: header::message_ids(parsed.in_reply_to()),
        references: header::message_ids(parsed.references()),
        received: received.or_else(|| header::arrival(parsed)).or(date).unwrap_or(EPOCH),
        origin: origin::of(&headers, parsed),
        authentication: authentication::of(parsed),
        client: client::guess(&headers, body.html.as_deref().unwrap_or_default()),
        document: body.document(is_cut, &mut defects),
        remarks: remarks::of(parsed, &body, &attachments),
        attachments,
        headers,
        defects,
    })
}

/// The body of what is inside of an S/MIME message. The message as a whole is its attachment.
fn unsealed(sealed: smime::Sealed, defects: &mut Vec<Defect>) -> body::Body {
    let smime::Sealed::Signed(content) = sealed else {
        let reason = "the message is encrypted (S/MIME), or its seal is damaged: its text cannot be read";
        defects.push(Defect(reason.to_owned()));
        return body::Body::default();
    };
    let Some(inner) = parsed(&content) else { return body::Body::default() };
    let mut body = body::of(&inner, defects);
    let is_part = |(id, part): &(usize, &MessagePart<'_>)| {
        !matches!(part.body, PartType::Multipart(_)) && !body.parts.iter().any(|body| *body as usize == *id)
    };
    let inside = match inner.parts.iter().enumerate().filter(is_part).count() {
        0 => "its text is read out of smime.p7m".to_owned(),
        1 => "1 attachment stays inside of smime.p7m".to_owned(),
        many => format!("{many} attachments stay inside of smime.p7m"),
    };
    defects.push(Defect(format!("the message is signed in one piece (S/MIME): {inside}")));
    take_apart(inner);
    // What is inside has numbers of its own.
    body.parts.clear();
    body
}

/// Drops a message, innermost part last: left to itself, the drop recurses into nested messages, and a small message
/// can nest thousands of them.
fn take_apart(message: mail_parser::Message<'_>) {
    let mut rest = vec![message];
    while let Some(message) = rest.pop() {
        for part in message.parts {
            if let PartType::Message(nested) = part.body {
                rest.push(nested);
            }
        }
    }
}

const EPOCH: DateTime = DateTime { seconds: 0, offset_minutes: 0 };

/// A message without a single header field: all of it is its body.
fn without_structure(raw: &[u8], received: Option<DateTime>) -> Message {
    let reason = if raw.is_empty() { "the message is empty" } else { "the message has no header fields" };
    Message {
        headers: Vec::new(),
        subject: String::new(),
        sender: None,
        recipients: Vec::new(),
        address_fields: Vec::new(),
        message_id: None,
        in_reply_to: Vec::new(),
        references: Vec::new(),
        received: received.unwrap_or(EPOCH),
        origin: super::Origin::Human,
        authentication: Vec::new(),
        client: super::ClientGuess::default(),
        document: Document::from_plain(&String::from_utf8_lossy(raw.get(..TEXT_BYTES_MAX).unwrap_or(raw))),
        attachments: Vec::new(),
        defects: vec![Defect(reason.to_owned())],
        remarks: Vec::new(),
    }
}

#[cfg(test)]
mod real;
#[cfg(test)]
mod tests;
