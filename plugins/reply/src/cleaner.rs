//! A rule file's tables, found in a body, become cuts.

use crate::attribution::Attributions;
use crate::container::Containers;
use crate::cuts::{Cuts, Opener};
use crate::device::DeviceLines;
use crate::header_block::HeaderBlocks;
use crate::quoted::QuotedLines;
use crate::rule::Rules;
use crate::rulers::{self, Rulers};
use crate::subject::ForwardSubjects;
use crate::tail::Closings;
use mailmill_sdk::settings::{self, Table, unknown};
use mailmill_sdk::{BodyKind, CutKind, Diagnostic, Field, Host, Verdict};
use std::cell::OnceCell;

/// The keys of a rule file.
const KEYS: [&str; 13] = [
    "clients",
    "find",
    "rule",
    "test",
    "container",
    "forwards-only",
    "attribution",
    "header-block",
    "original-ruler",
    "forward-ruler",
    "forward-subject",
    "closing",
    "device-line",
];
/// What a rule file can have found. Most of it is tables of languages, which the host fills in.
const FINDS: [&str; 8] = [
    "attribution",
    "header-block",
    "original-ruler",
    "forward-ruler",
    "forward-subject",
    "closing",
    "device-line",
    QUOTED_LINES,
];
/// What needs no table.
pub(crate) const QUOTED_LINES: &str = "quoted-lines";
/// What HTML itself has for quotes (HTML section 4.4.4).
const BLOCK_QUOTE: &str = "blockquote";

/// A preprocessor's rules, ready to be used.
pub struct Cleaner<H: Host> {
    /// The clients whose mail the rule file is for; none: everybody's.
    clients: Vec<String>,
    rules: Rules<H>,
    containers: Containers<H>,
    attributions: Option<Attributions<H>>,
    header_blocks: Option<HeaderBlocks<H>>,
    originals: Option<Rulers<H>>,
    forwards: Option<Rulers<H>>,
    forward_subjects: Option<ForwardSubjects<H>>,
    closings: Option<Closings<H>>,
    device_lines: Option<DeviceLines<H>>,
    quoted_lines: Option<QuotedLines<H>>,
    block_quote: Option<H::Selector>,
    /// Whether the tables of quotes only say where no forwarded message is looked for.
    forwards_only: bool,
}

/// How much the text rules of a rule file are trusted with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trust {
    /// They are for this client's mail, or nobody knows which client wrote it.
    Full,
    /// Another client wrote the message: what they find is believed if there are an address and a date with it.
    Hint,
    /// They are not asked.
    None,
}

