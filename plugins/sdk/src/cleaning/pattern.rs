//! Patterns made of words.

use crate::text::joined;
use std::cmp::Reverse;

/// A pattern for exactly these words: white space of any kind and length between them, and either apostrophe.
pub(super) fn phrase(words: &str) -> String {
    joined(words.split_whitespace().map(escaped), r"[\s\x{a0}]+")
}

/// The phrases as alternatives, longest first, so that the longest wins.
pub(super) fn any(phrases: &[&str]) -> String {
    let mut ranked: Vec<&str> = Vec::new();
    for phrase in phrases {
        if let Err(at) = ranked.binary_search_by(|other| rank(other).cmp(&rank(phrase))) {
            ranked.insert(at, phrase);
        }
    }
    joined(ranked.into_iter().map(phrase), "|")
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
            c if c.is_alphanumeric() || !c.is_ascii() || matches!(c, '<' | '>') => pattern.push(c),
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
