//! What servers do wrong, each by a scripted server on this machine.

mod opening;

use super::*;
use crate::class::Class;
use crate::mailbox::{Account, Inner, Session};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

const GREETING: &str = "+OK ready\r\n";
const CAPA: &str = "+OK\r\nUSER\r\nUIDL\r\nTOP\r\nPIPELINING\r\nRESP-CODES\r\n.\r\n";
const UIDL: &str = "+OK\r\n1 aa\r\n2 bb\r\n3 cc\r\n.\r\n";
const LIST: &str = "+OK 3 messages\r\n1 3\r\n2 3\r\n3 3\r\n.\r\n";
const ONE: &str = "+OK 3 octets\r\na\r\n.\r\n";
const TWO: &str = "+OK\r\n..b\r\n.\r\n";
const THREE: &str = "+OK\r\nc\r\n.\r\n";
const GONE: &str = "-ERR no such message\r\n";

/// What a server does when a command has come that begins so.
type Script<'a> = Vec<(&'static str, &'a str)>;

/// Instead of an answer: read on and say nothing.
const SILENCE: &str = "SILENCE";
/// At the end of an answer: close the connection.
const CLOSE: &str = "CLOSE";
/// At the end of an answer: a line without end.
const FLOOD: &str = "FLOOD";

/// What a server has read.
type Heard = Arc<Mutex<String>>;

async fn play(stream: TcpStream, greeting: String, script: Vec<(&'static str, String)>, heard: Heard) {
    let mut stream = BufReader::new(stream);
    if !answer(&mut stream, &greeting).await {
        return;
    }
    for (expected, reply) in script {
        let mut line = String::new();
        if stream.read_line(&mut line).await.is_err() || line.is_empty() {
            return;
        }
        heard.lock().unwrap().push_str(&line);
        assert!(line.starts_with(expected) && line.ends_with("\r\n"), "{line:?} is not {expected:?}");
        if !answer(&mut stream, &reply).await {
            return;
        }
    }
    let mut rest = String::new();
    while stream.read_line(&mut rest).await.is_ok_and(|read| read > 0) {
        heard.lock().unwrap().push_str(&rest);
        rest.clear();
    }
}

/// Whether the dialogue goes on.
async fn answer(stream: &mut BufReader<TcpStream>, reply: &str) -> bool {
    let text = reply.trim_end_matches(CLOSE).trim_end_matches(FLOOD).replace(SILENCE, "");
    if stream.write_all(text.as_bytes()).await.is_err() {
        return false;
    }
    if reply.ends_with(FLOOD) {
        while stream.write_all(&[b'x'; 4096]).await.is_ok() {}
    }
    !reply.ends_with(CLOSE) && !reply.ends_with(FLOOD)
}

/// An account on a server that plays a script, and what that server hears.
async fn account(greeting: &str, script: Script<'_>) -> (Pop3Account, Heard) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (greeting, heard) = (greeting.to_owned(), Heard::default());
    let script = script.into_iter().map(|(command, reply)| (command, reply.to_owned())).collect();
    let ears = heard.clone();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        play(stream, greeting, script, ears).await;
    });
    let account = Pop3Account {
        host: "127.0.0.1".into(),
        port,
        security: Security::None,
        trust: Trust::default(),
        user: "me".into(),
        authentication: Authentication::Password("secret".to_owned().into()),
        memory: LoginMemory::default(),
        timeout: Duration::from_millis(300),
        message_bytes_max: 1000,
        spool: crate::content::Spool::new(&std::env::temp_dir()),
    };
    (account, heard)
}

/// An open session, and what the server does in it.
fn opened<'a>(capa: &'a str, more: &[(&'static str, &'a str)]) -> Script<'a> {
    let opening = [("CAPA", capa), ("USER me", "+OK\r\n"), ("PASS secret", "+OK\r\n"), ("STAT", "+OK 3 9\r\n")];
    [&opening, more].concat()
}

