//! What becomes of handled messages: flags, keywords, moves, and the purge at the end of a session.
//!
//! Everything here may be asked for twice, because a mark that was carried out may not have been recorded: what is done
//! already is not done again. Only messages named by their UIDs are ever expunged (RFC 4315), so that other clients'
//! deletions stay what they are: neither EXPUNGE nor CLOSE is used.

use super::folders::{self, Entry};
use super::login::quoted;
use super::select::Access;
use super::wire::Event;
use super::{Error, RANGES_MAX, Session, ranges};
use crate::fault::{self, Point};
use crate::mailbox::{Disposition, MessageKey};
use imap_proto::{AttributeValue, MailboxDatum, Response};
use std::collections::{BTreeMap, BTreeSet};

/// Which messages of one mailbox are to be marked, by what is to be done.
#[derive(Default)]
struct Wanted<'m> {
    flags: BTreeMap<&'static str, BTreeSet<u32>>,
    keywords: BTreeMap<&'m str, BTreeSet<u32>>,
    moves: BTreeMap<&'m str, BTreeSet<u32>>,
    deleted: BTreeSet<u32>,
}

/// What tells messages apart in another mailbox, where their UIDs say nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Likeness {
    size: u32,
    received: String,
    message_id: String,
}

impl Likeness {
    fn is_of_a_copy(&self, other: &Self) -> bool {
        let by_id = !self.message_id.is_empty() || self.received == other.received;
        self.size == other.size && self.message_id == other.message_id && by_id
    }
}

impl Session {
    /// Carries out dispositions. `again` says that it may have been begun before.
    pub(in crate::mailbox) async fn mark(
        &mut self,
        marks: &[(MessageKey, Disposition)],
        again: bool,
    ) -> Result<(), Error> {
        let mut by_mailbox: BTreeMap<usize, Wanted<'_>> = BTreeMap::new();
        for (key, disposition) in marks.iter().filter(|(_, disposition)| !disposition.is_nothing()) {
            let (at, uid) = self.place(key)?;
            by_mailbox.entry(at).or_default().add(uid, disposition);
        }
        for (at, wanted) in by_mailbox {
            self.mark_in(at, wanted, again).await?;
        }
        Ok(())
    }

    /// What people look at first comes first: a refused keyword or move leaves the message marked as read.
    async fn mark_in(&mut self, at: usize, wanted: Wanted<'_>, again: bool) -> Result<(), Error> {
        self.enter(at, Access::Mark).await?;
        for (flags, uids) in wanted.flags {
            self.store(at, flags, uids).await?;
        }
        fault::pass(Point::MarkInside);
        if self.purge {
            self.to_purge.entry(at).or_default().extend(wanted.deleted);
        }
        for (keyword, uids) in wanted.keywords {
            self.store(at, keyword, uids).await?;
        }
        for (target, uids) in wanted.moves {
            self.move_to(at, target, uids, again).await?;
        }
        self.same_numbering()
    }

    async fn store(&mut self, at: usize, flags: &str, uids: BTreeSet<u32>) -> Result<(), Error> {
        for flag in flags.split(' ') {
            self.check_permanent(at, flag)?;
        }
        self.each_set("UID STORE", uids, |set| format!("UID STORE {set} +FLAGS.SILENT ({flags})")).await
    }

    /// RFC 9051 section 7.1: what is not among the permanent flags is forgotten with the session.
    fn check_permanent(&self, at: usize, flag: &str) -> Result<(), Error> {
        let Some(permanent) = &self.wire.told.permanent_flags else { return Ok(()) };
        let is_keyword = !flag.starts_with('\\');
        let may = |known: &String| known.eq_ignore_ascii_case(flag) || (is_keyword && known == "\\*");
        if permanent.iter().any(may) {
            return Ok(());
        }
        Err(Error::Flag {
            host: self.host.clone(),
            mailbox: self.mailbox(at)?.written.clone(),
            flag: flag.to_owned(),
            kept: if permanent.is_empty() { "none".to_owned() } else { permanent.join(" ") },
        })
    }

    async fn each_set(
        &mut self,
        during: &'static str,
        uids: BTreeSet<u32>,
        command: impl Fn(&str) -> String,
    ) -> Result<(), Error> {
        for set in ranges(uids).chunks(RANGES_MAX) {
            self.wire.run(during, &command(&set.join(","))).await?;
        }
        Ok(())
    }

    async fn move_to(&mut self, at: usize, target: &str, uids: BTreeSet<u32>, again: bool) -> Result<(), Error> {
        let target = self.target(target).await?;
        if !self.wire.offers("MOVE") {
            return self.copy_and_delete(at, &target, uids, again).await;
        }
        // Those that were moved before are not here any more: a server may refuse to be asked for them.
        let uids = if again { self.flags_of(uids).await?.into_keys().collect() } else { uids };
        for set in ranges(uids).chunks(RANGES_MAX) {
            self.transfer("UID MOVE", &set.join(","), &target).await?;
        }
        Ok(())
    }

