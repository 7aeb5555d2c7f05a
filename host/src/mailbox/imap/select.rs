//! Which of a job's mailboxes is open, and what is known of each.

use super::folders::{Entry, Folders};
use super::login::quoted;
use super::name;
use super::{Error, Session};
use crate::mailbox::MessageKey;
use std::collections::BTreeMap;

/// What a mailbox is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Access {
    /// `EXAMINE`: the server changes nothing, whatever we ask.
    Read,
    /// `SELECT`.
    Mark,
}

/// A mailbox that the job watches.
#[derive(Debug)]
pub(super) struct Mailbox {
    /// As the administrator writes it.
    pub(super) written: String,
    /// As the server spells it.
    pub(super) wire: String,
    /// Its name in keys.
    pub(super) key: String,
    /// What the server has instead, where it lists no such mailbox.
    missing: Option<String>,
    /// Why it could not be opened the last time; the others are watched all the same.
    pub(super) fault: Option<Error>,
    pub(super) uid_validity: u32,
    /// How many messages it held when it was last looked at.
    pub(super) exists: u32,
    /// The lowest UID that no message had at the last listing.
    pub(super) uid_next: u32,
    /// Sizes from the last listing, by UID: they decide how many messages one command asks for.
    pub(super) sizes: BTreeMap<u32, u64>,
}

impl Mailbox {
    fn new(written: &str, entry: &Entry) -> Self {
        Self {
            written: written.to_owned(),
            wire: entry.wire.clone(),
            key: entry.key(),
            missing: None,
            fault: None,
            uid_validity: 0,
            exists: 0,
            uid_next: 0,
            sizes: BTreeMap::new(),
        }
    }

    /// INBOX, about which nothing needs to be asked.
    pub(super) fn inbox(written: &str) -> Self {
        Self::new(written, &Entry::inbox())
    }

    /// The mailbox that an administrator means. One that is not listed may be there all the same, such as one that
    /// another user shares: the server is asked when it is opened.
    pub(super) fn find(written: &str, folders: &Folders) -> Self {
        match folders.find(written) {
            Some(entry) => Self::new(written, entry),
            None => {
                let key = folders.separator().map_or(written.to_owned(), |separator| written.replace(separator, "/"));
                Self { wire: name::encode(written), key, missing: Some(folders.near(written)), ..Self::inbox(written) }
            }
        }
    }
}

impl Session {
    pub(super) fn mailbox(&self, at: usize) -> Result<&Mailbox, Error> {
        self.mailboxes.get(at).ok_or_else(|| Error::ForeignKey { key: format!("mailbox number {at}") })
    }

    pub(super) fn mailbox_mut(&mut self, at: usize) -> Result<&mut Mailbox, Error> {
        self.mailboxes.get_mut(at).ok_or_else(|| Error::ForeignKey { key: format!("mailbox number {at}") })
    }

    /// Opens a mailbox, unless it is open for this and all else is closed.
    pub(super) async fn enter(&mut self, at: usize, access: Access) -> Result<(), Error> {
        if self.selected.is_some_and(|(open, has)| open == at && has >= access) {
            return Ok(());
        }
        let (host, mailbox) = (self.host.clone(), self.mailbox(at)?);
        let (written, wire, missing) = (mailbox.written.clone(), mailbox.wire.clone(), mailbox.missing.clone());
        if written.contains(char::is_control) {
            let said = "the name holds a control character".into();
            return Err(Error::Mailbox { host, mailbox: written, said });
        }
        let verb = match access {
            Access::Read => "EXAMINE",
            Access::Mark => "SELECT",
        };
        self.leave(at);
        let command = format!("{verb} {}", *quoted(&wire));
        self.wire.run(verb, &command).await.map_err(|error| match (error, missing) {
            (Error::Refused { .. }, Some(near)) => Error::NoMailbox { host, mailbox: written, near },
            (Error::Refused { said, .. }, None) => Error::Mailbox { host, mailbox: written, said },
            (other, _) => other,
        })?;
        self.entered(at, access)
    }

    /// Keeps in mind how opening a mailbox went, and says whether it went well. That one mailbox is missing or not for
    /// us is no reason to leave the others alone.
    pub(super) fn note_fault(&mut self, at: usize, entered: Result<(), Error>) -> Result<bool, Error> {
        let mailbox = self.mailbox_mut(at)?;
        mailbox.fault = match entered {
            Ok(()) => None,
            Err(fault @ (Error::Mailbox { .. } | Error::NoMailbox { .. })) => Some(fault),
            Err(other) => return Err(other),
        };
        if mailbox.fault.is_some() {
            mailbox.exists = 0;
        }
        Ok(mailbox.fault.is_none())
    }

