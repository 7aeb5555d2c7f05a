//! `set-status`: a ticket moves on.

use super::Facts;
use super::edit::{Edit, NewStatus};
use super::verb::{Argument, Arguments, Choices, Fault, Step, Verb};
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
    let status = arguments.status().ok_or(Fault::MissingArgument { argument: "status" })?;
    Ok(Step::Edit { ticket: arguments.named_ticket(facts)?, edit: Edit::Status(NewStatus::Named(status)) })
}
