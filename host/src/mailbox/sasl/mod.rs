//! Proving who we are (SASL, RFC 4422): the mechanisms as state machines without I/O, their choice, and the dialogue
//! that IMAP and POP3 share.
//!
//! No library is used for the whole: rsasl has neither NTLM nor CRAM-MD5, needs a second generation of the digest
//! crates, and sets no upper limit to the rounds that a server may ask for. The primitives are libraries' own.

mod choice;
mod clear;
mod cram;
mod dialogue;
mod memory;
mod ntlm;
mod oauth;
mod scram;
mod source;
#[cfg(test)]
mod tests;

pub(super) use choice::{Kind, Privacy, Way, choose};
pub(super) use cram::apop;
pub(super) use dialogue::{Login, Refused, Reply, Transport, Verdict};
pub use memory::LoginMemory;
pub use source::{Authentication, TokenSource};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};
use std::fmt;

/// The longest challenge that is looked at, in bytes. NTLM's hold some hundred, the others less.
const CHALLENGE_BYTES_MAX: usize = 16 * 1024;

/// A mechanism of SASL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mechanism {
    /// `SCRAM-SHA-256` (RFC 7677): the server proves that it knows the password, too.
    ScramSha256,
    /// `SCRAM-SHA-1` (RFC 5802): likewise.
    ScramSha1,
    /// `CRAM-MD5` (RFC 2195).
    CramMd5,
    /// `PLAIN` (RFC 4616): clear text.
    Plain,
    /// `LOGIN` (draft-murchison-sasl-login): clear text.
    Login,
    /// `NTLM` (MS-NLMP), which mail programs call SPA.
    Ntlm,
    /// `OAUTHBEARER` (RFC 7628): clear text, but of short life.
    OAuthBearer,
    /// `XOAUTH2`: the same from before there was a standard.
    XOAuth2,
}

impl Mechanism {
    const ALL: [Self; 8] = [
        Self::ScramSha256,
        Self::ScramSha1,
        Self::CramMd5,
        Self::Plain,
        Self::Login,
        Self::Ntlm,
        Self::OAuthBearer,
        Self::XOAuth2,
    ];

    /// The mechanism of this name, in whatever case; none if it is not known here.
    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mechanism| mechanism.name().eq_ignore_ascii_case(name))
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha1 => "SCRAM-SHA-1",
            Self::CramMd5 => "CRAM-MD5",
            Self::Plain => "PLAIN",
            Self::Login => "LOGIN",
            Self::Ntlm => "NTLM",
            Self::OAuthBearer => "OAUTHBEARER",
            Self::XOAuth2 => "XOAUTH2",
        }
    }
}

/// What proves who we are.
#[derive(Debug, Clone)]
pub(super) enum Secret {
    /// A password.
    Password(SecretString),
    /// An OAuth 2.0 access token.
    Token(SecretString),
}

/// Who logs in where, and with what.
#[derive(Debug, Clone)]
pub(super) struct Credentials {
    /// The user's name, as configured.
    pub(super) user: String,
    /// The password or the token.
    pub(super) secret: Secret,
    /// The server's name, as configured.
    pub(super) host: String,
    /// Its port.
    pub(super) port: u16,
}

impl Credentials {
    /// The password, or the token.
    pub(super) fn exposed(&self) -> &str {
        match &self.secret {
            Secret::Password(secret) | Secret::Token(secret) => secret.expose_secret(),
        }
    }

    /// Whether they can be sent at all: no protocol knows a way for these characters, and some would be fooled.
    pub(super) fn check(&self) -> Result<(), Fault> {
        let is_unfit = |text: &str| text.contains(['\0', '\r', '\n']);
        if is_unfit(&self.user) || is_unfit(self.exposed()) {
            return Err(Fault::Unfit(match self.secret {
                Secret::Password(_) => "the user name or the password holds a line end",
                Secret::Token(_) => "the user name or the access token holds a line end",
            }));
        }
        Ok(())
    }
}

