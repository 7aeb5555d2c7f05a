//! `close`: a ticket's life is over.

use super::verb::{Argument, Arguments, Choices, Fault, Step, Verb, class_followed_up, excerpt, listed};
use super::{Change, Facts};
use crate::field::ValueType::Text;
use crate::ticket::Status;

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
    let ticket = arguments.ticket(facts)?;
    let spec = class_followed_up(facts)?;
    let status = arguments.status(spec)?.unwrap_or_else(|| spec.closed.clone());
    if !spec.terminal.contains(&status) {
        return Err(Fault::NoneOf {
            argument: "status",
            found: excerpt(status.name()),
            allowed: listed(spec.terminal.iter().map(Status::name)),
        });
    }
    Ok(Step::Change(Change::SetStatus { ticket, status }))
}
