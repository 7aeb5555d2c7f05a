//! What real mail is like: a table of cases, each as it is met.

use super::super::document::BodyKind;
use super::*;
use std::time::{Duration, Instant};

/// How long any of these messages may take, on a slow machine that does something else besides.
const TIME_MAX: Duration = Duration::from_secs(20);

fn message(part: &[u8]) -> Message {
    parse(&[b"From: a@example.org\r\nMIME-Version: 1.0\r\n".as_slice(), part].concat(), None)
}

fn check_text(charset: &str, bytes: &[u8], expect: &str) {
    let head = format!("Content-Type: text/plain; charset={charset}\r\nContent-Transfer-Encoding: 8bit\r\n\r\n");
    let found = message(&[head.as_bytes(), bytes].concat());
    assert_eq!(found.document.text().trim_end(), expect, "{charset}: {:?}", found.defects);
}

#[test]
fn texts_in_any_character_set() {
    check_text("us-ascii", b"plain", "plain");
    check_text("iso-8859-15", b"10 \xa4", "10 €");
    check_text("windows-1252", b"\x93quoted\x94 \x80", "“quoted” €");
    check_text("windows-1251", b"\xcf\xf0\xe8\xe2\xe5\xf2", "Привет");
    check_text("koi8-r", b"\xf0\xd2\xc9\xd7\xc5\xd4", "Привет");
    check_text("iso-8859-2", b"za\xbf\xf3\xb3\xe6", "zażółć");
    check_text("iso-8859-9", b"\xfd\xfe\xf0", "ışğ");
    check_text("windows-1253", b"\xc3\xe5\xe9\xdc", "Γειά");
    check_text("shift_jis", b"\x93\xfa\x96\x7b", "日本");
    check_text("euc-jp", b"\xc6\xfc\xcb\xdc", "日本");
    check_text("iso-2022-jp", b"\x1b$BF|K\\\x1b(B", "日本");
    check_text("gb2312", b"\xc4\xe3\xba\xc3", "你好");
    check_text("gb18030", b"\xc4\xe3\xba\xc3", "你好");
    check_text("big5", b"\xa7A\xa6n", "你好");
    check_text("euc-kr", b"\xbe\xc8\xb3\xe7", "안녕");
    check_text("ks_c_5601-1987", b"\xbe\xc8\xb3\xe7", "안녕");
    check_text("utf-16le", b"h\0i\0", "hi");
    check_text("utf-16be", b"\0h\0i", "hi");
    check_text("utf-7", b"+ZeVnLA-", "日本");
    check_text("\"UTF-8\"", "Grüße".as_bytes(), "Grüße");
}

#[test]
fn texts_with_the_wrong_label() {
    check_text("us-ascii", "Grüße".as_bytes(), "Grüße");
    check_text("us-ascii", b"Gr\xfc\xdfe", "Grüße");
    check_text("iso-8859-1", b"\x93quoted\x94", "“quoted”");
    check_text("iso-8859-1", "“quoted”".as_bytes(), "“quoted”");
    check_text("utf-8", b"\x93quoted\x94", "“quoted”");
    check_text("unknown-8bit", "Grüße".as_bytes(), "Grüße");
    check_text("x-user-defined", b"Gr\xfc\xdfe", "Grüße");
    check_text("utf8mb4", "Grüße".as_bytes(), "Grüße");
    check_text("cp1252", b"\x80", "€");
    check_text("ansi_x3.110-1983", b"Gr\xfc\xdfe", "Grüße");
}

#[test]
fn no_encoded_word_begins_another_line() {
    let raw = "From: =?utf-8?Q?Ann=0D=0ABcc:_evil=40e.example?= <ann@example.org>\r\n\
               To: =?utf-8?Q?Desk=0A=0A?= <desk@example.org>\r\n\
               Subject: =?utf-8?Q?Hi=0D=0ABcc:_evil=40e.example=E2=80=A8=00end?=\r\n\r\nHello\r\n";
    let message = parse(raw.as_bytes(), None);
    assert_eq!(message.subject, "Hi Bcc: evil@e.example end");
    let sender = message.sender.unwrap();
    assert_eq!((sender.name.as_str(), sender.email.as_str()), ("Ann Bcc: evil@e.example", "ann@example.org"));
    assert_eq!(message.recipients[0].name, "Desk");
}

