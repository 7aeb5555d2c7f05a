//! What every database behind the store has to do. Each database's own tests call [`run`] with an empty store.

mod desk;
mod log;
mod threads;

use super::*;
use crate::action::{Assignment, Change, Outcome as Planned, Plan};
use crate::class::Class;
use crate::field::{self, DateTime, Value};
use crate::message::{Address, MessageId};
use crate::ticket::{Classes, Series, Status, TicketClass, Visibility};
use jiff::Timestamp;

pub(super) fn key(uid: &str) -> MessageKey {
    MessageKey { mailbox: "INBOX".to_owned(), uid_validity: 7, uid: uid.to_owned() }
}

fn address(name: &str) -> Address {
    Address { name: name.to_owned(), email: format!("{}@example.org", name.to_lowercase()) }
}

/// A message whose attachments have these contents, each encoded in its own way.
pub(super) fn with_attachments(uid: &str, verdict: Verdict, parts: &[(&str, &[u8])]) -> Entry {
    let head = format!("From: a@example.org\r\nMessage-ID: <{uid}@mail>\r\nContent-Type: multipart/mixed; boundary=OO");
    let mut raw = format!("{head}\r\n\r\n--OO\r\nContent-Type: text/plain\r\n\r\nsee there\r\n").into_bytes();
    for (encoding, encoded) in parts {
        let head = "Content-Type: application/pdf\r\nContent-Disposition: attachment; filename=scan.pdf";
        raw.extend(format!("--OO\r\n{head}\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n").bytes());
        raw.extend_from_slice(encoded);
        raw.extend(b"\r\n");
    }
    raw.extend(b"--OO--\r\n");
    let raw = Content::from(raw);
    let attachments = crate::message::read(&raw, None).unwrap().attachments;
    assert_eq!(attachments.len(), parts.len());
    Entry { raw, attachments, ..entry(uid, verdict) }
}

pub(super) fn entry(uid: &str, verdict: Verdict) -> Entry {
    Entry {
        job: "support".to_owned(),
        session: None,
        key: key(uid),
        raw: format!("Subject: {uid}\r\n\r\nhello").into_bytes().into(),
        message_id: Some(MessageId(format!("{uid}@mail"))),
        sender: Some("bob@example.org".to_owned()),
        people: vec!["bob@example.org".to_owned(), "cy@example.org".to_owned()],
        brake: None,
        attachments: Vec::new(),
        revision: "r1".to_owned(),
        report: serde_json::json!({ "uid": uid }).to_string(),
        verdict,
        disposition: Disposition::SEEN,
        received_at: DateTime { seconds: 1_700_000_000, offset_minutes: 120 },
        header_only: false,
    }
}

pub(super) fn accepted(changes: Vec<Change>) -> Verdict {
    Verdict::Plan(Plan { outcome: Planned::Accepted, changes })
}

pub(super) fn create(subject: &str) -> Change {
    Change::CreateTicket {
        class: TicketClass::new("incident"),
        subject: subject.to_owned(),
        description: "it is broken".to_owned(),
        series: Series::default(),
        status: Status::new("new"),
        requester: address("Ann"),
        assignment: Assignment::default(),
        participants: Vec::new(),
        fields: vec![field::Entry { name: "asset".to_owned(), value: Value::Text("printer".to_owned()) }],
    }
}

pub(super) fn comment(ticket: u64, text: &str) -> Change {
    Change::AddComment {
        ticket: Some(TicketNumber::new(ticket)),
        author: address("Bob"),
        text: text.to_owned(),
        visibility: Visibility::Public,
    }
}

pub(super) fn set_status(ticket: u64, status: Status) -> Change {
    Change::SetStatus { ticket: TicketNumber::new(ticket), status }
}

pub(super) async fn commit_one(store: &Store, entry: Entry) -> Receipt {
    store.commit(&[entry]).await.unwrap().remove(0)
}

fn bytes_of(content: &Content) -> Vec<u8> {
    content.to_vec().unwrap()
}

fn numbers(tickets: &[TicketNumber]) -> Vec<u64> {
    tickets.iter().map(TicketNumber::sequence).collect()
}

