//! What is in a `winmail.dat` (MS-OXTNEF, the Transport Neutral Encapsulation Format): the files that Outlook packs
//! into one attachment.
//!
//! The file is read once, front to back; the contents of the files in it are not kept, only where they lie.

use super::attachment::ATTACHMENTS_MAX;
use mail_parser::decoders::charsets::map::charset_decoder;
use sha2::{Digest as _, Sha256};
use std::io::{self, Read};
use std::ops::Range;

/// The media type of such a file.
pub(super) const MEDIA_TYPE: &str = "application/ms-tnef";
/// MS-OXTNEF section 2.1.3.1: what such a file begins with.
const SIGNATURE: [u8; 4] = [0x78, 0x9f, 0x3e, 0x22];
/// The most attributes that are looked at.
const ATTRIBUTES_MAX: usize = 20_000;
/// How much is looked at of an attribute that is not a file.
const ATTRIBUTE_BYTES_MAX: u64 = 64 << 10;
/// The most properties of a file that are looked at.
const PROPERTIES_MAX: u32 = 1_000;

/// MS-OXTNEF section 2.1.3.2: the attributes that matter, by their number and type.
mod tag {
    pub(super) const RENDERING: u32 = 0x0006_9002;
    pub(super) const TITLE: u32 = 0x0001_8010;
    pub(super) const DATA: u32 = 0x0006_800f;
    pub(super) const PROPERTIES: u32 = 0x0006_9005;
}

/// MS-OXPROPS: the properties of a file that matter.
mod property {
    pub(super) const LONG_FILE_NAME: u16 = 0x3707;
    pub(super) const MEDIA_TYPE: u16 = 0x370e;
    pub(super) const CONTENT_ID: u16 = 0x3712;
}

/// A file in it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Packed {
    /// Its name; may be empty.
    pub(super) name: String,
    /// Its media type; may be empty.
    pub(super) media_type: String,
    /// Its Content-ID; may be empty.
    pub(super) content_id: String,
    /// Where its content lies.
    pub(super) at: Range<u64>,
    /// The SHA-256 of its content.
    pub(super) sha256: [u8; 32],
}

/// Whether it begins as such a file does.
pub(super) fn begins(head: &[u8]) -> bool {
    head.starts_with(&SIGNATURE)
}

/// The files in it; none if it is no such file, or is damaged.
///
/// # Errors
/// If it cannot be read.
pub(super) fn files(from: impl Read) -> io::Result<Option<Vec<Packed>>> {
    let mut reader = Reader { from, at: 0 };
    let mut head = [0; 6];
    if !reader.fill(&mut head)? || !begins(&head) {
        return Ok(None);
    }
    let mut files: Vec<Option<Packed>> = Vec::new();
    for _ in 0..ATTRIBUTES_MAX {
        // The level (1: the message, 2: a file), then number and type, then the length.
        let (mut level, mut head) = ([0; 1], [0; 8]);
        if !reader.fill(&mut level)? {
            // A file of which nothing but the description came is none.
            return Ok(Some(files.into_iter().flatten().filter(|file| !file.at.is_empty()).collect()));
        }
        if !reader.fill(&mut head)? {
            return Ok(None);
        }
        let [tag @ .., a, b, c, d] = head;
        let (tag, length) = (u32::from_le_bytes(tag), u64::from(u32::from_le_bytes([a, b, c, d])));
        if tag == tag::RENDERING {
            files.push((files.len() < ATTACHMENTS_MAX).then(Packed::default));
        }
        let end = reader.at.saturating_add(length);
        match files.last_mut().and_then(Option::as_mut) {
            Some(file) if tag == tag::DATA => match reader.digest(length)? {
                Some(sha256) => (file.at, file.sha256) = (end - length..end, sha256),
                None => return Ok(None),
            },
            Some(file) if tag == tag::TITLE && file.name.is_empty() => {
                file.name = narrow(&reader.read(length.min(ATTRIBUTE_BYTES_MAX))?);
            }
            Some(file) if tag == tag::PROPERTIES => {
                describe(file, &reader.read(length.min(ATTRIBUTE_BYTES_MAX))?);
            }
            _ => {}
        }
        // What was not looked at, and the checksum, which would say no more than that.
        if !reader.skip(end.saturating_add(2).saturating_sub(reader.at))? {
            return Ok(None);
        }
    }
    Ok(None)
}

