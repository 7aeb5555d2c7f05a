//! What a batch comes to: worked out in memory, so that it can be written with few statements.
//!
//! An entry whose plan cannot be carried out is found out here, before anything of it is written.

use super::brake::Recent;
use super::dispatch::{Cause, Dispatch, NewParcel, Subject, with_reasons};
use super::rows::{column, to_json};
use super::{Entry, Outcome, Receipt, Verdict};
use crate::action::{self, Change, Plan};
use crate::class::Class;
use crate::field;
use crate::mailbox::Disposition;
use crate::message::{Address, Attachment};
use crate::outgoing::Outgoing;
use crate::ticket::{Status, TicketClass, TicketNumber, Visibility};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// The last numbers that were given out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Numbers {
    pub(super) receipt: i64,
    pub(super) ticket: i64,
    pub(super) comment: i64,
}

/// Where an entry is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Slot {
    /// In a receipt of its own.
    New,
    /// In this receipt, which so far says that the message is in quarantine.
    Receipt(i64),
}

/// A receipt to be written.
pub(super) struct Line<'e> {
    pub(super) slot: Slot,
    pub(super) entry: &'e Entry,
    pub(super) receipt: Receipt,
    pub(super) wanted_json: Option<String>,
    pub(super) report: Cow<'e, str>,
}

impl Line<'_> {
    /// The class of the error behind a quarantine.
    pub(super) fn class(&self) -> Option<&'static str> {
        match &self.receipt.outcome {
            Outcome::Quarantined { class, .. } => Some(class.name()),
            Outcome::Accepted | Outcome::Rejected { .. } | Outcome::Ignored { .. } => None,
        }
    }
}

/// A ticket to be created.
pub(super) struct NewTicket<'e> {
    pub(super) number: i64,
    pub(super) class: TicketClass,
    pub(super) status: Status,
    pub(super) subject: &'e str,
    pub(super) description: &'e str,
    pub(super) requester: &'e Address,
    pub(super) job: &'e str,
}

/// A comment to be added.
pub(super) struct NewComment<'e> {
    pub(super) id: i64,
    pub(super) ticket: i64,
    pub(super) receipt: i64,
    pub(super) author: &'e Address,
    pub(super) text: &'e str,
    pub(super) visibility: Visibility,
}

/// What a receipt did to a ticket.
pub(super) struct Effect {
    pub(super) receipt: i64,
    pub(super) ticket: i64,
    pub(super) effect: &'static str,
    pub(super) position: i64,
}

/// An attachment to be hung on a ticket.
pub(super) struct NewAttachment<'e> {
    pub(super) ticket: i64,
    pub(super) comment: Option<i64>,
    pub(super) entry: &'e Entry,
    pub(super) attachment: &'e Attachment,
}

