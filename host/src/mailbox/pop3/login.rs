//! What a server offers, and logging in: AUTH (RFC 5034), APOP, USER and PASS (RFC 1939 section 7).

use super::wire::{Answer, Command, Wire};
use crate::mailbox::error::Error;
use crate::mailbox::sasl::{self, Credentials, Mechanism, Refused, Reply, Transport, Verdict, Way};
use secrecy::zeroize::Zeroizing;

/// The longest command, in bytes with its end (RFC 2449 section 4); what is longer goes on a line of its own
/// (RFC 5034 section 4).
const COMMAND_BYTES_MAX: usize = 255;
/// The most lines that CAPA may give.
const CAPABILITIES_MAX: usize = 200;

/// What a server says it can do (RFC 2449 section 5).
#[derive(Debug, Default)]
pub(super) struct Capabilities {
    /// As the server writes them; none if it does not know the question, as it may be older.
    pub(super) lines: Option<Vec<String>>,
}

impl Capabilities {
    /// Asks for them. None that we use depends on whether we are logged in (RFC 2449 section 6).
    pub(super) async fn ask(wire: &mut Wire) -> Result<Self, Error> {
        wire.send(Command::multi_line("CAPA"), "CAPA").await?;
        if wire.status().await?.is_err() {
            return Ok(Self::default());
        }
        let mut lines = Vec::new();
        while let Some(line) = wire.line().await? {
            if lines.len() >= CAPABILITIES_MAX {
                return Err(wire.nonsense(format!("it has more than {CAPABILITIES_MAX} capabilities")));
            }
            lines.push(line);
        }
        Ok(Self { lines: Some(lines) })
    }

    /// Whether the server offers this.
    pub(super) fn offers(&self, name: &str) -> bool {
        self.arguments(name).is_some()
    }

    /// Whether it may be offered: a server that cannot be asked has to be tried.
    pub(super) fn may_offer(&self, name: &str) -> bool {
        self.lines.is_none() || self.offers(name)
    }

    /// What stands behind a capability.
    fn arguments(&self, name: &str) -> Option<impl Iterator<Item = &str>> {
        let mut all = self.lines.iter().flatten().map(|line| line.split_ascii_whitespace());
        all.find_map(|mut words| words.next()?.eq_ignore_ascii_case(name).then_some(words))
    }
}

/// The time stamp in a greeting, which the hash of APOP is made with (RFC 1939 section 7). It must look like one: a
/// false server can choose it such that the hash tells of the password (CVE-2007-1558).
pub(super) fn timestamp(greeting: &str) -> Option<String> {
    let (_, rest) = greeting.split_once('<')?;
    let (inside, _) = rest.split_once('>')?;
    let (left, right) = inside.split_once('@')?;
    let is_atom = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic() && b != b'<' && b != b'@');
    (is_atom(left) && is_atom(right)).then(|| format!("<{inside}>"))
}

/// POP3's way of carrying a login.
#[derive(Debug)]
pub(super) struct Dialogue<'a> {
    wire: &'a mut Wire,
    offered: Vec<Way>,
    timestamp: Option<String>,
}

impl<'a> Dialogue<'a> {
    pub(super) fn new(wire: &'a mut Wire, capabilities: &Capabilities, greeting: &str) -> Self {
        let mechanisms = capabilities.arguments("SASL").into_iter().flatten();
        let mut offered: Vec<Way> = mechanisms.filter_map(Mechanism::named).map(Way::Sasl).collect();
        let timestamp = timestamp(greeting);
        if timestamp.is_some() {
            offered.push(Way::Apop);
        }
        if capabilities.may_offer("USER") {
            offered.push(Way::Command);
        }
        Self { wire, offered, timestamp }
    }

    async fn say(&mut self, name: &'static str, line: &str) -> Result<Reply, Error> {
        self.wire.send(Command::short(name), line).await?;
        Ok(match self.wire.answer().await? {
            Answer::Done(_) => Reply::Accepted,
            Answer::GoOn(challenge) => Reply::Challenge(challenge),
            Answer::Refused(said) => Reply::Refused(Refused { verdict: Verdict::read(&said), said }),
        })
    }
}

