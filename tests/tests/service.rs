//! What is shipped for operation: systemd understands the unit, and counts it as well locked up; mailmill works with no more rights
//! than it leaves; the alerts ask for numbers that there are.

use anyhow::{Context, Result, ensure};
use mailmill_tests::records::receipts;
use mailmill_tests::{Daemon, Dovecot, Installation, messages};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::Command;

/// Of 100, as `systemd-analyze security` counts the exposure of a service: below 20 it calls it OK.
const EXPOSURE_MAX: &str = "15";

fn shipped(path: &str) -> Result<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
    std::fs::read_to_string(&path).with_context(|| path.display().to_string())
}

fn unit() -> Result<String> {
    shipped("packaging/mailmill.service")
}

#[test]
fn the_unit_locks_the_daemon_up() -> Result<()> {
    let unit = unit()?;
    let lines = [
        "Type=notify",
        "WatchdogSec=60s",
        "User=mailmill",
        "NoNewPrivileges=true",
        "CapabilityBoundingSet=",
        "ProtectSystem=strict",
        "ProtectHome=true",
        "MemoryMax=1G",
        "TasksMax=128",
        "LimitCORE=0",
        "UMask=0077",
        "ExecReload=/bin/kill -HUP $MAINPID",
    ];
    for expect in lines {
        assert!(unit.lines().any(|line| line == expect), "{expect} is not in the unit");
    }
    Ok(())
}

#[test]
fn systemd_takes_the_unit() -> Result<()> {
    if !Path::new("/usr/bin/systemd-analyze").exists() {
        eprintln!("there is no systemd-analyze here: nothing is checked");
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("mailmill.service");
    // The program that it names must exist.
    std::fs::write(&path, unit()?.replace("/usr/bin/mailmill", "/bin/true"))?;
    let analyze = |arguments: &[&str]| -> Result<(bool, String)> {
        let output = Command::new("systemd-analyze").args(arguments).arg(&path).output()?;
        let told = [output.stdout, output.stderr].concat();
        Ok((output.status.success(), String::from_utf8_lossy(&told).into_owned()))
    };
    let (taken, told) = analyze(&["verify"])?;
    ensure!(taken && !told.contains("mailmill.service:"), "{told}");
    let threshold = format!("--threshold={EXPOSURE_MAX}");
    let (locked, told) = analyze(&["security", "--offline=true", "--no-pager", &threshold])?;
    ensure!(locked, "{told}");
    Ok(())
}

/// Starts a program as the unit does: as another user without any right to more, whose only folder that can be written is the one it
/// is given, in a mount namespace of its own.
const LOCKED_UP: &str = r#"#!/bin/sh
exec unshare --mount sh -c '
    mount --bind "$0" "$0" && mount -o remount,bind,ro / && cd "$0" || exit 1
    touch /can-be-written 2> /dev/null && rm /can-be-written && exit 1
    export XDG_CACHE_HOME="$0"
    exec setpriv --reuid=nobody --regid=nogroup --clear-groups --no-new-privs --bounding-set=-all --inh-caps=-all \
        prlimit --nofile=8192 --core=0 "$@"
' FOLDER PROGRAM "$@"
"#;

#[test]
fn it_needs_no_right_that_the_unit_takes_away() -> Result<()> {
    if std::fs::metadata("/proc/self")?.uid() != 0 {
        eprintln!("only root can be somebody else: nothing is checked, but all other tests run without rights anyway");
        return Ok(());
    }
    let (server, installation) = (Dovecot::start()?, Installation::new()?);
    installation.add_imap_job("desk", &server, "desk")?;
    // Where the program was built, others may not look.
    let program = installation.path("program");
    std::fs::copy(mailmill_tests::target().join("debug/mailmill"), &program)?;
    let authority = installation.path("authority.pem");
    std::fs::copy(&server.certificates.authority, &authority)?;
    let before = server.certificates.authority.display().to_string();
    installation.edit("jobs/desk.toml", &before, &authority.display().to_string())?;
    let folder = installation.path(".").canonicalize()?;
    let script =
        LOCKED_UP.replace("FOLDER", &folder.display().to_string()).replace("PROGRAM", &program.display().to_string());
    installation.write("locked-up", &script)?;
    std::fs::set_permissions(installation.path("locked-up"), PermissionsExt::from_mode(0o755))?;
    let owned = Command::new("chown").args(["-R", "nobody:nogroup"]).arg(&folder).status()?;
    ensure!(owned.success(), "the installation cannot be given away");

    let mut mailbox = server.mailbox("desk")?;
    mailbox.deliver(&messages::request(1, "ann@client.example"))?;
    let mut daemon = Daemon::start_by(&installation.path("locked-up"), &installation, &[])?;
    daemon.wait_for("the message", 0, |line| line.contains("message handled"))?;
    let status = std::fs::read_to_string(format!("/proc/{}/status", daemon.pid()))?;
    for expect in
        ["Uid:\t65534\t65534\t65534\t65534", "NoNewPrivs:\t1", "CapEff:\t0000000000000000", "CapBnd:\t0000000000000000"]
    {
        ensure!(status.contains(expect), "{expect}: {status}");
    }
    ensure!(daemon.terminate()?.success(), "{}", daemon.log());
    ensure!(!daemon.log().contains("WARN") && !daemon.log().contains("ERROR"), "{}", daemon.log());
    assert_eq!((receipts(&installation)?.len(), mailbox.seen()?), (1, 1));
    assert_eq!(std::fs::metadata(installation.path("mailmill.db"))?.uid(), 65534);
    Ok(())
}

#[test]
fn the_alerts_ask_for_numbers_that_there_are() -> Result<()> {
    let (rules, page) = (shipped("packaging/mailmill.rules.yml")?, shipped("docs/operations.md")?);
    let (numbers, alerts) = page.split_once("## Alerts to set").context("no alerts on the page")?;
    let expressions: Vec<&str> = rules.lines().filter_map(|line| line.trim().strip_prefix("expr: ")).collect();
    assert!(expressions.len() > 10, "{expressions:?}");
    let words = expressions.iter().flat_map(|text| text.split(|it: char| !it.is_ascii_alphanumeric() && it != '_'));
    for name in words.filter_map(|word| word.strip_prefix("mailmill_")) {
        let name = name.trim_end_matches("_bucket");
        assert!(numbers.contains(&format!("`{name}`")) || numbers.contains(&format!("`{name}{{")), "mailmill_{name}");
    }
    for name in rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")) {
        assert!(alerts.contains(&format!("`{name}`")), "{name} is not on the page");
    }
    Ok(())
}
