//! Mailboxes: where mail comes from. Only this module knows IMAP and Maildir.
//!
//! Reading never changes the server (invariant 1): messages are listed, fetched without setting any flag, and marked
//! only once the receipt of the same message is committed.

use crate::field::DateTime;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// Which message of which mailbox: unique for ever within one job, and the ledger's key.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct MessageKey {
    /// The mailbox, as configured, such as `INBOX` or `.`.
    pub mailbox: String,
    /// What the mailbox's identifiers are valid for: UIDVALIDITY in IMAP (RFC 9051 section 2.3.1.1); 0 elsewhere.
    pub uid_validity: u32,
    /// The identifier: the UID in IMAP; the unique part of the file name in a Maildir; name and content hash of a
    /// file in a folder.
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
    pub bytes: Arc<[u8]>,
}

/// What is to become of a message in its mailbox once its receipt is committed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Disposition {
    /// Mark it as read.
    pub seen: bool,
    /// Mark it as deleted (and, in a folder of files, remove it).
    pub deleted: bool,
}

impl Disposition {
    /// Whether there is anything to do.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}
