//! Rules with a pattern or a selector of their own: what users add to a rule file.

use super::Cuts;
use super::condition::{self, Condition};
use super::lines::{Lines, offset, span};
use super::tail;
use crate::settings::Table;
use crate::{CutKind, Field, Host, Span};

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
pub(super) struct Rules<H: Host> {
    rules: Vec<Rule<H>>,
    /// All patterns in one, and which rules they belong to: most find nothing in most messages.
    set: H::PatternSet,
    in_set: Vec<usize>,
}

impl<H: Host> Rules<H> {
    /// Reads the list `rule`.
    pub(super) fn read(host: &H, root: &Table<'_>) -> Option<Self> {
        let tables = root.tables("rule");
        let read: Vec<(Rule<H>, Option<String>)> = tables.iter().filter_map(|table| Rule::read(host, table)).collect();
        let complete = read.len() == tables.len();
        let (rules, sources): (Vec<Rule<H>>, Vec<Option<String>>) = read.into_iter().unzip();
        let in_set =
            sources.iter().enumerate().filter(|(_, source)| source.is_some()).map(|(index, _)| index).collect();
        let sources: Vec<String> = sources.into_iter().flatten().collect();
        if !complete {
            return None;
        }
        match host.pattern_set(&sources) {
            Ok(set) => Some(Self { rules, set, in_set }),
            Err(error) => {
                root.complain("rule", error.reason, None);
                None
            }
        }
    }

    /// Cuts what the rules with a selector find.
    pub(super) fn cut_elements(&self, host: &H, cuts: &mut Cuts<'_, H>) {
        for rule in &self.rules {
            if let Finder::Selector(selector) = &rule.finder
                && rule.condition.holds(host)
            {
                for found in host.elements(selector, MATCHES_MAX) {
                    rule.cut(cuts, found);
                }
            }
        }
    }

    /// Cuts what the rules with a pattern find.
    pub(super) fn cut_matches(&self, host: &H, cuts: &mut Cuts<'_, H>) {
        if self.in_set.is_empty() {
            return;
        }
        let hit: Vec<u32> = host.which(&Field::Body, &self.set);
        let hit = hit.iter().filter_map(|index| self.in_set.get(offset(*index)));
        for rule in hit.filter_map(|index| self.rules.get(*index)) {
            if let Finder::Pattern(pattern) = &rule.finder
                && rule.condition.holds(host)
            {
                for found in host.find_all(&Field::Body, pattern, MATCHES_MAX) {
                    if rule.cut(cuts, found) {
                        break;
                    }
                }
            }
        }
    }
}

impl<H: Host> Rule<H> {
    fn read(host: &H, table: &Table<'_>) -> Option<(Self, Option<String>)> {
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
        let source = table.text("pattern").map(str::to_owned);
        Some((Self { name, kind, extent, finder, condition: condition? }, source))
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
                cuts.quote(lines, self.kind, &self.name);
            }
            Extent::Tail { lines, width } => {
                let at = covered(&cuts.lines, start, end);
                if !tail::is_tail(&cuts.lines, at.end, lines, width) {
                    return false;
                }
                let at = cuts.lines.span_from(at.start);
                cuts.cut(at, self.kind, &self.name);
            }
        }
        self.extent != Extent::Match
    }
}

/// The lines that a match touches.
fn covered(lines: &Lines<'_>, start: usize, end: usize) -> std::ops::Range<usize> {
    let start = start + lines.text().get(start..end).map_or(0, |text| text.len() - text.trim_start().len());
    lines.at(start)..lines.at(end.saturating_sub(1).max(start)) + 1
}

fn compiled<T>(table: &Table<'_>, key: &str, outcome: Result<T, crate::PatternError>) -> Option<T> {
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
