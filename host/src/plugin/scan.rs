//! The scan: one pass over a text that tells which of many patterns may match in it.
//!
//! A [`Scanner`] looks for the [needles](super::needles) of all patterns of a rule set at once, however many rules there
//! are. Patterns without needles, and patterns that it does not know, may match anywhere.
//!
//! Needles that only count at the start of a line are looked for there alone. Of each of the others the rarest three bytes are
//! looked for: their hash is a place in a table that fits into the fastest cache, and nearly no place of a text has one of those that
//! are set. Only there is the rest compared. (An automaton for a thousand needles takes megabytes, or goes from state to state
//! over each letter.)

use super::needles::{Lead, Needle, rarity};
use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasherDefault, Hasher};

/// How many bytes of a needle are looked for at once. Shorter needles are looked for on their own.
const GRAM: usize = 3;
/// How many bits a hash has.
const HASH_BITS: u32 = 15;
/// How many hashes there are, and how many words a map of bits for all pairs of bytes has.
const HASHES: usize = 1 << HASH_BITS;
const PAIRS: usize = (1 << 16) / 64;
/// How many characters at the start of a line are passed over on the way to a needle of lines. Where more may be, so may the needle.
const LEAD_CHARS_MAX: usize = 200;
/// How many different [`Lead`]s there may be. The needles of further ones are looked for anywhere.
const LEADS_MAX: usize = 64;

/// Something that is looked for, with its needles.
pub(super) trait Sought {
    /// Its number, given once.
    fn id(&self) -> u32;
    /// What a text must contain one of; none if nothing is known.
    fn needles(&self) -> Option<&[Needle]>;
}

/// Looks for the needles of many patterns in one pass.
#[derive(Debug)]
pub(super) struct Scanner {
    targets: Vec<Target>,
    /// Whether a hash is that of a gram. A byte each: looking a bit up takes twice as long.
    hashes: Box<[bool; HASHES]>,
    /// A bit for each needle of two bytes.
    pairs: Box<[u64; PAIRS]>,
    has_pairs: bool,
    /// The needles of one byte.
    bytes: Vec<u8>,
    /// The needles that have each gram, or are what is looked for themselves.
    by_gram: ByGram,
    /// The needles of lines, by what they start with: a gram, or less.
    by_start: ByGram,
    /// Whether a byte is the first of such a needle.
    starts: [bool; 256],
    /// What may stand before these.
    leads: Vec<Lead>,
    /// The leads that each character of ASCII is in, as bits by their places.
    leads_of: Box<[u64; 128]>,
    /// The patterns that have needles, sorted; their places are numbered from 0.
    known: Vec<u32>,
}

/// The numbers of needles by a gram of theirs.
type ByGram = HashMap<u32, Vec<u32>, BuildHasherDefault<Mixed>>;

/// A needle, ready to be looked for.
#[derive(Debug)]
struct Target {
    /// In lower case, as far as ASCII goes.
    text: Box<[u8]>,
    /// Where in it its gram is.
    gram: usize,
    /// What may stand between it and the start of its line, as the bit of a lead; none if it counts anywhere.
    lead: Option<u64>,
    /// The places of the patterns that it belongs to.
    owners: Vec<u32>,
}

/// Which patterns may match in a text.
#[derive(Debug, Clone, Default)]
pub(super) struct Suspects(Vec<u64>);

/// Some patterns, to be compared with the suspects of a text.
#[derive(Debug, Default)]
pub(super) struct Watch {
    known: Suspects,
    /// Whether there are some among them that may match anywhere.
    has_others: bool,
}

impl Watch {
    /// Whether one of them may match where these are the suspects.
    pub(super) fn meets(&self, suspects: &Suspects) -> bool {
        self.has_others || self.known.meets(suspects)
    }
}

