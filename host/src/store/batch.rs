//! Recording a batch: what is known is read at once, what it comes to is worked out in memory, and each table is written
//! with few statements.

use super::brake::Recent;
use super::bulk::{self, Insert, VALUES_PER_QUERY};
use super::bytes;
use super::dispatch::{self, Dispatch};
use super::draft::{Draft, Line, NewTicket, Numbers, Slot, mentioned};
use super::message_file::MessageFile;
use super::rows::{column, milliseconds, now};
use super::{Entry, Outcome, Receipt, Sha256, ledger, sessions, tickets};
use crate::content::Content;
use crate::fault::{self, Point};
use crate::mailbox::MessageKey;
use crate::outgoing::Sender;
use crate::ticket::TicketNumber;
use sqlx::{AnyConnection, Row as _};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// Records entries inside the caller's transaction, each at most once. One whose changes cannot be made is quarantined
/// instead. Receipts come in the order of the entries. The bytes of new messages go into the file; without one, nowhere, for a transaction that
/// is rolled back in any case.
pub(super) async fn record(
    connection: &mut AnyConnection,
    slot: Slot,
    entries: &[Entry],
    sender: Option<&Sender>,
    file: Option<&MessageFile>,
) -> sqlx::Result<Vec<Receipt>> {
    let mut fresh = match slot {
        Slot::New => unknown(&mut *connection, entries).await?,
        Slot::Receipt(_) => entries.iter().map(name).collect(),
    };
    let (before, series) = numbers(&mut *connection).await?;
    let (known, requesters) = known(&mut *connection, &mentioned(entries)).await?;
    let dispatch = Dispatch::read(&mut *connection, sender, entries, &known).await?;
    let recent = Recent::before(&mut *connection, entries, &known).await?;
    let mut draft = Draft::new(before, series.clone(), (known, requesters), dispatch, recent);
    let mut is_repeated = Vec::with_capacity(entries.len());
    for entry in entries {
        // Of two entries for one message, the first counts.
        let is_fresh = fresh.remove(&name(entry));
        if is_fresh {
            draft.add(slot, entry)?;
        }
        is_repeated.push(!is_fresh);
    }
    write(&mut *connection, &draft, before, file).await?;
    write_series(&mut *connection, &draft, &series).await?;
    let mut new = draft.lines.into_iter().map(|line| line.receipt);
    let mut receipts = Vec::with_capacity(entries.len());
    for (entry, is_repeated) in entries.iter().zip(is_repeated) {
        match if is_repeated { None } else { new.next() } {
            Some(receipt) => receipts.push(receipt),
            None => receipts.push(ledger::existing(&mut *connection, &entry.job, &entry.key).await?),
        }
    }
    Ok(receipts)
}

/// What makes an entry unique.
type Name<'e> = (&'e str, &'e MessageKey);

fn name(entry: &Entry) -> Name<'_> {
    (&entry.job, &entry.key)
}

/// The entries that are not in the ledger.
async fn unknown<'e>(connection: &mut AnyConnection, entries: &'e [Entry]) -> sqlx::Result<HashSet<Name<'e>>> {
    let mut by_job: BTreeMap<&str, Vec<MessageKey>> = BTreeMap::new();
    for entry in entries {
        by_job.entry(&entry.job).or_default().push(entry.key.clone());
    }
    let mut unknown: BTreeMap<&str, HashSet<MessageKey>> = BTreeMap::new();
    for (job, keys) in by_job {
        unknown.insert(job, ledger::unknown(&mut *connection, job, keys).await?.into_iter().collect());
    }
    let is_unknown = |entry: &&Entry| unknown.get(entry.job.as_str()).is_some_and(|keys| keys.contains(&entry.key));
    Ok(entries.iter().filter(is_unknown).map(name).collect())
}

