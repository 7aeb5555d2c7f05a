//! Lines that a device or program adds: `Sent from my iPhone`.
//!
//! The host looks for lines that start or end with the words of a template; here the whole line is compared, and must
//! stand apart from other text.

use crate::cuts::Cuts;
use crate::lines::{Lines, SPACE, is_space, lower_words, offset};
use crate::pattern;
use crate::table;
use crate::template;
use mailmill_sdk::settings::Table;
use mailmill_sdk::text::{joined, split_around};
use mailmill_sdk::{CutKind, Field, Host};

/// How many lines are looked at.
const HITS_MAX: u32 = 64;
/// The longest line, in characters, without the link at its end.
const CHARS_MAX: usize = 80;
/// The words of a template that the pattern looks for: many start with the same ones.
const WORDS_MAX: usize = 2;
/// What stands around such a line.
const FRAME: [char; 14] = ['<', '>', '(', ')', '[', ']', '*', '_', '.', '!', '-', '—', '"', '|'];

/// The device lines of a rule file.
pub(crate) struct DeviceLines<H: Host> {
    pattern: H::Pattern,
    /// The pieces of each template.
    templates: Vec<Vec<String>>,
}

impl<H: Host> DeviceLines<H> {
    /// Reads the table `device-line`: a list of templates per language.
    pub(crate) fn read(host: &H, root: &Table<'_>) -> Option<Self> {
        let table = root.table("device-line")?;
        let templates: Vec<Vec<String>> = table::texts(&table).into_iter().map(template::pieces).collect();
        let pattern = table::compiled(host, root, "device-line", &lines(&templates))?;
        Some(Self { pattern, templates })
    }

    /// Matches every text in which there may be one.
    pub(crate) fn pattern(&self) -> &H::Pattern {
        &self.pattern
    }

    /// Cuts them.
    pub(crate) fn cut(&self, cuts: &mut Cuts<'_, H>) {
        for hit in cuts.host.find_all(&Field::Body, &self.pattern, HITS_MAX) {
            let at = cuts.lines.at(offset(hit.end).saturating_sub(1));
            if cuts.lines.get(at).is_some_and(|line| self.is_device_line(line.text)) && is_apart(&cuts.lines, at) {
                let at = cuts.lines.span(at..at + 1);
                cuts.cut(at, CutKind::Signature, "device line");
            }
        }
    }

    fn is_device_line(&self, text: &str) -> bool {
        let text = without_link(text);
        if text.chars().nth(CHARS_MAX).is_some() || is_sentence(text) {
            return false;
        }
        let text = lower_words(text);
        self.templates.iter().any(|pieces| template::is_framed(pieces, &text))
    }
}

/// The pattern for lines that start or end as a template does.
fn lines(templates: &[Vec<String>]) -> String {
    let mut ends = (Vec::new(), Vec::new());
    for pieces in templates {
        match (pieces.first(), pieces.last()) {
            (Some(first), _) if !first.is_empty() => ends.0.push(head(first)),
            (_, Some(last)) if !last.is_empty() => ends.1.push(last.as_str()),
            _ => {}
        }
    }
    let frame = r#"[<>()\[\]*_.!|"\-—]*"#;
    let heads = format!(r"[{SPACE}]*{frame}(?:{})[^\n]*", pattern::any_on_line(&ends.0));
    let tails = format!(r"[^\n]+(?:{}){frame}[{SPACE}]*", pattern::any_on_line(&ends.1));
    let ways = [(&ends.0, heads), (&ends.1, tails)];
    let ways = ways.into_iter().filter(|(words, _)| !words.is_empty()).map(|(_, way)| way);
    format!("(?im)^(?:{})$", joined(ways, "|"))
}

/// The first words of a piece.
fn head(piece: &str) -> &str {
    let end = piece.match_indices(' ').nth(WORDS_MAX - 1).map_or(piece.len(), |(at, _)| at);
    piece.get(..end).unwrap_or(piece)
}

/// A line without the link behind it, and without what stands around it.
fn without_link(line: &str) -> &str {
    let is_frame = |c: char| is_space(c) || FRAME.contains(&c);
    let line = line.trim_matches(is_space);
    let before = |start: &&str| split_around(line, start).map(|(before, _)| before.len()).filter(|at| *at > 0);
    let link = ["http://", "https://", "<", " ("].iter().filter_map(before).min();
    line.get(..link.unwrap_or(line.len())).unwrap_or(line).trim_matches(is_frame)
}

/// Whether a text is made of clauses: no device has such a name.
fn is_sentence(text: &str) -> bool {
    [". ", "? ", "! ", "; ", ", "].iter().any(|end| table::holds(text, end)) || text.ends_with(['?', ';', ',', ':'])
}

/// Whether a line stands apart from the text above or below: the same words inside of a paragraph are the sender's.
fn is_apart(lines: &Lines<'_>, line: usize) -> bool {
    let is_end = |line: Option<usize>| {
        let line = line.and_then(|line| lines.get(line));
        line.is_none_or(|line| line.is_blank() || line.is_quoted())
    };
    is_end(line.checked_sub(1)) || is_end(Some(line + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_and_frames_are_left_out() {
        let check = |line: &str, expect: &str| assert_eq!(without_link(line), expect, "{line}");
        check("Sent from my iPhone", "Sent from my iPhone");
        check("(sent from a phone)", "sent from a phone");
        check("Get Outlook for iOS<https://example.com/x>", "Get Outlook for iOS");
        check("Get Outlook for Android (https://example.com/x).", "Get Outlook for Android");
        check("<<sent by galaxy>>", "sent by galaxy");
        check("Sent from Mail.", "Sent from Mail");
    }

    #[test]
    fn no_device_has_a_sentence_for_a_name() {
        let check = |text: &str, expect: bool| assert_eq!(is_sentence(text), expect, "{text}");
        check("Gesendet mit der WEB.DE Mail App", false);
        check("Sent from my desk, which is easier", true);
        check("Sent from my house. Call", true);
    }
}