/// Reads, and knows where it is.
struct Reader<R> {
    from: R,
    at: u64,
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

    /// The SHA-256 of what follows; none if there is not so much.
    fn digest(&mut self, length: u64) -> io::Result<Option<[u8; 32]>> {
        let (mut digest, mut rest) = (Sha256::new(), length);
        let mut buffer = [0; 4096];
        while rest > 0 {
            let wanted = usize::try_from(rest).unwrap_or(usize::MAX).min(buffer.len());
            let piece = buffer.get_mut(..wanted).unwrap_or_default();
            if !self.fill(piece)? {
                return Ok(None);
            }
            digest.update(&*piece);
            rest -= u64::try_from(wanted).unwrap_or(rest);
        }
        Ok(Some(digest.finalize().into()))
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

/// Takes from the properties of a file (MS-OXTNEF section 2.1.3.4) what matters, as far as they can be read.
fn describe(file: &mut Packed, bytes: &[u8]) {
    let mut rest = bytes;
    let Some(count) = number(&mut rest) else { return };
    for _ in 0..count.min(PROPERTIES_MAX) {
        let Some((id, text)) = next_property(&mut rest) else { return };
        let Some(text) = text.filter(|text| !text.is_empty()) else { continue };
        match id {
            property::LONG_FILE_NAME => file.name = text,
            property::MEDIA_TYPE => file.media_type = text.to_ascii_lowercase(),
            property::CONTENT_ID => file.content_id = text.trim_matches(['<', '>']).to_owned(),
            _ => {}
        }
    }
}

/// The number of the next property, and its value if it is one text. None if it cannot be read.
fn next_property(rest: &mut &[u8]) -> Option<(u16, Option<String>)> {
    let [kind_low, kind_high, id_low, id_high] = take(rest, 4)?.try_into().ok()?;
    let (kind, id) = (u16::from_le_bytes([kind_low, kind_high]), u16::from_le_bytes([id_low, id_high]));
    if id >= 0x8000 {
        // A named property: a GUID, then a number or a name.
        take(rest, 16)?;
        match number(rest)? {
            0 => drop(take(rest, 4)?),
            _ => drop(sized(rest)?),
        }
    }
    let (is_list, kind) = (kind & 0x1000 != 0, kind & 0x0fff);
    let width = match kind {
        0x0001 => 0,
        0x0002 | 0x0003 | 0x0004 | 0x000a | 0x000b => 4,
        0x0005 | 0x0006 | 0x0007 | 0x0014 | 0x0040 => 8,
        0x0048 => 16,
        0x000d | 0x001e | 0x001f | 0x0102 => {
            let count = number(rest)?;
            let mut text = None;
            for _ in 0..count.min(PROPERTIES_MAX) {
                let value = sized(rest)?;
                text = match kind {
                    0x001e => Some(narrow(value)),
                    0x001f => Some(wide(value)),
                    _ => None,
                };
            }
            return Some((id, text.filter(|_| !is_list)));
        }
        _ => return None,
    };
    let count = if is_list { usize::try_from(number(rest)?).ok()? } else { 1 };
    // Fixed values stand on borders of four bytes.
    take(rest, count.checked_mul(width)?)?;
    Some((id, None))
}

fn take<'b>(rest: &mut &'b [u8], count: usize) -> Option<&'b [u8]> {
    let (taken, after) = rest.split_at_checked(count)?;
    *rest = after;
    Some(taken)
}

fn number(rest: &mut &[u8]) -> Option<u32> {
    take(rest, 4)?.try_into().ok().map(u32::from_le_bytes)
}

