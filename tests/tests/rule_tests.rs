//! `mailmill test`: the tests in rule files, run, shown, rewritten, and what they do not reach.

use anyhow::{Context, Result};
use mailmill_tests::Installation;
use serde_json::Value;

const PIPELINE: &str = r#"
[[step]]
name = "names"
hop = "preprocess"
plugin = "reply"
rules = "names.toml"

[[step]]
name = "fields"
hop = "extract"
plugin = "fields"
rules = "fields.toml"

[[step]]
name = "statements"
hop = "process"
plugin = "statements"
rules = "statements/*.toml"
"#;

const NAMES: &str = r#"# Signatures.
[[rule]]
name = 'dashes'
kind = 'quote'
pattern = '(?m)^-- $'
cut = 'tail'

[[rule]]
name = 'regards'
kind = 'quote'
pattern = '(?m)^Regards,$'
cut = 'tail'

[[test]]
name = "dashes"  # as RFC 3676 has them
body = '''
Hello.

-- 
Ann
'''
# What is left.
expect = '''
EXPECTED
'''
"#;

const FIELDS: &str = r#"
[[field]]
name = "order"
type = "text"
from = "subject"
pattern = 'order (?<value>[0-9]+)'

[[field]]
name = "room"
type = "text"
from = "subject"
pattern = 'room (?<value>[0-9]+)'

[[test]]
name = "an order"
subject = "order 17"
expect = { order  =  "17" } # alone
"#;

const STATEMENTS: &str = r#"
[[statement]]
name = "orders"
if = 'subject contains "order"'
then = [{ do = "ignore", reason = "elsewhere" }]
else = [{ do = "create-ticket", class = "incident" }]

[[test]]
name = "an order"
subject = "order 17"
expect = [{ do = "ignore", reason = "elsewhere" }]
"#;

fn installation() -> Result<Installation> {
    let installation = Installation::new()?;
    std::fs::remove_dir_all(installation.path("rules"))?;
    installation.write("rules/pipeline.toml", PIPELINE)?;
    installation.write("rules/names.toml", &NAMES.replace("EXPECTED", "Hello."))?;
    installation.write("rules/fields.toml", FIELDS)?;
    installation.write("rules/statements/10-default.toml", STATEMENTS)?;
    Ok(installation)
}

fn json(installation: &Installation, arguments: &[&str]) -> Result<Value> {
    let run = installation.mailmill(&[&["test", "--json"], arguments].concat())?;
    serde_json::from_str(&run.stdout).with_context(|| format!("{arguments:?}\n{}{}", run.stdout, run.stderr))
}

#[test]
fn tests_run_without_a_job_a_database_or_settings() -> Result<()> {
    let installation = installation()?;
    let run = installation.mailmill(&["test"])?.success()?;
    let expect = "names.toml                  1 passed\nfields.toml                 1 passed\n\
                  statements/10-default.toml  1 passed\n3 tests: 3 passed\n";
    assert_eq!(run.stdout, expect);
    assert!(!installation.path("mailmill.db").exists(), "testing rules made a database");
    std::fs::remove_file(installation.path("mailmill.toml"))?;
    let run = installation.shell("mailmill --plugins plugins test rules/fields.toml")?.success()?;
    assert_eq!(run.stdout, "fields.toml  1 passed\n1 test: 1 passed\n");
    let run = installation.shell("mailmill --plugins plugins test rules/statements")?.success()?;
    assert_eq!(run.stdout, "statements/10-default.toml  1 passed\n1 test: 1 passed\n");
    installation.write("rules/spare.toml", "")?;
    let run = installation.shell("mailmill --plugins plugins test rules/spare.toml")?;
    assert_eq!((run.code, run.stderr.as_str()), (Some(1), "error: no step of pipeline.toml uses rules/spare.toml\n"));
    Ok(())
}

