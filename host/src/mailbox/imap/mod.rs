//! IMAP (RFC 3501, RFC 9051): mailboxes on a server.

mod fetch;
mod folders;
mod header;
mod idle;
mod login;
mod mark;
mod name;
mod select;
mod starttls;
#[cfg(test)]
mod tests;
mod wire;

use super::connection::{Protocol, Security, Server, Trust};
use super::error::Error;
use super::guard::Limits;
use super::report::{Seen, Stage, Steps};
use super::sasl::{Authentication, LoginMemory};
use super::{Fetched, Folder, Listed, MessageKey, Opened, RawMessage};
use crate::content::Spool;
use fetch::{Fetch, Wanted};
use folders::{Entry, Folders};
use imap_proto::{AttributeValue, Response};
use select::{Access, Mailbox};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::sync::mpsc;
use wire::{Event, Wire};

/// The most messages that one mailbox may list.
const LISTED_MAX: usize = 2_000_000;
/// The most ranges of UIDs in one command, so that no server finds the line too long (RFC 7162 section 4).
const RANGES_MAX: usize = 100;

/// Mailboxes on an IMAP server, and how to get there.
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
    /// With what.
    pub authentication: Authentication,
    /// What is known of the logins before.
    pub memory: LoginMemory,
    /// The mailboxes to watch, at least one, each in any spelling: `INBOX`, `INBOX.Support` or `INBOX/Support`.
    pub mailboxes: Vec<String>,
    /// The mailboxes that handled messages are moved to; made when they are needed and do not exist.
    pub targets: Vec<String>,
    /// Whether messages that are marked as deleted are removed for good at the end of a session.
    pub purge: bool,
    /// How long the server may be silent before it counts as gone.
    pub timeout: Duration,
    /// What one of its responses may cost.
    pub limits: Limits,
    /// Where long messages are kept.
    pub spool: Spool,
}

impl ImapAccount {
    pub(super) async fn open(&self, steps: &mut Steps<'_>) -> Result<Session, Error> {
        let wire = self.log_in(steps).await?;
        let mut session = Session::new(self, wire);
        // INBOX is there without asking.
        let needs_list = !self.targets.is_empty() || self.mailboxes.iter().any(|name| !is_inbox(name));
        if needs_list {
            session.folders = Folders::ask(&mut session.wire).await?;
        }
        session.find_mailboxes(&self.mailboxes, needs_list)?;
        for at in 0..session.mailboxes.len() {
            let mailbox = session.mailbox(at)?.key.clone();
            let opened = |(): &()| Seen::Opened { mailbox };
            let entered = steps.run(Stage::Folder, session.enter(at, Access::Read), opened).await;
            session.note_fault(at, entered)?;
        }
        session.any_opened()?;
        session.check_targets(&self.targets, steps).await?;
        Ok(session)
    }

    /// All mailboxes of the account.
    pub(super) async fn folders(&self) -> Result<Vec<Folder>, Error> {
        let mut wire = self.log_in(&mut Steps::new(&mut |_| {})).await?;
        let folders = Folders::ask(&mut wire).await?;
        wire.log_out().await?;
        Ok(folders.into_shown())
    }

