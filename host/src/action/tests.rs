#[path = "tests/any_actions.rs"]
mod any_actions;
#[path = "tests/sending.rs"]
mod sending;

use super::*;
use crate::action::{Assignment, Update};
use crate::field::{DateTime, Decimal, Money, Value};
use crate::message::document::TEXT_BYTES_MAX;
use crate::ticket::{Classes, Series, Status, TicketClass, TicketNumber, TicketSummary, Visibility};

fn action(verb: &str, arguments: &[(&str, &str)]) -> Action {
    let entry =
        |(name, text): &(&str, &str)| Entry { name: (*name).to_owned(), value: Value::Text((*text).to_owned()) };
    Action { verb: verb.to_owned(), arguments: arguments.iter().map(entry).collect(), statement: "s".to_owned() }
}

fn follow_up() -> Conversation {
    let number = TicketNumber::new(7);
    Conversation::Active(TicketSummary { number, class: TicketClass::new("incident"), status: Status::new("open") })
}

fn run(actions: &[Action], conversation: &Conversation) -> Result<Plan, String> {
    let sender = Address { name: "Ann".to_owned(), email: "ann@example.org".to_owned() };
    let facts = Facts {
        sender: Some(&sender),
        recipients: &[],
        subject: " Help ",
        body: "It broke.\n",
        conversation,
        classes: &Classes::default(),
        sending: Sending::default(),
    };
    plan(actions, &facts).map_err(|error| error.to_string())
}

/// What the actions of a follow-up of T00007 are refused with.
fn refused(actions: &[Action], expect: &str) {
    assert_eq!(run(actions, &follow_up()).expect_err("is refused"), expect);
}

fn accepted(actions: &[Action], conversation: &Conversation, expect: &[Change]) {
    let expect = Plan { outcome: Outcome::Accepted, changes: expect.to_vec() };
    assert_eq!(run(actions, conversation), Ok(expect));
}

fn ticket(subject: &str, description: &str, requester: (&str, &str), fields: Vec<Entry>) -> Change {
    Change::CreateTicket {
        class: TicketClass::new("incident"),
        subject: subject.to_owned(),
        description: description.to_owned(),
        series: Series::default(),
        status: Status::new("new"),
        requester: Address { name: requester.0.to_owned(), email: requester.1.to_owned() },
        assignment: Assignment::default(),
        participants: Vec::new(),
        fields,
    }
}

#[test]
fn a_ticket_takes_what_is_not_said_from_the_message() {
    let create = |arguments: &[(&str, &str)], expect: Change| {
        let arguments = [&[("class", "incident")], arguments].concat();
        accepted(&[action("create-ticket", &arguments)], &Conversation::New, &[expect]);
    };
    let ann = ("Ann", "ann@example.org");
    create(&[], ticket("Help", "It broke.", ann, Vec::new()));
    create(&[("subject", " a\n b "), ("description", "c")], ticket("a b", "c", ann, Vec::new()));
    create(&[("subject", " "), ("requester", "")], ticket("Help", "It broke.", ann, Vec::new()));
    create(&[("requester", "\"Bo\" <bo@b.example>")], ticket("Help", "It broke.", ("Bo", "bo@b.example"), Vec::new()));
    create(&[("requester", "bo@b.example")], ticket("Help", "It broke.", ("", "bo@b.example"), Vec::new()));
}

#[test]
fn a_message_without_anything_makes_a_ticket_too() {
    let facts = Facts {
        sender: None,
        subject: "",
        body: "",
        conversation: &Conversation::New,
        recipients: &[],
        classes: &Classes::default(),
        sending: Sending::default(),
    };
    let made = plan(&[action("create-ticket", &[("class", "incident")])], &facts).expect("is planned");
    assert_eq!(made.changes, [ticket("(no subject)", "", ("", ""), Vec::new())]);
}

#[test]
fn a_long_subject_of_a_message_is_shortened() {
    let subject = "ü".repeat(1001);
    let facts = Facts {
        sender: None,
        subject: &subject,
        body: "",
        conversation: &Conversation::New,
        sending: Sending::default(),
        recipients: &[],
        classes: &Classes::default(),
    };
    let made = plan(&[action("create-ticket", &[("class", "incident")])], &facts).expect("is planned");
    assert_eq!(made.changes, [ticket(&"ü".repeat(1000), "", ("", ""), Vec::new())]);
}

