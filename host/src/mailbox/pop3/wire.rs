//! The dialogue below every POP3 command: answers in the order of the commands, time-outs, refusals, lost connections.

use super::lines::{LineEnd, Unstuffer};
use crate::mailbox::connection::{Server, Stream};
use crate::mailbox::error::{Error, said};
use crate::mailbox::report::Steps;
use memchr::memchr;
use secrecy::zeroize::Zeroizing;
use std::collections::VecDeque;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::time::{Instant, timeout, timeout_at};

/// The longest line that is read as one: lines of messages are not. RFC 2449 section 4 says 512 bytes, but RFC 5034
/// section 4 asks for 12,288 while logging in.
const LINE_BYTES_MAX: usize = 16 << 10;
/// What is read from the connection at once.
const READ_BYTES: usize = 64 << 10;
/// A server that sends at least so many bytes in one time-out is slow, not silent.
const PROGRESS_BYTES_MIN: usize = 4096;

const NOT_POP3: &str = "what it says is not POP3";
const SILENT: &str = "it says nothing";

/// How a server answers a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    /// `+OK`, and what it says.
    Done(String),
    /// `-ERR`, and why.
    Refused(String),
    /// `+`, and the challenge behind it (RFC 5034 section 4).
    GoOn(String),
}

/// A command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Command {
    /// What errors call it.
    pub(super) name: &'static str,
    /// Whether lines follow a good answer, up to one with a dot (RFC 1939 section 3).
    pub(super) multi_line: bool,
}

impl Command {
    /// A command that is answered by one line.
    pub(super) const fn short(name: &'static str) -> Self {
        Self { name, multi_line: false }
    }

    /// A command that is answered by many lines.
    pub(super) const fn multi_line(name: &'static str) -> Self {
        Self { name, multi_line: true }
    }
}

/// A connection that speaks POP3.
#[derive(Debug)]
pub(super) struct Wire {
    stream: BufReader<Stream>,
    host: String,
    clock: Clock,
    /// Commands whose answers are still to come. They have no tags, only their order (RFC 2449 section 6.6).
    pending: VecDeque<Command>,
    writing: bool,
    /// The last line read, without its end.
    line: Vec<u8>,
    /// What ended the last line.
    line_end: LineEnd,
}

impl Wire {
    pub(super) fn new(stream: Stream, host: &str, patience: Duration) -> Self {
        Self {
            stream: BufReader::with_capacity(READ_BYTES, stream),
            host: host.to_owned(),
            clock: Clock { patience, until: Instant::now() + patience, bytes: 0 },
            pending: VecDeque::new(),
            writing: false,
            line: Vec::new(),
            line_end: LineEnd::CrLf,
        }
    }

    /// Reads the greeting: what the server says in it.
    pub(super) async fn greeting(&mut self) -> Result<String, Error> {
        self.pending.push_back(Command::short("its greeting"));
        match self.answer().await {
            Ok(Answer::Done(text)) => Ok(text),
            Ok(Answer::Refused(said)) => Err(Error::Greeting { host: self.host.clone(), said }),
            Ok(Answer::GoOn(_)) | Err(Error::Protocol { .. }) => Err(self.no_greeting(NOT_POP3)),
            Err(Error::Timeout { .. }) => Err(self.no_greeting(SILENT)),
            Err(other) => Err(other),
        }
    }

    /// Begins TLS, which the server has just agreed to. What has arrived since may have come from anyone.
    pub(super) async fn upgrade(self, server: &Server<'_>, steps: &mut Steps<'_>) -> Result<Self, Error> {
        if !self.stream.buffer().is_empty() {
            return Err(Error::Injected { host: self.host });
        }
        let stream = server.upgrade(self.stream.into_inner(), steps).await?;
        Ok(Self::new(stream, server.host, self.clock.patience))
    }

    /// Whether nobody on the way can read what is sent.
    pub(super) fn is_encrypted(&self) -> bool {
        self.stream.get_ref().encrypted()
    }

