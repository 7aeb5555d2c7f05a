//! What the preprocessors have in common: a rule file's tables, found in a body, become cuts.
//!
//! All words, patterns and selectors come from the rule file; here is only how they work together. The host
//! runs the patterns (one for all languages of a table); only if they match is the body copied, once, and the lines
//! around the matches are weighed here.

mod attribution;
mod condition;
mod evidence;
mod header_block;
mod lines;
mod pattern;
mod quoted;
mod rule;
mod rulers;
mod tail;

use crate::settings::{self, Table};
use crate::{BodyKind, CutKind, Diagnostic, Field, Host, Span, Verdict};
use attribution::Attributions;
use header_block::HeaderBlocks;
use lines::{Lines, offset, span};
use rule::Rules;
use rulers::Rulers;
use std::cell::OnceCell;
use std::ops::Range;
use tail::Closings;

/// The most runs of quoted lines that are cut one by one.
const RUNS_MAX: usize = 1_000;
/// How many elements of a container rule are looked at.
const ELEMENTS_MAX: u32 = 200;
/// What HTML itself has for quotes (HTML section 4.4.4).
const BLOCK_QUOTE: &str = "blockquote";
/// The keys of a rule file.
const KEYS: [&str; 10] = [
    "rule",
    "test",
    "attribution",
    "header-block",
    "original-ruler",
    "forward-ruler",
    "closing",
    "container",
    "quoted-lines",
    "forwards-only",
];

/// A preprocessor's rules, ready to be used.
pub struct Cleaner<H: Host> {
    rules: Option<Rules<H>>,
    containers: Vec<Container<H>>,
    attributions: Option<Attributions<H>>,
    header_blocks: Option<HeaderBlocks<H>>,
    originals: Option<Rulers<H>>,
    forwards: Option<Rulers<H>>,
    closings: Option<Closings<H>>,
    block_quote: Option<H::Selector>,
    /// Whether there is a quoted line; none if the rule file does not want to know.
    quoted_line: Option<H::Pattern>,
    /// Whether the tables of quotes only say where no forwarded message is looked for.
    forwards_only: bool,
}

/// An HTML element that holds a quote.
struct Container<H: Host> {
    name: String,
    selector: H::Selector,
    /// Elements inside it that are quoted; what stands between and after them was written by the sender.
    inner: Option<H::Selector>,
}

/// The cuts of one call, and the body they are made in.
pub struct Cuts<'a, H: Host> {
    host: &'a H,
    lines: Lines<'a>,
    made: usize,
    verdict: Verdict,
    block_quotes: Vec<Span>,
}

