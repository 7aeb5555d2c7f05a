//! The wire guard: keeps what would exhaust memory or stack from the parser.
//!
//! The IMAP parser keeps a whole response in memory, takes quadratic time on long lines and recurses on parentheses
//! until the process aborts. The guard sits below it, looks at every byte that arrives, and turns each of these into
//! an error of the connection. A long literal, which is where long messages are, goes into a [`Content`]; the parser
//! sees a short word in its place, and [`Guard::exchange`] gives the content for the word.

mod scanner;

pub(super) use scanner::Refusal;

use crate::content::{self, Content, Spool, Writer};
use scanner::{Announcement, Scanner};
use std::hash::{BuildHasher as _, RandomState};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
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

/// How much is read from the connection at a time, outside of literals that are handed on as they are.
const READ_BYTES: usize = 16 << 10;
/// The longest literal that the parser sees. A longer one cannot arrive in one read, so that the parser is done with the
/// response before when its content is complete; and it need not go through the parser's buffers, which are many.
const PARSED_BYTES_MAX: u64 = READ_BYTES as u64;

/// A stream that fails as soon as a response goes beyond its limits.
#[derive(Debug)]
pub(super) struct Guard<S> {
    inner: S,
    filter: Filter,
    received: u64,
    /// Once something is refused, nothing more passes.
    refusal: Option<Fault>,
}

impl<S> Guard<S> {
    pub(super) fn new(inner: S, limits: Limits, spool: Spool) -> Self {
        Self { inner, filter: Filter::new(limits, spool), received: 0, refusal: None }
    }

    /// How many whole responses have arrived: if more than were read, the rest waits in a buffer.
    pub(super) fn responses(&self) -> u64 {
        self.filter.scanner.responses
    }

    /// Whether nothing has arrived of the next response.
    pub(super) fn is_between_responses(&self) -> bool {
        self.filter.scanner.line_bytes == 0 && self.filter.output.is_empty()
    }

    pub(super) fn limits(&self) -> Limits {
        self.filter.scanner.limits
    }

