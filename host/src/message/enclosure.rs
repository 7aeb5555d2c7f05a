//! Enclosures: where in its message the content of an attachment lies, and how to read it there.
//!
//! An attachment is a stretch of its message, encoded for the way. Nothing of it is kept beside the message: whoever
//! wants its content decodes the stretch again.

use super::transfer::{Decoder, NotEncoded};
use crate::content::{self, Content, Writer};
use aws_lc_rs::digest;
use mail_parser::Encoding;
use std::io::Read;
use std::ops::Range;

/// How the content of a part is encoded (RFC 2045 section 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TransferEncoding {
    /// Not at all: `7bit`, `8bit` and `binary`.
    Identity,
    /// RFC 2045 section 6.8.
    Base64,
    /// RFC 2045 section 6.7.
    QuotedPrintable,
}

impl TransferEncoding {
    const ALL: [Self; 3] = [Self::Identity, Self::Base64, Self::QuotedPrintable];

    /// The name used in the database.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Base64 => "base64",
            Self::QuotedPrintable => "quoted-printable",
        }
    }

    /// The encoding of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|encoding| encoding.name() == name)
    }
}

impl From<Encoding> for TransferEncoding {
    fn from(encoding: Encoding) -> Self {
        match encoding {
            Encoding::None => Self::Identity,
            Encoding::Base64 => Self::Base64,
            Encoding::QuotedPrintable => Self::QuotedPrintable,
        }
    }
}

/// A content that lies in a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enclosure {
    /// Where its encoded bytes lie in the message.
    pub range: Range<u64>,
    /// How they are encoded.
    pub encoding: TransferEncoding,
    /// Which of the decoded bytes it is, where it lies in another content; none: all of them.
    pub within: Option<Range<u64>>,
    /// How many bytes it is.
    pub size: u64,
    /// The SHA-256 of these bytes.
    pub sha256: [u8; 32],
}

/// The most bytes that [`Enclosure::head`] gives.
pub(super) const HEAD_BYTES_MAX: usize = 64 << 10;

impl Enclosure {
    /// What lies in this range of a message, and whether it is encoded as said; if not, the bytes are taken as they are.
    ///
    /// # Errors
    /// If the message cannot be read.
    pub(super) fn measure(
        message: &Content,
        range: Range<u64>,
        encoding: TransferEncoding,
    ) -> Result<(Self, bool), content::Error> {
        let encoded = message.slice(range.clone());
        if let Ok((size, sha256)) = measured(&encoded, encoding)? {
            return Ok((Self { range, encoding, within: None, size, sha256 }, true));
        }
        let as_it_is = TransferEncoding::Identity;
        let (size, sha256) = (encoded.len(), encoded.sha256()?);
        Ok((Self { range, encoding: as_it_is, within: None, size, sha256 }, false))
    }

    /// A reader of the decoded bytes, out of the message that it lies in.
    pub(super) fn reader(&self, message: &Content) -> Decoded {
        let pieces = message.slice(self.range.clone());
        Decoded { pieces, at: 0, decoder: Decoder::new(self.encoding), decoded: Vec::new(), given: 0 }
    }

    /// The first bytes of it, at most `bytes_max` and [`HEAD_BYTES_MAX`], out of the message that it lies in.
    pub(super) fn head(&self, message: &Content, bytes_max: usize) -> Result<Vec<u8>, content::Error> {
        let start = self.within.as_ref().map_or(0, |within| within.start);
        let length = self.size.min(u64::try_from(bytes_max.min(HEAD_BYTES_MAX)).unwrap_or(u64::MAX));
        let mut reader = self.reader(message);
        let mut head = Vec::new();
        let read = std::io::copy(&mut (&mut reader).take(start), &mut std::io::sink())
            .and_then(|_| (&mut reader).take(length).read_to_end(&mut head));
        match read {
            Ok(_) => Ok(head),
            Err(error) => Err(in_content(error)),
        }
    }

    /// Takes the content out of the message as its pieces come, from an offset on that is not behind its beginning.
    #[must_use]
    pub fn opening(&self, from: u64) -> Opening<'_> {
        Opening { enclosure: self, decoder: Decoder::new(self.encoding), at: from, decoded: Vec::new(), passed: 0 }
    }
}

/// Decodes a content as it is read. Where it is not encoded as it says, it ends.
pub(super) struct Decoded {
    pieces: Content,
    at: u64,
    decoder: Decoder,
    decoded: Vec<u8>,
    given: usize,
}

