//! What the program reports as JSON, read by field name. The one place that knows the names.

use crate::installation::Installation;
use crate::messages;
use anyhow::{Context, Result, ensure};
use serde_json::Value;

/// More rows than any test has.
const ROWS_MAX: &str = "100000";

/// A ticket of `ticket list --json`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket {
    /// Its number, such as `T00001`.
    pub number: String,
    /// Its class, such as `incident`.
    pub class: String,
    /// Its status, such as `new`.
    pub status: String,
    /// Its subject.
    pub subject: String,
    /// The address of who asked.
    pub requester: String,
}

/// A receipt: what became of one message.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Receipt {
    /// The message's identifier in its mailbox.
    pub uid: String,
    /// The revision of the rules that it ran on.
    pub revision: String,
    /// `accepted`, `rejected`, `ignored` or `quarantined`.
    pub outcome: String,
    /// The message's Message-ID, with the angle brackets; empty if it has none.
    pub message_id: String,
    /// When it was written (RFC 3339).
    pub committed_at: String,
    /// The numbers of the tickets it created.
    pub created: Vec<String>,
    /// The numbers of the tickets it updated.
    pub updated: Vec<String>,
}

/// A message in quarantine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quarantined {
    /// What `quarantine show` and `quarantine release` want.
    pub id: String,
    /// Why it is there.
    pub cause: String,
    /// The address of its sender.
    pub sender: String,
    /// Its subject.
    pub subject: String,
}

/// A file of the plugin folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plugin {
    /// Its name.
    pub file: String,
    /// The world it implements, such as `preprocessor`; none for a file that is no plugin.
    pub world: Option<String>,
    /// What is wrong with it.
    pub fault: Option<String>,
}

/// An entry of the outbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sending {
    /// What `outbox retry` and `outbox drop` want.
    pub id: String,
    /// The same whenever it is written.
    pub key: String,
    /// `waiting`, `sent` or `dead`.
    pub state: String,
    /// An address, or the name of a webhook or Maildir.
    pub target: String,
    /// The number of the ticket that it is about; empty if there is none.
    pub ticket: String,
    /// How many attempts were begun.
    pub attempts: u64,
    /// Why the last one failed; empty if it did not.
    pub last_error: String,
    /// The Message-ID, if it is a mail.
    pub message_id: String,
}

/// The outbox, oldest first.
///
/// # Errors
/// When the program fails or a field is missing.
pub fn outbox(installation: &Installation) -> Result<Vec<Sending>> {
    let mut entries = list(installation, &["outbox", "list", "--json"])?;
    entries.reverse();
    let sending = |value: &Value| {
        Ok(Sending {
            id: text(value, "id")?,
            key: text(value, "idempotency_key")?,
            state: text(value, "state")?,
            target: text(value, "target")?,
            ticket: text(value, "ticket").unwrap_or_default(),
            attempts: value.get("attempts").and_then(Value::as_u64).context("no attempts")?,
            last_error: text(value, "last_error").unwrap_or_default(),
            message_id: value.get("payload").and_then(|payload| text(payload, "message_id").ok()).unwrap_or_default(),
        })
    };
    entries.iter().map(sending).collect()
}

/// What the reports of all messages say of things that were not sent after all.
///
/// # Errors
/// When the program fails or a field is missing.
pub fn withheld(installation: &Installation) -> Result<Vec<String>> {
    let mut reasons = Vec::new();
    for session in list(installation, &["log", "--json", "--limit", ROWS_MAX])? {
        let session = text(&session, "id")?;
        for receipt in list(installation, &["log", &session, "--json"])? {
            let report = json(installation, &["log", "--message", &text(&receipt, "id")?, "--json"])?;
            let plan = report.get("plan").cloned().unwrap_or_default();
            let changes = plan.get("changes").and_then(Value::as_array).cloned().unwrap_or_default();
            reasons.extend(changes.iter().filter_map(|change| text(change, "withheld").ok()));
            let outcome = plan.get("outcome").cloned().unwrap_or_default();
            reasons.extend(text(&outcome, "reason").ok());
        }
    }
    Ok(reasons)
}

/// All tickets, in the order of their numbers.
///
/// # Errors
/// When the program fails or a field is missing.
pub fn tickets(installation: &Installation) -> Result<Vec<Ticket>> {
    let mut tickets = list(installation, &["ticket", "list", "--json", "--limit", ROWS_MAX])?
        .iter()
        .map(ticket)
        .collect::<Result<Vec<_>>>()?;
    tickets.sort();
    Ok(tickets)
}

/// The texts of a ticket's comments, oldest first.
///
/// # Errors
/// When the program fails or a field is missing.
pub fn comments(installation: &Installation, number: &str) -> Result<Vec<String>> {
    let shown = json(installation, &["ticket", "show", number, "--json"])?;
    let comments = shown.get("comments").and_then(Value::as_array).context("a ticket without comments")?;
    comments.iter().map(|comment| text(comment, "text")).collect()
}

