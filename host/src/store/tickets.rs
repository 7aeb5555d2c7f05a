//! Reading tickets: for people, and for threading.

use super::bulk;
use super::draft::number;
use super::rows;
use super::{AttachmentRow, CommentRow, ROWS_MAX, TicketDetail, TicketFilter, TicketRow};
use crate::field;
use crate::message::{Address, MessageId};
use crate::thread::{BaseSubject, Conversation, ThreadKeys};
use crate::ticket::{Status, TicketClass, TicketNumber, TicketSummary, Visibility};
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};
use std::collections::{BTreeSet, HashMap};

/// How many tags and how many Message-IDs of one message are looked up, the first ones.
const THREAD_KEYS_MAX: usize = 100;

/// The conversation that these keys lead to: the first ticket tag that exists, or else the first Message-ID known.
pub(super) async fn conversation(connection: &mut AnyConnection, keys: &ThreadKeys) -> sqlx::Result<Conversation> {
    // A ticket that is over counts only if no other is found: its tag stays in subjects for ever.
    let mut inactive = Conversation::New;
    let tagged = by_number(connection, keys).await?;
    for ticket in keys.tickets.iter().take(THREAD_KEYS_MAX) {
        let found = tagged.get(&number(ticket)).cloned();
        if let Some(active) = found.and_then(|found| active_or(found, &mut inactive)) {
            return Ok(active);
        }
    }
    let known = by_message_id(connection, keys).await?;
    let answered = keys.answered.iter().take(THREAD_KEYS_MAX).filter_map(|id| known.get(id.0.as_str()));
    let mentioned = keys.references.iter().take(THREAD_KEYS_MAX).filter_map(|id| known.get(id.0.as_str()));
    let mentioned = mentioned.filter(|(_, subject)| BaseSubject::of(subject) == keys.subject);
    for (found, _) in answered.chain(mentioned) {
        if let Some(active) = active_or(found.clone(), &mut inactive) {
            return Ok(active);
        }
    }
    Ok(inactive)
}

/// The conversation of this ticket if it is active; else it is noted, unless one was noted before.
fn active_or(found: Conversation, inactive: &mut Conversation) -> Option<Conversation> {
    if matches!(found, Conversation::Active(_)) {
        return Some(found);
    }
    if *inactive == Conversation::New {
        *inactive = found;
    }
    None
}

/// The tickets whose tags a message bears.
async fn by_number(connection: &mut AnyConnection, keys: &ThreadKeys) -> sqlx::Result<HashMap<i64, Conversation>> {
    let numbers: Vec<i64> = keys.tickets.iter().take(THREAD_KEYS_MAX).map(number).collect();
    if numbers.is_empty() {
        return Ok(HashMap::new());
    }
    let query = bulk::about("SELECT number, class, status FROM tickets WHERE number", 1, numbers.len(), "");
    let query = numbers.iter().fold(query, |query, number| query.bind(*number));
    let rows = query.fetch_all(connection).await?;
    rows.iter().map(|row| Ok((row.try_get("number")?, follow_up(row)?))).collect()
}

/// The tickets that the messages which a message answers or mentions belong to, with their subjects.
async fn by_message_id(
    connection: &mut AnyConnection,
    keys: &ThreadKeys,
) -> sqlx::Result<HashMap<String, (Conversation, String)>> {
    let of = |ids: &'_ [MessageId]| ids.iter().take(THREAD_KEYS_MAX).map(|id| id.0.clone()).collect::<BTreeSet<_>>();
    let ids = &of(&keys.answered) | &of(&keys.references);
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let select = "SELECT message_id, number, class, status, subject FROM tickets JOIN thread_index ON ticket = number \
                  WHERE message_id";
    let query = bulk::about(select, 1, ids.len(), "");
    let query = ids.iter().fold(query, |query, id| query.bind(id.as_str()));
    let rows = query.fetch_all(connection).await?;
    rows.iter().map(|row| Ok((row.try_get("message_id")?, (follow_up(row)?, row.try_get("subject")?)))).collect()
}

fn follow_up(row: &AnyRow) -> sqlx::Result<Conversation> {
    let summary = TicketSummary {
        number: rows::ticket(row, "number")?,
        class: rows::named(row, "class", TicketClass::parse)?,
        status: rows::named(row, "status", Status::parse)?,
    };
    let over = summary.status.is_terminal();
    Ok(if over { Conversation::Inactive(summary) } else { Conversation::Active(summary) })
}

