//! The outbox: written with the receipt, each entry once, within the limits, and sent by one at a time.

use super::conformance::{accepted, comment, create, entry, key};
use super::*;
use crate::action::Change;
use crate::message::{Address, AddressPattern, parse};
use crate::outgoing::{Limits, Mail, Notice, Occasion, Outgoing, OwnAddresses, Parcel, Recipient, TagEnd};
use crate::thread::{OwnIds, ThreadTag};
use jiff::Timestamp;
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3600);

pub(super) fn sender() -> Arc<Sender> {
    Arc::new(Sender {
        own_addresses: OwnAddresses::new(AddressPattern::parse("desk@desk.example").into_iter().collect()),
        ids: OwnIds::new([1; 32], "desk.example"),
        tag: ThreadTag::new(ThreadTag::PREFIX, ThreadTag::SUFFIX).unwrap(),
        tag_end: TagEnd::End,
        limits: Limits { window: HOUR, per_sender: 2, per_ticket: 3, per_address: 4 },
    })
}

async fn store() -> Store {
    Store::in_memory().await.unwrap().sending_as(Some(sender()))
}

pub(super) fn notify(ticket: Option<u64>, to: Recipient) -> Change {
    // The requester of the tickets that `create` makes.
    let message = parse(b"From: ann@example.org\r\nMessage-ID: <1@example.org>\r\n\r\nhello", None);
    let notice = Notice {
        to,
        subject: "Re: it".to_owned().into(),
        text: "We have it as {ticket}.".to_owned().into(),
        forwards: false,
        about: Occasion::of(&message),
    };
    Change::Send { ticket: ticket.map(TicketNumber::new), outgoing: Outgoing::Mail(notice), withheld: None }
}

fn address(email: &str) -> Recipient {
    Recipient::Address(Address { name: String::new(), email: email.to_owned() })
}

/// An entry with a report of its plan, as the pipeline writes it.
pub(super) fn planned(uid: &str, changes: Vec<Change>) -> Entry {
    let verdict = accepted(changes);
    let Verdict::Plan(plan) = &verdict else { unreachable!() };
    Entry { report: serde_json::json!({ "plan": plan }).to_string(), ..entry(uid, verdict) }
}

async fn mails(store: &Store) -> Vec<Mail> {
    let mut rows = store.outbox(&OutboxFilter::default()).await.unwrap();
    rows.reverse();
    let parcels = rows.into_iter().map(|row| serde_json::from_value(row.payload).unwrap());
    parcels.filter_map(|parcel| if let Parcel::Mail(mail) = parcel { Some(mail) } else { None }).collect()
}

#[tokio::test]
async fn an_answer_is_written_once_with_its_ticket() {
    let store = store().await;
    let batch = [planned("1", vec![create("printer"), notify(None, Recipient::Requester)])];
    let receipts = store.commit(&batch).await.unwrap();
    assert_eq!(receipts[0].withheld, Vec::<String>::new());
    assert!(store.commit(&batch).await.unwrap()[0].repeated);
    let rows = store.outbox(&OutboxFilter::default()).await.unwrap();
    assert_eq!(rows.len(), 1, "{rows:#?}");
    let row = &rows[0];
    assert_eq!((row.receipt, &row.ticket, row.target.as_str()), (1, &Some(TicketNumber::new(1)), "ann@example.org"));
    assert_eq!((row.state, row.attempts, &row.lane), (OutboxState::Waiting, 0, &Lane::Mail));
    let mail = mails(&store).await.remove(0);
    assert_eq!((mail.subject.as_str(), mail.text.as_str()), ("Re: it MessageID:T00001#", "We have it as T00001."));
    assert!(mail.is_answer && mail.in_reply_to.is_some());
    // What answers it finds its ticket, even without the key.
    let keys = ThreadKeys { answered: vec![mail.message_id], ..ThreadKeys::default() };
    let found = store.candidates(&keys, &[], &crate::ticket::Classes::default()).await.unwrap();
    assert_eq!(found.iter().map(|found| found.ticket.sequence()).collect::<Vec<_>>(), [1]);
}