impl Scanner {
    /// A scanner for all of these.
    pub(super) fn new<'a, S: Sought + 'a>(sought: impl Iterator<Item = &'a S>) -> Self {
        let with_needles: BTreeMap<u32, &[Needle]> =
            sought.filter_map(|sought| Some((sought.id(), sought.needles()?))).collect();
        let mut by_needle: BTreeMap<Needle, Vec<u32>> = BTreeMap::new();
        for (place, needles) in (0u32..).zip(with_needles.values()) {
            for Needle { text, lead } in *needles {
                let needle = Needle { text: text.to_ascii_lowercase(), lead: lead.clone() };
                by_needle.entry(needle).or_default().push(place);
            }
        }
        let mut scanner = Self { known: with_needles.into_keys().collect(), ..Self::default() };
        for (number, (needle, owners)) in (0u32..).zip(by_needle) {
            scanner.add(number, needle, owners);
        }
        scanner
    }

    fn add(&mut self, number: u32, needle: Needle, owners: Vec<u32>) {
        let text = needle.text.as_bytes();
        let rarity = |gram: &[u8]| gram.iter().map(|byte| rarity(char::from(*byte))).sum::<usize>();
        let rarest = text.windows(GRAM).enumerate().max_by_key(|(_, gram)| rarity(gram));
        let lead = needle.lead.and_then(|lead| self.bit(lead));
        let (at, sought) = match lead {
            Some(_) => (0, text.get(..GRAM).unwrap_or(text)),
            None => rarest.unwrap_or((0, text)),
        };
        let gram = gram(sought);
        match (lead, sought) {
            (Some(_), _) => {
                let first = sought.first().and_then(|byte| self.starts.get_mut(usize::from(*byte)));
                first.into_iter().for_each(|is_start| *is_start = true);
            }
            (None, [byte]) => self.bytes.push(*byte),
            (None, [_, _]) => {
                set(&mut *self.pairs, gram);
                self.has_pairs = true;
            }
            (None, _) => self.hashes.get_mut(hash(gram)).into_iter().for_each(|is_gram| *is_gram = true),
        }
        let numbers = if lead.is_some() { &mut self.by_start } else { &mut self.by_gram };
        numbers.entry(gram).or_default().push(number);
        self.targets.push(Target { text: text.into(), gram: at, lead, owners });
    }

    /// The bit of a lead; none if there are too many.
    fn bit(&mut self, lead: Lead) -> Option<u64> {
        let place = self.leads.iter().position(|other| *other == lead).unwrap_or(self.leads.len());
        let bit = 1 << u32::try_from(place).ok().filter(|_| place < LEADS_MAX)?;
        for (c, leads) in (0..).map(char::from).zip(self.leads_of.iter_mut()) {
            *leads |= if lead.contains(c) { bit } else { 0 };
        }
        if place == self.leads.len() {
            self.leads.push(lead);
        }
        Some(bit)
    }

    /// The leads that a character is in.
    fn leads_with(&self, c: char) -> u64 {
        let ascii = usize::try_from(u32::from(c)).ok().and_then(|c| self.leads_of.get(c));
        ascii.copied().unwrap_or_else(|| {
            let with = self.leads.iter().enumerate().filter(|(_, lead)| lead.contains(c));
            with.fold(0, |bits, (place, _)| bits | 1 << place)
        })
    }

    /// Where the answer for this pattern is kept; none if it may match anywhere.
    pub(super) fn place(&self, id: u32) -> Option<u32> {
        self.known.binary_search(&id).ok().and_then(|place| u32::try_from(place).ok())
    }

    /// What to compare with the suspects of a text to see whether any of these patterns may match in it.
    pub(super) fn watch(&self, ids: impl Iterator<Item = u32>) -> Watch {
        let mut watch = Watch { known: Suspects::none_of(self.known.len()), has_others: false };
        for id in ids {
            match self.place(id) {
                Some(place) => watch.known.add(place),
                None => watch.has_others = true,
            }
        }
        watch
    }

    /// Which patterns may match in the text.
    pub(super) fn scan(&self, text: &str) -> Suspects {
        let mut found =
            Found { suspects: Suspects::none_of(self.known.len()), seen: vec![false; self.targets.len()], text };
        if !self.by_gram.is_empty() {
            self.scan_all(&mut found);
        }
        if !self.by_start.is_empty() {
            self.scan_lines(&mut found);
        }
        found.suspects
    }

