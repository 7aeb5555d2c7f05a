//! `create-ticket`: the message becomes a ticket.

use super::edit::of_class;
use super::verb::{Argument, Arguments, Choices, Fault, LINE_CHARS_MAX, Step, Verb, person};
use super::written::Written;
use super::{Assignment, Change, Facts};
use crate::field::ValueType::Text;
use crate::ticket::Status;

/// The subject of a ticket whose message has none.
const NO_SUBJECT: &str = "(no subject)";

pub(super) const VERB: Verb = Verb {
    name: "create-ticket",
    phrase: "create a ticket",
    summary: "creates a ticket of the message",
    arguments: &[
        Argument::required("class", Text, "the ticket's class, such as `incident`").one_of(Choices::Classes),
        Argument::optional("subject", Text, "its subject; else the message's").shortened(),
        Argument::optional("description", Text, "its description; else the message's body").prose().shortened(),
        Argument::optional("requester", Text, "who asks, as `Name <address>`; else the message's sender")
            .of_form(|text| person("requester", text).map(drop)),
        Argument::optional("status", Text, "its status; else the one that tickets of its class begin with")
            .one_of(Choices::Statuses),
        Argument::optional("person", Text, "who is to work on it"),
        Argument::optional("group", Text, "the group that is to work on it"),
    ],
    plan,
    fault,
    verdict: false,
    creates: true,
};

/// A status that tickets of the class have not.
fn fault(written: &Written<'_>) -> Option<Fault> {
    of_class(Status::new(written.constant("status")?), written.creates()?).err()
}

fn plan(arguments: &Arguments<'_>, facts: &Facts<'_>) -> Result<Step, Fault> {
    let spec = arguments.choice("class", facts, |name| facts.classes.get(name))?;
    let spec = spec.ok_or(Fault::MissingArgument { argument: "class" })?;
    Ok(Step::Change(Change::CreateTicket {
        class: spec.class.clone(),
        series: spec.series.clone(),
        status: match arguments.status() {
            Some(status) => of_class(status, spec)?,
            None => spec.initial.clone(),
        },
        subject: arguments.line("subject")?.unwrap_or_else(|| subject_of(facts)),
        description: arguments.prose("description")?.unwrap_or_else(|| facts.body.trim().to_owned()),
        requester: arguments.address("requester")?.or_else(|| facts.sender.cloned()).unwrap_or_default(),
        assignment: Assignment {
            person: arguments.line("person")?.unwrap_or_default(),
            group: arguments.line("group")?.unwrap_or_default(),
        },
        participants: Vec::new(),
        fields: Vec::new(),
    }))
}

/// The message's subject. A long one is shortened and not refused: whoever wrote it cannot mend the rules.
fn subject_of(facts: &Facts<'_>) -> String {
    let subject: String = facts.subject.trim().chars().take(LINE_CHARS_MAX).collect();
    if subject.is_empty() { NO_SUBJECT.to_owned() } else { subject }
}
