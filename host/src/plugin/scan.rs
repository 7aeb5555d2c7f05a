//! The scan: one pass over a text that tells which of many patterns may match in it.
//!
//! A [`Scanner`] looks for the [needles](super::needles) of all patterns of a rule set at once, however many rules there
//! are. Patterns without needles, and patterns that it does not know, may match anywhere.
//!
//! Of each needle the rarest three bytes are looked for: their hash is a bit of a map that fits into the fastest cache,
//! and nearly no place of a text has one of those that are set. Only there is the rest compared. (An automaton for a
//! thousand needles takes megabytes, or goes from state to state over each letter.)

use super::needles::rarity;
use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasherDefault, Hasher};

/// How many bytes of a needle are looked for at once. Shorter needles are looked for on their own.
const GRAM: usize = 3;
/// How many bits a hash has.
const HASH_BITS: u32 = 15;
/// How many words a map of bits for all hashes has, and how many one for all pairs of bytes.
const HASHES: usize = (1 << HASH_BITS) / 64;
const PAIRS: usize = (1 << 16) / 64;

/// Something that is looked for, with its needles.
pub(super) trait Sought {
    /// Its number, given once.
    fn id(&self) -> u32;
    /// What a text must contain one of; none if nothing is known.
    fn needles(&self) -> Option<&[String]>;
}

/// Looks for the needles of many patterns in one pass.
#[derive(Debug)]
pub(super) struct Scanner {
    needles: Vec<Needle>,
    /// A bit for the hash of each gram.
    hashes: Box<[u64; HASHES]>,
    /// A bit for each needle of two bytes.
    pairs: Box<[u64; PAIRS]>,
    /// Whether a byte is a needle.
    bytes: [bool; 256],
    /// The needles that have each gram, or are what is looked for themselves.
    by_gram: HashMap<u32, Vec<u32>, BuildHasherDefault<Mixed>>,
    /// The patterns that have needles, sorted; their places are numbered from 0.
    known: Vec<u32>,
}

/// A text that is looked for.
#[derive(Debug)]
struct Needle {
    /// In lower case, as far as ASCII goes.
    text: Box<[u8]>,
    /// Where in it its gram is.
    gram: usize,
    /// The places of the patterns that it belongs to.
    owners: Vec<u32>,
}

/// Which patterns may match in a text.
#[derive(Debug, Clone, Default)]
pub(super) struct Suspects(Vec<u64>);

impl Scanner {
    /// A scanner for all of these.
    pub(super) fn new<'a, S: Sought + 'a>(sought: impl Iterator<Item = &'a S>) -> Self {
        let with_needles: BTreeMap<u32, &[String]> =
            sought.filter_map(|sought| Some((sought.id(), sought.needles()?))).collect();
        let mut by_needle: BTreeMap<String, Vec<u32>> = BTreeMap::new();
        for (place, needles) in (0u32..).zip(with_needles.values()) {
            for needle in *needles {
                by_needle.entry(needle.to_ascii_lowercase()).or_default().push(place);
            }
        }
        let mut scanner = Self { known: with_needles.into_keys().collect(), ..Self::default() };
        for (number, (text, owners)) in (0u32..).zip(by_needle) {
            scanner.add(number, text.as_bytes(), owners);
        }
        scanner
    }

    fn add(&mut self, number: u32, text: &[u8], owners: Vec<u32>) {
        let rarity = |gram: &[u8]| gram.iter().map(|byte| rarity(char::from(*byte))).sum::<usize>();
        let rarest = text.windows(GRAM).enumerate().max_by_key(|(_, gram)| rarity(gram));
        let (at, sought) = rarest.unwrap_or((0, text));
        let gram = gram(sought);
        match sought {
            [byte] => self.bytes.get_mut(usize::from(*byte)).into_iter().for_each(|is_needle| *is_needle = true),
            [_, _] => set(&mut *self.pairs, gram),
            _ => set(&mut *self.hashes, hash(gram)),
        }
        self.by_gram.entry(gram).or_default().push(number);
        self.needles.push(Needle { text: text.into(), gram: at, owners });
    }

    /// Where the answer for this pattern is kept; none if it may match anywhere.
    pub(super) fn place(&self, id: u32) -> Option<u32> {
        self.known.binary_search(&id).ok().and_then(|place| u32::try_from(place).ok())
    }

    /// Which patterns may match in the text.
    pub(super) fn scan(&self, text: &str) -> Suspects {
        let mut found = Found {
            suspects: Suspects(vec![0; self.known.len().div_ceil(64)]),
            seen: vec![false; self.needles.len()],
            text: text.as_bytes(),
        };
        if self.needles.is_empty() {
            return found.suspects;
        }
        let mut bytes = self.bytes;
        let mut last = 0u32;
        for (at, byte) in text.bytes().enumerate() {
            let byte = byte.to_ascii_lowercase();
            last = last >> 8 | u32::from(byte) << 16;
            if is_set(&*self.hashes, hash(last)) {
                self.look(last, (at + 1).checked_sub(GRAM), &mut found);
            }
            if is_set(&*self.pairs, last >> 8) {
                self.look(last >> 8, at.checked_sub(1), &mut found);
            }
            if let Some(unseen) = bytes.get_mut(usize::from(byte)).filter(|unseen| **unseen) {
                self.look(u32::from(byte), Some(at), &mut found);
                *unseen = false;
            }
        }
        found.suspects
    }

