//! `close`: a ticket's life is over.

use super::Facts;
use super::edit::{Edit, NewStatus};
use super::verb::{Argument, Arguments, Choices, Fault, Step, Verb};
use super::written::Written;
use crate::field::ValueType::Text;

pub(super) const VERB: Verb = Verb {
    name: "close",
    phrase: "close the ticket",
    summary: "ends the life of a ticket",
    arguments: &[
        Argument::optional("status", Text, "the status, one of the terminal ones of its class; else the first of them")
            .one_of(Choices::TerminalStatuses),
        Argument::TICKET,
    ],
    plan,
    fault,
    verdict: false,
    creates: false,
};

fn fault(written: &Written<'_>) -> Option<Fault> {
    written.fault_of_status(|status| NewStatus::Closed(Some(status)))
}

fn plan(arguments: &Arguments<'_>, facts: &Facts<'_>) -> Result<Step, Fault> {
    let status = NewStatus::Closed(arguments.status());
    Ok(Step::Edit { ticket: arguments.named_ticket(facts)?, edit: Edit::Status(status) })
}
