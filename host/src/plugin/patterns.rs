//! Patterns: compiled once, shared by all plugin instances, run by the host.

use super::needles;
use super::scan::Sought;
use crate::message::document::{self, SelectorError};
use regex::{Captures, Match, Regex, RegexBuilder};
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// The longest source of a pattern, in bytes.
pub const SOURCE_BYTES_MAX: usize = 64 * 1024;
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
#[derive(Debug)]
pub struct Pattern {
    id: u32,
    regex: Regex,
    needles: Option<Vec<String>>,
}

/// Many regular expressions.
#[derive(Debug)]
pub struct PatternSet(Vec<Arc<Pattern>>);

/// A compiled CSS selector.
#[derive(Debug)]
pub struct Selector {
    id: u32,
    selector: document::Selector,
    needles: Option<Vec<String>>,
}

impl Pattern {
    /// Whether it matches anywhere in the text.
    #[must_use]
    pub fn is_match(&self, text: &str) -> bool {
        self.regex.is_match(text)
    }

    /// The first match that starts at or after byte `start`, which is a character boundary of the text.
    #[must_use]
    pub fn find_at<'t>(&self, text: &'t str, start: usize) -> Option<Match<'t>> {
        self.regex.find_at(text, start)
    }

    /// All matches that do not overlap.
    pub fn find_iter<'t>(&self, text: &'t str) -> impl Iterator<Item = Match<'t>> {
        self.regex.find_iter(text)
    }

    /// The names of its groups, the whole match first; none for a group without a name.
    pub fn capture_names(&self) -> impl Iterator<Item = Option<&str>> {
        self.regex.capture_names()
    }

    /// The groups of the first match that starts at or after byte `start`, which is a character boundary of the text.
    #[must_use]
    pub fn captures_at<'t>(&self, text: &'t str, start: usize) -> Option<Captures<'t>> {
        self.regex.captures_at(text, start)
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

    fn needles(&self) -> Option<&[String]> {
        self.needles.as_deref()
    }
}

impl Sought for Selector {
    fn id(&self) -> u32 {
        self.id
    }

    fn needles(&self) -> Option<&[String]> {
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
    /// If it is no regular expression of the `regex` crate's dialect, or larger than [`COMPILED_BYTES_MAX`].
    pub fn pattern(&self, source: &str) -> Result<Arc<Pattern>, PatternError> {
        cached(&self.shared.patterns, source, |source| {
            check_length(source)?;
            let regex = RegexBuilder::new(source).size_limit(COMPILED_BYTES_MAX).build();
            let regex = regex.map_err(|error| explain(source, &error))?;
            Ok(Pattern { id: self.next_id(), regex, needles: needles::of(source) })
        })
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
            Ok(Selector { id: self.next_id(), needles: selector.needles(), selector })
        })
    }

    fn next_id(&self) -> u32 {
        self.shared.next_id.fetch_add(1, Ordering::Relaxed)
    }
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
        Err(regex_syntax::Error::Parse(error)) => at(error.kind().to_string(), error.span().start.offset),
        Err(regex_syntax::Error::Translate(error)) => at(error.kind().to_string(), error.span().start.offset),
        _ => PatternError { reason: error.to_string(), offset: None },
    }
}

fn at(reason: String, offset: usize) -> PatternError {
    let hint = if reason.contains("look-around") || reason.contains("backreferences") {
        " (patterns take linear time, which rules these out)"
    } else {
        ""
    };
    PatternError { reason: format!("{reason}{hint}"), offset: u32::try_from(offset).ok() }
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
        check(
            r"a\1",
            Err(("backreferences are not supported (patterns take linear time, which rules these out)", Some(1))),
        );
        check(
            "(?<=x)y",
            Err((
                "look-around, including look-ahead and look-behind, is not supported (patterns take linear time, which rules these out)",
                Some(0),
            )),
        );
        check(r"(\w{100}){100}", Err(("the pattern is too large: compiled, it takes more than 262144 bytes", None)));
    }

    #[test]
    fn the_same_source_is_compiled_once() {
        let cache = PatternCache::default();
        assert!(Arc::ptr_eq(&cache.pattern("a+").expect("compiles"), &cache.pattern("a+").expect("compiles")));
    }
}
