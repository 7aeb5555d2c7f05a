//! What a batch sends: which of it may be sent, and what goes into the outbox.

use super::bulk::{self, Insert, VALUES_PER_QUERY};
use super::draft::NewTicket;
use super::rows::{self, now, to_json};
use super::{Entry, Lane, Verdict};
use crate::action::{self, Change};
use crate::message::{Address, MessageId};
use crate::outgoing::{Notice, Outgoing, Parcel, Recipient, Sender, is_mailable, no_recipient, own_address};
use crate::ticket::TicketNumber;
use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use sqlx::{AnyConnection, Row as _};
use std::collections::{BTreeSet, HashMap};

/// What is to be known before anything is sent.
#[derive(Default)]
pub(super) struct Dispatch<'s> {
    sender: Option<&'s Sender>,
    /// The tickets of before that something is sent about.
    tickets: HashMap<i64, Subject>,
    /// Those who take part in tickets of before that all of them are told of.
    participants: HashMap<i64, Vec<Address>>,
    /// How many mails each address got lately, and how many each ticket caused.
    to_address: HashMap<String, u64>,
    about_ticket: HashMap<i64, u64>,
    at: i64,
}

/// A ticket that something is sent about.
#[derive(Clone)]
pub(super) struct Subject {
    class: String,
    status: String,
    subject: String,
    requester: Address,
}

/// A row of the outbox.
pub(super) struct NewParcel {
    key: String,
    receipt: i64,
    ticket: Option<i64>,
    lane: Lane,
    target: String,
    payload_json: String,
    /// Of a mail: what answers to it refer to.
    pub(super) message_id: Option<MessageId>,
}

/// What causes a parcel.
#[derive(Clone, Copy)]
pub(super) struct Cause<'c> {
    pub(super) receipt: i64,
    pub(super) entry: &'c Entry,
    /// The place of the change in its plan.
    pub(super) place: usize,
    pub(super) ticket: Option<&'c TicketNumber>,
    /// The place of that ticket among all.
    pub(super) number: Option<i64>,
    /// The one of several recipients that it goes to.
    pub(super) to: Option<&'c Address>,
}

/// Something that is not sent.
pub(super) struct Withheld {
    /// The place of the change in its plan.
    pub(super) place: usize,
    /// Why not, as a sentence.
    pub(super) reason: String,
    /// Whether it is sent to others.
    pub(super) is_partly: bool,
}

impl From<&NewTicket<'_>> for Subject {
    fn from(ticket: &NewTicket<'_>) -> Self {
        Self {
            class: ticket.class.name().to_owned(),
            status: ticket.status.name().to_owned(),
            subject: ticket.subject.to_owned(),
            requester: ticket.requester.clone(),
        }
    }
}

impl<'s> Dispatch<'s> {
    /// Reads what sending these entries has to know; nothing if they send nothing.
    pub(super) async fn read(
        connection: &mut AnyConnection,
        sender: Option<&'s Sender>,
        entries: &[Entry],
        known: &HashMap<TicketNumber, i64>,
    ) -> sqlx::Result<Self> {
        let mut dispatch = Self { sender, at: now(), ..Self::default() };
        let (mut tickets, mut told, mut addresses) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        let mut is_sending = false;
        for change in entries.iter().flat_map(changes) {
            match change {
                Change::Send { ticket, outgoing, .. } => {
                    is_sending = true;
                    let number = ticket.as_ref().and_then(|ticket| known.get(ticket)).copied();
                    tickets.extend(number);
                    told.extend(number.filter(|_| is_to_participants(outgoing)));
                    addresses.extend(named_recipient(outgoing).map(|address| address.email.to_lowercase()));
                }
                Change::CreateTicket { requester, participants, .. } => {
                    let people = std::iter::once(requester).chain(participants);
                    addresses.extend(people.map(|address| address.email.to_lowercase()));
                }
                Change::AddParticipants { participants, .. } => {
                    addresses.extend(participants.iter().map(|address| address.email.to_lowercase()));
                }
                Change::AddComment { .. }
                | Change::SetStatus { .. }
                | Change::SetField { .. }
                | Change::UpdateTicket { .. } => {}
            }
        }
        if !is_sending {
            return Ok(dispatch);
        }
        dispatch.read_participants(&mut *connection, &told.into_iter().collect::<Vec<i64>>()).await?;
        addresses.extend(dispatch.participants.values().flatten().map(|address| address.email.to_lowercase()));
        let tickets: Vec<i64> = tickets.into_iter().collect();
        dispatch.read_tickets(&mut *connection, &tickets).await?;
        addresses.extend(dispatch.tickets.values().map(|ticket| ticket.requester.email.to_lowercase()));
        let addresses: Vec<String> = addresses.into_iter().collect();
        dispatch.count(connection, &tickets, &addresses).await?;
        Ok(dispatch)
    }

