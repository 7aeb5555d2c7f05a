//! The report of a message, as programs read it. What is added later is new keys; those that are here stay.

use crate::config::schema::{Property, any_of, list, table, text, truth, whole, words};
use crate::message::document::CutKind;
use crate::report::HopMicros;
use serde_json::{Value, json};

fn required(key: &'static str, doc: &str, schema: Value) -> Property {
    Property::required(key, doc, schema)
}

fn optional(key: &'static str, doc: &str, schema: Value) -> Property {
    Property::optional(key, doc, schema)
}

fn nullable(schema: Value) -> Value {
    any_of(&[schema, json!({ "type": "null" })])
}

fn count() -> Value {
    whole(0, None)
}

/// The schema of a report.
pub(super) fn schema() -> Value {
    table(vec![
        required("revision", "The revision of the rules that the message ran on, start to end.", text()),
        required("message", "What was received (hop 2).", message()),
        required("conversation", "The conversation that it belongs to (hop 3).", conversation()),
        optional("thread", "What was made of each ticket that it refers to (hop 3).", list(&finding())),
        required("body", "The body and what was cut of it (hop 4).", body()),
        required("fields", "The fields taken out of it (hop 5).", list(&entry())),
        optional("sources", "Where the fields come from (hop 5).", list(&source())),
        required("decisions", "The conditions that were looked at (hop 6).", list(&decision())),
        required("actions", "What the statements asked for (hop 6).", list(&action())),
        required("plan", "What is allowed of it (hop 7); null if the message is quarantined.", nullable(plan())),
        required("quarantine", "Why the message is quarantined; null if it is not.", nullable(cause())),
        required("steps", "Each step of the pipeline that looked at it, in order (hops 4 to 6).", list(&step())),
        required("warnings", "What the operator should know.", list(&text())),
        required(
            "micros",
            "How long the hops took, in microseconds; no part of what two runs have in common.",
            micros(),
        ),
    ])
}

fn micros() -> Value {
    let hops = HopMicros::default().each();
    table(hops.into_iter().map(|(hop, _)| required(hop, "This hop.", count())).collect())
}

fn address() -> Value {
    table(vec![required("name", "The name; may be empty.", text()), required("email", "The address.", text())])
}

/// RFC 3834 and RFC 3464 say which mail nobody wrote.
fn message() -> Value {
    let time = table(vec![
        required("seconds", "Seconds since 1970-01-01T00:00:00Z.", json!({ "type": "integer" })),
        required("offset_minutes", "The offset from UTC that it was written with.", json!({ "type": "integer" })),
    ]);
    let client = table(vec![
        required("name", "Its name; empty if it is not known.", text()),
        required("evidence", "What shows it.", text()),
    ]);
    let attachment = table(vec![
        required("name", "The file name; may be empty.", text()),
        required("media_type", "The media type.", text()),
        required("bytes", "Its size, decoded.", count()),
        required("inline", "Whether it belongs into the body.", truth()),
        optional("seen", "The media type that its content shows, where it is another one.", text()),
        optional("description", "What a message or a calendar in it is about.", text()),
        optional("packed_in", "The file that it was packed in, such as `winmail.dat`.", text()),
        optional("refused", "Why it does not go to a ticket, if it does not.", text()),
    ]);
    let origins = words(["human", "auto-generated", "auto-replied", "bounce", "list"]);
    table(vec![
        required("message_id", "The Message-ID; empty if it has none.", text()),
        required("subject", "The subject.", text()),
        required("sender", "The author; null if it names none.", nullable(address())),
        required("recipients", "To and Cc.", list(&address())),
        required("received", "When it was received.", time),
        required("bytes", "Its size.", count()),
        required("origin", "Who or what wrote it.", origins),
        required("client", "The mail client that it looks like, and why.", client),
        required("defects", "What was wrong with it.", list(&text())),
        optional("remarks", "What was made of it that is nothing wrong.", list(&text())),
        required("attachments", "Its attachments.", list(&attachment)),
    ])
}

fn source() -> Value {
    let found = table(vec![
        required("name", "The field.", text()),
        required("how", "How it was found, in the plugin's words.", text()),
        optional("part", "The part of the message, in words; none if it is from nowhere in it.", text()),
        optional("text", "The text that it was read from; the beginning of a long one.", text()),
    ]);
    table(vec![
        required("name", "The field.", text()),
        required("step", "The step that made it.", text()),
        optional("found", "What the plugin says of it.", found),
    ])
}

