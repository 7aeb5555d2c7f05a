//! Verdicts, added up by group, and what is aimed at.

use mailmill_tests::cleaning::{Case, Reasons, Verdict, judge};
use std::collections::BTreeMap;

/// A case with what became of it.
pub(crate) struct Answered {
    pub(crate) case: Case,
    pub(crate) answer: String,
    pub(crate) verdict: Verdict,
}

/// All sets of cases: title and cases.
pub(crate) struct Score {
    pub(crate) sets: Vec<(&'static str, Vec<Answered>)>,
    pub(crate) reasons: Reasons,
}

/// Verdicts of some cases, added up.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Tally {
    pub(crate) cases: usize,
    exact: usize,
    over: usize,
    under: usize,
}

/// How verdicts are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Measure {
    Exact,
    Over,
    Under,
}

/// A percentage that is aimed at.
pub(crate) struct Target {
    pub(crate) set: &'static str,
    pub(crate) group: &'static str,
    pub(crate) measure: Measure,
    pub(crate) percent: f64,
    pub(crate) found: f64,
}

/// What is aimed at: the set, the group, the measure and its bound.
const TARGETS: [(&str, &str, Measure, f64); 9] = [
    ("public replies", "all", Measure::Exact, 90.0),
    ("public replies", "all", Measure::Over, 1.5),
    ("public replies", "all", Measure::Under, 9.0),
    ("public replies", "html", Measure::Exact, 92.0),
    ("public replies", "html", Measure::Over, 2.0),
    ("public replies", "other languages", Measure::Exact, 88.0),
    ("public replies", "other languages", Measure::Over, 1.0),
    ("public forwards", "all", Measure::Exact, 97.0),
    ("public forwards", "all", Measure::Over, 1.0),
];
/// What stands in for the public cases where there are none.
const OWN: &str = "own cases";

impl Answered {
    pub(crate) fn new(case: Case, answer: String) -> Self {
        let verdict = judge(&case, &answer);
        Self { case, answer, verdict }
    }

    /// How it fails; none if it does not.
    pub(crate) fn failure(&self) -> Option<&'static str> {
        match self.verdict {
            Verdict { exact: true, .. } => None,
            Verdict { over: true, under: true, .. } => Some("too much and too little is cut"),
            Verdict { over: true, .. } => Some("too much is cut"),
            Verdict { under: true, .. } => Some("too little is cut"),
            Verdict { .. } => Some("the order is another"),
        }
    }
}

impl Tally {
    fn add(&mut self, verdict: Verdict) {
        self.cases += 1;
        self.exact += usize::from(verdict.exact);
        self.over += usize::from(verdict.over);
        self.under += usize::from(verdict.under);
    }

    /// How many of a hundred.
    #[expect(clippy::cast_precision_loss, reason = "there are some hundred cases")]
    pub(crate) fn percent(self, measure: Measure) -> f64 {
        let count = match measure {
            Measure::Exact => self.exact,
            Measure::Over => self.over,
            Measure::Under => self.under,
        };
        100.0 * count as f64 / self.cases.max(1) as f64
    }
}

impl Target {
    pub(crate) fn is_met(&self) -> bool {
        match self.measure {
            Measure::Exact => self.found >= self.percent,
            Measure::Over | Measure::Under => self.found <= self.percent,
        }
    }
}

impl Score {
    /// What is aimed at and what was reached: on the public cases, or else on our own.
    pub(crate) fn targets(&self) -> Vec<Target> {
        let reached = |(set, group, measure, percent): &(&'static str, &'static str, Measure, f64)| {
            let public = self.sets.iter().find(|(title, _)| title == set);
            let group = if public.is_none() && *set == "public forwards" { "quotes and forwards" } else { group };
            let (title, cases) = public.or_else(|| self.stand_in())?;
            let groups = groups(cases);
            let (_, tally) = groups.iter().find(|(name, _)| name == group)?;
            let found = tally.percent(*measure);
            Some(Target { set: title, group, measure: *measure, percent: *percent, found })
        };
        TARGETS.iter().filter_map(reached).collect()
    }

