//! Faults of the world around: a damaged database, one that another program holds, a disk that may only be read or fails, a clock that
//! jumps. They are told, nothing is overwritten or forgotten, and nothing is marked on the server that is not recorded.

use anyhow::{Context, Result, ensure};
use mailmill_tests::records::{receipts, tickets};
use mailmill_tests::{Clock, Daemon, Dovecot, FailingDisk, Installation, Mailbox, SmallDisk, messages, wait_until};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

const SENDER: &str = "ann@client.example";
/// Of SQLite, at the beginning of a file; its first page is longer.
const HEADER_BYTES: usize = 100;

/// Overwrites a piece in the middle of every page behind the first one.
fn damage(database: &mut [u8]) {
    let page_bytes = database.get(16..18).and_then(|it| it.try_into().ok()).map_or(0, u16::from_be_bytes);
    assert!(usize::from(page_bytes) > HEADER_BYTES, "{page_bytes}");
    for page in database.chunks_mut(page_bytes.into()).skip(1) {
        page.iter_mut().take(HEADER_BYTES).for_each(|byte| *byte = 0xA5);
    }
}

#[test]
fn a_damaged_database_is_told_and_left_as_it_is() -> Result<()> {
    let (server, installation) = (Dovecot::start()?, Installation::new()?);
    installation.add_imap_job("desk", &server, "desk")?;
    let mut mailbox = server.mailbox("desk")?;
    mailbox.deliver(&messages::request(1, SENDER))?;
    installation.mailmill(&["run", "--once"])?.success()?;
    let path = installation.path("mailmill.db");
    let sound = std::fs::read(&path)?;
    let mut damaged = sound.clone();
    damage(&mut damaged);
    std::fs::write(&path, &damaged)?;

    mailbox.deliver(&messages::request(2, SENDER))?;
    for arguments in [&["run", "--once"][..], &["run"]] {
        let run = installation.mailmill(arguments)?;
        assert_eq!(run.code, Some(1), "{}", run.stderr);
        let told = ["mailmill.db: the database is damaged (", "it was left as it is: stop mailmill, keep a copy"];
        ensure!(told.iter().all(|part| run.stderr.contains(part)), "{}", run.stderr);
        ensure!(std::fs::read(&path)? == damaged, "{arguments:?} wrote into a damaged database");
        assert_eq!(mailbox.seen()?, 1, "a message was marked that is not recorded");
    }

    std::fs::write(&path, &sound)?;
    installation.mailmill(&["run", "--once"])?.success()?;
    assert_eq!((receipts(&installation)?.len(), tickets(&installation)?.len(), mailbox.seen()?), (2, 2, 2));
    Ok(())
}

/// Another program that has begun to write into a database, as long as this value lives.
struct Writer(Child);

