//! Reading tickets, for people.

use super::draft::number;
use super::rows;
use super::{AttachmentRow, CommentRow, ROWS_MAX, TicketDetail, TicketFilter, TicketRow};
use crate::field;
use crate::message::Address;
use crate::ticket::{Status, TicketClass, TicketNumber, Visibility};
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};

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
