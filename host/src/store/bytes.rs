//! Messages and attachments as bytes: in pieces, because a statement holds all that it writes or reads in memory.

use super::Sha256;
use super::rows::{column, count};
use crate::content::{self, Content, Spool};
use futures::TryStreamExt as _;
use sqlx::{AnyConnection, Row as _};
use std::io;

/// The length of a piece; the last one is shorter. The migration that cut older rows into pieces uses the same.
const PIECE_BYTES: usize = 512 << 10;

/// What the bytes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A message as received.
    Message,
    /// An attachment.
    Blob,
}

impl Kind {
    fn insert(self) -> &'static str {
        match self {
            Self::Message => {
                "INSERT INTO messages (sha256, size, bytes) VALUES ($1, $2, $3) ON CONFLICT (sha256) DO NOTHING"
            }
            Self::Blob => "INSERT INTO blobs (sha256, size, bytes) VALUES ($1, $2, $3) ON CONFLICT (sha256) DO NOTHING",
        }
    }

    fn insert_chunk(self) -> &'static str {
        match self {
            Self::Message => "INSERT INTO message_chunks (sha256, position, bytes) VALUES ($1, $2, $3)",
            Self::Blob => "INSERT INTO blob_chunks (sha256, position, bytes) VALUES ($1, $2, $3)",
        }
    }

    fn select(self) -> &'static str {
        match self {
            Self::Message => "SELECT size, bytes FROM messages WHERE sha256 = $1",
            Self::Blob => "SELECT size, bytes FROM blobs WHERE sha256 = $1",
        }
    }

    fn select_chunks(self) -> &'static str {
        match self {
            Self::Message => "SELECT bytes FROM message_chunks WHERE sha256 = $1 ORDER BY position",
            Self::Blob => "SELECT bytes FROM blob_chunks WHERE sha256 = $1 ORDER BY position",
        }
    }
}

/// Stores a content unless it is stored already.
pub(super) async fn put(connection: &mut AnyConnection, kind: Kind, content: &Content) -> sqlx::Result<Sha256> {
    let sha256 = Sha256(content.sha256().map_err(failed)?);
    let first = content.read(0, PIECE_BYTES).map_err(failed)?;
    let inserted = sqlx::query(kind.insert())
        .bind(sha256.0.as_slice())
        .bind(column(content.len()))
        .bind(&*first)
        .execute(&mut *connection)
        .await?;
    if inserted.rows_affected() == 0 {
        return Ok(sha256);
    }
    for (position, piece) in content.pieces_of(PIECE_BYTES).enumerate().skip(1) {
        sqlx::query(kind.insert_chunk())
            .bind(sha256.0.as_slice())
            .bind(column(position))
            .bind(&*piece.map_err(failed)?)
            .execute(&mut *connection)
            .await?;
    }
    Ok(sha256)
}

/// The content with this digest; none if none is stored.
pub(super) async fn get(
    connection: &mut AnyConnection,
    kind: Kind,
    sha256: &Sha256,
    spool: &Spool,
) -> sqlx::Result<Option<Content>> {
    let row = sqlx::query(kind.select()).bind(sha256.0.as_slice()).fetch_optional(&mut *connection).await?;
    let Some(row) = row else { return Ok(None) };
    let size = count(&row, "size")?;
    let mut writer = spool.writer(size);
    writer.append(row.try_get("bytes")?).map_err(failed)?;
    let mut chunks = sqlx::query(kind.select_chunks()).bind(sha256.0.as_slice()).fetch(connection);
    while writer.written() < size
        && let Some(row) = chunks.try_next().await?
    {
        writer.append(row.try_get("bytes")?).map_err(failed)?;
    }
    if writer.written() < size {
        let found = writer.written();
        return Err(sqlx::Error::Decode(format!("{found} bytes of {sha256} are there and should be {size}").into()));
    }
    writer.finish().map(Some).map_err(failed)
}

/// The error goes through the hands of the database's library, and is known again in [`super::sqlite::explain`].
pub(super) fn failed(error: content::Error) -> sqlx::Error {
    sqlx::Error::Io(io::Error::other(error))
}