/// The last numbers given out. Whoever reads them holds the lock on writing until they are written back.
async fn numbers(connection: &mut AnyConnection) -> sqlx::Result<(Numbers, BTreeMap<String, u64>)> {
    let (mut numbers, mut series) = (Numbers::default(), BTreeMap::new());
    let select = "SELECT name, value FROM counters UNION ALL SELECT 'series:' || prefix, value FROM series";
    for row in sqlx::query(select).fetch_all(connection).await? {
        let name: String = row.try_get("name")?;
        if let Some(prefix) = name.strip_prefix("series:") {
            series.insert(prefix.to_owned(), super::rows::count(&row, "value")?);
            continue;
        }
        match name.as_str() {
            "receipt" => numbers.receipt = row.try_get("value")?,
            "ticket" => numbers.ticket = row.try_get("value")?,
            "comment" => numbers.comment = row.try_get("value")?,
            _ => return Err(super::rows::unknown("counters.name", name)),
        }
    }
    Ok((numbers, series))
}

/// Those of these tickets that exist, with their places, and the addresses of their requesters.
async fn known(
    connection: &mut AnyConnection,
    mentioned: &BTreeSet<TicketNumber>,
) -> sqlx::Result<(HashMap<TicketNumber, i64>, HashMap<i64, String>)> {
    let (mut known, mut requesters) = (HashMap::new(), HashMap::new());
    for row in tickets::rows_of(connection, "number, requester_email", mentioned).await? {
        let place = row.try_get("number")?;
        known.insert(super::rows::ticket(&row)?, place);
        requesters.insert(place, row.try_get("requester_email")?);
    }
    Ok((known, requesters))
}

const SERIES: Insert = Insert {
    table: "series",
    columns: &["prefix", "value"],
    end: "ON CONFLICT (prefix) DO UPDATE SET value = excluded.value",
};

/// Writes how far the series are of which numbers were given out.
async fn write_series(
    connection: &mut AnyConnection,
    draft: &Draft<'_>,
    before: &BTreeMap<String, u64>,
) -> sqlx::Result<()> {
    let new: Vec<_> = draft.series.iter().filter(|(prefix, last)| before.get(*prefix) != Some(last)).collect();
    let statements = SERIES.all(&new, |query, (prefix, last)| query.bind(prefix.as_str()).bind(column(**last)));
    bulk::run(connection, statements).await
}

async fn write(
    connection: &mut AnyConnection,
    draft: &Draft<'_>,
    before: Numbers,
    file: Option<&MessageFile>,
) -> sqlx::Result<()> {
    if draft.lines.is_empty() {
        return Ok(());
    }
    let messages: Vec<&Content> = draft.lines.iter().map(|line| &line.entry.raw).collect();
    let storing = bytes::put(&mut *connection, file, &messages).await?;
    match write_rows(connection, draft, before).await {
        Ok(()) => storing.finish().await,
        Err(error) => {
            storing.take_back().await;
            Err(error)
        }
    }
}

async fn write_rows(connection: &mut AnyConnection, draft: &Draft<'_>, before: Numbers) -> sqlx::Result<()> {
    let at = now();
    write_receipts(&mut *connection, &draft.lines, at).await?;
    fault::pass(Point::CommitReceipts);
    write_tickets(&mut *connection, draft, at).await?;
    fault::pass(Point::CommitTickets);
    write_comments(&mut *connection, draft, at).await?;
    write_attachments(&mut *connection, draft).await?;
    dispatch::write(&mut *connection, &draft.parcels, at).await?;
    fault::pass(Point::CommitOutbox);
    write_quarantine(&mut *connection, &draft.lines, at).await?;
    if draft.numbers != before {
        let update = "UPDATE counters SET value = \
                      CASE name WHEN 'receipt' THEN $1 WHEN 'ticket' THEN $2 WHEN 'comment' THEN $3 ELSE value END";
        let Numbers { receipt, ticket, comment } = draft.numbers;
        sqlx::query(update).bind(receipt).bind(ticket).bind(comment).execute(connection).await?;
    }
    Ok(())
}

const RECEIPTS: Insert = Insert {
    table: "receipts",
    columns: &[
        "id",
        "job",
        "mailbox",
        "uid_validity",
        "uid",
        "sha256",
        "message_id",
        "session",
        "revision",
        "outcome",
        "reason",
        "class",
        "report_json",
        "received_at",
        "received_offset",
        "committed_at",
        "wanted_json",
        "sender",
    ],
    end: "",
};

