//! Coverage: which rules, fields and branches the own tests reach, as far as reports of runs say.
//!
//! A report names the rule of each cut, each field that has a value and each condition that was looked at. So a rule
//! counts as reached once it has proposed a cut, a field once it has a value, and a branch once its condition held. What
//! a report does not say is not known here: that a rule matched what another had cut before, for one.

use super::check::TestRun;
use super::run::Processed;
use super::{Hop, RuleSet, Step};
use crate::field::{Entry, Value};
use crate::message::document::Cut;
use crate::plugin::Decision;
use serde::Serialize;
use serde_json::Value as Json;
use std::collections::BTreeSet;
use std::path::Path;

/// What joins the names of nested statements.
const INSIDE: &str = " / ";

/// What one run of a test reached.
#[derive(Debug, Clone, Default)]
pub(super) struct Reached {
    /// Step and rule of each cut.
    cuts: BTreeSet<(String, String)>,
    /// Fields that have a value.
    fields: BTreeSet<String>,
    decisions: Vec<Decision>,
    /// The statements that asked for something.
    acted: BTreeSet<String>,
}

impl Reached {
    pub(super) fn cuts(&mut self, cuts: &[Cut]) {
        self.cuts.extend(cuts.iter().map(|cut| (cut.step.clone(), cut.rule.clone())));
    }

    pub(super) fn fields(&mut self, fields: &[Entry]) {
        let made = fields.iter().filter(|field| field.value != Value::None);
        self.fields.extend(made.map(|field| field.name.clone()));
    }

    pub(super) fn statements(&mut self, done: &Processed) {
        self.decisions.extend_from_slice(&done.decisions);
        self.acted.extend(done.actions.iter().map(|action| action.statement.clone()));
    }

    /// Whether the statement or one in it was looked at or asked for something.
    fn entered(&self, name: &str) -> bool {
        let is_it =
            |other: &str| other == name || other.strip_prefix(name).is_some_and(|rest| rest.starts_with(INSIDE));
        self.acted.iter().any(|other| is_it(other)) || self.decisions.iter().any(|decision| is_it(&decision.statement))
    }

    /// Which of the conditions of a statement held; none if they were not looked at.
    fn taken(&self, name: &str) -> Option<Taken> {
        let mut decisions = self.decisions.iter().filter(|decision| decision.statement == name).peekable();
        decisions.peek()?;
        Some(decisions.position(|decision| decision.holds).map_or(Taken::Else, Taken::Condition))
    }
}

/// The branch of a statement that was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Taken {
    /// The one of this condition, counted from 0.
    Condition(usize),
    /// No condition held.
    Else,
}

/// How far the tests reach into the rules of one step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Coverage {
    /// The step.
    pub step: String,
    /// Where it stands.
    pub hop: Hop,
    /// What there is to reach, in the order of the files.
    pub places: Vec<Place>,
}

/// Something in the rules that a test can reach.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Place {
    /// What it is, such as `rule "dashes"` or `statement "printers", else`.
    pub what: String,
    /// Whether a test reaches it.
    pub reach: Reach,
}

/// Whether a test reaches something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reach {
    /// One does.
    Reached,
    /// None does.
    Missed,
    /// The reports do not tell: there are several of the same name.
    Unknown,
}

/// The coverage of the steps whose rules stand in these files.
pub(super) fn of(set: &RuleSet, runs: &[TestRun], is_wanted: impl Fn(&Path) -> bool) -> Vec<Coverage> {
    let is_wanted = |step: &&Step| step.files.sources.iter().any(|source| is_wanted(source.path()));
    let steps = set.steps.iter().filter(is_wanted);
    steps.map(|step| Coverage { step: step.name.to_string(), hop: step.hop, places: places(step, runs) }).collect()
}

fn places(step: &Step, runs: &[TestRun]) -> Vec<Place> {
    let any = |is_reached: &dyn Fn(&Reached) -> bool| {
        if runs.iter().any(|run| is_reached(&run.reached)) { Reach::Reached } else { Reach::Missed }
    };
    match step.hop {
        Hop::Preprocess => {
            let cut_by = |rule: Option<&str>| {
                let is_it = |(by, name): &(String, String)| **by == *step.name && rule.is_none_or(|rule| rule == name);
                any(&|reached| reached.cuts.iter().any(is_it))
            };
            let whole = Place { what: "any cut of the step".to_owned(), reach: cut_by(None) };
            let rules = named(&step.files.rules);
            let rules =
                rules.map(|(list, name)| Place { what: format!("{list} \"{name}\""), reach: cut_by(Some(name)) });
            std::iter::once(whole).chain(rules).collect()
        }
        Hop::Extract => {
            let fields = named(&step.files.rules);
            let made = |name: &str| any(&|reached| reached.fields.contains(name));
            fields.map(|(list, name)| Place { what: format!("{list} \"{name}\""), reach: made(name) }).collect()
        }
        Hop::Process => {
            let mut branches = Vec::new();
            for statement in step.files.rules.get("statement").and_then(Json::as_array).into_iter().flatten() {
                branches_of(statement, name_of(statement).unwrap_or_default(), &mut branches);
            }
            statement_places(&branches, any)
        }
    }
}

