//! What a user reads when something is wrong, word for word; and that nothing was lost or half-done.

use anyhow::Result;
use mailmill_tests::records::{quarantine, receipts, tickets};
use mailmill_tests::{Daemon, Dovecot, Installation, messages, steady};

const STATEMENTS: &str = "rules/statements/10-default.toml";

/// Makes one change to one file of a sound installation and gives what `check` says; the daemon must refuse the same.
fn check(file: &str, change: impl FnOnce(String) -> String) -> Result<String> {
    let installation = Installation::new()?;
    installation.add_folder_job("folder")?;
    installation.write("mail/1.eml", &messages::request(1, "ann@client.example"))?;
    let sound = installation.read(file)?;
    let broken = change(sound.clone());
    assert_ne!(sound, broken, "the change changes nothing");
    installation.write(file, &broken)?;

    let run = installation.mailmill(&["check"])?;
    assert_eq!((run.code, run.stdout.as_str()), (Some(3), ""), "{}", run.stderr);
    let daemon = installation.mailmill(&["run", "--once"])?;
    assert_eq!(daemon.code, Some(3), "{}", daemon.stderr);

    installation.write(file, &sound)?;
    installation.mailmill(&["run", "--once"])?.success()?;
    assert_eq!(tickets(&installation)?.len(), 1, "the message waited for rules that are sound");
    Ok(steady(&run.stderr, &[]))
}

#[test]
fn bad_toml() -> Result<()> {
    insta::assert_snapshot!(check("rules/fields.toml", |text| format!("{text}\n[[field]\nname = \"x\"\n"))?);
    Ok(())
}

#[test]
fn bad_pattern() -> Result<()> {
    let rule = "\n[[rule]]\nname = 'never closed'\nkind = 'quote'\npattern = '(?m)^On (.*'\ncut = 'quote'\n";
    insta::assert_snapshot!(check("rules/preprocess/gmail.toml", |text| text.replacen(
        "\n[[rule]]",
        &format!("{rule}\n[[rule]]"),
        1
    ))?);
    Ok(())
}

#[test]
fn unknown_verb() -> Result<()> {
    insta::assert_snapshot!(check(STATEMENTS, |text| text.replacen(
        "do = \"create-ticket\"",
        "do = \"creat-ticket\"",
        1
    ))?);
    Ok(())
}

#[test]
fn unknown_class() -> Result<()> {
    insta::assert_snapshot!(check(STATEMENTS, |text| text.replacen(
        "class = \"incident\" }]",
        "class = \"incidnt\" }]",
        1
    ))?);
    Ok(())
}

#[test]
fn wrong_types_in_statements() -> Result<()> {
    let statement = r#"
[[statement]]
name = "of wrong types"
if = 'priority contains "1" and subject > 3'
then = [
    { if = 'received is before "tomorrow"', then = [] },
    { if = 'sender is in domain "ann@example.org" or has attachment of type "pdf"', then = [] },
    { if = 'priority is 100 EUR', then = [{ do = "set-field", field = "x", integer = "{{ subject }}" }] },
]
"#;
    insta::assert_snapshot!(check(STATEMENTS, |text| format!("{text}{statement}"))?);
    Ok(())
}

#[test]
fn wrong_values_in_fields() -> Result<()> {
    let fields = r#"
[[field]]
name = "due"
type = "date"
from = "attachment.names"
time_zone = "Europe/Berln"

[[field]]
name = "ticket"
type = "currency"
currency = "Euro"
locale = "german"
from = "body"
default = "much"

[[pattern]]
from = "subject"
pattern = '(?<order_no>\d+)'

[[pattern.field]]
name = "order-number"
"#;
    insta::assert_snapshot!(check("rules/fields.toml", |text| format!("{text}{fields}"))?);
    Ok(())
}

#[test]
fn unknown_plugin() -> Result<()> {
    insta::assert_snapshot!(check("rules/pipeline.toml", |text| text.replacen(
        "plugin = \"reply\"",
        "plugin = \"rpely\"",
        1
    ))?);
    Ok(())
}

#[test]
fn unknown_setting() -> Result<()> {
    insta::assert_snapshot!(check("jobs/folder.toml", |text| text.replace("steps =", "step ="))?);
    Ok(())
}

#[test]
fn a_rule_that_fails_its_own_test() -> Result<()> {
    insta::assert_snapshot!(check(STATEMENTS, |text| text.replacen("class = \"incident\"", "class = \"problem\"", 1))?);
    Ok(())
}

