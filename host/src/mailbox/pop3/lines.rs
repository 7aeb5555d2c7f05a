//! The text of a multi-line answer (RFC 1939 section 3): finds its end and takes away the dots that were put in.

use memchr::memchr;

/// What ends a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LineEnd {
    /// CR and LF, as the standard says. An LF alone is a part of the line: if it ended one, the sender of a message
    /// could end the message before its end, and have the rest of it taken for answers of the server.
    CrLf,
    /// LF, with or without a CR before it: for servers whose own answers end so.
    Lf,
}

/// Where the last byte has left us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// At the beginning of a line.
    Start,
    /// In a line.
    Inside,
    /// In a line, behind a CR.
    Return,
    /// Behind a dot that begins a line: it was put in, or it is the end.
    Dot,
    /// Behind such a dot and a CR, which is held back until it is known what they are.
    DotReturn,
}

/// Takes a multi-line answer apart, in whatever pieces it arrives.
#[derive(Debug)]
pub(super) struct Unstuffer {
    line_end: LineEnd,
    place: Place,
}

impl Unstuffer {
    /// Begins with what follows the status line.
    pub(super) fn new(line_end: LineEnd) -> Self {
        Self { line_end, place: Place::Start }
    }

    /// Hands the text in these bytes to `take`, in pieces. If the answer ends here, says how many bytes belong to it.
    pub(super) fn push(&mut self, bytes: &[u8], mut take: impl FnMut(&[u8])) -> Option<usize> {
        // What was handed on, and what was looked at.
        let (mut from, mut at) = (0, 0);
        loop {
            at += self.skip(bytes.get(at..).unwrap_or_default());
            let Some(byte) = bytes.get(at).copied() else { break };
            self.place = match (self.place, byte) {
                (Place::Start, b'.') => {
                    hand_on(bytes.get(from..at), &mut take);
                    from = at + 1;
                    Place::Dot
                }
                (Place::Dot, b'\r') => {
                    from = at + 1;
                    Place::DotReturn
                }
                (Place::DotReturn, b'\n') => return Some(at + 1),
                (Place::Dot, b'\n') if self.line_end == LineEnd::Lf => return Some(at + 1),
                (Place::DotReturn, _) => {
                    // It may have come with the bytes before these.
                    take(b"\r");
                    self.behind(Place::Return, byte)
                }
                (place, _) => self.behind(place, byte),
            };
            at += 1;
        }
        hand_on(bytes.get(from..), &mut take);
        None
    }

    /// How many bytes cannot end the line.
    fn skip(&self, bytes: &[u8]) -> usize {
        let first = match self.line_end {
            LineEnd::CrLf => b'\r',
            LineEnd::Lf => b'\n',
        };
        if self.place == Place::Inside { memchr(first, bytes).unwrap_or(bytes.len()) } else { 0 }
    }

    /// Where a byte of text leads.
    fn behind(&self, place: Place, byte: u8) -> Place {
        match byte {
            b'\n' if place == Place::Return || self.line_end == LineEnd::Lf => Place::Start,
            b'\r' => Place::Return,
            _ => Place::Inside,
        }
    }
}

