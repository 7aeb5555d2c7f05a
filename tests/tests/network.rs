//! The line between the program and a real server: cut, stalled or slowed at bytes of chance, in either direction; and mailboxes that
//! are renamed, deleted and made anew under a running daemon. Nothing is lost and nothing handled twice.

use anyhow::Result;
use mailmill_tests::records::{check_requests, receipts, tickets};
use mailmill_tests::servers::{Protocol, Server, Tls};
use mailmill_tests::{Daemon, Dovecot, Installation, Mailbox, Meddling, Proxy, Said, Speaker, messages, wait_until};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

const SENDER: &str = "ann@client.example";
const MESSAGES: usize = 4;
/// How many positions are tried with each protocol and trouble, and where the chance of the first one comes from, if not from here.
const POSITIONS: usize = 12;
/// How many jobs share an installation, and so the start of the program.
const JOBS_AT_ONCE: usize = 24;
const POSITIONS_VARIABLE: &str = "MAILMILL_NETWORK_POSITIONS";
const SEED_VARIABLE: &str = "MAILMILL_NETWORK_SEED";
/// How long a job waits for the server: `timeout` in its file.
const TIMEOUT: Duration = Duration::from_secs(1);
/// How long each line takes on a slow connection, and each literal.
const SLOW: Duration = Duration::from_millis(30);

/// What happens to the line at a byte.
#[derive(Debug, Clone, Copy)]
enum Trouble {
    Cut,
    Stall,
    /// What the byte is part of comes byte by byte, and takes so long; what follows is slow too.
    Slow(Duration),
}

/// Where something happens: at a byte of all that one of the two says in a session, counted from 0.
#[derive(Debug, Clone, Copy)]
struct Position {
    by: Speaker,
    byte: usize,
    trouble: Trouble,
}

/// How much each of the two says in a session without trouble.
type Bytes = BTreeMap<bool, usize>;

/// Numbers that look like chance: Knuth's generator for 64 bits. Any will do, as long as a seed repeats a run.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: usize) -> Result<usize> {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        Ok(usize::try_from(self.0 >> 33)? % bound)
    }
}

/// A job behind a proxy that makes trouble.
struct Troubled {
    protocol: Protocol,
    position: Position,
    user: String,
    proxy: Proxy,
    mailbox: Mailbox,
}

