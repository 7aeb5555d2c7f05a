//! Patterns: compiled once, shared by all plugin instances, run by the host.
//!
//! A pattern is run by the `regex` crate, in time linear in the text. Only one that this crate cannot have, because it
//! needs look-around or back-references, is run by the bounded engine, which may give it up.

mod bounded;
pub mod rewrite;
mod shape;

pub use bounded::{BACKTRACKS_MAX, Exceeded, Need, TEXT_BYTES_MAX};

use super::needles::{self, Needle};
use super::scan::Sought;
use crate::message::document::{self, SelectorError};
use bounded::{Bounded, Refusal};
use regex::{Regex, RegexBuilder};
use std::collections::HashMap;
use std::hash::Hash;
use std::ops::Range;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Instant;

/// The longest source of a pattern, in bytes.
pub const SOURCE_BYTES_MAX: usize = 64 * 1024;
/// What a search of one pattern may keep in memory, in bytes, for each thread that searches: a long text must not fill the memory
/// with what hundreds of patterns have learnt of it.
const SEARCH_BYTES_MAX: usize = 1024 * 1024;
/// The largest a compiled pattern may be, in bytes. Bounds the time a search takes: about 0.6 s per MiB of text
/// for the costliest pattern of this size.
pub const COMPILED_BYTES_MAX: usize = 256 * 1024;
/// How many patterns that nobody uses any more are kept before they are looked for and dropped.
const UNUSED_MAX: usize = 256;

/// Why a pattern does not compile.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct PatternError {
    /// What is wrong, as one sentence.
    pub reason: String,
    /// Byte offset of the fault in the source, where known.
    pub offset: Option<u32>,
}

/// A compiled regular expression.
///
/// Where a search may be given up, `until` is when, if not before.
#[derive(Debug)]
pub struct Pattern {
    id: u32,
    source: Box<str>,
    engine: Engine,
    needles: Option<Vec<Needle>>,
}

/// What runs a pattern.
#[derive(Debug)]
enum Engine {
    /// The `regex` crate.
    Linear(Regex),
    /// The bounded engine.
    Bounded {
        /// The pattern.
        pattern: Box<Bounded>,
        /// Where the `regex` crate finds what it cannot have, as a byte offset in the source.
        offset: Option<u32>,
    },
}

/// Many regular expressions.
#[derive(Debug)]
pub struct PatternSet(Vec<Arc<Pattern>>);

/// A compiled CSS selector.
#[derive(Debug)]
pub struct Selector {
    id: u32,
    selector: document::Selector,
    needles: Option<Vec<Needle>>,
}

impl Pattern {
    fn compile(id: u32, source: &str) -> Result<Self, PatternError> {
        check_length(source)?;
        let engine = match linear_regex(source) {
            Ok(regex) => Engine::Linear(regex),
            Err(error @ regex::Error::CompiledTooBig(_)) => return Err(explain(source, &error)),
            Err(error) => match Bounded::compile(source, COMPILED_BYTES_MAX) {
                Ok(pattern) => Engine::Bounded { pattern: Box::new(pattern), offset: explain(source, &error).offset },
                Err(Refusal::Wrong { reason, offset }) if is_of_another_dialect(source) => {
                    return Err(at(reason, offset));
                }
                Err(Refusal::Needless | Refusal::Wrong { .. }) => return Err(explain(source, &error)),
            },
        };
        // The bounded engine takes more than the needles' parser knows.
        let needles = if matches!(engine, Engine::Linear(_)) { needles::of(source) } else { None };
        Ok(Self { id, source: source.into(), engine, needles })
    }

    /// Its source.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// What it needs that makes it run on the bounded engine, and where in its source that stands, in bytes; none for a
    /// pattern of the `regex` crate.
    #[must_use]
    pub fn need(&self) -> Option<(Need, Option<u32>)> {
        match &self.engine {
            Engine::Linear(_) => None,
            Engine::Bounded { pattern, offset } => Some((pattern.need(), *offset)),
        }
    }

    /// Whether it matches anywhere.
    ///
    /// # Errors
    /// If it is given up.
    pub fn is_match(&self, text: &str, until: Option<Instant>) -> Result<bool, Exceeded> {
        match &self.engine {
            Engine::Linear(regex) => Ok(regex.is_match(text)),
            Engine::Bounded { pattern, .. } => Ok(pattern.find_at(text, 0, until)?.is_some()),
        }
    }