impl<H: Host> Cleaner<H> {
    /// Reads a rule file.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn configure(host: &H, rules: &str) -> Result<Self, Vec<Diagnostic>> {
        settings::read(rules, |root| {
            root.allow(&KEYS);
            Self {
                rules: Rules::read(host, root),
                containers: root.tables("container").iter().filter_map(|table| Container::read(host, table)).collect(),
                attributions: Attributions::read(host, root),
                header_blocks: HeaderBlocks::read(host, root),
                originals: Rulers::read(host, root, "original-ruler"),
                forwards: Rulers::read(host, root, "forward-ruler"),
                closings: Closings::read(host, root),
                block_quote: host.selector(BLOCK_QUOTE).ok(),
                quoted_line: root
                    .boolean("quoted-lines")
                    .filter(|wanted| *wanted)
                    .and_then(|_| host.pattern(&quoted::pattern()).ok()),
                forwards_only: root.boolean("forwards-only").unwrap_or(false),
            }
        })
    }

    /// Looks at the message with everything the rule file has: elements first and, if they led to nothing, the text.
    /// Nothing further is to be done about a message that is forwarded as a whole.
    pub fn clean(&self, host: &H) -> Verdict {
        let text = OnceCell::new();
        let load = || text.get_or_init(|| host.text(&Field::Body).unwrap_or_default()).as_str();
        let mut cuts =
            Cuts { host, lines: Lines::of(&load), made: 0, verdict: Verdict::Next, block_quotes: Vec::new() };
        if host.kind_of_body() == BodyKind::Html {
            self.cut_elements(&mut cuts);
            cuts.block_quotes =
                self.block_quote.as_ref().map_or_else(Vec::new, |quotes| host.elements(quotes, ELEMENTS_MAX));
        }
        if cuts.made == 0 {
            self.cut_text(&mut cuts);
        }
        cuts.verdict
    }

    /// Cuts quotes by the structure of the HTML.
    pub fn cut_elements(&self, cuts: &mut Cuts<'_, H>) {
        for container in &self.containers {
            let mut done = 0;
            for found in cuts.host.elements(&container.selector, ELEMENTS_MAX) {
                if offset(found.start) >= done {
                    done = offset(found.end);
                    self.cut_container(cuts, container, found);
                }
            }
        }
        if let Some(rules) = &self.rules {
            rules.cut_elements(cuts.host, cuts);
        }
    }

    /// Cuts quotes and whatever else the rules know by the text.
    pub fn cut_text(&self, cuts: &mut Cuts<'_, H>) {
        if self.cut_forward(cuts) || self.forwards_only {
            return;
        }
        if let Some(rules) = &self.rules {
            rules.cut_matches(cuts.host, cuts);
        }
        self.cut_attributed(cuts);
        self.cut_headed(cuts);
        if self.quoted_line.as_ref().is_some_and(|quoted| cuts.host.matches(&Field::Body, quoted)) {
            cuts.quoted_lines();
        }
        self.cut_closing(cuts);
    }

    fn cut_container(&self, cuts: &mut Cuts<'_, H>, container: &Container<H>, found: Span) {
        let forwarded = self.forwards.as_ref().is_some_and(|forwards| {
            let first = cuts.lines.visible(cuts.lines.at(offset(found.start)));
            forwards.find(cuts.host, &cuts.lines).first().copied() == first && first.is_some()
        });
        if forwarded {
            return cuts.cut(found, CutKind::Forward, &container.name);
        }
        let mut start = offset(found.start);
        if let Some(line) = self
            .attributions
            .as_ref()
            .and_then(|attributions| attributions.just_before(&cuts.lines, cuts.lines.at(start)))
        {
            start = cuts.lines.get(line).map_or(start, |line| line.start);
        }
        let inner = container.inner.as_ref().map_or_else(Vec::new, |inner| cuts.host.elements(inner, ELEMENTS_MAX));
        let mut pieces = inner.into_iter().filter(|piece| found.start <= piece.start && piece.end <= found.end);
        let Some(first) = pieces.next() else {
            return cuts.cut(span(start, offset(found.end)), CutKind::Quote, &container.name);
        };
        cuts.cut(span(start, offset(first.end)), CutKind::Quote, &container.name);
        for piece in pieces {
            cuts.cut(piece, CutKind::Quote, &container.name);
        }
    }

    /// Cuts a forwarded message, unless it was forwarded inside of a quote.
    fn cut_forward(&self, cuts: &mut Cuts<'_, H>) -> bool {
        let Some(first) =
            self.forwards.as_ref().and_then(|forwards| forwards.find(cuts.host, &cuts.lines).first().copied())
        else {
            return false;
        };
        let quoted_above = cuts.lines.before(first).any(|line| line.is_quoted());
        if quoted_above || self.quote_starts_before(cuts, first) {
            return false;
        }
        let at = cuts.lines.span_from(first);
        cuts.cut(at, CutKind::Forward, "forwarded message");
        if cuts.lines.visible_before(first).is_none() {
            // With nothing left, the next plugins would see the whole body again.
            cuts.verdict = Verdict::Stop;
        }
        true
    }

    fn quote_starts_before(&self, cuts: &Cuts<'_, H>, line: usize) -> bool {
        let attributed =
            self.attributions.as_ref().and_then(|a| a.find(cuts.host, &cuts.lines).first().map(|a| a.lines.start));
        let headed = self.header_blocks.as_ref().and_then(|blocks| blocks.find(cuts.host, &cuts.lines));
        let ruled = self.originals.as_ref().and_then(|rulers| rulers.find(cuts.host, &cuts.lines).first().copied());
        [attributed, headed, ruled].into_iter().flatten().any(|start| start < line)
    }

    fn cut_attributed(&self, cuts: &mut Cuts<'_, H>) {
        let Some(attributions) = &self.attributions else { return };
        for found in attributions.find(cuts.host, &cuts.lines) {
            let last = !found.before_quoted;
            cuts.quote(found.lines, CutKind::Quote, "attribution");
            if last {
                break;
            }
        }
    }

    /// Cuts from the first header block or ruler to the end.
    fn cut_headed(&self, cuts: &mut Cuts<'_, H>) {
        let unquoted = |line: &usize| cuts.lines.get(*line).is_some_and(|line| !line.is_quoted());
        let ruled =
            self.originals.as_ref().and_then(|rulers| rulers.find(cuts.host, &cuts.lines).into_iter().find(unquoted));
        let headed = self.header_blocks.as_ref().and_then(|blocks| blocks.find(cuts.host, &cuts.lines));
        let Some(start) = [ruled, headed].into_iter().flatten().min() else { return };
        let rule = if ruled == Some(start) { "original message ruler" } else { "header block" };
        let start = rulers::with_rows_above(&cuts.lines, start);
        let at = cuts.lines.span_from(start);
        cuts.cut(at, CutKind::Quote, rule);
    }

    fn cut_closing(&self, cuts: &mut Cuts<'_, H>) {
        let closing = self.closings.as_ref().and_then(|closings| closings.find(cuts.host, &cuts.lines));
        if let Some(line) = closing {
            let at = cuts.lines.span_from(line);
            cuts.cut(at, CutKind::Signature, "closing");
        }
    }
}

