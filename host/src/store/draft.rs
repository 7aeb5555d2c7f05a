//! What a batch comes to: worked out in memory, so that it can be written with few statements.
//!
//! An entry whose plan cannot be carried out is found out here, before anything of it is written.

mod items;

pub(super) use items::{Effect, Line, NewAttachment, NewComment, NewParticipant, NewTicket, NewValues};

use super::brake::Recent;
use super::dispatch::{Cause, Dispatch, NewParcel, Subject, Withheld, with_reasons};
use super::rows::{column, to_json};
use super::{Entry, Outcome, Receipt, Verdict};
use crate::action::{self, Assignment, Change, Plan, Update};
use crate::class::Class;
use crate::field;
use crate::mailbox::Disposition;
use crate::message::Address;
use crate::outgoing::{Notice, Outgoing, Recipient};
use crate::ticket::{Series, Status, TicketNumber};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

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

/// All that is to be written of a batch.
#[derive(Default)]
pub(super) struct Draft<'e> {
    dispatch: Dispatch<'e>,
    pub(super) parcels: Vec<NewParcel>,
    pub(super) numbers: Numbers,
    /// The last sequence of each series.
    pub(super) series: BTreeMap<String, u64>,
    /// The tickets that exist, as far as the batch mentions them, and those that it creates, with their places.
    known: HashMap<TicketNumber, i64>,
    /// The addresses of those who ask for the tickets that existed before.
    requesters: HashMap<i64, String>,
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
    pub(super) correspondents: BTreeSet<(i64, Cow<'e, str>)>,
    /// The tickets of before that change.
    pub(super) touched: BTreeSet<i64>,
    pub(super) statuses: BTreeMap<i64, &'e Status>,
    pub(super) values: BTreeMap<i64, NewValues<'e>>,
    pub(super) participants: Vec<NewParticipant<'e>>,
    /// Those who ask, by their address in lower case.
    pub(super) contacts: BTreeMap<String, &'e Address>,
}

/// The tickets that these entries mention.
pub(super) fn mentioned(entries: &[Entry]) -> BTreeSet<TicketNumber> {
    let changes = entries.iter().filter_map(|entry| accepted(&entry.verdict)).flat_map(|plan| &plan.changes);
    changes.filter_map(Change::existing_ticket).cloned().collect()
}

fn accepted(verdict: &Verdict) -> Option<&Plan> {
    match verdict {
        Verdict::Plan(plan) if plan.outcome == action::Outcome::Accepted => Some(plan),
        Verdict::Plan(_) | Verdict::Quarantine { .. } => None,
    }
}

impl<'e> Draft<'e> {
    /// A draft that begins after these numbers, where these tickets exist, and after what was accepted and sent of late.
    pub(super) fn new(
        numbers: Numbers,
        series: BTreeMap<String, u64>,
        (known, requesters): (HashMap<TicketNumber, i64>, HashMap<i64, String>),
        dispatch: Dispatch<'e>,
        recent: Recent,
    ) -> Self {
        Self { numbers, series, known, requesters, dispatch, recent, ..Self::default() }
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
            withheld: effects.withheld.iter().map(|withheld| withheld.reason.clone()).collect(),
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
        let (mut series, mut own) = (self.series.clone(), HashSet::new());
        for change in &plan.changes {
            if let Change::CreateTicket { series: counted, .. } = change {
                own.insert(next(&mut series, counted));
            }
            let is_known = |ticket: &TicketNumber| own.contains(ticket) || self.known.contains_key(ticket);
            if let Some(ticket) = change.existing_ticket().filter(|ticket| !is_known(ticket)) {
                return Some(format!("ticket {ticket} does not exist"));
            }
        }
        None
    }

