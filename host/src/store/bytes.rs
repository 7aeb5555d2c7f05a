//! Messages as bytes, and the contents of attachments, which lie in them. In pieces, because a statement holds all that
//! it writes or reads in memory.

use super::Sha256;
use super::bulk::{self, Binding, Insert};
use super::rows::{column, count, named, unknown};
use crate::content::{self, Content, Spool};
use crate::message::Enclosure;
use crate::message::enclosure::{OpenError, TransferEncoding};
use futures::TryStreamExt as _;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row as _};
use std::borrow::Cow;
use std::io;

/// The length of a piece; the last one is shorter. The migration that cut older rows into pieces uses the same.
const PIECE_BYTES: usize = 512 << 10;

const MESSAGES: Insert =
    Insert { table: "messages", columns: &["sha256", "size", "bytes"], end: "ON CONFLICT (sha256) DO NOTHING" };

/// A message, and its first piece.
type First<'c> = (&'c Content, Sha256, Cow<'c, [u8]>);

/// Stores messages unless they are stored already.
pub(super) async fn put(connection: &mut AnyConnection, messages: &[&Content]) -> sqlx::Result<()> {
    // No statement is longer than a piece.
    let (mut short, mut bytes): (Vec<First<'_>>, usize) = (Vec::new(), 0);
    for message in messages.iter().copied() {
        let sha256 = Sha256(message.sha256().map_err(failed)?);
        let first = message.read(0, PIECE_BYTES).map_err(failed)?;
        if message.len() > piece_length(&first) {
            put_long(&mut *connection, (message, sha256, first)).await?;
            continue;
        }
        if bytes + first.len() > PIECE_BYTES {
            bulk::run(&mut *connection, MESSAGES.all(&short, bind)).await?;
            short.clear();
            bytes = 0;
        }
        bytes += first.len();
        short.push((message, sha256, first));
    }
    bulk::run(connection, MESSAGES.all(&short, bind)).await
}

fn bind<'q>(query: Binding<'q>, (message, sha256, first): &First<'_>) -> Binding<'q> {
    query.bind(sha256.0.as_slice()).bind(column(message.len())).bind(&**first)
}

fn piece_length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

/// Stores a message of several pieces.
async fn put_long(connection: &mut AnyConnection, first: First<'_>) -> sqlx::Result<()> {
    if bind(MESSAGES.of(1), &first).execute(&mut *connection).await?.rows_affected() == 0 {
        return Ok(());
    }
    let (message, sha256, first) = first;
    drop(first);
    for (position, piece) in message.pieces_of(PIECE_BYTES).enumerate().skip(1) {
        sqlx::query("INSERT INTO message_chunks (sha256, position, bytes) VALUES ($1, $2, $3)")
            .bind(sha256.0.as_slice())
            .bind(column(position))
            .bind(&*piece.map_err(failed)?)
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

/// The message with this digest; none if none is stored.
pub(super) async fn message(
    connection: &mut AnyConnection,
    sha256: &Sha256,
    spool: &Spool,
) -> sqlx::Result<Option<Content>> {
    let select = "SELECT size, bytes FROM messages WHERE sha256 = $1";
    let row = sqlx::query(select).bind(sha256.0.as_slice()).fetch_optional(&mut *connection).await?;
    let Some(row) = row else { return Ok(None) };
    let chunks = "SELECT bytes FROM message_chunks WHERE sha256 = $1 ORDER BY position";
    whole(connection, &row, chunks, sha256, spool).await.map(Some)
}

/// The content of the attachment with this digest; none if none is known.
pub(super) async fn attachment(
    connection: &mut AnyConnection,
    sha256: &Sha256,
    spool: &Spool,
) -> sqlx::Result<Option<Content>> {
    let select =
        "SELECT size, bytes, message, start, length, encoding, inner_start, inner_length FROM blobs WHERE sha256 = $1";
    let row = sqlx::query(select).bind(sha256.0.as_slice()).fetch_optional(&mut *connection).await?;
    let Some(row) = row else { return Ok(None) };
    if let Some(message) = row.try_get::<Option<Vec<u8>>, _>("message")? {
        return enclosed(connection, &message, &enclosure(&row, sha256)?, spool).await.map(Some);
    }
    let chunks = "SELECT bytes FROM blob_chunks WHERE sha256 = $1 ORDER BY position";
    whole(connection, &row, chunks, sha256, spool).await.map(Some)
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
    message: &[u8],
    enclosure: &Enclosure,
    spool: &Spool,
) -> sqlx::Result<Content> {
    let piece = u64::try_from(PIECE_BYTES).unwrap_or(u64::MAX);
    let first = enclosure.range.start / piece;
    let (mut opening, mut writer) = (enclosure.opening(first * piece), spool.writer(enclosure.size));
    if first == 0 {
        let select = "SELECT bytes FROM messages WHERE sha256 = $1";
        let row = sqlx::query(select).bind(message).fetch_one(&mut *connection).await?;
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

/// The error goes through the hands of the database's library, and is known again in [`super::sqlite::explain`].
pub(super) fn failed(error: content::Error) -> sqlx::Error {
    sqlx::Error::Io(io::Error::other(error))
}
