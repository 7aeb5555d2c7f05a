//! Mailboxes: however they are spelt, however many, new to a job or renumbered by the server.

use anyhow::{Context, Result};
use mailmill_tests::records::{receipts, tickets};
use mailmill_tests::{Daemon, Dovecot, Installation, Mailbox, messages};
use std::time::{Duration, Instant};

const SENDER: &str = "ann@client.example";
const USER: &str = "desk";
const JOB: &str = "jobs/desk.toml";
const HANDLE: &str = "existing_mail = \"handle\"\n";

struct Scene {
    installation: Installation,
    server: Dovecot,
    mailbox: Mailbox,
}

impl Scene {
    fn new(settings: &str) -> Result<Self> {
        let server = Dovecot::start_configured(settings)?;
        let installation = Installation::new()?;
        installation.add_imap_job("desk", &server, USER)?;
        let mailbox = server.mailbox(USER)?;
        Ok(Self { installation, server, mailbox })
    }

    fn watch(&self, before: &str, after: &str) -> Result<()> {
        self.installation.edit(JOB, &format!("mailbox = {before}\n"), &format!("mailbox = {after}\n"))
    }

    fn run_once(&self) -> Result<String> {
        Ok(self.installation.mailmill(&["run", "--once"])?.success()?.stderr)
    }

    fn tickets(&self) -> Result<usize> {
        Ok(tickets(&self.installation)?.len())
    }

    fn renumber(&mut self) -> Result<()> {
        self.server.stop()?;
        self.server.renumber(USER)?;
        self.server.start_again()?;
        self.mailbox = self.server.mailbox(USER)?;
        Ok(())
    }
}

#[test]
fn either_spelling_reaches_the_mailbox_whatever_the_separator() -> Result<()> {
    for (settings, wire) in [
        ("", "INBOX.Support"),
        ("namespace inbox {\n  separator = /\n}\n", "INBOX/Support"),
        ("namespace inbox {\n  separator = .\n  prefix = INBOX.\n}\n", "INBOX.Support"),
        ("namespace inbox {\n  separator = \"\\\\\"\n}\n", "INBOX\\\\Support"),
    ] {
        let mut scene = Scene::new(settings)?;
        scene.mailbox.command(&format!("CREATE \"{wire}\""))?;
        scene.mailbox.deliver_to(wire, &messages::request(1, SENDER))?;
        let mut before = "\"INBOX\"".to_owned();
        for spelling in ["INBOX.Support", "INBOX/Support", "inbox/Support", "Support"] {
            let after = format!("\"{spelling}\"");
            scene.watch(&before, &after)?;
            scene.run_once().with_context(|| format!("{spelling} with {settings:?}"))?;
            assert_eq!(scene.tickets()?, 1, "{spelling} with {settings:?}: the message is known by one name");
            before = after;
        }
        assert_eq!(scene.mailbox.flags_in(wire)?.into_values().next().context("no message")?, ["\\Seen"]);
    }
    Ok(())
}

#[test]
fn names_in_any_script_and_names_that_do_not_exist() -> Result<()> {
    let mut scene = Scene::new("")?;
    scene.mailbox.command("CREATE \"Entw&APw-rfe.&U,BTFw-\"")?;
    scene.mailbox.command("CREATE \"R&-D\"")?;
    scene.mailbox.deliver_to("Entw&APw-rfe.&U,BTFw-", &messages::request(1, SENDER))?;
    scene.watch("\"INBOX\"", "[\"Entwürfe/台北\", \"R&D\"]")?;
    scene.run_once()?;
    assert_eq!(scene.tickets()?, 1);

    let folders = scene.installation.mailmill(&["folders", "desk"])?.success()?.stdout;
    let names: Vec<&str> = folders.lines().skip(1).map(str::trim_end).collect();
    assert_eq!(names[0], "INBOX", "{folders}");
    assert!(names.contains(&"Entwürfe/台北") && names.contains(&"R&D"), "{folders}");
    let json = scene.installation.mailmill(&["folders", "desk", "--json"])?.success()?.stdout;
    let json: serde_json::Value = serde_json::from_str(&json)?;
    assert_eq!(json[0]["name"], "INBOX");

    scene.watch("[\"Entwürfe/台北\", \"R&D\"]", "\"Entwurfe.台北\"")?;
    let run = scene.installation.mailmill(&["run", "--once"])?;
    assert_eq!(run.code, Some(1));
    let said = "127.0.0.1 has no mailbox \"Entwurfe.台北\"; did you mean \"Entwürfe/台北\"?";
    assert!(run.stderr.contains(said), "{}", run.stderr);
    Ok(())
}