/// A proxy in front of the server.
fn proxy(
    server: &Dovecot,
    protocol: Protocol,
    meddler: impl FnMut(&Said<'_>) -> Meddling + Send + 'static,
) -> Result<Proxy> {
    match protocol {
        Protocol::Imap => Proxy::start(server.imap, meddler),
        Protocol::Pop3 => Proxy::start_pop3(server.endpoint(protocol, Tls::Offered), meddler),
    }
}

/// A job for the user behind the proxy, and messages for it.
fn add_job(
    installation: &Installation,
    server: &Dovecot,
    protocol: Protocol,
    user: &str,
    port: u16,
) -> Result<Mailbox> {
    installation.add_imap_job(user, server, user)?;
    let file = format!("jobs/{user}.toml");
    installation.edit(&file, &format!("port = {}", server.imaps), &format!("port = {port}"))?;
    let timeout = format!("security = \"none\"\ntimeout = \"{}s\"", TIMEOUT.as_secs());
    installation.edit(&file, "security = \"tls\"", &timeout)?;
    if protocol == Protocol::Pop3 {
        installation.edit(&file, "type = \"imap\"", "type = \"pop3\"")?;
        installation.edit(&file, "mailbox = \"INBOX\"\n", "")?;
        installation.edit(
            &file,
            "on_success = { seen = true }\non_rejection = { seen = true }",
            "on_success = { deleted = true }",
        )?;
    }
    let mut mailbox = server.mailbox(user)?;
    for number in 0..MESSAGES {
        mailbox.deliver(&messages::request(number, &format!("{user}@client.example")))?;
    }
    Ok(mailbox)
}

/// Whether each message of each of these users has one receipt, one ticket and its mark.
fn assert_each_exactly_once(installation: &Installation, jobs: &mut [Troubled]) -> Result<()> {
    let senders: Vec<String> = jobs.iter().map(|job| format!("{}@client.example", job.user)).collect();
    check_requests(installation, &senders, MESSAGES)?;
    for Troubled { protocol, position, mailbox, .. } in jobs {
        let (there, seen) = (mailbox.flags()?.len(), mailbox.seen()?);
        let expect = match protocol {
            Protocol::Imap => (MESSAGES, MESSAGES),
            // What is handled is deleted.
            Protocol::Pop3 => (0, 0),
        };
        assert_eq!((there, seen), expect, "marks after {protocol:?}, {position:?}");
    }
    Ok(())
}

/// Makes trouble there; once.
fn trouble_at(position: Position) -> impl FnMut(&Said<'_>) -> Meddling + Send + 'static {
    let Position { by, byte, trouble } = position;
    let mut said_before = 0;
    let mut is_slow = false;
    move |said| {
        let size = if said.by == by { said.text.len() } else { 0 };
        let here = byte.checked_sub(said_before).filter(|here| *here < size);
        said_before += size;
        match (trouble, here) {
            (Trouble::Cut, Some(kept)) => Meddling::CutAfter(said.text.iter().take(kept).copied().collect()),
            (Trouble::Stall, Some(_)) => Meddling::Silence,
            (Trouble::Slow(time), Some(_)) => {
                is_slow = true;
                Meddling::Slowly(time)
            }
            _ if is_slow => Meddling::Slowly(SLOW),
            _ => Meddling::Pass,
        }
    }
}

fn number_of(variable: &str, otherwise: usize) -> usize {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

/// What is said in a session without trouble.
fn bytes_of_a_session(server: &Dovecot, protocol: Protocol) -> Result<Bytes> {
    let bytes = Arc::new(Mutex::new(Bytes::new()));
    let count = bytes.clone();
    let proxy = proxy(server, protocol, move |said| {
        *count.lock().unwrap_or_else(PoisonError::into_inner).entry(said.by == Speaker::Client).or_default() +=
            said.text.len();
        Meddling::Pass
    })?;
    let installation = Installation::new()?;
    add_job(&installation, server, protocol, &format!("whole-{protocol:?}"), proxy.port)?;
    installation.mailmill(&["run", "--once"])?.success()?;
    let bytes = bytes.lock().unwrap_or_else(PoisonError::into_inner).clone();
    assert!(bytes.values().all(|bytes| *bytes > 50), "{protocol:?}: only {bytes:?} bytes in a session");
    Ok(bytes)
}

/// Where trouble is made in a session of this protocol: each kind by each side alike.
fn positions(bytes: &Bytes, chance: &mut Chance) -> Result<Vec<Position>> {
    let mut positions = Vec::new();
    for number in 0..number_of(POSITIONS_VARIABLE, POSITIONS) {
        let by = if number % 2 == 0 { Speaker::Server } else { Speaker::Client };
        let bytes = bytes.get(&(by == Speaker::Client)).copied().unwrap_or(1);
        // From half the time that the job waits to half as much again: it is too slow, or only just not.
        let slow = TIMEOUT.mul_f64(0.5 + 0.01 * chance.below(100)? as f64);
        for trouble in [Trouble::Cut, Trouble::Stall, Trouble::Slow(slow)] {
            positions.push(Position { by, byte: chance.below(bytes)?, trouble });
        }
    }
    Ok(positions)
}

#[test]
fn the_line_fails_at_bytes_of_chance() -> Result<()> {
    let server = Dovecot::start()?;
    let mut chance = Chance(number_of(SEED_VARIABLE, 1) as u64);
    let (mut rounds, mut failed) = (Vec::new(), 0);
    for protocol in Protocol::ALL {
        let positions = positions(&bytes_of_a_session(&server, protocol)?, &mut chance)?;
        rounds.extend(positions.into_iter().map(|position| (protocol, position)));
    }
    for (first, rounds) in rounds.chunks(JOBS_AT_ONCE).enumerate() {
        let installation = Installation::new()?;
        let mut jobs = Vec::new();
        for (number, (protocol, position)) in rounds.iter().enumerate() {
            let (protocol, position) = (*protocol, *position);
            let proxy = proxy(&server, protocol, trouble_at(position))?;
            let user = format!("user-{first}-{number}");
            let mailbox = add_job(&installation, &server, protocol, &user, proxy.port)?;
            jobs.push(Troubled { protocol, position, user, proxy, mailbox });
        }
        let run = installation.mailmill(&["run", "--once"])?;
        assert!(matches!(run.code, Some(0 | 1)), "{:?}\n{}", run.code, run.stderr);
        failed += run.stderr.matches("the session failed").count();
        for job in &jobs {
            job.proxy.behave();
            // Nobody is slow now but the machine.
            let timeout = |seconds: u64| format!("timeout = \"{seconds}s\"");
            installation.edit(&format!("jobs/{}.toml", job.user), &timeout(TIMEOUT.as_secs()), &timeout(60))?;
        }
        installation.mailmill(&["run", "--once"])?.success()?;
        assert_each_exactly_once(&installation, &mut jobs)?;
    }
    // What happens after all is said, or is slow and still in time, is no failure; the rest is noticed.
    assert!(failed * 3 >= rounds.len(), "only {failed} of {} sessions failed: was there trouble?", rounds.len());
    Ok(())
}

#[test]
fn mailboxes_are_renamed_deleted_and_made_anew_under_a_daemon() -> Result<()> {
    let server = Dovecot::start()?;
    let installation = Installation::new()?;
    let mut mailbox = server.mailbox("desk")?;
    mailbox.command("CREATE Support")?;
    installation.add_imap_job("desk", &server, "desk")?;
    installation.edit("jobs/desk.toml", "mailbox = \"INBOX\"", "mailbox = [\"INBOX\", \"Support\"]")?;
    let mut daemon = Daemon::start(&installation, &[])?;
    let mut number = 0;
    let mut deliver = |mailbox: &mut Mailbox, daemon: &mut Daemon, folder: &str| -> Result<()> {
        number += 1;
        let skip = daemon.log_length();
        mailbox.deliver_to(folder, &messages::request(number, SENDER))?;
        daemon.wait_for(folder, skip, |line| line.contains("message handled")).map(drop)
    };
    deliver(&mut mailbox, &mut daemon, "INBOX")?;
    deliver(&mut mailbox, &mut daemon, "Support")?;

    let skip = daemon.log_length();
    mailbox.command("RENAME Support Elsewhere")?;
    daemon.wait_for("it is missed", skip, |line| line.contains("WARN") && line.contains("mailbox \"Support\""))?;
    deliver(&mut mailbox, &mut daemon, "INBOX")?;
    wait_until("the marks in the other mailbox", || Ok((server.mailbox("desk")?.seen()? == 2).then_some(())))?;
    mailbox.command("RENAME Elsewhere Support")?;
    deliver(&mut mailbox, &mut daemon, "Support")?;
    assert_eq!(receipts(&installation)?.len(), 4, "what was handled before is not handled again\n{}", daemon.log());

    let skip = daemon.log_length();
    mailbox.command("DELETE Support")?;
    daemon.wait_for("it is missed", skip, |line| line.contains("WARN") && line.contains("mailbox \"Support\""))?;
    // Another mailbox of the same name, whose messages have the numbers of before.
    mailbox.command("CREATE Support")?;
    deliver(&mut mailbox, &mut daemon, "Support")?;
    deliver(&mut mailbox, &mut daemon, "Support")?;
    deliver(&mut mailbox, &mut daemon, "INBOX")?;
    assert!(daemon.terminate()?.success(), "{}", daemon.log());
    let found = (receipts(&installation)?.len(), tickets(&installation)?.len());
    assert_eq!(found, (7, 7), "{}", daemon.log());
    let unseen =
        |flags: Vec<Vec<String>>| flags.iter().filter(|flags| flags.iter().all(|flag| flag != "\\Seen")).count();
    let mut mailbox = server.mailbox("desk")?;
    for folder in ["INBOX", "Support"] {
        assert_eq!(unseen(mailbox.flags_in(folder)?.into_values().collect()), 0, "{folder}");
    }
    Ok(())
}
