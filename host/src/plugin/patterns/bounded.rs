//! The bounded engine: for patterns that need look-around or back-references, which take more than linear time.
//!
//! It backtracks, so a pattern can take very long over a text that it does not suit. Three bounds see to it that none
//! does: the length of the text, the backtracks from one place of it, and a time, which is looked at before each place.
//! So the search goes from place to place here, and asks the engine for a match that starts just there.

use fancy_regex::{Error, Expr, LookAround, Regex, RegexBuilder, RegexInput};
use std::ops::Range;
use std::time::Instant;

/// The longest text that such a pattern looks at, in bytes.
pub const TEXT_BYTES_MAX: usize = 64 * 1024;
/// How often such a pattern may backtrack from one place of a text.
pub const BACKTRACKS_MAX: usize = 20_000;
/// The largest program of such a pattern, in instructions.
const PROGRAM_MAX: usize = 20_000;

/// Why a pattern was given up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Exceeded {
    /// It backtracked too often.
    #[error("it backtracked more than {BACKTRACKS_MAX} times from one place of the text")]
    Backtracks,
    /// The text is too long.
    #[error("it looks at texts of at most {TEXT_BYTES_MAX} bytes, and this one has {bytes}")]
    Text {
        /// How long it is.
        bytes: usize,
    },
    /// The time was up.
    #[error("the time for the message was up before it was done")]
    Time,
}

/// What a pattern needs that the `regex` crate does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// `(?=…)` or `(?!…)`.
    LookAhead,
    /// `(?<=…)` or `(?<!…)`.
    LookBehind,
    /// `\1` or `\k<name>`.
    BackReference,
    /// `(?>…)`, or a possessive repetition beside another need.
    AtomicGroup,
    /// `(?(1)…|…)`.
    Conditional,
}

impl Need {
    /// What it is called.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::LookAhead => "look-ahead",
            Self::LookBehind => "look-behind",
            Self::BackReference => "a back-reference",
            Self::AtomicGroup => "an atomic group",
            Self::Conditional => "a conditional",
        }
    }

    fn of(expression: &Expr) -> Option<Self> {
        match expression {
            Expr::LookAround(_, LookAround::LookAhead | LookAround::LookAheadNeg) => Some(Self::LookAhead),
            Expr::LookAround(_, LookAround::LookBehind | LookAround::LookBehindNeg) => Some(Self::LookBehind),
            Expr::Backref { .. } => Some(Self::BackReference),
            Expr::AtomicGroup(_) => Some(Self::AtomicGroup),
            Expr::Conditional { .. } => Some(Self::Conditional),
            _ => None,
        }
    }
}

/// A compiled pattern of this engine.
#[derive(Debug)]
pub(super) struct Bounded {
    regex: Regex,
    need: Need,
}

/// Why this engine does not take a pattern.
#[derive(Debug)]
pub(super) enum Refusal {
    /// It needs nothing of it: what is wrong with it for the `regex` crate is wrong here.
    Needless,
    /// It is wrong here, too.
    Wrong {
        /// What is wrong.
        reason: String,
        /// Where.
        offset: Option<usize>,
    },
}

impl Bounded {
    /// Compiles a pattern that the `regex` crate refuses. Each piece that the engine hands to a linear one may take
    /// `size_max` bytes.
    pub(super) fn compile(source: &str, size_max: usize) -> Result<Self, Refusal> {
        let tree = Expr::parse_tree(source).map_err(|error| refusal(&error))?;
        let need = need(&tree.expr).ok_or(Refusal::Needless)?;
        if let Some(offset) = super::shape::escape(source, &['h', 'H', 'K', 'G', 'O', 'N', 'R', 'X', 'Z', 'e', 'g']) {
            let reason = "this escape is not known here: write out what it stands for".to_owned();
            return Err(Refusal::Wrong { reason, offset: Some(offset) });
        }
        let regex = RegexBuilder::new(source)
            .backtrack_limit(BACKTRACKS_MAX)
            .delegate_size_limit(size_max)
            .max_prog_size(PROGRAM_MAX)
            // Both choose where to look, which is done here.
            .seek(false)
            .optimize(false)
            .build()
            .map_err(|error| refusal(&error))?;
        Ok(Self { regex, need })
    }

    pub(super) fn need(&self) -> Need {
        self.need
    }

    /// The names of its groups, the whole match first; none for a group without a name.
    pub(super) fn capture_names(&self) -> Vec<Option<&str>> {
        self.regex.capture_names().collect()
    }

    /// The first match at or after byte `start`, a character boundary.
    pub(super) fn find_at(
        &self,
        text: &str,
        start: usize,
        until: Option<Instant>,
    ) -> Result<Option<Range<usize>>, Exceeded> {
        self.search(text, start, until, |input| Ok(self.regex.find_input(input)?.map(|found| found.range())))
    }

