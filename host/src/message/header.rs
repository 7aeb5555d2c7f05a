//! Header fields, decoded (RFC 5322 section 3.6, RFC 2047).

use super::{Address, Defect, HeaderField, MessageId, encoded_word};
use crate::field::DateTime;
use mail_parser::parsers::MessageStream;
use mail_parser::{Header, HeaderName, HeaderValue};
use std::collections::BTreeSet;

/// How many header fields are kept whatever they are, and how many more of names that the parser does not know.
pub(super) const FIELDS_MAX: usize = 1_000;
/// The most recipients that are kept.
pub(super) const RECIPIENTS_MAX: usize = 1_000;
/// The most message identifiers of one field that are kept.
pub(super) const MESSAGE_IDS_MAX: usize = 1_000;

/// All header fields of the message itself, in order.
pub(super) fn fields(parsed: &mail_parser::Message<'_>, defects: &mut Vec<Defect>) -> Vec<HeaderField> {
    let headers = parsed.parts.first().map_or(&[][..], |part| &part.headers);
    if headers.len() > FIELDS_MAX {
        let count = headers.len();
        defects.push(Defect(format!(
            "{count} header fields: the first {FIELDS_MAX} are kept, and of those behind them the first of each name"
        )));
    }
    let field = |header: &Header<'_>| {
        let raw = parsed.raw_message.get(header.offset_start as usize..header.offset_end as usize);
        let raw = encoded_word::joined(raw.unwrap_or_default());
        let value = MessageStream::new(&raw).parse_unstructured();
        HeaderField { name: header.name.as_str().to_owned(), value: as_text(&value) }
    };
    kept(headers).map(field).collect()
}

/// The first header fields, and of those behind them the first of each name that did not come before: who puts a thousand
/// fields in front of the subject hides nothing.
fn kept<'h, 'x>(headers: &'h [Header<'x>]) -> impl Iterator<Item = &'h Header<'x>> {
    let (first, rest) = headers.split_at(headers.len().min(FIELDS_MAX));
    let name = |header: &Header<'_>| header.name.as_str().to_ascii_lowercase();
    let mut names: BTreeSet<String> = if rest.is_empty() { BTreeSet::new() } else { first.iter().map(name).collect() };
    let mut unknown = 0;
    let rest = rest.iter().filter(move |header| {
        let is_unknown = matches!(header.name, HeaderName::Other(_));
        let is_kept = (!is_unknown || unknown < FIELDS_MAX) && names.insert(name(header));
        unknown += usize::from(is_kept && is_unknown);
        is_kept
    });
    first.iter().chain(rest)
}

/// The value of the first field of that name, any case.
pub(super) fn value<'h>(headers: &'h [HeaderField], name: &str) -> Option<&'h str> {
    headers.iter().find(|field| field.name.eq_ignore_ascii_case(name)).map(|field| field.value.as_str())
}

fn as_text(value: &HeaderValue<'_>) -> String {
    match value {
        HeaderValue::Text(text) => on_one_line(text),
        HeaderValue::TextList(list) => on_one_line(&list.join(" ")),
        _ => String::new(),
    }
}

/// A value on one line, whatever an encoded word had in it: RFC 2047 section 5 allows it no line end, and who reads a subject or a name
/// does not expect a second line.
fn on_one_line(text: &str) -> String {
    let ends_line = |c: char| c.is_control() && c != '\t' || matches!(c, '\u{2028}' | '\u{2029}');
    let pieces: Vec<&str> = text.split(ends_line).map(str::trim).filter(|piece| !piece.is_empty()).collect();
    pieces.join(" ")
}

/// The author: From, or else Sender (RFC 5322 section 3.6.2).
pub(super) fn sender(parsed: &mail_parser::Message<'_>, defects: &mut Vec<Defect>) -> Option<Address> {
    let first = |address: Option<&mail_parser::Address<'_>>| address.into_iter().flat_map(addresses).next();
    let sender = first(parsed.from()).or_else(|| first(parsed.sender()));
    if sender.is_none() {
        defects.push(Defect("there is no sender: neither From nor Sender holds an address".to_owned()));
    }
    sender
}

/// The recipients of To and Cc.
pub(super) fn recipients(parsed: &mail_parser::Message<'_>) -> Vec<Address> {
    [parsed.to(), parsed.cc()].into_iter().flatten().flat_map(addresses).take(RECIPIENTS_MAX).collect()
}

