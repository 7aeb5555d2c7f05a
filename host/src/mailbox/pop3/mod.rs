//! POP3 (RFC 1939, with RFC 2449, 2595, 3206 and 5034): a maildrop on a server.
//!
//! No library is used: none speaks STLS and pipelining, and the protocol is small.
//!
//! A maildrop has no folders and no flags: a message is left as it is, or deleted. A session sees the messages that were
//! there when it began, under numbers of its own; what a message is called in every session is its unique-id (UIDL).
//! What is deleted vanishes only when the session ends with QUIT (RFC 1939 section 6), so that a session which ends in
//! any other way has deleted nothing.

mod fetch;
mod lines;
mod listing;
mod login;
#[cfg(test)]
mod tests;
mod wire;

use super::connection::{Protocol, Security, Server, Trust};
use super::error::{Error, one_line};
use super::report::{Seen, Stage, Steps};
use super::sasl::{self, Authentication, LoginMemory, Privacy};
use super::{Disposition, Fetched, Listed, MessageKey, Opened, RawMessage};
use crate::content::Spool;
use crate::fault::{self, Point};
use fetch::{COMMANDS_MAX, Wanted, Window};
use listing::{Lines, Listing, Message, Number};
use login::{Capabilities, Dialogue};
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use wire::{Command, Wire};

/// The most messages that one maildrop may list.
const LISTED_MAX: usize = 1_000_000;
/// The most that is kept of a header which is fetched without its message, in bytes.
const HEADER_BYTES_MAX: usize = 64 << 10;
/// The longest such header.
const HEADER_READ_BYTES_MAX: u64 = 16 << 20;

/// A maildrop on a POP3 server, and how to get there.
#[derive(Debug, Clone)]
pub struct Pop3Account {
    /// The server's name or address.
    pub host: String,
    /// Its port; see [`Security::port`].
    pub port: u16,
    /// How the connection is secured.
    pub security: Security,
    /// Whom it trusts to be its server.
    pub trust: Trust,
    /// Who logs in.
    pub user: String,
    /// With what.
    pub authentication: Authentication,
    /// What is known of the logins before.
    pub memory: LoginMemory,
    /// How long the server may be silent before it counts as gone.
    pub timeout: Duration,
    /// The largest message that is fetched, in bytes.
    pub message_bytes_max: u64,
    /// Where long messages are kept.
    pub spool: Spool,
}

impl Pop3Account {
    pub(super) async fn open(&self, steps: &mut Steps<'_>) -> Result<Session, Error> {
        let server = self.server();
        let mut wire = Wire::new(server.connect(steps).await?, &self.host, self.timeout);
        let greeted = |greeting: &String| Seen::Greeting { greeting: one_line(greeting), logged_in: false };
        let mut greeting = steps.run(Stage::Greeting, server.greeted(wire.greeting()), greeted).await?;
        if self.security.wants_starttls() {
            wire = starttls(&server, wire, steps).await?;
        }
        // RFC 2595 section 4: nothing counts that was told in plain text, such as a time stamp for APOP.
        if wire.is_encrypted() && self.security != Security::Tls {
            greeting.clear();
        }
        let offered = |seen: &Capabilities| Seen::Capabilities { capabilities: seen.lines.clone().unwrap_or_default() };
        let capabilities = steps.run(Stage::Capabilities, Capabilities::ask(&mut wire), offered).await?;
        if capabilities.offers("STLS") && !wire.is_encrypted() {
            server.leave_plain("STLS", steps);
        }
        let log_in = self.log_in(&mut wire, &capabilities, &greeting);
        steps.run(Stage::Authentication, log_in, |how| Seen::LoggedIn { mechanism: how.clone() }).await?;
        let mut session = Session::new(self, wire, &capabilities);
        let opened = |(): &()| Seen::Opened { mailbox: self.mailbox() };
        steps.run(Stage::Folder, session.enter(), opened).await?;
        Ok(session)
    }

    fn server(&self) -> Server<'_> {
        Server {
            protocol: Protocol::Pop3,
            host: &self.host,
            port: self.port,
            security: self.security,
            trust: &self.trust,
            timeout: self.timeout,
        }
    }

    async fn log_in(&self, wire: &mut Wire, capabilities: &Capabilities, greeting: &str) -> Result<String, Error> {
        let login = sasl::Login {
            host: &self.host,
            port: self.port,
            user: &self.user,
            authentication: &self.authentication,
            privacy: Privacy::of(wire.is_encrypted(), self.security),
            memory: &self.memory,
        };
        login.run(&mut Dialogue::new(wire, capabilities, greeting)).await
    }

    /// What the maildrop is called. A unique-id means something on one server and for one user only: if it were taken
    /// for that of another maildrop, a message there could be deleted that nobody has read.
    fn mailbox(&self) -> String {
        format!("{}@{}", self.user, self.host.to_ascii_lowercase())
    }
}

