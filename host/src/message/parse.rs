//! Parsing: bytes to a message. It cannot fail: whatever is wrong with a message is a [`Defect`] of it.

use super::document::{Document, TEXT_BYTES_MAX};
use super::skeleton::Skeleton;
use super::transfer::Decoder;
use super::{Defect, Message, attachment, body, client, header, origin};
use crate::content::{self, Content, MEMORY_BYTES_MAX};
use crate::field::DateTime;
use mail_parser::{Encoding, MessageParser, MessagePart, PartType};
use std::convert::Infallible;
use std::ops::Range;

/// Decodes a raw message. Whatever the bytes are, the result is a message, with its defects listed.
/// `received` is when the mailbox received it, if that is known.
///
/// The body is the HTML part if there is one, also beside a plain part: its structure says where a quote begins.
/// Nested messages are attachments and are not looked into.
#[must_use]
pub fn parse(raw: &[u8], received: Option<DateTime>) -> Message {
    let Ok(message) = message(raw, received, &Whole);
    message
}

/// Decodes a raw message of any length, as [`parse`] would. A long one is never in memory as a whole: long attachments
/// are kept beside it.
///
/// # Errors
/// If the bytes cannot be read, or a long attachment cannot be kept.
pub fn read(raw: &Content, received: Option<DateTime>) -> Result<Message, content::Error> {
    if raw.len() <= MEMORY_BYTES_MAX {
        return Ok(parse(&raw.read(0, usize::MAX)?, received));
    }
    let mut skeleton = Skeleton::of(raw, &[])?;
    let texts = cut_texts(&skeleton);
    if !texts.is_empty() {
        skeleton = Skeleton::of(raw, &texts)?;
    }
    message(&skeleton.bytes, received, &Long { raw, skeleton: &skeleton })
}

/// What a message is parsed from.
pub(super) trait Source {
    /// Why the bytes of a part cannot be had.
    type Error;

    /// The content of a part of which the parser has not seen all, and whether it is not encoded as it says; none if
    /// the parser has seen all.
    fn unseen(&self, part: &MessagePart<'_>) -> Result<Option<(Content, bool)>, Self::Error>;

    /// Whether the parser has not seen all of a part.
    fn is_cut(&self, part: &MessagePart<'_>) -> bool;
}

/// All of its bytes.
struct Whole;

impl Source for Whole {
    type Error = Infallible;

    fn unseen(&self, _: &MessagePart<'_>) -> Result<Option<(Content, bool)>, Infallible> {
        Ok(None)
    }

    fn is_cut(&self, _: &MessagePart<'_>) -> bool {
        false
    }
}

/// Its skeleton.
struct Long<'l> {
    raw: &'l Content,
    skeleton: &'l Skeleton,
}

impl Source for Long<'_> {
    type Error = content::Error;

    fn unseen(&self, part: &MessagePart<'_>) -> Result<Option<(Content, bool)>, content::Error> {
        if !self.is_cut(part) {
            return Ok(None);
        }
        let encoded = self.raw.slice(self.skeleton.original(&body_range(part)));
        if part.encoding == Encoding::None {
            return Ok(Some((encoded, part.is_encoding_problem)));
        }
        let (mut decoder, mut decoded) = (Decoder::new(part.encoding), Vec::new());
        let mut writer = encoded.writer_beside();
        for piece in encoded.pieces() {
            if decoder.decode(&piece?, &mut decoded).is_err() {
                return Ok(Some((encoded.clone(), true)));
            }
            writer.append(&decoded)?;
            decoded.clear();
        }
        Ok(Some((writer.finish()?, false)))
    }

    fn is_cut(&self, part: &MessagePart<'_>) -> bool {
        self.skeleton.has_gap(&body_range(part))
    }
}

fn body_range(part: &MessagePart<'_>) -> Range<usize> {
    part.offset_body as usize..part.offset_end as usize
}

/// Where in the message the parts of the body are that a skeleton shows less of than it could.
fn cut_texts(skeleton: &Skeleton) -> Vec<Range<u64>> {
    let Some(parsed) = parsed(&skeleton.bytes) else { return Vec::new() };
    let parts = body::of(&parsed, &mut Vec::new()).parts;
    let ranges = parts.iter().filter_map(|id| parsed.part(*id)).map(body_range);
    let cut = ranges.filter(|range| skeleton.has_gap(range)).map(|range| skeleton.original(&range)).collect();
    take_apart(parsed);
    cut
}

fn parsed(raw: &[u8]) -> Option<mail_parser::Message<'_>> {
    MessageParser::default().parse(raw).filter(|parsed| !parsed.parts.is_empty())
}

fn message<S: Source>(raw: &[u8], received: Option<DateTime>, source: &S) -> Result<Message, S::Error> {
    let Some(parsed) = parsed(raw) else { return Ok(without_structure(raw, received)) };
    let message = with_structure(&parsed, received, source);
    take_apart(parsed);
    message
}

fn with_structure<S: Source>(
    parsed: &mail_parser::Message<'_>,
    received: Option<DateTime>,
    source: &S,
) -> Result<Message, S::Error> {
    let mut defects = Vec::new();
    let headers = header::fields(parsed, &mut defects);
    let body = body::of(parsed, &mut defects);
    let date = header::date(parsed, &mut defects);
    let is_cut = body.parts.iter().filter_map(|id| parsed.part(*id)).any(|part| source.is_cut(part));
    Ok(Message {
        subject: header::value(&headers, "Subject").unwrap_or_default().to_owned(),
        sender: header::sender(parsed, &mut defects),
        recipients: header::recipients(parsed),
        address_fields: header::address_fields(parsed),
        message_id: header::message_id(parsed, &mut defects),
        in_reply_to: header::message_ids(parsed.in_reply_to()),
        references: header::message_ids(parsed.references()),
        received: received.or(date).unwrap_or(EPOCH),
        origin: origin::of(&headers, parsed),
        client: client::guess(&headers, body.html.as_deref().unwrap_or_default()),
        document: body.document(is_cut, &mut defects),
        attachments: attachment::of(parsed, &body.parts, source, &mut defects)?,
        headers,
        defects,
    })
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
        client: super::ClientGuess::default(),
        document: Document::from_plain(&String::from_utf8_lossy(raw.get(..TEXT_BYTES_MAX).unwrap_or(raw))),
        attachments: Vec::new(),
        defects: vec![Defect(reason.to_owned())],
    }
}

#[cfg(test)]
mod tests;
