//! What calls answer. These shapes are a promise: they grow, and what is in them stays.

use crate::job::Standing;
use crate::store::{
    AttachmentRow, CommentRow, MessageRow, OutboxRow, QuarantineRow, RevisionRow, SessionRow, TicketDetail, TicketRow,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// A job and how it stands.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Job {
    /// Its name.
    name: String,
    /// What it does, such as `waiting`; null while the daemon does not say.
    state: Option<String>,
    /// Whether somebody has paused it.
    paused: bool,
    /// Who.
    paused_by: Option<String>,
    /// When its last session ended.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_session_at: Option<Timestamp>,
    /// What ended it early.
    last_error: Option<String>,
    /// When it runs next.
    #[schema(value_type = Option<String>, format = DateTime)]
    next_run_at: Option<Timestamp>,
    /// Its schedule in words.
    schedule: Option<String>,
    /// Its file has errors.
    faulty: bool,
}

impl From<Standing> for Job {
    fn from(job: Standing) -> Self {
        Self {
            state: job.state.map(|state| state.name().to_owned()),
            paused: job.paused_at.is_some(),
            paused_by: job.paused_by,
            last_session_at: job.last.as_ref().map(|last| last.ended_at),
            last_error: job.last.and_then(|last| last.error),
            next_run_at: job.next_run_at,
            schedule: job.schedule,
            faulty: job.faulty,
            name: job.name,
        }
    }
}

impl Job {
    /// Whether it is the one of that name.
    pub(super) fn is(&self, name: &str) -> bool {
        self.name == name
    }
}

/// A session of the incoming mail log.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Session {
    /// Its number.
    id: i64,
    /// The job.
    job: String,
    /// When it began.
    #[schema(value_type = String, format = DateTime)]
    started_at: Timestamp,
    /// When it ended.
    #[schema(value_type = Option<String>, format = DateTime)]
    finished_at: Option<Timestamp>,
    /// What ended it early.
    error: Option<String>,
    /// Messages in the mailbox.
    waiting: u64,
    /// Messages received.
    received: u64,
    /// Tickets created.
    created: u64,
    /// Tickets updated.
    updated: u64,
    /// Messages rejected.
    rejected: u64,
    /// Messages ignored.
    ignored: u64,
    /// Messages quarantined.
    quarantined: u64,
    /// Errors met.
    errors: u64,
}

impl From<SessionRow> for Session {
    fn from(row: SessionRow) -> Self {
        let tally = row.tally;
        Self {
            id: row.id.0,
            job: row.job,
            started_at: row.started_at,
            finished_at: row.finished_at,
            error: row.error,
            waiting: tally.waiting,
            received: tally.received,
            created: tally.created,
            updated: tally.updated,
            rejected: tally.rejected,
            ignored: tally.ignored,
            quarantined: tally.quarantined,
            errors: tally.errors,
        }
    }
}

/// A message of a session.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Message {
    /// The number of its receipt.
    receipt: i64,
    /// `accepted`, `rejected`, `ignored` or `quarantined`.
    outcome: String,
    /// Why, unless it was accepted.
    reason: String,
    /// Who wrote it.
    sender: Option<String>,
    /// Its subject.
    subject: String,
    /// When the mailbox received it.
    #[schema(value_type = String, format = DateTime)]
    received_at: Timestamp,
}

impl From<MessageRow> for Message {
    fn from(row: MessageRow) -> Self {
        Self {
            receipt: row.receipt,
            outcome: row.outcome.name().to_owned(),
            reason: row.outcome.reason().to_owned(),
            sender: row.sender.map(|sender| sender.to_string()),
            subject: row.subject,
            received_at: row.received_at,
        }
    }
}

/// What became of a message, and what every hop did.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Account {
    /// The number of its receipt.
    pub(super) receipt: i64,
    /// The job.
    pub(super) job: String,
    /// `accepted`, `rejected`, `ignored` or `quarantined`.
    pub(super) outcome: String,
    /// The tickets that it created.
    pub(super) created: Vec<String>,
    /// The tickets that it updated.
    pub(super) updated: Vec<String>,
    /// The account of its way through the hops; null if the log has forgotten it.
    #[schema(value_type = Option<Object>)]
    pub(super) report: serde_json::Value,
}

/// A ticket.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Ticket {
    /// Its number.
    number: String,
    /// Its class.
    class: String,
    /// Its status.
    status: String,
    /// Its subject.
    subject: String,
    /// Who asks.
    requester: String,
    /// The job that brought it.
    job: String,
    /// When it was created.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it last changed.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

impl From<TicketRow> for Ticket {
    fn from(row: TicketRow) -> Self {
        Self {
            number: row.number.to_string(),
            class: row.class.name().to_owned(),
            status: row.status.name().to_owned(),
            subject: row.subject,
            requester: row.requester.to_string(),
            job: row.job,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

/// A ticket with everything on it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct WholeTicket {
    /// The ticket.
    #[serde(flatten)]
    ticket: Ticket,
    /// Its description.
    description: String,
    /// Its further fields.
    fields: Vec<Field>,
    /// Who takes part besides the requester.
    participants: Vec<String>,
    /// Its comments, oldest first.
    comments: Vec<Comment>,
    /// Its attachments.
    attachments: Vec<Attachment>,
}

/// A field of a ticket.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Field {
    /// Its name.
    name: String,
    /// Its value as text.
    value: String,
}

/// A comment of a ticket.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Comment {
    /// Who wrote it.
    author: String,
    /// What it says.
    text: String,
    /// `public` or `internal`.
    visibility: String,
    /// When it was added.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

/// An attachment of a ticket.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Attachment {
    /// Its file name.
    name: String,
    /// Its media type.
    media_type: String,
    /// Bytes.
    size: u64,
    /// The SHA-256 of its content.
    sha256: String,
}

