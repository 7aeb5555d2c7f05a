//! Lines: how text, line breaks and blocks become the text that a reader sees.

use super::super::TEXT_BYTES_MAX;

/// The text so far, and what is owed before more of it: white space is written only when text follows, so that no
/// line ends in blanks and the text neither starts nor ends with empty lines.
#[derive(Debug, Default)]
pub(super) struct Flow {
    text: String,
    /// Line ends owed.
    lines: usize,
    /// Blank lines owed besides, between paragraphs.
    margin: usize,
    /// Blanks owed on the current line.
    blanks: String,
    /// Whether a tab is owed, between the cells of a table.
    tab: bool,
    /// Whether the current line holds anything. A non-breaking space is something: it makes a blank line visible.
    started: bool,
    /// Whether the last character was white space that swallows more of the same.
    after_space: bool,
    /// Whether the text has reached its greatest length.
    full: bool,
}

/// Where a piece of text was put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Placed {
    /// Offset of its first visible character.
    pub(super) start: usize,
    /// Offset just after its last visible character.
    pub(super) end: usize,
}

impl Flow {
    /// The text so far, without what is owed.
    pub(super) fn len(&self) -> usize {
        self.text.len()
    }

    /// The finished text.
    pub(super) fn into_text(self) -> String {
        self.text
    }

    /// A line break.
    pub(super) fn end_line(&mut self) {
        self.lines += 1;
        self.restart();
    }

    /// The edge of a block: the line before it ends, if anything is on it.
    pub(super) fn edge(&mut self, margin: usize) {
        if self.started {
            self.end_line();
        }
        self.margin = self.margin.max(margin);
    }

    /// The start of a table's cell.
    pub(super) fn cell(&mut self) {
        if self.started {
            self.blanks.clear();
            self.tab = true;
            self.after_space = true;
        }
    }

    /// Text, with its white space collapsed unless it is `verbatim`. Non-breaking spaces become plain ones that do not
    /// collapse; characters that nobody sees (zero width space, byte order mark, soft hyphen) are left out.
    /// None if nothing visible came of it.
    pub(super) fn write(&mut self, text: &str, verbatim: bool) -> Option<Placed> {
        let mut start = None;
        let mut rest = text;
        loop {
            if let Some((words, behind)) = rest.split_at_checked(words(rest)).filter(|(words, _)| !words.is_empty()) {
                let at = self.words(words);
                start = start.or(at);
                rest = behind;
            }
            let mut characters = rest.chars();
            let Some(character) = characters.next() else { break };
            rest = characters.as_str();
            match character {
                '\n' if verbatim => self.end_line(),
                '\u{200b}' | '\u{feff}' | '\u{ad}' | '\r' | '\0' => {}
                ' ' | '\t' | '\n' | '\u{c}' if !verbatim => self.space(),
                ' ' | '\t' | '\u{a0}' => self.blank(character),
                _ => {
                    let at = self.visible(character);
                    start = start.or(at);
                }
            }
        }
        start.map(|start| Placed { start, end: self.text.len() })
    }

    fn restart(&mut self) {
        self.blanks.clear();
        self.tab = false;
        self.started = false;
        self.after_space = true;
    }

    fn space(&mut self) {
        if self.started && !self.after_space {
            self.blanks.push(' ');
        }
        self.after_space = true;
    }

    fn blank(&mut self, character: char) {
        self.blanks.push(if character == '\u{a0}' { ' ' } else { character });
        self.started = true;
        self.after_space = false;
    }

    /// Writes what is owed and some [`words`]; says where they are, unless none of them fits.
    fn words(&mut self, words: &str) -> Option<usize> {
        self.settle();
        let room = TEXT_BYTES_MAX.saturating_sub(self.text.len());
        let fits = if self.full { "" } else { words.get(..room).unwrap_or(words).trim_end_matches(' ') };
        self.full |= fits.len() < words.len();
        (!fits.is_empty()).then(|| self.put(fits))
    }

    /// Writes something visible that fits; says where it is.
    fn put(&mut self, text: &str) -> usize {
        let at = self.text.len();
        self.text.push_str(text);
        self.started = true;
        self.after_space = false;
        at
    }

    /// Writes what is owed and the character; says where it is, unless the text is full.
    fn visible(&mut self, character: char) -> Option<usize> {
        self.settle();
        if self.full || self.text.len() + character.len_utf8() > TEXT_BYTES_MAX {
            self.full = true;
            return None;
        }
        Some(self.put(character.encode_utf8(&mut [0; 4])))
    }

    fn settle(&mut self) {
        if self.lines + self.margin + self.blanks.len() == 0 && !self.tab {
            return;
        }
        let lines = if self.text.is_empty() || self.lines == 0 { 0 } else { self.lines + self.margin };
        self.full |= self.text.len() + lines + self.blanks.len() + 1 > TEXT_BYTES_MAX;
        if !self.full {
            self.text.extend(std::iter::repeat_n('\n', lines));
            if self.tab {
                self.text.push('\t');
            }
            self.text.push_str(&self.blanks);
        }
        (self.lines, self.margin, self.tab) = (0, 0, false);
        self.blanks.clear();
    }
}

/// How much of a text is words of ASCII from its start on, with a single space between each two: white space as it is to be.
fn words(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut end = 0;
    for (at, byte) in bytes.iter().enumerate() {
        if byte.is_ascii_graphic() {
            end = at + 1;
        } else if *byte != b' ' || end < at || at == 0 {
            break;
        }
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn words_at_once_are_as_characters_one_by_one(text in "[ab é\u{a0}\u{200b}\t\n]{0,30}", verbatim in any::<bool>()) {
            let (mut whole, mut single) = (Flow::default(), Flow::default());
            let placed = whole.write(&text, verbatim);
            let places: Vec<Placed> = text.chars().filter_map(|c| single.write(&c.to_string(), verbatim)).collect();
            let expect = places.first().zip(places.last()).map(|(first, last)| (first.start, last.end));
            prop_assert_eq!(placed.map(|placed| (placed.start, placed.end)), expect, "{:?}", text);
            prop_assert_eq!(whole.into_text(), single.into_text(), "{:?}", text);
        }
    }

    #[test]
    fn a_full_text_ends_with_a_word() {
        let mut flow = Flow::default();
        flow.write(&"a".repeat(TEXT_BYTES_MAX - 3), false);
        flow.write(" b c", false);
        assert!(flow.into_text().ends_with("a b"));
    }
}
