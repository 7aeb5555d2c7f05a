//! `close`: a ticket's life is over.

use super::Facts;
use super::edit::{Edit, NewStatus};
use super::verb::{Argument, Arguments, Choices, Fault, Step, Verb};
use crate::field::ValueType::Text;

pub(super) const VERB: Verb = Verb {
    name: "close",
    summary: "ends the life of a ticket",
    arguments: &[
        Argument::optional("status", Text, "the status, one of the terminal ones of its class; else the first of them")
            .one_of(Choices::Statuses),
        Argument::TICKET,
    ],
    plan,
};

fn plan(arguments: &Arguments<'_>, facts: &Facts<'_>) -> Result<Step, Fault> {
    let status = NewStatus::Closed(arguments.status());
    Ok(Step::Edit { ticket: arguments.named_ticket(facts)?, edit: Edit::Status(status) })
}
