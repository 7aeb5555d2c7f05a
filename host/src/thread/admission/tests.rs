use super::*;
use crate::message::parse;
use crate::ticket::{Status, TicketClass, TicketSummary};

fn candidate(number: u64, status: Status, link: Link) -> Candidate {
    let ticket = TicketNumber::new(number);
    let summary = TicketSummary { number: ticket.clone(), class: TicketClass::new("incident"), status: status.clone() };
    let conversation =
        if status == Status::new("closed") { Conversation::Inactive(summary) } else { Conversation::Active(summary) };
    let correspondents = vec!["bo@example.org".to_owned(), "desk@example.org".to_owned()];
    Candidate { ticket, conversation, link, requester: "ann@example.org".to_owned(), correspondents }
}

fn policy() -> Policy {
    let patterns = |texts: &[&str]| texts.iter().map(|text| AddressPattern::parse(text).unwrap()).collect();
    Policy {
        own: patterns(&["desk@example.org"]),
        trusted: patterns(&["*@trusted.example"]),
        from_others: FromOthers::Quarantine,
        required: None,
    }
}

fn message(header: &str) -> Message {
    parse(format!("{header}\r\nSubject: x\r\n\r\nbody\r\n").as_bytes(), None)
}

fn told(threading: &Threading) -> String {
    let conversation = match &threading.conversation {
        Conversation::New => "new".to_owned(),
        Conversation::Active(ticket) => format!("active {}", ticket.number),
        Conversation::Inactive(ticket) => format!("inactive {}", ticket.number),
    };
    if threading.held.is_some() { format!("held, {conversation}") } else { conversation }
}

/// What becomes of a message with this header that bears the tag of ticket 1.
fn check(header: &str, expect: &str, because: &str) {
    let found = admit(&message(header), &[candidate(1, Status::new("open"), Link::TagInSubject)], &policy());
    let [finding] = found.findings.as_slice() else { panic!("{found:?}") };
    assert_eq!((told(&found).as_str(), finding.because.as_str()), (expect, because), "{header}");
}

const STRANGER: &str =
    "is neither its requester nor anyone who was on its mail, and the job does not trust the address";

fn refused(header: &str, who: &str) {
    check(header, "held, new", &format!("{who} {STRANGER}"));
}

#[test]
fn people_of_the_ticket_follow_it_up() {
    check("From: Ann <Ann@Example.org>", "active T00001", "the sender is its requester");
    check("From: bo@example.org", "active T00001", "the sender was on its mail before");
    check("From: any@trusted.example", "active T00001", "the job trusts *@trusted.example");
    check("Sender: ann@example.org", "active T00001", "the sender is its requester");
    check("From: Ann <ann@example.org>, Bo <bo@example.org>", "active T00001", "the sender is its requester");
}

#[test]
fn nobody_else_does() {
    refused("From: eve@evil.example", "eve@evil.example");
    refused("From: any@sub.trusted.example", "any@sub.trusted.example");
    refused("From: any@trusted.example.evil.example", "any@trusted.example.evil.example");
    check("X-No: sender", "held, new", "the message names nobody who wrote it");
    // The desk's own address is on every message.
    refused("From: desk@example.org", "desk@example.org");
}

#[test]
fn a_second_author_does_not_get_in_with_the_first() {
    let second = "one of its 2 authors, eve@evil.example,";
    refused("From: ann@example.org, eve@evil.example", second);
    refused("From: eve@evil.example, ann@example.org", second);
    refused("From: ann@example.org\r\nFrom: eve@evil.example", second);
    refused("From: eve@evil.example\r\nFrom: ann@example.org", second);
    refused("From: friends: ann@example.org, eve@evil.example;", second);
    refused("From: eve@evil.example\r\nSender: ann@example.org", "eve@evil.example");
    let many: Vec<String> = (0..20).map(|number| format!("{number}@trusted.example")).collect();
    check(&format!("From: {}", many.join(", ")), "held, new", "the message names more than 10 authors");
}

#[test]
fn names_and_other_fields_are_no_authors() {
    refused("From: \"ann@example.org\" <eve@evil.example>", "eve@evil.example");
    refused("From: ann@example.org <eve@evil.example>", "eve@evil.example");
    refused("From: =?utf-8?q?ann=40example.org?= <eve@evil.example>", "eve@evil.example");
    refused("From: =?utf-8?q?=3Cann=40example.org=3E?= <eve@evil.example>", "eve@evil.example");
    refused("From: eve@evil.example (ann@example.org)", "eve@evil.example");
    refused("From: eve@evil.example\r\nReply-To: ann@example.org", "eve@evil.example");
    refused("From: eve@evil.example\r\nTo: ann@example.org\r\nCc: bo@example.org", "eve@evil.example");
    refused("From: eve@evil.example\r\nX-Original-From: ann@example.org", "eve@evil.example");
    for odd in ["\"ann@example.org\"@evil.example", "<ann@example.org>@evil.example", "ann@example.org@evil.example"] {
        let found =
            admit(&message(&format!("From: {odd}")), &[candidate(1, Status::new("open"), Link::Reply)], &policy());
        assert_eq!(told(&found), "held, new", "{odd}: {found:?}");
    }
}

