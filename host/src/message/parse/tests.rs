mod kept;

use super::super::document::BodyKind;
use super::*;
use crate::message::Origin;
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
fn addresses_are_read_before_anything_is_decoded() {
    let check = |field: &str, name: &str, expect: &[&str]| {
        let message = parse(format!("{field}\r\nSubject: a@example.org\r\n\r\n").as_bytes(), None);
        let found: Vec<&str> = message.header_addresses(name).map(|one| one.email.as_str()).collect();
        assert_eq!(found, expect, "{field}");
    };
    check("Reply-To: Ann <a@example.org>, b@example.org", "reply-to", &["a@example.org", "b@example.org"]);
    check("Reply-To: a@example.org\r\nReply-To: b@example.org", "Reply-To", &["a@example.org", "b@example.org"]);
    check("Reply-To: \"x@trusted.example\" <eve@evil.example>", "Reply-To", &["eve@evil.example"]);
    check("Reply-To: =?utf-8?q?x=40trusted.example=2C?= <eve@evil.example>", "Reply-To", &["eve@evil.example"]);
    check("Reply-To: =?utf-8?q?=3Cx=40trusted.example=3E?= <eve@evil.example>", "Reply-To", &["eve@evil.example"]);
    check("X-Original-To: Desk <desk@example.org>", "X-Original-To", &["desk@example.org"]);
    check("Delivered-To: desk@example.org", "delivered-to", &["desk@example.org"]);
    check("Reply-To:", "Reply-To", &[]);
    check("Reply-To: nobody", "Reply-To", &[]);
    check("X-Any: a@example.org", "X-Any", &[]);
    check("Reply-To: a@example.org", "Subject", &[]);
}

