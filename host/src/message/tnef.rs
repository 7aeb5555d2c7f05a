//! What is in a `winmail.dat` (MS-OXTNEF, the Transport Neutral Encapsulation Format): the files that Outlook packs
//! into one attachment.
//!
//! The file is read once, front to back; the contents of the files in it are not kept, only where they lie.

mod nested;

use super::attachment::ATTACHMENTS_MAX;
use mail_parser::decoders::charsets::map::charset_decoder;
use nested::Nested;
use sha2::{Digest as _, Sha256};
use std::io::{self, Read};
use std::ops::Range;

/// The media types of such a file: as it is registered, and as it is often called.
pub(super) const MEDIA_TYPES: [&str; 2] = ["application/vnd.ms-tnef", "application/ms-tnef"];
/// MS-OXTNEF section 2.1.3.1: what such a file begins with.
const SIGNATURE: [u8; 4] = [0x78, 0x9f, 0x3e, 0x22];
/// The most attributes that are looked at.
const ATTRIBUTES_MAX: usize = 20_000;
/// How much is looked at of a value that is not a file.
const VALUE_BYTES_MAX: u64 = 64 << 10;
/// The most properties of a file that are looked at, and the most values of one.
const PROPERTIES_MAX: u32 = 1_000;
/// How much of a file is looked at to see what it is.
const SEEN_BYTES: usize = 8 << 10;
/// How much of a message in it is looked at to see what it is about: that stands before its own files.
const MESSAGE_BYTES: usize = 64 << 10;

/// MS-OXTNEF section 2.1.3.2: the attributes that matter, by their number and type.
mod tag {
    pub(super) const BODY: u32 = 0x0002_800c;
    pub(super) const SUBJECT: u32 = 0x0001_8004;
    pub(super) const MESSAGE_PROPERTIES: u32 = 0x0006_9003;
    pub(super) const RENDERING: u32 = 0x0006_9002;
    pub(super) const TITLE: u32 = 0x0001_8010;
    pub(super) const DATA: u32 = 0x0006_800f;
    pub(super) const PROPERTIES: u32 = 0x0006_9005;
}

/// MS-OXPROPS: the properties that matter.
mod property {
    pub(super) const BODY: [u16; 3] = [0x1000, 0x1009, 0x1013];
    pub(super) const SUBJECT: u16 = 0x0037;
    /// The name of whom the message is from, and then of whoever sent it for them.
    pub(super) const SENDER_NAME: [u16; 2] = [0x0042, 0x0c1a];
    /// The addresses of these, as SMTP knows them and as the mail system does.
    pub(super) const SENDER_ADDRESS: [u16; 4] = [0x5d02, 0x5d01, 0x0065, 0x0c1f];
    /// When it was sent, or else delivered.
    pub(super) const SENT: [u16; 2] = [0x0039, 0x0e06];
    pub(super) const DATA: u16 = 0x3701;
    pub(super) const LONG_FILE_NAME: u16 = 0x3707;
    pub(super) const MEDIA_TYPE: u16 = 0x370e;
    pub(super) const CONTENT_ID: u16 = 0x3712;
}

/// MS-OXCDATA section 2.11.1: the types of properties that have a length.
mod kind {
    pub(super) const OBJECT: u16 = 0x000d;
    pub(super) const NARROW: u16 = 0x001e;
    pub(super) const WIDE: u16 = 0x001f;
    pub(super) const BINARY: u16 = 0x0102;
    pub(super) const TIME: u16 = 0x0040;
}

/// MS-OXTNEF section 2.1.3.4.4: what the value of an object begins with says what it is; this is a message.
const MESSAGE_OBJECT: [u8; 16] = [0x07, 0x03, 0x02, 0, 0, 0, 0, 0, 0xc0, 0, 0, 0, 0, 0, 0, 0x46];

/// What is in such a file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Opened {
    /// The files in it.
    pub(super) files: Vec<Packed>,
    /// Whether something in it could not be taken out, such as a link to a file: then it is worth keeping.
    pub(super) is_partly: bool,
    /// Whether it holds the text of the message.
    pub(super) has_text: bool,
}

