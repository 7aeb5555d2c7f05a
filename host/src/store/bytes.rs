//! Messages as bytes, and the contents of attachments, which lie in them: in a file, and what came before there was one in rows, in pieces.

use super::bulk::{self, Insert, VALUES_PER_QUERY};
use super::message_file::{Appending, MessageFile};
use super::rows::{self, column, count, named, unknown};
use super::{Error, Sha256};
use crate::content::{self, Content, Spool};
use crate::message::Enclosure;
use crate::message::enclosure::{OpenError, TransferEncoding};
use futures::TryStreamExt as _;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row as _};
use std::collections::HashSet;
use std::io;
use std::ops::Range;

/// The length of the pieces in which rows of before have their bytes; the last one is shorter. The migration that cut them uses the same.
const PIECE_BYTES: usize = 512 << 10;

const MESSAGES: Insert = Insert { table: "messages", columns: &["sha256", "size", "bytes", "place"], end: "" };

/// Messages that are stored with the transaction, if it is committed.
pub(super) enum Storing {
    /// Their bytes are being written.
    Appending(Appending),
    /// There is nothing to write.
    Nothing,
}

/// Stores messages unless they are stored already; [`Storing::finish`] says when their bytes are on the disk. Without a file there are rows, and no bytes:
/// for a transaction that is rolled back in any case.
pub(super) async fn put(
    connection: &mut AnyConnection,
    file: Option<&MessageFile>,
    messages: &[&Content],
) -> sqlx::Result<Storing> {
    let (digests, new) = new(&mut *connection, messages).await?;
    let (storing, places) = match file {
        Some(file) if !new.is_empty() => {
            let appending = file.append(new.clone()).await.map_err(wrapped)?;
            let places = appending.places.clone();
            (Storing::Appending(appending), places)
        }
        _ => (Storing::Nothing, vec![0; new.len()]),
    };
    let rows: Vec<_> = digests.iter().zip(&new).zip(places).collect();
    let statements = MESSAGES.all(&rows, |query, ((sha256, message), place)| {
        query.bind(sha256.0.as_slice()).bind(column(message.len())).bind([].as_slice()).bind(column(*place))
    });
    match bulk::run(connection, statements).await {
        Ok(()) => Ok(storing),
        Err(error) => {
            storing.take_back().await;
            Err(error)
        }
    }
}

/// Those of the messages that are not stored, each once, and their digests.
async fn new(connection: &mut AnyConnection, messages: &[&Content]) -> sqlx::Result<(Vec<Sha256>, Vec<Content>)> {
    let mut stored = HashSet::new();
    let mut named = Vec::with_capacity(messages.len());
    for &message in messages {
        named.push((Sha256(message.sha256().map_err(failed)?), message.clone()));
    }
    for some in named.chunks(VALUES_PER_QUERY) {
        let query = bulk::about("SELECT sha256 FROM messages WHERE sha256", 1, some.len(), "");
        let query = some.iter().fold(query, |query, (sha256, _)| query.bind(sha256.0.as_slice()));
        for row in query.fetch_all(&mut *connection).await? {
            stored.insert(rows::sha256(&row)?);
        }
    }
    named.retain(|(sha256, _)| stored.insert(*sha256));
    Ok(named.into_iter().unzip())
}

impl Storing {
    /// Waits until the bytes are on the disk.
    pub(super) async fn finish(self) -> sqlx::Result<()> {
        match self {
            Self::Appending(appending) => appending.finish().await.map(drop).map_err(wrapped),
            Self::Nothing => Ok(()),
        }
    }

    /// Removes the bytes again, for a transaction that is rolled back.
    pub(super) async fn take_back(self) {
        if let Self::Appending(appending) = self
            && let Ok(appended) = appending.finish().await
        {
            appended.take_back();
        }
    }
}

/// The message with this digest; none if none is stored.
pub(super) async fn message(
    connection: &mut AnyConnection,
    file: &MessageFile,
    sha256: &Sha256,
) -> sqlx::Result<Option<Content>> {
    let select = "SELECT size, bytes, place FROM messages WHERE sha256 = $1";
    let row = sqlx::query(select).bind(sha256.0.as_slice()).fetch_optional(&mut *connection).await?;
    match row {
        Some(row) => of_row(connection, file, &row, sha256).await.map(Some),
        None => Ok(None),
    }
}

/// The message of a row with `size`, `bytes` and `place`.
pub(super) async fn of_row(
    connection: &mut AnyConnection,
    file: &MessageFile,
    row: &AnyRow,
    sha256: &Sha256,
) -> sqlx::Result<Content> {
    if let Some(range) = place(row)? {
        return file.message(range, *sha256).await.map_err(wrapped);
    }
    let chunks = "SELECT bytes FROM message_chunks WHERE sha256 = $1 ORDER BY position";
    whole(connection, row, chunks, sha256, file.spool()).await
}

/// Where the bytes of a message lie in the file; none if they are in the database.
fn place(row: &AnyRow) -> sqlx::Result<Option<Range<u64>>> {
    if row.try_get::<Option<i64>, _>("place")?.is_none() {
        return Ok(None);
    }
    let start = count(row, "place")?;
    let end = start.checked_add(count(row, "size")?).ok_or_else(|| unknown("place", start))?;
    Ok(Some(start..end))
}