#[test]
fn what_differs_is_shown_and_reported() -> Result<()> {
    let installation = installation()?;
    installation.write("rules/names.toml", &NAMES.replace("EXPECTED", "Hello <&>."))?;
    installation.edit("rules/statements/10-default.toml", "subject = \"order", "sujbect = \"order")?;
    let run = installation.mailmill(&["test", "--junit", "report.xml"])?;
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    insta::assert_snapshot!("what-differs", run.stdout);
    insta::assert_snapshot!("junit", installation.read("report.xml")?);
    let report = json(&installation, &[])?;
    assert_eq!((&report["ok"], &report["passed"], &report["failed"]), (&false.into(), &1.into(), &2.into()));
    assert_eq!(report["tests"][0]["difference"], "- Hello <&>.\n+ Hello.");
    // The same tests keep such rules from coming into force.
    assert_eq!(installation.mailmill(&["check"])?.code, Some(3));
    Ok(())
}

#[test]
fn expectations_are_rewritten_in_place() -> Result<()> {
    let installation = installation()?;
    let wrong = NAMES.replace("EXPECTED", "Good bye.");
    installation.write("rules/names.toml", &wrong)?;
    installation.edit("rules/fields.toml", "order  =  \"17\"", "order  =  \"18\"")?;
    installation.edit(
        "rules/statements/10-default.toml",
        "expect = [{ do = \"ignore\", reason = \"elsewhere\" }]",
        "expect = []",
    )?;
    let run = installation.mailmill(&["test", "--update"])?;
    assert_eq!(
        (run.code, run.stderr.as_str()),
        (Some(1), "error: 3 expectations would be rewritten; to do so: --yes\n")
    );
    assert_eq!(installation.read("rules/names.toml")?, wrong, "nothing is written without an answer");
    let run = installation.mailmill(&["test", "--update", "--yes"])?.success()?;
    assert!(run.stdout.ends_with("now 3 tests: 3 passed\n"), "{}", run.stdout);
    assert_eq!(installation.read("rules/names.toml")?, NAMES.replace("EXPECTED", "Hello."));
    assert_eq!(installation.read("rules/fields.toml")?, FIELDS);
    let statements = STATEMENTS.replace("[{ do = \"ignore\", reason = \"elsewhere\" }]\n\n[[test]]", "KEEP");
    let statements =
        statements.replace("expect = [{ do = \"ignore\", reason = \"elsewhere\" }]", "expect = [\"ignore\"]");
    let statements = statements.replace("KEEP", "[{ do = \"ignore\", reason = \"elsewhere\" }]\n\n[[test]]");
    assert_eq!(installation.read("rules/statements/10-default.toml")?, statements);
    Ok(())
}

#[test]
fn coverage_says_what_no_test_reaches() -> Result<()> {
    let installation = installation()?;
    let missed = |report: &Value| -> Vec<String> {
        let steps = report["coverage"].as_array().into_iter().flatten();
        let places = steps.flat_map(|step| step["places"].as_array().into_iter().flatten());
        let missed = places.filter(|place| place["reach"] == "missed");
        missed.filter_map(|place| Some(place["what"].as_str()?.to_owned())).collect()
    };
    let report = json(&installation, &["--coverage"])?;
    assert_eq!(missed(&report), ["rule \"regards\"", "field \"room\"", "statement \"orders\", else"], "{report}");
    let test = "\n[[test]]\nname = \"a lamp\"\nsubject = \"room 4\"\nexpect = [\"create-ticket\"]\n";
    installation.write("rules/statements/10-default.toml", &format!("{STATEMENTS}{test}"))?;
    let report = json(&installation, &["--coverage"])?;
    assert_eq!(missed(&report), ["rule \"regards\"", "field \"room\""], "{report}");
    let run = installation.mailmill(&["test", "--coverage", "rules/names.toml"])?.success()?;
    let expect = "names.toml  1 passed\npreprocess names: no test reaches rule \"regards\"\n\
                  coverage: 2 of 3 rules, fields and branches are reached\n1 test: 1 passed\n";
    assert_eq!(run.stdout, expect);
    Ok(())
}
