//! What becomes of attachments: on the ticket, in the report, and on disk when they are saved.

use anyhow::Result;
use mailmill_tests::Installation;
use serde_json::Value;

/// A part whose content is encoded already.
fn part(head: &str, encoded: &str) -> String {
    format!("--x\r\n{head}\r\nContent-Transfer-Encoding: base64\r\n\r\n{encoded}\r\n")
}

/// A message with an image in its text, a file that is named to do harm, a message, an event, and a program that says it
/// is a document.
fn message() -> String {
    let html = "Content-Type: text/html; charset=utf-8\r\n\r\n<p>See <img src=\"cid:plan@client.example\"> there.</p>";
    let image = part(
        "Content-Type: image/png; name=plan.png\r\nContent-ID: <plan@client.example>",
        "iVBORw0KGgoAAAANSUhEUgAAAAE=",
    );
    let harmful = part("Content-Type: text/csv\r\nContent-Disposition: attachment; filename=\"../../con\"", "YSxiDQo=");
    let nested = "--x\r\nContent-Type: message/rfc822\r\n\r\nSubject: Lamp\r\nFrom: Bo <bo@client.example>\r\n\r\nIt is dark.\r\n";
    let event = part(
        "Content-Type: text/calendar; name=lunch.ics\r\nContent-Disposition: attachment",
        "QkVHSU46VkNBTEVOREFSDQpCRUdJTjpWRVZFTlQNClNVTU1BUlk6THVuY2gNCkRUU1RBUlQ6MjAyNjAyMDFUMTIwMDAwWg0KRU5EOlZFVkVOVA0KRU5EOlZDQUxFTkRBUg0K",
    );
    let program =
        part("Content-Type: application/pdf; name=invoice.pdf\r\nContent-Disposition: attachment", "TVqQAAMAAAAEAAAA");
    format!(
        "From: Ann Lee <ann@client.example>\r\nSubject: Plan\r\nMessage-ID: <1@client.example>\r\n\
         Date: Sat, 31 Jan 2026 10:00:00 +0000\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n\
         --x\r\n{html}\r\n{image}{harmful}{nested}{event}{program}--x--\r\n"
    )
}

#[test]
fn attachments_go_along_and_what_is_refused_is_named() -> Result<()> {
    let installation = Installation::new()?;
    installation.add_folder_job("desk")?;
    let settings = installation.read("mailmill.toml")?;
    let refused = "[attachments]\nrefuse_types = [\"application/vnd.microsoft.portable-executable\"]\n";
    installation.write("mailmill.toml", &format!("{settings}\n{refused}"))?;
    installation.write("mail/1.eml", &message())?;
    installation.write("copy.eml", &message())?;

    let tried = installation.mailmill(&["try", "mail/1.eml", "--json"])?.success()?;
    let tried: Value = serde_json::from_str(&tried.stdout)?;
    let warning = "attachment 5 (invoice.pdf) does not go to a ticket: its content is \
                   application/vnd.microsoft.portable-executable, which is not taken";
    assert!(
        tried["report"]["warnings"].as_array().is_some_and(|all| all.iter().any(|one| one == warning)),
        "{tried:#}"
    );

    installation.mailmill(&["run", "--once"])?.success()?;
    let shown = installation.mailmill(&["ticket", "show", "T00001", "--json", "--save", "saved"])?.success()?;
    let ticket: Value = serde_json::from_str(&shown.stdout)?;
    let text = "See [image: plan.png] there.\n\n\
                [message: Lamp, from Bo <bo@client.example>]\n\
                [event: Lunch, 2026-02-01 12:00 UTC]\n\
                [not attached: invoice.pdf: its content is application/vnd.microsoft.portable-executable, which is not taken]";
    assert_eq!(ticket["description"], text);
    let attached: Vec<&str> =
        ticket["attachments"].as_array().into_iter().flatten().filter_map(|one| one["name"].as_str()).collect();
    assert_eq!(attached, ["plan.png", "_con", "Lamp.eml", "lunch.ics"]);
    assert_eq!(ticket["attachments"][0]["content_id"], "plan@client.example", "the HTML refers to it by this name");
    assert_eq!(installation.read("saved/2-_con")?, "a,b\r\n");
    assert!(installation.read("saved/3-Lamp.eml")?.ends_with("It is dark."));

    // The rendering of the message shows the image by the Content-ID under which it is stored.
    let html = installation.mailmill(&["try", "copy.eml", "--html"])?.success()?;
    assert!(html.stdout.contains("<img src=\"cid:plan@client.example\">"), "{}", html.stdout);
    Ok(())
}
