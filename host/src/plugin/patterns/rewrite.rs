//! Linear rewrites: what a pattern with look-around can be written as so that the `regex` crate takes it.
//!
//! Only rewrites that find the same are given. What is the same depends on what the match is for: to say whether it is
//! there, it may well take in what a look-around only looked at; to cut just the match, it may not.

use super::shape::{Group, Kind, Shape};
use std::ops::Range;

/// What a match is for, so what of it must stay as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// That there is one.
    Presence,
    /// Where the first one starts.
    Start,
    /// Where the first one ends.
    End,
    /// Which lines the first one touches.
    Lines,
    /// The group `value` of the first one, or else its first group, or else all of it.
    Value,
    /// Where each one starts and ends.
    Span,
}

/// How many look-arounds of a pattern are rewritten.
const LOOKS_MAX: usize = 16;

/// What the pattern can be written as, for that purpose, in the dialect of the `regex` crate; none if there is no such
/// rewrite, or none that is known here. Line ends are LF.
#[must_use]
pub fn linear(source: &str, purpose: Purpose) -> Option<String> {
    let mut pattern = source.to_owned();
    for _ in 0..LOOKS_MAX {
        let shape = Shape::of(&pattern)?;
        let Some((place, written)) = shape.groups.iter().rev().find_map(|group| as_linear(&pattern, group)) else {
            break;
        };
        pattern.replace_range(place, &written);
    }
    let pattern = at_the_ends(&pattern, purpose)?;
    super::linear_regex(&pattern).is_ok().then_some(pattern)
}

/// A group that is the same as what the `regex` crate has: a look-around as an assertion, an atomic group as a plain one.
fn as_linear(pattern: &str, group: &Group) -> Option<(Range<usize>, String)> {
    let inside = pattern.get(group.inside.clone())?;
    if group.kind == Kind::Atomic && group.depth == 0 && group.whole.end == pattern.len() {
        // Nothing follows that could want it to give something back.
        return Some((group.whole.clone(), format!("(?:{inside})")));
    }
    let written = match (group.kind, inside) {
        (Kind::Ahead, "$" | r"\z" | r"\b" | r"\B") | (Kind::Behind, "^" | r"\A" | r"\b" | r"\B") => inside,
        (
            Kind::Ahead,
            r"\n|$" | r"$|\n" | r"\n|\z" | r"\z|\n" | r"\r?\n|$" | r"$|\r?\n" | r"\r?\n|\z" | r"\z|\r?\n",
        )
        | (Kind::NotAhead, r"[^\n]") => "(?m:$)",
        (Kind::Behind, r"\n|^" | r"^|\n" | r"\n|\A" | r"\A|\n") | (Kind::NotBehind, r"[^\n]") => "(?m:^)",
        (Kind::NotAhead, r"\w" | r"[\w]") => r"\b{end-half}",
        (Kind::NotBehind, r"\w" | r"[\w]") => r"\b{start-half}",
        (Kind::NotAhead, r"[\s\S]" | r"[\S\s]" | r"(?s:.)") => r"\z",
        (Kind::NotBehind, r"[\s\S]" | r"[\S\s]" | r"(?s:.)") => r"\A",
        _ => return None,
    };
    Some((group.whole.clone(), written.to_owned()))
}

/// The pattern with a look-behind that it begins with and a look-ahead that it ends with taken into the match, where the
/// purpose allows it. None if others are left.
fn at_the_ends(pattern: &str, purpose: Purpose) -> Option<String> {
    let shape = Shape::of(pattern)?;
    let is_look = |group: &&Group| !matches!(group.kind, Kind::Capture | Kind::Plain | Kind::Flags);
    let mut looks: Vec<&Group> = shape.groups.iter().filter(is_look).collect();
    let flags = flags_end(&shape);
    let (mut start, mut end) = (flags, pattern.len());
    let (mut before, mut after) = (String::new(), String::new());
    if let Some(last) = looks.last().filter(|group| group.depth == 0 && group.whole.end == end) {
        after = taken_in_after(pattern, last, purpose, shape.has_branches)?;
        end = last.whole.start;
        looks.pop();
    }
    if let Some(first) = looks.first().filter(|group| group.depth == 0 && group.whole.start == start) {
        before = taken_in_before(pattern, first, purpose, shape.has_branches)?;
        start = first.whole.end;
        looks.remove(0);
    }
    if !looks.is_empty() {
        return None;
    }
    let flags = pattern.get(..flags)?;
    let middle = pattern.get(start..end)?;
    let has_group = shape.groups.iter().any(|group| group.kind == Kind::Capture);
    let is_longer = !before.is_empty() || !after.is_empty();
    if purpose == Purpose::Value && is_longer && !has_group {
        return Some(format!("{flags}{before}(?<value>{middle}){after}"));
    }
    Some(format!("{flags}{before}{middle}{after}"))
}

