//! Remarks: what was made of a message that is nothing wrong with it, for whoever wonders why it reads as it does.

use super::Attachment;
use super::body::Body;
use mail_parser::{MimeHeaders, PartType};

/// What was made of a message with this body and these attachments, as clauses.
pub(super) fn of(message: &mail_parser::Message<'_>, body: &Body, attachments: &[Attachment]) -> Vec<String> {
    let all = [is_flowed(message, body).then(|| FLOWED.to_owned()), sealed(message)];
    all.into_iter().flatten().chain(unpacked(attachments)).collect()
}

/// RFC 3676 section 4.
const FLOWED: &str = "lines that the sender's program had broken were joined again (format=flowed)";

fn is_flowed(message: &mail_parser::Message<'_>, body: &Body) -> bool {
    let is_flowed = |id: &u32| {
        let kind = message.part(*id).filter(|part| matches!(part.body, PartType::Text(_)))?.content_type()?;
        Some(kind.attribute("format")?.eq_ignore_ascii_case("flowed"))
    };
    body.html.is_none() && body.parts.iter().any(|id| is_flowed(id) == Some(true))
}

/// What is said of a message that is signed or encrypted in several parts (RFC 1847).
fn sealed(message: &mail_parser::Message<'_>) -> Option<String> {
    let kind = message.parts.first()?.content_type()?;
    let how = if kind.attribute("protocol")?.to_ascii_lowercase().contains("pgp") { "OpenPGP" } else { "S/MIME" };
    let subtype = kind.subtype().filter(|_| kind.ctype().eq_ignore_ascii_case("multipart"))?;
    match subtype.to_ascii_lowercase().as_str() {
        "signed" => {
            Some(format!("the message is signed ({how}): its text is read, the signature is kept and not checked"))
        }
        "encrypted" => Some(format!("the message is encrypted ({how}): its text cannot be read")),
        _ => None,
    }
}

/// The files that were taken out of others.
fn unpacked(attachments: &[Attachment]) -> impl Iterator<Item = String> {
    let mut outer: Vec<(&str, usize)> = Vec::new();
    for name in attachments.iter().filter_map(|attachment| attachment.packed_in.as_deref()) {
        match outer.iter_mut().find(|(known, _)| *known == name) {
            Some((_, count)) => *count += 1,
            None => outer.push((name, 1)),
        }
    }
    let remarks: Vec<String> = outer
        .into_iter()
        .map(|(name, count)| {
            let name = if name.is_empty() { "a file of Outlook" } else { name };
            let (files, were) = if count == 1 { ("1 file", "was") } else { (&*format!("{count} files"), "were") };
            format!("{name}, in which Outlook packs files, was opened: {files} {were} taken out of it")
        })
        .collect();
    remarks.into_iter()
}

#[cfg(test)]
mod tests {
    use crate::message::parse;

    fn check(head: &str, body: &str, expect: &[&str]) {
        let message = parse(format!("From: a@example.org\r\n{head}\r\n\r\n{body}\r\n").as_bytes(), None);
        assert_eq!(message.remarks, expect, "{head}");
    }

    #[test]
    fn what_was_made_of_a_message_is_told() {
        check("Content-Type: text/plain", "hello", &[]);
        check("Content-Type: text/plain; format=flowed", "hello \r\nyou", &[super::FLOWED]);
        check("Content-Type: text/plain; format=fixed", "hello", &[]);
        let parts = "--x\r\n\r\nhello\r\n--x\r\nContent-Type: application/octet-stream\r\n\r\nx\r\n--x--";
        let signed = |how: &str| {
            format!("the message is signed ({how}): its text is read, the signature is kept and not checked")
        };
        let multipart =
            |kind: &str, protocol: &str| format!("Content-Type: multipart/{kind}; protocol=\"{protocol}\"; boundary=x");
        check(&multipart("signed", "application/pkcs7-signature"), parts, &[&signed("S/MIME")]);
        check(&multipart("signed", "application/pgp-signature"), parts, &[&signed("OpenPGP")]);
        let encrypted = "the message is encrypted (OpenPGP): its text cannot be read";
        check(&multipart("encrypted", "application/pgp-encrypted"), parts, &[encrypted]);
        check(&multipart("mixed", "application/pgp-encrypted"), parts, &[]);
    }
}