/// Runs the whole suite on an empty store.
pub(super) async fn run(store: &Store) {
    records_a_batch(store).await;
    repeats_change_nothing(store).await;
    rehearsals_leave_nothing(store).await;
    refused_entries_fail_alone(store).await;
    quarantine_is_released_once(store).await;
    what_has_no_body_is_forgotten(store).await;
    threads::conversations_are_found(store).await;
    marks_are_kept(store).await;
    attachments_are_stored_once(store).await;
    attachments_lie_in_their_messages(store).await;
    long_contents_come_back(store).await;
    batches_are_like_single_messages(store).await;
    sessions_are_listed(store).await;
    absurd_values_are_kept(store).await;
    desk::run(store).await;
    jobs_are_ordered_and_report(store).await;
    what_was_there_before_is_passed_over(store).await;
    renumbered_messages_are_recognised(store).await;
    threads::floods_are_held(store).await;
    log::old_sessions_are_forgotten(store).await;
}

async fn what_was_there_before_is_passed_over(store: &Store) {
    let opened = |mailbox: &str, written: &str, uid_validity: u32| Opened {
        mailbox: mailbox.to_owned(),
        uid_validity,
        written: written.to_owned(),
        messages: 0,
    };
    let keys = |mailbox: &str, uid_validity: u32, uids: &[&str]| -> Vec<MessageKey> {
        let key = |uid: &&str| MessageKey { mailbox: mailbox.to_owned(), uid_validity, uid: (*uid).to_owned() };
        uids.iter().map(key).collect()
    };
    let unknown = async |keys: Vec<MessageKey>| store.unknown("past", keys).await.unwrap();

    // Numbered messages are passed over up to a number, named ones by their names.
    assert!(store.first_sight("past", &opened("a/b", "a.b", 3), &keys("a/b", 3, &["2", "10"])).await.unwrap());
    assert!(!store.first_sight("past", &opened("a/b", "a.b", 3), &keys("a/b", 3, &["99"])).await.unwrap());
    assert_eq!(unknown(keys("a/b", 3, &["1", "10", "11", "99"])).await, keys("a/b", 3, &["11", "99"]));
    assert_eq!(unknown(keys("a/b", 4, &["1"])).await.len(), 1, "another numbering");
    assert_eq!(store.unknown("other", keys("a/b", 3, &["1"])).await.unwrap().len(), 1, "another job");
    assert!(store.first_sight("past", &opened(".", ".", 0), &keys(".", 0, &["1.old", "7"])).await.unwrap());
    assert_eq!(unknown(keys(".", 0, &["1.old", "3", "7", "8.new"])).await, keys(".", 0, &["3", "8.new"]));
    // A mailbox that was empty has been seen.
    assert!(store.first_sight("past", &opened("c", "c", 3), &[]).await.unwrap());
    assert!(!store.first_sight("past", &opened("c", "c", 3), &keys("c", 3, &["1"])).await.unwrap());
    assert_eq!(unknown(keys("c", 3, &["1"])).await.len(), 1);
    // What is known by the name in the settings is known by the mailbox's own.
    assert!(!store.first_sight("past", &opened("C", "c", 3), &keys("C", 3, &["1"])).await.unwrap());
    let known = store.mailboxes("past").await.unwrap();
    let known: Vec<_> = known.iter().map(|it| (it.mailbox.as_str(), it.passed_over, it.passed_below)).collect();
    assert_eq!(known, [(".", 2, 0), ("C", 0, 0), ("a/b", 2, 11)]);
    // After a renumbering, one by one.
    store.pass_over("past", &keys("a/b", 4, &["1"])[0]).await.unwrap();
    store.renumbered("past", "a/b", 4).await.unwrap();
    assert_eq!(unknown(keys("a/b", 4, &["1", "2"])).await, keys("a/b", 4, &["2"]));
    assert_eq!(store.mailboxes("past").await.unwrap()[2].passed_over, 1);
}

async fn renumbered_messages_are_recognised(store: &Store) {
    let digest = |uid: &str| Sha256(entry(uid, accepted(Vec::new())).raw.sha256().unwrap());
    let mut copies = [entry("60", accepted(Vec::new())), entry("61", accepted(Vec::new()))];
    copies[1].raw = copies[0].raw.clone();
    let receipts = store.commit(&copies).await.unwrap();
    store.marked("support", &[key("60")]).await.unwrap();
    let now = |uid: &str| MessageKey { uid_validity: 8, ..key(uid) };
    let recognise = async |uid: &str| store.recognise("support", &now(uid), &digest("60")).await.unwrap();
    let first = recognise("1").await.unwrap();
    assert_eq!((first.id, &first.key, first.repeated), (receipts[0].id, &now("1"), true));
    assert!(first.disposition.is_nothing(), "it is marked");
    let second = recognise("2").await.unwrap();
    assert_eq!((second.id, &second.disposition), (receipts[1].id, &Disposition::SEEN));
    assert_eq!(recognise("3").await, None, "one copy more than there were");
    assert_eq!(store.recognise("other", &now("3"), &digest("60")).await.unwrap(), None);
    let keys = ["1", "2", "3"].map(now).to_vec();
    assert_eq!(store.unknown("support", keys).await.unwrap(), [now("3")]);
    assert!(store.unmarked("support").await.unwrap().contains(&(now("2"), Disposition::SEEN)));
}