fn conversation() -> Value {
    let ticket = table(vec![
        required("number", "Its number.", text()),
        required("class", "Its class.", text()),
        required("status", "Its status.", text()),
    ]);
    table(vec![
        required("state", "Whether it is new, or follows up a ticket.", words(["new", "active", "inactive"])),
        optional("ticket", "The ticket.", ticket),
    ])
}

fn finding() -> Value {
    json!({ "type": "object", "required": ["ticket", "link", "taken", "because"] })
}

fn body() -> Value {
    let kinds: Vec<String> = CutKind::ALL.iter().map(ToString::to_string).collect();
    let kinds = || words(kinds.iter().map(String::as_str));
    let span = table(vec![
        required("start", "The first byte.", count()),
        required("end", "Just after the last byte.", count()),
    ]);
    let cut = table(vec![
        required("span", "What is cut, in bytes of the whole text.", span),
        required("kind", "What it is.", kinds()),
        required("rule", "The rule that asked.", text()),
        required("step", "The step that it belongs to.", text()),
        required("replacement", "What stands in its place; null for nothing.", nullable(text())),
    ]);
    table(vec![
        required("kind", "What it was made from.", words(["empty", "plain", "html"])),
        required("cuts", "Every cut that a rule proposed, in the order of proposal.", list(&cut)),
        required("applied", "The kinds that are really cut.", list(&kinds())),
        optional("skipped", "Why no rule looked at it, if none was to.", text()),
        optional("idle", "How many steps found nothing that they look for.", count()),
        optional("whole", "The whole text.", text()),
        optional("left", "The text that is left.", text()),
        optional("left_in_plan", "Whether empty texts in the plan are the text that is left.", truth()),
    ])
}

fn entry() -> Value {
    let types = ["none", "text", "integer", "decimal", "boolean", "date-time", "currency", "html"];
    let value = json!({ "type": "object", "required": ["type"], "properties": { "type": words(types) } });
    table(vec![required("name", "Its name.", text()), required("value", "Its value.", value)])
}

fn decision() -> Value {
    table(vec![
        required("statement", "The statement.", text()),
        required("condition", "The condition in words, with the values that it saw.", text()),
        required("holds", "Whether it was true.", truth()),
    ])
}

fn action() -> Value {
    table(vec![
        required("verb", "The verb.", text()),
        required("arguments", "Its arguments, by name.", list(&entry())),
        required("statement", "The statement that asked.", text()),
    ])
}

fn plan() -> Value {
    let outcomes = words(["accepted", "rejected", "ignored"]);
    let outcome = json!({ "type": "object", "required": ["outcome"], "properties": { "outcome": outcomes } });
    let change = json!({ "type": "object", "required": ["change"], "properties": { "change": { "type": "string" } } });
    table(vec![
        required("outcome", "What becomes of the message.", outcome),
        required("changes", "What is changed, in order.", list(&change)),
    ])
}

fn cause() -> Value {
    table(vec![
        required("hop", "The hop that gave up.", text()),
        required("step", "The step that is to blame, if one is.", nullable(text())),
        required("reason", "What happened.", text()),
        required("class", "How it is to be answered.", words(["transient", "permanent", "bug"])),
    ])
}

fn step() -> Value {
    let time = table(vec![
        required("secs", "Whole seconds.", count()),
        required("nanos", "Billionths of a second on top.", count()),
    ]);
    let line = table(vec![
        required("level", "How much it matters.", words(["debug", "info", "warn", "error"])),
        required("text", "What it says.", text()),
    ]);
    table(vec![
        required("step", "The step.", text()),
        required("hop", "Where it stands.", words(["preprocess", "extract", "process"])),
        required("plugin", "Its plugin, with its version.", text()),
        required("time", "How long it took.", time),
        required("cuts", "How many cuts it made.", count()),
        required("log", "What it logged.", list(&line)),
        required("fault", "How it failed; null if it did not.", nullable(text())),
        optional("warnings", "What it had to do without.", list(&text())),
    ])
}
