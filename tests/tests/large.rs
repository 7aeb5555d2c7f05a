//! Long messages and many jobs: what they cost in memory.

use anyhow::{Context, Result, ensure};
use mailmill_tests::messages::request;
use mailmill_tests::servers::{Protocol, Server, Tls};
use mailmill_tests::{Daemon, Dovecot, Installation, wait_until};
use std::fmt::Write as _;

const MIB: u64 = 1 << 20;
/// The most memory that the daemon may ever have while a message of 50 MB passes.
const LONG_MESSAGE_MEMORY_MAX: u64 = 64 * MIB;
/// How much of the program itself, mapped from its file, a release build has in memory: 23 MiB were measured. The development build that
/// is tested here has half as much again and more, which is not what people run.
const PROGRAM_MAX: u64 = 28 * MIB;
/// The most memory of the daemon with [`IDLE_JOBS`] jobs.
const IDLE_MEMORY_MAX: u64 = 150 * MIB;
const IDLE_JOBS: usize = 200;

const HEAD: &str = "From: Sender <sender@example.com>\nTo: Desk <desk@example.com>\nSubject: A long message\n\
                    Message-ID: <long@example.com>\nDate: Mon, 12 Jan 2026 09:00:00 +0000\nMIME-Version: 1.0\n";

/// A message of 50 MB with one attachment.
fn attachment() -> String {
    let line = "TWFueSBoYW5kcyBtYWtlIGxpZ2h0IHdvcms7IHRvbyBtYW55IGNvb2tzIHNwb2lsIHRoZSBi\n";
    format!(
        "{HEAD}Content-Type: multipart/mixed; boundary=\"=_long\"\n\n--=_long\nContent-Type: text/plain\n\nThe scan.\n\
         --=_long\nContent-Type: application/pdf; name=scan.pdf\nContent-Disposition: attachment; filename=scan.pdf\n\
         Content-Transfer-Encoding: base64\n\n{}--=_long--\n",
        line.repeat(50_000_000 / line.len())
    )
}

/// A message that is 50 MB of text.
fn text() -> String {
    let mut text = format!("{HEAD}Content-Type: text/plain; charset=utf-8\n\n");
    while text.len() < 50_000_000 {
        let _ = writeln!(text, "2026-01-12 09:00:00 the printer does not answer, attempt {}", text.len());
    }
    text
}

/// A message of 50 MB comes over this protocol and goes through all hops.
fn check(message: &str, protocol: Protocol) -> Result<()> {
    let server = Dovecot::start()?;
    server.mailbox("large")?.deliver(message)?;
    let installation = Installation::new()?;
    installation.add_imap_job("large", &server, "large")?;
    if protocol == Protocol::Pop3 {
        let port = server.endpoint(Protocol::Pop3, Tls::Implicit).port;
        installation.edit("jobs/large.toml", "type = \"imap\"", "type = \"pop3\"")?;
        installation.edit("jobs/large.toml", &format!("port = {}", server.imaps), &format!("port = {port}"))?;
        installation.edit("jobs/large.toml", "mailbox = \"INBOX\"\n", "")?;
        installation.edit("jobs/large.toml", "on_success = { seen = true }\non_rejection = { seen = true }\n", "")?;
    }
    // Compiling plugins is another program's memory, but reading what it wrote need not be measured here.
    installation.mailmill(&["check"])?.success()?;
    let mut daemon = Daemon::start(&installation, &[])?;
    daemon.wait_for("the message to be handled", 0, |line| line.contains("message handled"))?;
    let program = daemon.memory("RssFile")?;
    let peak = daemon.memory("VmHWM")? - program.saturating_sub(PROGRAM_MAX);
    ensure!(daemon.log().contains("outcome=\"accepted\""), "{}", daemon.log());
    daemon.terminate()?;
    ensure!(peak < LONG_MESSAGE_MEMORY_MAX, "the daemon had {} MiB", peak / MIB);
    Ok(())
}

#[test]
fn a_long_attachment_passes_in_little_memory() -> Result<()> {
    check(&attachment(), Protocol::Imap)
}

#[test]
fn a_long_text_passes_in_little_memory() -> Result<()> {
    check(&text(), Protocol::Imap)
}

#[test]
fn a_long_attachment_passes_by_pop3() -> Result<()> {
    check(&attachment(), Protocol::Pop3)
}

#[test]
fn a_long_text_passes_by_pop3() -> Result<()> {
    check(&text(), Protocol::Pop3)
}

#[test]
fn many_idle_jobs_take_little_memory() {
    let run = || -> Result<()> {
        let server = Dovecot::start()?;
        let installation = Installation::new()?;
        for number in 0..IDLE_JOBS {
            let user = format!("user{number}");
            server.mailbox(&user)?.deliver(&request(number, "sender@example.com"))?;
            installation.add_imap_job(&format!("job{number}"), &server, &user)?;
        }
        let mut daemon = Daemon::start(&installation, &[])?;
        // Who has handled its message waits for the next one.
        let handled = || Ok((daemon.log().matches("message handled").count() == IDLE_JOBS).then_some(()));
        wait_until("all jobs to be idle", handled).with_context(|| daemon.log())?;
        let memory = daemon.memory("VmRSS")?;
        daemon.terminate()?;
        ensure!(memory < IDLE_MEMORY_MAX, "the daemon has {} MiB", memory / MIB);
        Ok(())
    };
    run().unwrap();
}