/// Secures the connection by a command (RFC 2595 section 4), if the server lets us.
async fn starttls(server: &Server<'_>, mut wire: Wire, steps: &mut Steps<'_>) -> Result<Wire, Error> {
    let refusal = if Capabilities::ask(&mut wire).await?.may_offer("STLS") {
        match wire.run("STLS", "STLS").await {
            Ok(_) => return wire.upgrade(server, steps).await,
            Err(Error::Refused { said, .. }) => format!("it refuses STLS ({said})"),
            Err(error) => return Err(error),
        }
    } else {
        "it does not offer STLS".to_owned()
    };
    server.stay_plain(refusal, steps).await?;
    Ok(wire)
}

/// An open maildrop.
#[derive(Debug)]
pub(super) struct Session {
    wire: Wire,
    host: String,
    mailbox: String,
    message_bytes_max: u64,
    spool: Spool,
    pipelining: bool,
    /// Whether the server says that it has unique-ids.
    offers_uidl: bool,
    /// How many messages there are.
    waiting: u64,
    /// What they are, once that was asked.
    listing: Option<Listing>,
    /// What will vanish with QUIT.
    deleted: BTreeSet<Number>,
    /// It has ended.
    over: bool,
}

impl Session {
    fn new(account: &Pop3Account, wire: Wire, capabilities: &Capabilities) -> Self {
        Self {
            wire,
            host: account.host.clone(),
            mailbox: account.mailbox(),
            message_bytes_max: account.message_bytes_max,
            spool: account.spool.clone(),
            pipelining: capabilities.offers("PIPELINING"),
            offers_uidl: capabilities.offers("UIDL"),
            waiting: 0,
            listing: None,
            deleted: BTreeSet::new(),
            over: false,
        }
    }

    /// Asks how many messages there are (RFC 1939 section 5): here it shows whether the maildrop can be read.
    async fn enter(&mut self) -> Result<(), Error> {
        let said = self.wire.run("STAT", "STAT").await?;
        let count = said.split(' ').next().and_then(|count| count.parse().ok());
        self.waiting =
            count.ok_or_else(|| self.wire.nonsense_to("STAT", "it does not say how many messages it has"))?;
        Ok(())
    }

    pub(super) fn waiting(&self) -> u64 {
        self.waiting
    }

    pub(super) async fn list(&mut self) -> Result<Vec<Listed>, Error> {
        self.look().await?;
        let messages = self.listing.iter().flat_map(|listing| &listing.messages);
        Ok(messages.map(|message| Listed { key: self.key(message), size: message.size }).collect())
    }

    pub(super) fn take_unreadable(&mut self) -> Vec<String> {
        self.listing.as_mut().map(|listing| std::mem::take(&mut listing.unreadable)).unwrap_or_default()
    }

    /// Sees to it that nothing is under way, and that we know what is in the maildrop: that does not change while we are
    /// there (RFC 1939 section 4).
    async fn look(&mut self) -> Result<(), Error> {
        if self.over {
            return Err(Error::Over { host: self.host.clone() });
        }
        self.wire.expect_silence()?;
        if self.listing.is_none() {
            let listing = if self.waiting == 0 { Listing::default() } else { self.ask().await? };
            self.listing = Some(listing);
        }
        Ok(())
    }

    async fn ask(&mut self) -> Result<Listing, Error> {
        const LIST: Command = Command::multi_line("LIST");
        const UIDL: Command = Command::multi_line("UIDL");
        let ask = |command: Command| (command, command.name.to_owned());
        if self.pipelining {
            self.wire.send_behind([ask(UIDL), ask(LIST)]).await?;
        } else {
            self.wire.send_behind([ask(UIDL)]).await?;
        }
        let uids = match self.wire.status().await? {
            Ok(_) => self.gather(listing::uid).await?,
            Err(said) => return Err(self.no_uidl(said)),
        };
        if !self.pipelining {
            self.wire.send_behind([ask(LIST)]).await?;
        }
        let sizes = match self.wire.status().await? {
            Ok(_) => self.gather(listing::size).await?,
            Err(said) => return Err(self.wire.refused("LIST", said)),
        };
        Ok(Listing::new(&sizes, uids))
    }

    async fn gather<T>(&mut self, read: fn(&str) -> T) -> Result<Lines<T>, Error> {
        let mut lines = Lines::default();
        while let Some(line) = self.wire.line().await? {
            lines.add(&line, read).map_err(|what| self.wire.nonsense(what))?;
            if lines.len() > LISTED_MAX {
                return Err(self.wire.nonsense(format!("it lists more than {LISTED_MAX} messages")));
            }
        }
        Ok(lines)
    }

    /// UIDL may be missing (RFC 1939 section 7).
    fn no_uidl(&self, said: String) -> Error {
        if self.offers_uidl || login::is_passing(&said) {
            self.wire.refused("UIDL", said)
        } else {
            Error::NoUidl { host: self.host.clone(), said }
        }
    }

