//! Transfer encodings, decoded as the bytes come (RFC 2045 section 6).
//!
//! What is tolerated is what the parser tolerates, so that a long part reads like a short one.

use super::enclosure::TransferEncoding;

/// The bytes are not encoded as their part says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NotEncoded;

/// Decodes one part, piece by piece.
#[derive(Debug)]
pub(super) enum Decoder {
    /// Nothing to decode.
    None,
    /// RFC 2045 section 6.8.
    Base64(Base64),
    /// RFC 2045 section 6.7.
    QuotedPrintable(QuotedPrintable),
}

impl Decoder {
    pub(super) fn new(encoding: TransferEncoding) -> Self {
        match encoding {
            TransferEncoding::Identity => Self::None,
            TransferEncoding::Base64 => Self::Base64(Base64::default()),
            TransferEncoding::QuotedPrintable => Self::QuotedPrintable(QuotedPrintable::default()),
        }
    }

    /// Decodes the next piece to the end of `out`.
    pub(super) fn decode(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), NotEncoded> {
        match self {
            Self::None => out.extend_from_slice(bytes),
            Self::Base64(decoder) => decoder.decode(bytes, out)?,
            Self::QuotedPrintable(decoder) => {
                for byte in bytes {
                    decoder.byte(*byte, out)?;
                }
            }
        }
        Ok(())
    }
}

/// What has come of a group of four digits.
#[derive(Debug, Default)]
pub(super) struct Base64 {
    group: u32,
    digits: u8,
    after_hyphen: bool,
}

/// Not a digit.
const NO_DIGIT: u8 = 0xff;

static DIGITS: [u8; 256] = digits();

#[allow(clippy::indexing_slicing, reason = "it runs in the compiler, which refuses an index out of range")]
const fn digits() -> [u8; 256] {
    let mut table = [NO_DIGIT; 256];
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut value = 0;
    while value < 64 {
        table[alphabet[value as usize] as usize] = value;
        value += 1;
    }
    table
}

fn digit(byte: u8) -> u8 {
    DIGITS.get(usize::from(byte)).copied().unwrap_or(NO_DIGIT)
}

/// Whether a line can be one of base64: digits, and what fills up the last group.
pub(super) fn is_base64(line: &[u8]) -> bool {
    let whole = line.len() / 4 * 4;
    let (digits, rest) = line.split_at_checked(whole).unwrap_or((line, &[]));
    let is_digit = |byte: &u8| digit(*byte) != NO_DIGIT || *byte == b'=';
    (base64_simd::STANDARD_NO_PAD.check(digits).is_ok() || digits.iter().all(is_digit)) && rest.iter().all(is_digit)
}

/// Decodes the digits that a line begins with, as far as they are whole groups and nothing else, and says how many bytes that were:
/// nearly all of a content goes this way.
fn groups(bytes: &[u8], out: &mut Vec<u8>) -> usize {
    let mut taken = 0;
    while let Some(rest) = bytes.get(taken..).filter(|rest| !rest.is_empty()) {
        let line = memchr::memchr(b'\n', rest).map_or(rest, |end| rest.get(..end).unwrap_or_default());
        let digits = line.strip_suffix(b"\r").unwrap_or(line);
        let whole = digits.get(..digits.len() / 4 * 4).unwrap_or_default();
        if base64_simd::STANDARD_NO_PAD.decode_append(whole, out).is_err() {
            break;
        }
        taken += whole.len();
        if whole.len() < digits.len() || line.len() == rest.len() {
            break;
        }
        taken += line.len() - whole.len() + 1;
    }
    taken
}

impl Base64 {
    fn decode(&mut self, mut bytes: &[u8], out: &mut Vec<u8>) -> Result<(), NotEncoded> {
        out.reserve(bytes.len() / 4 * 3 + 3);
        while !bytes.is_empty() {
            if self.digits == 0 {
                let taken = groups(bytes, out);
                self.after_hyphen &= taken == 0;
                bytes = bytes.get(taken..).unwrap_or_default();
            }
            // What else is on this line.
            let end = memchr::memchr(b'\n', bytes).map_or(bytes.len(), |end| end + 1);
            let (line, rest) = bytes.split_at_checked(end).unwrap_or((bytes, &[]));
            line.iter().try_for_each(|byte| self.byte(*byte, out))?;
            bytes = rest;
        }
        Ok(())
    }

    fn byte(&mut self, byte: u8, out: &mut Vec<u8>) -> Result<(), NotEncoded> {
        let value = digit(byte);
        let [_, first, second, _] = self.group.to_be_bytes();
        match byte {
            _ if value != NO_DIGIT => {
                self.group |= u32::from(value) << (18 - 6 * self.digits);
                self.digits += 1;
                if self.digits == 4 {
                    let [_, first, second, third] = self.group.to_be_bytes();
                    out.extend_from_slice(&[first, second, third]);
                    (self.group, self.digits) = (0, 0);
                }
            }
            b'=' => {
                match self.digits {
                    0 => {}
                    1 | 2 => out.push(first),
                    _ => out.extend_from_slice(&[first, second]),
                }
                (self.group, self.digits) = (0, 0);
            }
            b' ' | b'\t' | b'\r' | b'\n' => {}
            b'-' if !self.after_hyphen => {}
            _ => return Err(NotEncoded),
        }
        self.after_hyphen = byte == b'-';
        Ok(())
    }
}

/// Where in an escape the text is.
#[derive(Debug, Default, PartialEq, Eq)]
enum Escape {
    #[default]
    None,
    Begun,
    Digit(u8),
}

