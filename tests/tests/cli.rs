//! The command line: its help, its exit codes, and what its commands print.

use anyhow::{Context, Result};
use mailmill_tests::{Installation, messages, sample, steady};

#[test]
fn help_of_each_command() -> Result<()> {
    let commands: [&[&str]; 26] = [
        &[],
        &["run"],
        &["check"],
        &["try"],
        &["test"],
        &["replay"],
        &["clean"],
        &["test-connection"],
        &["folders"],
        &["log"],
        &["log", "clear"],
        &["ticket", "list"],
        &["ticket", "show"],
        &["quarantine", "list"],
        &["quarantine", "show"],
        &["quarantine", "release"],
        &["outbox", "list"],
        &["outbox", "retry"],
        &["outbox", "drop"],
        &["plugin", "list"],
        &["plugin", "inspect"],
        &["config", "example"],
        &["rules", "list"],
        &["rules", "enable"],
        &["rules", "disable"],
        &["rules", "move"],
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
fn clean_answers_what_it_cannot_read_and_goes_on() -> Result<()> {
    let installation = Installation::new()?;
    let input = "{\"id\": 1, \"format\": \"text\", \"input\": \"a\"}\nno JSON\n\
                 {\"id\": 2, \"format\": \"text\", \"input\": \"b\", \"dorp\": []}\n\
                 {\"id\": [3], \"format\": \"text\", \"input\": \"c\"}";
    let run = installation.mailmill_fed(&["clean"], input)?;
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    insta::assert_snapshot!(format!("{}{}", run.stdout, run.stderr));
    Ok(())
}

#[test]
fn the_example_of_clean_can_be_pasted() -> Result<()> {
    let installation = Installation::new()?;
    let help = installation.mailmill(&["clean", "--help"])?.success()?.stdout;
    let (_, example) = help.split_once("Example:").context("no example")?;
    for shell in ["sh", "bash"] {
        let script = format!("mailmill() {{ \"$PROGRAM\" \"$@\"; }}\n{example}");
        let command = installation.command()?;
        let run = std::process::Command::new(shell)
            .args(["-c", &script])
            .env("PROGRAM", command.get_program())
            .env("MAILMILL_CONFIG", installation.path("mailmill.toml"))
            .output()?;
        let answer: serde_json::Value = serde_json::from_slice(&run.stdout)
            .with_context(|| format!("{shell}: {}", String::from_utf8_lossy(&run.stderr)))?;
        assert_eq!(answer["output"].as_str().map(str::trim_end), Some("Yes."), "{shell}");
    }
    Ok(())
}

#[test]
fn clean_answers_each_line_at_once_and_ends_quietly() -> Result<()> {
    use std::io::{BufRead, BufReader, Write};
    use std::process::Stdio;
    let installation = Installation::new()?;
    let mut command = installation.command()?;
    command.arg("clean").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn()?;
    let mut input = child.stdin.take().context("no stdin")?;
    let mut output = BufReader::new(child.stdout.take().context("no stdout")?);
    for id in 1..=2 {
        writeln!(input, "{{\"id\": {id}, \"format\": \"text\", \"input\": \"x\"}}")?;
        let mut line = String::new();
        output.read_line(&mut line)?;
        assert!(line.starts_with(&format!("{{\"id\":{id},")), "{line}");
    }
    drop(output);
    writeln!(input, "{{\"id\": 3, \"format\": \"text\", \"input\": \"x\"}}")?;
    drop(input);
    let run = child.wait_with_output()?;
    assert_eq!((run.status.code(), String::from_utf8(run.stderr)?.as_str()), (Some(0), ""));
    Ok(())
}

#[test]
fn a_message_is_tried_as_the_only_job_would() -> Result<()> {
    let installation = Installation::new()?;
    installation.add_folder_job("desk")?;
    let message = sample("04-gmail-reply-de.eml").display().to_string();
    let shown = |installation: &Installation| anyhow::Ok(installation.mailmill(&["try", &message])?.success()?.stdout);
    assert!(shown(&installation)?.starts_with("handled as job \"desk\" does\n"));
    let job = installation.read("jobs/desk.toml")?.replace("apply_to = \"all\"", "apply_to = \"active-follow-ups\"");
    installation.write("jobs/desk.toml", &job)?;
    assert!(shown(&installation)?.contains("no rule looked: the job cleans follow-ups of active tickets only"));
    installation.write("jobs/desk.toml", &job.replace("\"recommended\"", "[]"))?;
    assert!(shown(&installation)?.contains("no rule looked: the job has no preprocess step enabled"));
    installation.add_folder_job("other")?;
    assert!(shown(&installation)?.starts_with("handled as if for every message and every kind of cut"));
    Ok(())
}

#[test]
fn the_log_of_a_session_that_is_not_there() -> Result<()> {
    let installation = Installation::new()?;
    installation.add_folder_job("desk")?;
    installation.write("mail/1.eml", &messages::request(1, "ann@client.example"))?;
    installation.mailmill(&["run", "--once"])?.success()?;
    installation.mailmill(&["log", "1"])?.success()?;
    let run = installation.mailmill(&["log", "9999"])?;
    assert_eq!((run.code, run.stderr.as_str()), (Some(1), "error: there is no session 9999; see: mailmill log\n"));
    Ok(())
}

#[test]
fn a_cache_that_cannot_be_used_is_done_without() -> Result<()> {
    let installation = Installation::new()?;
    installation.write("no-folder", "")?;
    let settings = installation.read("mailmill.toml")?;
    installation.write("mailmill.toml", &format!("{settings}\n[plugins_cache]\ndir = \"no-folder/cache\"\n"))?;
    let message = sample("04-gmail-reply-de.eml").display().to_string();
    let run = installation.mailmill(&["try", &message])?.success()?;
    insta::assert_snapshot!(run.stderr);
    Ok(())
}

#[test]
fn a_password_that_cannot_be_read_is_told_as_json() -> Result<()> {
    let installation = Installation::new()?;
    installation.write(
        "jobs/desk.toml",
        "[source]\ntype = \"imap\"\nhost = \"localhost\"\nuser = \"desk\"\npassword = { file = \"none\" }\n",
    )?;
    let run = installation.mailmill(&["test-connection", "desk", "--json"])?;
    assert_eq!((run.code, run.stderr.as_str()), (Some(1), ""));
    let told: serde_json::Value = serde_json::from_str(&run.stdout)?;
    let fault = told["fault"].as_str().unwrap_or_default();
    assert_eq!((told["ok"].as_bool(), fault.matches("os error 2").count()), (Some(false), 1), "{fault}");
    let run = installation.mailmill(&["test-connection", "desk"])?;
    assert_eq!((run.code, run.stderr.matches("os error 2").count()), (Some(1), 1), "{}", run.stderr);
    Ok(())
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
    assert!(plugins.len() >= 3, "{plugins:?}");
    for plugin in plugins {
        assert_eq!(plugin.fault, None, "{}", plugin.file);
        assert!(plugin.world.is_some(), "{}", plugin.file);
    }
    Ok(())
}
