//! What is watched: the mailboxes of an account, and what becomes of the mail that was there before.

use super::reader::{self, Setting, leaves};
use super::schema;
use super::settings::settings;
use crate::diagnostic::{Diagnostics, Source};
use serde::{Deserialize, Serialize};
use toml::Spanned;
use toml::de::DeValue;

/// The mailboxes (folders) that a job watches, at least one, as they are written: `INBOX.Support` and `INBOX/Support` are
/// the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "MailboxesWritten", from = "MailboxesWritten")]
pub struct Mailboxes(Vec<String>);

/// [`Mailboxes`] as a file spells them.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum MailboxesWritten {
    One(String),
    Several(Vec<String>),
}

/// What becomes of the mail that is in a mailbox when a job sees it for the first time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ExistingMail {
    /// It stays as it is: the job handles what arrives from now on.
    PassOver,
    /// It is handled.
    Handle,
}

leaves! {
    ExistingMail: "\"pass-over\" or \"handle\"" => schema::words(["pass-over", "handle"]);
}

settings! {
    /// What is watched on an IMAP4 server.
    pub struct Watched {
        /// The mailbox (folder) to watch, or a list of several: `["INBOX", "INBOX/Support"]`. Levels are separated by `/` or
        /// by `.`, whatever the server uses. `mailmill folders JOB` lists them. New mail in the first is noticed at once.
        mailbox: Mailboxes => default(Mailboxes::inbox()),
        /// What becomes of the mail that is in a mailbox when the job sees it for the first time: "pass-over", or "handle".
        existing_mail: ExistingMail => default(ExistingMail::PassOver),
    }
}

settings! {
    /// What is watched on a POP3 server.
    pub struct Maildrop {
        /// What becomes of the mail that is there when the job sees it for the first time: "pass-over", or "handle".
        existing_mail: ExistingMail => default(ExistingMail::PassOver),
    }
}

impl Mailboxes {
    /// INBOX alone.
    fn inbox() -> Self {
        Self(vec!["INBOX".to_owned()])
    }

    /// Their names, as they are written.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.0
    }

    /// What is wrong with them, if anything is.
    fn fault(&self) -> Option<String> {
        if self.0.is_empty() {
            return Some("`mailbox` must name at least one mailbox".to_owned());
        }
        if self.0.iter().any(|name| levels(name).is_empty() || name.contains(char::is_control)) {
            return Some("the name of a mailbox must hold at least one character, and no line end".to_owned());
        }
        let twice = self.0.iter().enumerate().find_map(|(at, name)| {
            self.0.iter().take(at).find(|other| are_the_same(name, other)).map(|other| (other, name))
        });
        twice.map(|(one, other)| format!("\"{one}\" and \"{other}\" are the same mailbox: name it once"))
    }
}

/// The levels of a mailbox's name, whichever separator is written.
pub(super) fn levels(name: &str) -> Vec<&str> {
    name.split(['/', '.']).filter(|level| !level.is_empty()).collect()
}

/// Whether two spellings mean the same mailbox on every server where `.` or `/` separates levels.
pub fn are_the_same(one: &str, other: &str) -> bool {
    let (one, other) = (levels(one), levels(other));
    let is_same = |(depth, (one, other)): (usize, (&&str, &&str))| {
        one == other || (depth == 0 && one.eq_ignore_ascii_case("INBOX") && other.eq_ignore_ascii_case("INBOX"))
    };
    one.len() == other.len() && one.iter().zip(&other).enumerate().all(is_same)
}

impl From<Mailboxes> for MailboxesWritten {
    fn from(mailboxes: Mailboxes) -> Self {
        match <[String; 1]>::try_from(mailboxes.0) {
            Ok([name]) => Self::One(name),
            Err(names) => Self::Several(names),
        }
    }
}

impl From<MailboxesWritten> for Mailboxes {
    fn from(written: MailboxesWritten) -> Self {
        match written {
            MailboxesWritten::One(name) => Self(vec![name]),
            MailboxesWritten::Several(names) => Self(names),
        }
    }
}

impl Setting for Mailboxes {
    fn read(source: &Source, name: &str, value: &Spanned<DeValue<'_>>, out: &mut Diagnostics) -> Option<Self> {
        let read: Self = reader::read_value(source, name, "the name of a mailbox, or a list of names", value, out)?;
        let fault = read.fault();
        if let Some(reason) = &fault {
            out.push(source.error(value.span(), reason.clone()));
        }
        fault.is_none().then_some(read)
    }

    fn schema() -> serde_json::Value {
        schema::any_of(&[schema::text(), schema::list(&schema::text())])
    }
}
