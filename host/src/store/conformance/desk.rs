//! Numbers in series, attributes, people, and contents in contents.

use super::*;
use crate::action::Update;
use crate::message::Enclosure;

pub(super) async fn run(store: &Store) {
    series_are_counted_on_their_own(store).await;
    attributes_and_people_are_kept(store).await;
    attachments_go_along(store).await;
    contents_in_contents_are_found(store).await;
}

/// A new ticket of a class that counts on its own.
fn create_in(series: &Series, subject: &str, requester: Address) -> Change {
    let Change::CreateTicket { class, status, description, assignment, fields, .. } = create(subject) else {
        unreachable!("it creates a ticket")
    };
    Change::CreateTicket {
        class,
        series: series.clone(),
        status,
        subject: subject.to_owned(),
        description,
        requester,
        assignment,
        participants: Vec::new(),
        fields,
    }
}

async fn series_are_counted_on_their_own(store: &Store) {
    let series = Series::new("CR-", 3).unwrap();
    let new = |subject| create_in(&series, subject, address("Ann"));
    let own = series.number(2);
    let follow_up = Change::SetStatus { ticket: own.clone(), status: Status::new("open") };
    let before = commit_one(store, entry("series-1", accepted(vec![create("usual")]))).await.created;
    let batch = [
        entry("series-2", accepted(vec![new("first"), new("second"), follow_up])),
        entry("series-3", accepted(vec![create("usual")])),
    ];
    let receipts = store.commit(&batch).await.unwrap();
    let shown: Vec<String> = receipts[0].created.iter().map(ToString::to_string).collect();
    assert_eq!(shown, ["CR-001", "CR-002"]);
    assert_eq!(receipts[1].created[0].sequence(), before[0].sequence() + 1, "the usual series goes on");
    assert_eq!(store.ticket(&own).await.unwrap().unwrap().ticket.status.name(), "open");
    assert_eq!(store.receipt(receipts[0].id).await.unwrap().unwrap().receipt.created, receipts[0].created);
    let find = async |number: &str| {
        let keys = ThreadKeys { tickets: vec![TicketNumber::parse(number).unwrap()], ..ThreadKeys::default() };
        let found = store.candidates(&keys, &[], &Classes::default()).await.unwrap();
        found.first().map(|candidate| candidate.ticket.to_string())
    };
    assert_eq!(find("cr-002").await.as_deref(), Some("CR-002"));
    assert_eq!(find("CR-0002").await.as_deref(), Some("CR-002"));
    assert_eq!(find("CR-003").await, None, "there is no such ticket");
    assert_eq!(find("XR-002").await, None, "there is no such series");
    assert_eq!(find("T001").await, None, "a number has the digits that it was given with");
    let refused = commit_one(
        store,
        entry("series-4", accepted(vec![Change::SetStatus { ticket: series.number(3), status: Status::new("open") }])),
    )
    .await;
    assert_eq!(refused.outcome.reason(), "ticket CR-003 does not exist");
    // A class that there is no more is over.
    let classes = Classes::new(Vec::new());
    let keys = ThreadKeys { tickets: vec![own], ..ThreadKeys::default() };
    let found = store.candidates(&keys, &[], &classes).await.unwrap();
    assert!(matches!(found[0].conversation, crate::thread::Conversation::Inactive(_)));
    // So is a status that its class has no more.
    let gone = Change::SetStatus { ticket: series.number(2), status: Status::new("in-progress") };
    commit_one(store, entry("series-5", accepted(vec![gone]))).await;
    let found = store.candidates(&keys, &[], &Classes::default()).await.unwrap();
    assert!(matches!(found[0].conversation, crate::thread::Conversation::Inactive(_)));
}

