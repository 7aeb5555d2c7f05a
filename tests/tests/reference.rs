//! What is generated from the command line and the schemas: references, completions, manual pages.

use anyhow::{Result, ensure};
use mailmill_tests::Installation;
use std::path::Path;

#[test]
fn the_references_say_what_the_program_does() -> Result<()> {
    let installation = Installation::new()?;
    installation.mailmill(&["reference", "reference"])?.success()?;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/reference");
    for page in ["settings.md", "rules.md", "cli.md"] {
        let (made, kept) =
            (installation.read(&format!("reference/{page}"))?, std::fs::read_to_string(folder.join(page))?);
        ensure!(made == kept, "docs/reference/{page} is of before: run `cargo xtask docs`");
    }
    Ok(())
}

#[test]
fn shells_complete_the_commands() -> Result<()> {
    let installation = Installation::new()?;
    for (shell, sign) in
        [("bash", "complete -F _mailmill"), ("zsh", "#compdef mailmill"), ("fish", "complete -c mailmill")]
    {
        let script = installation.mailmill(&["completions", shell])?.success()?.stdout;
        ensure!(script.contains(sign) && script.contains("replay"), "{shell}: {script}");
    }
    // The script is sound, and completes.
    installation
        .mailmill(&["completions", "bash"])?
        .success()
        .and_then(|run| installation.write("done.sh", &run.stdout))?;
    let asked = "COMP_WORDS=(mailmill plu); COMP_CWORD=1; _mailmill mailmill plu mailmill; echo ${COMPREPLY[@]}";
    let told = installation.shell(&format!("bash -c '. ./done.sh && {asked}'"))?.success()?.stdout;
    assert_eq!(told, "plugin\n");
    Ok(())
}

#[test]
fn each_command_has_a_page_of_the_manual() -> Result<()> {
    let installation = Installation::new()?;
    installation.mailmill(&["man", "man1"])?.success()?;
    for (page, says) in
        [("mailmill.1", "rules engine"), ("mailmill-plugin-new.1", "\\-\\-lang"), ("mailmill-replay.1", "\\-\\-since")]
    {
        let text = installation.read(&format!("man1/{page}"))?;
        ensure!(text.contains(".TH") && text.contains(says), "{page}: {text}");
    }
    Ok(())
}
