//! Who may follow up a ticket: whatever is forged, no ticket changes.

use anyhow::{Context, Result};
use mailmill_tests::records::{Ticket, comments, quarantine, receipts, tickets};
use mailmill_tests::{Installation, steady};

const REQUESTER: &str = "Ann Lee <ann@client.example>";

/// An installation whose ticket T00001 was opened by Ann, with Bo on the mail.
fn desk(settings: &str) -> Result<Installation> {
    let installation = Installation::new()?;
    installation.add_folder_job("desk")?;
    let job = installation.read("jobs/desk.toml")?;
    installation.write("jobs/desk.toml", &format!("{job}\n{settings}"))?;
    let cc = "Cc: Bo <bo@client.example>\n";
    handle(
        &installation,
        "first",
        &mail(REQUESTER, "The lamp is broken", &format!("{cc}Message-ID: <first@client.example>")),
    )?;
    Ok(installation)
}

/// Says which address is the desk's own.
fn own(installation: &Installation) -> Result<()> {
    let settings = installation.read("mailmill.toml").unwrap_or_default();
    installation.write("mailmill.toml", &format!("own_addresses = [\"support@desk.example\"]\n{settings}"))
}

fn mail(from: &str, subject: &str, header: &str) -> String {
    format!(
        "From: {from}\nTo: Service Desk <support@desk.example>\nDate: Mon, 12 Jan 2026 09:00:00 +0000\n\
         Subject: {subject}\n{header}\nContent-Type: text/plain; charset=utf-8\n\nPlease close it.\n"
    )
}

fn handle(installation: &Installation, name: &str, message: &str) -> Result<()> {
    installation.write(&format!("mail/{name}.eml"), message)?;
    std::thread::sleep(std::time::Duration::from_millis(300));
    installation.mailmill(&["run", "--once"])?.success().map(drop)
}

const TAGGED: &str = "Re: The lamp is broken MessageID:T00001#";

/// What `mailmill try` says of a message's thread, and what would become of it.
fn tried(installation: &Installation, message: &str) -> Result<String> {
    let run = installation.mailmill_fed(&["try", "-"], message)?.success()?;
    let hops = ["3 ", "7 ", "8 "];
    let mut shown = String::new();
    let mut is_shown = false;
    for line in run.stdout.lines() {
        if !line.starts_with(' ') {
            is_shown = hops.iter().any(|hop| line.starts_with(hop));
        }
        if is_shown {
            shown.push_str(line.trim_end());
            shown.push('\n');
        }
    }
    Ok(steady(&shown, &[]))
}

#[test]
fn people_of_the_ticket_follow_it_up() -> Result<()> {
    let installation = desk("[follow_ups]\ntrusted = [\"*@partner.example\"]\n")?;
    let reply = "In-Reply-To: <first@client.example>";
    let cases = [
        mail(REQUESTER, TAGGED, "Message-ID: <1@client.example>"),
        mail("BO@client.example", "Re: The lamp is broken", reply),
        mail("Pat <pat@partner.example>", "AW: The lamp is broken", "References: <first@client.example>"),
    ];
    let shown: Result<Vec<String>> = cases.iter().map(|message| tried(&installation, message)).collect();
    insta::assert_snapshot!(shown?.join("\n"));
    for (number, message) in cases.iter().enumerate() {
        handle(&installation, &format!("reply-{number}"), message)?;
    }
    assert_eq!(comments(&installation, "T00001")?.len(), 3);
    // Whoever was let in once, and whom he copied, are on the ticket from now on.
    let reply = mail("pat@partner.example", TAGGED, "Cc: cy@new.example\nMessage-ID: <2@partner.example>");
    handle(&installation, "copied", &reply)?;
    handle(&installation, "cy", &mail("cy@new.example", TAGGED, "Message-ID: <3@new.example>"))?;
    assert_eq!(comments(&installation, "T00001")?.len(), 5);
    assert_eq!(quarantine(&installation)?, []);
    Ok(())
}

/// The tickets, and the comments of the first one.
fn state(installation: &Installation) -> Result<(Vec<Ticket>, Vec<String>)> {
    Ok((tickets(installation)?, comments(installation, "T00001")?))
}

