//! What becomes of the original messages in a POP3 maildrop: deleted or left, by each outcome, on each server; and
//! nothing before the session has ended with QUIT.

use anyhow::{Context, Result, ensure};
use mailmill_tests::records::{receipts, tickets};
use mailmill_tests::servers::{Courier, Cyrus, PASSWORD, Protocol, Server, Tls};
use mailmill_tests::{Dovecot, Installation, Mailbox, Meddling, Proxy, Speaker, messages};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc::{Receiver, channel};

const SENDER: &str = "ann@client.example";
const STATEMENTS: &str = r#"
[[statement]]
name = "refuse"
if = 'subject starts with "Request 2"'
then = [{ do = "reject", reason = "asked for" }]
stop = true

[[statement]]
name = "ignore"
if = 'subject starts with "Request 3"'
then = [{ do = "ignore", reason = "asked for" }]
stop = true

[[statement]]
name = "comment on nothing"
if = 'subject starts with "Request 4"'
then = [{ do = "comment" }]
stop = true
"#;
/// The outcome of each message, by UID from 1.
const OUTCOMES: [&str; 4] = ["accepted", "rejected", "ignored", "quarantined"];
const ALL: [u32; 4] = [1, 2, 3, 4];

/// What is set to become of messages.
#[derive(Debug, Clone, Copy)]
struct Handling {
    delete_on_success: bool,
    delete_on_rejection: bool,
    /// Means nothing in POP3: what is deleted is gone.
    purge: bool,
}

impl Handling {
    fn all() -> Vec<Self> {
        let each = |number: u8| Self {
            delete_on_success: number & 1 > 0,
            delete_on_rejection: number & 2 > 0,
            purge: number & 4 > 0,
        };
        (0..8).map(each).collect()
    }

    fn settings(self) -> String {
        let word = |deletes| if deletes { "{ deleted = true }" } else { "\"leave\"" };
        let (success, rejection) = (word(self.delete_on_success), word(self.delete_on_rejection));
        format!("on_success = {success}\non_rejection = {rejection}\npurge = {}\n", self.purge)
    }

    /// The UIDs of the messages that stay: 1 and 3 are successes, 2 is rejected, 4 is in quarantine.
    fn left(self) -> BTreeSet<u32> {
        let is_left = |uid: &u32| match uid {
            1 | 3 => !self.delete_on_success,
            2 => !self.delete_on_rejection,
            _ => true,
        };
        ALL.into_iter().filter(is_left).collect()
    }
}

/// A maildrop with a job, and someone who looks into it whenever the job says QUIT.
struct Cell {
    handling: Handling,
    mailbox: Mailbox,
    at_quit: Receiver<Result<BTreeSet<u32>>>,
    proxy: Proxy,
}

impl Cell {
    /// With four messages. If `cuts`, QUIT does not arrive until the proxy behaves.
    fn new(
        installation: &Installation,
        server: &impl Server,
        user: &str,
        handling: Handling,
        cuts: bool,
    ) -> Result<Self> {
        server.add_user(user)?;
        let mut mailbox = server.mailbox(user)?;
        for number in 1..=4 {
            mailbox.deliver(&messages::request(number, SENDER))?;
        }
        let (mut look, (sender, at_quit)) = (server.mailbox(user)?, channel());
        let proxy = Proxy::start_pop3(server.endpoint(Protocol::Pop3, Tls::Offered), move |said| {
            if said.by != Speaker::Client || !said.is_command("QUIT") {
                return Meddling::Pass;
            }
            // Nobody listens any more once the test is over.
            let _ = sender.send(uids(&mut look));
            if cuts { Meddling::CutAfter(Vec::new()) } else { Meddling::Pass }
        })?;
        installation.write("password", PASSWORD)?;
        installation.write(
            &format!("jobs/{user}.toml"),
            &format!(
                "[source]\ntype = \"pop3\"\nhost = \"127.0.0.1\"\nport = {}\nsecurity = \"none\"\nuser = \"{user}\"\n\
                 password = {{ file = '{}' }}\nexisting_mail = \"handle\"\n[handling]\n{}",
                proxy.port,
                installation.path("password").display(),
                handling.settings(),
            ),
        )?;
        Ok(Self { handling, mailbox, at_quit, proxy })
    }