    async fn read_tickets(&mut self, connection: &mut AnyConnection, tickets: &[i64]) -> sqlx::Result<()> {
        let select = "SELECT number, class, status, subject, requester_name, requester_email FROM tickets WHERE number";
        for numbers in tickets.chunks(VALUES_PER_QUERY) {
            let query = bulk::about(select, 1, numbers.len(), "");
            let query = numbers.iter().fold(query, |query, number| query.bind(*number));
            for row in query.fetch_all(&mut *connection).await? {
                let subject = Subject {
                    class: row.try_get("class")?,
                    status: row.try_get("status")?,
                    subject: row.try_get("subject")?,
                    requester: Address { name: row.try_get("requester_name")?, email: row.try_get("requester_email")? },
                };
                self.tickets.insert(row.try_get("number")?, subject);
            }
        }
        Ok(())
    }

    async fn read_participants(&mut self, connection: &mut AnyConnection, tickets: &[i64]) -> sqlx::Result<()> {
        let select = "SELECT ticket, name, email FROM participants WHERE ticket";
        for numbers in tickets.chunks(VALUES_PER_QUERY) {
            let query = bulk::about(select, 1, numbers.len(), "ORDER BY added_at, receipt, address");
            let query = numbers.iter().fold(query, |query, number| query.bind(*number));
            for row in query.fetch_all(&mut *connection).await? {
                let address = Address { name: row.try_get("name")?, email: row.try_get("email")? };
                self.participants.entry(row.try_get("ticket")?).or_default().push(address);
            }
        }
        Ok(())
    }

    /// Counts the mails of the window.
    async fn count(
        &mut self,
        connection: &mut AnyConnection,
        tickets: &[i64],
        addresses: &[String],
    ) -> sqlx::Result<()> {
        let Some(sender) = self.sender else { return Ok(()) };
        let since = self.at.saturating_sub(rows::column(sender.limits.window.as_millis()));
        let head = |column| {
            format!(
                "SELECT {column}, COUNT(*) AS mails FROM outbox WHERE lane = 'mail' AND created_at > $1 AND {column}"
            )
        };
        for addresses in addresses.chunks(VALUES_PER_QUERY) {
            let query = bulk::about(&head("target"), 2, addresses.len(), "GROUP BY target").bind(since);
            let query = addresses.iter().fold(query, |query, address| query.bind(address.as_str()));
            for row in query.fetch_all(&mut *connection).await? {
                self.to_address.insert(row.try_get("target")?, rows::count(&row, "mails")?);
            }
        }
        for tickets in tickets.chunks(VALUES_PER_QUERY) {
            let query = bulk::about(&head("ticket"), 2, tickets.len(), "GROUP BY ticket").bind(since);
            let query = tickets.iter().fold(query, |query, ticket| query.bind(*ticket));
            for row in query.fetch_all(&mut *connection).await? {
                self.about_ticket.insert(row.try_get("ticket")?, rows::count(&row, "mails")?);
            }
        }
        Ok(())
    }

    /// The ticket of before with this number.
    pub(super) fn known(&self, ticket: i64) -> Option<Subject> {
        self.tickets.get(&ticket).cloned()
    }

    /// Those who took part in a ticket before the batch, if all of them are told of it.
    pub(super) fn participants(&self, ticket: i64) -> &[Address] {
        self.participants.get(&ticket).map_or(&[], Vec::as_slice)
    }

