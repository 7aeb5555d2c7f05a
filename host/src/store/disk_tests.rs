//! SQLite on a disk that is full, or may only be read, at each single write: nothing is half done, and done again it is whole.

use super::conformance::{accepted, create, entry, key, with_attachments};
use super::*;
use crate::mailbox::Opened;
use futures::future::BoxFuture;
use std::path::PathBuf;
use tempfile::TempDir;

/// A write of the store, by name. Some need those before.
type Write = (&'static str, for<'s> fn(&'s Store) -> BoxFuture<'s, Result<(), Error>>);

/// The writes of a daemon's life.
const WRITES: [Write; 13] = [
    ("a mailbox is seen first", |store| {
        Box::pin(async {
            let opened = Opened { mailbox: "INBOX".into(), uid_validity: 7, written: "INBOX".into(), messages: 1 };
            store.first_sight("support", &opened, &[]).await.map(drop)
        })
    }),
    ("a message is passed over", |store| Box::pin(async { store.pass_over("support", &key("0")).await })),
    ("a session begins", |store| Box::pin(async { store.begin_session("support").await.map(drop) })),
    ("a batch is committed", |store| Box::pin(async { store.commit(&batch()).await.map(drop) })),
    ("marks are recorded", |store| Box::pin(async { store.marked("support", &[key("1"), key("2")]).await })),
    ("interrupted sessions end", |store| Box::pin(store.end_interrupted(None))),
    ("a mailbox is renumbered", |store| Box::pin(store.renumbered("support", "INBOX", 8))),
    ("a job is paused", |store| Box::pin(async { store.pause_job("support", "ann").await.map(drop) })),
    ("a run is asked for", |store| Box::pin(store.request_run("support"))),
    ("a job goes on", |store| Box::pin(async { store.resume_job("support").await.map(drop) })),
    ("a key is made", |store| Box::pin(async { store.own_key().await.map(drop) })),
    ("a person is let in", |store| Box::pin(store.set_user("ann", Role::Viewer, "a long password"))),
    ("something is noted", |store| Box::pin(store.note("ann", "looked", "support", ""))),
];

/// Two messages, one of them long, with an attachment: receipts, tickets, contents.
fn batch() -> [Entry; 2] {
    let attachment = "QUJD".repeat(20_000);
    let long = with_attachments("2", accepted(vec![create("long")]), &[("base64", attachment.as_bytes())]);
    [entry("1", accepted(vec![create("short")])), long]
}

async fn pragma(store: &Store, name: &str, value: u64) {
    let pragma = sqlx::AssertSqlSafe(format!("PRAGMA {name} = {value}"));
    sqlx::raw_sql(pragma).execute(&store.writer).await.unwrap();
}

async fn pages(store: &Store) -> u64 {
    let row = sqlx::query("PRAGMA page_count").fetch_one(&store.writer).await.unwrap();
    u64::try_from(sqlx::Row::get::<i64, _>(&row, "page_count")).unwrap()
}

async fn assert_whole(store: &Store) {
    let receipts = store.commit(&batch()).await.unwrap();
    assert!(receipts.iter().all(|receipt| receipt.repeated && receipt.created.len() == 1), "{receipts:?}");
    assert_eq!(store.tickets(&TicketFilter::default()).await.unwrap().len(), 2);
    assert!(store.unknown("support", vec![key("1"), key("2")]).await.unwrap().is_empty());
}

#[tokio::test]
async fn what_may_only_be_read_refuses_each_write_and_takes_it_later() {
    let store = Store::in_memory().await.unwrap();
    for (name, write) in WRITES {
        pragma(&store, "query_only", 1).await;
        let refused = write(&store).await;
        assert!(matches!(refused, Err(Error::ReadOnly { .. })), "{name}: {refused:?}");
        pragma(&store, "query_only", 0).await;
        write(&store).await.unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    assert_whole(&store).await;
}

/// A database with its schema and nothing else, and copies of it.
struct Template(TempDir);

impl Template {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Store::open(&folder.path().join("empty.db")).await.unwrap().close().await;
        Self(folder)
    }

    async fn copy(&self) -> (PathBuf, Store) {
        let path = self.0.path().join("copy.db");
        for ending in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(self.0.path().join(format!("copy.db{ending}")));
        }
        std::fs::copy(self.0.path().join("empty.db"), &path).unwrap();
        let store = Store::open(&path).await.unwrap();
        (path, store)
    }
}

#[tokio::test]
async fn wherever_the_disk_is_full_nothing_is_half_done() {
    let template = Template::new().await;
    let (mut free, mut refusals) = (0, 0);
    loop {
        let (_path, store) = template.copy().await;
        let before = pages(&store).await;
        let mut is_refused = false;
        for (name, write) in WRITES {
            pragma(&store, "max_page_count", before + free).await;
            let first = write(&store).await;
            pragma(&store, "max_page_count", 1 << 30).await;
            if let Err(error) = first {
                assert!(matches!(error, Error::DiskFull { .. }), "{name}, {free} pages: {error}");
                if name == "a batch is committed" {
                    let unknown = store.unknown("support", vec![key("1"), key("2")]).await.unwrap();
                    assert_eq!(unknown.len(), 2, "{free} pages: half a batch");
                    assert!(store.tickets(&TicketFilter::default()).await.unwrap().is_empty());
                }
                (is_refused, refusals) = (true, refusals + 1);
                write(&store).await.unwrap_or_else(|error| panic!("{name}, {free} pages: {error}"));
            }
        }
        assert_whole(&store).await;
        store.close().await;
        if !is_refused {
            break;
        }
        free += 1;
    }
    assert!(free >= 3 && refusals >= free, "{refusals} refusals with up to {free} pages");
    eprintln!("{refusals} refusals with up to {free} free pages");
}
