use super::*;
use crate::message::parse;
use crate::thread::{Checked, KEY_BYTES};
use proptest::prelude::*;

const KEY: [u8; KEY_BYTES] = [7; KEY_BYTES];

fn ids() -> OwnIds {
    OwnIds::new(KEY, "Desk.example")
}

fn sender(tag_end: TagEnd) -> Sender {
    Sender {
        own_addresses: OwnAddresses::default(),
        ids: ids(),
        tag: ThreadTag::new(ThreadTag::PREFIX, ThreadTag::SUFFIX).unwrap(),
        tag_end,
        limits: Limits { window: Duration::from_secs(60), per_sender: 1, per_ticket: 1, per_address: 10 },
    }
}

#[test]
fn our_message_ids_name_their_ticket() {
    let check = |id: &str, expect: Checked| assert_eq!(ids().check(&MessageId(id.to_owned())), expect, "{id}");
    let ticket = TicketNumber::new(12);
    let id = ids().issue(Some(&ticket), "a").0;
    assert!(id.starts_with("mm.t00012.") && id.ends_with("@desk.example"), "{id}");
    assert_eq!(ids().issue(Some(&ticket), "a").0, id, "the same mail");
    assert_ne!(ids().issue(Some(&ticket), "b").0, id, "another mail");
    check(&id, Checked::Own(Some(ticket)));
    check(&id.to_uppercase(), Checked::Own(Some(TicketNumber::new(12))));
    check(&ids().issue(None, "a").0, Checked::Own(None));
    // Another ticket, another nonce, another MAC, less of one, more of one, none.
    check(&id.replace("t00012", "t00013"), Checked::Forged);
    let (head, mac) = id.strip_suffix("@desk.example").unwrap().rsplit_once('.').unwrap();
    check(&format!("{}0.{mac}@desk.example", head), Checked::Forged);
    check(&format!("{head}.{}@desk.example", "0".repeat(32)), Checked::Forged);
    check(&format!("{head}.{}@desk.example", &mac[..30]), Checked::Forged);
    check(&format!("{head}.{mac}00@desk.example"), Checked::Forged);
    check(&format!("{head}.@desk.example"), Checked::Forged);
    check(&format!("{head}.{}é@desk.example", &mac[..30]), Checked::Forged);
    check("mm.@desk.example", Checked::Forged);
    check("mm.t00012@desk.example", Checked::Forged);
    // Those of others are none of our business.
    check(&id.replace("@desk.example", "@other.example"), Checked::Foreign);
    check("t00012@desk.example", Checked::Foreign);
    check("mm.t00012", Checked::Foreign);
    // Another installation of the same domain has another key.
    let other = OwnIds::new([8; KEY_BYTES], "desk.example").issue(Some(&TicketNumber::new(12)), "a");
    check(&other.0, Checked::Forged);
}

#[test]
fn the_key_cannot_be_printed() {
    assert_eq!(format!("{:?}", ids()), "OwnIds { domain: \"desk.example\", .. }");
}

fn occasion(headers: &str) -> Occasion {
    Occasion::of(&parse(format!("From: Ann <Ann@x.example>\r\n{headers}\r\nhello\r\n").as_bytes(), None))
}

#[test]
fn automatic_mail_is_not_answered() {
    let check = |headers: &str, expect: Option<&str>| {
        let found = occasion(headers).unanswered;
        let holds = match expect {
            Some(part) => found.as_ref().is_some_and(|reason| reason.contains(part)),
            None => found.is_none(),
        };
        assert!(holds, "{headers}: {found:?}");
    };
    check("", None);
    check("Auto-Submitted: no\r\n", None);
    check("Return-Path: <ann@x.example>\r\n", None);
    check("X-Auto-Response-Suppress: OOF, DR\r\n", None);
    check("Auto-Submitted: auto-replied\r\n", Some("absence notice"));
    check("Auto-Submitted: auto-generated\r\n", Some("a program wrote"));
    check("List-Id: <l.example>\r\n", Some("mailing list"));
    check("Content-Type: multipart/report; report-type=delivery-status; boundary=x\r\n", Some("not delivered"));
    check("Return-Path: <>\r\n", Some("a program wrote"));
    check("Auto-Submitted: no\r\nReturn-Path: <>\r\n", Some("return path is empty"));
    check("X-Auto-Response-Suppress: DR, AutoReply\r\n", Some("X-Auto-Response-Suppress"));
    check("X-Auto-Response-Suppress: All\r\n", Some("X-Auto-Response-Suppress"));
}

#[test]
fn an_answer_goes_to_any_address_of_the_author() {
    let occasion = occasion("Reply-To: list@x.example\r\nReturn-Path: <bounce@x.example>\r\n");
    for (email, expect) in
        [("ann@X.example", true), ("LIST@x.example", true), ("bounce@x.example", true), ("bo@x.example", false)]
    {
        assert_eq!(occasion.is_from(email), expect, "{email}");
    }
}

