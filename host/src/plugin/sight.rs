//! Sight a message with one plugin after the other: the body as it stands, and what was found out about it on the
//! way, so that no question is answered twice.

use super::patterns::{Pattern, Selector};
use super::scan::{Scanner, Sought, Suspects, Watch};
use crate::field::Entry;
use crate::message::Message;
use crate::message::document::{Cut, CutKinds, Span, View};
use crate::thread::Conversation;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

/// How many searches of one body are remembered, and the most matches of one that is.
const SEARCHES_MAX: usize = 50;
const MATCHES_MAX: usize = 1_000;

/// What plugins see of one message, until one of them cuts.
#[derive(Debug)]
pub struct Sight {
    message: Arc<Message>,
    conversation: Arc<Conversation>,
    extracted: Arc<Vec<Entry>>,
    scanners: Arc<Scanners>,
    view: View,
    /// Which patterns may match the body as it stands.
    suspects: OnceLock<Suspects>,
    /// Which patterns match the body as it stands, as far as somebody has asked.
    answers: Mutex<Vec<(u32, bool)>>,
    /// What searches for all matches found.
    searches: Mutex<Vec<Search>>,
    structure: Arc<Structure>,
}

/// A search for all matches.
#[derive(Debug)]
struct Search {
    pattern: u32,
    limit: usize,
    found: Arc<[Span]>,
}

/// What is known of the elements of the whole body, whatever is cut of it.
#[derive(Debug, Default)]
struct Structure {
    /// Which selectors may find something.
    suspects: OnceLock<Suspects>,
    /// What selectors found, as far as somebody has asked.
    found: Mutex<Vec<(u32, Arc<[Span]>)>>,
}

/// What is looked for in one pass: the needles of all patterns, and those of all selectors.
#[derive(Debug, Default)]
pub struct Scanners {
    texts: Scanner,
    marks: Scanner,
}

/// Patterns and selectors.
#[derive(Debug, Clone, Default)]
pub struct Finders {
    /// The patterns.
    pub patterns: Vec<Arc<Pattern>>,
    /// The selectors.
    pub selectors: Vec<Arc<Selector>>,
}

/// What a plugin asked to be called for.
#[derive(Debug, Default)]
pub struct Interest {
    finders: Finders,
    texts: Watch,
    marks: Watch,
}

impl Scanners {
    /// Scanners for all that these plugins may ask for. Other patterns are simply run.
    #[must_use]
    pub fn new<'a>(finders: impl Iterator<Item = &'a Finders> + Clone) -> Self {
        let patterns = finders.clone().flat_map(|finders| &finders.patterns).map(|pattern| &**pattern);
        let selectors = finders.flat_map(|finders| &finders.selectors).map(|selector| &**selector);
        Self { texts: Scanner::new(patterns), marks: Scanner::new(selectors) }
    }

    /// The interest in what these find, for [`Sight::concerns`] of sights with these scanners.
    #[must_use]
    pub fn interest(&self, finders: Finders) -> Interest {
        let texts = self.texts.watch(finders.patterns.iter().map(|pattern| pattern.id()));
        let marks = self.marks.watch(finders.selectors.iter().map(|selector| selector.id()));
        Interest { finders, texts, marks }
    }
}

impl Finders {
    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.patterns.is_empty() && self.selectors.is_empty()
    }
}

impl Sight {
    /// Begins to read a message: its body without the `cuts` of these `kinds`.
    #[must_use]
    pub fn new(
        message: Arc<Message>,
        conversation: Arc<Conversation>,
        extracted: Arc<Vec<Entry>>,
        cuts: &[Cut],
        kinds: CutKinds,
        scanners: Arc<Scanners>,
    ) -> Self {
        let view = message.document.view(cuts, kinds);
        Self {
            message,
            conversation,
            extracted,
            scanners,
            view,
            suspects: OnceLock::new(),
            answers: Mutex::default(),
            searches: Mutex::default(),
            structure: Arc::default(),
        }
    }

    /// Reads on without the `cuts` of these `kinds`, which are all that were made so far.
    #[must_use]
    pub fn without(&self, cuts: &[Cut], kinds: CutKinds) -> Self {
        let Self { message, conversation, extracted, scanners, structure, .. } = self;
        Self {
            structure: structure.clone(),
            ..Self::new(message.clone(), conversation.clone(), extracted.clone(), cuts, kinds, scanners.clone())
        }
    }

    /// Reads on with these fields.
    #[must_use]
    pub fn with_fields(self, extracted: Arc<Vec<Entry>>) -> Self {
        Self { extracted, ..self }
    }

    /// The message.
    #[must_use]
    pub fn message(&self) -> &Message {
        &self.message
    }

    /// The conversation it belongs to.
    #[must_use]
    pub fn conversation(&self) -> &Conversation {
        &self.conversation
    }

    /// The fields taken out of it so far.
    #[must_use]
    pub fn extracted(&self) -> &[Entry] {
        &self.extracted
    }

    /// The body as it stands.
    #[must_use]
    pub fn view(&self) -> &View {
        &self.view
    }

    /// Whether a plugin has anything to do that asked to be called for what these find: a match in the body as it
    /// stands, or an element of it. A plugin that asked for nothing is called for every message, and so is one that asked
    /// for a pattern of the bounded engine, which is not run just to find that out.
    #[must_use]
    pub fn concerns(&self, Interest { finders, texts, marks }: &Interest) -> bool {
        let Finders { patterns, selectors } = finders;
        let matches = || texts.meets(self.suspects()) && patterns.iter().any(|pattern| self.matches(pattern));
        let has = || marks.meets(self.marked()) && selectors.iter().any(|finder| !self.elements(finder, 1).is_empty());
        finders.is_empty() || !patterns.is_empty() && matches() || !selectors.is_empty() && has()
    }

