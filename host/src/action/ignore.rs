//! `ignore`: the message is kept and nothing is done.

use super::verb::{Argument, Arguments, Fault, Step, Verb};
use super::{Facts, Outcome};
use crate::field::ValueType::Text;

pub(super) const VERB: Verb = Verb {
    name: "ignore",
    phrase: "ignore the message",
    summary: "keeps the message and does nothing; it must be the only action",
    arguments: &[Argument::required("reason", Text, "why, for the log").shortened()],
    plan,
    fault: |_| None,
    verdict: true,
    creates: false,
};

fn plan(arguments: &Arguments<'_>, _: &Facts<'_>) -> Result<Step, Fault> {
    let reason = arguments.line("reason")?.ok_or(Fault::MissingArgument { argument: "reason" })?;
    Ok(Step::Verdict(Outcome::Ignored { reason }))
}
