//! The four security modes against a real server, whatever it does about TLS itself.

use anyhow::{Context, Result};
use mailmill_tests::servers::{Protocol, Server, Tls};
use mailmill_tests::{Dovecot, Installation, messages};
use serde_json::Value;

const MODES: [&str; 4] = ["none", "starttls-if-available", "starttls", "tls"];

/// A job for an endpoint of the server.
fn write_job(installation: &Installation, server: &Dovecot, tls: Tls, settings: &str) -> Result<()> {
    let endpoint = server.endpoint(Protocol::Imap, tls);
    installation.write("password", Dovecot::PASSWORD)?;
    installation.write(
        "jobs/desk.toml",
        &format!(
            "[source]\ntype = \"imap\"\nexisting_mail = \"handle\"\nhost = \"{}\"\nport = {}\nuser = \"desk\"\n\
             password = {{ file = '{}' }}\n{settings}\n[preprocess]\nsteps = \"recommended\"\napply_to = \"all\"\n",
            endpoint.host,
            endpoint.port,
            installation.path("password").display()
        ),
    )
}

fn test_connection(installation: &Installation) -> Result<Value> {
    let run = installation.mailmill(&["test-connection", "desk", "--json"])?;
    serde_json::from_str(&run.stdout).with_context(|| format!("{}{}", run.stdout, run.stderr))
}

/// Whether the connection was secured, with a word for a warning; or a word of the fault.
fn outcome(told: &Value) -> String {
    let steps = told["steps"].as_array().map(Vec::as_slice).unwrap_or_default();
    let secured = steps
        .iter()
        .any(|step| step["step"] == "tls" && step.pointer("/details/version").is_some_and(Value::is_string));
    let warned = told["warnings"].as_array().is_some_and(|warnings| !warnings.is_empty());
    match told["fault"].as_str() {
        Some(fault) => fault.to_owned(),
        None => format!("{}{}", if secured { "secured" } else { "plain" }, if warned { ", warned" } else { "" }),
    }
}

#[test]
fn each_mode_meets_each_server() -> Result<()> {
    let server = Dovecot::start()?;
    let installation = Installation::new()?;
    let ca_file = format!("ca_file = '{}'\n", server.authority().display());
    let not_tls = "does not speak TLS from the first byte: set security = \"starttls\"";
    let stripped = "it does not offer STARTTLS; either it is switched off there, or someone on the way has removed it";
    let expect = [
        (Tls::Absent, ["plain", "plain, warned", stripped, not_tls]),
        (Tls::Offered, ["plain, warned", "secured", "secured", not_tls]),
        (Tls::Required, ["", "secured", "secured", not_tls]),
        (Tls::Implicit, ["speaks TLS from the first byte: set security = \"tls\"", "", "", "secured"]),
    ];
    for (tls, expect) in expect {
        for (mode, expect) in MODES.into_iter().zip(expect) {
            write_job(&installation, &server, tls, &format!("security = \"{mode}\"\n{ca_file}"))?;
            if !expect.is_empty() {
                let found = outcome(&test_connection(&installation)?);
                assert!(found == expect || found.contains(expect) && expect.contains(' '), "{tls:?} {mode}: {found}");
            }
        }
    }
    Ok(())
}

#[test]
fn what_is_not_safe_is_said_in_the_log_and_in_the_report() -> Result<()> {
    let server = Dovecot::start()?;
    let installation = Installation::new()?;
    let mut mailbox = server.mailbox("desk")?;
    let check = |tls, settings: &str, expect: &str| -> Result<()> {
        write_job(&installation, &server, tls, settings)?;
        let told = test_connection(&installation)?;
        let warning = told["warnings"][0].as_str().with_context(|| told.to_string())?.to_owned();
        assert!(warning.contains(expect), "{warning}");
        let run = installation.mailmill(&["run", "--once"])?.success()?;
        assert_eq!(run.stderr.matches(expect).count(), 1, "{}", run.stderr);
        let log: Value = serde_json::from_str(&installation.mailmill(&["log", "--json"])?.success()?.stdout)?;
        assert!(log.to_string().contains(&format!("warning: {}", warning.replace('"', "\\\""))), "{log}");
        Ok(())
    };
    mailbox.deliver(&messages::request(1, "ann@client.example"))?;
    check(Tls::Absent, "security = \"starttls-if-available\"", "stays in plain text")?;
    mailbox.deliver(&messages::request(3, "ann@client.example"))?;
    check(Tls::Offered, "security = \"none\"", "wants it so, although the server offers STARTTLS")?;
    mailbox.deliver(&messages::request(2, "ann@client.example"))?;
    check(Tls::Implicit, "security = \"tls\"\nreject_invalid_certificates = false", "is not known here")
}
