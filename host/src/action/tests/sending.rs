//! What leaves the system.

use super::*;
use crate::outgoing::{Notice, Outgoing, Outlets, Recipient};

fn notice(to: Recipient, subject: &str, text: &str) -> Outgoing {
    let (subject, text) = (subject.to_owned().into(), text.to_owned().into());
    Outgoing::Mail(Notice { to, subject, text, forwards: false, about: Occasion::default() })
}

#[test]
fn a_mail_is_about_the_new_ticket_or_else_the_one_that_is_followed_up() {
    let notify = |arguments: &[(&str, &str)]| action("notify", &[&[("text", "Hello")], arguments].concat());
    let send = |ticket, outgoing| Change::Send { ticket, outgoing, withheld: None };
    let seven = TicketNumber::new(7);
    let requester = || notice(Recipient::Requester, "Re: Help", "Hello");
    accepted(&[notify(&[])], &follow_up(), &[send(Some(seven.clone()), requester())]);
    accepted(&[notify(&[("ticket", "T00007")])], &follow_up(), &[send(Some(seven), requester())]);
    accepted(&[notify(&[("to", "Requester")])], &Conversation::New, &[send(None, requester())]);
    let create = action("create-ticket", &[("class", "incident")]);
    let created = ticket("Help", "It broke.", ("Ann", "ann@example.org"), Vec::new());
    accepted(&[create, notify(&[])], &follow_up(), &[created, send(None, requester())]);
    let bo = Recipient::Address(Address { name: "Bo".to_owned(), email: "bo@b.example".to_owned() });
    let to_bo = notice(bo, "a b", "Hello");
    accepted(
        &[notify(&[("to", "Bo <bo@b.example>"), ("subject", "a\r\nb")])],
        &Conversation::New,
        &[send(None, to_bo)],
    );
    accepted(
        &[notify(&[("to", " participants")])],
        &follow_up(),
        &[send(Some(TicketNumber::new(7)), notice(Recipient::Participants, "Re: Help", "Hello"))],
    );
    refused(
        &[notify(&[("ticket", "T00008")])],
        "statement \"s\": notify: the argument `ticket` is T00008, but the message follows up T00007: no other ticket can be \
         changed",
    );
    refused(&[action("notify", &[])], "statement \"s\": notify: the argument `text` is missing or blank");
}

#[test]
fn what_a_field_turns_out_to_be_stops_no_plan() {
    let check = |verb: &str, to: &str, expect: &str| {
        let sends = action(verb, &[("to", to), ("text", "Hello")]);
        let made = run(&[action("create-ticket", &[("class", "incident")]), sends], &Conversation::New);
        let changes = made.expect("is planned").changes;
        let [Change::CreateTicket { .. }, Change::Send { withheld: Some(reason), .. }] = changes.as_slice() else {
            panic!("{verb} to {to:?}: {changes:?}")
        };
        assert_eq!(reason, expect, "{verb}");
    };
    for verb in ["notify", "forward"] {
        check(verb, "", "`to` is blank for this message");
        check(verb, "Bo", "`to` is \"Bo\", which is no address such as `Ann Lee <ann@example.org>`");
    }
    refused(&[action("forward", &[])], "statement \"s\": forward: the argument `to` is missing or blank");
}

#[test]
fn a_plan_that_sends_nothing_says_why() {
    let outlets = Outlets::default();
    let sending = Sending { occasion: None, outlets: Some(&outlets), fields: &[] };
    let facts = Facts {
        sender: None,
        subject: "",
        body: "",
        conversation: &Conversation::New,
        recipients: &[],
        classes: &Classes::default(),
        sending,
    };
    let actions = [action("notify", &[("text", "a")]), action("webhook", &[("name", "x")])];
    let reason = "not sent: a mail to the requester: no mail server is set: give `server` and `from` in [smtp] of \
                  mailmill.toml; not sent: a call of the webhook \"x\": there is no webhook \"x\": mailmill.toml has no \
                  [webhook.x]";
    let made = plan(&actions, &facts).expect("is planned");
    assert_eq!(made, Plan { outcome: Outcome::Ignored { reason: reason.to_owned() }, changes: Vec::new() });
}
