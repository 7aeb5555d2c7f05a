//! Parsing: bytes to a message. It cannot fail: whatever is wrong with a message is a [`Defect`] of it.

use super::document::{Document, TEXT_BYTES_MAX};
use super::{Defect, Message, attachment, body, client, header, origin};
use crate::field::DateTime;
use mail_parser::{MessageParser, PartType};

/// Decodes a raw message. Whatever the bytes are, the result is a message, with its defects listed.
/// `received` is when the mailbox received it, if that is known.
///
/// The body is the HTML part if there is one, also beside a plain part: its structure says where a quote begins.
/// Nested messages are attachments and are not looked into.
#[must_use]
pub fn parse(raw: &[u8], received: Option<DateTime>) -> Message {
    let parsed = MessageParser::default().parse(raw).filter(|parsed| !parsed.parts.is_empty());
    let Some(parsed) = parsed else { return without_structure(raw, received) };
    let message = with_structure(&parsed, received);
    take_apart(parsed);
    message
}

fn with_structure(parsed: &mail_parser::Message<'_>, received: Option<DateTime>) -> Message {
    let mut defects = Vec::new();
    let headers = header::fields(parsed, &mut defects);
    let body = body::of(parsed, &mut defects);
    let date = header::date(parsed, &mut defects);
    Message {
        subject: header::value(&headers, "Subject").unwrap_or_default().to_owned(),
        sender: header::sender(parsed, &mut defects),
        recipients: header::recipients(parsed),
        message_id: header::message_id(parsed, &mut defects),
        in_reply_to: header::message_ids(parsed.in_reply_to()),
        references: header::message_ids(parsed.references()),
        received: received.or(date).unwrap_or(EPOCH),
        origin: origin::of(&headers, parsed),
        client: client::guess(&headers, body.html.as_deref().unwrap_or_default()),
        document: body.document(&mut defects),
        attachments: attachment::of(parsed, &body.parts, &mut defects),
        headers,
        defects,
    }
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
