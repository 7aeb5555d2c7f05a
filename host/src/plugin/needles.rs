//! Needles: what a text must contain for a pattern to match in it.
//!
//! Most patterns match in no message, and for most messages that shows in their words: an attribution has a `wrote`, a
//! header block a `Subject`. So one pass over a text for the needles of all patterns ([`super::scan`]) tells which
//! patterns are worth running at all.
//!
//! A needle stands for itself and for the same with other ASCII capitals. Letters beyond ASCII that a pattern takes in
//! either case are needles of their own.

use regex_syntax::hir::{Class, Hir, HirKind};

/// The most needles of one pattern; one that has more goes without.
const NEEDLES_MAX: usize = 2_000;
/// How many characters one place of a needle may be: a letter in both cases, and the odd third one (`ſ`, the sign for
/// kelvin).
const CHOICES_MAX: usize = 3;
/// The longest needle, in places: what is longer is hardly rarer, and makes the scan's tables larger.
const PLACES_MAX: usize = 8;
/// How many needles one word may become, because of letters beyond ASCII in both cases.
const VARIANTS_MAX: usize = 8;

/// The needles of a regular expression: every match contains at least one of them. None if no such list is known.
pub(super) fn of(source: &str) -> Option<Vec<String>> {
    let hir = regex_syntax::Parser::new().parse(source).ok()?;
    let mut needles = required(&hir)?.0;
    needles.sort_unstable();
    needles.dedup();
    Some(needles)
}

/// A list of which every match contains one. Never empty, and no needle is.
struct Needles(Vec<String>);

impl Needles {
    fn new(needles: Vec<String>) -> Option<Self> {
        let fit = (1..=NEEDLES_MAX).contains(&needles.len()) && needles.iter().all(|needle| !needle.is_empty());
        fit.then_some(Self(needles))
    }

    /// How rarely texts have one of them: more is better. What counts is the most common of them.
    fn rarity(&self) -> usize {
        self.0.iter().map(|needle| needle.chars().map(rarity).sum()).min().unwrap_or_default()
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
    let mut best: Option<Needles> = None;
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
        let places = self.0;
        let mut best: Option<Needles> = None;
        for start in 0..places.len() {
            let mut variants = vec![String::new()];
            for choices in places.iter().skip(start).take(PLACES_MAX) {
                if variants.len() * choices.len() > VARIANTS_MAX {
                    break;
                }
                let longer = |variant: &String| choices.iter().map(|choice| format!("{variant}{choice}")).collect();
                variants = variants.iter().flat_map::<Vec<String>, _>(longer).collect();
            }
            if let Some(needles) = Needles::new(variants) {
                best = Some(match best.take() {
                    Some(best) if best.rarity() >= needles.rarity() => best,
                    _ => needles,
                });
            }
        }
        best
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use regex::Regex;

    fn check(source: &str, expect: Option<&[&str]>) {
        let found = of(source);
        let found: Option<Vec<&str>> = found.as_ref().map(|needles| needles.iter().map(String::as_str).collect());
        assert_eq!(found.as_deref(), expect, "{source}");
    }

    #[test]
    fn every_match_has_a_needle() {
        check("wrote:", Some(&["wrote:"]));
        check("(?i)wrote", Some(&["wrote"]));
        check("(?i)On .* wrote|gab", Some(&[" wrote", "gab"]));
        check(r"(?m)^[ \t]*(?:From|Von)[ \t]*:", Some(&["from", "von"]));
        check("(?i)пим", Some(&["ПИМ", "ПИм", "ПиМ", "Пим", "пИМ", "пИм", "пиМ", "пим"]));
        check("(ab)+c?", Some(&["ab"]));
        check("d['’]art", Some(&["d'art", "d’art"]));
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
    fn may_match(needles: &[String], text: &str) -> bool {
        let text = text.to_ascii_lowercase();
        needles.iter().any(|needle| text.contains(&needle.to_ascii_lowercase()))
    }

    proptest! {
        #[test]
        fn no_match_is_missed(
            source in r"(\(\?i\))?([a-cä]|\[[a-d]{1,4}\]|\([a-c]{1,3}(\|[a-cä]{1,3})?\)[+*?]?|\.|\^){1,6}",
            text in r"[a-dA-DäÄ\n]{0,12}",
        ) {
            if let (Ok(pattern), Some(needles)) = (Regex::new(&source), of(&source)) {
                prop_assert!(!pattern.is_match(&text) || may_match(&needles, &text), "{source}: {needles:?}");
            }
        }
    }
}