    /// Looks for the needles that have this gram, which starts at this place.
    fn look(&self, gram: u32, at: Option<usize>, found: &mut Found<'_>) {
        for number in self.by_gram.get(&gram).into_iter().flatten() {
            let number = *number as usize;
            let (Some(needle), Some(seen)) = (self.needles.get(number), found.seen.get_mut(number)) else { continue };
            if *seen {
                continue;
            }
            let start = at.and_then(|at| at.checked_sub(needle.gram));
            let there = start.and_then(|start| found.text.get(start..start + needle.text.len()));
            *seen = there.is_some_and(|there| there.eq_ignore_ascii_case(&needle.text));
            if *seen {
                needle.owners.iter().for_each(|place| found.suspects.add(*place));
            }
        }
    }
}

impl Default for Scanner {
    fn default() -> Self {
        Self {
            needles: Vec::new(),
            hashes: Box::new([0; HASHES]),
            pairs: Box::new([0; PAIRS]),
            bytes: [false; 256],
            by_gram: HashMap::default(),
            known: Vec::new(),
        }
    }
}

/// What a scan has found so far.
struct Found<'t> {
    suspects: Suspects,
    /// Which needles, by their number.
    seen: Vec<bool>,
    text: &'t [u8],
}

/// Up to three bytes as a number, the first the lowest.
fn gram(bytes: &[u8]) -> u32 {
    bytes.iter().rev().fold(0, |gram, byte| gram << 8 | u32::from(*byte))
}

/// Multiplicative hashing (Knuth, The Art of Computer Programming, volume 3, section 6.4).
fn mix(gram: u32) -> u32 {
    gram.wrapping_mul(0x9e37_79b1)
}

fn hash(gram: u32) -> u32 {
    mix(gram) >> (u32::BITS - HASH_BITS)
}

fn set(bits: &mut [u64], bit: u32) {
    if let Some(word) = bits.get_mut(bit as usize / 64) {
        *word |= 1 << (bit % 64);
    }
}

fn is_set(bits: &[u64], bit: u32) -> bool {
    bits.get(bit as usize / 64).is_some_and(|word| word >> (bit % 64) & 1 == 1)
}

/// Hashes a gram, which nobody outside can choose many of.
#[derive(Debug, Default)]
struct Mixed(u64);

impl Hasher for Mixed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.chunks(4).for_each(|bytes| self.write_u32(gram(bytes)));
    }

    fn write_u32(&mut self, gram: u32) {
        self.0 = u64::from(mix(gram)) << 32 | u64::from(mix(gram));
    }
}

impl Suspects {
    fn add(&mut self, place: u32) {
        set(&mut self.0, place);
    }

    /// Whether the pattern at this place may match.
    pub(super) fn has(&self, place: u32) -> bool {
        is_set(&self.0, place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

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
        check("ro", &[]);
        check("ROT", &[3]);
        check("W rotwr", &[3]);
        assert_eq!((scanner.place(5), scanner.place(9)), (None, None), "these may match anywhere");
    }

    #[test]
    fn without_needles_there_is_nothing_to_look_for() {
        let scanner = Scanner::new([Word(1, None)].iter());
        assert_eq!(scanner.place(1), None);
        assert!(!scanner.scan("text").has(0));
    }

    #[test]
    fn short_needles_are_found_in_any_case() {
        let words = [word(1, &["a", "bc"]), word(2, &["bd"]), word(3, &["é"]), word(4, &[":"])];
        let scanner = Scanner::new(words.iter());
        let check = |text: &str, expect: &[u32]| {
            let suspects = scanner.scan(text);
            let found: Vec<u32> =
                (1..=4).filter(|id| suspects.has(scanner.place(*id).expect("it has needles"))).collect();
            assert_eq!(found, expect, "{text}");
        };
        check("xxA", &[1]);
        check("b bC", &[1]);
        check("BD", &[2]);
        check("bebbd", &[2]);
        check("é:", &[3, 4]);
        check("b", &[]);
    }

    proptest! {
        #[test]
        fn a_needle_is_found_exactly_where_it_is(
            needles in proptest::collection::vec("[a-cA-Cé:]{1,5}", 1..8),
            text in "[a-cA-Cé: ]{0,40}",
        ) {
            let words: Vec<Word> = (0..).zip(&needles).map(|(id, needle)| word(id, &[needle])).collect();
            let scanner = Scanner::new(words.iter());
            let suspects = scanner.scan(&text);
            for (id, needle) in (0..).zip(&needles) {
                let there = text.to_ascii_lowercase().contains(&needle.to_ascii_lowercase());
                prop_assert_eq!(suspects.has(scanner.place(id).expect("it has a needle")), there, "{}", needle);
            }
        }
    }
}