fn hand_on(text: Option<&[u8]>, take: &mut impl FnMut(&[u8])) {
    if let Some(text) = text.filter(|text| !text.is_empty()) {
        take(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The text, and what is left over behind its end.
    fn unstuff(line_end: LineEnd, chunks: &[&[u8]]) -> (Vec<u8>, Option<Vec<u8>>) {
        let (mut unstuffer, mut text) = (Unstuffer::new(line_end), Vec::new());
        for (place, chunk) in chunks.iter().enumerate() {
            if let Some(used) = unstuffer.push(chunk, |piece| text.extend_from_slice(piece)) {
                return (text, Some([&chunk[used..], &chunks[place + 1..].concat()].concat()));
            }
        }
        (text, None)
    }

    fn check(line_end: LineEnd, wire: &str, expect: &str, rest: Option<&str>) {
        let expect = (expect.as_bytes().to_vec(), rest.map(|rest| rest.as_bytes().to_vec()));
        assert_eq!(unstuff(line_end, &[wire.as_bytes()]), expect, "{wire:?} at once");
        let bytes: Vec<&[u8]> = wire.as_bytes().chunks(1).collect();
        assert_eq!(unstuff(line_end, &bytes), expect, "{wire:?} byte by byte");
    }

    #[test]
    fn dots_that_were_put_in_are_taken_away() {
        let strict = |wire, expect, rest| check(LineEnd::CrLf, wire, expect, rest);
        strict(".\r\n", "", Some(""));
        strict("a\r\n.\r\n+OK", "a\r\n", Some("+OK"));
        strict("..\r\n.\r\n", ".\r\n", Some(""));
        strict("...a\r\n..b\r\n.\r\n", "..a\r\n.b\r\n", Some(""));
        strict("a.\r\n.\r\n", "a.\r\n", Some(""));
        strict("\r\n\r\n.\r\n", "\r\n\r\n", Some(""));
        strict(".\r.\r\n.\r\n", "\r.\r\n", Some(""));
        strict(".\r\r\n.\r\n", "\r\r\n", Some(""));
        strict("a\0\u{e9}\r\n.\r\n", "a\0\u{e9}\r\n", Some(""));
        strict("a\r\n", "a\r\n", None);
        strict("a\r\n.\r", "a\r\n", None);
    }

    #[test]
    fn a_line_feed_alone_ends_nothing_unless_the_server_speaks_so() {
        check(LineEnd::CrLf, "a\n.\n+OK\r\n.\r\n", "a\n.\n+OK\r\n", Some(""));
        check(LineEnd::CrLf, "a\n.\r\n\r\n.\r\n", "a\n.\r\n\r\n", Some(""));
        check(LineEnd::CrLf, ".\n.\r\n", "\n.\r\n", None);
        check(LineEnd::CrLf, "a\r.\r\n.\r\n", "a\r.\r\n", Some(""));
        check(LineEnd::Lf, "a\n..b\n.\n+OK", "a\n.b\n", Some("+OK"));
        check(LineEnd::Lf, "a\r\n..b\r\n.\r\n+OK", "a\r\n.b\r\n", Some("+OK"));
    }

    /// What a server does (RFC 1939 section 3).
    fn stuff(text: &[u8], line: &[u8]) -> Vec<u8> {
        let mut wire = Vec::new();
        for byte in text {
            if *byte == b'.' && (wire.is_empty() || wire.ends_with(line)) {
                wire.push(b'.');
            }
            wire.push(*byte);
        }
        [&wire, &b"."[..], line].concat()
    }

    proptest! {
        #[test]
        fn any_text_arrives_whole_in_whatever_pieces(
            text in proptest::collection::vec(prop::sample::select(&b"\r\n..a\0"[..]), 0..60),
            behind in proptest::collection::vec(prop::sample::select(&b"\r\n.+"[..]), 0..6),
            sizes in proptest::collection::vec(1_usize..9, 1..40),
            strict in any::<bool>(),
        ) {
            let (line_end, line): (_, &[u8]) = if strict { (LineEnd::CrLf, b"\r\n") } else { (LineEnd::Lf, b"\n") };
            let text = if text.is_empty() { text } else { [&text, line].concat() };
            let wire = [stuff(&text, line), behind.clone()].concat();
            let (mut chunks, mut rest, mut sizes) = (Vec::new(), &wire[..], sizes.iter().cycle());
            while !rest.is_empty() {
                let (chunk, others) = rest.split_at(rest.len().min(*sizes.next().unwrap()));
                chunks.push(chunk);
                rest = others;
            }
            prop_assert_eq!(unstuff(line_end, &chunks), (text, Some(behind)));
        }
    }
}
