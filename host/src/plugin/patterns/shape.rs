//! The shape of a pattern's source: its groups, its branches and its escapes, as far as they matter where one dialect is
//! turned into another.

use std::ops::Range;

/// What kind of group it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// `(?=…)`
    Ahead,
    /// `(?!…)`
    NotAhead,
    /// `(?<=…)`
    Behind,
    /// `(?<!…)`
    NotBehind,
    /// `(?>…)`
    Atomic,
    /// `(…)`, `(?<name>…)`
    Capture,
    /// `(?:…)`, `(?flags:…)`
    Plain,
    /// `(?flags)`
    Flags,
}

/// A group of a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Group {
    pub(super) kind: Kind,
    /// All of it, parentheses included.
    pub(super) whole: Range<usize>,
    /// What stands inside, without the marks of its kind.
    pub(super) inside: Range<usize>,
    /// How many groups it stands in.
    pub(super) depth: usize,
}

/// The groups of a pattern, in the order of their starts, and what stands between them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Shape {
    pub(super) groups: Vec<Group>,
    /// Whether there are alternatives outside of all groups.
    pub(super) has_branches: bool,
}

impl Shape {
    /// The shape of a pattern; none if its groups are not balanced, or if it is written with comments.
    pub(super) fn of(source: &str) -> Option<Self> {
        let mut shape = Self::default();
        let mut open: Vec<usize> = Vec::new();
        for token in tokens(source) {
            match token {
                (at, Token::Open) => {
                    let (kind, marks) = kind(source.get(at + 1..)?)?;
                    let group = Group { kind, whole: at..at, inside: at + 1 + marks..at, depth: open.len() };
                    open.push(shape.groups.len());
                    shape.groups.push(group);
                }
                (at, Token::Close) => {
                    let group = shape.groups.get_mut(open.pop()?)?;
                    group.whole.end = at + 1;
                    group.inside.end = at;
                }
                (_, Token::Branch) => shape.has_branches |= open.is_empty(),
                (_, Token::Escape(_)) => {}
            }
        }
        open.is_empty().then_some(shape)
    }
}

/// Where the first of these escapes stands.
pub(super) fn escape(source: &str, letters: &[char]) -> Option<usize> {
    tokens(source).into_iter().find_map(|(at, token)| match token {
        Token::Escape(letter) if letters.contains(&letter) => Some(at),
        _ => None,
    })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token {
    Open,
    Close,
    Branch,
    Escape(char),
}

/// The marks of a pattern that are no letters, outside of classes.
fn tokens(source: &str) -> Vec<(usize, Token)> {
    let mut tokens = Vec::new();
    let mut class_depth = 0_usize;
    let mut class_start = 0;
    let mut rest = source.char_indices();
    while let Some((at, character)) = rest.next() {
        match character {
            '\\' => tokens.extend(rest.next().map(|(_, letter)| (at, Token::Escape(letter)))),
            '[' => {
                class_depth += 1;
                class_start = at + 1;
                if source.get(class_start..).is_some_and(|inside| inside.starts_with('^')) {
                    class_start += 1;
                }
            }
            // A bracket that stands first in a class is one of its characters.
            ']' if class_depth > 0 && at > class_start => class_depth -= 1,
            '(' if class_depth == 0 => tokens.push((at, Token::Open)),
            ')' if class_depth == 0 => tokens.push((at, Token::Close)),
            '|' if class_depth == 0 => tokens.push((at, Token::Branch)),
            _ => {}
        }
    }
    tokens
}

/// What a group is by what follows its parenthesis, and how many bytes say so.
fn kind(after: &str) -> Option<(Kind, usize)> {
    const MARKS: [(&str, Kind); 6] = [
        ("?=", Kind::Ahead),
        ("?!", Kind::NotAhead),
        ("?<=", Kind::Behind),
        ("?<!", Kind::NotBehind),
        ("?>", Kind::Atomic),
        ("?:", Kind::Plain),
    ];
    if let Some((mark, kind)) = MARKS.into_iter().find(|(mark, _)| after.starts_with(mark)) {
        return Some((kind, mark.len()));
    }
    let Some(marks) = after.strip_prefix('?') else { return Some((Kind::Capture, 0)) };
    if marks.starts_with('<') || marks.starts_with("P<") {
        return Some((Kind::Capture, after.find('>')? + 1));
    }
    let flags = marks.find(|letter: char| !letter.is_ascii_alphabetic() && letter != '-')?;
    let (letters, end) = marks.split_at_checked(flags)?;
    let is_verbose = letters.split('-').next().is_some_and(|on| on.contains('x'));
    match end.chars().next()? {
        _ if is_verbose => None,
        ')' => Some((Kind::Flags, 1 + flags)),
        ':' => Some((Kind::Plain, 2 + flags)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_have_a_kind_and_a_place() {
        let check = |source: &str, expect: &[(&str, Kind, usize)], branches: bool| {
            let shape = Shape::of(source).expect("balanced");
            let groups: Vec<_> =
                shape.groups.iter().map(|group| (&source[group.inside.clone()], group.kind, group.depth)).collect();
            assert_eq!((groups.as_slice(), shape.has_branches), (expect, branches), "{source}");
        };
        check("a(?=b)", &[("b", Kind::Ahead, 0)], false);
        check(
            "(?i)(?<=x)(y(?!z)|w)",
            &[("", Kind::Flags, 0), ("x", Kind::Behind, 0), ("y(?!z)|w", Kind::Capture, 0), ("z", Kind::NotAhead, 1)],
            false,
        );
        check(r"\((?<n>[)(|\]]])|(?s-i:.)", &[(r"[)(|\]]]", Kind::Capture, 0), (".", Kind::Plain, 0)], true);
        check("[](]x", &[], false);
        check("[^](]x", &[], false);
    }

    #[test]
    fn what_is_not_balanced_has_no_shape() {
        for source in ["(a", "a)", "(?x) a (?=b) # c"] {
            assert_eq!(Shape::of(source), None, "{source}");
        }
    }

    #[test]
    fn escapes_are_found_outside_of_other_escapes() {
        assert_eq!(escape(r"a\\h\h", &['h']), Some(4));
        assert_eq!(escape(r"\\h", &['h']), None);
    }
}