#[test]
fn changes_go_to_the_ticket_of_the_conversation() {
    let number = TicketNumber::new(7);
    let comment = |text: &str, visibility| Change::AddComment {
        ticket: Some(number.clone()),
        author: Address { name: "Ann".to_owned(), email: "ann@example.org".to_owned() },
        text: text.to_owned(),
        visibility,
    };
    let check = |action: Action, expect: Change| accepted(&[action], &follow_up(), &[expect]);
    check(action("comment", &[]), comment("It broke.", Visibility::Public));
    check(
        action("comment", &[("text", "x"), ("visibility", "internal"), ("ticket", " t00007 ")]),
        comment("x", Visibility::Internal),
    );
    check(
        action("set-status", &[("status", "open")]),
        Change::SetStatus { ticket: number.clone(), status: Status::new("open") },
    );
    let field = Entry { name: "order".to_owned(), value: Value::Text("4711".to_owned()) };
    check(
        action("set-field", &[("field", "order"), ("text", "4711")]),
        Change::SetField { ticket: number.clone(), field },
    );
    let blank = Entry { name: "order".to_owned(), value: Value::None };
    check(action("set-field", &[("field", "order")]), Change::SetField { ticket: number.clone(), field: blank });
}

#[test]
fn fields_go_to_a_ticket_just_created() {
    let value = Value::Decimal(Decimal { units: 1250, scale: 2 });
    let mut set = action("set-field", &[("field", "amount")]);
    set.arguments.push(Entry { name: "decimal".to_owned(), value: value.clone() });
    let actions = [action("create-ticket", &[("class", "incident")]), set.clone(), set];
    let fields = vec![Entry { name: "amount".to_owned(), value }];
    let expect = ticket("Help", "It broke.", ("Ann", "ann@example.org"), fields);
    accepted(&actions, &follow_up(), &[expect]);
}

#[test]
fn a_field_takes_a_value_of_any_type() {
    let values = [
        ("text", Value::Text("x".repeat(TEXT_BYTES_MAX))),
        ("integer", Value::Integer(1)),
        ("decimal", Value::Decimal(Decimal { units: 1, scale: 0 })),
        ("boolean", Value::Boolean(true)),
        ("date-time", Value::DateTime(DateTime { seconds: 0, offset_minutes: 0 })),
        ("currency", Value::Currency(Money::new(Decimal { units: 1, scale: 0 }, "EUR").expect("is a currency"))),
        ("html", Value::Html("<b>x</b>".to_owned())),
    ];
    for (name, value) in values {
        let mut set = action("set-field", &[("field", "a")]);
        set.arguments.push(Entry { name: name.to_owned(), value: value.clone() });
        let field = Entry { name: "a".to_owned(), value };
        accepted(&[set], &follow_up(), &[Change::SetField { ticket: TicketNumber::new(7), field }]);
    }
    let mut set = action("set-field", &[("field", "a")]);
    set.arguments.push(Entry { name: "text".to_owned(), value: Value::Text("x".repeat(TEXT_BYTES_MAX + 1)) });
    let error = run(&[set], &follow_up()).expect_err("is refused");
    assert!(error.contains("is 524289 bytes long; at most 524288 are allowed"), "{error}");
}

#[test]
fn a_verdict_stands_alone() {
    let check = |actions: &[Action], outcome| {
        assert_eq!(run(actions, &Conversation::New), Ok(Plan { outcome, changes: Vec::new() }));
    };
    let why = || "spam".to_owned();
    check(&[action("reject", &[("reason", "spam")])], Outcome::Rejected { reason: why() });
    check(&[action("ignore", &[("reason", "spam")])], Outcome::Ignored { reason: why() });
    check(&[], Outcome::Ignored { reason: NOTHING_ASKED.to_owned() });
    refused(
        &[action("comment", &[]), action("reject", &[("reason", "spam")])],
        "statement \"s\": reject: it must be the only action, but statement \"s\" asks for comment too (end the statement that decides with `stop = true`)",
    );
}