/// Leaves ticket 1, with a comment.
async fn records_a_batch(store: &Store) {
    let field = field::Entry { name: "asset".to_owned(), value: Value::Integer(5) };
    let changes = vec![
        comment(1, "me too"),
        set_status(1, Status::new("open")),
        Change::SetField { ticket: TicketNumber::new(1), field: field.clone() },
    ];
    let rejected =
        Verdict::Plan(Plan { outcome: Planned::Rejected { reason: "spam".to_owned() }, changes: Vec::new() });
    let batch = [entry("1", accepted(vec![create("printer")])), entry("2", accepted(changes)), entry("3", rejected)];
    let receipts = store.commit(&batch).await.unwrap();
    assert_eq!(numbers(&receipts[0].created), [1]);
    assert_eq!((numbers(&receipts[1].created), numbers(&receipts[1].updated)), (vec![], vec![1]));
    assert_eq!(receipts[2].outcome, Outcome::Rejected { reason: "spam".to_owned() });
    let detail = store.ticket(&TicketNumber::new(1)).await.unwrap().unwrap();
    assert_eq!((detail.ticket.subject.as_str(), detail.ticket.status), ("printer", Status::new("open")));
    assert_eq!(detail.fields, [field]);
    assert_eq!((detail.comments.len(), detail.comments[0].text.as_str()), (1, "me too"));
    assert_eq!(store.report(receipts[0].id).await.unwrap(), serde_json::json!({ "uid": "1" }));
    let row = store.receipt(receipts[0].id).await.unwrap().unwrap();
    assert_eq!(bytes_of(&store.raw(&row.sha256).await.unwrap()), bytes_of(&batch[0].raw));
    let unknown = store.unknown("support", vec![key("9"), key("2"), key("8")]).await.unwrap();
    assert_eq!(unknown, [key("9"), key("8")]);
    assert_eq!(store.unknown("other", vec![key("2")]).await.unwrap(), [key("2")]);
}

async fn repeats_change_nothing(store: &Store) {
    let receipt = commit_one(store, entry("2", accepted(vec![create("again")]))).await;
    assert!(receipt.repeated);
    assert_eq!((numbers(&receipt.created), numbers(&receipt.updated)), (vec![], vec![1]));
    let twice = [entry("4", accepted(vec![comment(1, "one")])), entry("4", accepted(vec![comment(1, "two")]))];
    let receipts = store.commit(&twice).await.unwrap();
    assert_eq!((receipts[0].repeated, receipts[1].repeated, receipts[0].id), (false, true, receipts[1].id));
    assert_eq!(store.tickets(&TicketFilter::default()).await.unwrap().len(), 1);
}

async fn rehearsals_leave_nothing(store: &Store) {
    let rehearsed = store.rehearse(&entry("5", accepted(vec![create("maybe")]))).await.unwrap();
    assert_eq!(numbers(&rehearsed.created), [2]);
    assert_eq!(store.unknown("support", vec![key("5")]).await.unwrap(), [key("5")]);
    assert_eq!(store.ticket(&TicketNumber::new(2)).await.unwrap(), None);
}

/// Leaves ticket 2, and message 6 in quarantine.
async fn refused_entries_fail_alone(store: &Store) {
    let lost = accepted(vec![create("half"), comment(99, "to nobody")]);
    let receipts = store.commit(&[entry("6", lost), entry("7", accepted(vec![create("whole")]))]).await.unwrap();
    let reason = "ticket T00099 does not exist".to_owned();
    assert_eq!(receipts[0].outcome, Outcome::Quarantined { reason, class: Class::Permanent });
    assert!(receipts[0].disposition.is_nothing() && receipts[0].created.is_empty());
    assert_eq!(numbers(&receipts[1].created), [2]);
    assert_eq!(store.ticket(&TicketNumber::new(2)).await.unwrap().unwrap().ticket.subject, "whole");
    assert_eq!(store.unknown("support", vec![key("6")]).await.unwrap(), []);
}