    /// What goes into the outbox; or why it is not sent, as a sentence.
    pub(super) fn parcel(
        &mut self,
        cause: Cause<'_>,
        subject: Option<&Subject>,
        outgoing: &Outgoing,
    ) -> sqlx::Result<Result<NewParcel, String>> {
        let key = key(&cause);
        let (lane, target, parcel) = match outgoing {
            Outgoing::Mail(notice) => match self.mail(cause, subject, notice, &key) {
                Ok((target, parcel)) => (Lane::Mail, target, parcel),
                Err(reason) => return Ok(Err(reason)),
            },
            Outgoing::Webhook { name, data } => {
                let body = self.webhook(cause, subject, data).to_string();
                let parcel = Parcel::Webhook { name: name.clone(), id: format!("msg_{key}"), body };
                (Lane::Webhook(name.clone()), name.clone(), parcel)
            }
            Outgoing::Maildir { folder } => {
                // Of the message alone: asked for twice, it is there once.
                let file = format!("{}.{}.mailmill", cause.entry.received_at.seconds.max(0), key_of(cause.entry, &[]));
                let parcel = Parcel::Maildir { folder: folder.clone(), file, original: digest(cause.entry)? };
                (Lane::Maildir, folder.clone(), parcel)
            }
        };
        let message_id = match &parcel {
            Parcel::Mail(mail) => Some(mail.message_id.clone()),
            Parcel::Webhook { .. } | Parcel::Maildir { .. } => None,
        };
        let mut parcel = parcel;
        if let (Parcel::Mail(mail), Outgoing::Mail(Notice { forwards: true, .. })) = (&mut parcel, outgoing) {
            mail.original = Some(digest(cause.entry)?);
        }
        let payload_json = to_json(&parcel)?;
        let ticket = cause.number;
        Ok(Ok(NewParcel { key, receipt: cause.receipt, ticket, lane, target, payload_json, message_id }))
    }

    /// A mail and its address in lower case.
    fn mail(
        &mut self,
        cause: Cause<'_>,
        subject: Option<&Subject>,
        notice: &Notice,
        key: &str,
    ) -> Result<(String, Parcel), String> {
        let Some(sender) = self.sender else { return Err("no mail server is set".to_owned()) };
        let to = match (cause.to, &notice.to) {
            (Some(address), _) | (None, Recipient::Address(address)) => address.clone(),
            (None, Recipient::Requester) => match subject {
                Some(subject) => subject.requester.clone(),
                None => return Err("there is no ticket, and so no requester".to_owned()),
            },
            (None, Recipient::Participants) => return Err("there is no ticket, and so nobody takes part".to_owned()),
            (None, Recipient::Nobody { given }) => return Err(no_recipient(given)),
        };
        if to.email.is_empty() {
            return Err("the requester's address is not known".to_owned());
        }
        if !is_mailable(&to.email) {
            return Err(format!("\"{}\" is no address that mail can be sent to", to.email));
        }
        if sender.own_addresses.has(&to.email) {
            return Err(own_address(&to.email));
        }
        let target = to.email.to_lowercase();
        let is_answer = match &notice.to {
            Recipient::Requester | Recipient::Participants => true,
            Recipient::Address(_) | Recipient::Nobody { .. } => notice.about.is_from(&target),
        };
        self.brake(&target, cause.ticket.zip(cause.number), is_answer)?;
        let mail = sender.mail(notice, to, cause.ticket, key, self.at.div_euclid(1000));
        Ok((target, Parcel::Mail(mail)))
    }

    /// Counts a mail, unless there were too many.
    fn brake(&mut self, target: &str, ticket: Option<(&TicketNumber, i64)>, is_answer: bool) -> Result<(), String> {
        let Some(limits) = self.sender.map(|sender| sender.limits) else { return Ok(()) };
        let minutes = limits.window.as_secs().div_ceil(60);
        let count = self.to_address.get(target).copied().unwrap_or_default();
        if is_answer && count >= limits.per_sender {
            return Err(format!(
                "{target} was written to {count} times within the last {minutes} minutes, and more is not allowed \
                 (answers_per_sender_max); two programs might be answering each other"
            ));
        }
        if count >= limits.per_address {
            return Err(format!(
                "{target} was written to {count} times within the last {minutes} minutes, and more is not allowed \
                 (mails_per_address_max); mail might be going round in circles"
            ));
        }
        if let Some((ticket, number)) = ticket {
            let count = self.about_ticket.get(&number).copied().unwrap_or_default();
            if is_answer && count >= limits.per_ticket {
                return Err(format!(
                    "{count} mails were sent about {ticket} within the last {minutes} minutes, and nobody is answered about \
                     it any more (mails_per_ticket_max); two programs might be answering each other"
                ));
            }
            *self.about_ticket.entry(number).or_default() += 1;
        }
        *self.to_address.entry(target.to_owned()).or_default() += 1;
        Ok(())
    }

