//! CSS selectors on a document's elements (Selectors Level 4, without pseudo-elements).
//!
//! Understood are types, ids, classes, attributes with all operators and the flags `i` and `s`, all combinators,
//! `:not`, `:is`, `:where`, `:has`, `:root`, `:empty` and the `:nth-…`, `:first-…`, `:last-…`, `:only-…` families.
//! Ids and classes match in any case, as they do in browsers for a document without a doctype, which is what mail is.

use super::Html;
use super::html::ElementId;
use cssparser::{CowRcStr, ParseErrorKind, ParserInput, ToCss, Token, serialize_identifier};
use precomputed_hash::PrecomputedHash;
use selectors::attr::{AttrSelectorOperation, CaseSensitivity, NamespaceConstraint, ParsedAttrSelectorOperation};
use selectors::bloom::BloomFilter;
use selectors::context::{
    MatchingContext, MatchingForInvalidation, MatchingMode, NeedsSelectorFlags, QuirksMode, SelectorCaches,
};
use selectors::matching::{ElementSelectorFlags, matches_selector_list};
use selectors::parser::{Component, NonTSPseudoClass, ParseRelative, PseudoElement, SelectorParseErrorKind};
use selectors::{OpaqueElement, SelectorImpl, SelectorList};
use std::borrow::Borrow;
use std::cell::Cell;
use std::fmt;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};

/// The most work that one selection may take, in steps from element to element or comparisons of 16 bytes. A body that
/// needs more was made to be costly: what was found by then is the answer.
pub const WORK_MAX: usize = 5_000_000;
/// The most work that one element may take: far more than a walk over all its siblings and ancestors.
pub const ELEMENT_WORK_MAX: usize = 2_000_000;

/// A compiled CSS selector.
#[derive(Debug)]
pub struct Selector {
    list: SelectorList<Dialect>,
}

/// Why a selector does not compile.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct SelectorError {
    /// What is wrong.
    pub reason: String,
    /// Where, in bytes.
    pub offset: Option<u32>,
}

impl Selector {
    /// Compiles a selector, or a list of them with commas in between.
    ///
    /// # Errors
    /// If it is none.
    pub fn parse(source: &str) -> Result<Self, SelectorError> {
        let mut input = ParserInput::new(source);
        let mut parser = cssparser::Parser::new(&mut input);
        let parsed = SelectorList::parse(&DialectParser, &mut parser, ParseRelative::No);
        let list = parsed
            .map_err(|error| SelectorError { reason: reason(&error.kind), offset: offset(source, error.location) })?;
        Ok(Self { list })
    }

    /// Texts of which the [marks](super::Document::marks) of every body in which something matches have one, in any ASCII
    /// case. None if no such list is known.
    #[must_use]
    pub fn needles(&self) -> Option<Vec<String>> {
        needles(&self.list)
    }

    /// The elements that match, in document order.
    pub(super) fn matching<'a>(&'a self, html: &'a Html) -> impl Iterator<Item = ElementId> {
        let mut caches = SelectorCaches::default();
        let work = Work::default();
        html.ids().filter(move |id| {
            if !work.next_element() {
                return false;
            }
            let mut context = MatchingContext::new(
                MatchingMode::Normal,
                None,
                &mut caches,
                QuirksMode::Quirks,
                NeedsSelectorFlags::No,
                MatchingForInvalidation::No,
            );
            let element = Candidate { html, id: *id, work: &work };
            // An answer that the limit cut short is none: a `:not` would turn it around.
            matches_selector_list(&self.list, &element, &mut context) && work.spend(0)
        })
    }
}

/// One text for each selector of the list.
fn needles(list: &SelectorList<Dialect>) -> Option<Vec<String>> {
    let of_one = |selector: &selectors::parser::Selector<Dialect>| {
        // All its parts must be somewhere, whatever stands between them. The longest text is the rarest, about.
        let parts = selector.iter_raw_match_order().filter_map(of_part);
        parts.max_by_key(|needles| needles.iter().map(String::len).min())
    };
    let all: Option<Vec<Vec<String>>> = list.slice().iter().map(of_one).collect();
    all.map(|needles| needles.into_iter().flatten().collect())
}

/// What a part of a selector asks for by name.
fn of_part(part: &Component<Dialect>) -> Option<Vec<String>> {
    let word = match part {
        Component::LocalName(name) => &name.lower_name,
        Component::ID(word) | Component::Class(word) => word,
        Component::AttributeInNoNamespaceExists { local_name_lower, .. } => local_name_lower,
        Component::AttributeInNoNamespace { value, .. } => value,
        Component::AttributeOther(other) => match &other.operation {
            ParsedAttrSelectorOperation::Exists => &other.local_name_lower,
            ParsedAttrSelectorOperation::WithValue { value, .. } => value,
        },
        Component::Is(list) | Component::Where(list) => return needles(list),
        _ => return None,
    };
    (!word.0.is_empty()).then(|| vec![word.0.clone()])
}