/// All that is to be written of a batch.
#[derive(Default)]
pub(super) struct Draft<'e> {
    dispatch: Dispatch<'e>,
    pub(super) parcels: Vec<NewParcel>,
    pub(super) numbers: Numbers,
    /// The tickets that exist, as far as the batch mentions them, and those that it creates.
    known: HashSet<i64>,
    recent: Recent,
    pub(super) lines: Vec<Line<'e>>,
    pub(super) tickets: BTreeMap<i64, NewTicket<'e>>,
    /// The last value of each field counts.
    pub(super) fields: BTreeMap<(i64, &'e str), String>,
    pub(super) comments: Vec<NewComment<'e>>,
    pub(super) effects: Vec<Effect>,
    pub(super) attachments: Vec<NewAttachment<'e>>,
    /// Which ticket each Message-ID leads to.
    pub(super) index: Vec<(Cow<'e, str>, i64)>,
    /// Who may follow up which ticket.
    pub(super) correspondents: BTreeSet<(i64, &'e str)>,
    /// The tickets of before that change.
    pub(super) touched: BTreeSet<i64>,
    pub(super) statuses: BTreeMap<i64, Status>,
}

/// The tickets that these entries mention.
pub(super) fn mentioned(entries: &[Entry]) -> BTreeSet<i64> {
    let changes = entries.iter().filter_map(|entry| accepted(&entry.verdict)).flat_map(|plan| &plan.changes);
    changes.filter_map(Change::existing_ticket).map(number).collect()
}

fn accepted(verdict: &Verdict) -> Option<&Plan> {
    match verdict {
        Verdict::Plan(plan) if plan.outcome == action::Outcome::Accepted => Some(plan),
        Verdict::Plan(_) | Verdict::Quarantine { .. } => None,
    }
}

impl<'e> Draft<'e> {
    /// A draft that begins after these numbers, where these tickets exist, and after what was accepted and sent of late.
    pub(super) fn new(numbers: Numbers, known: HashSet<i64>, dispatch: Dispatch<'e>, recent: Recent) -> Self {
        Self { numbers, known, dispatch, recent, ..Self::default() }
    }

    /// Adds an entry. One whose changes cannot be made is quarantined instead.
    pub(super) fn add(&mut self, slot: Slot, entry: &'e Entry) -> sqlx::Result<()> {
        let id = match slot {
            Slot::Receipt(id) => id,
            Slot::New => {
                self.numbers.receipt += 1;
                self.numbers.receipt
            }
        };
        let plan = accepted(&entry.verdict);
        let refusal = plan.and_then(|plan| self.refusal(plan)).or_else(|| self.recent.refusal(entry));
        let (outcome, disposition) = match &refusal {
            // The message stays as it is in its mailbox, where someone can see it too.
            Some(cause) => {
                let outcome = Outcome::Quarantined { reason: cause.clone(), class: Class::Permanent };
                (outcome, Disposition::default())
            }
            None => (outcome_of(&entry.verdict), entry.disposition.clone()),
        };
        let effects = match plan.filter(|_| refusal.is_none()) {
            Some(plan) => self.carry_out(id, entry, plan)?,
            None => Effects::default(),
        };
        let wanted_json = if disposition.is_nothing() { None } else { Some(to_json(&disposition)?) };
        let receipt = Receipt {
            id,
            key: entry.key.clone(),
            outcome,
            created: effects.created,
            updated: effects.updated,
            repeated: false,
            revision: entry.revision.clone(),
            disposition,
            withheld: effects.withheld.iter().map(|(_, reason)| reason.clone()).collect(),
        };
        let report = match effects.withheld.as_slice() {
            [] => Cow::Borrowed(entry.report.as_str()),
            withheld => Cow::Owned(with_reasons(&entry.report, withheld)?),
        };
        self.lines.push(Line { slot, entry, receipt, wanted_json, report });
        Ok(())
    }

    /// Why a plan cannot be carried out; none if it can.
    fn refusal(&self, plan: &Plan) -> Option<String> {
        let mut newest = self.numbers.ticket;
        for change in &plan.changes {
            match change.existing_ticket() {
                None => newest += i64::from(matches!(change, Change::CreateTicket { .. })),
                Some(ticket) => {
                    let is_own = (self.numbers.ticket + 1..=newest).contains(&number(ticket));
                    if !is_own && !self.known.contains(&number(ticket)) {
                        return Some(format!("ticket {ticket} does not exist"));
                    }
                }
            }
        }
        None
    }

    /// Makes the changes, in order, then hangs on the attachments and indexes the message for threading.
    fn carry_out(&mut self, receipt: i64, entry: &'e Entry, plan: &'e Plan) -> sqlx::Result<Effects> {
        let mut effects = Effects::default();
        for (place, change) in plan.changes.iter().enumerate() {
            if let Some(ticket) = change.existing_ticket().filter(|_| !matches!(change, Change::Send { .. })) {
                self.touch(ticket, &mut effects);
            }
            match change {
                Change::CreateTicket { class, subject, description, requester, fields } => {
                    let number = self.create(entry, *class, (subject, description), requester)?;
                    for field in fields {
                        self.set_field(column(number.sequence()), field)?;
                    }
                    effects.created.push(number);
                }
                Change::AddComment { ticket, author, text, visibility } => {
                    self.numbers.comment += 1;
                    let (id, ticket) = (self.numbers.comment, number(ticket));
                    self.comments.push(NewComment { id, ticket, receipt, author, text, visibility: *visibility });
                    effects.first_comment.get_or_insert((ticket, id));
                }
                Change::SetStatus { ticket, status } => self.set_status(number(ticket), *status),
                Change::SetField { ticket, field } => self.set_field(number(ticket), field)?,
                Change::Send { withheld: Some(_), .. } => {}
                Change::Send { ticket, outgoing, withheld: None } => {
                    let ticket = ticket.clone().or_else(|| effects.created.last().cloned());
                    let cause = Cause { receipt, entry, place, ticket: ticket.as_ref() };
                    self.send(cause, outgoing, &mut effects)?;
                }
            }
        }
        self.note(receipt, &effects);
        self.attach(entry, &effects);
        self.index(entry, &effects);
        for ticket in effects.created.iter().chain(&effects.updated).map(number) {
            self.correspondents.extend(entry.people.iter().map(|email| (ticket, email.as_str())));
        }
        Ok(effects)
    }

    /// Puts something into the outbox, unless it was sent too much already.
    fn send(&mut self, cause: Cause<'_>, outgoing: &Outgoing, effects: &mut Effects) -> sqlx::Result<()> {
        let ticket = cause.ticket.map(number);
        let subject = ticket
            .and_then(|ticket| self.tickets.get(&ticket).map(Subject::from).or_else(|| self.dispatch.known(ticket)));
        match self.dispatch.parcel(cause, subject.as_ref(), outgoing)? {
            Ok(parcel) => {
                // An answer to our mail is found like one to any other message of the conversation.
                if let (Some(id), Some(ticket)) = (&parcel.message_id, ticket) {
                    self.index.push((Cow::Owned(id.0.clone()), ticket));
                }
                self.parcels.push(parcel);
            }
            Err(reason) => effects.withheld.push((cause.place, reason)),
        }
        Ok(())
    }

    fn create(
        &mut self,
        entry: &'e Entry,
        class: TicketClass,
        (subject, description): (&'e str, &'e str),
        requester: &'e Address,
    ) -> sqlx::Result<TicketNumber> {
        self.numbers.ticket += 1;
        let (number, job) = (self.numbers.ticket, entry.job.as_str());
        let ticket = NewTicket { number, class, status: Status::New, subject, description, requester, job };
        self.tickets.insert(number, ticket);
        self.known.insert(number);
        u64::try_from(number).map(TicketNumber::new).map_err(|_| super::rows::unknown("counters.value", number))
    }

    fn touch(&mut self, ticket: &TicketNumber, effects: &mut Effects) {
        if !self.tickets.contains_key(&number(ticket)) {
            self.touched.insert(number(ticket));
        }
        if !effects.created.contains(ticket) && !effects.updated.contains(ticket) {
            effects.updated.push(ticket.clone());
        }
    }

    fn set_status(&mut self, ticket: i64, status: Status) {
        match self.tickets.get_mut(&ticket) {
            Some(new) => new.status = status,
            None => {
                self.statuses.insert(ticket, status);
            }
        }
    }

    fn set_field(&mut self, ticket: i64, field: &'e field::Entry) -> sqlx::Result<()> {
        self.fields.insert((ticket, &field.name), to_json(&field.value)?);
        Ok(())
    }

    fn note(&mut self, receipt: i64, effects: &Effects) {
        let created = effects.created.iter().map(|ticket| (ticket, "created"));
        let updated = effects.updated.iter().map(|ticket| (ticket, "updated"));
        self.effects.extend(created.chain(updated).enumerate().map(|(position, (ticket, effect))| Effect {
            receipt,
            ticket: number(ticket),
            effect,
            position: column(position),
        }));
    }

    /// Attachments go with the first ticket created, or else with the first comment. Where there is neither, they
    /// stay in the message.
    fn attach(&mut self, entry: &'e Entry, effects: &Effects) {
        let place = match (effects.created.first(), effects.first_comment) {
            (Some(ticket), _) => Some((number(ticket), None)),
            (None, Some((ticket, comment))) => Some((ticket, Some(comment))),
            (None, None) => None,
        };
        let Some((ticket, comment)) = place else { return };
        let attachments = entry.attachments.iter();
        self.attachments.extend(attachments.map(|attachment| NewAttachment { ticket, comment, entry, attachment }));
    }

    /// Makes answers to this message find the ticket created, or else the ticket updated.
    fn index(&mut self, entry: &'e Entry, effects: &Effects) {
        let ticket = effects.created.first().or_else(|| effects.updated.first());
        if let (Some(message_id), Some(ticket)) = (&entry.message_id, ticket) {
            self.index.push((Cow::Borrowed(&message_id.0), number(ticket)));
        }
    }
}

/// What the changes of one entry do.
#[derive(Default)]
struct Effects {
    created: Vec<TicketNumber>,
    updated: Vec<TicketNumber>,
    first_comment: Option<(i64, i64)>,
    /// The places of changes that are not made, and why.
    withheld: Vec<(usize, String)>,
}

fn outcome_of(verdict: &Verdict) -> Outcome {
    match verdict {
        Verdict::Quarantine { cause, class } => Outcome::Quarantined { reason: cause.clone(), class: *class },
        Verdict::Plan(plan) => match &plan.outcome {
            action::Outcome::Accepted => Outcome::Accepted,
            action::Outcome::Rejected { reason } => Outcome::Rejected { reason: reason.clone() },
            action::Outcome::Ignored { reason } => Outcome::Ignored { reason: reason.clone() },
        },
    }
}

/// A ticket's number as a column; one that is too large for it matches no row.
pub(super) fn number(ticket: &TicketNumber) -> i64 {
    column(ticket.sequence())
}