    /// RFC 9051 section 6.4.7: a server that would take the message if only the mailbox existed says so.
    async fn transfer(&mut self, during: &'static str, set: &str, target: &Entry) -> Result<(), Error> {
        let command = format!("{during} {set} {}", *quoted(&target.wire));
        self.wire.told.try_create = false;
        match self.wire.run(during, &command).await {
            Err(Error::Refused { .. }) if self.wire.told.try_create => {
                folders::make(&mut self.wire, target).await?;
                self.wire.run(during, &command).await
            }
            done => done,
        }
    }

    /// The mailbox to move to; made if there is none.
    async fn target(&mut self, written: &str) -> Result<Entry, Error> {
        if let Some(entry) = self.folders.find(written) {
            return Ok(entry.clone());
        }
        let mut refused = None;
        for entry in self.folders.to_make(written) {
            match folders::make(&mut self.wire, &entry).await {
                Ok(()) => {
                    tracing::info!(host = self.host, mailbox = entry.key(), "made the mailbox that messages move to");
                    self.folders.add(entry.clone());
                    return Ok(entry);
                }
                // On some servers everything is below INBOX.
                Err(error @ Error::Refused { .. }) => {
                    refused.get_or_insert(error);
                }
                Err(error) => return Err(error),
            }
        }
        Err(refused.unwrap_or_else(|| Error::ForeignKey { key: written.to_owned() }))
    }

    /// A server without MOVE (RFC 6851): the copy must exist before the original is deleted, and an interruption in
    /// between must not lead to a second copy.
    async fn copy_and_delete(
        &mut self,
        at: usize,
        target: &Entry,
        uids: BTreeSet<u32>,
        again: bool,
    ) -> Result<(), Error> {
        let here = self.flags_of(uids).await?;
        let mut to_copy: BTreeSet<u32> =
            here.iter().filter(|(_, is_deleted)| !**is_deleted).map(|(uid, _)| *uid).collect();
        if again && !to_copy.is_empty() {
            let copied = self.copied_before(&to_copy, target).await?;
            to_copy.retain(|uid| !copied.contains(uid));
            self.enter(at, Access::Mark).await?;
        }
        for set in ranges(to_copy).chunks(RANGES_MAX) {
            self.transfer("UID COPY", &set.join(","), target).await?;
        }
        let all: BTreeSet<u32> = here.into_keys().collect();
        self.store(at, "\\Deleted", all.clone()).await?;
        if self.wire.offers("UIDPLUS") {
            return self.each_set("UID EXPUNGE", all, |set| format!("UID EXPUNGE {set}")).await;
        }
        self.warn_of_no_uidplus("moved messages are copied, and their originals stay, marked as deleted");
        Ok(())
    }

    /// Which of these messages are still here, and whether they are marked as deleted.
    async fn flags_of(&mut self, uids: BTreeSet<u32>) -> Result<BTreeMap<u32, bool>, Error> {
        let mut found = BTreeMap::new();
        for set in ranges(uids.clone()).chunks(RANGES_MAX) {
            self.wire.send("UID FETCH", &format!("UID FETCH {} (UID FLAGS)", set.join(","))).await?;
            while let Event::Data(entry) = self.wire.next(uid_and_deleted).await? {
                found.extend(entry.filter(|(uid, _)| uids.contains(uid)));
            }
        }
        Ok(found)
    }

    /// Which of these messages have a copy in the target. No message there stands for two here.
    async fn copied_before(&mut self, uids: &BTreeSet<u32>, target: &Entry) -> Result<BTreeSet<u32>, Error> {
        let ours = self.likenesses(uids.clone()).await?;
        self.selected = None;
        match self.wire.run("EXAMINE", &format!("EXAMINE {}", *quoted(&target.wire))).await {
            // It was made in our minds only, or is gone: then there is no copy in it.
            Err(Error::Refused { .. }) => return Ok(BTreeSet::new()),
            examined => examined?,
        }
        let (mut copied, mut taken) = (BTreeSet::new(), BTreeSet::new());
        for (uid, likeness) in ours {
            let alike = self.of_size(likeness.size).await?;
            let there = self.likenesses(alike).await?;
            let copy = there.into_iter().find(|(uid, other)| !taken.contains(uid) && likeness.is_of_a_copy(other));
            if let Some((copy, _)) = copy {
                taken.insert(copy);
                copied.insert(uid);
            }
        }
        Ok(copied)
    }