#[tokio::test]
async fn a_rehearsal_and_a_refused_plan_send_nothing() {
    let store = store().await;
    store.rehearse(&planned("1", vec![create("printer"), notify(None, Recipient::Requester)])).await.unwrap();
    let lost = planned("2", vec![comment(9, "to nobody"), notify(Some(9), address("bo@example.org"))]);
    let receipts = store.commit(&[lost, planned("3", vec![notify(Some(8), address("bo@example.org"))])]).await.unwrap();
    assert!(receipts.iter().all(|receipt| receipt.outcome.name() == "quarantined"));
    assert_eq!(mails(&store).await, []);
    // Released, it is sent.
    let id = store.quarantine_list().await.unwrap()[0].id;
    store.quarantine_release(id, &planned("2", vec![create("x"), notify(None, Recipient::Requester)])).await.unwrap();
    assert_eq!(mails(&store).await.len(), 1);
}

#[tokio::test]
async fn mail_is_limited_by_address_and_by_ticket_and_the_report_says_so() {
    let store = store().await;
    let answer = |uid: &str| planned(uid, vec![create("printer"), notify(None, Recipient::Requester)]);
    // In one batch and in several.
    let first = store.commit(&[answer("1"), answer("2"), answer("3")]).await.unwrap();
    let second = store.commit(&[answer("4")]).await.unwrap();
    let counts: Vec<usize> = first.iter().chain(&second).map(|receipt| receipt.withheld.len()).collect();
    assert_eq!(counts, [0, 0, 1, 1]);
    assert!(first[2].withheld[0].contains("answers_per_sender_max"), "{:?}", first[2].withheld);
    let report = store.report(first[2].id).await.unwrap();
    assert_eq!(report["plan"]["changes"][1]["withheld"], serde_json::json!(first[2].withheld[0]));
    assert_eq!(report["plan"]["changes"][0].get("withheld"), None);
    // Nobody is answered about a ticket that caused too many mails; others are told of it all the same.
    let tell = |uid: &str, to: &str| planned(uid, vec![notify(Some(1), address(&format!("{to}@team.example")))]);
    let told = store.commit(&[tell("5", "a"), tell("6", "a"), tell("7", "a")]).await.unwrap();
    assert!(told.iter().all(|receipt| receipt.withheld.is_empty()), "{told:?}");
    let mut other = planned("8", vec![notify(Some(1), address("bo@example.org"))]);
    if let Verdict::Plan(plan) = &mut other.verdict
        && let Some(Change::Send { outgoing: Outgoing::Mail(notice), .. }) = plan.changes.first_mut()
    {
        notice.about.senders.push("bo@example.org".to_owned());
    }
    let told = store.commit(&[other]).await.unwrap();
    assert!(told[0].withheld[0].contains("mails_per_ticket_max"), "{:?}", told[0].withheld);
    // Whatever it is, nobody gets it without end.
    let told = store.commit(&[tell("9", "a"), tell("10", "a")]).await.unwrap();
    assert_eq!(told[0].withheld, Vec::<String>::new());
    assert!(told[1].withheld[0].contains("mails_per_address_max"), "{:?}", told[1].withheld);
    assert_eq!(mails(&store).await.len(), 6);
}

