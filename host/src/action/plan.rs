//! Planning: from what is wanted to what is allowed.

use super::edit::{existing, has_new_ticket, new_ticket};
use super::verb::{Arguments, Fault, Step, followed_up, verbs};
use super::{Action, Change, Outcome, Plan};
use crate::field::Entry;
use crate::message::Address;
use crate::outgoing::{Occasion, Outlets, objection};
use crate::thread::Conversation;
use crate::ticket::Classes;

/// The most actions that one message may cause.
pub const ACTIONS_MAX: usize = 20;

/// Why a message that no statement acts on is kept without doing anything.
const NOTHING_ASKED: &str =
    "no statement asked for anything; a last statement without a condition would catch such messages";

/// What planning may know of the message.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// The author; none if the message does not say.
    pub sender: Option<&'a Address>,
    /// The recipients of To and Cc.
    pub recipients: &'a [Address],
    /// The decoded subject.
    pub subject: &'a str,
    /// The body, without what the job wants cut.
    pub body: &'a str,
    /// The conversation it belongs to.
    pub conversation: &'a Conversation,
    /// The classes of tickets.
    pub classes: &'a Classes,
    /// What sending has to know.
    pub sending: Sending<'a>,
}

/// What planning may know of the message and the settings where something is sent.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sending<'a> {
    /// The message, as far as answers have to know.
    pub occasion: Option<&'a Occasion>,
    /// Where things can be sent; none: that is not known here, and is not checked.
    pub outlets: Option<&'a Outlets>,
    /// The fields taken out of the message.
    pub fields: &'a [Entry],
}

/// Why actions cannot be planned. Always permanent: the same message meets the same fault again, so it is quarantined.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Too many actions.
    #[error("the statements ask for {count} actions; at most {ACTIONS_MAX} are allowed for one message")]
    TooMany {
        /// How many.
        count: usize,
    },
    /// A verdict about the message, together with something else.
    #[error(
        "statement \"{statement}\": {verb}: it must be the only action, but statement \"{other_statement}\" asks for \
         {other_verb} too (end the statement that decides with `stop = true`)"
    )]
    NotAlone {
        /// The statement of the verdict.
        statement: String,
        /// Its verb.
        verb: String,
        /// The statement of the other action.
        other_statement: String,
        /// The other verb.
        other_verb: String,
    },
    /// An action that cannot be carried out.
    #[error("statement \"{statement}\": {verb}: {fault}")]
    Action {
        /// The statement that asked.
        statement: String,
        /// The verb.
        verb: String,
        /// What is wrong.
        fault: Fault,
    },
}

/// Checks actions against the table of verbs and makes a plan of them. Without any action the message is ignored.
///
/// # Errors
/// If an action is unknown, incomplete, too large, or would change a ticket that the message does not follow up.
pub fn plan(actions: &[Action], facts: &Facts<'_>) -> Result<Plan, Error> {
    if actions.len() > ACTIONS_MAX {
        return Err(Error::TooMany { count: actions.len() });
    }
    let mut changes = Vec::new();
    for action in actions {
        let blame = |fault| Error::Action { statement: action.statement.clone(), verb: action.verb.clone(), fault };
        match step(action, facts).map_err(blame)? {
            Step::Change(change) => changes.push(change),
            Step::Edit { ticket: None, edit } if has_new_ticket(&changes) => {
                new_ticket(&mut changes, edit, facts).map_err(blame)?;
            }
            Step::Edit { ticket, edit } => {
                let ticket = ticket.or_else(|| followed_up(facts)).ok_or_else(|| blame(Fault::NoTicket))?;
                changes.extend(existing(ticket, edit, facts).map_err(blame)?);
            }
            Step::Send { ticket, outgoing } => {
                let ticket = ticket.or_else(|| followed_up(facts).filter(|_| !has_new_ticket(&changes)));
                let withheld = objection(&outgoing, facts.sending.outlets);
                changes.push(Change::Send { ticket, outgoing, withheld });
            }
            Step::Verdict(outcome) => {
                check_alone(action, actions)?;
                return Ok(Plan { outcome, changes: Vec::new() });
            }
        }
    }
    Ok(match nothing_done(&changes) {
        Some(reason) => Plan { outcome: Outcome::Ignored { reason }, changes: Vec::new() },
        None => Plan { outcome: Outcome::Accepted, changes },
    })
}

/// Why a plan comes to nothing; none if it does something.
fn nothing_done(changes: &[Change]) -> Option<String> {
    let reason = |change: &Change| match change {
        Change::Send { outgoing, withheld: Some(reason), .. } => {
            Some(format!("not sent: {}: {reason}", outgoing.describe()))
        }
        Change::Send { withheld: None, .. }
        | Change::CreateTicket { .. }
        | Change::AddComment { .. }
        | Change::SetStatus { .. }
        | Change::SetField { .. }
        | Change::UpdateTicket { .. }
        | Change::AddParticipants { .. } => None,
    };
    let reasons: Vec<String> = changes.iter().map_while(reason).collect();
    match (changes.is_empty(), reasons.len() == changes.len()) {
        (true, _) => Some(NOTHING_ASKED.to_owned()),
        (false, true) => Some(reasons.join("; ")),
        (false, false) => None,
    }
}

fn step(action: &Action, facts: &Facts<'_>) -> Result<Step, Fault> {
    let verb = verbs().iter().find(|verb| verb.name == action.verb).ok_or(Fault::UnknownVerb)?;
    let arguments = Arguments::check(verb, &action.arguments)?;
    (verb.plan)(&arguments, facts)
}

fn check_alone(verdict: &Action, actions: &[Action]) -> Result<(), Error> {
    match actions.iter().find(|other| !std::ptr::eq(*other, verdict)) {
        None => Ok(()),
        Some(other) => Err(Error::NotAlone {
            statement: verdict.statement.clone(),
            verb: verdict.verb.clone(),
            other_statement: other.statement.clone(),
            other_verb: other.verb.clone(),
        }),
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
