//! A proxy between the program and a real server: it tells a test each line of both, and lets it meddle; or it just
//! listens.

mod dialogue;

use crate::servers::{Endpoint, Protocol};
use anyhow::Result;
use dialogue::{Command, Dialogue};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Who says something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speaker {
    /// The program under test.
    Client,
    /// The mail server.
    Server,
}

/// A line, or the content of a literal.
#[derive(Debug)]
pub struct Said<'s> {
    /// Who says it.
    pub by: Speaker,
    /// In which connection, from 0.
    pub connection: usize,
    /// How many lines and literals the same speaker has said before in this connection.
    pub number: usize,
    /// The command that it belongs to, such as `UID FETCH`; empty for the greeting and for what belongs to none.
    pub command: &'s str,
    /// What stands behind the command, such as `2` in `RETR 2`.
    pub arguments: &'s str,
    /// The command's tag; empty if there is none, as in POP3.
    pub tag: &'s str,
    /// The line with its CRLF, or the content of the literal.
    pub text: &'s [u8],
    begins: bool,
    ends: bool,
}

impl Said<'_> {
    /// Whether the server says it and it ends a command.
    #[must_use]
    pub fn is_end_of(&self, command: &str) -> bool {
        self.by == Speaker::Server && self.command == command && self.ends
    }

    /// Whether the client says it and it begins a command.
    #[must_use]
    pub fn is_command(&self, command: &str) -> bool {
        self.by == Speaker::Client && self.command == command && self.begins
    }

    /// Whether it is the line of a POP3 server that says whether it does what a command asks for.
    #[must_use]
    pub fn is_status_of(&self, command: &str) -> bool {
        self.by == Speaker::Server && self.command == command && self.begins
    }
}

/// What becomes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Meddling {
    /// It is handed on.
    Pass,
    /// Something else is handed on in its place.
    Instead(Vec<u8>),
    /// It is not handed on, and whoever said it gets this for an answer.
    Answer(Vec<u8>),
    /// It is handed on byte by byte, over so long a time.
    Slowly(Duration),
    /// Both connections end after this is handed on.
    CutAfter(Vec<u8>),
    /// Neither it nor anything after it is handed on; the connections stay open.
    Silence,
}

type Meddler = Box<dyn FnMut(&Said<'_>) -> Meddling + Send>;

/// A proxy. It ends with the test's process.
pub struct Proxy {
    /// The port to connect to.
    pub port: u16,
    shared: Arc<Shared>,
}

struct Shared {
    meddler: Mutex<Meddler>,
    behaves: AtomicBool,
    connections: AtomicUsize,
    heard: Mutex<Vec<u8>>,
}

impl Proxy {
    /// Listens on a free port of 127.0.0.1, in front of the IMAP server on `server` there.
    ///
    /// # Errors
    /// When there is no free port.
    pub fn start(server: u16, meddler: impl FnMut(&Said<'_>) -> Meddling + Send + 'static) -> Result<Self> {
        Self::listen(Endpoint { host: "127.0.0.1", port: server }, Some(Protocol::Imap), Box::new(meddler))
    }

    /// Listens on a free port of 127.0.0.1, in front of a POP3 server.
    ///
    /// # Errors
    /// When there is no free port.
    pub fn start_pop3(server: Endpoint, meddler: impl FnMut(&Said<'_>) -> Meddling + Send + 'static) -> Result<Self> {
        Self::listen(server, Some(Protocol::Pop3), Box::new(meddler))
    }

    /// Listens in front of any server and hands on all bytes as they come, whatever protocol they are of; for
    /// [`Self::heard`].
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn eavesdrop(server: Endpoint) -> Result<Self> {
        Self::listen(server, None, Box::new(|_| Meddling::Pass))
    }

    /// Without a protocol there are only bytes.
    fn listen(server: Endpoint, protocol: Option<Protocol>, meddler: Meddler) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port();
        let shared = Arc::new(Shared {
            meddler: Mutex::new(meddler),
            behaves: AtomicBool::new(false),
            connections: AtomicUsize::new(0),
            heard: Mutex::default(),
        });
        let all = Arc::clone(&shared);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                // A server that is not there is what the test wants.
                let Ok(server) = TcpStream::connect((server.host, server.port)) else { continue };
                let number = all.connections.fetch_add(1, Ordering::Relaxed);
                let _ = Connection::start(number, protocol, client, server, &all);
            }
        });
        Ok(Self { port, shared })
    }

    /// From now on everything is handed on as it is.
    pub fn behave(&self) {
        self.shared.behaves.store(true, Ordering::Relaxed);
    }

    /// All that the client has sent, in all connections.
    #[must_use]
    pub fn heard(&self) -> Vec<u8> {
        lock(&self.shared.heard).clone()
    }

    /// How many connections there were.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::Relaxed)
    }
}

/// One direction of a connection.
struct Connection {
    by: Speaker,
    number: usize,
    from: TcpStream,
    to: TcpStream,
    said: usize,
    protocol: Option<Protocol>,
    dialogue: Arc<Mutex<Dialogue>>,
    /// What follows is of no lines, such as TLS.
    bytes_only: Arc<AtomicBool>,
    shared: Arc<Shared>,
}

