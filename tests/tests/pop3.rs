//! Mail of a real POP3 server: every message exactly once, and nothing deleted before it is recorded.

use anyhow::Result;
use mailmill_tests::records::{comments, quarantine, receipts, tickets};
use mailmill_tests::servers::{Protocol, Server, Tls};
use mailmill_tests::{Daemon, Dovecot, Installation, Mailbox, Meddling, Proxy, Speaker, messages, wait_until};
use serde_json::Value;
use std::collections::BTreeSet;

const SENDER: &str = "ann@client.example";
const USER: &str = "desk";
const DELETE: &str = "on_success = { deleted = true }\non_rejection = { deleted = true }";
const LEAVE: &str = "";

struct Scene {
    installation: Installation,
    server: Dovecot,
    mailbox: Mailbox,
}

impl Scene {
    fn new(handling: &str) -> Result<Self> {
        let server = Dovecot::start()?;
        let installation = Installation::new()?;
        let mailbox = server.mailbox(USER)?;
        let scene = Self { installation, server, mailbox };
        scene.add_job(Tls::Implicit, "security = \"tls\"", handling)?;
        Ok(scene)
    }

    /// The job `desk`, on the endpoint that does so about TLS, with these further settings.
    fn add_job(&self, tls: Tls, source: &str, handling: &str) -> Result<()> {
        self.installation.write("password", Dovecot::PASSWORD)?;
        self.installation.write("token", Dovecot::TOKEN)?;
        let endpoint = self.server.endpoint(Protocol::Pop3, tls);
        let password = if source.contains("oauth2") { "token" } else { "password" };
        self.installation.write(
            "jobs/desk.toml",
            &format!(
                "[source]\ntype = \"pop3\"\nexisting_mail = \"handle\"\nhost = \"{}\"\nport = {}\nca_file = '{}'\nuser = \"{USER}\"\n\
                 password = {{ file = '{}' }}\n{source}\n\n[schedule]\nevery = \"1s\"\n\n[handling]\n{handling}\n",
                endpoint.host,
                endpoint.port,
                self.server.authority().display(),
                self.installation.path(password).display(),
            ),
        )
    }

    fn deliver(&mut self, numbers: impl IntoIterator<Item = usize>) -> Result<()> {
        numbers.into_iter().try_for_each(|number| self.mailbox.deliver(&messages::request(number, SENDER)))
    }

    fn run_once(&self) -> Result<()> {
        self.installation.mailmill(&["run", "--once"])?.success().map(drop)
    }

    /// How many messages are in the mailbox.
    fn waiting(&mut self) -> Result<usize> {
        Ok(self.mailbox.flags()?.len())
    }

    /// So many messages, each with one receipt and one ticket.
    fn assert_each_exactly_once(&self, count: usize) -> Result<()> {
        let receipts = receipts(&self.installation)?;
        assert_eq!(receipts.len(), count, "receipts");
        let uids: BTreeSet<_> = receipts.into_iter().map(|receipt| receipt.uid).collect();
        assert_eq!(uids.len(), count, "messages with a receipt");
        let subjects: BTreeSet<_> = tickets(&self.installation)?.into_iter().map(|ticket| ticket.subject).collect();
        assert_eq!(subjects.len(), count, "tickets");
        Ok(())
    }
}

#[test]
fn two_hundred_messages_become_two_hundred_receipts_and_are_deleted() -> Result<()> {
    let mut scene = Scene::new(DELETE)?;
    scene.deliver(0..200)?;
    scene.run_once()?;
    scene.assert_each_exactly_once(200)?;
    assert_eq!(scene.waiting()?, 0, "messages left");
    Ok(())
}

#[test]
fn what_is_left_on_the_server_is_not_handled_again() -> Result<()> {
    let mut scene = Scene::new(LEAVE)?;
    scene.deliver(0..10)?;
    scene.run_once()?;
    let before = (tickets(&scene.installation)?, receipts(&scene.installation)?, scene.mailbox.flags()?);
    assert_eq!((before.0.len(), before.1.len(), before.2.len()), (10, 10, 10));
    scene.run_once()?;
    let after = (tickets(&scene.installation)?, receipts(&scene.installation)?, scene.mailbox.flags()?);
    assert_eq!(before, after);
    scene.deliver(10..12)?;
    scene.run_once()?;
    scene.assert_each_exactly_once(12)
}

