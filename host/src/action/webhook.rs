//! `webhook`: a program elsewhere is told.

use super::Facts;
use super::verb::{Argument, Arguments, Fault, Step, Verb};
use crate::field::ValueType::Text;
use crate::outgoing::Outgoing;
use serde_json::{Map, Value, json};

pub(super) const VERB: Verb = Verb {
    name: "webhook",
    phrase: "tell a program",
    summary: "tells a program of the ticket, the message and its fields, once the message is committed",
    arguments: &[
        Argument::required("name", Text, "which one: NAME is [webhook.NAME] of the settings"),
        Argument::optional("event", Text, "the type of the event; else `message.handled`"),
        Argument::optional("text", Text, "further text for it").prose().shortened(),
        Argument::TICKET,
    ],
    plan,
    fault: |_| None,
    verdict: false,
    creates: false,
};

fn plan(arguments: &Arguments<'_>, facts: &Facts<'_>) -> Result<Step, Fault> {
    let name = arguments.line("name")?.ok_or(Fault::MissingArgument { argument: "name" })?;
    let fields: Map<String, Value> = facts
        .sending
        .fields
        .iter()
        .map(|field| (field.name.clone(), serde_json::to_value(&field.value).unwrap_or(Value::Null)))
        .collect();
    let message_id = facts.sending.occasion.and_then(|occasion| occasion.message_id.as_ref());
    let data = json!({
        "event": arguments.line("event")?.unwrap_or_else(|| "message.handled".to_owned()),
        "text": arguments.prose("text")?,
        "message": {
            "subject": facts.subject,
            "sender": facts.sender,
            "message_id": message_id,
            "body": facts.body.trim(),
        },
        "fields": fields,
    });
    Ok(Step::Send { ticket: arguments.named_ticket(facts)?, outgoing: Outgoing::Webhook { name, data } })
}