#[derive(Debug, Default)]
pub(super) struct QuotedPrintable {
    escape: Escape,
    previous: u8,
    /// White space that counts only if something follows it on its line.
    spaces: Vec<u8>,
    carriage_returns: bool,
}

impl QuotedPrintable {
    fn byte(&mut self, byte: u8, out: &mut Vec<u8>) -> Result<(), NotEncoded> {
        match (byte, &self.escape) {
            (b'=', Escape::None) => self.escape = Escape::Begun,
            (b'=', _) => return Err(NotEncoded),
            // A line end that was escaped is none.
            (b'\n', Escape::Begun) => {
                self.escape = Escape::None;
                out.append(&mut self.spaces);
            }
            (b'\n', _) => {
                self.spaces.clear();
                out.extend_from_slice(if self.carriage_returns { b"\r\n" } else { b"\n" });
            }
            (b'\r', _) => self.carriage_returns = true,
            (_, Escape::None) if byte.is_ascii_whitespace() => self.spaces.push(byte),
            (_, Escape::None) => self.put(&[byte], out),
            (_, Escape::Begun) => self.begun(byte, out),
            (_, Escape::Digit(first)) => {
                let value = hex(byte).map(|second| first << 4 | second);
                self.escape = Escape::None;
                match value {
                    Some(value) => self.put(&[value], out),
                    None => self.put(&[b'=', self.previous, byte], out),
                }
            }
        }
        self.previous = byte;
        Ok(())
    }

    fn begun(&mut self, byte: u8, out: &mut Vec<u8>) {
        match hex(byte) {
            Some(digit) => self.escape = Escape::Digit(digit),
            // White space between the mark and the end of the line.
            None if byte.is_ascii_whitespace() => {}
            None => {
                self.escape = Escape::None;
                self.put(&[b'=', byte], out);
            }
        }
    }

    fn put(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        out.append(&mut self.spaces);
        out.extend_from_slice(bytes);
    }
}

fn hex(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use mail_parser::{MessageParser, PartType};
    use proptest::prelude::*;

    /// Decodes in pieces of one and of three bytes and at once, and compares with the parser.
    fn check(encoding: TransferEncoding, name: &str, text: &str) {
        let head = format!(
            "From: a@b.example\r\nContent-Type: multipart/mixed; boundary=OO\r\n\r\n--OO\r\nContent-Type: \
             application/x-any\r\nContent-Transfer-Encoding: {name}\r\n\r\n"
        );
        let raw = format!("{head}{text}\r\n--OO--\r\n");
        let parsed = MessageParser::default().parse(raw.as_bytes()).unwrap();
        let part = &parsed.parts[1];
        assert_eq!(&raw[part.offset_body as usize..part.offset_end as usize], text);
        let expect = match &part.body {
            _ if part.is_encoding_problem => Err(NotEncoded),
            PartType::Binary(bytes) | PartType::InlineBinary(bytes) => Ok(bytes.to_vec()),
            other => panic!("{other:?}"),
        };
        for step in [1, 3, usize::MAX] {
            let (mut decoder, mut out) = (Decoder::new(encoding), Vec::new());
            let result = text.as_bytes().chunks(step).try_for_each(|piece| decoder.decode(piece, &mut out));
            assert_eq!(result.map(|()| out), expect, "{text:?} in steps of {step}");
        }
    }

    #[test]
    fn base64_is_read_as_the_parser_reads_it() {
        let long = "QUJD".repeat(300);
        for text in [
            "",
            "QUJD",
            "QUI=",
            "QQ==",
            "QU\r\nJD\r\n",
            " QU JD\t",
            "QUJ",
            "Q",
            "QQ==QUI=",
            "=QUJD",
            "QU-JD",
            "QU--JD",
            "QU!JD",
            "-",
            "Q=QUJD",
            "QUJDR-==",
            "é",
            &long,
        ] {
            check(TransferEncoding::Base64, "base64", text);
        }
    }

    #[test]
    fn quoted_printable_is_read_as_the_parser_reads_it() {
        for text in [
            "",
            "plain",
            "a=3Db",
            "a=3db",
            "soft=\r\nbreak",
            "soft=  \r\nbreak",
            "ends  \r\nhere\t\r\n.",
            "bad=ZZ",
            "bad=3Z",
            "a==b",
            "a=3=b",
            "lf\nonly\n",
            "lf\r\nthen\nlf",
            "grün",
            "=20 \r\nx",
            "x =\r\n y",
            "=3D=\r\n=3D",
        ] {
            check(TransferEncoding::QuotedPrintable, "quoted-printable", text);
        }
    }

    proptest! {
        #[test]
        fn any_base64_is_read_as_the_parser_reads_it(text in "[A-D+/= \n-]{0,40}") {
            check(TransferEncoding::Base64, "base64", text.trim_end_matches(['\n']));
        }

        #[test]
        fn lines_of_base64_are_read_as_the_parser_reads_them(
            lines in prop::collection::vec("[A-Za-z0-9+/]{52,80}(|=|==)(\r\n|\n)", 1..6),
            at in any::<prop::sample::Index>(),
            byte in "[A=!\\- \t\r\n]?",
        ) {
            let mut text = lines.concat();
            text.insert_str(at.index(text.len()), &byte);
            check(TransferEncoding::Base64, "base64", text.trim_end_matches(['\r', '\n']));
        }

        #[test]
        fn any_quoted_printable_is_read_as_the_parser_reads_it(text in "[a=3D \n\t.]{0,40}") {
            // With an end of its own: the parser loses count where a part ends inside of an escape.
            check(TransferEncoding::QuotedPrintable, "quoted-printable", &format!("{text}."));
        }
    }
}
