mod any_rules;
mod conditions;
mod operators;

use crate::Statements;
use crate::host::TestHost;
use mailmill_sdk::{
    Argument, Config, Conversation, Declaration, Field, Outcome, Plugin, Processor, Ticket, Value, ValueType, Verb,
};

const CLASSES: [&str; 7] =
    ["incident", "change-request", "problem", "work-order", "service-request", "purchase-order", "approval-request"];

fn verb(name: &str, arguments: &[(&str, ValueType, bool)]) -> Verb {
    let choices = |name: &str| match name {
        "class" => CLASSES.map(str::to_owned).to_vec(),
        "status" => ["new", "open", "resolved", "closed"].map(str::to_owned).to_vec(),
        "visibility" => vec!["public".to_owned(), "internal".to_owned()],
        _ => Vec::new(),
    };
    let row = |(name, kind, required): &(&str, ValueType, bool)| Argument {
        name: (*name).to_owned(),
        kind: *kind,
        required: *required,
        choices: choices(name),
        one_line: *name != "text",
    };
    Verb { name: name.to_owned(), arguments: arguments.iter().map(row).collect() }
}

fn configured(host: &TestHost, statements: &str) -> Result<Statements<TestHost>, Vec<String>> {
    configured_with(host, format!(r#"{{ "statement": [{statements}] }}"#))
}

fn configured_with(host: &TestHost, rules: String) -> Result<Statements<TestHost>, Vec<String>> {
    let field = |name: &str, kind| Declaration { name: name.to_owned(), kind };
    let config = Config {
        rules,
        verbs: vec![
            verb("ignore", &[("reason", ValueType::Text, true)]),
            verb("comment", &[("text", ValueType::Text, false), ("visibility", ValueType::Text, false)]),
            verb("create-ticket", &[("class", ValueType::Text, true)]),
            verb("set-status", &[("status", ValueType::Text, true)]),
            verb("reopen", &[]),
            verb("notify", &[("subject", ValueType::Text, false), ("text", ValueType::Text, true)]),
            verb(
                "set-field",
                &[
                    ("text", ValueType::Text, false),
                    ("integer", ValueType::Integer, false),
                    ("decimal", ValueType::Decimal, false),
                    ("boolean", ValueType::Boolean, false),
                    ("date-time", ValueType::DateTime, false),
                    ("currency", ValueType::Currency, false),
                    ("html", ValueType::Html, false),
                ],
            ),
        ],
        fields: vec![
            field("priority", ValueType::Integer),
            field("amount", ValueType::Decimal),
            field("urgent", ValueType::Boolean),
            field("due", ValueType::DateTime),
            field("phone", ValueType::Text),
            field("contact", ValueType::Text),
            field("total", ValueType::Currency),
            field("limit", ValueType::Currency),
            field("details", ValueType::Html),
            field("has", ValueType::Boolean),
        ],
    };
    let line = |found: mailmill_sdk::Diagnostic| {
        let offset = found.offset.map(|offset| format!("@{offset}")).unwrap_or_default();
        format!("{}{offset}: {}", found.path.join("."), found.reason)
    };
    Statements::configure(host, &config).map_err(|found| found.into_iter().map(line).collect())
}

fn message() -> TestHost {
    let mut host = TestHost::new(&[
        (Field::Subject, "Re: Printer {x}"),
        (Field::Sender, "Ann <ann@example.org>"),
        (Field::Origin, "human"),
        (Field::Body, "It is on fire.\nHelp!"),
        (Field::Header("X-Priority".to_owned()), "1"),
        (Field::SenderAddress, "ann@example.org"),
        (Field::SenderName, "Ann"),
        (Field::RecipientAddresses, "desk@mail.example.com\nbo@example.net"),
        (Field::Header("Reply-To".to_owned()), "\"x@example.org\" <eve@evil.example>"),
        (Field::HeaderAddresses("Reply-To".to_owned()), "eve@evil.example"),
        (Field::AttachmentNames, "invoice.pdf\nlogo.png"),
        (Field::AttachmentTypes, "application/pdf\nimage/png"),
    ]);
    host.extracted = vec![
        ("priority".to_owned(), Value::Integer(2)),
        ("amount".to_owned(), Value::Decimal { units: 1250, scale: 2 }),
        ("urgent".to_owned(), Value::Boolean(true)),
        ("contact".to_owned(), Value::Text("bo@example.net".to_owned())),
        ("total".to_owned(), Value::Currency { units: 1250, scale: 2, currency: "EUR".to_owned() }),
        ("limit".to_owned(), Value::Currency { units: 20, scale: 0, currency: "EUR".to_owned() }),
        ("details".to_owned(), Value::Html("<b>12</b> &amp; <i>13</i>".to_owned())),
    ];
    let text = str::to_owned;
    host.thread =
        Conversation::Active(Ticket { number: text("T00001"), class: text("incident"), status: text("open") });
    host
}

fn quote(text: &str) -> String {
    serde_json::Value::String(text.to_owned()).to_string()
}

fn decided(statements: &str) -> Outcome {
    let host = message();
    let plugin = configured(&host, statements).expect("the statements are right");
    plugin.process(&host).expect("decides")
}

#[test]
fn the_first_true_branch_wins() {
    let say = |text: &str| format!(r#"[{{ "do": "comment", "text": "{text}" }}]"#);
    let (a, b, c, d) = (say("a"), say("b"), say("c"), say("d"));
    let check = |statements: &str, expect: &[&str], stop: bool| {
        let outcome = decided(statements);
        let texts: Vec<String> = outcome
            .actions
            .iter()
            .map(|action| action.arguments.first().map(|a| a.value.to_string()).unwrap_or_default())
            .collect();
        assert_eq!(texts, expect, "{statements}");
        assert_eq!(outcome.stop, stop, "{statements}");
    };
    check(&format!(r#"{{ "name": "s", "then": {a} }}, {{ "name": "t", "then": {b} }}"#), &["a", "b"], false);
    check(&format!(r#"{{ "name": "s", "then": {a}, "stop": true }}, {{ "name": "t", "then": {b} }}"#), &["a"], true);
    check(
        &format!(
            r#"{{ "name": "s", "if": "phone is not blank", "then": {a}, "stop": true,
                 "else_if": [{{ "if": "urgent", "then": {b} }}, {{ "if": "urgent", "then": {c} }}], "else": {d} }}"#
        ),
        &["b"],
        true,
    );
    check(&format!(r#"{{ "name": "s", "if": "not urgent", "then": {a}, "else": {d} }}"#), &["d"], false);
    check(&format!(r#"{{ "name": "s", "if": "not urgent", "then": {a}, "stop": true }}"#), &[], false);
    check(
        &format!(r#"{{ "name": "s", "if": "urgent", "then": [{{ "then": {a}, "stop": true }}, {{ "then": {b} }}] }}"#),
        &["a"],
        true,
    );
}

#[test]
fn the_report_shows_what_was_seen() {
    let outcome = decided(
        r#"{ "name": "s", "if": "phone is blank  and subject contains \"printer\" and urgent", "then": [
              { "name": "inner", "if": "priority is 3", "then": [] } ] }"#,
    );
    let lines: Vec<String> =
        outcome.decisions.iter().map(|d| format!("{}: {} = {}", d.statement, d.condition, d.holds)).collect();
    assert_eq!(
        lines,
        [
            "s: phone is blank and subject contains \"printer\" and urgent [phone = blank; subject = \"Re: Printer {x}\"; urgent = true] = true",
            "s / inner: priority is 3 [priority = 2] = false",
        ]
    );
}

#[test]
fn macros_are_filled_in() {
    let check = |text: &str, expect: &str| {
        let outcome =
            decided(&format!(r#"{{ "name": "s", "then": [{{ "do": "comment", "text": {} }}] }}"#, quote(text)));
        assert_eq!(outcome.actions[0].arguments[0].value, Value::Text(expect.to_owned()), "{text}");
    };
    check("plain } text", "plain } text");
    check("<{{subject}}> {{ ticket }}", "<Re: Printer {x}> T00001");
    check("{{ body | one-line | lower | first 5 }}", "it is");
    check("{{ subject | lower }}", "re: printer {x}");
    check(r#"{{ phone | default "no }} phone" }}"#, "no }} phone");
    check(r#"{{ priority | default "3" }}{{ amount }}"#, "212.50");
    check(r#"{{ "{{" }} x }}"#, "{{ x }}");
}

#[test]
fn what_a_message_has_stays_a_text_wherever_it_goes() {
    let nasty = "a\r\nBcc: eve@evil.example\u{2028}<b onclick='x()'>&\"{{ ticket }} '''\0";
    let host = TestHost::new(&[(Field::Subject, nasty)]);
    let check = |action: &str, expect: &str| {
        let plugin = configured(&host, &format!(r#"{{ "name": "s", "then": [{{ {action} }}] }}"#)).expect("is right");
        let outcome = plugin.process(&host).expect("decides");
        assert_eq!(outcome.actions[0].arguments[0].value.to_string(), expect, "{action}");
    };
    check(r#""do": "comment", "text": "[{{ subject }}]""#, &format!("[{nasty}]"));
    check(
        r#""do": "ignore", "reason": "[{{ subject }}]""#,
        "[a  Bcc: eve@evil.example <b onclick='x()'>&\"{{ ticket }} ''' ]",
    );
    check(
        r#""do": "set-field", "html": "<p title=\"{{ subject }}\">{{ subject | first 2 }}</p>""#,
        "<p title=\"a\r<br>Bcc: eve@evil.example\u{2028}&lt;b onclick=&#39;x()&#39;&gt;&amp;&quot;{{ ticket }} &#39;&#39;&#39;\0\">a\r</p>",
    );
}

#[test]
fn html_goes_into_html_as_it_is() {
    let check = |argument: &str, expect: &str| {
        let outcome = decided(&format!(r#"{{ "name": "s", "then": [{{ "do": "set-field", "html": {argument} }}] }}"#));
        assert_eq!(outcome.actions[0].arguments[0].value, Value::Html(expect.to_owned()), "{argument}");
    };
    check(r#""<p>{{ details }}</p>""#, "<p><b>12</b> &amp; <i>13</i></p>");
    check(r#""{{ details }}""#, "<b>12</b> &amp; <i>13</i>");
    check(r#""{{ details | default \"none\" }}""#, "<b>12</b> &amp; <i>13</i>");
    check(r#""{{ body }}""#, "It is on fire.<br>Help!");
    check(r#""{{ total }}""#, "12.50 EUR");
    let check = |action: &str, expect: &str| {
        refused(&format!(r#"{{ "name": "s", "then": [{{ {action} }}] }}"#), &[&format!("statement.0.then.0.{expect}")]);
    };
    check(
        r#""do": "comment", "text": "x {{ details }}""#,
        "text@5: `details` is of type html: only an argument of that type takes it",
    );
    check(
        r#""do": "set-field", "html": "{{ details | first 3 }}""#,
        "html@3: `details` is of type html: of the filters, only `default` goes with it",
    );
}

#[test]
fn a_macro_that_stands_alone_keeps_its_type() {
    let check = |argument: &str, expect: Value| {
        let outcome = decided(&format!(r#"{{ "name": "s", "then": [{{ "do": "set-field", {argument} }}] }}"#));
        assert_eq!(outcome.actions[0].arguments[0].value, expect, "{argument}");
    };
    check(r#""integer": "{{ priority }}""#, Value::Integer(2));
    check(r#""integer": 7"#, Value::Integer(7));
    check(r#""decimal": "12.50""#, Value::Decimal { units: 1250, scale: 2 });
    check(r#""decimal": "{{ amount }}""#, Value::Decimal { units: 1250, scale: 2 });
    check(r#""decimal": 12.50"#, Value::Decimal { units: 1250, scale: 2 });
    check(r#""boolean": true"#, Value::Boolean(true));
    check(r#""boolean": "{{ urgent }}""#, Value::Boolean(true));
    check(r#""date-time": "2026-01-31""#, Value::DateTime { seconds: 1_769_817_600, offset_minutes: 0 });
    check(r#""date-time": "{{ received }}""#, Value::DateTime { seconds: 0, offset_minutes: 0 });
    check(r#""currency": "{{ total }}""#, Value::Currency { units: 1250, scale: 2, currency: "EUR".to_owned() });
    check(r#""currency": "3 USD""#, Value::Currency { units: 3, scale: 0, currency: "USD".to_owned() });
    check(r#""text": "{{ total }}""#, Value::Text("12.50 EUR".to_owned()));
    check(r#""integer": "{{ attachments }}""#, Value::Integer(0));
}

fn refused(statement: &str, expect: &[&str]) {
    assert_eq!(configured(&message(), statement).expect_err("is refused"), expect, "{statement}");
}

#[test]
fn faulty_statements_are_explained_all_at_once() {
    refused(
        r#"{ "if": "urgent", "than": [] }"#,
        &[
            "statement.0: the key \"name\" is missing",
            "statement.0.than: unknown key \"than\": did you mean \"then\"?",
            "statement.0: the key \"then\" is missing: say what is to be done, or `then = []`",
        ],
    );
    refused(
        r#"{ "name": "s", "then": [{ "do": "coment" }, { "do": "ignore" }, { "do": "ignore", "reason": 1, "text": "x" }] }"#,
        &[
            "statement.0.then.0.do: unknown verb \"coment\": did you mean \"comment\"?",
            "statement.0.then.1: ignore needs the argument \"reason\"",
            "statement.0.then.2.text: unknown key \"text\": expected one of do, reason",
            "statement.0.then.2.reason: the argument \"reason\" is to be of type text",
        ],
    );
    refused(r#"{ "name": "s", "then": [], "else": [] }"#, &["statement.0: `else` and `else_if` need an `if`"]);
    refused(
        r#"{ "name": "s", "then": [{ "do": "comment", "text": "a {{ subjet }}" }, { "do": "comment", "text": "{{ x" }] }"#,
        &[
            "statement.0.then.0.text@5: there is no field `subjet`: did you mean `subject`?",
            "statement.0.then.1.text@0: the macro has no closing }}",
        ],
    );
    refused(
        r#"{ "name": "s", "then": [{ "do": "comment", "text": "{{ subject | shout }}" }, { "do": "set-field", "integer": "{{ amount }}" }] }"#,
        &[
            "statement.0.then.0.text@13: there is no such filter; there are first NUMBER, lower, one-line, default \"TEXT\"",
            "statement.0.then.1.integer: the argument \"integer\" is of type integer: a macro of that type must stand alone",
        ],
    );
}

#[test]
fn a_constant_that_is_no_choice_is_explained() {
    let statement = |action: &str| format!(r#"{{ "name": "s", "then": [{{ "do": {action} }}] }}"#);
    let check = |action: &str, expect: &str| refused(&statement(action), &[&format!("statement.0.then.0.{expect}")]);
    check(r#""create-ticket", "class": "incidnt""#, "class: unknown class \"incidnt\": did you mean \"incident\"?");
    check(r#""create-ticket", "class": "Incident""#, "class: unknown class \"Incident\": did you mean \"incident\"?");
    check(
        r#""create-ticket", "class": " ""#,
        "class: unknown class \"\": expected one of incident, change-request, problem, work-order, service-request, purchase-order, approval-request",
    );
    check(
        r#""comment", "visibility": "{{ 'everyone' }}""#,
        "visibility: unknown visibility \"everyone\": expected one of public, internal",
    );
    let taken = |action: &str| assert!(configured(&message(), &statement(action)).is_ok(), "{action}");
    taken(r#""create-ticket", "class": " incident ""#);
    taken(r#""create-ticket", "class": "{{ subject }}""#);
    taken(r#""comment", "visibility": """#);
    taken(r#""comment", "text": "any""#);
}

#[test]
fn statements_nest_only_so_deep() {
    let nested = |depth| (0..depth).fold("[]".to_owned(), |inner, _| format!(r#"[{{ "then": {inner} }}]"#));
    let whole = |depth| format!(r#"{{ "name": "s", "then": {} }}"#, nested(depth));
    assert!(configured(&message(), &whole(16)).is_ok());
    let found = configured(&message(), &whole(17)).expect_err("is refused");
    assert!(found.concat().ends_with("statements nest deeper than 16"), "{found:?}");
}

#[test]
fn the_shipped_rules_pass_their_own_tests() {
    let file: toml::Table = include_str!("../../../rules/statements/10-default.toml").parse().expect("is TOML");
    for test in file["test"].as_array().expect("has tests") {
        let text = |key: &str| test.get(key).and_then(|value| value.as_str()).unwrap_or_default();
        let automatic = test.get("headers").and_then(|headers| headers.get("Auto-Submitted"));
        let origin = automatic.and_then(|origin| origin.as_str()).unwrap_or("human");
        let mut host = TestHost::new(&[(Field::Subject, text("subject")), (Field::Origin, origin)]);
        if let Some(ticket) = test.get("ticket") {
            let part = |key: &str| ticket[key].as_str().expect("is text").to_owned();
            let ticket = Ticket { number: part("number"), class: part("class"), status: part("status") };
            let closed = matches!(ticket.status.as_str(), "closed" | "approved" | "declined");
            host.thread = if closed { Conversation::Inactive(ticket) } else { Conversation::Active(ticket) };
        }
        let rules = serde_json::to_string(&file).expect("is JSON");
        let outcome = configured_with(&host, rules).expect("the rules are right").process(&host).expect("decides");
        let expect = test["expect"].as_array().expect("is a list");
        let name = |action: &toml::Value| action.get("do").unwrap_or(action).as_str().expect("is a verb").to_owned();
        let expect: Vec<String> = expect.iter().map(name).collect();
        let found: Vec<&str> = outcome.actions.iter().map(|action| action.verb.as_str()).collect();
        assert_eq!(found, expect, "{}", text("name"));
    }
}
