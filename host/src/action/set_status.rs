//! `set-status`: a ticket moves on.

use super::verb::{Argument, Arguments, Choices, Fault, Step, Verb, class_followed_up};
use super::{Change, Facts};
use crate::field::ValueType::Text;

pub(super) const VERB: Verb = Verb {
    name: "set-status",
    summary: "sets the status of a ticket",
    arguments: &[
        Argument::required("status", Text, "the new status, such as `open`").one_of(Choices::Statuses),
        Argument::TICKET,
    ],
    plan,
};

fn plan(arguments: &Arguments<'_>, facts: &Facts<'_>) -> Result<Step, Fault> {
    let ticket = arguments.ticket(facts)?;
    let status = arguments.status(class_followed_up(facts)?)?;
    Ok(Step::Change(Change::SetStatus { ticket, status: status.ok_or(Fault::MissingArgument { argument: "status" })? }))
}
