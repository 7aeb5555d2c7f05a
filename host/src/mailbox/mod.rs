//! Mailboxes: where mail comes from. Only this module knows IMAP, POP3 and Maildir.
//!
//! Reading never changes the server (invariant 1): messages are listed, fetched without setting any flag, and marked
//! only once the receipt of the same message is committed.

mod connection;
mod error;
mod folder;
mod guard;
mod hint;
mod imap;
mod pop3;
mod report;
mod sasl;

pub use connection::{Certificate, Fingerprint, NoFingerprint, Protocol, Security, Trust};
pub use error::Error;
pub use folder::{FolderAccount, FolderKind};
pub use guard::Limits;
pub use imap::ImapAccount;
pub use pop3::Pop3Account;
pub use report::{Secured, Seen, Stage, Step, Warning};
pub use sasl::{Authentication, LoginMemory, TokenSource};

use crate::content::Content;
use crate::field::DateTime;
use report::Steps;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// The most bytes of a header that is fetched without its body.
const HEADER_BYTES_MAX: u64 = 64 << 10;

/// Which message of which mailbox: unique for ever within one job, and the ledger's key.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct MessageKey {
    /// The mailbox: in IMAP its name with `/` between the levels, whatever the server and the settings write there,
    /// such as `INBOX/Support`; in POP3 the user and the server, such as `me@mail.example.org`; in a folder `.`.
    pub mailbox: String,
    /// What the mailbox's identifiers are valid for: UIDVALIDITY in IMAP (RFC 9051 section 2.3.1.1); 0 elsewhere.
    pub uid_validity: u32,
    /// The identifier: the UID in IMAP; the unique-id (UIDL) in POP3; the unique part of the file name in a Maildir; name
    /// and content hash of a file in a folder.
    pub uid: String,
}

impl fmt::Display for MessageKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.uid_validity == 0 {
            write!(f, "{}/{}", self.mailbox, self.uid)
        } else {
            write!(f, "{}/{}:{}", self.mailbox, self.uid_validity, self.uid)
        }
    }
}

/// A message that waits in a mailbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Which one.
    pub key: MessageKey,
    /// Its size in bytes, where the server says.
    pub size: Option<u64>,
}

/// A message as it was received: the bytes that are never lost.
#[derive(Debug, Clone)]
pub struct RawMessage {
    /// Which one.
    pub key: MessageKey,
    /// When the mailbox received it (INTERNALDATE), where known.
    pub received: Option<DateTime>,
    /// The bytes.
    pub content: Content,
}

/// What is to become of a message in its mailbox once its receipt is committed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Disposition {
    /// Mark it as read.
    #[serde(skip_serializing_if = "is_false")]
    pub seen: bool,
    /// Mark it as deleted (and, in a folder of files, remove it).
    #[serde(skip_serializing_if = "is_false")]
    pub deleted: bool,
    /// Move it to this mailbox, in any spelling.
    #[serde(rename = "move", skip_serializing_if = "Option::is_none")]
    pub move_to: Option<String>,
    /// Set this keyword, a flag of the user's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keyword: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants a reference")]
fn is_false(flag: &bool) -> bool {
    !flag
}

impl Disposition {
    /// Mark it as read, and leave it where it is.
    pub const SEEN: Self = Self { seen: true, deleted: false, move_to: None, keyword: None };

    /// Whether there is anything to do.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

/// A mailbox that is open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// Its name in keys.
    pub mailbox: String,
    /// What its identifiers are valid for; 0 where there is no such thing.
    pub uid_validity: u32,
    /// How the settings write it.
    pub written: String,
    /// How many messages it holds, as far as is known without asking.
    pub messages: u64,
}

/// A mailbox of an account, watched or not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Folder {
    /// Its name, with `/` between the levels: as it can be written in settings.
    pub name: String,
    /// Whether it can hold messages, or only other mailboxes.
    pub holds_mail: bool,
    /// What the server says it is for, such as `junk`.
    pub purpose: Option<&'static str>,
}

/// What a fetch came to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Fetched {
    /// How many messages were handed on.
    pub delivered: u64,
    /// Those that are no longer in the mailbox: someone else removed them meanwhile.
    pub vanished: Vec<MessageKey>,
    /// Those that cannot be had, whoever asks again, and why.
    pub refused: Vec<(MessageKey, String)>,
    /// Those that could not be had this time, and why: it may pass.
    pub withheld: Vec<(MessageKey, String)>,
}

/// Where a job's mail is.
#[derive(Debug, Clone)]
pub enum Account {
    /// On an IMAP server.
    Imap(ImapAccount),
    /// On a POP3 server.
    Pop3(Pop3Account),
    /// In a folder on this machine.
    Folder(FolderAccount),
}

impl Account {
    /// The same, with what is known of the logins before.
    #[must_use]
    pub fn remembering(mut self, memory: &LoginMemory) -> Self {
        match &mut self {
            Self::Imap(account) => account.memory = memory.clone(),
            Self::Pop3(account) => account.memory = memory.clone(),
            Self::Folder(_) => {}
        }
        self
    }