    /// Makes the changes, in order, then hangs on the attachments and indexes the message for threading.
    fn carry_out(&mut self, receipt: i64, entry: &'e Entry, plan: &'e Plan) -> sqlx::Result<Effects> {
        let mut effects = Effects::default();
        for (place, change) in plan.changes.iter().enumerate() {
            match change {
                Change::CreateTicket { fields, participants, .. } => {
                    let number = self.create(entry, change)?;
                    for field in fields {
                        self.set_field(self.numbers.ticket, field)?;
                    }
                    self.add_participants(self.numbers.ticket, receipt, participants);
                    effects.created.push(number);
                }
                Change::AddComment { ticket, author, text, visibility } => {
                    let ticket = match ticket {
                        Some(ticket) => self.touch(ticket, &mut effects)?,
                        None => self.place(effects.last_created()?)?,
                    };
                    self.numbers.comment += 1;
                    let id = self.numbers.comment;
                    self.comments.push(NewComment { id, ticket, receipt, author, text, visibility: *visibility });
                    self.meet(author);
                    effects.first_comment.get_or_insert((ticket, id));
                }
                Change::SetStatus { ticket, status } => {
                    let ticket = self.touch(ticket, &mut effects)?;
                    self.set_status(ticket, status);
                }
                Change::SetField { ticket, field } => {
                    let ticket = self.touch(ticket, &mut effects)?;
                    self.set_field(ticket, field)?;
                }
                Change::UpdateTicket { ticket, update } => {
                    let ticket = self.touch(ticket, &mut effects)?;
                    self.update(ticket, update);
                }
                Change::AddParticipants { ticket, participants } => {
                    let ticket = self.touch(ticket, &mut effects)?;
                    self.add_participants(ticket, receipt, participants);
                }
                Change::Send { withheld: Some(_), .. } => {}
                Change::Send { ticket, outgoing, withheld: None } => {
                    let ticket = ticket.clone().or_else(|| effects.created.last().cloned());
                    let cause = Cause { receipt, entry, place, ticket: ticket.as_ref(), number: None, to: None };
                    self.send(cause, outgoing, &mut effects)?;
                }
            }
        }
        self.note(receipt, &effects)?;
        self.attach(entry, &effects)?;
        self.index(entry, &effects)?;
        for ticket in effects.created.iter().chain(&effects.updated) {
            let place = self.place(ticket)?;
            self.correspondents.extend(entry.people.iter().map(|email| (place, Cow::Borrowed(email.as_str()))));
        }
        Ok(effects)
    }

    /// Puts something into the outbox, unless it was sent too much already.
    fn send(&mut self, cause: Cause<'_>, outgoing: &Outgoing, effects: &mut Effects) -> sqlx::Result<()> {
        let number = cause.ticket.map(|ticket| self.place(ticket)).transpose()?;
        let cause = Cause { number, ..cause };
        let Outgoing::Mail(Notice { to: Recipient::Participants, about, .. }) = outgoing else {
            let reason = self.put(cause, outgoing)?;
            let withheld = reason.map(|reason| Withheld { place: cause.place, reason, is_partly: false });
            effects.withheld.extend(withheld);
            return Ok(());
        };
        let mut people = number.map(|ticket| self.participants_of(ticket)).unwrap_or_default();
        // Who wrote the message knows it.
        people.retain(|address| !about.is_from(&address.email));
        let mut reasons = Vec::new();
        for to in &people {
            reasons.extend(self.put(Cause { to: Some(to), ..cause }, outgoing)?);
        }
        let is_partly = reasons.len() < people.len();
        if people.is_empty() {
            reasons.push("nobody else takes part in the ticket".to_owned());
        }
        let told = reasons.into_iter().map(|reason| Withheld { place: cause.place, reason, is_partly });
        effects.withheld.extend(told);
        Ok(())
    }

