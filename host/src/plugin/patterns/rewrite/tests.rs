//! Each rewrite is held to its pattern over all short texts of a few characters.

use super::super::bounded::Bounded;
use super::{Purpose, linear};
use regex::Regex;
use std::ops::Range;

/// The characters of the texts.
const LETTERS: [&str; 5] = ["a", "b", "\n", ".", "é"];
/// The longest text, in characters.
const LENGTH_MAX: u32 = 5;

/// What counts of the matches of a pattern.
#[derive(Debug, PartialEq)]
enum Found {
    Presence(bool),
    Place(Option<usize>),
    Lines(Option<Range<usize>>),
    Value(Option<Range<usize>>),
    Spans(Vec<Range<usize>>),
}

/// The groups of the matches that do not overlap.
fn found(purpose: Purpose, text: &str, source: &str, matches: &[Vec<Option<Range<usize>>>]) -> Found {
    let first = matches.first().and_then(|groups| groups[0].clone());
    match purpose {
        Purpose::Presence => Found::Presence(first.is_some()),
        Purpose::Start => Found::Place(first.map(|found| found.start)),
        Purpose::End => Found::Place(first.map(|found| found.end)),
        Purpose::Lines => Found::Lines(first.map(|found| {
            let line = |at: usize| text.as_bytes()[..at].iter().filter(|byte| **byte == b'\n').count();
            line(found.start)..line(found.end.saturating_sub(1).max(found.start))
        })),
        Purpose::Value => Found::Value(matches.first().and_then(|groups| {
            let has_group = source.contains("(?<value>") || groups.len() > 1;
            groups[usize::from(has_group)].clone()
        })),
        Purpose::Span => Found::Spans(matches.iter().filter_map(|groups| groups[0].clone()).collect()),
    }
}

fn texts() -> impl Iterator<Item = String> {
    (0..=LENGTH_MAX).flat_map(|length| {
        (0..LETTERS.len().pow(length)).map(move |number| {
            (0..length).map(|place| LETTERS[number / LETTERS.len().pow(place) % LETTERS.len()]).collect()
        })
    })
}

fn matches_of(text: &str, mut find: impl FnMut(usize) -> Vec<Option<Range<usize>>>) -> Vec<Vec<Option<Range<usize>>>> {
    let (mut all, mut at, mut last) = (Vec::new(), 0, None);
    while at <= text.len() {
        let groups = find(at);
        let Some(whole) = groups.first().cloned().flatten() else { break };
        let next = (whole.end + usize::from(whole.is_empty())..=text.len()).find(|at| text.is_char_boundary(*at));
        if !(whole.is_empty() && last == Some(whole.end)) {
            all.push(groups);
        }
        last = Some(whole.end);
        at = next.unwrap_or(text.len() + 1);
    }
    all
}

fn check(source: &str, purpose: Purpose, expect: Option<&str>) {
    assert_eq!(linear(source, purpose).as_deref(), expect, "{source} for {purpose:?}");
    let Some(rewritten) = expect else { return };
    let bounded = Bounded::compile(source, 1 << 20).unwrap_or_else(|refusal| panic!("{source}: {refusal:?}"));
    let regex = Regex::new(rewritten).unwrap();
    let mut hits = 0;
    for text in texts() {
        let theirs = matches_of(&text, |at| bounded.captures_at(&text, at, None).unwrap());
        let ours = matches_of(&text, |at| {
            let captures = regex.captures_at(&text, at);
            captures.map_or_else(Vec::new, |found| found.iter().map(|group| group.map(|g| g.range())).collect())
        });
        hits += usize::from(!theirs.is_empty());
        let expected = found(purpose, &text, source, &theirs);
        assert_eq!(found(purpose, &text, rewritten, &ours), expected, "{source} and {rewritten} in {text:?}");
    }
    assert!(hits > 0, "{source} matches none of the texts");
}

