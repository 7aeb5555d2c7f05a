//! Signals: SIGTERM lets messages in hand finish, a second one does not wait for them, and SIGHUP has all files read again.

use anyhow::{Context, Result};
use mailmill_tests::records::receipts;
use mailmill_tests::{Daemon, Installation, messages, target};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

const STEP: &str = "\n[[step]]\nname = \"slow\"\nhop = \"preprocess\"\nplugin = \"misbehave\"\nrules = \"slow.toml\"\n\
                    recommended = false\n";
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
fn a_hang_up_has_all_files_read_again() -> Result<()> {
    let installation = Installation::new()?;
    // Nothing is noticed by itself.
    let settings = installation.read("mailmill.toml")? + "\n[reload]\ndebounce_ms = 3600000\n";
    installation.write("mailmill.toml", &settings)?;
    installation.add_folder_job("folder")?;
    let mut daemon = Daemon::start(&installation, &[])?;
    daemon.wait_for("the start", 0, |line| line.contains("mailmill is running"))?;

    let statements = "rules/statements/10-default.toml";
    installation.write(statements, &(installation.read(statements)? + "# A comment.\n"))?;
    installation.add_folder_job("another")?;
    // Nothing is to happen now, for which nobody can wait.
    std::thread::sleep(Duration::from_secs(1));
    assert!(!daemon.log().contains("in force"), "{}", daemon.log());
    let skip = daemon.log_length();
    daemon.signal("HUP")?;
    daemon.wait_for("the rules", skip, |line| line.contains("new rules are in force"))?;
    daemon.wait_for("the job", skip, |line| line.contains("starts with new settings") && line.contains("another"))?;

    std::fs::remove_file(installation.path("jobs/another.toml"))?;
    let skip = daemon.log_length();
    daemon.signal("HUP")?;
    daemon.wait_for("its end", skip, |line| line.contains("the job's file is gone") && line.contains("another"))?;
    assert!(daemon.terminate()?.success(), "{}", daemon.log());
    Ok(())
}