    /// The same, to one recipient. Why it is not sent, if it is not.
    fn put(&mut self, cause: Cause<'_>, outgoing: &Outgoing) -> sqlx::Result<Option<String>> {
        let ticket = cause.number;
        let subject = ticket
            .and_then(|ticket| self.tickets.get(&ticket).map(Subject::from).or_else(|| self.dispatch.known(ticket)));
        let parcel = match self.dispatch.parcel(cause, subject.as_ref(), outgoing)? {
            Ok(parcel) => parcel,
            Err(reason) => return Ok(Some(reason)),
        };
        // An answer to our mail is found like one to any other message of the conversation.
        if let (Some(id), Some(ticket)) = (&parcel.message_id, ticket) {
            self.index.push((Cow::Owned(id.0.clone()), ticket));
        }
        self.parcels.push(parcel);
        Ok(None)
    }

    /// The place of a ticket that was found before.
    fn place(&self, ticket: &TicketNumber) -> sqlx::Result<i64> {
        let unknown = || super::rows::unknown("tickets.sequence", ticket);
        self.known.get(ticket).copied().ok_or_else(unknown)
    }

    fn create(&mut self, entry: &'e Entry, change: &'e Change) -> sqlx::Result<TicketNumber> {
        let Change::CreateTicket { class, series, status, subject, description, requester, assignment, .. } = change
        else {
            return Err(super::rows::unknown("change", "one that creates no ticket"));
        };
        self.numbers.ticket += 1;
        let (number, job, name) = (self.numbers.ticket, entry.job.as_str(), next(&mut self.series, series));
        let Assignment { person, group } = assignment;
        self.known.insert(name.clone(), number);
        let ticket = NewTicket {
            number,
            name: name.clone(),
            digits: series.digits(),
            class,
            status,
            subject,
            description,
            requester,
            person,
            group,
            job,
        };
        self.tickets.insert(number, ticket);
        self.meet(requester);
        Ok(name)
    }

    /// Who asks is known from now on; of one who was known without a name, the name too.
    fn meet(&mut self, requester: &'e Address) {
        if !requester.email.is_empty() {
            let known = self.contacts.entry(requester.email.to_ascii_lowercase()).or_insert(requester);
            if known.name.is_empty() {
                *known = requester;
            }
        }
    }

    fn touch(&mut self, ticket: &TicketNumber, effects: &mut Effects) -> sqlx::Result<i64> {
        let place = self.place(ticket)?;
        if !self.tickets.contains_key(&place) {
            self.touched.insert(place);
        }
        if !effects.created.contains(ticket) && !effects.updated.contains(ticket) {
            effects.updated.push(ticket.clone());
        }
        Ok(place)
    }

    fn set_status(&mut self, ticket: i64, status: &'e Status) {
        match self.tickets.get_mut(&ticket) {
            Some(new) => new.status = status,
            None => {
                self.statuses.insert(ticket, status);
            }
        }
    }

    fn update(&mut self, ticket: i64, update: &'e Update) {
        fn set<T>(value: &mut T, new: Option<T>) {
            if let Some(new) = new {
                *value = new;
            }
        }
        let Update { subject, status, requester, person, group } = update;
        if let Some(status) = status {
            self.set_status(ticket, status);
        }
        if let Some(requester) = requester {
            self.meet(requester);
        }
        let (subject, person, group) = (subject.as_deref(), person.as_deref(), group.as_deref());
        if let Some(new) = self.tickets.get_mut(&ticket) {
            set(&mut new.subject, subject);
            set(&mut new.requester, requester.as_ref());
            set(&mut new.person, person);
            set(&mut new.group, group);
        } else if subject.is_some() || requester.is_some() || person.is_some() || group.is_some() {
            let values = self.values.entry(ticket).or_default();
            set(&mut values.subject, subject.map(Some));
            set(&mut values.requester, requester.as_ref().map(Some));
            set(&mut values.person, person.map(Some));
            set(&mut values.group, group.map(Some));
        }
    }

