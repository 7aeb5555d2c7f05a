//! Actions: what rules ask for, what is allowed of it, and what it changes.
//!
//! Plugins return [`Action`]s: a verb with named arguments. [`plan()`] checks them against the table of [`verbs`] and
//! makes a [`Plan`] of them, which the store carries out in the transaction that writes the receipt.
//!
//! A verb is one file of this directory, with its row of the table and its `plan`, and one line in [`verbs`].

mod add_participants;
mod assign;
mod close;
mod comment;
mod create_ticket;
mod edit;
mod fault;
mod forward;
mod ignore;
mod notify;
mod plan;
mod reject;
mod reopen;
mod set_field;
mod set_status;
mod shorten;
mod store_maildir;
mod update_ticket;
mod verb;
mod webhook;
mod written;

pub use plan::{ACTIONS_MAX, Error, Facts, Sending, plan};
pub use shorten::shorten;
pub use verb::{Argument, Choices, Fault, Verb, placeholders, verbs};
pub use written::{Given, Written};

use crate::field::Entry;
use crate::message::Address;
use crate::outgoing::{Occasion, Outgoing};
use crate::ticket::{Series, Status, TicketClass, TicketNumber, Visibility};
use serde::{Deserialize, Serialize};

/// Something that a rule asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Action {
    /// The verb, such as `create-ticket`.
    pub verb: String,
    /// Its arguments.
    pub arguments: Vec<Entry>,
    /// The statement that asked.
    pub statement: String,
}

/// A change that the store carries out. Attachments of the message go along with the first ticket created, or else
/// with the first comment, or else with the first ticket that changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "change")]
pub enum Change {
    /// Creates a ticket; the store gives it the next number of its series.
    CreateTicket {
        /// Its class.
        class: TicketClass,
        /// The series of its number.
        #[serde(default)]
        series: Series,
        /// Its status.
        #[serde(default = "before_classes")]
        status: Status,
        /// Its subject.
        subject: String,
        /// Its description.
        description: String,
        /// Who asks; known from now on, if unknown before.
        requester: Address,
        /// Who is to work on it.
        #[serde(default, skip_serializing_if = "Assignment::is_nobody")]
        assignment: Assignment,
        /// Who takes part, besides the requester.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        participants: Vec<Address>,
        /// Further fields, by name.
        fields: Vec<Entry>,
    },
    /// Adds a comment to a ticket.
    AddComment {
        /// Which ticket; none: the last one that the plan has created.
        ticket: Option<TicketNumber>,
        /// Who wrote it.
        author: Address,
        /// What it says.
        text: String,
        /// Who can read it.
        visibility: Visibility,
    },
    /// Changes attributes of a ticket.
    UpdateTicket {
        /// Which ticket.
        ticket: TicketNumber,
        /// The attributes.
        #[serde(flatten)]
        update: Update,
    },
    /// Adds people to those who take part in a ticket. Those who do already stay as they are.
    AddParticipants {
        /// Which ticket.
        ticket: TicketNumber,
        /// Who.
        participants: Vec<Address>,
    },
    /// Sets a ticket's status.
    SetStatus {
        /// Which ticket.
        ticket: TicketNumber,
        /// The new status.
        status: Status,
    },
    /// Sets a field of a ticket.
    SetField {
        /// Which ticket.
        ticket: TicketNumber,
        /// The field and its value.
        field: Entry,
    },
    /// Sends something once the message is committed.
    Send {
        /// The ticket that it is about; none: the last one that the plan has created, if it has.
        ticket: Option<TicketNumber>,
        /// What.
        outgoing: Outgoing,
        /// Why it is not sent after all, as a sentence.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        withheld: Option<String>,
    },
}

/// Who is to work on a ticket.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Assignment {
    /// The person, as the desk calls them; empty: nobody.
    pub person: String,
    /// The group; empty: none.
    pub group: String,
}

impl Assignment {
    /// Whether neither a person nor a group is to work on it.
    #[must_use]
    pub fn is_nobody(&self) -> bool {
        self.person.is_empty() && self.group.is_empty()
    }
}

impl std::fmt::Display for Assignment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.person.as_str(), self.group.as_str()) {
            (person, "") => f.write_str(person),
            ("", group) => f.write_str(group),
            (person, group) => write!(f, "{person} ({group})"),
        }
    }
}

/// New values of attributes; none: the attribute stays.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Update {
    /// The subject.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
    /// Who asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requester: Option<Address>,
    /// The person who is to work on it; empty: nobody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<String>,
    /// The group that is to work on it; empty: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
}

/// The status of new tickets in reports that do not name it.
fn before_classes() -> Status {
    Status::new("new")
}

impl Change {
    /// The ticket that has to exist for it; none if it makes one, or goes without.
    pub(crate) fn existing_ticket(&self) -> Option<&TicketNumber> {
        match self {
            Self::CreateTicket { .. } => None,
            Self::SetStatus { ticket, .. }
            | Self::SetField { ticket, .. }
            | Self::UpdateTicket { ticket, .. }
            | Self::AddParticipants { ticket, .. } => Some(ticket),
            Self::AddComment { ticket, .. } | Self::Send { ticket, .. } => ticket.as_ref(),
        }
    }

    /// The text that it brings, which for most is the message's own.
    pub(crate) fn text_mut(&mut self) -> Option<&mut String> {
        match self {
            Self::CreateTicket { description: text, .. } | Self::AddComment { text, .. } => Some(text),
            Self::SetStatus { .. }
            | Self::SetField { .. }
            | Self::UpdateTicket { .. }
            | Self::AddParticipants { .. }
            | Self::Send { .. } => None,
        }
    }
}

/// The message, as far as what is sent because of it has to know.
fn outgoing_of(facts: &Facts<'_>) -> Occasion {
    facts.sending.occasion.cloned().unwrap_or_default()
}

/// What a message comes to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "outcome")]
pub enum Outcome {
    /// It changes tickets.
    Accepted,
    /// A statement refused it.
    Rejected {
        /// Why.
        reason: String,
    },
    /// It is kept, and nothing is done.
    Ignored {
        /// Why.
        reason: String,
    },
}

/// What is to be done about a message: checked and limited.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// What it comes to.
    pub outcome: Outcome,
    /// The changes, in order. Empty unless the message is accepted.
    pub changes: Vec<Change>,
}
