//! Carrying out a plan: the changes to tickets, inside the transaction that writes the receipt.

use super::Entry;
use super::bytes::{self, Kind};
use super::rows::{column, to_json};
use crate::action::Change;
use crate::field;
use crate::message::{Address, Attachment};
use crate::ticket::{Status, TicketClass, TicketNumber, Visibility};
use sqlx::{AnyConnection, Row};

/// Why an entry could not be recorded.
pub(super) enum Failure {
    /// A change cannot be made, whatever the state of the database: the entry belongs into quarantine.
    Refused(String),
    /// The database failed: the whole batch is off.
    Database(sqlx::Error),
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}

/// What the changes of one entry did.
#[derive(Default)]
pub(super) struct Effects {
    pub(super) created: Vec<TicketNumber>,
    pub(super) updated: Vec<TicketNumber>,
    first_comment: Option<(TicketNumber, i64)>,
}

/// Where an entry's changes are made.
pub(super) struct Changing<'c> {
    pub(super) connection: &'c mut AnyConnection,
    pub(super) entry: &'c Entry,
    pub(super) receipt: i64,
    pub(super) at: i64,
}

impl Changing<'_> {
    /// Makes the changes, in order, then stores the attachments and indexes the message for threading.
    pub(super) async fn apply(&mut self, changes: &[Change]) -> Result<Effects, Failure> {
        let mut effects = Effects::default();
        for change in changes {
            self.change(change, &mut effects).await?;
        }
        self.record_effects(&effects).await?;
        self.attach(&effects).await?;
        self.index(&effects).await?;
        Ok(effects)
    }

    async fn change(&mut self, change: &Change, effects: &mut Effects) -> Result<(), Failure> {
        match change {
            Change::CreateTicket { class, subject, description, requester, fields } => {
                let number = self.create(*class, subject, description, requester).await?;
                for field in fields {
                    self.set_field(&number, field).await?;
                }
                effects.created.push(number);
            }
            Change::AddComment { ticket, author, text, visibility } => {
                self.touch(ticket, effects).await?;
                let comment = self.comment(ticket, author, text, *visibility).await?;
                effects.first_comment.get_or_insert((ticket.clone(), comment));
            }
            Change::SetStatus { ticket, status } => {
                self.touch(ticket, effects).await?;
                self.set_status(ticket, *status).await?;
            }
            Change::SetField { ticket, field } => {
                self.touch(ticket, effects).await?;
                self.set_field(ticket, field).await?;
            }
        }
        Ok(())
    }

    async fn create(
        &mut self,
        class: TicketClass,
        subject: &str,
        description: &str,
        requester: &Address,
    ) -> Result<TicketNumber, Failure> {
        let next = "UPDATE counters SET value = value + 1 WHERE name = 'ticket' RETURNING value";
        let sequence: i64 = sqlx::query(next).fetch_one(&mut *self.connection).await?.try_get("value")?;
        let insert = "INSERT INTO tickets (number, class, status, subject, description, requester_name, \
                      requester_email, job, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
        sqlx::query(insert)
            .bind(sequence)
            .bind(class.name())
            .bind(Status::New.name())
            .bind(subject)
            .bind(description)
            .bind(requester.name.as_str())
            .bind(requester.email.as_str())
            .bind(self.entry.job.as_str())
            .bind(self.at)
            .bind(self.at)
            .execute(&mut *self.connection)
            .await?;
        u64::try_from(sequence)
            .map(TicketNumber::new)
            .map_err(|_| super::rows::unknown("counters.value", sequence).into())
    }

    /// Notes that a ticket changes; refuses if there is none.
    async fn touch(&mut self, ticket: &TicketNumber, effects: &mut Effects) -> Result<(), Failure> {
        let update = "UPDATE tickets SET updated_at = $1 WHERE number = $2";
        let touched = sqlx::query(update)
            .bind(self.at)
            .bind(number(ticket))
            .execute(&mut *self.connection)
            .await?
            .rows_affected();
        if touched == 0 {
            return Err(Failure::Refused(format!("ticket {ticket} does not exist")));
        }
        if !effects.created.contains(ticket) && !effects.updated.contains(ticket) {
            effects.updated.push(ticket.clone());
        }
        Ok(())
    }

    async fn comment(
        &mut self,
        ticket: &TicketNumber,
        author: &Address,
        text: &str,
        visibility: Visibility,
    ) -> Result<i64, Failure> {
        let insert = "INSERT INTO comments (ticket, receipt, author_name, author_email, text, visibility, created_at) \
                      VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING id";
        let row = sqlx::query(insert)
            .bind(number(ticket))
            .bind(self.receipt)
            .bind(author.name.as_str())
            .bind(author.email.as_str())
            .bind(text)
            .bind(visibility.name())
            .bind(self.at)
            .fetch_one(&mut *self.connection)
            .await?;
        Ok(row.try_get("id")?)
    }

    async fn set_status(&mut self, ticket: &TicketNumber, status: Status) -> Result<(), Failure> {
        let update = "UPDATE tickets SET status = $1 WHERE number = $2";
        sqlx::query(update).bind(status.name()).bind(number(ticket)).execute(&mut *self.connection).await?;
        Ok(())
    }

    async fn set_field(&mut self, ticket: &TicketNumber, field: &field::Entry) -> Result<(), Failure> {
        let upsert = "INSERT INTO ticket_fields (ticket, name, value_json) VALUES ($1, $2, $3) \
                      ON CONFLICT (ticket, name) DO UPDATE SET value_json = excluded.value_json";
        sqlx::query(upsert)
            .bind(number(ticket))
            .bind(field.name.as_str())
            .bind(to_json(&field.value)?)
            .execute(&mut *self.connection)
            .await?;
        Ok(())
    }

    async fn record_effects(&mut self, effects: &Effects) -> Result<(), Failure> {
        let insert = "INSERT INTO receipt_tickets (receipt, ticket, effect, position) VALUES ($1, $2, $3, $4)";
        let created = effects.created.iter().map(|ticket| (ticket, "created"));
        let updated = effects.updated.iter().map(|ticket| (ticket, "updated"));
        for (position, (ticket, effect)) in created.chain(updated).enumerate() {
            sqlx::query(insert)
                .bind(self.receipt)
                .bind(number(ticket))
                .bind(effect)
                .bind(column(position))
                .execute(&mut *self.connection)
                .await?;
        }
        Ok(())
    }

    /// Stores the attachments with the first ticket created, or else with the first comment. Where there is neither,
    /// they stay in the message.
    async fn attach(&mut self, effects: &Effects) -> Result<(), Failure> {
        let place = match (effects.created.first(), &effects.first_comment) {
            (Some(ticket), _) => Some((ticket, None)),
            (None, Some((ticket, comment))) => Some((ticket, Some(*comment))),
            (None, None) => None,
        };
        let Some((ticket, comment)) = place else { return Ok(()) };
        for attachment in &self.entry.attachments {
            self.attach_one(ticket, comment, attachment).await?;
        }
        Ok(())
    }

    async fn attach_one(
        &mut self,
        ticket: &TicketNumber,
        comment: Option<i64>,
        attachment: &Attachment,
    ) -> Result<(), Failure> {
        let sha256 = bytes::put(&mut *self.connection, Kind::Blob, &attachment.content).await?;
        let insert = "INSERT INTO attachments (ticket, comment, name, media_type, content_id, inline, size, sha256) \
                      VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
        sqlx::query(insert)
            .bind(number(ticket))
            .bind(comment)
            .bind(attachment.name.as_str())
            .bind(attachment.media_type.as_str())
            .bind(attachment.content_id.as_str())
            .bind(i64::from(attachment.inline))
            .bind(column(attachment.content.len()))
            .bind(sha256.0.as_slice())
            .execute(&mut *self.connection)
            .await?;
        Ok(())
    }

    /// Makes answers to this message find the ticket created, or else the ticket updated.
    async fn index(&mut self, effects: &Effects) -> Result<(), Failure> {
        let ticket = effects.created.first().or_else(|| effects.updated.first());
        if let (Some(message_id), Some(ticket)) = (&self.entry.message_id, ticket) {
            let insert =
                "INSERT INTO thread_index (message_id, ticket) VALUES ($1, $2) ON CONFLICT (message_id) DO NOTHING";
            sqlx::query(insert).bind(message_id.0.as_str()).bind(number(ticket)).execute(&mut *self.connection).await?;
        }
        Ok(())
    }
}

/// A ticket's number as a column; one that is too large for it matches no row.
pub(super) fn number(ticket: &TicketNumber) -> i64 {
    column(ticket.sequence())
}
