//! Text from outside, made safe to show.

/// Control characters other than LF and tab become `·`, so that no text can command a terminal or forge a line.
pub(crate) fn tame(text: &str) -> String {
    let tame = |character: char| match character {
        '\n' | '\t' => character,
        _ if character.is_control() => '·',
        // Characters that change the direction of writing could make a line read as something else.
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '·',
        _ => character,
    };
    text.chars().map(tame).collect()
}

/// The first line of a text, at most `max` characters of it.
pub(crate) fn short(text: &str, max: usize) -> String {
    let line = tame(text.lines().next().unwrap_or_default());
    if line.chars().count() <= max {
        return line;
    }
    let mut short: String = line.chars().take(max.saturating_sub(1)).collect();
    short.push('…');
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_from_outside_cannot_command_the_terminal() {
        assert_eq!(tame("a\u{1b}[2Jb\nc\u{202e}d\r"), "a·[2Jb\nc·d·");
    }

    #[test]
    fn long_text_is_shortened() {
        assert_eq!(short("abcdef\nsecond", 4), "abc…");
        assert_eq!(short("abcd", 4), "abcd");
    }
}
