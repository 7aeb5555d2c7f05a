//! `create-ticket`: the message becomes a ticket.

use super::verb::{Argument, Arguments, Fault, LINE_CHARS_MAX, Step, Verb, excerpt};
use super::{Change, Facts};
use crate::field::ValueType::Text;
use crate::message::Address;
use crate::ticket::TicketClass;

/// The subject of a ticket whose message has none.
const NO_SUBJECT: &str = "(no subject)";

pub(super) const VERB: Verb = Verb {
    name: "create-ticket",
    summary: "creates a ticket of the message",
    arguments: &[
        Argument::required("class", Text, "the ticket's class, such as `incident`").one_of(TicketClass::names),
        Argument::optional("subject", Text, "its subject; else the message's"),
        Argument::optional("description", Text, "its description; else the message's body").prose(),
        Argument::optional("requester", Text, "who asks, as `Name <address>`; else the message's sender"),
    ],
    plan,
};

fn plan(arguments: &Arguments<'_>, facts: &Facts<'_>) -> Result<Step, Fault> {
    let class = arguments.choice("class", TicketClass::parse)?;
    Ok(Step::Change(Change::CreateTicket {
        class: class.ok_or(Fault::MissingArgument { argument: "class" })?,
        subject: arguments.line("subject")?.unwrap_or_else(|| subject_of(facts)),
        description: arguments.prose("description")?.unwrap_or_else(|| facts.body.trim().to_owned()),
        requester: requester(arguments, facts)?,
        fields: Vec::new(),
    }))
}

/// The message's subject. A long one is shortened and not refused: whoever wrote it cannot mend the rules.
fn subject_of(facts: &Facts<'_>) -> String {
    let subject: String = facts.subject.trim().chars().take(LINE_CHARS_MAX).collect();
    if subject.is_empty() { NO_SUBJECT.to_owned() } else { subject }
}

/// The named requester, or else the sender; empty if the message does not say who wrote it.
fn requester(arguments: &Arguments<'_>, facts: &Facts<'_>) -> Result<Address, Fault> {
    match arguments.line("requester")? {
        None => Ok(facts.sender.cloned().unwrap_or_default()),
        Some(text) => address(&text).ok_or_else(|| Fault::Malformed {
            argument: "requester",
            found: excerpt(&text),
            expected: "address such as `Ann Lee <ann@example.org>`",
        }),
    }
}

/// Reads `Name <local@domain>` or `local@domain`.
fn address(text: &str) -> Option<Address> {
    let (name, email) = match text.trim().strip_suffix('>') {
        Some(rest) => rest.rsplit_once('<')?,
        None => ("", text),
    };
    let email = email.trim();
    let (local, domain) = email.rsplit_once('@')?;
    let well_formed = !local.is_empty() && !domain.is_empty() && !email.contains(char::is_whitespace);
    let name = name.trim().trim_matches('"').trim();
    well_formed.then(|| Address { name: name.to_owned(), email: email.to_owned() })
}