impl Transport for Dialogue<'_> {
    const COMMAND: &'static str = "USER and PASS";

    fn offered(&self) -> &[Way] {
        &self.offered
    }

    /// Whoever has SASL among its capabilities takes one (RFC 5034 section 3).
    fn takes_initial(&self) -> bool {
        true
    }

    async fn begin(&mut self, mechanism: Mechanism, initial: Option<&str>) -> Result<Reply, Error> {
        let name = mechanism.name();
        let Some(initial) = initial else { return self.say("AUTH", &format!("AUTH {name}")).await };
        // An empty one is written so (RFC 5034 section 4).
        let initial = if initial.is_empty() { "=" } else { initial };
        let line = Zeroizing::new(format!("AUTH {name} {initial}"));
        if line.len() + "\r\n".len() <= COMMAND_BYTES_MAX {
            return self.say("AUTH", &line).await;
        }
        match self.say("AUTH", &format!("AUTH {name}")).await? {
            Reply::Challenge(_) => self.say("AUTH", initial).await,
            reply => Ok(reply),
        }
    }

    async fn go_on(&mut self, line: &str) -> Result<Reply, Error> {
        self.say("AUTH", line).await
    }

    async fn command(&mut self, way: Way, credentials: &Credentials) -> Result<Reply, Error> {
        let user = &credentials.user;
        if let (Way::Apop, Some(timestamp)) = (way, &self.timestamp) {
            let digest = sasl::apop(timestamp, credentials);
            return self.say("APOP", &format!("APOP {user} {}", *digest)).await;
        }
        match self.say("USER", &format!("USER {user}")).await? {
            Reply::Accepted => self.say("PASS", &Zeroizing::new(format!("PASS {}", credentials.exposed()))).await,
            refused => Ok(refused),
        }
    }
}

/// Whether the server says that a refusal passes by itself (RFC 2449 section 8, RFC 3206).
pub(super) fn is_passing(said: &str) -> bool {
    ["[IN-USE]", "[LOGIN-DELAY]", "[SYS/TEMP]"].into_iter().any(|code| has_code(said, code))
}

/// Whether the server says that somebody must repair it (RFC 3206).
pub(super) fn is_lasting(said: &str) -> bool {
    has_code(said, "[SYS/PERM]")
}

fn has_code(said: &str, code: &str) -> bool {
    said.get(..code.len()).is_some_and(|start| start.eq_ignore_ascii_case(code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_stamps_are_message_ids() {
        let check = |greeting: &str, expect: Option<&str>| assert_eq!(timestamp(greeting).as_deref(), expect);
        check("ready <1896.697170952@dbc.mtview.ca.us>", Some("<1896.697170952@dbc.mtview.ca.us>"));
        check("<a@b> ready <c@d>", Some("<a@b>"));
        check("ready", None);
        check("<ready>", None);
        check("<@b>", None);
        check("<a@b", None);
        check("<a@b@c>", None);
        check("<a b@c>", None);
        check("<a\0@c>", None);
        check("<a\u{fc}@c>", None);
    }

    #[test]
    fn refusals_are_told_apart() {
        let check = |said: &str, passing, lasting| {
            assert_eq!((is_passing(said), is_lasting(said)), (passing, lasting), "{said}")
        };
        check("[IN-USE] locked", true, false);
        check("[in-use] locked", true, false);
        check("[LOGIN-DELAY] too soon", true, false);
        check("[SYS/TEMP] disk", true, false);
        check("[SYS/PERM] broken", false, true);
        check("[AUTH] wrong", false, false);
        check("wrong", false, false);
        check("\u{e9}\u{e9}\u{e9}\u{e9}", false, false);
    }

    #[test]
    fn capabilities_are_words() {
        let check = |lines: Option<&[&str]>, name: &str, offers: bool, may_offer: bool| {
            let lines = lines.map(|lines| lines.iter().map(ToString::to_string).collect());
            let capabilities = Capabilities { lines };
            assert_eq!((capabilities.offers(name), capabilities.may_offer(name)), (offers, may_offer), "{name}");
        };
        check(None, "STLS", false, true);
        check(Some(&[]), "STLS", false, false);
        check(Some(&["stls"]), "STLS", true, true);
        check(Some(&["XSTLS", "STLS2", ""]), "STLS", false, false);
        check(Some(&["SASL PLAIN"]), "SASL", true, true);
    }
}
