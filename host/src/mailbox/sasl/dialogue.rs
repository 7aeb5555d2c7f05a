//! The dialogue of a login, as IMAP and POP3 share it: each only says how its lines are sent.
//!
//! How often a password is tried: once, with one exception. Whether a server can check a hash of the password depends
//! on how it keeps it: Dovecot, MDaemon or Kerio with passwords in a directory refuse CRAM-MD5 in the very words of a
//! wrong password. So after a hash is refused there is one more try in clear text, if that is allowed; never a third.
//! SCRAM shows its hand earlier: a server without the right kind of secret refuses before it has seen a proof.

use super::{Authentication, Credentials, Exchange, Fault, Mechanism, Privacy, Secret, Way, choose, line};
use crate::mailbox::error::{Error, said};
use secrecy::ExposeSecret;
use secrecy::zeroize::Zeroizing;

/// How a protocol logs in.
pub(in crate::mailbox) trait Transport: Send {
    /// What the protocol's own command, [`Way::Command`], is called.
    const COMMAND: &'static str;

    /// The ways that the server offers.
    fn offered(&self) -> &[Way];

    /// Whether a first message may go along with the command that begins an exchange.
    fn takes_initial(&self) -> bool;

    /// Sends the command that begins an exchange, and the first message in base64.
    fn begin(
        &mut self,
        mechanism: Mechanism,
        initial: Option<&str>,
    ) -> impl Future<Output = Result<Reply, Error>> + Send;

    /// Sends a line of an exchange: a response in base64, or `*`, which cancels it.
    fn go_on(&mut self, line: &str) -> impl Future<Output = Result<Reply, Error>> + Send;

    /// Logs in by a command that is not of SASL: [`Way::Command`] or [`Way::Apop`], if it was offered.
    fn command(&mut self, way: Way, credentials: &Credentials) -> impl Future<Output = Result<Reply, Error>> + Send;
}

/// What a server replies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::mailbox) enum Reply {
    /// It asks for more: the challenge in base64, as it stands behind the `+`.
    Challenge(String),
    /// We are in.
    Accepted,
    /// We are not.
    Refused(Refused),
}

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::mailbox) struct Refused {
    /// In the server's words.
    pub(in crate::mailbox) said: String,
    /// What it means.
    pub(in crate::mailbox) verdict: Verdict,
}

/// What a refusal means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::mailbox) enum Verdict {
    /// User and secret do not fit, or the user may not log in.
    Denied,
    /// The server cannot tell at present.
    Passing,
    /// The server does not know this way.
    Unsupported,
    /// The server wants an encrypted connection for this way.
    PrivacyRequired,
    /// The server does not say.
    Unclear,
}

impl Verdict {
    /// Reads the code with which a refusal begins (RFC 5530; RFC 2449 section 8 and RFC 3206 for POP3).
    pub(in crate::mailbox) fn read(said: &str) -> Self {
        let code = said.strip_prefix('[').and_then(|rest| rest.split([']', ' ']).next()).unwrap_or_default();
        match code.to_ascii_uppercase().as_str() {
            "AUTHENTICATIONFAILED" | "AUTHORIZATIONFAILED" | "EXPIRED" | "CONTACTADMIN" | "NOPERM" => Self::Denied,
            "AUTH" | "SYS/PERM" => Self::Denied,
            "UNAVAILABLE" | "INUSE" | "LIMIT" | "SERVERBUG" => Self::Passing,
            "IN-USE" | "LOGIN-DELAY" | "SYS/TEMP" => Self::Passing,
            "CANNOT" => Self::Unsupported,
            "PRIVACYREQUIRED" => Self::PrivacyRequired,
            _ => Self::Unclear,
        }
    }
}

/// Who logs in where.
#[derive(Debug)]
pub(in crate::mailbox) struct Login<'a> {
    pub(in crate::mailbox) host: &'a str,
    pub(in crate::mailbox) port: u16,
    pub(in crate::mailbox) user: &'a str,
    pub(in crate::mailbox) authentication: &'a Authentication,
    /// Of the connection as it is now.
    pub(in crate::mailbox) privacy: Privacy,
}

/// How an attempt ended, if the server has neither broken the protocol nor gone away.
enum Outcome {
    Accepted,
    Refused {
        refused: Refused,
        /// The server has seen what tells it whether we know the secret.
        proved: bool,
    },
}