/// The tickets that match, latest first.
pub(super) async fn list(connection: &mut AnyConnection, filter: &TicketFilter) -> sqlx::Result<Vec<TicketRow>> {
    let select = "SELECT number, class, status, subject, requester_name, requester_email, job, created_at, updated_at \
                  FROM tickets WHERE (CAST($1 AS TEXT) IS NULL OR status = $1) \
                  AND (CAST($2 AS TEXT) IS NULL OR class = $2) AND (CAST($3 AS TEXT) IS NULL OR job = $3) \
                  AND number < $4 ORDER BY number DESC LIMIT $5";
    let rows = sqlx::query(select)
        .bind(filter.status.map(Status::name))
        .bind(filter.class.map(TicketClass::name))
        .bind(filter.job.as_deref())
        .bind(filter.before.as_ref().map_or(i64::MAX, number))
        .bind(i64::from(filter.limit.unwrap_or(ROWS_MAX)))
        .fetch_all(connection)
        .await?;
    rows.iter().map(ticket_row).collect()
}

fn ticket_row(row: &AnyRow) -> sqlx::Result<TicketRow> {
    Ok(TicketRow {
        number: rows::ticket(row, "number")?,
        class: rows::named(row, "class", TicketClass::parse)?,
        status: rows::named(row, "status", Status::parse)?,
        subject: row.try_get("subject")?,
        requester: Address { name: row.try_get("requester_name")?, email: row.try_get("requester_email")? },
        job: row.try_get("job")?,
        created_at: rows::timestamp(row, "created_at")?,
        updated_at: rows::timestamp(row, "updated_at")?,
    })
}

/// One ticket with everything on it.
pub(super) async fn detail(
    connection: &mut AnyConnection,
    ticket: &TicketNumber,
) -> sqlx::Result<Option<TicketDetail>> {
    let select = "SELECT * FROM tickets WHERE number = $1";
    let Some(row) = sqlx::query(select).bind(number(ticket)).fetch_optional(&mut *connection).await? else {
        return Ok(None);
    };
    Ok(Some(TicketDetail {
        ticket: ticket_row(&row)?,
        description: row.try_get("description")?,
        fields: fields(connection, ticket).await?,
        comments: comments(connection, ticket).await?,
        attachments: attachments(connection, ticket).await?,
    }))
}

async fn fields(connection: &mut AnyConnection, ticket: &TicketNumber) -> sqlx::Result<Vec<field::Entry>> {
    let select = "SELECT name, value_json FROM ticket_fields WHERE ticket = $1 ORDER BY name";
    let rows = sqlx::query(select).bind(number(ticket)).fetch_all(connection).await?;
    rows.iter()
        .map(|row| Ok(field::Entry { name: row.try_get("name")?, value: rows::json(row, "value_json")? }))
        .collect()
}

async fn comments(connection: &mut AnyConnection, ticket: &TicketNumber) -> sqlx::Result<Vec<CommentRow>> {
    let select = "SELECT * FROM comments WHERE ticket = $1 ORDER BY id LIMIT $2";
    let rows = sqlx::query(select).bind(number(ticket)).bind(i64::from(ROWS_MAX)).fetch_all(connection).await?;
    rows.iter()
        .map(|row| {
            Ok(CommentRow {
                id: row.try_get("id")?,
                receipt: row.try_get("receipt")?,
                author: Address { name: row.try_get("author_name")?, email: row.try_get("author_email")? },
                text: row.try_get("text")?,
                visibility: rows::named(row, "visibility", Visibility::parse)?,
                created_at: rows::timestamp(row, "created_at")?,
            })
        })
        .collect()
}

async fn attachments(connection: &mut AnyConnection, ticket: &TicketNumber) -> sqlx::Result<Vec<AttachmentRow>> {
    let select = "SELECT * FROM attachments WHERE ticket = $1 ORDER BY id LIMIT $2";
    let rows = sqlx::query(select).bind(number(ticket)).bind(i64::from(ROWS_MAX)).fetch_all(connection).await?;
    rows.iter()
        .map(|row| {
            Ok(AttachmentRow {
                comment: row.try_get("comment")?,
                name: row.try_get("name")?,
                media_type: row.try_get("media_type")?,
                content_id: row.try_get("content_id")?,
                inline: row.try_get::<i64, _>("inline")? != 0,
                size: rows::count(row, "size")?,
                sha256: rows::sha256(row)?,
            })
        })
        .collect()
}