#[tokio::test]
async fn participants_are_written_to_one_by_one_and_the_author_is_not() {
    let store = store().await;
    let person = |name: &str| Address { name: name.to_owned(), email: format!("{name}@team.example") };
    let ticket = TicketNumber::new(1);
    let people = vec![person("bo"), person("cy"), Address { email: "ANN@example.org".to_owned(), ..person("ann") }];
    let desk = Address { name: String::new(), email: "desk@desk.example".to_owned() };
    let add = |people: Vec<Address>| Change::AddParticipants { ticket: ticket.clone(), participants: people };
    store.commit(&[planned("1", vec![create("printer"), notify(None, Recipient::Participants)])]).await.unwrap();
    assert_eq!(mails(&store).await, []);
    let withheld = async |uid: &str, changes: Vec<Change>| {
        let Verdict::Plan(plan) = accepted(changes) else { unreachable!() };
        let report = serde_json::json!({ "plan": plan, "warnings": [] }).to_string();
        let receipt = store.commit(&[Entry { report, ..planned(uid, plan.changes) }]).await.unwrap().remove(0);
        (receipt.withheld, store.report(receipt.id).await.unwrap())
    };
    let (reasons, report) = withheld("2", vec![notify(Some(1), Recipient::Participants)]).await;
    assert_eq!(reasons, ["nobody else takes part in the ticket"]);
    assert_eq!(report["plan"]["changes"][0]["withheld"], serde_json::json!(reasons[0]));
    // Those who are added with it too; not the requester, who wrote the message.
    let (reasons, _) = withheld("3", vec![add(people), notify(Some(1), Recipient::Participants)]).await;
    assert_eq!(reasons, Vec::<String>::new());
    let told = |mails: &[Mail]| mails.iter().map(|mail| mail.to.email.clone()).collect::<Vec<_>>();
    assert_eq!(told(&mails(&store).await), ["bo@team.example", "cy@team.example"]);
    // One of them is nobody that is written to: the others are, and the report says so.
    let (reasons, report) = withheld("4", vec![add(vec![desk]), notify(Some(1), Recipient::Participants)]).await;
    assert_eq!(reasons.len(), 2, "{reasons:?}");
    assert!(reasons[0].contains("mails_per_ticket_max") || reasons[1].contains("mails_per_ticket_max"), "{reasons:?}");
    assert!(reasons.iter().any(|reason| reason.contains("never writes to itself")), "{reasons:?}");
    assert_eq!(report["warnings"].as_array().map(Vec::len), Some(2), "{report:#}");
    assert_eq!(report["plan"]["changes"][1].get("withheld"), None);
    assert_eq!(told(&mails(&store).await).len(), 3);
}

#[tokio::test]
async fn nobody_writes_to_himself_or_to_no_address() {
    let store = store().await;
    let own = Change::CreateTicket {
        class: crate::ticket::TicketClass::new("incident"),
        series: crate::ticket::Series::default(),
        status: crate::ticket::Status::new("new"),
        assignment: crate::action::Assignment::default(),
        participants: Vec::new(),
        subject: "x".to_owned(),
        description: String::new(),
        requester: Address { name: String::new(), email: "Desk@desk.example".to_owned() },
        fields: Vec::new(),
    };
    let mut nobody = own.clone();
    if let Change::CreateTicket { requester, .. } = &mut nobody {
        requester.email = String::new();
    }
    let batch = [
        planned("1", vec![own, notify(None, Recipient::Requester)]),
        planned("2", vec![nobody, notify(None, Recipient::Requester)]),
        planned("3", vec![create("a"), create("b"), notify(None, Recipient::Requester)]),
    ];
    let receipts = store.commit(&batch).await.unwrap();
    assert!(receipts[0].withheld[0].contains("never writes to itself"), "{:?}", receipts[0].withheld);
    assert!(receipts[1].withheld[0].contains("address is not known"), "{:?}", receipts[1].withheld);
    assert_eq!(mails(&store).await[0].subject, "Re: it MessageID:T00004#", "the last ticket created");
}