/// Why a login cannot go on: a sentence about "it", the server. No secret is ever part of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    /// It does not keep to the mechanism.
    #[error("its {mechanism} challenge makes no sense: {what}")]
    Nonsense { mechanism: &'static str, what: &'static str },
    #[error("its challenge is longer than {CHALLENGE_BYTES_MAX} bytes")]
    TooLong,
    /// Fewer rounds than the standard's least make guessing cheap; more than a limit would keep us busy for ever.
    #[error("it asks for {0} rounds of SCRAM, where {least} to {most} are accepted", least = scram::ROUNDS_MIN, most = scram::ROUNDS_MAX)]
    Rounds(u64),
    #[error("it does not prove that it knows the password: it may be another server than it says")]
    Impostor,
    #[error("it accepts the login before it can know the password: it may be another server than it says")]
    Premature,
    #[error("{0}; check where it comes from")]
    Unfit(&'static str),
    #[error("this machine gives no random numbers")]
    Random,
    /// The password would go over the line for all to read, and nobody has allowed that.
    #[error(
        "it offers only logins in clear text ({offered}) and the connection is not encrypted; use `security = \"tls\"` \
         or \"starttls\", or `security = \"none\"` if anybody on the way may know the {what}"
    )]
    ClearText { offered: String, what: &'static str },
    #[error("the server takes no {0} on this connection; use `security = \"tls\"`")]
    Disabled(&'static str),
    #[error("it wants an encrypted connection for that: {said}; use `security = \"tls\"` or \"starttls\"")]
    PrivacyRequired { said: String },
    #[error("it takes no {what}; it offers {offered}; change `authentication`")]
    NotOffered { what: &'static str, offered: String },
}

/// What one login has that no other has; tests choose it.
#[derive(Debug, Clone)]
struct Seed {
    random: [u8; 24],
    /// In units of 100 ns since 1601, as Windows counts.
    time: u64,
}

impl Seed {
    fn new() -> Result<Self, Fault> {
        /// From 1601 to 1970.
        const EPOCH_SECONDS: u64 = 11_644_473_600;
        let mut random = [0; 24];
        aws_lc_rs::rand::fill(&mut random).map_err(|_| Fault::Random)?;
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let time = (EPOCH_SECONDS + now.as_secs()) * 10_000_000 + u64::from(now.subsec_nanos() / 100);
        Ok(Self { random, time })
    }
}

/// What is sent to the server: it may give the secret away.
type Message = Zeroizing<Vec<u8>>;

/// A mechanism's own part of an [`Exchange`].
trait Steps: fmt::Debug + Send {
    /// The first message, in mechanisms where the client speaks first.
    fn initial(&mut self) -> Option<Message>;

    /// The answer to a challenge.
    fn respond(&mut self, challenge: &[u8]) -> Result<Message, Fault>;

    /// Whether a message has been sent that tells whether we know the secret.
    fn has_proved(&self) -> bool;

    /// Whether the server may accept us now.
    fn finish(&self) -> Result<(), Fault> {
        if self.has_proved() { Ok(()) } else { Err(Fault::Premature) }
    }

    /// The cause that the server gave, within the mechanism, for refusing us.
    fn cause(&self) -> Option<&str> {
        None
    }
}

/// A login by one mechanism, from the first message to the server's verdict. After a fault it must be cancelled.
#[derive(Debug)]
pub(super) struct Exchange {
    mechanism: Mechanism,
    steps: Box<dyn Steps>,
    begun: bool,
}

impl Exchange {
    pub(super) fn new(mechanism: Mechanism, credentials: &Credentials) -> Result<Self, Fault> {
        Self::seeded(mechanism, credentials, &Seed::new()?)
    }

    fn seeded(mechanism: Mechanism, credentials: &Credentials, seed: &Seed) -> Result<Self, Fault> {
        credentials.check()?;
        let steps: Box<dyn Steps> = match mechanism {
            Mechanism::ScramSha256 => Box::new(scram::Scram::new(&scram::SHA_256, credentials, seed)),
            Mechanism::ScramSha1 => Box::new(scram::Scram::new(&scram::SHA_1, credentials, seed)),
            Mechanism::CramMd5 => Box::new(cram::CramMd5::new(credentials)),
            Mechanism::Plain => Box::new(clear::Plain::new(credentials)),
            Mechanism::Login => Box::new(clear::Login::new(credentials)),
            Mechanism::Ntlm => Box::new(ntlm::Ntlm::new(credentials, seed)),
            Mechanism::OAuthBearer => Box::new(oauth::OAuth::bearer(credentials)?),
            Mechanism::XOAuth2 => Box::new(oauth::OAuth::xoauth2(credentials)?),
        };
        Ok(Self { mechanism, steps, begun: false })
    }

    /// The message to send along with the command that begins the exchange, where the protocol allows for one and the
    /// mechanism has one.
    pub(super) fn initial(&mut self) -> Option<Message> {
        if std::mem::replace(&mut self.begun, true) { None } else { self.steps.initial() }
    }

    /// The response to a challenge.
    pub(super) fn respond(&mut self, challenge: &[u8]) -> Result<Message, Fault> {
        // Where we speak first, the first challenge only asks us to: some servers put words of welcome into it.
        if let Some(initial) = self.initial() {
            return Ok(initial);
        }
        if challenge.len() > CHALLENGE_BYTES_MAX {
            return Err(Fault::TooLong);
        }
        self.steps.respond(challenge)
    }

    /// The same in base64, as IMAP and POP3 send it: what follows the `+`, and the line to send.
    pub(super) fn respond_line(&mut self, challenge: &str) -> Result<Zeroizing<String>, Fault> {
        if let Some(initial) = self.initial() {
            return Ok(line(&initial));
        }
        if challenge.len() > CHALLENGE_BYTES_MAX.div_ceil(3) * 4 {
            return Err(Fault::TooLong);
        }
        let challenge = BASE64
            .decode(challenge.trim())
            .map_err(|_| Fault::Nonsense { mechanism: self.mechanism.name(), what: "it is not base64" })?;
        self.respond(&challenge).map(|response| line(&response))
    }

    /// Whether the server has seen what tells it whether we know the secret: if it refuses now, that counts as a
    /// failed login.
    pub(super) fn has_proved(&self) -> bool {
        self.steps.has_proved()
    }

    /// What the server gave as cause within the mechanism; for a refused token, its status and scope.
    pub(super) fn cause(&self) -> Option<&str> {
        self.steps.cause()
    }

    /// To be called when the server has accepted us: whether we accept the server.
    pub(super) fn finish(self) -> Result<(), Fault> {
        self.steps.finish()
    }
}

/// A message in base64, as IMAP and POP3 send it.
pub(super) fn line(message: &[u8]) -> Zeroizing<String> {
    Zeroizing::new(BASE64.encode(message))
}
