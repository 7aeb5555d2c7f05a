//! Threading: which conversation a message belongs to.

use crate::ticket::TicketSummary;
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
