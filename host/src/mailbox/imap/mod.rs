//! IMAP (RFC 3501, RFC 9051): a mailbox on a server.

mod fetch;
mod login;
mod name;
#[cfg(test)]
mod tests;
mod wire;

use super::connection::{Protocol, Security, Server, Trust};
use super::error::Error;
use super::guard::Limits;
use super::report::{Seen, Stage, Steps};
use super::{Disposition, Fetched, Listed, MessageKey, RawMessage};
use crate::content::Spool;
use fetch::{Fetch, Wanted};
use imap_proto::{AttributeValue, Response};
use secrecy::SecretString;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;
use wire::{Event, Wire};

/// The most messages that one mailbox may list.
const LISTED_MAX: usize = 2_000_000;
/// The most ranges of UIDs in one command, so that no server finds the line too long (RFC 7162 section 4).
const RANGES_MAX: usize = 100;
/// Servers log out a client that idles for 30 minutes (RFC 2177).
const IDLE_MAX: Duration = Duration::from_secs(29 * 60);

/// A mailbox on an IMAP server, and how to get there.
#[derive(Debug, Clone)]
pub struct ImapAccount {
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
    /// With what password.
    pub password: SecretString,
    /// The mailbox, such as `INBOX`.
    pub mailbox: String,
    /// How long the server may be silent before it counts as gone.
    pub timeout: Duration,
    /// What one of its responses may cost.
    pub limits: Limits,
    /// Where long messages are kept.
    pub spool: Spool,
}

impl ImapAccount {
    pub(super) async fn open(&self, steps: &mut Steps<'_>) -> Result<Session, Error> {
        let server = self.server();
        let stream = server.connect(steps).await?;
        let mut wire = Wire::new(stream, &self.host, self.timeout, self.limits, self.spool.clone());
        let greeting = steps.run(Stage::Greeting, server.greeted(wire.greeting()), Seen::clone).await?;
        let logged_in = matches!(greeting, Seen::Greeting { logged_in: true, .. });
        if self.security.wants_starttls() {
            wire = starttls(&server, wire, logged_in, steps).await?;
        }
        let offered = |capabilities: &Vec<String>| Seen::Capabilities { capabilities: capabilities.clone() };
        steps.run(Stage::Capabilities, capabilities(&mut wire), offered).await?;
        if !logged_in {
            let log_in = login::log_in(&mut wire, &self.host, &self.user, &self.password);
            let mechanism = |method: &&str| Seen::LoggedIn { mechanism: (*method).to_owned() };
            steps.run(Stage::Authentication, log_in, mechanism).await?;
        }
        let mut session = Session::new(self, wire);
        let opened = |(): &()| Seen::Opened { mailbox: self.mailbox.clone() };
        steps.run(Stage::Folder, session.enter(Access::Read), opened).await?;
        Ok(session)
    }

    fn server(&self) -> Server<'_> {
        Server {
            protocol: Protocol::Imap,
            host: &self.host,
            port: self.port,
            security: self.security,
            trust: &self.trust,
            timeout: self.timeout,
        }
    }
}

/// Asks what the server can do, unless it has told already.
async fn capabilities(wire: &mut Wire) -> Result<Vec<String>, Error> {
    if wire.told.capabilities.is_empty() {
        wire.run("CAPABILITY", "CAPABILITY").await?;
    }
    Ok(wire.told.capabilities.clone())
}

/// Secures the connection by a command (RFC 9051 section 6.2.1), if the server lets us.
async fn starttls(server: &Server<'_>, mut wire: Wire, logged_in: bool, steps: &mut Steps<'_>) -> Result<Wire, Error> {
    // RFC 9051 section 6.2.1: it is a command for those who are not logged in. RFC 8314 section 3.2 warns of the trick.
    let refusal = if logged_in {
        "it says that we are logged in already, and then it is too late".to_owned()
    } else if !capabilities(&mut wire).await?.iter().any(|offered| offered.eq_ignore_ascii_case("STARTTLS")) {
        "it does not offer STARTTLS".to_owned()
    } else {
        match wire.run("STARTTLS", "STARTTLS").await {
            Ok(()) => return wire.upgrade(server, steps).await,
            Err(Error::Refused { said, .. }) => format!("it offers STARTTLS and then refuses it ({said})"),
            Err(error) => return Err(error),
        }
    };
    server.stay_plain(refusal, steps).await?;
    Ok(wire)
}

/// What a mailbox is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Access {
    /// `EXAMINE`: the server changes nothing, whatever we ask.
    Read,
    /// `SELECT`.
    Mark,
}

/// An open mailbox.
#[derive(Debug)]
pub(super) struct Session {
    wire: Wire,
    host: String,
    mailbox: String,
    access: Option<Access>,
    uid_validity: u32,
    /// The server waits for the end of IDLE.
    idling: bool,
    /// Sizes from the last listing, by UID: they decide how many messages one command asks for.
    sizes: BTreeMap<u32, u64>,
}