#[test]
fn what_becomes_of_others_is_a_setting() {
    let check = |from_others, header: &str, expect: &str| {
        let policy = Policy { from_others, ..policy() };
        let found = admit(&message(header), &[candidate(1, Status::new("open"), Link::Reply)], &policy);
        assert_eq!(told(&found), expect, "{from_others:?} {header}");
    };
    check(FromOthers::Quarantine, "From: eve@evil.example", "held, new");
    check(FromOthers::NewTicket, "From: eve@evil.example", "new");
    check(FromOthers::Accept, "From: eve@evil.example", "active T00001");
    check(FromOthers::NewTicket, "From: ann@example.org", "active T00001");
    // A bounce of a message of ours bears its tag, and nobody on the ticket wrote it.
    check(FromOthers::Quarantine, "From: MAILER-DAEMON@mx.example\r\nReturn-Path: <>", "new");
    check(FromOthers::Quarantine, "From: bo@other.example\r\nAuto-Submitted: auto-replied", "new");
    check(FromOthers::Quarantine, "From: bo@other.example\r\nAuto-Submitted: auto-generated", "held, new");
}

#[test]
fn the_first_ticket_that_lets_the_sender_in_is_the_one() {
    let others = |candidate: Candidate| Candidate {
        requester: "cy@example.org".to_owned(),
        correspondents: Vec::new(),
        ..candidate
    };
    let check = |candidates: &[Candidate], expect: &str, taken: &[bool]| {
        let found = admit(&message("From: ann@example.org"), candidates, &policy());
        assert_eq!(told(&found), expect, "{candidates:?}");
        assert_eq!(found.findings.iter().map(|finding| finding.taken).collect::<Vec<_>>(), taken, "{candidates:?}");
    };
    let (tag, reply) = (Link::TagInSubject, Link::Reply);
    let open = |number, link| candidate(number, Status::new("open"), link);
    let closed = |number, link| candidate(number, Status::new("closed"), link);
    check(&[], "new", &[]);
    check(&[open(1, tag), open(2, reply)], "active T00001", &[true]);
    check(&[others(open(1, tag)), open(2, reply)], "active T00002", &[false, true]);
    check(&[closed(1, tag), open(2, reply)], "active T00002", &[false, true]);
    check(&[closed(1, tag), closed(2, reply)], "inactive T00001", &[true, false]);
    check(&[others(closed(1, tag))], "new", &[false]);
    check(&[closed(1, tag), others(open(2, reply))], "held, new", &[false, false]);
    // However many tags a message has.
    let mut many: Vec<Candidate> = (1..=20).map(|number| others(closed(number, tag))).collect();
    many.push(others(open(21, tag)));
    check(&many, "held, new", &[false; FINDINGS_MAX]);
    many.push(open(22, tag));
    check(&many, "active T00022", &[&[false; FINDINGS_MAX][..], &[true]].concat());
}

#[test]
fn a_held_message_says_why() {
    let held =
        admit(&message("From: eve@evil.example"), &[candidate(12, Status::new("open"), Link::Reply)], &policy()).held;
    let expect = "it was not taken as an answer to T00012: it answers one of its messages (In-Reply-To), but \
                  eve@evil.example is neither its requester nor anyone who was on its mail, and the job does not trust \
                  the address";
    assert_eq!(held.as_deref(), Some(expect));
    let long = format!("From: {}@evil.example", "e".repeat(10_000));
    let held = admit(&message(&long), &[candidate(12, Status::new("open"), Link::Reply)], &policy()).held.unwrap();
    assert!(held.len() < 400, "{held}");
}

#[test]
fn a_server_must_have_confirmed_the_sender() {
    let check = |header: &str, expect: Result<&str, &str>| {
        let required = Required { server: "mx.example.com".to_owned(), methods: vec![Method::Dmarc] };
        let policy = Policy { required: Some(required), ..policy() };
        let found = admit(&message(header), &[candidate(1, Status::new("open"), Link::Reply)], &policy);
        let (Ok(because) | Err(because)) = expect;
        let told = told(&found);
        assert_eq!(
            (found.findings[0].because.as_str(), told == "active T00001"),
            (because, expect.is_ok()),
            "{header}"
        );
    };
    let stamp = |server: &str, result: &str, domain: &str| {
        format!("Authentication-Results: {server};\r\n dmarc={result} header.from={domain}\r\n")
    };
    let pass = stamp("mx.example.com", "pass", "example.org");
    let fail = stamp("mx.example.com", "fail", "example.org");
    let other = stamp("mx.evil.example", "pass", "example.org");
    let from = "From: ann@example.org";
    check(&format!("{pass}{from}"), Ok("the sender is its requester"));
    check(&format!("{other}{pass}{from}"), Ok("the sender is its requester"));
    let failed = "mx.example.com has not confirmed that the message comes from example.org: dmarc=fail";
    check(&format!("{fail}{from}"), Err(failed));
    // Whatever stands below our server's field came with the message.
    check(&format!("{fail}{pass}{from}"), Err(failed));
    let none = "the message bears no Authentication-Results of mx.example.com";
    check(from, Err(none));
    check(&format!("{other}{from}"), Err(none));
    let elsewhere =
        "mx.example.com has not confirmed that the message comes from example.org: dmarc=pass for another domain";
    check(&format!("{}{from}", stamp("mx.example.com", "pass", "evil.example")), Err(elsewhere));
    let two = "the message names 2 authors, and only one can be confirmed";
    check(&format!("{pass}{from}, bo@example.org"), Err(two));
    let stranger = format!("eve@example.org {STRANGER}");
    check(&format!("{pass}From: eve@example.org"), Err(&stranger));
}

#[test]
fn people_on_a_message_are_listed_once() {
    let header =
        "From: Ann <Ann@example.org>\r\nTo: desk@example.org, Bo <bo@example.org>\r\nCc: ANN@example.org, nobody";
    assert_eq!(people(&message(header)), ["ann@example.org", "desk@example.org", "bo@example.org"]);
    let many: Vec<String> = (0..300).map(|number| format!("{number}@example.org")).collect();
    assert_eq!(people(&message(&format!("To: {}", many.join(", ")))).len(), PEOPLE_MAX);
}
