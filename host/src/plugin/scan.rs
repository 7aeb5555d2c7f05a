//! The scan: one pass over a text that tells which of many patterns may match in it.
//!
//! A [`Scanner`] looks for the [needles](super::needles) of all patterns of a rule set at once, however many rules there
//! are. Patterns without needles, and patterns that it does not know, may match anywhere.

use aho_corasick::{AhoCorasick, MatchKind};
use std::collections::BTreeMap;

/// Something that is looked for, with its needles.
pub(super) trait Sought {
    /// Its number, given once.
    fn id(&self) -> u32;
    /// What a text must contain one of; none if nothing is known.
    fn needles(&self) -> Option<&[String]>;
}

/// Looks for the needles of many patterns in one pass.
#[derive(Debug, Default)]
pub(super) struct Scanner {
    /// None if there are no needles.
    automaton: Option<AhoCorasick>,
    /// The places of the patterns that each needle belongs to.
    owners: Vec<Vec<u32>>,
    /// The patterns that have needles, sorted; their places are numbered from 0.
    known: Vec<u32>,
}

/// Which patterns may match in a text.
#[derive(Debug, Clone, Default)]
pub(super) struct Suspects(Vec<u64>);

impl Scanner {
    /// A scanner for all of these.
    pub(super) fn new<'a, S: Sought + 'a>(sought: impl Iterator<Item = &'a S>) -> Self {
        let with_needles: BTreeMap<u32, &[String]> =
            sought.filter_map(|sought| Some((sought.id(), sought.needles()?))).collect();
        let mut by_needle: BTreeMap<&str, Vec<u32>> = BTreeMap::new();
        for (place, needles) in (0u32..).zip(with_needles.values()) {
            for needle in *needles {
                by_needle.entry(needle).or_default().push(place);
            }
        }
        let mut builder = AhoCorasick::builder();
        builder.match_kind(MatchKind::Standard).ascii_case_insensitive(true).prefilter(false);
        let automaton = builder.build(by_needle.keys()).ok().filter(|_| !by_needle.is_empty());
        // Too many needles for one automaton: then every pattern may match everywhere.
        let known = if automaton.is_some() { with_needles.into_keys().collect() } else { Vec::new() };
        Self { automaton, owners: by_needle.into_values().collect(), known }
    }

    /// Where the answer for this pattern is kept; none if it may match anywhere.
    pub(super) fn place(&self, id: u32) -> Option<u32> {
        self.known.binary_search(&id).ok().and_then(|place| u32::try_from(place).ok())
    }

    /// Which patterns may match in the text.
    pub(super) fn scan(&self, text: &str) -> Suspects {
        let mut suspects = Suspects(vec![0; self.known.len().div_ceil(64)]);
        let mut seen = vec![false; self.owners.len()];
        let Some(automaton) = &self.automaton else { return suspects };
        for found in automaton.find_overlapping_iter(text) {
            let index = found.pattern().as_usize();
            match seen.get_mut(index) {
                Some(seen) if !*seen => *seen = true,
                _ => continue,
            }
            for place in self.owners.get(index).into_iter().flatten() {
                if let Some(word) = suspects.0.get_mut(*place as usize / 64) {
                    *word |= 1 << (place % 64);
                }
            }
        }
        suspects
    }
}

impl Suspects {
    /// Whether the pattern at this place may match.
    pub(super) fn has(&self, place: u32) -> bool {
        self.0.get(place as usize / 64).is_some_and(|word| word >> (place % 64) & 1 == 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Word(u32, Option<Vec<String>>);

    impl Sought for Word {
        fn id(&self) -> u32 {
            self.0
        }

        fn needles(&self) -> Option<&[String]> {
            self.1.as_deref()
        }
    }

    fn word(id: u32, needles: &[&str]) -> Word {
        Word(id, Some(needles.iter().map(|needle| (*needle).to_owned()).collect()))
    }

    #[test]
    fn a_pattern_may_match_where_one_of_its_needles_is() {
        let words = [word(7, &["wrote", "schrieb"]), word(3, &["rot"]), Word(5, None), word(200, &["пис"])];
        let scanner = Scanner::new(words.iter());
        let check = |text: &str, expect: &[u32]| {
            let suspects = scanner.scan(text);
            let found: Vec<u32> = [3, 7, 200]
                .into_iter()
                .filter(|id| suspects.has(scanner.place(*id).expect("it has needles")))
                .collect();
            assert_eq!(found, expect, "{text}");
        };
        check("Bob WROTE", &[3, 7]);
        check("sie schrieb", &[7]);
        check("описание", &[200]);
        check("", &[]);
        assert_eq!((scanner.place(5), scanner.place(9)), (None, None), "these may match anywhere");
    }

    #[test]
    fn without_needles_there_is_nothing_to_look_for() {
        let scanner = Scanner::new([Word(1, None)].iter());
        assert_eq!(scanner.place(1), None);
        assert!(!scanner.scan("text").has(0));
    }
}
