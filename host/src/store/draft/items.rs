//! The rows that a batch comes to.

use super::Slot;
use crate::message::{Address, Attachment};
use crate::store::{Entry, Outcome, Receipt};
use crate::ticket::{Status, TicketClass, TicketNumber, Visibility};
use std::borrow::Cow;

/// A receipt to be written.
pub(in crate::store) struct Line<'e> {
    pub(in crate::store) slot: Slot,
    pub(in crate::store) entry: &'e Entry,
    pub(in crate::store) receipt: Receipt,
    pub(in crate::store) wanted_json: Option<String>,
    pub(in crate::store) report: Cow<'e, str>,
}

impl Line<'_> {
    /// The class of the error behind a quarantine.
    pub(in crate::store) fn class(&self) -> Option<&'static str> {
        match &self.receipt.outcome {
            Outcome::Quarantined { class, .. } => Some(class.name()),
            Outcome::Accepted | Outcome::Rejected { .. } | Outcome::Ignored { .. } => None,
        }
    }
}

/// A ticket to be created.
pub(in crate::store) struct NewTicket<'e> {
    pub(in crate::store) number: i64,
    pub(in crate::store) name: TicketNumber,
    pub(in crate::store) digits: u8,
    pub(in crate::store) class: &'e TicketClass,
    pub(in crate::store) status: &'e Status,
    pub(in crate::store) subject: &'e str,
    pub(in crate::store) description: &'e str,
    pub(in crate::store) requester: &'e Address,
    pub(in crate::store) person: &'e str,
    pub(in crate::store) group: &'e str,
    pub(in crate::store) job: &'e str,
}

/// Attributes of a ticket of before that get new values.
#[derive(Default)]
pub(in crate::store) struct NewValues<'e> {
    pub(in crate::store) subject: Option<&'e str>,
    pub(in crate::store) requester: Option<&'e Address>,
    pub(in crate::store) person: Option<&'e str>,
    pub(in crate::store) group: Option<&'e str>,
}

/// Who takes part in a ticket.
pub(in crate::store) struct NewParticipant<'e> {
    pub(in crate::store) ticket: i64,
    pub(in crate::store) receipt: i64,
    pub(in crate::store) address: &'e Address,
}

/// A comment to be added.
pub(in crate::store) struct NewComment<'e> {
    pub(in crate::store) id: i64,
    pub(in crate::store) ticket: i64,
    pub(in crate::store) receipt: i64,
    pub(in crate::store) author: &'e Address,
    pub(in crate::store) text: &'e str,
    pub(in crate::store) visibility: Visibility,
}

/// What a receipt did to a ticket.
pub(in crate::store) struct Effect {
    pub(in crate::store) receipt: i64,
    pub(in crate::store) ticket: i64,
    pub(in crate::store) effect: &'static str,
    pub(in crate::store) position: i64,
}

/// An attachment to be hung on a ticket.
pub(in crate::store) struct NewAttachment<'e> {
    pub(in crate::store) ticket: i64,
    pub(in crate::store) comment: Option<i64>,
    pub(in crate::store) entry: &'e Entry,
    pub(in crate::store) attachment: &'e Attachment,
}
