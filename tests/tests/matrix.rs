//! Every protocol, security mode and way to log in, against each real server and whatever it does about TLS.
//!
//! In each cell of the matrix one message is delivered to a user of its own, and a job of its own fetches it. Between
//! the job and the server someone listens, so that it is known what a password was exposed to.

use anyhow::{Result, ensure};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use mailmill_tests::records::{Receipt, Ticket, receipts, tickets};
use mailmill_tests::servers::{Courier, Cyrus, PASSWORD, Protocol, Server, Tls};
use mailmill_tests::{Dovecot, Installation, Proxy, messages};
use std::fmt;

const NOT_TLS: &str = "does not speak TLS from the first byte: set security = \"starttls\", or port = ";
const TLS_ONLY: &str = "speaks TLS from the first byte: set security = \"tls\"";
const NO_STARTTLS: &str = "cannot begin TLS, which security = \"starttls\" demands: it does not offer ST";
const WANTS_PRIVACY: &str = "it wants an encrypted connection for that: ";
const CLEAR_TEXT: &str = "it offers only logins in clear text (";

/// As it is set in a job.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Mode {
    None,
    StarttlsIfAvailable,
    Starttls,
    Tls,
}

impl Mode {
    const ALL: [Self; 4] = [Self::None, Self::StarttlsIfAvailable, Self::Starttls, Self::Tls];

    fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::StarttlsIfAvailable => "starttls-if-available",
            Self::Starttls => "starttls",
            Self::Tls => "tls",
        }
    }
}

/// What a user logs in with.
#[derive(Debug, Clone, Copy, PartialEq)]
enum With {
    Password,
    Ntlm,
    Token,
}

impl With {
    const ALL: [Self; 3] = [Self::Password, Self::Ntlm, Self::Token];

    fn name(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::Ntlm => "ntlm",
            Self::Token => "oauth2",
        }
    }

    fn secret(self) -> &'static str {
        match self {
            Self::Password | Self::Ntlm => PASSWORD,
            Self::Token => Dovecot::TOKEN,
        }
    }
}

/// What a server can do, as far as it matters here.
struct Abilities {
    /// Whether the password can be proved without being sent.
    hashes: bool,
    ntlm: bool,
    tokens: bool,
    /// What it says, where it requires TLS, to a password, to NTLM and to a token before TLS; none if it lets us in.
    before_tls: [Option<&'static str>; 3],
}

#[derive(Debug, Clone, Copy)]
struct Cell {
    protocol: Protocol,
    tls: Tls,
    mode: Mode,
    with: With,
}

/// What is to come of a cell.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Expected {
    /// Its message is handled.
    Handled {
        /// The secret goes over the line for all to read.
        exposed: bool,
    },
    /// The session fails with these words; the secret stays with us.
    Fails(&'static str),
}

impl Cell {
    fn all(protocol: Protocol) -> Vec<Self> {
        let mut cells = Vec::new();
        for tls in Tls::ALL {
            for mode in Mode::ALL {
                cells.extend(With::ALL.map(|with| Self { protocol, tls, mode, with }));
            }
        }
        cells
    }

    /// The name of its job and of its user.
    fn name(&self) -> String {
        format!("{:?}-{}-{}", self.tls, self.mode.name(), self.with.name()).to_lowercase()
    }

    fn expected(&self, server: &Abilities) -> Expected {
        let secured = match (self.tls, self.mode) {
            (Tls::Implicit, Mode::Tls) => true,
            (Tls::Implicit, Mode::None | Mode::StarttlsIfAvailable | Mode::Starttls) => {
                return Expected::Fails(TLS_ONLY);
            }
            (Tls::Absent | Tls::Offered | Tls::Required, Mode::Tls) => return Expected::Fails(NOT_TLS),
            (Tls::Absent, Mode::Starttls) => return Expected::Fails(NO_STARTTLS),
            (Tls::Absent, Mode::None | Mode::StarttlsIfAvailable) => false,
            (Tls::Offered | Tls::Required, Mode::None) => false,
            (Tls::Offered | Tls::Required, Mode::StarttlsIfAvailable | Mode::Starttls) => true,
        };
        if self.tls == Tls::Required && !secured {
            let [password, ntlm, token] = server.before_tls;
            let said = match self.with {
                With::Password => password,
                With::Ntlm => ntlm,
                With::Token => token,
            };
            return said.map_or(Expected::Handled { exposed: false }, Expected::Fails);
        }
        let clear_text = match self.with {
            With::Ntlm if !server.ntlm => return Expected::Fails("it takes no NTLM login; it offers "),
            With::Token if !server.tokens => return Expected::Fails("it takes no access token; it offers "),
            With::Password => !server.hashes,
            With::Ntlm => false,
            With::Token => true,
        };
        match (clear_text && !secured, self.mode) {
            (true, Mode::StarttlsIfAvailable) => Expected::Fails(CLEAR_TEXT),
            (exposed, _) => Expected::Handled { exposed },
        }
    }

