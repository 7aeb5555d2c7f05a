//! What is not to reach the parser, found byte by byte.

use super::Limits;

/// Why a response is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(in crate::mailbox) enum Refusal {
    #[error("a response holds more than {0} bytes of text")]
    Literal(u64),
    #[error("a response line is longer than {0} bytes")]
    Line(u64),
    #[error("a response holds more than {0} opening parentheses")]
    Parentheses(u32),
    #[error("a line ends inside a quoted string")]
    OpenQuote,
    #[error("a status line announces a literal")]
    LiteralInStatus,
    #[error("the text after a response code begins with a character that is not ASCII")]
    CodeText,
}

/// How far a possible `{digits}CRLF` has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Announcement {
    None,
    Digits(u64),
    Brace(u64),
    Return(u64),
}

/// Looks at each byte outside of literals.
#[derive(Debug)]
pub(super) struct Scanner {
    pub(super) limits: Limits,
    /// Whole responses so far.
    pub(super) responses: u64,
    literal_bytes: u64,
    pub(super) line_bytes: u64,
    parentheses: u32,
    pub(super) announcement: Announcement,
    quoted: bool,
    escaped: bool,
    previous: u8,
    /// The second word of the line decides what it is: `* 1 FETCH …` is data, `* OK …` a status.
    words: u8,
    status: bool,
}

impl Scanner {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            responses: 0,
            literal_bytes: 0,
            line_bytes: 0,
            parentheses: 0,
            announcement: Announcement::None,
            quoted: false,
            escaped: false,
            previous: b'\n',
            words: 0,
            status: false,
        }
    }

    /// Takes the next byte outside of literals; the size of the literal that begins behind it, if one does.
    pub(super) fn byte(&mut self, byte: u8) -> Result<Option<u64>, Refusal> {
        self.line_bytes += 1;
        if self.line_bytes > self.limits.line_bytes_max {
            return Err(Refusal::Line(self.limits.line_bytes_max));
        }
        if byte == b'(' {
            self.parentheses += 1;
            if self.parentheses > self.limits.parentheses_max {
                return Err(Refusal::Parentheses(self.limits.parentheses_max));
            }
        }
        self.classify(byte);
        self.quote(byte);
        self.announce(byte);
        let mut literal = None;
        if byte == b'\n' {
            literal = self.end_of_line()?;
        } else if self.status && self.after_code(byte) {
            return Err(Refusal::CodeText);
        }
        self.previous = byte;
        Ok(literal)
    }

    /// A status line (`* OK …`, `tag NO …`, `+ …`) is text for people: quotes in it mean nothing.
    fn classify(&mut self, byte: u8) {
        if self.line_bytes == 1 {
            self.status = byte != b'*';
        } else if self.previous == b' ' && self.words == 0 {
            self.words = 1;
            self.status |= matches!(byte.to_ascii_uppercase(), b'O' | b'N' | b'B' | b'P');
        }
    }

    fn quote(&mut self, byte: u8) {
        if self.status {
            return;
        }
        match (self.quoted, self.escaped, byte) {
            (true, true, _) => self.escaped = false,
            (true, false, b'\\') => self.escaped = true,
            (_, _, b'"') => self.quoted = !self.quoted,
            _ => {}
        }
    }

    fn announce(&mut self, byte: u8) {
        use Announcement::{Brace, Digits, None, Return};
        self.announcement = match (self.announcement, byte) {
            (_, b'{') if !self.quoted => Digits(0),
            (Digits(n), b'0'..=b'9') => Digits(n.saturating_mul(10).saturating_add(u64::from(byte - b'0'))),
            (Digits(n), b'}') => Brace(n),
            (Brace(n), b'\r') => Return(n),
            (Return(n), b'\n') => Return(n),
            _ => None,
        };
    }

    fn end_of_line(&mut self) -> Result<Option<u64>, Refusal> {
        match self.announcement {
            Announcement::Return(_) if self.status => Err(Refusal::LiteralInStatus),
            Announcement::Return(size) => {
                self.announcement = Announcement::None;
                self.literal_bytes = self.literal_bytes.saturating_add(size);
                let most = self.limits.literal_bytes_max;
                if self.literal_bytes > most { Err(Refusal::Literal(most)) } else { Ok(Some(size)) }
            }
            _ if self.quoted => Err(Refusal::OpenQuote),
            _ => {
                *self = Self { responses: self.responses + 1, ..Self::new(self.limits) };
                Ok(None)
            }
        }
    }

    /// The parser cuts one byte off the text after a response code, and panics where that is not a character.
    fn after_code(&self, byte: u8) -> bool {
        self.previous == b']' && !byte.is_ascii()
    }
}
