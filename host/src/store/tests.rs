//! SQLite: the conformance suite, crashes and repetitions, and every way a file can be wrong.

use super::conformance::{accepted, comment, create, entry, key};
use super::*;
use crate::class::Class;
use crate::ticket::Status;
use proptest::prelude::*;
use std::path::PathBuf;
use tempfile::TempDir;

fn place() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("mail mill?.db");
    (directory, path)
}

async fn refusal(path: &Path) -> Error {
    match Store::open(path).await {
        Ok(_) => panic!("{} was opened", path.display()),
        Err(error) => error,
    }
}

#[tokio::test]
async fn conforms_in_memory() {
    conformance::run(&Store::in_memory().await.unwrap()).await;
}

#[tokio::test]
async fn conforms_in_a_file_for_the_owner_alone() {
    let (_directory, path) = place();
    let store = Store::open(&path).await.unwrap();
    tokio::spawn({
        let store = store.clone();
        async move { conformance::run(&store).await }
    })
    .await
    .unwrap();
    let row = sqlx::query("PRAGMA page_size").fetch_one(&store.writer).await.unwrap();
    assert_eq!(sqlx::Row::get::<i64, _>(&row, "page_size"), 16384);
    let open_file = path.with_file_name("mail mill?.db-wal");
    let messages = path.with_file_name("mail mill?.db-messages");
    for file in [&path, &open_file, &messages] {
        let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(file).unwrap().permissions());
        assert_eq!(mode & 0o777, 0o600, "{}", file.display());
    }
    store.close().await;
}

#[tokio::test]
async fn a_hundred_thousand_keys_are_looked_up() {
    let store = Store::in_memory().await.unwrap();
    store.commit(&[entry("50000", accepted(Vec::new()))]).await.unwrap();
    let keys: Vec<MessageKey> = (0..100_000).map(|uid| key(&uid.to_string())).collect();
    assert_eq!(store.unknown("support", keys).await.unwrap().len(), 99_999);
}

#[tokio::test]
async fn two_handles_that_commit_the_same_message_have_one_effect() {
    let (_directory, path) = place();
    let stores = [Store::open(&path).await.unwrap(), Store::open(&path).await.unwrap()];
    let tasks: Vec<_> = (0..40)
        .map(|turn| {
            let store = stores[turn % 2].clone();
            let batch = [entry(&(turn / 4).to_string(), accepted(vec![create("once")]))];
            tokio::spawn(async move { store.commit(&batch).await.unwrap().remove(0) })
        })
        .collect();
    let mut first = 0;
    for task in tasks {
        first += usize::from(!task.await.unwrap().repeated);
    }
    assert_eq!(first, 10);
    assert_eq!(stores[0].tickets(&TicketFilter::default()).await.unwrap().len(), 10);
}

#[tokio::test]
async fn two_programs_may_create_the_database_at_once() {
    let (_directory, path) = place();
    let (first, second) = tokio::join!(Store::open(&path), Store::open(&path));
    assert!(first.is_ok() && second.is_ok(), "{first:?} {second:?}");
}

#[tokio::test]
async fn a_full_disk_loses_nothing() {
    let (_directory, path) = place();
    let store = Store::open(&path).await.unwrap();
    let pages_max = async |pages: u64| {
        let pragma = sqlx::AssertSqlSafe(format!("PRAGMA max_page_count = {pages}"));
        sqlx::raw_sql(pragma).execute(&store.writer).await.unwrap();
    };
    store.commit(&[entry("1", accepted(vec![create("before")]))]).await.unwrap();
    pages_max(1).await;
    let large = entry("3", accepted(vec![create(&"large".repeat(1 << 20))]));
    let batch = [entry("2", accepted(vec![create("small")])), large];
    let error = store.commit(&batch).await.unwrap_err();
    let expect = format!("cannot write {}: the disk is full; free some space: nothing was lost", path.display());
    assert_eq!((error.to_string(), error.class()), (expect, Class::Transient));
    assert_eq!(store.tickets(&TicketFilter::default()).await.unwrap().len(), 1);
    pages_max(1 << 30).await;
    let receipts = store.commit(&batch).await.unwrap();
    assert!(receipts.iter().all(|receipt| !receipt.repeated && receipt.created.len() == 1));
}