    /// Looks for the needles that count anywhere: for each length of what is looked for there is a pass of its own, which has little to
    /// do at each place.
    fn scan_all(&self, found: &mut Found<'_>) {
        let text = found.text.to_ascii_lowercase();
        for (at, bytes) in text.as_bytes().windows(GRAM).enumerate() {
            let last = gram(bytes);
            if self.hashes.get(hash(last)).is_some_and(|is_gram| *is_gram) {
                self.look(last, at, found);
            }
        }
        if self.has_pairs {
            for (at, bytes) in text.as_bytes().windows(2).enumerate() {
                let last = gram(bytes);
                if is_set(&*self.pairs, last) {
                    self.look(last, at, found);
                }
            }
        }
        for byte in &self.bytes {
            memchr::memchr(*byte, text.as_bytes()).into_iter().for_each(|at| self.look(u32::from(*byte), at, found));
        }
    }

    /// Looks for the needles that have this gram, which starts at this place.
    fn look(&self, gram: u32, at: usize, found: &mut Found<'_>) {
        for number in self.by_gram.get(&gram).into_iter().flatten() {
            self.compare(*number, |target| at.checked_sub(target.gram), found);
        }
    }

    /// Looks for the needles of lines.
    fn scan_lines(&self, found: &mut Found<'_>) {
        let mut start = 0;
        for line in found.text.split('\n') {
            // What has been nothing but characters of these leads so far.
            let mut leads = u64::MAX;
            for (walked, (at, c)) in line.char_indices().enumerate() {
                if walked == LEAD_CHARS_MAX {
                    let those = self.targets.iter().filter(|target| target.lead.is_some_and(|lead| lead & leads != 0));
                    those.flat_map(|target| &target.owners).for_each(|place| found.suspects.add(*place));
                    break;
                }
                self.look_ahead(start + at, leads, found);
                leads &= self.leads_with(c);
                if leads == 0 {
                    break;
                }
            }
            start += line.len() + 1;
        }
    }

    /// Looks for needles at a place in a line, before which there is nothing but characters of these leads.
    fn look_ahead(&self, at: usize, leads: u64, found: &mut Found<'_>) {
        let ahead = found.text.as_bytes().get(at..).unwrap_or_default();
        let is_start = |byte: &u8| self.starts.get(usize::from(byte.to_ascii_lowercase())).is_some_and(|is| *is);
        if !ahead.first().is_some_and(is_start) {
            return;
        }
        let mut start = 0;
        for (length, byte) in (0u32..).zip(ahead.iter().take(GRAM)) {
            start |= u32::from(byte.to_ascii_lowercase()) << (8 * length);
            for number in self.by_start.get(&start).into_iter().flatten() {
                self.compare(*number, |target| target.lead.is_some_and(|lead| lead & leads != 0).then_some(at), found);
            }
        }
    }

    /// Compares a needle with the text, where it may be and unless it was seen.
    fn compare(&self, number: u32, place: impl FnOnce(&Target) -> Option<usize>, found: &mut Found<'_>) {
        let number = number as usize;
        let (Some(target), Some(seen)) = (self.targets.get(number), found.seen.get_mut(number)) else { return };
        if *seen {
            return;
        }
        let there = place(target).and_then(|at| found.text.as_bytes().get(at..at + target.text.len()));
        *seen = there.is_some_and(|there| there.eq_ignore_ascii_case(&target.text));
        if *seen {
            target.owners.iter().for_each(|place| found.suspects.add(*place));
        }
    }
}

impl Default for Scanner {
    fn default() -> Self {
        Self {
            targets: Vec::new(),
            hashes: Box::new([false; HASHES]),
            pairs: Box::new([0; PAIRS]),
            has_pairs: false,
            bytes: Vec::new(),
            by_gram: HashMap::default(),
            by_start: HashMap::default(),
            starts: [false; 256],
            leads: Vec::new(),
            leads_of: Box::new([0; 128]),
            known: Vec::new(),
        }
    }
}

/// What a scan has found so far.
struct Found<'t> {
    suspects: Suspects,
    /// Which needles, by their number.
    seen: Vec<bool>,
    text: &'t str,
}

