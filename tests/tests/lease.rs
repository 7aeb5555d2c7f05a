//! Two daemons on one database: the second one refuses, for exactly as long as the first one lives.

use anyhow::Result;
use mailmill_tests::records::tickets;
use mailmill_tests::{Daemon, Installation, messages};
use std::time::{Duration, Instant};

/// Loading rules takes a moment; waiting for a lease would take longer.
const AT_ONCE: Duration = Duration::from_secs(30);

fn start(installation: &Installation) -> Result<Daemon> {
    let mut daemon = Daemon::start(installation, &[])?;
    daemon.wait_for("the start", 0, |line| line.contains("mailmill is running"))?;
    Ok(daemon)
}

/// It names the process, its host and since when, and says what to do.
fn assert_refused(installation: &Installation, arguments: &[&str], pid: u32) -> Result<()> {
    let run = installation.mailmill(arguments)?;
    assert_eq!(run.code, Some(1), "{arguments:?}: {}", run.stderr);
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname")?;
    let expected = format!("another mailmill does (process {pid} on host {}, since 20", host.trim());
    assert!(run.stderr.contains(&expected) && run.stderr.contains("stop that one first"), "{}", run.stderr);
    Ok(())
}

#[test]
fn the_second_daemon_refuses_until_the_first_has_ended_or_was_killed() -> Result<()> {
    let installation = Installation::new()?;
    installation.add_folder_job("desk")?;
    installation.write("mail/1.eml", &messages::request(1, "ann@client.example"))?;
    let mut first = start(&installation)?;
    first.wait_for("the message", 0, |line| line.contains("message handled"))?;
    for arguments in [&["run"][..], &["run", "--once"], &["run", "--once", "desk"]] {
        assert_refused(&installation, arguments, first.pid())?;
    }
    // Commands that read or ask work beside it.
    assert_eq!(tickets(&installation)?.len(), 1);
    for arguments in [&["log"][..], &["job", "list"], &["job", "run", "desk"], &["outbox", "list"], &["check"]] {
        installation.mailmill(arguments)?.success()?;
    }

    first.kill()?;
    let begun = Instant::now();
    let mut second = start(&installation)?;
    assert!(begun.elapsed() < AT_ONCE, "{:?}", begun.elapsed());
    assert_refused(&installation, &["run"], second.pid())?;
    assert!(second.terminate()?.success(), "{}", second.log());
    installation.mailmill(&["run", "--once"])?.success()?;
    assert_eq!(tickets(&installation)?.len(), 1);
    Ok(())
}

#[test]
fn of_two_that_start_at_the_same_time_one_runs() -> Result<()> {
    let installation = Installation::new()?;
    installation.add_folder_job("desk")?;
    installation.write("mail/1.eml", &messages::request(1, "ann@client.example"))?;
    let mut both = [Daemon::start(&installation, &[])?, Daemon::start(&installation, &[])?];
    let ended = mailmill_tests::wait_until("one to refuse", || {
        Ok(both.iter_mut().position(|daemon| daemon.log().contains("another mailmill does")))
    })?;
    assert_eq!(both[ended].wait()?.code(), Some(1));
    let running = &mut both[1 - ended];
    running.wait_for("the other to work", 0, |line| line.contains("message handled"))?;
    assert!(running.terminate()?.success(), "{}", running.log());
    Ok(())
}
