//! What `mailmill try` says of each decision that rules can take, in words that a desk agent understands.

use anyhow::{Context, Result, ensure};
use mailmill_tests::{Installation, steady};

const SETTINGS: &str = r#"
[store]
path = "mailmill.db"

[smtp]
server = "smtp.example.org"
from = "Desk <desk@desk.example>"

[maildir]
archive = "archive"

[webhook.billing]
url = "https://billing.example.org/hook"
secret = { file = "hook" }

[attachments]
bytes_max = 400
"#;

const FIELDS: &str = r#"
[[field]]
name = "cost"
type = "currency"
currency = "EUR"
from = "body"
after = "Cost:"

[[field]]
name = "contact"
from = "body"
after = "Contact:"
"#;

/// Tickets that stand where people have put them.
const BY_HAND: &str = r#"
[[statement]]
name = "by hand"
if = 'subject is in ["open", "resolved", "closed"]'
then = [{ do = "create-ticket", class = "incident", status = "{{ subject }}" }, { do = "add-participants" }]
stop = true

[[statement]]
name = "asked by hand"
if = 'subject is "approval"'
then = [{ do = "create-ticket", class = "approval-request" }]
stop = true
"#;

const STATEMENTS: &str = r#"
[[statement]]
name = "mail systems"
if = 'origin is in ["bounce", "auto-replied"]'
then = [{ do = "ignore", reason = "automatic mail ({{ origin }})" }]
stop = true

[[statement]]
name = "programs"
if = 'has attachment of type "application/vnd.microsoft.portable-executable"'
then = [{ do = "reject", reason = "we take no programs" }]
stop = true

[[statement]]
name = "an answer"
if = 'ticket is not blank'
then = [
    { name = "approval", if = 'ticket.class is "approval-request"', then = [
        { do = "comment", visibility = "internal" },
        { name = "yes", if = 'body contains "approved"', then = [{ do = "close", status = "approved" }] },
    ], else = [
        { do = "comment" },
        { do = "assign", group = "First line" },
        { name = "resolved", if = 'ticket.status is "resolved"', then = [{ do = "reopen" }] },
        { do = "notify", to = "participants", text = "There is an answer to {ticket}." },
    ] },
]
stop = true

[[statement]]
name = "an answer to a closed ticket"
if = 'inactive-ticket is not blank'
then = [
    { do = "create-ticket", class = "incident" },
    { do = "comment", text = "It goes on from {{ inactive-ticket }}.", visibility = "internal" },
    { do = "set-status", status = "open" },
]
stop = true

[[statement]]
name = "orders"
if = 'subject starts with "Order"'
then = [
    { do = "create-ticket", class = "service-request", person = "Dee" },
    { do = "set-field", field = "cost", currency = "{{ cost }}" },
    { do = "add-participants", except = "@desk.example" },
    { do = "notify", to = "{{ contact }}", text = "We order it." },
    { do = "forward", to = "purchase@shop.example" },
    { do = "webhook", name = "billing", event = "order" },
    { do = "store-maildir", folder = "archive" },
]
stop = true

[[statement]]
name = "a rule at odds with the next one"
if = 'subject is "Odds"'
then = [{ do = "comment" }]

[[statement]]
name = "all else"
then = [{ do = "create-ticket", class = "incident" }]
"#;

fn desk() -> Result<Installation> {
    let installation = Installation::new()?;
    installation.add_folder_job("desk")?;
    installation.write("mailmill.toml", SETTINGS)?;
    installation.write("rules/fields.toml", FIELDS)?;
    installation.write("rules/statements/05-by-hand.toml", BY_HAND)?;
    installation.write("rules/statements/10-default.toml", STATEMENTS)?;
    for (number, subject) in ["open", "resolved", "closed", "approval"].iter().enumerate() {
        let cc = "Cc: Bo <bo@client.example>\n";
        installation.write(&format!("mail/{number}.eml"), &mail(number, subject, cc, "It is dark."))?;
        std::thread::sleep(std::time::Duration::from_millis(300));
        // One by one: what belongs to no conversation is handled in any order.
        installation.mailmill(&["run", "--once"])?.success()?;
    }
    Ok(installation)
}

fn mail(number: usize, subject: &str, header: &str, body: &str) -> String {
    format!(
        "From: Ann Lee <ann@client.example>\nTo: desk@desk.example\n{header}Subject: {subject}\n\
         Message-ID: <{number}@client.example>\nDate: Mon, 12 Jan 2026 09:00:00 +0000\n\n{body}\n"
    )
}

