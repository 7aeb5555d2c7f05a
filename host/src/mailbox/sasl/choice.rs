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

#[cfg(test)]
mod tests {
    use super::*;
    use Privacy::{Encrypted, Open, OpenByChoice};

    /// Ways by their names; `-` is the login command.
    fn ways(names: &str) -> Vec<Way> {
        let way = |name| match name {
            "-" => Way::Command,
            "APOP" => Way::Apop,
            name => Way::Sasl(Mechanism::named(name).unwrap()),
        };
        names.split_whitespace().map(way).collect()
    }

    fn check(offered: &str, kind: Kind, privacy: Privacy, expect: Result<&str, &str>) {
        let chosen = choose(&ways(offered), kind, privacy).map_err(|fault| fault.to_string());
        assert_eq!(chosen, expect.map(ways).map_err(str::to_owned), "{offered} {kind:?} {privacy:?}");
    }

    const ALL: &str = "- LOGIN XOAUTH2 PLAIN NTLM CRAM-MD5 OAUTHBEARER SCRAM-SHA-1 APOP SCRAM-SHA-256";

    #[test]
    fn passwords_go_the_strongest_way_first() {
        let all = Ok("SCRAM-SHA-256 SCRAM-SHA-1 CRAM-MD5 APOP PLAIN LOGIN -");
        check(ALL, Kind::Password, Encrypted, all);
        check(ALL, Kind::Password, OpenByChoice, all);
        check(ALL, Kind::Password, Open, Ok("SCRAM-SHA-256 SCRAM-SHA-1 CRAM-MD5 APOP"));
        check("- APOP", Kind::Password, Open, Ok("APOP"));
        check("-", Kind::Password, Encrypted, Ok("-"));
    }

    #[test]
    fn nothing_goes_in_clear_text_that_nobody_has_allowed() {
        let told = |offered, what| {
            format!(
                "it offers only logins in clear text ({offered}) and the connection is not encrypted; \
                 use `security = \"tls\"` or \"starttls\", or `security = \"none\"` if anybody on the way may know the {what}"
            )
        };
        check("- NTLM PLAIN", Kind::Password, Open, Err(&told("PLAIN, the login command", "password")));
        check(ALL, Kind::Token, Open, Err(&told("OAUTHBEARER, XOAUTH2", "access token")));
    }

    #[test]
    fn what_is_wanted_is_what_is_done() {
        check(ALL, Kind::Ntlm, Open, Ok("NTLM"));
        check(ALL, Kind::Token, Encrypted, Ok("OAUTHBEARER XOAUTH2"));
        check("XOAUTH2 PLAIN", Kind::Token, OpenByChoice, Ok("XOAUTH2"));
        let none = Err("it takes no NTLM login; it offers PLAIN, LOGIN; change `authentication`");
        check("PLAIN LOGIN", Kind::Ntlm, Encrypted, none);
        let nothing = "it takes no password; it offers no way to log in that is known here; change `authentication`";
        check("", Kind::Password, Encrypted, Err(nothing));
        let disabled = Err("the server takes no password on this connection; use `security = \"tls\"`");
        check("", Kind::Password, OpenByChoice, disabled);
    }
}
