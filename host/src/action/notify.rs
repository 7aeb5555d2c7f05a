//! `notify`: a mail is sent.

use super::verb::{Argument, Arguments, Fault, Step, Verb, excerpt};
use super::{Facts, outgoing_of};
use crate::field::ValueType::Text;
use crate::outgoing::{Notice, Outgoing, Recipient, address};

/// The word for whoever asked for the ticket.
const REQUESTER: &str = "requester";

pub(super) const VERB: Verb = Verb {
    name: "notify",
    summary: "sends a mail once the message is committed; automatic mail is never answered",
    arguments: &[
        Argument::optional(
            "to",
            Text,
            "who gets it: `requester` (the default, the ticket's), or an address as `Name <address>`",
        ),
        Argument::optional("subject", Text, "its subject; else `Re:` and the message's. The ticket's tag is added"),
        Argument::required("text", Text, "what it says; `{ticket}` and `{tag}` stand for the ticket's number and tag")
            .prose(),
        Argument::TICKET,
    ],
    plan,
};

fn plan(arguments: &Arguments<'_>, facts: &Facts<'_>) -> Result<Step, Fault> {
    let notice = Notice {
        to: recipient(arguments)?,
        subject: arguments.line("subject")?.unwrap_or_else(|| format!("Re: {}", facts.subject.trim())),
        text: arguments.prose("text")?.ok_or(Fault::MissingArgument { argument: "text" })?,
        forwards: false,
        about: outgoing_of(facts),
    };
    Ok(Step::Send { ticket: arguments.named_ticket(facts)?, outgoing: Outgoing::Mail(notice) })
}

/// Who gets a mail: the requester if nobody is named.
pub(super) fn recipient(arguments: &Arguments<'_>) -> Result<Recipient, Fault> {
    let Some(text) = arguments.line("to")? else { return Ok(Recipient::Requester) };
    if text.eq_ignore_ascii_case(REQUESTER) {
        return Ok(Recipient::Requester);
    }
    address(&text).map(Recipient::Address).ok_or_else(|| Fault::Malformed {
        argument: "to",
        found: excerpt(&text),
        expected: "address such as `Ann Lee <ann@example.org>`, and not `requester`",
    })
}
