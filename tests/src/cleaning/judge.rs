//! How an answer is judged: by its words and nothing else.

use super::{Case, Expect};
use std::collections::BTreeMap;
use unicode_normalization::UnicodeNormalization;

/// How good an answer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Verdict {
    /// It is what was expected, white space aside.
    pub exact: bool,
    /// Text is gone that should have been kept.
    pub over: bool,
    /// Text is there that should have been cut.
    pub under: bool,
}

/// Judges an answer. White space does not count, nor, for HTML, `>` at the start of a line.
#[must_use]
pub fn judge(case: &Case, answer: &str) -> Verdict {
    let found = words(answer, case.html);
    match &case.expect {
        Expect::Text(text) => {
            let expected = words(text, case.html);
            let exact = found.concat() == expected.concat();
            let (over, under) = (lacks(&found, &expected), lacks(&expected, &found));
            Verdict { exact, over: !exact && over, under: !exact && under }
        }
        Expect::Pieces { kept, cut } => {
            let all = found.concat();
            let has = |piece: &String| all.contains(&words(piece, case.html).concat());
            let (over, under) = (!kept.iter().all(has), cut.iter().any(has));
            Verdict { exact: !over && !under, over, under }
        }
    }
}

/// The words of a text, in NFC; what is invisible is no part of them.
fn words(text: &str, html: bool) -> Vec<String> {
    let visible = text.replace('\u{a0}', " ").replace(['\u{feff}', '\u{200b}'], "");
    let normal: String = visible.nfc().collect();
    let line = |line: &'_ str| if html { line.trim_start_matches(['>', ' ']).to_owned() } else { line.to_owned() };
    let lines = normal.split('\n').map(line);
    lines
        .flat_map(|line| line.split(is_space).map(str::to_owned).collect::<Vec<_>>())
        .filter(|word| !word.is_empty())
        .collect()
}

/// What separates words: white space, and the four separators of ASCII.
fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c)
}

/// Whether `these` lack a word that `those` have, or have it fewer times.
fn lacks(these: &[String], those: &[String]) -> bool {
    let mut counts: BTreeMap<&str, i64> = BTreeMap::new();
    those.iter().for_each(|word| *counts.entry(word).or_default() += 1);
    these.iter().for_each(|word| *counts.entry(word).or_default() -= 1);
    counts.values().any(|count| *count > 0)
}
