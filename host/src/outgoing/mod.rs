//! What leaves the system: what rules ask for, and what is made of it when the message behind it is committed.
//!
//! Nothing is sent here. A [`Change`](crate::action::Change) carries an [`Outgoing`]; the commit turns it into a [`Parcel`] in the outbox,
//! which is sent afterwards.

mod caution;
#[cfg(test)]
mod tests;
mod wording;

pub use caution::{Occasion, is_own, objection};
pub(crate) use caution::{no_recipient, own_address};
pub use wording::{PLACES, Wording};

use crate::message::{Address, AddressPattern, MessageId};
use crate::thread::{OwnIds, ThreadTag};
use crate::ticket::TicketNumber;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

/// The most Message-IDs that `References` of our own mail has; of a longer chain the first and the newest are kept.
pub const REFERENCES_MAX: usize = 20;
/// The longest subject of our own mail, in characters.
pub const SUBJECT_CHARS_MAX: usize = 500;

/// Something that a rule wants to leave the system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Outgoing {
    /// A mail.
    Mail(Notice),
    /// A call of a webhook of the settings.
    Webhook {
        /// Its name in the settings.
        name: String,
        /// What is told of the message.
        data: serde_json::Value,
    },
    /// A copy of the message in a Maildir of the settings.
    Maildir {
        /// Its name in the settings.
        folder: String,
    },
}

impl Outgoing {
    /// Whether it is a mail to nobody, because what the rule gave is no address.
    #[must_use]
    pub fn is_unaddressed(&self) -> bool {
        matches!(self, Self::Mail(Notice { to: Recipient::Nobody { .. }, .. }))
    }

    /// What it is, for people: `a mail to ann@example.org`.
    #[must_use]
    pub fn describe(&self) -> String {
        match self {
            Self::Mail(notice) => {
                let what = if notice.forwards { "the message" } else { "a mail" };
                match &notice.to {
                    Recipient::Requester => format!("{what} to the requester"),
                    Recipient::Participants => format!("{what} to the participants"),
                    Recipient::Address(address) => format!("{what} to {}", address.email),
                    Recipient::Nobody { .. } => format!("{what} to nobody"),
                }
            }
            Self::Webhook { name, .. } => format!("a call of the webhook \"{name}\""),
            Self::Maildir { folder } => format!("a copy in the Maildir \"{folder}\""),
        }
    }
}

/// A mail that a rule asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// Who gets it.
    pub to: Recipient,
    /// Its subject, without the ticket's tag, unless that has a place in it.
    pub subject: Wording,
    /// Its text.
    pub text: Wording,
    /// Whether the message that it is about goes along.
    pub forwards: bool,
    /// The message that it is about.
    pub about: Occasion,
}

/// Who gets a mail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Recipient {
    /// The requester of the ticket that it is about.
    Requester,
    /// Those who take part in the ticket besides its requester: each gets a mail of their own.
    Participants,
    /// Whoever has this address.
    Address(Address),
    /// Nobody: what the rule gave is no address.
    Nobody {
        /// What it gave; may be blank.
        given: String,
    },
}

/// Where things can be sent, as the settings say.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Outlets {
    /// Whether there is a server that takes mail.
    pub mail: bool,
    /// Addresses of ours, which are never written to.
    pub own_addresses: Vec<AddressPattern>,
    /// The names of the webhooks.
    pub webhooks: BTreeSet<String>,
    /// The names of the Maildirs.
    pub maildirs: BTreeSet<String>,
}

/// The addresses of this desk, which change when its jobs do. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct OwnAddresses(Arc<RwLock<Vec<AddressPattern>>>);

impl OwnAddresses {
    /// These.
    #[must_use]
    pub fn new(addresses: Vec<AddressPattern>) -> Self {
        Self(Arc::new(RwLock::new(addresses)))
    }

    /// From now on these, for all clones.
    pub fn set(&self, addresses: Vec<AddressPattern>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = addresses;
    }

    /// Whether this is one of them.
    #[must_use]
    pub fn has(&self, email: &str) -> bool {
        is_own(email, &self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

/// How our own mail looks, and how often it is written.
#[derive(Debug, Clone)]
pub struct Sender {
    /// Addresses of ours.
    pub own_addresses: OwnAddresses,
    /// Issues Message-IDs.
    pub ids: OwnIds,
    /// The tag of a ticket.
    pub tag: ThreadTag,
    /// Where the subject has it.
    pub tag_end: TagEnd,
    /// How often mail is written.
    pub limits: Limits,
}

/// Where the subject of our own mail has the ticket's tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TagEnd {
    /// Before the text.
    Beginning,
    /// After the text.
    End,
    /// Where the rule has `{tag}`, or nowhere.
    None,
}

/// How often mail is written (RFC 3834 section 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The stretch of time that is looked at.
    pub window: Duration,
    /// The most answers within it to one address.
    pub per_sender: u64,
    /// The mails within it about one ticket, beyond which nobody is answered about it.
    pub per_ticket: u64,
    /// The most mails within it to one address, answers or not.
    pub per_address: u64,
}

/// Something ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Parcel {
    /// A mail.
    Mail(Mail),
    /// A call of a webhook.
    Webhook {
        /// Its name in the settings.
        name: String,
        /// The same for all attempts: what the receiver knows repetitions by.
        id: String,
        /// The JSON text.
        body: String,
    },
    /// A copy of a message in a Maildir.
    Maildir {
        /// Its name in the settings.
        folder: String,
        /// The name of the file, the same for all attempts.
        file: String,
        /// The digest of the message, in hexadecimal.
        original: String,
    },
}