impl Writer {
    fn begin(database: &Path) -> Result<Self> {
        let script = "import sqlite3, sys; database = sqlite3.connect(sys.argv[1], isolation_level=None); \
                      database.execute('begin immediate'); print('begun', flush=True); sys.stdin.read()";
        let mut command = Command::new("python3");
        command.args(["-c", script]).arg(database).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut writer = Self(command.spawn().context("cannot run python3")?);
        let mut said = String::new();
        BufReader::new(writer.0.stdout.take().context("no output")?).read_line(&mut said)?;
        ensure!(said.trim() == "begun", "{said:?}");
        Ok(writer)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_database_that_another_program_holds_is_waited_for() -> Result<()> {
    const TOLD: &str =
        "another program keeps it locked; nothing was lost, and it works again when that program lets go";
    let (server, installation) = (Dovecot::start()?, Installation::new()?);
    installation.add_imap_job("desk", &server, "desk")?;
    let mut mailbox = server.mailbox("desk")?;
    mailbox.deliver(&messages::request(1, SENDER))?;
    installation.mailmill(&["run", "--once"])?.success()?;
    let database = installation.path("mailmill.db");

    let writer = Writer::begin(&database)?;
    mailbox.deliver(&messages::request(2, SENDER))?;
    let run = installation.mailmill(&["run", "--once"])?;
    assert_ne!(run.code, Some(0), "{}", run.stderr);
    ensure!(run.stderr.contains("mailmill.db: ") && run.stderr.contains(TOLD), "{}", run.stderr);
    assert_eq!(mailbox.seen()?, 1, "a message was marked that is not recorded");
    drop(writer);

    let mut daemon = Daemon::start(&installation, &[])?;
    daemon.wait_for("the second message handled", 0, |line| line.contains("message handled"))?;
    wait_until("the second message marked", || Ok((mailbox.seen()? == 2).then_some(())))?;
    let writer = Writer::begin(&database)?;
    mailbox.deliver(&messages::request(3, SENDER))?;
    daemon.wait_for("the lock", 0, |line| line.contains(TOLD))?;
    assert_eq!(mailbox.seen()?, 2, "a message was marked that is not recorded");
    drop(writer);
    wait_until("the third message marked", || Ok((mailbox.seen()? == 3).then_some(())))?;
    assert!(daemon.terminate()?.success(), "{}", daemon.log());
    assert_eq!((receipts(&installation)?.len(), tickets(&installation)?.len()), (3, 3));
    Ok(())
}

#[test]
fn a_disk_that_may_only_be_read_is_told() -> Result<()> {
    let (server, installation) = (Dovecot::start()?, Installation::new()?);
    installation.add_imap_job("desk", &server, "desk")?;
    // Without the right to mount, a folder without the right to write comes close to it.
    let disk = SmallDisk::mount(&installation.path("disk"), "16m")?;
    let settings = installation.read("mailmill.toml")?;
    installation.write("mailmill.toml", &settings.replace("mailmill.db", "disk/mailmill.db"))?;
    let writable = |is_writable: bool| -> Result<()> {
        match &disk {
            Some(disk) => disk.set_writable(is_writable),
            None => {
                let mode = std::os::unix::fs::PermissionsExt::from_mode(if is_writable { 0o700 } else { 0o500 });
                Ok(std::fs::set_permissions(installation.path("disk"), mode)?)
            }
        }
    };
    let mut mailbox = server.mailbox("desk")?;
    mailbox.deliver(&messages::request(1, SENDER))?;
    writable(false)?;
    // Once without a database, once with one.
    for number in 1..=2 {
        let run = installation.mailmill(&["run", "--once"])?;
        assert_eq!(run.code, Some(1), "{}", run.stderr);
        let told =
            ["disk/mailmill.db", "it is read-only; let the user", "denied"].map(|part| run.stderr.contains(part));
        ensure!(told[0] && (told[1] || told[2]), "{}", run.stderr);
        assert_eq!(mailbox.seen()?, number - 1, "a message was marked that is not recorded");
        writable(true)?;
        installation.mailmill(&["run", "--once"])?.success()?;
        assert_eq!((tickets(&installation)?.len(), mailbox.seen()?), (number, number));
        mailbox.deliver(&messages::request(number + 1, SENDER))?;
        writable(false)?;
    }
    writable(true)
}

/// A message arrives, and is handled and marked.
fn handle(number: usize, mailbox: &mut Mailbox, daemon: &Daemon) -> Result<()> {
    mailbox.deliver(&messages::request(number, SENDER))?;
    let marked = wait_until("the mark", || Ok((mailbox.seen()? == number).then_some(())));
    marked.with_context(|| daemon.log())
}

#[test]
fn a_disk_that_fails_under_a_daemon_is_told_and_loses_nothing() -> Result<()> {
    let (server, installation) = (Dovecot::start()?, Installation::new()?);
    installation.add_imap_job("desk", &server, "desk")?;
    let Some(disk) = FailingDisk::mount(&installation.path("image"), &installation.path("disk"))? else {
        // Only root may mount; the other ways to be read-only are tested without.
        return Ok(());
    };
    let settings = installation.read("mailmill.toml")?;
    installation.write("mailmill.toml", &settings.replace("mailmill.db", "disk/mailmill.db"))?;
    let mut mailbox = server.mailbox("desk")?;
    let mut daemon = Daemon::start(&installation, &[])?;
    handle(1, &mut mailbox, &daemon)?;

    let skip = daemon.log_length();
    disk.fail()?;
    mailbox.deliver(&messages::request(2, SENDER))?;
    daemon.wait_for("the failure", skip, |line| {
        line.contains("nothing is lost") && line.contains("disk/mailmill.db: it is read-only")
    })?;
    assert_eq!(mailbox.seen()?, 1, "a message was marked that is not recorded");
    daemon.terminate()?;
    assert_eq!(mailbox.seen()?, 1, "a message was marked that is not recorded");

    disk.repair()?;
    installation.mailmill(&["run", "--once"])?.success()?;
    assert_eq!((receipts(&installation)?.len(), tickets(&installation)?.len(), mailbox.seen()?), (2, 2, 2));
    Ok(())
}

#[test]
fn a_clock_that_jumps_stops_nobody_and_has_nothing_forgotten() -> Result<()> {
    let (server, installation) = (Dovecot::start()?, Installation::new()?);
    installation.add_imap_job("desk", &server, "desk")?;
    let statements = "[[statement]]\nname = \"all\"\nthen = [{ do = \"create-ticket\", class = \"incident\" }, \
                      { do = \"webhook\", name = \"hook\" }]\nstop = true\n";
    installation.write("rules/statements/10-default.toml", statements)?;
    installation.write("hook-secret", "a secret that only the hook knows")?;
    // Nobody listens there: what is sent waits for its next attempt, again and again.
    let settings = installation.read("mailmill.toml")?
        + "\n[incoming_log]\nretention_days = 30\n\n[outbox]\nretry_first = \"1s\"\nretry_max = \"2s\"\n\n\
           [webhook.hook]\nurl = \"http://127.0.0.1:9/\"\nsecret = { file = \"hook-secret\" }\n";
    installation.write("mailmill.toml", &settings)?;
    let clock = Clock::new(&installation.path("."))?;
    let variables = clock.variables();
    let variables: Vec<(&str, &str)> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let mut mailbox = server.mailbox("desk")?;
    let mut daemon = Daemon::start_in(&installation, &[], &variables)?;
    handle(1, &mut mailbox, &daemon)?;
    // Of the first message's entry, which was written before any jump.
    let attempts = || -> Result<u64> {
        let shown = installation.mailmill(&["outbox", "list", "--json"])?.success()?.stdout;
        let shown: serde_json::Value = serde_json::from_str(&shown)?;
        let mut entries = shown.as_array().context("no list")?.iter();
        entries
            .find(|entry| entry["id"] == 1)
            .and_then(|entry| entry["attempts"].as_u64())
            .with_context(|| shown.to_string())
    };
    let has_first_session = || -> Result<bool> {
        let log = installation.mailmill(&["log", "--json"])?.success()?.stdout;
        let log: serde_json::Value = serde_json::from_str(&log)?;
        Ok(log.as_array().context("no list")?.iter().any(|session| session["id"] == 1))
    };

    clock.set(400)?;
    handle(2, &mut mailbox, &daemon)?;
    // Somebody sets how long the log is kept, which has it looked through at once.
    let skip = daemon.log_length();
    installation.write("mailmill.toml", &settings.replace("= 30", "= 31"))?;
    daemon.signal("HUP")?;
    daemon.wait_for("doubt", skip, |line| line.contains("WARN") && line.contains("the clock went forward"))?;
    ensure!(has_first_session()?, "the log was shortened");

    clock.set(-3)?;
    handle(3, &mut mailbox, &daemon)?;
    let made = attempts()?;
    wait_until("another attempt to send", || Ok((attempts()? > made + 1).then_some(())))
        .with_context(|| daemon.log())?;
    assert!(daemon.terminate()?.success(), "{}", daemon.log());
    assert_eq!((receipts(&installation)?.len(), tickets(&installation)?.len()), (3, 3));
    ensure!(has_first_session()?, "the log was shortened");
    Ok(())
}
