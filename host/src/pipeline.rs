//! The pipeline: hops 2 to 7 for one message, top to bottom. The only place that holds their order.
//!
//! It is a pure function of the bytes, the conversation, the rule set and the message's own time (invariant 3), so any
//! stored message can be run again with the same result.

use crate::action::{self, Change, Plan};
use crate::class::Class;
use crate::config::ApplyTo;
use crate::content;
use crate::mailbox::RawMessage;
use crate::message::document::CutKinds;
use crate::message::{self, AttachmentLimits, Message};
use crate::outgoing::{Occasion, Outlets};
use crate::plugin::capabilities::Level;
use crate::report::{Cause, Report, micros};
use crate::rules::{Instances, StepFault};
use crate::thread::{self, Conversation, Tags, ThreadKeys, Threading};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How a job wants its messages cleaned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cleaning {
    /// The preprocessing steps that look at the message, by name, in order.
    pub steps: Vec<String>,
    /// The kinds of cut that are applied.
    pub kinds: CutKinds,
    /// When.
    pub apply_to: ApplyTo,
}

impl Cleaning {
    fn applies(&self, conversation: &Conversation) -> bool {
        match self.apply_to {
            ApplyTo::All => true,
            ApplyTo::ActiveFollowUps => matches!(conversation, Conversation::Active(_)),
        }
    }

    /// Why no step looks at a message; none if some do.
    fn skipped(&self, conversation: &Conversation) -> Option<&'static str> {
        if self.steps.is_empty() {
            Some("the job has no preprocess step enabled")
        } else if self.kinds == CutKinds::NONE {
            Some("the job applies no kind of cut")
        } else if self.applies(conversation) {
            None
        } else {
            Some("the job cleans follow-ups of active tickets only, and this is none")
        }
    }
}

/// Hop 2: a message, and what it refers to.
#[derive(Debug, Clone)]
pub struct Parsed {
    /// The raw message.
    pub raw: RawMessage,
    /// The message.
    pub message: Arc<Message>,
    /// What it refers to.
    pub keys: ThreadKeys,
    /// How long that took.
    pub took: Duration,
}

/// Hop 2: decodes a raw message, says which attachments go to a ticket, and works out the digest under which it is stored.
///
/// # Errors
/// Whatever the message is, it is decoded; but its bytes may not be readable.
pub fn parse(raw: RawMessage, tags: &Tags, limits: &AttachmentLimits) -> Result<Parsed, content::Error> {
    let begun = Instant::now();
    let mut message = message::read(&raw.content, raw.received)?;
    limits.apply(&mut message.attachments);
    let message = Arc::new(message);
    let keys = thread::keys(&message, tags);
    // Here, on a worker, because there is only one committer.
    raw.content.sha256()?;
    Ok(Parsed { raw, message, keys, took: begun.elapsed() })
}

/// What the rules made of a message.
#[derive(Debug, Clone)]
pub struct Verdict {
    /// What to do; or why the message is to be quarantined.
    pub plan: Result<Plan, Cause>,
    /// How it came to that.
    pub report: Report,
}

/// Hops 4 to 7: preprocess, extract, statements, plan. A message that hop 3 holds goes no further.
#[must_use]
pub fn run(
    instances: &mut Instances,
    parsed: &Parsed,
    threading: &Threading,
    cleaning: &Cleaning,
    outlets: &Outlets,
) -> Verdict {
    let message = &parsed.message;
    let mut report = Report::begin(&instances.revision().to_string(), message, parsed.raw.content.len(), threading);
    report.micros.parse = micros(parsed.took);
    report.warnings.extend(parsed.keys.forged.iter().map(|id| forged(&id.0)));
    report.warnings.extend(refused_attachments(message));
    let plan = match &threading.held {
        Some(reason) => {
            report.body.skipped = Some("the message is held for a person to decide".to_owned());
            Err(held(reason))
        }
        None => hops(instances, message, &threading.conversation, cleaning, outlets, &mut report),
    };
    report.warnings.extend(logged_warnings(&report.steps));
    match &plan {
        Ok(plan) => {
            report.warnings.extend(unaddressed(plan));
            report.plan = Some(plan.clone());
        }
        Err(cause) => report.quarantine = Some(cause.clone()),
    }
    Verdict { plan, report }
}

fn held(reason: &str) -> Cause {
    Cause { hop: "thread".to_owned(), step: None, reason: reason.to_owned(), class: Class::Permanent }
}