impl From<CommentRow> for Comment {
    fn from(row: CommentRow) -> Self {
        let CommentRow { author, text, visibility, created_at, .. } = row;
        Self { author: author.to_string(), text, visibility: visibility.name().to_owned(), created_at }
    }
}

impl From<AttachmentRow> for Attachment {
    fn from(row: AttachmentRow) -> Self {
        Self { name: row.name, media_type: row.media_type, size: row.size, sha256: row.sha256.to_string() }
    }
}

impl From<TicketDetail> for WholeTicket {
    fn from(detail: TicketDetail) -> Self {
        let field = |field: crate::field::Entry| Field { name: field.name.clone(), value: field.value.to_string() };
        Self {
            ticket: detail.ticket.into(),
            description: detail.description,
            fields: detail.fields.into_iter().map(field).collect(),
            participants: detail.participants.iter().map(ToString::to_string).collect(),
            comments: detail.comments.into_iter().map(Comment::from).collect(),
            attachments: detail.attachments.into_iter().map(Attachment::from).collect(),
        }
    }
}

/// A message in quarantine.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Held {
    /// Its number.
    id: i64,
    /// The number of its receipt.
    receipt: i64,
    /// The job.
    job: String,
    /// Who wrote it.
    sender: String,
    /// Its subject.
    subject: String,
    /// Why it is here.
    cause: String,
    /// Since when.
    #[schema(value_type = String, format = DateTime)]
    since: Timestamp,
}

impl From<QuarantineRow> for Held {
    fn from(row: QuarantineRow) -> Self {
        let QuarantineRow { id, receipt, job, sender, subject, cause, at, .. } = row;
        Self { id, receipt, job, sender, subject, cause, since: at }
    }
}

/// An entry of the outbox.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Outgoing {
    /// Its number.
    id: i64,
    /// What makes it unique to whoever gets it.
    idempotency_key: String,
    /// Where it goes.
    target: String,
    /// `waiting`, `sent` or `dead`.
    state: String,
    /// How many attempts were begun.
    attempts: u64,
    /// When the next one begins.
    #[schema(value_type = Option<String>, format = DateTime)]
    next_attempt_at: Option<Timestamp>,
    /// Why the last one failed.
    last_error: Option<String>,
}

impl From<OutboxRow> for Outgoing {
    fn from(row: OutboxRow) -> Self {
        Self {
            id: row.id,
            idempotency_key: row.idempotency_key,
            target: row.target,
            state: row.state.name().to_owned(),
            attempts: row.attempts,
            next_attempt_at: row.next_attempt_at,
            last_error: row.last_error,
        }
    }
}

/// The rules in force.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Rules {
    /// Their revision.
    pub(super) revision: String,
    /// How many tests of their own they have passed.
    pub(super) tests: usize,
    /// The steps of the pipeline, in order.
    pub(super) steps: Vec<String>,
}

/// A time at which rules came into force.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Revision {
    /// Which.
    revision: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    since: Timestamp,
    /// Who changed them.
    changed_by: String,
    /// The folder that they were read from.
    origin: String,
    /// How many tests of their own they passed.
    tests: u64,
}

impl From<RevisionRow> for Revision {
    fn from(row: RevisionRow) -> Self {
        let RevisionRow { revision, since, changed_by, origin, tests } = row;
        Self { revision, since, changed_by, origin, tests }
    }
}

/// How the rules of two revisions differ.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Difference {
    /// A revision, or `now`: the files as they are.
    pub(super) from: String,
    /// Another one.
    pub(super) to: String,
    /// A unified difference of the files; empty if there is none.
    pub(super) difference: String,
}

/// Which revisions are compared.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Sides {
    /// A revision, how it begins, or `now`.
    pub(super) from: String,
    /// Another one.
    pub(super) to: String,
}

/// A plugin of the folder.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Plugin {
    /// Its file, without `.wasm`.
    pub(super) name: String,
    /// All that it could ever do; null if it cannot be used.
    #[schema(value_type = Option<Object>)]
    pub(super) about: Option<serde_json::Value>,
    /// Why it cannot be used.
    pub(super) fault: Option<String>,
    /// The steps with it that are left out, and why.
    pub(super) suspended: Vec<Suspended>,
}

/// A preprocessing step that is left out.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Suspended {
    /// The step.
    pub(super) step: String,
    /// Why.
    pub(super) reason: String,
    /// Who has suspended it; null if its faults have.
    pub(super) by: Option<String>,
    /// Since when.
    #[schema(value_type = String, format = DateTime)]
    pub(super) since: Timestamp,
}

/// What was done.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Done {
    /// Whether anything is different now.
    pub(super) changed: bool,
}

/// Which part of a list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Part {
    /// Only of this job.
    pub(super) job: Option<String>,
    /// Only what comes after this one in the list: the number of the last one of the part before.
    pub(super) before: Option<i64>,
    /// At most so many.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    pub(super) limit: Option<u32>,
}

/// Which tickets.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct TicketPart {
    /// Only with this status.
    pub(super) status: Option<String>,
    /// Only of this class.
    pub(super) class: Option<String>,
    /// Only those before this number.
    pub(super) before: Option<String>,
    /// At most so many.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    pub(super) limit: Option<u32>,
}

/// Which messages of a session.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct MessagePart {
    /// Only those after this receipt.
    pub(super) after: Option<i64>,
    /// At most so many.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    pub(super) limit: Option<u32>,
}