    /// The body of a webhook's call: type, timestamp and data, as Standard Webhooks recommends.
    fn webhook(&self, cause: Cause<'_>, subject: Option<&Subject>, data: &Value) -> Value {
        let ticket = cause.ticket.map(|ticket| {
            let known = subject.map(|it| json!({
                "number": ticket, "class": it.class, "status": it.status, "subject": it.subject, "requester": it.requester,
            }));
            known.unwrap_or_else(|| json!({ "number": ticket }))
        });
        let mut message = data.get("message").cloned().unwrap_or_default();
        if let Some(message) = message.as_object_mut() {
            message.insert("job".to_owned(), json!(cause.entry.job));
            message.insert("receipt".to_owned(), json!(cause.receipt));
        }
        let at = Timestamp::from_millisecond(self.at).unwrap_or_default();
        json!({
            "type": data.get("event"),
            "timestamp": at.to_string(),
            "data": {
                "ticket": ticket, "message": message, "fields": data.get("fields"), "text": data.get("text"),
            },
        })
    }
}

const OUTBOX: Insert = Insert {
    table: "outbox",
    columns: &[
        "idempotency_key",
        "receipt",
        "ticket",
        "lane",
        "target",
        "payload_json",
        "state",
        "next_attempt_at",
        "created_at",
    ],
    end: "ON CONFLICT (idempotency_key) DO NOTHING",
};

/// Writes what is to be sent.
pub(super) async fn write(connection: &mut AnyConnection, parcels: &[NewParcel], at: i64) -> sqlx::Result<()> {
    let statements = OUTBOX.all(parcels, |query, parcel| {
        query
            .bind(parcel.key.as_str())
            .bind(parcel.receipt)
            .bind(parcel.ticket)
            .bind(parcel.lane.to_string())
            .bind(parcel.target.as_str())
            .bind(parcel.payload_json.as_str())
            .bind("waiting")
            .bind(at)
            .bind(at)
    });
    bulk::run(connection, statements).await
}

/// The report of a run, with the reasons why something is not sent after all: with its change, or, where only some do not
/// get it, as a warning.
pub(super) fn with_reasons(report: &str, withheld: &[Withheld]) -> sqlx::Result<String> {
    let mut report: Value = rows::parse_json("report_json", report)?;
    for Withheld { place, reason, is_partly } in withheld {
        if *is_partly {
            if let Some(warnings) = report.pointer_mut("/warnings").and_then(Value::as_array_mut) {
                warnings.push(json!(format!("not sent to all participants: {reason}")));
            }
        } else if let Some(change) =
            report.pointer_mut(&format!("/plan/changes/{place}")).and_then(Value::as_object_mut)
        {
            let told = change.get("withheld").and_then(Value::as_str);
            let told = told.map_or_else(|| reason.clone(), |before| format!("{before}; {reason}"));
            change.insert("withheld".to_owned(), json!(told));
        }
    }
    to_json(&report)
}

fn changes(entry: &Entry) -> &[Change] {
    match &entry.verdict {
        Verdict::Plan(plan) if plan.outcome == action::Outcome::Accepted => &plan.changes,
        Verdict::Plan(_) | Verdict::Quarantine { .. } => &[],
    }
}

fn named_recipient(outgoing: &Outgoing) -> Option<&Address> {
    match outgoing {
        Outgoing::Mail(Notice { to: Recipient::Address(address), .. }) => Some(address),
        Outgoing::Mail(_) | Outgoing::Webhook { .. } | Outgoing::Maildir { .. } => None,
    }
}

fn is_to_participants(outgoing: &Outgoing) -> bool {
    matches!(outgoing, Outgoing::Mail(Notice { to: Recipient::Participants, .. }))
}

/// What makes a parcel unique: the message, the place in its plan, and which of several recipients gets it.
fn key(cause: &Cause<'_>) -> String {
    let place = cause.place.to_string();
    match cause.to {
        Some(to) => key_of(cause.entry, &[&place, &to.email.to_lowercase()]),
        None => key_of(cause.entry, &[&place]),
    }
}

fn key_of(entry: &Entry, more: &[&str]) -> String {
    let key = &entry.key;
    let validity = key.uid_validity.to_string();
    let mut digest = Sha256::new();
    for part in [entry.job.as_str(), &key.mailbox, &validity, &key.uid].iter().chain(more) {
        digest.update(part.len().to_be_bytes());
        digest.update(part.as_bytes());
    }
    digest.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

fn digest(entry: &Entry) -> sqlx::Result<String> {
    Ok(super::Sha256(entry.raw.sha256().map_err(super::bytes::failed)?).to_string())
}