    /// Which patterns may match the body.
    fn suspects(&self) -> &Suspects {
        self.suspects.get_or_init(|| self.scanners.texts.scan(self.view.text()))
    }

    /// Which selectors may find something.
    fn marked(&self) -> &Suspects {
        self.structure.suspects.get_or_init(|| self.scanners.marks.scan(self.message.document.marks()))
    }

    /// Whether the pattern may match the body. If not, it need not be run.
    #[must_use]
    pub fn may_match(&self, pattern: &Pattern) -> bool {
        self.is_suspect(pattern) && self.answer(pattern) != Some(false)
    }

    /// Whether the body has what every match of the pattern contains.
    fn is_suspect(&self, pattern: &Pattern) -> bool {
        self.scanners.texts.place(pattern.id()).is_none_or(|place| self.suspects().has(place))
    }

    /// Whether the pattern matches the body, if somebody has asked before.
    fn answer(&self, pattern: &Pattern) -> Option<bool> {
        let id = pattern.id();
        locked(&self.answers).iter().find(|(other, _)| *other == id).map(|(_, answer)| *answer)
    }

    /// Whether the pattern matches the body. A pattern of the bounded engine is not run: it may match.
    #[must_use]
    pub fn matches(&self, pattern: &Pattern) -> bool {
        if !self.is_suspect(pattern) {
            return false;
        }
        if pattern.need().is_some() {
            return true;
        }
        if let Some(answer) = self.answer(pattern) {
            return answer;
        }
        let answer = pattern.is_match(self.view.text(), None).unwrap_or(true);
        locked(&self.answers).push((pattern.id(), answer));
        answer
    }

    /// All matches of a pattern in the body, at most `limit`; none of a pattern of the bounded engine, which is to be run where it may be
    /// given up.
    #[must_use]
    pub fn find_all(&self, pattern: &Pattern, limit: usize) -> Vec<Span> {
        if pattern.need().is_some() || !self.may_match(pattern) {
            return Vec::new();
        }
        let id = pattern.id();
        let is_same = |search: &&Search| (search.pattern, search.limit) == (id, limit);
        if let Some(search) = locked(&self.searches).iter().find(is_same) {
            return search.found.to_vec();
        }
        let found = pattern.find_all(self.view.text(), limit, None).unwrap_or_default();
        let spans: Vec<Span> = found.into_iter().map(|found| Span::new(found.start, found.end)).collect();
        let mut searches = locked(&self.searches);
        if searches.len() < SEARCHES_MAX && spans.len() <= MATCHES_MAX {
            searches.push(Search { pattern: id, limit, found: spans.as_slice().into() });
        }
        drop(searches);
        if limit > 0 && self.answer(pattern).is_none() {
            locked(&self.answers).push((id, !spans.is_empty()));
        }
        spans
    }

    /// The spans of the body that matching elements cover, at most `limit`; what is cut already is left out.
    #[must_use]
    pub fn elements(&self, selector: &Selector, limit: usize) -> Vec<Span> {
        let may_match = |place| self.marked().has(place);
        if !self.scanners.marks.place(selector.id()).is_none_or(may_match) {
            return Vec::new();
        }
        let spans = self.selected(selector);
        spans.iter().filter_map(|span| self.view.from_whole(*span)).take(limit).collect()
    }

    fn selected(&self, selector: &Selector) -> Arc<[Span]> {
        let (id, found) = (selector.id(), &self.structure.found);
        if let Some((_, spans)) = locked(found).iter().find(|(other, _)| *other == id) {
            return spans.clone();
        }
        let spans: Arc<[Span]> = self.message.document.select(selector.selector()).into();
        locked(found).push((id, spans.clone()));
        spans
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::document::{CutKind, Document};
    use crate::message::parse;
    use crate::plugin::patterns::PatternCache;

    #[test]
    fn what_was_found_is_known_until_somebody_cuts() {
        let message = Arc::new(Message { document: Document::from_plain("a1 b2 a3"), ..parse(b"", None) });
        let sight = Sight::new(message, Arc::default(), Arc::default(), &[], CutKinds::ALL, Arc::default());
        let patterns = PatternCache::default();
        let pattern = |source| patterns.pattern(source).expect("it compiles");
        let (some, none) = (pattern("a[0-9]"), pattern("z"));
        for _ in 0..2 {
            assert_eq!(sight.find_all(&some, 10), [Span::new(0, 2), Span::new(6, 8)]);
            assert_eq!(sight.find_all(&some, 1), [Span::new(0, 2)]);
            assert_eq!(sight.find_all(&some, 0), []);
            assert_eq!(sight.find_all(&none, 10), []);
        }
        assert_eq!((sight.answer(&some), sight.answer(&none)), (Some(true), Some(false)));
        assert!(!sight.may_match(&none) && !sight.matches(&none), "it need not be run again");
        let (kind, rule, step) = (CutKind::Quote, String::new(), String::new());
        let cut = Cut { span: Span::new(0, 3), kind, rule, step, replacement: None };
        let sight = sight.without(&[cut], CutKinds::ALL);
        assert_eq!(sight.find_all(&some, 10), [Span::new(3, 5)]);
        (0..1_000).for_each(|limit| drop(sight.find_all(&some, limit)));
        assert_eq!(locked(&sight.searches).len(), SEARCHES_MAX, "a plugin cannot fill the memory with them");
    }
}
