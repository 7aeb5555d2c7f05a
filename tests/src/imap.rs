//! A mailbox seen through a small IMAP client of the tests' own, so that no assertion rests on the code under test.

use crate::servers::Endpoint;
use anyhow::{Context, Result, bail};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

/// The INBOX of one user, over one connection.
#[derive(Debug)]
pub struct Mailbox {
    reader: BufReader<TcpStream>,
    sequence: u32,
}

/// A message as it lies in a mailbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Its UID.
    pub uid: u32,
    /// Its flags and keywords, without `\\Recent`.
    pub flags: Vec<String>,
    /// Its `Message-ID`, with the angle brackets; empty if it has none.
    pub message_id: String,
}

impl Mailbox {
    pub(crate) fn open(endpoint: Endpoint, user: &str, password: &str) -> Result<Self> {
        let stream = TcpStream::connect((endpoint.host, endpoint.port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(crate::PATIENCE))?;
        let mut mailbox = Self { reader: BufReader::new(stream), sequence: 0 };
        let greeting = mailbox.line()?;
        if !greeting.starts_with("* OK") {
            bail!("unexpected greeting {greeting:?}");
        }
        mailbox.command(&format!("LOGIN \"{user}\" \"{password}\""))?;
        Ok(mailbox)
    }

    /// Appends a message to the INBOX, as a delivery would, with CRLF line ends and without flags.
    ///
    /// # Errors
    /// When the server refuses it.
    pub fn deliver(&mut self, message: &(impl AsRef<[u8]> + ?Sized)) -> Result<()> {
        self.deliver_to("INBOX", message)
    }

    /// The same for another mailbox, named as the server spells it.
    ///
    /// # Errors
    /// As [`Self::deliver`].
    pub fn deliver_to(&mut self, mailbox: &str, message: &(impl AsRef<[u8]> + ?Sized)) -> Result<()> {
        let bytes = with_crlf(message.as_ref());
        let tag = self.send(&format!("APPEND \"{mailbox}\" {{{}}}", bytes.len()))?;
        let answer = self.line()?;
        if !answer.starts_with('+') {
            bail!("APPEND refused: {answer}");
        }
        let stream = self.reader.get_mut();
        stream.write_all(&bytes)?;
        stream.write_all(b"\r\n")?;
        self.responses(&tag).map(drop)
    }

    /// The flags of every message, by UID. Nothing is changed by looking: `EXAMINE` keeps even `\Recent`.
    ///
    /// # Errors
    /// When the server refuses, or answers in a way this client does not read.
    pub fn flags(&mut self) -> Result<BTreeMap<u32, Vec<String>>> {
        self.flags_in("INBOX")
    }

    /// The same for another mailbox, named as the server spells it.
    ///
    /// # Errors
    /// As [`Self::flags`].
    pub fn flags_in(&mut self, mailbox: &str) -> Result<BTreeMap<u32, Vec<String>>> {
        self.command(&format!("EXAMINE \"{mailbox}\""))?;
        let responses = self.command("UID FETCH 1:* (FLAGS)")?;
        asked_for(&responses, "UID ").map(flags_of).collect()
    }

    /// The messages of a folder, by UID. Nothing is changed by looking.
    ///
    /// # Errors
    /// As [`Self::flags`]; also when there is no such folder.
    pub fn messages(&mut self, folder: &str) -> Result<Vec<Message>> {
        self.command(&format!("EXAMINE \"{folder}\""))?;
        let responses = self.command("UID FETCH 1:* (UID FLAGS BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])")?;
        asked_for(&responses, "BODY[").map(message_of).collect()
    }

    /// How many messages carry `\Seen`.
    ///
    /// # Errors
    /// As [`Self::flags`].
    pub fn seen(&mut self) -> Result<usize> {
        Ok(self.flags()?.values().filter(|flags| flags.iter().any(|flag| flag == "\\Seen")).count())
    }

    /// Sends one command and gives the untagged responses.
    ///
    /// # Errors
    /// When the answer is anything but `OK`.
    pub fn command(&mut self, command: &str) -> Result<Vec<String>> {
        let tag = self.send(command)?;
        self.responses(&tag).with_context(|| format!("after {command:?}"))
    }

    fn send(&mut self, command: &str) -> Result<String> {
        self.sequence += 1;
        let tag = format!("t{}", self.sequence);
        self.reader.get_mut().write_all(format!("{tag} {command}\r\n").as_bytes())?;
        Ok(tag)
    }

    fn responses(&mut self, tag: &str) -> Result<Vec<String>> {
        let mut responses = Vec::new();
        loop {
            let line = self.line()?;
            let Some(ending) = line.strip_prefix(tag) else {
                responses.push(line);
                continue;
            };
            if !ending.starts_with(" OK") {
                bail!("the server answered {line:?}");
            }
            return Ok(responses);
        }
    }

    /// One response: a line, with the literals that it announces.
    fn line(&mut self) -> Result<String> {
        let mut response = String::new();
        loop {
            if self.reader.read_line(&mut response)? == 0 {
                bail!("the server closed the connection");
            }
            let Some(length) = literal_length(&response) else { break };
            let mut literal = vec![0; length];
            self.reader.read_exact(&mut literal)?;
            response += &String::from_utf8_lossy(&literal);
        }
        Ok(response.trim_end().to_owned())
    }
}

/// Reads the `{12}` that a line ends with.
fn literal_length(line: &str) -> Option<usize> {
    line.trim_end().strip_suffix('}')?.rsplit_once('{')?.1.parse().ok()
}

/// Line ends as mail has them, whatever they were.
fn with_crlf(message: &[u8]) -> Vec<u8> {
    let lines = message.split(|byte| *byte == b'\n');
    let lines: Vec<_> = lines.map(|line| line.strip_suffix(b"\r").unwrap_or(line)).collect();
    lines.join(&b"\r\n"[..])
}

/// The FETCH responses that hold what was asked for. Others come unasked when another client changes a flag meanwhile, with its
/// new flags and perhaps without a UID (RFC 3501 section 7.4.2).
fn asked_for<'a>(responses: &'a [String], item: &str) -> impl Iterator<Item = &'a str> {
    responses.iter().map(String::as_str).filter(move |response| response.contains(" FETCH ") && response.contains(item))
}

