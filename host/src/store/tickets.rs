//! Reading tickets, for people.

use super::bulk::{self, VALUES_PER_QUERY};
use super::rows::{self, column};
use super::{AttachmentRow, CommentRow, ROWS_MAX, TicketDetail, TicketFilter, TicketRow};
use crate::action::Assignment;
use crate::field;
use crate::message::Address;
use crate::ticket::{Status, TicketClass, TicketNumber, Visibility};
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};
use std::collections::{BTreeMap, BTreeSet};

/// Rows about these tickets, as far as they exist: these columns, and those that make the number.
pub(super) async fn rows_of(
    connection: &mut AnyConnection,
    columns: &str,
    tickets: &BTreeSet<TicketNumber>,
) -> sqlx::Result<Vec<AnyRow>> {
    let mut by_prefix: BTreeMap<&str, Vec<i64>> = BTreeMap::new();
    for ticket in tickets {
        by_prefix.entry(ticket.prefix()).or_default().push(column(ticket.sequence()));
    }
    let mut rows = Vec::new();
    let select = format!("SELECT {columns}, prefix, digits, sequence FROM tickets WHERE prefix = $1 AND sequence");
    for (prefix, sequences) in by_prefix {
        for sequences in sequences.chunks(VALUES_PER_QUERY) {
            let query = bulk::about(&select, 2, sequences.len(), "").bind(prefix);
            let query = sequences.iter().fold(query, |query, sequence| query.bind(*sequence));
            rows.extend(query.fetch_all(&mut *connection).await?);
        }
    }
    Ok(rows)
}

fn row_text(row: &AnyRow, column: &str) -> sqlx::Result<String> {
    row.try_get(column)
}

pub(super) fn class(row: &AnyRow) -> sqlx::Result<TicketClass> {
    Ok(TicketClass::new(&row_text(row, "class")?))
}

pub(super) fn status(row: &AnyRow) -> sqlx::Result<Status> {
    Ok(Status::new(&row_text(row, "status")?))
}

/// The tickets that match, latest first.
pub(super) async fn list(connection: &mut AnyConnection, filter: &TicketFilter) -> sqlx::Result<Vec<TicketRow>> {
    // Not the descriptions, which are long.
    let select = "SELECT prefix, digits, sequence, class, status, subject, requester_name, requester_email, \
                  contacts.name AS contact, assigned_person, assigned_group, job, created_at, updated_at FROM tickets \
                  LEFT JOIN contacts ON address = lower(requester_email) \
                  WHERE (CAST($1 AS TEXT) IS NULL OR status = $1) \
                  AND (CAST($2 AS TEXT) IS NULL OR class = $2) AND (CAST($3 AS TEXT) IS NULL OR job = $3) \
                  AND (CAST($4 AS TEXT) IS NULL OR \
                       number < (SELECT before.number FROM tickets before WHERE before.prefix = $4 AND before.sequence = $5)) \
                  ORDER BY number DESC LIMIT $6";
    let rows = sqlx::query(select)
        .bind(filter.status.as_ref().map(Status::name))
        .bind(filter.class.as_ref().map(TicketClass::name))
        .bind(filter.job.as_deref())
        .bind(filter.before.as_ref().map(TicketNumber::prefix))
        .bind(filter.before.as_ref().map(|before| column(before.sequence())))
        .bind(i64::from(filter.limit.unwrap_or(ROWS_MAX)))
        .fetch_all(connection)
        .await?;
    rows.iter().map(ticket_row).collect()
}

fn ticket_row(row: &AnyRow) -> sqlx::Result<TicketRow> {
    let name: String = row.try_get("requester_name")?;
    let known: Option<String> = row.try_get("contact")?;
    let name = if name.is_empty() { known.unwrap_or_default() } else { name };
    Ok(TicketRow {
        number: rows::ticket(row)?,
        class: class(row)?,
        status: status(row)?,
        subject: row.try_get("subject")?,
        requester: Address { name, email: row.try_get("requester_email")? },
        assignment: Assignment { person: row.try_get("assigned_person")?, group: row.try_get("assigned_group")? },
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
    let select = "SELECT tickets.*, contacts.name AS contact FROM tickets \
                  LEFT JOIN contacts ON address = lower(requester_email) WHERE prefix = $1 AND sequence = $2";
    let query = sqlx::query(select).bind(ticket.prefix()).bind(column(ticket.sequence()));
    let Some(row) = query.fetch_optional(&mut *connection).await? else { return Ok(None) };
    let number: i64 = row.try_get("number")?;
    Ok(Some(TicketDetail {
        ticket: ticket_row(&row)?,
        description: row.try_get("description")?,
        fields: fields(connection, number).await?,
        participants: participants(connection, number).await?,
        comments: comments(connection, number).await?,
        attachments: attachments(connection, number).await?,
    }))
}

async fn participants(connection: &mut AnyConnection, ticket: i64) -> sqlx::Result<Vec<Address>> {
    let select = "SELECT name, email FROM participants WHERE ticket = $1 ORDER BY added_at, receipt, address LIMIT $2";
    let rows = sqlx::query(select).bind(ticket).bind(i64::from(ROWS_MAX)).fetch_all(connection).await?;
    rows.iter().map(|row| Ok(Address { name: row.try_get("name")?, email: row.try_get("email")? })).collect()
}

async fn fields(connection: &mut AnyConnection, ticket: i64) -> sqlx::Result<Vec<field::Entry>> {
    let select = "SELECT name, value_json FROM ticket_fields WHERE ticket = $1 ORDER BY name";
    let rows = sqlx::query(select).bind(ticket).fetch_all(connection).await?;
    rows.iter()
        .map(|row| Ok(field::Entry { name: row.try_get("name")?, value: rows::json(row, "value_json")? }))
        .collect()
}

async fn comments(connection: &mut AnyConnection, ticket: i64) -> sqlx::Result<Vec<CommentRow>> {
    let select = "SELECT * FROM comments WHERE ticket = $1 ORDER BY id LIMIT $2";
    let rows = sqlx::query(select).bind(ticket).bind(i64::from(ROWS_MAX)).fetch_all(connection).await?;
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

async fn attachments(connection: &mut AnyConnection, ticket: i64) -> sqlx::Result<Vec<AttachmentRow>> {
    let select = "SELECT * FROM attachments WHERE ticket = $1 ORDER BY id LIMIT $2";
    let rows = sqlx::query(select).bind(ticket).bind(i64::from(ROWS_MAX)).fetch_all(connection).await?;
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
