//! Hops 4 to 6: running the steps of one revision over messages.

use super::{Hop, Revision, RuleSet, Step};
use crate::action::Action;
use crate::field::Entry;
use crate::message::Message;
use crate::message::document::{Cut, CutKinds};
use crate::plugin::capabilities::{Call, Effects, LogLine};
use crate::plugin::found::Found;
use crate::plugin::sight::Sight;
use crate::plugin::{Called, ConfigureError, Decision, Fault, Instance, Verdict};
use crate::thread::Conversation;
use crate::ticket::Classes;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;

/// What one step did, for the report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepReport {
    /// The step.
    pub step: String,
    /// Where it stands.
    pub hop: Hop,
    /// Its plugin, with its version.
    pub plugin: String,
    /// How long it took.
    pub time: Duration,
    /// How many cuts it made.
    pub cuts: usize,
    /// What it logged.
    pub log: Vec<LogLine>,
    /// How it failed, if it did.
    pub fault: Option<String>,
    /// What it had to do without: patterns that were given up.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// What hop 4 comes to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Preprocessed {
    /// The cuts of all kinds, in the order made.
    pub cuts: Vec<Cut>,
    /// The steps that ran.
    pub steps: Vec<StepReport>,
    /// How many steps were not called, because the message has nothing that they look for.
    pub idle: usize,
}

/// Where an extracted field comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldSource {
    /// The field.
    pub name: String,
    /// The step that made it.
    pub step: String,
    /// What the plugin says of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub found: Option<Found>,
}

/// What hop 5 comes to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Extracted {
    /// The fields. Of fields with the same name, the one that a later step made.
    pub fields: Vec<Entry>,
    /// Where they come from, in the same order.
    pub sources: Vec<FieldSource>,
    /// The steps that ran.
    pub steps: Vec<StepReport>,
}

/// What hop 6 comes to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Processed {
    /// What to do, in order.
    pub actions: Vec<Action>,
    /// How it came to that.
    pub decisions: Vec<Decision>,
    /// The steps that ran.
    pub steps: Vec<StepReport>,
}

/// A step that a message cannot do without has failed: the message is to be quarantined.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("step \"{step}\": {sentence}")]
pub struct StepFault {
    /// The step.
    pub step: String,
    /// How it failed.
    pub sentence: String,
    /// The steps that ran, the failed one last.
    pub steps: Vec<StepReport>,
}

/// One configured instance per step, for one worker and one revision. Instances are renewed after a fault, after many
/// messages and, for steps without `reuse`, after each message.
#[derive(Debug)]
pub struct Instances {
    set: Arc<RuleSet>,
    /// In the order of the set's steps; none: the next message gets a fresh one.
    idle: Vec<Option<Instance>>,
    /// Whether a preprocessing step that fails again and again is left out.
    suspends: bool,
}

impl RuleSet {
    /// Instances for one worker. Each is made when its step is first called: most steps have nothing to do in most
    /// messages, and what is never called takes no memory.
    #[must_use]
    pub fn instances(self: &Arc<Self>) -> Instances {
        Instances::with(self.clone(), self.steps.iter().map(|_| None).collect())
    }
}

impl Instances {
    /// Instances of the steps of a set, in their order; where there is none, it is made when the step is first called.
    pub(super) fn with(set: Arc<RuleSet>, idle: Vec<Option<Instance>>) -> Self {
        Self { set, idle, suspends: false }
    }

    /// The same, leaving out preprocessing steps that fail again and again, on whatever worker. What becomes of a message then depends
    /// on those before it, so this is for the daemon alone: tests, trials and replays call every step.
    #[must_use]
    pub fn that_suspend(self) -> Self {
        Self { suspends: true, ..self }
    }

    /// The rules that they run.
    pub(super) fn set(&self) -> &Arc<RuleSet> {
        &self.set
    }

    /// The revision that they run.
    #[must_use]
    pub fn revision(&self) -> &Revision {
        self.set.revision()
    }