    async fn of_size(&mut self, size: u32) -> Result<BTreeSet<u32>, Error> {
        let (below, above) = (size.saturating_sub(1), size.saturating_add(1));
        let search = if size == 0 {
            "UID SEARCH SMALLER 1".to_owned()
        } else {
            format!("UID SEARCH LARGER {below} SMALLER {above}")
        };
        let mut found = BTreeSet::new();
        self.wire.send("UID SEARCH", &search).await?;
        while let Event::Data(uids) = self.wire.next(search_result).await? {
            found.extend(uids);
        }
        Ok(found)
    }

    async fn likenesses(&mut self, uids: BTreeSet<u32>) -> Result<BTreeMap<u32, Likeness>, Error> {
        let mut found = BTreeMap::new();
        for set in ranges(uids).chunks(RANGES_MAX) {
            let items = "UID RFC822.SIZE INTERNALDATE BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)]";
            self.wire.send("UID FETCH", &format!("UID FETCH {} ({items})", set.join(","))).await?;
            while let Event::Data(likeness) = self.wire.next(likeness).await? {
                found.extend(likeness);
            }
        }
        Ok(found)
    }

    /// Removes for good what was marked as deleted in this session, if the job wants it.
    pub(in crate::mailbox) async fn settle(&mut self) -> Result<(), Error> {
        let to_purge = std::mem::take(&mut self.to_purge);
        if to_purge.values().all(BTreeSet::is_empty) {
            return Ok(());
        }
        if !self.wire.offers("UIDPLUS") {
            self.warn_of_no_uidplus("deleted messages are not purged, they stay marked as deleted");
            return Ok(());
        }
        for (at, uids) in to_purge.into_iter().filter(|(_, uids)| !uids.is_empty()) {
            self.enter(at, Access::Mark).await?;
            self.each_set("UID EXPUNGE", uids, |set| format!("UID EXPUNGE {set}")).await?;
        }
        Ok(())
    }

    /// Once for each connection.
    fn warn_of_no_uidplus(&mut self, what: &str) {
        if !self.told_of_no_uidplus {
            self.told_of_no_uidplus = true;
            let why = "it has no UIDPLUS (RFC 4315), and a plain EXPUNGE would remove what other clients deleted too";
            tracing::warn!(host = self.host, why, "{what}");
        }
    }
}

impl<'m> Wanted<'m> {
    fn add(&mut self, uid: u32, disposition: &'m Disposition) {
        if let Some(flags) = flags(disposition) {
            self.flags.entry(flags).or_default().insert(uid);
        }
        if disposition.deleted {
            self.deleted.insert(uid);
        }
        if let Some(keyword) = &disposition.keyword {
            self.keywords.entry(keyword).or_default().insert(uid);
        }
        if let Some(target) = &disposition.move_to {
            self.moves.entry(target).or_default().insert(uid);
        }
    }
}

/// The flags that a disposition sets, if any.
fn flags(disposition: &Disposition) -> Option<&'static str> {
    match (disposition.seen, disposition.deleted) {
        (true, true) => Some("\\Seen \\Deleted"),
        (true, false) => Some("\\Seen"),
        (false, true) => Some("\\Deleted"),
        (false, false) => None,
    }
}

fn uid_and_deleted(response: &Response<'_>) -> Option<(u32, bool)> {
    let Response::Fetch(_, attributes) = response else { return None };
    let (mut uid, mut deleted) = (None, None);
    for attribute in attributes {
        match attribute {
            AttributeValue::Uid(value) => uid = Some(*value),
            AttributeValue::Flags(flags) => {
                deleted = Some(flags.iter().any(|flag| flag.eq_ignore_ascii_case("\\Deleted")));
            }
            _ => {}
        }
    }
    uid.zip(deleted)
}

fn search_result(response: &Response<'_>) -> Vec<u32> {
    match response {
        Response::MailboxData(MailboxDatum::Search(uids)) => uids.clone(),
        _ => Vec::new(),
    }
}

fn likeness(response: &Response<'_>) -> Option<(u32, Likeness)> {
    let Response::Fetch(_, attributes) = response else { return None };
    let (mut uid, mut size, mut received, mut message_id) = (None, None, String::new(), String::new());
    for attribute in attributes {
        match attribute {
            AttributeValue::Uid(value) => uid = Some(*value),
            AttributeValue::Rfc822Size(value) => size = Some(*value),
            AttributeValue::InternalDate(value) => received = value.trim().to_owned(),
            AttributeValue::BodySection { data: Some(data), .. } => {
                let field = String::from_utf8_lossy(data);
                message_id = field.split_whitespace().skip(1).collect::<Vec<_>>().join(" ");
            }
            _ => {}
        }
    }
    Some((uid?, Likeness { size: size?, received, message_id }))
}
