//! Rules with a pattern or a selector of their own: what users add to a rule file.

use crate::cleaner::Trust;
use crate::condition::{self, Condition};
use crate::cuts::{Cuts, Opener};
use crate::evidence::Evidence;
use crate::lines::{Lines, offset, span};
use crate::tail;
use mailmill_sdk::settings::Table;
use mailmill_sdk::{CutKind, Field, Host, Span};

/// How many matches of one rule are cut.
const MATCHES_MAX: u32 = 200;

/// The keys of a rule, but for its conditions.
const KEYS: [&str; 7] = ["name", "kind", "pattern", "selector", "cut", "lines", "width"];

/// What a rule cuts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Extent {
    /// What it matches.
    Match,
    /// All before the match, and the match.
    Before,
    /// The match, and all after it.
    After,
    /// The match as the line above a quote: the quoted lines that follow or, if there are none, all after it.
    Quote,
    /// The match and all after it, if that is no more than this many lines, as a signature is.
    Tail {
        /// The most lines that are not blank, the match not counted.
        lines: usize,
        /// The most characters of each of them.
        width: usize,
    },
}

/// Where a rule looks.
enum Finder<H: Host> {
    Pattern(H::Pattern),
    Selector(H::Selector),
}

struct Rule<H: Host> {
    name: String,
    kind: CutKind,
    extent: Extent,
    finder: Finder<H>,
    condition: Condition<H>,
}

/// The rules of a rule file, in order.
pub(crate) struct Rules<H: Host>(Vec<Rule<H>>);

impl<H: Host> Rules<H> {
    /// Reads the list `rule`.
    pub(crate) fn read(host: &H, root: &Table<'_>) -> Self {
        Self(root.tables("rule").iter().filter_map(|table| Rule::read(host, table)).collect())
    }

    /// Asks to be called for what the rules look for.
    pub(crate) fn wake(&self, host: &H) {
        for rule in &self.0 {
            match &rule.finder {
                Finder::Pattern(pattern) => host.wake_on_match(pattern),
                Finder::Selector(selector) => host.wake_on_element(selector),
            }
        }
    }

    /// Cuts what the rules with a selector find.
    pub(crate) fn cut_elements(&self, cuts: &mut Cuts<'_, H>) {
        for rule in &self.0 {
            if let Finder::Selector(selector) = &rule.finder
                && rule.condition.holds(cuts.host)
            {
                for found in cuts.host.elements(selector, MATCHES_MAX) {
                    rule.cut(cuts, found);
                }
            }
        }
    }

    /// Cuts what the rules with a pattern find.
    pub(crate) fn cut_matches(&self, cuts: &mut Cuts<'_, H>, trust: Trust) {
        for rule in &self.0 {
            if let Finder::Pattern(pattern) = &rule.finder
                && rule.condition.holds(cuts.host)
            {
                for found in cuts.host.find_all(&Field::Body, pattern, MATCHES_MAX) {
                    if (trust == Trust::Full || is_borne_out(cuts, found)) && rule.cut(cuts, found) {
                        break;
                    }
                }
            }
        }
    }
}

impl<H: Host> Rule<H> {
    fn read(host: &H, table: &Table<'_>) -> Option<Self> {
        table.allow(&[&KEYS[..], &condition::KEYS].concat());
        let condition = Condition::read(host, table);
        let name = table.required_text("name")?.to_owned();
        let kind = read_kind(table)?;
        let extent = read_extent(table)?;
        let finder = match (table.text("pattern"), table.text("selector")) {
            (Some(source), None) => compiled(table, "pattern", host.pattern(source)).map(Finder::Pattern),
            (None, Some(source)) => compiled(table, "selector", host.selector(source)).map(Finder::Selector),
            _ => {
                table.complain("name", "a rule needs either a \"pattern\" or a \"selector\"", None);
                None
            }
        }?;
        Some(Self { name, kind, extent, finder, condition: condition? })
    }

    /// Cuts what the rule wants around a match. Whether later matches need no look.
    fn cut(&self, cuts: &mut Cuts<'_, H>, found: Span) -> bool {
        let (start, end) = (offset(found.start), offset(found.end));
        let whole = cuts.lines.text().len();
        match self.extent {
            Extent::Match => cuts.cut(found, self.kind, &self.name),
            Extent::Before => cuts.cut(span(0, end), self.kind, &self.name),
            Extent::After => cuts.cut(span(start, whole), self.kind, &self.name),
            Extent::Quote => {
                let lines = covered(&cuts.lines, start, end);
                let start = cuts.lines.get(lines.start).map_or(start, |line| line.start);
                cuts.quote(&Opener { lines, start }, None, self.kind, &self.name);
            }
            Extent::Tail { lines, width } => {
                let at = covered(&cuts.lines, start, end);
                if tail::is_item(&cuts.lines, at.start) || !tail::is_tail(&cuts.lines, at.end, lines, width) {
                    return false;
                }
                let at = cuts.lines.span_from(at.start);
                cuts.cut(at, self.kind, &self.name);
            }
        }
        self.extent != Extent::Match
    }
}

/// Whether a match holds an address and a date.
fn is_borne_out<H: Host>(cuts: &Cuts<'_, H>, found: Span) -> bool {
    let text = cuts.lines.text().get(offset(found.start)..offset(found.end)).unwrap_or_default();
    Evidence::of(text).is_certain()
}

/// The lines that a match touches.
fn covered(lines: &Lines<'_>, start: usize, end: usize) -> std::ops::Range<usize> {
    let start = start + lines.text().get(start..end).map_or(0, |text| text.len() - text.trim_start().len());
    lines.at(start)..lines.at(end.saturating_sub(1).max(start)) + 1
}

fn compiled<T>(table: &Table<'_>, key: &str, outcome: Result<T, mailmill_sdk::PatternError>) -> Option<T> {
    outcome.map_err(|error| table.complain(key, error.reason, error.offset)).ok()
}

fn read_kind(table: &Table<'_>) -> Option<CutKind> {
    Some(match table.required_text("kind")? {
        "quote" => CutKind::Quote,
        "forward" => CutKind::Forward,
        "signature" => CutKind::Signature,
        "disclaimer" => CutKind::Disclaimer,
        "banner" => CutKind::Banner,
        "other" => CutKind::Other,
        unknown => {
            let known = "quote, forward, signature, disclaimer, banner, other";
            table.complain("kind", format!("unknown kind \"{unknown}\": expected one of {known}"), None);
            return None;
        }
    })
}

fn read_extent(table: &Table<'_>) -> Option<Extent> {
    let (lines, width) = (table.count("lines"), table.count("width"));
    let extent = match table.text("cut").unwrap_or("match") {
        "match" => Extent::Match,
        "before" => Extent::Before,
        "after" => Extent::After,
        "quote" => Extent::Quote,
        "tail" => {
            Extent::Tail { lines: lines.unwrap_or(tail::LINES_DEFAULT), width: width.unwrap_or(tail::WIDTH_DEFAULT) }
        }
        unknown => {
            let known = "match, before, after, quote, tail";
            table.complain("cut", format!("unknown extent \"{unknown}\": expected one of {known}"), None);
            return None;
        }
    };
    for (key, _) in [("lines", lines), ("width", width)].iter().filter(|(_, limit)| limit.is_some()) {
        if !matches!(extent, Extent::Tail { .. }) {
            table.complain(key, format!("only a rule with cut = \"tail\" has a limit of {key}"), None);
        }
    }
    Some(extent)
}
