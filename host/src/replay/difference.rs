//! What two rule sets make of one message, compared.
//!
//! Compared is what becomes of the message: its outcome, the actions, the fields, the cuts with the text that they leave,
//! and the warnings. Which conditions were looked at on the way is not.

use crate::action::{Action, Outcome};
use crate::pipeline::Verdict;
use crate::report::{Facts, Report};
use crate::store::HandledMessage;
use crate::tame::short;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use similar::{Algorithm, DiffTag, capture_diff_slices, group_diff_ops};
use std::fmt::Write as _;

/// The most characters of a line that are kept.
pub const LINE_CHARS_MAX: usize = 300;
/// The most lines of one kind of change that are kept.
const LINES_MAX: usize = 60;
/// The most characters of a piece that is cut that are shown.
const PIECE_CHARS_MAX: usize = 40;
/// The most lines of a text that are compared.
const TEXT_LINES_MAX: usize = 2000;

/// A message that the candidate would handle differently.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// The number of its receipt.
    pub receipt: i64,
    /// The job that handled it.
    pub job: String,
    /// Its Message-ID; empty if it has none.
    pub message_id: String,
    /// Who wrote it; empty if it does not say.
    pub sender: String,
    /// Its subject.
    pub subject: String,
    /// What changes; at least one thing.
    pub changes: Vec<Changed>,
}

/// A kind of change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Whether it is accepted, rejected, ignored or quarantined, and why.
    Outcome,
    /// What is to be done.
    Actions,
    /// What is taken out of it.
    Fields,
    /// What is cut, and what text is left.
    Cuts,
    /// What the operator should know.
    Warnings,
}

impl Kind {
    /// All kinds, in the order in which they are shown.
    pub const ALL: [Self; 5] = [Self::Outcome, Self::Actions, Self::Fields, Self::Cuts, Self::Warnings];

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Outcome => "outcome",
            Self::Actions => "actions",
            Self::Fields => "fields",
            Self::Cuts => "cuts",
            Self::Warnings => "warnings",
        }
    }
}

/// A change of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changed {
    /// Which kind.
    pub kind: Kind,
    /// What is gone and what is new, line by line.
    pub lines: Vec<Line>,
    /// What is counted of it: a name, and whether it is new. For cuts, step and rule.
    #[serde(skip)]
    pub(super) counted: Vec<(String, Sign)>,
}

/// A line of a difference. In JSON `- text`, `+ text` or two blanks and the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Whose it is.
    pub sign: Sign,
    /// What it says.
    pub text: String,
}

/// Whose a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sign {
    /// Both rule sets'.
    Both,
    /// The one's in force: it would be gone.
    Gone,
    /// The candidate's: it is new.
    New,
}

impl Sign {
    /// The character that stands for it.
    #[must_use]
    pub fn char(self) -> char {
        match self {
            Self::Both => ' ',
            Self::Gone => '-',
            Self::New => '+',
        }
    }
}

impl std::fmt::Display for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.sign.char(), self.text)
    }
}

impl Serialize for Line {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Line {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let written = String::deserialize(deserializer)?;
        let sign = [Sign::Both, Sign::Gone, Sign::New].into_iter().find(|sign| written.starts_with(sign.char()));
        let text = written.get(2..).unwrap_or_default().to_owned();
        sign.map(|sign| Self { sign, text }).ok_or_else(|| serde::de::Error::custom("a line begins with its sign"))
    }
}

impl Difference {
    pub(super) fn new(message: &HandledMessage, facts: &Facts, changes: Vec<Changed>) -> Self {
        Self {
            receipt: message.receipt,
            job: message.job.clone(),
            message_id: shortened(&facts.message_id),
            sender: facts.sender.as_ref().map(|sender| shortened(&sender.to_string())).unwrap_or_default(),
            subject: shortened(&facts.subject),
            changes,
        }
    }

    /// How many bytes of text it holds.
    pub(super) fn bytes(&self) -> usize {
        let lines = self.changes.iter().flat_map(|change| &change.lines).map(|line| line.text.len());
        lines.sum::<usize>() + self.message_id.len() + self.sender.len() + self.subject.len()
    }
}