    async fn log_in(&self, steps: &mut Steps<'_>) -> Result<Wire, Error> {
        let server = self.server();
        let stream = server.connect(steps).await?;
        let mut wire = Wire::new(stream, &self.host, self.timeout, self.limits, self.spool.clone());
        let greeting = steps.run(Stage::Greeting, server.greeted(wire.greeting()), Seen::clone).await?;
        let logged_in = matches!(greeting, Seen::Greeting { logged_in: true, .. });
        if self.security.wants_starttls() {
            wire = starttls::secure(&server, wire, logged_in, steps).await?;
        }
        let offered = |capabilities: &Vec<String>| Seen::Capabilities { capabilities: capabilities.clone() };
        steps.run(Stage::Capabilities, capabilities(&mut wire), offered).await?;
        if wire.offers("STARTTLS") && !wire.encrypted() {
            server.leave_plain("STARTTLS", steps);
        }
        if !logged_in {
            let log_in = login::log_in(&mut wire, self);
            let mechanism = |mechanism: &String| Seen::LoggedIn { mechanism: mechanism.clone() };
            steps.run(Stage::Authentication, log_in, mechanism).await?;
        }
        Ok(wire)
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

fn is_inbox(name: &str) -> bool {
    name.eq_ignore_ascii_case("INBOX")
}

/// An open connection, and the mailboxes that are watched over it. One of them is open at a time.
#[derive(Debug)]
pub(super) struct Session {
    wire: Wire,
    host: String,
    /// At least one.
    mailboxes: Vec<Mailbox>,
    /// The one that is open, and for what.
    selected: Option<(usize, Access)>,
    /// All that the server has, as far as it was asked.
    folders: Folders,
    /// The server waits for the end of IDLE.
    idling: bool,
    refuses_idle: bool,
    silence_max: Duration,
    purge: bool,
    /// What was marked as deleted, and is to be removed at the end of the session, by mailbox.
    to_purge: BTreeMap<usize, BTreeSet<u32>>,
    told_of_no_uidplus: bool,
}

impl Session {
    fn new(account: &ImapAccount, wire: Wire) -> Self {
        Self {
            wire,
            host: account.host.clone(),
            mailboxes: Vec::new(),
            selected: None,
            folders: Folders::default(),
            idling: false,
            refuses_idle: false,
            silence_max: idle::SILENCE_MAX,
            purge: account.purge,
            to_purge: BTreeMap::new(),
            told_of_no_uidplus: false,
        }
    }

    fn find_mailboxes(&mut self, names: &[String], is_listed: bool) -> Result<(), Error> {
        for name in names {
            let found = if is_listed { Mailbox::find(name, &self.folders) } else { Mailbox::inbox(name) };
            if let Some(other) = self.mailboxes.iter().find(|other| other.wire == found.wire) {
                let (host, one, other) = (self.host.clone(), other.written.clone(), found.written);
                return Err(Error::SameMailbox { host, one, other });
            }
            self.mailboxes.push(found);
        }
        Ok(())
    }

    /// A message that is moved to where the job looks for new ones would be handled again and again.
    async fn check_targets(&self, targets: &[String], steps: &mut Steps<'_>) -> Result<(), Error> {
        for target in targets {
            let found = self.folders.find(target);
            let watched = found.and_then(|entry| self.mailboxes.iter().find(|mailbox| mailbox.wire == entry.wire));
            let check = async {
                let Some(watched) = watched else { return Ok(()) };
                let (host, mailbox) = (self.host.clone(), watched.written.clone());
                Err(Error::TargetWatched { host, target: target.clone(), mailbox })
            };
            let exists = found.is_some();
            let target = found.map_or_else(|| target.clone(), Entry::key);
            let seen = |(): &()| Seen::Target { target, exists };
            steps.run(Stage::Folder, check, seen).await?;
        }
        Ok(())
    }

    pub(super) fn unopened(&self) -> Vec<Error> {
        self.mailboxes.iter().filter_map(|mailbox| mailbox.fault.clone()).collect()
    }

    pub(super) fn opened(&self) -> Vec<Opened> {
        let opened = |mailbox: &Mailbox| Opened {
            mailbox: mailbox.key.clone(),
            uid_validity: mailbox.uid_validity,
            written: mailbox.written.clone(),
            messages: u64::from(mailbox.exists),
        };
        self.mailboxes.iter().filter(|mailbox| mailbox.fault.is_none()).map(opened).collect()
    }

    pub(super) fn waiting(&self) -> u64 {
        self.mailboxes.iter().map(|mailbox| u64::from(mailbox.exists)).sum()
    }

    pub(super) async fn list(&mut self) -> Result<Vec<Listed>, Error> {
        let mut listed = Vec::new();
        self.look_again().await?;
        for at in 0..self.mailboxes.len() {
            let entered = self.enter(at, Access::Read).await;
            if !self.note_fault(at, entered)? {
                continue;
            }
            // New messages can be asked for once the server has told of them, and NOOP makes it tell.
            self.wire.run("NOOP", "NOOP").await?;
            self.wire.told.news = false;
            let sizes = if self.wire.told.exists > 0 { self.uids("1:*").await? } else { BTreeMap::new() };
            self.same_numbering()?;
            let (exists, next) = (self.wire.told.exists, self.wire.told.uid_next.unwrap_or_default());
            for (uid, size) in &sizes {
                listed.push(Listed { key: self.key(at, *uid)?, size: Some(*size) });
            }
            let mailbox = self.mailbox_mut(at)?;
            mailbox.exists = exists;
            mailbox.uid_next = sizes.last_key_value().map_or(0, |(uid, _)| uid.saturating_add(1)).max(next);
            mailbox.sizes = sizes;
        }
        self.any_opened()?;
        Ok(listed)
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
        let mut fetched = Fetched::default();
        for keys in keys.chunk_by(|one, other| one.mailbox == other.mailbox) {
            self.fetch_in_one(keys, sink, &mut fetched).await?;
        }
        Ok(fetched)
    }

    /// Fetches messages of one mailbox.
    async fn fetch_in_one(
        &mut self,
        keys: &[MessageKey],
        sink: &mpsc::Sender<RawMessage>,
        fetched: &mut Fetched,
    ) -> Result<(), Error> {
        let places = keys.iter().map(|key| self.place(key)).collect::<Result<Vec<_>, _>>()?;
        let Some((at, _)) = places.first().copied() else { return Ok(()) };
        self.enter(at, Access::Read).await?;
        let sizes = &self.mailbox(at)?.sizes;
        let wanted = places.iter().map(|(_, uid)| Wanted { uid: *uid, size: sizes.get(uid).copied().unwrap_or(0) });
        let mut fetch = Fetch::new(wanted);
        while let Some(body) = fetch.next(&mut self.wire).await? {
            self.same_numbering()?;
            let message = RawMessage { key: self.key(at, body.uid)?, received: body.received, content: body.content };
            sink.send(message).await.map_err(|_| Error::Stopped)?;
            fetched.delivered += 1;
        }
        for uid in &fetch.refused {
            let cause = format!("{} has the message but sends no text of it", self.host);
            fetched.refused.push((self.key(at, *uid)?, cause));
        }
        self.explain(at, &fetch.passed_over, fetched).await
    }

    /// What was passed over is no longer there or, if it still is, was kept back by the server.
    async fn explain(&mut self, at: usize, passed_over: &[u32], fetched: &mut Fetched) -> Result<(), Error> {
        let mut existing = BTreeMap::new();
        for set in ranges(passed_over.iter().copied().collect()).chunks(RANGES_MAX) {
            existing.append(&mut self.uids(&set.join(",")).await?);
        }
        for uid in passed_over {
            if existing.contains_key(uid) {
                let cause = format!("{} has message {uid} but did not send it", self.host);
                fetched.withheld.push((self.key(at, *uid)?, cause));
            } else {
                fetched.vanished.push(self.key(at, *uid)?);
            }
        }
        Ok(())
    }

    /// Whether what is marked is certain only once [`Self::settle`] has returned.
    pub(super) fn settles(&self) -> bool {
        self.purge
    }

    pub(super) async fn close(mut self) -> Result<(), Error> {
        // The wait was dropped half way.
        if self.idling {
            self.end_idle().await?;
        }
        self.wire.log_out().await
    }

    pub(super) fn is_current(&self, key: &MessageKey) -> bool {
        let is = |mailbox: &Mailbox| key.mailbox == mailbox.key && key.uid_validity == mailbox.uid_validity;
        self.mailboxes.iter().any(is)
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
