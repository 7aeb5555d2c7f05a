//! What a test of a connection saw, step by step.

use super::Opened;
use super::connection::Certificate;
use super::error::Error;
use serde::Serialize;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

/// A step of opening a mailbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Finding the host's addresses.
    Resolve,
    /// Connecting to one of them.
    Connect,
    /// The server's greeting.
    Greeting,
    /// Securing the connection.
    Tls,
    /// What the server says it can do.
    Capabilities,
    /// Logging in.
    Authentication,
    /// Opening the mailbox or the folder, without changing it.
    Folder,
    /// Counting the messages in it.
    Waiting,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Resolve => "resolve",
            Self::Connect => "connect",
            Self::Greeting => "greeting",
            Self::Tls => "tls",
            Self::Capabilities => "capabilities",
            Self::Authentication => "authentication",
            Self::Folder => "folder",
            Self::Waiting => "waiting",
        })
    }
}

/// What became of one step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Which one.
    pub stage: Stage,
    /// How long it took.
    pub took: Duration,
    /// What was seen, or why it failed and what to change. The last step reported is the one that failed, unless it is
    /// one of several mailboxes that cannot be opened: the others are tried, too.
    pub outcome: Result<Seen, Error>,
}

/// What a step saw. As text it is one line for people; serialised it has a field for each fact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Seen {
    /// The host's addresses.
    Addresses {
        /// In the order in which they are tried.
        addresses: Vec<IpAddr>,
    },
    /// A connection.
    Connected {
        /// To where.
        address: Option<SocketAddr>,
    },
    /// How the server greets.
    Greeting {
        /// In its own words.
        greeting: String,
        /// Whether it knows us already, without a password.
        logged_in: bool,
    },
    /// A connection that nobody on the way can read.
    Secured(Box<Secured>),
    /// A connection that was to be secured and is not.
    PlainText {
        /// The server.
        host: String,
        /// Why it is not.
        cause: String,
    },
    /// A connection that could be secured and is not to be.
    LeftPlain {
        /// The server.
        host: String,
        /// The command by which it would secure the connection.
        command: &'static str,
    },
    /// What the server can do.
    Capabilities {
        /// In its own words.
        capabilities: Vec<String>,
    },
    /// A login.
    LoggedIn {
        /// How the user has proved who he is.
        mechanism: String,
    },
    /// An open mailbox.
    Opened {
        /// Its name, or the folder's path.
        mailbox: String,
    },
    /// A mailbox that handled messages move to.
    Target {
        /// Its name.
        target: String,
        /// Whether it is there; else it is made when the first message moves.
        exists: bool,
    },
    /// Messages.
    Waiting {
        /// How many.
        messages: u64,
        /// How many in each mailbox, where there are several.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        mailboxes: Vec<(String, u64)>,
    },
}

/// What protects a connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Secured {
    /// Such as `TLS 1.3`.
    pub version: &'static str,
    /// How the bytes are encrypted.
    pub cipher: String,
    /// What the server proves itself with; none if it cannot be read.
    pub certificate: Option<Certificate>,
    /// What is wrong with the certificate, and was accepted because the account wants it so.
    pub faults: Vec<String>,
    /// Whether it is accepted for its fingerprint.
    pub pinned: bool,
    /// The server.
    #[serde(skip)]
    pub host: String,
}

/// Something about an open mailbox that is not as safe as it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)] // The sentences name the fields.
pub enum Warning {
    #[error(
        "the connection to {host} stays in plain text, so the mail can be read on the way: {cause}; set \
         security = \"starttls\" or \"tls\" to refuse that"
    )]
    PlainText { host: String, cause: String },
    #[error(
        "the connection to {host} stays in plain text, so password and mail can be read on the way: security = \"none\" \
         wants it so, although the server offers {command}; set security = \"starttls\""
    )]
    LeftPlain { host: String, command: &'static str },
    #[error(
        "the certificate of {host} is accepted although {}, because reject_invalid_certificates is off: anyone on the \
         way can read password and mail; name its `fingerprint` or its authority's `ca_file` instead",
        faults.join(", and ")
    )]
    Certificate { host: String, faults: Vec<String> },
}

impl Seen {
    pub(super) fn addresses(found: &[SocketAddr]) -> Self {
        Self::Addresses { addresses: found.iter().map(SocketAddr::ip).collect() }
    }

