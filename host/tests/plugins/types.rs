//! Every type of fields: what it holds up to its limits, what is past them, and what each operator says of it.

use crate::native::Native;
use fields::Fields;
use mailmill::field::Entry as HostEntry;
use mailmill::field::{DateTime, Decimal, Money, Value as HostValue};
use mailmill::message::document::CutKinds;
use mailmill::message::{Message, parse};
use mailmill::plugin::capabilities::Call;
use mailmill::plugin::patterns::PatternCache;
use mailmill::plugin::sight::Sight;
use mailmill::thread::Conversation;
use mailmill_sdk::{Config, Extractor, Plugin, Processor};
use statements::Statements;
use std::sync::Arc;

/// Each type, with a text of it, and what that is in a condition.
const TYPES: [(&str, &str, &str); 10] = [
    ("text", "Lamp", "\"lamp\""),
    ("memo", "A lamp", "\"a lamp\""),
    ("html", "A lamp", "\"A lamp\""),
    ("integer", "12", "12"),
    ("decimal", "12.50", "12.5"),
    ("float", "1.25e1", "12.5"),
    ("currency", "12.50", "12.5 EUR"),
    ("boolean", "yes", "true"),
    ("date-time", "2026-01-31", "2026-01-31"),
    ("ticket", "t00012", "\"T00012\""),
];

fn sight(message: Message, extracted: Vec<HostEntry>) -> Arc<Sight> {
    let (message, extracted) = (Arc::new(message), Arc::new(extracted));
    Arc::new(Sight::new(message, Arc::new(Conversation::New), extracted, &[], CutKinds::NONE, Arc::default()))
}