/// Handles a forged message and returns what was told of it. The first ticket is as before.
fn forged(installation: &Installation, name: &str, message: &str) -> Result<String> {
    let before = state(installation)?;
    let shown = tried(installation, message)?;
    handle(installation, name, message)?;
    let after = state(installation)?;
    assert!(after.0.starts_with(&before.0) && after.1 == before.1, "{name} has changed a ticket: {after:?}");
    let updated: Vec<_> = receipts(installation)?.into_iter().filter(|receipt| !receipt.updated.is_empty()).collect();
    assert_eq!(updated, [], "{name}");
    Ok(format!("== {name}\n{shown}"))
}

#[test]
fn a_forged_follow_up_changes_no_ticket() -> Result<()> {
    let installation = desk("")?;
    let other = mail("Eve <eve@evil.example>", "Another thing", "Message-ID: <other@evil.example>");
    handle(&installation, "other", &other)?;
    let eve = "Eve <eve@evil.example>";
    let id = |number: u8| format!("Message-ID: <forged-{number}@evil.example>");
    let reply = "In-Reply-To: <first@client.example>";
    let cases = [
        ("the tag of somebody else's ticket", mail(eve, TAGGED, &id(1))),
        ("a stolen Message-ID", mail(eve, "Re: The lamp is broken", &format!("{reply}\n{}", id(2)))),
        ("a stolen reference", mail(eve, "Re: The lamp is broken", "References: <first@client.example>")),
        ("a guessed Message-ID", mail(eve, "Re: The lamp is broken", "In-Reply-To: <second@client.example>")),
        ("an altered tag", mail(eve, "Re: Another thing MessageID:T00001#", "Message-ID: <a@evil.example>")),
        ("a tag of no ticket", mail(REQUESTER, "Re: The lamp is broken MessageID:T00009#", &id(3))),
        ("two authors", mail("ann@client.example, eve@evil.example", TAGGED, &id(4))),
        ("two authors, the other way", mail("eve@evil.example, ann@client.example", TAGGED, &id(5))),
        ("two From fields", mail("ann@client.example\nFrom: eve@evil.example", TAGGED, &id(6))),
        ("an address as a name", mail("\"ann@client.example\" <eve@evil.example>", TAGGED, &id(7))),
        ("an encoded name", mail("=?utf-8?q?ann=40client.example?= <eve@evil.example>", TAGGED, &id(8))),
        ("Reply-To", mail(eve, TAGGED, "Reply-To: ann@client.example\nMessage-ID: <r@evil.example>")),
        ("Sender", mail(eve, TAGGED, "Sender: ann@client.example\nMessage-ID: <s@evil.example>")),
        ("the desk itself", mail("support@desk.example", TAGGED, "Message-ID: <d@evil.example>")),
        (
            "Thread-Index",
            mail(eve, "Re: The lamp is broken", "Thread-Topic: The lamp is broken\nThread-Index: AdxK2w=="),
        ),
    ];
    // The desk's own address was on the first message, as a recipient.
    own(&installation)?;
    let told: Result<Vec<String>> = cases.iter().map(|(name, message)| forged(&installation, name, message)).collect();
    insta::assert_snapshot!(told?.join("\n"));
    Ok(())
}

/// Nothing but `from` says which address is the desk's own; it was on the first message, as a recipient.
#[test]
fn whoever_forges_the_sender_of_our_mail_is_not_let_in() -> Result<()> {
    let installation = desk("")?;
    let settings = installation.read("mailmill.toml")?;
    let smtp = "[smtp]\nserver = \"127.0.0.1\"\nport = 1\nfrom = \"The Desk <Support@desk.example>\"\n";
    installation.write("mailmill.toml", &format!("{settings}\n{smtp}"))?;
    let message = mail("The Desk <support@desk.example>", TAGGED, "Message-ID: <d@evil.example>");
    let told = forged(&installation, "from", &message)?;
    assert!(told.contains("quarantined"), "{told}");
    assert_eq!(quarantine(&installation)?.len(), 1);
    // Without a job that it would be handled as, too.
    std::fs::remove_file(installation.path("jobs/desk.toml"))?;
    assert!(tried(&installation, &message)?.contains("quarantined"));
    Ok(())
}

