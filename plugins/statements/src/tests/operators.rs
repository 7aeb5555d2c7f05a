//! What every operator answers on every type: below, at and above the value of a field, and where the field is blank.

use super::{configured, message, quote};
use crate::host::TestHost;
use mailmill_sdk::{Processor, Value};

/// A field of each type that has an order, and constants below, at and above its value.
const ORDERED: [(&str, [&str; 3]); 4] = [
    ("priority", ["1", "2", "3"]),
    ("amount", ["12.49", "12.50", "12.51"]),
    ("total", ["12.49 EUR", "12.50 EUR", "12.51 EUR"]),
    ("due", ["2026-01-31T09:59:59Z", "2026-01-31T10:00Z", "2026-01-31T10:00:01Z"]),
];

/// The message of the tests, with a date; with `blank`, that field is blank.
fn host(blank: Option<&str>) -> TestHost {
    let mut host = message();
    host.extracted.push(("due".to_owned(), Value::DateTime { seconds: 1_769_853_600, offset_minutes: 0 }));
    host.extracted.retain(|(name, _)| Some(name.as_str()) != blank);
    host
}

fn check(host: &TestHost, condition: &str, expect: bool) {
    let statement = format!(r#"{{ "name": "s", "if": {}, "then": [] }}"#, quote(condition));
    let plugin = configured(host, &statement).unwrap_or_else(|found| panic!("{condition}: {found:?}"));
    assert_eq!(plugin.process(host).expect("decides").decisions[0].holds, expect, "{condition}");
}

#[test]
fn numbers_amounts_and_dates_are_less_equal_or_more() {
    for (name, constants) in ORDERED {
        let (full, blank) = (host(None), host(Some(name)));
        for (constant, order) in constants.into_iter().zip([1, 0, -1]) {
            let answers = [
                ("is", order == 0),
                ("is not", order != 0),
                (">", order > 0),
                (">=", order >= 0),
                ("<", order < 0),
                ("<=", order <= 0),
            ];
            for (operator, expect) in answers {
                check(&full, &format!("{name} {operator} {constant}"), expect);
                // A blank field equals nothing, and is neither more nor less than anything.
                check(&blank, &format!("{name} {operator} {constant}"), operator == "is not");
            }
            check(&full, &format!("{name} is in [{constant}, {constant}]"), order == 0);
            check(&full, &format!("{name} is not in [{constant}]"), order != 0);
            check(&blank, &format!("{name} is in [{constant}]"), false);
            check(&blank, &format!("{name} is not in [{constant}]"), true);
        }
        check(&full, &format!("{name} is {name} and {name} >= {name} and not {name} > {name}"), true);
        check(&blank, &format!("{name} is {name} or {name} >= {name}"), false);
        for (host, is_blank) in [(&full, false), (&blank, true)] {
            check(host, &format!("{name} is blank"), is_blank);
            check(host, &format!("{name} is not blank"), !is_blank);
        }
    }
    let (full, blank) = (host(None), host(Some("due")));
    let [before, at, after] = ORDERED[3].1;
    for (constant, is_after, is_before) in [(before, true, false), (at, false, false), (after, false, true)] {
        check(&full, &format!("due is after {constant}"), is_after);
        check(&full, &format!("due is before {constant}"), is_before);
        check(&full, &format!("due is after {constant} by at least 2 seconds"), false);
        check(&blank, &format!("due is after {constant} or due is before {constant}"), false);
    }
}

#[test]
fn texts_are_compared_and_searched_in_any_case() {
    let answers = [
        ("is \"BO@example.net\"", true),
        ("is \" bo@example.net \"", true),
        ("is \"bo@example\"", false),
        ("is in [\"x\", \"bo@EXAMPLE.net\"]", true),
        ("contains \"@EXAMPLE\"", true),
        ("contains \"@x\"", false),
        ("starts with \"BO\"", true),
        ("starts with \"o\"", false),
        ("ends with \".NET\"", true),
        ("ends with \"ne\"", false),
        ("matches /^bo@/", true),
        ("matches /^BO@/", false),
        ("matches /(?i)^BO@/", true),
        ("is in domain \"example.net\"", true),
        ("is in domain \"net\"", false),
        ("is blank", false),
        ("is contact", true),
        ("is phone", false),
    ];
    let (full, blank) = (host(None), host(Some("contact")));
    for (test, expect) in answers {
        check(&full, &format!("contact {test}"), expect);
        check(&blank, &format!("contact {test}"), test == "is blank");
    }
    let negated =
        [("is not", "\"x\"", true), ("is not in", "[\"x\"]", true), ("is not in domain", "\"x.example\"", true)];
    for (operator, operand, expect) in negated {
        check(&full, &format!("contact {operator} {operand}"), expect);
        check(&blank, &format!("contact {operator} {operand}"), expect);
    }
    check(&full, "contact is not \"bo@example.net\" or contact is not in [\"bo@example.net\"]", false);
}

#[test]
fn html_is_searched_as_it_stands() {
    let answers = [
        ("contains \"<I>13\"", true),
        ("contains \"12 & 13\"", false),
        ("starts with \"<b>\"", true),
        ("ends with \"</i>\"", true),
        ("matches /<b>\\d+/", true),
        ("is not blank", true),
    ];
    let (full, blank) = (host(None), host(Some("details")));
    for (test, expect) in answers {
        check(&full, &format!("details {test}"), expect);
        check(&blank, &format!("details {test}"), false);
    }
}

#[test]
fn yes_and_no_are_asked_for_by_name() {
    let (full, blank) = (host(None), host(Some("urgent")));
    let answers = [
        ("urgent", true, false),
        ("not urgent", false, true),
        ("urgent is true", true, false),
        ("urgent is false", false, false),
        ("urgent is not false", true, true),
        ("urgent is not true", false, true),
        ("urgent is in [true, false]", true, false),
        ("urgent is urgent", true, false),
        ("urgent is blank", false, true),
    ];
    for (condition, expect, expect_blank) in answers {
        check(&full, condition, expect);
        check(&blank, condition, expect_blank);
    }
}