/// A mail ready to be sent: all that does not change between attempts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mail {
    /// Who gets it.
    pub to: Address,
    /// Its whole subject.
    pub subject: String,
    /// Its text.
    pub text: String,
    /// Its Message-ID.
    pub message_id: MessageId,
    /// When it was written, in seconds since 1970.
    pub written_at: i64,
    /// Whether it answers a message of whoever gets it.
    pub is_answer: bool,
    /// The message that it answers.
    pub in_reply_to: Option<MessageId>,
    /// The conversation before it, oldest first.
    pub references: Vec<MessageId>,
    /// The digest of the message that goes along, in hexadecimal.
    pub original: Option<String>,
}

impl Sender {
    /// The mail that a notice becomes; `seed` is different for each mail, and the same whenever this one is made.
    #[must_use]
    pub fn mail(&self, notice: &Notice, to: Address, ticket: Option<&TicketNumber>, seed: &str, at: i64) -> Mail {
        let about = &notice.about;
        let is_answer = !notice.forwards && about.is_from(&to.email);
        let (in_reply_to, references) = match (is_answer, &about.message_id) {
            (true, Some(id)) => (Some(id.clone()), about.references.iter().cloned().chain([id.clone()]).collect()),
            _ => (None, Vec::new()),
        };
        Mail {
            to,
            subject: self.subject(&notice.subject, ticket),
            text: self.filled(&notice.text, ticket),
            message_id: self.ids.issue(ticket, seed),
            written_at: at,
            is_answer,
            in_reply_to,
            references,
            original: None,
        }
    }

    fn subject(&self, subject: &Wording, ticket: Option<&TicketNumber>) -> String {
        let subject: String = one_line(&self.filled(subject, ticket)).chars().take(SUBJECT_CHARS_MAX).collect();
        let Some(ticket) = ticket else { return subject };
        let has_tag = self.tag.tickets(&subject).any(|tagged| tagged == *ticket);
        match self.tag_end {
            TagEnd::Beginning if !has_tag => format!("{} {subject}", self.tag.of(ticket)).trim_end().to_owned(),
            TagEnd::End if !has_tag => format!("{subject} {}", self.tag.of(ticket)).trim_start().to_owned(),
            TagEnd::Beginning | TagEnd::End | TagEnd::None => subject,
        }
    }

    /// A text with the ticket's number and tag in their places.
    fn filled(&self, text: &Wording, ticket: Option<&TicketNumber>) -> String {
        let (number, tag) = ticket.map(|it| (it.to_string(), self.tag.of(it))).unwrap_or_default();
        text.filled(&number, &tag)
    }
}

/// A text as one line: white space and control characters, which could begin another header field, are single spaces.
#[must_use]
pub fn one_line(text: &str) -> String {
    let words = text.split(|c: char| c.is_whitespace() || c.is_control());
    words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// Reads `Name <local@domain>` or `local@domain`; none if no mail could be sent there.
#[must_use]
pub fn address(text: &str) -> Option<Address> {
    let (name, email) = match text.trim().strip_suffix('>') {
        Some(rest) => rest.rsplit_once('<')?,
        None => ("", text),
    };
    let email = email.trim();
    let name = one_line(name.trim().trim_matches('"'));
    (is_mailable(email) && !name.contains(['<', '>'])).then(|| Address { name, email: email.to_owned() })
}

/// Whether mail can be sent to an address: one `@` with something on both sides, and nothing that ends a command or a
/// header field (RFC 5321 section 4.1.2).
#[must_use]
pub fn is_mailable(email: &str) -> bool {
    let is_odd = |c: char| {
        c.is_whitespace() || c.is_control() || matches!(c, '<' | '>' | ',' | ';' | ':' | '"' | '\\' | '(' | ')')
    };
    let parts = email.rsplit_once('@');
    parts.is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty() && !local.contains('@'))
        && !email.contains(is_odd)
}

/// Whether a Message-ID can stand in a header field as it is.
#[must_use]
pub fn is_plain_id(id: &MessageId) -> bool {
    const BYTES_MAX: usize = 250;
    let is_plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'<' | b'>');
    !id.0.is_empty() && id.0.len() <= BYTES_MAX && id.0.bytes().all(is_plain)
}
