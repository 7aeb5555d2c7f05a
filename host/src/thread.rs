//! Threading: which conversation a message belongs to.

use crate::message::MessageId;
use crate::ticket::{TicketNumber, TicketSummary};
use serde::{Deserialize, Serialize};

/// The conversation that a message belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "state", content = "ticket")]
pub enum Conversation {
    /// It starts a new one.
    New,
    /// It follows up an active ticket.
    Active(TicketSummary),
    /// It follows up a ticket that is in a terminal state.
    Inactive(TicketSummary),
}

/// What a message says about the conversation it belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ThreadKeys {
    /// The ticket numbers in its tags, in order.
    pub tickets: Vec<TicketNumber>,
    /// The messages it answers, most likely first.
    pub message_ids: Vec<MessageId>,
}
