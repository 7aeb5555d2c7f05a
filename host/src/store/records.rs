//! What goes into the store and what comes out of it.

mod log;

pub use log::{
    Forgotten, MessageRow, OldSessions, SessionFilter, SessionOutcome, SessionRow, SessionTally, WARNING, ended_early,
};

use crate::action::{Assignment, Plan};
use crate::class::Class;
use crate::content::Content;
use crate::field::{self, DateTime};
use crate::mailbox::{Disposition, MessageKey};
use crate::message::{Address, Attachment, MessageId};
use crate::ticket::{Status, TicketClass, TicketNumber, Visibility};
use jiff::Timestamp;
use serde::{Serialize, Serializer};
use sha2::Digest as _;
use std::fmt;

/// Identifies a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct SessionId(pub i64);

/// The SHA-256 of some bytes; written in hexadecimal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Sha256(pub [u8; 32]);

impl Sha256 {
    /// The digest of these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(sha2::Sha256::digest(bytes).into())
    }

    /// Reads 64 hexadecimal digits; none if it is anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits: Option<Vec<u8>> =
            text.chars().map(|digit| digit.to_digit(16).and_then(|d| u8::try_from(d).ok())).collect();
        let bytes: Vec<u8> =
            digits?.chunks(2).map(|pair| pair.iter().fold(0, |byte, digit| byte * 16 + digit)).collect();
        if text.len() == 64 { bytes.try_into().ok().map(Self) } else { None }
    }
}

impl fmt::Display for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl Serialize for Sha256 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// One message and what is to be recorded of it.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The job that fetched it.
    pub job: String,
    /// The session it was fetched in; none outside sessions (a rehearsal, a release).
    pub session: Option<SessionId>,
    /// Which message: together with the job, what makes it unique.
    pub key: MessageKey,
    /// The bytes as received.
    pub raw: Content,
    /// Its Message-ID.
    pub message_id: Option<MessageId>,
    /// The address of who wrote it, in lower case.
    pub sender: Option<String>,
    /// The addresses on it, in lower case: they may follow up the tickets that it changes.
    pub people: Vec<String>,
    /// How much of this kind is taken; none: any amount.
    pub brake: Option<Brake>,
    /// Its attachments, which lie in `raw`; they go with the first ticket created, or else with the first comment.
    pub attachments: Vec<Attachment>,
    /// The revision of the rule set that decided.
    pub revision: String,
    /// The account of the run, as JSON.
    pub report: String,
    /// What is to be done.
    pub verdict: Verdict,
    /// What is to become of it in its mailbox.
    pub disposition: Disposition,
    /// When the mailbox received it.
    pub received_at: DateTime,
    /// Whether the bytes are no more than the header, because the body was not fetched.
    pub header_only: bool,
}

/// How many messages are taken within a window of time, counted by when they were received. What is beyond goes to
/// quarantine. Only messages that are accepted count, and only they are held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Brake {
    /// The window, in milliseconds.
    pub window_ms: i64,
    /// The most of one sender; none: any number.
    pub sender_messages_max: Option<u64>,
    /// The most that change one ticket; none: any number.
    pub thread_messages_max: Option<u64>,
}

/// A mailbox that a job has seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownMailbox {
    /// Its name in keys.
    pub mailbox: String,
    /// The UIDVALIDITY under which its messages are known; 0 where there is no such thing.
    pub uid_validity: u32,
    /// When the job first saw it.
    pub first_seen_at: Timestamp,
    /// How many messages were there before, and are passed over.
    pub passed_over: u64,
    /// Messages with a number below this are passed over.
    pub passed_below: u64,
}

impl Entry {
    /// How many bytes are stored of the message; its attachments lie in it.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.raw.len()
    }
}

/// What is to be done about a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Carry out a plan.
    Plan(Plan),
    /// Keep it aside until someone looks.
    Quarantine {
        /// Why, as a sentence.
        cause: String,
        /// The class of the error behind it.
        class: Class,
    },
}

/// What became of a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "outcome")]
pub enum Outcome {
    /// Its changes were made.
    Accepted,
    /// A statement refused it.
    Rejected {
        /// Why.
        reason: String,
    },
    /// It is kept, and nothing was done.
    Ignored {
        /// Why.
        reason: String,
    },
    /// It waits in quarantine.
    Quarantined {
        /// Why.
        reason: String,
        /// The class of the error behind it.
        class: Class,
    },
}