#[test]
fn what_was_there_before_a_job_is_passed_over_and_left() -> Result<()> {
    let mut scene = Scene::new(DELETE)?;
    scene.installation.edit("jobs/desk.toml", "existing_mail = \"handle\"\n", "")?;
    scene.deliver(0..3)?;
    let log = scene.installation.mailmill(&["run", "--once"])?.success()?.stderr;
    assert!(log.contains("passed_over=3"), "{log}");
    scene.deliver(3..5)?;
    scene.run_once()?;
    scene.assert_each_exactly_once(2)?;
    assert_eq!(scene.waiting()?, 3, "messages left");
    Ok(())
}

#[test]
fn a_daemon_killed_in_the_middle_has_deleted_nothing_and_goes_on_where_it_was() -> Result<()> {
    let mut scene = Scene::new(DELETE)?;
    scene.deliver(0..100)?;
    let mut daemon = Daemon::start(&scene.installation, &[])?;
    daemon.wait_for("the first message handled", 0, |line| line.contains("message handled"))?;
    daemon.kill()?;
    let (left, recorded) = (scene.waiting()?, receipts(&scene.installation)?.len());
    assert!(left + recorded >= 100, "{left} messages left, and {recorded} recorded");

    scene.run_once()?;
    scene.assert_each_exactly_once(100)?;
    assert_eq!(scene.waiting()?, 0, "messages left");
    Ok(())
}

#[test]
fn a_daemon_opens_a_session_of_its_own_for_each_run() -> Result<()> {
    let mut scene = Scene::new(DELETE)?;
    scene.deliver(0..1)?;
    let mut daemon = Daemon::start(&scene.installation, &[])?;
    daemon.wait_for("the first message handled", 0, |line| line.contains("message handled"))?;
    let skip = daemon.log_length();
    scene.deliver(1..2)?;
    daemon.wait_for("the second message handled", skip, |line| line.contains("message handled"))?;
    assert!(daemon.terminate()?.success(), "{}", daemon.log());
    assert!(!daemon.log().contains("the session failed"), "{}", daemon.log());
    scene.assert_each_exactly_once(2)
}

#[test]
fn what_has_logged_in_is_tried_first_the_next_time() -> Result<()> {
    let mut scene = Scene::new(DELETE)?;
    scene.deliver(0..1)?;
    // The server cannot check the hash, and says so in the words of a wrong password.
    let proxy = Proxy::start_pop3(scene.server.endpoint(Protocol::Pop3, Tls::Offered), |said| {
        let is_capability = said.by == Speaker::Server && said.command == "CAPA" && said.text.starts_with(b"SASL");
        if is_capability {
            return Meddling::Instead(b"SASL PLAIN CRAM-MD5\r\n".to_vec());
        }
        let is_hash = said.by == Speaker::Client && !said.is_command("AUTH") && said.arguments == "CRAM-MD5";
        if is_hash { Meddling::Instead(b"ZGVzayAwMA==\r\n".to_vec()) } else { Meddling::Pass }
    })?;
    scene.add_job(Tls::Offered, "security = \"none\"", DELETE)?;
    let port = scene.server.endpoint(Protocol::Pop3, Tls::Offered).port;
    scene.installation.edit("jobs/desk.toml", &format!("port = {port}"), &format!("port = {}", proxy.port))?;
    let mut daemon = Daemon::start(&scene.installation, &[])?;
    daemon.wait_for("the first message handled", 0, |line| line.contains("message handled"))?;
    wait_until("further sessions", || Ok((proxy.connections() > 3).then_some(())))?;
    assert!(daemon.terminate()?.success(), "{}", daemon.log());
    let heard = String::from_utf8_lossy(&proxy.heard()).into_owned();
    assert_eq!(heard.matches("AUTH CRAM-MD5").count(), 1, "{heard}");
    assert!(heard.matches("AUTH PLAIN").count() >= 3, "{heard}");
    scene.assert_each_exactly_once(1)
}