impl Connection {
    fn start(
        number: usize,
        protocol: Option<Protocol>,
        client: TcpStream,
        server: TcpStream,
        shared: &Arc<Shared>,
    ) -> Result<()> {
        let dialogue = match protocol {
            Some(Protocol::Pop3) => Dialogue::pop3(),
            Some(Protocol::Imap) | None => Dialogue::imap(),
        };
        let (dialogue, bytes_only) = (Arc::new(Mutex::new(dialogue)), Arc::new(AtomicBool::new(protocol.is_none())));
        for stream in [&client, &server] {
            stream.set_nodelay(true)?;
        }
        let pairs = [
            (Speaker::Client, client.try_clone()?, server.try_clone()?),
            (Speaker::Server, server.try_clone()?, client.try_clone()?),
        ];
        for (by, from, to) in pairs {
            let (dialogue, bytes_only, shared) = (dialogue.clone(), bytes_only.clone(), shared.clone());
            let direction = Self { by, number, from, to, said: 0, protocol, dialogue, bytes_only, shared };
            std::thread::spawn(move || direction.run());
        }
        Ok(())
    }

    fn run(mut self) {
        // However it ends: the other side has to know.
        let _ = self.relay();
        let _ = self.from.shutdown(Shutdown::Both);
        let _ = self.to.shutdown(Shutdown::Both);
    }

    fn relay(&mut self) -> Result<()> {
        let mut reader = BufReader::new(self.from.try_clone()?);
        loop {
            let line = self.line(&mut reader)?;
            if self.bytes_only.load(Ordering::Relaxed) {
                self.to.write_all(&line)?;
                return self.pass_bytes(&mut reader);
            }
            if line.is_empty() || !self.one(&line)? {
                return Ok(());
            }
            if let Some(size) = literal_size(&line).filter(|_| self.protocol == Some(Protocol::Imap)) {
                let mut content = vec![0; size];
                reader.read_exact(&mut content)?;
                if !self.one(&content)? {
                    return Ok(());
                }
            }
        }
    }

    /// The next line; what there is of it, if the connection ends or speaks TLS from here on.
    fn line(&self, reader: &mut impl BufRead) -> io::Result<Vec<u8>> {
        let mut line = Vec::new();
        while !line.ends_with(b"\n") {
            let bytes = reader.fill_buf()?;
            if bytes.is_empty() || self.bytes_only.load(Ordering::Relaxed) {
                break;
            }
            let used = bytes.iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |end| end + 1);
            line.extend(bytes.iter().take(used));
            reader.consume(used);
        }
        Ok(line)
    }

    /// One line or literal; whether the connection goes on.
    fn one(&mut self, text: &[u8]) -> Result<bool> {
        let command = lock(&self.dialogue).next(self.by, text);
        if self.by == Speaker::Client {
            lock(&self.shared.heard).extend_from_slice(text);
        }
        let meddling = self.meddling(&command, text);
        self.said += 1;
        if command.secures {
            // Both directions are bytes from here on.
            self.bytes_only.store(true, Ordering::Relaxed);
        }
        match meddling {
            Meddling::Pass => self.to.write_all(text)?,
            Meddling::Instead(other) => {
                if self.by == Speaker::Client && command.begins {
                    let mut dialogue = lock(&self.dialogue);
                    dialogue.withdraw();
                    dialogue.next(self.by, &other);
                }
                self.to.write_all(&other)?;
            }
            Meddling::Answer(answer) => {
                if command.begins {
                    lock(&self.dialogue).withdraw();
                }
                self.from.write_all(&answer)?;
            }
            Meddling::Slowly(time) => {
                let pause = time / u32::try_from(text.len().max(1))?;
                for byte in text {
                    std::thread::sleep(pause);
                    self.to.write_all(&[*byte])?;
                }
            }
            Meddling::CutAfter(last) => {
                self.to.write_all(&last)?;
                return Ok(false);
            }
            Meddling::Silence => loop {
                std::thread::park();
            },
        }
        Ok(true)
    }

    fn meddling(&self, command: &Command, text: &[u8]) -> Meddling {
        if self.shared.behaves.load(Ordering::Relaxed) {
            return Meddling::Pass;
        }
        let Command { tag, verb, arguments, begins, ends, .. } = command;
        let (by, connection, number) = (self.by, self.number, self.said);
        let said = Said { by, connection, number, command: verb, arguments, tag, text, begins: *begins, ends: *ends };
        (lock(&self.shared.meddler))(&said)
    }

    fn pass_bytes(&mut self, reader: &mut impl Read) -> Result<()> {
        let mut buffer = [0; 16 * 1024];
        loop {
            let count = reader.read(&mut buffer)?;
            let Some(bytes) = buffer.get(..count).filter(|bytes| !bytes.is_empty()) else { return Ok(()) };
            if self.by == Speaker::Client {
                lock(&self.shared.heard).extend_from_slice(bytes);
            }
            self.to.write_all(bytes)?;
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The size in `{5}` or `{5+}` at the end of a line.
fn literal_size(line: &[u8]) -> Option<usize> {
    let line = line.strip_suffix(b"\r\n")?.strip_suffix(b"}")?;
    let line = line.strip_suffix(b"+").unwrap_or(line);
    let digits = line.rsplit(|byte| *byte == b'{').next()?;
    // Without a brace the whole line comes back.
    if digits.len() == line.len() { None } else { std::str::from_utf8(digits).ok()?.parse().ok() }
}

#[cfg(test)]
mod tests {
    use super::literal_size;

    #[test]
    fn literals_are_announced_at_the_end_of_a_line() {
        let check = |line: &str, expect| assert_eq!(literal_size(line.as_bytes()), expect, "{line:?}");
        check("* 1 FETCH (BODY[] {12}\r\n", Some(12));
        check("a1 APPEND INBOX {3+}\r\n", Some(3));
        check("* 1 FETCH (UID 1)\r\n", None);
        check("12}\r\n", None);
    }
}
