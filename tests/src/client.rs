//! A client of IMAP and POP3 that knows just enough to log in, with and without TLS, and is no part of the program.

use crate::servers::{Endpoint, Protocol};
use anyhow::{Context, Result, bail};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

/// One connection to a server.
#[derive(Debug)]
pub struct Client {
    protocol: Protocol,
    host: &'static str,
    /// None only while the connection changes from plain text to TLS.
    wire: Option<BufReader<Wire>>,
}

#[derive(Debug)]
enum Wire {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Client {
    /// Connects in plain text and takes the greeting.
    ///
    /// # Errors
    /// When the server does not greet.
    pub fn connect(protocol: Protocol, endpoint: Endpoint) -> Result<Self> {
        let wire = Wire::Plain(dial(endpoint)?);
        Self { protocol, host: endpoint.host, wire: Some(BufReader::new(wire)) }.greeted()
    }

    /// Connects with TLS from the first byte, trusting the certificate in the file `authority` only.
    ///
    /// # Errors
    /// When there is no TLS, the certificate is not good, or the server does not greet.
    pub fn connect_tls(protocol: Protocol, endpoint: Endpoint, authority: &Path) -> Result<Self> {
        let wire = secured(dial(endpoint)?, endpoint.host, authority)?;
        Self { protocol, host: endpoint.host, wire: Some(BufReader::new(wire)) }.greeted()
    }

    /// Goes on with TLS: STARTTLS or STLS.
    ///
    /// # Errors
    /// When the server refuses, or as [`Self::connect_tls`].
    pub fn start_tls(&mut self, authority: &Path) -> Result<()> {
        let command = match self.protocol {
            Protocol::Imap => "STARTTLS",
            Protocol::Pop3 => "STLS",
        };
        self.command(command)?;
        let wire = self.wire.take().context("the connection is closed")?;
        let Wire::Plain(stream) = wire.into_inner() else { bail!("the connection has TLS already") };
        self.wire = Some(BufReader::new(secured(stream, self.host, authority)?));
        Ok(())
    }

    /// What the server says it can: the words of CAPABILITY, or the lines of CAPA.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn capabilities(&mut self) -> Result<Vec<String>> {
        match self.protocol {
            Protocol::Imap => {
                let lines = self.command("CAPABILITY")?;
                let words = lines.iter().filter_map(|line| line.strip_prefix("* CAPABILITY "));
                Ok(words.flat_map(str::split_whitespace).map(String::from).collect())
            }
            Protocol::Pop3 => {
                self.command("CAPA")?;
                self.until_dot()
            }
        }
    }

    /// The mechanisms of SASL that the server offers now.
    ///
    /// # Errors
    /// As [`Self::capabilities`].
    pub fn mechanisms(&mut self) -> Result<Vec<String>> {
        let capabilities = self.capabilities()?;
        Ok(match self.protocol {
            Protocol::Imap => {
                capabilities.iter().filter_map(|word| word.strip_prefix("AUTH=")).map(String::from).collect()
            }
            Protocol::Pop3 => {
                let lines = capabilities.iter().filter_map(|line| line.strip_prefix("SASL "));
                lines.flat_map(str::split_whitespace).map(String::from).collect()
            }
        })
    }