    /// The classes of tickets.
    #[must_use]
    pub fn classes(&self) -> &Classes {
        self.set.classes()
    }

    /// Runs the preprocessing steps of these names, in this order; each sees what the ones before it have left. A
    /// fault drops that step's cuts, never the message. A name that the pipeline does not have is skipped, with a
    /// report that says so.
    pub fn preprocess(
        &mut self,
        message: &Arc<Message>,
        conversation: &Conversation,
        steps: &[String],
    ) -> Preprocessed {
        let mut done = Preprocessed::default();
        let mut sight = Arc::new(self.read(message, conversation, &[], CutKinds::ALL));
        for name in steps {
            let Some(index) = self.position(name) else {
                done.steps.push(missing(name));
                continue;
            };
            if self.set.steps.get(index).is_some_and(|step| !sight.concerns(&step.interest)) {
                done.idle += 1;
                continue;
            }
            if let Some(suspended) = self.suspended(index) {
                done.steps.push(suspended);
                continue;
            }
            let called = self.call(index, &sight, Instance::preprocess);
            self.note_health(index, &called);
            done.steps.extend(self.report(index, &called));
            if !called.effects.cuts.is_empty() {
                done.cuts.extend(called.effects.cuts);
                sight = Arc::new(sight.without(&done.cuts, CutKinds::ALL));
            }
            if called.result == Ok(Verdict::Stop) {
                break;
            }
        }
        done
    }

    /// Runs the extracting steps. They see the body without the `cuts` of these `kinds`, and the fields of the steps
    /// before them.
    ///
    /// # Errors
    /// If a step fails.
    pub fn extract(
        &mut self,
        message: &Arc<Message>,
        conversation: &Conversation,
        cuts: &[Cut],
        kinds: CutKinds,
    ) -> Result<Extracted, StepFault> {
        let mut done = Extracted::default();
        for index in self.of_hop(Hop::Extract) {
            let fields = Arc::new(done.fields.clone());
            let sight = Arc::new(self.read(message, conversation, cuts, kinds).with_fields(fields));
            let called = self.call(index, &sight, Instance::extract);
            done.steps.extend(self.report(index, &called));
            let made = called.result.map_err(|fault| self.fault(index, &fault, &done.steps))?;
            let step = self.set.steps.get(index).map(|step| step.name.to_string()).unwrap_or_default();
            let is_made = |name: &str| made.iter().any(|later| later.name == name);
            done.fields.retain(|field| !is_made(&field.name));
            done.sources.retain(|source| !is_made(&source.name));
            done.sources.extend(made.iter().map(|field| FieldSource {
                name: field.name.clone(),
                step: step.clone(),
                found: called.effects.found.iter().rfind(|found| found.name == field.name).cloned(),
            }));
            done.fields.extend(made);
        }
        Ok(done)
    }

    /// Runs the processing steps. They see the body without the `cuts` of these `kinds`, and the fields.
    ///
    /// # Errors
    /// If a step fails.
    pub fn process(
        &mut self,
        message: &Arc<Message>,
        conversation: &Conversation,
        cuts: &[Cut],
        kinds: CutKinds,
        fields: &[Entry],
    ) -> Result<Processed, StepFault> {
        let mut done = Processed::default();
        let sight = self.read(message, conversation, cuts, kinds).with_fields(Arc::new(fields.to_vec()));
        let sight = Arc::new(sight);
        for index in self.of_hop(Hop::Process) {
            let called = self.call(index, &sight, Instance::process);
            done.steps.extend(self.report(index, &called));
            let outcome = called.result.map_err(|fault| self.fault(index, &fault, &done.steps))?;
            done.actions.extend(outcome.actions);
            done.decisions.extend(outcome.decisions);
            if outcome.stop {
                break;
            }
        }
        Ok(done)
    }