/// A length and so many bytes, filled up to four.
fn sized<'b>(rest: &mut &'b [u8]) -> Option<&'b [u8]> {
    let length = usize::try_from(number(rest)?).ok()?;
    let value = take(rest, length)?;
    let filler = length.next_multiple_of(4) - length;
    *rest = rest.get(filler..).unwrap_or_default();
    Some(value)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;

    fn attribute(level: u8, tag: u32, data: &[u8]) -> Vec<u8> {
        let sum = data.iter().fold(0_u16, |sum, byte| sum.wrapping_add(u16::from(*byte)));
        let length = u32::try_from(data.len()).unwrap();
        [&[level][..], &tag.to_le_bytes(), &length.to_le_bytes(), data, &sum.to_le_bytes()].concat()
    }

    fn property(kind: u16, id: u16, value: &[u8]) -> Vec<u8> {
        let length = u32::try_from(value.len()).unwrap();
        let filler = vec![0; value.len().next_multiple_of(4) - value.len()];
        [&kind.to_le_bytes()[..], &id.to_le_bytes(), &1_u32.to_le_bytes(), &length.to_le_bytes(), value, &filler]
            .concat()
    }

    fn utf16(text: &str) -> Vec<u8> {
        text.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect()
    }

    /// A `winmail.dat` with two files: one with an old short name, one with a long one and a Content-ID.
    pub(in crate::message) fn winmail() -> Vec<u8> {
        let properties = [
            &4_u32.to_le_bytes()[..],
            &[&0x0003_u16.to_le_bytes()[..], &0x3705_u16.to_le_bytes(), &1_u32.to_le_bytes()].concat(),
            &property(0x001f, property::LONG_FILE_NAME, &utf16("Größe der Wohnung.pdf")),
            &property(0x001e, property::MEDIA_TYPE, b"application/PDF\0"),
            &property(0x001e, property::CONTENT_ID, b"<plan@example.org>\0"),
        ]
        .concat();
        [
            &SIGNATURE[..],
            &[1, 0],
            &attribute(1, 0x0008_9006, &[0, 0, 1, 0]),
            &attribute(2, tag::RENDERING, &[0; 14]),
            &attribute(2, tag::TITLE, b"notes.txt\0"),
            &attribute(2, tag::DATA, b"Remember the keys."),
            &attribute(2, tag::RENDERING, &[0; 14]),
            &attribute(2, tag::DATA, b"%PDF-1.7 plan"),
            &attribute(2, tag::TITLE, b"GROSSE~1.PDF\0"),
            &attribute(2, tag::PROPERTIES, &properties),
        ]
        .concat()
    }

    #[test]
    fn the_files_are_found_with_their_names() {
        let raw = winmail();
        let found = files(raw.as_slice()).unwrap().unwrap();
        let shown: Vec<_> = found
            .iter()
            .map(|file| {
                let content = &raw[usize::try_from(file.at.start).unwrap()..usize::try_from(file.at.end).unwrap()];
                assert_eq!(<[u8; 32]>::from(Sha256::digest(content)), file.sha256);
                let content = String::from_utf8_lossy(content).into_owned();
                (file.name.as_str(), file.media_type.as_str(), file.content_id.as_str(), content)
            })
            .collect();
        assert_eq!(
            shown,
            [
                ("notes.txt", "", "", "Remember the keys.".to_owned()),
                ("Größe der Wohnung.pdf", "application/pdf", "plan@example.org", "%PDF-1.7 plan".to_owned()),
            ]
        );
    }

    #[test]
    fn what_is_damaged_has_no_files() {
        let raw = winmail();
        for end in [0, 3, 5, 7, 30, raw.len() - 1] {
            assert_eq!(files(&raw[..end]).unwrap(), None, "{end}");
        }
        assert_eq!(files(&raw[..6]).unwrap(), Some(Vec::new()));
        assert_eq!(files(&b"PK\x03\x04 no such file at all"[..]).unwrap(), None);
        let huge = [&SIGNATURE[..], &[1, 0, 2], &tag::DATA.to_le_bytes(), &u32::MAX.to_le_bytes()].concat();
        assert_eq!(files(huge.as_slice()).unwrap(), None);
    }

    proptest! {
        #[test]
        fn no_bytes_do_harm(bytes in proptest::collection::vec(any::<u8>(), 0..300), at in 0_usize..200) {
            let mut raw = winmail();
            let end = (at + bytes.len()).min(raw.len());
            let at = at.min(end);
            raw.splice(at..end, bytes);
            let length = u64::try_from(raw.len()).unwrap();
            for file in files(raw.as_slice()).unwrap().unwrap_or_default() {
                prop_assert!(file.at.end <= length);
            }
        }
    }
}
