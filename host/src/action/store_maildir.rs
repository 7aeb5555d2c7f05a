//! `store-maildir`: the message is kept in a Maildir too.

use super::Facts;
use super::verb::{Argument, Arguments, Fault, Step, Verb};
use crate::field::ValueType::Text;
use crate::outgoing::Outgoing;

pub(super) const VERB: Verb = Verb {
    name: "store-maildir",
    phrase: "keep a copy",
    summary: "puts a copy of the message into a Maildir, once the message is committed",
    arguments: &[Argument::required("folder", Text, "which one: a name in [maildir] of the settings")],
    plan,
    fault: |_| None,
    verdict: false,
    creates: false,
};

fn plan(arguments: &Arguments<'_>, _: &Facts<'_>) -> Result<Step, Fault> {
    let folder = arguments.line("folder")?.ok_or(Fault::MissingArgument { argument: "folder" })?;
    Ok(Step::Send { ticket: None, outgoing: Outgoing::Maildir { folder } })
}
