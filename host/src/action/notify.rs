//! `notify`: a mail is sent.

use super::verb::{Argument, Arguments, Fault, Step, Verb, excerpt};
use super::{Facts, outgoing_of};
use crate::field::ValueType::Text;
use crate::outgoing::{Notice, Outgoing, Recipient, Wording, address};

/// The word for whoever asked for the ticket.
const REQUESTER: &str = "requester";
/// The word for those who take part in the ticket.
const PARTICIPANTS: &str = "participants";

pub(super) const VERB: Verb = Verb {
    name: "notify",
    phrase: "send a mail",
    summary: "sends a mail once the message is committed; automatic mail is never answered",
    arguments: &[
        Argument::optional(
            "to",
            Text,
            "who gets it: `requester` (the default, the ticket's), `participants` (all others who take part in the ticket), or \
             an address as `Name <address>`",
        ),
        Argument::optional("subject", Text, "its subject; else `Re:` and the message's. The ticket's tag is added")
            .shortened()
            .filled(),
        Argument::required("text", Text, "what it says; `{ticket}` and `{tag}` stand for the ticket's number and tag")
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
        subject: subject(arguments, "Re:", facts)?,
        text: arguments.prose("text")?.ok_or(Fault::MissingArgument { argument: "text" })?.into(),
        forwards: false,
        about: outgoing_of(facts),
    };
    Ok(Step::Send { ticket: arguments.named_ticket(facts)?, outgoing: Outgoing::Mail(notice) })
}

/// The subject of a mail: the message's behind `mark` if the rule does not say.
pub(super) fn subject(arguments: &Arguments<'_>, mark: &str, facts: &Facts<'_>) -> Result<Wording, Fault> {
    let usual = || Wording::literal(&format!("{mark} {}", facts.subject.trim()));
    Ok(arguments.line("subject")?.map_or_else(usual, Wording::from))
}

/// Who gets a mail: the requester if the rule does not say. What a field of the message turns out to be is not the
/// rule's fault: then nobody gets it, and the rest of the plan is carried out.
pub(super) fn recipient(arguments: &Arguments<'_>) -> Result<Recipient, Fault> {
    let text = match arguments.line("to")? {
        Some(text) => text,
        None if arguments.is_given("to") => return Ok(Recipient::Nobody { given: String::new() }),
        None => return Ok(Recipient::Requester),
    };
    Ok(match text.as_str() {
        _ if text.eq_ignore_ascii_case(REQUESTER) => Recipient::Requester,
        _ if text.eq_ignore_ascii_case(PARTICIPANTS) => Recipient::Participants,
        _ => address(&text).map_or_else(|| Recipient::Nobody { given: excerpt(&text) }, Recipient::Address),
    })
}