    /// An error if there is no mailbox that could be opened.
    pub(super) fn any_opened(&self) -> Result<(), Error> {
        let faults = self.unopened();
        if faults.len() < self.mailboxes.len() { Ok(()) } else { faults.into_iter().next().map_or(Ok(()), Err) }
    }

    /// Looks again for mailboxes that were not there: somebody may have made them.
    pub(super) async fn look_again(&mut self) -> Result<(), Error> {
        let is_missing = |mailbox: &Mailbox| mailbox.fault.is_some() && mailbox.missing.is_some();
        if !self.mailboxes.iter().any(is_missing) {
            return Ok(());
        }
        self.folders = Folders::ask(&mut self.wire).await?;
        for at in 0..self.mailboxes.len() {
            let mailbox = self.mailbox(at)?;
            let found = Mailbox::find(&mailbox.written, &self.folders);
            // Two names for one mailbox would be two names for each of its messages.
            let is_other = self.mailboxes.iter().any(|other| other.fault.is_none() && other.wire == found.wire);
            if is_missing(mailbox) && !is_other {
                *self.mailbox_mut(at)? = Mailbox { fault: mailbox.fault.clone(), ..found };
            }
        }
        Ok(())
    }

    /// Forgets what the server told of the mailbox that is open.
    fn leave(&mut self, next: usize) {
        if self.selected.is_none_or(|(open, _)| open != next) {
            // The next mailbox counts from where it was when it was last looked at.
            self.wire.told.exists = self.mailboxes.get(next).map_or(0, |mailbox| mailbox.exists);
            self.wire.told.news = false;
            self.wire.told.uid_next = None;
        }
        self.wire.told.uid_validity = None;
        self.wire.told.read_only = false;
        self.wire.told.permanent_flags = None;
        // RFC 9051 section 6.3.2: a failed attempt leaves no mailbox selected.
        self.selected = None;
    }

    fn entered(&mut self, at: usize, access: Access) -> Result<(), Error> {
        if access == Access::Mark && self.wire.told.read_only {
            self.selected = Some((at, Access::Read));
            return Err(Error::ReadOnly { host: self.host.clone(), mailbox: self.mailbox(at)?.written.clone() });
        }
        let Some(now) = self.wire.told.uid_validity else {
            return Err(self.wire.nonsense("it gives no UIDVALIDITY, so its messages cannot be told apart"));
        };
        let (exists, uid_next) = (self.wire.told.exists, self.wire.told.uid_next);
        let mailbox = self.mailbox_mut(at)?;
        // RFC 9051 section 2.3.1.1: zero is none.
        if mailbox.uid_validity == 0 {
            mailbox.uid_validity = now;
        }
        mailbox.exists = exists;
        // One message gone and one arrived leave the count as it was.
        let news = uid_next.is_some_and(|next| mailbox.uid_next > 0 && next > mailbox.uid_next);
        self.wire.told.news |= news;
        self.selected = Some((at, access));
        self.same_numbering()
    }

    /// UIDs mean something under one UIDVALIDITY only (RFC 9051 section 2.3.1.1).
    pub(super) fn same_numbering(&self) -> Result<(), Error> {
        let Some((open, _)) = self.selected else { return Ok(()) };
        let mailbox = self.mailbox(open)?;
        match self.wire.told.uid_validity {
            Some(now) if now != mailbox.uid_validity => Err(self.renumbered(mailbox, mailbox.uid_validity, now)),
            _ => Ok(()),
        }
    }

    fn renumbered(&self, mailbox: &Mailbox, before: u32, now: u32) -> Error {
        Error::Renumbered { host: self.host.clone(), mailbox: mailbox.written.clone(), before, now }
    }

    /// The mailbox and the UID that a key means.
    pub(super) fn place(&self, key: &MessageKey) -> Result<(usize, u32), Error> {
        let foreign = || Error::ForeignKey { key: key.to_string() };
        let at = self.mailboxes.iter().position(|mailbox| mailbox.key == key.mailbox).ok_or_else(foreign)?;
        let mailbox = self.mailbox(at)?;
        if key.uid_validity != mailbox.uid_validity {
            return Err(self.renumbered(mailbox, key.uid_validity, mailbox.uid_validity));
        }
        match key.uid.parse() {
            Ok(uid) if uid > 0 => Ok((at, uid)),
            _ => Err(foreign()),
        }
    }

    pub(super) fn key(&self, at: usize, uid: u32) -> Result<MessageKey, Error> {
        let mailbox = self.mailbox(at)?;
        Ok(MessageKey { mailbox: mailbox.key.clone(), uid_validity: mailbox.uid_validity, uid: uid.to_string() })
    }
}
