//! One message that no rule can deal with, among many: it costs one entry of the quarantine, and nobody else anything.

use anyhow::{Context, Result, ensure};
use mailmill_tests::records::{quarantine, receipts};
use mailmill_tests::{Installation, messages};
use serde_json::Value;
use std::collections::BTreeSet;
use std::time::Instant;

/// How many messages there are, if not so many as usual: `MAILMILL_POISON_MESSAGES=10000` is the long run.
const VARIABLE: &str = "MAILMILL_POISON_MESSAGES";
const MESSAGES: usize = 1_000;
/// A comment where there is no ticket cannot be planned.
const STATEMENTS: &str = "
[[statement]]
name = \"poison\"
if = 'subject contains \"Poison\"'
then = [{ do = \"comment\" }]
stop = true

[[statement]]
name = \"all others\"
then = [{ do = \"create-ticket\", class = \"incident\" }]
stop = true
";

#[test]
fn one_bad_message_costs_one_entry() -> Result<()> {
    let count = std::env::var(VARIABLE).ok().and_then(|count| count.parse().ok()).unwrap_or(MESSAGES);
    let installation = Installation::new()?;
    installation.add_folder_job("folder")?;
    installation.edit("jobs/folder.toml", "\"recommended\"", "[]")?;
    let file = "rules/statements/10-default.toml";
    installation.write(file, STATEMENTS)?;
    let bad = messages::request(count / 2, "ann@client.example").replace("Subject: Request", "Subject: Poison");
    for number in 0..count {
        // Of many people: of one alone there would be too many.
        let message = messages::request(number, &format!("ann{}@client.example", number / 100));
        let message = if number == count / 2 { &bad } else { &message };
        std::fs::write(installation.path(&format!("mail/{number:05}.eml")), message)?;
    }
    let begun = Instant::now();
    installation.mailmill(&["run", "--once"])?.success()?;
    eprintln!("{count} messages with one bad one among them: {} ms", begun.elapsed().as_millis());

    let all = receipts(&installation)?;
    let uids: BTreeSet<&str> = all.iter().map(|receipt| receipt.uid.as_str()).collect();
    assert_eq!((all.len(), uids.len()), (count, count), "each message has one receipt");
    let waiting = quarantine(&installation)?;
    let [entry] = waiting.as_slice() else { panic!("one entry, and not {}: {:?}", waiting.len(), waiting.first()) };
    let failed: Vec<_> = all.iter().filter(|receipt| receipt.outcome != "accepted").collect();
    assert_eq!(failed.iter().map(|receipt| receipt.outcome.as_str()).collect::<Vec<_>>(), ["quarantined"]);
    let id = entry.id.as_str();
    ensure!(!entry.cause.is_empty(), "{entry:?}");
    let raw = installation.mailmill(&["quarantine", "show", id, "--raw"])?.success()?.stdout;
    assert_eq!(raw, bad, "its bytes are kept");
    let shown = installation.mailmill(&["quarantine", "show", id, "--json"])?.success()?.stdout;
    let report: Value = serde_json::from_str::<Value>(&shown)?["report"].clone();
    assert_eq!(report["quarantine"]["reason"], entry.cause.as_str(), "the report says the cause: {report}");
    let actions = report["actions"].as_array().context("no actions in the report")?;
    ensure!(actions.iter().any(|action| action["verb"] == "comment"), "and how it came to that: {report}");

    // On the rules in force it fails again; on others it is let out.
    let again = installation.mailmill(&["quarantine", "release", id])?;
    ensure!(again.code == Some(1) && again.stderr.contains("it stays in quarantine"), "{}", again.stderr);
    for name in ["classes.toml", "fields.toml", "languages.toml", "pipeline.toml"] {
        installation.write(&format!("other/{name}"), &installation.read(&format!("rules/{name}"))?)?;
    }
    for entry in std::fs::read_dir(installation.path("rules/preprocess"))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        let text = installation.read(&format!("rules/preprocess/{name}"))?;
        installation.write(&format!("other/preprocess/{name}"), &text)?;
    }
    installation.write("other/statements/10-default.toml", &STATEMENTS.replace("\"Poison\"", "\"Nothing\""))?;
    let released = installation.mailmill(&["quarantine", "release", id, "--with", "other"])?.success()?.stdout;
    ensure!(released.starts_with("accepted"), "{released}");
    assert_eq!(quarantine(&installation)?, []);
    let accepted = receipts(&installation)?.iter().filter(|receipt| receipt.outcome == "accepted").count();
    assert_eq!(accepted, count);
    // The rules in force are what they were, and the message is not taken in again.
    assert_eq!(installation.read(file)?, STATEMENTS);
    installation.mailmill(&["run", "--once"])?.success()?;
    assert_eq!(receipts(&installation)?.len(), count);
    Ok(())
}
