//! Whatever the rules and the messages are: rules are taken or refused, and then always decide, and decide alike.

use super::{configured, configured_with, message, quote};
use crate::host::TestHost;
use crate::template::ends_line;
use mailmill_sdk::{Conversation, Field, Processor, Ticket, Value};
use proptest::prelude::*;

/// Conditions, most of which are right, and some of which are not.
fn conditions() -> impl Strategy<Value = String> {
    let words = prop::sample::select(vec![
        "subject",
        "priority",
        "amount",
        "urgent",
        "due",
        "received",
        "total",
        "limit",
        "details",
        "phone",
        "sender",
        "ticket",
        "ticket.class",
        "ObjectRef",
        "header:X-Priority",
        "is",
        "is not",
        "is blank",
        "is in",
        "in domain",
        "has attachment",
        "of type",
        "is before",
        "is after",
        "by at least",
        "contains",
        "starts with",
        "matches",
        ">",
        "<=",
        "(",
        ")",
        "[",
        "]",
        ",",
        "and",
        "or",
        "not",
        "\"x\"",
        "'example.org'",
        "\"image/*\"",
        "/x/",
        "1",
        "2.5",
        "3 EUR",
        "2026-01-31",
        "2 days",
        "true",
    ]);
    let texts = prop::sample::select(vec!["subject", "body", "sender", "phone", "header:X-Priority", "ticket"]);
    let searches = prop::sample::select(vec![
        "contains \"x\"",
        "is \"x\"",
        "is not \"x\"",
        "is blank",
        "starts with 'é'",
        "ends with \"x\"",
        "matches /x+/",
        "is in [\"a\", subject]",
        "contains sender",
        "starts with phone",
        "ends with body",
        "is subject",
    ]);
    let numbers = prop::sample::select(vec!["priority", "amount", "attachments"]);
    let orders = prop::sample::select(vec!["> 1", "<= 2.5", "is amount", "is not 3", "is in [1, amount]", "is blank"]);
    let others = prop::sample::select(vec![
        "urgent",
        "due is before received by at least 2 days",
        "received is after due",
        "total > 3 EUR",
        "total is limit",
        "sender is in domain \"example.org\"",
        "has attachment of type \"image/*\"",
        "details is not blank",
    ]);
    let test = prop_oneof![
        (texts, searches).prop_map(|(name, rest)| format!("{name} {rest}")),
        (numbers, orders).prop_map(|(name, rest)| format!("{name} {rest}")),
        others.prop_map(str::to_owned),
    ];
    let sound = test.prop_recursive(4, 16, 4, |inner| {
        prop_oneof![
            inner.clone().prop_map(|one| format!("not ({one})")),
            (inner.clone(), inner.clone()).prop_map(|(one, other)| format!("{one} and {other}")),
            (inner.clone(), inner).prop_map(|(one, other)| format!("({one} or {other})")),
        ]
    });
    prop_oneof![
        4 => sound,
        1 => prop::collection::vec(words, 0..12).prop_map(|words| words.join(" ")),
        1 => ".*",
    ]
}

fn values() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::None),
        ".*".prop_map(Value::Text),
        any::<i64>().prop_map(Value::Integer),
        (any::<i64>(), 0..=18_u8).prop_map(|(units, scale)| Value::Decimal { units, scale }),
        any::<bool>().prop_map(Value::Boolean),
        (any::<i64>(), any::<i16>()).prop_map(|(seconds, offset_minutes)| Value::DateTime { seconds, offset_minutes }),
        (any::<i64>(), 0..=18_u8).prop_map(|(units, scale)| Value::Currency {
            units,
            scale,
            currency: "EUR".to_owned()
        }),
        ".*".prop_map(Value::Html),
    ]
}

/// Messages whose fields hold anything, also what is not of their type.
fn messages() -> impl Strategy<Value = TestHost> {
    let names = prop::sample::select(vec!["priority", "amount", "urgent", "due", "total", "limit", "details", "phone"]);
    let extracted = prop::collection::vec((names.prop_map(str::to_owned), values()), 0..8);
    (".*", ".*", ".*", extracted, any::<bool>()).prop_map(|(subject, body, sender, extracted, active)| {
        let mut host = TestHost::new(&[
            (Field::Subject, &subject),
            (Field::Body, &body),
            (Field::Sender, &sender),
            (Field::SenderAddress, &sender),
        ]);
        host.extracted = extracted;
        let ticket = Ticket { number: subject.clone(), class: "incident".to_owned(), status: body };
        host.thread = if active { Conversation::Active(ticket) } else { Conversation::New };
        host
    })
}

/// A text as the host sends it: read from left to right.
fn filled(text: &str) -> String {
    let mut filled = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let places = [("{{", "{"), ("{ticket}", "T1"), ("{tag}", "#T1#")];
        let place = places.iter().find_map(|(place, with)| Some((rest.strip_prefix(place)?, *with)));
        let (with, after) = place.map_or_else(|| rest.split_at(first.len_utf8()), |(after, with)| (with, after));
        filled.push_str(with);
        rest = after;
    }
    filled
}