/// What is counted, and how it is told.
type Item = (String, String);

/// What changes of a message with this body; nothing if nothing does.
pub(super) fn compare(before: &Verdict, after: &Verdict, body: &str) -> Vec<Changed> {
    let lists = |kind, items: fn(&Verdict) -> Vec<Item>| changed(kind, &items(before), &items(after));
    let mut changes: Vec<Changed> = [
        lists(Kind::Outcome, outcome),
        lists(Kind::Actions, |verdict| verdict.report.actions.iter().map(action).collect()),
        lists(Kind::Fields, fields),
        cuts(&before.report, &after.report, body),
        lists(Kind::Warnings, |verdict| {
            verdict.report.warnings.iter().map(|text| (String::new(), text.clone())).collect()
        }),
    ]
    .into_iter()
    .flatten()
    .collect();
    for change in &mut changes {
        change.counted.retain(|(name, _)| !name.is_empty());
        let more = change.lines.len().saturating_sub(LINES_MAX);
        if more > 0 {
            change.lines.truncate(LINES_MAX);
            change.lines.push(Line { sign: Sign::Both, text: format!("… {more} more lines") });
        }
    }
    changes
}

/// The change of a list of things that are told in a line each.
fn changed(kind: Kind, before: &[Item], after: &[Item]) -> Option<Changed> {
    if before == after {
        return None;
    }
    let mut change = Changed { kind, lines: Vec::new(), counted: Vec::new() };
    let mut add = |items: &[Item], sign| {
        for (name, text) in items {
            change.lines.push(Line { sign, text: shortened(text) });
            change.counted.push((name.clone(), sign));
        }
    };
    for op in capture_diff_slices(Algorithm::Myers, before, after) {
        if op.tag() != DiffTag::Equal {
            add(before.get(op.old_range()).unwrap_or_default(), Sign::Gone);
            add(after.get(op.new_range()).unwrap_or_default(), Sign::New);
        }
    }
    Some(change)
}

fn outcome(verdict: &Verdict) -> Vec<Item> {
    let (name, text) = match &verdict.plan {
        Ok(plan) => match &plan.outcome {
            Outcome::Accepted => ("accepted", "accepted".to_owned()),
            Outcome::Rejected { reason } => ("rejected", format!("rejected: {reason}")),
            Outcome::Ignored { reason } => ("ignored", format!("ignored: {reason}")),
        },
        Err(cause) => {
            let step = cause.step.as_ref().map(|step| format!(", step \"{step}\"")).unwrap_or_default();
            ("quarantined", format!("quarantined at {}{step}: {}", cause.hop, cause.reason))
        }
    };
    vec![(name.to_owned(), text)]
}

/// An action, whichever statement asked for it.
fn action(action: &Action) -> Item {
    let mut text = action.verb.clone();
    for argument in &action.arguments {
        // Writing to a string cannot fail.
        let _ = write!(text, " {}={:?}", argument.name, argument.value.to_string());
    }
    (action.verb.clone(), text)
}

/// The fields by name: their order means nothing.
fn fields(verdict: &Verdict) -> Vec<Item> {
    let fields = verdict.report.fields.iter();
    let mut fields: Vec<Item> =
        fields.map(|field| (field.name.clone(), format!("{} = {}", field.name, field.value))).collect();
    fields.sort();
    fields
}

