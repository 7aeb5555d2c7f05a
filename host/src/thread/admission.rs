//! Who may follow up a ticket, and what becomes of the answers of others.
//!
//! A tag in a subject and a Message-ID can be guessed or copied, so they only say which ticket is meant. Whether the
//! message changes it depends on who wrote it: its requester, people who were on its mail, or whom the job trusts.

use super::{Conversation, ThreadKeys};
use crate::message::authentication::{AuthenticationResults, Method};
use crate::message::{AddressPattern, Message, Origin};
use crate::tame::tame;
use crate::ticket::TicketNumber;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The most authors that a message can have and still follow up a ticket.
pub const AUTHORS_MAX: usize = 10;
/// The most people of one message who may follow up the tickets that it changes.
pub const PEOPLE_MAX: usize = 200;
/// The most tickets of one message of which a report says what was made of them.
const FINDINGS_MAX: usize = 10;
/// The most characters of an address that a sentence shows.
const SHOWN_CHARS_MAX: usize = 80;

/// What led from a message to a ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Link {
    /// Its tag in the subject.
    TagInSubject,
    /// Its tag in the body.
    TagInBody,
    /// In-Reply-To names a mail of ours about the ticket, with our signature.
    ReplyToUs,
    /// In-Reply-To names a message of the ticket.
    Reply,
    /// References names a message of the ticket, and the subjects have the same base.
    Reference,
}

impl Link {
    /// What led there, as a clause.
    #[must_use]
    pub fn clause(self) -> &'static str {
        match self {
            Self::TagInSubject => "its tag is in the subject",
            Self::TagInBody => "its tag is in the text",
            Self::ReplyToUs => "it answers a mail of ours about it (In-Reply-To, signed)",
            Self::Reply => "it answers one of its messages (In-Reply-To)",
            Self::Reference => "it refers to one of its messages (References), under the same subject",
        }
    }
}

/// A ticket that a message refers to, and who may follow it up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The ticket.
    pub ticket: TicketNumber,
    /// The conversation that following it up is.
    pub conversation: Conversation,
    /// What led to it.
    pub link: Link,
    /// The address of its requester, in lower case.
    pub requester: String,
    /// Those of the message's authors who were on the ticket's mail, in lower case.
    pub correspondents: Vec<String>,
}

/// What becomes of an answer from somebody who may not follow up the ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FromOthers {
    /// It waits in quarantine.
    #[default]
    Quarantine,
    /// It starts a conversation of its own.
    NewTicket,
    /// It follows up the ticket all the same.
    Accept,
}

/// What a mail server must have confirmed of a message that follows up a ticket (RFC 8601).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Required {
    /// The server whose word counts: its authserv-id, such as `mx.example.org`.
    pub server: String,
    /// What must have passed, all of it.
    pub methods: Vec<Method>,
}

/// Whose answers a job takes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Policy {
    /// The addresses of the desk itself: they are on every message, so that nobody follows up by being one of them.
    pub own: Vec<AddressPattern>,
    /// Who may follow up any ticket.
    pub trusted: Vec<AddressPattern>,
    /// What becomes of the answers of others.
    pub from_others: FromOthers,
    /// What must be confirmed besides.
    pub required: Option<Required>,
}

/// What was made of one ticket that a message refers to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The ticket.
    pub ticket: TicketNumber,
    /// What led to it.
    pub link: Link,
    /// Whether the message belongs to its conversation.
    pub taken: bool,
    /// Why, as a clause.
    pub because: String,
}

/// What hop 3 makes of a message.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Threading {
    /// The conversation it belongs to.
    pub conversation: Conversation,
    /// How it came to that: each ticket that was looked at, in order.
    pub findings: Vec<Finding>,
    /// Why the message must wait for a person; none if it need not.
    pub held: Option<String>,
    /// How long that took.
    pub took: Duration,
}

impl From<Conversation> for Threading {
    fn from(conversation: Conversation) -> Self {
        Self { conversation, ..Self::default() }
    }
}

/// The addresses of those who wrote a message, in lower case: all of From, or else Sender (RFC 5322 section 3.6.2).
/// Reply-To is whom to answer, and display names are anything; neither says who wrote it.
#[must_use]
pub fn authors(message: &Message) -> Vec<String> {
    let mut authors = Vec::new();
    for author in message.header_addresses("From").chain(&message.sender) {
        super::push_new(&mut authors, author.key(), AUTHORS_MAX + 1);
    }
    authors
}

/// The addresses on a message, in lower case, each once: authors and recipients. At most [`PEOPLE_MAX`].
#[must_use]
pub fn people(message: &Message) -> Vec<String> {
    let mut people = authors(message);
    for recipient in &message.recipients {
        super::push_new(&mut people, recipient.key(), PEOPLE_MAX);
    }
    people.retain(|email| is_plain(email));
    people
}

/// What led to the ticket with this place among [`ThreadKeys::tickets`].
#[must_use]
pub fn link_of_tag(keys: &ThreadKeys, place: usize) -> Link {
    match place {
        _ if place < keys.tickets_in_subject => Link::TagInSubject,
        _ if place < keys.tickets_in_tags => Link::TagInBody,
        _ => Link::ReplyToUs,
    }
}

