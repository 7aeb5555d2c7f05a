//! `set-status`: a ticket moves on.

use super::verb::{Argument, Arguments, Fault, Step, Verb};
use super::{Change, Facts};
use crate::field::ValueType::Text;
use crate::ticket::Status;

pub(super) const VERB: Verb = Verb {
    name: "set-status",
    summary: "sets the status of a ticket",
    arguments: &[
        Argument::required("status", Text, "the new status, such as `open`").one_of(Status::names),
        Argument::TICKET,
    ],
    plan,
};

fn plan(arguments: &Arguments<'_>, facts: &Facts<'_>) -> Result<Step, Fault> {
    let status = arguments.choice("status", Status::parse)?;
    Ok(Step::Change(Change::SetStatus {
        ticket: arguments.ticket(facts)?,
        status: status.ok_or(Fault::MissingArgument { argument: "status" })?,
    }))
}
