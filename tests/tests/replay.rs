//! `mailmill replay`: a rule change made on purpose gives exactly the expected differences, and nothing is written.

use anyhow::{Context, Result};
use mailmill_tests::{Installation, messages, target};
use serde_json::Value;

const MESSAGES: usize = 240;
const SENDER: &str = "ann@client.example";
/// Every eighth message is an invoice.
const INVOICES: usize = MESSAGES / 8;
/// Every sixth message has the footer of a desk.
const FOOTERS: usize = MESSAGES / 6;
const FOOTER: &str = "== Sent by <b>ExampleDesk</b> ==";

const STATEMENT: &str = r#"
[[statement]]
name = "invoices"
if = 'subject starts with "Invoice"'
stop = true
then = [{ do = "ignore", reason = "invoices are handled elsewhere" }]
"#;

const RULE: &str = r#"
[[rule]]
name = "desk footer"
kind = "quote"
pattern = '(?m)^== Sent by .* ==$'
"#;

/// An installation with mail that was handled, and a copy of its rules with two changes.
fn desk() -> Result<Installation> {
    let installation = Installation::new()?;
    installation.add_folder_job("desk")?;
    for number in 0..MESSAGES {
        let mut message = messages::request(number, SENDER);
        if number % 8 == 0 {
            message = message.replace("Subject: Request", "Subject: Invoice");
        }
        if number % 6 == 0 {
            message.push_str(&format!("\n{FOOTER}\n"));
        }
        installation.write(&format!("mail/{number:04}.eml"), &message)?;
    }
    std::thread::sleep(std::time::Duration::from_millis(300));
    installation.mailmill(&["run", "--once"])?.success()?;
    installation.shell("cp -r rules next")?.success()?;
    installation.write("next/statements/05-invoices.toml", STATEMENT)?;
    let banners = installation.read("next/preprocess/banners.toml")?;
    installation.write("next/preprocess/banners.toml", &format!("{banners}{RULE}"))?;
    Ok(installation)
}

fn json(installation: &Installation, arguments: &[&str]) -> Result<String> {
    Ok(installation.mailmill(&[&["replay", "--json"], arguments].concat())?.success()?.stdout)
}

fn number(number: usize) -> Value {
    serde_json::json!(number)
}

#[test]
fn a_change_made_on_purpose_gives_exactly_its_differences() -> Result<()> {
    let installation = desk()?;
    let before = std::fs::read(installation.path("mailmill.db"))?;

    let first = json(&installation, &["--rules", "next"])?;
    assert_eq!(first, json(&installation, &["--rules", "next"])?, "the same mail and rules, and another answer");
    let report: Value = serde_json::from_str(&first)?;
    assert_eq!(report["messages"], number(MESSAGES));
    let both = (0..MESSAGES).filter(|number| number % 24 == 0).count();
    assert_eq!(report["changed"], number(INVOICES + FOOTERS - both));
    assert_eq!(report["kinds"], serde_json::json!({ "outcome": INVOICES, "actions": INVOICES, "cuts": FOOTERS }));
    let details = serde_json::json!({
        "outcome": { "accepted": { "gone": INVOICES, "new": 0 }, "ignored": { "gone": 0, "new": INVOICES } },
        "actions": { "create-ticket": { "gone": INVOICES, "new": 0 }, "ignore": { "gone": 0, "new": INVOICES } },
        "cuts": { "banners: desk footer": { "gone": 0, "new": FOOTERS } },
    });
    assert_eq!(report["details"], details);
    for difference in report["differences"].as_array().context("no differences")? {
        let subject = difference["subject"].as_str().context("no subject")?;
        let its: usize = subject.rsplit(' ').next().context("no number")?.parse()?;
        let changes = difference["changes"].as_array().context("no changes")?;
        let kinds: Vec<&str> = changes.iter().filter_map(|change| change["kind"].as_str()).collect();
        let expect: &[&str] = match (its % 8, its % 6) {
            (0, 0) => &["outcome", "actions", "cuts"],
            (0, _) => &["outcome", "actions"],
            _ => &["cuts"],
        };
        assert_eq!(kinds, expect, "{difference}");
        if its.is_multiple_of(6) {
            let lines = changes.last().context("no cut")?["lines"].to_string();
            assert!(lines.contains(&format!("\"- {FOOTER}\"")), "{lines}");
        }
    }

    let same: Value = serde_json::from_str(&json(&installation, &["--rules", "rules"])?)?;
    assert_eq!(
        (&same["messages"], &same["changed"]),
        (&number(MESSAGES), &number(0)),
        "the rules in force against themselves"
    );
    assert_eq!(std::fs::read(installation.path("mailmill.db"))?, before, "a replay writes nothing");
    Ok(())
}