#[test]
fn attributes_go_to_the_ticket_of_the_conversation() {
    let number = TicketNumber::new(7);
    let check = |wanted: Action, update: Update| {
        let expect = Change::UpdateTicket { ticket: number.clone(), update };
        accepted(&[wanted], &follow_up(), &[expect]);
    };
    let text = |text: &str| Some(text.to_owned());
    check(
        action("update-ticket", &[("subject", " a\nb "), ("status", "pending"), ("person", "Dee")]),
        Update { subject: text("a b"), status: Some(Status::new("pending")), person: text("Dee"), ..Update::default() },
    );
    let requester = Address { name: "Bo".to_owned(), email: "bo@b.example".to_owned() };
    check(
        action("update-ticket", &[("requester", "Bo <bo@b.example>"), ("ticket", "T00007")]),
        Update { requester: Some(requester), ..Update::default() },
    );
    check(
        action("assign", &[("group", "Desk")]),
        Update { person: text(""), group: text("Desk"), ..Update::default() },
    );
    let status = |verb: &str, arguments: &[(&str, &str)], status: &str| {
        let expect = Change::SetStatus { ticket: number.clone(), status: Status::new(status) };
        accepted(&[action(verb, arguments)], &follow_up(), &[expect]);
    };
    status("reopen", &[], "open");
    status("close", &[], "closed");
    status("close", &[("status", "closed"), ("ticket", "t00007")], "closed");
}

#[test]
fn attributes_and_people_go_to_a_ticket_just_created() {
    let actions = [
        action("create-ticket", &[("class", "approval-request"), ("status", "open"), ("group", "Heads")]),
        action("update-ticket", &[("subject", "Chairs"), ("status", "approved"), ("requester", "cy@example.org")]),
        action("assign", &[("person", "Dee")]),
        action(
            "add-participants",
            &[("participants", "Ann <ann@example.org>, \"Lee, Bo\" <BO@b.example>; bo@B.example\ncy@example.org")],
        ),
    ];
    let made = run(&actions, &Conversation::New).expect("is planned");
    let address = |name: &str, email: &str| Address { name: name.to_owned(), email: email.to_owned() };
    let expect = Change::CreateTicket {
        class: TicketClass::new("approval-request"),
        series: Series::default(),
        status: Status::new("approved"),
        subject: "Chairs".to_owned(),
        description: "It broke.".to_owned(),
        requester: address("", "cy@example.org"),
        assignment: Assignment { person: "Dee".to_owned(), group: String::new() },
        participants: vec![address("Lee, Bo", "BO@b.example")],
        fields: Vec::new(),
    };
    assert_eq!(made.changes, [expect]);
}

#[test]
fn what_stands_behind_a_new_ticket_is_done_to_that_one() {
    let number = TicketNumber::new(7);
    let closed = Conversation::Inactive(TicketSummary {
        number,
        class: TicketClass::new("incident"),
        status: Status::new("closed"),
    });
    let behind = |class: &str, then: &[Action]| {
        let actions = [&[action("create-ticket", &[("class", class)])], then].concat();
        run(&actions, &closed).map(|plan| plan.changes)
    };
    let status = |class: &str, verb: &str, arguments: &[(&str, &str)], expect: &str| {
        let changes = behind(class, &[action(verb, arguments)]).expect("is planned");
        let [Change::CreateTicket { status, .. }] = changes.as_slice() else { panic!("{verb}: {changes:?}") };
        assert_eq!(status.name(), expect, "{verb}");
    };
    status("incident", "set-status", &[("status", "pending")], "pending");
    status("incident", "reopen", &[], "open");
    status("incident", "close", &[], "closed");
    // What there is to choose from is what the class of the new ticket has.
    status("approval-request", "set-status", &[("status", "approved")], "approved");
    status("approval-request", "close", &[("status", "declined")], "declined");
    status("approval-request", "update-ticket", &[("status", "approved")], "approved");
    for verb in ["set-status", "close", "update-ticket"] {
        let error = behind("approval-request", &[action(verb, &[("status", "resolved")])]).expect_err("is refused");
        assert!(
            error.ends_with("a ticket of the class approval-request is new, open, approved, declined, closed"),
            "{error}"
        );
    }
    let changes = behind("incident", &[action("comment", &[("text", "x")]), action("set-field", &[("field", "a")])]);
    let expect = Change::AddComment {
        ticket: None,
        author: Address { name: "Ann".to_owned(), email: "ann@example.org".to_owned() },
        text: "x".to_owned(),
        visibility: Visibility::Public,
    };
    let fields = vec![Entry { name: "a".to_owned(), value: Value::None }];
    let created = ticket("Help", "It broke.", ("Ann", "ann@example.org"), fields);
    assert_eq!(changes, Ok(vec![created, expect]));
    // The old one is meant where it is named.
    let old = [("ticket", "T00007"), ("status", "pending")];
    let changes = behind("approval-request", &[action("set-status", &old)]).expect("is planned");
    let expect = Change::SetStatus { ticket: TicketNumber::new(7), status: Status::new("pending") };
    assert_eq!(changes.last(), Some(&expect));
}

