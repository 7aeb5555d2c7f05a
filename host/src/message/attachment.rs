//! The parts that are not the body (RFC 2183, RFC 2392).

use super::parse::Source;
use super::{Address, Attachment, Defect, Enclosure, calendar, enclosure, tnef};
use crate::content::{self, Content};
use mail_parser::{MessagePart, MimeHeaders, PartType};

/// The most attachments that are kept.
pub(super) const ATTACHMENTS_MAX: usize = 1_000;
/// The longest file name, in bytes.
const NAME_BYTES_MAX: usize = 255;
/// How much of a content is looked at to see what it is.
const SEEN_BYTES: usize = 8 << 10;

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
        let attachment = attachment(part, enclosure, source.raw())?;
        match unpacked(&attachment, source.raw())? {
            Some(files) => found.extend(files.into_iter().take(ATTACHMENTS_MAX - found.len())),
            None => {
                if attachment.media_type == tnef::MEDIA_TYPE {
                    let reason = "is a winmail.dat that cannot be opened: it is kept as it is";
                    defects.push(Defect(format!("attachment {} {reason}", found.len() + 1)));
                }
                found.push(attachment);
            }
        }
    }
    Ok(found)
}

fn attachment(part: &MessagePart<'_>, enclosure: Enclosure, raw: &Content) -> Result<Attachment, content::Error> {
    let content_id = part.content_id().unwrap_or_default().trim_matches(['<', '>']).to_owned();
    let disposition = part.content_disposition();
    let inline = match disposition {
        Some(disposition) => disposition.is_inline(),
        None => !content_id.is_empty(),
    };
    let media_type = media_type(part);
    let description = match &part.body {
        PartType::Message(nested) => Some(about(nested)),
        _ if matches!(media_type.as_str(), "text/calendar" | "application/ics") => {
            calendar::describe(&enclosure.head(raw, calendar::BYTES_MAX)?)
        }
        _ => None,
    };
    let seen = seen(&enclosure, raw)?;
    Ok(Attachment { name: name(part), media_type, seen, content_id, inline, description, refused: None, enclosure })
}

/// The media type that the first bytes show.
fn seen(enclosure: &Enclosure, raw: &Content) -> Result<Option<String>, content::Error> {
    let head = enclosure.head(raw, SEEN_BYTES)?;
    Ok(infer::get(&head).map(|kind| kind.mime_type().to_owned()))
}

/// What a `winmail.dat` holds; none if it is something else, or holds nothing.
fn unpacked(packed: &Attachment, raw: &Content) -> Result<Option<Vec<Attachment>>, content::Error> {
    let outer = &packed.enclosure;
    let is_packed = packed.media_type == tnef::MEDIA_TYPE || packed.name.eq_ignore_ascii_case("winmail.dat");
    if !is_packed || !tnef::begins(&outer.head(raw, SEEN_BYTES)?) {
        return Ok(None);
    }
    let Some(files) = tnef::files(outer.reader(raw)).map_err(enclosure::in_content)? else { return Ok(None) };
    let mut found = Vec::with_capacity(files.len());
    for file in files {
        let size = file.at.end - file.at.start;
        let enclosure = Enclosure { within: Some(file.at), size, sha256: file.sha256, ..outer.clone() };
        let seen = seen(&enclosure, raw)?;
        let is_said = !file.media_type.is_empty();
        let guessed = || seen.clone().unwrap_or_else(|| "application/octet-stream".to_owned());
        found.push(Attachment {
            name: file_name(&file.name),
            media_type: if is_said { file.media_type } else { guessed() },
            inline: !file.content_id.is_empty(),
            content_id: file.content_id,
            seen,
            description: None,
            refused: None,
            enclosure,
        });
    }
    Ok((!found.is_empty()).then_some(found))
}

/// What a nested message is about: `message: Lamp, from Ann Lee <ann@example.org>, 2026-01-31 10:00`.
fn about(nested: &mail_parser::Message<'_>) -> String {
    let subject = line(nested.subject().unwrap_or_default());
    let mut parts = vec![format!("message: {}", if subject.is_empty() { "without a subject" } else { &subject })];
    let from = nested.from().and_then(|from| from.first());
    let (name, address) = from.map(|from| (from.name(), from.address())).unwrap_or_default();
    let address = Address { name: line(name.unwrap_or_default()), email: line(address.unwrap_or_default()) };
    if address != Address::default() {
        parts.push(format!("from {address}"));
    }
    if let Some(date) = nested.date().filter(|date| date.is_valid()) {
        let mail_parser::DateTime { year, month, day, hour, minute, .. } = date;
        parts.push(format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}"));
    }
    parts.join(", ")
}

/// A text on one line, and short.
fn line(text: &str) -> String {
    const CHARS_MAX: usize = 200;
    let words = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(" ").chars().take(CHARS_MAX).collect()
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

/// A name that is safe for a file: no separators, no control characters, none that turn the direction of writing or
/// are not shown, no dots at its start, neither dots nor blanks at its end, and none of the names that Windows keeps for
/// devices.
fn file_name(name: &str) -> String {
    let is_safe = |c: &char| !c.is_control() && !is_unseen(*c) && !r#"/\:*?"<>|"#.contains(*c);
    let kept: String = name.chars().filter(is_safe).collect();
    let kept = kept.trim().trim_start_matches('.').trim();
    let kept =
        kept.get(..kept.floor_char_boundary(NAME_BYTES_MAX - 1)).unwrap_or_default().trim_end_matches(['.', ' ']);
    if is_device(kept) { format!("_{kept}") } else { kept.to_owned() }
}

/// Characters that take no room or turn the direction of writing: with them, `gpj.exe` reads as `exe.jpg`.
fn is_unseen(character: char) -> bool {
    matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{fffe}')
}

/// Whether Windows takes a name for a device, whatever its extension.
fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default().trim_end().to_ascii_uppercase();
    let numbered =
        |device: &str| stem.strip_prefix(device).is_some_and(|rest| matches!(rest.as_bytes(), [b'0'..=b'9']));
    matches!(stem.as_str(), "CON" | "PRN" | "AUX" | "NUL") || numbered("COM") || numbered("LPT")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_no_path() {
        let check = |name: &str, expect: &str| assert_eq!(file_name(name), expect, "{name:?}");
        check("a.pdf", "a.pdf");
        check("../../etc/passwd", "etcpasswd");
        check(r"C:\temp\x.doc", "Ctempx.doc");
        check("..", "");
        check(" ünï.txt\r\n", "ünï.txt");
        check(&"ä".repeat(200), &"ä".repeat(127));
        check("a\u{202e}gpj.exe", "agpj.exe");
        check("what? <this> \"is\" it|.txt", "what this is it.txt");
        check("report.pdf. . ", "report.pdf");
        check("con", "_con");
        check("Com1.txt", "_Com1.txt");
        check("nul .tar.gz", "_nul .tar.gz");
        check("com10.txt", "com10.txt");
        check("console.log", "console.log");
    }
}
