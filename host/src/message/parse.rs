//! Parsing: bytes to a message; cannot fail. (In the making.)

use super::{ClientGuess, Document, Message, Origin};
use crate::field::DateTime;

/// Decodes a raw message. Whatever the bytes are, the result is a message, with its defects listed.
/// `received` is when the mailbox received it, if that is known.
#[must_use]
pub fn parse(raw: &[u8], received: Option<DateTime>) -> Message {
    Message {
        headers: Vec::new(),
        subject: String::new(),
        sender: None,
        recipients: Vec::new(),
        message_id: None,
        in_reply_to: Vec::new(),
        references: Vec::new(),
        received: received.unwrap_or(DateTime { seconds: 0, offset_minutes: 0 }),
        origin: Origin::Human,
        client: ClientGuess::default(),
        document: Document::from_plain(&String::from_utf8_lossy(raw)),
        attachments: Vec::new(),
        defects: Vec::new(),
    }
}