    /// All matches that do not overlap, at most `limit`. As with the `regex` crate, an empty match does not follow another
    /// one directly.
    pub(super) fn find_all(
        &self,
        text: &str,
        limit: usize,
        until: Option<Instant>,
    ) -> Result<Vec<Range<usize>>, Exceeded> {
        let mut all: Vec<Range<usize>> = Vec::new();
        let mut start = 0;
        while all.len() < limit && start <= text.len() {
            let Some(found) = self.find_at(text, start, until)? else { break };
            if !found.is_empty() || all.last().is_none_or(|last| last.end < found.end) {
                start = found.end;
                all.push(found);
            } else if found.end < text.len() {
                start = text.ceil_char_boundary(found.end + 1);
            } else {
                break;
            }
        }
        Ok(all)
    }

    /// The groups of the first match at or after byte `start`, a character boundary; empty if there is none.
    pub(super) fn captures_at(
        &self,
        text: &str,
        start: usize,
        until: Option<Instant>,
    ) -> Result<Vec<Option<Range<usize>>>, Exceeded> {
        let groups = self.search(text, start, until, |input| {
            let captures = self.regex.captures_input(input)?;
            Ok(captures.map(|found| found.iter().map(|group| group.map(|group| group.range())).collect()))
        })?;
        Ok(groups.unwrap_or_default())
    }

    fn search<'t, T>(
        &self,
        text: &'t str,
        start: usize,
        until: Option<Instant>,
        at: impl Fn(RegexInput<'t, str>) -> fancy_regex::Result<Option<T>>,
    ) -> Result<Option<T>, Exceeded> {
        if text.len() > TEXT_BYTES_MAX {
            return Err(Exceeded::Text { bytes: text.len() });
        }
        for place in (start..=text.len()).filter(|place| text.is_char_boundary(*place)) {
            if until.is_some_and(|until| Instant::now() >= until) {
                return Err(Exceeded::Time);
            }
            match at(RegexInput::new(text).from_pos(place).anchored(true)) {
                Ok(None) => {}
                Ok(found) => return Ok(found),
                // Its stack grows with the backtracks: there is no other error of a search.
                Err(_) => return Err(Exceeded::Backtracks),
            }
        }
        Ok(None)
    }
}

/// The first need of an expression, outermost first.
fn need(expression: &Expr) -> Option<Need> {
    Need::of(expression).or_else(|| expression.children_iter().find_map(need))
}

fn refusal(error: &Error) -> Refusal {
    let (reason, offset) = match error {
        Error::ParseError(at, error) => (error.to_string(), Some(*at)),
        Error::CompileError(error) => (error.to_string(), None),
        other => (other.to_string(), None),
    };
    let mut letters = reason.chars();
    // Their sentences begin with a capital, ours do not.
    let reason = letters.next().map(|first| first.to_lowercase().chain(letters).collect()).unwrap_or_default();
    Refusal::Wrong { reason, offset }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compile(source: &str) -> Bounded {
        match Bounded::compile(source, 1 << 18) {
            Ok(bounded) => bounded,
            Err(refusal) => panic!("{source}: {refusal:?}"),
        }
    }

    #[test]
    fn matches_are_found_where_they_start() {
        let check = |source: &str, text: &str, start: usize, expect: Option<Range<usize>>| {
            assert_eq!(compile(source).find_at(text, start, None), Ok(expect), "{source} in {text:?} from {start}");
        };
        check(r"\w+(?=!)", "so fancy! even!", 0, Some(3..8));
        check(r"\w+(?=!)", "so fancy! even!", 8, Some(10..14));
        check(r"(?<=ü)b", "aüb", 0, Some(3..4));
        check(r"(?<=ü)b", "aüb", 3, Some(3..4));
        check(r"(?m)^a(?!b)", "ab\na", 1, Some(3..4));
        check(r"(\w)\1", "abccd", 0, Some(2..4));
        check(r"(?=$)", "ab", 1, Some(2..2));
        check(r"(?=x)", "ab", 0, None);
    }

    #[test]
    fn groups_are_those_of_the_match() {
        assert_eq!(compile(r"(?<=#)(\d)(x)?").captures_at("1 #2", 0, None), Ok(vec![Some(3..4), Some(3..4), None]));
        assert_eq!(compile(r"(?<=#)(\d)").captures_at("1 2", 0, None), Ok(Vec::new()));
    }

    #[test]
    fn a_search_ends_at_its_bounds() {
        let costly = compile(r"(a+)+(?=b)\1x");
        assert_eq!(costly.find_at(&"a".repeat(64), 0, None), Err(Exceeded::Backtracks));
        let plain = compile(r"a(?=b)");
        assert_eq!(plain.find_at(&"-".repeat(TEXT_BYTES_MAX), 0, None), Ok(None));
        let bytes = TEXT_BYTES_MAX + 1;
        assert_eq!(plain.find_at(&"-".repeat(bytes), 0, None), Err(Exceeded::Text { bytes }));
        assert_eq!(plain.find_at("ab", 0, Some(Instant::now())), Err(Exceeded::Time));
    }

    #[test]
    fn what_needs_nothing_of_it_is_refused() {
        let check = |source| assert!(matches!(Bounded::compile(source, 1 << 18), Err(Refusal::Needless)), "{source}");
        check(r"a\Z");
        check(r"\h+");
        check("abc");
    }
}
