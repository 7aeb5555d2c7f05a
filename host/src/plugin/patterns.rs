//! Patterns: compiled once, shared by all plugin instances, run by the host.

use crate::message::document::{Selector, SelectorError};
use regex::{Regex, RegexBuilder, RegexSet, RegexSetBuilder};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// The longest source of a pattern, in bytes.
pub const SOURCE_BYTES_MAX: usize = 64 * 1024;
/// The largest a compiled pattern may be, in bytes. Bounds the time a search takes: about 0.6 s per MiB of text
/// for the costliest pattern of this size.
pub const COMPILED_BYTES_MAX: usize = 256 * 1024;
/// The same for a whole set.
pub const SET_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Why a pattern does not compile.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct PatternError {
    /// What is wrong, as one sentence.
    pub reason: String,
    /// Byte offset of the fault in the source, where known.
    pub offset: Option<u32>,
}

/// All compiled patterns, shared by their source. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct PatternCache {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    patterns: Mutex<HashMap<String, Arc<Regex>>>,
    sets: Mutex<HashMap<Vec<String>, Arc<RegexSet>>>,
    selectors: Mutex<HashMap<String, Arc<Selector>>>,
}

impl PatternCache {
    /// The compiled regular expression of `source`.
    ///
    /// # Errors
    /// If it is no regular expression of the `regex` crate's dialect, or larger than [`COMPILED_BYTES_MAX`].
    pub fn pattern(&self, source: &str) -> Result<Arc<Regex>, PatternError> {
        cached(&self.shared.patterns, source.to_owned(), |source| {
            check_length(source)?;
            RegexBuilder::new(source).size_limit(COMPILED_BYTES_MAX).build().map_err(|error| explain(source, &error))
        })
    }

    /// The compiled set of `sources`.
    ///
    /// # Errors
    /// As [`PatternCache::pattern`], for the first that fails; [`SET_BYTES_MAX`] bounds the whole.
    pub fn pattern_set(&self, sources: &[String]) -> Result<Arc<RegexSet>, PatternError> {
        for source in sources {
            self.pattern(source)?;
        }
        cached(&self.shared.sets, sources.to_vec(), |sources| {
            RegexSetBuilder::new(sources)
                .size_limit(SET_BYTES_MAX)
                .build()
                .map_err(|error| explain(&sources.join("|"), &error))
        })
    }

    /// The compiled selector of `source`.
    ///
    /// # Errors
    /// If it is no CSS selector.
    pub fn selector(&self, source: &str) -> Result<Arc<Selector>, PatternError> {
        cached(&self.shared.selectors, source.to_owned(), |source| {
            check_length(source)?;
            Selector::parse(source).map_err(|SelectorError { reason, offset }| PatternError { reason, offset })
        })
    }
}

fn cached<K, V>(
    cache: &Mutex<HashMap<K, Arc<V>>>,
    key: K,
    build: impl FnOnce(&K) -> Result<V, PatternError>,
) -> Result<Arc<V>, PatternError>
where
    K: std::hash::Hash + Eq,
{
    if let Some(found) = cache.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
        return Ok(found.clone());
    }
    // Compiled outside the lock: a costly pattern must not hold up the others.
    let built = Arc::new(build(&key)?);
    cache.lock().unwrap_or_else(PoisonError::into_inner).insert(key, built.clone());
    Ok(built)
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
