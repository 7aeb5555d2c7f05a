//! Whatever plugins ask for: it is planned or refused, always alike, and touches no ticket but the message's own.

use super::*;
use proptest::prelude::*;

fn values() -> impl Strategy<Value = Value> {
    let words = prop::sample::select(vec![
        "incident",
        "approval-request",
        "open",
        "approved",
        "closed",
        "resolved",
        "internal",
        "T00007",
        "T00008",
        "Ann Lee <ann@example.org>",
        "bo@b.example, cy@example.org",
        "requester",
        "participants",
        "asset",
        "a\r\nBcc: eve@evil.example",
        " ",
    ]);
    prop_oneof![
        8 => words.prop_map(|word| Value::Text(word.to_owned())),
        2 => ".*".prop_map(Value::Text),
        1 => any::<i64>().prop_map(Value::Integer),
        1 => any::<bool>().prop_map(Value::Boolean),
        1 => Just(Value::None),
        1 => ".*".prop_map(Value::Html),
    ]
}

/// Actions with the arguments that their verbs take, most of them with a value that could be.
fn actions() -> impl Strategy<Value = Vec<Action>> {
    let verb = prop::sample::select(verbs().iter().collect::<Vec<_>>());
    let action = verb.prop_flat_map(|verb| {
        let arguments = verb.arguments.iter().map(|argument| {
            let value =
                if argument.required { prop::option::weighted(0.95, values()) } else { prop::option::of(values()) };
            value.prop_map(|value| value.map(|value| Entry { name: argument.name.to_owned(), value }))
        });
        let arguments = arguments.collect::<Vec<_>>();
        arguments.prop_map(|arguments| Action {
            verb: verb.name.to_owned(),
            arguments: arguments.into_iter().flatten().collect(),
            statement: "s".to_owned(),
        })
    });
    prop::collection::vec(action, 0..6)
}

fn conversations() -> impl Strategy<Value = Conversation> {
    let summary = |class: &str, status: &str| TicketSummary {
        number: TicketNumber::new(7),
        class: TicketClass::new(class),
        status: Status::new(status),
    };
    prop::sample::select(vec![
        Conversation::New,
        Conversation::Active(summary("incident", "open")),
        Conversation::Inactive(summary("approval-request", "declined")),
        Conversation::Inactive(summary("gone", "open")),
    ])
}

proptest! {
    #[test]
    fn are_planned_or_refused_always_alike(actions in actions(), conversation in conversations()) {
        let planned = run(&actions, &conversation);
        prop_assert_eq!(&run(&actions, &conversation), &planned);
        let Ok(plan) = planned else { return Ok(()) };
        prop_assert!(plan.changes.len() <= actions.len());
        prop_assert_eq!(plan.changes.is_empty(), plan.outcome != Outcome::Accepted);
        let own = conversation.ticket().map(|ticket| ticket.number.clone());
        let classes = Classes::default();
        let mut is_created = false;
        for change in &plan.changes {
            if let Some(ticket) = change.existing_ticket() {
                prop_assert_eq!(Some(ticket), own.as_ref());
            }
            match change {
                Change::CreateTicket { class, status, subject, .. } => {
                    is_created = true;
                    prop_assert!(classes.get(class.name()).unwrap().status(status.name()).is_some());
                    prop_assert!(!subject.contains(['\r', '\n']), "{subject:?}");
                }
                Change::AddComment { ticket: None, .. } => prop_assert!(is_created),
                _ => {}
            }
        }
    }
}