async fn session(more: &[(&'static str, &str)]) -> (Session, Heard) {
    let (account, heard) = account(GREETING, opened(CAPA, more)).await;
    (Account::Pop3(account).open().await.unwrap(), heard)
}

fn key(uid: &str) -> MessageKey {
    MessageKey { mailbox: "me@127.0.0.1".into(), uid_validity: 0, uid: uid.into() }
}

fn delete(uid: &str) -> (MessageKey, Disposition) {
    (key(uid), Disposition { deleted: true, ..Disposition::default() })
}

fn sentence<T>(result: Result<T, Error>) -> Result<T, String> {
    result.map_err(|error| error.to_string())
}

#[tokio::test]
async fn listing_is_whole_or_an_error() {
    async fn check(more: &[(&'static str, &str)], expect: Result<&str, &str>) {
        let (mut session, _) = session(more).await;
        let listed = sentence(session.list().await);
        let one = |listed: &Listed| format!("{}/{:?}", listed.key.uid, listed.size);
        let text = listed.map(|all| all.iter().map(one).collect::<Vec<_>>().join(" "));
        assert_eq!(text.as_deref().map_err(String::as_str), expect);
    }
    check(&[("UIDL", UIDL), ("LIST", LIST)], Ok("aa/Some(3) bb/Some(3) cc/Some(3)")).await;
    check(&[("UIDL", "+OK\n1 aa\n.\n"), ("LIST", "+OK\n1 3\n.\n")], Ok("aa/Some(3)")).await;
    check(&[("UIDL", "+OK\r\n1 aa\r\n.\r\n"), ("LIST", "+OK\r\n1 -9\r\n2 7\r\n.\r\n")], Ok("aa/None")).await;
    check(&[("UIDL", "-ERR [SYS/TEMP] x\r\n"), ("LIST", LIST)], Err("127.0.0.1 refuses UIDL: [SYS/TEMP] x")).await;
    check(&[("UIDL", UIDL), ("LIST", "-ERR disk\r\n")], Err("127.0.0.1 refuses LIST: disk")).await;
    let during = |what: &str| format!("the answer of 127.0.0.1 to UIDL makes no sense: {what}");
    check(&[("UIDL", "+OK\r\n1 a\r\n1 b\r\n")], Err(&during("it lists a message twice"))).await;
    let number = during("a line of its listing does not begin with a message's number");
    check(&[("UIDL", "+OK\r\n0 a\r\n")], Err(&number)).await;
    check(&[("UIDL", "+OK\r\n\0\r\n")], Err(&number)).await;
    check(&[("UIDL", "+OK\r\n1 FLOOD")], Err(&during("a line is longer than 16384 bytes"))).await;
    check(&[("UIDL", "1 aa\r\n")], Err(&during("a line that is neither +OK nor -ERR"))).await;
    check(&[("UIDL", "+ aa\r\n")], Err(&during("it asks to go on"))).await;
    let cut = "127.0.0.1 closed the connection during UIDL: it gave no reason";
    check(&[("UIDL", "+OK\r\n1 aa\r\nCLOSE")], Err(cut)).await;
    check(&[("UIDL", "+OK\r\n1 aa\r\nSILENCE")], Err("127.0.0.1 did not answer UIDL within 300 ms")).await;
    let endless = (1..=super::LISTED_MAX + 1).map(|number| format!("{number} x\r\n")).collect::<String>();
    let many = during("it lists more than 1000000 messages");
    check(&[("UIDL", &format!("+OK\r\n{endless}"))], Err(&many)).await;
}

#[tokio::test]
async fn a_server_without_unique_ids_cannot_be_used() {
    let script = opened("-ERR what?\r\n", &[("UIDL", "-ERR unknown command\r\n")]);
    let mut session = Account::Pop3(account(GREETING, script).await.0).open().await.unwrap();
    let error = session.list().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "127.0.0.1 has no unique-ids for its messages (UIDL: unknown command), so that those handled already cannot be \
         told from new ones; use `type = \"imap\"`, or another server"
    );
    assert_eq!(error.class(), Class::Permanent);
}

#[tokio::test]
async fn messages_that_cannot_be_told_apart_are_told_of_once() {
    let uidl = "+OK\r\n1 aa\r\n2 bb\r\n3 aa\r\n.\r\n";
    let (mut session, _) = session(&[("UIDL", uidl), ("LIST", LIST)]).await;
    assert_eq!(session.list().await.unwrap(), [Listed { key: key("bb"), size: Some(3) }]);
    assert_eq!(session.take_unreadable().len(), 2);
    assert_eq!(session.take_unreadable().len(), 0);
    let (sink, _messages) = mpsc::channel(1);
    assert_eq!(session.fetch(&[key("aa")], &sink).await.unwrap().vanished, [key("aa")]);
}

#[tokio::test]
async fn an_empty_maildrop_is_not_listed() {
    let script = vec![("CAPA", CAPA), ("USER", "+OK\r\n"), ("PASS", "+OK\r\n"), ("STAT", "+OK 0 0\r\n")];
    let mut session = Account::Pop3(account(GREETING, script).await.0).open().await.unwrap();
    assert_eq!(session.list().await.unwrap(), []);
}

/// Fetches `aa`, `bb`, `zz` and `cc`: what arrives, what does not, and what the call gives.
async fn fetch(capa: &str, more: &[(&'static str, &str)]) -> (String, Result<Vec<String>, String>) {
    let listing = [("UIDL", UIDL), ("LIST", LIST)];
    let script = opened(capa, &[&listing, more].concat());
    let mut session = Account::Pop3(account(GREETING, script).await.0).open().await.unwrap();
    let (sink, mut messages) = mpsc::channel(10);
    let result = session.fetch(&[key("aa"), key("bb"), key("zz"), key("cc")], &sink).await;
    drop(sink);
    let mut arrived = String::new();
    while let Some(message) = messages.recv().await {
        arrived +=
            &format!("{}={} ", message.key.uid, String::from_utf8_lossy(&message.content.to_vec().unwrap()).trim_end());
    }
    let absences = result.map(|fetched| {
        let vanished = fetched.vanished.iter().map(|key| format!("vanished {}", key.uid));
        let refused = fetched.refused.iter().map(|(key, cause)| format!("refused {}: {cause}", key.uid));
        let withheld = fetched.withheld.iter().map(|(key, cause)| format!("withheld {}: {cause}", key.uid));
        vanished.chain(refused).chain(withheld).collect()
    });
    (arrived, sentence(absences))
}

#[tokio::test]
async fn messages_arrive_whole_or_not_at_all() {
    async fn check(more: &[(&'static str, &str)], arrived: &str, expect: Result<&[&str], &str>) {
        for pipelining in [true, false] {
            let capa = if pipelining { CAPA } else { "-ERR what?\r\n" };
            let (got, result) = fetch(capa, more).await;
            assert_eq!(got, arrived);
            match (result, expect) {
                (Ok(absent), Ok(expect)) => assert_eq!(absent, expect),
                (result, expect) => assert_eq!(result.err().as_deref(), expect.err()),
            }
        }
    }
    let (one, two, three) = (("RETR 1\r\n", ONE), ("RETR 2\r\n", TWO), ("RETR 3\r\n", THREE));
    check(&[one, two, three], "aa=a bb=.b cc=c ", Ok(&["vanished zz"])).await;
    let withheld = "withheld bb: 127.0.0.1 refuses message 2: no such message";
    check(&[one, ("RETR 2", GONE), three], "aa=a cc=c ", Ok(&["vanished zz", withheld])).await;
    let refused = "refused bb: 127.0.0.1 refuses message 2: [SYS/PERM] bad";
    check(&[one, ("RETR 2", "-ERR [SYS/PERM] bad\r\n"), three], "aa=a cc=c ", Ok(&["vanished zz", refused])).await;
    check(&[one, ("RETR 2", "+OK\r\n.\r\n"), three], "aa=a bb= cc=c ", Ok(&["vanished zz"])).await;
    let smuggled = "+OK\r\nb\n.\n+OK\nc\r\n.\r\n";
    check(&[one, ("RETR 2", smuggled), three], "aa=a bb=b\n.\n+OK\nc cc=c ", Ok(&["vanished zz"])).await;
    let zero = "+OK\r\n\0\r\n.\r\n";
    check(&[one, ("RETR 2", zero), three], "aa=a bb=\0 cc=c ", Ok(&["vanished zz"])).await;
    let cut = "127.0.0.1 closed the connection during RETR: it gave no reason";
    check(&[one, ("RETR 2", "+OK\r\nhalfCLOSE")], "aa=a ", Err(cut)).await;
    check(&[one, ("RETR 2", "+OK\r\nhalf\r\n.CLOSE")], "aa=a ", Err(cut)).await;
    let silent = "127.0.0.1 did not answer RETR within 300 ms";
    check(&[one, ("RETR 2", "+OK\r\nhalf\r\n.\nSILENCE")], "aa=a ", Err(silent)).await;
    check(&[one, ("RETR 2", SILENCE)], "aa=a ", Err(silent)).await;
    let nonsense = |what: &str| format!("the answer of 127.0.0.1 to RETR makes no sense: {what}");
    let too_long = nonsense("it sends a message of more than 1000 bytes");
    check(&[one, ("RETR 2", "+OK\r\nFLOOD")], "aa=a ", Err(&too_long)).await;
    let neither = nonsense("a line that is neither +OK nor -ERR");
    check(&[one, ("RETR 2", "b\r\n.\r\n")], "aa=a ", Err(&neither)).await;
}

#[tokio::test]
async fn the_limit_of_a_message_is_exact() {
    async fn check(bytes: usize, expect: Result<u64, &str>) {
        let text = format!("+OK\r\n{}\r\n.\r\n", "x".repeat(bytes - 2));
        let script = [("UIDL", UIDL), ("LIST", LIST), ("RETR 1", &text)];
        let (mut session, _) = session(&script).await;
        let (sink, _messages) = mpsc::channel(10);
        let fetched = sentence(session.fetch(&[key("aa")], &sink).await).map(|fetched| fetched.delivered);
        assert_eq!(fetched.as_ref().map_err(String::as_str), expect.as_ref().map_err(|text| *text));
    }
    check(1000, Ok(1)).await;
    let expect = "the answer of 127.0.0.1 to RETR makes no sense: it sends a message of more than 1000 bytes";
    check(1001, Err(expect)).await;
}

#[tokio::test]
async fn many_messages_go_in_a_window() {
    let uidl = (1..=150).map(|number| format!("{number} u{number}\r\n")).collect::<String>();
    let (uidl, list) = (format!("+OK\r\n{uidl}.\r\n"), "+OK\r\n.\r\n");
    let retrieved: Vec<_> = (1..=150).map(|_| ("RETR", ONE)).collect();
    let (mut session, heard) = session(&[&[("UIDL", &uidl[..]), ("LIST", list)], &retrieved[..]].concat()).await;
    let keys: Vec<_> = (1..=150).map(|number| key(&format!("u{number}"))).collect();
    let (sink, mut messages) = mpsc::channel(200);
    assert_eq!(session.fetch(&keys, &sink).await.unwrap().delivered, 150);
    drop(sink);
    for expected in keys {
        assert_eq!(messages.recv().await.unwrap().key, expected);
    }
    assert!(heard.lock().unwrap().contains("RETR 149\r\nRETR 150\r\n"));
}

#[tokio::test]
async fn the_header_comes_alone_if_the_server_can_send_it_so() {
    async fn check(reply: &str, expect: Option<&str>) {
        let Inner::Pop3(mut session) = session(&[("UIDL", UIDL), ("LIST", LIST), ("TOP 2 0", reply)]).await.0.inner
        else {
            panic!("not POP3")
        };
        let header = session.fetch_header(&key("bb")).await.unwrap();
        assert_eq!(header.as_deref(), expect.map(str::as_bytes));
        assert_eq!(session.fetch_header(&key("zz")).await.unwrap(), None);
    }
    check("+OK\r\nSubject: x\r\n\r\n.\r\n", Some("Subject: x\r\n\r\n")).await;
    check("-ERR what?\r\n", None).await;
    let long = format!("+OK\r\n{}.\r\n", "X: x\r\n".repeat(20_000));
    check(&long, Some(&long[5..5 + HEADER_BYTES_MAX])).await;
}

#[tokio::test]
async fn keys_of_another_maildrop_are_refused() {
    let (mut session, _) = session(&[("UIDL", UIDL), ("LIST", LIST)]).await;
    let foreign = MessageKey { mailbox: "me@elsewhere".into(), ..key("aa") };
    assert!(session.is_current(&key("aa")) && !session.is_current(&foreign));
    let (sink, _messages) = mpsc::channel(1);
    assert_eq!(session.fetch(std::slice::from_ref(&foreign), &sink).await.unwrap_err().class(), Class::Bug);
    let marks = [(foreign, Disposition { deleted: true, ..Disposition::default() })];
    assert_eq!(session.mark(&marks).await.unwrap_err().class(), Class::Bug);
}

#[tokio::test]
async fn what_is_marked_is_certain_once_the_server_has_said_goodbye() {
    async fn check(marks: &[&str], more: &[(&'static str, &str)], expect: Result<(), &str>) {
        let listing = [("UIDL", UIDL), ("LIST", LIST)];
        let (mut session, _) = session(&[&listing, more].concat()).await;
        assert!(!session.is_lasting());
        let marks: Vec<_> = marks.iter().map(|uid| delete(uid)).collect();
        let mut result = session.mark(&marks).await;
        if result.is_ok() {
            result = session.settle().await;
        }
        assert_eq!(sentence(result), expect.map_err(str::to_owned));
    }
    let (one, three, quit) = (("DELE 1\r\n", "+OK\r\n"), ("DELE 3\r\n", "+OK\r\n"), ("QUIT\r\n", "+OK bye\r\n"));
    check(&["cc", "aa", "aa"], &[one, three, quit], Ok(())).await;
    check(&["cc", "gone", "aa"], &[one, three, ("QUIT", "+OK\r\nCLOSE")], Ok(())).await;
    check(&["gone"], &[("QUIT", CLOSE)], Ok(())).await;
    let refused = "127.0.0.1 refuses QUIT: some deleted messages not removed";
    check(&["aa"], &[one, ("QUIT", "-ERR some deleted messages not removed\r\n")], Err(refused)).await;
    let closed = "127.0.0.1 closed the connection during QUIT: it gave no reason";
    check(&["aa"], &[one, ("QUIT", CLOSE)], Err(closed)).await;
    check(&["aa"], &[one, ("QUIT", SILENCE)], Err("127.0.0.1 did not answer QUIT within 300 ms")).await;
    let denied = ("DELE 1", "-ERR read-only\r\n");
    check(&["aa", "cc"], &[denied, three], Err("127.0.0.1 refuses DELE: read-only")).await;
}

#[tokio::test]
async fn a_session_that_cannot_delete_can_still_be_read_and_ended() {
    let (one, three, quit) = (("DELE 1", "-ERR no\r\n"), ("DELE 3", "+OK\r\n"), ("QUIT", "+OK\r\n"));
    let (mut session, _) = session(&[("UIDL", UIDL), ("LIST", LIST), one, three, ("RETR 2", TWO), quit]).await;
    let error = session.mark(&[delete("aa"), delete("cc")]).await.unwrap_err();
    assert!(error.is_refusal(), "{error}");
    let (sink, _messages) = mpsc::channel(1);
    assert_eq!(session.fetch(&[key("bb")], &sink).await.unwrap().delivered, 1);
    session.settle().await.unwrap();
}

#[tokio::test]
async fn marks_that_a_maildrop_does_not_have_are_passed_over() {
    let (mut session, heard) = session(&[("QUIT", "+OK\r\n")]).await;
    session.mark(&[(key("aa"), Disposition { seen: true, ..Disposition::default() })]).await.unwrap();
    session.settle().await.unwrap();
    assert!(!heard.lock().unwrap().contains("DELE"));
}

#[tokio::test]
async fn a_session_that_has_settled_is_over() {
    let (mut session, heard) = session(&[("QUIT", "+OK\r\n")]).await;
    session.settle().await.unwrap();
    let over = "the session with 127.0.0.1 is over: open the mailbox again";
    assert_eq!(session.list().await.unwrap_err().to_string(), over);
    assert_eq!(session.mark(&[delete("aa")]).await.unwrap_err().to_string(), over);
    assert_eq!(session.settle().await.unwrap_err().to_string(), over);
    session.wait(Duration::from_millis(1)).await.unwrap();
    session.close().await.unwrap();
    assert_eq!(heard.lock().unwrap().matches("QUIT").count(), 1);
}

#[tokio::test]
async fn a_session_that_is_cut_short_deletes_nothing() {
    let (mut session, heard) = session(&[("UIDL", UIDL), ("LIST", LIST), ("DELE 1", "+OK\r\n")]).await;
    session.mark(&[delete("aa")]).await.unwrap();
    session.close().await.unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(!heard.lock().unwrap().contains("QUIT"));
}

#[tokio::test]
async fn leaving_needs_no_answer() {
    session(&[("QUIT", "+OK\r\n")]).await.0.close().await.unwrap();
    session(&[("QUIT", CLOSE)]).await.0.close().await.unwrap();
}

#[tokio::test]
async fn a_fetch_dropped_half_way_does_not_leak_into_what_follows() {
    let (mut session, heard) =
        session(&[("UIDL", UIDL), ("LIST", LIST), ("DELE 3", "+OK\r\n"), ("RETR 1", SILENCE)]).await;
    session.mark(&[delete("cc")]).await.unwrap();
    let (sink, _messages) = mpsc::channel(1);
    let dropped = tokio::time::timeout(Duration::from_millis(50), session.fetch(&[key("aa")], &sink)).await;
    assert!(dropped.is_err());
    assert!(matches!(session.list().await, Err(Error::Abandoned { .. })));
    assert!(matches!(session.fetch(&[key("bb")], &sink).await, Err(Error::Abandoned { .. })));
    assert!(matches!(session.mark(&[delete("bb")]).await, Err(Error::Abandoned { .. })));
    assert!(matches!(session.settle().await, Err(Error::Abandoned { .. })));
    assert!(!heard.lock().unwrap().contains("QUIT"));
}

/// A whole session: open, list, fetch all, delete all, settle. What arrives, and whether the deletion is certain.
async fn whole_session(script: Script<'_>) -> (usize, Result<(), Error>) {
    let (sink, mut messages) = mpsc::channel(10);
    let run = async {
        let mut session = Account::Pop3(account(GREETING, script).await.0).open().await?;
        let keys: Vec<_> = session.list().await?.into_iter().map(|listed| listed.key).collect();
        session.fetch(&keys, &sink).await?;
        let marks: Vec<_> = keys.iter().map(|key| delete(&key.uid)).collect();
        session.mark(&marks).await?;
        session.settle().await
    };
    let result = run.await;
    let mut arrived = 0;
    while messages.try_recv().is_ok() {
        arrived += 1;
    }
    (arrived, result)
}

#[tokio::test]
async fn whatever_goes_wrong_at_whatever_command_nothing_is_taken_for_deleted() {
    let whole = || {
        let fetched = [("RETR 1", ONE), ("RETR 2", TWO), ("RETR 3", THREE)];
        let ended = [("DELE 1", "+OK\r\n"), ("DELE 2", "+OK\r\n"), ("DELE 3", "+OK\r\n"), ("QUIT", "+OK\r\n")];
        opened(CAPA, &[&[("UIDL", UIDL), ("LIST", LIST)], &fetched[..], &ended].concat())
    };
    assert_eq!(whole_session(whole()).await, (3, Ok(())));
    let mut sessions = Vec::new();
    for (place, (command, good)) in whole().into_iter().enumerate() {
        let half = format!("{}{CLOSE}", &good[..good.len() / 2]);
        let without_end = format!("{}{SILENCE}", &good[..good.len() - 1]);
        let faults = [CLOSE, &half, SILENCE, &without_end, "-ERR no\r\n", "OK\r\n", "\0\r\n", "\r\n", "+ x\r\n", FLOOD];
        for fault in faults {
            let (before, fault) = (whole(), fault.to_owned());
            sessions.push(async move {
                let script = before.into_iter().take(place).chain([(command, &fault[..])]).collect();
                let (arrived, result) = whole_session(script).await;
                assert!(result.is_err(), "{command} answered by {fault:?}: {arrived} arrived and all is well");
            });
        }
    }
    futures::future::join_all(sessions).await;
}