    /// Runs a command of one line; what the server says to it.
    pub(super) async fn run(&mut self, name: &'static str, line: &str) -> Result<String, Error> {
        self.send(Command::short(name), line).await?;
        self.status().await?.map_err(|said| self.refused(name, said))
    }

    /// An error if answers are still to come: whoever waited for them has gone, and they would be taken for others.
    pub(super) fn expect_silence(&self) -> Result<(), Error> {
        if self.pending.is_empty() { Ok(()) } else { Err(self.abandoned()) }
    }

    /// Sends a command that nothing else is waiting before.
    pub(super) async fn send(&mut self, command: Command, line: &str) -> Result<(), Error> {
        self.expect_silence()?;
        self.pending.push_back(command);
        self.write(&Zeroizing::new(format!("{line}\r\n"))).await
    }

    /// Sends commands while the answers to earlier ones are still to come, all in one piece (RFC 2449 section 6.6).
    /// Together they must be shorter than what fits on the way: a server that waits for us to read does not read.
    pub(super) async fn send_behind(
        &mut self,
        commands: impl IntoIterator<Item = (Command, String)>,
    ) -> Result<(), Error> {
        let mut text = String::new();
        for (command, line) in commands {
            self.pending.push_back(command);
            text += &line;
            text += "\r\n";
        }
        if text.is_empty() { Ok(()) } else { self.write(&text).await }
    }

    async fn write(&mut self, text: &str) -> Result<(), Error> {
        if self.writing {
            return Err(self.abandoned());
        }
        self.writing = true;
        let stream = self.stream.get_mut();
        let sent = timeout(self.clock.patience, async {
            stream.write_all(text.as_bytes()).await?;
            stream.flush().await
        })
        .await;
        match sent {
            Ok(Ok(())) => {
                self.writing = false;
                Ok(())
            }
            Ok(Err(error)) => Err(self.broken(&error)),
            Err(_) => Err(self.timed_out()),
        }
    }

    /// The status line of the next answer. Where lines follow, [`Wire::line`] or [`Wire::text`] must read them.
    pub(super) async fn answer(&mut self) -> Result<Answer, Error> {
        self.clock.restart();
        self.read_line().await?;
        let line = String::from_utf8_lossy(&self.line);
        let (status, text) = line.split_once(' ').unwrap_or((&line, ""));
        let answer = match status {
            "+OK" => Answer::Done(text.trim().to_owned()),
            "-ERR" => Answer::Refused(said(text)),
            "+" => Answer::GoOn(text.to_owned()),
            _ => return Err(self.nonsense("a line that is neither +OK nor -ERR")),
        };
        let lines_follow = self.pending.front().is_some_and(|command| command.multi_line);
        if !(lines_follow && matches!(answer, Answer::Done(_))) {
            self.pending.pop_front();
        }
        Ok(answer)
    }

    /// The status line of the next answer where the server has nothing to ask: what it says, or why it refuses.
    pub(super) async fn status(&mut self) -> Result<Result<String, String>, Error> {
        let during = self.during();
        match self.answer().await? {
            Answer::Done(text) => Ok(Ok(text)),
            Answer::Refused(said) => Ok(Err(said)),
            Answer::GoOn(_) => Err(self.nonsense_to(during, "it asks to go on")),
        }
    }

    /// The next line of a listing; none at its end.
    pub(super) async fn line(&mut self) -> Result<Option<String>, Error> {
        self.read_line().await?;
        let line = String::from_utf8_lossy(&self.line);
        match line.strip_prefix('.') {
            Some("") => {
                self.pending.pop_front();
                Ok(None)
            }
            Some(unstuffed) => Ok(Some(unstuffed.to_owned())),
            None => Ok(Some(line.into_owned())),
        }
    }