fn hops(
    instances: &mut Instances,
    message: &Arc<Message>,
    conversation: &Conversation,
    cleaning: &Cleaning,
    outlets: &Outlets,
    report: &mut Report,
) -> Result<Plan, Cause> {
    let mut lap = Lap::begin();
    let applied = if cleaning.applies(conversation) { cleaning.kinds } else { CutKinds::NONE };
    report.body.skipped = cleaning.skipped(conversation).map(str::to_owned);
    if applied != CutKinds::NONE {
        let preprocessed = instances.preprocess(message, conversation, &cleaning.steps);
        warn_of_faults(&preprocessed.steps, report);
        report.body.cuts = preprocessed.cuts;
        report.body.idle = preprocessed.idle;
        report.steps.extend(preprocessed.steps);
        report.body.applied = applied;
        let view = message.document.view(&report.body.cuts, applied);
        if view.kept_all() {
            report.warnings.push("the rules would have cut all of the text, so nothing was cut".to_owned());
        }
    }
    report.micros.preprocess = lap.micros();
    let cuts = &report.body.cuts;
    let extracted = instances
        .extract(message, conversation, cuts, applied)
        .map_err(|fault| give_up("extract", fault, &mut report.steps))?;
    report.steps.extend(extracted.steps);
    report.fields = extracted.fields;
    report.sources = extracted.sources;
    report.micros.extract = lap.micros();

    let processed = instances
        .process(message, conversation, &report.body.cuts, applied, &report.fields)
        .map_err(|fault| give_up("process", fault, &mut report.steps))?;
    report.steps.extend(processed.steps);
    report.decisions = processed.decisions;
    report.actions = processed.actions;
    report.warnings.extend(action::shorten(&mut report.actions));
    report.micros.statements = lap.micros();

    let view = message.document.view(&report.body.cuts, applied);
    let occasion = Occasion::of(message);
    let body = message::marked_text(message, &view);
    let facts = action::Facts {
        sender: message.sender.as_ref(),
        recipients: &message.recipients,
        subject: &message.subject,
        body: &body,
        conversation,
        classes: instances.classes(),
        sending: action::Sending { occasion: Some(&occasion), outlets: Some(outlets), fields: &report.fields },
    };
    let plan = action::plan(&report.actions, &facts);
    report.body.left = Some(view.text().to_owned());
    report.micros.plan = lap.micros();
    plan.map_err(|error| Cause {
        hop: "plan".to_owned(),
        step: None,
        reason: error.to_string(),
        class: Class::Permanent,
    })
}

/// A watch that says how long each part took.
struct Lap(Instant);

impl Lap {
    fn begin() -> Self {
        Self(Instant::now())
    }

    /// Microseconds since the part before this one ended.
    fn micros(&mut self) -> u64 {
        let now = Instant::now();
        micros(now - std::mem::replace(&mut self.0, now))
    }
}

/// What is said of a Message-ID that is made up.
fn forged(id: &str) -> String {
    format!("the message answers <{id}>, which looks like a mail of this desk but is none: that leads to no ticket")
}

/// What is said of mail that a rule wanted sent to what turned out to be no address.
fn unaddressed(plan: &Plan) -> impl Iterator<Item = String> {
    plan.changes.iter().filter_map(|change| match change {
        Change::Send { outgoing, withheld: Some(reason), .. } if outgoing.is_unaddressed() => {
            Some(format!("not sent: {}: {reason}", outgoing.describe()))
        }
        _ => None,
    })
}

fn warn_of_faults(steps: &[crate::rules::StepReport], report: &mut Report) {
    for step in steps {
        if let Some(fault) = &step.fault {
            report.warnings.push(format!("step \"{}\": {fault}; its cuts were dropped", step.step));
        }
        report.warnings.extend(step.warnings.iter().map(|warning| format!("step \"{}\": {warning}", step.step)));
    }
}

fn refused_attachments(message: &Message) -> impl Iterator<Item = String> {
    let refused = message.attachments.iter().enumerate();
    refused.filter_map(|(index, attachment)| {
        let reason = attachment.refused.as_ref()?;
        let name = if attachment.name.is_empty() { "without a name" } else { &attachment.name };
        Some(format!("attachment {} ({name}) does not go to a ticket: {reason}", index + 1))
    })
}

/// What the plugins warn of, such as a value that does not fit its field.
fn logged_warnings(steps: &[crate::rules::StepReport]) -> Vec<String> {
    let lines = steps.iter().flat_map(|step| step.log.iter().map(move |line| (step, line)));
    let warnings = lines.filter(|(_, line)| line.level >= Level::Warn);
    warnings.map(|(step, line)| format!("step \"{}\": {}", step.step, line.text)).collect()
}

fn give_up(hop: &str, fault: StepFault, steps: &mut Vec<crate::rules::StepReport>) -> Cause {
    steps.extend(fault.steps);
    Cause { hop: hop.to_owned(), step: Some(fault.step), reason: fault.sentence, class: Class::Permanent }
}