/// Leaves ticket 3.
async fn quarantine_is_released_once(store: &Store) {
    let waiting = store.quarantine_list().await.unwrap();
    assert_eq!((waiting.len(), &waiting[0].key), (1, &key("6")));
    let id = waiting[0].id;
    let detail = store.quarantine(id).await.unwrap().unwrap();
    assert_eq!((&*bytes_of(&detail.raw), detail.received_at.offset_minutes), (&b"Subject: 6\r\n\r\nhello"[..], 120));

    let again = store.quarantine_release(id, &entry("6", accepted(vec![comment(98, "?")]))).await.unwrap();
    assert_eq!(again.outcome.reason(), "ticket T00098 does not exist");
    assert_eq!(store.quarantine_list().await.unwrap()[0].cause, "ticket T00098 does not exist");

    let released = store.quarantine_release(id, &entry("6", accepted(vec![create("mended")]))).await.unwrap();
    assert_eq!((numbers(&released.created), released.outcome.clone()), (vec![3], Outcome::Accepted));
    assert_eq!(store.quarantine_list().await.unwrap(), []);
    assert!(store.quarantine(id).await.unwrap().unwrap().row.released_at.is_some());
    let repeated = store.quarantine_release(id, &entry("6", accepted(vec![create("twice")]))).await.unwrap();
    assert_eq!(repeated, Receipt { repeated: true, ..released });
    let other = store.quarantine_release(id, &entry("7", accepted(Vec::new()))).await.unwrap_err();
    assert_eq!(other.to_string(), format!("there is no such message in quarantine: number {id}"));
}

async fn marks_are_kept(store: &Store) {
    let before = store.unmarked("support").await.unwrap();
    assert_eq!(before[0], (key("1"), Disposition::SEEN));
    let all: Vec<MessageKey> = before.into_iter().map(|(key, _)| key).collect();
    store.marked("support", &all[1..]).await.unwrap();
    assert_eq!(store.unmarked("support").await.unwrap().len(), 1);
    store.marked("support", &[key("1"), key("never seen")]).await.unwrap();
    assert_eq!(store.unmarked("support").await.unwrap(), []);
    assert_eq!(store.unmarked("other").await.unwrap(), []);
}

async fn attachments_are_stored_once(store: &Store) {
    let changes = vec![create("scan"), comment(1, "see scan")];
    let with_ticket = with_attachments("20", accepted(changes), &[("base64", b"cGRm"), ("base64", b"")]);
    let with_comment =
        with_attachments("21", accepted(vec![comment(2, "the same")]), &[("quoted-printable", b"p=64f")]);
    let receipts = store.commit(&[with_ticket, with_comment]).await.unwrap();
    let created = store.ticket(&receipts[0].created[0]).await.unwrap().unwrap();
    assert_eq!(created.attachments.iter().map(|a| (a.comment, a.size)).collect::<Vec<_>>(), [(None, 3), (None, 0)]);
    let updated = store.ticket(&TicketNumber::new(2)).await.unwrap().unwrap();
    assert_eq!(updated.attachments[0].comment, Some(updated.comments[0].id));
    assert_eq!(updated.attachments[0].sha256, created.attachments[0].sha256);
    assert_eq!(bytes_of(&store.blob(&Sha256::of(b"pdf")).await.unwrap()), b"pdf");
    assert_eq!(bytes_of(&store.blob(&Sha256::of(b"")).await.unwrap()), b"");
    assert_eq!(store.blob(&Sha256::of(b"?")).await.unwrap_err().class(), Class::Permanent);
}

