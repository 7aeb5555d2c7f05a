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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_from_outside_cannot_command_the_terminal() {
        assert_eq!(tame("a\u{1b}[2Jb\nc\u{202e}d\r"), "a·[2Jb\nc·d·");
    }
}
