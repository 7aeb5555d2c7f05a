//! The command line: its help, its exit codes, and what its commands print.

use anyhow::Result;
use mailmill_tests::{Installation, sample, steady};

#[test]
fn help_of_each_command() -> Result<()> {
    let commands: [&[&str]; 15] = [
        &[],
        &["run"],
        &["check"],
        &["try"],
        &["clean"],
        &["test-connection"],
        &["log"],
        &["ticket", "list"],
        &["ticket", "show"],
        &["quarantine", "list"],
        &["quarantine", "show"],
        &["quarantine", "release"],
        &["plugin", "list"],
        &["plugin", "inspect"],
        &["config", "example"],
    ];
    let installation = Installation::new()?;
    for command in commands {
        let run = installation.mailmill(&[command, &["--help"]].concat())?.success()?;
        insta::assert_snapshot!(["help"].iter().chain(command).copied().collect::<Vec<_>>().join("-"), run.stdout);
    }
    Ok(())
}

#[test]
fn exit_codes() -> Result<()> {
    let installation = Installation::new()?;
    installation.add_folder_job("folder")?;
    let check = |arguments: &[&str], expect: i32| -> Result<()> {
        let run = installation.mailmill(arguments)?;
        assert_eq!(run.code, Some(expect), "{arguments:?}\n{}", run.stderr);
        Ok(())
    };
    check(&["check"], 0)?;
    check(&["--version"], 0)?;
    check(&["plugin", "list"], 0)?;
    check(&["config", "example"], 0)?;
    check(&["no-such-command"], 2)?;
    check(&["try"], 2)?;
    check(&["try", "no-such-file.eml"], 1)?;
    check(&["test-connection", "no-such-job"], 1)?;
    check(&["plugin", "inspect", "no-such-plugin"], 1)?;
    check(&["ticket", "list"], 1)?;
    std::fs::remove_file(installation.path("mailmill.toml"))?;
    check(&["check"], 3)
}

#[test]
fn a_sound_installation_is_checked() -> Result<()> {
    let installation = Installation::new()?;
    installation.add_folder_job("folder")?;
    let run = installation.mailmill(&["check"])?.success()?;
    let lines = run.stdout.lines().filter(|line| !line.starts_with("revision") && !line.starts_with("tests"));
    insta::assert_snapshot!(lines.collect::<Vec<_>>().join("\n"));
    Ok(())
}

#[test]
fn a_message_is_tried_and_nothing_is_stored() -> Result<()> {
    let installation = Installation::new()?;
    let message = sample("04-gmail-reply-de.eml");
    let run = installation.mailmill(&["try", &message.display().to_string()])?.success()?;
    let shown = run.stdout.replace(&message.display().to_string(), "[MESSAGE]");
    let lines = shown.lines().filter(|line| !line.contains("revision") && !line.contains(" ms"));
    insta::assert_snapshot!(steady(&lines.collect::<Vec<_>>().join("\n"), &[]));
    assert!(!installation.path("mailmill.db").exists(), "trying a message made a database");
    Ok(())
}

#[test]
fn clean_is_a_filter() -> Result<()> {
    let check = |format: &str, input: &str, expect: &str| -> Result<()> {
        let line = serde_json::json!({ "id": 7, "format": format, "input": input, "drop": ["quote"] });
        let run = Installation::new()?.mailmill_fed(&["clean"], &format!("{line}\n"))?.success()?;
        let answer: serde_json::Value = serde_json::from_str(&run.stdout)?;
        assert_eq!(answer["id"], 7, "{input}");
        assert_eq!(answer["output"].as_str().map(str::trim_end), Some(expect), "{input}");
        Ok(())
    };
    check("text", "Nothing to cut.\n", "Nothing to cut.")?;
    check("text", "Yes.\n\nOn 12/01/2026 16:40, Ann Lee wrote:\n> ok?\n", "Yes.")?;
    check(
        "html",
        "<div>Yes.</div><div class=\"gmail_quote\">On Monday Ann wrote:<blockquote>ok?</blockquote></div>",
        "Yes.",
    )
}

#[test]
fn the_printed_example_is_a_sound_settings_file() -> Result<()> {
    let installation = Installation::new()?;
    installation.add_folder_job("folder")?;
    let example = installation.mailmill(&["config", "example"])?.success()?.stdout;
    installation.write("mailmill.toml", &example)?;
    installation.mailmill(&["check"])?.success()?;
    Ok(())
}

#[test]
fn every_shipped_plugin_is_sound() -> Result<()> {
    let installation = Installation::new()?;
    let plugins = mailmill_tests::records::plugins(&installation)?;
    assert!(plugins.len() >= 7, "{plugins:?}");
    for plugin in plugins {
        assert_eq!(plugin.fault, None, "{}", plugin.file);
        assert!(plugin.world.is_some(), "{}", plugin.file);
    }
    Ok(())
}
