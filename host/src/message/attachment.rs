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
    let has_text = body.iter().filter_map(|id| message.part(*id)?.text_contents()).any(|text| !text.trim().is_empty());
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
        let number = found.len() + 1;
        match unpacked(&attachment, source.raw(), has_text)? {
            Unpacked::Nothing => found.push(attachment),
            Unpacked::Unreadable => {
                let reason = "is a winmail.dat that cannot be opened: it is kept as it is";
                defects.push(Defect(format!("attachment {number} {reason}")));
                found.push(attachment);
            }
            Unpacked::All(files) if files.len() <= ATTACHMENTS_MAX - found.len() => found.extend(files),
            Unpacked::All(files) | Unpacked::Some(files) => {
                let reason = "is a winmail.dat in which there is more than could be taken out: it is kept, too";
                defects.push(Defect(format!("attachment {number} {reason}")));
                found.push(attachment);
                found.extend(files.into_iter().take(ATTACHMENTS_MAX - number));
            }
        }
    }
    Ok(found)
}

fn attachment(part: &MessagePart<'_>, enclosure: Enclosure, raw: &Content) -> Result<Attachment, content::Error> {
    let content_id = content_id(part.content_id().unwrap_or_default());
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
    let (packed_in, refused) = (None, None);
    Ok(Attachment {
        name: name(part),
        media_type,
        seen,
        content_id,
        inline,
        description,
        packed_in,
        refused,
        enclosure,
    })
}

/// The media type that the first bytes show.
fn seen(enclosure: &Enclosure, raw: &Content) -> Result<Option<String>, content::Error> {
    let head = enclosure.head(raw, SEEN_BYTES)?;
    Ok(infer::get(&head).map(|kind| kind.mime_type().to_owned()))
}

/// What was taken out of an attachment.
enum Unpacked {
    /// It is no `winmail.dat`, or one without files.
    Nothing,
    /// It should be a `winmail.dat`, and is none, or damaged.
    Unreadable,
    /// Its files, and there was nothing else in it that the message does not say.
    All(Vec<Attachment>),
    /// Some of what was in it.
    Some(Vec<Attachment>),
}

/// What a `winmail.dat` holds. `has_text` if the message has a text besides.
fn unpacked(packed: &Attachment, raw: &Content, has_text: bool) -> Result<Unpacked, content::Error> {
    let outer = &packed.enclosure;
    let is_said = tnef::MEDIA_TYPES.contains(&packed.media_type.as_str());
    if !is_said && !packed.name.eq_ignore_ascii_case("winmail.dat") {
        return Ok(Unpacked::Nothing);
    }
    let Some(opened) = tnef::open(outer.reader(raw)).map_err(enclosure::in_content)? else {
        return Ok(if is_said { Unpacked::Unreadable } else { Unpacked::Nothing });
    };
    let mut found = Vec::with_capacity(opened.files.len());
    for file in opened.files {
        let size = file.at.end - file.at.start;
        let enclosure = Enclosure { within: Some(file.at), size, sha256: file.sha256, ..outer.clone() };
        let said = named_type(&file.media_type);
        let guessed = || file.seen.clone().unwrap_or_else(|| "application/octet-stream".to_owned());
        let content_id = content_id(&file.content_id);
        let description = file
            .message
            .as_ref()
            .map(|nested| described(&nested.subject, &nested.sender_name, &nested.sender_address, nested.sent.clone()));
        found.push(Attachment {
            name: match &file.message {
                Some(nested) => name_of_message(&nested.subject, "tnef"),
                None => file_name(&file.name),
            },
            media_type: match &file.message {
                Some(_) => tnef::MEDIA_TYPES[0].to_owned(),
                None => said.unwrap_or_else(guessed),
            },
            inline: !content_id.is_empty(),
            content_id,
            seen: file.seen,
            description,
            packed_in: Some(packed.name.clone()),
            refused: None,
            enclosure,
        });
    }
    Ok(match (opened.is_partly || (opened.has_text && !has_text), found.is_empty()) {
        (true, _) => Unpacked::Some(found),
        (false, false) => Unpacked::All(found),
        (false, true) => Unpacked::Nothing,
    })
}

