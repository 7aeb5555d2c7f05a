//! A message in a `winmail.dat`: what it is about.

use super::{Properties, Property, Reader, VALUE_BYTES_MAX, begins, kind, narrow, property, set, tag};
use std::io;

/// What a message in it is about; what is not known of it is empty.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(in crate::message) struct Nested {
    pub(in crate::message) subject: String,
    pub(in crate::message) sender_name: String,
    pub(in crate::message) sender_address: String,
    /// When it was sent: `2026-01-31 10:00`.
    pub(in crate::message) sent: Option<String>,
}

impl Nested {
    /// Reads the head of a message, as far as it is there.
    pub(super) fn of(head: &[u8]) -> Self {
        let mut nested = Self::default();
        let mut reader = Reader { from: head, at: 0 };
        // What is in memory can be read.
        let _ = nested.read(&mut reader);
        nested
    }

    fn read(&mut self, reader: &mut Reader<&[u8]>) -> io::Result<()> {
        let mut signature = [0; 6];
        let (mut level, mut head) = ([0; 1], [0; 8]);
        if !reader.fill(&mut signature)? || !begins(&signature) {
            return Ok(());
        }
        while reader.fill(&mut level)? && level == [1] && reader.fill(&mut head)? {
            let [tag @ .., a, b, c, d] = head;
            let end = reader.at.saturating_add(u64::from(u32::from_le_bytes([a, b, c, d])));
            match u32::from_le_bytes(tag) {
                tag::SUBJECT if self.subject.is_empty() => {
                    self.subject = narrow(&reader.read(end.saturating_sub(reader.at).min(VALUE_BYTES_MAX))?);
                }
                tag::MESSAGE_PROPERTIES => {
                    Properties { reader: &mut *reader, end }.each(|property, from| self.take(property, from))?;
                }
                _ => {}
            }
            reader.skip(end.saturating_add(2).saturating_sub(reader.at))?;
        }
        Ok(())
    }

    fn take(&mut self, property: Property, from: &mut Properties<'_, &[u8]>) -> io::Result<()> {
        let has = |ids: &[u16]| ids.contains(&property.id);
        if property.id == property::SUBJECT {
            set(&mut self.subject, property, from)
        } else if has(&property::SENDER_NAME) && self.sender_name.is_empty() {
            set(&mut self.sender_name, property, from)
        } else if has(&property::SENDER_ADDRESS) && !self.sender_address.contains('@') {
            let mut address = String::new();
            set(&mut address, property, from)?;
            // Within one organisation mail systems write names of their own kind.
            if address.contains('@') {
                self.sender_address = address;
            }
            Ok(())
        } else if has(&property::SENT) && property.kind == kind::TIME && self.sent.is_none() {
            let mut ticks = [0; 8];
            if from.reader.fill(&mut ticks)? {
                self.sent = sent(u64::from_le_bytes(ticks));
            }
            Ok(())
        } else {
            Ok(())
        }
    }
}

/// A time in steps of 100 nanoseconds since 1601 (MS-DTYP section 2.3.3), in UTC.
pub(super) fn sent(ticks: u64) -> Option<String> {
    const SECONDS_TO_1970: i64 = 11_644_473_600;
    let seconds = i64::try_from(ticks / 10_000_000).ok()?.checked_sub(SECONDS_TO_1970)?;
    let at = jiff::Timestamp::from_second(seconds).ok()?.to_zoned(jiff::tz::TimeZone::UTC);
    Some(at.strftime("%Y-%m-%d %H:%M").to_string())
}
