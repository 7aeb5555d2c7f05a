//! The store: what was received, what became of it, and the tickets that came of it. Only this module knows SQL.
//!
//! The ledger holds one receipt for each message of each mailbox; its unique key is what makes a message count exactly
//! once, whatever is repeated after a crash. A call that fails has recorded nothing.

mod access;
mod batch;
mod brake;
mod browse;
mod bulk;
mod bytes;
#[cfg(test)]
mod conformance;
#[cfg(test)]
mod disk_tests;
mod dispatch;
mod draft;
mod error;
mod figures;
mod handled;
mod jobs;
mod lease;
mod ledger;
mod mailboxes;
mod message_file;
#[cfg(test)]
mod message_file_tests;
mod outbox;
mod outbox_records;
#[cfg(test)]
mod outbox_tests;
mod quarantine;
mod records;
mod revisions;
mod rows;
mod sessions;
mod shadows;
mod sqlite;
mod suspensions;
#[cfg(test)]
mod tests;
mod threads;
mod tickets;
#[cfg(test)]
mod upgrade_tests;

pub use access::{AuditRow, Known, Role, TokenRow, UserRow};
pub use error::Error;
pub use figures::Figures;
pub use lease::{Holder, Lease};
pub use outbox_records::*;
pub use records::*;
pub use revisions::{NewRevision, REVISIONS_MAX, RevisionContent, RevisionRow};
pub use shadows::ShadowRow;

use crate::content::{Content, Spool};
use crate::fault::{self, Point};
use crate::mailbox::{Disposition, MessageKey, Opened};
use crate::outgoing::Sender;
use crate::thread::{Candidate, ThreadKeys};
use crate::ticket::{Classes, TicketNumber};
use draft::Slot;
use message_file::MessageFile;
use sqlx::pool::PoolConnection;
use sqlx::{Any, AnyPool, Transaction};
use std::path::Path;
use std::sync::Arc;

/// The most rows that a list returns.
pub const ROWS_MAX: u32 = 100_000;

/// A handle on the database; clones share it.
#[derive(Debug, Clone)]
pub struct Store {
    writer: AnyPool,
    readers: AnyPool,
    place: Arc<str>,
    messages: MessageFile,
    sender: Option<Arc<Sender>>,
}

impl Store {
    /// Opens the database file, makes it (for its owner alone) if there is none, and brings its schema up to date.
    ///
    /// # Errors
    /// Where the file cannot be written, is no database of mailmill's, is damaged, or was written by a newer mailmill:
    /// it is left as it is then.
    pub async fn open(path: &Path) -> Result<Self, Error> {
        let place: Arc<str> = path.display().to_string().into();
        let sqlite::Pools { writer, readers } = sqlite::open(path, &place).await?;
        let messages = MessageFile::to_write(path, Spool::beside(path), &place);
        let store = Self { writer, readers, place, messages, sender: None };
        let end = store.explained(bytes::end(&mut *store.reader().await?).await)?;
        store.messages.check(end)?;
        Ok(store)
    }

    /// Opens the database file to read it: nothing is made, changed or brought up to date, and what would write fails.
    ///
    /// # Errors
    /// Where there is no such file, it is no database of mailmill's, or another version wrote it.
    pub async fn open_to_read(path: &Path) -> Result<Self, Error> {
        let place: Arc<str> = path.display().to_string().into();
        let sqlite::Pools { writer, readers } = sqlite::open_to_read(path, &place).await?;
        // Whoever may only read the database may not write beside it.
        let messages = MessageFile::to_read(path, Spool::new(&std::env::temp_dir()), &place);
        Ok(Self { writer, readers, place, messages, sender: None })
    }

    /// A store that is gone when its last handle is: for trying things out.
    ///
    /// # Errors
    /// As of [`Self::open`].
    pub async fn in_memory() -> Result<Self, Error> {
        let place: Arc<str> = "the database in memory".into();
        let sqlite::Pools { writer, readers } = sqlite::open_in_memory(&place).await?;
        let messages = MessageFile::temporary(&place);
        Ok(Self { writer, readers, place, messages, sender: None })
    }