/// A file in it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Packed {
    /// Its name; may be empty.
    pub(super) name: String,
    /// Its media type, as it is given; may be empty.
    pub(super) media_type: String,
    /// Its Content-ID, as it is given; may be empty.
    pub(super) content_id: String,
    /// Where its content lies.
    pub(super) at: Range<u64>,
    /// The SHA-256 of its content.
    pub(super) sha256: [u8; 32],
    /// The media type that its content shows.
    pub(super) seen: Option<String>,
    /// What it is about, if it is a message: its content is such a file again.
    pub(super) message: Option<Nested>,
}

/// Whether it begins as such a file does.
pub(super) fn begins(head: &[u8]) -> bool {
    head.starts_with(&SIGNATURE)
}

/// What is in it; none if it is no such file, or is damaged.
///
/// # Errors
/// If it cannot be read.
pub(super) fn open(from: impl Read) -> io::Result<Option<Opened>> {
    let mut reader = Reader { from, at: 0 };
    let mut head = [0; 6];
    if !reader.fill(&mut head)? || !begins(&head) {
        return Ok(None);
    }
    let mut unpacking = Unpacking::default();
    for _ in 0..ATTRIBUTES_MAX {
        // The level (1: the message, 2: a file), then number and type, then the length.
        let (mut level, mut head) = ([0; 1], [0; 8]);
        if !reader.fill(&mut level)? {
            return Ok(Some(unpacking.finish()));
        }
        if !reader.fill(&mut head)? {
            return Ok(None);
        }
        let [tag @ .., a, b, c, d] = head;
        let end = reader.at.saturating_add(u64::from(u32::from_le_bytes([a, b, c, d])));
        if !unpacking.attribute(u32::from_le_bytes(tag), &mut reader, end)? {
            return Ok(None);
        }
        // What was not looked at, and the checksum, which would say no more than that.
        if !reader.skip(end.saturating_add(2).saturating_sub(reader.at))? {
            return Ok(None);
        }
    }
    Ok(None)
}

/// What was found so far.
#[derive(Default)]
struct Unpacking {
    opened: Opened,
    /// The file that attributes are about, and whether its content was found.
    file: Option<(Packed, bool)>,
}

impl Unpacking {
    /// Reads an attribute that ends there, or some of it; false if there is not so much.
    fn attribute<R: Read>(&mut self, tag: u32, reader: &mut Reader<R>, end: u64) -> io::Result<bool> {
        let length = end - reader.at;
        match (tag, &mut self.file) {
            (tag::RENDERING, _) => {
                self.end_file();
                self.file = Some((Packed::default(), false));
            }
            (tag::DATA, Some((file, is_found))) => match reader.digest(length, SEEN_BYTES)? {
                Some(digest) => {
                    (file.at, file.sha256, file.seen) = (end - length..end, digest.sha256, digest.seen);
                    *is_found = true;
                }
                None => return Ok(false),
            },
            (tag::TITLE, Some((file, _))) if file.name.is_empty() => {
                file.name = narrow(&reader.read(length.min(VALUE_BYTES_MAX))?);
            }
            (tag::PROPERTIES, Some((file, is_found))) => {
                let mut properties = Properties { reader, end };
                properties.each(|property, properties| {
                    match property.id {
                        property::DATA => match content(property, properties)? {
                            // What is in the attribute of its own counts; two contents are one too many.
                            Some(found) if !*is_found || file.at.is_empty() => {
                                (file.at, file.sha256, file.seen) = (found.at, found.digest.sha256, found.digest.seen);
                                file.message = found.message;
                                *is_found = true;
                            }
                            Some(found) if found.digest.sha256 == file.sha256 => {}
                            Some(_) | None => self.opened.is_partly = true,
                        },
                        property::LONG_FILE_NAME => set(&mut file.name, property, properties)?,
                        property::MEDIA_TYPE => set(&mut file.media_type, property, properties)?,
                        property::CONTENT_ID => set(&mut file.content_id, property, properties)?,
                        _ => {}
                    }
                    Ok(())
                })?;
            }
            (tag::BODY, None) => self.opened.has_text |= length > 1,
            (tag::MESSAGE_PROPERTIES, None) => {
                let mut properties = Properties { reader, end };
                properties.each(|property, _| {
                    self.opened.has_text |= property::BODY.contains(&property.id) && property.length > 1;
                    Ok(())
                })?;
            }
            _ => {}
        }
        Ok(true)
    }

