//! From values to columns and back.

use super::{Outcome, Sha256};
use crate::class::Class;
use crate::field::DateTime;
use crate::mailbox::MessageKey;
use crate::message::MessageId;
use crate::ticket::{Series, TicketNumber};
use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::Row;
use sqlx::any::AnyRow;

/// What went wrong when a column held something that this program cannot have written.
pub(super) fn unknown(column: &str, value: impl std::fmt::Display) -> sqlx::Error {
    sqlx::Error::Decode(format!("unexpected value \"{value}\" in column {column}").into())
}

/// A text column that holds a name of one of our enums.
pub(super) fn named<T>(row: &AnyRow, column: &str, parse: impl Fn(&str) -> Option<T>) -> sqlx::Result<T> {
    let name: String = row.try_get(column)?;
    parse(&name).ok_or_else(|| unknown(column, name))
}

pub(super) fn now() -> i64 {
    Timestamp::now().as_millisecond()
}

fn timestamp_of(column: &str, milliseconds: i64) -> sqlx::Result<Timestamp> {
    Timestamp::from_millisecond(milliseconds).map_err(|_| unknown(column, milliseconds))
}

pub(super) fn timestamp(row: &AnyRow, column: &str) -> sqlx::Result<Timestamp> {
    timestamp_of(column, row.try_get(column)?)
}

pub(super) fn timestamp_maybe(row: &AnyRow, column: &str) -> sqlx::Result<Option<Timestamp>> {
    let milliseconds: Option<i64> = row.try_get(column)?;
    milliseconds.map(|value| timestamp_of(column, value)).transpose()
}

/// A message's time as a column. Messages claim absurd times; those end up at the first or last one that can be read.
pub(super) fn milliseconds(at: &DateTime) -> i64 {
    at.seconds.clamp(Timestamp::MIN.as_second(), Timestamp::MAX.as_second()).saturating_mul(1000)
}

/// The time of receipt, with the offset it was written in.
pub(super) fn received(row: &AnyRow) -> sqlx::Result<DateTime> {
    let milliseconds: i64 = row.try_get("received_at")?;
    let offset: i64 = row.try_get("received_offset")?;
    let offset_minutes = i16::try_from(offset).map_err(|_| unknown("received_offset", offset))?;
    Ok(DateTime { seconds: milliseconds.div_euclid(1000), offset_minutes })
}

pub(super) fn key(row: &AnyRow) -> sqlx::Result<MessageKey> {
    let uid_validity: i64 = row.try_get("uid_validity")?;
    Ok(MessageKey {
        mailbox: row.try_get("mailbox")?,
        uid_validity: u32::try_from(uid_validity).map_err(|_| unknown("uid_validity", uid_validity))?,
        uid: row.try_get("uid")?,
    })
}

pub(super) fn message_id(row: &AnyRow) -> sqlx::Result<Option<MessageId>> {
    Ok(row.try_get::<Option<String>, _>("message_id")?.map(MessageId))
}

pub(super) fn sha256(row: &AnyRow) -> sqlx::Result<Sha256> {
    let bytes: Vec<u8> = row.try_get("sha256")?;
    let length = bytes.len();
    bytes.try_into().map(Sha256).map_err(|_| unknown("sha256", format!("{length} bytes")))
}

/// The number of a ticket, out of its columns `prefix`, `digits` and `sequence`.
pub(super) fn ticket(row: &AnyRow) -> sqlx::Result<TicketNumber> {
    let prefix: String = row.try_get("prefix")?;
    let series = Series::new(&prefix, count(row, "digits")?).map_err(|(_, reason)| unknown("prefix", reason))?;
    Ok(series.number(count(row, "sequence")?))
}

pub(super) fn count(row: &AnyRow, column: &str) -> sqlx::Result<u64> {
    let count: i64 = row.try_get(column)?;
    u64::try_from(count).map_err(|_| unknown(column, count))
}

pub(super) fn outcome(row: &AnyRow) -> sqlx::Result<Outcome> {
    let name: String = row.try_get("outcome")?;
    let reason: String = row.try_get("reason")?;
    match name.as_str() {
        "accepted" => Ok(Outcome::Accepted),
        "rejected" => Ok(Outcome::Rejected { reason }),
        "ignored" => Ok(Outcome::Ignored { reason }),
        "quarantined" => Ok(Outcome::Quarantined { reason, class: named(row, "class", Class::parse)? }),
        _ => Err(unknown("outcome", name)),
    }
}

/// A text column that holds JSON.
pub(super) fn json<T: DeserializeOwned>(row: &AnyRow, column: &str) -> sqlx::Result<T> {
    parse_json(column, &row.try_get::<String, _>(column)?)
}

pub(super) fn parse_json<T: DeserializeOwned>(column: &str, text: &str) -> sqlx::Result<T> {
    serde_json::from_str(text).map_err(|error| unknown(column, error))
}

pub(super) fn to_json(value: &impl Serialize) -> sqlx::Result<String> {
    serde_json::to_string(value).map_err(|error| sqlx::Error::Encode(error.into()))
}

/// A count or size as a column. What does not fit could never have been held in memory.
pub(super) fn column(count: impl TryInto<i64>) -> i64 {
    count.try_into().unwrap_or(i64::MAX)
}