/// The receipts of all sessions, oldest first.
///
/// # Errors
/// When the program fails or a field is missing.
pub fn receipts(installation: &Installation) -> Result<Vec<Receipt>> {
    let mut ids = Vec::new();
    for session in list(installation, &["log", "--json", "--limit", ROWS_MAX])? {
        ids.push(session.get("id").and_then(Value::as_u64).context("a session without id")?);
    }
    ids.sort_unstable();
    let mut receipts = Vec::new();
    for id in ids {
        for value in list(installation, &["log", &id.to_string(), "--json"])? {
            receipts.push(receipt(&value)?);
        }
    }
    Ok(receipts)
}

/// Whether each of the first `count` requests (`messages::request`) of each sender has one receipt and one ticket, and nothing
/// else has any.
///
/// # Errors
/// When one has none or several, or the program fails.
pub fn check_requests(installation: &Installation, senders: &[String], count: usize) -> Result<()> {
    let requests = || senders.iter().flat_map(|sender| (0..count).map(move |number| (number, sender)));
    let had = sorted(receipts(installation)?.into_iter().map(|receipt| receipt.message_id));
    let expect = sorted(requests().map(|(number, sender)| messages::message_id(number, sender)));
    ensure!(had == expect, "receipts of {had:?}\n--- instead of\n{expect:?}");
    let had = sorted(tickets(installation)?.into_iter().map(|ticket| (ticket.requester, ticket.subject)));
    let expect = sorted(requests().map(|(number, sender)| (sender.clone(), format!("Request {number}"))));
    ensure!(had == expect, "tickets {had:?}\n--- instead of\n{expect:?}");
    Ok(())
}

fn sorted<T: Ord>(items: impl Iterator<Item = T>) -> Vec<T> {
    let mut items: Vec<T> = items.collect();
    items.sort();
    items
}

/// The messages in quarantine.
///
/// # Errors
/// When the program fails or a field is missing.
pub fn quarantine(installation: &Installation) -> Result<Vec<Quarantined>> {
    let entries = list(installation, &["quarantine", "list", "--json"])?;
    let quarantined = |value: &Value| {
        Ok(Quarantined {
            id: text(value, "id")?,
            cause: text(value, "cause")?,
            sender: text(value, "sender")?,
            subject: text(value, "subject")?,
        })
    };
    entries.iter().map(quarantined).collect()
}

/// The plugins found.
///
/// # Errors
/// When the program fails or a field is missing.
pub fn plugins(installation: &Installation) -> Result<Vec<Plugin>> {
    let entries = list(installation, &["plugin", "list", "--json"])?;
    entries
        .iter()
        .map(|value| {
            Ok(Plugin {
                file: text(value, "file")?,
                world: text(value, "world").ok(),
                fault: text(value, "fault").ok(),
            })
        })
        .collect()
}

fn ticket(value: &Value) -> Result<Ticket> {
    let requester = value.get("requester").context("a ticket without requester")?;
    Ok(Ticket {
        number: text(value, "number")?,
        class: text(value, "class")?,
        status: text(value, "status")?,
        subject: text(value, "subject")?,
        requester: text(requester, "email")?,
    })
}

fn receipt(value: &Value) -> Result<Receipt> {
    let key = value.get("key").context("a receipt without key")?;
    Ok(Receipt {
        uid: text(key, "uid")?,
        revision: text(value, "revision")?,
        outcome: text(value, "outcome")?,
        message_id: text(value, "message_id").map(|id| format!("<{id}>")).unwrap_or_default(),
        committed_at: text(value, "committed_at")?,
        created: texts(value, "created")?,
        updated: texts(value, "updated")?,
    })
}

fn list(installation: &Installation, arguments: &[&str]) -> Result<Vec<Value>> {
    match json(installation, arguments)? {
        Value::Array(values) => Ok(values),
        other => anyhow::bail!("{arguments:?} gave no list but {other}"),
    }
}

fn json(installation: &Installation, arguments: &[&str]) -> Result<Value> {
    let stdout = installation.mailmill(arguments)?.success()?.stdout;
    serde_json::from_str(&stdout).with_context(|| format!("{arguments:?} gave no JSON but:\n{stdout}"))
}

/// A field that is text, or a number taken as text.
fn text(value: &Value, name: &str) -> Result<String> {
    match value.get(name) {
        Some(Value::String(text)) => Ok(text.clone()),
        Some(Value::Number(number)) => Ok(number.to_string()),
        _ => anyhow::bail!("no text \"{name}\" in {value}"),
    }
}

/// A list of texts.
fn texts(value: &Value, name: &str) -> Result<Vec<String>> {
    let list = value.get(name).and_then(Value::as_array).with_context(|| format!("no list \"{name}\" in {value}"))?;
    Ok(list.iter().filter_map(|entry| entry.as_str().map(String::from)).collect())
}
