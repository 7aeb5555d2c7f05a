//! What is made of attachments: those in a `winmail.dat`, messages, calendars, and what the content shows.

use super::*;
use crate::message::Attachment;

fn encoded(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

fn raw(parts: &[&str]) -> String {
    format!("From: a@example.org\r\n{}", mixed(parts))
}

fn attachments(parts: &[&str]) -> Vec<Attachment> {
    parse(raw(parts).as_bytes(), None).attachments
}

#[test]
fn the_files_in_a_winmail_dat_stand_in_its_place() {
    let winmail = encoded(&crate::message::tnef::tests::winmail());
    let check = |head: &str| {
        let part = format!("{head}\r\nContent-Transfer-Encoding: base64\r\n\r\n{winmail}");
        let raw = raw(&[&part, &format!("{PDF}QUJD")]);
        let message = parse(raw.as_bytes(), None);
        let found: Vec<_> = message
            .attachments
            .iter()
            .map(|one| {
                let content = String::from_utf8(opened(raw.as_bytes(), &one.enclosure)).unwrap();
                (one.name.as_str(), one.media_type.as_str(), one.content_id.as_str(), one.inline, content)
            })
            .collect();
        let expect = [
            ("notes.txt", "application/octet-stream", "", false, "Remember the keys.".to_owned()),
            ("Größe der Wohnung.pdf", "application/pdf", "plan@example.org", true, "%PDF-1.7 plan".to_owned()),
            ("a.pdf", "application/pdf", "", false, "ABC".to_owned()),
        ];
        assert_eq!(found, expect, "{head}");
        assert!(!message.defects.iter().any(|defect| defect.0.contains("winmail")), "{:?}", message.defects);
    };
    check("Content-Type: application/ms-tnef; name=winmail.dat");
    check("Content-Type: application/vnd.ms-tnef; name=part.bin");
    check("Content-Type: application/ms-tnef");
    check("Content-Type: application/octet-stream; name=WINMAIL.DAT");
}

#[test]
fn a_winmail_dat_that_cannot_be_opened_is_kept() {
    let damaged = encoded(&crate::message::tnef::tests::winmail()[..60]);
    let part = format!(
        "Content-Type: application/ms-tnef; name=winmail.dat\r\nContent-Transfer-Encoding: base64\r\n\r\n{damaged}"
    );
    let message = parse(raw(&[&part]).as_bytes(), None);
    assert_eq!(message.attachments.len(), 1);
    assert_eq!(message.attachments[0].name, "winmail.dat");
    let expect = "attachment 1 is a winmail.dat that cannot be opened: it is kept as it is";
    assert!(message.defects.contains(&crate::message::Defect(expect.to_owned())), "{:?}", message.defects);
}

/// What becomes of a `winmail.dat`, in a message of that text: the names of the attachments, and what is said of it.
fn becomes(winmail: &[u8], text: &str) -> (Vec<String>, Option<String>) {
    let head = "Content-Type: application/ms-tnef; name=winmail.dat\r\nContent-Transfer-Encoding: base64";
    let parts = format!("--x\r\n\r\n{text}\r\n--x\r\n{head}\r\n\r\n{}\r\n--x--\r\n", encoded(winmail));
    let raw = format!("From: a@example.org\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n{parts}");
    let message = parse(raw.as_bytes(), None);
    let names = message.attachments.iter().map(|attachment| attachment.name.clone()).collect();
    let defect = message.defects.into_iter().map(|defect| defect.0).find(|defect| defect.contains("winmail"));
    (names, defect)
}

#[test]
fn a_winmail_dat_is_kept_beside_what_was_taken_out_of_it_unless_that_is_all() {
    use crate::message::tnef::tests::{file, packed, with_text};
    let check = |winmail: &[u8], text: &str, names: &[&str], is_told: bool| {
        let (found, defect) = becomes(winmail, text);
        assert_eq!(found, names, "{defect:?}");
        let told = "attachment 1 is a winmail.dat in which there is more than could be taken out: it is kept, too";
        assert_eq!(defect.as_deref(), is_told.then_some(told));
    };
    let linked = packed(&[file("linked.doc", &[]), file("a.txt", &[crate::message::tnef::tests::data(b"a")])]);
    check(&linked, "hello", &["winmail.dat", "a.txt"], true);
    // Formatting alone: there is nothing to take out, and nothing is wrong.
    check(&packed(&[]), "hello", &["winmail.dat"], false);
    check(&with_text("hello"), "hello", &["winmail.dat"], false);
    // The text is nowhere else.
    check(&with_text("hello"), " ", &["winmail.dat"], true);
}

#[test]
fn a_message_in_a_winmail_dat_is_described_as_any_other() {
    let winmail = encoded(&crate::message::tnef::tests::packed(&[crate::message::tnef::tests::message()]));
    let head = "Content-Type: application/ms-tnef; name=winmail.dat\r\nContent-Transfer-Encoding: base64";
    let found = attachments(&[&format!("{head}\r\n\r\n{winmail}")]);
    let [nested] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!((nested.name.as_str(), nested.media_type.as_str()), ("Die Lampe.tnef", "application/vnd.ms-tnef"));
    assert_eq!(nested.packed_in.as_deref(), Some("winmail.dat"));
    let about = "message: Die Lampe, from Ann Lee <ann@example.org>, 2026-01-30 23:00";
    assert_eq!(nested.description.as_deref(), Some(about));
}

#[test]
fn many_files_in_a_winmail_dat_cost_no_more_than_one() {
    use crate::message::tnef::tests::{data, file, packed};
    let large = file("large", &[data(&vec![b'x'; 1 << 20])]);
    let elapsed = |files: usize| {
        let small = file("s", &[data(b"small")]).repeat(files);
        let winmail = packed(&[large.clone(), small]);
        let once = || {
            let begun = std::time::Instant::now();
            assert_eq!(becomes(&winmail, "hello").0.len(), files + 1);
            begun.elapsed()
        };
        (0..3).map(|_| once()).min().unwrap()
    };
    let (one, many) = (elapsed(1), elapsed(900));
    // Each of them decoding what stands before it would be some hundred times as much.
    assert!(many < 20 * one, "{one:?} for one file, {many:?} for 900");
}

#[test]
fn messages_and_calendars_are_described() {
    let check = |part: &str, expect: Option<&str>| {
        assert_eq!(attachments(&[part])[0].description.as_deref(), expect, "{part}");
    };
    let inner = "Subject: =?utf-8?Q?The_l=C3=A4mp?=\r\nFrom: Ann Lee <ann@example.org>\r\nDate: Sat, 31 Jan 2026 10:00:00 +0100\r\n\r\nbody";
    check(
        &format!("Content-Type: message/rfc822\r\n\r\n{inner}"),
        Some("message: The lämp, from Ann Lee <ann@example.org>, 2026-01-31 10:00"),
    );
    check("Content-Type: message/rfc822\r\n\r\nX-A: b\r\n\r\nbody", Some("message: without a subject"));
    let event = encoded(b"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nSUMMARY:Lunch\r\nDTSTART:20260201T120000Z\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n");
    let calendar = format!(
        "Content-Type: text/calendar; name=a.ics\r\nContent-Disposition: attachment\r\nContent-Transfer-Encoding: base64\r\n\r\n{event}"
    );
    check(&calendar, Some("event: Lunch, 2026-02-01 12:00 UTC"));
    check(&format!("{PDF}QUJD"), None);
}

#[test]
fn the_first_bytes_show_what_a_content_is() {
    let check = |content: &[u8], expect: Option<&str>| {
        let part = format!("{PDF}{}", encoded(content));
        assert_eq!(attachments(&[&part])[0].seen.as_deref(), expect, "{content:?}");
    };
    check(b"%PDF-1.7", Some("application/pdf"));
    check(b"\x89PNG\r\n\x1a\n\0\0", Some("image/png"));
    check(b"MZ\x90\0\x03", Some("application/vnd.microsoft.portable-executable"));
    check(b"hello", None);
    check(b"", None);
}