/// However it is encoded, an attachment is read out of its message.
async fn attachments_lie_in_their_messages(store: &Store) {
    let nested = b"Subject: inner\r\n\r\nwith -- hyphens";
    let cases: [(&str, &[u8], &[u8]); 5] = [
        ("base64", b"aGVsbG8s\r\nIHdvcmxk", b"hello, world"),
        ("quoted-printable", b"gr=FCn=\r\n und blau", b"gr\xfcn und blau"),
        ("7bit", nested, nested),
        ("binary", b"\0\xff\r\n\x01", b"\0\xff\r\n\x01"),
        ("base64", b"no!base64", b"no!base64"),
    ];
    let parts = cases.map(|(encoding, encoded, _)| (encoding, encoded));
    let receipt = commit_one(store, with_attachments("22", accepted(vec![create("many")]), &parts)).await;
    let ticket = store.ticket(&receipt.created[0]).await.unwrap().unwrap();
    let expect: Vec<Sha256> = cases.iter().map(|(_, _, content)| Sha256::of(content)).collect();
    assert_eq!(ticket.attachments.iter().map(|it| it.sha256).collect::<Vec<_>>(), expect);
    for (encoding, encoded, content) in cases {
        assert_eq!(bytes_of(&store.blob(&Sha256::of(content)).await.unwrap()), content, "{encoding} {encoded:?}");
    }
    // One that was in quarantine goes with its ticket once it is released.
    let quarantine = Verdict::Quarantine { cause: "plugin fault".to_owned(), class: Class::Bug };
    let mut waiting = with_attachments("23", quarantine, &[("base64", b"cmVsZWFzZWQ=")]);
    commit_one(store, waiting.clone()).await;
    assert!(store.blob(&Sha256::of(b"released")).await.is_err());
    let id = store.quarantine_list().await.unwrap().iter().find(|row| row.key == key("23")).unwrap().id;
    waiting.verdict = accepted(vec![create("released")]);
    let released = store.quarantine_release(id, &waiting).await.unwrap();
    let ticket = store.ticket(&released.created[0]).await.unwrap().unwrap();
    assert_eq!(bytes_of(&store.blob(&ticket.attachments[0].sha256).await.unwrap()), b"released");
}

/// In one piece, in two, and in more than the memory is for.
async fn long_contents_come_back(store: &Store) {
    const PIECE: usize = 512 << 10;
    use base64::Engine as _;
    for (number, length) in [PIECE, PIECE + 1, 5 * PIECE].into_iter().enumerate() {
        let long: Vec<u8> = (0..length).map(|at| (at * at / 7 + number) as u8).collect();
        let lines = base64::engine::general_purpose::STANDARD.encode(&long);
        let lines = lines.as_bytes().chunks(76).collect::<Vec<_>>().join(&b"\r\n"[..]);
        // The second lies behind the first, and is read all the same.
        let parts: [(&str, &[u8]); 3] = [("base64", &lines), ("base64", &lines[78..]), ("base64", b"c2hvcnQ=")];
        let message = with_attachments(&format!("7{number}"), accepted(vec![comment(1, "long")]), &parts);
        let raw = message.raw.clone();
        let receipt = commit_one(store, message).await;
        let row = store.receipt(receipt.id).await.unwrap().unwrap();
        assert!(bytes_of(&store.raw(&row.sha256).await.unwrap()) == bytes_of(&raw), "{length} bytes");
        for content in [&long[..], &long[57..], b"short"] {
            let blob = store.blob(&Sha256::of(content)).await.unwrap();
            assert!(bytes_of(&blob) == content, "{length} bytes");
            assert_eq!(blob.in_memory().is_none(), content.len() > 2 * PIECE, "{length} bytes");
        }
    }
}

