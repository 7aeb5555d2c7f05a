//! The file of messages: what is in it after each way in which a batch can end, in copies of it, and when it is damaged.

use super::conformance::{accepted, create, entry, key, with_attachments};
use super::*;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use tempfile::TempDir;

struct Scene {
    _folder: TempDir,
    path: PathBuf,
    store: Store,
}

impl Scene {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mailmill.db");
        let store = Store::open(&path).await.unwrap();
        Self { _folder: folder, path, store }
    }

    fn file(&self) -> PathBuf {
        file(&self.path)
    }

    fn length(&self) -> u64 {
        std::fs::metadata(self.file()).map_or(0, |file| file.len())
    }
}

fn file(database: &Path) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push("-messages");
    name.into()
}

/// A message with an attachment of its own.
fn message(uid: &str) -> Entry {
    with_attachments(uid, accepted(vec![create(uid)]), &[("identity", content(uid).as_bytes())])
}

fn content(uid: &str) -> String {
    format!("the attachment of {uid}\r\n").repeat(30)
}

async fn has(store: &Store, uid: &str) -> bool {
    let raw = store.raw(&Sha256(message(uid).raw.sha256().unwrap())).await;
    let blob = store.blob(&Sha256::of(content(uid).as_bytes())).await;
    match (raw, blob) {
        (Ok(raw), Ok(blob)) => {
            assert_eq!(raw.to_vec().unwrap(), message(uid).raw.to_vec().unwrap());
            assert_eq!(blob.to_vec().unwrap(), content(uid).as_bytes());
            true
        }
        (Err(Error::NotFound { .. }), Err(Error::NotFound { .. })) => false,
        (raw, blob) => panic!("{raw:?} {blob:?}"),
    }
}

#[tokio::test]
async fn equal_bytes_are_there_once() {
    let scene = Scene::new().await;
    assert!(!scene.file().exists(), "before there is a message");
    let twice = [message("1"), Entry { key: key("2"), ..message("1") }];
    scene.store.commit(&twice).await.unwrap();
    let length = scene.length();
    assert_eq!(length, message("1").raw.len());
    scene.store.commit(&[Entry { key: key("3"), ..message("1") }]).await.unwrap();
    assert_eq!(scene.length(), length);
    assert!(has(&scene.store, "1").await);
}

#[tokio::test]
async fn a_batch_that_fails_and_a_rehearsal_leave_nothing() {
    let scene = Scene::new().await;
    scene.store.commit(&[message("1")]).await.unwrap();
    let length = scene.length();
    scene.store.rehearse(&message("2")).await.unwrap();
    assert_eq!(scene.length(), length);
    let set = async |pragma: &'static str| {
        sqlx::raw_sql(pragma).execute(&scene.store.writer).await.unwrap();
    };
    // The bytes are written before the database refuses the rows.
    set("CREATE TRIGGER refuse BEFORE INSERT ON tickets BEGIN SELECT RAISE(ABORT, 'no'); END").await;
    scene.store.commit(&[message("2")]).await.unwrap_err();
    assert_eq!(scene.length(), length);
    set("DROP TRIGGER refuse").await;
    assert!(!has(&scene.store, "2").await);
    scene.store.commit(&[message("2"), message("3")]).await.unwrap();
    for uid in ["1", "2", "3"] {
        assert!(has(&scene.store, uid).await, "{uid}");
    }
}

#[tokio::test]
async fn bytes_that_no_row_names_do_no_harm() {
    let scene = Scene::new().await;
    scene.store.commit(&[message("1")]).await.unwrap();
    let end = scene.length();
    // As a process leaves it that ended before its transaction did.
    let written = std::fs::OpenOptions::new().write(true).open(scene.file()).unwrap();
    written.write_all_at(b"half a message", end).unwrap();
    scene.store.close().await;
    let store = Store::open(&scene.path).await.unwrap();
    store.commit(&[message("2")]).await.unwrap();
    assert!(has(&store, "1").await && has(&store, "2").await);
}

#[tokio::test]
async fn a_copy_of_the_database_and_a_later_copy_of_the_file_are_a_backup() {
    let scene = Scene::new().await;
    scene.store.commit(&[message("1")]).await.unwrap();
    let copy = scene.path.with_file_name("copy.db");
    let into = sqlx::query("VACUUM INTO $1").bind(copy.to_str().unwrap());
    into.execute(&scene.store.writer).await.unwrap();
    scene.store.commit(&[message("2")]).await.unwrap();
    std::fs::copy(scene.file(), file(&copy)).unwrap();

    let restored = Store::open(&copy).await.unwrap();
    assert!(has(&restored, "1").await && !has(&restored, "2").await);
    restored.commit(&[message("3")]).await.unwrap();
    assert!(has(&restored, "1").await && has(&restored, "3").await);
    // The database of before in the place of a later one: what only the later one names stays too.
    assert_eq!(std::fs::metadata(file(&copy)).unwrap().len(), scene.length() + message("3").raw.len());
}

