//! `assign`: somebody is to work on a ticket.

use super::edit::Edit;
use super::verb::{Argument, Arguments, Fault, Step, Verb};
use super::written::Written;
use super::{Facts, Update};
use crate::field::ValueType::Text;

pub(super) const VERB: Verb = Verb {
    name: "assign",
    phrase: "assign the ticket",
    summary: "says who is to work on the ticket that an earlier action creates, or else on the one that the message \
              follows up: what is not given is nobody",
    arguments: &[
        Argument::optional("person", Text, "the person, as the desk calls them"),
        Argument::optional("group", Text, "the group"),
        Argument::TICKET,
    ],
    plan,
    fault,
    verdict: false,
    creates: false,
};

fn fault(written: &Written<'_>) -> Option<Fault> {
    let is_given = written.has("person", false) || written.has("group", false);
    (!is_given).then(nobody)
}

fn nobody() -> Fault {
    Fault::Nothing { arguments: "person, group".to_owned() }
}

fn plan(arguments: &Arguments<'_>, facts: &Facts<'_>) -> Result<Step, Fault> {
    let (person, group) = (arguments.line("person")?, arguments.line("group")?);
    if person.is_none() && group.is_none() {
        return Err(nobody());
    }
    // Whoever had it before has it no more.
    let update = Update { person: person.or_else(none), group: group.or_else(none), ..Update::default() };
    Ok(Step::Edit { ticket: arguments.named_ticket(facts)?, edit: Edit::Attributes(update) })
}

fn none() -> Option<String> {
    Some(String::new())
}
