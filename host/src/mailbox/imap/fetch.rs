//! Fetching messages: several commands under way at once, messages handed on in order.

use super::wire::{Event, Tag, Wire};
use crate::content::Content;
use crate::field::DateTime;
use crate::mailbox::error::Error;
use imap_proto::{AttributeValue, Response};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// The most messages that one command asks for.
const CHUNK_MESSAGES_MAX: usize = 100;
/// The most bytes that one command asks for, unless one message alone is larger.
const CHUNK_BYTES_MAX: u64 = 8 << 20;
/// Commands under way at once: enough to hide the way to a distant server.
const CHUNKS_IN_FLIGHT_MAX: usize = 4;
/// The most bytes kept because the server sends messages out of order.
const HELD_BYTES_MAX: u64 = 128 << 20;
/// The most responses in a row that have nothing to do with what was asked.
const NOISE_MAX: u32 = 10_000;

/// A message from the wire.
#[derive(Debug)]
pub(super) struct Body {
    pub(super) uid: u32,
    pub(super) received: Option<DateTime>,
    pub(super) content: Content,
}

/// A message that was asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    pub(super) uid: u32,
    pub(super) size: u64,
}

#[derive(Debug)]
struct Chunk {
    tag: Tag,
    /// What is still to be handed on, in order.
    expected: VecDeque<u32>,
    done: bool,
}

/// A fetch under way: call [`Fetch::next`] until there is nothing more.
#[derive(Debug)]
pub(super) struct Fetch {
    wanted: VecDeque<Wanted>,
    in_flight: VecDeque<Chunk>,
    held: BTreeMap<u32, Body>,
    held_bytes: u64,
    /// What the server passed over without a word.
    pub(super) passed_over: Vec<u32>,
    /// What the server says it cannot send.
    pub(super) refused: Vec<u32>,
    noise: u32,
}

impl Fetch {
    pub(super) fn new(wanted: impl IntoIterator<Item = Wanted>) -> Self {
        Self {
            wanted: wanted.into_iter().collect(),
            in_flight: VecDeque::new(),
            held: BTreeMap::new(),
            held_bytes: 0,
            passed_over: Vec::new(),
            refused: Vec::new(),
            noise: 0,
        }
    }

    /// The next message, in the order asked for; nothing when each was handed on or passed over.
    pub(super) async fn next(&mut self, wire: &mut Wire) -> Result<Option<Body>, Error> {
        loop {
            if let Some(body) = self.take_ready() {
                return Ok(Some(body));
            }
            self.fill(wire).await?;
            if self.in_flight.is_empty() {
                return Ok(None);
            }
            match wire.next(Parts::of).await? {
                Event::Done(tag) => self.finish(tag),
                Event::Data(parts) => self.receive(wire, parts)?,
            }
        }
    }

    async fn fill(&mut self, wire: &mut Wire) -> Result<(), Error> {
        while self.in_flight.len() < CHUNKS_IN_FLIGHT_MAX && !self.wanted.is_empty() {
            let expected = self.next_chunk();
            let set = expected.iter().map(u32::to_string).collect::<Vec<_>>().join(",");
            let command = format!("UID FETCH {set} (UID INTERNALDATE BODY.PEEK[])");
            let tag = wire.send_behind("UID FETCH", &command).await?;
            self.in_flight.push_back(Chunk { tag, expected, done: false });
        }
        Ok(())
    }

    fn next_chunk(&mut self) -> VecDeque<u32> {
        let (mut chunk, mut bytes) = (VecDeque::new(), 0_u64);
        while let Some(next) = self.wanted.front() {
            bytes = bytes.saturating_add(next.size);
            if !chunk.is_empty() && (chunk.len() >= CHUNK_MESSAGES_MAX || bytes > CHUNK_BYTES_MAX) {
                break;
            }
            chunk.push_back(next.uid);
            self.wanted.pop_front();
        }
        chunk
    }

