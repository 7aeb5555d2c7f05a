//! The incoming mail log: its views, and what is left when it is cleared.

use anyhow::{Context, Result};
use mailmill_tests::records::{quarantine, receipts, tickets};
use mailmill_tests::{Installation, messages};
use std::io::{BufRead, BufReader};
use std::process::Stdio;

/// Two jobs: one has made a ticket, and then held an answer from somebody who is not on it; one cannot read its mail.
fn desk() -> Result<Installation> {
    let installation = Installation::new()?;
    installation.add_folder_job("desk")?;
    let bad = installation.read("jobs/desk.toml")?.replace("/mail'", "/no-such-folder'");
    installation.write("jobs/broken.toml", &bad)?;
    installation.write("mail/1.eml", &messages::request(1, "ann@client.example"))?;
    once(&installation)?;
    installation.write("mail/2.eml", &messages::tagged_reply(2, "eve@evil.example", "T00001"))?;
    once(&installation)?;
    let run = installation.mailmill(&["run", "--once", "broken"])?;
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    Ok(installation)
}

/// A session of the job that can read its mail, once the mail has been left alone for long enough.
fn once(installation: &Installation) -> Result<()> {
    std::thread::sleep(std::time::Duration::from_millis(300));
    installation.mailmill(&["run", "--once", "desk"])?.success().map(drop)
}

/// The jobs of the sessions that are listed, latest first.
fn listed(installation: &Installation, arguments: &[&str]) -> Result<Vec<String>> {
    let run = installation.mailmill(&[&["log", "--json"], arguments].concat())?.success()?;
    let rows: Vec<serde_json::Value> = serde_json::from_str(&run.stdout)?;
    rows.iter().map(|row| Ok(row["job"].as_str().context("a session without job")?.to_owned())).collect()
}

#[test]
fn sessions_are_listed_by_job_time_and_outcome() -> Result<()> {
    let installation = desk()?;
    let check = |arguments: &[&str], expect: &[&str]| -> Result<()> {
        assert_eq!(listed(&installation, arguments)?, expect, "{arguments:?}");
        Ok(())
    };
    check(&[], &["broken", "desk", "desk"])?;
    check(&["--since", "7d"], &["broken", "desk", "desk"])?;
    check(&["--since", "2026-01-01"], &["broken", "desk", "desk"])?;
    check(&["--since", "0m"], &[])?;
    check(&["--job", "desk"], &["desk", "desk"])?;
    check(&["--outcome", "failed"], &["broken"])?;
    check(&["--outcome", "accepted"], &["desk"])?;
    check(&["--outcome", "quarantined"], &["desk"])?;
    check(&["--outcome", "ignored"], &[])?;
    check(&["--limit", "1"], &["broken"])?;
    let run = installation.mailmill(&["log", "--since", "yesterday"])?;
    assert_eq!(run.code, Some(2), "{}", run.stderr);
    let table = installation.mailmill(&["log"])?.success()?.stdout;
    let [head, broken, desk, _] = table.lines().collect::<Vec<_>>()[..] else { anyhow::bail!("{table}") };
    for column in ["STARTED", "JOB", "COMMENT", "DURATION", "CREATED", "UPDATED", "RECEIVED", "WAITING", "ERRORS"] {
        assert!(head.contains(column), "{head}");
    }
    assert!(broken.contains("no-such-folder") && desk.contains("desk"), "{table}");
    Ok(())
}

#[test]
fn the_messages_of_a_session_come_with_their_reports() -> Result<()> {
    let installation = desk()?;
    let held = installation.mailmill(&["log", "2", "--outcome", "quarantined"])?.success()?.stdout;
    assert_eq!(held.lines().count(), 2, "a head and a message:\n{held}");
    let accepted = installation.mailmill(&["log", "2", "--outcome", "accepted"])?.success()?.stdout;
    assert_eq!(accepted.lines().count(), 1, "{accepted}");
    let stories = installation.mailmill(&["log", "2", "--reports"])?.success()?.stdout;
    assert!(stories.starts_with("RECEIPT 2\n1 fetch "), "{stories}");
    assert!(stories.contains("was not taken as an answer to T00001"), "{stories}");
    let json = installation.mailmill(&["log", "2", "--reports", "--json"])?.success()?.stdout;
    let json: Vec<serde_json::Value> = serde_json::from_str(&json)?;
    assert_eq!(json[0]["report"]["thread"][0]["ticket"], "T00001");
    assert_eq!(json[0]["receipt"]["outcome"], "quarantined");
    let told = |arguments: &[&str]| Ok::<_, anyhow::Error>(installation.mailmill(arguments)?.success()?.stdout);
    assert_eq!(told(&["log", "show", "1"])?, told(&["log", "--message", "1"])?);
    assert_eq!(told(&["log", "show", "1", "--json"])?, told(&["log", "--message", "1", "--json"])?);
    Ok(())
}

#[test]
fn clearing_the_log_asks_and_leaves_what_counts() -> Result<()> {
    let installation = desk()?;
    let before = (tickets(&installation)?, quarantine(&installation)?);
    let run = installation.mailmill(&["log", "clear"])?;
    let refused = "error: 3 sessions would be removed from the log; to do so: --yes\n";
    assert_eq!((run.code, run.stderr.as_str()), (Some(1), refused));
    let run = installation.mailmill(&["log", "clear", "--before", "1d", "--yes"])?.success()?;
    assert_eq!(run.stdout, "removed 0 sessions and 0 reports\n");
    let run = installation.mailmill(&["log", "clear", "--job", "desk", "--yes"])?.success()?;
    assert_eq!(run.stdout, "removed 2 sessions and 2 reports\n");
    assert_eq!(listed(&installation, &[])?, ["broken"]);
    assert_eq!((tickets(&installation)?, quarantine(&installation)?), before);
    let story = installation.mailmill(&["log", "--message", "1"])?.success()?.stdout;
    assert!(story.contains("accepted at") && story.contains("its report is no longer in the log"), "{story}");
    let held = &before.1.first().context("nothing is held")?.id;
    installation.mailmill(&["quarantine", "show", held])?.success()?;
    // Nothing is handled twice.
    installation.mailmill(&["run", "--once", "desk"])?.success()?;
    assert_eq!((tickets(&installation)?, receipts(&installation)?), (before.0, Vec::new()));
    Ok(())
}

#[test]
fn sessions_are_told_as_they_end() -> Result<()> {
    let installation = desk()?;
    let mut command = installation.command()?;
    command.args(["log", "--follow", "--json", "--job", "desk"]).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = command.spawn()?;
    let mut lines = BufReader::new(child.stdout.take().context("no stdout")?).lines();
    let mut next = || -> Result<i64> {
        let line = lines.next().context("the log has ended")??;
        serde_json::from_str::<serde_json::Value>(&line)?["id"].as_i64().context("no id")
    };
    assert_eq!((next()?, next()?), (1, 2));
    installation.write("mail/3.eml", &messages::request(3, "cy@client.example"))?;
    once(&installation)?;
    assert_eq!(next()?, 4);
    child.kill()?;
    child.wait()?;
    Ok(())
}
