//! The examples of the documentation are sound: together they are an installation that passes its own tests.

use anyhow::{Context, Result};
use mailmill_tests::Installation;
use std::collections::BTreeSet;
use std::path::Path;

/// An installation with the examples of a page, beside what is shipped and a job `support`.
fn examples(page: &str) -> Result<Installation> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(page);
    let page = std::fs::read_to_string(&page)?;
    let installation = Installation::new()?;
    installation.add_folder_job("support")?;
    let examples: Vec<&str> =
        page.split("```toml\n").skip(1).filter_map(|rest| Some(rest.split_once("```")?.0)).collect();
    assert!(!examples.is_empty(), "the page has no examples");
    let mut written = BTreeSet::new();
    for example in examples {
        let file = example.lines().next().and_then(|line| line.strip_prefix("# "));
        let file =
            file.with_context(|| format!("this example does not begin with the name of its file:\n{example}"))?;
        // A whole job is one of its own; parts of one belong to the job that there is.
        let is_whole = example.contains("[source]") && written.insert(file);
        let before = if is_whole { String::new() } else { installation.read(file).unwrap_or_default() };
        installation.write(file, &format!("{before}\n{example}"))?;
    }
    Ok(installation)
}

/// The examples of a page are sound, and nothing is to be said of them.
fn check(page: &str) -> Result<()> {
    let run = examples(page)?.mailmill(&["check"])?.success()?;
    assert_eq!(run.stderr, "", "no warnings");
    Ok(())
}

#[test]
fn the_examples_of_outbox_md_are_sound() -> Result<()> {
    check("outbox.md")
}

#[test]
fn the_examples_of_conversations_md_are_sound() -> Result<()> {
    check("conversations.md")
}

#[test]
fn every_setting_of_the_outbox_is_listed() -> Result<()> {
    let installation = Installation::new()?;
    let example = installation.mailmill(&["config", "example"])?.success()?.stdout;
    let (_, section) = example.split_once("[outbox]\n").context("no [outbox]")?;
    let section = section.split("\n[").next().unwrap_or_default();
    let settings = section.lines().filter_map(|line| line.trim_start_matches("# ").split_once(" = "));
    let settings: Vec<&str> = settings.map(|(name, _)| name).filter(|name| !name.contains(' ')).collect();
    assert!(settings.len() >= 9, "{settings:?}");
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/outbox.md"))?;
    for setting in settings {
        assert!(
            page.lines().any(|line| line.starts_with("| `") && line.contains(&format!("`{setting}`"))),
            "{setting}"
        );
    }
    Ok(())
}

#[test]
fn the_examples_of_rules_md_are_sound() -> Result<()> {
    check("rules.md")
}

/// The shipped steps know these clients, too: alone, the rules show what they do by themselves.
#[test]
fn the_rules_of_another_system_work_alone() -> Result<()> {
    let installation = examples("rules.md")?;
    let check = |body: &str, expect: &str| -> Result<()> {
        let line = serde_json::json!({ "id": 1, "format": "text", "input": body, "drop": ["quote", "other"] });
        let run = installation.mailmill_fed(&["clean", "--steps", "our-desk"], &format!("{line}\n"))?.success()?;
        let answer: serde_json::Value = serde_json::from_str(&run.stdout)?;
        assert_eq!(answer["output"].as_str().map(str::trim_end), Some(expect), "{body}");
        Ok(())
    };
    check("Hello,\n\nOn 9/6/2017 12:55 PM, Danielle Fischer wrote:\n> Is it on?\n", "Hello,")?;
    check("Hello,\n\nOn 9/6/2017 12:55 PM, Danielle Fischer wrote:\n> Is it on?\nYes.\n> Really?\n", "Hello,\n\nYes.")?;
    let prose = "On 2 it was slow.\nAs Bob wrote: try again.";
    check(prose, prose)?;
    let header = "From: Danielle Fischer\nSent: Friday, 26 May, 2017 23:41\nTo: Help\nSubject: Lamp\n";
    check(&format!("Done.\n\n{header}\nThe lamp is broken.\n"), "Done.")?;
    let form = "From: Berlin\nTo: Vienna\nWeight: 2 kg";
    check(form, form)
}
