//! Whatever a rule, a sender or a name says, a mail has the header fields that it is to have, and no other.

mod silence;

use super::compose::{Form, compose};
use crate::message::{Address, MessageId, parse};
use crate::outgoing::{Mail, one_line};
use proptest::prelude::*;

fn form(name: &str) -> Form {
    Form { from: Address { name: name.to_owned(), email: "desk@desk.example".to_owned() }, empty_return_path: true }
}

fn mail(name: &str, subject: &str, text: &str) -> Mail {
    Mail {
        to: Address { name: name.to_owned(), email: "ann@x.example".to_owned() },
        subject: subject.to_owned(),
        text: text.to_owned(),
        message_id: MessageId("mm.t00001.a.b@desk.example".to_owned()),
        written_at: 1_700_000_000,
        is_answer: true,
        in_reply_to: Some(MessageId("1@x.example".to_owned())),
        references: vec![MessageId("0@x.example".to_owned()), MessageId("1@x.example".to_owned())],
        original: None,
    }
}

const FIELDS: [&str; 11] = [
    "From",
    "To",
    "Date",
    "Subject",
    "Message-ID",
    "Auto-Submitted",
    "X-Loop",
    "In-Reply-To",
    "References",
    "MIME-Version",
    "Content-Type",
];

fn check(name: &str, subject: &str, text: &str) {
    let composed = compose(&form(name), &mail(name, subject, text), None, true).unwrap();
    assert!(composed.bytes.is_ascii());
    let read = parse(&composed.bytes, None);
    let mut names: Vec<&str> = read.headers.iter().map(|field| field.name.as_str()).collect();
    names.retain(|name| *name != "Content-Transfer-Encoding");
    assert_eq!(names, FIELDS, "{}", String::from_utf8_lossy(&composed.bytes));
    assert_eq!(one_line(&read.subject), one_line(subject));
    assert_eq!(read.recipients.len(), 1);
    assert_eq!(read.recipients[0].email, "ann@x.example");
    assert_eq!(read.sender.map(|sender| sender.email), Some("desk@desk.example".to_owned()));
    assert_eq!(read.message_id.map(|id| id.0).as_deref(), Some("mm.t00001.a.b@desk.example"));
    assert!(composed.envelope.from().is_none());
}

#[test]
fn a_mail_says_what_it_is() {
    check("Ann Lee", "Re: printer", "We are on it.\n");
    check("Ann \"the\" Lée, desk", "Re: Drücker 打印机", "Grüße\n.\n");
    check("x\r\nBcc: b@x.example", "y\r\nBcc: b@x.example\r\n\r\nbody", "\r\n.\r\nQUIT\r\n");
    check("", "", "");
    check("=?utf-8?q?x=0D=0ABcc:_b@x.example?=", "x".repeat(500).as_str(), &"long ".repeat(1000));
    let plain = Mail { is_answer: false, in_reply_to: None, references: Vec::new(), ..mail("", "a", "b") };
    let composed = compose(&form(""), &plain, None, true).unwrap();
    assert_eq!(composed.envelope.from().map(ToString::to_string).as_deref(), Some("desk@desk.example"));
    assert_eq!(parse(&composed.bytes, None).header("Auto-Submitted"), Some("auto-generated"));
}

#[test]
fn a_message_goes_along_as_it_is() {
    let check = |original: &[u8], eight_bit: bool, kind: &str| {
        let composed = compose(&form(""), &mail("", "a", "see there"), Some(original.to_vec()), eight_bit).unwrap();
        assert!(eight_bit || composed.bytes.is_ascii());
        let read = parse(&composed.bytes, None);
        assert_eq!(read.attachments.len(), 1, "{}", String::from_utf8_lossy(&composed.bytes));
        assert_eq!(read.attachments[0].media_type, kind);
        assert!(read.document.text().contains("see there"));
    };
    check(b"Subject: x\n\nhello\n", true, "message/rfc822");
    check("Subject: x\r\n\r\nhällo\r\n".as_bytes(), true, "message/rfc822");
    check("Subject: x\r\n\r\nhällo\r\n".as_bytes(), false, "application/octet-stream");
    check(format!("Subject: x\r\n\r\n{}\r\n", "x".repeat(998)).as_bytes(), false, "message/rfc822");
    check(format!("Subject: x\r\n\r\n{}\r\n", "x".repeat(999)).as_bytes(), true, "application/octet-stream");
    check(b"Subject: x\r\n\r\n\0\r\n", true, "application/octet-stream");
    // What some servers take for the end of the mail, with another one behind it.
    check(b"Subject: x\r\n\r\nhello\r.\rMAIL FROM:<a@x.example>\r\n", true, "application/octet-stream");
    check(b"Subject: x\r\n\r\nhello\n.\r\nMAIL FROM:<a@x.example>\r", true, "application/octet-stream");
}

/// Some that would begin a header field of their own, or the text, if they were written as they are.
const BREAKS: &str = "[ -~]{0,8}(\r\n|\n|\r|\0|\u{85}|\u{2028})(Bcc: b@x\\.example|\r\n\r\n|[ \t])?.{0,8}";

proptest! {
    #[test]
    fn headers_cannot_be_injected(
        texts in prop::array::uniform3(prop_oneof![any::<String>(), BREAKS]),
        ids in prop::array::uniform4(prop_oneof![any::<String>(), BREAKS, "[a-z]{1,9}@[a-z]{1,9}"]),
        email in prop_oneof![Just("ann@x.example".to_owned()), any::<String>(), BREAKS, "[a-z]{1,5}\\PC{0,3}@[a-z]{1,9}\\PC{0,3}"],
        keeps in any::<bool>(),
    ) {
        let [name, subject, text] = texts;
        let [own, answered, first, second] = ids.map(MessageId);
        let mut mail = Mail { message_id: own, in_reply_to: Some(answered), references: vec![first, second], ..mail(&name, &subject, &text) };
        mail.to.email.clone_from(&email);
        let composed = match compose(&form(&name), &mail, keeps.then(|| text.clone().into_bytes()), true) {
            Ok(composed) => composed,
            Err(failure) => {
                prop_assert!(email != "ann@x.example", "{}", failure.reason);
                return Ok(());
            }
        };
        let read = parse(&composed.bytes, None);
        let mut names: Vec<&str> = read.headers.iter().map(|field| field.name.as_str()).collect();
        names.retain(|name| *name != "Content-Transfer-Encoding");
        prop_assert_eq!(names, FIELDS, "{}", String::from_utf8_lossy(&composed.bytes));
        prop_assert_eq!(read.recipients.len(), 1);
        prop_assert_eq!(read.recipients[0].email.as_str(), email.as_str());
        prop_assert_eq!(composed.envelope.to().len(), 1);
    }
}
