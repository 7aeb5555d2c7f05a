//! The examples of the documentation are sound: together they are an installation that passes its own tests.

use anyhow::{Context, Result};
use mailmill_tests::Installation;
use std::path::Path;

/// An installation with the examples of `docs/rules.md`.
fn examples() -> Result<Installation> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/rules.md");
    let page = std::fs::read_to_string(&page)?;
    let installation = Installation::new()?;
    let examples: Vec<&str> =
        page.split("```toml\n").skip(1).filter_map(|rest| Some(rest.split_once("```")?.0)).collect();
    assert!(!examples.is_empty(), "the page has no examples");
    for example in examples {
        let file = example.lines().next().and_then(|line| line.strip_prefix("# "));
        let file =
            file.with_context(|| format!("this example does not begin with the name of its file:\n{example}"))?;
        let before = installation.read(file).unwrap_or_default();
        installation.write(file, &format!("{before}\n{example}"))?;
    }
    std::fs::create_dir_all(installation.path("mail"))?;
    Ok(installation)
}

#[test]
fn the_examples_of_rules_md_are_sound() -> Result<()> {
    let run = examples()?.mailmill(&["check"])?.success()?;
    assert_eq!(run.stderr, "", "no warnings");
    Ok(())
}

/// The shipped steps know these clients, too: alone, the rules show what they do by themselves.
#[test]
fn the_rules_of_another_system_work_alone() -> Result<()> {
    let installation = examples()?;
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
