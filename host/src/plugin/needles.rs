//! Needles: what a text must contain for a pattern to match in it.
//!
//! Most patterns match in no message, and for most messages that shows in their words: an attribution has a `wrote`, a
//! header block a `Subject`. So one pass over a text for the needles of all patterns ([`super::scan`]) tells which
//! patterns are worth running at all.
//!
//! A needle stands for itself and for the same with other ASCII capitals. Letters beyond ASCII that a pattern takes in
//! either case are needles of their own.
//!
//! Many patterns are of lines: `(?m)^[ \t]*(?:From|To)[ \t]*:`. Theirs are needles that only count at the start of a line, which keeps
//! short words from being found all over the prose.

use regex_syntax::hir::{Class, ClassUnicode, ClassUnicodeRange, Hir, HirKind, Look};

/// The most needles of one pattern; one that has more goes without.
const NEEDLES_MAX: usize = 2_000;
/// How many characters one place of a needle may be: a letter in both cases, and the odd third one (`ſ`, the sign for
/// kelvin).
const CHOICES_MAX: usize = 3;
/// The longest needle, in places: what is longer is hardly rarer, and makes the scan's tables larger.
const PLACES_MAX: usize = 8;
/// How many needles one word may become, because of letters beyond ASCII in both cases.
const VARIANTS_MAX: usize = 8;
/// How much rarer a text is at the start of a line than anywhere: about as two letters more would make it.
const LINE_RARITY: usize = 8;
/// How many different characters may stand before a needle at the start of a line: with more, it may be anywhere in it.
const LEAD_CHOICES_MAX: usize = 50;

/// A text that is looked for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Needle {
    /// The text.
    pub(super) text: String,
    /// What may stand between it and the start of its line; none if it counts wherever it is.
    pub(super) lead: Option<Lead>,
}

/// Characters that may stand before a needle.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Lead {
    /// A bit for each of ASCII.
    ascii: u128,
    /// The others, sorted.
    others: Vec<char>,
}

impl Needle {
    /// A needle that counts wherever it is.
    pub(super) fn anywhere(text: String) -> Self {
        Self { text, lead: None }
    }

    /// About how rare it is.
    fn rarity(&self) -> usize {
        let text: usize = self.text.chars().map(rarity).sum();
        text + if self.lead.is_some() { LINE_RARITY } else { 0 }
    }
}

impl Lead {
    /// What these may match, in any order and number; none if they may match anything else than a few single characters.
    fn of(parts: &[Hir]) -> Option<Self> {
        let mut characters = ClassUnicode::empty();
        for part in parts {
            let HirKind::Repetition(repetition) = part.kind() else { return None };
            match repetition.sub.kind() {
                HirKind::Class(Class::Unicode(class)) => characters.union(class),
                HirKind::Literal(literal) => {
                    let mut text = std::str::from_utf8(&literal.0).ok()?.chars();
                    let (Some(one), None) = (text.next(), text.next()) else { return None };
                    characters.push(ClassUnicodeRange::new(one, one));
                }
                _ => return None,
            }
        }
        let characters = characters.ranges().iter().flat_map(|range| range.start()..=range.end());
        let characters: Vec<char> = characters.take(LEAD_CHOICES_MAX + 1).collect();
        // With letters before it, it is anywhere in the prose.
        let is_few = characters.len() <= LEAD_CHOICES_MAX && !characters.iter().any(|c| c.is_alphanumeric());
        is_few.then(|| characters.into_iter().collect())
    }

    /// Whether a character is one of them.
    pub(super) fn contains(&self, c: char) -> bool {
        if c.is_ascii() { self.ascii >> u32::from(c) & 1 == 1 } else { self.others.binary_search(&c).is_ok() }
    }
}