    /// The same, writing mail into the outbox as this sender does. Without one, no mail is written.
    #[must_use]
    pub fn sending_as(self, sender: Option<Arc<Sender>>) -> Self {
        Self { sender, ..self }
    }

    /// Waits for readers and writers to finish and closes the file.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }

    /// Those of `keys` that are not in the ledger and not passed over, in the same order.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn unknown(&self, job: &str, keys: Vec<MessageKey>) -> Result<Vec<MessageKey>, Error> {
        let mut reader = self.reader().await?;
        let keys = self.explained(mailboxes::not_passed_over(&mut reader, job, keys).await)?;
        self.explained(ledger::unknown(&mut reader, job, keys).await)
    }

    /// The mailboxes that a job has seen.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn mailboxes(&self, job: &str) -> Result<Vec<KnownMailbox>, Error> {
        self.explained(mailboxes::list(&mut *self.reader().await?, job).await)
    }

    /// Notes that a job sees a mailbox for the first time, and which of the messages there it passes over for ever, in
    /// one transaction. Returns whether it is the first time: if not, nothing changes, except that what was recorded
    /// under the name `written` in the settings is now known under the mailbox's own.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn first_sight(&self, job: &str, opened: &Opened, passed_over: &[MessageKey]) -> Result<bool, Error> {
        let mut transaction = self.transaction().await?;
        let mailbox = (opened.mailbox.as_str(), opened.written.as_str(), opened.uid_validity);
        let first = mailboxes::first_sight(&mut transaction, job, mailbox, passed_over).await;
        let first = self.explained(first)?;
        self.explained(transaction.commit().await)?;
        Ok(first)
    }

    /// Passes a message over for ever.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn pass_over(&self, job: &str, key: &MessageKey) -> Result<(), Error> {
        let mut transaction = self.transaction().await?;
        self.explained(mailboxes::pass_over(&mut transaction, job, std::slice::from_ref(key)).await)?;
        self.explained(transaction.commit().await)
    }

    /// Finds a message of a renumbered mailbox by its bytes: the oldest receipt for them under another numbering gets
    /// the new key. Each receipt is found once, so that of two equal messages both are. The disposition of the receipt
    /// is what is still to be done.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn recognise(&self, job: &str, key: &MessageKey, sha256: &Sha256) -> Result<Option<Receipt>, Error> {
        let mut transaction = self.transaction().await?;
        let found = self.explained(mailboxes::recognise(&mut transaction, job, key, sha256).await)?;
        self.explained(transaction.commit().await)?;
        Ok(found)
    }

    /// Notes that all messages of a mailbox are known under this UIDVALIDITY.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn renumbered(&self, job: &str, mailbox: &str, uid_validity: u32) -> Result<(), Error> {
        let mut transaction = self.transaction().await?;
        self.explained(mailboxes::renumbered(&mut transaction, job, mailbox, uid_validity).await)?;
        self.explained(transaction.commit().await)
    }

    /// The tickets that a message refers to, each once, the most trustworthy link first: ticket tags, then messages that
    /// it answers, then messages that it mentions. `authors` are its own, in lower case. The classes say
    /// whose life is over.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn candidates(
        &self,
        keys: &ThreadKeys,
        authors: &[String],
        classes: &Classes,
    ) -> Result<Vec<Candidate>, Error> {
        self.explained(threads::candidates(&mut *self.reader().await?, keys, authors, classes).await)
    }

    /// Records a batch in one transaction; receipts come in the order of the entries. An entry whose message is in the
    /// ledger changes nothing: its receipt is the one of then, `repeated`. An entry whose plan cannot be carried out
    /// is quarantined alone, with no disposition.
    ///
    /// # Errors
    /// Where the database fails: then nothing of the batch is recorded, and it can be committed again.
    pub async fn commit(&self, batch: &[Entry]) -> Result<Vec<Receipt>, Error> {
        let mut transaction = self.transaction().await?;
        let (sender, file) = (self.sender.as_deref(), Some(&self.messages));
        let receipts = self.explained(batch::record(&mut transaction, Slot::New, batch, sender, file).await)?;
        fault::pass(Point::CommitWritten);
        self.explained(transaction.commit().await)?;
        Ok(receipts)
    }

    /// What [`Self::commit`] would do with this entry, without doing it. The numbers in the receipt are not reserved.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn rehearse(&self, entry: &Entry) -> Result<Receipt, Error> {
        let mut transaction = self.transaction().await?;
        let (entries, sender) = (std::slice::from_ref(entry), self.sender.as_deref());
        let receipts = batch::record(&mut transaction, Slot::New, entries, sender, None).await;
        let receipts = self.explained(receipts)?;
        self.explained(transaction.rollback().await)?;
        receipts.into_iter().next().ok_or_else(|| Error::Bug("an entry without a receipt".to_owned()))
    }

    /// Notes that the dispositions of these messages were carried out. Keys that are not in the ledger are passed over.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn marked(&self, job: &str, keys: &[MessageKey]) -> Result<(), Error> {
        let mut transaction = self.transaction().await?;
        self.explained(ledger::marked(&mut transaction, job, keys).await)?;
        self.explained(transaction.commit().await)
    }

    /// The dispositions that are still to be carried out, oldest first; at most 10,000, so ask again when they are done.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn unmarked(&self, job: &str) -> Result<Vec<(MessageKey, Disposition)>, Error> {
        self.explained(ledger::unmarked(&mut *self.reader().await?, job).await)
    }

    /// Opens a session of a job.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn begin_session(&self, job: &str) -> Result<SessionId, Error> {
        let mut transaction = self.transaction().await?;
        let id = self.explained(sessions::begin(&mut transaction, job).await)?;
        self.explained(transaction.commit().await)?;
        Ok(id)
    }

    /// Closes a session with what it counted and what ended it early, if anything did.
    ///
    /// # Errors
    /// Where there is no such session, or the database fails.
    pub async fn finish_session(&self, id: SessionId, tally: &SessionTally, error: Option<&str>) -> Result<(), Error> {
        let mut transaction = self.transaction().await?;
        let found = self.explained(sessions::finish(&mut transaction, id, tally, error).await)?;
        self.explained(transaction.commit().await)?;
        if found { Ok(()) } else { Err(not_found("session", id.0)) }
    }

    /// Closes the sessions (of one job, or of all) that were never closed, because the process or the job ended in the
    /// middle: with what the ledger says of them.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn end_interrupted(&self, job: Option<&str>) -> Result<(), Error> {
        let mut transaction = self.transaction().await?;
        self.explained(sessions::end_interrupted(&mut transaction, job).await)?;
        self.explained(transaction.commit().await)
    }

    /// The sessions that match, latest first.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn sessions(&self, filter: &SessionFilter) -> Result<Vec<SessionRow>, Error> {
        self.explained(sessions::list(&mut *self.reader().await?, filter).await)
    }

    /// How many sessions match.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn old_sessions(&self, old: &OldSessions) -> Result<u64, Error> {
        self.explained(sessions::count_old(&mut *self.reader().await?, old).await)
    }

    /// Forgets sessions that match, and the reports of their messages: at most `rows_max` of each, in one transaction.
    /// Receipts, messages, tickets and what waits in quarantine stay.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn forget_sessions(&self, old: &OldSessions, rows_max: u32) -> Result<Forgotten, Error> {
        let mut transaction = self.transaction().await?;
        let forgotten = self.explained(sessions::forget(&mut transaction, old, rows_max).await)?;
        self.explained(transaction.commit().await)?;
        Ok(forgotten)
    }

    /// The receipts that a session wrote, oldest first.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn session_messages(&self, id: SessionId) -> Result<Vec<ReceiptRow>, Error> {
        self.explained(ledger::of_session(&mut *self.reader().await?, id).await)
    }

    /// One receipt with its circumstances.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn receipt(&self, id: i64) -> Result<Option<ReceiptRow>, Error> {
        self.explained(ledger::receipt(&mut *self.reader().await?, id).await)
    }

    /// The report of the run behind a receipt; null if the log has forgotten it.
    ///
    /// # Errors
    /// Where there is no such receipt, or the database fails.
    pub async fn report(&self, receipt: i64) -> Result<serde_json::Value, Error> {
        let query = sqlx::query("SELECT report_json FROM receipts WHERE id = $1").bind(receipt);
        let row = self.explained(query.fetch_optional(&mut *self.reader().await?).await)?;
        let row = row.ok_or_else(|| not_found("receipt", receipt))?;
        self.explained(rows::json(&row, "report_json"))
    }

    /// The message with this digest, as received.
    ///
    /// # Errors
    /// Where there is no such message, or the database fails.
    pub async fn raw(&self, sha256: &Sha256) -> Result<Content, Error> {
        let found = bytes::message(&mut *self.reader().await?, &self.messages, sha256).await;
        self.explained(found)?.ok_or_else(|| not_found("message", sha256))
    }

    /// The content of the attachment with this digest, taken out of the message that it came in.
    ///
    /// # Errors
    /// Where there is no such attachment, its message is damaged, or the database fails.
    pub async fn blob(&self, sha256: &Sha256) -> Result<Content, Error> {
        let found = bytes::attachment(&mut *self.reader().await?, &self.messages, sha256).await;
        self.explained(found)?.ok_or_else(|| not_found("attachment", sha256))
    }

    /// The tickets that match, latest first.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn tickets(&self, filter: &TicketFilter) -> Result<Vec<TicketRow>, Error> {
        self.explained(tickets::list(&mut *self.reader().await?, filter).await)
    }

    /// One ticket with everything on it.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn ticket(&self, number: &TicketNumber) -> Result<Option<TicketDetail>, Error> {
        self.explained(tickets::detail(&mut *self.reader().await?, number).await)
    }

    /// The messages that wait in quarantine, oldest first.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn quarantine_list(&self) -> Result<Vec<QuarantineRow>, Error> {
        self.explained(quarantine::list(&mut *self.reader().await?).await)
    }

    /// One message that waits in quarantine, or was released from it.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn quarantine(&self, id: i64) -> Result<Option<QuarantineDetail>, Error> {
        self.explained(quarantine::detail(&mut *self.reader().await?, id, &self.messages).await)
    }

    /// Records a message from quarantine anew, with the verdict of `entry`, in one transaction: its receipt changes,
    /// its disposition is to be carried out. If the verdict is quarantine, or the plan cannot be carried out, it stays
    /// there with the new cause. A message released before changes nothing: its receipt is `repeated`.
    ///
    /// # Errors
    /// Where the message with the entry's job and key is not in quarantine under `id`, or the database fails.
    pub async fn quarantine_release(&self, id: i64, entry: &Entry) -> Result<Receipt, Error> {
        let mut transaction = self.transaction().await?;
        let (sender, file) = (self.sender.as_deref(), &self.messages);
        match self.explained(quarantine::release(&mut transaction, id, entry, sender, file).await)? {
            quarantine::Release::Recorded(receipt) => {
                self.explained(transaction.commit().await)?;
                Ok(*receipt)
            }
            quarantine::Release::Before(receipt) => {
                let row = self.explained(ledger::receipt(&mut transaction, receipt).await)?;
                let row = row.ok_or_else(|| not_found("receipt", receipt))?;
                Ok(Receipt { repeated: true, ..row.receipt })
            }
            quarantine::Release::Absent => Err(not_found("such message in quarantine: number", id)),
        }
    }

    /// Forgets a message that waits in quarantine without its body, because it was not fetched: the next session fetches
    /// it again. Returns whether there was such a message.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn quarantine_forget(&self, id: i64) -> Result<bool, Error> {
        let mut transaction = self.transaction().await?;
        let found = self.explained(quarantine::forget(&mut transaction, id).await)?;
        self.explained(transaction.commit().await)?;
        Ok(found)
    }

    async fn reader(&self) -> Result<PoolConnection<Any>, Error> {
        self.explained(self.readers.acquire().await)
    }

    async fn transaction(&self) -> Result<Transaction<'static, Any>, Error> {
        self.explained(self.writer.begin_with(sqlite::BEGIN).await)
    }

    fn explained<T>(&self, result: sqlx::Result<T>) -> Result<T, Error> {
        result.map_err(|error| sqlite::explain(&self.place, &error))
    }
}

fn not_found(what: &str, id: impl std::fmt::Display) -> Error {
    Error::NotFound { what: format!("{what} {id}") }
}
