use super::super::document::BodyKind;
use super::*;
use proptest::prelude::*;

const MAIL: &str = "From: =?utf-8?q?J=C3=BCrgen?= <j@example.org>\r\nTo: a@example.org, \"B, C\" <b@example.org>\r\n\
Cc: team: c@example.org;\r\nSubject: =?iso-8859-1?q?Gr=FC=DFe?=\r\n aus Wien\r\nMessage-ID: <1@example.org>\r\n\
In-Reply-To: <0@example.org>\r\nReferences: <a@example.org>\r\n <0@example.org>\r\n\
Date: Mon, 2 Mar 2026 10:00:00 +0100\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=o\r\n\r\n\
--o\r\nContent-Type: multipart/alternative; boundary=i\r\n\r\n--i\r\nContent-Type: text/plain\r\n\r\nplain\r\n\
--i\r\nContent-Type: text/html\r\n\r\n<p>html</p>\r\n--i--\r\n\
--o\r\nContent-Type: image/png; name=x.png\r\nContent-ID: <img1>\r\nContent-Disposition: inline\r\n\
Content-Transfer-Encoding: base64\r\n\r\nAQID\r\n\
--o\r\nContent-Type: application/pdf\r\nContent-Disposition: attachment; filename=\"../a.pdf\"\r\n\r\nPDF\r\n\
--o\r\nContent-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\ninner text\r\n--o--\r\n";

#[test]
fn a_message_is_decoded() {
    let message = parse(MAIL.as_bytes(), None);
    assert_eq!(message.subject, "Grüße aus Wien");
    assert_eq!(message.sender.unwrap().to_string(), "Jürgen <j@example.org>");
    let recipients: Vec<_> = message.recipients.iter().map(ToString::to_string).collect();
    assert_eq!(recipients, ["a@example.org", "B, C <b@example.org>", "c@example.org"]);
    assert_eq!(message.message_id.unwrap().0, "1@example.org");
    assert_eq!(message.in_reply_to.iter().map(|id| &*id.0).collect::<Vec<_>>(), ["0@example.org"]);
    assert_eq!(message.references.iter().map(|id| &*id.0).collect::<Vec<_>>(), ["a@example.org", "0@example.org"]);
    assert_eq!(message.received, DateTime { seconds: 1_772_442_000, offset_minutes: 60 });
    assert_eq!((message.document.kind(), message.document.text()), (BodyKind::Html, "html"));
    assert_eq!(message.defects, []);
    assert_eq!(message.headers[1].name, "To");
}

#[test]
fn attachments_are_what_is_not_the_body() {
    let message = parse(MAIL.as_bytes(), None);
    let found: Vec<_> = message
        .attachments
        .iter()
        .map(|one| (&*one.name, &*one.media_type, &*one.content_id, one.inline, one.content.len()))
        .collect();
    assert_eq!(
        found,
        [
            ("x.png", "image/png", "img1", true, 3),
            ("a.pdf", "application/pdf", "", false, 3),
            ("inner.eml", "message/rfc822", "", false, 28),
        ]
    );
}

fn check_body(part: &[u8], expect: &str) {
    let raw = [b"From: a@example.org\r\nMIME-Version: 1.0\r\n".as_slice(), part].concat();
    assert_eq!(parse(&raw, None).document.text().trim_end(), expect, "{}", String::from_utf8_lossy(part));
}

#[test]
fn bodies_are_decoded() {
    check_body(b"\r\nhi\r\nthere", "hi\nthere");
    check_body(b"Content-Type: text/plain; charset=iso-8859-1\r\n\r\nGr\xfc\xdfe", "Grüße");
    check_body("Content-Type: text/plain; charset=iso-8859-1\r\n\r\nGrüße".as_bytes(), "Grüße");
    check_body("Content-Type: text/plain\r\n\r\nGrüße".as_bytes(), "Grüße");
    check_body(b"Content-Type: text/plain; charset=utf-8\r\n\r\nGr\xfc\xdfe", "Grüße");
    check_body(b"Content-Type: text/plain; charset=x-unknown\r\n\r\nGr\xfc\xdfe", "Grüße");
    check_body(b"Content-Type: text/plain; charset=cp932\r\n\r\n\x93\xfa\x96\x7b", "日本");
    check_body(
        b"Content-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n<p>gr=C3=BCn</p>",
        "grün",
    );
    check_body(b"Content-Type: text/plain; format=flowed; delsp=yes\r\n\r\none \r\ntwo\r\n> q \r\n> r", "onetwo\n> qr");
    check_body(b"Content-Type: multipart/mixed; boundary=never\r\n\r\n--other\r\nhelp", "--other\nhelp");
}

fn check_defect(raw: &[u8], expect: &[&str]) {
    let defects = parse(raw, None).defects;
    assert_eq!(defects.iter().map(|defect| &*defect.0).collect::<Vec<_>>(), expect);
}

#[test]
fn defects_are_listed() {
    check_defect(b"", &["the message is empty"]);
    check_defect(
        b"Date: yesterday\r\n\r\nx",
        &[
            "the Date field holds no date",
            "there is no sender: neither From nor Sender holds an address",
            "there is no Message-ID",
        ],
    );
    check_defect(
        b"From: a@b.example\r\nMessage-ID: <1@b>\r\nDate: Mon, 2 Mar 2026 10:00:00 +0000\r\nContent-Transfer-Encoding: base64\r\n\r\n!!!!",
        &["a text part is not encoded as it says"],
    );
    check_defect(
        "From: a@b.example\r\nMessage-ID: <1@b>\r\nDate: Mon, 2 Mar 2026 10:00:00 +0000\r\nContent-Type: text/plain; charset=latin1\r\n\r\nü"
            .as_bytes(),
        &["a text part says it is in \"latin1\" but is read as \"utf-8\""],
    );
}

#[test]
fn nesting_without_end_is_survived() {
    let raw = "Content-Type: message/rfc822\r\n\r\n".repeat(20_000);
    assert!(parse(raw.as_bytes(), None).attachments.len() <= 1);
    let mut raw = String::from("From: a@b.example\r\n");
    for level in 0..5_000 {
        raw.push_str(&format!("Content-Type: multipart/mixed; boundary=b{level}\r\n\r\n--b{level}\r\n"));
    }
    let _ = parse(raw.as_bytes(), None);
}

proptest! {
    #[test]
    fn any_bytes_are_a_message(raw in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = parse(&raw, None);
    }

    #[test]
    fn a_damaged_message_is_a_message(
        changes in proptest::collection::vec((0..MAIL.len(), any::<u8>()), 0..20),
        cut in 0..MAIL.len(),
    ) {
        let mut raw = MAIL.as_bytes().to_vec();
        for (at, byte) in changes {
            raw[at] = byte;
        }
        raw.truncate(cut);
        let _ = parse(&raw, None);
    }
}