    /// Opens the mailbox for reading. Of several mailboxes one is enough: see [`Session::unopened`].
    ///
    /// # Errors
    /// Says which step failed and what to change.
    pub async fn open(&self) -> Result<Session, Error> {
        let mut unheard = |_| {};
        let mut steps = Steps::new(&mut unheard);
        let session = self.open_reporting(&mut steps).await?;
        Ok(Session { warnings: steps.into_warnings(), ..session })
    }

    /// Opens the mailbox, counts its messages and closes it again; nothing changes there. Each step is reported as it
    /// ends, the failed one included.
    ///
    /// # Errors
    /// The failed step's error.
    pub async fn test(&self, mut report: impl FnMut(Step) + Send) -> Result<(), Error> {
        let mut steps = Steps::new(&mut report);
        let mut session = self.open_reporting(&mut steps).await?;
        let count = async {
            let messages = session.list().await?.len() as u64;
            Ok((messages, session.opened()))
        };
        steps.run(Stage::Waiting, count, |(messages, opened)| Seen::waiting(*messages, opened)).await?;
        let unopened = session.unopened();
        session.close().await?;
        unopened.into_iter().next().map_or(Ok(()), Err)
    }

    /// All mailboxes of the account, INBOX first. In POP3, and in a folder of mail, there is but one.
    ///
    /// # Errors
    /// As of [`Self::open`].
    pub async fn folders(&self) -> Result<Vec<Folder>, Error> {
        match self {
            Self::Imap(account) => account.folders().await,
            Self::Pop3(_) | Self::Folder(_) => {
                let session = self.open().await?;
                let opened = session.opened();
                session.close().await?;
                Ok(opened.into_iter().map(|it| Folder { name: it.mailbox, holds_mail: true, purpose: None }).collect())
            }
        }
    }

    async fn open_reporting(&self, steps: &mut Steps<'_>) -> Result<Session, Error> {
        let inner = match self {
            Self::Imap(account) => Inner::Imap(Box::new(account.open(steps).await?)),
            Self::Pop3(account) => Inner::Pop3(Box::new(account.open(steps).await?)),
            Self::Folder(account) => Inner::Folder(steps.run(Stage::Folder, account.open(), describe_folder).await?),
        };
        Ok(Session { inner, warnings: Vec::new() })
    }
}

fn describe_folder(session: &folder::Session) -> Seen {
    Seen::Opened { mailbox: session.path().display().to_string() }
}

/// An open account: one mailbox or several. After an error, or when a call was dropped half way, it must be closed and opened again.
#[derive(Debug)]
pub struct Session {
    inner: Inner,
    warnings: Vec<Warning>,
}

#[derive(Debug)]
enum Inner {
    Imap(Box<imap::Session>),
    Pop3(Box<pop3::Session>),
    Folder(folder::Session),
}

impl Session {
    /// The mailboxes that are watched and could be opened.
    #[must_use]
    pub fn opened(&self) -> Vec<Opened> {
        match &self.inner {
            Inner::Imap(session) => session.opened(),
            Inner::Pop3(session) => vec![session.opened()],
            Inner::Folder(session) => session.opened(),
        }
    }

    /// Why some of the mailboxes could not be opened when they were listed, or for the first time.
    #[must_use]
    pub fn unopened(&self) -> Vec<Error> {
        match &self.inner {
            Inner::Imap(session) => session.unopened(),
            Inner::Pop3(_) | Inner::Folder(_) => Vec::new(),
        }
    }

    /// All messages, mailbox by mailbox, in ascending order in each. A mailbox that cannot be opened is left out and
    /// tried again the next time.
    ///
    /// # Errors
    /// A refusal, a lost connection, an unreadable folder.
    pub async fn list(&mut self) -> Result<Vec<Listed>, Error> {
        match &mut self.inner {
            Inner::Imap(session) => session.list().await,
            Inner::Pop3(session) => session.list().await,
            Inner::Folder(session) => session.list().await,
        }
    }

    /// What is not as safe as it should be about the connection.
    #[must_use]
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// How many messages are in the mailbox, as far as is known without asking.
    #[must_use]
    pub fn waiting(&self) -> u64 {
        match &self.inner {
            Inner::Imap(session) => session.waiting(),
            Inner::Pop3(session) => session.waiting(),
            Inner::Folder(session) => session.waiting(),
        }
    }

    /// What is wrong with messages that have no key because they cannot be read: each is told once.
    #[must_use]
    pub fn take_unreadable(&mut self) -> Vec<String> {
        match &mut self.inner {
            Inner::Imap(_) => Vec::new(),
            Inner::Pop3(session) => session.take_unreadable(),
            Inner::Folder(session) => session.take_unreadable(),
        }
    }