/// Many messages at once, each of them differently: what one comes to, the next one finds.
async fn batches_are_like_single_messages(store: &Store) {
    let next = numbers(&commit_one(store, entry("800", accepted(vec![create("next")]))).await.created)[0] + 1;
    let mut batch = Vec::new();
    for number in 0..120 {
        let uid = format!("8{}", 100 + number);
        let verdict = match number % 4 {
            0 => accepted(vec![create(&uid), comment(next + number / 4, "mine"), set_status(1, Status::new("open"))]),
            1 => {
                accepted(vec![comment(next + number / 4, &uid), set_status(next + number / 4, Status::new("resolved"))])
            }
            // It would be the ticket of the next message, or its own if it came first.
            2 => accepted(vec![comment(next + number / 4 + 1, &uid), create(&uid)]),
            _ => Verdict::Quarantine { cause: uid.clone(), class: Class::Bug },
        };
        batch.push(entry(&uid, verdict));
        if number % 5 == 0 {
            batch.push(entry(&uid, accepted(vec![create("repeated")])));
        }
    }
    let receipts = store.commit(&batch).await.unwrap();
    assert_eq!(receipts.len(), batch.len());
    let mut created = Vec::new();
    for (entry, receipt) in batch.iter().zip(&receipts) {
        assert_eq!(receipt.key, entry.key);
        let row = store.receipt(receipt.id).await.unwrap().unwrap();
        assert_eq!(Receipt { repeated: receipt.repeated, ..row.receipt.clone() }, *receipt);
        assert_eq!(bytes_of(&store.raw(&row.sha256).await.unwrap()), bytes_of(&entry.raw));
        if !receipt.repeated {
            created.extend(numbers(&receipt.created));
        }
    }
    assert_eq!(created, (next..next + 30).collect::<Vec<_>>(), "without gaps");
    let repeated = receipts.windows(2).filter(|pair| pair[1].repeated);
    assert_eq!(repeated.map(|pair| assert_eq!(pair[0].id, pair[1].id)).count(), 24);
    let refused = receipts.iter().filter(|it| it.outcome.reason().contains("does not exist"));
    assert_eq!(refused.filter(|it| !it.repeated).count(), 30);
    for number in next..next + 30 {
        let ticket = store.ticket(&TicketNumber::new(number)).await.unwrap().unwrap();
        let texts: Vec<&str> = ticket.comments.iter().map(|comment| comment.text.as_str()).collect();
        assert_eq!((texts.len(), texts[0], ticket.ticket.status), (2, "mine", Status::new("resolved")), "{number}");
    }
    let again = store.commit(&batch).await.unwrap();
    assert!(again.iter().zip(&receipts).all(|(again, first)| again.repeated && again.id == first.id));
}

async fn sessions_are_listed(store: &Store) {
    let (first, second) = (store.begin_session("support").await.unwrap(), store.begin_session("sales").await.unwrap());
    let mut message = entry("30", accepted(vec![comment(1, "late")]));
    message.session = Some(first);
    let receipt = commit_one(store, message).await;
    let tally = SessionTally { waiting: 4, received: 1, updated: 1, ..SessionTally::default() };
    store.finish_session(first, &tally, Some("connection lost")).await.unwrap();
    let all = store.sessions(&SessionFilter::default()).await.unwrap();
    assert_eq!(all.iter().map(|session| session.id).collect::<Vec<_>>(), [second, first]);
    assert_eq!((all[1].tally, all[1].error.as_deref()), (tally, Some("connection lost")));
    assert!(all[0].finished_at.is_none() && all[1].finished_at.is_some());
    let mut interrupted = entry("31", accepted(vec![comment(1, "later")]));
    (interrupted.session, interrupted.job) = (Some(second), "sales".to_owned());
    commit_one(store, interrupted).await;
    store.end_interrupted(Some("support")).await.unwrap();
    assert!(store.sessions(&SessionFilter::default()).await.unwrap()[0].finished_at.is_none(), "another job's");
    store.end_interrupted(None).await.unwrap();
    let ended = store.sessions(&SessionFilter::default()).await.unwrap();
    assert!(ended[0].finished_at.is_some());
    assert_eq!((ended[0].tally.received, ended[0].tally.updated), (1, 1));
    assert_eq!(ended[1], all[1], "a session that was closed stays as it is");
    let sales = SessionFilter { job: Some("sales".to_owned()), ..SessionFilter::default() };
    assert_eq!(store.sessions(&sales).await.unwrap().len(), 1);
    let future = jiff::Timestamp::MAX;
    let later = SessionFilter { since: Some(future), ..SessionFilter::default() };
    assert_eq!(store.sessions(&later).await.unwrap(), []);
    let messages = store.session_messages(first).await.unwrap();
    assert_eq!(messages.into_iter().map(|row| row.receipt).collect::<Vec<_>>(), [receipt]);
    let missing = store.finish_session(SessionId(999), &tally, None).await.unwrap_err();
    assert_eq!(missing.to_string(), "there is no session 999");
    let closed = TicketFilter { status: Some(Status::new("closed")), ..TicketFilter::default() };
    assert_eq!(store.tickets(&closed).await.unwrap().len(), 1);
    let page = TicketFilter { before: Some(TicketNumber::new(3)), limit: Some(1), ..TicketFilter::default() };
    assert_eq!(store.tickets(&page).await.unwrap()[0].number, TicketNumber::new(2));
}