#[test]
fn what_cannot_run_is_reported_at_once() -> Result<()> {
    let installation = Installation::new()?;
    let run = installation.mailmill(&["check"])?;
    assert_eq!(run.code, Some(3), "no job");
    insta::assert_snapshot!("check-without-a-job", steady(&run.stderr, &[]));

    installation.write(
        "jobs/desk.toml",
        "[source]\ntype = \"imap\"\nhost = \"localhost\"\nuser = \"desk\"\n\
         password = { env = \"MAILMILL_TEST_NO_SUCH_VARIABLE\" }\nca_file = \"no-such-ca.pem\"\n\
         [preprocess]\nsteps = [\"gmail\", \"outlok\"]\n",
    )?;
    installation.write(
        "jobs/file.toml",
        "[source]\ntype = \"imap\"\nhost = \"localhost\"\nuser = \"desk\"\npassword = { file = \"no-such-file\" }\n",
    )?;
    installation.write(
        "jobs/kinds.toml",
        "[source]\ntype = \"folder\"\npath = \"..\"\n[preprocess]\nkinds = [\"quote\", \"signatur\"]\n",
    )?;
    installation.write("jobs/mail.toml", "[source]\ntype = \"maildir\"\npath = \"no-such-folder\"\n")?;
    let settings = installation.read("mailmill.toml")?;
    installation
        .write("mailmill.toml", &format!("{settings}\n[thread]\nprefix = \"\"\n\n[limits]\nworkers = \"many\"\n"))?;
    let run = installation.mailmill(&["check"])?;
    assert_eq!(run.code, Some(3));
    insta::assert_snapshot!("check-of-what-cannot-run", steady(&run.stderr, &[]));
    Ok(())
}

#[test]
fn a_misspelt_key_of_a_test() -> Result<()> {
    insta::assert_snapshot!(check("rules/fields.toml", |text| format!(
        "{text}\n[[test]]\nname = \"typo\"\nbdy = \"x\"\nexpect = {{}}\n"
    ))?);
    Ok(())
}

#[test]
fn wrong_password() -> Result<()> {
    let server = Dovecot::start()?;
    let mut mailbox = server.mailbox("desk")?;
    mailbox.deliver(&messages::request(1, "ann@client.example"))?;
    let installation = Installation::new()?;
    installation.add_imap_job("desk", &server, "desk")?;
    installation.write("password", "not the password")?;

    for arguments in [&["run", "--once"][..], &["test-connection", "desk"]] {
        let run = installation.mailmill(arguments)?;
        assert_eq!(run.code, Some(1), "{}", run.stderr);
        let shown = steady(&format!("{}{}", run.stdout, run.stderr), &[server.imaps]);
        assert!(!shown.contains("not the password"), "the password is shown:\n{shown}");
        insta::assert_snapshot!(format!("wrong-password-{}", arguments.join("-")), shown);
    }
    assert_eq!(mailbox.seen()?, 0);

    installation.write("password", Dovecot::PASSWORD)?;
    installation.mailmill(&["run", "--once"])?.success()?;
    assert_eq!((tickets(&installation)?.len(), mailbox.seen()?), (1, 1));
    Ok(())
}

#[test]
fn unreachable_host() -> Result<()> {
    let mut server = Dovecot::start()?;
    server.mailbox("desk")?.deliver(&messages::request(1, "ann@client.example"))?;
    let installation = Installation::new()?;
    installation.add_imap_job("desk", &server, "desk")?;
    server.stop()?;

    for arguments in [&["run", "--once"][..], &["test-connection", "desk"]] {
        let run = installation.mailmill(arguments)?;
        assert_eq!(run.code, Some(1), "{}", run.stderr);
        let shown = format!("{}{}", run.stdout, run.stderr);
        insta::assert_snapshot!(format!("unreachable-host-{}", arguments.join("-")), steady(&shown, &[server.imaps]));
    }

    server.start_again()?;
    installation.mailmill(&["run", "--once"])?.success()?;
    assert_eq!(tickets(&installation)?.len(), 1);
    Ok(())
}

#[test]
fn a_certificate_of_an_authority_that_is_not_trusted() -> Result<()> {
    let server = Dovecot::start()?;
    let installation = Installation::new()?;
    installation.add_imap_job("desk", &server, "desk")?;
    let job = installation.read("jobs/desk.toml")?;
    let lines = job.lines().filter(|line| !line.starts_with("ca_file"));
    installation.write("jobs/desk.toml", &lines.collect::<Vec<_>>().join("\n"))?;
    let run = installation.mailmill(&["test-connection", "desk"])?;
    assert_eq!(run.code, Some(1));
    insta::assert_snapshot!(steady(&format!("{}{}", run.stdout, run.stderr), &[server.imaps]));
    Ok(())
}

