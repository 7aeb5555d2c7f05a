//! S/MIME messages in one piece (RFC 8551 section 3.5.2): the content lies inside of the signature (RFC 5652).
//!
//! Whoever reads mail with an ordinary program sees what was written, so rules see it too. The signature is not checked.
//! Only the way to the content is read, in BER as it comes: indefinite lengths and contents in pieces are usual there,
//! and decoders of certificates refuse both.

use mail_parser::{MimeHeaders, PartType};

/// How many levels of pieces a content may be cut into.
const DEPTH_MAX: usize = 8;

/// What an S/MIME message holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Sealed {
    /// A message body with its own header fields (RFC 8551 section 3.1).
    Signed(Vec<u8>),
    /// Nobody but its recipient can read it, or it is damaged.
    Closed,
}

/// What is inside of a message that is a single S/MIME object; none if it is not one.
pub(super) fn of(message: &mail_parser::Message<'_>) -> Option<Sealed> {
    let root = message.parts.first()?;
    let kind = root.content_type()?;
    let subtype = kind.subtype().unwrap_or_default();
    let is_sealed = kind.ctype().eq_ignore_ascii_case("application")
        && ["pkcs7-mime", "x-pkcs7-mime"].iter().any(|known| subtype.eq_ignore_ascii_case(known));
    let bytes = match &root.body {
        PartType::Binary(bytes) | PartType::InlineBinary(bytes) if is_sealed => bytes,
        _ => return None,
    };
    Some(signed_content(bytes).map_or(Sealed::Closed, Sealed::Signed))
}

// Tags (X.690 section 8.1.2). A constructed one has bit 6 set.
const CONSTRUCTED: u8 = 0x20;
const INTEGER: u8 = 0x02;
const OCTETS: u8 = 0x04;
const IDENTIFIER: u8 = 0x06;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const EXPLICIT_0: u8 = 0xa0;

/// id-signedData (RFC 5652 section 5.1).
const SIGNED_DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02];
/// id-data (RFC 5652 section 4).
const DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x01];

/// The content of a ContentInfo with SignedData in it; none if it is anything else, or holds no content.
fn signed_content(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut info = Ber(bytes).enter(SEQUENCE)?;
    if info.value(IDENTIFIER)? != SIGNED_DATA {
        return None;
    }
    let mut signed = info.enter(EXPLICIT_0)?.enter(SEQUENCE)?;
    signed.value(INTEGER)?;
    signed.skip(SET)?;
    let mut encapsulated = signed.enter(SEQUENCE)?;
    if encapsulated.value(IDENTIFIER)? != DATA {
        return None;
    }
    let mut content = encapsulated.enter(EXPLICIT_0)?;
    let mut out = Vec::new();
    content.octets(&mut out, DEPTH_MAX)?;
    Some(out)
}

/// Elements in BER (X.690 section 8.1), one after the other.
struct Ber<'b>(&'b [u8]);

impl<'b> Ber<'b> {
    /// The tag of the next element, and its length; none if that shows only at its end.
    fn head(&mut self) -> Option<(u8, Option<usize>)> {
        let (tag, first) = (self.byte()?, self.byte()?);
        let length = match first {
            0..=0x7f => Some(usize::from(first)),
            0x80 => None,
            _ => {
                let mut length = 0_usize;
                for _ in 0..first & 0x7f {
                    length = length.checked_mul(256)?.checked_add(usize::from(self.byte()?))?;
                }
                Some(length)
            }
        };
        Some((tag, length))
    }

    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn take(&mut self, length: usize) -> Option<&'b [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    /// What is inside of the next element, which must have this tag. What follows an element of indefinite length is
    /// inside too, behind its end: nobody who enters one comes back.
    fn enter(&mut self, tag: u8) -> Option<Self> {
        let (found, length) = self.head()?;
        if found != tag {
            return None;
        }
        length.map_or(Some(Self(self.0)), |length| self.take(length).map(Self))
    }

