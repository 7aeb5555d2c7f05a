//! Choosing preprocessing steps: `mailmill rules`, what a running daemon makes of it, the kinds of cut of a job, and rules of
//! one's own with conditions and with patterns of other dialects.

use anyhow::{Context, Result, bail};
use mailmill_tests::records::{comments, tickets};
use mailmill_tests::{Daemon, Installation, messages};
use serde_json::Value;

/// Few steps, so that the tests do not change with those that are shipped.
const PIPELINE: &str = r#"
[[step]]
name = "forwards"
hop = "preprocess"
plugin = "reply"
rules = "preprocess/forwards.toml"
summary = "forwarded messages"

[[step]]
name = "quotes"
hop = "preprocess"
plugin = "reply"
rules = "quotes.toml"

[[step]]
name = "desk"
hop = "preprocess"
plugin = "reply"
rules = "desk.toml"
recommended = false

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

const QUOTES: &str = "# What a line such as\n# \"On … wrote:\" introduces.\n\nfind = ['quoted-lines']\n\n[attribution]\nen = ['On … wrote:']\n";
const DESK: &str =
    "# The footer of the desk.\n[[rule]]\nname = 'footer'\nkind = 'banner'\npattern = '(?m)^Ticket [0-9]+$'\n";
const NAMES: &str =
    "# Signatures.\n[[rule]]\nname = 'dashes'\nkind = 'signature'\npattern = '(?m)^-- $'\ncut = 'tail'\n";

/// A job's file as a careful person writes it.
const JOB: &str = r#"# The desk's mail.
[source]
type = "folder"
path = "../mail"   # dropped there by the gateway
settle_ms = 200

[schedule]
every = "1s"

[preprocess]
# Forwarded messages come first.
steps = [
    'forwards',
    "quotes", # most of them
]
kinds = ["quote"]
"#;

fn installation() -> Result<Installation> {
    let installation = Installation::new()?;
    installation.write("rules/pipeline.toml", PIPELINE)?;
    installation.write("rules/quotes.toml", QUOTES)?;
    installation.write("rules/desk.toml", DESK)?;
    installation.write("rules/names.toml", NAMES)?;
    installation.write("jobs/desk.toml", JOB)?;
    std::fs::create_dir_all(installation.path("mail"))?;
    Ok(installation)
}

/// Runs `mailmill rules …`; what it prints.
fn rules(installation: &Installation, arguments: &[&str]) -> Result<String> {
    Ok(installation.mailmill(&[&["rules"], arguments].concat())?.success()?.stdout)
}

/// Runs `mailmill rules …`, which must fail; what it says.
fn refused(installation: &Installation, arguments: &[&str]) -> Result<String> {
    let run = installation.mailmill(&[&["rules"], arguments].concat())?;
    if run.code != Some(1) {
        bail!("{arguments:?} ended with {:?}: {}{}", run.code, run.stdout, run.stderr);
    }
    Ok(run.stderr)
}

#[test]
fn steps_are_listed() -> Result<()> {
    let installation = installation()?;
    installation.write("jobs/other.toml", "[source]\ntype = \"folder\"\npath = \"../mail\"\n")?;
    insta::assert_snapshot!("rules-list", rules(&installation, &["list"])?);
    insta::assert_snapshot!("rules-list-of-a-job", rules(&installation, &["list", "desk"])?);

    let all: Value = serde_json::from_str(&rules(&installation, &["list", "--json"])?)?;
    let names: Vec<_> = all.as_array().context("a list")?.iter().map(|step| step["step"].clone()).collect();
    assert_eq!(names, ["forwards", "quotes", "desk", "names"]);
    assert_eq!(all[1]["jobs"], serde_json::json!(["desk"]));
    assert_eq!(all[2]["recommended"], false);
    let one: Value = serde_json::from_str(&rules(&installation, &["list", "desk", "--json"])?)?;
    let places: Vec<_> = one["steps"].as_array().context("a list")?.iter().map(|step| step["place"].clone()).collect();
    assert_eq!(places, [Value::from(1), Value::from(2), Value::Null, Value::Null]);
    assert_eq!(one["steps"][3]["kinds"], serde_json::json!(["signature"]));
    Ok(())
}

