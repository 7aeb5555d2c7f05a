//! What a replay comes to: counts, and the messages that change.

use super::{Difference, Kind, Outcome, Sign, shadow};
use crate::rules::Revision;
use crate::store::ShadowRow;
use serde::Serialize;
use std::collections::BTreeMap;

/// The most bytes of text of all messages that are kept; the others are counted.
pub const DIFFERENCES_BYTES_MAX: usize = 32 << 20;

/// What a replay comes to. For the same messages and rules always the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// The revision of the rules in force.
    pub in_force: Revision,
    /// The candidate's.
    pub candidate: Revision,
    /// How many messages were run.
    pub messages: u64,
    /// How many of them change.
    pub changed: u64,
    /// How many messages could not be run, and why.
    pub left_out: BTreeMap<LeftOut, u64>,
    /// In how many messages something of this kind changes.
    pub kinds: BTreeMap<Kind, u64>,
    /// What is gone and what is new of each kind, by name: an outcome, a verb, a field, or step and rule of a cut.
    pub details: BTreeMap<Kind, BTreeMap<String, Tally>>,
    /// The messages that change, oldest receipt first.
    pub differences: Vec<Difference>,
    /// How many more there are.
    pub not_shown: u64,
    #[serde(skip)]
    differences_max: usize,
    #[serde(skip)]
    bytes: usize,
}

/// How often something is gone and new.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Tally {
    /// It is there with the rules in force, and not with the candidate.
    pub gone: u64,
    /// The other way round.
    pub new: u64,
}

/// Why a message is not run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LeftOut {
    /// The log has forgotten its report, and so its conversation.
    ReportForgotten,
    /// Its report was written by another version.
    ReportUnreadable,
    /// Only its header was fetched.
    HeaderOnly,
    /// The job that handled it is gone.
    JobGone,
    /// Its bytes cannot be read.
    BytesUnreadable,
}

impl LeftOut {
    /// Why, as a clause.
    #[must_use]
    pub fn clause(self) -> &'static str {
        match self {
            Self::ReportForgotten => "the log has forgotten its report, and with it its conversation",
            Self::ReportUnreadable => "its report was written by another version",
            Self::HeaderOnly => "only its header was fetched",
            Self::JobGone => "the job that handled it is gone",
            Self::BytesUnreadable => "its bytes cannot be read",
        }
    }
}

impl Summary {
    pub(super) fn new(in_force: &Revision, candidate: &Revision, differences_max: usize) -> Self {
        Self {
            in_force: in_force.clone(),
            candidate: candidate.clone(),
            messages: 0,
            changed: 0,
            left_out: BTreeMap::new(),
            kinds: BTreeMap::new(),
            details: BTreeMap::new(),
            differences: Vec::new(),
            not_shown: 0,
            differences_max,
            bytes: 0,
        }
    }

    /// What was noted of a candidate beside live mail, keeping at most so many of the messages that change; none if
    /// nothing was noted.
    #[must_use]
    pub fn of_shadows(rows: &[ShadowRow], differences_max: usize) -> Option<Self> {
        let last = rows.last()?;
        let revision = |name: &str| Revision::named(name);
        let mut summary = Self::new(&revision(&last.in_force), &revision(&last.candidate), differences_max);
        for row in rows {
            summary.add(match shadow::kept(row) {
                Some(difference) => Outcome::Changed(Box::new(difference)),
                None => Outcome::Same,
            });
        }
        Some(summary)
    }

    pub(super) fn add(&mut self, outcome: Outcome) {
        let difference = match outcome {
            Outcome::LeftOut(why) => {
                *self.left_out.entry(why).or_default() += 1;
                return;
            }
            Outcome::Same => None,
            Outcome::Changed(difference) => Some(*difference),
        };
        self.messages += 1;
        let Some(difference) = difference else { return };
        self.changed += 1;
        for change in &difference.changes {
            *self.kinds.entry(change.kind).or_default() += 1;
            for (name, sign) in &change.counted {
                let tally = self.details.entry(change.kind).or_default().entry(name.clone()).or_default();
                match sign {
                    Sign::Gone => tally.gone += 1,
                    Sign::New => tally.new += 1,
                    Sign::Both => {}
                }
            }
        }
        let bytes = self.bytes.saturating_add(difference.bytes());
        if self.differences.len() < self.differences_max && bytes <= DIFFERENCES_BYTES_MAX {
            self.bytes = bytes;
            self.differences.push(difference);
        } else {
            self.not_shown += 1;
        }
    }
}