#[test]
fn a_job_watches_several_mailboxes() -> Result<()> {
    let mut scene = Scene::new("")?;
    scene.mailbox.command("CREATE Support")?;
    for (mailbox, number) in [("INBOX", 1), ("Support", 2), ("INBOX", 3), ("Support", 4)] {
        scene.mailbox.deliver_to(mailbox, &messages::request(number, SENDER))?;
    }
    scene.watch("\"INBOX\"", "[\"INBOX\", \"Support\"]")?;
    scene.run_once()?;
    assert_eq!(scene.tickets()?, 4);
    for mailbox in ["INBOX", "Support"] {
        let flags: Vec<_> = scene.mailbox.flags_in(mailbox)?.into_values().flatten().collect();
        assert_eq!(flags, ["\\Seen", "\\Seen"], "{mailbox}");
    }
    let tested = scene.installation.mailmill(&["test-connection", "desk"])?.success()?.stdout;
    for line in ["\"INBOX\" opened", "\"Support\" opened", "4 messages: 2 in INBOX, 2 in Support"] {
        assert!(tested.contains(line), "{tested}");
    }
    Ok(())
}

#[test]
fn a_mailbox_that_is_missing_holds_up_no_other_one() -> Result<()> {
    let mut scene = Scene::new("")?;
    scene.mailbox.deliver(&messages::request(1, SENDER))?;
    scene.watch("\"INBOX\"", "[\"Support\", \"INBOX\", \"Sales\"]")?;
    let run = scene.installation.mailmill(&["run", "--once"])?;
    assert_eq!((run.code, scene.tickets()?, scene.mailbox.seen()?), (Some(1), 1, 1), "{}", run.stderr);
    let said = "what is in the other mailboxes is handled, but 127.0.0.1 has no mailbox \"Support\"; there are \"INBOX\"; and \
                127.0.0.1 has no mailbox \"Sales\"";
    assert!(run.stderr.contains(said), "{}", run.stderr);
    let sessions = scene.installation.mailmill(&["log", "--json"])?.success()?.stdout;
    assert!(sessions.contains("has no mailbox \\\"Support\\\""), "{sessions}");
    let tested = scene.installation.mailmill(&["test-connection", "desk"])?;
    assert_eq!(tested.code, Some(1));
    assert!(tested.stdout.contains("\"INBOX\" opened") && tested.stdout.contains("1 message"), "{}", tested.stdout);
    assert!(tested.stderr.contains("has no mailbox \"Support\""), "{}", tested.stderr);

    // A daemon sees it once it is made, without connecting anew; and is told of what comes to INBOX at once.
    let mut daemon = Daemon::start(&scene.installation, &[])?;
    daemon.wait_for("the mailbox is missed", 0, |line| line.contains("has no mailbox"))?;
    scene.mailbox.deliver(&messages::request(2, SENDER))?;
    daemon.wait_for("the message in INBOX", 0, |line| line.contains("message handled"))?;
    let skip = daemon.log_length();
    scene.mailbox.command("CREATE Support")?;
    scene.mailbox.deliver_to("Support", &messages::request(3, SENDER))?;
    daemon.wait_for("the message in Support", skip, |line| line.contains("message handled"))?;
    assert!(daemon.terminate()?.success(), "{}", daemon.log());
    assert_eq!(scene.tickets()?, 3);
    Ok(())
}

