//! A mailbox seen through a small IMAP client of the tests' own, so that no assertion rests on the code under test.

use anyhow::{Context, Result, bail};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpStream};

/// The INBOX of one user, over one connection.
#[derive(Debug)]
pub struct Mailbox {
    reader: BufReader<TcpStream>,
    sequence: u32,
}

impl Mailbox {
    pub(crate) fn open(port: u16, user: &str, password: &str) -> Result<Self> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
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
    pub fn deliver(&mut self, message: &str) -> Result<()> {
        let bytes = message.replace("\r\n", "\n").replace('\n', "\r\n");
        let tag = self.send(&format!("APPEND INBOX {{{}}}", bytes.len()))?;
        let answer = self.line()?;
        if !answer.starts_with('+') {
            bail!("APPEND refused: {answer}");
        }
        let stream = self.reader.get_mut();
        stream.write_all(bytes.as_bytes())?;
        stream.write_all(b"\r\n")?;
        self.responses(&tag).map(drop)
    }

    /// The flags of every message, by UID. Nothing is changed by looking: `EXAMINE` keeps even `\Recent`.
    ///
    /// # Errors
    /// When the server refuses, or answers in a way this client does not read.
    pub fn flags(&mut self) -> Result<BTreeMap<u32, Vec<String>>> {
        self.command("EXAMINE INBOX")?;
        let responses = self.command("UID FETCH 1:* (FLAGS)")?;
        responses.iter().filter(|line| line.contains(" FETCH ")).map(|line| flags_of(line)).collect()
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

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        if self.reader.read_line(&mut line)? == 0 {
            bail!("the server closed the connection");
        }
        Ok(line.trim_end().to_owned())
    }
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
}