/// Where the last message ends in the file.
pub(super) async fn end(connection: &mut AnyConnection) -> sqlx::Result<u64> {
    // The file grows from one row to the next.
    let select = "SELECT place + size AS ends FROM messages WHERE place IS NOT NULL ORDER BY rowid DESC LIMIT 1";
    sqlx::query(select).fetch_optional(connection).await?.map_or(Ok(0), |row| count(&row, "ends"))
}

/// The content of the attachment with this digest; none if none is known.
pub(super) async fn attachment(
    connection: &mut AnyConnection,
    file: &MessageFile,
    sha256: &Sha256,
) -> sqlx::Result<Option<Content>> {
    let select =
        "SELECT size, bytes, message, start, length, encoding, inner_start, inner_length FROM blobs WHERE sha256 = $1";
    let row = sqlx::query(select).bind(sha256.0.as_slice()).fetch_optional(&mut *connection).await?;
    let Some(row) = row else { return Ok(None) };
    if let Some(message) = row.try_get::<Option<Vec<u8>>, _>("message")? {
        return enclosed(connection, file, &message, enclosure(&row, sha256)?).await.map(Some);
    }
    let chunks = "SELECT bytes FROM blob_chunks WHERE sha256 = $1 ORDER BY position";
    whole(connection, &row, chunks, sha256, file.spool()).await.map(Some)
}

/// A content that is stored as it is: the first piece and those that follow.
async fn whole(
    connection: &mut AnyConnection,
    row: &AnyRow,
    chunks: &'static str,
    sha256: &Sha256,
    spool: &Spool,
) -> sqlx::Result<Content> {
    let size = count(row, "size")?;
    let mut writer = spool.writer(size);
    writer.append(row.try_get("bytes")?).map_err(failed)?;
    let mut chunks = sqlx::query(chunks).bind(sha256.0.as_slice()).fetch(connection);
    while writer.written() < size
        && let Some(row) = chunks.try_next().await?
    {
        writer.append(row.try_get("bytes")?).map_err(failed)?;
    }
    if writer.written() < size {
        let found = writer.written();
        return Err(sqlx::Error::Decode(format!("{found} bytes of {sha256} are there and should be {size}").into()));
    }
    writer.finish().map_err(failed)
}

fn enclosure(row: &AnyRow, sha256: &Sha256) -> sqlx::Result<Enclosure> {
    let (start, length) = (count(row, "start")?, count(row, "length")?);
    let end = start.checked_add(length).ok_or_else(|| unknown("length", length))?;
    let encoding = named(row, "encoding", TransferEncoding::parse)?;
    let within = match row.try_get::<Option<i64>, _>("inner_start")? {
        Some(_) => {
            let (start, length) = (count(row, "inner_start")?, count(row, "inner_length")?);
            Some(start..start.checked_add(length).ok_or_else(|| unknown("inner_length", length))?)
        }
        None => None,
    };
    Ok(Enclosure { range: start..end, encoding, within, size: count(row, "size")?, sha256: sha256.0 })
}

/// A content that lies in a message. Only the pieces that it lies in are read.
async fn enclosed(
    connection: &mut AnyConnection,
    file: &MessageFile,
    message: &[u8],
    enclosure: Enclosure,
) -> sqlx::Result<Content> {
    let select = "SELECT size, bytes, place FROM messages WHERE sha256 = $1";
    let row = sqlx::query(select).bind(message).fetch_one(&mut *connection).await?;
    if let Some(message) = place(&row)? {
        return file.enclosed(message, enclosure).await.map_err(wrapped);
    }
    let piece = u64::try_from(PIECE_BYTES).unwrap_or(u64::MAX);
    let first = enclosure.range.start / piece;
    let (mut opening, mut writer) = (enclosure.opening(first * piece), file.spool().writer(enclosure.size));
    if first == 0 {
        opening.take(row.try_get("bytes")?, &mut writer).map_err(not_opened)?;
    }
    let select = "SELECT bytes FROM message_chunks WHERE sha256 = $1 AND position >= $2 ORDER BY position";
    let mut chunks = sqlx::query(select).bind(message).bind(column(first)).fetch(connection);
    while !opening.is_complete()
        && let Some(row) = chunks.try_next().await?
    {
        opening.take(row.try_get("bytes")?, &mut writer).map_err(not_opened)?;
    }
    opening.finish(writer).map_err(not_opened)
}

fn not_opened(error: OpenError) -> sqlx::Error {
    match error {
        OpenError::Content(content::Error::TooLong(_)) => {
            sqlx::Error::Decode("an attachment is longer than it was".into())
        }
        OpenError::Content(error) => failed(error),
        OpenError::Damaged(cause) => sqlx::Error::Decode(cause.into()),
    }
}

pub(super) fn failed(error: content::Error) -> sqlx::Error {
    wrapped(error.into())
}

/// The error goes through the hands of the database's library, and is known again in [`super::sqlite::explain`].
fn wrapped(error: Error) -> sqlx::Error {
    sqlx::Error::Io(io::Error::other(error))
}
