//! `set-status`: a ticket moves on.

use super::Facts;
use super::edit::{Edit, NewStatus};
use super::verb::{Argument, Arguments, Choices, Fault, Step, Verb};
use super::written::Written;
use crate::field::ValueType::Text;

pub(super) const VERB: Verb = Verb {
    name: "set-status",
    phrase: "set the status",
    summary: "sets the status of a ticket",
    arguments: &[
        Argument::required("status", Text, "the new status, such as `open`").one_of(Choices::Statuses),
        Argument::TICKET,
    ],
    plan,
    fault,
    verdict: false,
    creates: false,
};

fn fault(written: &Written<'_>) -> Option<Fault> {
    written.fault_of_status(NewStatus::Named)
}

fn plan(arguments: &Arguments<'_>, facts: &Facts<'_>) -> Result<Step, Fault> {
    let status = arguments.status().ok_or(Fault::MissingArgument { argument: "status" })?;
    Ok(Step::Edit { ticket: arguments.named_ticket(facts)?, edit: Edit::Status(NewStatus::Named(status)) })
}