impl Session {
    fn new(account: &ImapAccount, wire: Wire) -> Self {
        Self {
            wire,
            host: account.host.clone(),
            mailbox: account.mailbox.clone(),
            access: None,
            uid_validity: 0,
            idling: false,
            sizes: BTreeMap::new(),
        }
    }

    async fn enter(&mut self, access: Access) -> Result<(), Error> {
        if self.access >= Some(access) {
            return Ok(());
        }
        let refused = |said: String| Error::Mailbox { host: self.host.clone(), mailbox: self.mailbox.clone(), said };
        if self.mailbox.contains(char::is_control) {
            return Err(refused("the name holds a control character".into()));
        }
        let verb = match access {
            Access::Read => "EXAMINE",
            Access::Mark => "SELECT",
        };
        self.wire.told.uid_validity = None;
        self.wire.told.read_only = false;
        // RFC 9051 section 6.3.2: a failed attempt leaves no mailbox selected.
        self.access = None;
        let command = format!("{verb} {}", *login::quoted(&name::encode(&self.mailbox)));
        self.wire.run(verb, &command).await.map_err(|error| match error {
            Error::Refused { said, .. } => refused(said),
            other => other,
        })?;
        if access == Access::Mark && self.wire.told.read_only {
            self.access = Some(Access::Read);
            return Err(Error::ReadOnly { host: self.host.clone(), mailbox: self.mailbox.clone() });
        }
        let Some(now) = self.wire.told.uid_validity else {
            return Err(self.wire.nonsense("it gives no UIDVALIDITY, so its messages cannot be told apart"));
        };
        // RFC 9051 section 2.3.1.1: zero is none.
        if self.uid_validity == 0 {
            self.uid_validity = now;
        }
        self.access = Some(access);
        self.same_numbering()
    }

    /// UIDs mean something under one UIDVALIDITY only (RFC 9051 section 2.3.1.1).
    fn same_numbering(&self) -> Result<(), Error> {
        match self.wire.told.uid_validity {
            Some(now) if now != self.uid_validity => Err(self.renumbered(self.uid_validity, now)),
            _ => Ok(()),
        }
    }

    fn renumbered(&self, before: u32, now: u32) -> Error {
        Error::Renumbered { host: self.host.clone(), mailbox: self.mailbox.clone(), before, now }
    }

    pub(super) fn waiting(&self) -> u64 {
        u64::from(self.wire.told.exists)
    }

    pub(super) async fn list(&mut self) -> Result<Vec<Listed>, Error> {
        self.enter(Access::Read).await?;
        // New messages can be asked for once the server has told of them, and NOOP makes it tell.
        self.wire.run("NOOP", "NOOP").await?;
        self.wire.told.news = false;
        self.sizes = BTreeMap::new();
        if self.wire.told.exists > 0 {
            self.sizes = self.uids("1:*").await?;
        }
        self.same_numbering()?;
        Ok(self.sizes.iter().map(|(uid, size)| Listed { key: self.key(*uid), size: Some(*size) }).collect())
    }

    /// Which of the UIDs in a set exist, and the sizes of their messages.
    async fn uids(&mut self, set: &str) -> Result<BTreeMap<u32, u64>, Error> {
        let mut found = BTreeMap::new();
        self.wire.send("UID FETCH", &format!("UID FETCH {set} (UID RFC822.SIZE)")).await?;
        while let Event::Data(entry) = self.wire.next(uid_and_size).await? {
            // News of a message's flags has no size, and must not hide the one that was told.
            if let Some((uid, size)) = entry {
                found.insert(uid, size);
            }
            if found.len() > LISTED_MAX {
                return Err(self.wire.nonsense(format!("it lists more than {LISTED_MAX} messages")));
            }
        }
        Ok(found)
    }

    pub(super) async fn fetch(
        &mut self,
        keys: &[MessageKey],
        sink: &mpsc::Sender<RawMessage>,
    ) -> Result<Fetched, Error> {
        self.enter(Access::Read).await?;
        let wanted = keys
            .iter()
            .map(|key| self.uid(key))
            .map(|uid| uid.map(|uid| Wanted { uid, size: self.sizes.get(&uid).copied().unwrap_or(0) }))
            .collect::<Result<Vec<_>, _>>()?;
        let mut fetch = Fetch::new(wanted);
        let mut delivered = 0;
        while let Some(body) = fetch.next(&mut self.wire).await? {
            self.same_numbering()?;
            let message = RawMessage { key: self.key(body.uid), received: body.received, content: body.content };
            sink.send(message).await.map_err(|_| Error::Stopped)?;
            delivered += 1;
        }
        let refused = |uid: &u32| (self.key(*uid), format!("{} has the message but sends no text of it", self.host));
        let mut fetched =
            Fetched { delivered, refused: fetch.refused.iter().map(refused).collect(), ..Fetched::default() };
        self.explain(&fetch.passed_over, &mut fetched).await?;
        Ok(fetched)
    }