/// A media type as it is given, in lower case; none if it is no such one (RFC 2045 section 5.1, RFC 6838 section 4.2).
fn named_type(given: &str) -> Option<String> {
    const BYTES_MAX: usize = 127;
    let is_token = |text: &str| {
        let is_plain = |byte: u8| byte.is_ascii_graphic() && !br#"()<>@,;:\"/[]?="#.contains(&byte);
        !text.is_empty() && text.bytes().all(is_plain)
    };
    let given = given.trim();
    let (kind, subtype) = given.split_once('/')?;
    (given.len() <= BYTES_MAX && is_token(kind) && is_token(subtype)).then(|| given.to_ascii_lowercase())
}

/// A Content-ID as it is given, without its brackets and what nobody sees; empty if it is too long for a header field.
pub(super) fn content_id(given: &str) -> String {
    const BYTES_MAX: usize = 255;
    let is_seen = |c: &char| !c.is_control() && !is_unseen(*c) && !matches!(c, '<' | '>');
    let kept: String = given.chars().filter(is_seen).collect();
    if kept.len() > BYTES_MAX { String::new() } else { kept.trim().to_owned() }
}

/// What a nested message is about: `message: Lamp, from Ann Lee <ann@example.org>, 2026-01-31 10:00`.
fn about(nested: &mail_parser::Message<'_>) -> String {
    let from = nested.from().and_then(|from| from.first());
    let (name, address) = from.map(|from| (from.name(), from.address())).unwrap_or_default();
    let date = nested.date().filter(|date| date.is_valid()).map(|date| {
        let mail_parser::DateTime { year, month, day, hour, minute, .. } = date;
        format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}")
    });
    described(nested.subject().unwrap_or_default(), name.unwrap_or_default(), address.unwrap_or_default(), date)
}

fn described(subject: &str, name: &str, address: &str, date: Option<String>) -> String {
    let subject = line(subject);
    let mut parts = vec![format!("message: {}", if subject.is_empty() { "without a subject" } else { &subject })];
    let address = Address { name: line(name), email: line(address) };
    if address != Address::default() {
        parts.push(format!("from {address}"));
    }
    parts.extend(date);
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
        (PartType::Message(message), None) => name_of_message(message.subject().unwrap_or_default(), "eml"),
        (_, None) => String::new(),
    }
}

/// A message is called after its subject, in which a slash separates nothing.
fn name_of_message(subject: &str, extension: &str) -> String {
    let name = safe(subject);
    let stem = if name.is_empty() { "message" } else { &name };
    let bytes_max = NAME_BYTES_MAX - extension.len() - 1;
    format!("{}.{extension}", stem.get(..stem.floor_char_boundary(bytes_max)).unwrap_or_default())
}

/// The name of a file: of a path its last piece that is one.
fn file_name(given: &str) -> String {
    let mut bytes = given.trim_start().bytes();
    let has_drive = bytes.next().is_some_and(|letter| letter.is_ascii_alphabetic()) && bytes.next() == Some(b':');
    let path = if has_drive { given.trim_start().get(2..).unwrap_or_default() } else { given };
    path.rsplit(['/', '\\']).map(safe).find(|name| !name.is_empty()).unwrap_or_default()
}

/// A name that is safe for a file: no separators, no control characters, none that turn the direction of writing or
/// are not shown, no dots at its start, neither dots nor blanks at its end, and none of the names that Windows keeps for
/// devices.
fn safe(name: &str) -> String {
    let is_safe = |c: &char| !c.is_control() && !is_unseen(*c) && !r#"/\:*?"<>|"#.contains(*c);
    let kept: String = name.chars().filter(is_safe).collect();
    let kept = kept.trim_start_matches(|c: char| c == '.' || c.is_whitespace()).trim_end();
    let kept =
        kept.get(..kept.floor_char_boundary(NAME_BYTES_MAX - 1)).unwrap_or_default().trim_end_matches(['.', ' ']);
    if is_device(kept) { format!("_{kept}") } else { kept.to_owned() }
}

