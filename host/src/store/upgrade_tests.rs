//! A database of each earlier schema, with something in every table of the first one, is opened by this program.

use super::conformance::{accepted, create, entry, key};
use super::*;
use sqlx::migrate::Migrator;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, Connection};
use std::os::unix::fs::PermissionsExt;

const RAW: &[u8] = b"Subject: Printer\r\n\r\nIt burns.\r\n";
/// Longer than one piece of those that later schemas store contents in.
const BLOB_BYTES: usize = 1_300_000;
/// Of what the long message is made; an attachment lies in it from the second piece into the third.
const LINE: &[u8] = b"The same words, again and again, in a long message.\r\n";
const ENCLOSED: std::ops::Range<usize> = 1_000_000..1_100_000;
/// What the report of a receipt says of its message.
const REPORT: &str =
    r#"{"message":{"subject":"Printer","sender":{"name":"Ann","email":"Ann@client.example"},"recipients":[]}}"#;

fn long() -> Vec<u8> {
    LINE.repeat(BLOB_BYTES / LINE.len())
}

/// Puts contents into a table as the mailmill of that schema did.
async fn put(connection: &mut SqliteConnection, schema: i64, (table, chunks): (&str, &str), content: &[u8]) {
    let sha256 = Sha256::of(content).0.to_vec();
    let statements = if schema < 4 {
        vec![format!("INSERT INTO {table} (sha256, size, bytes) VALUES (?1, length(?2), ?2)")]
    } else {
        vec![
            format!("INSERT INTO {table} (sha256, size, bytes) VALUES (?1, length(?2), substr(?2, 1, 524288))"),
            format!(
                "INSERT INTO {chunks} (sha256, position, bytes) VALUES (?1, 1, substr(?2, 524289, 524288)), \
                 (?1, 2, substr(?2, 1048577))"
            ),
        ]
    };
    for sql in statements {
        let query = sqlx::query(AssertSqlSafe(sql)).bind(sha256.clone()).bind(content.to_vec());
        query.execute(&mut *connection).await.unwrap_or_else(|error| panic!("schema {schema}: {table}: {error}"));
    }
}