#[test]
fn attachments_are_what_is_not_the_body() {
    let message = parse(MAIL.as_bytes(), None);
    let found: Vec<_> = message
        .attachments
        .iter()
        .map(|one| (&*one.name, &*one.media_type, &*one.content_id, one.inline, one.enclosure.size))
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
fn fields_without_end_hide_nothing() {
    let check = |padding: String, kept: usize| {
        let count = padding.lines().count() + 6;
        let raw = format!(
            "From: a@b.example\r\nMessage-ID: <1@b>\r\nDate: Mon, 2 Mar 2026 10:00:00 +0000\r\n{padding}Subject: shown\r\n\
             Auto-Submitted: auto-replied\r\nSubject: another\r\n\r\nx"
        );
        let message = parse(raw.as_bytes(), None);
        assert_eq!((message.subject.as_str(), message.headers.len()), ("shown", kept));
        let said = "header fields: the first 1000 are kept, and of those behind them the first of each name";
        assert_eq!(message.defects.iter().map(|defect| &*defect.0).collect::<Vec<_>>(), [format!("{count} {said}")]);
        message.origin
    };
    assert_eq!(check("X-Same: y\r\n".repeat(5_000), 1_002), Origin::AutoReplied);
    // Of more names than anyone has, only those are kept that every message may have.
    let names: String = (0..5_000).map(|number| format!("X-{number}: y\r\n")).collect();
    assert_eq!(check(names, 2_002), Origin::AutoReplied);
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

/// Lines of base64 of that many characters each, of bytes that do not repeat soon.
fn base64_lines(bytes: usize, line: usize, line_end: &str) -> String {
    use base64::Engine as _;
    let bytes: Vec<u8> = (0..bytes).map(|at| (at * at / 7 + at / 251) as u8).collect();
    let encoded = base64::engine::general_purpose::STANDARD.encode(bytes);
    let lines = encoded.as_bytes().chunks(line).map(|line| String::from_utf8_lossy(line).into_owned());
    lines.collect::<Vec<_>>().join(line_end)
}

/// What differs if a message is read in the other way.
fn account(message: &Message) -> String {
    let attachments: Vec<String> = message.attachments.iter().map(|attachment| format!("{attachment:?}")).collect();
    let text = crate::store::Sha256::of(message.document.text().as_bytes());
    format!(
        "{:?}\n{:?} {} {text}\n{:#?}\n{:#?}",
        message.subject,
        message.document.kind(),
        message.document.text().len(),
        attachments,
        message.defects
    )
}

/// The content of an attachment, taken out of pieces of its message: always the same, however they are cut.
fn opened(raw: &[u8], enclosure: &Enclosure) -> Vec<u8> {
    let open = |step: usize| {
        let mut writer = crate::content::Spool::new(&std::env::temp_dir()).writer(u64::MAX);
        let mut opening = enclosure.opening(0);
        raw.chunks(step).for_each(|piece| opening.take(piece, &mut writer).unwrap());
        opening.finish(writer).unwrap().to_vec().unwrap()
    };
    let expect = open(raw.len());
    assert!(open(512 << 10) == expect);
    expect
}

#[test]
fn attachments_are_taken_out_of_their_message() {
    let part = |encoding: &str, text: &str| {
        let head = "Content-Type: application/x-any; name=a\r\nContent-Disposition: attachment\r\n";
        format!("{head}Content-Transfer-Encoding: {encoding}\r\n\r\n{text}")
    };
    let check = |what: &str, part: &str, expect: &[u8]| {
        let raw = format!("From: a@example.org\r\n{}", mixed(&[part, &format!("{PDF}QUJD")]));
        let message = parse(raw.as_bytes(), None);
        assert_eq!(message.attachments.len(), 2, "{what}");
        let enclosures: Vec<&Enclosure> = message.attachments.iter().map(|it| &it.enclosure).collect();
        assert_eq!(opened(raw.as_bytes(), enclosures[0]), expect, "{what}");
        assert_eq!(enclosures[0].size, expect.len() as u64, "{what}");
        assert_eq!(opened(raw.as_bytes(), enclosures[1]), b"ABC", "{what}");
    };
    check("base64", &part("base64", "aGVsbG8s\r\nIHdvcmxk"), b"hello, world");
    check("empty base64", &part("base64", ""), b"");
    check("quoted-printable", &part("quoted-printable", "gr=FCn=\r\n und  \r\nblau"), b"gr\xfcn und\r\nblau");
    check("7bit", &part("7bit", "a\r\n b"), b"a\r\n b");
    check("8bit", &part("8bit", "gr\u{fc}n"), "gr\u{fc}n".as_bytes());
    check("binary", &part("binary", "\0\x01\r\x02"), b"\0\x01\r\x02");
    check("base64 that is none", &part("base64", "no!base64"), b"no!base64");
    let inner = "Subject: inner\r\n\r\nbody";
    check("nested", &format!("Content-Type: message/rfc822\r\n\r\n{inner}"), inner.as_bytes());
    let encoded = "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\n\
                   U3ViamVjdDogaW5uZXINCg0KYm9keQ==";
    check("nested base64", encoded, inner.as_bytes());
    let text = "Content-Type: text/plain; charset=iso-8859-1; name=t\r\nContent-Disposition: attachment\r\n\
                Content-Transfer-Encoding: quoted-printable\r\n\r\ngr=FCn";
    check("a text in its own character set", text, b"gr\xfcn");
}

#[test]
fn a_content_that_is_not_what_it_was_is_refused() {
    let raw = format!("From: a@example.org\r\n{}", mixed(&[&format!("{PDF}aGVsbG8=")]));
    let enclosure = parse(raw.as_bytes(), None).attachments.remove(0).enclosure;
    let refusal = |raw: &[u8]| {
        let mut writer = crate::content::Spool::new(&std::env::temp_dir()).writer(u64::MAX);
        let mut opening = enclosure.opening(0);
        opening.take(raw, &mut writer).and_then(|()| opening.finish(writer)).unwrap_err().to_string()
    };
    let place = format!("the attachment at bytes {} to {} of its message", enclosure.range.start, enclosure.range.end);
    let altered = |from: &str, to: &str| raw.replace(from, to).into_bytes();
    assert_eq!(refusal(&altered("aGVsbG8=", "aGVsbGE=")), format!("{place} is not what it was"));
    assert_eq!(refusal(&altered("aGVsbG8=", "aGVsb===")), format!("{place} is not what it was"));
    assert_eq!(refusal(&altered("aGVsbG8=", "aGVs!!!!")), format!("{place} is not encoded as it was"));
    let cut = enclosure.range.end as usize - 1;
    assert_eq!(refusal(&raw.as_bytes()[..cut]), format!("{place} reaches beyond the end of the message"));
}

/// Reads a message as a long one, from a file and from memory, and compares with all of it parsed at once.
fn check_long(what: &str, body: &str) -> Message {
    let raw = format!(
        "From: a@example.org\r\nSubject: long\r\nMessage-ID: <1@example.org>\r\nMIME-Version: 1.0\r\n\
         Date: Mon, 2 Mar 2026 10:00:00 +0100\r\n{body}"
    );
    assert!(raw.len() as u64 > crate::content::MEMORY_BYTES_MAX, "{what} is not long");
    let folder = tempfile::tempdir().unwrap();
    let mut writer = crate::content::Spool::new(folder.path()).writer(u64::MAX);
    writer.append(raw.as_bytes()).unwrap();
    let expect = account(&parse(raw.as_bytes(), None));
    let message = read(&writer.finish().unwrap(), None).unwrap();
    assert_eq!(account(&message), expect, "{what}");
    assert_eq!(account(&read(&raw.as_bytes().into(), None).unwrap()), expect, "{what}, in memory");
    message.attachments.iter().for_each(|attachment| drop(opened(raw.as_bytes(), &attachment.enclosure)));
    message
}

/// A message of a short text and further parts, each with its header.
fn mixed(parts: &[&str]) -> String {
    let parts: String = parts.iter().map(|part| format!("--OO\r\n{part}\r\n")).collect();
    format!(
        "Content-Type: multipart/mixed; boundary=\"OO\"\r\n\r\npreamble\r\n--OO\r\nContent-Type: text/plain\r\n\r\n\
         see below\r\n{parts}--OO--\r\nepilogue\r\n"
    )
}

const PDF: &str = "Content-Type: application/pdf; name=a.pdf\r\nContent-Disposition: attachment\r\n\
                   Content-Transfer-Encoding: base64\r\n\r\n";
const MIB: usize = 1 << 20;

#[test]
fn long_attachments_are_what_they_are_in_a_short_message() {
    let lines = base64_lines(2 * MIB, 76, "\r\n");
    let attached = format!("{PDF}{lines}");
    check_long("a PDF", &mixed(&[&attached]));
    check_long("three", &mixed(&[&attached, &format!("{PDF}QUJD"), &attached]));
    for line in [998, 20_000, usize::MAX] {
        let text = format!("{PDF}{}", base64_lines(2 * MIB + 1, line, "\r\n"));
        check_long(&format!("lines of {line}"), &mixed(&[&text]));
    }
    check_long("with LF", &mixed(&[&format!("{PDF}{}", base64_lines(2 * MIB + 2, 76, "\n"))]).replace("\r\n", "\n"));
    check_long("an empty line at the end", &mixed(&[&format!("{attached}\r\n\r\n")]));
    check_long("spaces", &mixed(&[&format!("{PDF}{}", lines.replace("\r\n", " \r\n\t"))]));
    check_long("the message itself", &format!("{PDF}{lines}\r\n"));
    check_long("not ended", &format!("{}--OO\r\n{attached}", mixed(&[]).replace("--OO--", "")));
    check_long("cut short", &mixed(&[&attached])[..2 * MIB]);
    check_long("garbage in a line", &mixed(&[&format!("{PDF}{lines}\r\n!!!!\r\n{lines}")]));
    check_long("hyphens in a line", &mixed(&[&format!("{PDF}{lines}\r\n----\r\n{lines}")]));
    check_long("ended twice", &mixed(&[&format!("{PDF}{lines}\r\nQQ==\r\nQUJD\r\n{lines}")]));
}

#[test]
fn long_parts_without_base64_are_what_they_are_in_a_short_message() {
    let lines: String = (0..200_000).map(|line| format!("line {line} of a long - very long - text\r\n")).collect();
    let plain = "Content-Type: text/csv; charset=iso-8859-1; name=t.csv\r\nContent-Disposition: attachment\r\n";
    let inner = format!("Content-Type: message/rfc822\r\n\r\nSubject: inner\r\n{}", mixed(&["\r\nx"]));
    let quoted = format!("{plain}Content-Transfer-Encoding: quoted-printable\r\n\r\n");
    check_long("7bit", &mixed(&[&format!("{plain}\r\n{lines}")]));
    check_long("quoted-printable", &mixed(&[&format!("{quoted}{}", lines.replace("long -", "l=F6ng=\r\n \r\n"))]));
    check_long("bad quoted-printable", &mixed(&[&format!("{quoted}{lines}a==b\r\n{lines}")]));
    check_long("nested", &mixed(&[&inner.replace("see below", &lines), "\r\nlast"]));
    check_long("nested base64", &mixed(&[&inner.replace("see below", &base64_lines(2 * MIB, 76, "\r\n"))]));
    let uuencoded = "M5&AE('%U:6-K(&)R;W=N(&9O>\"!J=6UP<R!O=F5R('1H92!L87IY(&1O9RX \r\n".repeat(100_000);
    check_long("uuencode", &mixed(&[&format!("{plain}\r\nbegin 644 x\r\n{uuencoded}end")]));
    let garbled = base64_lines(8 * MIB, 76, "!\r\n");
    check_long("base64 with garbage in each line", &mixed(&[&format!("{PDF}{garbled}")]));
    let page = format!("Content-Type: text/html\r\n\r\n<p>{}</p>", "word ".repeat(MIB / 4));
    check_long("a long line and a page", &mixed(&[&page, &format!("{PDF}{}", base64_lines(MIB, 76, "\r\n"))]));
}

#[test]
fn rules_see_the_beginning_of_a_long_body() {
    let check = |what: &str, body: &str| {
        let most = if what == "html" { 2 * MIB } else { MIB / 2 };
        let expect = format!("the body is longer than {most} bytes: rules see no more of it");
        let message = check_long(what, body);
        assert!(message.document.text().len() <= TEXT_BYTES_MAX, "{what}");
        assert_eq!(message.defects.last().unwrap().0, expect, "{what}");
    };
    let lines: String = (0..200_000).map(|line| format!("line {line} of a long text with umlauts: äöü\r\n")).collect();
    check("plain", &format!("Content-Type: text/plain; charset=utf-8\r\n\r\n{lines}"));
    check("html", &format!("Content-Type: text/html; charset=utf-8\r\n\r\n<p>{lines}</p>"));
    let encoded = base64_lines(7 * MIB, 76, "\r\n");
    check(
        "base64",
        &format!("Content-Type: text/plain; charset=iso-8859-2\r\nContent-Transfer-Encoding: base64\r\n\r\n{encoded}"),
    );
    check("no header in it", &format!("\r\n{lines}"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn any_long_message_reads_like_a_short_one(
        parts in proptest::collection::vec((0..6_usize, 1..60_usize, 1..100_usize, any::<bool>()), 1..8),
    ) {
        let parts: Vec<String> = parts.into_iter().map(|(kind, length, line, nested)| {
            let lines = base64_lines(length * 12_345, line, "\r\n");
            let part = match kind {
                0 => format!("{PDF}{lines}"),
                1 => format!("{PDF}{}", lines.replace("\r\nA", "\r\n=")),
                2 => format!("\r\n{lines}"),
                3 => format!("Content-Type: application/x-any\r\n\r\n{}", lines.replace('/', " --")),
                4 => format!("Content-Transfer-Encoding: quoted-printable\r\nContent-Type: image/x\r\n\r\n{}", lines.replace('+', "=3D")),
                _ => format!("Content-Type: application/x-any\r\n\r\n{}", lines.replace("e", "\r\n\r\n")),
            };
            if nested { format!("Content-Type: message/rfc822\r\n\r\nSubject: inner\r\n{part}") } else { part }
        }).collect();
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        let padding = format!("{PDF}{}", base64_lines(MIB, 64, "\r\n"));
        check_long("any", &mixed(&[&parts[..], &[&padding]].concat()));
    }
}