/// Characters that take no room or turn the direction of writing (Unicode Standard Annex #9): with them, `gpj.exe` reads as
/// `exe.jpg`.
fn is_unseen(character: char) -> bool {
    matches!(
        character,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}'
            | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{fffe}' | '\u{ffff}' | '\u{e0000}'..='\u{e0fff}'
    )
}

/// Whether Windows takes a name for a device, whatever its extension.
fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default().trim_end().to_ascii_uppercase();
    // The raised digits count too.
    let is_digit =
        |rest: &str| matches!(rest, "\u{b9}" | "\u{b2}" | "\u{b3}") || matches!(rest.as_bytes(), [b'0'..=b'9']);
    let numbered = |device: &str| stem.strip_prefix(device).is_some_and(&is_digit);
    matches!(stem.as_str(), "CON" | "PRN" | "AUX" | "NUL" | "CONIN$" | "CONOUT$") || numbered("COM") || numbered("LPT")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_no_path() {
        let check = |name: &str, expect: &str| assert_eq!(file_name(name), expect, "{name:?}");
        check("a.pdf", "a.pdf");
        // Of a path the last piece counts, whatever separates it.
        check("evil/invoice.pdf", "invoice.pdf");
        check(r"evil\invoice.pdf", "invoice.pdf");
        check("../../etc/passwd", "passwd");
        check(r"..\..\windows\win.ini", "win.ini");
        check("/etc/passwd", "passwd");
        check(r"C:\temp\x.doc", "x.doc");
        check("C:/temp/x.doc", "x.doc");
        check("c:x.doc", "x.doc");
        check(r"\\server\share\x.doc", "x.doc");
        check(r"a/b\c.txt", "c.txt");
        check("Re: c.txt", "Re c.txt");
        // A piece that is no name of a file is none.
        check("invoice.pdf/", "invoice.pdf");
        check("invoice.pdf/..", "invoice.pdf");
        check(r"a\.\..", "a");
        check("a/\u{200b}/ ", "a");
        check("a/con", "_con");
        check(".", "");
        check("..", "");
        check("....", "");
        check("../..", "");
        check("/", "");
        check("C:", "");
        check("a/.hidden", "hidden");
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
        check("a\u{61c}gpj.exe", "agpj.exe");
        check("a\u{2067}b\u{2069}\u{e0041}.txt", "ab.txt");
        check(". .bashrc", "bashrc");
        check(".\u{200b}.\u{a0}.profile", "profile");
        check("CONIN$", "_CONIN$");
        check("conout$.txt", "_conout$.txt");
        check("LPT\u{b9}.txt", "_LPT\u{b9}.txt");
        check("conin", "conin");
    }

    #[test]
    fn a_message_is_called_after_its_subject() {
        let check = |subject: &str, expect: &str| assert_eq!(name_of_message(subject, "eml"), expect, "{subject:?}");
        check("Lamp", "Lamp.eml");
        check("Offer 1/2: lamps", "Offer 12 lamps.eml");
        check("../..", "message.eml");
        check("", "message.eml");
        check(&"ä".repeat(200), &format!("{}.eml", "ä".repeat(125)));
    }

    #[test]
    fn a_media_type_is_two_tokens_of_bounded_length() {
        let check = |given: &str, expect: Option<&str>| assert_eq!(named_type(given).as_deref(), expect, "{given:?}");
        check(" application/PDF ", Some("application/pdf"));
        check("application/vnd.x+xml", Some("application/vnd.x+xml"));
        check("pdf", None);
        check("a/b/c", None);
        check("/b", None);
        check("a/", None);
        check("text/plain; charset=x", None);
        check("text/pl\u{202e}ain", None);
        check("a\n/b", None);
        let long = |length: usize| format!("a/{}", "b".repeat(length - 2));
        check(&long(127), Some(&long(127)));
        check(&long(128), None);
    }

    #[test]
    fn a_content_id_has_nothing_that_is_not_seen() {
        let check = |given: &str, expect: &str| assert_eq!(content_id(given), expect, "{given:?}");
        check("<plan@example.org>", "plan@example.org");
        check("<a\r\nX-Evil: b\u{202e}>", "aX-Evil: b");
        check(&"x".repeat(255), &"x".repeat(255));
        check(&"x".repeat(256), "");
    }
}
