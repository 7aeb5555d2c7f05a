use super::*;
use crate::mailbox::{Account, Session};
use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;

const MESSAGE_BYTES_MAX: u64 = 1000;
const SEEN: Disposition = Disposition::SEEN;
const BOTH: Disposition = Disposition { deleted: true, ..SEEN };

fn spool() -> Spool {
    Spool::new(&std::env::temp_dir())
}

fn maildir() -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for directory in ["new", "cur", "tmp"] {
        fs::create_dir(root.path().join(directory)).unwrap();
    }
    root
}

async fn open(root: &Path, kind: FolderKind, settle: Duration) -> Session {
    let account = FolderAccount {
        path: root.into(),
        kind,
        settle,
        message_bytes_max: MESSAGE_BYTES_MAX,
        purge: false,
        spool: spool(),
    };
    Account::Folder(account).open().await.unwrap()
}

fn write(root: &Path, name: impl AsRef<Path>, text: &str) {
    fs::write(root.join(name), text).unwrap();
}

async fn uids(session: &mut Session) -> Vec<String> {
    session.list().await.unwrap().into_iter().map(|listed| listed.key.uid).collect()
}

async fn fetch(session: &mut Session, keys: &[MessageKey]) -> (Vec<String>, Fetched) {
    let (sink, mut messages) = mpsc::channel(10);
    let fetched = session.fetch(keys, &sink).await.unwrap();
    drop(sink);
    let mut texts = Vec::new();
    while let Some(message) = messages.recv().await {
        texts.push(String::from_utf8(message.content.to_vec().unwrap()).unwrap());
    }
    (texts, fetched)
}

fn names(directory: PathBuf) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().to_string_lossy().into()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_maildir_is_read_from_new_and_cur() {
    let root = maildir();
    write(root.path(), "new/1.a.host", "one");
    write(root.path(), "cur/2.b.host:2,RS", "two");
    write(root.path(), "tmp/3.c.host", "half");
    write(root.path(), "cur/.hidden", "no");
    fs::write(root.path().join("new").join(OsString::from_vec(b"4.\xff.host".to_vec())), "odd").unwrap();
    std::os::unix::fs::symlink("/etc/hostname", root.path().join("new/5.link")).unwrap();
    let mut session = open(root.path(), FolderKind::Maildir, Duration::ZERO).await;
    assert_eq!(uids(&mut session).await, ["1.a.host", "2.b.host", "4.%FF.host"]);
    let keys = [key("1.a.host"), key("9.gone"), key("2.b.host"), key("4.%FF.host")];
    let (texts, fetched) = fetch(&mut session, &keys).await;
    assert_eq!(texts, ["one", "two", "odd"]);
    assert_eq!(fetched, Fetched { delivered: 3, vanished: vec![key("9.gone")], ..Fetched::default() });
    assert_eq!(names(root.path().join("new")).len(), 3, "fetching changes nothing");
}

#[tokio::test]
async fn marking_renames_and_keeps_other_flags() {
    let root = maildir();
    write(root.path(), "new/1.a", "one");
    write(root.path(), "cur/2.b:2,R", "two");
    write(root.path(), "new/3.c", "three");
    let mut session = open(root.path(), FolderKind::Maildir, Duration::ZERO).await;
    let marks = [(key("1.a"), SEEN), (key("2.b"), BOTH), (key("3.c"), Disposition::default()), (key("gone"), SEEN)];
    session.mark(&marks).await.unwrap();
    session.mark(&marks).await.unwrap();
    assert_eq!(names(root.path().join("cur")), ["1.a:2,S", "2.b:2,RST"]);
    assert_eq!(names(root.path().join("new")), ["3.c"]);
    assert_eq!(fetch(&mut session, &[key("1.a")]).await.0, ["one"], "the key survives the new name");
}