impl<H: Host> Cleaner<H> {
    /// Reads a rule file.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn configure(host: &H, rules: &str) -> Result<Self, Vec<Diagnostic>> {
        let cleaner = settings::read(rules, |root| {
            root.allow(&KEYS);
            check_finds(root);
            Self {
                clients: root.texts("clients").into_iter().map(str::to_owned).collect(),
                rules: Rules::read(host, root),
                containers: Containers::read(host, root),
                attributions: Attributions::read(host, root),
                header_blocks: HeaderBlocks::read(host, root),
                originals: Rulers::read(host, root, "original-ruler"),
                forwards: Rulers::read(host, root, "forward-ruler"),
                forward_subjects: ForwardSubjects::read(host, root),
                closings: Closings::read(host, root),
                device_lines: DeviceLines::read(host, root),
                quoted_lines: QuotedLines::read(host, root),
                block_quote: host.selector(BLOCK_QUOTE).ok(),
                forwards_only: root.boolean("forwards-only").unwrap_or(false),
            }
        })?;
        cleaner.wake(host);
        Ok(cleaner)
    }

    /// Asks to be called for what leads to a cut, and nothing else.
    fn wake(&self, host: &H) {
        self.containers.wake(host);
        self.rules.wake(host);
        let wake = |pattern: Option<&H::Pattern>| {
            if let Some(pattern) = pattern {
                host.wake_on_match(pattern);
            }
        };
        if self.forwards_only {
            wake(self.forwards.as_ref().map(Rulers::pattern));
            wake(self.header_blocks.as_ref().filter(|_| self.forward_subjects.is_some()).map(HeaderBlocks::label));
            return;
        }
        wake(self.originals.as_ref().map(Rulers::pattern));
        wake(self.attributions.as_ref().map(Attributions::likely));
        wake(self.header_blocks.as_ref().map(HeaderBlocks::label));
        wake(self.quoted_lines.as_ref().map(QuotedLines::pattern));
        wake(self.device_lines.as_ref().map(DeviceLines::pattern));
        wake(self.closings.as_ref().map(Closings::pattern));
    }

    /// Looks at the message with everything the rule file has: elements first and, if they led to no quote, the text.
    /// Nothing further is to be done about a message that is forwarded as a whole.
    pub fn clean(&self, host: &H) -> Verdict {
        let text = OnceCell::new();
        let load = || text.get_or_init(|| host.text(&Field::Body).unwrap_or_default()).as_str();
        let kind = host.kind_of_body();
        let mut cuts = Cuts::new(host, &load, self.block_quote.as_ref().filter(|_| kind == BodyKind::Html));
        if kind == BodyKind::Html {
            self.cut_elements(&mut cuts);
        }
        if !cuts.has_quote() {
            match self.trust(host, kind) {
                Trust::None => {}
                trust => self.cut_text(&mut cuts, trust),
            }
        }
        cuts.verdict()
    }

    fn trust(&self, host: &H, kind: BodyKind) -> Trust {
        if self.clients.is_empty() {
            return Trust::Full;
        }
        let client = host.text(&Field::Client).unwrap_or_default();
        match (client.is_empty(), kind) {
            (false, _) if self.clients.contains(&client) => Trust::Full,
            (false, _) => Trust::Hint,
            // The HTML of a client says which one it is, unless it is none that we know.
            (true, BodyKind::Html) => Trust::None,
            (true, _) => Trust::Full,
        }
    }

    /// Cuts what the structure of the HTML tells.
    fn cut_elements(&self, cuts: &mut Cuts<'_, H>) {
        self.containers.cut(cuts, self.attributions.as_ref(), self.forwards.as_ref());
        self.rules.cut_elements(cuts);
    }

    /// Cuts what the text tells.
    fn cut_text(&self, cuts: &mut Cuts<'_, H>, trust: Trust) {
        if let Some(forward) = self.forward(cuts) {
            // What is forwarded is no quote, and what is quoted in it is part of it.
            if self.forwards_only {
                Self::cut_forward(cuts, forward);
            }
            return;
        }
        if self.forwards_only {
            return;
        }
        self.rules.cut_matches(cuts, trust);
        self.cut_attributed(cuts, trust);
        self.cut_headed(cuts, trust);
        if let Some(quoted) = &self.quoted_lines {
            quoted.cut(cuts);
        }
        if let Some(lines) = &self.device_lines {
            lines.cut(cuts);
        }
        if let Some(closings) = &self.closings {
            closings.cut(cuts);
        }
    }

    /// The first line of a forwarded message, unless it was forwarded inside of a quote.
    fn forward(&self, cuts: &Cuts<'_, H>) -> Option<usize> {
        let ruled = self.forwards.as_ref();
        let ruled = ruled.and_then(|forwards| forwards.find(cuts.host, &cuts.lines).first().copied());
        let first = ruled.or_else(|| self.forward_block(cuts))?;
        let quoted_above = cuts.lines.before(first).any(|line| line.is_quoted());
        (!quoted_above && !self.quote_starts_before(cuts, first)).then_some(first)
    }

    /// Cuts a forwarded message.
    fn cut_forward(cuts: &mut Cuts<'_, H>, first: usize) {
        let first = rulers::with_rows_above(&cuts.lines, first);
        let at = cuts.lines.span_from(first);
        cuts.cut(at, CutKind::Forward, "forwarded message");
        if cuts.lines.visible_before(first).is_none() {
            // With nothing left, the next steps would see the whole body again.
            cuts.stop();
        }
    }

    /// The header block of a message that only its subject calls forwarded.
    fn forward_block(&self, cuts: &Cuts<'_, H>) -> Option<usize> {
        let (subjects, blocks) = (self.forward_subjects.as_ref()?, self.header_blocks.as_ref()?);
        let block = blocks.find(cuts.host, &cuts.lines)?;
        subjects.is_forward(cuts.host, &block.language).then_some(block.line)
    }

    fn quote_starts_before(&self, cuts: &Cuts<'_, H>, line: usize) -> bool {
        let attributed =
            self.attributions.as_ref().and_then(|a| a.find(cuts.host, &cuts.lines).first().map(|a| a.lines.start));
        let headed = self.header_blocks.as_ref().and_then(|blocks| blocks.find(cuts.host, &cuts.lines));
        let ruled = self.originals.as_ref().and_then(|rulers| rulers.find(cuts.host, &cuts.lines).first().copied());
        [attributed, headed.map(|block| block.line), ruled].into_iter().flatten().any(|start| start < line)
    }

    fn cut_attributed(&self, cuts: &mut Cuts<'_, H>, trust: Trust) {
        let Some(attributions) = &self.attributions else { return };
        let mut found = attributions.find(cuts.host, &cuts.lines);
        found.retain(|found| trust == Trust::Full || found.certain);
        for (index, attribution) in found.iter().enumerate() {
            let next = found.get(index + 1).map(|next| next.lines.start);
            let opener = Opener { lines: attribution.lines.clone(), start: attribution.start };
            cuts.quote(&opener, next, CutKind::Quote, "attribution");
            if !attribution.before_quoted {
                break;
            }
        }
    }

    /// Cuts from the first header block or ruler to the end.
    fn cut_headed(&self, cuts: &mut Cuts<'_, H>, trust: Trust) {
        let unquoted = |line: &usize| cuts.lines.get(*line).is_some_and(|line| !line.is_quoted());
        let ruled = self.originals.as_ref().filter(|_| trust == Trust::Full);
        let ruled = ruled.and_then(|rulers| rulers.find(cuts.host, &cuts.lines).into_iter().find(unquoted));
        let headed = self.header_blocks.as_ref().and_then(|blocks| blocks.find(cuts.host, &cuts.lines));
        let headed = headed.filter(|block| trust == Trust::Full || block.certain).map(|block| block.line);
        let Some(start) = [ruled, headed].into_iter().flatten().min() else { return };
        let rule = if ruled == Some(start) { "original message ruler" } else { "header block" };
        let start = rulers::with_rows_above(&cuts.lines, start);
        let at = cuts.lines.span_from(start);
        cuts.cut(at, CutKind::Quote, rule);
    }
}

/// Complains about what cannot be found.
fn check_finds(root: &Table<'_>) {
    for (index, find) in root.texts("find").into_iter().enumerate() {
        if !FINDS.contains(&find) {
            root.complain_at("find", index, unknown("table", find, &FINDS), None);
        } else if find != QUOTED_LINES && root.value(find).is_none() {
            let reason = format!("there is no table \"{find}\", neither here nor in languages.toml");
            root.complain_at("find", index, reason, None);
        }
    }
}