#[test]
fn what_was_there_before_a_job_is_passed_over() -> Result<()> {
    let mut scene = Scene::new("")?;
    scene.installation.edit(JOB, HANDLE, "")?;
    for number in 0..3 {
        scene.mailbox.deliver(&messages::request(number, SENDER))?;
    }
    let log = scene.run_once()?;
    assert!(log.contains("passed_over=3"), "{log}");
    assert_eq!((scene.tickets()?, scene.mailbox.seen()?), (0, 0));
    let sessions = scene.installation.mailmill(&["log"])?.success()?.stdout;
    assert!(sessions.contains("passed over 3 messages from before the first run"), "{sessions}");

    scene.mailbox.deliver(&messages::request(3, SENDER))?;
    scene.run_once()?;
    assert_eq!((scene.tickets()?, scene.mailbox.seen()?), (1, 1));

    // A mailbox that is new to the job has a past of its own; one without a past has none later either.
    scene.mailbox.command("CREATE Support")?;
    scene.mailbox.command("CREATE Sales")?;
    scene.mailbox.deliver_to("Support", &messages::request(4, SENDER))?;
    scene.watch("\"INBOX\"", "[\"INBOX\", \"Support\", \"Sales\"]")?;
    scene.run_once()?;
    assert_eq!(scene.tickets()?, 1);
    scene.mailbox.deliver_to("Support", &messages::request(5, SENDER))?;
    scene.mailbox.deliver_to("Sales", &messages::request(6, SENDER))?;
    scene.run_once()?;
    assert_eq!(scene.tickets()?, 3);
    Ok(())
}

#[test]
fn a_daemon_killed_at_first_sight_passes_over_all_the_same() -> Result<()> {
    let mut scene = Scene::new("")?;
    scene.installation.edit(JOB, HANDLE, "")?;
    for number in 0..50 {
        scene.mailbox.deliver(&messages::request(number, SENDER))?;
    }
    let mut daemon = Daemon::start(&scene.installation, &[])?;
    daemon.wait_for("the first sight", 0, |line| line.contains("passed_over=50"))?;
    daemon.kill()?;
    scene.mailbox.deliver(&messages::request(50, SENDER))?;
    scene.run_once()?;
    assert_eq!(scene.tickets()?, 1);
    Ok(())
}

#[test]
fn a_maildir_has_a_past_and_a_drop_folder_has_none() -> Result<()> {
    let installation = Installation::new()?;
    for part in ["new", "cur", "tmp"] {
        std::fs::create_dir_all(installation.path("maildir").join(part))?;
    }
    installation.write("jobs/maildir.toml", "[source]\ntype = \"maildir\"\npath = \"../maildir\"\n")?;
    installation.write("maildir/new/1.old", &messages::request(1, SENDER))?;
    installation.mailmill(&["run", "--once"])?.success()?;
    assert_eq!(receipts(&installation)?.len(), 0);
    installation.write("maildir/new/2.new", &messages::request(2, SENDER))?;
    installation.mailmill(&["run", "--once"])?.success()?;
    assert_eq!(receipts(&installation)?.len(), 1);

    installation.add_folder_job("folder")?;
    installation.write("mail/3.eml", &messages::request(3, SENDER))?;
    installation.mailmill(&["run", "--once"])?.success()?;
    assert_eq!(receipts(&installation)?.len(), 2);
    Ok(())
}