    /// Logs in with a password: LOGIN, or USER and PASS.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn log_in(&mut self, user: &str, password: &str) -> Result<()> {
        match self.protocol {
            Protocol::Imap => self.command(&format!("LOGIN \"{user}\" \"{password}\"")).map(drop),
            Protocol::Pop3 => {
                self.command(&format!("USER {user}"))?;
                self.command(&format!("PASS {password}")).map(drop)
            }
        }
    }

    /// Logs in with a mechanism that needs one message, given in base64, and no answer.
    ///
    /// # Errors
    /// When the server refuses; the message is its last answer.
    pub fn authenticate(&mut self, mechanism: &str, message: &str) -> Result<()> {
        self.send(match self.protocol {
            Protocol::Imap => "a AUTHENTICATE",
            Protocol::Pop3 => "AUTH",
        })?;
        self.send(&format!(" {mechanism}\r\n"))?;
        loop {
            let line = self.line()?;
            match line.split_whitespace().next() {
                // A server may go on with a challenge that tells why it refuses, and wants an answer before it does.
                Some("+") => {
                    self.send(if line.trim() == "+" { message } else { "" }).and_then(|()| self.send("\r\n"))?
                }
                Some("a") if line.starts_with("a OK") => return Ok(()),
                Some("+OK") => return Ok(()),
                Some("*") => {}
                _ => bail!("the server answered {line:?}"),
            }
        }
    }

    /// Fetches every message of the INBOX (IMAP only), throws it away, and says how many there were.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn discard_all(&mut self) -> Result<usize> {
        self.command("EXAMINE INBOX")?;
        self.send("a UID FETCH 1:* (UID BODY.PEEK[])\r\n")?;
        let mut messages = 0;
        loop {
            let line = self.line()?;
            if line.starts_with("a ") {
                return if line.starts_with("a OK") { Ok(messages) } else { bail!("the server answered {line:?}") };
            }
            let size = line.rsplit_once('{').and_then(|(_, size)| size.strip_suffix('}')?.parse().ok());
            if let Some(size) = size {
                let wire = self.wire.as_mut().context("the connection is closed")?;
                std::io::copy(&mut wire.take(size), &mut std::io::sink())?;
                messages += 1;
            }
        }
    }

    fn greeted(mut self) -> Result<Self> {
        let line = self.line()?;
        if !line.starts_with("* OK") && !line.starts_with("+OK") {
            bail!("unexpected greeting {line:?}");
        }
        Ok(self)
    }

    /// Sends one command. The untagged responses are given, for POP3 the rest of the status line.
    fn command(&mut self, command: &str) -> Result<Vec<String>> {
        if self.protocol == Protocol::Imap {
            self.send("a ")?;
        }
        self.send(&format!("{command}\r\n"))?;
        let mut lines = Vec::new();
        loop {
            let line = self.line()?;
            match line.split_whitespace().next() {
                Some("*") => lines.push(line),
                Some("+OK") => return Ok(lines),
                Some("a") if line.starts_with("a OK") => return Ok(lines),
                _ => bail!("the server answered {line:?}"),
            }
        }
    }

    fn until_dot(&mut self) -> Result<Vec<String>> {
        let mut lines = Vec::new();
        loop {
            let line = self.line()?;
            if line == "." {
                return Ok(lines);
            }
            lines.push(line);
        }
    }

    fn send(&mut self, text: &str) -> Result<()> {
        let wire = self.wire.as_mut().context("the connection is closed")?.get_mut();
        wire.write_all(text.as_bytes())?;
        Ok(wire.flush()?)
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        if self.wire.as_mut().context("the connection is closed")?.read_line(&mut line)? == 0 {
            bail!("the server closed the connection");
        }
        Ok(line.trim_end().to_owned())
    }
}

fn dial(endpoint: Endpoint) -> Result<TcpStream> {
    let stream = TcpStream::connect((endpoint.host, endpoint.port))?;
    stream.set_read_timeout(Some(crate::PATIENCE))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

fn secured(stream: TcpStream, host: &'static str, authority: &Path) -> Result<Wire> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(authority)?)?;
    let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let connection = ClientConnection::new(Arc::new(config), ServerName::try_from(host)?)?;
    let mut stream = StreamOwned::new(connection, stream);
    while stream.conn.is_handshaking() {
        stream.conn.complete_io(&mut stream.sock).context("the TLS handshake failed")?;
    }
    Ok(Wire::Tls(Box::new(stream)))
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.read(buffer),
            Self::Tls(stream) => stream.read(buffer),
        }
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.write(bytes),
            Self::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        match self {
            Self::Plain(stream) => stream.flush(),
            Self::Tls(stream) => stream.flush(),
        }
    }
}