    /// Whether a key can mean a message of this session: keys from before a mailbox was renumbered cannot, ever.
    #[must_use]
    pub fn is_current(&self, key: &MessageKey) -> bool {
        match &self.inner {
            Inner::Imap(session) => session.is_current(key),
            Inner::Pop3(session) => session.is_current(key),
            Inner::Folder(session) => session.is_current(key),
        }
    }

    /// Fetches messages and hands them on in the order of `keys`, which must not repeat one. Nothing changes in the
    /// mailbox. When the sink is full, the server waits. A message that cannot be had holds up no other one.
    ///
    /// # Errors
    /// Anything that concerns the whole mailbox. What was handed on until then is good.
    pub async fn fetch(&mut self, keys: &[MessageKey], sink: &mpsc::Sender<RawMessage>) -> Result<Fetched, Error> {
        match &mut self.inner {
            Inner::Imap(session) => session.fetch(keys, sink).await,
            Inner::Pop3(session) => session.fetch(keys, sink).await,
            Inner::Folder(session) => session.fetch(keys, sink).await,
        }
    }

    /// The header of a message, or its first 64 KiB, where its body is not wanted; none if it is not to be had.
    ///
    /// # Errors
    /// A refusal, a lost connection.
    pub async fn fetch_header(&mut self, key: &MessageKey) -> Result<Option<Arc<[u8]>>, Error> {
        match &mut self.inner {
            Inner::Imap(session) => session.fetch_header(key).await,
            Inner::Pop3(session) => session.fetch_header(key).await,
            Inner::Folder(session) => session.fetch_header(key).await,
        }
    }

    /// Marks messages whose receipts are committed. A message that is no longer there is passed over; marking twice
    /// does no harm.
    ///
    /// # Errors
    /// A refusal, a read-only mailbox, a lost connection, keys that are not current.
    pub async fn mark(&mut self, marks: &[(MessageKey, Disposition)]) -> Result<(), Error> {
        match &mut self.inner {
            Inner::Imap(session) => session.mark(marks, false).await,
            Inner::Pop3(session) => session.mark(marks).await,
            Inner::Folder(session) => session.mark(marks).await,
        }
    }

    /// As [`Self::mark`], for marks that may have been begun before: a message that was copied on its way to another
    /// mailbox when the connection broke is not copied again.
    ///
    /// # Errors
    /// As of [`Self::mark`].
    pub async fn mark_again(&mut self, marks: &[(MessageKey, Disposition)]) -> Result<(), Error> {
        match &mut self.inner {
            Inner::Imap(session) => session.mark(marks, true).await,
            Inner::Pop3(session) => session.mark(marks).await,
            Inner::Folder(session) => session.mark(marks).await,
        }
    }

    /// Makes certain what was marked since the last call: where [`Self::settles`], only then may it be recorded as
    /// done. In IMAP this purges what the job deleted, if it is to; where [`Self::is_lasting`] is false this ends the
    /// session.
    ///
    /// # Errors
    /// A refusal, a lost connection: then nothing is certain.
    pub async fn settle(&mut self) -> Result<(), Error> {
        match &mut self.inner {
            Inner::Imap(session) => session.settle().await,
            Inner::Pop3(session) => session.settle().await,
            Inner::Folder(_) => Ok(()),
        }
    }

    /// Whether marks are certain only after [`Self::settle`], and not as soon as they are made.
    #[must_use]
    pub fn settles(&self) -> bool {
        match &self.inner {
            Inner::Imap(session) => session.settles(),
            Inner::Pop3(_) => true,
            Inner::Folder(_) => false,
        }
    }

    /// Whether the mailbox can stay open between sessions.
    #[must_use]
    pub fn is_lasting(&self) -> bool {
        match &self.inner {
            Inner::Imap(_) | Inner::Folder(_) => true,
            // RFC 1939 section 6: what is deleted is so once the session has ended.
            Inner::Pop3(_) => false,
        }
    }

    /// Whether [`Self::wait`] hears of news at once.
    #[must_use]
    pub fn listens(&self) -> bool {
        match &self.inner {
            Inner::Imap(session) => session.pushes(),
            Inner::Pop3(_) => false,
            Inner::Folder(_) => true,
        }
    }

    /// Waits until something may have changed since the last listing, or until the time is up. Of several mailboxes
    /// only the first is heard of at once: list again when the time is up.
    ///
    /// # Errors
    /// A lost connection.
    pub async fn wait(&mut self, at_most: Duration) -> Result<(), Error> {
        match &mut self.inner {
            Inner::Imap(session) => session.wait(at_most).await,
            // There is no push.
            Inner::Pop3(_) => {
                tokio::time::sleep(at_most).await;
                Ok(())
            }
            Inner::Folder(session) => session.wait(at_most).await,
        }
    }

    /// Takes leave of the server.
    ///
    /// # Errors
    /// The server does not answer; the mailbox is closed all the same.
    pub async fn close(self) -> Result<(), Error> {
        match self.inner {
            Inner::Imap(session) => session.close().await,
            Inner::Pop3(session) => session.close().await,
            Inner::Folder(_) => Ok(()),
        }
    }
}