#[test]
fn what_becomes_of_others_is_a_setting() -> Result<()> {
    let forged = mail("eve@evil.example", TAGGED, "Message-ID: <1@evil.example>");
    let check = |setting: &str, tickets_after: usize, comments_after: usize, held: usize| -> Result<()> {
        let installation = desk(&format!("[follow_ups]\nfrom_others = \"{setting}\"\n"))?;
        handle(&installation, "eve", &forged)?;
        let (tickets, comments) = state(&installation)?;
        let found = (tickets.len(), comments.len(), quarantine(&installation)?.len());
        assert_eq!(found, (tickets_after, comments_after, held), "{setting}");
        Ok(())
    };
    check("quarantine", 1, 0, 1)?;
    check("new-ticket", 2, 0, 0)?;
    check("accept", 1, 1, 0)
}

#[test]
fn a_person_lets_an_answer_out_of_quarantine() -> Result<()> {
    let installation = desk("")?;
    for name in ["one", "two"] {
        let forged = mail("cy@client.example", TAGGED, &format!("Message-ID: <{name}@client.example>"));
        handle(&installation, name, &forged)?;
    }
    let held = quarantine(&installation)?;
    let [first, second] = held.as_slice() else { anyhow::bail!("{held:?}") };
    let run = installation.mailmill(&["quarantine", "release", &first.id])?;
    insta::assert_snapshot!(run.stderr);
    installation.mailmill(&["quarantine", "release", &first.id, "--as", "new-ticket"])?.success()?;
    assert_eq!((tickets(&installation)?.len(), comments(&installation, "T00001")?.len()), (2, 0));
    installation.mailmill(&["quarantine", "release", &second.id, "--as", "follow-up"])?.success()?;
    assert_eq!((tickets(&installation)?.len(), comments(&installation, "T00001")?.len()), (2, 1));
    // Who was let in is on the ticket from now on.
    handle(&installation, "three", &mail("cy@client.example", TAGGED, "Message-ID: <three@client.example>"))?;
    assert_eq!((quarantine(&installation)?.len(), comments(&installation, "T00001")?.len()), (0, 2));
    Ok(())
}

#[test]
fn a_server_must_have_confirmed_the_sender() -> Result<()> {
    let installation = desk(
        "[follow_ups]\nauthentication_results = { server = \"mx.desk.example\", require = [\"dmarc\", \"spf\"] }\n",
    )?;
    let stamped = |server: &str, dmarc: &str| {
        let stamp = format!(
            "Authentication-Results: {server};\n spf=pass smtp.mailfrom=client.example;\n dmarc={dmarc} \
                             header.from=client.example\n"
        );
        format!("{stamp}{}", mail(REQUESTER, TAGGED, &format!("Message-ID: <{server}-{dmarc}@client.example>")))
    };
    let forged = format!(
        "{}{}",
        "Authentication-Results: mx.desk.example; dmarc=fail header.from=client.example\n",
        stamped("mx.desk.example", "pass")
    );
    let cases = [
        stamped("mx.evil.example", "pass"),
        stamped("mx.desk.example", "fail"),
        forged,
        stamped("mx.desk.example", "pass"),
    ];
    let told: Result<Vec<String>> = cases.iter().map(|message| tried(&installation, message)).collect();
    insta::assert_snapshot!(told?.join("\n"));
    for (number, message) in cases.iter().enumerate() {
        handle(&installation, &format!("stamped-{number}"), message)?;
    }
    assert_eq!((quarantine(&installation)?.len(), comments(&installation, "T00001")?.len()), (3, 1));
    Ok(())
}

