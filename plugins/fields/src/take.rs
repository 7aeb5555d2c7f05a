//! Taking the texts of fields out of a message.

use crate::method::Method;
use crate::rule::{Rule, Search};
use mailmill_sdk::{Field, Host, Span};

/// What a search finds for its fields.
#[derive(Debug)]
pub(crate) enum Found<'a> {
    /// Whether a text occurs.
    Truth(bool),
    /// Pieces of a source, in the order of the fields; none where there is nothing but white space.
    Pieces(&'a Field, Vec<Option<Piece>>),
    /// Nothing for any of them.
    Nothing,
}

impl<'a> Found<'a> {
    /// The piece of the message that the field at `at` of the search was read from.
    pub(crate) fn place<H: Host>(
        &self,
        host: &H,
        search: &'a Search<H::Pattern>,
        at: usize,
    ) -> Option<(&'a Field, Span)> {
        match (self, &search.method) {
            (Self::Pieces(source, pieces), _) => Some((source, pieces.get(at)?.as_ref()?.at)),
            (Self::Truth(true), Method::CheckFor(pattern)) => {
                search.sources.iter().find_map(|source| Some((source, host.find(source, pattern, 0)?)))
            }
            _ => None,
        }
    }
}

/// A piece of a source without the white space around it.
#[derive(Debug)]
pub(crate) struct Piece {
    pub(crate) at: Span,
    pub(crate) text: String,
}

/// Looks into the sources, one after the other, until one has something for a field.
pub(crate) fn take<'a, H: Host>(host: &H, search: &'a Search<H::Pattern>) -> Found<'a> {
    if let Method::CheckFor(pattern) = &search.method {
        return Found::Truth(search.sources.iter().any(|source| host.matches(source, pattern)));
    }
    for source in &search.sources {
        let pieces = pieces(host, source, &search.method, &search.rules);
        if pieces.iter().any(Option::is_some) {
            return Found::Pieces(source, pieces);
        }
    }
    Found::Nothing
}

fn pieces<H: Host>(host: &H, source: &Field, method: &Method<H::Pattern>, rules: &[Rule]) -> Vec<Option<Piece>> {
    let captured = |pattern: &H::Pattern, groups: &mut dyn Iterator<Item = usize>| {
        let spans = host.captures(source, pattern, 0);
        groups.map(|group| piece(host, source, spans.get(group).copied().flatten()?)).collect()
    };
    match method {
        Method::Whole => vec![piece(host, source, Span { start: 0, end: host.length(source) })],
        Method::Pattern(pattern) => captured(pattern, &mut rules.iter().map(|rule| rule.group)),
        Method::Between(pattern) => captured(pattern, &mut std::iter::once(1)),
        Method::Position { at, length } => vec![characters(host, source, *at, *length)],
        Method::CheckFor(_) => Vec::new(),
    }
}

/// Characters by their position.
fn characters<H: Host>(host: &H, source: &Field, at: usize, length: usize) -> Option<Piece> {
    let text = host.text(source)?;
    let mut starts = text.char_indices().map(|(start, _)| start).chain([text.len()]).skip(at);
    let start = starts.next()?;
    let end = starts.nth(length.checked_sub(1)?).unwrap_or(text.len());
    let at = Span { start: u32::try_from(start).ok()?, end: u32::try_from(end).ok()? };
    trimmed(at, text.get(start..end)?)
}

fn piece<H: Host>(host: &H, source: &Field, at: Span) -> Option<Piece> {
    if at.start == at.end { None } else { trimmed(at, &host.slice(source, at)) }
}

fn trimmed(at: Span, text: &str) -> Option<Piece> {
    let short = text.trim_start();
    let start = at.start + u32::try_from(text.len() - short.len()).ok()?;
    let short = short.trim_end();
    let end = start + u32::try_from(short.len()).ok()?;
    (!short.is_empty()).then(|| Piece { at: Span { start, end }, text: short.to_owned() })
}
