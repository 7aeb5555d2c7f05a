//! The wire guard: refuses what would exhaust memory or stack, before the parser sees it.
//!
//! The IMAP parser keeps a whole response in memory, takes quadratic time on long lines and recurses on parentheses
//! until the process aborts. The guard sits below it, looks at every byte that arrives, and turns each of these into
//! an error of the connection.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What one response of a server may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes in literals, which is where messages are.
    pub literal_bytes_max: u64,
    /// Bytes outside of literals.
    pub line_bytes_max: u64,
    /// Opening parentheses; this bounds their depth whatever the parser takes for a quoted string.
    pub parentheses_max: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { literal_bytes_max: 64 << 20, line_bytes_max: 256 << 10, parentheses_max: 64 }
    }
}

/// A stream that fails as soon as a response goes beyond its limits.
#[derive(Debug)]
pub(super) struct Guard<S> {
    inner: S,
    scanner: Scanner,
    received: u64,
    /// Once something is refused, nothing more passes.
    refusal: Option<Refusal>,
}

impl<S> Guard<S> {
    pub(super) fn new(inner: S, limits: Limits) -> Self {
        Self { inner, scanner: Scanner::new(limits), received: 0, refusal: None }
    }

    /// How many whole responses have arrived: if more than were read, the rest waits in a buffer.
    pub(super) fn responses(&self) -> u64 {
        self.scanner.responses
    }

    /// Whether nothing has arrived of the next response.
    pub(super) fn is_between_responses(&self) -> bool {
        self.scanner.line_bytes == 0 && self.scanner.literal_left == 0
    }

    pub(super) fn limits(&self) -> Limits {
        self.scanner.limits
    }

    pub(super) fn into_inner(self) -> S {
        self.inner
    }

    pub(super) fn get_ref(&self) -> &S {
        &self.inner
    }

    /// How many bytes have arrived: tells a slow server from a silent one.
    pub(super) fn received(&self) -> u64 {
        self.received
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Guard<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let me = self.get_mut();
        if let Some(refusal) = me.refusal {
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, refusal)));
        }
        let before = buf.filled().len();
        ready!(Pin::new(&mut me.inner).poll_read(cx, buf))?;
        let fresh = buf.filled().get(before..).unwrap_or_default();
        me.received += u64::try_from(fresh.len()).unwrap_or(u64::MAX);
        let Err((good, refusal)) = me.scanner.scan(fresh) else { return Poll::Ready(Ok(())) };
        me.refusal = Some(refusal);
        // Whole responses before the refused one are good, and reach the parser.
        buf.set_filled(before + good);
        if good > 0 {
            return Poll::Ready(Ok(()));
        }
        Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, refusal)))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Guard<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().inner).poll_write(cx, bytes)
    }
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_flush(cx)
    }
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_shutdown(cx)
    }
}

/// Why a response is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
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
enum Announcement {
    None,
    Digits(u64),
    Brace(u64),
    Return(u64),
}

#[derive(Debug)]
struct Scanner {
    limits: Limits,
    /// Whole responses so far.
    responses: u64,
    /// Bytes of the present literal still to come.
    literal_left: u64,
    literal_bytes: u64,
    line_bytes: u64,
    parentheses: u32,
    announcement: Announcement,
    quoted: bool,
    escaped: bool,
    previous: u8,
    /// The second word of the line decides what it is: `* 1 FETCH …` is data, `* OK …` a status.
    words: u8,
    status: bool,
}