impl FromIterator<char> for Lead {
    fn from_iter<I: IntoIterator<Item = char>>(characters: I) -> Self {
        let mut lead = Self::default();
        for c in characters {
            if c.is_ascii() {
                lead.ascii |= 1 << u32::from(c);
            } else if let Err(at) = lead.others.binary_search(&c) {
                lead.others.insert(at, c);
            }
        }
        lead
    }
}

/// The needles of a regular expression: every match contains at least one of them. None if no such list is known.
pub(super) fn of(source: &str) -> Option<Vec<Needle>> {
    let hir = regex_syntax::Parser::new().parse(source).ok()?;
    let mut needles = required(&hir)?.0;
    needles.sort_unstable();
    needles.dedup();
    Some(needles)
}

/// A list of which every match contains one. Never empty, and no needle is.
struct Needles(Vec<Needle>);

impl Needles {
    fn new(needles: Vec<Needle>) -> Option<Self> {
        let fit = (1..=NEEDLES_MAX).contains(&needles.len()) && needles.iter().all(|needle| !needle.text.is_empty());
        fit.then_some(Self(needles))
    }

    /// How rarely texts have one of them: more is better. What counts is the most common of them.
    fn rarity(&self) -> usize {
        self.0.iter().map(Needle::rarity).min().unwrap_or_default()
    }

    /// The same, at the starts of lines. A line end counts wherever it is.
    fn behind(self, lead: &Lead) -> Self {
        let of_line = |needle: Needle| {
            let is_in_line = !needle.text.starts_with('\n');
            Needle { lead: is_in_line.then(|| lead.clone()), ..needle }
        };
        Self(self.0.into_iter().map(of_line).collect())
    }

    fn better(self, other: Option<Self>) -> Self {
        match other {
            Some(other) if (other.rarity(), self.0.len()) > (self.rarity(), other.0.len()) => other,
            _ => self,
        }
    }
}

/// About how rare a character is in mail.
pub(super) fn rarity(c: char) -> usize {
    match c {
        ' ' | '\n' | 'e' | 't' | 'a' | 'o' | 'i' | 'n' | 's' | 'r' => 2,
        'A'..='Z' | 'a'..='z' | '0'..='9' | '.' | ',' => 3,
        _ => 5,
    }
}

fn required(hir: &Hir) -> Option<Needles> {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => None,
        HirKind::Literal(_) | HirKind::Class(_) => Run::default().with(hir)?.needles(),
        HirKind::Capture(capture) => required(&capture.sub),
        HirKind::Repetition(repetition) if repetition.min > 0 => required(&repetition.sub),
        HirKind::Repetition(_) => None,
        HirKind::Concat(parts) => of_sequence(parts),
        HirKind::Alternation(ways) => {
            let ways: Option<Vec<Needles>> = ways.iter().map(required).collect();
            Needles::new(ways?.into_iter().flat_map(|needles| needles.0).collect())
        }
    }
}

/// The best that parts which follow each other have to offer: one of them, or some that make a word together.
fn of_sequence(parts: &[Hir]) -> Option<Needles> {
    let mut best = of_line(parts);
    let mut offer = |needles: Option<Needles>| {
        if let Some(needles) = needles {
            best = Some(needles.better(best.take()));
        }
    };
    let mut run = Run::default();
    for part in parts {
        match run.clone().with(part) {
            Some(longer) => run = longer,
            None => {
                offer(std::mem::take(&mut run).needles());
                offer(required(part));
            }
        }
    }
    offer(run.needles());
    best
}

/// What parts start with that match from the start of a line on.
fn of_line(parts: &[Hir]) -> Option<Needles> {
    let (first, rest) = parts.split_first()?;
    let HirKind::Look(Look::Start | Look::StartLF) = first.kind() else { return None };
    // What must be there may be what to look for, or stand before it.
    let (one, other) = (behind_lead(rest, u32::MAX), behind_lead(rest, 0));
    match one {
        Some(one) => Some(one.better(other)),
        None => other,
    }
}