    /// The first message still to be handed on, if it is here; what a finished command left out is passed over.
    fn take_ready(&mut self) -> Option<Body> {
        while let Some(chunk) = self.in_flight.front_mut() {
            while let Some(uid) = chunk.expected.front().copied() {
                if let Some(body) = self.held.remove(&uid) {
                    chunk.expected.pop_front();
                    self.held_bytes -= body.content.len();
                    return Some(body);
                }
                if !chunk.done {
                    return None;
                }
                chunk.expected.pop_front();
                self.passed_over.push(uid);
            }
            if !chunk.done {
                return None;
            }
            self.in_flight.pop_front();
        }
        None
    }

    fn finish(&mut self, tag: Tag) {
        if let Some(chunk) = self.in_flight.iter_mut().find(|chunk| chunk.tag == tag) {
            chunk.done = true;
        }
    }

    fn receive(&mut self, wire: &mut Wire, parts: Parts) -> Result<(), Error> {
        match self.wanted_text(wire, &parts)? {
            Some((uid, None)) => {
                self.noise = 0;
                self.refused.push(uid);
                self.in_flight.iter_mut().for_each(|chunk| chunk.expected.retain(|expected| *expected != uid));
            }
            Some((uid, Some(text))) => {
                let body = Body { uid, received: parts.received, content: wire.exchange(text) };
                self.noise = 0;
                self.held_bytes += body.content.len();
                self.held.insert(body.uid, body);
                if self.held_bytes > HELD_BYTES_MAX {
                    return Err(wire.nonsense("it sends messages too far out of order"));
                }
            }
            None => {
                self.noise += 1;
                if self.noise > NOISE_MAX {
                    return Err(wire.nonsense("it sends much that was not asked for"));
                }
            }
        }
        Ok(())
    }

    /// The text in a response, or that there is none to be had, if it is of a message that was asked for and is not
    /// here yet.
    fn wanted_text(&self, wire: &Wire, parts: &Parts) -> Result<Option<(u32, Text)>, Error> {
        // Without a text it is news of a message's flags.
        let Some(text) = &parts.text else { return Ok(None) };
        let Some(uid) = parts.uid else { return Err(wire.nonsense("it sends a message without its UID")) };
        if self.held.contains_key(&uid) || !self.in_flight.iter().any(|chunk| chunk.expected.contains(&uid)) {
            return Ok(None);
        }
        Ok(Some((uid, text.clone())))
    }
}

/// RFC 9051 section 7.5.2 allows NIL for a text that cannot be had: not to be taken for an empty one.
type Text = Option<Arc<[u8]>>;

/// What a response holds of a message.
#[derive(Debug, Default)]
struct Parts {
    uid: Option<u32>,
    received: Option<DateTime>,
    text: Option<Text>,
}

impl Parts {
    fn of(response: &Response<'_>) -> Self {
        let mut parts = Self::default();
        let Response::Fetch(_, attributes) = response else { return parts };
        for attribute in attributes {
            match attribute {
                AttributeValue::Uid(uid) => parts.uid = Some(*uid),
                AttributeValue::InternalDate(date) => parts.received = internal_date(date),
                AttributeValue::BodySection { section: None, index: None, data } => {
                    parts.text = Some(data.as_deref().map(Arc::from));
                }
                _ => {}
            }
        }
        parts
    }
}

/// `17-Jul-1996 02:44:25 -0700`, with a space before a day of one digit. A date that is not one is none.
fn internal_date(text: &str) -> Option<DateTime> {
    let zoned = jiff::fmt::strtime::parse("%d-%b-%Y %H:%M:%S %z", text.trim()).ok()?;
    let offset = zoned.offset()?;
    Some(DateTime {
        seconds: zoned.to_timestamp().ok()?.as_second(),
        offset_minutes: i16::try_from(offset.seconds() / 60).ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::internal_date;

    #[test]
    fn internal_dates() {
        let check = |text: &str, expect: Option<&str>| {
            assert_eq!(internal_date(text).map(|date| date.to_string()).as_deref(), expect, "{text}");
        };
        check("17-Jul-1996 02:44:25 -0700", Some("1996-07-17T02:44:25-07:00"));
        check(" 1-Jan-2026 00:00:00 +0000", Some("2026-01-01T00:00:00+00:00"));
        check("1-Feb-2026 10:00:00 +0545", Some("2026-02-01T10:00:00+05:45"));
        check("31-Feb-2026 10:00:00 +0000", None);
        check("yesterday", None);
    }
}