#[tokio::test]
async fn a_mail_client_may_rename_between_listing_and_fetching() {
    let root = maildir();
    write(root.path(), "new/1.a", "one");
    let mut session = open(root.path(), FolderKind::Maildir, Duration::ZERO).await;
    assert_eq!(uids(&mut session).await, ["1.a"]);
    fs::rename(root.path().join("new/1.a"), root.path().join("cur/1.a:2,S")).unwrap();
    assert_eq!(fetch(&mut session, &[key("1.a")]).await.0, ["one"]);
}

#[tokio::test]
async fn eml_files_are_named_by_content() {
    let root = tempfile::tempdir().unwrap();
    write(root.path(), "a.eml", "one");
    write(root.path(), "b.EML", "two");
    write(root.path(), "notes.txt", "no");
    write(root.path(), ".c.eml", "no");
    let mut session = open(root.path(), FolderKind::Eml, Duration::ZERO).await;
    let first = uids(&mut session).await;
    assert_eq!(first, ["a.eml:7692c3ad3540bb80", "b.EML:3fc4ccfe745870e2"]);
    write(root.path(), "a.eml", "other");
    let (texts, fetched) = fetch(&mut session, &[key(&first[1])]).await;
    assert_eq!((texts, fetched.delivered), (vec!["two".to_owned()], 1));
    assert_ne!(uids(&mut session).await[0], first[0], "other content is another message");
    session.mark(&[(key(&first[1]), SEEN)]).await.unwrap();
    assert_eq!(names(root.path().into()).len(), 4, "seen leaves no trace on disk");
    session.mark(&[(key(&first[1]), BOTH), (key(&first[0]), BOTH)]).await.unwrap();
    assert_eq!(names(root.path().into()), [".c.eml", "a.eml", "notes.txt"], "a replaced file is not removed");
}

#[tokio::test]
async fn a_file_that_is_too_large_is_refused_and_holds_up_no_other() {
    let root = maildir();
    write(root.path(), "new/1.a", &"x".repeat(1001));
    write(root.path(), "new/2.b", &"y".repeat(1000));
    let mut session = open(root.path(), FolderKind::Maildir, Duration::ZERO).await;
    assert_eq!(session.list().await.unwrap()[0].size, Some(1001));
    let (texts, fetched) = fetch(&mut session, &[key("1.a"), key("2.b")]).await;
    assert_eq!(texts, ["y".repeat(1000)]);
    assert_eq!(fetched.refused, [(key("1.a"), "the file is larger than 1000 bytes".to_owned())]);
}

#[tokio::test]
async fn a_file_that_cannot_be_read_holds_up_no_other() {
    let root = maildir();
    write(root.path(), "new/1.a", "one");
    write(root.path(), "new/2.b", "two");
    let mut session = open(root.path(), FolderKind::Maildir, Duration::ZERO).await;
    assert_eq!(uids(&mut session).await, ["1.a", "2.b"]);
    // Nobody can read a folder as a file; the rights of a file would not stop root.
    fs::remove_file(root.path().join("new/1.a")).unwrap();
    fs::create_dir(root.path().join("new/1.a")).unwrap();
    let (texts, fetched) = fetch(&mut session, &[key("1.a"), key("2.b")]).await;
    assert_eq!(texts, ["two"]);
    let cause = format!("cannot read {}: Is a directory (os error 21)", root.path().join("new/1.a").display());
    assert_eq!(fetched.withheld, [(key("1.a"), cause)]);
}

