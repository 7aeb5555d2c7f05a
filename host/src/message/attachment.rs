//! The parts that are not the body (RFC 2183, RFC 2392).

use super::parse::Source;
use super::{Attachment, Defect, Enclosure};
use crate::content;
use mail_parser::{MessagePart, MimeHeaders, PartType};

/// The most attachments that are kept.
pub(super) const ATTACHMENTS_MAX: usize = 1_000;
/// The longest file name, in bytes.
const NAME_BYTES_MAX: usize = 255;

/// The parts that are not the body, in order.
pub(super) fn of(
    message: &mail_parser::Message<'_>,
    body: &[u32],
    source: &Source<'_>,
    defects: &mut Vec<Defect>,
) -> Result<Vec<Attachment>, content::Error> {
    let mut found = Vec::new();
    for (id, part) in message.parts.iter().enumerate() {
        let is_body = u32::try_from(id).is_ok_and(|id| body.contains(&id));
        if is_body || matches!(part.body, PartType::Multipart(_)) {
            continue;
        }
        if found.len() >= ATTACHMENTS_MAX {
            defects.push(Defect(format!("more than {ATTACHMENTS_MAX} attachments: the rest is not looked at")));
            break;
        }
        let (enclosure, is_as_it_says) = source.enclosure(part)?;
        if !is_as_it_says {
            defects.push(Defect(format!("attachment {} is not encoded as it says", found.len() + 1)));
        }
        found.push(attachment(part, enclosure));
    }
    Ok(found)
}

fn attachment(part: &MessagePart<'_>, enclosure: Enclosure) -> Attachment {
    let content_id = part.content_id().unwrap_or_default().trim_matches(['<', '>']).to_owned();
    let disposition = part.content_disposition();
    let inline = match disposition {
        Some(disposition) => disposition.is_inline(),
        None => !content_id.is_empty(),
    };
    Attachment { name: name(part), media_type: media_type(part), content_id, inline, enclosure }
}

fn media_type(part: &MessagePart<'_>) -> String {
    if let Some(kind) = part.content_type() {
        return format!("{}/{}", kind.ctype(), kind.subtype().unwrap_or("plain")).to_ascii_lowercase();
    }
    match &part.body {
        PartType::Message(_) => "message/rfc822".to_owned(),
        PartType::Text(_) => "text/plain".to_owned(),
        PartType::Html(_) => "text/html".to_owned(),
        PartType::Binary(_) | PartType::InlineBinary(_) | PartType::Multipart(_) => {
            "application/octet-stream".to_owned()
        }
    }
}

/// The name that it gives itself; a nested message is called after its subject.
fn name(part: &MessagePart<'_>) -> String {
    match (&part.body, part.attachment_name()) {
        (_, Some(name)) => file_name(name),
        (PartType::Message(message), None) => {
            let name = file_name(message.subject().unwrap_or_default());
            let stem = if name.is_empty() { "message" } else { &name };
            format!("{}.eml", stem.get(..stem.floor_char_boundary(NAME_BYTES_MAX - 4)).unwrap_or_default())
        }
        (_, None) => String::new(),
    }
}

/// A name that is no path: separators and control characters are gone, and dots at its start.
fn file_name(name: &str) -> String {
    let kept: String =
        name.chars().filter(|character| !character.is_control() && !"/\\:".contains(*character)).collect();
    let kept = kept.trim().trim_start_matches('.').trim();
    kept.get(..kept.floor_char_boundary(NAME_BYTES_MAX)).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, expect: &str) {
        assert_eq!(file_name(name), expect, "{name:?}");
    }

    #[test]
    fn a_name_is_no_path() {
        check("a.pdf", "a.pdf");
        check("../../etc/passwd", "etcpasswd");
        check(r"C:\temp\x.doc", "Ctempx.doc");
        check("..", "");
        check(" ünï.txt\r\n", "ünï.txt");
        check(&"ä".repeat(200), &"ä".repeat(127));
    }
}
