//! A plugin copied into the folder of a running daemon: found and described, off until the pipeline names it, replaced and
//! removed under load; and the rules that were in force, and back to them.

use anyhow::{Context, Result, ensure};
use mailmill_tests::records::receipts;
use mailmill_tests::{Daemon, Installation, messages, wait_until};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

const STEP: &str = "\n[[step]]\nname = \"extra\"\nhop = \"preprocess\"\nplugin = \"extra\"\n";
const PIPELINE: &str = "rules/pipeline.toml";
const TAKEN: &str = "new rules are in force";

/// A component that `cargo xtask plugins` built.
fn built(folder: &str, name: &str) -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../target"), PathBuf::from);
    target.join(folder).join(format!("{name}.wasm"))
}

/// Puts a component in place as the documentation says.
fn put(installation: &Installation, component: &Path) -> Result<()> {
    std::fs::copy(component, installation.path("plugins/.extra.new"))?;
    Ok(std::fs::rename(installation.path("plugins/.extra.new"), installation.path("plugins/extra.wasm"))?)
}

fn change(daemon: &mut Daemon, expect: &str, change: impl FnOnce() -> Result<()>) -> Result<()> {
    let skip = daemon.log_length();
    change()?;
    daemon.wait_for(expect, skip, |line| line.contains(expect)).map(drop)
}

fn json(installation: &Installation, arguments: &[&str]) -> Result<Value> {
    Ok(serde_json::from_str(&installation.mailmill(arguments)?.success()?.stdout)?)
}

/// A plugin of that file, as `plugin list` has it.
fn listed(installation: &Installation, file: &str) -> Result<Value> {
    let list = json(installation, &["plugin", "list", "--json"])?;
    let found = list.as_array().into_iter().flatten().find(|row| row["file"] == file);
    found.cloned().with_context(|| format!("{file} is not listed"))
}

#[test]
fn a_plugin_is_dropped_in_replaced_and_removed_under_load() -> Result<()> {
    let installation = Installation::new()?;
    installation.add_folder_job("desk")?;
    let mut daemon = Daemon::start(&installation, &[])?;
    daemon.wait_for("the start", 0, |line| line.contains("mailmill is running"))?;
    let mut sent = 0;
    let mut send = |many: usize| -> Result<()> {
        for _ in 0..many {
            sent += 1;
            installation.write(&format!("mail/{sent}.eml"), &messages::request(sent, "ann@client.example"))?;
        }
        Ok(())
    };
    let pipeline = installation.read(PIPELINE)?;

    send(20)?;
    let skip = daemon.log_length();
    put(&installation, &built("test-plugins", "misbehave"))?;
    let row = listed(&installation, "extra.wasm")?;
    assert_eq!(
        (&row["name"], &row["world"], &row["steps"]),
        (&"misbehave".into(), &"preprocessor".into(), &Value::Array(vec![]))
    );
    let inspected = json(&installation, &["plugin", "inspect", "extra", "--json"])?;
    assert_eq!(inspected["hash"], row["hash"]);
    let text = inspected["imports"].to_string();
    ensure!(text.contains("mailmill:rules/edit@0.1.0") && text.contains("\"cut\""), "{text}");
    let told = installation.mailmill(&["plugin", "inspect", "extra"])?.success()?.stdout;
    ensure!(told.contains("used by  nothing: it is off until a [[step]] of pipeline.toml names it"), "{told}");
    ensure!(!daemon.log().lines().skip(skip).any(|line| line.contains(TAKEN)), "a file alone changed the rules");

    change(&mut daemon, TAKEN, || installation.write(PIPELINE, &format!("{pipeline}{STEP}")))?;
    assert_eq!(listed(&installation, "extra.wasm")?["steps"][0]["step"], "extra");
    for component in [built("plugins", "reply"), built("test-plugins", "misbehave")] {
        send(20)?;
        change(&mut daemon, TAKEN, || put(&installation, &component))?;
    }
    // Half a file, under its final name: what is in force stays.
    let whole = std::fs::read(built("plugins", "reply"))?;
    let half = whole.get(..whole.len() / 2).context("a component")?;
    change(&mut daemon, "the rules are not taken", || {
        Ok(std::fs::write(installation.path("plugins/extra.wasm"), half)?)
    })?;
    send(20)?;
    change(&mut daemon, TAKEN, || {
        installation.write(PIPELINE, &pipeline)?;
        Ok(std::fs::remove_file(installation.path("plugins/extra.wasm"))?)
    })?;
    send(1)?;
    let all = sent;
    mailmill_tests::wait_until("all messages to be handled", || {
        Ok((receipts(&installation)?.len() == all).then_some(()))
    })?;
    ensure!(daemon.terminate()?.success(), "{}", daemon.log());

    let receipts = receipts(&installation)?;
    ensure!(receipts.iter().all(|receipt| receipt.outcome == "accepted"), "{receipts:?}");
    let history = json(&installation, &["rules", "history", "--json"])?;
    let known: BTreeSet<&str> =
        history.as_array().into_iter().flatten().filter_map(|row| row["revision"].as_str()).collect();
    ensure!(receipts.iter().all(|receipt| known.contains(receipt.revision.as_str())), "{known:?} {receipts:?}");
    assert_eq!(history.as_array().map(Vec::len), Some(5), "{history}");
    Ok(())
}