    /// The first match at or after byte `start`, a character boundary.
    ///
    /// # Errors
    /// If it is given up.
    pub fn find_at(&self, text: &str, start: usize, until: Option<Instant>) -> Result<Option<Range<usize>>, Exceeded> {
        match &self.engine {
            Engine::Linear(regex) => Ok(regex.find_at(text, start).map(|found| found.range())),
            Engine::Bounded { pattern, .. } => pattern.find_at(text, start, until),
        }
    }

    /// All matches that do not overlap, at most `limit`.
    ///
    /// # Errors
    /// If it is given up.
    pub fn find_all(&self, text: &str, limit: usize, until: Option<Instant>) -> Result<Vec<Range<usize>>, Exceeded> {
        match &self.engine {
            Engine::Linear(regex) => Ok(regex.find_iter(text).take(limit).map(|found| found.range()).collect()),
            Engine::Bounded { pattern, .. } => pattern.find_all(text, limit, until),
        }
    }

    /// The names of its groups, the whole match first; none for a group without a name.
    #[must_use]
    pub fn capture_names(&self) -> Vec<Option<&str>> {
        match &self.engine {
            Engine::Linear(regex) => regex.capture_names().collect(),
            Engine::Bounded { pattern, .. } => pattern.capture_names(),
        }
    }

    /// The groups of the first match at or after byte `start`, a character boundary; empty if there is none.
    ///
    /// # Errors
    /// If it is given up.
    pub fn captures_at(
        &self,
        text: &str,
        start: usize,
        until: Option<Instant>,
    ) -> Result<Vec<Option<Range<usize>>>, Exceeded> {
        match &self.engine {
            Engine::Linear(regex) => Ok(regex
                .captures_at(text, start)
                .map_or_else(Vec::new, |found| found.iter().map(|group| group.map(|group| group.range())).collect())),
            Engine::Bounded { pattern, .. } => pattern.captures_at(text, start, until),
        }
    }
}

impl PatternSet {
    /// The expressions, in the order they were given.
    #[must_use]
    pub fn patterns(&self) -> &[Arc<Pattern>] {
        &self.0
    }
}

impl Selector {
    /// The selector.
    #[must_use]
    pub fn selector(&self) -> &document::Selector {
        &self.selector
    }
}

impl Sought for Pattern {
    fn id(&self) -> u32 {
        self.id
    }

    fn needles(&self) -> Option<&[Needle]> {
        self.needles.as_deref()
    }
}

impl Sought for Selector {
    fn id(&self) -> u32 {
        self.id
    }

    fn needles(&self) -> Option<&[Needle]> {
        self.needles.as_deref()
    }
}

/// All compiled patterns, shared by their source as long as somebody uses them. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct PatternCache {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    patterns: Mutex<HashMap<String, Weak<Pattern>>>,
    selectors: Mutex<HashMap<String, Weak<Selector>>>,
    next_id: AtomicU32,
}

impl PatternCache {
    /// The compiled regular expression of `source`.
    ///
    /// # Errors
    /// If it is no regular expression of the `regex` crate's dialect, nor one that needs the bounded engine, or larger
    /// than [`COMPILED_BYTES_MAX`].
    pub fn pattern(&self, source: &str) -> Result<Arc<Pattern>, PatternError> {
        cached(&self.shared.patterns, source, |source| Pattern::compile(self.next_id(), source))
    }

    /// The compiled set of `sources`.
    ///
    /// # Errors
    /// As [`PatternCache::pattern`], for the first that fails.
    pub fn pattern_set(&self, sources: &[String]) -> Result<PatternSet, PatternError> {
        sources.iter().map(|source| self.pattern(source)).collect::<Result<_, _>>().map(PatternSet)
    }

    /// The compiled selector of `source`.
    ///
    /// # Errors
    /// If it is no CSS selector.
    pub fn selector(&self, source: &str) -> Result<Arc<Selector>, PatternError> {
        cached(&self.shared.selectors, source, |source| {
            check_length(source)?;
            let selector = document::Selector::parse(source)
                .map_err(|SelectorError { reason, offset }| PatternError { reason, offset })?;
            let needles = selector.needles().map(|needles| needles.into_iter().map(Needle::anywhere).collect());
            Ok(Selector { id: self.next_id(), needles, selector })
        })
    }