    /// A file of which nothing but the description came could not be taken out.
    fn end_file(&mut self) {
        match self.file.take() {
            Some((file, true)) if self.opened.files.len() < ATTACHMENTS_MAX => self.opened.files.push(file),
            Some(_) => self.opened.is_partly = true,
            None => {}
        }
    }

    fn finish(mut self) -> Opened {
        self.end_file();
        self.opened
    }
}

/// Takes the text of a property, unless it is blank.
fn set<R: Read>(text: &mut String, property: Property, from: &mut Properties<'_, R>) -> io::Result<()> {
    let bytes = from.reader.read(property.length.min(VALUE_BYTES_MAX))?;
    let new = match property.kind {
        kind::NARROW => narrow(&bytes),
        kind::WIDE => wide(&bytes),
        _ => return Ok(()),
    };
    if !new.is_empty() {
        *text = new;
    }
    Ok(())
}

/// A content, and where it lies.
struct Found {
    at: Range<u64>,
    digest: Digested,
    message: Option<Nested>,
}

/// The content that a property is; none if it is not all there.
fn content<R: Read>(property: Property, from: &mut Properties<'_, R>) -> io::Result<Option<Found>> {
    let mut length = property.length;
    let mut what = [0; MESSAGE_OBJECT.len()];
    if property.kind == kind::OBJECT {
        length = length.saturating_sub(16);
        if property.length < 16 || !from.reader.fill(&mut what)? {
            return Ok(None);
        }
    }
    let (start, is_message) = (from.reader.at, what == MESSAGE_OBJECT);
    let Some(digest) = from.reader.digest(length, if is_message { MESSAGE_BYTES } else { SEEN_BYTES })? else {
        return Ok(None);
    };
    // Whatever it says that it is: what is no such file cannot be described.
    let message = (is_message && begins(&digest.head)).then(|| Nested::of(&digest.head));
    Ok((message.is_some() || !is_message).then(|| Found { at: start..start + length, digest, message }))
}

/// A property (MS-OXTNEF section 2.1.3.4) whose value is next.
#[derive(Debug, Clone, Copy)]
struct Property {
    kind: u16,
    id: u16,
    /// How many bytes the value has.
    length: u64,
}

/// The properties of an attribute that ends there.
struct Properties<'r, R> {
    reader: &'r mut Reader<R>,
    end: u64,
}

impl<R: Read> Properties<'_, R> {
    /// Hands out the properties of one value that have a length, as far as they can be read.
    fn each(&mut self, mut take: impl FnMut(Property, &mut Self) -> io::Result<()>) -> io::Result<()> {
        let Some(count) = self.number()? else { return Ok(()) };
        for _ in 0..count.min(PROPERTIES_MAX) {
            let Some((kind, id)) = self.name()? else { return Ok(()) };
            let (is_list, kind) = (kind & 0x1000 != 0, kind & 0x0fff);
            let width = match kind {
                0x0001 => 0,
                // Fixed values stand on borders of four bytes.
                0x0002 | 0x0003 | 0x0004 | 0x000a | 0x000b => 4,
                0x0005 | 0x0006 | 0x0007 | 0x0014 | kind::TIME => 8,
                0x0048 => 16,
                kind::OBJECT | kind::NARROW | kind::WIDE | kind::BINARY => {
                    let Some(count) = self.number()? else { return Ok(()) };
                    for _ in 0..count.min(PROPERTIES_MAX) {
                        let Some(length) = self.number()?.map(u64::from) else { return Ok(()) };
                        let end = self.reader.at.saturating_add(length.next_multiple_of(4));
                        if self.reader.at.saturating_add(length) > self.end {
                            return Ok(());
                        }
                        if !is_list {
                            take(Property { kind, id, length }, self)?;
                        }
                        self.skip(end.saturating_sub(self.reader.at))?;
                    }
                    continue;
                }
                _ => return Ok(()),
            };
            if !is_list && kind == kind::TIME && self.reader.at.saturating_add(width) <= self.end {
                let end = self.reader.at + width;
                take(Property { kind, id, length: width }, self)?;
                self.skip(end.saturating_sub(self.reader.at))?;
                continue;
            }
            let count = if is_list { self.number()?.unwrap_or(u32::MAX) } else { 1 };
            self.skip(u64::from(count).saturating_mul(width))?;
        }
        Ok(())
    }

    /// The type and the number of the next property.
    fn name(&mut self) -> io::Result<Option<(u16, u16)>> {
        let Some(head) = self.number()? else { return Ok(None) };
        let [kind_low, kind_high, id_low, id_high] = head.to_le_bytes();
        let (kind, id) = (u16::from_le_bytes([kind_low, kind_high]), u16::from_le_bytes([id_low, id_high]));
        if id >= 0x8000 {
            // A named property: a GUID, then a number or a name.
            self.skip(16)?;
            match self.number()? {
                Some(0) => self.skip(4)?,
                Some(_) => {
                    let length = self.number()?.unwrap_or(u32::MAX);
                    self.skip(u64::from(length).next_multiple_of(4))?;
                }
                None => return Ok(None),
            }
        }
        Ok(Some((kind, id)))
    }

    /// The next number; none at the end.
    fn number(&mut self) -> io::Result<Option<u32>> {
        let mut bytes = [0; 4];
        if self.reader.at.saturating_add(4) > self.end || !self.reader.fill(&mut bytes)? {
            return Ok(None);
        }
        Ok(Some(u32::from_le_bytes(bytes)))
    }

    /// Passes over so many bytes, or all that is left.
    fn skip(&mut self, length: u64) -> io::Result<()> {
        self.reader.skip(length.min(self.end.saturating_sub(self.reader.at))).map(drop)
    }
}