    /// Whether there is to be a warning that the connection stays in plain text: it was hoped for that it does not, or
    /// the server could do better.
    fn warns(&self) -> bool {
        match (self.tls, self.mode) {
            (Tls::Absent, Mode::StarttlsIfAvailable) | (Tls::Offered | Tls::Required, Mode::None) => true,
            (Tls::Absent | Tls::Offered | Tls::Required | Tls::Implicit, _) => false,
        }
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { protocol, tls, mode, with } = self;
        let (protocol, tls) = (format!("{protocol:?}"), format!("{tls:?}"));
        write!(f, "{protocol:<5}{tls:<9}{:<22}{:<9}", mode.name(), with.name())
    }
}

/// What can be seen of a cell afterwards.
#[derive(Debug, PartialEq)]
struct Traces {
    receipts: usize,
    tickets: usize,
    /// The flags of each message that is still in the mailbox.
    left: Vec<Vec<String>>,
    exposed: bool,
    warned: bool,
    fault: Option<String>,
}

/// A cell that has been made ready: its job, its message, and who listens.
struct Ready {
    cell: Cell,
    expected: Expected,
    subject: String,
    ear: Proxy,
}

impl Ready {
    fn new(
        installation: &Installation,
        server: &impl Server,
        cell: Cell,
        expected: Expected,
        number: usize,
    ) -> Result<Self> {
        let (name, protocol) = (cell.name(), format!("{:?}", cell.protocol).to_lowercase());
        let handling = match cell.protocol {
            Protocol::Imap => "{ seen = true }",
            Protocol::Pop3 => "{ deleted = true }",
        };
        server.add_user(&name)?;
        server.mailbox(&name)?.deliver(&messages::request(number, "ann@client.example"))?;
        let ear = Proxy::eavesdrop(server.endpoint(cell.protocol, cell.tls))?;
        let secret = format!("secrets/{}", cell.with.name());
        installation.write(&secret, cell.with.secret())?;
        installation.write(
            &format!("jobs/{name}.toml"),
            &format!(
                "[source]\ntype = \"{protocol}\"\nhost = \"127.0.0.1\"\nport = {}\nsecurity = \"{}\"\nca_file = '{}'\n\
                 user = \"{name}\"\nauthentication = \"{}\"\npassword = {{ file = '{}' }}\nexisting_mail = \"handle\"\n\n\
                 [handling]\non_success = {handling}\n",
                ear.port,
                cell.mode.name(),
                server.authority().display(),
                cell.with.name(),
                installation.path(&secret).display(),
            ),
        )?;
        Ok(Self { cell, expected, subject: format!("Request {number}"), ear })
    }

    fn traces(&self, server: &impl Server, said: &str, receipts: &[Receipt], tickets: &[Ticket]) -> Result<Traces> {
        let job = format!("job=\"{}\"", self.cell.name());
        let mut said = said.lines().filter(|line| line.contains(&job));
        let own: Vec<&Ticket> = tickets.iter().filter(|ticket| ticket.subject == self.subject).collect();
        let is_own = |receipt: &&Receipt| own.iter().any(|ticket| receipt.created.contains(&ticket.number));
        Ok(Traces {
            receipts: receipts.iter().filter(is_own).count(),
            tickets: own.len(),
            left: server.mailbox(&self.cell.name())?.flags()?.into_values().collect(),
            exposed: is_exposed(&self.ear.heard(), self.cell.with.secret()),
            warned: said.clone().any(|line| line.contains("stays in plain text")),
            fault: said.find_map(|line| Some(line.split_once("nothing is lost: ")?.1.to_owned())),
        })
    }