#[test]
fn a_job_is_changed_in_place() -> Result<()> {
    let installation = installation()?;
    let change = |arguments: &[&str], list: &str| -> Result<String> {
        let said = rules(&installation, arguments)?;
        let start = JOB.find("steps = [").context("a list")?;
        let end = JOB.find("kinds = ").context("kinds")?;
        let expect = format!("{}{list}{}", &JOB[..start], &JOB[end..]);
        assert_eq!(installation.read("jobs/desk.toml")?, expect, "{arguments:?}");
        installation.mailmill(&["check"])?.success()?;
        Ok(said)
    };
    let with = "steps = [\n    'forwards',\n    \"quotes\", # most of them\n    \"names\",\n]\n";
    let said = change(&["enable", "desk", "names"], with)?;
    insta::assert_snapshot!("rules-enable", said);
    let said = change(&["enable", "desk", "names"], with)?;
    assert_eq!(said, "nothing to change: job \"desk\" runs forwards, quotes, names\n");
    let before = "steps = [\n    \"names\",\n    'forwards',\n    \"quotes\", # most of them\n]\n";
    let said = change(&["move", "desk", "names", "--before", "forwards"], before)?;
    assert_eq!(said, "job \"desk\" now runs, in this order: names, forwards, quotes\n");
    let placed = "steps = [\n    \"names\",\n    \"desk\",\n    'forwards',\n    \"quotes\", # most of them\n]\n";
    change(&["enable", "desk", "desk", "--at", "2"], placed)?;
    let without = "steps = [\n    \"desk\",\n    \"quotes\", # most of them\n]\n";
    let said = change(&["disable", "desk", "names", "forwards"], without)?;
    assert_eq!(said, "disabled  names\ndisabled  forwards\njob \"desk\" runs desk, quotes\n");
    let preset = "steps = [\n    \"forwards\",\n    \"quotes\", # most of them\n    \"names\",\n    \"desk\",\n]\n";
    change(&["enable", "desk", "recommended"], preset)?;
    Ok(())
}

#[test]
fn a_dry_run_shows_the_difference() -> Result<()> {
    let installation = installation()?;
    let said = rules(&installation, &["move", "desk", "forwards", "--after", "quotes", "--dry-run"])?;
    insta::assert_snapshot!("rules-dry-run", said);
    assert_eq!(installation.read("jobs/desk.toml")?, JOB);
    Ok(())
}

#[test]
fn the_word_recommended_becomes_a_list() -> Result<()> {
    let installation = installation()?;
    let written = "[source]\ntype = \"folder\"\npath = \"../mail\"\n[preprocess]\nsteps = \"recommended\" # for now\n";
    installation.write("jobs/desk.toml", written)?;
    let listed = rules(&installation, &["list", "desk"])?;
    assert!(listed.contains("its file says steps = \"recommended\""), "{listed}");
    rules(&installation, &["enable", "desk", "recommended"])?;
    assert_eq!(installation.read("jobs/desk.toml")?, written, "it runs these already");
    let said = rules(&installation, &["disable", "desk", "forwards"])?;
    assert!(said.contains("note: its file said steps = \"recommended\" and lists its steps now"), "{said}");
    let expect = written.replace("\"recommended\"", "[\"quotes\", \"names\"]");
    assert_eq!(installation.read("jobs/desk.toml")?, expect);
    Ok(())
}

#[test]
fn what_cannot_be_done_is_said() -> Result<()> {
    let installation = installation()?;
    let check = |arguments: &[&str], expect: &str| -> Result<()> {
        assert_eq!(refused(&installation, arguments)?, format!("error: {expect}\n"), "{arguments:?}");
        Ok(())
    };
    check(&["enable", "desk", "qoutes"], "there is no preprocess step \"qoutes\"; did you mean `quotes`?")?;
    check(
        &["disable", "desk", "xyz"],
        "there is no preprocess step \"xyz\"; there are: forwards, quotes, desk, names",
    )?;
    check(&["move", "desk", "names", "--at", "1"], "the step \"names\" is not enabled; there are: forwards, quotes")?;
    check(&["enable", "dsk", "names"], "there is no job \"dsk\" in the folder [DIR]/jobs; did you mean `desk`?")?;
    assert_eq!(installation.mailmill(&["rules", "move", "desk", "quotes"])?.code, Some(2), "where to is to be said");
    let both = ["rules", "enable", "desk", "names", "--at", "1", "--before", "quotes"];
    assert_eq!(installation.mailmill(&both)?.code, Some(2), "one place only");
    assert_eq!(installation.read("jobs/desk.toml")?, JOB);

    installation.edit("jobs/desk.toml", "[\"quote\"]", "[\"qoute\"]")?;
    assert_eq!(installation.mailmill(&["rules", "enable", "desk", "names"])?.code, Some(3), "its file has errors");
    Ok(())
}