#[tokio::test]
async fn links_lead_to_the_same_file() {
    let scene = Scene::new().await;
    let elsewhere = tempfile::tempdir().unwrap();
    let link = elsewhere.path().join("link.db");
    std::os::unix::fs::symlink(&scene.path, &link).unwrap();
    let linked = Store::open(&link).await.unwrap();
    linked.commit(&[message("1")]).await.unwrap();
    scene.store.commit(&[message("2")]).await.unwrap();
    for uid in ["1", "2"] {
        assert!(has(&scene.store, uid).await && has(&linked, uid).await, "{uid}");
    }
    let reader = Store::open_to_read(&link).await.unwrap();
    assert!(has(&reader, "2").await);
}

#[tokio::test]
async fn a_file_that_is_short_or_gone_is_told_before_anything_is_written() {
    let scene = Scene::new().await;
    scene.store.commit(&[message("1"), message("2")]).await.unwrap();
    scene.store.close().await;
    let (end, kept) = (scene.length(), message("1").raw.len());
    let place = scene.file().display().to_string();
    let told = |found: u64| {
        format!(
            "cannot use {place}: it has {found} bytes, and the messages in it reach to byte {end}; it was left as it is: restore that \
             file from a backup, or, to go on without what it lacks, run `truncate --size={end} {place}`"
        )
    };
    let moved = scene.path.with_file_name("moved");
    std::fs::rename(scene.file(), &moved).unwrap();
    assert_eq!(Store::open(&scene.path).await.map(drop).unwrap_err().to_string(), told(0));
    assert!(!scene.file().exists());
    std::fs::rename(&moved, scene.file()).unwrap();
    let written = std::fs::OpenOptions::new().write(true).open(scene.file()).unwrap();
    written.set_len(kept).unwrap();
    assert_eq!(Store::open(&scene.path).await.map(drop).unwrap_err().to_string(), told(kept));

    // Whoever only reads has what is there.
    let reader = Store::open_to_read(&scene.path).await.unwrap();
    assert!(has(&reader, "1").await);
    let lacking = reader.raw(&Sha256(message("2").raw.sha256().unwrap())).await.unwrap_err().to_string();
    let ends =
        format!("cannot read {place}: it ends before byte {end}, where a message does; nothing else is affected");
    assert!(lacking.starts_with(&ends), "{lacking}");

    // What the error says to do.
    written.set_len(end).unwrap();
    let store = Store::open(&scene.path).await.unwrap();
    assert!(has(&store, "1").await);
    let digest = Sha256(message("2").raw.sha256().unwrap());
    let lost = store.raw(&digest).await.unwrap_err().to_string();
    let expect = format!(
        "cannot read {place}: the message at byte {kept} is not what it was ({digest}); nothing else is affected: restore that file from a \
         backup"
    );
    assert_eq!(lost, expect);
    let lost = store.blob(&Sha256::of(content("2").as_bytes())).await.unwrap_err().to_string();
    assert!(lost.contains("of its message is not what it was; nothing else is affected"), "{lost}");
    store.commit(&[message("3")]).await.unwrap();
    assert!(has(&store, "3").await);
}

#[tokio::test]
async fn what_cannot_be_made_or_written_records_nothing() {
    let scene = Scene::new().await;
    // A folder of that name: nobody can write into it as into a file, whoever they are.
    std::fs::create_dir(scene.file()).unwrap();
    let refused = scene.store.commit(&[message("1")]).await.unwrap_err();
    assert!(matches!(refused, Error::Io { .. }), "{refused:?}");
    let told = refused.to_string();
    let expect = format!("cannot use {}: Is a directory (os error 21); nothing was lost", scene.file().display());
    assert_eq!(told, expect);
    std::fs::remove_dir(scene.file()).unwrap();
    assert_eq!(scene.store.unknown("support", vec![key("1")]).await.unwrap(), [key("1")]);
    scene.store.commit(&[message("1"), entry("2", accepted(Vec::new()))]).await.unwrap();
    assert!(has(&scene.store, "1").await);
}