async fn attributes_and_people_are_kept(store: &Store) {
    let nameless = Address { name: String::new(), email: "Cy@Example.org".to_owned() };
    let series = Series::new("P", 3).unwrap();
    let created = commit_one(store, entry("people-1", accepted(vec![create_in(&series, "chairs", nameless)]))).await;
    let ticket = created.created[0].clone();
    let shown = async || store.ticket(&ticket).await.unwrap().unwrap();
    assert_eq!(shown().await.ticket.requester.to_string(), "Cy@Example.org");

    let update = Update {
        subject: Some("blue chairs".to_owned()),
        status: Some(Status::new("pending")),
        requester: None,
        person: Some("Dee".to_owned()),
        group: Some("Purchase".to_owned()),
    };
    let participants = vec![address("Bob"), address("Eve"), Address { name: "Robert".to_owned(), ..address("Bob") }];
    let changes = vec![
        Change::UpdateTicket { ticket: ticket.clone(), update },
        Change::AddParticipants { ticket: ticket.clone(), participants },
    ];
    let updated = commit_one(store, entry("people-2", accepted(changes))).await;
    assert_eq!(updated.updated, std::slice::from_ref(&ticket));
    let found = shown().await;
    assert_eq!((found.ticket.subject.as_str(), found.ticket.status.name()), ("blue chairs", "pending"));
    assert_eq!(found.ticket.assignment.to_string(), "Dee (Purchase)");
    assert_eq!(found.participants.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(), ["Bob", "Eve"]);

    // The requester takes part anyway; so does whoever becomes it.
    let asks = Update { requester: Some(address("Gus")), ..Update::default() };
    let people = vec![Address { email: "CY@example.org".to_owned(), ..address("Cy") }, address("Fay")];
    let again = vec![address("Gus"), address("Hal")];
    let changes = vec![
        Change::AddParticipants { ticket: ticket.clone(), participants: people },
        Change::UpdateTicket { ticket: ticket.clone(), update: asks },
        Change::AddParticipants { ticket: ticket.clone(), participants: again },
    ];
    commit_one(store, entry("people-2b", accepted(changes))).await;
    let names: Vec<String> = shown().await.participants.into_iter().map(|one| one.name).collect();
    assert_eq!(names, ["Bob", "Eve", "Fay", "Hal"]);
    let back = Update {
        requester: Some(Address { name: String::new(), email: "Cy@Example.org".to_owned() }),
        ..Update::default()
    };
    let back = Change::UpdateTicket { ticket: ticket.clone(), update: back };
    commit_one(store, entry("people-2c", accepted(vec![back]))).await;

    // Of two updates in one batch, each attribute has the last value that it was given.
    let set = |person: Option<&str>, group: Option<&str>| Change::UpdateTicket {
        ticket: ticket.clone(),
        update: Update { person: person.map(str::to_owned), group: group.map(str::to_owned), ..Update::default() },
    };
    let batch = [
        entry("people-3", accepted(vec![set(Some("Fay"), None)])),
        entry("people-4", accepted(vec![set(None, Some("")), set(Some("Gil"), None)])),
    ];
    store.commit(&batch).await.unwrap();
    assert_eq!(shown().await.ticket.assignment.to_string(), "Gil");

    // Whoever asks again with a name is known by it from then on, on all that they asked for.
    let named = Address { name: "Cy Young".to_owned(), email: "cy@example.org".to_owned() };
    commit_one(store, entry("people-5", accepted(vec![create_in(&series, "tables", named)]))).await;
    assert_eq!(shown().await.ticket.requester.to_string(), "Cy Young <Cy@Example.org>");
    let listed =
        store.tickets(&TicketFilter { before: Some(series.number(2)), ..TicketFilter::default() }).await.unwrap();
    assert_eq!(listed[0].requester.name, "Cy Young");
}

async fn attachments_go_along(store: &Store) {
    let file = [("7bit", b"a file".as_slice())];
    let new = commit_one(store, with_attachments("along-1", accepted(vec![create("a")]), &[])).await.created.remove(0);
    let number = new.sequence();
    let field = field::Entry { name: "a".to_owned(), value: Value::None };
    let follow_ups = [
        Change::SetStatus { ticket: new.clone(), status: Status::new("closed") },
        Change::SetField { ticket: new.clone(), field },
        Change::UpdateTicket {
            ticket: new.clone(),
            update: Update { person: Some("Dee".to_owned()), ..Update::default() },
        },
        Change::AddParticipants { ticket: new.clone(), participants: vec![address("Bob")] },
    ];
    for (place, change) in follow_ups.into_iter().enumerate() {
        let uid = format!("along-2-{place}");
        commit_one(store, with_attachments(&uid, accepted(vec![change]), &file)).await;
        let attachments = store.ticket(&new).await.unwrap().unwrap().attachments;
        assert_eq!((attachments.len(), attachments[place].comment), (place + 1, None), "{uid}");
    }
    // A comment has its own, wherever it stands in the plan.
    let changes = vec![set_status(number, Status::new("open")), comment(number, "with a file")];
    commit_one(store, with_attachments("along-3", accepted(changes), &file)).await;
    let detail = store.ticket(&new).await.unwrap().unwrap();
    assert_eq!(detail.attachments[4].comment, Some(detail.comments[0].id));

    // A comment on the ticket that the same plan creates; whoever wrote it is known from then on.
    let Change::AddComment { text, visibility, .. } = comment(number, "on the new one") else { unreachable!() };
    let author = Address { name: "Ida".to_owned(), email: "ida@example.org".to_owned() };
    let changes = vec![create("b"), Change::AddComment { ticket: None, author, text, visibility }];
    let made = commit_one(store, with_attachments("along-4", accepted(changes), &file)).await.created.remove(0);
    let detail = store.ticket(&made).await.unwrap().unwrap();
    assert_eq!((detail.comments[0].text.as_str(), detail.attachments[0].comment), ("on the new one", None));
    let nameless = Address { name: String::new(), email: "Ida@example.org".to_owned() };
    let asked = create_in(&Series::new("Q", 3).unwrap(), "c", nameless);
    let asked = commit_one(store, entry("along-5", accepted(vec![asked]))).await.created.remove(0);
    assert_eq!(store.ticket(&asked).await.unwrap().unwrap().ticket.requester.name, "Ida");
}

async fn contents_in_contents_are_found(store: &Store) {
    let mut packed =
        with_attachments("packed-1", accepted(vec![create("packed")]), &[("base64", b"b3V0ZXIgaW5uZXIgb3V0ZXI=")]);
    let outer = packed.attachments[0].enclosure.clone();
    packed.attachments[0].enclosure =
        Enclosure { within: Some(6..11), size: 5, sha256: Sha256::of(b"inner").0, ..outer };
    let created = commit_one(store, packed).await.created;
    let detail = store.ticket(&created[0]).await.unwrap().unwrap();
    assert_eq!(bytes_of(&store.blob(&detail.attachments[0].sha256).await.unwrap()), b"inner");
}
