//! Templates: pieces of text with anything in between, such as `on … wrote`.

use crate::lines::lower_words;
use mailmill_sdk::text::split_around;

#[cfg(test)]
thread_local! {
    /// How often [`fits`] was asked: the costliest work on a text.
    pub(crate) static COMPARED: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// The pieces of a template, in lower case, with one space between words.
pub(crate) fn pieces(source: &str) -> Vec<String> {
    source.split('…').map(lower_words).collect()
}

/// Whether a text, in lower case, starts and ends as the pieces say and has the others in between, as parts of words too.
pub(crate) fn is_framed(pieces: &[String], text: &str) -> bool {
    let Some((last, others)) = pieces.split_last() else { return false };
    let Some(rest) = text.strip_suffix(last.as_str()) else { return false };
    others
        .iter()
        .enumerate()
        .try_fold(rest, |rest, (index, piece)| {
            let (before, after) = split_around(rest, piece)?;
            (index > 0 || before.is_empty()).then_some(after)
        })
        .is_some()
}

/// Whether a text, in lower case, is the pieces with something in between; words do not go on beyond a piece.
pub(crate) fn fits(pieces: &[String], text: &str) -> bool {
    #[cfg(test)]
    COMPARED.with(|compared| compared.set(compared.get() + 1));
    let Some((last, others)) = pieces.split_last() else { return false };
    let Some(mut rest) =
        text.strip_suffix(last.as_str()).filter(|before| is_parted(before.chars().next_back(), last.chars().next()))
    else {
        return false;
    };
    for (index, piece) in others.iter().enumerate() {
        let Some(after) = behind(rest, piece, index == 0) else { return false };
        rest = after;
    }
    true
}

/// What a text has behind the first `piece` that is made of whole words, which may have to stand at its start.
fn behind<'a>(text: &'a str, piece: &str, at_start: bool) -> Option<&'a str> {
    let mut from = 0;
    loop {
        let (before, after) = split_around(text.get(from..)?, piece)?;
        let at = from + before.len();
        let above = text.get(..at)?.chars().next_back();
        let parted =
            is_parted(above, piece.chars().next()) && is_parted(after.chars().next(), piece.chars().next_back());
        if at_start && at > 0 {
            return None;
        }
        if parted {
            return Some(after);
        }
        from = at + piece.chars().next()?.len_utf8();
    }
}

/// Whether no word goes on beyond a piece, given the characters on both sides of its edge. Scripts without spaces have
/// no such limit.
pub(crate) fn is_parted(beside: Option<char>, edge: Option<char>) -> bool {
    let is_letter = |c: char| c.is_alphabetic() && c < '\u{2e80}';
    !(beside.is_some_and(is_letter) && edge.is_some_and(is_letter))
}
