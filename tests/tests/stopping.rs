//! Signals: SIGTERM lets messages in hand finish, within a limit, a second one does not wait for them, and SIGHUP has all files read
//! again.

use anyhow::{Context, Result};
use mailmill_tests::records::{receipts, tickets};
use mailmill_tests::{Daemon, Installation, messages, target, wait_until};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

const STEP: &str = "\n[[step]]\nname = \"slow\"\nhop = \"preprocess\"\nplugin = \"misbehave\"\nrules = \"slow.toml\"\n\
                    recommended = false\n";
const STATEMENTS: &str = "rules/statements/10-default.toml";
const MESSAGES: usize = 6;
/// What the daemon grants messages in hand, and then some.
const DRAIN: Duration = Duration::from_secs(40);

/// An installation with mail that a plugin takes this long over, each: until it is stopped.
fn slow(deadline_ms: u32) -> Result<Installation> {
    let installation = Installation::new()?;
    std::fs::copy(target().join("test-plugins/misbehave.wasm"), installation.path("plugins/misbehave.wasm"))
        .context("run `cargo xtask plugins`")?;
    installation.write("rules/pipeline.toml", &(installation.read("rules/pipeline.toml")? + STEP))?;
    installation.write("rules/slow.toml", "does = \"loop\"\n")?;
    let limits = format!(
        "\n[plugin_limits]\ndeadline_ms = {deadline_ms}\nfaults_max = 1000\n\n[limits]\nworkers = 1\n\n[reload]\ndebounce_ms = 50\n"
    );
    installation.write("mailmill.toml", &(installation.read("mailmill.toml")? + &limits))?;
    installation.add_folder_job("folder")?;
    installation.edit("jobs/folder.toml", "\"recommended\"", "[\"slow\"]")?;
    for number in 1..=MESSAGES {
        installation.write(&format!("mail/{number}.eml"), &messages::request(number, "ann@client.example"))?;
    }
    Ok(installation)
}

/// Every message has one receipt, and no message more.
fn assert_each_once(installation: &Installation) -> Result<()> {
    let receipts = receipts(installation)?;
    let uids: BTreeSet<_> = receipts.iter().map(|receipt| &receipt.uid).collect();
    assert_eq!((receipts.len(), uids.len()), (MESSAGES, MESSAGES), "{receipts:#?}");
    Ok(())
}

#[test]
fn messages_in_hand_are_finished() -> Result<()> {
    let installation = slow(500)?;
    let mut daemon = Daemon::start(&installation, &[])?;
    daemon.wait_for("the first message", 0, |line| line.contains("message handled"))?;
    let asked = Instant::now();
    assert!(daemon.terminate()?.success(), "{}", daemon.log());
    assert!(asked.elapsed() < DRAIN, "{:?}", asked.elapsed());
    assert!(daemon.log().contains("stopping: messages in hand are finished first"), "{}", daemon.log());
    // What it had fetched it has finished: nothing is left for the next one.
    assert_each_once(&installation)?;
    installation.mailmill(&["run", "--once"])?.success()?;
    assert_each_once(&installation)
}

#[test]
fn a_second_signal_stops_at_once_and_nothing_is_lost() -> Result<()> {
    let installation = slow(60_000)?;
    let mut daemon = Daemon::start(&installation, &[])?;
    daemon.wait_for("the messages", 0, |line| line.contains("fetching"))?;
    daemon.signal("TERM")?;
    daemon.wait_for("the first signal", 0, |line| line.contains("stopping"))?;
    let asked = Instant::now();
    daemon.signal("TERM")?;
    let status = daemon.wait()?;
    assert!(asked.elapsed() < Duration::from_secs(10), "{:?}", asked.elapsed());
    assert_eq!(status.code(), Some(1), "{}", daemon.log());
    assert!(daemon.log().contains("stopped at once; nothing is lost"), "{}", daemon.log());

    installation.write("rules/slow.toml", "pattern = \"nothing\"\n")?;
    installation.mailmill(&["run", "--once"])?.success()?;
    assert_each_once(&installation)
}