impl Outcome {
    /// The name used in the database and in reports.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Rejected { .. } => "rejected",
            Self::Ignored { .. } => "ignored",
            Self::Quarantined { .. } => "quarantined",
        }
    }

    /// Why; empty if accepted.
    #[must_use]
    pub fn reason(&self) -> &str {
        match self {
            Self::Accepted => "",
            Self::Rejected { reason } | Self::Ignored { reason } | Self::Quarantined { reason, .. } => reason,
        }
    }
}

/// What was recorded of a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Receipt {
    /// Its number in the ledger.
    pub id: i64,
    /// Which message.
    pub key: MessageKey,
    /// What became of it.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// The tickets created, in order.
    pub created: Vec<TicketNumber>,
    /// The tickets updated, in order, without those created.
    pub updated: Vec<TicketNumber>,
    /// Whether the message had been recorded before: then this call changed nothing.
    pub repeated: bool,
    /// The revision of the rule set that decided.
    pub revision: String,
    /// What is to become of the message in its mailbox.
    pub disposition: Disposition,
    /// Why things that the plan wanted to send are not sent, as sentences. Only when it is written; later, the report says it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub withheld: Vec<String>,
}

/// A row of the ledger: a receipt and its circumstances.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReceiptRow {
    /// The receipt. Its `repeated` is false.
    #[serde(flatten)]
    pub receipt: Receipt,
    /// The job.
    pub job: String,
    /// The session.
    pub session: Option<SessionId>,
    /// The Message-ID.
    pub message_id: Option<MessageId>,
    /// The digest of the message's bytes.
    pub sha256: Sha256,
    /// When the mailbox received the message.
    pub received_at: Timestamp,
    /// When the receipt was written.
    pub committed_at: Timestamp,
    /// When the disposition was carried out.
    pub marked_at: Option<Timestamp>,
}

/// Which messages that were handled; the default is all.
#[derive(Debug, Clone, Default)]
pub struct HandledFilter {
    /// By this job.
    pub job: Option<String>,
    /// Since then, by the time of the receipt.
    pub since: Option<Timestamp>,
}

/// A message as it was handled.
#[derive(Debug, Clone)]
pub struct HandledMessage {
    /// The number of its receipt.
    pub receipt: i64,
    /// Which message.
    pub key: MessageKey,
    /// The job.
    pub job: String,
    /// When the mailbox received it.
    pub received_at: DateTime,
    /// Whether its bytes are no more than the header, because the body was not fetched.
    pub header_only: bool,
    /// The account of the run, as JSON; null if the log has forgotten it.
    pub report: String,
    /// Its bytes.
    pub raw: Content,
}

/// Which tickets to list; the default is all, up to [`super::ROWS_MAX`].
#[derive(Debug, Clone, Default)]
pub struct TicketFilter {
    /// In this state.
    pub status: Option<Status>,
    /// Of this class.
    pub class: Option<TicketClass>,
    /// Brought by this job.
    pub job: Option<String>,
    /// Before this one: the last of the page before.
    pub before: Option<TicketNumber>,
    /// At most so many, the latest.
    pub limit: Option<u32>,
}

/// A ticket, as listed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TicketRow {
    /// Its number.
    pub number: TicketNumber,
    /// Its class.
    pub class: TicketClass,
    /// Its status.
    pub status: Status,
    /// Its subject.
    pub subject: String,
    /// Who asks; of one who gave no name, the name known from elsewhere.
    pub requester: Address,
    /// Who is to work on it.
    pub assignment: Assignment,
    /// The job that brought it.
    pub job: String,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// A ticket with everything on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TicketDetail {
    /// The ticket.
    #[serde(flatten)]
    pub ticket: TicketRow,
    /// Its description.
    pub description: String,
    /// Its further fields, by name.
    pub fields: Vec<field::Entry>,
    /// Who takes part besides the requester, in the order in which they came.
    pub participants: Vec<Address>,
    /// Its comments, oldest first.
    pub comments: Vec<CommentRow>,
    /// Its attachments and those of its comments, oldest first.
    pub attachments: Vec<AttachmentRow>,
}