#[test]
fn encoded_words_are_decoded() {
    let check = |written: &str, expect: &str| {
        let found = message(format!("Subject: {written}\r\n\r\n").as_bytes()).subject;
        assert_eq!(found, expect, "{written}");
    };
    check("=?utf-8?q?Gr=C3=BC=C3=9Fe_aus?= Wien", "Grüße aus Wien");
    check("=?UTF-8?B?R3LDvMOfZQ==?=", "Grüße");
    // RFC 2047 section 6.2: white space between two of them is none.
    check("=?utf-8?q?Gr=C3=BC?= =?utf-8?q?=C3=9Fe?=", "Grüße");
    check("=?utf-8?q?Gr=C3=BC?=\r\n =?utf-8?q?=C3=9Fe?=", "Grüße");
    check("=?iso-8859-1?q?a?= b =?iso-8859-1?q?c?=", "a b c");
    // RFC 2231 section 5: with a language.
    check("=?iso-8859-1*de?q?Gr=FC=DFe?=", "Grüße");
    check("=?koi8-r?b?8NLJ18XU?=", "Привет");
    check("=?iso-2022-jp?b?GyRCRnxLXBsoQg==?=", "日本");
    check("=?gb2312?B?xOO6ww==?=", "你好");
    check("Gr\u{fc}\u{df}e, raw", "Grüße, raw");
    check("=?utf-8?q?not closed", "=?utf-8?q?not closed");
    check("=?utf-8?x?what?=", "=?utf-8?x?what?=");
    check("a =?= b", "a =?= b");
    // Programs cut characters in two between words.
    check("=?utf-8?b?R3LD?= =?utf-8?b?vMOfZQ==?=", "Grüße");
}

#[test]
fn file_names_are_decoded() {
    let check = |parameters: &str, expect: &str| {
        let part = format!(
            "Content-Type: multipart/mixed; boundary=o\r\n\r\n--o\r\nContent-Type: text/plain\r\n\r\nx\r\n--o\r\n\
             Content-Type: application/pdf\r\nContent-Disposition: attachment; {parameters}\r\n\r\nPDF\r\n--o--\r\n"
        );
        let found = message(part.as_bytes());
        let names: Vec<_> = found.attachments.iter().map(|it| it.name.as_str()).collect();
        assert_eq!(names, [expect], "{parameters}");
    };
    check("filename=a.pdf", "a.pdf");
    check("filename=\"a b.pdf\"", "a b.pdf");
    // RFC 2231.
    check("filename*=utf-8''Gr%C3%BC%C3%9Fe.pdf", "Grüße.pdf");
    check("filename*=iso-8859-1'de'Gr%FC%DFe.pdf", "Grüße.pdf");
    check("filename*0=\"long \"; filename*1=\"name.pdf\"", "long name.pdf");
    check("filename*0*=utf-8''Gr%C3%BC;\r\n filename*1*=%C3%9Fe;\r\n filename*2=.pdf", "Grüße.pdf");
    // Outlook and Gmail, against RFC 2047 section 5.
    check("filename=\"=?utf-8?q?Gr=C3=BC=C3=9Fe.pdf?=\"", "Grüße.pdf");
    check("filename==?utf-8?b?R3LDvMOfZS5wZGY=?=", "Grüße.pdf");
    check("filename=\"../../x.pdf\"", "x.pdf");
    check("filename=\"Gr\u{fc}\u{df}e.pdf\"", "Grüße.pdf");
}

#[test]
fn bodies_of_all_kinds() {
    let check = |what: &str, part: &str, kind: BodyKind, expect: &str| {
        let found = message(part.as_bytes());
        assert_eq!((found.document.kind(), found.document.text().trim_end()), (kind, expect), "{what}");
    };
    let (plain, html, empty) = (BodyKind::Plain, BodyKind::Html, BodyKind::Empty);
    check("HTML alone", "Content-Type: text/html\r\n\r\n<p>one</p><p>two &amp; three</p>", html, "one\n\ntwo & three");
    check("an empty text", "Content-Type: text/plain\r\n\r\n", empty, "");
    check("white space", "Content-Type: text/plain\r\n\r\n \r\n\t\r\n", plain, "");
    check("an empty HTML", "Content-Type: text/html\r\n\r\n<html><body><br></body></html>", html, "");
    check("HTML that does not end", "Content-Type: text/html\r\n\r\n<p>one<div><b>two", html, "one\n\ntwo");
    let flowed =
        "Content-Type: text/plain; format=flowed\r\n\r\nThis is \r\none line.\r\n\r\n> and \r\n> quoted\r\n-- \r\nAnn";
    check("format=flowed", flowed, plain, "This is one line.\n\n> and quoted\n-- \nAnn");
    let attached = "Content-Type: multipart/mixed; boundary=o\r\n\r\n--o\r\nContent-Type: application/pdf; name=a.pdf\r\n\r\n\
                    PDF\r\n--o--\r\n";
    check("an attachment alone", attached, empty, "");
    check("no parts at all", "Content-Type: multipart/mixed; boundary=o\r\n\r\n--o--\r\n", empty, "");
    let signed = "Content-Type: multipart/signed; protocol=\"application/pkcs7-signature\"; micalg=sha-256; boundary=o\r\n\r\n\
                  --o\r\nContent-Type: text/plain\r\n\r\nsigned\r\n--o\r\nContent-Type: application/pkcs7-signature; \
                  name=smime.p7s\r\nContent-Transfer-Encoding: base64\r\n\r\nMIIB\r\n--o--\r\n";
    check("signed beside its text", signed, plain, "signed");
    assert_eq!(message(signed.as_bytes()).attachments[0].name, "smime.p7s");
}