    pub(super) fn waiting(messages: u64, opened: &[Opened]) -> Self {
        let each = opened.iter().filter(|_| opened.len() > 1);
        Self::Waiting { messages, mailboxes: each.map(|it| (it.mailbox.clone(), it.messages)).collect() }
    }

    /// What is not as safe as it should be.
    #[must_use]
    pub fn warning(&self) -> Option<Warning> {
        match self {
            Self::PlainText { host, cause } => Some(Warning::PlainText { host: host.clone(), cause: cause.clone() }),
            Self::LeftPlain { host, command } => Some(Warning::LeftPlain { host: host.clone(), command }),
            Self::Secured(secured) if !secured.faults.is_empty() && !secured.pinned => {
                Some(Warning::Certificate { host: secured.host.clone(), faults: secured.faults.clone() })
            }
            Self::Addresses { .. }
            | Self::Connected { .. }
            | Self::Greeting { .. }
            | Self::Secured(_)
            | Self::Capabilities { .. }
            | Self::LoggedIn { .. }
            | Self::Opened { .. }
            | Self::Target { .. }
            | Self::Waiting { .. } => None,
        }
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Addresses { addresses } => {
                f.write_str(&addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))
            }
            Self::Connected { address: Some(address) } => write!(f, "connected to {address}"),
            Self::Connected { address: None } => f.write_str("connected"),
            Self::Greeting { greeting, logged_in: false } => f.write_str(greeting),
            Self::Greeting { greeting, logged_in: true } => write!(f, "already logged in; {greeting}"),
            Self::Secured(secured) => secured.fmt(f),
            Self::PlainText { cause, .. } => write!(f, "not secured: {cause}"),
            Self::LeftPlain { command, .. } => write!(f, "not secured, although the server offers {command}"),
            Self::Capabilities { capabilities } => f.write_str(&super::error::said(&capabilities.join(" "))),
            Self::LoggedIn { mechanism } => write!(f, "logged in with {mechanism}"),
            Self::Opened { mailbox } => write!(f, "\"{mailbox}\" opened"),
            Self::Target { target, exists: true } => write!(f, "\"{target}\" is there to move messages to"),
            Self::Target { target, exists: false } => {
                write!(f, "\"{target}\" will be made when the first message moves there")
            }
            Self::Waiting { messages, mailboxes } => {
                write!(f, "{messages} {}", if *messages == 1 { "message" } else { "messages" })?;
                let each: Vec<String> =
                    mailboxes.iter().map(|(mailbox, count)| format!("{count} in {mailbox}")).collect();
                if each.is_empty() { Ok(()) } else { write!(f, ": {}", each.join(", ")) }
            }
        }
    }
}

impl fmt::Display for Secured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}", self.version, self.cipher)?;
        if let Some(certificate) = &self.certificate {
            write!(f, "; certificate {certificate}")?;
        }
        if self.pinned {
            f.write_str("; accepted for its fingerprint")?;
        }
        Ok(())
    }
}

/// Runs steps and reports each.
pub(super) struct Steps<'a> {
    report: &'a mut (dyn FnMut(Step) + Send),
    warnings: Vec<Warning>,
}

impl<'a> Steps<'a> {
    pub(super) fn new(report: &'a mut (dyn FnMut(Step) + Send)) -> Self {
        Self { report, warnings: Vec::new() }
    }

    pub(super) async fn run<T>(
        &mut self,
        stage: Stage,
        step: impl Future<Output = Result<T, Error>>,
        describe: impl FnOnce(&T) -> Seen,
    ) -> Result<T, Error> {
        let start = Instant::now();
        let result = step.await;
        let outcome = result.as_ref().map(describe).map_err(Clone::clone);
        self.warnings.extend(outcome.as_ref().ok().and_then(Seen::warning));
        (self.report)(Step { stage, took: start.elapsed(), outcome });
        result
    }

    /// Reports what was seen on the way, without a step of its own.
    pub(super) fn note(&mut self, stage: Stage, seen: Seen) {
        self.warnings.extend(seen.warning());
        (self.report)(Step { stage, took: Duration::ZERO, outcome: Ok(seen) });
    }

    /// What the steps so far warn of.
    pub(super) fn into_warnings(self) -> Vec<Warning> {
        self.warnings
    }
}