    pub(super) fn spool(&self) -> &Spool {
        &self.filter.spool
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

    /// The content for which a text stands in the response that was parsed last; the text itself if for none.
    pub(super) fn exchange(&mut self, text: Arc<[u8]>) -> Content {
        let place = self.filter.kept.iter().position(|(word, _)| word.as_bytes() == &*text);
        place.map_or_else(|| text.into(), |place| self.filter.kept.swap_remove(place).1)
    }

    /// Forgets the contents of the response that was parsed last, which nobody asked for. Those of the next one are
    /// not here yet: the parser gets what stands before a long literal before the literal is read.
    pub(super) fn forget(&mut self) {
        self.filter.kept.clear();
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Guard<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let me = self.get_mut();
        loop {
            if me.filter.hand_over(buf) {
                return Poll::Ready(Ok(()));
            }
            if let Some(fault) = &me.refusal {
                return Poll::Ready(Err(fault.clone().into()));
            }
            if let Some(left) = me.filter.passing() {
                // Nothing to be looked at: straight to the parser.
                let place = buf.initialize_unfilled_to(left.min(buf.remaining()));
                let mut fresh = ReadBuf::new(place);
                ready!(Pin::new(&mut me.inner).poll_read(cx, &mut fresh))?;
                let read = fresh.filled().len();
                buf.advance(read);
                me.received += length(read);
                me.filter.passed(read);
                return Poll::Ready(Ok(()));
            }
            // On the stack, because hundreds of connections wait for most of their time.
            let mut place = [0; READ_BYTES];
            let mut fresh = ReadBuf::new(&mut place);
            ready!(Pin::new(&mut me.inner).poll_read(cx, &mut fresh))?;
            if fresh.filled().is_empty() {
                return Poll::Ready(if me.filter.is_idle() {
                    Ok(())
                } else {
                    Err(io::ErrorKind::UnexpectedEof.into())
                });
            }
            me.received += length(fresh.filled().len());
            me.refusal = me.filter.take(fresh.filled()).err();
        }
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

/// Why nothing more passes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    /// The server's answer is refused.
    #[error(transparent)]
    Refusal(#[from] Refusal),
    /// A long literal cannot be kept.
    #[error(transparent)]
    Content(#[from] content::Error),
}

impl From<Fault> for io::Error {
    fn from(fault: Fault) -> Self {
        Self::new(io::ErrorKind::InvalidData, fault)
    }
}

/// Where in a literal the stream is.
#[derive(Debug)]
enum Literal {
    /// In none.
    None,
    /// So many bytes are still to go to the parser.
    Passing(u64),
    /// So many bytes are still to go to a content.
    Kept(u64, Writer),
}

/// What stands between the bytes that arrive and the parser.
#[derive(Debug)]
struct Filter {
    scanner: Scanner,
    literal: Literal,
    spool: Spool,
    /// What is to go to the parser.
    output: Vec<u8>,
    /// Where in it a literal is announced, as long as the announcement is not complete: from there on it is held back.
    held: Option<usize>,
    /// Where in it the last whole response ends.
    whole: usize,
    /// Contents, and the words that the parser gets for them.
    kept: Vec<(String, Content)>,
    /// Makes words that no server can guess.
    secret: RandomState,
    words: u64,
}

impl Filter {
    fn new(limits: Limits, spool: Spool) -> Self {
        Self {
            scanner: Scanner::new(limits),
            literal: Literal::None,
            spool,
            output: Vec::new(),
            held: None,
            whole: 0,
            kept: Vec::new(),
            secret: RandomState::new(),
            words: 0,
        }
    }

    /// Takes what has arrived. On a fault, only whole responses before it still go to the parser.
    fn take(&mut self, mut bytes: &[u8]) -> Result<(), Fault> {
        while !bytes.is_empty() {
            let taken = self.take_some(bytes).inspect_err(|_| {
                self.output.truncate(self.whole);
                self.held = None;
            })?;
            bytes = bytes.get(taken..).unwrap_or_default();
        }
        Ok(())
    }

    /// Takes bytes up to where something else begins, and says how many.
    fn take_some(&mut self, bytes: &[u8]) -> Result<usize, Fault> {
        let (Literal::Passing(left) | Literal::Kept(left, _)) = &mut self.literal else {
            return Ok(self.take_line(bytes)?);
        };
        let part = usize::try_from(*left).ok().and_then(|left| bytes.get(..left)).unwrap_or(bytes);
        *left = left.saturating_sub(length(part.len()));
        let ended = *left == 0;
        match &mut self.literal {
            Literal::Kept(_, writer) => writer.append(part)?,
            Literal::None | Literal::Passing(_) => self.output.extend_from_slice(part),
        }
        if ended && let Literal::Kept(_, writer) = std::mem::replace(&mut self.literal, Literal::None) {
            self.keep(writer.finish()?);
        }
        Ok(part.len())
    }

    fn take_line(&mut self, bytes: &[u8]) -> Result<usize, Refusal> {
        for (at, byte) in bytes.iter().enumerate() {
            let literal = self.scanner.byte(*byte)?;
            self.output.push(*byte);
            if let Some(size) = literal {
                self.begin(size);
                return Ok(at + 1);
            }
            match self.scanner.announcement {
                Announcement::None => self.held = None,
                _ if *byte == b'{' => self.held = Some(self.output.len() - 1),
                _ => {}
            }
            if self.scanner.line_bytes == 0 {
                self.whole = self.output.len();
            }
        }
        Ok(bytes.len())
    }

    fn begin(&mut self, size: u64) {
        let announcement = self.held.take();
        self.literal = match announcement {
            Some(start) if size > PARSED_BYTES_MAX => {
                self.output.truncate(start);
                Literal::Kept(size, self.spool.writer(size))
            }
            _ if size == 0 => Literal::None,
            _ => Literal::Passing(size),
        };
    }

    /// Keeps a content, and gives the parser a word for it.
    fn keep(&mut self, content: Content) {
        self.words += 1;
        let secret = [0, 1].map(|half| self.secret.hash_one((self.words, half)));
        let word = format!("mailmill:{:016x}{:016x}", secret[0], secret[1]);
        self.output.extend_from_slice(format!("{{{}}}\r\n{word}", word.len()).as_bytes());
        self.kept.push((word, content));
    }

    /// Moves what is ready to the parser's buffer; whether that was anything.
    fn hand_over(&mut self, buf: &mut ReadBuf<'_>) -> bool {
        let ready = self.held.unwrap_or(self.output.len()).min(buf.remaining());
        buf.put_slice(self.output.get(..ready).unwrap_or_default());
        self.output.drain(..ready);
        self.held = self.held.map(|held| held - ready);
        self.whole = self.whole.saturating_sub(ready);
        ready > 0
    }

    /// How many bytes may go to the parser unseen, if the next ones may.
    fn passing(&self) -> Option<usize> {
        match self.literal {
            Literal::Passing(left) => Some(usize::try_from(left).unwrap_or(usize::MAX)),
            Literal::None | Literal::Kept(..) => None,
        }
    }

    /// Notes how many went.
    fn passed(&mut self, bytes: usize) {
        if let Literal::Passing(left) = &mut self.literal {
            *left = left.saturating_sub(length(bytes));
            if *left == 0 {
                self.literal = Literal::None;
            }
        }
    }

    /// Whether the end of the stream leaves nothing half done that the parser does not know of.
    fn is_idle(&self) -> bool {
        self.output.is_empty() && !matches!(self.literal, Literal::Kept(..))
    }
}

fn length(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    const LIMITS: Limits = Limits { literal_bytes_max: 20, line_bytes_max: 60, parentheses_max: 3 };

    fn filter() -> Filter {
        Filter::new(LIMITS, Spool::new(&std::env::temp_dir()))
    }

    fn check(wire: &str, expect: Result<(), Refusal>) {
        let expect = expect.map_err(Fault::from);
        assert_eq!(filter().take(wire.as_bytes()), expect, "{wire:?} at once");
        let mut bytewise = filter();
        let result = wire.as_bytes().chunks(1).try_for_each(|byte| bytewise.take(byte));
        assert_eq!(result, expect, "{wire:?} byte by byte");
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

    /// What the parser gets of a wire that arrives in steps, and what is kept meanwhile.
    async fn pass(wire: &[u8], step: usize, limits: Limits) -> (Vec<u8>, Vec<Content>, Option<Fault>) {
        let spool = tempfile::tempdir().unwrap();
        let (mut server, client) = tokio::io::duplex(step);
        let wire = wire.to_vec();
        let server = tokio::spawn(async move {
            // It fails once the guard has refused something.
            let _ = server.write_all(&wire).await;
        });
        let mut guard = Guard::new(client, limits, Spool::new(spool.path()));
        let (mut seen, mut chunk) = (Vec::new(), vec![0; 700]);
        let fault = loop {
            match guard.read(&mut chunk).await {
                Ok(0) => break None,
                Ok(read) => seen.extend_from_slice(&chunk[..read]),
                Err(error) => break error.downcast::<Fault>().ok(),
            }
        };
        let kept = std::mem::take(&mut guard.filter.kept).into_iter().map(|(word, content)| {
            let place = seen.windows(word.len()).position(|window| window == word.as_bytes());
            assert!(place.is_some(), "{word} is not in what the parser sees");
            content
        });
        let kept = kept.collect();
        drop(guard);
        server.await.unwrap();
        (seen, kept, fault)
    }

    #[tokio::test]
    async fn long_literals_are_kept_from_the_parser() {
        let limits = Limits { literal_bytes_max: 4 << 20, ..Limits::default() };
        for length in [PARSED_BYTES_MAX as usize + 1, crate::content::MEMORY_BYTES_MAX as usize + 1] {
            let long: Vec<u8> = (0..length).map(|at| (at % 253) as u8).collect();
            let short = &long[..PARSED_BYTES_MAX as usize];
            let mut wire = format!("* 1 FETCH (X \"{{2000000}}\" Y {{3}}\r\nabc BODY[] {{{length}}}\r\n").into_bytes();
            wire.extend_from_slice(&long);
            wire.extend_from_slice(b" UID 7)\r\n* 2 FETCH (BODY[] {16384}\r\n");
            wire.extend_from_slice(short);
            wire.extend_from_slice(b")\r\nA1 OK done\r\n");
            for step in [1 << 20, 20_000, 1021] {
                let (seen, kept, fault) = pass(&wire, step, limits).await;
                assert_eq!((kept.len(), fault), (1, None), "in steps of {step}");
                assert_eq!(kept[0].to_vec().unwrap(), long);
                let text = String::from_utf8_lossy(&seen);
                assert!(
                    text.starts_with("* 1 FETCH (X \"{2000000}\" Y {3}\r\nabc BODY[] {41}\r\nmailmill:"),
                    "{}",
                    &text[..90]
                );
                assert!(text.contains(" UID 7)\r\n* 2 FETCH (BODY[] {16384}\r\n"));
                assert!(seen.windows(short.len()).any(|window| window == short));
                assert!(text.ends_with(")\r\nA1 OK done\r\n"));
                assert_eq!(seen.len(), wire.len() - length - format!("{{{length}}}").len() + "{41}".len() + 41);
            }
        }
    }

    #[tokio::test]
    async fn a_literal_that_is_too_long_is_refused_before_it_comes() {
        let wire = b"* 1 FETCH (UID 1)\r\n* 1 FETCH (BODY[] {99000000000}\r\nx";
        let (seen, kept, fault) = pass(wire, 7, Limits::default()).await;
        assert_eq!((kept.len(), fault), (0, Some(Refusal::Literal(64 << 20).into())));
        assert!(seen.starts_with(b"* 1 FETCH (UID 1)\r\n") && !seen.ends_with(b"x"));
    }

    #[tokio::test]
    async fn a_literal_that_cannot_be_kept_is_a_fault() {
        let mut guard =
            Guard::new(&b"* 1 FETCH (BODY[] {2000000}\r\n"[..], Limits::default(), Spool::new("/nowhere".as_ref()));
        let mut seen = Vec::new();
        let cut_short = guard.read_to_end(&mut seen).await.unwrap_err();
        assert_eq!((cut_short.kind(), seen.as_slice()), (io::ErrorKind::UnexpectedEof, &b"* 1 FETCH (BODY[] "[..]));
        let mut wire = b"* 1 FETCH (BODY[] {2000000}\r\n".to_vec();
        wire.resize(2_000_000, b'x');
        let mut guard = Guard::new(&wire[..], Limits::default(), Spool::new("/nowhere".as_ref()));
        let error = guard.read_to_end(&mut seen).await.unwrap_err().downcast::<Fault>().unwrap();
        assert!(matches!(error, Fault::Content(content::Error::Spool { .. })), "{error:?}");
    }

    #[tokio::test]
    async fn a_word_stands_for_one_content_and_no_other_text_does() {
        let mut guard = Guard::new(&b""[..], Limits::default(), Spool::new(&std::env::temp_dir()));
        guard.filter.keep(b"one"[..].into());
        guard.filter.keep(b"two"[..].into());
        let words: Vec<String> = guard.filter.kept.iter().map(|(word, _)| word.clone()).collect();
        let mut check = |text: &str, expect: &str| {
            assert_eq!(guard.exchange(text.as_bytes().into()).in_memory().unwrap(), expect.as_bytes(), "{text}");
        };
        check(&words[1], "two");
        check(&words[1], &words[1]);
        check("mailmill:", "mailmill:");
        check(&words[0], "one");
    }
}