/// A message with a file of this content.
fn with_file(subject: &str, content: &str) -> String {
    let head = "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=x\n";
    let file = "Content-Type: application/octet-stream; name=tool.exe\nContent-Disposition: attachment";
    mail(
        90,
        subject,
        head,
        &format!("--x\n\nSee there.\n--x\n{file}\nContent-Transfer-Encoding: base64\n\n{content}\n--x--"),
    )
}

/// A `winmail.dat` with a file, and with a message about a lamp.
const WINMAIL: &str = "\
    eJ8+IgEAAgKQBgAOAAAAAAAAAAAAAAAAAAAAAAAAAAIQgAEACgAAAG5vdGVzLnR4dAC3AwIPgAYAEgAAAFJlbWVtYmVyIHRoZSBr\
    ZXlzLpoGAgKQBgAOAAAAAAAAAAAAAAAAAAAAAAAAAAIQgAEACgAAAERpZSBMYW1wZQAhAwIFkAYAtAAAAAEAAAANAAE3AQAAAKEA\
    AAAHAwIAAAAAAMAAAAAAAABGeJ8+IgEAAQOQBgCAAAAABAAAAB8ANwABAAAAFAAAAEQAaQBlACAATABhAG0AcABlAAAAHwBCAAEA\
    AAAQAAAAQQBuAG4AIABMAGUAZQAAAEAAOQAAGCEpPJLcAR8AAV0BAAAAJgAAAGEAbgBuAEAAYwBsAGkAZQBuAHQALgBlAHgAYQBt\
    AHAAbABlAAAAAACVEAAAAMYV";

/// A message of these parts, each with a header of its own.
fn of_parts(kind: &str, parts: &[&str]) -> String {
    let parts: String = parts.iter().map(|part| format!("--x\n{part}\n")).collect();
    let head = format!("MIME-Version: 1.0\nContent-Type: multipart/{kind}; boundary=x\n");
    mail(90, "Lamp", &head, &format!("{parts}--x--"))
}

/// From the fetch to the cuts, and what is warned of.
fn seen(installation: &Installation, message: &str) -> Result<String> {
    let story = installation.mailmill_fed(&["try", "-"], message)?.success()?.stdout;
    let (seen, end) = story.split_once("\n5 extract").context("no fields")?;
    let warnings: Vec<&str> = end.lines().filter(|line| line.starts_with("warning: ")).collect();
    Ok(steady(&format!("{seen}\n{}", warnings.join("\n")), &[]))
}

fn messages_of_every_kind() -> Vec<(&'static str, String)> {
    let text = "Content-Type: text/plain; charset=utf-8\n\nSee there.";
    let base64 = "Content-Disposition: attachment\nContent-Transfer-Encoding: base64";
    let winmail = format!("Content-Type: application/ms-tnef; name=winmail.dat\n{base64}\n\n{WINMAIL}");
    let event = "Content-Type: text/calendar; name=lunch.ics\nContent-Disposition: attachment\n\n\
                 BEGIN:VCALENDAR\nBEGIN:VEVENT\nSUMMARY:Lunch\nDTSTART:20260201T120000Z\nEND:VEVENT\nEND:VCALENDAR";
    let nested = "Content-Type: message/rfc822\n\nSubject: The old lamp\nFrom: Bo <bo@client.example>\n\
                  Date: Sat, 31 Jan 2026 10:00:00 +0100\n\nIt is dark.";
    let large = format!("Content-Type: text/csv; name=list.csv\n{base64}\n\n{}", "QUJD".repeat(140));
    let path = format!("Content-Type: text/csv; name=\"C:\\\\temp\\\\list.csv\"\n{base64}\n\nQUJD");
    let seal = format!("Content-Type: application/pkcs7-signature; name=smime.p7s\n{base64}\n\nQUJD");
    let head =
        |kind: &str| format!("MIME-Version: 1.0\nContent-Type: text/plain; {kind}\nContent-Transfer-Encoding: 8bit\n");
    let quoted = "Re: it MessageID:T00001#";
    vec![
        ("a file of Outlook", of_parts("mixed", &[text, &winmail])),
        ("an invitation", of_parts("mixed", &[text, event])),
        ("a message in a message", of_parts("mixed", &[text, nested])),
        ("files, one of which is too large", of_parts("mixed", &[text, &large, &path])),
        ("a signed message", of_parts("signed; protocol=\"application/pkcs7-signature\"", &[text, &seal])),
        ("a mislabelled character set", mail(91, "Lamp", &head("charset=us-ascii"), "Die Glühlampe ist kaputt.")),
        ("broken lines", mail(92, "Lamp", &head("format=flowed"), "It is \ndark.")),
        ("an absence notice", mail(93, "Away", "Auto-Submitted: auto-replied\n", "I am away.")),
        ("a report", mail(94, "Undelivered", "Return-Path: <>\nAuto-Submitted: auto-generated\n", "It failed.")),
        ("mail of a list", mail(95, "News", "List-Id: <news.client.example>\n", "News.")),
        (
            "an answer with a quote",
            mail(96, quoted, "", "It is dark.\n\nOn 9/6/2026 12:55 PM, Desk wrote:\n> Is it dark?"),
        ),
        ("an answer of a stranger", mail(97, quoted, "", "Close it.").replace("ann@client", "eve@evil")),
        ("an answer to a ticket that there is not", mail(98, "Re: it MessageID:T00099#", "", "It is dark.")),
        ("nothing at all", String::new()),
    ]
}