impl Read for Decoded {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        while self.given >= self.decoded.len() {
            let piece = self.pieces.read(self.at, PIECE_BYTES).map_err(std::io::Error::other)?;
            if piece.is_empty() {
                return Ok(0);
            }
            self.at += u64::try_from(piece.len()).unwrap_or(u64::MAX);
            self.decoded.clear();
            self.given = 0;
            if self.decoder.decode(&piece, &mut self.decoded).is_err() {
                self.at = u64::MAX;
            }
        }
        let rest = self.decoded.get(self.given..).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        if let (Some(to), Some(from)) = (buffer.get_mut(..count), rest.get(..count)) {
            to.copy_from_slice(from);
        }
        self.given += count;
        Ok(count)
    }
}

/// What went wrong with the content behind a reader.
pub(super) fn in_content(error: std::io::Error) -> content::Error {
    let cause = error.to_string();
    let inner = error.into_inner().and_then(|inner| inner.downcast::<content::Error>().ok());
    inner.map_or_else(
        || content::Error::Spool { action: "read", folder: std::path::PathBuf::new(), cause },
        |inner| *inner,
    )
}

/// The size and the SHA-256 of what was encoded.
fn measured(
    encoded: &Content,
    encoding: TransferEncoding,
) -> Result<Result<(u64, [u8; 32]), NotEncoded>, content::Error> {
    if encoding == TransferEncoding::Identity {
        return Ok(Ok((encoded.len(), encoded.sha256()?)));
    }
    let (mut decoder, mut decoded) = (Decoder::new(encoding), Vec::new());
    let (mut size, mut digest) = (0_u64, digest::Context::new(&digest::SHA256));
    for piece in encoded.pieces_of(PIECE_BYTES) {
        if decoder.decode(&piece?, &mut decoded).is_err() {
            return Ok(Err(NotEncoded));
        }
        size += u64::try_from(decoded.len()).unwrap_or(u64::MAX);
        digest.update(&decoded);
        decoded.clear();
    }
    Ok(Ok((size, content::digest(digest))))
}

/// How much is decoded at a time: what stays in the processor's cache.
const PIECE_BYTES: usize = 32 << 10;

/// Why a content cannot be taken out of its message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// It cannot be kept.
    #[error(transparent)]
    Content(#[from] content::Error),
    /// The message, or what is known of the content, is not what it was.
    #[error("{0}")]
    Damaged(String),
}

/// An enclosure that is being taken out of its message.
#[derive(Debug)]
pub struct Opening<'e> {
    enclosure: &'e Enclosure,
    decoder: Decoder,
    /// How much of the message was looked at.
    at: u64,
    decoded: Vec<u8>,
    /// How many bytes were decoded before.
    passed: u64,
}

impl Opening<'_> {
    /// Whether the rest of the message is not needed.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.at >= self.enclosure.range.end
    }

    /// Takes the next piece of the message and writes what of the content lies in it.
    ///
    /// # Errors
    /// If it is not encoded as it was, or cannot be kept.
    pub fn take(&mut self, piece: &[u8], writer: &mut Writer) -> Result<(), OpenError> {
        let length = u64::try_from(piece.len()).unwrap_or(u64::MAX);
        let within = |place: u64| usize::try_from(place.saturating_sub(self.at).min(length)).unwrap_or(usize::MAX);
        let Range { start, end } = self.enclosure.range;
        let encoded = piece.get(within(start)..within(end)).unwrap_or_default();
        self.at = self.at.saturating_add(length);
        for encoded in encoded.chunks(PIECE_BYTES) {
            let decoded = self.decoder.decode(encoded, &mut self.decoded);
            decoded.map_err(|NotEncoded| self.damaged("is not encoded as it was"))?;
            let count = u64::try_from(self.decoded.len()).unwrap_or(u64::MAX);
            let wanted = self.enclosure.within.clone().unwrap_or(0..u64::MAX);
            let within =
                |place: u64| usize::try_from(place.saturating_sub(self.passed).min(count)).unwrap_or(usize::MAX);
            writer.append(self.decoded.get(within(wanted.start)..within(wanted.end)).unwrap_or_default())?;
            self.passed = self.passed.saturating_add(count);
            self.decoded.clear();
        }
        Ok(())
    }

    /// What was taken out, if it is what it was.
    ///
    /// # Errors
    /// If it is not, or cannot be read back.
    pub fn finish(self, writer: Writer) -> Result<Content, OpenError> {
        let content = writer.finish()?;
        if !self.is_complete() {
            return Err(self.damaged("reaches beyond the end of the message"));
        }
        if content.len() != self.enclosure.size || content.sha256()? != self.enclosure.sha256 {
            return Err(self.damaged("is not what it was"));
        }
        Ok(content)
    }

    fn damaged(&self, what: &str) -> OpenError {
        let Range { start, end } = &self.enclosure.range;
        OpenError::Damaged(format!("the attachment at bytes {start} to {end} of its message {what}"))
    }
}