#[test]
fn a_renumbered_mailbox_is_recognised() -> Result<()> {
    let mut scene = Scene::new("")?;
    scene.installation.edit(JOB, HANDLE, "")?;
    scene.mailbox.deliver(&messages::request(0, SENDER))?;
    // INTERNALDATE counts in seconds: what arrives in the second of the first sight counts as new.
    std::thread::sleep(Duration::from_millis(1100));
    scene.run_once()?;
    std::thread::sleep(Duration::from_millis(1100));
    let twice = messages::request(1, SENDER);
    for message in [&twice, &twice, &messages::request(2, SENDER)] {
        scene.mailbox.deliver(message)?;
    }
    scene.run_once()?;
    let before = (tickets(&scene.installation)?, receipts(&scene.installation)?.len());
    assert_eq!(before.1, 3, "copies are messages of their own");

    scene.renumber()?;
    scene.mailbox.deliver(&messages::request(3, SENDER))?;
    let log = scene.run_once()?;
    assert!(log.contains("messages=5 recognised=3 passed_over=1"), "{log}");
    assert_eq!(receipts(&scene.installation)?.len(), 4);
    assert_eq!(scene.tickets()?, before.0.len() + 1);
    let log = scene.run_once()?;
    assert!(!log.contains("numbered the mailbox anew"), "{log}");

    // And again, with a third copy, which is one too many to be known.
    scene.renumber()?;
    scene.mailbox.deliver(&twice)?;
    let log = scene.run_once()?;
    assert!(log.contains("messages=6 recognised=4 passed_over=1"), "{log}");
    assert_eq!(receipts(&scene.installation)?.len(), 5);
    Ok(())
}

#[test]
fn a_daemon_killed_while_it_recognises_goes_on() -> Result<()> {
    let mut scene = Scene::new("")?;
    for number in 0..60 {
        scene.mailbox.deliver(&messages::request(number, SENDER))?;
    }
    scene.run_once()?;
    scene.renumber()?;
    let mut daemon = Daemon::start(&scene.installation, &[])?;
    daemon.wait_for("the renumbering", 0, |line| line.contains("fetching"))?;
    std::thread::sleep(Duration::from_millis(100));
    daemon.kill()?;
    scene.run_once()?;
    assert_eq!((scene.tickets()?, receipts(&scene.installation)?.len()), (60, 60));
    Ok(())
}

#[test]
fn mail_is_handled_the_moment_it_arrives() -> Result<()> {
    let mut scene = Scene::new("")?;
    scene.installation.edit(JOB, "every = \"1s\"", "every = \"1h\"")?;
    scene.mailbox.deliver(&messages::request(1, SENDER))?;
    let mut daemon = Daemon::start(&scene.installation, &[])?;
    daemon.wait_for("the first message", 0, |line| line.contains("session finished"))?;
    for number in 2..4 {
        let skip = daemon.log_length();
        let delivered = Instant::now();
        scene.mailbox.deliver(&messages::request(number, SENDER))?;
        daemon.wait_for("a message pushed", skip, |line| line.contains("session finished"))?;
        assert!(delivered.elapsed() < Duration::from_secs(2), "{:?}\n{}", delivered.elapsed(), daemon.log());
    }
    Ok(())
}

#[test]
fn a_message_that_is_too_large_is_in_quarantine_with_its_header() -> Result<()> {
    let mut scene = Scene::new("")?;
    let job = scene.installation.read(JOB)?;
    scene.installation.write(JOB, &format!("{job}\n[limits]\nmessage_bytes_max = 2000\n"))?;
    let large = format!("{}{}", messages::request(1, SENDER), "A long line.\n".repeat(500));
    scene.mailbox.deliver(&large)?;
    scene.run_once()?;
    let list = scene.installation.mailmill(&["quarantine", "list"])?.success()?.stdout;
    assert!(list.contains(SENDER) && list.contains("Request 1"), "{list}");
    let raw = scene.installation.mailmill(&["quarantine", "show", "1", "--raw"])?.success()?.stdout;
    assert!(raw.contains("Subject: Request 1") && !raw.contains("A long line"), "{raw}");
    let shown = scene.installation.mailmill(&["quarantine", "show", "1"])?.success()?.stdout;
    assert!(shown.contains("the body is in the mailbox alone"), "{shown}");

    scene.renumber()?;
    let log = scene.run_once()?;
    assert!(log.contains("messages=1 recognised=1"), "{log}");
    scene.installation.write(JOB, &job)?;
    scene.installation.mailmill(&["quarantine", "release", "1"])?.success()?;
    scene.run_once()?;
    assert_eq!(scene.tickets()?, 1);
    Ok(())
}