/// The work of a selection so far.
#[derive(Debug, Default)]
struct Work {
    done: Cell<usize>,
    /// Where the element being matched must be done.
    limit: Cell<usize>,
}

impl Work {
    /// Whether there is time for another element.
    fn next_element(&self) -> bool {
        self.limit.set(self.done.get().saturating_add(ELEMENT_WORK_MAX));
        self.done.get() <= WORK_MAX
    }

    /// Takes note of some work; false if it is too much.
    fn spend(&self, amount: usize) -> bool {
        self.done.set(self.done.get().saturating_add(amount));
        self.done.get() <= self.limit.get()
    }
}

/// Says what is wrong in the words of someone who writes rules.
fn reason(kind: &ParseErrorKind<'_, SelectorParseErrorKind<'_>>) -> String {
    use SelectorParseErrorKind as Kind;
    match kind {
        ParseErrorKind::Custom(Kind::EmptySelector) => "a selector is missing".to_owned(),
        ParseErrorKind::Custom(Kind::DanglingCombinator) => {
            "a combinator (a blank, `>`, `+` or `~`) needs a selector after it".to_owned()
        }
        ParseErrorKind::Custom(Kind::UnsupportedPseudoClassOrElement(name)) => {
            format!("`:{name}` is not known; pseudo-elements and states such as `:hover` mean nothing in mail")
        }
        ParseErrorKind::Custom(Kind::UnexpectedIdent(name)) => format!("`{name}` is not expected here"),
        ParseErrorKind::Custom(Kind::ExpectedNamespace(name)) => {
            format!("`{name}|` is a namespace, which mail does not have; write `\\:` for a colon in a name")
        }
        ParseErrorKind::Custom(Kind::ClassNeedsIdent(token)) => {
            format!("a class name is expected after the dot, not {}", shown(token))
        }
        ParseErrorKind::Custom(
            Kind::NoQualifiedNameInAttributeSelector(token)
            | Kind::UnexpectedTokenInAttributeSelector(token)
            | Kind::ExpectedBarInAttr(token)
            | Kind::BadValueInAttr(token)
            | Kind::InvalidQualNameInAttr(token),
        ) => format!("{} is not expected in an attribute selector", shown(token)),
        ParseErrorKind::Custom(_) => "not a selector".to_owned(),
        ParseErrorKind::Basic(kind) => match kind {
            cssparser::BasicParseErrorKind::EndOfInput => "the selector ends too early".to_owned(),
            cssparser::BasicParseErrorKind::UnexpectedToken(token) => format!("{} is not expected here", shown(token)),
            _ => "not a selector".to_owned(),
        },
    }
}

fn shown(token: &Token<'_>) -> String {
    format!("`{}`", token.to_css_string())
}

/// The byte offset of a location. Columns are counted in UTF-16 units, from 1.
fn offset(source: &str, location: cssparser::SourceLocation) -> Option<u32> {
    let line = source.split_inclusive('\n').nth(location.line as usize).unwrap_or_default();
    let before: usize = source.split_inclusive('\n').take(location.line as usize).map(str::len).sum();
    let mut units = location.column.saturating_sub(1) as usize;
    let within = line.char_indices().find(|(_, character)| {
        let found = units == 0;
        units = units.saturating_sub(character.len_utf16());
        found
    });
    u32::try_from(before + within.map_or(line.len(), |(at, _)| at)).ok()
}

/// An element being matched.
#[derive(Clone, Copy)]
struct Candidate<'a> {
    html: &'a Html,
    id: ElementId,
    work: &'a Work,
}

impl fmt::Debug for Candidate<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{}> {:?}", self.html.name(self.id), self.id)
    }
}

impl<'a> Candidate<'a> {
    fn go(self, to: impl FnOnce(&Html, ElementId) -> Option<ElementId>) -> Option<Self> {
        let id = if self.work.spend(1) { to(self.html, self.id) } else { None };
        id.map(|id| Self { id, ..self })
    }

    fn value(self, attribute: &str) -> Option<&'a str> {
        let attributes = self.html.attributes(self.id).count();
        let value = self.html.attribute(self.id, attribute)?;
        self.work.spend(attributes + value.len() / 16).then_some(value)
    }
}