fn statement_places(branches: &[Branch], any: impl Fn(&dyn Fn(&Reached) -> bool) -> Reach) -> Vec<Place> {
    let alike = |name: &str| branches.iter().filter(|other| other.first && other.statement == name).count();
    let mut places: Vec<Place> = Vec::new();
    for branch in branches {
        let place = match alike(&branch.statement) {
            1 => Place { what: branch.to_string(), reach: any(&|reached| branch.is_taken(reached)) },
            // Reports do not tell them apart.
            many => {
                Place { what: format!("the {many} statements named \"{}\"", branch.statement), reach: Reach::Unknown }
            }
        };
        if !places.contains(&place) {
            places.push(place);
        }
    }
    places
}

/// The named tables of all lists: the key of the list, and the name.
fn named(rules: &Json) -> impl Iterator<Item = (&str, &str)> {
    let lists = rules.as_object().into_iter().flatten();
    let items = lists.filter_map(|(key, list)| Some((key.as_str(), list.as_array()?)));
    items.flat_map(|(key, list)| list.iter().filter_map(move |item| Some((key, name_of(item)?))))
}

fn name_of(table: &Json) -> Option<&str> {
    table.get("name")?.as_str()
}

/// A branch of a statement.
#[derive(Debug)]
struct Branch {
    /// The statement's name, as reports have it.
    statement: String,
    /// Whether it is the first one of its statement.
    first: bool,
    kind: BranchKind,
}

#[derive(Debug, Clone, Copy)]
enum BranchKind {
    /// The only one of a statement without a condition.
    Always,
    /// The one of this condition, counted from 0.
    Condition(usize),
    /// `else`.
    Else,
}

impl Branch {
    fn is_taken(&self, reached: &Reached) -> bool {
        match self.kind {
            BranchKind::Always => reached.entered(&self.statement),
            BranchKind::Condition(at) => reached.taken(&self.statement) == Some(Taken::Condition(at)),
            BranchKind::Else => reached.taken(&self.statement) == Some(Taken::Else),
        }
    }
}

impl std::fmt::Display for Branch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "statement \"{}\"", self.statement)?;
        match self.kind {
            BranchKind::Always => Ok(()),
            BranchKind::Condition(0) => f.write_str(", then"),
            BranchKind::Condition(at) => write!(f, ", else_if {at}"),
            BranchKind::Else => f.write_str(", else"),
        }
    }
}

/// The branches of a statement and of those in it, top to bottom.
fn branches_of(table: &Json, name: &str, out: &mut Vec<Branch>) {
    let has_condition = table.get("if").is_some();
    let kind = if has_condition { BranchKind::Condition(0) } else { BranchKind::Always };
    let mut add = |kind, steps: Option<&Json>| {
        out.push(Branch { statement: name.to_owned(), first: is_first(kind), kind });
        for step in steps.and_then(Json::as_array).into_iter().flatten().filter(|step| step.get("do").is_none()) {
            let inner = name_of(step).map_or_else(|| name.to_owned(), |own| format!("{name}{INSIDE}{own}"));
            branches_of(step, &inner, out);
        }
    };
    add(kind, table.get("then"));
    let others = table.get("else_if").and_then(Json::as_array).into_iter().flatten();
    for (at, other) in (1..).zip(others) {
        add(BranchKind::Condition(at), other.get("then"));
    }
    if let Some(steps) = table.get("else") {
        add(BranchKind::Else, Some(steps));
    }
}

fn is_first(kind: BranchKind) -> bool {
    matches!(kind, BranchKind::Always | BranchKind::Condition(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decision(statement: &str, holds: bool) -> Decision {
        Decision { statement: statement.to_owned(), condition: String::new(), holds }
    }

    #[test]
    fn branches_are_told_from_decisions() {
        let statement = serde_json::json!({
            "name": "a", "if": "x", "then": [{ "do": "ignore" }, { "name": "b", "if": "y", "then": [], "else": [] }],
            "else_if": [{ "if": "z", "then": [] }], "else": [],
        });
        let mut branches = Vec::new();
        branches_of(&statement, "a", &mut branches);
        let check = |decisions: &[Decision], expect: &[&str]| {
            let reached = Reached { decisions: decisions.to_vec(), ..Reached::default() };
            let taken = branches.iter().filter(|branch| branch.is_taken(&reached)).map(ToString::to_string);
            assert_eq!(taken.collect::<Vec<_>>(), expect, "{decisions:?}");
        };
        check(&[], &[]);
        check(&[decision("a", true)], &["statement \"a\", then"]);
        check(&[decision("a", false), decision("a", true)], &["statement \"a\", else_if 1"]);
        check(&[decision("a", false), decision("a", false)], &["statement \"a\", else"]);
        let both = ["statement \"a\", then", "statement \"a / b\", else"];
        check(&[decision("a", true), decision("a / b", false)], &both);
        assert_eq!(branches.len(), 5, "{branches:?}");
    }
}
