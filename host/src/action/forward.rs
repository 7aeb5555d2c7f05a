//! `forward`: the message goes on to somebody else, as it came.

use super::notify::{recipient, subject};
use super::verb::{Argument, Arguments, Fault, Step, Verb};
use super::{Facts, outgoing_of};
use crate::field::ValueType::Text;
use crate::outgoing::{Notice, Outgoing, Wording};

/// What a mail says that has nothing else to say.
const NO_TEXT: &str = "The message is attached.";

pub(super) const VERB: Verb = Verb {
    name: "forward",
    phrase: "forward the message",
    summary: "sends the message on, unchanged, as an attachment",
    arguments: &[
        Argument::required("to", Text, "who gets it: an address as `Name <address>`, `requester` or `participants`")
            .or_blank(),
        Argument::optional("subject", Text, "its subject; else `Fwd:` and the message's. The ticket's tag is added")
            .shortened()
            .filled(),
        Argument::optional(
            "text",
            Text,
            "what is said with it; `{ticket}` and `{tag}` stand for the ticket's number and tag",
        )
        .prose()
        .shortened()
        .filled(),
        Argument::TICKET,
    ],
    plan,
    fault: |_| None,
    verdict: false,
    creates: false,
};

fn plan(arguments: &Arguments<'_>, facts: &Facts<'_>) -> Result<Step, Fault> {
    let notice = Notice {
        to: recipient(arguments)?,
        subject: subject(arguments, "Fwd:", facts)?,
        text: arguments.prose("text")?.map_or_else(|| Wording::literal(NO_TEXT), Wording::from),
        forwards: true,
        about: outgoing_of(facts),
    };
    Ok(Step::Send { ticket: arguments.named_ticket(facts)?, outgoing: Outgoing::Mail(notice) })
}