#[test]
fn tags_of_before_and_in_the_text_are_found() -> Result<()> {
    let installation = desk("")?;
    let settings = installation.read("mailmill.toml")?;
    let thread = "[thread]\nprefix = \"[Desk\"\nsuffix = \"]\"\nplace = \"subject-and-body\"\n\
                  earlier = [{ prefix = \"MessageID:\", suffix = \"#\" }]\n";
    installation.write("mailmill.toml", &format!("{settings}\n{thread}"))?;
    handle(&installation, "before", &mail(REQUESTER, TAGGED, "Message-ID: <1@client.example>"))?;
    handle(&installation, "now", &mail(REQUESTER, "the lamp [desk T00001 ]", "Message-ID: <2@client.example>"))?;
    let in_text = mail(REQUESTER, "Lamp", "Message-ID: <3@client.example>").replace("Please", "[Desk t00001] Please");
    insta::assert_snapshot!(tried(&installation, &in_text)?);
    handle(&installation, "text", &in_text)?;
    assert_eq!(comments(&installation, "T00001")?.len(), 3);
    Ok(())
}

#[test]
fn what_goes_round_in_circles_waits_for_a_person() -> Result<()> {
    let installation = desk("")?;
    own(&installation)?;
    let hop = "Received: from a.example by b.example; Mon, 12 Jan 2026 09:00:00 +0000\n";
    let looped = mail(REQUESTER, "Lamp", "X-Loop: support@desk.example\nMessage-ID: <1@client.example>");
    let hops = format!("{}{}", hop.repeat(101), mail(REQUESTER, "Lamp", "Message-ID: <2@client.example>"));
    let delivered = format!("Delivered-To: support@desk.example\n{hop}").repeat(3);
    let delivered = format!("{delivered}{}", mail(REQUESTER, "Lamp", "Message-ID: <3@client.example>"));
    let cases = [looped, hops, delivered];
    let told: Result<Vec<String>> = cases.iter().map(|message| tried(&installation, message)).collect();
    insta::assert_snapshot!(told?.join("\n"));
    for (number, message) in cases.iter().enumerate() {
        handle(&installation, &format!("circle-{number}"), message)?;
    }
    let held = quarantine(&installation)?;
    assert_eq!((held.len(), tickets(&installation)?.len()), (3, 1));
    // Who has looked at it can let it go on.
    let id = &held.first().context("nothing is held")?.id;
    installation.mailmill(&["quarantine", "release", id])?.success()?;
    assert_eq!(tickets(&installation)?.len(), 2);
    Ok(())
}

#[test]
fn a_flood_becomes_no_flood_of_tickets() -> Result<()> {
    let settings = "[brake]\nwindow = \"1h\"\nsender_messages_max = 3\nthread_messages_max = 2\n\
                    exempt = [\"monitor@client.example\"]\n";
    let installation = desk(settings)?;
    let send = |name: &str, from: &str, subject: &str| {
        installation
            .write(&format!("mail/{name}.eml"), &mail(from, subject, &format!("Message-ID: <{name}@x.example>")))
    };
    for number in 0..5 {
        send(&format!("flood-{number}"), "flood@evil.example", "Buy")?;
        send(&format!("monitor-{number}"), "monitor@client.example", "Disk full")?;
        send(&format!("thread-{number}"), "bo@client.example", TAGGED)?;
    }
    handle(&installation, "last", &mail("cy@client.example", "Quiet", "Message-ID: <last@client.example>"))?;
    let (tickets, comments) = state(&installation)?;
    let of = |name: &str| tickets.iter().filter(|ticket| ticket.requester.starts_with(name)).count();
    assert_eq!((of("flood"), of("monitor"), of("cy"), comments.len()), (3, 5, 1, 2));
    let held = quarantine(&installation)?;
    let mut causes: Vec<String> = held.iter().map(|held| held.cause.clone()).collect();
    assert_eq!(causes.len(), 5);
    causes.sort();
    causes.dedup();
    insta::assert_snapshot!(causes.join("\n"));
    // What a person lets go on is not counted.
    let one = held.iter().find(|held| held.sender.starts_with("flood")).context("no flood is held")?;
    installation.mailmill(&["quarantine", "release", &one.id])?.success()?;
    assert_eq!((tickets.len() + 1, 4), (self::tickets(&installation)?.len(), quarantine(&installation)?.len()));
    Ok(())
}