#[test]
fn assertions_are_the_same_everywhere() {
    let check = |source: &str, expect: &str| check(source, Purpose::Span, Some(expect));
    check(r"a+(?=\n|$)", r"a+(?m:$)");
    check(r"a.*?(?=\n|\z)", r"a.*?(?m:$)");
    check(r"(?m)a(?=$)b?", r"(?m)a$b?");
    check(r"(?<=^|\n)a", r"(?m:^)a");
    check(r"(?<![^\n])a(?![^\n])", r"(?m:^)a(?m:$)");
    check(r"(?<!\w)a(?!\w)", r"\b{start-half}a\b{end-half}");
    check(r"(a|b)(?![\s\S])", r"(a|b)\z");
    check(r"(?<![\s\S])(a|b)", r"\A(a|b)");
    check(r"b(?>a|ab)", r"b(?:a|ab)");
}

#[test]
fn what_is_only_looked_for_may_take_in_what_is_around() {
    let check = |source: &str, expect: &str| check(source, Purpose::Presence, Some(expect));
    check(r"a(?=\n)", r"a\n");
    check(r"a+(?=b+\n)", r"a+(?:b+\n)");
    check(r"(?i)(?<=b|ba)a(?!b)", r"(?i)(?:b|ba)a(?:[^b]|\z)");
    check(r"(?<!\.)a", r"(?:\A|[^\.])a");
    check(r"a(?![ab])", r"a(?:[^ab]|\z)");
    check(r"a(?![^ab])", r"a(?:[ab]|\z)");
    check(r"a(?!\s)", r"a(?:\S|\z)");
    check(r"a|b(?=\n)", r"a|b\n");
}

#[test]
fn the_start_of_a_match_does_not_know_what_follows() {
    check(r"a+?(?=b\n)", Purpose::Start, Some(r"a+?(?:b\n)"));
    check(r"a*b(?!a)", Purpose::Start, Some(r"a*b(?:[^a]|\z)"));
    check(r"(?<=b)a", Purpose::Start, None);
}

#[test]
fn the_end_of_a_match_does_not_know_what_went_before() {
    check(r"(?<=b)a+", Purpose::End, Some("ba+"));
    check(r"(?<!b)a+", Purpose::End, Some(r"(?:\A|[^b])a+"));
    check(r"(?<=b+)a+", Purpose::End, None);
    check(r"a(?=b)", Purpose::End, None);
}

#[test]
fn a_line_end_belongs_to_its_line() {
    check(r"a.*(?=\n)", Purpose::Lines, Some(r"a.*\n"));
    check(r"(?m)^a.*(?=\n)", Purpose::Lines, Some(r"(?m)^a.*\n"));
    check(r"a.*(?=b)", Purpose::Lines, None);
    // White space that a match begins with does not count, so one of white space alone would be on the next line.
    check(r"\n*(?=\n)", Purpose::Lines, None);
    check(r"a?(?=\n)", Purpose::Lines, None);
}

#[test]
fn a_value_gets_a_group() {
    check(r"(?<=\.)a+", Purpose::Value, Some(r"\.(?<value>a+)"));
    check(r"(?<=\.)[ab]*?(?=\n)", Purpose::Value, Some(r"\.(?<value>[ab]*?)\n"));
    check(r"(?<=\.)x?(a)b(?!b)", Purpose::Value, Some(r"\.x?(a)b(?:[^b]|\z)"));
    check(r"(?<!a)b", Purpose::Value, Some(r"(?:\A|[^a])(?<value>b)"));
    check(r"a|b(?=\n)", Purpose::Value, None);
}

#[test]
fn where_there_is_no_rewrite_none_is_given() {
    for purpose in [Purpose::Presence, Purpose::Start, Purpose::End, Purpose::Lines, Purpose::Value, Purpose::Span] {
        check(r"(\w)\1", purpose, None);
        check(r"a(?=b)b", purpose, None);
        check(r"a(?!ab)", purpose, None);
        check(r"(?:a(?!b)|b)a", purpose, None);
        check(r"(?>a+)b", purpose, None);
    }
    check(r"a(?=\n)", Purpose::Span, None);
    check(r"(?<=\n)a", Purpose::Span, None);
}