impl Login<'_> {
    /// Logs in, and says how.
    ///
    /// # Errors
    /// `Login`, `LoginMethod` or `TokenRefused` if someone must change something, else what the connection came to.
    pub(in crate::mailbox) async fn run(&self, transport: &mut impl Transport) -> Result<String, Error> {
        let ways = choose(transport.offered(), self.authentication.kind(), self.privacy);
        let ways = ways.map_err(|fault| self.fault(&fault))?;
        let secret = self.authentication.secret(None).await?;
        let result = self.attempt(transport, &ways, &secret).await;
        // A token may have been withdrawn before its time: then another one is worth one more try.
        let (Err(Error::TokenRefused { .. }), Secret::Token(refused)) = (&result, &secret) else { return result };
        match self.authentication.secret(Some(refused)).await? {
            Secret::Token(other) if other.expose_secret() == refused.expose_secret() => result,
            other => self.attempt(transport, &ways, &other).await,
        }
    }

    /// Tries one way after the other until one works or no other one should be tried.
    async fn attempt<T: Transport>(&self, transport: &mut T, ways: &[Way], secret: &Secret) -> Result<String, Error> {
        let credentials = Credentials {
            user: self.user.to_owned(),
            secret: secret.clone(),
            host: self.host.to_owned(),
            port: self.port,
        };
        credentials.check().map_err(|fault| self.fault(&fault))?;
        let mut refusals: Vec<(Way, Refused)> = Vec::new();
        let mut hash_refused = false;
        for way in ways.iter().copied() {
            if hash_refused && !way.is_clear_text() {
                continue;
            }
            match self.try_way(transport, way, &credentials).await? {
                Outcome::Accepted => return Ok(describe::<T>(way, &refusals)),
                Outcome::Refused { refused, proved } => {
                    let next = next(way, refused.verdict, proved);
                    refusals.push((way, refused));
                    match next {
                        Next::Any => {}
                        Next::ClearText => hash_refused = true,
                        Next::Stop => break,
                    }
                }
            }
        }
        Err(self.refusal::<T>(refusals, secret))
    }

    async fn try_way(
        &self,
        transport: &mut impl Transport,
        way: Way,
        credentials: &Credentials,
    ) -> Result<Outcome, Error> {
        let Way::Sasl(mechanism) = way else {
            return match transport.command(way, credentials).await? {
                Reply::Accepted => Ok(Outcome::Accepted),
                Reply::Refused(refused) => Ok(Outcome::Refused { refused, proved: true }),
                Reply::Challenge(_) => Err(self.fault(&Fault::Nonsense { mechanism: way.name(), what: "none is due" })),
            };
        };
        let mut exchange = Exchange::new(mechanism, credentials).map_err(|fault| self.fault(&fault))?;
        let initial = if transport.takes_initial() { exchange.initial().map(|message| line(&message)) } else { None };
        let mut reply = transport.begin(mechanism, initial.as_ref().map(|line| line.as_str())).await?;
        loop {
            match reply {
                Reply::Accepted => {
                    return exchange.finish().map(|()| Outcome::Accepted).map_err(|fault| self.fault(&fault));
                }
                Reply::Refused(refused) => return Ok(Self::refused(refused, &exchange)),
                Reply::Challenge(challenge) => {
                    let response;
                    (exchange, response) = respond(exchange, challenge).await?;
                    reply = match response {
                        Ok(response) => transport.go_on(&response).await?,
                        Err(fault) => {
                            // What it says to that does not matter: no more is sent.
                            let _ = transport.go_on("*").await;
                            return Err(self.fault(&fault));
                        }
                    };
                }
            }
        }
    }

    fn refused(refused: Refused, exchange: &Exchange) -> Outcome {
        let said = match exchange.cause() {
            Some(cause) if !cause.is_empty() => said(&format!("{} ({cause})", refused.said)),
            _ => refused.said,
        };
        Outcome::Refused { refused: Refused { said, ..refused }, proved: exchange.has_proved() }
    }

    fn refusal<T: Transport>(&self, refusals: Vec<(Way, Refused)>, secret: &Secret) -> Error {
        let (host, user) = (self.host.to_owned(), self.user.to_owned());
        let Some((way, Refused { said, verdict })) = refusals.into_iter().next_back() else {
            return self.fault(&Fault::Disabled("password"));
        };
        match (verdict, secret) {
            (Verdict::Passing, _) => Error::Refused { host, command: name::<T>(way), said },
            (Verdict::PrivacyRequired, _) => self.fault(&Fault::PrivacyRequired { said }),
            (Verdict::Denied | Verdict::Unsupported | Verdict::Unclear, Secret::Password(_)) => {
                Error::Login { host, user, said }
            }
            (Verdict::Denied | Verdict::Unsupported | Verdict::Unclear, Secret::Token(_)) => {
                Error::TokenRefused { host, user, said }
            }
        }
    }

    fn fault(&self, fault: &Fault) -> Error {
        Error::LoginMethod { host: self.host.to_owned(), user: self.user.to_owned(), cause: fault.to_string() }
    }
}

/// Answers a challenge where it is no harm to work for half a second, as SCRAM may have to.
async fn respond(
    mut exchange: Exchange,
    challenge: String,
) -> Result<(Exchange, Result<Zeroizing<String>, Fault>), Error> {
    let work = tokio::task::spawn_blocking(move || {
        let response = exchange.respond_line(&challenge);
        (exchange, response)
    });
    work.await.map_err(|_| Error::Stopped)
}

/// Which of the ways that are left may be tried after a refusal.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    Any,
    ClearText,
    Stop,
}

fn next(way: Way, verdict: Verdict, proved: bool) -> Next {
    let is_scram = matches!(way, Way::Sasl(Mechanism::ScramSha256 | Mechanism::ScramSha1));
    match verdict {
        Verdict::Passing | Verdict::PrivacyRequired => Next::Stop,
        Verdict::Unsupported => Next::Any,
        Verdict::Denied | Verdict::Unclear if !proved => Next::Any,
        // The server had a secret to check against, and says that ours is another one.
        Verdict::Denied if is_scram => Next::Stop,
        Verdict::Denied | Verdict::Unclear if way.is_clear_text() => Next::Stop,
        Verdict::Denied | Verdict::Unclear => Next::ClearText,
    }
}

/// For the report: with what we got in, and what did not work before.
fn describe<T: Transport>(way: Way, refusals: &[(Way, Refused)]) -> String {
    let refused = refusals.iter().map(|(way, _)| name::<T>(*way)).collect::<Vec<_>>().join(" and ");
    let after = if refused.is_empty() { String::new() } else { format!(", after it refused {refused}") };
    format!("{}{after}", name::<T>(way))
}

fn name<T: Transport>(way: Way) -> &'static str {
    if way == Way::Command { T::COMMAND } else { way.name() }
}
