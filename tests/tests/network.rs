//! The line between the program and a real server: cut, stalled or slowed at bytes of chance, in either direction; and mailboxes that
//! are renamed, deleted and made anew under a running daemon. Nothing is lost and nothing handled twice.

use anyhow::Result;
use mailmill_tests::records::{check_requests, receipts, tickets};
use mailmill_tests::{Daemon, Dovecot, Installation, Mailbox, Meddling, Proxy, Said, messages, wait_until};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

const SENDER: &str = "ann@client.example";
const MESSAGES: usize = 4;
/// How many positions are tried, and where the chance of the first one comes from, if not from here.
const POSITIONS: usize = 18;
/// How many jobs share an installation, and so the start of the program: of each trouble two.
const JOBS_AT_ONCE: usize = 6;
const POSITIONS_VARIABLE: &str = "MAILMILL_NETWORK_POSITIONS";
const SEED_VARIABLE: &str = "MAILMILL_NETWORK_SEED";

/// What happens to the line at a byte.
#[derive(Debug, Clone, Copy)]
enum Trouble {
    Cut,
    Stall,
    Slow,
}

/// A job for the user behind the proxy, and messages for it.
fn add_job(installation: &Installation, server: &Dovecot, user: &str, port: u16) -> Result<Mailbox> {
    installation.add_imap_job(user, server, user)?;
    let file = format!("jobs/{user}.toml");
    installation.edit(&file, &format!("port = {}", server.imaps), &format!("port = {port}"))?;
    installation.edit(&file, "security = \"tls\"", "security = \"none\"\ntimeout = \"1s\"")?;
    let mut mailbox = server.mailbox(user)?;
    for number in 0..MESSAGES {
        mailbox.deliver(&messages::request(number, &format!("{user}@client.example")))?;
    }
    Ok(mailbox)
}

/// Whether each message of each of these users has one receipt, one ticket and its mark.
fn assert_each_exactly_once(installation: &Installation, mailboxes: &mut [(String, String, Mailbox)]) -> Result<()> {
    let senders: Vec<String> = mailboxes.iter().map(|(_, user, _)| format!("{user}@client.example")).collect();
    check_requests(installation, &senders, MESSAGES)?;
    for (case, _, mailbox) in mailboxes {
        assert_eq!(mailbox.seen()?, MESSAGES, "marks after {case}");
    }
    Ok(())
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
    let installation = Installation::new()?;
    add_job(&installation, &server, "whole", proxy.port)?;
    installation.mailmill(&["run", "--once"])?.success()?;
    let bytes = bytes.load(Ordering::Relaxed);
    assert!(bytes > 1_000, "only {bytes} bytes in a session");

    let mut chance = number_of(SEED_VARIABLE, 1) as u64;
    let rounds: Vec<usize> = (0..number_of(POSITIONS_VARIABLE, POSITIONS)).collect();
    for rounds in rounds.chunks(JOBS_AT_ONCE) {
        let installation = Installation::new()?;
        let (mut proxies, mut mailboxes) = (Vec::new(), Vec::new());
        for round in rounds {
            // Knuth's generator for 64 bits: any will do, as long as a seed repeats a run.
            chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let byte = usize::try_from(chance >> 33)? % bytes;
            let trouble = [Trouble::Cut, Trouble::Stall, Trouble::Slow][round % 3];
            let proxy = Proxy::start(server.imap, trouble_at(byte, trouble))?;
            let user = format!("user{round}");
            let mailbox = add_job(&installation, &server, &user, proxy.port)?;
            mailboxes.push((format!("{trouble:?} at byte {byte} of {bytes}"), user, mailbox));
            proxies.push(proxy);
        }
        let run = installation.mailmill(&["run", "--once"])?;
        assert!(matches!(run.code, Some(0 | 1)), "{:?}\n{}", run.code, run.stderr);
        proxies.iter().for_each(Proxy::behave);
        installation.mailmill(&["run", "--once"])?.success()?;
        assert_each_exactly_once(&installation, &mut mailboxes)?;
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
