//! `comment`: the message is added to a ticket.

use super::Facts;
use super::edit::Edit;
use super::verb::{Argument, Arguments, Choices, Fault, Step, Verb};
use crate::field::ValueType::Text;
use crate::ticket::Visibility;

/// What a comment says when its message has no text, only attachments for instance.
const NO_TEXT: &str = "(no text)";

pub(super) const VERB: Verb = Verb {
    name: "comment",
    phrase: "add a comment",
    summary: "adds a comment to a ticket",
    arguments: &[
        Argument::optional("text", Text, "what it says; else the message's body").prose().shortened(),
        Argument::optional("visibility", Text, "who can read it: `public` (the default) or `internal`")
            .one_of(Choices::These(Visibility::names)),
        Argument::TICKET,
    ],
    plan,
    fault: |_| None,
    verdict: false,
    creates: false,
};

fn plan(arguments: &Arguments<'_>, facts: &Facts<'_>) -> Result<Step, Fault> {
    let text = arguments.prose("text")?.unwrap_or_else(|| facts.body.to_owned());
    let comment = Edit::Comment {
        author: facts.sender.cloned().unwrap_or_default(),
        text: if text.trim().is_empty() { NO_TEXT.to_owned() } else { text.trim().to_owned() },
        visibility: arguments.choice("visibility", facts, Visibility::parse)?.unwrap_or(Visibility::Public),
    };
    Ok(Step::Edit { ticket: arguments.named_ticket(facts)?, edit: comment })
}