/// A ticket with a comment and an attachment, out of one message that is not marked yet; and a message in quarantine.
async fn fill(connection: &mut SqliteConnection, schema: i64) {
    put(&mut *connection, schema, ("blobs", "blob_chunks"), &[7; BLOB_BYTES]).await;
    put(&mut *connection, schema, ("messages", "message_chunks"), &long()).await;
    let sha256 = Sha256::of(RAW).0.to_vec();
    let mut run = async |sql: &'static str, contents: &[&[u8]]| {
        let query = contents.iter().fold(sqlx::query(sql), |query, content| query.bind(content.to_vec()));
        query.execute(&mut *connection).await.unwrap_or_else(|error| panic!("schema {schema}: {sql}: {error}"));
    };
    run("INSERT INTO messages (sha256, size, bytes) VALUES (?1, length(?2), ?2)", &[&sha256, RAW]).await;
    run("INSERT INTO sessions (id, job, started_at, finished_at, received) VALUES (1, 'support', 5, 6, 2)", &[]).await;
    let receipts = "INSERT INTO receipts (id, job, mailbox, uid_validity, uid, sha256, message_id, session, revision, outcome, \
                    reason, class, report_json, received_at, received_offset, committed_at, wanted_json) VALUES \
                    (1, 'support', 'INBOX', 7, '1', ?1, 'a@client.example', 1, 'r', 'accepted', '', NULL, ?2, 10, 0, 20, \
                    '{\"seen\":true}'), \
                    (2, 'support', 'INBOX', 7, '2', ?1, NULL, 1, 'r', 'quarantined', 'why', 'permanent', ?2, 10, 0, 20, NULL)";
    run(receipts.replace("?2", &format!("'{REPORT}'")).leak(), &[&sha256]).await;
    run(
        "INSERT INTO tickets (number, class, status, subject, description, requester_name, requester_email, job, created_at, \
         updated_at) VALUES (1, 'incident', 'new', 'Printer', 'It burns.', 'Ann', 'Ann@client.example', 'support', 30, 30)",
        &[],
    )
    .await;
    run("INSERT INTO ticket_fields (ticket, name, value_json) VALUES (1, 'order', '{\"type\":\"text\",\"value\":\"4711\"}')", &[]).await;
    run(
        "INSERT INTO comments (id, ticket, receipt, author_name, author_email, text, visibility, created_at) \
         VALUES (1, 1, 1, 'Ann', 'Ann@client.example', 'Still.', 'public', 40)",
        &[],
    )
    .await;
    run("INSERT INTO receipt_tickets (receipt, ticket, effect, position) VALUES (1, 1, 'created', 0)", &[]).await;
    run(
        "INSERT INTO attachments (ticket, comment, name, media_type, content_id, inline, size, sha256) \
         SELECT 1, 1, 'fire.png', 'image/png', '', 0, size, sha256 FROM blobs",
        &[],
    )
    .await;
    run("INSERT INTO thread_index (message_id, ticket) VALUES ('a@client.example', 1)", &[]).await;
    run(
        "INSERT INTO quarantine (receipt, cause, class, report_json, at) VALUES (2, 'why', 'permanent', '{}', 50)",
        &[],
    )
    .await;
    run("UPDATE counters SET value = 1 WHERE name IN ('ticket', 'comment')", &[]).await;
    run("UPDATE counters SET value = 2 WHERE name = 'receipt'", &[]).await;
    if schema >= 5 {
        let enclosed = Sha256::of(&long()[ENCLOSED]).0.to_vec();
        let insert = "INSERT INTO blobs (sha256, size, bytes, message, start, length, encoding) \
                      VALUES (?1, 100000, '', ?2, 1000000, 100000, 'identity')";
        run(insert, &[&enclosed, &Sha256::of(&long()).0]).await;
    }
    if schema >= 3 {
        let seen =
            "INSERT INTO mailboxes (job, mailbox, uid_validity, first_seen_at) VALUES ('support', 'INBOX', 7, 20)";
        run(seen, &[]).await;
    }
    if schema >= 7 {
        run("INSERT INTO correspondents (ticket, email) VALUES (1, 'ann@client.example')", &[]).await;
    }
    if schema >= 8 {
        run("UPDATE tickets SET sequence = 1", &[]).await;
        run("UPDATE series SET value = 1", &[]).await;
    }
}

/// Makes a database as the mailmill of that schema left it.
async fn of_schema(path: &Path, schema: i64) {
    let options = SqliteConnectOptions::new().filename(path).create_if_missing(true).foreign_keys(true);
    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
    let until = sqlite::migrations().into_iter().filter(|migration| migration.version <= schema).collect();
    Migrator::with_migrations(until).run_direct(None, &mut connection, false).await.unwrap();
    fill(&mut connection, schema).await;
    connection.close().await.unwrap();
}