/// What follows the first parts that repeat characters, of which no more than so many must be there.
fn behind_lead(parts: &[Hir], min: u32) -> Option<Needles> {
    let is_lead = |part: &&Hir| matches!(part.kind(), HirKind::Repetition(repetition) if repetition.min <= min);
    let (lead, rest) = parts.split_at(parts.iter().take_while(is_lead).count());
    let lead = Lead::of(lead)?;
    Some(first_of(rest)?.behind(&lead))
}

/// A list of texts of which every match of these parts starts with one.
fn first_of(parts: &[Hir]) -> Option<Needles> {
    let mut run = Run::default();
    for (place, part) in parts.iter().enumerate() {
        match run.clone().with(part) {
            Some(longer) => run = longer,
            None if run.0.is_empty() => return first_of_one(part, parts.get(place + 1..)?),
            None => break,
        }
    }
    run.needles_from(0)
}

fn first_of_one(part: &Hir, rest: &[Hir]) -> Option<Needles> {
    match part.kind() {
        HirKind::Look(_) => first_of(rest),
        HirKind::Capture(capture) => first_of(std::slice::from_ref(&capture.sub)),
        HirKind::Repetition(repetition) if repetition.min > 0 => first_of(std::slice::from_ref(&repetition.sub)),
        HirKind::Concat(parts) => first_of(parts),
        HirKind::Alternation(ways) => {
            let ways: Option<Vec<Needles>> = ways.iter().map(|way| first_of(std::slice::from_ref(way))).collect();
            Needles::new(ways?.into_iter().flat_map(|needles| needles.0).collect())
        }
        _ => None,
    }
}

/// Places that follow each other, each with the few texts that may stand there.
#[derive(Debug, Clone, Default)]
struct Run(Vec<Vec<String>>);

impl Run {
    /// The run with another part at its end; none if that may be too many different texts.
    fn with(mut self, part: &Hir) -> Option<Self> {
        match part.kind() {
            HirKind::Literal(literal) => {
                let text = std::str::from_utf8(&literal.0).ok()?;
                self.0.extend(text.chars().map(|c| vec![c.to_ascii_lowercase().to_string()]));
            }
            HirKind::Class(Class::Unicode(class)) => {
                let ranges = class.ranges().iter();
                let mut characters = ranges.flat_map(|range| range.start()..=range.end());
                let mut choices: Vec<String> =
                    characters.by_ref().take(CHOICES_MAX).map(|c| c.to_ascii_lowercase().to_string()).collect();
                if characters.next().is_some() || choices.is_empty() {
                    return None;
                }
                choices.sort_unstable();
                choices.dedup();
                self.0.push(choices);
            }
            HirKind::Look(_) => {}
            HirKind::Capture(capture) => return self.with(&capture.sub),
            _ => return None,
        }
        Some(self)
    }

    /// The rarest stretch of it that is not too many different texts.
    fn needles(self) -> Option<Needles> {
        let mut best: Option<Needles> = None;
        for start in 0..self.0.len() {
            if let Some(needles) = self.needles_from(start) {
                best = Some(match best.take() {
                    Some(best) if best.rarity() >= needles.rarity() => best,
                    _ => needles,
                });
            }
        }
        best
    }