/// Fields that hold addresses besides those of RFC 5322 section 3.6.
const ADDRESS_FIELDS: [&str; 6] = [
    "Delivered-To",
    "Disposition-Notification-To",
    "Envelope-To",
    "X-Envelope-From",
    "X-Original-From",
    "X-Original-To",
];

/// The header fields that hold addresses, with their names. They are read as they were written: an address that shows
/// only after decoding is part of a name (RFC 2047 section 5).
pub(super) fn address_fields(parsed: &mail_parser::Message<'_>) -> Vec<(String, Vec<Address>)> {
    let headers = parsed.parts.first().map_or(&[][..], |part| &part.headers);
    let field = |header: &Header<'_>| {
        let name = header.name.as_str();
        let found = match &header.value {
            HeaderValue::Address(list) => addresses(list),
            _ if ADDRESS_FIELDS.iter().any(|known| known.eq_ignore_ascii_case(name)) => {
                let raw = parsed.raw_message.get(header.offset_start as usize..header.offset_end as usize)?;
                match MessageStream::new(raw).parse_address() {
                    HeaderValue::Address(list) => addresses(&list),
                    _ => return None,
                }
            }
            _ => return None,
        };
        (!found.is_empty()).then(|| (name.to_owned(), found))
    };
    kept(headers).filter_map(field).collect()
}

fn addresses(list: &mail_parser::Address<'_>) -> Vec<Address> {
    list.iter()
        .filter_map(|address| {
            let email = address.address().filter(|email| !email.trim().is_empty())?;
            Some(Address { name: on_one_line(address.name().unwrap_or_default()), email: on_one_line(email) })
        })
        .take(RECIPIENTS_MAX)
        .collect()
}

/// The Message-ID.
pub(super) fn message_id(parsed: &mail_parser::Message<'_>, defects: &mut Vec<Defect>) -> Option<MessageId> {
    let id = parsed.message_id().map(str::trim).filter(|id| !id.is_empty());
    if id.is_none() {
        defects.push(Defect("there is no Message-ID".to_owned()));
    }
    id.map(|id| MessageId(id.to_owned()))
}

/// The message identifiers of a field. Of too many, the last ones are kept: they are the nearest.
pub(super) fn message_ids(value: &HeaderValue<'_>) -> Vec<MessageId> {
    let ids: Vec<&str> = match value {
        HeaderValue::Text(text) => vec![text],
        HeaderValue::TextList(list) => list.iter().map(AsRef::as_ref).collect(),
        _ => Vec::new(),
    };
    let ids = ids.into_iter().map(str::trim).filter(|id| !id.is_empty());
    let mut ids: Vec<MessageId> = ids.map(|id| MessageId(id.to_owned())).collect();
    ids.drain(..ids.len().saturating_sub(MESSAGE_IDS_MAX));
    ids
}

/// The Date field (RFC 5322 section 3.6.1).
pub(super) fn date(parsed: &mail_parser::Message<'_>, defects: &mut Vec<Defect>) -> Option<DateTime> {
    let date = parsed.date().filter(|date| date.is_valid());
    let Some(date) = date else {
        let there = parsed.header_raw("Date").is_some_and(|text| !text.trim().is_empty());
        defects.push(Defect(if there { "the Date field holds no date" } else { "there is no Date field" }.to_owned()));
        return None;
    };
    Some(date_time(date))
}

/// When the last server on the way took the message over: what its Received field says, which is the topmost one
/// (RFC 5321 section 4.4). Unlike Date, no sender writes it.
pub(super) fn arrival(parsed: &mail_parser::Message<'_>) -> Option<DateTime> {
    let headers = parsed.parts.first().map_or(&[][..], |part| &part.headers);
    let topmost = headers.iter().find_map(|header| match &header.value {
        HeaderValue::Received(received) => Some(received),
        _ => None,
    });
    topmost?.date.as_ref().filter(|date| date.is_valid()).map(date_time)
}

fn date_time(date: &mail_parser::DateTime) -> DateTime {
    let minutes = i16::from(date.tz_hour).saturating_mul(60).saturating_add(i16::from(date.tz_minute));
    let offset_minutes = if date.tz_before_gmt { -minutes } else { minutes };
    DateTime { seconds: date.to_timestamp(), offset_minutes }
}
