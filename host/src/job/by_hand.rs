//! What a person does to a ticket without a mail program.
//!
//! It goes the way of every message: what was written is kept as one, with a receipt, so that a comment always says where it came
//! from, and the ticket changes in one transaction.

use crate::action::{Change, Outcome, Plan};
use crate::content::Content;
use crate::field::DateTime;
use crate::mailbox::{Disposition, MessageKey};
use crate::message::Address;
use crate::store::{self, Entry, Receipt, Store, Verdict};
use crate::ticket::{Status, TicketNumber, Visibility};

/// The job and the mailbox that such receipts name.
const WEB: &str = "(web)";

/// Something that a person does to a ticket.
#[derive(Debug, Clone)]
pub struct ByHand {
    /// Who.
    pub who: String,
    /// What makes it unique: doing it twice under one key does it once.
    pub key: String,
    /// The ticket.
    pub ticket: TicketNumber,
    /// What they write; none: nothing.
    pub comment: Option<(String, Visibility)>,
    /// The status that the ticket gets; none: the one it has.
    pub status: Option<Status>,
    /// The revision of the rules in force.
    pub revision: String,
    /// When.
    pub at: DateTime,
}

impl ByHand {
    /// Does it.
    ///
    /// # Errors
    /// Where the store fails, or there is no such ticket.
    pub async fn carry_out(self, store: &Store) -> Result<Option<Receipt>, store::Error> {
        let receipts = store.commit(&[self.entry()]).await?;
        Ok(receipts.into_iter().next())
    }

    fn entry(self) -> Entry {
        let Self { who, key, ticket, comment, status, revision, at } = self;
        let author = Address { name: who.clone(), email: String::new() };
        let text = comment.as_ref().map(|(text, _)| text.clone()).unwrap_or_default();
        let comment = comment.map(|(text, visibility)| {
            let ticket = Some(ticket.clone());
            Change::AddComment { ticket, author, text, visibility }
        });
        let status = status.map(|status| Change::SetStatus { ticket: ticket.clone(), status });
        // Names have no line ends: they were checked when they were made.
        let raw = format!(
            "Subject: {ticket}, by {who} in the web admin\r\nMIME-Version: 1.0\r\n\
             Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n{}",
            text.replace("\r\n", "\n").replace('\n', "\r\n")
        );
        Entry {
            job: WEB.to_owned(),
            session: None,
            key: MessageKey { mailbox: WEB.to_owned(), uid_validity: 0, uid: key },
            raw: Content::from(raw.into_bytes()),
            message_id: None,
            sender: None,
            people: Vec::new(),
            brake: None,
            attachments: Vec::new(),
            revision,
            report: "null".to_owned(),
            verdict: Verdict::Plan(Plan {
                outcome: Outcome::Accepted,
                changes: comment.into_iter().chain(status).collect(),
            }),
            disposition: Disposition::default(),
            received_at: at,
            header_only: false,
        }
    }
}