#[tokio::test]
async fn an_attempt_is_begun_by_one_and_ends_in_one_way() {
    let store = store().await;
    let tell = |uid: &str| planned(uid, vec![notify(None, address(&format!("{uid}@team.example")))]);
    store.commit(&[tell("1"), tell("2"), tell("3")]).await.unwrap();
    assert_eq!(store.outbox_due().await.unwrap(), [Lane::Mail]);
    let claim = async |attempts_max| {
        let claimed = store.outbox_claim(&Lane::Mail, HOUR, attempts_max).await.unwrap();
        claimed.map(|it| (it.id, it.attempt))
    };
    for id in 1..=3 {
        assert_eq!(claim(9).await, Some((id, 1)));
    }
    assert_eq!((claim(9).await, store.outbox_due().await.unwrap()), (None, Vec::new()));
    // What is being sent is left alone.
    assert!(!store.outbox_retry(1).await.unwrap() && !store.outbox_drop(1).await.unwrap());
    store.outbox_sent(1).await.unwrap();
    store.outbox_failed(2, "no", None).await.unwrap();
    store.outbox_failed(3, "later", Some(Timestamp::UNIX_EPOCH)).await.unwrap();
    assert_eq!(claim(9).await, Some((3, 2)));
    store.outbox_failed(3, "later", Some(Timestamp::UNIX_EPOCH)).await.unwrap();
    let state = async |id| {
        let row = store.outbox(&OutboxFilter { id: Some(id), ..OutboxFilter::default() }).await.unwrap().remove(0);
        (row.state, row.attempts, row.last_error, row.ended_at.is_some())
    };
    assert_eq!(state(1).await, (OutboxState::Sent, 1, None, true));
    assert_eq!(state(2).await, (OutboxState::Dead, 1, Some("no".to_owned()), true));
    assert_eq!(state(3).await, (OutboxState::Waiting, 2, Some("later".to_owned()), false));
    // What was sent stays sent.
    assert_eq!((store.outbox_retry(1).await.unwrap(), store.outbox_drop(1).await.unwrap()), (false, false));
    assert!(store.outbox_retry(2).await.unwrap() && store.outbox_drop(3).await.unwrap());
    assert_eq!(state(2).await, (OutboxState::Waiting, 0, Some("no".to_owned()), false));
    let (past, future) = (Timestamp::UNIX_EPOCH, Timestamp::now() + jiff::SignedDuration::from_secs(9));
    let forget = async |state, before| store.outbox_forget(state, before).await.unwrap();
    assert_eq!((forget(OutboxState::Sent, past).await, forget(OutboxState::Sent, future).await), (0, 1));
    assert_eq!((forget(OutboxState::Waiting, future).await, forget(OutboxState::Dead, future).await), (0, 0));
    assert_eq!(store.outbox(&OutboxFilter::default()).await.unwrap().len(), 1);
    assert_eq!(store.unknown("support", vec![key("1")]).await.unwrap(), []);
}

/// An attempt that ends the program is one of those that count.
#[tokio::test]
async fn an_entry_whose_attempts_never_end_is_given_up() {
    let store = store().await;
    store.commit(&[planned("1", vec![notify(None, address("bo@team.example"))])]).await.unwrap();
    for attempt in 1..=2 {
        let claimed = store.outbox_claim(&Lane::Mail, Duration::ZERO, 2).await.unwrap();
        assert_eq!(claimed.map(|it| it.attempt), Some(attempt));
    }
    assert_eq!(store.outbox_claim(&Lane::Mail, Duration::ZERO, 2).await.unwrap(), None);
    let row = store.outbox(&OutboxFilter::default()).await.unwrap().remove(0);
    assert_eq!((row.state, row.attempts, row.ended_at.is_some()), (OutboxState::Dead, 2, true));
    assert!(row.last_error.as_deref().is_some_and(|error| error.contains("never ended")), "{row:?}");
    store.outbox_forget(OutboxState::Dead, Timestamp::now() + jiff::SignedDuration::from_secs(9)).await.unwrap();
    assert_eq!(store.outbox(&OutboxFilter::default()).await.unwrap(), []);
}

#[tokio::test]
async fn all_that_was_given_up_is_tried_again_at_once() {
    let store = store().await;
    let batch =
        ["1", "2", "3", "4"].map(|uid| planned(uid, vec![notify(None, address(&format!("{uid}@team.example")))]));
    store.commit(&batch).await.unwrap();
    for _ in 0..3 {
        let claimed = store.outbox_claim(&Lane::Mail, HOUR, 9).await.unwrap().unwrap();
        match claimed.id {
            1 => store.outbox_sent(1).await.unwrap(),
            id => store.outbox_failed(id, "refused", None).await.unwrap(),
        }
    }
    // One is being sent.
    store.outbox_claim(&Lane::Mail, HOUR, 9).await.unwrap().unwrap();
    assert_eq!(store.outbox_retry_all(OutboxState::Waiting).await.unwrap(), Vec::<i64>::new());
    assert_eq!(store.outbox_retry_all(OutboxState::Sent).await.unwrap(), Vec::<i64>::new());
    assert_eq!(store.outbox_retry_all(OutboxState::Dead).await.unwrap(), [2, 3]);
    assert_eq!(store.outbox_retry_all(OutboxState::Dead).await.unwrap(), Vec::<i64>::new());
    let next = store.outbox_claim(&Lane::Mail, HOUR, 9).await.unwrap().unwrap();
    assert_eq!((next.id, next.attempt), (2, 1));
}

