//! Every operator on every type.

use super::{configured, decided, message, quote, refused};
use mailmill_sdk::{Form, Host, Processor, Reading};

#[test]
fn conditions_hold_or_not() {
    let check = |condition: &str, expect: bool| {
        let outcome = decided(&format!(r#"{{ "name": "s", "if": {}, "then": [] }}"#, quote(condition)));
        assert_eq!(outcome.decisions.first().map(|decision| decision.holds), Some(expect), "{condition}");
    };
    check(r#"subject is "re: printer {X}""#, true);
    check(r#"subject is not "printer""#, true);
    check(r#"subject equals "re: printer {X}" and not subject equals "printer" and priority equals 2"#, true);
    check(r#"subject equals ["x", "re: printer {X}"] and subject equals subject"#, true);
    check("phone is blank and subject is not blank", true);
    check(r#"phone is not "x""#, true);
    check(r#"phone is "x" or phone contains "x" or due > 2026-01-01"#, false);
    check(r#"subject contains "PRINTER {""#, true);
    check(r#"sender ends with "@example.org>" and subject starts with 're:'"#, true);
    check(r#"subject starts with "printer""#, false);
    check("body matches /(?i)FIRE\\./", true);
    check(r"body matches '^Help'", false);
    check(r"body matches /(?m)^Help!$/", true);
    check(r#"origin is in ["bounce", "human"]"#, true);
    check(r#"origin is not in ["bounce", "human"]"#, false);
    check("priority > 1 and priority <= 2 and priority < 2.5", true);
    check("amount is 12.5 and amount > priority", true);
    check("amount is -12.5", false);
    check("urgent and urgent is true and not urgent is false", true);
    check("received is 1970-01-01 and received < 2026-01-31T10:00Z", true);
    check("attachments is 0", true);
    check(r#"ticket is "t00001" and ticket.class is " Incident" and inactive-ticket is blank"#, true);
    check(r#"ticket.status is not in ["new", "CLOSED"] and ticket.class is not subject"#, true);
    check(r#"header:X-Priority is "1""#, true);
    check("header:X-None is blank", true);
}

fn holds(condition: &str) -> bool {
    let outcome = decided(&format!(r#"{{ "name": "s", "if": {}, "then": [] }}"#, quote(condition)));
    outcome.decisions.first().expect("is looked at").holds
}

#[test]
fn a_text_has_another_field_in_it() {
    let mut host = message();
    let mut check = |contact: &str, condition: &str, expect: bool| {
        host.extracted.retain(|(name, _)| name != "contact");
        host.extracted.push(("contact".to_owned(), mailmill_sdk::Value::Text(contact.to_owned())));
        let statement = format!(r#"{{ "name": "s", "if": {}, "then": [] }}"#, quote(condition));
        let outcome = configured(&host, &statement).expect("the condition is right").process(&host).expect("decides");
        assert_eq!(outcome.decisions[0].holds, expect, "{contact:?}: {condition}");
    };
    // The subject is `Re: printer {x}`.
    check(" PRINTER ", "subject contains contact", true);
    check("re:", "subject starts with contact", true);
    check("printer", "subject starts with contact or subject ends with contact", false);
    check("{X}", "subject ends with contact", true);
    check("printer.", "subject contains contact", false);
    check("", "subject contains contact or subject starts with contact or subject ends with contact", false);
    check("x", "phone contains contact or phone starts with contact", false);
    check("x", "contact contains contact and contact starts with contact and contact ends with contact", true);
    check(".*", "subject contains contact", false);
}

#[test]
fn amounts_of_money_are_compared_in_their_currency() {
    let check = |condition: &str, expect: bool| assert_eq!(holds(condition), expect, "{condition}");
    check("total is 12.5 EUR", true);
    check("total is 12.50 USD", false);
    check("total is not 12.50 USD", true);
    check("total > 12 EUR and total <= 12.50 EUR and total < limit", true);
    check("total > 1 JPY or total < 1000 JPY or total is 12.50 JPY", false);
    check("total is in [1 EUR, 12.5 EUR]", true);
    check("limit is not blank", true);
}

#[test]
fn dates_are_before_or_after_by_a_duration() {
    let mut host = message();
    let mut check = |due: &str, condition: &str, expect: bool| {
        let due = host.read(due, Form::DateTime, &Reading::default()).unwrap_or_default();
        host.extracted.retain(|(name, _)| name != "due");
        host.extracted.push(("due".to_owned(), due.clone()));
        let statement = format!(r#"{{ "name": "s", "if": {}, "then": [] }}"#, quote(condition));
        let outcome = configured(&host, &statement).expect("the condition is right").process(&host).expect("decides");
        assert_eq!(outcome.decisions[0].holds, expect, "{due}: {condition}");
    };
    // The message was received at 1970-01-01T00:00:00Z.
    check("1969-12-31T23:59:59Z", "due is before received", true);
    check("1970-01-01T00:00:00Z", "due is before received or due is after received", false);
    check("1970-01-01T00:00:01Z", "due is after received", true);
    check("1969-12-30T00:00:00Z", "due is before received by at least 2 days", true);
    check("1969-12-30T00:00:01Z", "due is before received by at least 2 days", false);
    check("1970-01-03", "due is after received by at least 2 days", true);
    check("1970-01-03", "due is after received by at least 48 hours", true);
    check("1970-01-03", "due is after received by at least 2881 minutes", false);
    check("1970-01-03", "due is after received by at least 1 week", false);
    check("1970-01-03T00:00Z", "due is after received by at least 172800 seconds", true);
    check("1970-01-03", "received is before due by at least 1 day", true);
    check("1970-01-03", "due is after 1970-01-01T12:00Z by at least 1 day", true);
    check("", "due is before received or due is after received", false);
    check("", "not due is after received by at least 1 second", true);
}

#[test]
fn addresses_are_in_domains() {
    let check = |condition: &str, expect: bool| assert_eq!(holds(condition), expect, "{condition}");
    check(r#"sender is in domain "example.org""#, true);
    check(r#"sender is in domain "EXAMPLE.ORG""#, true);
    check(r#"sender.address is in domain ["example.com", "example.org"]"#, true);
    check(r#"sender is in domain "ample.org" or sender is in domain "org" or sender is in domain "example""#, false);
    check(r#"sender is in domain "*.example.org""#, false);
    check(r#"sender is not in domain "example.com""#, true);
    check(r#"recipients is in domain "example.com""#, false);
    check(r#"recipients is in domain "*.example.com""#, true);
    check(r#"recipients.addresses is in domain "example.net""#, true);
    check(r#"contact is in domain "example.net""#, true);
    check(r#"phone is in domain "example.net""#, false);
    check(r#"phone is not in domain "example.net""#, true);
    // What looks like an address in a name is none.
    check(r#"header:Reply-To is in domain "example.org""#, false);
    check(r#"header:Reply-To is in domain "evil.example""#, true);
    check(r#"header:None is in domain "evil.example""#, false);
    // A point is a point.
    check(r#"sender is in domain "exampleXorg""#, false);
}

#[test]
fn attachments_have_names_and_types() {
    let check = |condition: &str, expect: bool| assert_eq!(holds(condition), expect, "{condition}");
    check("has attachment", true);
    check("not has attachment", false);
    check(r#"has attachment of type "application/pdf""#, true);
    check(r#"has attachment of type "Application/PDF""#, true);
    check(r#"has attachment of type "image/*""#, true);
    check(r#"has attachment of type "*/pdf" and has attachment of type ["text/plain", "image/*"]"#, true);
    check(r#"has attachment of type "text/*""#, false);
    check(r#"has attachment of type "application/p""#, false);
    check(r#"attachments.names matches /(?im)\.pdf$/ and attachments.names contains "invoice""#, true);
    check("attachments.types is not blank", true);
    // A field may be called as a word of the language.
    check("has is blank and not has", true);
}

#[test]
fn tickets_have_the_names_of_other_systems_too() {
    let check = |condition: &str, expect: bool| assert_eq!(holds(condition), expect, "{condition}");
    check(r#"ObjectRef is "t00001" and ObjectRef.class is "incident" and ObjectRef.status is "open""#, true);
    check("InactiveObjectRef is blank and InactiveObjectRef.class is blank", true);
    check(r#"ticket starts with "T" and ticket matches /^T0+1$/"#, true);
}

/// Each operator on each type: whether it is taken, and if not, why.
#[test]
fn every_operator_knows_its_types() {
    // A name of each type, with a constant of it.
    let types = [
        ("text", "subject", "\"x\""),
        ("text", "phone", "\"x\""),
        ("integer", "priority", "1"),
        ("decimal", "amount", "1.5"),
        ("boolean", "urgent", "true"),
        ("date-time", "due", "2026-01-31"),
        ("currency", "total", "1 EUR"),
        ("html", "details", "\"x\""),
    ];
    let ordered = ["integer", "decimal", "date-time", "currency"];
    let compared = ["text", "integer", "decimal", "boolean", "date-time", "currency"];
    for (kind, name, constant) in types {
        let check = |rest: &str, allowed: bool| {
            let condition = format!("{name}{rest}");
            let statement = format!(r#"{{ "name": "s", "if": {}, "then": [] }}"#, quote(&condition));
            match configured(&message(), &statement) {
                Ok(plugin) => {
                    assert!(allowed, "{condition} is taken");
                    plugin.process(&message()).expect("decides");
                }
                Err(found) => assert!(!allowed, "{condition}: {found:?}"),
            }
        };
        check(" is blank", true);
        check(" is not blank", true);
        check(&format!(" equals {constant}"), compared.contains(&kind));
        check(&format!(" equals {name}"), compared.contains(&kind));
        for operator in ["is", "is not"] {
            check(&format!(" {operator} {constant}"), compared.contains(&kind));
            check(&format!(" {operator} {name}"), compared.contains(&kind));
            check(&format!(" {operator} in [{constant}, {name}]"), compared.contains(&kind));
            check(&format!(" {operator} in domain \"example.org\""), name == "phone");
        }
        for operator in [">", "<", ">=", "<="] {
            check(&format!(" {operator} {constant}"), ordered.contains(&kind));
            check(&format!(" {operator} {name}"), ordered.contains(&kind));
        }
        for operator in ["is before", "is after"] {
            check(&format!(" {operator} {constant}"), kind == "date-time");
            check(&format!(" {operator} {name} by at least 1 day"), kind == "date-time");
        }
        for operator in ["contains", "starts with", "ends with"] {
            check(&format!(" {operator} \"x\""), matches!(kind, "text" | "html"));
            check(&format!(" {operator} 1"), false);
            for (other, other_name, _) in types {
                check(&format!(" {operator} {other_name}"), matches!(kind, "text" | "html") && other == "text");
            }
        }
        check(" matches /x/", matches!(kind, "text" | "html"));
        check("", kind == "boolean");
        // Constants and names of every other type.
        for (other, other_name, other_constant) in types {
            let numbers = ["integer", "decimal"];
            let both = compared.contains(&kind)
                && compared.contains(&other)
                && (kind == other || (numbers.contains(&kind) && numbers.contains(&other)));
            let constant_fits = both || (other == "html" && kind == "text");
            check(&format!(" is {other_name}"), both);
            check(&format!(" is {other_constant}"), constant_fits);
            check(&format!(" > {other_name}"), both && ordered.contains(&kind));
        }
    }
}

#[test]
fn not_binds_tighter_than_and_and_and_tighter_than_or() {
    let check = |condition: &str, expect: bool| {
        let outcome = decided(&format!(r#"{{ "name": "s", "if": {}, "then": [] }}"#, quote(condition)));
        assert_eq!(outcome.decisions.first().map(|decision| decision.holds), Some(expect), "{condition}");
    };
    check("urgent or urgent and phone is not blank", true);
    check("(urgent or urgent) and phone is not blank", false);
    check("not phone is not blank and urgent", true);
    check("not (phone is blank and urgent)", false);
    check("not not urgent", true);
}

#[test]
fn a_faulty_condition_is_explained() {
    let check = |condition: &str, at: usize, expect: &str| {
        let statement = format!(r#"{{ "name": "s", "if": {}, "then": [] }}"#, quote(condition));
        refused(&statement, &[&format!("statement.0.if@{at}: {expect}")]);
    };
    check("subjekt is blank", 0, "there is no field `subjekt`: did you mean `subject`?");
    check("origin is human", 10, "there is no field `human`: a text is written in quotes: \"human\"");
    check("subject > 3", 8, "`subject` is of type text: only numbers and dates are more or less");
    check("priority is \"high\"", 12, "`priority` is of type integer and cannot be compared with text");
    check("priority contains \"1\"", 9, "`priority` cannot be searched: ask with `is`, `is in [...]` or `is blank`");
    check(
        "total > 3",
        8,
        "`total` is of type currency and cannot be compared with integer: write an amount such as 100 EUR",
    );
    check("subject contains priority", 17, "`priority` is of type integer: only a text is part of a text");
    check("subject contains subjekt", 17, "there is no field `subjekt`: did you mean `subject`?");
    check("details is \"x\"", 11, "`details` is of type html and cannot be compared with text");
    check("details > 3", 8, "`details` is of type html: only numbers and dates are more or less");
    check("subject is before due", 8, "`subject` is of type text: only dates are before or after");
    check("due is before 3", 14, "`due` is of type date-time and cannot be compared with integer");
    check("due is before due by 2 days", 21, "here `at` is expected");
    check("due is before due by at least days", 30, "here a duration is expected, such as `2 days`");
    check("due is before due by at least 0 days", 30, "here a duration is expected, such as `2 days`");
    check(
        "due is before due by at least 2 months",
        32,
        "here `seconds`, `minutes`, `hours`, `days` or `weeks` is expected",
    );
    check("due is before due by at least 36501 days", 30, "a duration is at most 36500 days long");
    check("due is before due by at least 99999999999999999 days", 30, "a duration is at most 36500 days long");
    check(
        "subject is in domain \"a.example\"",
        8,
        "`subject` holds no addresses: ask for sender, recipients or a header field",
    );
    let domain = "here a domain is expected, such as \"example.org\" or \"*.example.org\"";
    check("sender is in domain \"@example.org\"", 20, domain);
    check("sender is in domain [\"example.org\", \"a.*.org\"]", 36, domain);
    check("sender is in domain example.org", 20, "here a text in quotes is expected");
    check("sender is in \"example.org\"", 13, "here `[` is expected, or `domain`");
    let media_type = "here a media type is expected, such as \"application/pdf\" or \"image/*\"";
    check("has attachment of type \"pdf\"", 23, media_type);
    check("has attachment of \"image/png\"", 18, "here `type` is expected");
    check("has attachments", 4, "here `and`, `or` or the end of the condition is expected");
    check(r#"ticket.class is "incidnt""#, 16, "unknown class \"incidnt\": did you mean \"incident\"?");
    check(
        r#"inactive-ticket.status is not in ["closed", "done"]"#,
        44,
        "unknown status \"done\": expected one of new, open, resolved, closed",
    );
    let meant = |operator: &str, right: &str| {
        let expect = format!("there is no operator `{operator}`: write `subject {right}`");
        check(&format!("subject {operator} \"x\""), 8, &expect);
    };
    meant("is-blank", "is blank");
    meant("isBlank", "is blank");
    meant("is-not-blank", "is not blank");
    meant("not-equals", "is not …");
    meant("in-list", "is in […]");
    meant("starts-with", "starts with …");
    meant("endsWith", "ends with …");
    meant("includes", "contains …");
    meant("regex", "matches /…/");
    meant("greater", "> …");
    meant("before", "is before …");
    check("subject is empty", 11, "there is no operator `is empty`: write `subject is blank`");
    check("priority is greater than 3", 12, "there is no operator `is greater`: write `priority > …`");
    check("subject is equal to \"x\"", 11, "there is no operator `is equal`: write `subject is …`");
    let not = "`not` stands before the name: write `not subject contains …`, or `is not …`";
    check("subject does not contain \"x\"", 8, not);
    check("subject not contains \"x\"", 8, not);
    check("subject = \"x\"", 8, "'=' is no operator: write `is` or `is not`");
    check("subject is \"x", 11, "the text has no closing \"");
    check("body matches /x", 13, "the pattern has no closing /");
    check("(urgent", 7, "here `)` is expected");
    check("urgent urgent", 7, "here `and`, `or` or the end of the condition is expected");
    check("urgent and", 10, "here the name of a field is expected, such as `subject`");
    check("subject is \"a\" and subject starts \"x\"", 34, "here `with` is expected");
    check("received > 2026-02-30", 11, "\"2026-02-30\" is neither a number nor a date such as 2026-01-31T10:00Z");
    check("", 0, "here the name of a field is expected, such as `subject`");
    check(&format!("{}urgent", "not ".repeat(33)), 132, "parentheses and `not` nest deeper than 32");
    check(&" ".repeat(4097), 0, "the condition is longer than 4096 bytes");
}