/// Up to three bytes as a number, the first the lowest.
fn gram(bytes: &[u8]) -> u32 {
    bytes.iter().rev().fold(0, |gram, byte| gram << 8 | u32::from(*byte))
}

/// Multiplicative hashing (Knuth, The Art of Computer Programming, volume 3, section 6.4).
fn mix(gram: u32) -> u32 {
    gram.wrapping_mul(0x9e37_79b1)
}

fn hash(gram: u32) -> usize {
    (mix(gram) >> (u32::BITS - HASH_BITS)) as usize
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
    /// None of so many.
    fn none_of(places: usize) -> Self {
        Self(vec![0; places.div_ceil(64)])
    }

    fn add(&mut self, place: u32) {
        set(&mut self.0, place);
    }

    /// Whether any of these is among the others.
    fn meets(&self, others: &Self) -> bool {
        self.0.iter().zip(&others.0).any(|(one, other)| one & other != 0)
    }

    /// Whether the pattern at this place may match.
    pub(super) fn has(&self, place: u32) -> bool {
        is_set(&self.0, place)
    }
}

#[cfg(test)]
mod tests {
    use super::super::needles;
    use super::*;
    use proptest::prelude::*;

    struct Word(u32, Option<Vec<Needle>>);

    impl Sought for Word {
        fn id(&self) -> u32 {
            self.0
        }

        fn needles(&self) -> Option<&[Needle]> {
            self.1.as_deref()
        }
    }

    fn word(id: u32, needles: &[&str]) -> Word {
        Word(id, Some(needles.iter().map(|needle| Needle::anywhere((*needle).to_owned())).collect()))
    }

    /// The patterns with needles that may match in a text, by their ids.
    fn found(scanner: &Scanner, text: &str) -> Vec<u32> {
        let suspects = scanner.scan(text);
        (0..).zip(&scanner.known).filter(|(place, _)| suspects.has(*place)).map(|(_, id)| *id).collect()
    }

    #[test]
    fn a_pattern_may_match_where_one_of_its_needles_is() {
        let words = [word(7, &["wrote", "schrieb"]), word(3, &["rot"]), Word(5, None), word(200, &["пис"])];
        let scanner = Scanner::new(words.iter());
        let check = |text: &str, expect: &[u32]| {
            assert_eq!(found(&scanner, text), expect, "{text}");
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
    fn a_needle_of_a_line_is_found_at_its_start() {
        let words = [(1, r"(?m)^[ \t]*To:"), (2, "(?m)^[ ]*>"), (3, ">"), (4, "To:")];
        let words = words.map(|(id, source)| Word(id, needles::of(source)));
        let scanner = Scanner::new(words.iter());
        let check = |text: &str, expect: &[u32]| {
            assert_eq!(found(&scanner, text), expect, "{text}");
        };
        check("to: x", &[1, 4]);
        check("x to:\n \tTO:", &[1, 4]);
        check("x to:\n x to:", &[4]);
        check("a > b > c\n >", &[2, 3]);
        check("a > b > c", &[3]);
        check(&format!("{}x", " ".repeat(LEAD_CHARS_MAX)), &[1, 2]);
    }

    #[test]
    fn short_needles_are_found_in_any_case() {
        let words = [word(1, &["a", "bc"]), word(2, &["bd"]), word(3, &["é"]), word(4, &[":"])];
        let scanner = Scanner::new(words.iter());
        let check = |text: &str, expect: &[u32]| {
            assert_eq!(found(&scanner, text), expect, "{text}");
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
        fn no_match_is_missed(
            source in r"\(\?i?m\)\^(_\{2,\}|\[_ \n\][*+?]| \*){0,2}(a|B|\n|\(a\|bb\)|\[ab\]){1,3}",
            text in r"([ab_ \n]|_ |\n_){0,10}",
        ) {
            let (pattern, needles) = (regex::Regex::new(&source).expect("it compiles"), needles::of(&source));
            let Some(needles) = needles else { return Ok(()) };
            let scanner = Scanner::new([Word(1, Some(needles))].iter());
            prop_assert!(!pattern.is_match(&text) || scanner.scan(&text).has(0), "{source:?}: {:?}", scanner.targets);
        }

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
