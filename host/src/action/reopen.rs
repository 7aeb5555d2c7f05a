//! `reopen`: work on a ticket goes on.

use super::Facts;
use super::edit::{Edit, NewStatus};
use super::verb::{Argument, Arguments, Fault, Step, Verb};

pub(super) const VERB: Verb = Verb {
    name: "reopen",
    phrase: "reopen the ticket",
    summary: "sets the status of a ticket to the one that `reopen` in rules/classes.toml names for its class",
    arguments: &[Argument::TICKET],
    plan,
    fault: |_| None,
    verdict: false,
    creates: false,
};

fn plan(arguments: &Arguments<'_>, facts: &Facts<'_>) -> Result<Step, Fault> {
    Ok(Step::Edit { ticket: arguments.named_ticket(facts)?, edit: Edit::Status(NewStatus::Reopened) })
}