#[test]
fn a_running_daemon_takes_it_up_at_once() -> Result<()> {
    let installation = installation()?;
    let mut daemon = Daemon::start(&installation, &[])?;
    daemon.wait_for("the start", 0, |line| line.contains("mailmill is running"))?;
    let send = |daemon: &mut Daemon, name: &str, message: &str| -> Result<()> {
        let skip = daemon.log_length();
        installation.write(&format!("mail/{name}.eml"), message)?;
        daemon.wait_for("the message handled", skip, |line| line.contains("message handled")).map(drop)
    };
    let change = |daemon: &mut Daemon, arguments: &[&str]| -> Result<()> {
        let skip = daemon.log_length();
        rules(&installation, arguments)?;
        let taken = "the job starts with new settings";
        daemon.wait_for(taken, skip, |line| line.contains(taken)).map(drop)
    };
    let reply =
        |number: usize| messages::reply(1, "ann@client.example").replace("reply-1-", &format!("reply-1-{number}-"));
    send(&mut daemon, "1", &messages::request(1, "ann@client.example"))?;
    send(&mut daemon, "2", &reply(2))?;
    change(&mut daemon, &["disable", "desk", "quotes", "forwards"])?;
    send(&mut daemon, "3", &reply(3))?;
    change(&mut daemon, &["enable", "desk", "recommended"])?;
    send(&mut daemon, "4", &reply(4))?;
    assert!(daemon.terminate()?.success(), "{}", daemon.log());

    let ticket = tickets(&installation)?.into_iter().next().context("a ticket")?;
    let quoted: Vec<bool> =
        comments(&installation, &ticket.number)?.iter().map(|text| text.contains("> This is request")).collect();
    assert_eq!(quoted, [false, true, false], "cut, then kept, then cut again");
    Ok(())
}

const SIGNED: &str = "It works.\n\n-- \nAnn Lee\n\nOn 12/01/2026 09:00, Help wrote:\n> Does it work?\n";

/// A message of Ann's with that body; `extra` are header fields, each with its line end.
fn message(id: &str, extra: &str, body: &str) -> String {
    format!(
        "From: Ann Lee <ann@client.example>\nTo: desk@desk.example\nDate: Mon, 12 Jan 2026 12:00:00 +0000\n\
         Message-ID: <{id}@client.example>\n{extra}MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n\n{body}"
    )
}

/// What `mailmill try` reports of a message.
fn tried(installation: &Installation, job: &str, message: &str) -> Result<Value> {
    installation.write("try.eml", message)?;
    let run = installation.mailmill(&["try", "--json", "--job", job, "try.eml"])?.success()?;
    let tried: Value = serde_json::from_str(&run.stdout)?;
    tried.get("report").cloned().context("it has a report")
}

fn left(report: &Value) -> String {
    report.pointer("/body/left").and_then(serde_json::Value::as_str).unwrap_or_default().trim_end().to_owned()
}

#[test]
fn each_job_has_its_kinds() -> Result<()> {
    let installation = installation()?;
    let quote = "On 12/01/2026 09:00, Help wrote:\n> Does it work?";
    let check = |kinds: &str, expect: &str| -> Result<()> {
        let steps = "steps = [\"quotes\", \"names\"]\napply_to = \"all\"";
        let source = "[source]\ntype = \"folder\"\npath = \"../mail\"";
        installation.write("jobs/kinds.toml", &format!("{source}\n[preprocess]\n{steps}\n{kinds}\n"))?;
        assert_eq!(left(&tried(&installation, "kinds", &message("1", "", SIGNED))?), expect, "{kinds:?}");
        Ok(())
    };
    check("", "It works.\n\n-- \nAnn Lee")?;
    check("kinds = [\"quote\"]", "It works.\n\n-- \nAnn Lee")?;
    check("kinds = [\"quote\", \"signature\"]", "It works.")?;
    check("kinds = [\"signature\"]", &format!("It works.\n\n{quote}"))?;
    check("kinds = [\"banner\"]", SIGNED.trim_end())?;
    check("kinds = []", SIGNED.trim_end())
}

#[test]
fn only_follow_ups_of_active_tickets_are_cleaned_by_default() -> Result<()> {
    let installation = installation()?;
    installation.write(
        "rules/statements/05-close.toml",
        "[[statement]]\nname = \"close\"\nif = 'subject contains \"done\" and ticket is not blank'\n\
         then = [{ do = \"set-status\", status = \"closed\" }]\nstop = true\n",
    )?;
    let whole = SIGNED.trim_end();
    let cut = "It works.\n\n-- \nAnn Lee";
    let skipped = "the job cleans follow-ups of active tickets only, and this is none";
    let check = |references: &str, expect: &str, skipped: Value| -> Result<()> {
        let report = tried(&installation, "desk", &message("new", references, SIGNED))?;
        assert_eq!((left(&report).as_str(), &report["body"]["skipped"]), (expect, &skipped), "{references}");
        Ok(())
    };
    let reply = "In-Reply-To: <first@client.example>\nSubject: Re: Lamp\n";
    check("", whole, skipped.into())?;
    installation.write("mail/1.eml", &message("first", "Subject: Lamp\n", "The lamp is broken.\n"))?;
    installation.mailmill(&["run", "--once"])?.success()?;
    check(reply, cut, Value::Null)?;

    installation.write("mail/2.eml", &message("second", &reply.replace("Lamp", "Lamp done"), "Thanks.\n"))?;
    installation.mailmill(&["run", "--once"])?.success()?;
    assert_eq!(tickets(&installation)?[0].status, "closed");
    check(reply, whole, skipped.into())?;

    installation.edit("jobs/desk.toml", "kinds =", "apply_to = \"all\"\nkinds =")?;
    check(reply, cut, Value::Null)?;
    check("", cut, Value::Null)
}

