//! Mail of a real IMAP server: every message exactly once, and nothing marked before it is recorded.

use anyhow::{Context, Result};
use mailmill_tests::records::{Ticket, comments, receipts, tickets};
use mailmill_tests::{Daemon, Dovecot, Installation, Mailbox, Meddling, Proxy, SmallDisk, messages, wait_until};
use std::collections::{BTreeMap, BTreeSet};

const SENDER: &str = "ann@client.example";
const USER: &str = "desk";

struct Scene {
    installation: Installation,
    server: Dovecot,
    mailbox: Mailbox,
}

impl Scene {
    fn new() -> Result<Self> {
        let server = Dovecot::start()?;
        let installation = Installation::new()?;
        installation.add_imap_job("desk", &server, USER)?;
        let mailbox = server.mailbox(USER)?;
        Ok(Self { installation, server, mailbox })
    }

    fn run_once(&self) -> Result<()> {
        self.installation.mailmill(&["run", "--once"])?.success().map(drop)
    }

    fn seen(&mut self) -> Result<BTreeSet<String>> {
        let flags = self.mailbox.flags()?;
        let seen = flags.into_iter().filter(|(_, flags)| flags.iter().any(|flag| flag == "\\Seen"));
        Ok(seen.map(|(uid, _)| uid.to_string()).collect())
    }

    fn recorded(&self) -> Result<BTreeSet<String>> {
        Ok(receipts(&self.installation)?.into_iter().map(|receipt| receipt.uid).collect())
    }

    /// What must be true at any moment, whatever has happened.
    fn assert_marked_only_after_commit(&mut self) -> Result<()> {
        let (seen, recorded) = (self.seen()?, self.recorded()?);
        let early: Vec<_> = seen.difference(&recorded).collect();
        assert!(early.is_empty(), "marked as seen without a receipt: {early:?}");
        Ok(())
    }

    /// What must be true in the end: each of so many messages has one receipt, and is marked.
    fn assert_each_exactly_once(&mut self, count: usize) -> Result<()> {
        assert_eq!(receipts(&self.installation)?.len(), count, "receipts");
        assert_eq!(self.recorded()?.len(), count, "messages with a receipt");
        assert_eq!(self.seen()?, self.recorded()?, "messages marked");
        Ok(())
    }
}

fn by_subject(tickets: &[Ticket]) -> BTreeMap<&str, &Ticket> {
    tickets.iter().map(|ticket| (ticket.subject.as_str(), ticket)).collect()
}

#[test]
fn two_hundred_messages_become_two_hundred_receipts_and_the_right_tickets() -> Result<()> {
    let mut scene = Scene::new()?;
    for number in 0..20 {
        scene.mailbox.deliver(&messages::request(number, SENDER))?;
    }
    scene.run_once()?;
    let first = tickets(&scene.installation)?;
    assert_eq!(first.len(), 20);

    for number in 100..200 {
        scene.mailbox.deliver(&messages::request(number, SENDER))?;
    }
    for number in 100..150 {
        scene.mailbox.deliver(&messages::reply(number, SENDER))?;
    }
    let known = by_subject(&first);
    for number in 0..50 {
        let ticket = known.get(format!("Request {}", number % 20).as_str()).context("no ticket of the first run")?;
        scene.mailbox.deliver(&messages::tagged_reply(number, SENDER, &ticket.number))?;
    }
    scene.run_once()?;

    scene.assert_each_exactly_once(220)?;
    let all = tickets(&scene.installation)?;
    assert_eq!(all.len(), 120);
    assert!(
        all.iter().all(|ticket| ticket.class == "incident" && ticket.status == "new" && ticket.requester == SENDER)
    );
    let all = by_subject(&all);
    assert_eq!(all.len(), 120, "one ticket for each request");
    for number in 100..200 {
        let ticket = all.get(format!("Request {number}").as_str()).context("no ticket of the second run")?;
        let expect: &[String] = if number < 150 { &[format!("A reply to request {number}.")] } else { &[] };
        assert_eq!(comments(&scene.installation, &ticket.number)?, expect, "comments on request {number}");
    }
    for number in 0..20 {
        let ticket = known.get(format!("Request {number}").as_str()).context("no ticket of the first run")?;
        let expect: Vec<_> = (number..50).step_by(20).map(|reply| format!("A tagged reply, number {reply}.")).collect();
        assert_eq!(comments(&scene.installation, &ticket.number)?, expect, "comments on request {number}");
    }
    Ok(())
}

#[test]
fn a_second_run_does_nothing() -> Result<()> {
    let mut scene = Scene::new()?;
    for number in 0..10 {
        scene.mailbox.deliver(&messages::request(number, SENDER))?;
    }
    scene.run_once()?;
    let before = (tickets(&scene.installation)?, receipts(&scene.installation)?, scene.mailbox.flags()?);
    scene.run_once()?;
    let after = (tickets(&scene.installation)?, receipts(&scene.installation)?, scene.mailbox.flags()?);
    assert_eq!(before, after);
    Ok(())
}

#[test]
fn a_message_marked_as_unread_by_a_person_is_not_handled_again() -> Result<()> {
    let mut scene = Scene::new()?;
    scene.mailbox.deliver(&messages::request(1, SENDER))?;
    scene.run_once()?;
    scene.mailbox.command("SELECT INBOX")?;
    scene.mailbox.command("UID STORE 1 -FLAGS.SILENT (\\Seen)")?;
    scene.run_once()?;
    assert_eq!(tickets(&scene.installation)?.len(), 1);
    assert_eq!(receipts(&scene.installation)?.len(), 1);
    Ok(())
}

