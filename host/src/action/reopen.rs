//! `reopen`: work on a ticket goes on.

use super::verb::{Argument, Arguments, Fault, Step, Verb, class_followed_up};
use super::{Change, Facts};

pub(super) const VERB: Verb = Verb {
    name: "reopen",
    summary: "sets the status of a ticket to the one that `reopen` in rules/classes.toml names for its class",
    arguments: &[Argument::TICKET],
    plan,
};

fn plan(arguments: &Arguments<'_>, facts: &Facts<'_>) -> Result<Step, Fault> {
    let ticket = arguments.ticket(facts)?;
    let status = class_followed_up(facts)?.reopened.clone();
    Ok(Step::Change(Change::SetStatus { ticket, status }))
}
