//! A rule set before its own tests, for those who want to see them run.

use super::check::{self, TestRun};
use super::coverage::{self, Coverage};
use super::expectation::{self, UpdateError};
use super::{Instances, RuleSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A rule set whose own tests have not run: it cannot come into force.
#[derive(Debug)]
pub struct Untested(Instances);

impl Untested {
    pub(super) fn new(instances: Instances) -> Self {
        Self(instances)
    }

    /// The rules.
    #[must_use]
    pub fn rules(&self) -> &RuleSet {
        self.0.set()
    }

    /// The rules, for trials.
    #[must_use]
    pub fn to_try(&self) -> Arc<RuleSet> {
        self.0.set().clone()
    }

    /// The rule files, in the order of the steps; one of several steps is named once.
    #[must_use]
    pub fn files(&self) -> Vec<PathBuf> {
        let sources = self.rules().steps().iter().flat_map(|step| &step.files.sources);
        let mut files = Vec::new();
        for path in sources.map(|source| source.path().to_owned()) {
            if !files.contains(&path) {
                files.push(path);
            }
        }
        files
    }

    /// Runs the tests that stand in these files.
    pub fn run_tests(&mut self, is_wanted: impl Fn(&Path) -> bool) -> Vec<TestRun> {
        check::run_those(&mut self.0, is_wanted)
    }

    /// What these runs reached of the rules in these files, and what they did not.
    #[must_use]
    pub fn coverage(&self, runs: &[TestRun], is_wanted: impl Fn(&Path) -> bool) -> Vec<Coverage> {
        coverage::of(self.rules(), runs, is_wanted)
    }
}

impl TestRun {
    /// The texts of the files in which these tests stand, so changed that what differed is expected. Comments and form
    /// stay. Each with its path and the text before.
    ///
    /// # Errors
    /// If an expectation is written in a form that cannot be changed in place.
    pub fn updated(runs: &[Self]) -> Result<Vec<expectation::Rewritten>, UpdateError> {
        expectation::updated(runs)
    }
}
