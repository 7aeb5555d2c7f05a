//! What goes wrong with a mailbox, said so that an operator knows what to change.

use crate::class::Class;
use crate::content;
use std::path::PathBuf;
use std::time::Duration;

/// The most characters of a server's own text that an error repeats.
const SAID_CHARS_MAX: usize = 200;

/// What goes wrong with a mailbox. After any error, close the session and open another.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)] // The sentences name the fields.
pub enum Error {
    #[error("cannot find the mail server {host}: {cause}; check the host name and the name server")]
    Resolve { host: String, cause: String },
    #[error("cannot connect to {host} port {port}: {cause}; check the port, the firewall and whether the server runs")]
    Connect { host: String, port: u16, cause: String },
    #[error("cannot secure the connection to {host}: {cause}")]
    Tls { host: String, cause: String },
    #[error("the certificate of {host} is refused: {cause}")]
    Certificate { host: String, cause: String },
    #[error(
        "port {port} of {host} does not speak TLS from the first byte: set security = \"starttls\", or port = {tls_port}"
    )]
    NoTls { host: String, port: u16, tls_port: u16 },
    #[error("port {port} of {host} speaks TLS from the first byte: set security = \"tls\"")]
    TlsOnly { host: String, port: u16 },
    #[error(
        "{host} cannot begin TLS, which security = \"starttls\" demands: {cause}; either it is switched off there, or \
         someone on the way has removed it, so no password was sent"
    )]
    NoStarttls { host: String, cause: String },
    #[error(
        "{host} sent more in plain text after it had agreed to begin TLS: someone on the way may have put it there, so \
         nothing of it is used"
    )]
    Injected { host: String },
    #[error("cannot use the certificates in {}: {cause}", path.display())]
    Trust { path: PathBuf, cause: String },
    #[error("{host} refuses the connection: {said}")]
    Greeting { host: String, said: String },
    #[error("{host} does not greet as a mail server does: {cause}; check port and security mode")]
    NoGreeting { host: String, cause: String },
    #[error("{host} refuses user \"{user}\" and its password: {said}; check both")]
    Login { host: String, user: String, said: String },
    #[error("{host} cannot log in user \"{user}\": {cause}")]
    LoginMethod { host: String, user: String, cause: String },
    #[error(
        "{host} refuses the access token of user \"{user}\": {said}; \
         check that it is for this mailbox and that its scope allows this protocol"
    )]
    TokenRefused { host: String, user: String, said: String },
    #[error("cannot get an access token for user \"{user}\": {cause}")]
    Token { user: String, cause: String, class: Class, retry_after: Option<Duration> },
    #[error("{host} cannot open mailbox \"{mailbox}\": {said}; check its name and the user's rights")]
    Mailbox { host: String, mailbox: String, said: String },
    #[error("{host} has no mailbox \"{mailbox}\"; {near}")]
    NoMailbox { host: String, mailbox: String, near: String },
    #[error("\"{one}\" and \"{other}\" are the same mailbox on {host}; name it once")]
    SameMailbox { host: String, one: String, other: String },
    #[error(
        "messages cannot be moved to \"{target}\": on {host} that is the mailbox \"{mailbox}\", which this job watches \
         for new ones"
    )]
    TargetWatched { host: String, target: String, mailbox: String },
    #[error(
        "mailbox \"{mailbox}\" on {host} does not keep the flag or keyword \"{flag}\"; it keeps these: {kept}; change \
         [handling], or the user's rights"
    )]
    Flag { host: String, mailbox: String, flag: String, kept: String },
    #[error("mailbox \"{mailbox}\" on {host} is read-only, so nothing can be marked there; check the user's rights")]
    ReadOnly { host: String, mailbox: String },
    #[error("{host} refuses {command}: {said}")]
    Refused { host: String, command: &'static str, said: String },
    #[error("{host} closed the connection during {during}: {said}")]
    Closed { host: String, during: &'static str, said: String },
    #[error("{host} did not answer {during} within {}", seconds(*waited))]
    Timeout { host: String, during: &'static str, waited: Duration },
    #[error("the connection to {host} broke during {during}: {cause}")]
    Broken { host: String, during: &'static str, cause: String },
    #[error("the answer of {host} to {during} makes no sense: {what}")]
    Protocol { host: String, during: &'static str, what: String },
    #[error(
        "mailbox \"{mailbox}\" on {host} was renumbered (UIDVALIDITY {before} became {now}): list its messages again"
    )]
    Renumbered { host: String, mailbox: String, before: u32, now: u32 },
    #[error("an earlier command to {host} was abandoned half way: open the mailbox again")]
    Abandoned { host: String },
    #[error("the session with {host} is over: open the mailbox again")]
    Over { host: String },
    #[error(
        "{host} has no unique-ids for its messages (UIDL: {said}), so that those handled already cannot be told from new \
         ones; use `type = \"imap\"`, or another server"
    )]
    NoUidl { host: String, said: String },
    #[error("nobody takes the messages any more, fetching stopped")]
    Stopped,
    #[error("cannot {action} {}: {cause}", path.display())]
    Folder { path: PathBuf, action: &'static str, cause: String },
    #[error(transparent)]
    Content(#[from] content::Error),
    #[error("message {key} does not belong to this mailbox")]
    ForeignKey { key: String },
    #[error("a connection cannot be prepared: {cause}")]
    Bug { cause: String },
}

impl Error {
    /// Whether a command was refused, or a file, and the mailbox can still be read.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::ReadOnly { .. }
            | Self::Refused { .. }
            | Self::Mailbox { .. }
            | Self::NoMailbox { .. }
            | Self::Flag { .. } => true,
            Self::Folder { action, .. } => matches!(*action, "mark" | "remove" | "move"),
            _ => false,
        }
    }

    /// Whether the server does not let this user in: each further attempt may get the account locked.
    #[must_use]
    pub fn is_login_refused(&self) -> bool {
        match self {
            Self::Login { .. } | Self::LoginMethod { .. } | Self::TokenRefused { .. } => true,
            Self::Token { class, .. } => *class == Class::Permanent,
            _ => false,
        }
    }

    /// How long the server itself wants us to stay away, if its words say so.
    #[must_use]
    pub fn retry_hint(&self) -> Option<Duration> {
        match self {
            Self::Greeting { said, .. }
            | Self::Login { said, .. }
            | Self::Mailbox { said, .. }
            | Self::Refused { said, .. }
            | Self::Closed { said, .. } => super::hint::retry_hint(said),
            Self::Token { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// Whether trying again can help.
    #[must_use]
    pub fn class(&self) -> Class {
        match self {
            Self::Resolve { .. }
            | Self::Connect { .. }
            | Self::Tls { .. }
            | Self::NoStarttls { .. }
            | Self::Injected { .. }
            | Self::Greeting { .. }
            | Self::NoGreeting { .. }
            | Self::Refused { .. }
            | Self::Closed { .. }
            | Self::Timeout { .. }
            | Self::Broken { .. }
            | Self::Renumbered { .. }
            | Self::Abandoned { .. }
            | Self::Over { .. }
            | Self::Stopped
            | Self::Folder { .. }
            | Self::Content(content::Error::Spool { .. }) => Class::Transient,
            Self::Certificate { .. }
            | Self::NoTls { .. }
            | Self::TlsOnly { .. }
            | Self::Trust { .. }
            | Self::Login { .. }
            | Self::LoginMethod { .. }
            | Self::TokenRefused { .. }
            | Self::Mailbox { .. }
            | Self::NoMailbox { .. }
            | Self::SameMailbox { .. }
            | Self::TargetWatched { .. }
            | Self::Flag { .. }
            | Self::ReadOnly { .. }
            | Self::NoUidl { .. }
            | Self::Protocol { .. }
            | Self::Content(content::Error::TooLong(_)) => Class::Permanent,
            Self::ForeignKey { .. } | Self::Bug { .. } => Class::Bug,
            Self::Token { class, .. } => *class,
        }
    }
}

/// A server's reason, in its own words.
pub(super) fn said(text: &str) -> String {
    let said = one_line(text);
    if said.is_empty() { "it gave no reason".into() } else { said }
}

/// A server's own words, on one line and of bearable length.
pub(super) fn one_line(text: &str) -> String {
    let clean: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(SAID_CHARS_MAX + 1).collect();
    // The sentence around it goes on.
    let clean = clean.trim().trim_end_matches('.');
    if clean.chars().count() <= SAID_CHARS_MAX {
        return clean.to_owned();
    }
    clean.chars().take(SAID_CHARS_MAX).chain(['…']).collect()
}

fn seconds(time: Duration) -> String {
    if time.subsec_millis() == 0 { format!("{} s", time.as_secs()) } else { format!("{} ms", time.as_millis()) }
}

#[cfg(test)]
mod tests {
    use super::said;

    #[test]
    fn a_servers_words_are_one_short_line() {
        let check = |text: &str, expect: &str| assert_eq!(said(text), expect);
        check("no\r\nsuch", "no  such");
        check("Login failed.", "Login failed");
        check("  ", "it gave no reason");
        check(&"x".repeat(200), &"x".repeat(200));
        check(&"é".repeat(201), &format!("{}…", "é".repeat(200)));
    }
}
