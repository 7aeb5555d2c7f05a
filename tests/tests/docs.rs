//! The examples of the documentation are sound: together they are an installation that passes its own tests.

use anyhow::{Context, Result};
use mailmill_tests::Installation;
use std::path::Path;

#[test]
fn the_examples_of_rules_md_are_sound() -> Result<()> {
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
    installation.mailmill(&["check"])?.success()?;
    Ok(())
}