    fn next_id(&self) -> u32 {
        self.shared.next_id.fetch_add(1, Ordering::Relaxed)
    }
}

/// Compiles a pattern of the `regex` crate's dialect.
fn linear_regex(source: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(source).size_limit(COMPILED_BYTES_MAX).dfa_size_limit(SEARCH_BYTES_MAX).build()
}

fn cached<K, V>(
    cache: &Mutex<HashMap<K::Owned, Weak<V>>>,
    key: &K,
    build: impl FnOnce(&K) -> Result<V, PatternError>,
) -> Result<Arc<V>, PatternError>
where
    K: Hash + Eq + ToOwned + ?Sized,
    K::Owned: Hash + Eq,
{
    if let Some(found) = cache.lock().unwrap_or_else(PoisonError::into_inner).get(key).and_then(Weak::upgrade) {
        return Ok(found);
    }
    // Compiled outside the lock: a costly pattern must not hold up the others.
    let built = Arc::new(build(key)?);
    let mut cache = cache.lock().unwrap_or_else(PoisonError::into_inner);
    if cache.len().is_multiple_of(UNUSED_MAX) {
        cache.retain(|_, pattern| pattern.strong_count() > 0);
    }
    // Another thread may have been quicker: all share one, so that what is known of it is known once.
    let shared = cache.get(key).and_then(Weak::upgrade).unwrap_or(built);
    cache.insert(key.to_owned(), Arc::downgrade(&shared));
    Ok(shared)
}

fn check_length(source: &str) -> Result<(), PatternError> {
    if source.len() > SOURCE_BYTES_MAX {
        let reason = format!("the pattern is {} bytes long; at most {SOURCE_BYTES_MAX} are allowed", source.len());
        return Err(PatternError { reason, offset: None });
    }
    Ok(())
}

/// Says what is wrong, and where, by parsing again: `regex::Error` only has prose.
fn explain(source: &str, error: &regex::Error) -> PatternError {
    if let regex::Error::CompiledTooBig(limit) = error {
        let reason = format!("the pattern is too large: compiled, it takes more than {limit} bytes");
        return PatternError { reason, offset: None };
    }
    match regex_syntax::Parser::new().parse(source) {
        Err(regex_syntax::Error::Parse(error)) => at(error.kind().to_string(), Some(error.span().start.offset)),
        Err(regex_syntax::Error::Translate(error)) => at(error.kind().to_string(), Some(error.span().start.offset)),
        _ => PatternError { reason: error.to_string(), offset: None },
    }
}

/// Whether the `regex` crate stops at something that it does not have, rather than at a mistake.
fn is_of_another_dialect(source: &str) -> bool {
    use regex_syntax::ast::ErrorKind;
    let Err(regex_syntax::Error::Parse(error)) = regex_syntax::Parser::new().parse(source) else { return false };
    matches!(
        error.kind(),
        ErrorKind::UnsupportedLookAround | ErrorKind::UnsupportedBackreference | ErrorKind::FlagUnrecognized
    )
}