#[test]
fn long_conversations_are_shortened_in_the_middle() {
    let many: String = (0..50).map(|number| format!(" <{number}@x.example>")).collect();
    let references = occasion(&format!("References:{many}\r\n")).references;
    assert_eq!(references.len(), REFERENCES_MAX);
    assert_eq!(references.first().map(|id| id.0.as_str()), Some("0@x.example"));
    assert_eq!(references.last().map(|id| id.0.as_str()), Some("49@x.example"));
}

#[test]
fn nothing_is_sent_where_something_speaks_against_it() {
    let notice = |to: Recipient, headers: &str| {
        Outgoing::Mail(Notice {
            to,
            subject: Wording::default(),
            text: Wording::default(),
            forwards: false,
            about: occasion(headers),
        })
    };
    let to = |email: &str| Recipient::Address(Address { name: String::new(), email: email.to_owned() });
    let outlets = Outlets {
        mail: true,
        own_addresses: AddressPattern::parse("desk@desk.example").into_iter().collect(),
        webhooks: BTreeSet::from(["billing".to_owned()]),
        maildirs: BTreeSet::from(["archive".to_owned()]),
    };
    let check = |outgoing: &Outgoing, outlets: &Outlets, expect: Option<&str>| {
        let found = objection(outgoing, Some(outlets));
        assert_eq!(found.is_some(), expect.is_some(), "{found:?}");
        assert!(found.unwrap_or_default().contains(expect.unwrap_or_default()), "{outgoing:?}");
    };
    let automatic = "Auto-Submitted: auto-replied\r\n";
    check(&notice(Recipient::Requester, ""), &outlets, None);
    check(&notice(Recipient::Requester, automatic), &outlets, Some("automatic"));
    check(&notice(to("ann@x.example"), automatic), &outlets, Some("automatic"));
    // Somebody else may hear of it.
    check(&notice(to("bo@x.example"), automatic), &outlets, None);
    check(&notice(to("Desk@Desk.example"), ""), &outlets, Some("never writes to itself"));
    check(&notice(to("a b@x.example"), ""), &outlets, Some("no address"));
    check(&notice(Recipient::Requester, ""), &Outlets::default(), Some("[smtp]"));
    let webhook = |name: &str| Outgoing::Webhook { name: name.to_owned(), data: serde_json::Value::Null };
    check(&webhook("billing"), &outlets, None);
    check(&webhook("other"), &outlets, Some("[webhook.other]"));
    let maildir = |name: &str| Outgoing::Maildir { folder: name.to_owned() };
    check(&maildir("archive"), &outlets, None);
    check(&maildir("other"), &outlets, Some("`other`"));
}

#[test]
fn the_subject_has_the_tag_once() {
    let ticket = TicketNumber::new(5);
    let check = |end: TagEnd, subject: &str, expect: &str| {
        assert_eq!(sender(end).subject(&subject.to_owned().into(), Some(&ticket)), expect, "{subject:?}");
    };
    check(TagEnd::End, "printer", "printer MessageID:T00005#");
    check(TagEnd::Beginning, "printer", "MessageID:T00005# printer");
    check(TagEnd::None, "printer", "printer");
    check(TagEnd::None, "{tag} printer {ticket}", "MessageID:T00005# printer T00005");
    check(TagEnd::End, "Re: printer messageid: T00005 #", "Re: printer messageid: T00005 #");
    check(TagEnd::End, "Re: MessageID:T00004#", "Re: MessageID:T00004# MessageID:T00005#");
    check(TagEnd::End, "", "MessageID:T00005#");
    check(TagEnd::End, "a\r\nBcc: x@y.example", "a Bcc: x@y.example MessageID:T00005#");
    assert_eq!(sender(TagEnd::End).subject(&"about {ticket}".to_owned().into(), None), "about");
}

#[test]
fn addresses_are_read() {
    let check = |text: &str, expect: Option<(&str, &str)>| {
        let found = address(text);
        let found = found.as_ref().map(|address| (address.name.as_str(), address.email.as_str()));
        assert_eq!(found, expect, "{text:?}");
    };
    check("ann@x.example", Some(("", "ann@x.example")));
    check(" \"Ann\r\n Lee\" <ann@x.example>", Some(("Ann Lee", "ann@x.example")));
    check("Ann <ann@x.example", None);
    check("ann", None);
    check("@x.example", None);
    check("a@b@x.example", None);
    check("a@x.example>\r\nRCPT TO:<b@x.example>", None);
    check("a@x.example, b@x.example", None);
}

proptest! {
    #[test]
    fn one_line_is_one_line(text in any::<String>()) {
        let line = one_line(&text);
        prop_assert!(!line.chars().any(|c| c.is_control()));
        prop_assert_eq!(one_line(&line), line);
    }

    #[test]
    fn only_what_was_issued_is_ours(ticket in 1_u64..1_000_000, local in "[ -~]{0,80}") {
        let guess = MessageId(format!("mm.t{ticket:05}.{local}@desk.example"));
        prop_assert_eq!(ids().check(&guess), Checked::Forged);
    }
}
