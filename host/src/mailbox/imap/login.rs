//! Logging in: `AUTHENTICATE` (RFC 9051 section 6.2.2) and `LOGIN`.

use super::ImapAccount;
use super::wire::Wire;
use crate::mailbox::error::Error;
use crate::mailbox::sasl::{Credentials, Login, Mechanism, Privacy, Refused, Reply, Transport, Verdict, Way};
use secrecy::zeroize::Zeroizing;

/// Logs in, and asks what the server can do for this user; says how.
pub(super) async fn log_in(wire: &mut Wire, account: &ImapAccount) -> Result<String, Error> {
    if wire.told.capabilities.is_empty() {
        wire.run("CAPABILITY", "CAPABILITY").await?;
    }
    let login = Login {
        host: &account.host,
        port: account.port,
        user: &account.user,
        authentication: &account.authentication,
        privacy: Privacy::of(wire.encrypted(), account.security),
        memory: &account.memory,
    };
    let mut dialogue = Dialogue::new(wire, account);
    let how = login.run(&mut dialogue).await?;
    if wire.told.capabilities.is_empty() {
        wire.run("CAPABILITY", "CAPABILITY").await?;
    }
    Ok(how)
}

/// IMAP's way of carrying a login.
struct Dialogue<'a> {
    wire: &'a mut Wire,
    account: &'a ImapAccount,
    offered: Vec<Way>,
    takes_initial: bool,
}

impl<'a> Dialogue<'a> {
    fn new(wire: &'a mut Wire, account: &'a ImapAccount) -> Self {
        let mechanisms = wire.told.capabilities.iter().filter_map(|capability| {
            let (head, name) = capability.split_at_checked("AUTH=".len())?;
            head.eq_ignore_ascii_case("AUTH=").then(|| Mechanism::named(name).map(Way::Sasl))?
        });
        let mut offered: Vec<Way> = mechanisms.collect();
        if !wire.offers("LOGINDISABLED") {
            offered.push(Way::Command);
        }
        let takes_initial = wire.offers("SASL-IR");
        // What is offered may differ once we are somebody (RFC 9051 section 6.2.3).
        wire.told.capabilities.clear();
        Self { wire, account, offered, takes_initial }
    }

    async fn reply(&mut self) -> Result<Reply, Error> {
        match self.wire.continuation().await {
            Ok(Some(challenge)) => Ok(Reply::Challenge(challenge)),
            Ok(None) => Ok(Reply::Accepted),
            Err(Error::Refused { said, .. }) => Ok(Reply::Refused(Refused { verdict: Verdict::read(&said), said })),
            Err(error) => Err(error),
        }
    }
}

impl Transport for Dialogue<'_> {
    const COMMAND: &'static str = "LOGIN";

    fn offered(&self) -> &[Way] {
        &self.offered
    }

    fn takes_initial(&self) -> bool {
        self.takes_initial
    }

    async fn begin(&mut self, mechanism: Mechanism, initial: Option<&str>) -> Result<Reply, Error> {
        let initial = initial.map(|message| Zeroizing::new(format!(" {message}"))).unwrap_or_default();
        let command = Zeroizing::new(format!("AUTHENTICATE {}{}", mechanism.name(), *initial));
        self.wire.send("AUTHENTICATE", &command).await?;
        self.reply().await
    }

    async fn go_on(&mut self, line: &str) -> Result<Reply, Error> {
        self.wire.go_on(line).await?;
        self.reply().await
    }

    async fn command(&mut self, _: Way, credentials: &Credentials) -> Result<Reply, Error> {
        // No two servers agree on what other characters mean in a quoted string.
        if !credentials.user.is_ascii() || !credentials.exposed().is_ascii() {
            return Err(Error::LoginMethod {
                host: self.account.host.clone(),
                user: self.account.user.clone(),
                cause: "the server takes only ASCII characters in user name and password".into(),
            });
        }
        let (user, password) = (quoted(&credentials.user), quoted(credentials.exposed()));
        let command = Zeroizing::new(format!("LOGIN {} {}", *user, *password));
        self.wire.send("LOGIN", &command).await?;
        self.reply().await
    }
}

/// A quoted string (RFC 9051 section 4.3).
pub(super) fn quoted(text: &str) -> Zeroizing<String> {
    Zeroizing::new(format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")))
}
