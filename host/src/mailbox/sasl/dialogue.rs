//! The dialogue of a login, as IMAP and POP3 share it: each only says how its lines are sent.
//!
//! How often a password is tried: once, with one exception. Whether a server can check a hash of the password depends
//! on how it keeps it: Dovecot, MDaemon or Kerio with passwords in a directory refuse CRAM-MD5 in the very words of a
//! wrong password. So after a hash is refused there is one more try in clear text, if that is allowed; never a third.
//! SCRAM shows its hand earlier: a server without the right kind of secret refuses before it has seen a proof. What has
//! worked in the end is tried first the next time.

use super::{Authentication, Credentials, Exchange, Fault, LoginMemory, Mechanism, Privacy, Secret, Way, choose, line};
use crate::mailbox::error::{Error, said};
use secrecy::ExposeSecret;
use secrecy::zeroize::Zeroizing;

/// In what words servers without the code for it demand an encrypted connection: Courier, Dovecot by POP3, Cyrus.
const PRIVACY_PHRASES: [&str; 4] =
    ["tls required", "until ssl/tls is enabled", "on non-secure (ssl/tls) connections", "only available under a layer"];

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
    /// User and secret do not fit.
    Denied,
    /// The user may not log in here, by whatever way.
    Barred,
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
    /// Reads the code with which a refusal begins (RFC 5530; RFC 2449 section 8 and RFC 3206 for POP3), and the words
    /// that stand for the one code that few servers have.
    pub(in crate::mailbox) fn read(said: &str) -> Self {
        let words = said.to_ascii_lowercase();
        if PRIVACY_PHRASES.iter().any(|phrase| words.contains(phrase)) {
            return Self::PrivacyRequired;
        }
        let code = said.strip_prefix('[').and_then(|rest| rest.split([']', ' ']).next()).unwrap_or_default();
        match code.to_ascii_uppercase().as_str() {
            "AUTHENTICATIONFAILED" | "AUTH" => Self::Denied,
            "AUTHORIZATIONFAILED" | "EXPIRED" | "CONTACTADMIN" | "NOPERM" | "SYS/PERM" => Self::Barred,
            // RFC 2221: the user belongs to another server. No password is taken to where an answer points.
            "REFERRAL" => Self::Barred,
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
    /// Of the logins before.
    pub(in crate::mailbox) memory: &'a LoginMemory,
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
        let mut ways = ways.map_err(|fault| self.fault(&fault))?;
        self.memory.sort(&mut ways, transport.offered());
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
                Outcome::Accepted => {
                    self.memory.note(Some(way), transport.offered());
                    return Ok(describe::<T>(way, &refusals));
                }
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
        self.memory.note(None, transport.offered());
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
            (Verdict::Denied | Verdict::Barred | Verdict::Unsupported | Verdict::Unclear, Secret::Password(_)) => {
                Error::Login { host, user, said }
            }
            (Verdict::Denied | Verdict::Barred | Verdict::Unsupported | Verdict::Unclear, Secret::Token(_)) => {
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
        Verdict::Barred | Verdict::Passing | Verdict::PrivacyRequired => Next::Stop,
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

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::SecretString;
    use std::collections::VecDeque;
    use std::pin::Pin;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// A server that plays a script: `(what is sent, its reply)`. Replies: `+ challenge`, `OK`, or a refusal.
    struct Script {
        offered: Vec<Way>,
        takes_initial: bool,
        lines: VecDeque<(&'static str, &'static str)>,
    }

    impl Script {
        fn new(offered: &str, lines: &[(&'static str, &'static str)]) -> Self {
            let way = |name| match name {
                "-" => Way::Command,
                "APOP" => Way::Apop,
                name => Way::Sasl(Mechanism::named(name).unwrap()),
            };
            let offered = offered.split(' ').map(way).collect();
            Self { offered, takes_initial: true, lines: lines.iter().copied().collect() }
        }

        fn reply(&mut self, sent: &str) -> Result<Reply, Error> {
            let (expected, reply) = self.lines.pop_front().unwrap_or_else(|| panic!("no more was due: {sent}"));
            assert!(sent.starts_with(expected), "{sent:?} is not {expected:?}");
            Ok(match reply.strip_prefix("+ ") {
                Some(challenge) => Reply::Challenge(challenge.into()),
                None if reply == "OK" => Reply::Accepted,
                None => Reply::Refused(Refused { said: reply.into(), verdict: Verdict::read(reply) }),
            })
        }
    }

    impl Transport for Script {
        const COMMAND: &'static str = "COMMAND";
        fn offered(&self) -> &[Way] {
            &self.offered
        }
        fn takes_initial(&self) -> bool {
            self.takes_initial
        }
        async fn begin(&mut self, mechanism: Mechanism, initial: Option<&str>) -> Result<Reply, Error> {
            self.reply(&format!("{} {}", mechanism.name(), initial.unwrap_or_default()))
        }
        async fn go_on(&mut self, line: &str) -> Result<Reply, Error> {
            self.reply(line)
        }
        async fn command(&mut self, way: Way, credentials: &Credentials) -> Result<Reply, Error> {
            self.reply(&format!("{} {} {}", name::<Self>(way), credentials.user, credentials.exposed()))
        }
    }

    async fn run(script: &mut Script, authentication: &Authentication, privacy: Privacy) -> Result<String, String> {
        let memory = &LoginMemory::default();
        let login = Login { host: "mx", port: 143, user: "me", authentication, privacy, memory };
        let result = login.run(script).await.map_err(|error| error.to_string());
        assert_eq!(script.lines, [], "not all was sent; {result:?}");
        result
    }

    async fn check(offered: &str, lines: &[(&'static str, &'static str)], expect: Result<&str, &str>) {
        let password = Authentication::Password("secret".to_owned().into());
        let result = run(&mut Script::new(offered, lines), &password, Privacy::Encrypted).await;
        assert_eq!(result.as_deref().map_err(String::as_str), expect, "{offered}");
    }

    const WRONG: &str = "[AUTHENTICATIONFAILED] wrong";
    const PLAIN: &str = "PLAIN AG1lAHNlY3JldA==";
    const REFUSED: Result<&str, &str> =
        Err("mx refuses user \"me\" and its password: [AUTHENTICATIONFAILED] wrong; check both");

    #[tokio::test]
    async fn a_wrong_password_is_tried_as_seldom_as_can_be() {
        check("PLAIN LOGIN -", &[(PLAIN, WRONG)], REFUSED).await;
        check("-", &[("COMMAND me secret", WRONG)], REFUSED).await;
        // A hash may be refused because the server has only another one.
        check("CRAM-MD5 APOP PLAIN LOGIN -", &[("CRAM-MD5 ", "+ PHg+"), ("bWUg", WRONG), (PLAIN, WRONG)], REFUSED)
            .await;
        check("APOP PLAIN", &[("APOP", WRONG), (PLAIN, "OK")], Ok("PLAIN, after it refused APOP")).await;
        check("CRAM-MD5 APOP", &[("CRAM-MD5 ", "+ PHg+"), ("bWUg", WRONG)], REFUSED).await;
    }

    #[tokio::test]
    async fn a_way_that_is_not_open_to_this_user_leads_to_the_next() {
        let all = "SCRAM-SHA-256 SCRAM-SHA-1 CRAM-MD5 PLAIN";
        check(
            all,
            &[("SCRAM-SHA-256 biws", WRONG), ("SCRAM-SHA-1 biws", "no"), ("CRAM-MD5", "no"), (PLAIN, "OK")],
            Ok("PLAIN, after it refused SCRAM-SHA-256 and SCRAM-SHA-1 and CRAM-MD5"),
        )
        .await;
        check(
            "PLAIN LOGIN",
            &[(PLAIN, "[CANNOT] not here"), ("LOGIN", "+ VQ=="), ("bWU=", "+ UA=="), ("c2VjcmV0", "OK")],
            Ok("LOGIN, after it refused PLAIN"),
        )
        .await;
    }

    #[tokio::test]
    async fn what_passes_by_itself_is_no_refused_login() {
        for (said, command) in [("[UNAVAILABLE] later", "PLAIN"), ("[inuse] later", "PLAIN")] {
            let script = [(PLAIN, said)];
            check("PLAIN LOGIN", &script, Err(&format!("mx refuses {command}: {said}"))).await;
        }
        let elsewhere = "mx refuses user \"me\" and its password: [REFERRAL imap://x/] no; check both";
        check("SCRAM-SHA-256 PLAIN", &[("SCRAM-SHA-256", "[REFERRAL imap://x/] no")], Err(elsewhere)).await;
        check("-", &[("COMMAND", "[IN-USE] locked")], Err("mx refuses COMMAND: [IN-USE] locked")).await;
        let private = "mx cannot log in user \"me\": it wants an encrypted connection for that: [PRIVACYREQUIRED] no; \
                       use `security = \"tls\"` or \"starttls\"";
        check("PLAIN LOGIN -", &[(PLAIN, "[PRIVACYREQUIRED] no")], Err(private)).await;
    }

    #[tokio::test]
    async fn clear_text_is_never_a_way_out_where_others_can_listen() {
        let password = Authentication::Password("secret".to_owned().into());
        let script = [("SCRAM-SHA-256 biws", "no"), ("CRAM-MD5", "+ PHg+"), ("bWUg", WRONG)];
        let mut server = Script::new("SCRAM-SHA-256 CRAM-MD5 PLAIN -", &script);
        let result = run(&mut server, &password, Privacy::Open).await;
        assert_eq!(result.as_deref().map_err(String::as_str), REFUSED);
    }

    #[tokio::test]
    async fn a_bad_challenge_ends_the_login_and_sends_nothing_more() {
        let nonsense = "mx cannot log in user \"me\": its SCRAM-SHA-256 challenge makes no sense: \
                        it does not begin with a nonce";
        check("SCRAM-SHA-256 PLAIN", &[("SCRAM-SHA-256", "+ eA=="), ("*", "cancelled")], Err(nonsense)).await;
        let nonsense = "mx cannot log in user \"me\": its PLAIN challenge makes no sense: it asks again";
        check("PLAIN LOGIN", &[(PLAIN, "+ "), ("*", "+ really?")], Err(nonsense)).await;
        let impostor = "mx cannot log in user \"me\": \
                        it does not prove that it knows the password: it may be another server than it says";
        check("SCRAM-SHA-256 PLAIN", &[("SCRAM-SHA-256", "OK")], Err(impostor)).await;
    }

    /// Gives `first`, `second`, then `second` for ever.
    #[derive(Debug, Default)]
    struct Tokens(AtomicUsize);

    impl super::super::TokenSource for Tokens {
        fn token<'a>(
            &'a self,
            refused: Option<&'a SecretString>,
        ) -> Pin<Box<dyn Future<Output = Result<SecretString, Error>> + Send + 'a>> {
            let call = self.0.fetch_add(1, Ordering::Relaxed);
            assert_eq!(refused.map(ExposeSecret::expose_secret), [None, Some("first")][call]);
            Box::pin(std::future::ready(Ok(["first", "second"][call].to_owned().into())))
        }
    }

    #[tokio::test]
    async fn a_refused_token_is_renewed_once() {
        const FIRST: &str = "XOAUTH2 dXNlcj1tZQFhdXRoPUJlYXJlciBmaXJzdAEB";
        const SECOND: &str = "XOAUTH2 dXNlcj1tZQFhdXRoPUJlYXJlciBzZWNvbmQBAQ==";
        async fn check(lines: &[(&'static str, &'static str)], expect: Result<&str, &str>) {
            let source = Authentication::OAuth2(Arc::new(Tokens::default()));
            let result = run(&mut Script::new("XOAUTH2 PLAIN", lines), &source, Privacy::Encrypted).await;
            assert_eq!(result.as_deref().map_err(String::as_str), expect);
        }
        check(&[(FIRST, "OK")], Ok("XOAUTH2")).await;
        check(&[(FIRST, WRONG), (SECOND, "OK")], Ok("XOAUTH2")).await;
        check(
            // {"status":"401","scope":"mail"}
            &[(FIRST, WRONG), (SECOND, "+ eyJzdGF0dXMiOiI0MDEiLCJzY29wZSI6Im1haWwifQ=="), ("", "no")],
            Err("mx refuses the access token of user \"me\": no (status 401, scope mail); \
                 check that it is for this mailbox and that its scope allows this protocol"),
        )
        .await;
        check(&[(FIRST, "[UNAVAILABLE] later")], Err("mx refuses XOAUTH2: [UNAVAILABLE] later")).await;
    }

    #[test]
    fn codes_tell_what_a_refusal_means() {
        let check = |said: &str, expect| assert_eq!(Verdict::read(said), expect, "{said}");
        check("[AUTHENTICATIONFAILED] x", Verdict::Denied);
        check("[expired]", Verdict::Barred);
        check("[REFERRAL imap://other.example/] go there", Verdict::Barred);
        check("[AUTH] x", Verdict::Denied);
        check("[LOGIN-DELAY 10] x", Verdict::Passing);
        check("[LIMIT] x", Verdict::Passing);
        check("[ALERT] x", Verdict::Unclear);
        check("STARTTLS required", Verdict::PrivacyRequired);
        check("TLS required to log in.", Verdict::PrivacyRequired);
        check("[AUTH] Authentication not allowed until SSL/TLS is enabled.", Verdict::PrivacyRequired);
        check(
            "[AUTH] Plaintext authentication disallowed on non-secure (SSL/TLS) connections.",
            Verdict::PrivacyRequired,
        );
        check("[AUTH] USER command only available under a layer", Verdict::PrivacyRequired);
        check("AUTHENTICATIONFAILED", Verdict::Unclear);
        check("", Verdict::Unclear);
    }
}
