//! Patterns made of words.

use mailmill_sdk::text::joined;
use std::cmp::Reverse;

/// A pattern for exactly these words with `space` between them, and either apostrophe.
fn phrase(words: &str, space: &str) -> String {
    joined(words.split_whitespace().map(escaped), space)
}

/// The phrases as alternatives, longest first, so that the longest wins. White space of any kind and length may stand
/// between their words.
pub(crate) fn any(phrases: &[&str]) -> String {
    alternatives(phrases, r"[\s\x{a0}]+")
}

/// The same for phrases on one line, which makes a smaller pattern.
pub(crate) fn any_on_line(phrases: &[&str]) -> String {
    alternatives(phrases, r"[ \x{a0}]+")
}

fn alternatives(phrases: &[&str], space: &str) -> String {
    let mut ranked: Vec<&str> = Vec::new();
    for phrase in phrases {
        if let Err(at) = ranked.binary_search_by(|other| rank(other).cmp(&rank(phrase))) {
            ranked.insert(at, phrase);
        }
    }
    joined(ranked.into_iter().map(|words| phrase(words, space)), "|")
}

/// Longer phrases first, those of one length in alphabetical order.
fn rank(phrase: &str) -> (Reverse<usize>, &str) {
    (Reverse(phrase.len()), phrase)
}

fn escaped(word: &str) -> String {
    let mut pattern = String::with_capacity(word.len());
    for c in word.chars() {
        match c {
            '\'' | '’' => pattern.push_str("['’]"),
            // `\<` and `\>` would be the borders of words.
            c if c.is_ascii_alphanumeric() || !c.is_ascii() || matches!(c, '<' | '>') => pattern.push(c),
            c => {
                pattern.push('\\');
                pattern.push(c);
            }
        }
    }
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_become_patterns() {
        let check = |words: &[&str], expect: &str| assert_eq!(any(words), expect);
        check(&["a.b"], r"a\.b");
        check(&["<a>"], "<a>");
        check(&["x", "Message d'origine"], r"Message[\s\x{a0}]+d['’]origine|x");
    }
}
