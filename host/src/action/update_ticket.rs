//! `update-ticket`: several attributes of a ticket at once.

use super::edit::{Edit, NewStatus};
use super::verb::{Argument, Arguments, Choices, Fault, Step, Verb, listed, person};
use super::written::Written;
use super::{Facts, Update};
use crate::field::ValueType::Text;

pub(super) const VERB: Verb = Verb {
    name: "update-ticket",
    phrase: "change the ticket",
    summary: "changes attributes of the ticket that an earlier action creates, or else of the one that the message \
              follows up",
    arguments: &[
        Argument::optional("subject", Text, "its new subject").shortened(),
        Argument::optional("status", Text, "its new status, such as `open`").one_of(Choices::Statuses),
        Argument::optional("requester", Text, "who asks, as `Name <address>`")
            .of_form(|text| person("requester", text).map(drop)),
        Argument::optional("person", Text, "who is to work on it"),
        Argument::optional("group", Text, "the group that is to work on it"),
        Argument::TICKET,
    ],
    plan,
    fault,
    verdict: false,
    creates: false,
};

fn attributes() -> impl Iterator<Item = &'static str> {
    VERB.arguments.iter().map(|argument| argument.name).filter(|name| *name != Argument::TICKET.name)
}

fn fault(written: &Written<'_>) -> Option<Fault> {
    if !attributes().any(|name| written.has(name, false)) {
        return Some(Fault::Nothing { arguments: listed(attributes()) });
    }
    written.fault_of_status(NewStatus::Named)
}

fn plan(arguments: &Arguments<'_>, facts: &Facts<'_>) -> Result<Step, Fault> {
    let update = Update {
        subject: arguments.line("subject")?,
        status: arguments.status(),
        requester: arguments.address("requester")?,
        person: arguments.line("person")?,
        group: arguments.line("group")?,
    };
    if update == Update::default() {
        return Err(Fault::Nothing { arguments: listed(attributes()) });
    }
    Ok(Step::Edit { ticket: arguments.named_ticket(facts)?, edit: Edit::Attributes(update) })
}
