//! Header blocks: `From: … / Sent: … / To: … / Subject: …`, as the Outlook family puts them above a quote.
//!
//! A rule file lists the labels per language. The host looks for lines that start with any label; here, labels of one
//! language (or of English: some clients translate only a part) in lines that follow each other make a block.

use super::evidence::Evidence;
use super::lines::{Lines, is_space, offset};
use super::pattern;
use crate::settings::Table;
use crate::text::spaced;
use crate::{Field, Host};

/// How many labelled lines are looked at.
const LABELS_MAX: u32 = 2_000;
/// How many lines the value of a label may be wrapped over, blank ones included.
const VALUE_LINES_MAX: usize = 4;
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
pub(super) struct HeaderBlocks<H: Host> {
    label: H::Pattern,
    labels: Vec<Label>,
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
}

impl<H: Host> HeaderBlocks<H> {
    /// Reads the tables `header-block.LANGUAGE`: lists of labels by role.
    pub(super) fn read(host: &H, root: &Table<'_>) -> Option<Self> {
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
        match host.pattern(&source) {
            Ok(label) => Some(Self { label, labels }),
            Err(error) => {
                root.complain("header-block", error.reason, None);
                None
            }
        }
    }

    /// Matches every line that a header block may have.
    pub(super) fn label(&self) -> &H::Pattern {
        &self.label
    }

    /// The first line of the first header block.
    pub(super) fn find(&self, host: &H, lines: &Lines<'_>) -> Option<usize> {
        let hits = host.find_all(&Field::Body, &self.label, LABELS_MAX);
        // One by one: nothing below the first block is looked at.
        let mut near: Vec<Labelled<'_>> = Vec::new();
        for hit in hits.iter().filter_map(|hit| self.labelled(lines, offset(hit.start), offset(hit.end))) {
            if near.last().is_some_and(|last| hit.line - last.line > VALUE_LINES_MAX) {
                if let Some(block) = first_block(&near) {
                    return Some(block);
                }
                near.clear();
            }
            near.push(hit);
        }
        first_block(&near)
    }

    fn labelled<'a>(&'a self, lines: &'a Lines<'_>, start: usize, end: usize) -> Option<Labelled<'a>> {
        let label = key(lines.text().get(start..end)?);
        let index = lines.at(end.saturating_sub(1));
        let line = lines.get(index)?;
        Some(Labelled {
            line: index,
            roles: &self.labels.get(place(&self.labels, &label).ok()?)?.roles,
            value: lines.text().get(end..line.end()).unwrap_or_default(),
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
    spaced(label.trim_matches(frame).split_whitespace())
}

/// The first block among labelled lines that follow each other.
fn first_block(labelled: &[Labelled<'_>]) -> Option<usize> {
    (0..labelled.len()).find_map(|start| {
        let block: Vec<&Labelled<'_>> = labelled.get(start..)?.iter().take(2 * ROLES.len()).collect();
        is_block(&block).then(|| block.first().map(|first| first.line))?
    })
}

/// Whether the first of these lines starts a block: enough labels of one language, each once.
fn is_block(block: &[&Labelled<'_>]) -> bool {
    let Some(first) = block.first() else { return false };
    first.roles.iter().any(|(language, _)| {
        let mut seen = Vec::new();
        let mut evidence = (false, false);
        for labelled in block {
            let role =
                labelled.roles.iter().find(|(other, _)| other == language || other == COMMON).map(|(_, role)| *role);
            let Some(role) = role.filter(|role| !seen.contains(role)) else { break };
            seen.push(role);
            let found = Evidence::of(labelled.value);
            evidence.0 |= matches!(role, Role::From | Role::To) && found.address;
            evidence.1 |= role == Role::Date && found.digits && (found.date || found.time);
        }
        let person = seen.contains(&Role::From) || seen.contains(&Role::To);
        person && (seen.len() >= LABELS_MIN || evidence == (true, true))
    })
}