/// Where the flags end that a pattern begins with, such as `(?im)`.
fn flags_end(shape: &Shape) -> usize {
    shape
        .groups
        .iter()
        .fold(0, |end, group| if group.kind == Kind::Flags && group.whole.start == end { group.whole.end } else { end })
}

/// What a group at the end becomes.
fn taken_in_after(pattern: &str, group: &Group, purpose: Purpose, has_branches: bool) -> Option<String> {
    let inside = pattern.get(group.inside.clone())?;
    let fits = match purpose {
        Purpose::Presence | Purpose::Start => true,
        Purpose::Value => !has_branches,
        Purpose::Lines => !has_branches && inside == r"\n" && begins_with_a_letter(pattern),
        Purpose::End | Purpose::Span => false,
    };
    match group.kind {
        Kind::Ahead if fits => Some(if is_one_character(inside) { inside.to_owned() } else { format!("(?:{inside})") }),
        Kind::NotAhead if fits && purpose != Purpose::Lines => Some(format!(r"(?:{}|\z)", any_but(inside)?)),
        _ => None,
    }
}

/// Whether whatever the pattern matches begins with a letter or digit.
fn begins_with_a_letter(pattern: &str) -> bool {
    let flags = Shape::of(pattern).map_or(0, |shape| flags_end(&shape));
    let visible = pattern.get(flags..).unwrap_or_default().trim_start_matches('^');
    let mut letters = visible.chars();
    letters.next().is_some_and(char::is_alphanumeric)
        && letters.next().is_some_and(|next| !matches!(next, '*' | '?' | '{' | '|'))
}

/// What a group at the start becomes.
fn taken_in_before(pattern: &str, group: &Group, purpose: Purpose, has_branches: bool) -> Option<String> {
    let inside = pattern.get(group.inside.clone())?;
    let fits = match purpose {
        Purpose::Presence => true,
        // Of fixed length, the match that starts first is still the same one.
        Purpose::End | Purpose::Value => !has_branches && is_one_character(inside),
        Purpose::Start | Purpose::Lines | Purpose::Span => false,
    };
    match group.kind {
        Kind::Behind if fits => {
            Some(if is_one_character(inside) { inside.to_owned() } else { format!("(?:{inside})") })
        }
        Kind::NotBehind if fits => Some(format!(r"(?:\A|{})", any_but(inside)?)),
        _ => None,
    }
}

/// Whether a pattern is one character or one class, as far as that can be seen.
fn is_one_character(pattern: &str) -> bool {
    any_but(pattern).is_some()
}

/// The pattern of any character but the one that `pattern` stands for.
fn any_but(pattern: &str) -> Option<String> {
    let mut letters = pattern.chars();
    match (letters.next()?, letters.next(), letters.next()) {
        ('\\', Some(class @ ('d' | 's' | 'w')), None) => Some(format!("\\{}", class.to_ascii_uppercase())),
        ('\\', Some(class @ ('D' | 'S' | 'W')), None) => Some(format!("\\{}", class.to_ascii_lowercase())),
        ('\\', Some('n' | 't' | 'r' | 'f' | 'v'), None) => Some(format!("[^{pattern}]")),
        ('\\', Some(sign), None) if sign.is_ascii_punctuation() && !matches!(sign, '<' | '>') => {
            Some(format!("[^{pattern}]"))
        }
        ('.' | '^' | '$' | '|' | '(' | ')' | '*' | '+' | '?' | '{' | '}' | '\\', ..) => None,
        ('[', Some(second), Some(_)) => {
            let rest = pattern.get(1..)?;
            // A class of its own, with no other in it and nothing behind it.
            let is_plain =
                rest.find(']')? + 1 == rest.len() && !rest.contains(['[', '\\', '&', '~']) || is_escaped(rest);
            let other = if second == '^' { format!("[{}", rest.get(1..)?) } else { format!("[^{rest}") };
            is_plain.then_some(other)
        }
        (letter, None, None) => Some(format!("[^{letter}]")),
        _ => None,
    }
}

/// Whether the rest of a class has only simple escapes in it.
fn is_escaped(rest: &str) -> bool {
    let mut letters = rest.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' if letters.next().is_some_and(|escaped| "dDsSwWntrfv-".contains(escaped)) => {}
            '\\' => return false,
            '[' | '&' | '~' => return false,
            ']' => return letters.next().is_none(),
            _ => {}
        }
    }
    false
}

#[cfg(test)]
mod tests;
