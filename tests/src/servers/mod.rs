//! Real mail servers, each private to one test: on free ports of the loopback interface, in a folder that goes with it.
//!
//! All of them are described alike: an [`Endpoint`] for every [`Protocol`] and [`Tls`], a certificate authority to
//! trust, users that all have the password [`PASSWORD`], and a [`Mailbox`] to look at what became of the mail.

mod courier;
mod cyrus;
mod dovecot;
mod exim;
mod process;

pub use courier::Courier;
pub use cyrus::Cyrus;
pub use dovecot::Dovecot;
pub use exim::{Exim, Manners};
pub(crate) use process::signal;

use crate::imap::Mailbox;
use anyhow::Result;
use std::path::Path;

/// The password of every user of every server.
pub const PASSWORD: &str = "secret";

/// What mail is fetched by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// IMAP4rev1.
    Imap,
    /// POP3.
    Pop3,
}

impl Protocol {
    /// Both, for tests that go through a table.
    pub const ALL: [Self; 2] = [Self::Imap, Self::Pop3];
}

/// What a server does about TLS at one of its endpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tls {
    /// It has none: STARTTLS is neither offered nor accepted.
    Absent,
    /// It offers STARTTLS, and takes passwords without.
    Offered,
    /// It takes passwords only after STARTTLS (IMAP says `LOGINDISABLED`).
    Required,
    /// It speaks TLS from the first byte.
    Implicit,
}

impl Tls {
    /// All of them, for tests that go through a table.
    pub const ALL: [Self; 4] = [Self::Absent, Self::Offered, Self::Required, Self::Implicit];
}

/// Where a server listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Endpoint {
    /// An address of the loopback interface, which the server's certificate names.
    pub host: &'static str,
    /// The port.
    pub port: u16,
}

/// A port for each protocol and mode, of a server that tells modes apart by port.
#[derive(Debug, Clone, Copy)]
struct Ports {
    imap: [u16; 4],
    pop3: [u16; 4],
}

impl Ports {
    /// These, and one more.
    fn free() -> Result<(Self, u16)> {
        let [a, b, c, d, e, f, g, h, further] = process::free_ports()?;
        Ok((Self { imap: [a, b, c, d], pop3: [e, f, g, h] }, further))
    }

    fn of(&self, protocol: Protocol, tls: Tls) -> u16 {
        let [absent, offered, required, implicit] = match protocol {
            Protocol::Imap => self.imap,
            Protocol::Pop3 => self.pop3,
        };
        match tls {
            Tls::Absent => absent,
            Tls::Offered => offered,
            Tls::Required => required,
            Tls::Implicit => implicit,
        }
    }
}

/// What every server of the tests can be asked.
pub trait Server {
    /// Where it speaks `protocol` in the way `tls`.
    fn endpoint(&self, protocol: Protocol, tls: Tls) -> Endpoint;

    /// The certificate of the authority that signed the server's, PEM.
    fn authority(&self) -> &Path;

    /// Makes a user with an empty mailbox and the password [`PASSWORD`]. Having it already is no error.
    ///
    /// # Errors
    /// When the server's own tools refuse the name.
    fn add_user(&self, name: &str) -> Result<()>;

    /// The INBOX of a user, seen through the tests' own client. What is delivered there is what POP3 shows.
    ///
    /// # Errors
    /// When the server does not let the user in.
    fn mailbox(&self, user: &str) -> Result<Mailbox> {
        Mailbox::open(self.endpoint(Protocol::Imap, Tls::Offered), user, PASSWORD)
    }
}
