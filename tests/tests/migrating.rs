//! The job that `docs/migrating.md` rebuilds: exactly its files, with mail from a real server.

use anyhow::{Context, Result};
use mailmill_tests::records::{comments, tickets};
use mailmill_tests::{Dovecot, Installation, Mailbox};
use serde_json::Value;
use std::path::Path;

const USER: &str = "support";

/// An installation with the files of the page; of the server, it has the address of the test's own.
fn installation(server: &Dovecot) -> Result<Installation> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/migrating.md");
    let page = std::fs::read_to_string(&page)?;
    let installation = Installation::new()?;
    let blocks = page.split("```toml\n").skip(1).filter_map(|rest| Some(rest.split_once("```")?.0));
    let mut files = Vec::new();
    for block in blocks {
        let file = block.lines().next().and_then(|line| line.strip_prefix("# "));
        let file = file.with_context(|| format!("this block does not begin with the name of its file:\n{block}"))?;
        installation.write(file, block)?;
        files.push(file.to_owned());
    }
    let expect = [
        "jobs/support.toml",
        "mailmill.toml",
        "rules/classes.toml",
        "rules/fields.toml",
        "rules/statements/10-default.toml",
    ];
    assert_eq!(files, expect);
    let (port, authority) = (server.imaps, server.certificates.authority.display());
    let address = format!("host = \"127.0.0.1\"\nport = {port}\nca_file = '{authority}'");
    installation.edit("jobs/support.toml", "host = \"mail.example.com\"", &address)?;
    installation.write("jobs/support.password", Dovecot::PASSWORD)?;
    Ok(installation)
}

struct Scene {
    installation: Installation,
    mailbox: Mailbox,
}

impl Scene {
    /// Delivers a message and has it handled.
    fn receive(&mut self, from: &str, to: &str, subject: &str, body: &str) -> Result<()> {
        let id = format!("<{}@client.example>", subject.len() * 1000 + body.len());
        let message = format!(
            "From: {from}\r\nTo: {to}\r\nSubject: {subject}\r\nMessage-ID: {id}\r\nDate: Sat, 31 Jan 2026 10:00:00 +0000\r\n\r\n{body}\r\n"
        );
        self.mailbox.deliver(&message)?;
        self.installation.mailmill(&["run", "--once"])?.success().map(drop)
    }

    /// One ticket with all that is on it.
    fn shown(&self, number: &str) -> Result<Value> {
        let run = self.installation.mailmill(&["ticket", "show", number, "--json"])?.success()?;
        Ok(serde_json::from_str(&run.stdout)?)
    }
}

#[test]
fn the_job_of_migrating_md_works_as_it_did_there() -> Result<()> {
    let server = Dovecot::start()?;
    let mailbox = server.mailbox(USER)?;
    let mut scene = Scene { installation: installation(&server)?, mailbox };
    let check = scene.installation.mailmill(&["check"])?.success()?;
    assert_eq!(check.stderr, "", "no warnings");

    // ELSE: a new message is an incident; its sender is known from now on, who else was written to takes part.
    let ann = "Ann Lee <ann@client.example>";
    let to = "support@example.com, Bo <bo@client.example>";
    scene.receive(ann, to, "URGENT: chair", "It broke.\r\nAsset: PC-4711\r\nCost: $1,250.00")?;
    let ticket = scene.shown("T00001")?;
    assert_eq!((&ticket["class"], &ticket["status"]), (&"incident".into(), &"new".into()));
    assert_eq!(ticket["requester"]["name"], "Ann Lee");
    assert_eq!(ticket["participants"], serde_json::json!([{ "name": "Bo", "email": "bo@client.example" }]));
    assert_eq!(ticket["assignment"]["group"], "First aid");
    assert_eq!(ticket["fields"][0]["name"], "asset");
    assert_eq!(scene.mailbox.seen()?, 1, "the message is marked as read");

    // IF ObjectRef is not blank: the tag in the subject, in any case and with blanks.
    scene.receive(ann, "support@example.com", "Re: chair MESSAGEid: t00001 #", "It is worse.")?;
    assert_eq!(comments(&scene.installation, "T00001")?, ["It is worse."]);
    assert_eq!(tickets(&scene.installation)?.len(), 1);
    Ok(())
}

/// The IF and ELSE IF of each class, with a ticket of it. That a desk makes such tickets by hand is played by a statement
/// that stands before those of the page.
#[test]
fn every_class_of_migrating_md_has_its_branch() -> Result<()> {
    let server = Dovecot::start()?;
    let mailbox = server.mailbox(USER)?;
    let mut scene = Scene { installation: installation(&server)?, mailbox };
    let classes = [
        ("incident", "T", "open", "Any news?"),
        ("change-request", "CR", "open", "Any news?"),
        ("problem", "P", "open", "Any news?"),
        ("work-order", "WO", "open", "done"),
        ("service-request", "SR", "pending", "Any news?"),
        ("purchase-order", "PO", "open", "Cost: $12.50"),
        ("approval-request", "AR", "open", "Approved."),
    ];
    let branches: Vec<String> = classes
        .iter()
        .map(|(class, _, status, _)| {
            format!("[[statement]]\nname = \"{class}\"\nif = 'subject is \"new {class}\"'\nthen = [{{ do = \"create-ticket\", class = \"{class}\", status = \"{status}\" }}]\nstop = true\n")
        })
        .collect();
    scene.installation.write("rules/statements/05-by-hand.toml", &branches.concat())?;
    let ann = "Ann Lee <ann@client.example>";
    for (class, prefix, _, answer) in classes {
        scene.receive(ann, "support@example.com", &format!("new {class}"), "Please.")?;
        let subject = format!("Re: MessageID:{prefix}00001# {answer}");
        scene.receive(ann, "support@example.com", &subject, answer)?;
    }
    let shown = |prefix: &str| -> Result<(String, String, String)> {
        let ticket = scene.shown(&format!("{prefix}00001"))?;
        let comment = &ticket["comments"][0];
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        Ok((text(&ticket["status"]), text(&comment["visibility"]), text(&ticket["assignment"]["group"])))
    };
    let check = |prefix: &str, status: &str, visibility: &str, group: &str| -> Result<()> {
        assert_eq!(shown(prefix)?, (status.to_owned(), visibility.to_owned(), group.to_owned()), "{prefix}");
        Ok(())
    };
    check("T", "open", "public", "")?;
    check("CR", "open", "public", "Change board")?;
    check("P", "open", "internal", "")?;
    check("WO", "closed", "public", "")?;
    check("SR", "open", "public", "")?;
    check("PO", "open", "public", "")?;
    check("AR", "approved", "internal", "")?;
    assert_eq!(
        scene.shown("PO00001")?["fields"][0]["value"],
        serde_json::json!({ "type": "currency", "value": { "amount": { "units": 1250, "scale": 2 }, "currency": "USD" } })
    );
    assert_eq!(tickets(&scene.installation)?.len(), classes.len(), "no answer made a ticket");

    // Its life is over: InactiveObjectRef, so a new incident.
    scene.receive(ann, "support@example.com", "Re: MessageID:WO00001#", "Once more.")?;
    let latest = scene.shown("T00002")?;
    assert_eq!((&latest["class"], &latest["subject"]), (&"incident".into(), &"Re: MessageID:WO00001#".into()));
    Ok(())
}