    /// In the first session all messages are there when QUIT is said; afterwards, those that are to stay.
    fn check(&mut self, is_first: bool) -> Result<()> {
        let left = self.handling.left();
        let at_quit = self.at_quit.recv().context("the job did not say QUIT")??;
        let expected = if is_first { BTreeSet::from(ALL) } else { left.clone() };
        ensure!(at_quit == expected, "at QUIT there are {at_quit:?}, not {expected:?}");
        let found = uids(&mut self.mailbox)?;
        ensure!(found == left, "there are {found:?}, not {left:?} ({OUTCOMES:?})");
        Ok(())
    }
}

fn uids(mailbox: &mut Mailbox) -> Result<BTreeSet<u32>> {
    Ok(mailbox.flags()?.into_keys().collect())
}

/// So many maildrops have one receipt for each message, with its outcome, and one ticket.
fn check_store(installation: &Installation, maildrops: usize) -> Result<()> {
    let mut outcomes = BTreeMap::<String, usize>::new();
    for receipt in receipts(installation)? {
        *outcomes.entry(receipt.outcome).or_default() += 1;
    }
    let expected = OUTCOMES.map(|outcome| (outcome.to_owned(), maildrops));
    assert_eq!(outcomes, BTreeMap::from(expected));
    assert_eq!(tickets(installation)?.len(), maildrops);
    Ok(())
}

/// Each handling; a second session finds nothing to do.
fn check_matrix(server: &impl Server) -> Result<()> {
    let installation = Installation::new()?;
    installation.write("rules/statements/00-test.toml", STATEMENTS)?;
    let mut cells = Vec::new();
    for (number, handling) in Handling::all().into_iter().enumerate() {
        cells.push(Cell::new(&installation, server, &format!("user{number}"), handling, false)?);
    }
    for is_first in [true, false] {
        let log = installation.mailmill(&["run", "--once"])?.success()?.stderr;
        for cell in &mut cells {
            cell.check(is_first).with_context(|| format!("{:?}, first session: {is_first}\n{log}", cell.handling))?;
        }
        check_store(&installation, cells.len())?;
    }
    Ok(())
}

/// A session that does not come to its QUIT has deleted nothing; the next one deletes, and handles nothing twice.
fn check_cut_at_quit(server: &impl Server) -> Result<()> {
    let installation = Installation::new()?;
    installation.write("rules/statements/00-test.toml", STATEMENTS)?;
    let handling = Handling { delete_on_success: true, delete_on_rejection: true, purge: false };
    let mut cell = Cell::new(&installation, server, "desk", handling, true)?;
    let run = installation.mailmill(&["run", "--once"])?;
    ensure!(run.code == Some(1) && run.stderr.contains("during QUIT"), "{:?}\n{}", run.code, run.stderr);
    assert_eq!(uids(&mut cell.mailbox)?, BTreeSet::from(ALL), "what was deleted without QUIT");
    check_store(&installation, 1)?;
    cell.proxy.behave();
    installation.mailmill(&["run", "--once"])?.success()?;
    assert_eq!(uids(&mut cell.mailbox)?, BTreeSet::from([4]), "messages left");
    check_store(&installation, 1)
}

#[test]
fn dovecot() -> Result<()> {
    check_matrix(&Dovecot::start()?)
}

#[test]
fn cyrus() -> Result<()> {
    check_matrix(&Cyrus::start()?)
}

#[test]
fn courier() -> Result<()> {
    check_matrix(&Courier::start()?)
}

#[test]
fn dovecot_does_not_hear_the_quit() -> Result<()> {
    check_cut_at_quit(&Dovecot::start()?)
}

#[test]
fn cyrus_does_not_hear_the_quit() -> Result<()> {
    check_cut_at_quit(&Cyrus::start()?)
}

#[test]
fn courier_does_not_hear_the_quit() -> Result<()> {
    check_cut_at_quit(&Courier::start()?)
}