#[tokio::test]
async fn a_commit_given_up_half_way_leaves_nothing() {
    let (_directory, path) = place();
    let store = Store::open(&path).await.unwrap();
    let batch: Vec<Entry> = (0..50).map(|uid| entry(&uid.to_string(), accepted(vec![create("x")]))).collect();
    let mut polls = 0;
    let given_up = futures::future::select(
        Box::pin(store.commit(&batch)),
        futures::future::poll_fn(|context| {
            polls += 1;
            context.waker().wake_by_ref();
            if polls > 20 { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
        }),
    );
    drop(given_up.await);
    let receipts = store.commit(&batch).await.unwrap();
    let sequences: Vec<u64> = receipts.iter().map(|receipt| receipt.created[0].sequence()).collect();
    assert!(receipts.iter().all(|receipt| !receipt.repeated));
    assert_eq!(sequences, (1..=50).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_locked_file_is_tried_again() {
    let (_directory, path) = place();
    let (store, other) = (Store::open(&path).await.unwrap(), Store::open(&path).await.unwrap());
    let held = other.transaction().await.unwrap();
    sqlx::raw_sql("PRAGMA busy_timeout = 0").execute(&store.writer).await.unwrap();
    let batch = [entry("1", accepted(vec![create("wait")]))];
    let error = store.commit(&batch).await.unwrap_err();
    let expect = format!(
        "cannot use {}: another program keeps it locked; nothing was lost, and it works again when that program lets go",
        path.display()
    );
    assert_eq!((error.to_string(), error.class()), (expect, Class::Transient));
    assert_eq!(store.unknown("support", vec![key("1")]).await.unwrap(), [key("1")]);
    held.rollback().await.unwrap();
    assert!(!store.commit(&batch).await.unwrap()[0].repeated);
}

#[tokio::test]
async fn a_read_only_file_is_named() {
    let (_directory, path) = place();
    let store = Store::open(&path).await.unwrap();
    sqlx::raw_sql("PRAGMA query_only = ON").execute(&store.writer).await.unwrap();
    let error = store.commit(&[entry("1", accepted(vec![create("no")]))]).await.unwrap_err();
    assert_eq!(error, Error::ReadOnly { place: path.display().to_string() });
}

#[tokio::test]
async fn files_that_are_not_ours_are_left_as_they_are() {
    let (directory, path) = place();
    let check = async |path: &Path, expect: Error| {
        let before = std::fs::read(path).ok();
        assert_eq!(refusal(path).await, expect);
        assert_eq!(std::fs::read(path).ok(), before);
    };
    let name = path.display().to_string();
    std::fs::write(&path, "Dear diary, this is a text and not a database.\n".repeat(100)).unwrap();
    check(&path, Error::NotADatabase { place: name }).await;

    let foreign = directory.path().join("foreign.db");
    let name = foreign.display().to_string();
    std::fs::write(&foreign, "").unwrap();
    let url = format!("sqlite://{name}");
    let mut other = <sqlx::AnyConnection as sqlx::Connection>::connect(&url).await.unwrap();
    sqlx::raw_sql("CREATE TABLE recipes (name TEXT)").execute(&mut other).await.unwrap();
    sqlx::Connection::close(other).await.unwrap();
    check(&foreign, Error::Foreign { place: name }).await;

    let missing = directory.path().join("missing").join("mailmill.db");
    let detail = "No such file or directory (os error 2)".to_owned();
    check(&missing, Error::CannotOpen { place: missing.display().to_string(), detail }).await;
    let detail = "unable to open database file".to_owned();
    check(directory.path(), Error::CannotOpen { place: directory.path().display().to_string(), detail }).await;
}

#[tokio::test]
async fn damage_is_noticed_when_the_file_is_opened() {
    let (_directory, path) = place();
    let store = Store::open(&path).await.unwrap();
    let batch: Vec<Entry> = (0..200).map(|uid| entry(&uid.to_string(), accepted(vec![create("x")]))).collect();
    store.commit(&batch).await.unwrap();
    store.close().await;
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2 / 16384 * 16384;
    bytes[middle..middle + 8192].fill(0xa5);
    std::fs::write(&path, &bytes).unwrap();
    let error = refusal(&path).await;
    assert!(matches!(error, Error::Corrupted { .. }), "{error}");
    assert_eq!(std::fs::read(&path).unwrap(), bytes);
}

#[tokio::test]
async fn a_newer_schema_is_refused() {
    let (_directory, path) = place();
    let store = Store::open(&path).await.unwrap();
    let newer = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
                 VALUES (99, 'from the future', TRUE, x'00', 0)";
    sqlx::raw_sql(newer).execute(&store.writer).await.unwrap();
    store.close().await;
    let expect = Error::NewerSchema { place: path.display().to_string(), found: 99, known: sqlite::newest() };
    assert_eq!(refusal(&path).await, expect);
}

#[test]
fn digests_are_read_and_written() {
    let digest = Sha256::of(b"abc");
    let text = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!(digest.to_string(), text);
    let check = |text: &str, expect: Option<Sha256>| assert_eq!(Sha256::parse(text), expect, "{text:?}");
    check(text, Some(digest));
    check(&text.to_uppercase(), Some(digest));
    check(&text[..62], None);
    check(&text.replace('b', "ß"), None);
    check("", None);
}

/// Everything a user can see, without times.
async fn state(store: &Store) -> String {
    let mut lines = Vec::new();
    for row in store.tickets(&TicketFilter::default()).await.unwrap() {
        let ticket = store.ticket(&row.number).await.unwrap().unwrap();
        let comments: Vec<_> = ticket.comments.iter().map(|comment| (comment.receipt, &comment.text)).collect();
        lines.push(format!("{} {:?} {comments:?}", row.number, (row.subject, row.status)));
    }
    for row in store.quarantine_list().await.unwrap() {
        lines.push(format!("{:?}", (row.receipt, row.key.to_string(), row.cause)));
    }
    for (key, disposition) in store.unmarked("support").await.unwrap() {
        lines.push(format!("{key} {disposition:?}"));
    }
    lines.join("\n")
}

fn any_entry() -> impl Strategy<Value = Entry> {
    let verdict = prop_oneof![
        "[a-c]".prop_map(|subject| accepted(vec![create(&subject)])),
        (1_u64..6, "[a-c]").prop_map(|(ticket, text)| accepted(vec![comment(ticket, &text)])),
        (1_u64..6)
            .prop_map(|ticket| accepted(vec![conformance::set_status(ticket, Status::new("closed")), create("next")])),
        Just(Verdict::Quarantine { cause: "plugin fault".to_owned(), class: Class::Bug }),
    ];
    (0_u8..20, verdict).prop_map(|(uid, verdict)| entry(&uid.to_string(), verdict))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn repetitions_pieces_and_restarts_end_in_the_same_state(
        batch in prop::collection::vec(any_entry(), 1..20),
        cut in any::<prop::sample::Index>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let once = Store::in_memory().await.unwrap();
            once.commit(&batch).await.unwrap();
            let (_directory, path) = place();
            let pieces = Store::open(&path).await.unwrap();
            let (head, tail) = batch.split_at(cut.index(batch.len()));
            pieces.commit(head).await.unwrap();
            pieces.commit(head).await.unwrap();
            pieces.close().await;
            let reopened = Store::open(&path).await.unwrap();
            reopened.commit(tail).await.unwrap();
            let repeated = reopened.commit(&batch).await.unwrap();
            assert!(repeated.iter().all(|receipt| receipt.repeated));
            assert_eq!(state(&once).await, state(&reopened).await);
            reopened.close().await;
        });
    }
}

#[tokio::test]
async fn a_file_is_opened_to_read() {
    let (_directory, path) = place();
    assert!(matches!(Store::open_to_read(&path).await.unwrap_err(), Error::CannotOpen { .. }));
    assert!(!path.exists(), "it was made");
    let store = Store::open(&path).await.unwrap();
    store.commit(&[entry("1", accepted(vec![create("x")]))]).await.unwrap();
    let reader = Store::open_to_read(&path).await.unwrap();
    assert_eq!(reader.tickets(&TicketFilter::default()).await.unwrap().len(), 1, "beside a writer");
    let error = reader.commit(&[entry("2", accepted(vec![create("no")]))]).await.unwrap_err();
    assert_eq!(error, Error::ReadOnly { place: path.display().to_string() });
    reader.close().await;
    for (version, expect) in [(0, "an older mailmill wrote it"), (99, "a newer mailmill wrote it")] {
        let newest =
            "UPDATE _sqlx_migrations SET version = $1 WHERE version = (SELECT MAX(version) FROM _sqlx_migrations)";
        let update = sqlx::query(newest).bind(version);
        update.execute(&store.writer).await.unwrap();
        let error = Store::open_to_read(&path).await.unwrap_err().to_string();
        assert!(error.contains(expect), "{error}");
    }
}

/// Takes the schema back to before attachments were enclosures.
const WITHOUT_ENCLOSURES: &str = "ALTER TABLE blobs DROP COLUMN message; ALTER TABLE blobs DROP COLUMN start; \
                                  ALTER TABLE blobs DROP COLUMN length; ALTER TABLE blobs DROP COLUMN encoding; \
                                  DELETE FROM counters WHERE name <> 'ticket'; \
                                  DELETE FROM _sqlx_migrations WHERE version = 5";

#[tokio::test]
async fn what_was_stored_in_one_piece_is_carried_over() {
    let (_directory, path) = place();
    let store = Store::open(&path).await.unwrap();
    // As the schema was before.
    let back = "DROP TABLE message_chunks; DROP TABLE blob_chunks; DELETE FROM _sqlx_migrations WHERE version = 4";
    sqlx::raw_sql(WITHOUT_ENCLOSURES).execute(&store.writer).await.unwrap();
    sqlx::raw_sql(back).execute(&store.writer).await.unwrap();
    let lengths = [0, 1, 524_288, 524_289, 1_048_576, 3_000_000];
    let contents = lengths.map(|length| (0..length).map(|at| (at % 241) as u8).collect::<Vec<u8>>());
    for (table, content) in ["messages", "blobs"].into_iter().flat_map(|table| contents.iter().map(move |c| (table, c)))
    {
        let insert = format!("INSERT INTO {table} (sha256, size, bytes) VALUES ($1, $2, $3)");
        let insert = sqlx::query(sqlx::AssertSqlSafe(insert));
        let insert = insert.bind(Sha256::of(content).0.to_vec()).bind(content.len() as i64).bind(content.as_slice());
        insert.execute(&store.writer).await.unwrap();
    }
    store.close().await;
    let store = Store::open(&path).await.unwrap();
    for content in &contents {
        let sha256 = Sha256::of(content);
        assert!(store.raw(&sha256).await.unwrap().to_vec().unwrap() == *content, "{} bytes", content.len());
        assert!(store.blob(&sha256).await.unwrap().to_vec().unwrap() == *content, "{} bytes", content.len());
    }
    for table in ["messages", "message_chunks", "blobs", "blob_chunks"] {
        let select = format!("SELECT COUNT(*) AS found FROM {table} WHERE length(bytes) > 524288");
        let row = sqlx::query(sqlx::AssertSqlSafe(select)).fetch_one(&store.writer).await.unwrap();
        assert_eq!(sqlx::Row::get::<i64, _>(&row, "found"), 0, "{table}");
    }
    // A piece that is gone is noticed.
    sqlx::raw_sql("DELETE FROM blob_chunks WHERE position = 2").execute(&store.writer).await.unwrap();
    let error = store.blob(&Sha256::of(&contents[5])).await.unwrap_err();
    assert!(matches!(error, Error::Corrupted { .. }), "{error}");
}

#[tokio::test]
async fn mailboxes_of_older_versions_are_not_new() {
    let (_directory, path) = place();
    let store = Store::open(&path).await.unwrap();
    let mut later = entry("2", accepted(vec![create("x")]));
    later.key.uid_validity = 9;
    store.commit(&[entry("1", accepted(vec![create("x")])), later]).await.unwrap();
    let undo = "DROP TABLE mailboxes; DROP TABLE passed_over; ALTER TABLE sessions DROP COLUMN passed_over; \
                ALTER TABLE quarantine DROP COLUMN header_only; DELETE FROM _sqlx_migrations WHERE version = 3";
    sqlx::raw_sql(undo).execute(&store.writer).await.unwrap();
    store.close().await;
    let known = Store::open(&path).await.unwrap().mailboxes("support").await.unwrap();
    assert_eq!(known.iter().map(|it| (it.mailbox.as_str(), it.uid_validity)).collect::<Vec<_>>(), [("INBOX", 9)]);
}

#[tokio::test]
async fn what_older_versions_stored_goes_on() {
    let (_directory, path) = place();
    let store = Store::open(&path).await.unwrap();
    let quarantine = Verdict::Quarantine { cause: "too large".to_owned(), class: Class::Permanent };
    let mut header = entry("2", quarantine);
    header.header_only = true;
    let receipts = store.commit(&[entry("1", accepted(vec![create("x"), comment(1, "y")])), header]).await.unwrap();
    // A number that was given out is not given out again, whatever became of what it stood for.
    let waiting = store.quarantine_list().await.unwrap();
    assert!(store.quarantine_forget(waiting[0].id).await.unwrap());
    sqlx::raw_sql(WITHOUT_ENCLOSURES).execute(&store.writer).await.unwrap();
    let blob = "INSERT INTO blobs (sha256, size, bytes) VALUES ($1, 3, $2)";
    let blob = sqlx::query(blob).bind(Sha256::of(b"pdf").0.to_vec()).bind(b"pdf".as_slice());
    blob.execute(&store.writer).await.unwrap();
    store.close().await;

    let store = Store::open(&path).await.unwrap();
    let later = store.commit(&[entry("3", accepted(vec![create("z"), comment(2, "y")]))]).await.unwrap();
    assert_eq!((later[0].id, later[0].created[0].sequence()), (receipts[1].id + 1, 2));
    let ticket = store.ticket(&later[0].created[0]).await.unwrap().unwrap();
    assert_eq!(ticket.comments[0].id, 2);
    assert_eq!(store.blob(&Sha256::of(b"pdf")).await.unwrap().to_vec().unwrap(), b"pdf");
}

#[tokio::test]
async fn who_was_on_the_mail_of_before_may_follow_up() {
    let (_directory, path) = place();
    let store = Store::open(&path).await.unwrap();
    let person = |email: &str| serde_json::json!({ "name": "", "email": email });
    let people = [person("Bo@Example.org"), person("nobody")];
    let report = serde_json::json!({ "message": { "sender": person(" Ann@example.org"), "recipients": people } });
    let before = |uid: &str, report: String| {
        let mail = entry(uid, accepted(vec![create("x")]));
        Entry { report, people: Vec::new(), sender: None, ..mail }
    };
    let nobody = serde_json::json!({ "message": { "sender": null, "recipients": [] } });
    let mail = [before("1", report.to_string()), before("2", nobody.to_string()), before("3", "null".to_owned())];
    store.commit(&mail).await.unwrap();
    let undo = "DROP TABLE correspondents; DROP INDEX receipts_by_sender; DROP INDEX receipt_tickets_by_ticket; \
                ALTER TABLE receipts DROP COLUMN sender; DELETE FROM _sqlx_migrations WHERE version = 7";
    sqlx::raw_sql(undo).execute(&store.writer).await.unwrap();
    store.close().await;
    let store = Store::open(&path).await.unwrap();
    let keys = ThreadKeys { tickets: [1, 2, 3].map(TicketNumber::new).to_vec(), ..ThreadKeys::default() };
    let authors = ["ann@example.org", "bo@example.org", "nobody"].map(str::to_owned);
    let found = store.candidates(&keys, &authors, &crate::ticket::Classes::default()).await.unwrap();
    let known: Vec<&[String]> = found.iter().map(|candidate| candidate.correspondents.as_slice()).collect();
    assert_eq!(known, [&authors[..2], &[], &[]]);
    let row = sqlx::query("SELECT sender FROM receipts ORDER BY id").fetch_one(&store.writer).await.unwrap();
    assert_eq!(sqlx::Row::get::<String, _>(&row, "sender"), "ann@example.org");
}

#[tokio::test]
async fn an_attachment_whose_message_is_damaged_is_named() {
    let (_directory, path) = place();
    let store = Store::open(&path).await.unwrap();
    let with = conformance::with_attachments("1", accepted(vec![create("x")]), &[("base64", b"aGVsbG8=")]);
    store.commit(&[with]).await.unwrap();
    let change = async |change: &'static str| sqlx::raw_sql(change).execute(&store.writer).await.unwrap();
    let error = async || store.blob(&Sha256::of(b"hello")).await.unwrap_err().to_string();
    assert_eq!(store.blob(&Sha256::of(b"hello")).await.unwrap().to_vec().unwrap(), b"hello");
    let row = sqlx::query("SELECT start, length FROM blobs").fetch_one(&store.writer).await.unwrap();
    let (start, length): (i64, i64) = (sqlx::Row::get(&row, "start"), sqlx::Row::get(&row, "length"));
    let place = |start: i64| format!("the attachment at bytes {start} to {} of its message", start + length);
    change("UPDATE blobs SET start = start - 1").await;
    assert!(error().await.contains(&format!("{} is not what it was", place(start - 1))), "{}", error().await);
    change("UPDATE blobs SET start = start + 1000000").await;
    let expect = format!("{} reaches beyond the end of the message", place(start + 999_999));
    assert!(error().await.contains(&expect), "{}", error().await);
    change("UPDATE blobs SET encoding = 'rot13'").await;
    assert!(error().await.contains("unexpected value \"rot13\" in column encoding"), "{}", error().await);
}