#[test]
fn a_port_that_speaks_no_tls() -> Result<()> {
    let server = Dovecot::start()?;
    let installation = Installation::new()?;
    installation.add_imap_job("desk", &server, "desk")?;
    let job = installation.read("jobs/desk.toml")?;
    installation.write("jobs/desk.toml", &job.replace(&server.imaps.to_string(), &server.imap.to_string()))?;
    let run = installation.mailmill(&["test-connection", "desk"])?;
    assert_eq!(run.code, Some(1));
    insta::assert_snapshot!(steady(&format!("{}{}", run.stdout, run.stderr), &[server.imap]));
    Ok(())
}

#[test]
fn a_message_of_nothing_but_noise_is_recorded() -> Result<()> {
    let installation = Installation::new()?;
    installation.add_folder_job("folder")?;
    let noise: Vec<u8> =
        (0..50_000_u32).map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()).map(|bytes| bytes[0]).collect();
    std::fs::write(installation.path("mail/noise.eml"), &noise)?;
    std::fs::write(installation.path("mail/empty.eml"), b"")?;
    installation.write("mail/sound.eml", &messages::request(1, "ann@client.example"))?;
    installation.mailmill(&["run", "--once"])?.success()?;
    assert_eq!(receipts(&installation)?.len(), 3);
    assert!(installation.path("mail/noise.eml").exists(), "the file stays");
    Ok(())
}

#[test]
fn a_message_that_cannot_be_read_keeps_no_other_one_back() -> Result<()> {
    let installation = Installation::new()?;
    installation.add_folder_job("folder")?;
    std::os::unix::fs::symlink("/nowhere", installation.path("mail/dangling.eml"))?;
    std::fs::create_dir(installation.path("mail/folder.eml"))?;
    installation.write("mail/sound.eml", &messages::request(1, "ann@client.example"))?;
    let run = installation.mailmill(&["run", "--once"])?;
    assert_eq!(tickets(&installation)?.len(), 1, "{}", run.stderr);
    Ok(())
}

#[test]
fn a_message_that_is_too_large_is_fetched_once_the_limit_is_raised() -> Result<()> {
    let installation = Installation::new()?;
    installation.add_folder_job("folder")?;
    let job = installation.read("jobs/folder.toml")?;
    installation.write("jobs/folder.toml", &format!("{job}\n[limits]\nmessage_bytes_max = 2000\n"))?;
    let large = format!("{}{}", messages::request(1, "ann@client.example"), "A long line.\n".repeat(500));
    installation.write("mail/large.eml", &large)?;
    installation.write("mail/small.eml", &messages::request(2, "ann@client.example"))?;
    installation.mailmill(&["run", "--once"])?.success()?;
    assert_eq!(tickets(&installation)?.len(), 1);
    let waiting = quarantine(&installation)?;
    assert!(waiting[0].cause.contains("raise it"), "{}", waiting[0].cause);

    installation.write("jobs/folder.toml", &job)?;
    installation.mailmill(&["quarantine", "release", &waiting[0].id])?.success()?;
    installation.mailmill(&["run", "--once"])?.success()?;
    assert_eq!((tickets(&installation)?.len(), quarantine(&installation)?.len()), (2, 0));
    Ok(())
}

#[test]
fn a_server_that_never_greets_does_not_keep_the_daemon_from_stopping() -> Result<()> {
    let installation = Installation::new()?;
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port();
    installation.write("password", "secret")?;
    let password = installation.path("password");
    installation.write(
        "jobs/desk.toml",
        &format!(
            "[source]\ntype = \"imap\"\nhost = \"127.0.0.1\"\nport = {port}\nsecurity = \"none\"\nuser = \"desk\"\n\
             password = {{ file = '{}' }}\nmailbox = \"INBOX\"\n\n[schedule]\nevery = \"1s\"\n",
            password.display()
        ),
    )?;
    let mut daemon = Daemon::start(&installation, &[])?;
    let connection = listener.accept()?;
    let asked = std::time::Instant::now();
    assert!(daemon.terminate()?.success(), "{}", daemon.log());
    assert!(asked.elapsed() < std::time::Duration::from_secs(5), "it waited for the greeting:\n{}", daemon.log());
    drop(connection);
    Ok(())
}

#[test]
fn a_daemon_without_a_job_says_so() -> Result<()> {
    let installation = Installation::new()?;
    let run = installation.mailmill(&["run"])?;
    assert_eq!(run.code, Some(1));
    insta::assert_snapshot!(steady(&run.stderr, &[]));
    Ok(())
}
