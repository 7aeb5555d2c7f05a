use crate::Fields;
use crate::host::TestHost;
use mailmill_sdk::{Config, Extractor, Field, Plugin, Value};

fn configured(host: &TestHost, field: &str) -> Result<Fields<TestHost>, Vec<String>> {
    let rules = format!(r#"{{ "field": [{{ "name": "f", {field} }}] }}"#);
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
}

#[test]
fn a_value_that_does_not_fit_leaves_the_field_blank() {
    let blank = |field: &str, reason: &str| check(field, "", &[&format!("field \"f\": {reason}; it stays blank")]);
    blank(r#""from": "header:X-Priority", "type": "integer""#, "\"1 (Highest)\" is no integer");
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
            "field.0.type: unknown type \"int\": there are text, integer, decimal, boolean, date-time",
            "field.0.from: unknown source \"subjekt\": did you mean \"subject\"? There are subject, body, whole-body, subject-and-body, sender, recipients, message-id, client, origin, header:NAME",
        ],
    );
    check(
        r#""from": "subject", "pattern": "a", "after": "b""#,
        &["field.0: take one of `pattern`, `after` and `before`, `check_for`, `at` and `length`"],
    );
    check(r#""from": "subject", "type": "integer", "default": "many""#, &["field.0.default: \"many\" is no integer"]);
    check(
        r#""from": "subject", "check_for": "a", "type": "text""#,
        &["field.0.type: a field with `check_for` is of type boolean"],
    );
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
