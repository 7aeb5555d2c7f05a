//! What `mailmill try` says of each decision that rules can take, in words that a desk agent understands.

use anyhow::{Context, Result};
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
bytes_max = 40
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
        ("a file that is too large", with_file("List", &"QUJD".repeat(14))),
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
    Ok(())
}
