//! What threading and the brake ask of a store.

use super::*;
use crate::thread::{BaseSubject, Conversation, Link};

pub(super) async fn conversations_are_found(store: &Store) {
    let find = async |tickets: &[u64], ids: &[&str]| {
        let tickets = tickets.iter().copied().map(TicketNumber::new).collect();
        let ids = ids.iter().map(|id| MessageId((*id).to_owned())).collect();
        let keys = ThreadKeys { tickets, answered: ids, ..ThreadKeys::default() };
        let found =
            store.candidates(&keys, &["eve@example.org".to_owned()], &crate::ticket::Classes::default()).await.unwrap();
        assert!(found.iter().all(|it| it.requester == "ann@example.org" && it.correspondents.is_empty()), "{found:?}");
        let told = |candidate: &Candidate| match &candidate.conversation {
            Conversation::New => "new".to_owned(),
            Conversation::Active(ticket) => format!("active {}", ticket.number),
            Conversation::Inactive(ticket) => format!("inactive {}", ticket.number),
        };
        found.iter().map(told).collect::<Vec<_>>().join(", ")
    };
    assert_eq!(find(&[], &[]).await, "");
    assert_eq!(find(&[77, 2], &["1@mail"]).await, "active T00002, active T00001");
    assert_eq!(find(&[1], &["1@mail"]).await, "active T00001", "each once");
    assert_eq!(find(&[u64::MAX], &["nowhere@mail", "2@mail", "7@mail"]).await, "active T00001, active T00002");
    assert_eq!(find(&[], &["3@mail"]).await, "");
    commit_one(store, entry("10", accepted(vec![set_status(2, Status::new("closed"))]))).await;
    assert_eq!(find(&[2], &[]).await, "inactive T00002");
    people_are_known(store).await;
    // An earlier message of the thread counts only as long as people write about the same thing.
    let subject = store.ticket(&TicketNumber::new(1)).await.unwrap().unwrap().ticket.subject;
    for (subject, expect) in [(format!("Re: {subject}"), 1), ("something else".to_owned(), 0)] {
        let references = vec![MessageId("1@mail".to_owned())];
        let keys = ThreadKeys { references, subject: BaseSubject::of(&subject), ..ThreadKeys::default() };
        let found = store.candidates(&keys, &[], &crate::ticket::Classes::default()).await.unwrap();
        assert_eq!(found.len(), expect, "{subject}");
        assert!(found.iter().all(|candidate| candidate.link == Link::Reference));
    }
    // A later message with the same Message-ID does not take the conversation over.
    let mut copy = entry("11", accepted(vec![create("copy")]));
    copy.message_id = Some(MessageId("1@mail".to_owned()));
    commit_one(store, copy).await;
    assert_eq!(find(&[], &["1@mail"]).await, "active T00001");
}

/// Whoever was on the mail that made or changed a ticket is known there, and nowhere else.
async fn people_are_known(store: &Store) {
    let mut mail = entry("12", accepted(vec![comment(1, "and me")]));
    mail.people = vec!["dee@example.org".to_owned()];
    commit_one(store, mail).await;
    let mut refused = entry("13", accepted(vec![comment(1, "?"), comment(99, "to nobody")]));
    refused.people = vec!["eve@example.org".to_owned()];
    commit_one(store, refused).await;
    let authors = ["bob", "dee", "eve"].map(|name| format!("{name}@example.org"));
    let tickets = [1, 2].map(TicketNumber::new).to_vec();
    let keys = ThreadKeys { tickets, tickets_in_subject: 1, tickets_in_tags: 2, ..ThreadKeys::default() };
    let found = store.candidates(&keys, &authors, &crate::ticket::Classes::default()).await.unwrap();
    let told: Vec<_> = found.iter().map(|it| (it.link, it.correspondents.clone())).collect();
    let [bob, dee, _] = authors;
    assert_eq!(told, [(Link::TagInSubject, vec![bob.clone(), dee]), (Link::TagInBody, vec![bob])]);
}

/// The brake counts what was accepted, in the window before each message, wherever it was committed.
pub(super) async fn floods_are_held(store: &Store) {
    let mail = |uid: &str, seconds: i64, verdict: Verdict| {
        let mut mail = entry(uid, verdict);
        mail.sender = Some("flood@example.org".to_owned());
        mail.received_at.seconds = 1_800_000_000 + seconds;
        let brake = Brake { window_ms: 60_000, sender_messages_max: Some(3), thread_messages_max: Some(2) };
        Entry { brake: Some(brake), ..mail }
    };
    let new = || accepted(vec![create("flood")]);
    let commit = async |batch: &[Entry]| {
        let receipts = store.commit(batch).await.unwrap();
        receipts.iter().map(|receipt| receipt.outcome.reason().to_owned()).collect::<Vec<_>>()
    };
    let sender = "the brake: flood@example.org has sent 3 messages within 1m, which is the most that is taken \
                  (sender_messages_max)";
    // Two before, and then in one batch.
    assert_eq!(commit(&[mail("b1", 0, new()), mail("b2", 1, new())]).await, ["", ""]);
    assert_eq!(commit(&[mail("b3", 2, new()), mail("b4", 3, new())]).await, ["", sender]);
    assert_eq!(store.rehearse(&mail("b5", 4, new())).await.unwrap().outcome.reason(), sender);
    // What is held or ignored does not count, and what is ignored is not held.
    let ignored = Verdict::Plan(Plan { outcome: Planned::Ignored { reason: "no".to_owned() }, changes: Vec::new() });
    assert_eq!(commit(&[mail("b6", 5, ignored)]).await, ["no"]);
    // A minute after the first there is a place again, but only one.
    assert_eq!(commit(&[mail("b7", 60, new()), mail("b8", 60, new())]).await, ["", sender]);
    // Old mail is counted by its own time.
    assert_eq!(commit(&[mail("b9", -100_000, new())]).await, [""]);
    assert_eq!(commit(&[Entry { brake: None, ..mail("b10", 60, new()) }]).await, [""]);
    let thread = "the brake: 2 messages to ticket T00001 within 1m are the most that is taken (thread_messages_max)";
    let to = |uid: &str, name: &str| Entry {
        sender: Some(format!("{name}@example.org")),
        ..mail(uid, 500, accepted(vec![comment(1, "me too")]))
    };
    assert_eq!(commit(&[to("t1", "a"), to("t2", "b"), to("t3", "c")]).await, ["", "", thread]);
    assert_eq!(commit(&[to("t4", "d")]).await, [thread]);
}