    /// The value of the next element, which must have this tag and a length.
    fn value(&mut self, tag: u8) -> Option<&'b [u8]> {
        let (found, length) = self.head()?;
        if found == tag { self.take(length?) } else { None }
    }

    /// Passes over the next element, which must have this tag.
    fn skip(&mut self, tag: u8) -> Option<()> {
        let (found, length) = self.head()?;
        let passed = if found == tag { self.pass(length, DEPTH_MAX) } else { None };
        passed.map(drop)
    }

    fn pass(&mut self, length: Option<usize>, depth: usize) -> Option<()> {
        if let Some(length) = length {
            return self.take(length).map(drop);
        }
        let depth = depth.checked_sub(1)?;
        loop {
            match self.head()? {
                (0, Some(0)) => return Some(()),
                (_, length) => self.pass(length, depth)?,
            }
        }
    }

    /// The bytes of the next element, an OCTET STRING, which may be in pieces (X.690 section 8.7).
    fn octets(&mut self, out: &mut Vec<u8>, depth: usize) -> Option<()> {
        match self.head()? {
            (OCTETS, Some(length)) => out.extend_from_slice(self.take(length)?),
            (tag, length) if tag == OCTETS | CONSTRUCTED => {
                let depth = depth.checked_sub(1)?;
                let mut pieces = match length {
                    Some(length) => Self(self.take(length)?),
                    None => Self(self.0),
                };
                let is_at_end = |rest: &[u8]| rest.is_empty() || length.is_none() && rest.starts_with(&[0, 0]);
                while !is_at_end(pieces.0) {
                    pieces.octets(out, depth)?;
                }
                if length.is_none() {
                    // Behind the two zeros that end it.
                    self.0 = pieces.0.get(2..)?;
                }
            }
            _ => return None,
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::parse;
    use proptest::prelude::*;

    const DEFINITE: &[u8] = include_bytes!("smime/definite.eml");
    const INDEFINITE: &[u8] = include_bytes!("smime/indefinite.eml");
    const ENCRYPTED: &[u8] = include_bytes!("smime/encrypted.eml");

    #[test]
    fn what_is_signed_in_one_piece_is_read() {
        let check = |raw: &[u8], expect: &str, defect: &str| {
            let message = parse(raw, None);
            assert_eq!(message.document.text().trim_end(), expect);
            assert_eq!(message.defects.iter().map(|it| it.0.as_str()).collect::<Vec<_>>(), [defect]);
            let attached: Vec<_> = message.attachments.iter().map(|it| it.name.as_str()).collect();
            assert_eq!(attached, ["smime.p7m"]);
        };
        let inside = "the message is signed in one piece (S/MIME): 1 attachment stays inside of smime.p7m";
        check(DEFINITE, "Grüße aus dem Siegel.", inside);
        check(INDEFINITE, "Grüße aus dem Siegel.", inside);
        check(ENCRYPTED, "", "the message is encrypted (S/MIME), or its seal is damaged: its text cannot be read");
        let cut = &DEFINITE[..700];
        check(cut, "", "the message is encrypted (S/MIME), or its seal is damaged: its text cannot be read");
    }

    #[test]
    fn pieces_in_pieces_are_put_together() {
        let read = |bytes: &[u8]| {
            let mut out = Vec::new();
            Ber(bytes).octets(&mut out, DEPTH_MAX).map(|()| out)
        };
        assert_eq!(read(b"\x04\x02hi").unwrap(), b"hi");
        assert_eq!(read(b"\x24\x06\x04\x01h\x04\x01i").unwrap(), b"hi");
        assert_eq!(read(b"\x24\x80\x04\x01h\x24\x80\x04\x01i\x00\x00\x04\x01!\x00\x00").unwrap(), b"hi!");
        assert_eq!(read(b"\x04\x81\x02hi").unwrap(), b"hi");
        for bad in [
            &b""[..],
            b"\x04",
            b"\x04\x03hi",
            b"\x24\x80\x04\x01h",
            b"\x02\x01a",
            b"\x04\x89\x01\x01\x01\x01\x01\x01\x01\x01\x01",
        ] {
            assert_eq!(read(bad), None, "{bad:?}");
        }
        assert_eq!(read(&b"\x24\x80".repeat(100_000)), None);
    }

    proptest! {
        #[test]
        fn any_bytes_can_be_looked_into(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = signed_content(&bytes);
        }

        #[test]
        fn a_damaged_seal_is_survived(at in 0..INDEFINITE.len(), byte in any::<u8>()) {
            let mut raw = INDEFINITE.to_vec();
            raw[at] = byte;
            let _ = parse(&raw, None);
        }
    }
}
