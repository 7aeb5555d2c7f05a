//! Which way to log in is tried, and which after it.

use super::{Fault, Mechanism};
use crate::mailbox::connection::Security;

/// A way to log in: by SASL, or by a command that a protocol had before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::mailbox) enum Way {
    /// `AUTHENTICATE` of IMAP, `AUTH` of POP3.
    Sasl(Mechanism),
    /// `APOP` of POP3 (RFC 1939 section 7): a hash, of the same worth as CRAM-MD5.
    Apop,
    /// `LOGIN` of IMAP, `USER` and `PASS` of POP3: clear text.
    Command,
}

impl Way {
    /// What to call it in a sentence.
    pub(in crate::mailbox) fn name(self) -> &'static str {
        match self {
            Self::Sasl(mechanism) => mechanism.name(),
            Self::Apop => "APOP",
            Self::Command => "the login command",
        }
    }

    /// Whether who listens can log in afterwards.
    pub(in crate::mailbox) fn is_clear_text(self) -> bool {
        match self {
            Self::Command => true,
            Self::Apop => false,
            Self::Sasl(mechanism) => match mechanism {
                Mechanism::Plain | Mechanism::Login | Mechanism::OAuthBearer | Mechanism::XOAuth2 => true,
                Mechanism::ScramSha256 | Mechanism::ScramSha1 | Mechanism::CramMd5 | Mechanism::Ntlm => false,
            },
        }
    }
}

/// What the administrator wants to log in with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::mailbox) enum Kind {
    /// A password, in the strongest way that the server offers.
    Password,
    /// A password of a Windows domain.
    Ntlm,
    /// An access token.
    Token,
}

impl Kind {
    /// Its ways, the best one first.
    const fn ways(self) -> &'static [Way] {
        match self {
            Self::Password => &[
                Way::Sasl(Mechanism::ScramSha256),
                Way::Sasl(Mechanism::ScramSha1),
                Way::Sasl(Mechanism::CramMd5),
                Way::Apop,
                Way::Sasl(Mechanism::Plain),
                Way::Sasl(Mechanism::Login),
                Way::Command,
            ],
            Self::Ntlm => &[Way::Sasl(Mechanism::Ntlm)],
            Self::Token => &[Way::Sasl(Mechanism::OAuthBearer), Way::Sasl(Mechanism::XOAuth2)],
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::Ntlm => "NTLM login",
            Self::Token => "access token",
        }
    }
}

/// Who can read what goes over the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::mailbox) enum Privacy {
    /// Only the server.
    Encrypted,
    /// Anybody on the way, and the administrator has said so: `security = "none"`.
    OpenByChoice,
    /// Anybody on the way, and nobody has said that they may.
    Open,
}

impl Privacy {
    /// Of a connection that is encrypted or not, whatever its settings have hoped for.
    pub(in crate::mailbox) fn of(encrypted: bool, security: Security) -> Self {
        match security {
            _ if encrypted => Self::Encrypted,
            Security::None => Self::OpenByChoice,
            Security::StarttlsIfAvailable | Security::Starttls | Security::Tls => Self::Open,
        }
    }
}

/// The ways to try, in this order, of those that are offered. None is in clear text unless that is allowed.
pub(in crate::mailbox) fn choose(offered: &[Way], kind: Kind, privacy: Privacy) -> Result<Vec<Way>, Fault> {
    let fitting: Vec<Way> = kind.ways().iter().copied().filter(|way| offered.contains(way)).collect();
    let allowed: Vec<Way> =
        fitting.iter().copied().filter(|way| !way.is_clear_text() || privacy != Privacy::Open).collect();
    if !allowed.is_empty() {
        return Ok(allowed);
    }
    let what = kind.name();
    if !fitting.is_empty() {
        return Err(Fault::ClearText { offered: names(&fitting), what });
    }
    if offered.is_empty() && privacy != Privacy::Encrypted {
        return Err(Fault::Disabled(what));
    }
    Err(Fault::NotOffered { what, offered: names(offered) })
}

fn names(ways: &[Way]) -> String {
    if ways.is_empty() {
        return "no way to log in that is known here".into();
    }
    ways.iter().map(|way| way.name()).collect::<Vec<_>>().join(", ")
}