async fn write_receipts(connection: &mut AnyConnection, lines: &[Line<'_>], at: i64) -> sqlx::Result<()> {
    let mut new = Vec::with_capacity(lines.len());
    // Of a job that was restarted with messages in hand, the log may have been cleared meanwhile.
    let sessions = lines.iter().filter_map(|line| line.entry.session).collect();
    let sessions = sessions::existing(&mut *connection, &sessions).await?;
    for line in lines {
        match line.slot {
            Slot::New => new.push((line, Sha256(line.entry.raw.sha256().map_err(bytes::failed)?))),
            Slot::Receipt(_) => rewrite(&mut *connection, line, at).await?,
        }
    }
    let statements = RECEIPTS.all(&new, |query, (line, sha256)| {
        let Line { entry, receipt, .. } = line;
        query
            .bind(receipt.id)
            .bind(entry.job.as_str())
            .bind(entry.key.mailbox.as_str())
            .bind(i64::from(entry.key.uid_validity))
            .bind(entry.key.uid.as_str())
            .bind(sha256.0.as_slice())
            .bind(entry.message_id.as_ref().map(|id| id.0.as_str()))
            .bind(entry.session.filter(|id| sessions.contains(id)).map(|id| id.0))
            .bind(entry.revision.as_str())
            .bind(receipt.outcome.name())
            .bind(receipt.outcome.reason())
            .bind(line.class())
            .bind(&*line.report)
            .bind(milliseconds(&entry.received_at))
            .bind(i64::from(entry.received_at.offset_minutes))
            .bind(at)
            .bind(line.wanted_json.as_deref())
            .bind(entry.sender.as_deref())
    });
    bulk::run(connection, statements).await
}

/// Writes a new outcome into a receipt; the disposition is to be carried out again.
async fn rewrite(connection: &mut AnyConnection, line: &Line<'_>, at: i64) -> sqlx::Result<()> {
    let update = "UPDATE receipts SET revision = $1, outcome = $2, reason = $3, class = $4, report_json = $5, \
                  committed_at = $6, wanted_json = $7, marked_at = NULL WHERE id = $8";
    sqlx::query(update)
        .bind(line.entry.revision.as_str())
        .bind(line.receipt.outcome.name())
        .bind(line.receipt.outcome.reason())
        .bind(line.class())
        .bind(&*line.report)
        .bind(at)
        .bind(line.wanted_json.as_deref())
        .bind(line.receipt.id)
        .execute(connection)
        .await?;
    Ok(())
}

const TICKETS: Insert = Insert {
    table: "tickets",
    columns: &[
        "number",
        "prefix",
        "sequence",
        "digits",
        "class",
        "status",
        "subject",
        "description",
        "requester_name",
        "requester_email",
        "assigned_person",
        "assigned_group",
        "job",
        "created_at",
        "updated_at",
    ],
    end: "",
};
const FIELDS: Insert = Insert {
    table: "ticket_fields",
    columns: &["ticket", "name", "value_json"],
    end: "ON CONFLICT (ticket, name) DO UPDATE SET value_json = excluded.value_json",
};
const EFFECTS: Insert =
    Insert { table: "receipt_tickets", columns: &["receipt", "ticket", "effect", "position"], end: "" };
// The first message with an identifier keeps it.
const INDEX: Insert =
    Insert { table: "thread_index", columns: &["message_id", "ticket"], end: "ON CONFLICT (message_id) DO NOTHING" };

const CORRESPONDENTS: Insert =
    Insert { table: "correspondents", columns: &["ticket", "email"], end: "ON CONFLICT (ticket, email) DO NOTHING" };

async fn write_tickets(connection: &mut AnyConnection, draft: &Draft<'_>, at: i64) -> sqlx::Result<()> {
    let new: Vec<&NewTicket<'_>> = draft.tickets.values().collect();
    let statements = TICKETS.all(&new, |query, ticket| {
        query
            .bind(ticket.number)
            .bind(ticket.name.prefix())
            .bind(column(ticket.name.sequence()))
            .bind(i64::from(ticket.digits))
            .bind(ticket.class.name())
            .bind(ticket.status.name())
            .bind(ticket.subject)
            .bind(ticket.description)
            .bind(ticket.requester.name.as_str())
            .bind(ticket.requester.email.as_str())
            .bind(ticket.person)
            .bind(ticket.group)
            .bind(ticket.job)
            .bind(at)
            .bind(at)
    });
    bulk::run(&mut *connection, statements).await?;
    let touched: Vec<i64> = draft.touched.iter().copied().collect();
    for numbers in touched.chunks(VALUES_PER_QUERY) {
        let query = bulk::about("UPDATE tickets SET updated_at = $1 WHERE number", 2, numbers.len(), "").bind(at);
        numbers.iter().fold(query, |query, number| query.bind(*number)).execute(&mut *connection).await?;
    }
    write_statuses(&mut *connection, draft).await?;
    write_values(&mut *connection, draft).await?;
    write_people(&mut *connection, draft, at).await?;
    let fields: Vec<_> = draft.fields.iter().collect();
    let statements =
        FIELDS.all(&fields, |query, ((ticket, name), value)| query.bind(*ticket).bind(*name).bind(value.as_str()));
    bulk::run(&mut *connection, statements).await?;
    let statements = EFFECTS.all(&draft.effects, |query, effect| {
        query.bind(effect.receipt).bind(effect.ticket).bind(effect.effect).bind(effect.position)
    });
    bulk::run(&mut *connection, statements).await?;
    let statements = INDEX.all(&draft.index, |query, (id, ticket)| query.bind(id.as_ref()).bind(*ticket));
    bulk::run(&mut *connection, statements).await?;
    let people: Vec<_> = draft.correspondents.iter().collect();
    let statements = CORRESPONDENTS.all(&people, |query, (ticket, email)| query.bind(*ticket).bind(email.as_ref()));
    bulk::run(connection, statements).await
}

async fn write_statuses(connection: &mut AnyConnection, draft: &Draft<'_>) -> sqlx::Result<()> {
    let mut by_status: BTreeMap<&str, Vec<i64>> = BTreeMap::new();
    for (ticket, status) in &draft.statuses {
        by_status.entry(status.name()).or_default().push(*ticket);
    }
    for (status, tickets) in by_status {
        for numbers in tickets.chunks(VALUES_PER_QUERY) {
            let query = bulk::about("UPDATE tickets SET status = $1 WHERE number", 2, numbers.len(), "");
            let query = query.bind(status);
            numbers.iter().fold(query, |query, number| query.bind(*number)).execute(&mut *connection).await?;
        }
    }
    Ok(())
}

/// Writes the new values of tickets of before.
async fn write_values(connection: &mut AnyConnection, draft: &Draft<'_>) -> sqlx::Result<()> {
    let update = "UPDATE tickets SET subject = COALESCE($1, subject), requester_name = COALESCE($2, requester_name), \
                  requester_email = COALESCE($3, requester_email), assigned_person = COALESCE($4, assigned_person), \
                  assigned_group = COALESCE($5, assigned_group) WHERE number = $6";
    for (ticket, values) in &draft.values {
        sqlx::query(update)
            .bind(values.subject)
            .bind(values.requester.map(|requester| requester.name.as_str()))
            .bind(values.requester.map(|requester| requester.email.as_str()))
            .bind(values.person)
            .bind(values.group)
            .bind(*ticket)
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

const CONTACTS: Insert = Insert {
    table: "contacts",
    columns: &["address", "email", "name", "first_seen_at"],
    end: "ON CONFLICT (address) DO UPDATE SET name = excluded.name WHERE contacts.name = '' AND excluded.name <> ''",
};
// Whoever takes part already stays as they are.
const PARTICIPANTS: Insert = Insert {
    table: "participants",
    columns: &["ticket", "address", "email", "name", "receipt", "added_at"],
    end: "ON CONFLICT (ticket, address) DO NOTHING",
};

async fn write_people(connection: &mut AnyConnection, draft: &Draft<'_>, at: i64) -> sqlx::Result<()> {
    let contacts: Vec<_> = draft.contacts.iter().collect();
    let statements = CONTACTS.all(&contacts, |query, (address, contact)| {
        query.bind(address.as_str()).bind(contact.email.as_str()).bind(contact.name.as_str()).bind(at)
    });
    bulk::run(&mut *connection, statements).await?;
    let statements = PARTICIPANTS.all(&draft.participants, |query, new| {
        query
            .bind(new.ticket)
            .bind(new.address.email.to_ascii_lowercase())
            .bind(new.address.email.as_str())
            .bind(new.address.name.as_str())
            .bind(new.receipt)
            .bind(at)
    });
    bulk::run(connection, statements).await
}

const COMMENTS: Insert = Insert {
    table: "comments",
    columns: &["id", "ticket", "receipt", "author_name", "author_email", "text", "visibility", "created_at"],
    end: "",
};

async fn write_comments(connection: &mut AnyConnection, draft: &Draft<'_>, at: i64) -> sqlx::Result<()> {
    let statements = COMMENTS.all(&draft.comments, |query, comment| {
        query
            .bind(comment.id)
            .bind(comment.ticket)
            .bind(comment.receipt)
            .bind(comment.author.name.as_str())
            .bind(comment.author.email.as_str())
            .bind(comment.text)
            .bind(comment.visibility.name())
            .bind(at)
    });
    bulk::run(connection, statements).await
}

/// Where the contents of attachments lie; identical ones are known once.
const BLOBS: Insert = Insert {
    table: "blobs",
    columns: &["sha256", "size", "bytes", "message", "start", "length", "encoding", "inner_start", "inner_length"],
    end: "ON CONFLICT (sha256) DO NOTHING",
};
const ATTACHMENTS: Insert = Insert {
    table: "attachments",
    columns: &["ticket", "comment", "name", "media_type", "content_id", "inline", "size", "sha256"],
    end: "",
};

async fn write_attachments(connection: &mut AnyConnection, draft: &Draft<'_>) -> sqlx::Result<()> {
    let mut new = Vec::with_capacity(draft.attachments.len());
    for attachment in &draft.attachments {
        new.push((attachment, attachment.entry.raw.sha256().map_err(bytes::failed)?));
    }
    let statements = BLOBS.all(&new, |query, (new, message)| {
        let enclosure = &new.attachment.enclosure;
        query
            .bind(enclosure.sha256.as_slice())
            .bind(column(enclosure.size))
            .bind([].as_slice())
            .bind(message.as_slice())
            .bind(column(enclosure.range.start))
            .bind(column(enclosure.range.end - enclosure.range.start))
            .bind(enclosure.encoding.name())
            .bind(enclosure.within.as_ref().map(|within| column(within.start)))
            .bind(enclosure.within.as_ref().map(|within| column(within.end - within.start)))
    });
    bulk::run(&mut *connection, statements).await?;
    let statements = ATTACHMENTS.all(&draft.attachments, |query, new| {
        let attachment = new.attachment;
        query
            .bind(new.ticket)
            .bind(new.comment)
            .bind(attachment.name.as_str())
            .bind(attachment.media_type.as_str())
            .bind(attachment.content_id.as_str())
            .bind(i64::from(attachment.inline))
            .bind(column(attachment.enclosure.size))
            .bind(attachment.enclosure.sha256.as_slice())
    });
    bulk::run(connection, statements).await
}

const QUARANTINE: Insert = Insert {
    table: "quarantine",
    columns: &["receipt", "cause", "class", "report_json", "at", "header_only"],
    end: "ON CONFLICT (receipt) DO UPDATE SET cause = excluded.cause, class = excluded.class, \
          report_json = excluded.report_json, at = excluded.at",
};

async fn write_quarantine(connection: &mut AnyConnection, lines: &[Line<'_>], at: i64) -> sqlx::Result<()> {
    let quarantined: Vec<&Line<'_>> =
        lines.iter().filter(|line| matches!(line.receipt.outcome, Outcome::Quarantined { .. })).collect();
    let statements = QUARANTINE.all(&quarantined, |query, line| {
        query
            .bind(line.receipt.id)
            .bind(line.receipt.outcome.reason())
            .bind(line.class())
            .bind(&*line.report)
            .bind(at)
            .bind(i64::from(line.entry.header_only))
    });
    bulk::run(connection, statements).await
}
