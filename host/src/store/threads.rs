//! What threading asks: which tickets a message refers to, and who of its authors was on their mail.

use super::bulk;
use super::rows;
use super::tickets::{class, rows_of, status};
use crate::message::MessageId;
use crate::thread::{self, AUTHORS_MAX, BaseSubject, Candidate, Conversation, Link, ThreadKeys};
use crate::ticket::{Classes, TicketNumber, TicketSummary};
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};
use std::collections::{BTreeSet, HashMap};

/// How many tags and how many Message-IDs of one message are looked up, the first ones.
const THREAD_KEYS_MAX: usize = 100;

/// A ticket as it was found.
#[derive(Clone)]
struct Found {
    conversation: Conversation,
    number: i64,
    subject: String,
    requester: String,
}

/// The tickets that these keys lead to, each once, the most trustworthy link first: tags, answered messages, mentioned
/// messages. With each come those of `authors` (addresses in lower case) who were on its mail.
pub(super) async fn candidates(
    connection: &mut AnyConnection,
    keys: &ThreadKeys,
    authors: &[String],
    classes: &Classes,
) -> sqlx::Result<Vec<Candidate>> {
    let tagged = by_number(connection, keys, classes).await?;
    let known = by_message_id(connection, keys, classes).await?;
    let tags = keys.tickets.iter().take(THREAD_KEYS_MAX).enumerate();
    // With fewer digits than it was given, a number is none.
    let tagged = |ticket: &TicketNumber| {
        tagged.get_key_value(ticket).filter(|(known, _)| ticket.digits() >= known.digits()).map(|(_, found)| found)
    };
    let tags = tags.filter_map(|(place, ticket)| Some((thread::link_of_tag(keys, place), tagged(ticket)?)));
    let find = |id: &MessageId| known.get(id.0.as_str());
    let answered = keys.answered.iter().take(THREAD_KEYS_MAX).filter_map(find).map(|found| (Link::Reply, found));
    let mentioned = keys.references.iter().take(THREAD_KEYS_MAX).filter_map(find);
    let mentioned = mentioned.filter(|found| BaseSubject::of(&found.subject) == keys.subject);
    let mut unique: Vec<(Link, &Found)> = Vec::new();
    for (link, found) in tags.chain(answered).chain(mentioned.map(|found| (Link::Reference, found))) {
        if unique.iter().all(|(_, other)| other.number != found.number) {
            unique.push((link, found));
        }
    }
    let numbers: Vec<i64> = unique.iter().map(|(_, found)| found.number).collect();
    let mut correspondents = correspondents(connection, &numbers, authors).await?;
    let candidate = |(link, found): (Link, &Found)| {
        Some(Candidate {
            ticket: found.conversation.ticket()?.number.clone(),
            conversation: found.conversation.clone(),
            link,
            requester: found.requester.clone(),
            correspondents: correspondents.remove(&found.number).unwrap_or_default(),
        })
    };
    Ok(unique.into_iter().filter_map(candidate).collect())
}

/// Those of these authors who were on the mail of these tickets.
async fn correspondents(
    connection: &mut AnyConnection,
    tickets: &[i64],
    authors: &[String],
) -> sqlx::Result<HashMap<i64, Vec<String>>> {
    let mut found: HashMap<i64, Vec<String>> = HashMap::new();
    if tickets.is_empty() {
        return Ok(found);
    }
    for author in authors.iter().take(AUTHORS_MAX) {
        let select = "SELECT ticket FROM correspondents WHERE email = $1 AND ticket";
        let query = bulk::about(select, 2, tickets.len(), "").bind(author.as_str());
        let query = tickets.iter().fold(query, |query, ticket| query.bind(*ticket));
        for row in query.fetch_all(&mut *connection).await? {
            found.entry(row.try_get("ticket")?).or_default().push(author.clone());
        }
    }
    Ok(found)
}

/// The tickets whose tags a message bears.
async fn by_number(
    connection: &mut AnyConnection,
    keys: &ThreadKeys,
    classes: &Classes,
) -> sqlx::Result<HashMap<TicketNumber, Found>> {
    let numbers: BTreeSet<TicketNumber> = keys.tickets.iter().take(THREAD_KEYS_MAX).cloned().collect();
    let rows = rows_of(connection, "number, class, status, subject, requester_email", &numbers).await?;
    rows.iter().map(|row| Ok((rows::ticket(row)?, found(row, classes)?))).collect()
}

/// The tickets that the messages which a message answers or mentions belong to.
async fn by_message_id(
    connection: &mut AnyConnection,
    keys: &ThreadKeys,
    classes: &Classes,
) -> sqlx::Result<HashMap<String, Found>> {
    let of = |ids: &'_ [MessageId]| ids.iter().take(THREAD_KEYS_MAX).map(|id| id.0.clone()).collect::<BTreeSet<_>>();
    let ids = &of(&keys.answered) | &of(&keys.references);
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let select = "SELECT message_id, number, prefix, digits, sequence, class, status, subject, requester_email \
                  FROM tickets JOIN thread_index ON ticket = number WHERE message_id";
    let query = bulk::about(select, 1, ids.len(), "");
    let query = ids.iter().fold(query, |query, id| query.bind(id.as_str()));
    let rows = query.fetch_all(connection).await?;
    rows.iter().map(|row| Ok((row.try_get("message_id")?, found(row, classes)?))).collect()
}

fn found(row: &AnyRow, classes: &Classes) -> sqlx::Result<Found> {
    let requester: String = row.try_get("requester_email")?;
    Ok(Found {
        conversation: follow_up(row, classes)?,
        number: row.try_get("number")?,
        subject: row.try_get("subject")?,
        requester: requester.trim().to_ascii_lowercase(),
    })
}

fn follow_up(row: &AnyRow, classes: &Classes) -> sqlx::Result<Conversation> {
    let (number, class, status) = (rows::ticket(row)?, class(row)?, status(row)?);
    let is_over = classes.is_over(&class, &status);
    let summary = TicketSummary { number, class, status };
    Ok(if is_over { Conversation::Inactive(summary) } else { Conversation::Active(summary) })
}