#[test]
fn no_header_at_all() {
    for raw in [&b"\r\njust text\r\n"[..], b"\njust text\n", b"just text\r\nand more\r\n"] {
        let found = parse(raw, None);
        assert!(found.document.text().contains("just text"), "{raw:?}: {found:?}");
        assert_eq!(found.sender, None);
    }
    for raw in [&b""[..], b"\r\n", b"\n\n", b"\0", b":", b"\r\n\r\n\r\n"] {
        let _ = parse(raw, None);
    }
}

#[test]
fn forwards_in_forwards_are_attachments() {
    let mut raw = "Subject: level 0\r\n\r\nthe innermost text\r\n".to_owned();
    for level in 1..=20 {
        raw = format!(
            "Subject: level {level}\r\nContent-Type: multipart/mixed; boundary=b{level}\r\n\r\n--b{level}\r\nContent-Type: \
             text/plain\r\n\r\nsee below {level}\r\n--b{level}\r\nContent-Type: message/rfc822\r\n\r\n{raw}\r\n--b{level}--\r\n"
        );
    }
    let found = parse(raw.as_bytes(), None);
    assert_eq!(found.document.text().trim_end(), "see below 20");
    let names: Vec<_> = found.attachments.iter().map(|it| (it.name.as_str(), it.media_type.as_str())).collect();
    assert_eq!(names, [("level 19.eml", "message/rfc822")]);
}

#[test]
fn ten_thousand_parts() {
    let part = "--o\r\nContent-Type: application/pdf; name=a.pdf\r\nContent-Disposition: attachment\r\n\r\nPDF\r\n";
    let raw = format!(
        "Content-Type: multipart/mixed; boundary=o\r\n\r\n--o\r\nContent-Type: text/plain\r\n\r\ntext\r\n{}--o--\r\n",
        part.repeat(10_000)
    );
    let began = Instant::now();
    let found = message(raw.as_bytes());
    assert!(began.elapsed() < TIME_MAX, "{:?}", began.elapsed());
    assert_eq!((found.document.text().trim_end(), found.attachments.len()), ("text", 1_000));
    let defect = "more than 1000 attachments: the rest is not looked at";
    assert!(found.defects.iter().any(|it| it.0 == defect), "{:?}", found.defects);
}

#[test]
fn headers_of_a_megabyte() {
    let began = Instant::now();
    let long = message(format!("Subject: {}\r\n\r\ntext", "long ".repeat(200_000)).as_bytes());
    assert_eq!((long.subject.len(), long.document.text()), (999_999, "text"));
    let folded = message(format!("Subject: start{}\r\n\r\ntext", "\r\n folded".repeat(125_000)).as_bytes());
    assert_eq!(folded.document.text(), "text");
    assert!(folded.subject.starts_with("start folded folded"), "{:.40}", folded.subject);
    let many = message(format!("{}Subject: last\r\n\r\ntext", "X-Many: value\r\n".repeat(70_000)).as_bytes());
    assert_eq!((many.document.text(), &*many.subject, many.headers.len()), ("text", "last", 1_001));
    let words = message(format!("Subject: {}\r\n\r\ntext", "=?utf-8?q?a?= ".repeat(70_000)).as_bytes());
    assert_eq!(words.document.text(), "text");
    let recipients = message(format!("To: {}\r\n\r\ntext", "a@example.org, ".repeat(70_000)).as_bytes());
    assert_eq!((recipients.document.text(), recipients.recipients.len()), ("text", 1_000));
    let ids = message(format!("References: {}\r\n\r\ntext", "<a@example.org> ".repeat(60_000)).as_bytes());
    assert_eq!((ids.document.text(), ids.references.len()), ("text", 1_000));
    assert!(began.elapsed() < TIME_MAX, "{:?}", began.elapsed());
}
