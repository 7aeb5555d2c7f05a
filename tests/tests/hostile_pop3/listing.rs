//! What a server says is in the maildrop, and is not so.

use crate::{MEMORY_MAX_KIB, MESSAGE_BYTES_MAX, MESSAGES, Scene, check_harmless, release};
use anyhow::Result;
use mailmill_tests::records::receipts;
use mailmill_tests::{Meddling, Said, Speaker};

/// All that is said of a listing, once it is complete, is what `change` makes of its lines.
fn relist(
    command: &'static str,
    change: impl Fn(&mut Vec<String>) + Send + 'static,
) -> impl FnMut(&Said<'_>) -> Meddling + Send {
    let mut lines = Vec::new();
    move |said| {
        if said.by != Speaker::Server || said.command != command || said.is_status_of(command) {
            return Meddling::Pass;
        }
        if !said.is_end_of(command) {
            lines.push(String::from_utf8_lossy(said.text).into_owned());
            return Meddling::Instead(Vec::new());
        }
        change(&mut lines);
        Meddling::Instead([std::mem::take(&mut lines).concat().as_bytes(), said.text].concat())
    }
}

#[test]
fn a_message_is_announced_with_99_gigabytes() -> Result<()> {
    let mut scene = Scene::new()?;
    let proxy = scene.proxy(relist("LIST", |lines| lines[1] = "2 99000000000\r\n".into()))?;
    scene.add_job(&proxy, "security = \"none\"")?;
    scene.run_once()?.success()?;
    let cause = format!("is 99000000000 bytes long and the limit message_bytes_max is {MESSAGE_BYTES_MAX}");
    release(&mut scene, &proxy, &cause)
}

/// Adds messages that are not there to a listing.
fn ghosts(lines: &mut Vec<String>, of_each: fn(u32) -> u32) {
    lines.extend((1000..401_000).map(|number| format!("{number} {}\r\n", of_each(number))));
}

#[test]
fn unique_ids_of_400000_messages_that_are_not_there() -> Result<()> {
    let mut scene = Scene::new()?;
    let mut uids = relist("UIDL", |lines| ghosts(lines, |number| number));
    let mut sizes = relist("LIST", |lines| ghosts(lines, |_| 100));
    let proxy = scene.proxy(move |said| match uids(said) {
        Meddling::Pass => sizes(said),
        meddling => meddling,
    })?;
    scene.add_job(&proxy, "security = \"none\"")?;
    let (run, memory) = scene.installation.mailmill_measured(&["run", "--once"])?;
    assert!(memory < MEMORY_MAX_KIB * 2, "{memory} KiB");
    // Dovecot hangs up on whoever asks for what is not there, and what it has said before may be lost with that.
    assert!(run.stderr.contains("127.0.0.1 closed the connection during RETR"), "{}", run.stderr);
    scene.recover(&proxy)
}

/// A session that reports messages it cannot tell apart, and handles the others.
fn check_listing(expect: &str, handled: usize, change: fn(&mut Vec<String>)) -> Result<()> {
    let mut scene = Scene::new()?;
    let proxy = scene.proxy(relist("UIDL", change))?;
    scene.add_job(&proxy, "security = \"none\"")?;
    let run = scene.run_once()?;
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    assert!(run.stderr.contains(expect), "{expect}\n--- not in\n{}", run.stderr);
    assert_eq!(receipts(&scene.installation)?.len(), handled, "the others are handled");
    assert_eq!(scene.waiting()?, MESSAGES - handled, "and it is not deleted what is not handled");
    scene.recover(&proxy)
}

/// The unique-id in a line of UIDL.
fn uid(line: &str) -> &str {
    line.split_whitespace().nth(1).unwrap_or_default()
}

#[test]
fn messages_share_a_unique_id() -> Result<()> {
    check_listing("message 1 shares its unique-id (UIDL)", 1, |lines| lines[1] = format!("2 {}\r\n", uid(&lines[0])))
}

#[test]
fn a_unique_id_is_missing() -> Result<()> {
    check_listing("message 2 has no unique-id (UIDL): it cannot be told apart", 2, |lines| {
        lines.remove(1);
    })
}

#[test]
fn a_unique_id_is_none() -> Result<()> {
    check_listing("message 2 has a unique-id (UIDL) that is none", 2, |lines| lines[1] = "2 \x01 \r\n".into())
}

#[test]
fn a_message_is_listed_twice() -> Result<()> {
    check_listing("the answer of 127.0.0.1 to UIDL makes no sense: it lists a message twice", 0, |lines| {
        lines.push(lines[0].clone());
    })
}

#[test]
fn unique_ids_come_out_of_order() -> Result<()> {
    let (mut uids, mut sizes) = (relist("UIDL", |lines| lines.reverse()), relist("LIST", |lines| lines.rotate_left(1)));
    check_harmless(move |said| match uids(said) {
        Meddling::Pass => sizes(said),
        meddling => meddling,
    })
}

#[test]
fn sizes_are_missing() -> Result<()> {
    check_harmless(relist("LIST", Vec::clear))
}