    /// Whether these are the traces that there should be.
    fn fits(&self, found: &Traces) -> bool {
        let flags = |names: &[&str]| vec![names.iter().map(ToString::to_string).collect::<Vec<_>>()];
        let (count, left, exposed, words) = match (self.expected, self.cell.protocol) {
            (Expected::Handled { exposed }, Protocol::Imap) => (1, flags(&["\\Seen"]), exposed, None),
            (Expected::Handled { exposed }, Protocol::Pop3) => (1, Vec::new(), exposed, None),
            (Expected::Fails(words), _) => (0, flags(&[]), false, Some(words)),
        };
        let fault_fits = match (words, &found.fault) {
            (None, None) => true,
            (Some(words), Some(fault)) => fault.contains(words),
            (None, Some(_)) | (Some(_), None) => false,
        };
        // Where a session fails, its fault tells enough.
        let warned = if words.is_none() { self.cell.warns() } else { found.warned };
        let fault = found.fault.clone();
        fault_fits && *found == Traces { receipts: count, tickets: count, left, exposed, warned, fault }
    }
}

/// Whether who listens can read the secret, as it is or in base64.
fn is_exposed(heard: &[u8], secret: &str) -> bool {
    let heard = String::from_utf8_lossy(heard);
    heard.split_whitespace().any(|word| {
        let decoded = BASE64_STANDARD.decode(word).unwrap_or_default();
        word.contains(secret) || String::from_utf8_lossy(&decoded).contains(secret)
    })
}

/// Runs one session of each job, and gives what was logged. NTLM comes one at a time: all exchanges of a Dovecot share
/// one process of Samba's, which knows one challenge.
fn run_all(installation: &Installation, cells: &[Ready]) -> Result<String> {
    let (alone, together): (Vec<&Ready>, Vec<&Ready>) = cells
        .iter()
        .partition(|ready| ready.cell.with == With::Ntlm && matches!(ready.expected, Expected::Handled { .. }));
    let name = |ready: &&Ready| ready.cell.name();
    let mut batches = vec![together.iter().map(name).collect::<Vec<_>>()];
    batches.extend(alone.iter().map(|ready| vec![name(ready)]));
    let mut said = String::new();
    for batch in batches {
        let arguments: Vec<&str> = ["run", "--once"].into_iter().chain(batch.iter().map(String::as_str)).collect();
        said += &installation.mailmill(&arguments)?.stderr;
    }
    Ok(said)
}

/// Fills each cell, and says of all those where something else came out than should.
fn check(server: &impl Server, protocol: Protocol, abilities: &Abilities) -> Result<()> {
    let installation = Installation::new()?;
    let mut cells = Vec::new();
    for (number, cell) in Cell::all(protocol).into_iter().enumerate() {
        cells.push(Ready::new(&installation, server, cell, cell.expected(abilities), number)?);
    }
    let said = run_all(&installation, &cells)?;
    let (receipts, tickets) = (receipts(&installation)?, tickets(&installation)?);
    let mut wrong = Vec::new();
    for ready in &cells {
        let found = ready.traces(server, &said, &receipts, &tickets)?;
        if !ready.fits(&found) {
            wrong.push(format!("{} expected {:?}\n{:46}found    {found:?}", ready.cell, ready.expected, ""));
        }
    }
    ensure!(wrong.is_empty(), "{} of {} cells are wrong:\n{}", wrong.len(), cells.len(), wrong.join("\n"));
    let handled = cells.iter().filter(|ready| matches!(ready.expected, Expected::Handled { .. })).count();
    ensure!(receipts.len() == handled, "{} receipts for {handled} messages", receipts.len());
    Ok(())
}

const DOVECOT: Abilities = Abilities {
    hashes: true,
    ntlm: true,
    tokens: true,
    before_tls: [
        Some("the server takes no password on this connection"),
        Some("the server takes no NTLM login on this connection"),
        Some("the server takes no access token on this connection"),
    ],
};
/// By POP3, APOP is offered in the greeting, even where it is refused.
const DOVECOT_POP3: Abilities = Abilities {
    before_tls: [
        Some(WANTS_PRIVACY),
        Some("it takes no NTLM login; it offers APOP"),
        Some("it takes no access token; it offers APOP"),
    ],
    ..DOVECOT
};
/// A Dovecot that keeps passwords in such a way that it has to see them.
const DOVECOT_CLEAR: Abilities = Abilities { hashes: false, ntlm: false, tokens: false, ..DOVECOT };
const CYRUS: Abilities =
    Abilities { hashes: true, ntlm: true, tokens: false, before_tls: [None, None, Some("it takes no access token")] };
const COURIER: Abilities = Abilities {
    hashes: true,
    ntlm: false,
    tokens: false,
    before_tls: [Some(WANTS_PRIVACY), Some("it takes no NTLM login"), Some("it takes no access token")],
};

fn clear_text_only() -> Result<Dovecot> {
    Dovecot::start_configured("auth_mechanisms = plain login\n")
}

#[test]
fn imap_with_dovecot() -> Result<()> {
    check(&Dovecot::start()?, Protocol::Imap, &DOVECOT)
}

#[test]
fn pop3_with_dovecot() -> Result<()> {
    check(&Dovecot::start()?, Protocol::Pop3, &DOVECOT_POP3)
}

#[test]
fn imap_with_logins_in_clear_text_only() -> Result<()> {
    check(&clear_text_only()?, Protocol::Imap, &DOVECOT_CLEAR)
}

#[test]
fn pop3_with_logins_in_clear_text_only() -> Result<()> {
    check(&clear_text_only()?, Protocol::Pop3, &DOVECOT_CLEAR)
}

#[test]
fn imap_with_cyrus() -> Result<()> {
    check(&Cyrus::start()?, Protocol::Imap, &CYRUS)
}

#[test]
fn pop3_with_cyrus() -> Result<()> {
    check(&Cyrus::start()?, Protocol::Pop3, &CYRUS)
}

#[test]
fn imap_with_courier() -> Result<()> {
    check(&Courier::start()?, Protocol::Imap, &COURIER)
}

#[test]
fn pop3_with_courier() -> Result<()> {
    check(&Courier::start()?, Protocol::Pop3, &COURIER)
}
