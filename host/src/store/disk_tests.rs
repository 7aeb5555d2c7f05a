//! SQLite on a disk that is full, or may only be read, at each single write: nothing is half done, and done again it is whole.

use super::conformance::{accepted, create, entry, key, with_attachments};
use super::outbox_tests::{notify, planned, sender};
use super::*;
use crate::class::Class;
use crate::mailbox::Opened;
use crate::outgoing::Recipient;
use crate::plugin::Suspension;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use jiff::Timestamp;
use std::path::PathBuf;
use std::time::Duration;
use tempfile::TempDir;

/// A write of the store, by the name of its method.
type Write = (&'static str, for<'s> fn(&'s Store) -> BoxFuture<'s, Result<(), Error>>);

const HOUR: Duration = Duration::from_secs(3600);
const DIGEST: Sha256 = Sha256([7; 32]);
/// The job whose mailbox is renumbered.
const MOVED: &str = "moved";

/// Every write, in an order in which each finds what it changes; that none is missing is a test of its own.
const WRITES: [Write; 41] = [
    ("first_sight", |store| {
        async {
            let opened = Opened { mailbox: "INBOX".into(), uid_validity: 7, written: "INBOX".into(), messages: 1 };
            store.first_sight("support", &opened, &[]).await.map(drop)
        }
        .boxed()
    }),
    ("pass_over", |store| async { store.pass_over("support", &key("0")).await }.boxed()),
    ("begin_session", |store| async { store.begin_session("support").await.map(drop) }.boxed()),
    ("commit", |store| async { store.commit(&batch()).await.map(drop) }.boxed()),
    ("rehearse", |store| {
        async { store.rehearse(&entry("9", accepted(vec![create("maybe")]))).await.map(drop) }.boxed()
    }),
    ("marked", |store| async { store.marked("support", &[key("1"), key("2")]).await }.boxed()),
    ("finish_session", |store| store.finish_session(SessionId(1), &TALLY, None).boxed()),
    ("end_interrupted", |store| store.end_interrupted(None).boxed()),
    ("renumbered", |store| store.renumbered(MOVED, "INBOX", 8).boxed()),
    ("recognise", |store| {
        async {
            let (now, sha256) = (MessageKey { uid_validity: 8, ..key("5") }, moved().raw.sha256().unwrap());
            store.recognise(MOVED, &now, &Sha256(sha256)).await.map(|found| assert!(found.is_some()))
        }
        .boxed()
    }),
    ("quarantine_release", |store| {
        async {
            let mended = entry("3", accepted(vec![create("mended")]));
            store.quarantine_release(in_quarantine(store, "3").await, &mended).await.map(drop)
        }
        .boxed()
    }),
    ("quarantine_forget", |store| {
        async { found(store.quarantine_forget(in_quarantine(store, "4").await).await) }.boxed()
    }),
    ("own_key", |store| async { store.own_key().await.map(drop) }.boxed()),
    ("outbox_claim", |store| {
        async { store.outbox_claim(&Lane::Mail, HOUR, 9).await.map(|claimed| assert!(claimed.is_some())) }.boxed()
    }),
    ("outbox_renew", |store| store.outbox_renew(1, HOUR).boxed()),
    ("outbox_failed", |store| store.outbox_failed(1, "refused", None).boxed()),
    ("outbox_retry", |store| async { found(store.outbox_retry(1).await) }.boxed()),
    ("outbox_retry_all", |store| {
        async { store.outbox_retry_all(OutboxState::Waiting).await.map(|ids| assert_eq!(ids.len(), 2)) }.boxed()
    }),
    ("outbox_wait_at_most", |store| async { store.outbox_wait_at_most(HOUR, HOUR).await.map(drop) }.boxed()),
    ("outbox_sent", |store| store.outbox_sent(1).boxed()),
    ("outbox_drop", |store| async { found(store.outbox_drop(2).await) }.boxed()),
    ("outbox_forget", |store| {
        async { store.outbox_forget(OutboxState::Sent, Timestamp::MAX).await.map(|sent| assert_eq!(sent, 1)) }.boxed()
    }),
    ("pause_job", |store| async { found(store.pause_job("support", "ann").await) }.boxed()),
    ("request_run", |store| store.request_run("support").boxed()),
    ("run_begun", |store| store.run_begun("support", Timestamp::MAX).boxed()),
    ("resume_job", |store| async { found(store.resume_job("support").await) }.boxed()),
    ("report_jobs", |store| {
        async {
            let report = JobReport { state: JobState::Waiting, next_run_at: None, last: None };
            store.report_jobs(&[("support".to_owned(), report)]).await
        }
        .boxed()
    }),
    ("jobs_stopped", |store| store.jobs_stopped(None).boxed()),
    ("note_revision", |store| async { found(store.note_revision(&revision()).await) }.boxed()),
    ("note_shadows", |store| {
        async {
            let row = ShadowRow { receipt: 1, candidate: "r2".into(), in_force: "r1".into(), difference: None };
            store.note_shadows(&[row]).await
        }
        .boxed()
    }),
    ("report_suspensions", |store| async { store.report_suspensions(&[Arc::new(suspension())]).await }.boxed()),
    ("set_first_user", |store| async { found(store.set_first_user("ann", "a long password").await) }.boxed()),
    ("set_user", |store| store.set_user("bob", Role::Viewer, "a long password").boxed()),
    ("begin_web_session", |store| store.begin_web_session(&DIGEST, "ann", Timestamp::MAX).boxed()),
    ("end_web_session", |store| async { found(store.end_web_session(&DIGEST).await) }.boxed()),
    ("remove_user", |store| async { found(store.remove_user("bob").await) }.boxed()),
    ("add_api_token", |store| store.add_api_token("script", Role::Viewer, &DIGEST, "ann").boxed()),
    ("api_token", |store| async { store.api_token(&DIGEST).await.map(|known| assert!(known.is_some())) }.boxed()),
    ("remove_api_token", |store| async { found(store.remove_api_token(1).await) }.boxed()),
    ("note", |store| store.note("ann", "looked", "support", "").boxed()),
    ("forget_sessions", |store| {
        async {
            let old = OldSessions { before: Some(Timestamp::MAX), ..OldSessions::default() };
            store.forget_sessions(&old, 9).await.map(|forgotten| assert_eq!(forgotten.sessions, 1))
        }
        .boxed()
    }),
];

const TALLY: SessionTally = SessionTally {
    waiting: 5,
    received: 5,
    created: 2,
    updated: 0,
    rejected: 0,
    ignored: 0,
    quarantined: 2,
    errors: 0,
    passed_over: 0,
};

/// Something was there to be changed.
fn found(changed: Result<bool, Error>) -> Result<(), Error> {
    changed.map(|changed| assert!(changed))
}

async fn in_quarantine(store: &Store, uid: &str) -> i64 {
    store.quarantine_list().await.unwrap().into_iter().find(|row| row.key == key(uid)).unwrap().id
}

fn revision() -> NewRevision {
    NewRevision {
        revision: "r2".to_owned(),
        changed_by: "ann".to_owned(),
        origin: "rules".to_owned(),
        tests: 1,
        content: RevisionContent {
            files: vec![("fields.toml".to_owned(), "# none".repeat(9_000))],
            plugins: vec![("fields".to_owned(), DIGEST.to_string())],
        },
    }
}

fn suspension() -> Suspension {
    Suspension {
        step: "fields".to_owned(),
        plugin: "fields".to_owned(),
        hash: DIGEST.to_string(),
        faults: 3,
        last: "it trapped".to_owned(),
        by: None,
        since: Timestamp::UNIX_EPOCH,
    }
}

/// A message of a mailbox that is renumbered later.
fn moved() -> Entry {
    Entry { job: MOVED.to_owned(), ..entry("5", accepted(Vec::new())) }
}

/// Messages: one that is answered; a long one with an attachment, which is answered as well; two for the quarantine, of one only the
/// head; and one that is only known. Receipts, tickets, contents, mails.
fn batch() -> [Entry; 5] {
    let answered = |subject: &str| accepted(vec![create(subject), notify(None, Recipient::Requester)]);
    let attachment = "QUJD".repeat(20_000);
    let long = with_attachments("2", answered("long"), &[("base64", attachment.as_bytes())]);
    let quarantined = || Verdict::Quarantine { cause: "too large".to_owned(), class: Class::Permanent };
    let head = Entry { header_only: true, ..entry("4", quarantined()) };
    let short = planned("1", vec![create("short"), notify(None, Recipient::Requester)]);
    [Entry { session: Some(SessionId(1)), ..short }, long, entry("3", quarantined()), head, moved()]
}

async fn empty() -> Store {
    Store::in_memory().await.unwrap().sending_as(Some(sender()))
}

/// The methods that write, by the source of the store: each asks for a transaction.
#[test]
fn no_write_is_left_out() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files = files.filter(|path| !path.ends_with("disk_tests.rs"));
    let sources: Vec<String> = files.filter_map(|path| std::fs::read_to_string(path).ok()).collect();
    let methods = sources.iter().flat_map(|source| source.split("    pub async fn ").skip(1));
    let methods = methods.filter_map(|rest| rest.split("\n    }\n").next());
    let writes = methods.filter(|method| method.contains("self.transaction()") || method.contains("self.changed("));
    let mut written: Vec<&str> = writes.map(|method| method.split('(').next().unwrap()).collect();
    let mut listed: Vec<&str> = WRITES.iter().map(|(name, _)| *name).collect();
    written.sort_unstable();
    listed.sort_unstable();
    assert_eq!(written, listed);
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
    let receipts = store.commit(&batch()[..3]).await.unwrap();
    assert!(receipts.iter().all(|receipt| receipt.repeated && receipt.created.len() == 1), "{receipts:?}");
    assert_eq!(store.tickets(&TicketFilter::default()).await.unwrap().len(), 3, "two, and one out of quarantine");
    assert!(store.unknown("support", vec![key("1"), key("2")]).await.unwrap().is_empty());
}

#[tokio::test]
async fn what_may_only_be_read_refuses_each_write_and_takes_it_later() {
    let store = empty().await;
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
        let store = Store::open(&path).await.unwrap().sending_as(Some(sender()));
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
                if name == "commit" {
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
