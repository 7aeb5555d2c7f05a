//! HTML elements that hold a quote.

use crate::attribution::Attributions;
use crate::cuts::Cuts;
use crate::lines::{offset, span};
use crate::rulers::Rulers;
use mailmill_sdk::settings::Table;
use mailmill_sdk::{CutKind, Field, Host, Span};

/// How many elements of a container rule are looked at.
const ELEMENTS_MAX: u32 = 200;

/// The containers of a rule file, in order.
pub(crate) struct Containers<H: Host>(Vec<Container<H>>);

/// An HTML element that holds a quote.
struct Container<H: Host> {
    name: String,
    selector: H::Selector,
    /// Elements inside it that are quoted; what stands between and after them was written by the sender.
    inner: Option<H::Selector>,
    /// What the line above it may say to belong to the quote, besides the attributions.
    above: Option<H::Pattern>,
}

impl<H: Host> Containers<H> {
    /// Reads the list `container`.
    pub(crate) fn read(host: &H, root: &Table<'_>) -> Self {
        Self(root.tables("container").iter().filter_map(|table| Container::read(host, table)).collect())
    }

    /// Asks to be called for them.
    pub(crate) fn wake(&self, host: &H) {
        self.0.iter().for_each(|container| host.wake_on_element(&container.selector));
    }

    /// Cuts the containers with the attributions above them. One that starts with a ruler of `forwards` is forwarded.
    pub(crate) fn cut(
        &self,
        cuts: &mut Cuts<'_, H>,
        attributions: Option<&Attributions<H>>,
        forwards: Option<&Rulers<H>>,
    ) {
        for container in &self.0 {
            let mut quoted = Vec::new();
            for found in outermost(cuts.host.elements(&container.selector, ELEMENTS_MAX)) {
                if is_forwarded(cuts, forwards, found) {
                    cuts.cut(found, CutKind::Forward, &container.name);
                    continue;
                }
                let above = cuts.lines.at(offset(found.start));
                let line = attributions.and_then(|attributions| attributions.just_before(&cuts.lines, above));
                let line = line.or_else(|| container.line_above(cuts, above));
                let start = line.and_then(|line| cuts.lines.get(line)).map_or(offset(found.start), |line| line.start);
                quoted.extend(container.pieces(cuts, found, start));
            }
            let until = cuts.lines.text().len();
            cuts.pieces(&quoted, until, CutKind::Quote, &container.name);
        }
    }
}

/// Those that lie in no other.
fn outermost(mut spans: Vec<Span>) -> Vec<Span> {
    let mut done = 0;
    spans.retain(|span| {
        let is_outer = span.start >= done;
        done = done.max(span.end);
        is_outer
    });
    spans
}

fn is_forwarded<H: Host>(cuts: &Cuts<'_, H>, forwards: Option<&Rulers<H>>, found: Span) -> bool {
    let Some(first) = forwards.and_then(|forwards| forwards.find(cuts.host, &cuts.lines).first().copied()) else {
        return false;
    };
    cuts.lines.visible(cuts.lines.at(offset(found.start))) == Some(first)
}

impl<H: Host> Container<H> {
    fn read(host: &H, table: &Table<'_>) -> Option<Self> {
        table.allow(&["name", "selector", "inner", "above"]);
        let compile = |key: &str, source: &str| {
            host.selector(source).map_err(|error| table.complain(key, error.reason, error.offset)).ok()
        };
        let name = table.required_text("name")?.to_owned();
        let selector = compile("selector", table.required_text("selector")?)?;
        let inner = table.text("inner").and_then(|source| compile("inner", source));
        let above = table.text("above").and_then(|source| {
            host.pattern(source).map_err(|error| table.complain("above", error.reason, error.offset)).ok()
        });
        Some(Self { name, selector, inner, above })
    }

    /// The last line that is not blank before line `end`, if it is one that belongs to the quote.
    fn line_above(&self, cuts: &Cuts<'_, H>, end: usize) -> Option<usize> {
        let above = self.above.as_ref()?;
        let last = cuts.lines.visible_before(end)?;
        let found = cuts.host.find_all(&Field::Body, above, ELEMENTS_MAX);
        found.iter().any(|found| cuts.lines.at(offset(found.end)) == last).then_some(last)
    }

    /// What of an element is quoted, `start` being where its attribution starts.
    fn pieces(&self, cuts: &Cuts<'_, H>, found: Span, start: usize) -> Vec<Span> {
        let inner = self.inner.as_ref().map_or_else(Vec::new, |inner| cuts.host.elements(inner, ELEMENTS_MAX));
        let inner = inner.into_iter().filter(|piece| found.start <= piece.start && piece.end <= found.end);
        let mut pieces = outermost(inner.collect());
        let whole = span(start, offset(found.end));
        match pieces.first_mut() {
            Some(first) => first.start = whole.start,
            None => pieces.push(whole),
        }
        pieces
    }
}