fn at(reason: String, offset: Option<usize>) -> PatternError {
    PatternError { reason, offset: offset.and_then(|offset| u32::try_from(offset).ok()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(source: &str, expect: Result<(), (&str, Option<u32>)>) {
        let outcome = PatternCache::default().pattern(source).map(drop);
        let outcome = outcome.as_ref().copied().map_err(|error| (error.reason.as_str(), error.offset));
        assert_eq!(outcome, expect, "{source}");
    }

    #[test]
    fn a_bad_pattern_is_explained() {
        check("(?is)On [0-9/]+.*wrote:", Ok(()));
        check("ab(c", Err(("unclosed group", Some(2))));
        check(r"a\1", Err(("invalid back reference to group 1", None)));
        check("(?<=x)y", Ok(()));
        check(r"a\Z", Err(("unrecognized escape sequence", Some(1))));
        check(r"a\h(?=b)", Err(("unrecognized escape sequence", Some(1))));
        check(r"(?=b)\h", Err(("this escape is not known here: write out what it stands for", Some(5))));
        check("a(?=b", Err(("opening parenthesis without closing parenthesis", Some(5))));
        check(r"(\w{100}){100}", Err(("the pattern is too large: compiled, it takes more than 262144 bytes", None)));
    }

    #[test]
    fn the_dialect_is_as_documented() {
        let finds = |source: &str, text: &str, expect: Option<Range<usize>>| {
            let pattern = PatternCache::default().pattern(source).expect("compiles");
            assert!(pattern.need().is_none(), "{source}");
            assert_eq!(pattern.find_at(text, 0, None), Ok(expect), "{source} in {text:?}");
        };
        finds("a$", "a\n", None);
        finds(r"a\n?\z", "a\n", Some(0..2));
        finds("(?m)a$", "a\nb", Some(0..1));
        finds(r"\d\w\b", "٣é!", Some(0..4));
        finds(r"(?-u:\d)", "٣3", Some(2..3));
        finds(r"(?-u:\b)e", "ée", Some(2..3));
        finds(r"\p{Lu}\p{Greek}", "Aα", Some(0..3));
        finds("(?i)é", "É", Some(0..2));
        finds("(?i)ß", "SS", None);
        finds("[a-z--[aeiou]]+", "eabc", Some(2..4));
        finds(r"\<b\>", "ab <b>", Some(4..5));
        finds(r"\x41\x{e4}\u00e4", "Aää", Some(0..5));
        finds("a++b", "aab", Some(0..3));
        finds("a++a", "aa", Some(0..2));
        finds("(?Rm)a$", "a\r\n", Some(0..1));
        finds("(?P<x>a)(?<y>b)", "ab", Some(0..2));
        for source in [
            r"a\Z",
            r"\h",
            r"\R",
            r"a\Kb",
            r"\Ga",
            r"\X",
            r"\N",
            r"\e",
            r"\Qa\E",
            "(?n)a",
            "(?'x'a)",
            r"\p{IsBasicLatin}",
            "(a)(?1)",
        ] {
            assert!(PatternCache::default().pattern(source).is_err(), "{source}");
        }
        for source in ["a(?=b)", "a(?!b)", "(?<=a)b", "(?<!a)b", r"(a)\1", r"(?<x>a)\k<x>", "(?>a)b", "(a)?(?(1)b|c)"] {
            assert!(PatternCache::default().pattern(source).expect("compiles").need().is_some(), "{source}");
        }
    }

    #[test]
    fn both_engines_find_the_same() {
        let cache = PatternCache::default();
        let pattern = |source: &str| cache.pattern(source).expect("compiles");
        let linear = ["a*", "b|", "(?m)^|$", "é.", "(a)(b)?"];
        for source in linear {
            // A look-ahead that is always true sends it to the other engine.
            let (one, other) = (pattern(source), pattern(&format!("(?:{source})(?=)")));
            assert!(one.need().is_none() && other.need().is_some(), "{source}");
            for text in ["", "aab", "b\naé\nab", "éaéb"] {
                for limit in [1, 100] {
                    let found = |pattern: &Pattern| pattern.find_all(text, limit, None);
                    assert_eq!(found(&one), found(&other), "{source} in {text:?}");
                }
                for start in (0..=text.len()).filter(|at| text.is_char_boundary(*at)) {
                    let found = |pattern: &Pattern| {
                        (pattern.find_at(text, start, None), pattern.captures_at(text, start, None))
                    };
                    assert_eq!(found(&one), found(&other), "{source} in {text:?} from {start}");
                }
                assert_eq!(one.is_match(text, None), other.is_match(text, None), "{source} in {text:?}");
            }
        }
    }

    #[test]
    fn a_set_keeps_the_places_of_its_patterns() {
        let sources = ["a", "b(?=c)", "c"].map(str::to_owned);
        let set = PatternCache::default().pattern_set(&sources).expect("compiles");
        let found: Vec<_> =
            set.patterns().iter().map(|pattern| (pattern.source(), pattern.is_match("bc", None))).collect();
        assert_eq!(found, [("a", Ok(false)), ("b(?=c)", Ok(true)), ("c", Ok(true))]);
    }

    #[test]
    fn groups_have_names_on_both_engines() {
        let cache = PatternCache::default();
        for source in ["(a)(?<value>b)", "(a)(?<value>b)(?=c)"] {
            let pattern = cache.pattern(source).expect("compiles");
            assert_eq!(pattern.capture_names(), [None, None, Some("value")], "{source}");
        }
    }

    #[test]
    fn the_same_source_is_compiled_once() {
        let cache = PatternCache::default();
        assert!(Arc::ptr_eq(&cache.pattern("a+").expect("compiles"), &cache.pattern("a+").expect("compiles")));
    }
}