#[test]
fn on_a_full_disk_nothing_is_marked_that_is_not_recorded() -> Result<()> {
    let mut scene = Scene::new()?;
    let disk = SmallDisk::mount(&scene.installation.path("disk"), "4m")?;
    if disk.is_some() {
        let settings = scene.installation.read("mailmill.toml")?;
        scene.installation.write("mailmill.toml", &settings.replace("mailmill.db", "disk/mailmill.db"))?;
    }
    scene.run_once()?;
    for number in 0..20 {
        let padding = "A long line that fills the disk.\n".repeat(8_000);
        scene.mailbox.deliver(&format!("{}{padding}", messages::request(number, SENDER)))?;
    }
    let (run, fault) = if disk.is_some() {
        let fault = "cannot write [DIR]/disk/mailmill.db: the disk is full; free some space: nothing was lost";
        (scene.installation.mailmill(&["run", "--once"])?, fault)
    } else {
        // Without the right to mount a small disk, files may not grow: the shell counts in blocks of 512 bytes.
        let database = std::fs::metadata(scene.installation.path("mailmill.db"))?.len();
        let limit = format!("ulimit -f {}", (database + 1_000_000) / 512);
        let fault = "cannot use [DIR]/mailmill.db: disk I/O error; nothing was lost";
        (scene.installation.mailmill_limited(&limit, &["run", "--once"])?, fault)
    };
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    let line = format!("ERROR the session failed; nothing is lost: {fault} job=\"desk\"");
    assert!(run.stderr.contains(&line), "{}", run.stderr);
    assert!(
        run.stderr.ends_with("error: 1 of 1 jobs failed: see above, or mailmill log; nothing is lost\n"),
        "{}",
        run.stderr
    );
    assert!(scene.seen()?.len() < 20, "the disk was large enough");
    scene.assert_marked_only_after_commit()?;

    if let Some(disk) = &disk {
        disk.grow("64m")?;
    }
    scene.run_once()?;
    scene.assert_each_exactly_once(20)?;
    assert_eq!(tickets(&scene.installation)?.len(), 20);
    Ok(())
}

#[test]
fn a_daemon_killed_in_the_middle_goes_on_where_it_was() -> Result<()> {
    let mut scene = Scene::new()?;
    for number in 0..100 {
        scene.mailbox.deliver(&messages::request(number, SENDER))?;
    }
    let mut daemon = Daemon::start(&scene.installation, &[])?;
    daemon.wait_for("the first message handled", 0, |line| line.contains("message handled"))?;
    daemon.kill()?;
    scene.assert_marked_only_after_commit()?;

    scene.run_once()?;
    scene.assert_each_exactly_once(100)?;
    assert_eq!(tickets(&scene.installation)?.len(), 100);
    Ok(())
}

#[test]
fn a_connection_on_which_nothing_is_heard_is_not_kept_for_long() -> Result<()> {
    let server = Dovecot::start_configured("protocol imap {\n  imap_capability = IMAP4rev1 UIDPLUS LITERAL+\n}\n")?;
    let installation = Installation::new()?;
    installation.add_imap_job("desk", &server, USER)?;
    let proxy = Proxy::start(server.imap, |_| Meddling::Pass)?;
    let job = "jobs/desk.toml";
    installation.edit(job, &format!("port = {}", server.imaps), &format!("port = {}", proxy.port))?;
    installation.edit(job, "security = \"tls\"", "security = \"none\"")?;
    installation.edit(job, "every = \"1s\"", "every = \"10m\"")?;
    let mut mailbox = server.mailbox(USER)?;
    mailbox.deliver(&messages::request(1, SENDER))?;
    let mut daemon = Daemon::start(&installation, &[])?;
    daemon.wait_for("the first message handled", 0, |line| line.contains("message handled"))?;
    let leaves = || Ok(String::from_utf8_lossy(&proxy.heard()).contains(" LOGOUT").then_some(()));
    wait_until("the connection to be closed", leaves)?;
    let skip = daemon.log_length();
    mailbox.deliver(&messages::request(2, SENDER))?;
    installation.mailmill(&["job", "run", "desk"])?.success()?;
    daemon.wait_for("the second message handled", skip, |line| line.contains("message handled"))?;
    assert_eq!(proxy.connections(), 2);
    assert!(daemon.terminate()?.success(), "{}", daemon.log());
    assert!(!daemon.log().contains("the session failed"), "{}", daemon.log());
    Ok(())
}

#[test]
fn a_daemon_outlives_an_outage_of_the_server() -> Result<()> {
    let mut scene = Scene::new()?;
    scene.mailbox.deliver(&messages::request(1, SENDER))?;
    let mut daemon = Daemon::start(&scene.installation, &[])?;
    daemon.wait_for("the first message handled", 0, |line| line.contains("message handled"))?;

    let skip = daemon.log_length();
    scene.server.stop()?;
    daemon.wait_for("the outage", skip, |line| line.contains("the session failed; nothing is lost"))?;
    scene.server.start_again()?;
    scene.mailbox = scene.server.mailbox(USER)?;
    scene.mailbox.deliver(&messages::request(2, SENDER))?;
    daemon.wait_for("the second message handled", skip, |line| line.contains("message handled"))?;

    assert!(daemon.terminate()?.success(), "{}", daemon.log());
    scene.assert_each_exactly_once(2)
}