/// What was in it is in it, and it can be gone on with.
async fn check(store: &Store, schema: i64) {
    let number = TicketNumber::new(1);
    let detail = store.ticket(&number).await.unwrap().expect("the ticket");
    let found = (detail.ticket.number.to_string(), detail.ticket.subject.as_str(), detail.description.as_str());
    assert_eq!(found, ("T00001".to_owned(), "Printer", "It burns."), "schema {schema}");
    assert_eq!((detail.fields.len(), detail.comments.len(), detail.attachments.len()), (1, 1, 1), "schema {schema}");
    let blob = store.blob(&detail.attachments[0].sha256).await.unwrap().to_vec().unwrap();
    assert_eq!(blob, vec![7; BLOB_BYTES], "schema {schema}");
    assert_eq!(store.raw(&Sha256::of(RAW)).await.unwrap().to_vec().unwrap(), RAW);
    assert!(store.raw(&Sha256::of(&long())).await.unwrap().to_vec().unwrap() == long(), "schema {schema}");
    if schema >= 5 {
        let blob = store.blob(&Sha256::of(&long()[ENCLOSED])).await.unwrap().to_vec().unwrap();
        assert!(blob == long()[ENCLOSED], "schema {schema}");
    }
    let waiting = store.quarantine_list().await.unwrap();
    assert_eq!(waiting.iter().map(|row| row.cause.as_str()).collect::<Vec<_>>(), ["why"], "schema {schema}");
    let unmarked = store.unmarked("support").await.unwrap();
    assert_eq!(unmarked.iter().map(|(key, _)| key.uid.as_str()).collect::<Vec<_>>(), ["1"], "schema {schema}");
    let keys = ["1", "2", "3"].map(|uid| MessageKey { mailbox: "INBOX".to_owned(), uid_validity: 7, ..key(uid) });
    assert_eq!(store.unknown("support", keys.to_vec()).await.unwrap(), keys[2..], "schema {schema}");
    assert_eq!(store.mailboxes("support").await.unwrap().len(), 1, "schema {schema}");

    let receipts = store.commit(&[entry("77", accepted(vec![create("Next")]))]).await.unwrap();
    assert_eq!(receipts[0].created.iter().map(ToString::to_string).collect::<Vec<_>>(), ["T00002"], "schema {schema}");
    assert!(receipts[0].id > 2, "schema {schema}: {}", receipts[0].id);
}

#[tokio::test]
async fn databases_of_all_earlier_schemas_open_after_a_copy_was_made() {
    let newest = sqlite::newest();
    let earlier: Vec<i64> = sqlite::migrations().iter().map(|migration| migration.version).collect();
    for schema in earlier.into_iter().filter(|schema| *schema < newest) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("mail'mill.db");
        of_schema(&path, schema).await;
        let store = Store::open(&path).await.unwrap_or_else(|error| panic!("schema {schema}: {error}"));
        check(&store, schema).await;
        store.close().await;

        let copies: Vec<_> = std::fs::read_dir(directory.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.contains(".before"))
            .collect();
        assert_eq!(copies, [format!("mail'mill.db.before-{newest:04}")], "schema {schema}");
        let copy = directory.path().join(&copies[0]);
        assert_eq!(std::fs::metadata(&copy).unwrap().permissions().mode() & 0o777, 0o600);
        let refused = Store::open_to_read(&copy).await.map(drop).unwrap_err();
        assert!(matches!(refused, Error::OlderSchema { found, .. } if found == schema), "schema {schema}: {refused}");
        // Whoever goes back and comes again has lost nothing.
        std::fs::rename(&copy, &path).unwrap();
        let again = Store::open(&path).await.unwrap_or_else(|error| panic!("schema {schema}: {error}"));
        check(&again, schema).await;
        again.close().await;
    }
}

#[tokio::test]
async fn where_no_copy_can_be_made_the_database_stays_as_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("mailmill.db");
    of_schema(&path, 1).await;
    // What is no file cannot be replaced by one.
    let copy = directory.path().join(format!("mailmill.db.before-{:04}", sqlite::newest()));
    std::fs::create_dir_all(copy.join("something")).unwrap();
    let refused = Store::open(&path).await.map(drop).unwrap_err();
    assert!(matches!(refused, Error::Backup { .. }), "{refused}");
    let mut connection = SqliteConnection::connect_with(&SqliteConnectOptions::new().filename(&path)).await.unwrap();
    let version = "SELECT MAX(version) FROM _sqlx_migrations";
    let version: i64 = sqlx::query_scalar(AssertSqlSafe(version)).fetch_one(&mut connection).await.unwrap();
    assert_eq!(version, 1);
    std::fs::remove_dir_all(&copy).unwrap();
    Store::open(&path).await.unwrap().close().await;
}