/// From the fields to the commit, and what is warned of.
fn told(installation: &Installation, message: &str) -> Result<String> {
    let story = installation.mailmill_fed(&["try", "-"], message)?.success()?.stdout;
    let (_, rest) = story.split_once("\n5 extract").context("no fields")?;
    let (decided, end) = rest.split_once("\n9 mark").context("no mark")?;
    let warnings: Vec<&str> = end.lines().filter(|line| line.starts_with("warning: ")).collect();
    Ok(steady(&format!("5 extract{decided}\n{}", warnings.join("\n")), &[]))
}

#[test]
fn every_decision_is_told_in_words() -> Result<()> {
    let installation = desk()?;
    let reply = |ticket: &str, body: &str| mail(50, &format!("Re: it MessageID:{ticket}#"), "", body);
    let order = "Cc: Bo <bo@client.example>, Cy <cy@desk.example>\n";
    let cases = [
        ("an order", mail(60, "Order", order, "Cost: 12.50\nContact: Eve <eve@client.example>")),
        ("an order that does not fit", mail(61, "Order", order, "Cost: much\nContact: call me")),
        ("an absence notice", mail(62, "Away", "Auto-Submitted: auto-replied\n", "I am away.")),
        ("a program", with_file("Tool", "TVqQAAMAAAAEAAAA")),
        ("a file that is too large", with_file("List", &"QUJD".repeat(140))),
        ("an answer", reply("T00001", "It is still dark.")),
        ("an answer to a resolved ticket", reply("T00002", "It is dark again.")),
        ("an answer to a closed ticket", reply("T00003", "It is dark once more.")),
        ("an approval", reply("T00004", "approved")),
        ("no approval", reply("T00004", "Never.")),
        ("rules at odds", mail(63, "Odds", "", "Which is it?")),
        ("nothing but a text", "\nIt is dark.\n".to_owned()),
    ];
    let mut all = String::new();
    for (name, message) in cases {
        all.push_str(&format!("== {name}\n{}\n", told(&installation, &message)?));
    }
    insta::assert_snapshot!(all);
    let mut all = String::new();
    for (name, message) in messages_of_every_kind() {
        all.push_str(&format!("== {name}\n{}\n", seen(&installation, &message)?));
    }
    insta::assert_snapshot!("what_a_message_is_is_told_in_words", all);
    tickets_of_a_class_that_is_gone_are_listed(&installation)
}

/// A class that `rules/classes.toml` has no more is still a class of tickets.
fn tickets_of_a_class_that_is_gone_are_listed(installation: &Installation) -> Result<()> {
    let list = |what: &str, name: &str| installation.mailmill(&["ticket", "list", what, name]);
    let classes = "[[class]]\nname = \"incident\"\nnumber = { prefix = \"T\" }\ninitial = \"new\"\nstatuses = [\"new\", \"done\"]\nterminal = [\"done\"]\n";
    installation.write("rules/classes.toml", classes)?;
    let gone = list("--class", "approval-request")?.success()?.stdout;
    ensure!(gone.contains("T00004") && !gone.contains("T00001"), "{gone}");
    let gone = list("--status", "resolved")?.success()?.stdout;
    ensure!(gone.contains("T00002") && !gone.contains("T00001"), "{gone}");
    for (what, name, known) in [("--class", "problem", "incident"), ("--status", "approved", "new, done")] {
        let refused = list(what, name)?;
        let expect = format!("no such {}: \"{name}\"; there are: {known}", what.trim_start_matches('-'));
        ensure!(refused.code == Some(1) && refused.stderr.contains(&expect), "{refused:?}");
    }
    Ok(())
}