    fn stand_in(&self) -> Option<&(&'static str, Vec<Answered>)> {
        self.sets.iter().find(|(title, _)| *title == OWN && self.sets.len() == 1)
    }
}

/// The usual groups of a set of cases.
pub(crate) fn groups(cases: &[Answered]) -> Vec<(String, Tally)> {
    let mut groups = Groups::default();
    for answered in cases {
        let case = &answered.case;
        let language = if case.language == "en" { "english" } else { "other languages" };
        let format = if case.html { "html" } else { "text" };
        for (order, name) in ["all", format, language].into_iter().enumerate() {
            groups.add(order, name, answered.verdict);
        }
        groups.add(3, &case.policy(), answered.verdict);
    }
    groups.0.into_iter().map(|((_, name), tally)| (name, tally)).collect()
}

/// Groups by language.
pub(crate) fn by_language(cases: &[Answered]) -> Vec<(String, Tally)> {
    by(cases, |case| &case.language)
}

/// Groups by mail client.
pub(crate) fn by_client(cases: &[Answered]) -> Vec<(String, Tally)> {
    by(cases, |case| if case.client.is_empty() { "any" } else { &case.client })
}

fn by(cases: &[Answered], key: impl Fn(&Case) -> &str) -> Vec<(String, Tally)> {
    let mut groups = Groups::default();
    cases.iter().for_each(|answered| groups.add(0, key(&answered.case), answered.verdict));
    groups.0.into_iter().map(|((_, name), tally)| (name, tally)).collect()
}

/// Tallies by rank and name.
#[derive(Default)]
struct Groups(BTreeMap<(usize, String), Tally>);

impl Groups {
    fn add(&mut self, order: usize, name: &str, verdict: Verdict) {
        self.0.entry((order, name.to_owned())).or_default().add(verdict);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mailmill_tests::cleaning::Expect;

    fn answered(html: bool, language: &str, drop: &[&str], expect: &str, answer: &str) -> Answered {
        let case = Case {
            file: "f".into(),
            name: "n".into(),
            client: "gmail".into(),
            language: language.into(),
            html,
            drop: drop.iter().map(ToString::to_string).collect(),
            headers: BTreeMap::new(),
            input: String::new(),
            expect: Expect::Text(expect.into()),
        };
        Answered::new(case, answer.into())
    }

    fn shown(rows: Vec<(String, Tally)>) -> Vec<(String, usize, f64)> {
        rows.into_iter().map(|(name, tally)| (name, tally.cases, tally.percent(Measure::Exact))).collect()
    }

    #[test]
    fn cases_are_counted_in_their_groups() {
        let cases = [answered(true, "en", &["quote"], "a", "a"), answered(false, "de", &["quote"], "a", "a b")];
        let row = |name: &str, cases, exact| (name.to_owned(), cases, exact);
        let expect = [
            row("all", 2, 50.0),
            row("html", 1, 100.0),
            row("text", 1, 0.0),
            row("english", 1, 100.0),
            row("other languages", 1, 0.0),
            row("quotes", 2, 50.0),
        ];
        assert_eq!(shown(groups(&cases)), expect);
        assert_eq!(shown(by_language(&cases)), [row("de", 1, 0.0), row("en", 1, 100.0)]);
        assert_eq!(shown(by_client(&cases)), [row("gmail", 2, 50.0)]);
    }

    #[test]
    fn targets_are_met_or_missed() {
        let check = |set: &'static str, drop: &[&str], answer: &str, met: bool| {
            let cases = vec![answered(true, "de", drop, "a", answer)];
            let score = Score { sets: vec![(set, cases)], reasons: Reasons::new() };
            let targets = score.targets();
            assert!(!targets.is_empty(), "{set}");
            assert_eq!(targets.iter().all(Target::is_met), met, "{set}: {answer}");
        };
        for set in ["public replies", "own cases"] {
            check(set, &["quote"], "a", true);
            check(set, &["quote"], "a b", false);
        }
        for set in ["public forwards", "own cases"] {
            check(set, &["quote", "forward"], "a", true);
            check(set, &["quote", "forward"], "b", false);
        }
    }
}
