//! Patterns made of words.

/// A pattern for exactly these words: white space of any kind and length between them, and either apostrophe.
pub(super) fn phrase(words: &str) -> String {
    let escaped = words.split_whitespace().map(escaped).collect::<Vec<_>>();
    escaped.join(r"[\s\x{a0}]+")
}

/// The phrases as alternatives, longest first, so that the longest wins.
pub(super) fn any(phrases: &[&str]) -> String {
    let mut phrases = phrases.to_vec();
    phrases.sort_unstable_by_key(|phrase| (std::cmp::Reverse(phrase.len()), *phrase));
    phrases.dedup();
    phrases.into_iter().map(phrase).collect::<Vec<_>>().join("|")
}

fn escaped(word: &str) -> String {
    let mut pattern = String::with_capacity(word.len());
    for c in word.chars() {
        match c {
            '\'' | '’' => pattern.push_str("['’]"),
            c if c.is_alphanumeric() || !c.is_ascii() => pattern.push(c),
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
        check(&["x", "Message d'origine"], r"Message[\s\x{a0}]+d['’]origine|x");
    }
}