proptest! {
    #[test]
    fn are_taken_or_refused_and_then_always_decide_alike(condition in conditions(), host in messages()) {
        let statement = format!(
            r#"{{ "name": "s", "if": {}, "then": [{{ "do": "comment" }}], "else": [{{ "do": "ignore", "reason": "x" }}] }}"#,
            quote(&condition)
        );
        match configured(&message(), &statement) {
            Ok(plugin) => {
                let first = plugin.process(&host).expect("decides");
                prop_assert_eq!(plugin.process(&host).expect("decides"), first.clone());
                let again = configured(&message(), &statement).expect("is taken again");
                prop_assert_eq!(again.process(&host).expect("decides"), first.clone());
                let verb = if first.decisions[0].holds { "comment" } else { "ignore" };
                prop_assert_eq!(&first.actions[0].verb, verb);
            }
            Err(found) => prop_assert!(found.iter().all(|one| one.starts_with("statement.0.if@")), "{:?}", found),
        }
    }

    #[test]
    fn keep_what_a_message_says_a_text(host in messages(), text in ".*") {
        let plugin = configured(
            &message(),
            r#"{ "name": "s", "then": [
                { "do": "comment", "text": "a{{ subject }}b{{ phone }}c" },
                { "do": "ignore", "reason": "a{{ subject }}b{{ body | first 9 }}c" },
                { "do": "set-field", "html": "<p title='{{ subject }}'>{{ body }}</p>" } ] }"#,
        ).expect("the statement is right");
        let outcome = plugin.process(&host).expect("decides");
        let argument = |at: usize| outcome.actions[at].arguments[0].value.to_string();
        prop_assert_eq!(outcome.actions.len(), 3);
        let part = |field: &str| mailmill_sdk::Host::extracted(&host, field).to_string();
        let subject = &host.fields[0].1;
        prop_assert_eq!(argument(0), format!("a{subject}b{}c", part("phone")));
        let line = argument(1);
        prop_assert!(!line.chars().any(ends_line), "{line:?}");
        let html = argument(2).replace("<br>", "");
        prop_assert!(html.starts_with("<p title='") && html.ends_with("</p>"));
        prop_assert_eq!(html.matches('<').count(), 2, "{}", html);
        prop_assert_eq!(html.matches('\'').count(), 2, "{}", html);
        prop_assert_eq!(html.matches('"').count(), 0, "{}", html);

        // A text that a rule file could have: it is never read as a macro of another text.
        let host = TestHost::new(&[(Field::Subject, &text)]);
        let plugin = configured(
            &message(), r#"{ "name": "s", "then": [{ "do": "comment", "text": "{{ subject }}" }] }"#,
        ).expect("the statement is right");
        let outcome = plugin.process(&host).expect("decides");
        prop_assert_eq!(outcome.actions[0].arguments[0].value.to_string(), text);
    }

    #[test]
    fn have_nothing_of_a_message_filled_in(text in "([{}a]|\\{ticket\\}|\\{tag\\}|.){0,9}", phone in "([{}a]|ticket\\}|tag\\}){0,4}") {
        let mut host = TestHost::new(&[(Field::Subject, &text)]);
        host.extracted = vec![("phone".to_owned(), Value::Text(phone.clone()))];
        let plugin = configured(
            &message(),
            r#"{ "name": "s", "then": [{ "do": "notify", "subject": "{ticket} {{ \"{\" }}{{ subject }}{{ phone }} {{ \"{ticket}\" }}",
                 "text": "{{ subject }}{ticket}{{ phone }}{{ phone | default \"{tag}\" }}{tag}" }] }"#,
        ).expect("the statement is right");
        let outcome = plugin.process(&host).expect("decides");
        let filled = |at: usize| filled(&outcome.actions[0].arguments[at].value.to_string());
        let line = |text: &str| -> String { text.chars().map(|c| if ends_line(c) { ' ' } else { c }).collect() };
        prop_assert_eq!(filled(0), format!("T1 {{{}{} {{ticket}}", line(&text), line(&phone)));
        let default = if phone.trim().is_empty() { "{tag}" } else { &phone };
        prop_assert_eq!(filled(1), format!("{text}T1{phone}{default}#T1#"));
    }

    #[test]
    fn of_any_text_are_taken_or_refused(rules in ".*", text in ".*") {
        let statement = format!(r#"{{ "name": "s", "then": [{{ "do": "comment", "text": {} }}] }}"#, quote(&text));
        if let Ok(plugin) = configured(&message(), &statement) {
            plugin.process(&message()).expect("decides");
        }
        drop(configured_with(&message(), rules));
    }
}