async fn what_has_no_body_is_forgotten(store: &Store) {
    let quarantined = || Verdict::Quarantine { cause: "too large".to_owned(), class: Class::Permanent };
    let (mut without, with) = (entry("50", quarantined()), entry("51", quarantined()));
    without.header_only = true;
    commit_one(store, without.clone()).await;
    commit_one(store, with.clone()).await;
    let waiting = store.quarantine_list().await.unwrap();
    let forgotten = [store.quarantine_forget(waiting[0].id).await, store.quarantine_forget(waiting[1].id).await];
    assert_eq!(forgotten.map(Result::unwrap), [true, false], "what is whole is kept");
    assert_eq!(store.quarantine_list().await.unwrap().len(), 1);
    assert_eq!(store.unknown("support", vec![without.key.clone(), with.key]).await.unwrap(), [without.key]);
}

async fn absurd_values_are_kept(store: &Store) {
    for (uid, seconds) in [("40", i64::MAX), ("41", i64::MIN)] {
        let mut message = entry(uid, accepted(vec![create("\u{1f600} '; DROP TABLE tickets; --")]));
        message.received_at.seconds = seconds;
        message.key =
            MessageKey { mailbox: "R\u{e4}ksm\u{f6}rg\u{e5}s/'\"".to_owned(), uid_validity: u32::MAX, ..message.key };
        let receipt = commit_one(store, message.clone()).await;
        let row = store.receipt(receipt.id).await.unwrap().unwrap();
        assert_eq!((&row.receipt, row.sha256), (&receipt, Sha256(message.raw.sha256().unwrap())));
        assert_eq!(store.unknown("support", vec![message.key]).await.unwrap(), []);
        let ticket = store.ticket(&receipt.created[0]).await.unwrap().unwrap();
        assert_eq!(ticket.ticket.subject, "\u{1f600} '; DROP TABLE tickets; --");
    }
}

async fn jobs_are_ordered_and_report(store: &Store) {
    assert!(store.jobs().await.unwrap().is_empty() && store.job_orders().await.unwrap().is_empty());
    assert!(store.pause_job("desk", "ann").await.unwrap());
    assert!(!store.pause_job("desk", "bob").await.unwrap(), "a pause keeps the name of who wanted it");
    store.request_run("desk").await.unwrap();
    let asked = store.job_orders().await.unwrap()["desk"];
    let asked_at = asked.run_requested_at.unwrap();
    assert!(asked.paused);
    // A request that came in later than the one that is being carried out stays.
    store.run_begun("desk", asked_at - std::time::Duration::from_millis(1)).await.unwrap();
    assert_eq!(store.job_orders().await.unwrap()["desk"], asked);
    store.run_begun("desk", asked_at).await.unwrap();
    assert_eq!(store.job_orders().await.unwrap()["desk"], JobOrders { paused: true, run_requested_at: None });

    let ended_at = Timestamp::from_second(1_700_000_000).unwrap();
    let last = LastRun { ended_at, received: 3, error: Some("the server is away".to_owned()) };
    let retrying = JobReport { state: JobState::Retrying, next_run_at: Some(ended_at), last: Some(last.clone()) };
    let waiting = JobReport { state: JobState::Waiting, next_run_at: None, last: None };
    store.report_jobs(&[("desk".to_owned(), retrying.clone()), ("other".to_owned(), waiting)]).await.unwrap();
    // What is known of the last session stays when the next start knows nothing of it.
    store.report_jobs(&[("desk".to_owned(), JobReport { last: None, ..retrying })]).await.unwrap();
    let rows = store.jobs().await.unwrap();
    let [desk, other] = rows.as_slice() else { panic!("{rows:?}") };
    assert_eq!(
        (desk.paused_by.as_deref(), desk.state, desk.last.as_ref()),
        (Some("ann"), Some(JobState::Retrying), Some(&last))
    );
    assert_eq!((desk.next_run_at, other.next_run_at), (Some(ended_at), None));
    let well = JobReport { state: JobState::Waiting, next_run_at: None, last: Some(LastRun { error: None, ..last }) };
    store.report_jobs(&[("desk".to_owned(), well)]).await.unwrap();
    store.jobs_stopped(Some("other")).await.unwrap();
    let rows = store.jobs().await.unwrap();
    assert_eq!(rows[0].last.as_ref().unwrap().error, None);
    assert!(rows[0].reported_at.is_some() && rows[1].reported_at.is_none());
    assert!(store.resume_job("desk").await.unwrap());
    assert!(!store.resume_job("desk").await.unwrap() && !store.resume_job("never seen").await.unwrap());
    assert!(store.job_orders().await.unwrap().is_empty());
}