/// The revisions that were in force, once there are so many: they are noted just after they came into force.
fn history_of(installation: &Installation, revisions: usize) -> Result<Value> {
    wait_until("the revision to be noted", || {
        let history = json(installation, &["rules", "history", "--json"])?;
        Ok(history.as_array().is_some_and(|rows| rows.len() >= revisions).then_some(history))
    })
}

#[test]
fn rules_go_back_to_an_earlier_revision() -> Result<()> {
    const STATEMENTS: &str = "rules/statements/10-default.toml";
    const MORE: &str = "rules/statements/20-more.toml";
    let installation = Installation::new()?;
    installation.add_folder_job("desk")?;
    let shipped = installation.read(STATEMENTS)?;
    let mut daemon = Daemon::start(&installation, &[])?;
    daemon.wait_for("the start", 0, |line| line.contains("mailmill is running"))?;
    change(&mut daemon, TAKEN, || {
        installation.write(MORE, "[[statement]]\nname = \"more\"\nthen = []\n")?;
        installation.write(STATEMENTS, &format!("# Changed.\n{shipped}"))
    })?;
    let history = history_of(&installation, 2)?;
    let revision = |at: usize| history[at]["revision"].as_str().map(str::to_owned).context("a revision");
    let (now, first) = (revision(0)?, revision(1)?);
    let by = installation.shell("id -un")?.success()?.stdout;
    assert_eq!(history[0]["changed_by"].as_str(), Some(by.trim()), "{history}");
    let shown = installation.mailmill(&["rules", "history"])?.success()?.stdout;
    ensure!(shown.lines().nth(1).is_some_and(|row| row.starts_with(&now) && row.ends_with("in force")), "{shown}");

    let diff = installation.mailmill(&["rules", "diff", &first, &now[..8]])?.success()?.stdout;
    ensure!(
        diff.contains("+# Changed.") && diff.contains("statements/20-more.toml") && diff.contains("/dev/null"),
        "{diff}"
    );
    assert_eq!(installation.mailmill(&["rules", "diff", &now])?.success()?.stdout, "they do not differ\n");

    let asked = installation.mailmill(&["rules", "rollback", &first])?;
    assert_eq!((asked.code, installation.read(MORE).is_ok()), (Some(1), true), "{}", asked.stderr);
    let dry = installation.mailmill(&["rules", "rollback", &first, "--dry-run"])?.success()?.stdout;
    ensure!(dry.contains("-# Changed.") && installation.read(STATEMENTS)?.starts_with("# Changed."), "{dry}");
    change(&mut daemon, TAKEN, || {
        installation.mailmill(&["rules", "rollback", &first[..8], "--yes"])?.success().map(drop)
    })?;
    assert_eq!(installation.read(STATEMENTS)?, shipped);
    ensure!(installation.read(MORE).is_err(), "a file that the revision does not have is left");
    let history = history_of(&installation, 3)?;
    assert_eq!(history[0]["revision"].as_str(), Some(first.as_str()), "{history}");
    let again = installation.mailmill(&["rules", "rollback", &first, "--yes"])?.success()?.stdout;
    ensure!(again.contains("already"), "{again}");
    let unknown = installation.mailmill(&["rules", "rollback", "nothing"])?;
    ensure!(
        unknown.code == Some(1) && unknown.stderr.contains("there is no revision \"nothing\""),
        "{}",
        unknown.stderr
    );
    Ok(())
}