#[test]
fn participants_are_the_recipients_but_not_the_desk() {
    let address = |email: &str| Address { name: String::new(), email: email.to_owned() };
    let sender = address("ann@example.org");
    let recipients =
        ["desk@example.com", "bo@b.example", "Ann@Example.org", "list@lists.example", "BO@B.example"].map(address);
    let conversation = follow_up();
    let facts = Facts {
        sender: Some(&sender),
        recipients: &recipients,
        subject: "",
        body: "",
        conversation: &conversation,
        classes: &Classes::default(),
        sending: Sending::default(),
    };
    let check = |arguments: &[(&str, &str)], expect: &[&str]| {
        let made = plan(&[action("add-participants", arguments)], &facts).expect("is planned").changes;
        let found: Vec<&str> = match made.as_slice() {
            [Change::AddParticipants { participants, .. }] => {
                participants.iter().map(|one| one.email.as_str()).collect()
            }
            [] => Vec::new(),
            other => panic!("{other:?}"),
        };
        assert_eq!(found, expect, "{arguments:?}");
    };
    check(&[], &["desk@example.com", "bo@b.example", "list@lists.example"]);
    check(&[("except", "Desk <DESK@example.com>, @Lists.example")], &["bo@b.example"]);
    check(&[("except", "@example.com @b.example")], &["desk@example.com", "bo@b.example", "list@lists.example"]);
    check(&[("except", "@example.com\n@b.example;@lists.example")], &[]);
    check(&[("participants", "cy@example.org")], &["cy@example.org"]);
    // What the settings say of the desk need not be said by a rule.
    let own_addresses = crate::message::AddressPattern::parse("Desk@example.com").into_iter().collect();
    let outlets = crate::outgoing::Outlets { own_addresses, ..Default::default() };
    let sending = Sending { outlets: Some(&outlets), ..Sending::default() };
    let made = plan(&[action("add-participants", &[])], &Facts { sending, ..facts }).expect("is planned").changes;
    let [Change::AddParticipants { participants, .. }] = made.as_slice() else { panic!("{made:?}") };
    let found: Vec<&str> = participants.iter().map(|one| one.email.as_str()).collect();
    assert_eq!(found, ["bo@b.example", "list@lists.example"]);
}

#[test]
fn a_status_belongs_to_a_class() {
    let statuses = "but a ticket of the class incident is new, open, pending, resolved, closed";
    let check = |verb: &str, arguments: &[(&str, &str)], expect: &str| {
        refused(&[action(verb, arguments)], &format!("statement \"s\": {verb}: {expect}"));
    };
    for verb in ["set-status", "update-ticket", "close"] {
        check(verb, &[("status", "approved")], &format!("the argument `status` is \"approved\", {statuses}"));
    }
    check(
        "create-ticket",
        &[("class", "incident"), ("status", "declined")],
        &format!("the argument `status` is \"declined\", {statuses}"),
    );
    check("close", &[("status", "open")], "the argument `status` is \"open\", which is none of closed");
    check("update-ticket", &[], "at least one of the arguments subject, status, requester, person, group is needed");
    check("assign", &[("ticket", "T00007")], "at least one of the arguments person, group is needed");
    check(
        "add-participants",
        &[("participants", "bo")],
        "the argument `participants` is \"bo\", which is no address such as `Ann Lee <ann@example.org>`",
    );
    let number = TicketNumber::new(7);
    let gone =
        Conversation::Inactive(TicketSummary { number, class: TicketClass::new("gone"), status: Status::new("open") });
    let error = run(&[action("reopen", &[])], &gone).expect_err("is refused");
    assert_eq!(error, "statement \"s\": reopen: the ticket is of the class gone, which rules/classes.toml has no more");
    let error = run(&[action("close", &[])], &Conversation::New).expect_err("is refused");
    assert!(
        error.ends_with("the message follows up no ticket: ask for it in the condition (`ticket is not blank`)"),
        "{error}"
    );
}

