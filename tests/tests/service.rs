//! What is shipped for operation: systemd understands the unit, and counts it as well locked up; the alerts ask for numbers that
//! there are.

use anyhow::{Context, Result, ensure};
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