#[test]
fn every_security_mode_and_every_way_to_log_in_reaches_the_mail() -> Result<()> {
    let mut scene = Scene::new(LEAVE)?;
    let modes = [
        (Tls::Absent, "security = \"none\""),
        (Tls::Absent, "security = \"starttls-if-available\""),
        (Tls::Offered, "security = \"none\""),
        (Tls::Offered, "security = \"starttls-if-available\""),
        (Tls::Offered, "security = \"starttls\""),
        (Tls::Required, "security = \"starttls\""),
        (Tls::Implicit, "security = \"tls\""),
        (Tls::Implicit, "authentication = \"ntlm\""),
        (Tls::Required, "security = \"starttls\"\nauthentication = \"ntlm\""),
        (Tls::Implicit, "authentication = \"oauth2\""),
    ];
    for (number, (tls, source)) in modes.into_iter().enumerate() {
        scene.add_job(tls, source, LEAVE)?;
        // Another host would be another maildrop.
        for file in ["mailmill.db", "mailmill.db-wal", "mailmill.db-shm"] {
            let _ = std::fs::remove_file(scene.installation.path(file));
        }
        scene.deliver([number])?;
        let run = scene.installation.mailmill(&["run", "--once"])?;
        assert_eq!(run.code, Some(0), "{tls:?} {source}: {}", run.stderr);
        assert_eq!(receipts(&scene.installation)?.len(), number + 1, "{tls:?} {source}: {}", run.stderr);
    }
    scene.add_job(Tls::Absent, "security = \"starttls\"", LEAVE)?;
    let run = scene.installation.mailmill(&["run", "--once"])?;
    assert!(run.stderr.contains("it does not offer STLS"), "{}", run.stderr);
    Ok(())
}

#[test]
fn text_arrives_as_it_was_sent_whatever_its_lines_begin_with() -> Result<()> {
    let mut scene = Scene::new(DELETE)?;
    scene.deliver([1])?;
    scene.run_once()?;
    let number = tickets(&scene.installation)?.remove(0).number;
    let text = ".\n..\n.hidden\n. \nend.\n.";
    let reply = messages::tagged_reply(1, SENDER, &number);
    let (head, _) = reply.split_once("\n\n").expect("a header");
    scene.mailbox.deliver(&format!("{head}\n\n{text}\n"))?;
    scene.run_once()?;
    assert_eq!(comments(&scene.installation, &number)?, [text.trim_end()]);
    Ok(())
}

#[test]
fn a_message_above_the_limit_is_in_quarantine_and_stays_on_the_server() -> Result<()> {
    let mut scene = Scene::new(DELETE)?;
    let job = scene.installation.read("jobs/desk.toml")?;
    scene.installation.write("jobs/desk.toml", &format!("{job}\n[limits]\nmessage_bytes_max = 100000\n"))?;
    scene.deliver([1])?;
    let padding = "A line that makes it long.\n".repeat(5_000);
    scene.mailbox.deliver(&format!("{}{padding}", messages::request(2, SENDER)))?;
    scene.run_once()?;
    let entries = quarantine(&scene.installation)?;
    assert_eq!(entries.len(), 1);
    assert!(entries[0].cause.contains("the limit message_bytes_max is 100000"), "{}", entries[0].cause);
    assert_eq!((entries[0].sender.as_str(), entries[0].subject.as_str()), (SENDER, "Request 2"), "what TOP tells");
    assert_eq!(scene.waiting()?, 1, "messages left");
    Ok(())
}

#[test]
fn a_test_of_the_connection_shows_each_step_and_changes_nothing() -> Result<()> {
    let mut scene = Scene::new(DELETE)?;
    scene.deliver(0..2)?;
    let check = |expect: &[&str]| -> Result<()> {
        let run = scene.installation.mailmill(&["test-connection", "desk", "--json"])?.success()?;
        let told: Value = serde_json::from_str(&run.stdout)?;
        let steps = told["steps"].as_array().map(Vec::as_slice).unwrap_or_default();
        let names: Vec<&str> = steps.iter().filter_map(|step| step["step"].as_str()).collect();
        assert_eq!(names, expect, "{}", run.stdout);
        assert_eq!(steps.last().map(|step| &step["details"]["messages"]), Some(&Value::from(2)), "{}", run.stdout);
        Ok(())
    };
    check(&["resolve", "connect", "tls", "greeting", "capabilities", "authentication", "folder", "waiting"])?;
    scene.add_job(Tls::Required, "security = \"starttls\"", DELETE)?;
    check(&["resolve", "connect", "greeting", "tls", "capabilities", "authentication", "folder", "waiting"])?;
    assert_eq!(scene.waiting()?, 2, "messages left");
    Ok(())
}
