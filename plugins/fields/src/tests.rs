use crate::Fields;
use crate::host::TestHost;
use mailmill_sdk::{Config, Extractor, Field, Plugin, Value};

fn configured(host: &TestHost, field: &str) -> Result<Fields<TestHost>, Vec<String>> {
    configured_with(host, format!(r#"{{ "field": [{{ "name": "f", {field} }}] }}"#))
}

fn configured_with(host: &TestHost, rules: String) -> Result<Fields<TestHost>, Vec<String>> {
    let config = Config { rules, ..Config::default() };
    Fields::configure(host, &config)
        .map_err(|found| found.into_iter().map(|one| format!("{}: {}", one.path.join("."), one.reason)).collect())
}

/// What the field comes to, as text, with what is logged.
fn check(field: &str, expect: &str, log: &[&str]) {
    let message = [
        (Field::Subject, "Order No. 4711 (Total: 12.50 EUR)"),
        (Field::Body, "Hello,\nPhone:  +49 30 1234 \nDue: 2026-02-01\nThis is urgent!\n"),
        (Field::Header("X-Priority".to_owned()), "1 (Highest)"),
        (Field::Header("Long".to_owned()), &"x".repeat(1001)),
        (Field::Sender, "Ann Lee <ann@example.org>"),
        (Field::SenderAddress, "ann@example.org"),
        (Field::RecipientAddresses, "desk@example.com\nbo@example.net"),
        (Field::AttachmentNames, "invoice 4711.pdf\nlogo.png"),
        (Field::Extracted("ticket".to_owned()), "T00001"),
    ];
    let host = TestHost::new(&message);
    let fields = configured(&host, field).expect("the rule is right");
    let entries = fields.extract(&host).expect("extracts");
    let found = entries.first().map(|entry| entry.value.to_string()).unwrap_or_default();
    assert_eq!(found, expect, "{field}");
    assert_eq!(*host.log.borrow(), log, "{field}");
}

#[test]
fn fields_are_taken() {
    check(r#""from": "subject", "pattern": "Order No\\. (\\d+)", "type": "integer""#, "4711", &[]);
    check(r#""from": "subject", "pattern": "(Total): (?<value>[\\d.]+)", "type": "decimal""#, "12.50", &[]);
    check(r#""from": "subject", "pattern": "order""#, "", &[]);
    check(r#""from": "body", "after": "phone:""#, "+49 30 1234", &[]);
    check(r#""from": "subject-and-body", "after": "due:", "type": "date-time""#, "2026-02-01T00:00:00+00:00", &[]);
    check(r#""from": "subject", "after": "(", "before": ":""#, "Total", &[]);
    check(r#""from": "subject", "before": " No""#, "Order", &[]);
    check(r#""from": "subject-and-body", "check_for": "URGENT!""#, "true", &[]);
    check(r#""from": "subject", "check_for": "urgent""#, "false", &[]);
    check(r#""from": "subject", "at": 6, "length": 3"#, "No.", &[]);
    check(r#""from": "header:X-Priority", "pattern": "^\\d", "type": "integer""#, "1", &[]);
    check(r#""from": "header:X-None", "default": 3, "type": "integer""#, "3", &[]);
    check(r#""from": "header:X-None""#, "", &[]);
    check(r#""from": "sender.address""#, "ann@example.org", &[]);
    check(r#""from": "recipients.addresses", "pattern": "(?m)^(.*)@example\\.net$""#, "bo", &[]);
    check(r#""from": "attachments.names", "pattern": "(\\d+)\\.pdf", "type": "integer""#, "4711", &[]);
    check(r#""from": "body", "pattern": "(?:Phone|Tel):\\s*(?:(\\d+)|(?P<value>.*))""#, "+49 30 1234", &[]);
}

#[test]
fn positions_count_characters() {
    let check = |subject: &str, field: &str, expect: &str| {
        let host = TestHost::new(&[(Field::Subject, subject)]);
        let fields = configured(&host, &format!(r#""from": "subject", {field}"#)).expect("the rule is right");
        let entries = fields.extract(&host).expect("extracts");
        assert_eq!(
            entries.first().map(|entry| entry.value.to_string()).unwrap_or_default(),
            expect,
            "{subject} {field}"
        );
    };
    check("Äöü 4711", r#""at": 4, "length": 2"#, "47");
    check("Äöü 4711", r#""at": 7"#, "1");
    check("Äöü 4711", r#""at": 8"#, "");
    check("Äöü 4711", r#""at": 1000000"#, "");
    check("Äöü 4711", r#""length": 3"#, "Äöü");
    check("Äöü 4711", r#""length": 1000"#, "Äöü 4711");
    check("", r#""at": 0"#, "");
}

/// The value that a field of this type makes of a subject; or the warning.
fn read(field: &str, text: &str) -> Result<String, String> {
    let host = TestHost::new(&[(Field::Subject, text)]);
    let fields = configured(&host, &format!(r#""from": "subject", {field}"#)).expect("the rule is right");
    let entries = fields.extract(&host).expect("extracts");
    let warning = host.log.borrow().first().cloned();
    match (entries.first(), warning) {
        (Some(entry), None) => Ok(entry.value.to_string()),
        (None, Some(warning)) => Err(warning),
        other => panic!("{field} {text:?}: {other:?}"),
    }
}

#[test]
fn every_type_has_its_limits() {
    let check = |kind: &str, text: &str, expect: Result<&str, &str>| {
        let found = read(&format!(r#""type": "{kind}", "currency": "EUR""#), text);
        let expect = expect.map(str::to_owned).map_err(|reason| format!("field \"f\": {reason}; it stays blank"));
        assert_eq!(found, expect, "{kind} {text:?}");
    };
    check("text", &"ü".repeat(1000), Ok(&"ü".repeat(1000)));
    check("text", &"ü".repeat(1001), Err("the text is longer than 1000 characters"));
    check("memo", &"x".repeat(1001), Ok(&"x".repeat(1001)));
    check("memo", &"x".repeat(512 * 1024), Ok(&"x".repeat(512 * 1024)));
    check("memo", &"x".repeat(512 * 1024 + 1), Err("the text is longer than 524288 bytes"));
    check("html", "a", Ok("<p>a</p>"));
    check("html", &"x".repeat(1024 * 1024 - 7), Ok(&format!("<p>{}</p>", "x".repeat(1024 * 1024 - 7))));
    check("html", &"x".repeat(1024 * 1024 - 6), Err("the HTML is longer than 1048576 bytes"));
    check("integer", "99999999", Ok("99999999"));
    check("integer", "-99999999", Ok("-99999999"));
    check("integer", "100000000", Err("100000000 is outside of -99999999 to 99999999"));
    check("integer", "-100000000", Err("-100000000 is outside of -99999999 to 99999999"));
    check("integer", "99999999999999999999", Err("\"99999999999999999999\" is no Integer ( )"));
    check("integer", "1.5", Err("\"1.5\" is no Integer ( )"));
    // The host reads the rest, and knows their limits.
    check("decimal", "12.50", Ok("12.50"));
    check("decimal", "12,50", Err("\"12,50\" is no Decimal ( )"));
    check("float", "12.50", Ok("12.50"));
    check("currency", "12.50", Ok("12.50 EUR"));
    check("currency", "12.50 euro", Err("\"12.50 euro\" is no Currency ( )"));
    check("boolean", "true", Ok("true"));
    check("date-time", "2026-01-31", Ok("2026-01-31T00:00:00+00:00"));
    check("ticket", "T00001", Ok("T00001"));
    check("ticket", "00001", Err("\"00001\" is no Ticket ( )"));
}

#[test]
fn a_default_takes_the_place_of_what_does_not_fit() {
    let host = TestHost::new(&[(Field::Subject, "many")]);
    let fields = configured(&host, r#""from": "subject", "type": "integer", "default": 3"#).expect("the rule is right");
    assert_eq!(fields.extract(&host).expect("extracts")[0].value, Value::Integer(3));
    assert_eq!(*host.log.borrow(), ["field \"f\": \"many\" is no Integer ( ); it gets its default"]);
}

#[test]
fn a_locale_and_a_time_zone_are_of_the_file_or_of_a_field() {
    let host = TestHost::new(&[(Field::Subject, "x")]);
    let rules = r#"{ "locale": "de", "time_zone": "Europe/Berlin", "currency": "EUR",
        "field": [
            { "name": "a", "type": "integer", "from": "subject" },
            { "name": "b", "type": "integer", "from": "subject", "locale": "en-US" },
            { "name": "c", "type": "currency", "from": "header:None", "default": "3" },
            { "name": "d", "type": "currency", "from": "header:None", "default": "3", "currency": "USD" },
            { "name": "e", "type": "decimal", "from": "header:None", "default": 12.5 } ],
        "pattern": [
            { "from": "subject", "time_zone": "UTC", "pattern": "(?<f>x)(?<g>)", "field": [
                { "name": "f", "type": "integer" }, { "name": "g", "type": "integer", "time_zone": "+01:00" } ] } ] }"#;
    let fields = configured_with(&host, rules.to_owned()).expect("the rules are right");
    let found = fields.extract(&host).expect("extracts");
    let found: Vec<String> = found.iter().map(|entry| format!("{} = {}", entry.name, entry.value)).collect();
    assert_eq!(found, ["c = 3 EUR", "d = 3 USD", "e = 12.5"]);
    let warning = |name: &str, how: &str| format!("field \"{name}\": \"x\" is no Integer ({how}); it stays blank");
    assert_eq!(
        *host.log.borrow(),
        [warning("a", "de Europe/Berlin"), warning("b", "en-US Europe/Berlin"), warning("f", "de UTC")]
    );
}

const ORDER: &str = r#"{ "pattern": [ { "from": "subject-and-body", "locale": "de",
    "pattern": "(?m)^(?<count>\\d+) x (?<article>.+) zu (?<unit_price>[\\d.]+ EUR)(?: bis (?<d>.+))?$",
    "field": [
        { "name": "count", "type": "integer", "required": true },
        { "name": "article" },
        { "name": "unit-price", "type": "currency" },
        { "name": "due", "type": "date-time", "group": "d" } ] } ] }"#;

#[test]
fn a_pattern_fills_several_fields() {
    let check = |body: &str, expect: &[&str]| {
        let host = TestHost::new(&[(Field::Subject, "Bestellung"), (Field::Body, body)]);
        let fields = configured_with(&host, ORDER.to_owned()).expect("the rules are right");
        let found = fields.extract(&host).map_err(|failure| failure.reason);
        let found = found.map_or_else(
            |reason| vec![reason],
            |found| found.iter().map(|entry| format!("{} = {}", entry.name, entry.value)).collect(),
        );
        assert_eq!(found, expect, "{body}");
    };
    check(
        "Hallo,\n3 x Stuhl, grün zu 1099.50 EUR bis 2026-01-31\n4 x Tisch zu 5 EUR\n",
        &["count = 3", "article = Stuhl, grün", "unit-price = 1099.50 EUR", "due = 2026-01-31T00:00:00+00:00"],
    );
    check("4 x Tisch zu 5 EUR", &["count = 4", "article = Tisch", "unit-price = 5 EUR"]);
    check("nichts", &["the required field \"count\" is not in the message"]);
}

#[test]
fn a_faulty_pattern_is_explained() {
    let check = |pattern: &str, expect: &[&str]| {
        let rules = format!(r#"{{ "pattern": [ {{ "from": "body", {pattern} }} ] }}"#);
        let found = configured_with(&TestHost::new(&[]), rules).expect_err("is refused");
        assert_eq!(found, expect, "{pattern}");
    };
    check(r#""pattern": "a""#, &["pattern.0: a [[pattern]] has at least one [[pattern.field]]"]);
    check(r#""field": [{ "name": "f" }]"#, &["pattern.0: the key \"pattern\" is missing"]);
    check(
        r#""pattern": "(?<a>x)(?<b_c>y)", "field": [{ "name": "b-c" }, { "name": "d" }, { "name": "e", "group": "f" }, { "name": "a", "from": "body" }]"#,
        &[
            "pattern.0.field.1.name: the pattern has no group (?<d>…): it has a, b_c",
            "pattern.0.field.2.group: the pattern has no group (?<f>…): it has a, b_c",
            "pattern.0.field.3.from: unknown key \"from\": expected one of name, description, type, locale, time_zone, currency, required, default, group",
        ],
    );
    check(
        r#""pattern": "(x)", "field": [{ "name": "f" }]"#,
        &["pattern.0.field.0.name: the pattern has no group (?<f>…)"],
    );
}

#[test]
fn texts_of_all_fields_together_have_a_limit() {
    let body = "x".repeat(500 * 1024);
    let host = TestHost::new(&[(Field::Body, &body)]);
    let field = |at: usize| format!(r#"{{ "name": "f{at}", "type": "memo", "from": "body" }}"#);
    let all: Vec<String> = (0..10).map(field).collect();
    let fields = configured_with(&host, format!(r#"{{ "field": [{}] }}"#, all.join(","))).expect("the rules are right");
    assert_eq!(fields.extract(&host).expect("extracts").len(), 8);
    assert_eq!(
        *host.log.borrow(),
        ["f8", "f9"]
            .map(|name| format!("field \"{name}\": all fields together are longer than 4194304 bytes; it stays blank"))
    );
}

#[test]
fn there_can_be_two_hundred_fields() {
    let all = |count: usize| {
        let fields: Vec<String> = (0..count).map(|at| format!(r#"{{ "name": "f{at}", "from": "body" }}"#)).collect();
        configured_with(&TestHost::new(&[]), format!(r#"{{ "field": [{}] }}"#, fields.join(","))).map(drop)
    };
    assert_eq!(all(200), Ok(()));
    assert_eq!(all(201), Err(vec!["field: there are 201 fields; at most 200 are allowed".to_owned()]));
}

#[test]
fn a_value_that_does_not_fit_leaves_the_field_blank() {
    let blank = |field: &str, reason: &str| check(field, "", &[&format!("field \"f\": {reason}; it stays blank")]);
    blank(r#""from": "header:X-Priority", "type": "integer""#, "\"1 (Highest)\" is no Integer ( )");
    blank(r#""from": "header:Long""#, "the text is longer than 1000 characters");
}

#[test]
fn whole_numbers_have_limits() {
    let check = |number: &str, expect: Option<i64>| {
        let host = TestHost::new(&[(Field::Subject, number)]);
        let fields = configured(&host, r#""from": "subject", "type": "integer""#).expect("the rule is right");
        let entries = fields.extract(&host).expect("extracts");
        assert_eq!(entries.first().map(|entry| entry.value.clone()), expect.map(Value::Integer), "{number}");
    };
    check("99999999", Some(99_999_999));
    check("-99999999", Some(-99_999_999));
    check("100000000", None);
}

#[test]
fn a_required_field_must_be_there() {
    let host = TestHost::new(&[]);
    let fields = configured(&host, r#""from": "subject", "required": true"#).expect("the rule is right");
    let failure = fields.extract(&host).expect_err("fails");
    assert_eq!(failure.reason, "the required field \"f\" is not in the message");
    assert_eq!(failure.rule.as_deref(), Some("f"));
}

#[test]
fn faulty_rules_are_explained() {
    let check = |field: &str, expect: &[&str]| {
        let found = configured(&TestHost::new(&[]), field).expect_err("is refused");
        assert_eq!(found, expect, "{field}");
    };
    check(
        r#""form": "subject""#,
        &["field.0.form: unknown key \"form\": did you mean \"from\"?", "field.0: the key \"from\" is missing"],
    );
    check(
        r#""from": "subjekt", "type": "int""#,
        &[
            "field.0.from: unknown source \"subjekt\": did you mean \"subject\"? there are subject, sender, sender.address, sender.name, recipients, recipients.addresses, body, whole-body, attachments.names, attachments.types, client, origin, message-id, ticket, ticket.class, ticket.status, inactive-ticket, inactive-ticket.class, inactive-ticket.status, header:NAME, ObjectRef, InactiveObjectRef, subject-and-body",
            "field.0.type: unknown type \"int\": there are text, memo, html, integer, decimal, float, currency, boolean, date-time, ticket",
        ],
    );
    check(
        r#""from": "subject", "pattern": "a", "after": "b""#,
        &["field.0: take one of `pattern`, `after` and `before`, `check_for`, `at` and `length`"],
    );
    check(
        r#""from": "subject", "type": "integer", "default": "many""#,
        &["field.0.default: \"many\" is no Integer ( )"],
    );
    check(
        r#""from": "subject", "check_for": "a", "type": "text""#,
        &["field.0.type: a field with `check_for` is of type boolean"],
    );
    check(
        r#""from": "subject", "locale": "xx", "time_zone": "xx", "currency": "xx""#,
        &[
            "field.0.locale: unknown locale",
            "field.0.time_zone: unknown time zone",
            "field.0.currency: unknown currency",
        ],
    );
    // A default cannot be read either then, which says nothing new.
    check(
        r#""from": "subject", "type": "decimal", "locale": "xx", "default": "1,5""#,
        &["field.0.locale: unknown locale"],
    );
    let named = |name: &str| {
        let rules =
            format!(r#"{{ "field": [{{ "name": "a", "from": "body" }}, {{ "name": "{name}", "from": "body" }}] }}"#);
        configured_with(&TestHost::new(&[]), rules).map(drop)
    };
    assert_eq!(named("b"), Ok(()));
    assert_eq!(named("a"), Err(vec!["field.1.name: there is another field \"a\": names must differ".to_owned()]));
    for name in ["subject", "ticket", "inactive-ticket", "received", "attachments"] {
        let reason = format!("field.1.name: every message has a field \"{name}\": take another name");
        assert_eq!(named(name), Err(vec![reason]));
    }
    assert_eq!(named(&format!("a{}", "b".repeat(63))), Ok(()));
    for name in [&format!("a{}", "b".repeat(64)), "A", "1a", "a_b", ""] {
        let reason = "field.1.name: a name is a lower-case letter, then letters, digits and `-`, at most 64";
        assert_eq!(named(name), Err(vec![reason.to_owned()]), "{name}");
    }
    check(r#""from": "subject", "length": 0"#, &["field.0.length: a field has 1 to 1000 characters"]);
    assert_eq!(
        configured(&TestHost::new(&[]), r#""from": "subject", "pattern": "(""#).expect_err("is refused").len(),
        1
    );
}

#[test]
fn the_shipped_rules_pass_their_own_tests() {
    let file: toml::Table = include_str!("../../../rules/fields.toml").parse().expect("is TOML");
    let rules = serde_json::to_string(&file).expect("is JSON");
    for test in file["test"].as_array().expect("has tests") {
        let text = |key: &str| test.get(key).and_then(|value| value.as_str()).unwrap_or_default();
        let mut message = vec![(Field::Subject, text("subject")), (Field::Body, text("body"))];
        for (name, value) in test.get("headers").and_then(|headers| headers.as_table()).into_iter().flatten() {
            message.push((Field::Header(name.clone()), value.as_str().expect("is text")));
        }
        let host = TestHost::new(&message);
        let config = Config { rules: rules.clone(), ..Config::default() };
        let fields = Fields::configure(&host, &config).expect("the rules are right");
        let found = fields.extract(&host).expect("extracts");
        let mut found: Vec<String> = found.iter().map(|entry| format!("{} = {}", entry.name, entry.value)).collect();
        let expect = test["expect"].as_table().expect("is a table").iter();
        let plain = |value: &toml::Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let mut expect: Vec<String> = expect.map(|(name, value)| format!("{name} = {}", plain(value))).collect();
        found.sort();
        expect.sort();
        assert_eq!(found, expect, "{}", text("name"));
    }
}

#[test]
fn where_a_field_comes_from_is_told() {
    let check = |field: &str, expect: &[&str]| {
        let host = TestHost::new(&[(Field::Subject, "Order No. 4711: urgent"), (Field::Body, "Due: 2026-02-01\n")]);
        configured(&host, field).expect("the rule is right").extract(&host).expect("extracts");
        assert_eq!(*host.found.borrow(), expect, "{field}");
    };
    check(r#""from": "subject""#, &["f: all of it: Order No. 4711: urgent"]);
    check(r#""from": "subject", "pattern": "No\\. (\\d+)""#, &[r"f: by `No\. (\d+)`: 4711"]);
    check(r#""from": "subject-and-body", "after": "due:", "type": "date-time""#, &["f: after \"due:\": 2026-02-01"]);
    check(r#""from": "subject", "after": "No.", "before": ":""#, &["f: between \"No.\" and \":\": 4711"]);
    check(r#""from": "subject", "before": " No""#, &["f: before \" No\": Order"]);
    check(r#""from": "subject", "check_for": "URGENT""#, &["f: looked for: urgent"]);
    check(r#""from": "subject", "check_for": "late""#, &["f: looked for: "]);
    check(r#""from": "subject", "at": 6, "length": 3"#, &["f: characters 6 to 9: No."]);
    check(r#""from": "subject", "at": 16"#, &["f: from character 16: urgent"]);
    check(r#""from": "body", "pattern": "\\d{9}", "default": "none""#, &["f: its default: "]);
    check(r#""from": "body", "pattern": "\\d{9}""#, &[]);
}