/// Reads what [`Mailbox::messages`] asked for.
fn message_of(response: &str) -> Result<Message> {
    let (uid, flags) = flags_of(response)?;
    let header = response.split_once("\r\n").map_or("", |(_, literal)| literal);
    let message_id = header.split_once('<').and_then(|(_, rest)| rest.split_once('>'));
    Ok(Message { uid, flags, message_id: message_id.map(|(id, _)| format!("<{id}>")).unwrap_or_default() })
}

/// Reads `* 3 FETCH (UID 7 FLAGS (\Seen \Recent))`, whichever comes first.
fn flags_of(response: &str) -> Result<(u32, Vec<String>)> {
    let uid = response.split("UID ").nth(1).context("a FETCH response without UID")?;
    let uid = uid.split([' ', ')']).next().context("a FETCH response without UID")?.parse()?;
    let flags = response.split("FLAGS (").nth(1).context("a FETCH response without FLAGS")?;
    let flags = flags.split(')').next().unwrap_or_default();
    // The server gives \Recent to the first session that looks; it says nothing about mailmill.
    Ok((uid, flags.split_whitespace().filter(|flag| *flag != "\\Recent").map(String::from).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fetch_responses_are_read() {
        let check = |response: &str, uid: u32, flags: &[&str]| {
            let expect = (uid, flags.iter().map(ToString::to_string).collect());
            assert_eq!(flags_of(response).unwrap(), expect, "{response}");
        };
        check("* 1 FETCH (UID 7 FLAGS (\\Seen \\Recent))", 7, &["\\Seen"]);
        check("* 2 FETCH (FLAGS () UID 12)", 12, &[]);
        check("* 3 FETCH (FLAGS (\\Seen mailmill) UID 13)", 13, &["\\Seen", "mailmill"]);
        assert!(flags_of("* 1 FETCH (UID 7)").is_err());
    }

    #[test]
    fn what_comes_unasked_is_passed_over() {
        let responses = ["* 3 EXISTS", "* 1 FETCH (FLAGS (\\Seen))", "* 2 FETCH (UID 7 FLAGS ())"].map(String::from);
        assert!(asked_for(&responses, "UID ").eq(["* 2 FETCH (UID 7 FLAGS ())"]));
        assert!(asked_for(&responses, "BODY[").eq([""; 0]));
    }

    #[test]
    fn messages_are_read() {
        let check = |response: &str, expect: &str| assert_eq!(message_of(response).unwrap().message_id, expect);
        check("* 1 FETCH (UID 7 FLAGS () BODY[HEADER.FIELDS (MESSAGE-ID)] {21}\r\nMessage-ID: <a@b>\r\n\r\n)", "<a@b>");
        check("* 1 FETCH (BODY[HEADER.FIELDS (MESSAGE-ID)] {2}\r\n\r\n UID 7 FLAGS ())", "");
        assert_eq!(literal_length("* 1 FETCH (BODY[] {12}\r\n"), Some(12));
        assert_eq!(literal_length("* 1 FETCH (UID 12)\r\n"), None);
    }

    #[test]
    fn line_ends_become_those_of_mail() {
        let check = |message: &[u8], expect: &[u8]| assert_eq!(with_crlf(message), expect);
        check(b"a\nb\r\n\xff\n", b"a\r\nb\r\n\xff\r\n");
        check(b"a", b"a");
        check(b"", b"");
    }
}
