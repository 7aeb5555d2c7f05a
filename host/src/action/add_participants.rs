//! `add-participants`: people who take part in a ticket besides its requester.

use super::Facts;
use super::edit::Edit;
use super::verb::{Argument, Arguments, Fault, PROSE_BYTES_MAX, Step, Verb, address, person, too_long};
use crate::field::ValueType::Text;
use crate::message::Address;
use crate::outgoing::is_own;

/// The most people that one action adds; the rest of a long list of recipients is left out.
const PARTICIPANTS_MAX: usize = 100;

pub(super) const VERB: Verb = Verb {
    name: "add-participants",
    phrase: "add participants",
    summary: "adds people to those who take part in the ticket that an earlier action creates, or else in the one that \
              the message follows up",
    arguments: &[
        Argument::optional(
            "participants",
            Text,
            "who: addresses, with `,` or line ends between them; else the message's recipients",
        )
        .prose()
        .of_form(|text| items(text).into_iter().try_for_each(|item| person("participants", item).map(drop))),
        Argument::optional(
            "except",
            Text,
            "who not: addresses or, as `@example.org`, all of a domain; the desk's own never are",
        )
        .prose(),
        Argument::TICKET,
    ],
    plan,
    fault: |_| None,
    verdict: false,
    creates: false,
};

fn plan(arguments: &Arguments<'_>, facts: &Facts<'_>) -> Result<Step, Fault> {
    let wanted = match list(arguments, "participants")? {
        None => facts.recipients.to_vec(),
        Some(texts) => texts.into_iter().map(|text| person("participants", text)).collect::<Result<Vec<_>, _>>()?,
    };
    let except = list(arguments, "except")?.unwrap_or_default();
    let mut participants: Vec<Address> = Vec::new();
    for address in wanted {
        let is_known = participants.iter().any(|other| other.email.eq_ignore_ascii_case(&address.email));
        let is_sender = facts.sender.is_some_and(|sender| sender.email.eq_ignore_ascii_case(&address.email));
        let is_ours = facts.sending.outlets.is_some_and(|outlets| is_own(&address.email, &outlets.own_addresses));
        let is_except = is_ours || except.iter().any(|except| is_meant(&address.email, except));
        if !address.email.is_empty() && !is_known && !is_sender && !is_except && participants.len() < PARTICIPANTS_MAX {
            participants.push(address);
        }
    }
    Ok(Step::Edit { ticket: arguments.named_ticket(facts)?, edit: Edit::Participants(participants) })
}

/// The items of a list in a text; none if it is not given.
fn list<'a>(arguments: &Arguments<'a>, name: &'static str) -> Result<Option<Vec<&'a str>>, Fault> {
    let Some(text) = arguments.text(name) else { return Ok(None) };
    if text.len() > PROSE_BYTES_MAX {
        return Err(too_long(name, text.len(), "bytes", PROSE_BYTES_MAX));
    }
    Ok(Some(items(text)))
}

/// The items of a list, with `,`, `;` or line ends between them; within quotes these count as any character.
fn items(text: &str) -> Vec<&str> {
    let mut items = Vec::new();
    let (mut start, mut is_quoted) = (0, false);
    for (at, character) in text.char_indices() {
        match character {
            '"' => is_quoted = !is_quoted,
            ',' | ';' | '\n' if !is_quoted => {
                items.push(text.get(start..at).unwrap_or_default());
                start = at + 1;
            }
            _ => {}
        }
    }
    items.push(text.get(start..).unwrap_or_default());
    items.into_iter().map(str::trim).filter(|item| !item.is_empty()).collect()
}

/// Whether `except` is the address, or its domain.
fn is_meant(email: &str, except: &str) -> bool {
    let except = address(except).map_or_else(|| except.to_owned(), |address| address.email);
    match except.strip_prefix('@') {
        Some(domain) => email.rsplit_once('@').is_some_and(|(_, own)| own.eq_ignore_ascii_case(domain)),
        None => email.eq_ignore_ascii_case(&except),
    }
}
