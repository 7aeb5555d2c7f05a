//! Edits of a ticket: of one that the same plan creates, or of one that there is.

use super::verb::{Fault, class_followed_up, excerpt, listed};
use super::{Change, Facts, Update};
use crate::field::Entry;
use crate::message::Address;
use crate::ticket::{ClassSpec, Status, TicketNumber, Visibility};

/// What becomes of a ticket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Edit {
    /// A field gets a value.
    Field(Entry),
    /// Attributes get new values.
    Attributes(Update),
    /// It gets a status.
    Status(NewStatus),
    /// People take part. Whoever wrote to nobody but the desk brings nobody along.
    Participants(Vec<Address>),
    /// It gets a comment.
    Comment {
        /// Who wrote it.
        author: Address,
        /// What it says.
        text: String,
        /// Who can read it.
        visibility: Visibility,
    },
}

/// The status that a ticket gets. Which one it is, and whether there is such a one, depends on its class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NewStatus {
    /// This one.
    Named(Status),
    /// The one that reopened tickets have.
    Reopened,
    /// This one, in which life is over; or the first such one.
    Closed(Option<Status>),
}

impl NewStatus {
    /// Which one it is for a ticket of that class.
    pub(super) fn of(self, spec: &ClassSpec) -> Result<Status, Fault> {
        match self {
            Self::Named(status) => of_class(status, spec),
            Self::Reopened => Ok(spec.reopened.clone()),
            Self::Closed(None) => Ok(spec.closed.clone()),
            Self::Closed(Some(status)) => {
                let status = of_class(status, spec)?;
                if spec.terminal.contains(&status) {
                    return Ok(status);
                }
                let allowed = listed(spec.terminal.iter().map(Status::name));
                Err(Fault::NoneOf { argument: "status", found: excerpt(status.name()), allowed })
            }
        }
    }
}

/// The status, if tickets of this class can have it.
pub(super) fn of_class(status: Status, spec: &ClassSpec) -> Result<Status, Fault> {
    match spec.status(status.name()) {
        Some(_) => Ok(status),
        None => Err(Fault::StatusOfAnotherClass {
            found: excerpt(status.name()),
            class: spec.class.clone(),
            allowed: listed(spec.statuses.iter().map(Status::name)),
        }),
    }
}

/// What an edit changes of the ticket that the message follows up; none if nothing.
pub(super) fn existing(ticket: TicketNumber, edit: Edit, facts: &Facts<'_>) -> Result<Option<Change>, Fault> {
    Ok(Some(match edit {
        Edit::Field(field) => Change::SetField { ticket, field },
        Edit::Attributes(mut update) => {
            update.status = update.status.map(|status| of_class(status, class_followed_up(facts)?)).transpose()?;
            Change::UpdateTicket { ticket, update }
        }
        Edit::Status(status) => Change::SetStatus { ticket, status: status.of(class_followed_up(facts)?)? },
        Edit::Participants(participants) if participants.is_empty() => return Ok(None),
        Edit::Participants(participants) => Change::AddParticipants { ticket, participants },
        Edit::Comment { author, text, visibility } => {
            Change::AddComment { ticket: Some(ticket), author, text, visibility }
        }
    }))
}

/// Whether a plan creates a ticket.
pub(super) fn has_new_ticket(changes: &[Change]) -> bool {
    changes.iter().any(|change| matches!(change, Change::CreateTicket { .. }))
}

/// Edits the last ticket that the changes create.
pub(super) fn new_ticket(changes: &mut Vec<Change>, edit: Edit, facts: &Facts<'_>) -> Result<(), Fault> {
    let last = changes.iter_mut().rev().find(|change| matches!(change, Change::CreateTicket { .. }));
    let Some(Change::CreateTicket { class, status, subject, requester, assignment, participants, fields, .. }) = last
    else {
        return Err(Fault::NoTicket);
    };
    let spec = || facts.classes.get(class.name()).ok_or_else(|| Fault::ClassGone { class: class.clone() });
    match edit {
        Edit::Field(field) => {
            // A field that is set twice keeps the last value.
            fields.retain(|other| other.name != field.name);
            fields.push(field);
        }
        Edit::Status(new) => *status = new.of(spec()?)?,
        Edit::Attributes(update) => {
            if let Some(new) = update.status {
                *status = of_class(new, spec()?)?;
            }
            set(subject, update.subject);
            set(requester, update.requester);
            set(&mut assignment.person, update.person);
            set(&mut assignment.group, update.group);
        }
        Edit::Participants(new) => {
            for address in new {
                let is = |other: &Address| other.email.eq_ignore_ascii_case(&address.email);
                if !is(requester) && !participants.iter().any(is) {
                    participants.push(address);
                }
            }
        }
        Edit::Comment { author, text, visibility } => {
            changes.push(Change::AddComment { ticket: None, author, text, visibility });
        }
    }
    Ok(())
}

fn set<T>(attribute: &mut T, new: Option<T>) {
    if let Some(new) = new {
        *attribute = new;
    }
}