#[test]
fn a_rule_of_ones_own_has_conditions() -> Result<()> {
    let installation = installation()?;
    installation.write(
        "rules/desk.toml",
        "[[rule]]\nname = 'footer'\nkind = 'banner'\npattern = '(?m)^Ticket [0-9]+$'\n\
         clients = ['thunderbird', 'gmail']\nfrom = '@client\\.example>$'\nto = '(?i)^desk@'\nsubject = 'Lamp'\n\
         headers = { X-Desk = '^[0-9]+$', 'X-Other' = '' }\n",
    )?;
    installation.edit("jobs/desk.toml", "kinds = [\"quote\"]", "kinds = [\"banner\"]\napply_to = \"all\"")?;
    rules(&installation, &["enable", "desk", "desk"])?;
    let all = "Subject: Lamp\nUser-Agent: Mozilla Thunderbird\nX-Desk: 42\nX-Other: yes\n";
    let check = |old: &str, new: &str, expect: &str| -> Result<()> {
        let extra = all.replace(old, new);
        let message = message("1", &extra, "It works.\nTicket 4711\n")
            .replace("ann@client.example", if old == "ann" { new } else { "ann@client.example" });
        assert_eq!(left(&tried(&installation, "desk", &message)?), expect, "{extra}");
        Ok(())
    };
    check("", "", "It works.")?;
    let kept = "It works.\nTicket 4711";
    check("Mozilla Thunderbird", "Mutt", kept)?;
    check("Lamp", "Light", kept)?;
    check("42", "none", kept)?;
    check("X-Other: yes\n", "", kept)?;
    check("ann", "ann@other.example", kept)
}

/// Looks ahead and back; on a long run of the letter `a` it backtracks without end.
const OTHER_DIALECT: &str = "
[[rule]]
name = 'from elsewhere'
kind = 'banner'
pattern = '(?m)^Ref (a+)+(?=x)\\1'

[[rule]]
name = 'from here'
kind = 'banner'
pattern = '(?m)^Ticket [0-9]+(?=\\n|$)'
";

#[test]
fn a_pattern_of_another_dialect_is_warned_of_and_bounded() -> Result<()> {
    let installation = installation()?;
    installation.write("rules/desk.toml", &format!("{DESK}{OTHER_DIALECT}"))?;
    installation.write(
        "rules/statements/05-other.toml",
        "[[statement]]\nname = \"other\"\nif = 'subject matches /(?<=a\\/)b/'\nthen = []\n",
    )?;
    installation.edit("jobs/desk.toml", "kinds = [\"quote\"]", "kinds = [\"banner\"]\napply_to = \"all\"")?;
    rules(&installation, &["enable", "desk", "desk"])?;
    let run = installation.mailmill(&["check"])?.success()?;
    insta::assert_snapshot!("check-of-another-dialect", run.stderr);

    let report = tried(&installation, "desk", &message("1", "", "Hello.\nTicket 1\nRef aaxaa\n"))?;
    assert_eq!(left(&report), "Hello.\n\nRef aaxaa");
    assert_eq!(report["warnings"], serde_json::json!([]));
    let unlucky = format!("Hello.\nTicket 1\nRef {}\n", "a".repeat(200));
    let report = tried(&installation, "desk", &message("1", "", &unlucky))?;
    assert_eq!(left(&report), format!("Hello.\n\nRef {}", "a".repeat(200)), "the other rules cut all the same");
    insta::assert_snapshot!("a-pattern-given-up", report["warnings"].to_string());
    Ok(())
}

#[test]
fn a_pattern_given_up_in_a_statement_is_a_matter_for_people() -> Result<()> {
    let installation = installation()?;
    installation.write(
        "rules/statements/05-other.toml",
        "[[statement]]\nname = \"other\"\nif = 'body matches /(a+)+(?=x)\\1/'\nthen = []\n",
    )?;
    let report = tried(&installation, "desk", &message("1", "", &"a".repeat(200)))?;
    insta::assert_snapshot!(
        "a-pattern-given-up-in-a-statement",
        report.get("quarantine").context("it is quarantined")?.to_string()
    );
    Ok(())
}