impl Scanner {
    fn new(limits: Limits) -> Self {
        Self {
            limits,
            responses: 0,
            literal_left: 0,
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

    /// On refusal, says how many bytes came before the refused response.
    fn scan(&mut self, bytes: &[u8]) -> Result<(), (usize, Refusal)> {
        let (mut at, mut whole) = (0, 0);
        while let Some(byte) = bytes.get(at) {
            if self.literal_left > 0 {
                let rest = bytes.len() - at;
                let skip = usize::try_from(self.literal_left).map_or(rest, |left| left.min(rest));
                self.literal_left -= u64::try_from(skip).unwrap_or(self.literal_left);
                at += skip;
            } else {
                self.byte(*byte).map_err(|refusal| (whole, refusal))?;
                at += 1;
                if self.line_bytes == 0 {
                    whole = at;
                }
            }
        }
        Ok(())
    }

    fn byte(&mut self, byte: u8) -> Result<(), Refusal> {
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
        if byte == b'\n' {
            self.end_of_line()?;
        } else if self.status && self.after_code(byte) {
            return Err(Refusal::CodeText);
        }
        self.previous = byte;
        Ok(())
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

    fn end_of_line(&mut self) -> Result<(), Refusal> {
        match self.announcement {
            Announcement::Return(_) if self.status => Err(Refusal::LiteralInStatus),
            Announcement::Return(size) => {
                self.announcement = Announcement::None;
                self.literal_bytes = self.literal_bytes.saturating_add(size);
                self.literal_left = size;
                let most = self.limits.literal_bytes_max;
                if self.literal_bytes > most { Err(Refusal::Literal(most)) } else { Ok(()) }
            }
            _ if self.quoted => Err(Refusal::OpenQuote),
            _ => {
                *self = Self { responses: self.responses + 1, ..Self::new(self.limits) };
                Ok(())
            }
        }
    }

    /// The parser cuts one byte off the text after a response code, and panics where that is not a character.
    fn after_code(&self, byte: u8) -> bool {
        self.previous == b']' && !byte.is_ascii()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { literal_bytes_max: 20, line_bytes_max: 60, parentheses_max: 3 };

    fn check(wire: &str, expect: Result<(), Refusal>) {
        let mut whole = Scanner::new(LIMITS);
        assert_eq!(whole.scan(wire.as_bytes()).map_err(|(_, refusal)| refusal), expect, "{wire:?} at once");
        let mut bytewise = Scanner::new(LIMITS);
        let result = wire.as_bytes().chunks(1).try_for_each(|byte| bytewise.scan(byte));
        assert_eq!(result.map_err(|(_, refusal)| refusal), expect, "{wire:?} byte by byte");
    }

    #[test]
    fn responses_within_the_limits_pass() {
        check("* OK [UIDNEXT 7] it's \"half a quote\r\n* 1 FETCH (UID 1)\r\n", Ok(()));
        check("* 1 FETCH (BODY[] {5}\r\n(((((\" \")\r\nA1 OK done\r\n", Ok(()));
        check("* 1 FETCH (X \"a \\\" {9}\" UID 1)\r\n", Ok(()));
        check("* 1 FETCH (BODY[] {20}\r\n12345678901234567890)\r\n", Ok(()));
        check("* 1 FETCH (BODY[] {0}\r\n)\r\n", Ok(()));
    }

    #[test]
    fn each_limit_refuses_one_past_it() {
        check("* 1 FETCH (BODY[] {21}\r\n", Err(Refusal::Literal(20)));
        check("* 1 FETCH (BODY[] {99000000000}\r\n", Err(Refusal::Literal(20)));
        check("* 1 FETCH (A {11}\r\n12345678901 B {10}\r\n", Err(Refusal::Literal(20)));
        check(&format!("* SEARCH {}", "1 ".repeat(30)), Err(Refusal::Line(60)));
        check("* 1 FETCH ((((", Err(Refusal::Parentheses(3)));
        check("* 1 FETCH (\"(((", Err(Refusal::Parentheses(3)));
    }

    #[test]
    fn what_the_parser_reads_differently_is_refused() {
        check("* OK [BADCHARSET ({9}\r\n", Err(Refusal::LiteralInStatus));
        check("A1 NO see {9}\r\n", Err(Refusal::LiteralInStatus));
        check("* 1 FETCH (X \"{9}\r\n", Err(Refusal::OpenQuote));
        check("* OK [ALERT]é", Err(Refusal::CodeText));
    }
}