impl<H: Host> Container<H> {
    fn read(host: &H, table: &Table<'_>) -> Option<Self> {
        table.allow(&["name", "selector", "inner"]);
        let compile = |key: &str, source: &str| {
            host.selector(source).map_err(|error| table.complain(key, error.reason, error.offset)).ok()
        };
        let name = table.required_text("name")?.to_owned();
        let selector = compile("selector", table.required_text("selector")?)?;
        let inner = table.text("inner").and_then(|source| compile("inner", source));
        Some(Self { name, selector, inner })
    }
}

impl<H: Host> Cuts<'_, H> {
    /// Cuts a span, unless it is empty.
    pub fn cut(&mut self, at: Span, kind: CutKind, rule: &str) {
        if at.start < at.end {
            self.host.cut(at, kind, rule);
            self.made += 1;
        }
    }

    /// Cuts the lines above a quote, and the quote: the quoted lines that follow, or else all that follows.
    /// What stands between and below quoted lines stays.
    fn quote(&mut self, opener: Range<usize>, kind: CutKind, rule: &str) {
        let start = rulers::with_rows_above(&self.lines, opener.start);
        let runs = quoted::runs(&self.lines, opener.end);
        let follows = runs.first().is_some_and(|run| self.lines.visible(opener.end) == Some(run.start));
        if !follows {
            let at = self.lines.span_from(start);
            let at = Span { end: self.block_quote_end(opener.end).unwrap_or(at.end), ..at };
            return self.cut(at, kind, rule);
        }
        for (index, run) in runs.iter().take(RUNS_MAX).enumerate() {
            let from = if index == 0 { start } else { run.start };
            let at =
                if self.is_signed_off(run.end) { self.lines.span_from(from) } else { self.lines.span(from..run.end) };
            self.cut(at, kind, rule);
        }
    }

    /// The end of the HTML block quote that starts with the first visible line at or after `line`.
    fn block_quote_end(&self, line: usize) -> Option<u32> {
        let line = self.lines.visible(line)?;
        let starts = |quote: &&Span| self.lines.visible(self.lines.at(offset(quote.start))) == Some(line);
        self.block_quotes.iter().find(starts).map(|quote| quote.end)
    }

    /// Whether nothing but a signature (RFC 3676 section 4.3) or a mailing list's footer stands below a quote: nobody
    /// signs twice, so it goes along.
    fn is_signed_off(&self, line: usize) -> bool {
        let is_delimiter = |text: &str| matches!(text, "--" | "__") || text.len() > 9 && text.chars().all(|c| c == '_');
        let delimiter = self
            .lines
            .visible(line)
            .filter(|at| self.lines.get(*at).is_some_and(|line| is_delimiter(line.text.trim())));
        delimiter.is_some_and(|at| tail::is_tail(&self.lines, at + 1, tail::LINES_DEFAULT, tail::WIDTH_DEFAULT))
    }

    /// Cuts quoted lines that nothing introduces, if nothing of the sender's stands below them. Quoted lines above or
    /// amid the sender's own text are the sender's quotation.
    fn quoted_lines(&mut self) {
        let runs = quoted::runs(&self.lines, 0);
        let Some(last) = runs.last() else { return };
        if self.lines.visible(last.end).is_none() || self.is_signed_off(last.end) {
            let at = self.lines.span_from(last.start);
            self.cut(at, CutKind::Quote, "quoted lines");
        }
    }
}