#[tokio::test]
async fn a_file_waits_until_it_is_left_alone() {
    let root = tempfile::tempdir().unwrap();
    let mut session = open(root.path(), FolderKind::Eml, Duration::from_millis(500)).await;
    assert!(uids(&mut session).await.is_empty());
    write(root.path(), "a.eml", "half");
    let path = root.path().to_owned();
    let writing = tokio::spawn(async move {
        loop {
            write(&path, "a.eml", "half");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    session.wait(Duration::from_secs(60)).await.unwrap();
    assert!(uids(&mut session).await.is_empty(), "it is still being written");
    writing.abort();
    while uids(&mut session).await.is_empty() {
        session.wait(Duration::from_secs(60)).await.unwrap();
    }
    assert_eq!(session.waiting(), 1);
}

#[tokio::test]
async fn reading_does_not_wake_the_reader() {
    let root = tempfile::tempdir().unwrap();
    write(root.path(), "a.eml", "one");
    let mut session = open(root.path(), FolderKind::Eml, Duration::ZERO).await;
    let listed = uids(&mut session).await;
    fetch(&mut session, &[key(&listed[0])]).await;
    let waited = tokio::time::timeout(Duration::from_millis(150), session.wait(Duration::from_secs(60))).await;
    assert!(waited.is_err(), "woken by its own reading");
}

#[tokio::test]
async fn only_messages_wake_the_reader() {
    let root = tempfile::tempdir().unwrap();
    let mut session = open(root.path(), FolderKind::Eml, Duration::ZERO).await;
    uids(&mut session).await;
    write(root.path(), "notes.txt", "no");
    write(root.path(), ".hidden.eml", "no");
    let waited = tokio::time::timeout(Duration::from_millis(150), session.wait(Duration::from_secs(60))).await;
    assert!(waited.is_err(), "woken by a file that is no message");
    write(root.path(), "a.eml", "one");
    session.wait(Duration::from_secs(60)).await.unwrap();
}

#[tokio::test]
async fn a_missing_folder_is_an_error_that_names_it() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("none");
    let account = Account::Folder(FolderAccount {
        path: path.clone(),
        kind: FolderKind::Eml,
        settle: Duration::ZERO,
        message_bytes_max: MESSAGE_BYTES_MAX,
        purge: false,
        spool: spool(),
    });
    let error = account.open().await.unwrap_err().to_string();
    assert_eq!(error, format!("cannot open {}: No such file or directory (os error 2)", path.display()));
}

#[tokio::test]
async fn a_file_that_cannot_be_read_is_told_of_once() {
    let root = tempfile::tempdir().unwrap();
    let account = FolderAccount {
        path: root.path().into(),
        kind: FolderKind::Eml,
        settle: Duration::ZERO,
        message_bytes_max: 9,
        purge: false,
        spool: spool(),
    };
    let mut session = super::Session::open(account).unwrap();
    let mut found = |cause: Option<&str>| {
        let unreadable = cause.map(|cause| (root.path().join("a.eml"), cause.to_owned()));
        let told = std::mem::replace(&mut session.found.unreadable, unreadable.into_iter().collect());
        session.note_unreadable(&told);
        session.take_unreadable().len()
    };
    assert_eq!([found(Some("no")), found(Some("no")), found(None), found(Some("no"))], [1, 0, 0, 1]);
}

#[tokio::test]
async fn a_message_moves_beside_others_of_its_name() {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir(root.path().join("Done")).unwrap();
    write(root.path(), "Done/a.eml", "older");
    write(root.path(), "a.eml", "newer");
    let mut session = open(root.path(), FolderKind::Eml, Duration::ZERO).await;
    let key = session.list().await.unwrap().remove(0).key;
    let moved = Disposition { move_to: Some("Done".to_owned()), ..Disposition::default() };
    for _ in 0..2 {
        session.mark(&[(key.clone(), moved.clone())]).await.unwrap();
    }
    assert_eq!(names(root.path().join("Done")), ["a-2.eml", "a.eml"]);
    assert_eq!(fs::read_to_string(root.path().join("Done/a.eml")).unwrap(), "older");
}

#[tokio::test]
async fn a_header_is_read_without_its_body() {
    let check = async |text: &str, expect: &str| {
        let root = tempfile::tempdir().unwrap();
        write(root.path(), "a.eml", text);
        let mut session = open(root.path(), FolderKind::Eml, Duration::ZERO).await;
        let key = session.list().await.unwrap().remove(0).key;
        let header = session.fetch_header(&key).await.unwrap().unwrap();
        assert_eq!(std::str::from_utf8(&header).unwrap(), expect);
    };
    check("To: a\n\nbody\n\n", "To: a\n\n").await;
    check("To: a\r\nCc: b\r\n\r\nbody\r\n", "To: a\r\nCc: b\r\n\r\n").await;
    check("To: a", "To: a").await;
}