    /// Runs one step, on a fresh instance if need be.
    fn call<T>(
        &mut self,
        index: usize,
        sight: &Arc<Sight>,
        run: impl FnOnce(&mut Instance, Call) -> Called<T>,
    ) -> Called<T> {
        let failed = |fault| Called { effects: Effects::default(), result: Err(fault), time: Duration::ZERO };
        let (Some(step), Some(idle)) = (self.set.steps.get(index), self.idle.get_mut(index)) else {
            return failed(Fault::Room("there is no such step".into()));
        };
        let mut instance = match idle.take().map_or_else(|| step.instance(), Ok) {
            Ok(instance) => instance,
            Err(ConfigureError::Fault(fault)) => return failed(fault),
            Err(error @ ConfigureError::Rules(_)) => {
                return failed(Fault::Failure { reason: error.to_string(), rule: None });
            }
        };
        let called = run(&mut instance, Call::new(sight.clone(), step.name.clone()));
        if step.reuse && !instance.is_spent() {
            *idle = Some(instance);
        }
        called
    }

    fn read(&self, message: &Arc<Message>, conversation: &Conversation, cuts: &[Cut], kinds: CutKinds) -> Sight {
        let (conversation, scanners) = (Arc::new(conversation.clone()), self.set.scanners().clone());
        Sight::new(message.clone(), conversation, Arc::default(), cuts, kinds, scanners)
    }

    fn of_hop(&self, hop: Hop) -> Vec<usize> {
        let steps = self.set.steps.iter().enumerate();
        steps.filter(|(_, step)| step.hop == hop).map(|(index, _)| index).collect()
    }

    /// The report of a step that is left out, if it is.
    fn suspended(&self, index: usize) -> Option<StepReport> {
        let step = self.set.steps.get(index).filter(|_| self.suspends)?;
        let suspension = step.health.suspension()?;
        let warnings = vec![suspension.to_string()];
        Some(StepReport { plugin: plugin_of(step), fault: None, warnings, ..missing(&step.name) })
    }

    fn note_health<T>(&self, index: usize, called: &Called<T>) {
        let Some(step) = self.set.steps.get(index).filter(|_| self.suspends) else { return };
        let Err(fault) = &called.result else { return step.health.succeeded() };
        let suspend = |faults| step.suspended(faults, fault.to_string(), None);
        if let Some(suspension) = step.health.failed(step.component.faults_in_a_row_max(), suspend) {
            tracing::warn!(step = &*step.name, plugin = suspension.plugin, "a step is left out: {suspension}");
        }
    }

    fn position(&self, name: &str) -> Option<usize> {
        self.set.preprocess.get(name).copied()
    }

    fn report<T>(&self, index: usize, called: &Called<T>) -> Option<StepReport> {
        let step = self.set.steps.get(index)?;
        Some(StepReport {
            step: step.name.to_string(),
            hop: step.hop,
            plugin: plugin_of(step),
            time: called.time,
            cuts: called.effects.cuts.len(),
            log: called.effects.log.clone(),
            fault: called.result.as_ref().err().map(ToString::to_string),
            warnings: called.effects.given_up.iter().map(|given_up| step.files.blame(given_up)).collect(),
        })
    }

    fn fault(&self, index: usize, fault: &Fault, steps: &[StepReport]) -> StepFault {
        let step = self.set.steps.get(index).map(|step| step.name.to_string()).unwrap_or_default();
        StepFault { step, sentence: fault.to_string(), steps: steps.to_vec() }
    }
}

fn plugin_of(step: &Step) -> String {
    let about = step.component.about();
    format!("{} {}", about.name, about.version)
}

/// The report of a step that the pipeline does not have.
fn missing(name: &str) -> StepReport {
    StepReport {
        step: name.to_owned(),
        hop: Hop::Preprocess,
        plugin: String::new(),
        time: Duration::ZERO,
        cuts: 0,
        log: Vec::new(),
        fault: Some(format!("pipeline.toml has no preprocess step `{name}`")),
        warnings: Vec::new(),
    }
}