    /// The texts from a place on, as long as they are not too many.
    fn needles_from(&self, start: usize) -> Option<Needles> {
        let mut variants = vec![String::new()];
        for choices in self.0.iter().skip(start).take(PLACES_MAX) {
            if variants.len() * choices.len() > VARIANTS_MAX {
                break;
            }
            let longer = |variant: &String| choices.iter().map(|choice| format!("{variant}{choice}")).collect();
            variants = variants.iter().flat_map::<Vec<String>, _>(longer).collect();
        }
        Needles::new(variants.into_iter().map(Needle::anywhere).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use regex::Regex;

    fn check(source: &str, expect: Option<&[&str]>) {
        let shown = |needle: Needle| if needle.lead.is_some() { format!("^{}", needle.text) } else { needle.text };
        let found: Option<Vec<String>> = of(source).map(|needles| needles.into_iter().map(shown).collect());
        assert_eq!(found, expect.map(|expect| expect.iter().map(|text| (*text).to_owned()).collect()), "{source}");
    }

    #[test]
    fn every_match_has_a_needle() {
        check("wrote:", Some(&["wrote:"]));
        check("(?i)wrote", Some(&["wrote"]));
        check("(?i)On .* wrote|gab", Some(&[" wrote", "gab"]));
        check("(?i)пим", Some(&["ПИМ", "ПИм", "ПиМ", "Пим", "пИМ", "пИм", "пиМ", "пим"]));
        check("(ab)+c?", Some(&["ab"]));
        check("d['’]art", Some(&["d'art", "d’art"]));
    }

    #[test]
    fn a_line_has_its_needles_at_its_start() {
        check(r"(?m)^[ \t]*(?:From|Von)[ \t]*:", Some(&["^from", "^von"]));
        check("(?im)^[ *]*_?(To|Cc)", Some(&["^cc", "^to"]));
        check("(?m)^>", Some(&["^>"]));
        check("(?m)^-{5,}$", Some(&["^-"]));
        check(r"(?m)^[ab ]*To", Some(&["to"]));
        check(r"(?m)^[ -~]*:", Some(&[":"]));
        check(r"(?m)^_{10,}[ \t]*\n[^\n]*(?i:opt out|mailing list)", Some(&["mailing ", "opt out"]));
        check("(?m)^_{10,}\\s*\\n", Some(&["^_"]));
        check("(?m)(?:^a(?:b|c)d|xyz)", Some(&["^abd", "^acd", "xyz"]));
        check("(?m)^(?:> )*On .* wrote", Some(&[" wrote"]));
        check("(?Rm)^To", Some(&["to"]));
        check("(?m)^.*wrote", Some(&["wrote"]));
        check("(?m)^(?:[a-z]+|[0-9])To", Some(&["to"]));
        let needles = of("(?m)^[ *]*To").expect("it has some");
        let lead = needles.first().and_then(|needle| needle.lead.as_ref()).expect("it is of a line");
        assert_eq!([' ', '*', 'a', '\n', 'é'].map(|c| lead.contains(c)), [true, true, false, false, false]);
    }

    #[test]
    fn where_nothing_is_certain_there_are_none() {
        check("(?m)^[ \t]*$", None);
        check("a*", None);
        check("wrote|[0-9]+", None);
        check("", None);
        check("[a-z]{3}", None);
    }

    /// What a scan does with needles.
    fn may_match(needles: &[Needle], text: &str) -> bool {
        let lower = text.to_ascii_lowercase();
        needles.iter().any(|needle| {
            let starts = |at: &usize| lower[*at..].starts_with(&needle.text.to_ascii_lowercase());
            let line = |at: usize| text[..at].rsplit('\n').next().unwrap_or_default().chars();
            let counts = |at| needle.lead.as_ref().is_none_or(|lead| line(at).all(|c| lead.contains(c)));
            lower.char_indices().map(|(at, _)| at).filter(starts).any(counts)
        })
    }

    proptest! {
        #[test]
        fn no_match_is_missed(
            source in r"(\(\?(i|m|im)\))?(\^(\[ab\n\][*+?]|b[*+?]){0,2})?([a-cä]|\[[a-d]{1,4}\]|\([a-c]{1,3}(\|[a-cä]{1,3})?\)[+*?]?|\.|\^){1,6}",
            text in r"[a-dA-DäÄ\n]{0,12}",
        ) {
            if let (Ok(pattern), Some(needles)) = (Regex::new(&source), of(&source)) {
                prop_assert!(!pattern.is_match(&text) || may_match(&needles, &text), "{source}: {needles:?}");
            }
        }
    }
}