/// Decides which of the tickets that a message refers to it follows up: the first one that is active and whose
/// conversation its author may join. `candidates` come most trustworthy first.
#[must_use]
pub fn admit(message: &Message, candidates: &[Candidate], policy: &Policy) -> Threading {
    let authors = authors(message);
    let mut threading = Threading::default();
    let mut refused = None;
    for candidate in candidates {
        let is_over = matches!(candidate.conversation, Conversation::Inactive(_));
        let entitled = entitled(message, &authors, candidate, policy);
        // A ticket that is over counts only if no other is found: its tag stays in subjects for ever.
        let taken = entitled.is_ok() && (!is_over || threading.conversation == Conversation::New);
        if taken {
            threading.take(candidate.conversation.clone());
        }
        let is_refused = entitled.is_err() && !is_over;
        let (Ok(because) | Err(because)) = entitled;
        let finding = Finding { ticket: candidate.ticket.clone(), link: candidate.link, taken, because };
        if is_refused && refused.is_none() {
            refused = Some(finding.held());
        }
        if taken || threading.findings.len() < FINDINGS_MAX {
            threading.findings.push(finding);
        }
        if taken && !is_over {
            return threading;
        }
    }
    if let Some(reason) = refused {
        threading.take(Conversation::New);
        // What a mail system says of a message of ours is no answer of somebody else; the rules know what to do with it.
        let is_report = matches!(message.origin, Origin::Bounce | Origin::AutoReplied);
        let holds = policy.from_others == FromOthers::Quarantine && !is_report;
        threading.held = holds.then_some(reason);
    }
    threading
}

impl Threading {
    /// Takes this conversation, and no other one any more.
    fn take(&mut self, conversation: Conversation) {
        self.findings.iter_mut().for_each(|finding| finding.taken = false);
        self.conversation = conversation;
    }
}

impl Finding {
    fn held(&self) -> String {
        format!("it was not taken as an answer to {}: {}, but {}", self.ticket, self.link.clause(), self.because)
    }
}

/// Why the authors of a message may follow up a ticket, or why they may not, as a clause.
fn entitled(message: &Message, authors: &[String], candidate: &Candidate, policy: &Policy) -> Result<String, String> {
    match checked(message, authors, candidate, policy) {
        Err(_) if policy.from_others == FromOthers::Accept => Ok("the job takes answers from anyone".to_owned()),
        checked => checked,
    }
}

fn checked(message: &Message, authors: &[String], candidate: &Candidate, policy: &Policy) -> Result<String, String> {
    let Some(first) = authors.first() else { return Err("the message names nobody who wrote it".to_owned()) };
    if authors.len() > AUTHORS_MAX {
        return Err(format!("the message names more than {AUTHORS_MAX} authors"));
    }
    let mut because = None;
    for author in authors {
        let one = standing(author, candidate, policy).ok_or_else(|| stranger(author, authors.len()))?;
        because.get_or_insert(one);
    }
    if let Some(required) = &policy.required {
        if authors.len() > 1 {
            return Err(format!("the message names {} authors, and only one can be confirmed", authors.len()));
        }
        confirmed(&message.authentication, first, required)?;
    }
    Ok(because.unwrap_or_default())
}

fn stranger(author: &str, authors: usize) -> String {
    let shown: String = tame(author).chars().take(SHOWN_CHARS_MAX).collect();
    let who = if authors > 1 { format!("one of its {authors} authors, {shown},") } else { shown };
    format!("{who} is neither its requester nor anyone who was on its mail, and the job does not trust the address")
}

/// What an author has to do with a ticket; none if nothing.
fn standing(author: &str, candidate: &Candidate, policy: &Policy) -> Option<String> {
    if !is_plain(author) {
        return None;
    }
    if author == candidate.requester {
        return Some("the sender is its requester".to_owned());
    }
    let is_own = policy.own.iter().any(|own| own.matches(author));
    if !is_own && candidate.correspondents.iter().any(|email| email == author) {
        return Some("the sender was on its mail before".to_owned());
    }
    let trusted = policy.trusted.iter().find(|trusted| trusted.matches(author))?;
    Some(format!("the job trusts {trusted}"))
}

/// Whether an address is one as people have them. What cannot be written without quotes is nobody's.
fn is_plain(email: &str) -> bool {
    let is_odd =
        |character: char| character.is_whitespace() || character.is_control() || "\"<>()[]\\,;:".contains(character);
    let parts = email.split_once('@');
    let parts = parts.filter(|(local, domain)| !local.is_empty() && !domain.is_empty() && !domain.contains('@'));
    parts.is_some() && !email.contains(is_odd)
}

/// Whether the server has confirmed where a message comes from. Its topmost word counts: whatever stands below may
/// have come with the message (RFC 8601 section 5).
fn confirmed(stamps: &[AuthenticationResults], author: &str, required: &Required) -> Result<(), String> {
    let server = &required.server;
    let Some(stamp) = stamps.iter().find(|stamp| stamp.server.eq_ignore_ascii_case(server)) else {
        return Err(format!("the message bears no Authentication-Results of {server}"));
    };
    let domain = author.rsplit('@').next().unwrap_or_default();
    for method in &required.methods {
        stamp.passed(*method, domain).map_err(|found| {
            format!("{server} has not confirmed that the message comes from {domain}: {}={found}", method.name())
        })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