    /// Hands on a message, in the pieces in which it arrives. One that is longer than so many bytes is an error; what
    /// `take` fails with ends the reading, too.
    pub(super) async fn text(
        &mut self,
        bytes_max: u64,
        mut take: impl FnMut(&[u8]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut unstuffer = Unstuffer::new(self.line_end);
        let mut left = Some(bytes_max);
        loop {
            let bytes = self.fill().await?;
            let mut taken = Ok(());
            let end = unstuffer.push(bytes, |piece| {
                left = u64::try_from(piece.len()).ok().and_then(|length| left?.checked_sub(length));
                if left.is_some() && taken.is_ok() {
                    taken = take(piece);
                }
            });
            let used = end.unwrap_or(bytes.len());
            self.consume(used);
            taken?;
            if left.is_none() {
                return Err(self.nonsense(format!("it sends a message of more than {bytes_max} bytes")));
            }
            if end.is_some() {
                self.pending.pop_front();
                return Ok(());
            }
        }
    }

    async fn read_line(&mut self) -> Result<(), Error> {
        self.line.clear();
        loop {
            self.fill().await?;
            let bytes = self.stream.buffer();
            let (used, ended) = memchr(b'\n', bytes).map_or((bytes.len(), false), |end| (end + 1, true));
            self.line.extend_from_slice(bytes.get(..used).unwrap_or_default());
            self.consume(used);
            if self.line.len() > LINE_BYTES_MAX {
                return Err(self.nonsense(format!("a line is longer than {LINE_BYTES_MAX} bytes")));
            }
            if ended {
                break;
            }
        }
        self.line.pop();
        self.line_end = if self.line.last() == Some(&b'\r') { LineEnd::CrLf } else { LineEnd::Lf };
        if self.line_end == LineEnd::CrLf {
            self.line.pop();
        }
        Ok(())
    }

    /// What has arrived, at least one byte.
    async fn fill(&mut self) -> Result<&[u8], Error> {
        let failed = match timeout_at(self.clock.until, self.stream.fill_buf()).await {
            Ok(Ok([])) => Some(self.closed()),
            Ok(Ok(_)) => None,
            Ok(Err(error)) => Some(self.broken(&error)),
            Err(_) => Some(self.timed_out()),
        };
        match failed {
            Some(error) => Err(error),
            None => Ok(self.stream.buffer()),
        }
    }

    fn consume(&mut self, bytes: usize) {
        self.stream.consume(bytes);
        self.clock.progress(bytes);
    }

    fn during(&self) -> &'static str {
        self.pending.front().map_or("the last command", |command| command.name)
    }

    fn timed_out(&self) -> Error {
        Error::Timeout { host: self.host.clone(), during: self.during(), waited: self.clock.patience }
    }

    fn abandoned(&self) -> Error {
        Error::Abandoned { host: self.host.clone() }
    }

    fn no_greeting(&self, cause: &str) -> Error {
        Error::NoGreeting { host: self.host.clone(), cause: cause.to_owned() }
    }

    fn closed(&self) -> Error {
        Error::Closed { host: self.host.clone(), during: self.during(), said: said("") }
    }

    /// A refusal of a command whose answer was read.
    pub(super) fn refused(&self, command: &'static str, said: String) -> Error {
        Error::Refused { host: self.host.clone(), command, said }
    }

    /// An answer, of which there is more to come, that breaks the protocol.
    pub(super) fn nonsense(&self, what: impl Into<String>) -> Error {
        self.nonsense_to(self.during(), what)
    }

    /// An answer that breaks the protocol.
    pub(super) fn nonsense_to(&self, during: &'static str, what: impl Into<String>) -> Error {
        Error::Protocol { host: self.host.clone(), during, what: what.into() }
    }

    fn broken(&self, error: &io::Error) -> Error {
        if error.kind() == io::ErrorKind::UnexpectedEof {
            return self.closed();
        }
        Error::Broken { host: self.host.clone(), during: self.during(), cause: said(&error.to_string()) }
    }
}

/// How long an answer may still take.
#[derive(Debug)]
struct Clock {
    patience: Duration,
    until: Instant,
    /// What has arrived since it was last wound.
    bytes: usize,
}

impl Clock {
    fn restart(&mut self) {
        self.until = Instant::now() + self.patience;
        self.bytes = 0;
    }

    fn progress(&mut self, bytes: usize) {
        self.bytes += bytes;
        if self.bytes >= PROGRESS_BYTES_MIN {
            self.restart();
        }
    }
}
