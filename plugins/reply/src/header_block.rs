//! Header blocks: `From: … / Sent: … / To: … / Subject: …`, as the Outlook family puts them above a quote.
//!
//! A rule file lists the labels per language. The host looks for lines that start with any label; here, labels of one
//! language (or of English: some clients translate only a part) in lines that follow each other make a block.

use crate::evidence::Evidence;
use crate::lines::{Lines, is_space, offset, words};
use crate::pattern;
use crate::table;
use mailmill_sdk::settings::Table;
use mailmill_sdk::text::split_around;
use mailmill_sdk::{Field, Host};
use std::cell::OnceCell;

/// How many labelled lines are looked at.
const LABELS_MAX: u32 = 2_000;
/// How many lines the value of a label may be wrapped over, blank ones included.
const VALUE_LINES_MAX: usize = 4;
/// How much of a line is looked at for labels behind the first, in bytes.
const LINE_BYTES_MAX: usize = 500;
/// How many different labels make a block, whatever stands behind them.
const LABELS_MIN: usize = 3;
/// The language whose labels count for all others too.
const COMMON: &str = "en";
const ROLES: [(&str, Role); 5] =
    [("from", Role::From), ("date", Role::Date), ("to", Role::To), ("cc", Role::Cc), ("subject", Role::Subject)];

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Role {
    From,
    Date,
    To,
    Cc,
    Subject,
}

/// The header blocks of a rule file.
pub(crate) struct HeaderBlocks<H: Host> {
    label: H::Pattern,
    labels: Vec<Label>,
}

/// A header block that was found.
#[derive(Debug, Clone)]
pub(crate) struct Block {
    /// Its first line.
    pub line: usize,
    /// Whether it can be nothing else, whichever client wrote it: it has an address and a date.
    pub certain: bool,
    /// The language of its labels.
    pub language: String,
}

/// A label, and what it stands for in which language. Labels are kept sorted.
struct Label {
    text: String,
    roles: Vec<(String, Role)>,
}

/// A labelled line.
struct Labelled<'a> {
    line: usize,
    roles: &'a [(String, Role)],
    value: &'a str,
    /// What the value tells: looked at for each block that the line may be part of.
    evidence: OnceCell<Evidence>,
}

impl<H: Host> HeaderBlocks<H> {
    /// Reads the tables `header-block.LANGUAGE`: lists of labels by role.
    pub(crate) fn read(host: &H, root: &Table<'_>) -> Option<Self> {
        let table = root.table("header-block")?;
        let mut labels: Vec<Label> = Vec::new();
        for language in table.keys() {
            let Some(roles) = table.table(language) else { continue };
            roles.allow(&ROLES.map(|(name, _)| name));
            for (name, role) in ROLES {
                for text in roles.texts(name).into_iter().map(key) {
                    let at = place(&labels, &text).unwrap_or_else(|at| {
                        labels.insert(at, Label { text, roles: Vec::new() });
                        at
                    });
                    labels.get_mut(at)?.roles.push((language.to_owned(), role));
                }
            }
        }
        let texts: Vec<&str> = labels.iter().map(|label| label.text.as_str()).collect();
        let source = format!(r"(?m)^[ \t\x{{a0}}*_|]*(?:{})[ \t\x{{a0}}*]*[:：]", pattern::any(&texts));
        Some(Self { label: table::compiled(host, root, "header-block", &source)?, labels })
    }

    /// Matches every line that a header block may have.
    pub(crate) fn label(&self) -> &H::Pattern {
        &self.label
    }

    /// The first header block.
    pub(crate) fn find(&self, host: &H, lines: &Lines<'_>) -> Option<Block> {
        let hits = host.find_all(&Field::Body, &self.label, LABELS_MAX);
        // One by one: nothing below the first block is looked at.
        let mut near: Vec<Labelled<'_>> = Vec::new();
        for hit in hits.iter().filter_map(|hit| self.labelled(lines, offset(hit.start), offset(hit.end))) {
            if near.last().is_some_and(|last| hit.line - last.line > VALUE_LINES_MAX) {
                if let Some(block) = self.first_block(&near) {
                    return Some(block);
                }
                near.clear();
            }
            near.push(hit);
        }
        self.first_block(&near)
    }