fn fields(host: &Native, kinds: &[&str]) -> Fields<Native> {
    let field = |kind: &&str| format!(r#"{{ "name": "f-{kind}", "type": "{kind}", "from": "header:X-{kind}" }}"#);
    let all: Vec<String> = kinds.iter().map(field).collect();
    let rules = format!(r#"{{ "currency": "EUR", "field": [{}] }}"#, all.join(","));
    Fields::configure(host, &Config { rules, ..Config::default() }).expect("the rules are right")
}

/// What a field of this type makes of a text, as text; or what is warned of.
fn read(kind: &str, text: &str) -> Result<String, String> {
    let host = Native::new(PatternCache::default());
    let fields = fields(&host, &[kind]);
    let message = parse(format!("X-{kind}: {text}\r\n\r\n").as_bytes(), None);
    let call = Call::new(sight(message, Vec::new()), "fields".into());
    let (effects, entries) = host.run(call, |host| fields.extract(host)).expect("extracts");
    match (entries.as_slice(), effects.log.as_slice()) {
        ([entry], []) => Ok(entry.value.to_string()),
        ([], [warning]) => Err(warning.text.clone()),
        other => panic!("{kind} {text:?}: {other:?}"),
    }
}

fn fits(kind: &str, text: &str, expect: &str) {
    assert_eq!(read(kind, text).as_deref(), Ok(expect), "{kind}");
}

fn is_past(kind: &str, text: &str, reason: &str) {
    assert_eq!(read(kind, text), Err(format!("field \"f-{kind}\": {reason}; it stays blank")), "{kind}");
}

#[test]
fn texts_have_limits() {
    let text = |length: usize| "x".repeat(length);
    fits("text", &text(1_000), &text(1_000));
    fits("text", &"é".repeat(1_000), &"é".repeat(1_000));
    is_past("text", &text(1_001), "the text is longer than 1000 characters");
    fits("memo", &text(524_288), &text(524_288));
    is_past("memo", &text(524_289), "the text is longer than 524288 bytes");
    fits("html", &text(1_048_576), &text(1_048_576));
    is_past("html", &text(1_048_577), "the HTML is longer than 1048576 bytes");
    fits("ticket", "t00001", "T00001");
    fits("ticket", "T999999999999999999", "T999999999999999999");
    is_past("ticket", "T9999999999999999999", "\"T9999999999999999999\" is no number of a ticket");
    is_past("ticket", "00001", "\"00001\" is no number of a ticket");
    is_past("ticket", "T1", "\"T1\" is no number of a ticket");
}

#[test]
fn numbers_have_limits() {
    fits("integer", "99999999", "99999999");
    fits("integer", "-99999999", "-99999999");
    is_past("integer", "100000000", "100000000 is outside of -99999999 to 99999999");
    is_past("integer", "-100000000", "-100000000 is outside of -99999999 to 99999999");
    is_past("integer", "99999999999999999999", "\"99999999999999999999\" is no integer");
    is_past("integer", "1.0", "\"1.0\" is no integer");
    for kind in ["decimal", "currency"] {
        let (eur, no) = if kind == "currency" { (" EUR", "is no amount of money") } else { ("", "is no decimal") };
        let fits = |text: &str| fits(kind, text, &format!("{text}{eur}"));
        fits("9223372036854775807");
        fits("-9223372036854775807");
        fits("9.223372036854775807");
        fits("0.999999999999999999");
        fits("0.000000000000000001");
        for past in ["9223372036854775808", "9.223372036854775808", "0.0000000000000000001", "1e3"] {
            let reason = match (kind, past) {
                ("currency", "1e3") => "is no amount of money",
                _ => no,
            };
            is_past(kind, past, &format!("\"{past}\" {reason}"));
        }
    }
    is_past("currency", "12 XXX", "\"12 XXX\" has an unknown currency, \"xxx\"");
    is_past(
        "currency",
        "12 kr",
        "\"12 kr\" has a sign that several currencies share, \"kr\": the field can say which with `currency`",
    );
    fits("currency", "12 USD", "12 USD");
    // All that 32 bits tell apart is told apart, and nothing is rounded that 15 digits hold.
    fits("float", "16777217", "16777217");
    fits("float", "0.1", "0.1");
    fits("float", "999999999999999999", "999999999999999999");
    fits("float", "-9.99999999999999999e17", "-999999999999999999");
    fits("float", "1e-18", "0.000000000000000001");
    fits("float", "9e-19", "0");
    fits("float", "1.17549435e-38", "0");
    is_past("float", "1e18", "\"1e18\" is no float");
    is_past("float", "3.40282347e38", "\"3.40282347e38\" is no float");
    is_past("float", "NaN", "\"NaN\" is no float");
}

#[test]
fn truths_and_dates_have_limits() {
    for (text, expect) in [("true", "true"), ("YES", "true"), ("1", "true"), ("no", "false"), ("0", "false")] {
        fits("boolean", text, expect);
    }
    is_past("boolean", "2", "\"2\" is no boolean");
    is_past("boolean", "maybe", "\"maybe\" is no boolean");
    fits("date-time", "0001-01-01", "0001-01-01T00:00:00+00:00");
    is_past("date-time", "0000-12-31", "\"0000-12-31\" is no date-time");
    fits("date-time", "9999-12-30T22:00:00Z", "9999-12-30T22:00:00+00:00");
    is_past("date-time", "9999-12-30T22:00:01Z", "\"9999-12-30T22:00:01Z\" is no date-time");
    fits("date-time", "2028-02-29", "2028-02-29T00:00:00+00:00");
    is_past("date-time", "2026-02-29", "\"2026-02-29\" is no date-time");
    is_past("date-time", "10000-01-01", "\"10000-01-01\" is no date-time");
}

/// The value of each type that its text of the table makes.
fn values() -> Vec<HostEntry> {
    let decimal = Decimal { units: 1_250, scale: 2 };
    let value = |kind: &str| match kind {
        "text" => HostValue::Text("Lamp".to_owned()),
        "memo" => HostValue::Text("A lamp".to_owned()),
        "html" => HostValue::Html("A lamp".to_owned()),
        "integer" => HostValue::Integer(12),
        "decimal" => HostValue::Decimal(decimal),
        "float" => HostValue::Decimal(Decimal { units: 125, scale: 1 }),
        "currency" => HostValue::Currency(Money::new(decimal, "EUR").expect("is an amount")),
        "boolean" => HostValue::Boolean(true),
        "date-time" => HostValue::DateTime(DateTime { seconds: 1_769_817_600, offset_minutes: 0 }),
        "ticket" => HostValue::Text("T00012".to_owned()),
        other => panic!("{other}"),
    };
    TYPES.iter().map(|(kind, ..)| HostEntry { name: format!("f-{kind}"), value: value(kind) }).collect()
}

/// What a condition says of a message with a field of each type; none if it is refused. With `blank`, all are blank.
fn holds(condition: &str, is_blank: bool) -> Option<bool> {
    let host = Native::new(PatternCache::default());
    let kinds: Vec<&str> = TYPES.iter().map(|(kind, ..)| *kind).collect();
    let declared = fields(&host, &kinds).declares();
    let condition = serde_json::Value::from(condition);
    let rules = format!(r#"{{ "statement": [{{ "name": "s", "if": {condition}, "then": [] }}] }}"#);
    let plugin = Statements::configure(&host, &Config { rules, fields: declared, ..Config::default() }).ok()?;
    let call = Call::new(sight(parse(b"\r\n", None), if is_blank { Vec::new() } else { values() }), "s".into());
    let (_, outcome) = host.run(call, |host| plugin.process(host)).expect("decides");
    outcome.decisions.first().map(|decision| decision.holds)
}

#[test]
fn the_texts_of_the_table_make_its_values() {
    for ((kind, text, _), entry) in TYPES.iter().zip(values()) {
        fits(kind, text, &entry.value.to_string());
    }
}

#[test]
fn every_operator_answers_for_every_type() {
    for (kind, _, constant) in TYPES {
        // What it says of the value, and of a blank field; none: it is refused.
        let check = |test: &str, expect: Option<(bool, bool)>| {
            let condition = format!("f-{kind} {test}");
            let found = holds(&condition, false).zip(holds(&condition, true));
            assert_eq!(found, expect, "{condition}");
        };
        let if_is = |fits: bool, answer: (bool, bool)| fits.then_some(answer);
        let is_number = matches!(kind, "integer" | "decimal" | "float");
        let (is_html, is_date) = (kind == "html", kind == "date-time");
        let is_text = matches!(kind, "text" | "memo" | "ticket" | "html");
        let is_ordered = is_number || is_date || kind == "currency";
        check("is blank", Some((false, true)));
        check("is not blank", Some((true, false)));
        for is in ["is", "equals"] {
            check(&format!("{is} {constant}"), if_is(!is_html, (true, false)));
            check(&format!("{is} f-{kind}"), if_is(!is_html, (true, false)));
        }
        check(&format!("is not {constant}"), if_is(!is_html, (false, true)));
        check(&format!("is in [{constant}, {constant}]"), if_is(!is_html, (true, false)));
        check(&format!("is not in [{constant}]"), if_is(!is_html, (false, true)));
        for (operator, expect) in [(">", false), ("<", false), (">=", true), ("<=", true)] {
            check(&format!("{operator} {constant}"), if_is(is_ordered, (expect, false)));
            check(&format!("{operator} f-{kind}"), if_is(is_ordered, (expect, false)));
        }
        check("is before 2026-02-01", if_is(is_date, (true, false)));
        check("is after 2026-01-01 by at least 30 days", if_is(is_date, (true, false)));
        check("is after 2026-01-01 by at least 31 days", if_is(is_date, (false, false)));
        let searched = |holds: bool| if_is(is_text, (holds, false));
        check("contains \"LAMP\"", searched(kind != "ticket"));
        check("contains \"00\"", searched(kind == "ticket"));
        check("starts with \"a \"", searched(matches!(kind, "memo" | "html")));
        check("ends with \"12\"", searched(kind == "ticket"));
        check("contains f-text", searched(kind != "ticket"));
        check("matches /^T0/", searched(kind == "ticket"));
        check("is in domain \"example.org\"", if_is(is_text && !is_html, (false, false)));
        check("", if_is(kind == "boolean", (true, false)));
        // With each other type.
        for (other, ..) in TYPES {
            let group = |kind: &str| match kind {
                "text" | "memo" | "ticket" => "text",
                "integer" | "decimal" | "float" => "number",
                "html" => "none",
                _ => "",
            };
            let both = (kind == other || (group(kind) == group(other) && !group(kind).is_empty())) && !is_html;
            let is_taken = holds(&format!("f-{kind} is f-{other}"), false).is_some();
            assert_eq!(is_taken, both, "{kind} is {other}");
        }
    }
}