/// Which cuts are proposed, and what text is left.
fn cuts(before: &Report, after: &Report, body: &str) -> Option<Changed> {
    let items = |report: &Report| -> Vec<Item> {
        let mut cuts: Vec<_> = report.body.cuts.iter().collect();
        cuts.sort_by_key(|cut| (cut.span.start, cut.span.end));
        let told = cuts.into_iter().map(|cut| {
            let name = format!("{}: {}", cut.step, cut.rule);
            let with = cut.replacement.as_ref().map(|text| format!(", replaced by {text:?}")).unwrap_or_default();
            let (start, end) = (cut.span.start, cut.span.end);
            let piece = short(body.get(cut.span.range()).unwrap_or_default().trim(), PIECE_CHARS_MAX);
            let text = format!("cut \"{piece}\" as {}, by {name}{with} (bytes {start} to {end})", cut.kind);
            (name, text)
        });
        told.collect()
    };
    let list = changed(Kind::Cuts, &items(before), &items(after));
    let texts = before.body.left.as_ref().zip(after.body.left.as_ref()).filter(|(before, after)| before != after);
    let mut change = match (list, texts) {
        (None, None) => return None,
        (list, _) => list.unwrap_or(Changed { kind: Kind::Cuts, lines: Vec::new(), counted: Vec::new() }),
    };
    if let Some((before, after)) = texts {
        change.lines.push(Line { sign: Sign::Both, text: "text that is left:".to_owned() });
        change.lines.extend(text_lines(before, after));
    }
    Some(change)
}

/// The lines of two texts that differ, with one line around them.
fn text_lines(before: &str, after: &str) -> Vec<Line> {
    let lines = |text: &'_ str| -> Vec<String> { text.lines().take(TEXT_LINES_MAX).map(str::to_owned).collect() };
    let (before, after) = (lines(before), lines(after));
    let mut found = Vec::new();
    let mut add = |lines: &[String], sign| {
        found.extend(lines.iter().map(|line| Line { sign, text: shortened(line) }));
    };
    for op in group_diff_ops(capture_diff_slices(Algorithm::Myers, &before, &after), 1).into_iter().flatten() {
        if op.tag() == DiffTag::Equal {
            add(before.get(op.old_range()).unwrap_or_default(), Sign::Both);
        } else {
            add(before.get(op.old_range()).unwrap_or_default(), Sign::Gone);
            add(after.get(op.new_range()).unwrap_or_default(), Sign::New);
        }
    }
    if found.is_empty() {
        found.push(Line {
            sign: Sign::Both,
            text: format!("(it differs only in blanks at its end, or beyond line {TEXT_LINES_MAX})"),
        });
    }
    found
}

fn shortened(text: &str) -> String {
    if text.chars().count() <= LINE_CHARS_MAX {
        return text.to_owned();
    }
    text.chars().take(LINE_CHARS_MAX - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(lines: &[Line]) -> Vec<String> {
        lines.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn lists_are_compared_item_by_item() {
        let items = |names: &str| -> Vec<Item> {
            names.split_whitespace().map(|name| (name.to_owned(), format!("{name}!"))).collect()
        };
        let check = |before: &str, after: &str, expect: &[&str]| {
            let change = changed(Kind::Fields, &items(before), &items(after));
            assert_eq!(change.map(|change| told(&change.lines)).unwrap_or_default(), expect, "{before} | {after}");
        };
        check("a b", "a b", &[]);
        check("a b", "a c", &["- b!", "+ c!"]);
        check("a", "a b", &["+ b!"]);
        check("", "", &[]);
    }

    #[test]
    fn texts_are_compared_line_by_line() {
        let check = |before: &str, after: &str, expect: &[&str]| {
            assert_eq!(told(&text_lines(before, after)), expect, "{before:?} | {after:?}");
        };
        check("a\nb\nc\nd\n", "a\nb\nc\n", &["  c", "- d"]);
        check("a\nb\nc\nd\ne", "a\nb\nx\nd\ne", &["  b", "- c", "+ x", "  d"]);
        let same = format!("  (it differs only in blanks at its end, or beyond line {TEXT_LINES_MAX})");
        check("a\n", "a", &[&same]);
    }

    #[test]
    fn what_is_long_is_shortened() {
        assert_eq!(shortened(&"ä".repeat(LINE_CHARS_MAX)).chars().count(), LINE_CHARS_MAX);
        let long = shortened(&"ä".repeat(LINE_CHARS_MAX + 1));
        assert_eq!((long.chars().count(), long.ends_with('…')), (LINE_CHARS_MAX, true));
    }
}