/// Reads, and knows where it is.
struct Reader<R> {
    from: R,
    at: u64,
}

/// What was learned of a content that was read.
struct Digested {
    sha256: [u8; 32],
    seen: Option<String>,
    /// Its first bytes.
    head: Vec<u8>,
}

impl<R: Read> Reader<R> {
    /// Fills a buffer; false if there is not so much.
    fn fill(&mut self, buffer: &mut [u8]) -> io::Result<bool> {
        match self.from.read_exact(buffer) {
            Ok(()) => {
                self.at += u64::try_from(buffer.len()).unwrap_or(u64::MAX);
                Ok(true)
            }
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn read(&mut self, length: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        (&mut self.from).take(length).read_to_end(&mut bytes)?;
        self.at += u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        Ok(bytes)
    }

    /// False if there is not so much.
    fn skip(&mut self, length: u64) -> io::Result<bool> {
        let skipped = io::copy(&mut (&mut self.from).take(length), &mut io::sink())?;
        self.at += skipped;
        Ok(skipped == length)
    }

    /// The SHA-256 of what follows, what it shows to be, and up to `kept` of its first bytes; none if there is not so
    /// much.
    fn digest(&mut self, length: u64, kept: usize) -> io::Result<Option<Digested>> {
        let (mut digest, mut rest) = (Sha256::new(), length);
        let mut buffer = [0; SEEN_BYTES];
        let mut head = Vec::new();
        while rest > 0 {
            let wanted = usize::try_from(rest).unwrap_or(usize::MAX).min(buffer.len());
            let piece = buffer.get_mut(..wanted).unwrap_or_default();
            if !self.fill(piece)? {
                return Ok(None);
            }
            let missing = kept.saturating_sub(head.len()).min(wanted);
            head.extend_from_slice(piece.get(..missing).unwrap_or_default());
            digest.update(&*piece);
            rest -= u64::try_from(wanted).unwrap_or(rest);
        }
        let seen = infer::get(&head).map(|kind| kind.mime_type().to_owned());
        Ok(Some(Digested { sha256: digest.finalize().into(), seen, head }))
    }
}

/// A text of one byte for each character, up to its end mark.
fn narrow(bytes: &[u8]) -> String {
    let text = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
    match (std::str::from_utf8(text), charset_decoder(b"windows-1252")) {
        (Ok(text), _) => text.to_owned(),
        (Err(_), Some(decode)) => decode(text),
        (Err(_), None) => String::from_utf8_lossy(text).into_owned(),
    }
}

/// A text in UTF-16, up to its end mark.
fn wide(bytes: &[u8]) -> String {
    let units = bytes.as_chunks::<2>().0.iter().map(|pair| u16::from_le_bytes(*pair));
    String::from_utf16_lossy(&units.take_while(|unit| *unit != 0).collect::<Vec<_>>())
}

#[cfg(test)]
pub(super) mod tests;