#[tokio::test]
async fn an_attempt_that_goes_on_is_not_begun_by_another_one() {
    let store = store().await;
    store.commit(&[planned("1", vec![notify(None, address("bo@team.example"))])]).await.unwrap();
    let claim = async |time| store.outbox_claim(&Lane::Mail, time, 9).await.unwrap().map(|it| it.attempt);
    assert_eq!(claim(Duration::ZERO).await, Some(1));
    store.outbox_renew(1, HOUR).await.unwrap();
    assert_eq!(claim(HOUR).await, None);
    store.outbox_renew(1, Duration::ZERO).await.unwrap();
    assert_eq!(claim(HOUR).await, Some(2));
}

#[tokio::test]
async fn the_key_of_our_message_ids_is_made_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mailmill.db");
    let store = Store::open(&path).await.unwrap();
    let key = store.own_key().await.unwrap();
    assert_ne!(key, [0; 32]);
    store.close().await;
    assert_eq!(Store::open(&path).await.unwrap().own_key().await.unwrap(), key);
    assert_ne!(Store::in_memory().await.unwrap().own_key().await.unwrap(), key);
}

#[tokio::test]
async fn a_clock_that_is_set_back_does_not_hold_up_what_waits() {
    let store = store().await;
    store.commit(&[planned("1", vec![create("printer"), notify(None, Recipient::Requester)])]).await.unwrap();
    let claimed = store.outbox_claim(&Lane::Mail, HOUR, 10).await.unwrap().unwrap();
    let year = Timestamp::now() + jiff::SignedDuration::from_hours(24 * 365);
    store.outbox_failed(claimed.id, "busy", Some(year)).await.unwrap();
    let next = async || store.outbox(&OutboxFilter::default()).await.unwrap()[0].next_attempt_at.unwrap();
    assert_eq!(store.outbox_wait_at_most(HOUR, HOUR).await.unwrap(), 1);
    assert!(next().await <= Timestamp::now() + HOUR, "{}", next().await);
    assert_eq!(store.outbox_wait_at_most(HOUR * 2, HOUR * 2).await.unwrap(), 0, "what waits as it should");
}

#[tokio::test]
async fn attempts_that_were_interrupted_are_known_until_something_is_noted() {
    let store = store().await;
    let batch = ["1", "2", "3"].map(|uid| {
        let to = address(&format!("{uid}@example.org"));
        planned(uid, vec![create("printer"), notify(None, to)])
    });
    store.commit(&batch).await.unwrap();
    assert_eq!(store.outbox_interrupted().await.unwrap(), []);
    let mut ids = Vec::new();
    while let Some(claimed) = store.outbox_claim(&Lane::Mail, HOUR, 10).await.unwrap() {
        ids.push(claimed.id);
    }
    assert_eq!(store.outbox_interrupted().await.unwrap(), ids.iter().map(|id| (*id, 1)).collect::<Vec<_>>());
    store.outbox_sent(ids[0]).await.unwrap();
    store.outbox_failed(ids[1], "busy", Some(Timestamp::now())).await.unwrap();
    assert_eq!(store.outbox_interrupted().await.unwrap(), [(ids[2], 1)]);
    store.outbox_failed(ids[2], "interrupted", Some(Timestamp::now())).await.unwrap();
    assert_eq!(store.outbox_interrupted().await.unwrap(), []);
}