/// A comment on a ticket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CommentRow {
    /// Which one.
    pub id: i64,
    /// The receipt of the message it came from.
    pub receipt: i64,
    /// Who wrote it.
    pub author: Address,
    /// What it says.
    pub text: String,
    /// Who can read it.
    pub visibility: Visibility,
    /// When it was added.
    pub created_at: Timestamp,
}

/// An attachment of a ticket or of one of its comments. [`super::Store::blob`] has the content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AttachmentRow {
    /// The comment it came with; none if it came with the ticket itself.
    pub comment: Option<i64>,
    /// The file name; empty if none was given.
    pub name: String,
    /// The media type.
    pub media_type: String,
    /// The Content-ID; empty if none was given.
    pub content_id: String,
    /// Whether it belongs into the body.
    pub inline: bool,
    /// The size in bytes.
    pub size: u64,
    /// The digest of the content.
    pub sha256: Sha256,
}

/// A message in quarantine, as listed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct QuarantineRow {
    /// Which one.
    pub id: i64,
    /// Its receipt.
    pub receipt: i64,
    /// The job.
    pub job: String,
    /// Which message.
    pub key: MessageKey,
    /// The Message-ID.
    pub message_id: Option<MessageId>,
    /// The digest of the bytes.
    pub sha256: Sha256,
    /// The address of who wrote it; empty if unknown.
    pub sender: String,
    /// Its subject.
    pub subject: String,
    /// Whether the bytes are no more than the header, because the body was not fetched.
    pub header_only: bool,
    /// Why it is here.
    pub cause: String,
    /// The class of the error behind it.
    pub class: Class,
    /// Since when.
    pub at: Timestamp,
    /// When it was released; none while it waits.
    pub released_at: Option<Timestamp>,
}

/// A message in quarantine with all that is needed to run it again.
#[derive(Debug, Clone)]
pub struct QuarantineDetail {
    /// The row.
    pub row: QuarantineRow,
    /// The account of the run that failed.
    pub report: serde_json::Value,
    /// When the mailbox received it.
    pub received_at: DateTime,
    /// The bytes as received.
    pub raw: Content,
}

/// What people want of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct JobOrders {
    /// Leave the mailbox alone until further notice.
    pub paused: bool,
    /// When somebody asked for a session that has not begun.
    pub run_requested_at: Option<Timestamp>,
}

/// What a job does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum JobState {
    /// It is in a session.
    Running,
    /// It waits for its next run.
    Waiting,
    /// It waits for its next run, and the server tells of new messages before.
    Listening,
    /// Its last session failed; it waits before it tries again.
    Retrying,
    /// Somebody has paused it.
    Paused,
    /// Its schedule has no run any more.
    Finished,
}

/// How a job's last session ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LastRun {
    /// When.
    pub ended_at: Timestamp,
    /// How many messages it received.
    pub received: u64,
    /// What ended it early or was left undone.
    pub error: Option<String>,
}

/// What the daemon says of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobReport {
    /// What it does.
    pub state: JobState,
    /// When it runs next, or tries again.
    pub next_run_at: Option<Timestamp>,
    /// Its last session, if there was one since the start.
    pub last: Option<LastRun>,
}

/// All that is known of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct JobRow {
    /// Its name.
    pub name: String,
    /// Since when it is paused.
    pub paused_at: Option<Timestamp>,
    /// Who paused it.
    pub paused_by: Option<String>,
    /// When somebody asked for a session that has not begun.
    pub run_requested_at: Option<Timestamp>,
    /// What the daemon last said that it does.
    pub state: Option<JobState>,
    /// When it runs next, as the daemon last said.
    pub next_run_at: Option<Timestamp>,
    /// Its last session.
    pub last: Option<LastRun>,
    /// When the daemon last said anything; none if it has stopped in good order.
    pub reported_at: Option<Timestamp>,
}

impl JobState {
    const ALL: [Self; 6] =
        [Self::Running, Self::Waiting, Self::Listening, Self::Retrying, Self::Paused, Self::Finished];

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Listening => "listening",
            Self::Retrying => "retrying",
            Self::Paused => "paused",
            Self::Finished => "finished",
        }
    }

    /// The state of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}