impl selectors::Element for Candidate<'_> {
    type Impl = Dialect;

    fn opaque(&self) -> OpaqueElement {
        match self.html.identity(self.id) {
            Some(identity) => OpaqueElement::new(identity),
            None => OpaqueElement::new(self.html),
        }
    }

    fn parent_element(&self) -> Option<Self> {
        self.go(Html::parent)
    }

    fn parent_node_is_shadow_root(&self) -> bool {
        false
    }

    fn containing_shadow_host(&self) -> Option<Self> {
        None
    }

    fn is_pseudo_element(&self) -> bool {
        false
    }

    fn prev_sibling_element(&self) -> Option<Self> {
        self.go(Html::previous)
    }

    fn next_sibling_element(&self) -> Option<Self> {
        self.go(Html::next)
    }

    fn first_element_child(&self) -> Option<Self> {
        self.go(Html::first_child)
    }

    fn is_html_element_in_html_document(&self) -> bool {
        true
    }

    fn has_local_name(&self, name: &str) -> bool {
        self.html.name(self.id) == name
    }

    fn has_namespace(&self, _namespace: &str) -> bool {
        true
    }

    fn is_same_type(&self, other: &Self) -> bool {
        self.html.name(self.id) == other.html.name(other.id)
    }

    fn attr_matches(
        &self,
        _namespace: &NamespaceConstraint<&Word>,
        name: &Word,
        operation: &AttrSelectorOperation<&Word>,
    ) -> bool {
        self.value(&name.0).is_some_and(|value| operation.eval_str(value))
    }

    fn match_non_ts_pseudo_class(&self, class: &Never, _: &mut MatchingContext<'_, Dialect>) -> bool {
        match *class {}
    }

    fn match_pseudo_element(&self, element: &Never, _: &mut MatchingContext<'_, Dialect>) -> bool {
        match *element {}
    }

    fn apply_selector_flags(&self, _flags: ElementSelectorFlags) {}

    fn is_link(&self) -> bool {
        self.html.name(self.id) == "a" && self.value("href").is_some()
    }

    fn is_html_slot_element(&self) -> bool {
        false
    }

    fn has_id(&self, id: &Word, case: CaseSensitivity) -> bool {
        self.value("id").is_some_and(|value| case.eq(value.as_bytes(), id.0.as_bytes()))
    }

    fn has_class(&self, class: &Word, case: CaseSensitivity) -> bool {
        let Some(classes) = self.value("class") else { return false };
        classes.split_ascii_whitespace().any(|one| case.eq(one.as_bytes(), class.0.as_bytes()))
    }

    fn has_custom_state(&self, _name: &Word) -> bool {
        false
    }

    fn imported_part(&self, _name: &Word) -> Option<Word> {
        None
    }

    fn is_part(&self, _name: &Word) -> bool {
        false
    }

    /// White space does not count, as Selectors Level 4 has it.
    fn is_empty(&self) -> bool {
        self.html.first_child(self.id).is_none() && self.html.span(self.id).is_none_or(super::Span::is_empty)
    }

    fn is_root(&self) -> bool {
        self.html.parent(self.id).is_none() && self.html.name(self.id) == "html"
    }

    /// Without filters: building them costs more than one selection gains.
    fn add_element_unique_hashes(&self, _filter: &mut BloomFilter) -> bool {
        false
    }
}

/// What selectors may say here.
#[derive(Debug, Clone)]
struct Dialect;

impl SelectorImpl for Dialect {
    type ExtraMatchingData<'a> = ();
    type AttrValue = Word;
    type Identifier = Word;
    type LocalName = Word;
    type NamespaceUrl = Word;
    type NamespacePrefix = Word;
    type BorrowedNamespaceUrl = str;
    type BorrowedLocalName = str;
    type NonTSPseudoClass = Never;
    type PseudoElement = Never;
}

struct DialectParser;

impl<'i> selectors::Parser<'i> for DialectParser {
    type Impl = Dialect;
    type Error = SelectorParseErrorKind<'i>;

    fn parse_nth_child_of(&self) -> bool {
        true
    }

    fn parse_is_and_where(&self) -> bool {
        true
    }

    fn parse_has(&self) -> bool {
        true
    }

    /// A misspelt selector in an `:is()` is an error here, not something to pass over.
    fn allow_forgiving_selectors(&self) -> bool {
        false
    }
}

/// A name or value in a selector.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Word(String);

impl From<&str> for Word {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl From<CowRcStr<'_>> for Word {
    fn from(text: CowRcStr<'_>) -> Self {
        Self((*text).to_owned())
    }
}

impl Borrow<str> for Word {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for Word {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl ToCss for Word {
    fn to_css<W: fmt::Write>(&self, out: &mut W) -> fmt::Result {
        serialize_identifier(&self.0, out)
    }
}

impl PrecomputedHash for Word {
    fn precomputed_hash(&self) -> u32 {
        let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(&self.0);
        u32::try_from(hash & u64::from(u32::MAX)).unwrap_or_default()
    }
}

/// There are no states and pseudo-elements in mail.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Never {}

impl ToCss for Never {
    fn to_css<W: fmt::Write>(&self, _: &mut W) -> fmt::Result {
        match *self {}
    }
}

impl NonTSPseudoClass for Never {
    type Impl = Dialect;

    fn is_active_or_hover(&self) -> bool {
        match *self {}
    }

    fn is_user_action_state(&self) -> bool {
        match *self {}
    }
}

impl PseudoElement for Never {
    type Impl = Dialect;
}

#[cfg(test)]
mod tests;