#[test]
fn a_faulty_action_is_explained() {
    let check = |verb: &str, arguments: &[(&str, &str)], expect: &str| {
        refused(&[action(verb, arguments)], &format!("statement \"s\": {verb}: {expect}"));
    };
    check(
        "creat-ticket",
        &[],
        "there is no such verb; there are create-ticket, update-ticket, comment, set-status, set-field, assign, reopen, \
         close, add-participants, notify, forward, webhook, store-maildir, reject, ignore",
    );
    check("create-ticket", &[], "the argument `class` is missing or blank");
    check("reject", &[("why", "x")], "it takes no argument `why`; it takes reason");
    check("reject", &[("reason", "x"), ("reason", "y")], "the argument `reason` is given twice");
    check(
        "create-ticket",
        &[("class", "accident")],
        "the argument `class` is \"accident\", which is none of incident, change-request, problem, work-order, service-request, purchase-order, approval-request",
    );
    check(
        "set-status",
        &[("status", "Done")],
        "the argument `status` is \"Done\", but a ticket of the class incident is new, open, pending, resolved, closed",
    );
    check(
        "comment",
        &[("visibility", "secret")],
        "the argument `visibility` is \"secret\", which is none of public, internal",
    );
    check("comment", &[("ticket", "7")], "the argument `ticket` is \"7\", which is no ticket number");
    check(
        "comment",
        &[("ticket", "T00008")],
        "the argument `ticket` is T00008, but the message follows up T00007: no other ticket can be changed",
    );
    check(
        "create-ticket",
        &[("class", "incident"), ("requester", "nobody")],
        "the argument `requester` is \"nobody\", which is no address such as `Ann Lee <ann@example.org>`",
    );
    check(
        "set-field",
        &[("field", "Order No")],
        "the argument `field` is \"Order No\", which is no name of a field (lower-case letters, digits and `-`, at most 64)",
    );
    check(
        "reject",
        &[("reason", &"x".repeat(1001))],
        "the argument `reason` is 1001 characters long; at most 1000 are allowed (shorten it: `{{ name | first 1000 }}`)",
    );
}

#[test]
fn a_choice_of_the_table_is_taken() {
    let mut choices = Vec::new();
    for verb in verbs() {
        for row in verb.arguments {
            let classes = Classes::default();
            // The others are statuses of another class, or none in which an incident is over.
            let fits = |choice: &&str| match (verb.name, row.name) {
                ("close", "status") => *choice == "closed",
                (_, "status") => !matches!(*choice, "approved" | "declined"),
                _ => true,
            };
            for choice in row.choices.names(&classes).into_iter().filter(fits) {
                let class = [("class", "incident")];
                let of_class =
                    verb.arguments.iter().any(|row| row.name == "class" && row.required) && row.name != "class";
                let arguments = [if of_class { &class[..] } else { &[] }, &[(row.name, choice)]].concat();
                let plan = run(&[action(verb.name, &arguments)], &follow_up());
                assert!(plan.is_ok(), "{} {} {choice}: {plan:?}", verb.name, row.name);
                choices.push((verb.name, row.name, choice.to_owned()));
            }
        }
    }
    // Classes, statuses of create-ticket, update-ticket and set-status, visibilities, and the one status of close.
    assert_eq!(choices.len(), 7 + 3 * 5 + 2 + 1, "{choices:?}");
}

#[test]
fn a_value_of_another_type_is_refused() {
    let mut reject = action("reject", &[]);
    reject.arguments.push(Entry { name: "reason".to_owned(), value: Value::Integer(1) });
    refused(&[reject], "statement \"s\": reject: the argument `reason` is to be of type text, not integer");
    let mut set = action("set-field", &[("field", "a"), ("text", "1")]);
    set.arguments.push(Entry { name: "integer".to_owned(), value: Value::Integer(1) });
    refused(
        &[set],
        "statement \"s\": set-field: the arguments text, integer exclude each other: a field has one value",
    );
}

#[test]
fn a_change_needs_a_ticket() {
    for verb in [action("comment", &[]), action("set-field", &[("field", "a")])] {
        let error = run(std::slice::from_ref(&verb), &Conversation::New).expect_err("is refused");
        let hint = "the message follows up no ticket: ask for it in the condition (`ticket is not blank`)";
        assert_eq!(error, format!("statement \"s\": {}: {hint}", verb.verb));
    }
}

#[test]
fn actions_are_limited() {
    let comments = vec![action("comment", &[]); ACTIONS_MAX];
    assert!(run(&comments, &follow_up()).is_ok());
    let one_more = [comments, vec![action("comment", &[])]].concat();
    refused(&one_more, "the statements ask for 21 actions; at most 20 are allowed for one message");
}
