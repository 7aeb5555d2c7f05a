//! What comes out of the outbox.

use crate::outgoing::Parcel;
use crate::ticket::TicketNumber;
use jiff::Timestamp;
use serde::{Serialize, Serializer};
use std::fmt;

/// What is sent one after the other; lanes do not wait for each other.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Lane {
    /// Mail.
    Mail,
    /// Copies in Maildirs.
    Maildir,
    /// The webhook of this name.
    Webhook(String),
}

impl Lane {
    /// Reads what [`fmt::Display`] writes.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "mail" => Some(Self::Mail),
            "maildir" => Some(Self::Maildir),
            _ => text.strip_prefix("webhook:").map(|name| Self::Webhook(name.to_owned())),
        }
    }
}

impl fmt::Display for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mail => f.write_str("mail"),
            Self::Maildir => f.write_str("maildir"),
            Self::Webhook(name) => write!(f, "webhook:{name}"),
        }
    }
}

impl Serialize for Lane {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// An entry of the outbox that an attempt has begun for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// Which one.
    pub id: i64,
    /// The how many-th attempt this is, counted from 1.
    pub attempt: u64,
    /// What is to be sent; or why that cannot be read.
    pub parcel: Result<Parcel, String>,
}

/// Where an entry of the outbox stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum OutboxState {
    /// It waits for its first or its next attempt.
    Waiting,
    /// It was sent.
    Sent,
    /// It was given up.
    Dead,
}

impl OutboxState {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Waiting, Self::Sent, Self::Dead];

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Sent => "sent",
            Self::Dead => "dead",
        }
    }

    /// The state of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

/// Which entries of the outbox to list; the default is all, up to [`super::ROWS_MAX`].
#[derive(Debug, Clone, Copy, Default)]
pub struct OutboxFilter {
    /// This one.
    pub id: Option<i64>,
    /// In this state.
    pub state: Option<OutboxState>,
    /// At most so many, the latest.
    pub limit: Option<u32>,
}

/// An entry of the outbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OutboxRow {
    /// Which one.
    pub id: i64,
    /// What makes it unique: the same whenever it is written.
    pub idempotency_key: String,
    /// The receipt of the message that caused it.
    pub receipt: i64,
    /// The ticket that it is about.
    pub ticket: Option<TicketNumber>,
    /// What it is sent with.
    pub lane: Lane,
    /// Where it goes: an address, or the name of a webhook or Maildir.
    pub target: String,
    /// Where it stands.
    pub state: OutboxState,
    /// How many attempts were begun.
    pub attempts: u64,
    /// When the next one begins; none unless it waits.
    pub next_attempt_at: Option<Timestamp>,
    /// During an attempt: when that counts as failed, unless it goes on until then.
    pub claimed_until: Option<Timestamp>,
    /// Why the last attempt failed.
    pub last_error: Option<String>,
    /// When it was written.
    pub created_at: Timestamp,
    /// When it was sent, or given up.
    pub ended_at: Option<Timestamp>,
    /// What is sent, as JSON.
    pub payload: serde_json::Value,
}