#[test]
fn a_message_that_hangs_is_given_up_at_the_limit_and_nothing_is_lost() -> Result<()> {
    let installation = Installation::new()?;
    installation.add_folder_job("folder")?;
    for number in 1..=MESSAGES {
        installation.write(&format!("mail/{number}.eml"), &messages::request(number, "ann@client.example"))?;
    }
    let mut daemon = Daemon::start_in(&installation, &[], &[("MAILMILL_FAULT", "rules.after:3:hang")])?;
    wait_until("all messages but one", || {
        Ok((daemon.log().matches("message handled").count() == MESSAGES - 1).then_some(()))
    })?;
    // As the service manager sees it, that is a stop like any other.
    assert_eq!(daemon.terminate()?.code(), Some(0), "{}", daemon.log());
    let told = "some messages were still in hand: they are handled at the next start";
    assert!(daemon.log().contains(told), "{}", daemon.log());
    assert_eq!(receipts(&installation)?.len(), MESSAGES - 1);

    installation.mailmill(&["run", "--once"])?.success()?;
    assert_each_once(&installation)
}

#[test]
fn a_hang_up_has_all_files_read_again() -> Result<()> {
    let installation = Installation::new()?;
    // Nothing is noticed by itself.
    let settings = installation.read("mailmill.toml")? + "\n[reload]\ndebounce_ms = 3600000\n";
    installation.write("mailmill.toml", &settings)?;
    installation.add_folder_job("folder")?;
    let mut daemon = Daemon::start(&installation, &[])?;
    daemon.wait_for("the start", 0, |line| line.contains("mailmill is running"))?;

    // A rule, a job, one more job, a setting that can change while it runs, and one that cannot.
    let [incident, problem] = ["incident", "problem"].map(|name| format!("\"create-ticket\", class = \"{name}\""));
    installation.write(STATEMENTS, &installation.read(STATEMENTS)?.replace(&incident, &problem))?;
    let job = installation.read("jobs/folder.toml")?;
    for (name, folder) in [("folder", "elsewhere"), ("another", "another")] {
        installation.write(&format!("{folder}/.keep"), "")?;
        installation.write(&format!("jobs/{name}.toml"), &job.replace("/mail'", &format!("/{folder}'")))?;
    }
    let changed = format!("{settings}\n[incoming_log]\nretention_days = 7\n\n[limits]\nworkers = 1\n");
    installation.write("mailmill.toml", &changed)?;
    let before = send(&installation, &mut daemon, "mail")?;
    assert_eq!(before, "incident", "as it was at the start");

    let skip = daemon.log_length();
    daemon.signal("HUP")?;
    daemon.wait_for("the rules", skip, |line| line.contains("new rules are in force"))?;
    for job in ["folder", "another"] {
        daemon.wait_for(job, skip, |line| line.contains("starts with new settings") && line.contains(job))?;
    }
    daemon.wait_for("the log", skip, |line| {
        line.contains("the log is kept for so many days") && line.contains("days=7")
    })?;
    let told = "the settings have changed: they come into force at the next start";
    daemon.wait_for("the other setting", skip, |line| line.contains("WARN") && line.contains(told))?;
    for folder in ["elsewhere", "another"] {
        assert_eq!(send(&installation, &mut daemon, folder)?, "problem", "the rules and the job are in force");
    }

    std::fs::remove_file(installation.path("jobs/another.toml"))?;
    installation.write("mailmill.toml", "this is no setting")?;
    let skip = daemon.log_length();
    daemon.signal("HUP")?;
    daemon.wait_for("its end", skip, |line| line.contains("the job's file is gone") && line.contains("another"))?;
    daemon.wait_for("the fault", skip, |line| line.contains("the settings have errors: the next start will fail"))?;
    installation.write("mailmill.toml", &settings)?;
    assert_eq!(send(&installation, &mut daemon, "elsewhere")?, "problem", "all else goes on");
    assert!(daemon.terminate()?.success(), "{}", daemon.log());
    Ok(())
}

/// Puts a message into a folder, and gives the class of the ticket that comes of it.
fn send(installation: &Installation, daemon: &mut Daemon, folder: &str) -> Result<String> {
    let (number, skip) = (daemon.log_length(), daemon.log_length());
    let sender = format!("ann-{number}@client.example");
    installation.write(&format!("{folder}/{number}.eml"), &messages::request(number, &sender))?;
    daemon.wait_for(folder, skip, |line| line.contains("message handled"))?;
    let ticket = tickets(installation)?.into_iter().find(|ticket| ticket.requester == sender);
    Ok(ticket.context("no ticket")?.class)
}