    /// What was passed over is no longer there or, if it still is, was kept back by the server.
    async fn explain(&mut self, passed_over: &[u32], fetched: &mut Fetched) -> Result<(), Error> {
        let mut existing = BTreeMap::new();
        for set in ranges(passed_over.iter().copied().collect()).chunks(RANGES_MAX) {
            existing.append(&mut self.uids(&set.join(",")).await?);
        }
        for uid in passed_over {
            if existing.contains_key(uid) {
                let cause = format!("{} has message {uid} but did not send it", self.host);
                fetched.withheld.push((self.key(*uid), cause));
            } else {
                fetched.vanished.push(self.key(*uid));
            }
        }
        Ok(())
    }

    pub(super) async fn mark(&mut self, marks: &[(MessageKey, Disposition)]) -> Result<(), Error> {
        let mut by_flags: BTreeMap<&'static str, BTreeSet<u32>> = BTreeMap::new();
        for (key, disposition) in marks {
            if let Some(flags) = flags(disposition) {
                by_flags.entry(flags).or_default().insert(self.uid(key)?);
            }
        }
        if by_flags.is_empty() {
            return Ok(());
        }
        self.enter(Access::Mark).await?;
        for (flags, uids) in by_flags {
            for set in ranges(uids).chunks(RANGES_MAX) {
                self.wire.run("UID STORE", &format!("UID STORE {} +FLAGS.SILENT ({flags})", set.join(","))).await?;
            }
        }
        self.same_numbering()
    }

    pub(super) async fn wait(&mut self, at_most: Duration) -> Result<(), Error> {
        if self.wire.told.news {
            return Ok(());
        }
        if !self.wire.offers("IDLE") {
            tokio::time::sleep(at_most).await;
            return Ok(());
        }
        self.idle(Instant::now() + at_most.min(IDLE_MAX)).await
    }

    /// Lets the server tell of new messages (RFC 2177).
    async fn idle(&mut self, until: Instant) -> Result<(), Error> {
        self.wire.send("IDLE", "IDLE").await?;
        loop {
            match self.wire.next(|response| matches!(response, Response::Continue(_))).await {
                Ok(Event::Data(true)) => break,
                Ok(Event::Data(false)) => {}
                Ok(Event::Done(_)) => return Ok(()),
                // It offers what it does not do: then wait as if it did not offer it.
                Err(Error::Refused { .. }) => {
                    tokio::time::sleep_until(until).await;
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
        }
        self.idling = true;
        while !self.wire.told.news {
            match self.wire.next_within(until.saturating_duration_since(Instant::now()), |_| ()).await? {
                Some(Event::Data(())) => {}
                Some(Event::Done(_)) => {
                    self.idling = false;
                    return Ok(());
                }
                None => break,
            }
        }
        self.end_idle().await
    }

    async fn end_idle(&mut self) -> Result<(), Error> {
        self.idling = false;
        self.wire.go_on("DONE").await?;
        self.wire.finish().await
    }

    pub(super) async fn close(mut self) -> Result<(), Error> {
        // The wait was dropped half way.
        if self.idling {
            self.end_idle().await?;
        }
        self.wire.log_out().await
    }

    pub(super) fn is_current(&self, key: &MessageKey) -> bool {
        key.mailbox == self.mailbox && key.uid_validity == self.uid_validity
    }

    fn key(&self, uid: u32) -> MessageKey {
        MessageKey { mailbox: self.mailbox.clone(), uid_validity: self.uid_validity, uid: uid.to_string() }
    }

    fn uid(&self, key: &MessageKey) -> Result<u32, Error> {
        if key.mailbox == self.mailbox && key.uid_validity != self.uid_validity {
            return Err(self.renumbered(key.uid_validity, self.uid_validity));
        }
        match key.uid.parse() {
            Ok(uid) if key.mailbox == self.mailbox && uid > 0 => Ok(uid),
            _ => Err(Error::ForeignKey { key: key.to_string() }),
        }
    }
}

fn uid_and_size(response: &Response<'_>) -> Option<(u32, u64)> {
    let Response::Fetch(_, attributes) = response else { return None };
    let (mut uid, mut size) = (None, None);
    for attribute in attributes {
        match attribute {
            AttributeValue::Uid(value) => uid = Some(*value),
            AttributeValue::Rfc822Size(value) => size = Some(u64::from(*value)),
            _ => {}
        }
    }
    uid.zip(size)
}

/// The flags that a disposition sets, if any.
fn flags(disposition: &Disposition) -> Option<&'static str> {
    match disposition {
        Disposition { seen: true, deleted: true } => Some("\\Seen \\Deleted"),
        Disposition { seen: true, deleted: false } => Some("\\Seen"),
        Disposition { seen: false, deleted: true } => Some("\\Deleted"),
        Disposition { seen: false, deleted: false } => None,
    }
}

/// UIDs as ranges: `1:3`, `7`.
fn ranges(uids: BTreeSet<u32>) -> Vec<String> {
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for uid in uids {
        match ranges.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(uid) => *last = uid,
            _ => ranges.push((uid, uid)),
        }
    }
    ranges
        .iter()
        .map(|(first, last)| if first == last { first.to_string() } else { format!("{first}:{last}") })
        .collect()
}
