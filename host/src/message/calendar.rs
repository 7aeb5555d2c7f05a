//! What a calendar says of its event (RFC 5545), in one line.

/// The longest calendar that is looked at, in bytes: events come first.
pub(super) const BYTES_MAX: usize = 64 << 10;
/// The longest value that is shown, in characters.
const VALUE_CHARS_MAX: usize = 200;

/// Summary, start and organizer of the first event, such as `event: Lunch, 2026-02-01 12:00, organizer Ann Lee`; none if
/// there is no event.
pub(super) fn describe(bytes: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(bytes);
    let lines = unfolded(&text);
    let event = lines.iter().skip_while(|line| !line.eq_ignore_ascii_case("BEGIN:VEVENT")).skip(1);
    // An alarm in the event has properties of the same names.
    let event: Vec<&String> = event.take_while(|line| !line.to_ascii_uppercase().starts_with("END:")).collect();
    let event = event.as_slice();
    if !lines.iter().any(|line| line.eq_ignore_ascii_case("BEGIN:VEVENT")) {
        return None;
    }
    let method = lines.iter().find_map(|line| property(line, "METHOD")).map(|(_, value)| value.to_ascii_lowercase());
    let what = match method.as_deref() {
        Some("cancel") => "event cancelled",
        Some("reply") => "answer to an event",
        _ => "event",
    };
    let find = |name: &str| event.iter().find_map(|line| property(line, name));
    let summary = find("SUMMARY").map(|(_, value)| unescaped(value)).filter(|summary| !summary.is_empty());
    let mut parts = vec![format!("{what}: {}", summary.as_deref().unwrap_or("without a summary"))];
    parts.extend(find("DTSTART").map(|(parameters, value)| start(parameters, value)));
    parts.extend(find("ORGANIZER").map(|(parameters, value)| format!("organizer {}", organizer(parameters, value))));
    Some(parts.join(", "))
}

/// RFC 5545 section 3.1: a line that begins with white space goes on from the one before.
fn unfolded(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for line in text.lines() {
        match (line.strip_prefix([' ', '\t']), lines.last_mut()) {
            (Some(more), Some(last)) => last.push_str(more),
            _ => lines.push(line.to_owned()),
        }
    }
    lines
}

/// The parameters and the value of a line, if it is this property.
fn property<'l>(line: &'l str, name: &str) -> Option<(&'l str, &'l str)> {
    let (found, rest) = line.split_at_checked(name.len())?;
    if !found.eq_ignore_ascii_case(name) || !rest.starts_with([':', ';']) {
        return None;
    }
    let mut is_quoted = false;
    let colon = rest.find(|character| {
        is_quoted ^= character == '"';
        character == ':' && !is_quoted
    })?;
    let (parameters, value) = rest.split_at(colon);
    Some((parameters, value.get(1..).unwrap_or_default()))
}

/// The value of a parameter, without its quotes.
fn parameter<'p>(parameters: &'p str, name: &str) -> Option<&'p str> {
    let mut is_quoted = false;
    let mut each = parameters.split(|character| {
        is_quoted ^= character == '"';
        character == ';' && !is_quoted
    });
    let found = each.find_map(|one| one.split_once('=').filter(|(key, _)| key.eq_ignore_ascii_case(name)));
    found.map(|(_, value)| value.trim_matches('"'))
}

/// RFC 5545 section 3.3.11.
fn unescaped(value: &str) -> String {
    let mut text = String::new();
    let mut characters = value.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => match characters.next() {
                Some('n' | 'N') => text.push(' '),
                other => text.extend(other),
            },
            _ => text.push(character),
        }
    }
    shown(&text)
}

/// On one line, and short.
fn shown(text: &str) -> String {
    let spaced = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
    spaced.collect::<Vec<_>>().join(" ").chars().take(VALUE_CHARS_MAX).collect()
}

/// RFC 5545 sections 3.3.4 and 3.3.5: `20260201T120000Z` is `2026-02-01 12:00 UTC`. What is anything else is shown as it is.
fn start(parameters: &str, value: &str) -> String {
    let value = value.trim();
    let digits = |from: usize, to: usize| value.get(from..to).filter(|part| part.bytes().all(|b| b.is_ascii_digit()));
    let (Some(year), Some(month), Some(day)) = (digits(0, 4), digits(4, 6), digits(6, 8)) else { return shown(value) };
    let date = format!("{year}-{month}-{day}");
    let is_time = value.get(8..9).is_some_and(|mark| mark.eq_ignore_ascii_case("T"));
    let (Some(hour), Some(minute), true) = (digits(9, 11), digits(11, 13), is_time) else { return date };
    let zone = match (value.ends_with(['Z', 'z']), parameter(parameters, "TZID")) {
        (true, _) => " UTC".to_owned(),
        (false, Some(zone)) => format!(" {}", shown(zone)),
        (false, None) => String::new(),
    };
    format!("{date} {hour}:{minute}{zone}")
}

fn organizer(parameters: &str, value: &str) -> String {
    let address = match value.split_at_checked("mailto:".len()) {
        Some((scheme, address)) if scheme.eq_ignore_ascii_case("mailto:") => address,
        _ => value,
    };
    match parameter(parameters, "CN").filter(|name| !name.trim().is_empty()) {
        Some(name) => format!("{} <{}>", shown(name), shown(address)),
        None => shown(address),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(lines: &[&str], expect: Option<&str>) {
        assert_eq!(describe(lines.join("\r\n").as_bytes()).as_deref(), expect, "{lines:?}");
    }

    #[test]
    fn an_event_is_told_in_one_line() {
        check(
            &[
                "BEGIN:VCALENDAR",
                "METHOD:REQUEST",
                "BEGIN:VTIMEZONE",
                "DTSTART:19700101T000000",
                "END:VTIMEZONE",
                "BEGIN:VEVENT",
                "SUMMARY;LANGUAGE=en:Lunch\\, with the te",
                " am\\nand guests",
                "DTSTART;TZID=\"Europe/Berlin\":20260201T123000",
                "ORGANIZER;CN=\"Lee; Ann\":mailto:ann@example.org",
                "BEGIN:VALARM",
                "SUMMARY:alarm",
                "END:VALARM",
                "END:VEVENT",
                "END:VCALENDAR",
            ],
            Some(
                "event: Lunch, with the team and guests, 2026-02-01 12:30 Europe/Berlin, organizer Lee; Ann <ann@example.org>",
            ),
        );
        check(
            &["METHOD:CANCEL", "begin:vevent", "dtstart:20260201T080000Z", "organizer:MAILTO:bo@example.org"],
            Some("event cancelled: without a summary, 2026-02-01 08:00 UTC, organizer bo@example.org"),
        );
        check(
            &["METHOD:REPLY", "BEGIN:VEVENT", "SUMMARY:x", "DTSTART;VALUE=DATE:20260201"],
            Some("answer to an event: x, 2026-02-01"),
        );
        check(&["BEGIN:VEVENT", "SUMMARY:x", "DTSTART:soon"], Some("event: x, soon"));
        check(&["BEGIN:VCALENDAR", "BEGIN:VTODO", "SUMMARY:x", "END:VTODO"], None);
        check(&[""], None);
    }
}