    fn add_participants(&mut self, ticket: i64, receipt: i64, participants: &'e [Address]) {
        let requester = self.requester(ticket).to_owned();
        // Whoever asks takes part anyway.
        let others = participants.iter().filter(|address| !address.email.eq_ignore_ascii_case(&requester));
        for address in others {
            // Whoever takes part may follow it up.
            self.correspondents.insert((ticket, Cow::Owned(address.key())));
            self.participants.push(NewParticipant { ticket, receipt, address });
        }
    }

    /// The address of whoever asks for a ticket, as far as the batch has to know it.
    fn requester(&self, ticket: i64) -> &str {
        let new = self.tickets.get(&ticket).map(|new| new.requester);
        let changed = || self.values.get(&ticket).and_then(|values| values.requester);
        let before = || self.requesters.get(&ticket).map_or("", String::as_str);
        new.or_else(changed).map_or_else(before, |requester| requester.email.as_str())
    }

    /// Those who take part in a ticket besides its requester, each once.
    fn participants_of(&self, ticket: i64) -> Vec<Address> {
        let new = self.participants.iter().filter(|new| new.ticket == ticket).map(|new| new.address);
        let mut people: Vec<Address> = Vec::new();
        for address in self.dispatch.participants(ticket).iter().chain(new) {
            if !people.iter().any(|other| other.email.eq_ignore_ascii_case(&address.email)) {
                people.push(address.clone());
            }
        }
        people
    }

    fn set_field(&mut self, ticket: i64, field: &'e field::Entry) -> sqlx::Result<()> {
        self.fields.insert((ticket, &field.name), to_json(&field.value)?);
        Ok(())
    }

    fn note(&mut self, receipt: i64, effects: &Effects) -> sqlx::Result<()> {
        let created = effects.created.iter().map(|ticket| (ticket, "created"));
        let updated = effects.updated.iter().map(|ticket| (ticket, "updated"));
        for (position, (ticket, effect)) in created.chain(updated).enumerate() {
            let (ticket, position) = (self.place(ticket)?, column(position));
            self.effects.push(Effect { receipt, ticket, effect, position });
        }
        Ok(())
    }

    /// Attachments go with the first ticket created, or else with the first comment, or else with the first ticket that
    /// is changed in another way. Where nothing is, they stay in the message.
    fn attach(&mut self, entry: &'e Entry, effects: &Effects) -> sqlx::Result<()> {
        let (ticket, comment) = match (effects.created.first(), effects.first_comment, effects.updated.first()) {
            (Some(ticket), _, _) | (None, None, Some(ticket)) => (self.place(ticket)?, None),
            (None, Some((ticket, comment)), _) => (ticket, Some(comment)),
            (None, None, None) => return Ok(()),
        };
        let attachments = entry.attachments.iter();
        self.attachments.extend(attachments.map(|attachment| NewAttachment { ticket, comment, entry, attachment }));
        Ok(())
    }

    /// Makes answers to this message find the ticket created, or else the ticket updated.
    fn index(&mut self, entry: &'e Entry, effects: &Effects) -> sqlx::Result<()> {
        let ticket = effects.created.first().or_else(|| effects.updated.first());
        if let (Some(message_id), Some(ticket)) = (&entry.message_id, ticket) {
            self.index.push((Cow::Borrowed(&message_id.0), self.place(ticket)?));
        }
        Ok(())
    }
}

/// What the changes of one entry do.
#[derive(Default)]
struct Effects {
    created: Vec<TicketNumber>,
    updated: Vec<TicketNumber>,
    first_comment: Option<(i64, i64)>,
    withheld: Vec<Withheld>,
}

impl Effects {
    fn last_created(&self) -> sqlx::Result<&TicketNumber> {
        self.created.last().ok_or_else(|| super::rows::unknown("change", "one of a new ticket before there is one"))
    }
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

/// The next number of a series, which is given out with it.
fn next(last: &mut BTreeMap<String, u64>, series: &Series) -> TicketNumber {
    let sequence = last.entry(series.prefix().to_owned()).or_default();
    *sequence += 1;
    series.number(*sequence)
}