    /// The first block among labelled lines that follow each other.
    fn first_block(&self, labelled: &[Labelled<'_>]) -> Option<Block> {
        (0..labelled.len()).find_map(|start| {
            let block = labelled.get(start..)?;
            self.block_at(block.get(..block.len().min(2 * ROLES.len()))?)
        })
    }

    /// The block that the first of these lines starts: enough labels of one language, each once.
    fn block_at(&self, block: &[Labelled<'_>]) -> Option<Block> {
        let first = block.first()?;
        first.roles.iter().find_map(|(language, _)| {
            let mut seen = Seen::default();
            for labelled in block {
                let role = role_in(labelled.roles, language).filter(|role| !seen.roles.contains(role));
                let Some(role) = role else { break };
                seen.add(role, *labelled.evidence.get_or_init(|| Evidence::of(labelled.value)));
            }
            if seen.is_alone() {
                self.on_one_line(&mut seen, language, first.value);
            }
            let certain = seen.is_certain();
            let is_block = seen.has_person() && !seen.no_name && (seen.is_enough() || certain);
            is_block.then(|| Block { line: first.line, certain, language: language.clone() })
        })
    }

    /// Adds the labels that stand behind the first on its line. Only with an address and a date is that no prose.
    fn on_one_line(&self, seen: &mut Seen, language: &str, value: &str) {
        let value = value.get(..value.floor_char_boundary(LINE_BYTES_MAX)).unwrap_or(value);
        let evidence = Evidence::of(value);
        if !evidence.is_certain() {
            return;
        }
        for label in &self.labels {
            let Some(role) = role_in(&label.roles, language).filter(|role| !seen.roles.contains(role)) else {
                continue;
            };
            let Some((before, rest)) = split_around(value, &label.text) else { continue };
            if before.ends_with([' ', '*']) && rest.trim_start_matches(['*', ' ']).starts_with([':', '：']) {
                seen.roles.push(role);
            }
        }
        seen.address |= seen.roles.len() > 1;
        seen.date |= seen.roles.contains(&Role::Date);
    }

    fn labelled<'a>(&'a self, lines: &'a Lines<'_>, start: usize, end: usize) -> Option<Labelled<'a>> {
        let label = key(lines.text().get(start..end)?);
        let index = lines.at(end.saturating_sub(1));
        let line = lines.get(index)?;
        Some(Labelled {
            line: index,
            roles: &self.labels.get(place(&self.labels, &label).ok()?)?.roles,
            value: lines.text().get(end..line.end()).unwrap_or_default(),
            evidence: OnceCell::new(),
        })
    }
}

/// Where the label is, or where it belongs.
fn place(labels: &[Label], text: &str) -> Result<usize, usize> {
    labels.binary_search_by(|label| label.text.as_str().cmp(text))
}

/// The label without what stands around it.
fn key(label: &str) -> String {
    let frame = |c: char| matches!(c, '*' | '_' | '|' | ':' | '：') || is_space(c);
    words(label.trim_matches(frame))
}

/// The role of a label in a language.
fn role_in(roles: &[(String, Role)], language: &str) -> Option<Role> {
    roles.iter().find(|(other, _)| other == language || other == COMMON).map(|(_, role)| *role)
}

/// What a block has so far.
#[derive(Default)]
struct Seen {
    roles: Vec<Role>,
    address: bool,
    date: bool,
    /// Whether what stands for the sender has digits and no address: nobody is called `5 May`.
    no_name: bool,
}

impl Seen {
    fn add(&mut self, role: Role, found: Evidence) {
        self.roles.push(role);
        self.address |= matches!(role, Role::From | Role::To) && found.address;
        self.no_name |= role == Role::From && found.digits && !found.address;
        self.date |= role == Role::Date && found.digits && (found.date || found.time);
    }

    fn is_alone(&self) -> bool {
        self.roles == [Role::From]
    }

    /// Without an address and without a subject, `From`, `To` and `Date` may be those of a journey.
    fn is_enough(&self) -> bool {
        self.roles.len() >= LABELS_MIN && (self.address || self.roles.contains(&Role::Subject))
    }

    fn has_person(&self) -> bool {
        self.roles.contains(&Role::From) || self.roles.contains(&Role::To)
    }

    fn is_certain(&self) -> bool {
        self.address && self.date
    }
}
