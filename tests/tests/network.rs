//! The line between the program and a real server: cut, stalled or slowed at bytes of chance, in either direction; and mailboxes that
//! are renamed, deleted and made anew under a running daemon. Nothing is lost and nothing handled twice.

use anyhow::{Context, Result};
use mailmill_tests::records::{receipts, tickets};
use mailmill_tests::{Daemon, Dovecot, Installation, Mailbox, Meddling, Proxy, Said, messages, wait_until};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

const SENDER: &str = "ann@client.example";
const MESSAGES: usize = 4;
/// How many positions are tried, and where the chance of the first one comes from, if not from here.
const POSITIONS: usize = 18;
const POSITIONS_VARIABLE: &str = "MAILMILL_NETWORK_POSITIONS";
const SEED_VARIABLE: &str = "MAILMILL_NETWORK_SEED";

/// What happens to the line at a byte.
#[derive(Debug, Clone, Copy)]
enum Trouble {
    Cut,
    Stall,
    Slow,
}

/// An installation with a job for the user behind the proxy, and messages for it.
fn scene(server: &Dovecot, user: &str, port: u16) -> Result<(Installation, Mailbox)> {
    let installation = Installation::new()?;
    installation.add_imap_job("desk", server, user)?;
    installation.edit("jobs/desk.toml", &format!("port = {}", server.imaps), &format!("port = {port}"))?;
    installation.edit("jobs/desk.toml", "security = \"tls\"", "security = \"none\"\ntimeout = \"1s\"")?;
    let mut mailbox = server.mailbox(user)?;
    for number in 0..MESSAGES {
        mailbox.deliver(&messages::request(number, SENDER))?;
    }
    Ok((installation, mailbox))
}

/// Makes trouble at this byte of all that is said by both sides, counted from 0; once.
fn trouble_at(byte: usize, trouble: Trouble) -> impl FnMut(&Said<'_>) -> Meddling + Send + 'static {
    let mut said_before = 0;
    move |said| {
        let here = byte.checked_sub(said_before).filter(|here| *here < said.text.len());
        said_before += said.text.len();
        match (trouble, here) {
            (Trouble::Cut, Some(kept)) => Meddling::CutAfter(said.text.iter().take(kept).copied().collect()),
            (Trouble::Stall, Some(_)) => Meddling::Silence,
            (Trouble::Slow, _) if said_before > byte => {
                // Each line or literal on its own, and shortly before the time is up that the job waits for one.
                std::thread::sleep(Duration::from_millis(30));
                Meddling::Pass
            }
            _ => Meddling::Pass,
        }
    }
}

fn number_of(variable: &str, otherwise: usize) -> usize {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

#[test]
fn the_line_fails_at_bytes_of_chance() -> Result<()> {
    let server = Dovecot::start()?;
    let bytes = Arc::new(AtomicUsize::new(0));
    let count = bytes.clone();
    let proxy = Proxy::start(server.imap, move |said| {
        count.fetch_add(said.text.len(), Ordering::Relaxed);
        Meddling::Pass
    })?;
    let (installation, _mailbox) = scene(&server, "whole", proxy.port)?;
    installation.mailmill(&["run", "--once"])?.success()?;
    let bytes = bytes.load(Ordering::Relaxed);
    assert!(bytes > 1_000, "only {bytes} bytes in a session");

    let mut chance = number_of(SEED_VARIABLE, 1) as u64;
    for round in 0..number_of(POSITIONS_VARIABLE, POSITIONS) {
        // Knuth's generator for 64 bits: any will do, as long as a seed repeats a run.
        chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let byte = usize::try_from(chance >> 33)? % bytes;
        let trouble = [Trouble::Cut, Trouble::Stall, Trouble::Slow][round % 3];
        let proxy = Proxy::start(server.imap, trouble_at(byte, trouble))?;
        let (installation, mut mailbox) = scene(&server, &format!("user{round}"), proxy.port)?;
        let case = format!("{trouble:?} at byte {byte} of {bytes}");
        let run = installation.mailmill(&["run", "--once"])?;
        assert!(matches!(run.code, Some(0 | 1)), "{case}: {:?}\n{}", run.code, run.stderr);
        proxy.behave();
        installation.mailmill(&["run", "--once"])?.success().with_context(|| case.clone())?;
        let found = (receipts(&installation)?.len(), tickets(&installation)?.len(), mailbox.seen()?);
        assert_eq!(found, (MESSAGES, MESSAGES, MESSAGES), "receipts, tickets and marks after {case}");
    }
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