    pub(super) async fn fetch(
        &mut self,
        keys: &[MessageKey],
        sink: &mpsc::Sender<RawMessage>,
    ) -> Result<Fetched, Error> {
        self.look().await?;
        let mut fetched = Fetched::default();
        let mut wanted = VecDeque::new();
        for key in keys {
            match self.find(key)? {
                Some(message) => wanted.push_back(Wanted::new(key, message)),
                None => fetched.vanished.push(key.clone()),
            }
        }
        let mut window = Window::new(wanted, self.pipelining);
        loop {
            self.wire.send_behind(window.fill()).await?;
            let Some(Wanted { key, number, .. }) = window.next() else { return Ok(fetched) };
            match self.wire.status().await? {
                Ok(_) => {
                    let mut writer = self.spool.writer(u64::MAX);
                    self.wire.text(self.message_bytes_max, |piece| Ok(writer.append(piece)?)).await?;
                    let message = RawMessage { key, received: None, content: writer.finish()? };
                    sink.send(message).await.map_err(|_| Error::Stopped)?;
                    fetched.delivered += 1;
                }
                Err(said) => {
                    let lasting = login::is_lasting(&said);
                    let cause = format!("{} refuses message {number}: {said}", self.host);
                    if lasting { &mut fetched.refused } else { &mut fetched.withheld }.push((key, cause));
                }
            }
        }
    }

    /// The one mailbox that there is.
    pub(super) fn opened(&self) -> Opened {
        let (mailbox, messages) = (self.mailbox.clone(), self.waiting());
        Opened { written: mailbox.clone(), mailbox, uid_validity: 0, messages }
    }

    /// The header of a message, or its first 64 KiB, where the server can send it alone (RFC 1939 section 7, TOP).
    pub(super) async fn fetch_header(&mut self, key: &MessageKey) -> Result<Option<Arc<[u8]>>, Error> {
        self.look().await?;
        let Some(number) = self.find(key)?.map(|message| message.number) else { return Ok(None) };
        self.wire.send(Command::multi_line("TOP"), &format!("TOP {number} 0")).await?;
        match self.wire.status().await? {
            Ok(_) => {
                let mut header = Vec::new();
                let keep = |piece: &[u8]| {
                    let room = HEADER_BYTES_MAX - header.len();
                    header.extend_from_slice(piece.get(..room).unwrap_or(piece));
                    Ok(())
                };
                self.wire.text(HEADER_READ_BYTES_MAX, keep).await?;
                Ok(Some(header.into()))
            }
            Err(_) => Ok(None),
        }
    }

    /// Has messages deleted at the end of the session: see [`Session::settle`]. Other marks a maildrop does not have.
    pub(super) async fn mark(&mut self, marks: &[(MessageKey, Disposition)]) -> Result<(), Error> {
        let keys: Vec<&MessageKey> = marks.iter().filter(|(_, mark)| mark.deleted).map(|(key, _)| key).collect();
        if keys.is_empty() {
            return Ok(());
        }
        self.look().await?;
        let mut numbers = BTreeSet::new();
        for key in keys {
            numbers.extend(self.find(key)?.map(|message| message.number));
        }
        let numbers: Vec<Number> = numbers.difference(&self.deleted).copied().collect();
        let mut refusal = None;
        for numbers in numbers.chunks(if self.pipelining { COMMANDS_MAX } else { 1 }) {
            let delete = |number: &Number| (Command::short("DELE"), format!("DELE {number}"));
            self.wire.send_behind(numbers.iter().map(delete)).await?;
            for number in numbers {
                match self.wire.status().await? {
                    Ok(_) => {
                        fault::pass(Point::MarkInside);
                        self.deleted.insert(*number);
                    }
                    Err(said) => refusal = refusal.or(Some(self.wire.refused("DELE", said))),
                }
            }
        }
        refusal.map_or(Ok(()), Err)
    }

    /// Ends the session, so that the server deletes (RFC 1939 section 6). If it does not say that it has, nobody knows:
    /// then the next session finds out, and deletes what is still there.
    pub(super) async fn settle(&mut self) -> Result<(), Error> {
        if self.over {
            return Err(Error::Over { host: self.host.clone() });
        }
        self.over = true;
        match self.wire.run("QUIT", "QUIT").await {
            Err(error) if !self.deleted.is_empty() => Err(error),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// Takes leave. What was not settled is not to be deleted: then the connection is cut without a word.
    pub(super) async fn close(mut self) -> Result<(), Error> {
        if self.over || !self.deleted.is_empty() {
            return Ok(());
        }
        match self.wire.run("QUIT", "QUIT").await {
            // It may close before we have read its answer.
            Ok(_) | Err(Error::Closed { .. } | Error::Broken { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    pub(super) fn is_current(&self, key: &MessageKey) -> bool {
        key.mailbox == self.mailbox && key.uid_validity == 0
    }

    fn key(&self, message: &Message) -> MessageKey {
        MessageKey { mailbox: self.mailbox.clone(), uid_validity: 0, uid: message.uid.to_string() }
    }

    /// The message of this key, if it is in the maildrop.
    fn find(&self, key: &MessageKey) -> Result<Option<&Message>, Error> {
        if !self.is_current(key) {
            return Err(Error::ForeignKey { key: key.to_string() });
        }
        Ok(self.listing.as_ref().and_then(|listing| listing.find(&key.uid)))
    }
}