/// A plugin that is in a folder of candidates only: it cuts a number out of one message.
const PLUGIN: &str =
    "\n[[step]]\nname = \"numbers\"\nhop = \"preprocess\"\nplugin = \"pinned\"\nrules = \"numbers.toml\"\n";

#[test]
fn a_plugin_is_tried_on_mail_that_was_handled() -> Result<()> {
    let installation = desk()?;
    let component = target().join("test-plugins/pinned-0-1-0.wasm");
    installation.shell("rm -r next && cp -r rules next && cp -r plugins next-plugins")?.success()?;
    std::fs::copy(component, installation.path("next-plugins/pinned.wasm"))?;
    installation.write("next/pipeline.toml", &format!("{}{PLUGIN}", installation.read("next/pipeline.toml")?))?;
    installation.write("next/numbers.toml", "pattern = '\\b231\\b'\n")?;
    let without = installation.mailmill(&["replay", "--rules", "next"])?;
    assert!(without.code == Some(3) && without.stderr.contains("pinned"), "{}", without.stderr);
    let run = installation.mailmill(&["replay", "--rules", "next", "--plugins", "next-plugins"])?.success()?.stdout;
    assert!(run.contains("240 messages run: 239 the same, 1 changed"), "{run}");
    assert!(run.contains("+ cut \"231\" as other, by numbers: pattern"), "{run}");
    Ok(())
}

#[test]
fn people_see_counts_and_then_each_message() -> Result<()> {
    let installation = desk()?;
    let run =
        installation.mailmill(&["replay", "--since", "1d", "--job", "desk", "--rules", "next", "--limit", "1"])?;
    let run = run.success()?;
    let counts = "240 messages run: 180 the same, 60 changed\n  outcome   changed in 30 messages\n    -30 +0  accepted\n    -0 +30  ignored\n";
    assert!(run.stdout.contains(counts), "{}", run.stdout);
    assert_eq!(run.stdout.matches("receipt ").count(), 1, "{}", run.stdout);
    assert!(run.stdout.ends_with("and 59 more; to see them: --limit N, --json or --html FILE\n"), "{}", run.stdout);

    installation.mailmill(&["replay", "--rules", "next", "--html", "page.html"])?.success()?;
    let page = installation.read("page.html")?;
    assert_eq!(page.matches("<details>").count(), 60);
    assert!(page.contains("<del>- == Sent by &lt;b&gt;ExampleDesk&lt;/b&gt; ==</del>"), "{page}");
    assert!(!page.contains("<b>") && !page.contains("<script") && !page.contains("http:"), "{page}");

    let none: Value = serde_json::from_str(&json(&installation, &["--since", "0m", "--rules", "next"])?)?;
    assert_eq!(none["messages"], number(0));
    Ok(())
}

#[test]
fn what_cannot_be_run_again_is_counted_and_what_cannot_be_asked_is_refused() -> Result<()> {
    let installation = Installation::new()?;
    let refused = |arguments: &[&str], code: i32, reason: &str| -> Result<()> {
        let run = installation.mailmill(&[&["replay"], arguments].concat())?;
        assert_eq!(run.code, Some(code), "{arguments:?}\n{}", run.stderr);
        assert!(run.stderr.contains(reason), "{arguments:?}\n{}", run.stderr);
        Ok(())
    };
    installation.add_folder_job("desk")?;
    refused(&[], 1, "name the rules to try")?;
    refused(&["--rules", "rules"], 1, "there is no database")?;
    installation.write("mail/1.eml", &messages::request(1, SENDER))?;
    std::thread::sleep(std::time::Duration::from_millis(300));
    installation.mailmill(&["run", "--once"])?.success()?;
    refused(&["--rules", "rules", "--job", "dsek"], 1, "there is no job \"dsek\"; there are: desk")?;
    refused(&["--rules", "nowhere"], 3, "pipeline.toml")?;
    installation.mailmill(&["log", "clear", "--yes"])?.success()?;
    let report: Value = serde_json::from_str(&json(&installation, &["--rules", "rules"])?)?;
    assert_eq!(report["left_out"], serde_json::json!({ "report-forgotten": 1 }));
    assert_eq!(report["messages"], number(0));
    Ok(())
}
