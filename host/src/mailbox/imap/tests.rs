//! What servers do wrong, each by a scripted server on this machine.

mod login;

use super::*;

mod several;

use crate::class::Class;
use crate::mailbox::{Account, Disposition, Session};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

const GREETING: &str = "* OK [CAPABILITY IMAP4rev1 IDLE] ready\r\n";
const EXAMINED: &str = "* 3 EXISTS\r\n* OK [UIDVALIDITY 7] valid\r\n# OK [READ-ONLY] done\r\n";
const SELECTED: &str = "* 3 EXISTS\r\n* OK [UIDVALIDITY 7] valid\r\n# OK [READ-WRITE] done\r\n";
const LISTED: &str = "* 1 FETCH (UID 5 RFC822.SIZE 2)\r\n* 2 FETCH (UID 6 RFC822.SIZE 2)\r\n* 3 FETCH (UID 9 RFC822.SIZE 2)\r\n# OK done\r\n";
const FIVE: &str = "* 1 FETCH (UID 5 INTERNALDATE \" 1-Jan-2026 00:00:00 +0000\" BODY[] {2}\r\na\n)\r\n";
const SIX: &str = "* 2 FETCH (BODY[] {2}\r\nb\n UID 6 FLAGS (\\Seen))\r\n";
const NINE: &str = "* 3 FETCH (UID 9 BODY[] {2}\r\nc\n)\r\n";

/// What a server does when a command has begun with a word: an answer, in which `#` stands for the tag.
type Script = Vec<(&'static str, String)>;

/// Instead of an answer: read on and say nothing.
const SILENCE: &str = "SILENCE";
/// At the end of an answer: close the connection.
const CLOSE: &str = "CLOSE";
/// At the end of an answer: a line without end.
const FLOOD: &str = "FLOOD";

async fn play(stream: TcpStream, greeting: String, script: Script) {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    if !answer(&mut stream, &greeting, "").await {
        return;
    }
    for (expected, reply) in script {
        line.clear();
        stream.read_line(&mut line).await.unwrap();
        let (tag, command) = line.split_once(' ').unwrap_or(("", &line));
        assert!(command.starts_with(expected) || line.starts_with(expected), "{line:?} is not {expected:?}");
        if !answer(&mut stream, &reply, tag).await {
            return;
        }
    }
    while stream.read_line(&mut line).await.is_ok_and(|read| read > 0) {}
}

/// Whether the dialogue goes on.
async fn answer(stream: &mut BufReader<TcpStream>, reply: &str, tag: &str) -> bool {
    let reply = reply.replace('#', tag).replace(SILENCE, "");
    let text = reply.trim_end_matches(CLOSE).trim_end_matches(FLOOD);
    stream.write_all(text.as_bytes()).await.unwrap();
    if reply.ends_with(FLOOD) {
        while stream.write_all(&[b'x'; 4096]).await.is_ok() {}
    }
    !reply.ends_with(CLOSE) && !reply.ends_with(FLOOD)
}

/// An account on a server that plays a script.
async fn account(greeting: &str, script: Script) -> ImapAccount {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let greeting = greeting.to_owned();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        play(stream, greeting, script).await;
    });
    ImapAccount {
        host: "127.0.0.1".into(),
        port,
        security: Security::None,
        user: "me".into(),
        authentication: Authentication::Password("secret".to_owned().into()),
        memory: LoginMemory::default(),
        mailboxes: vec!["INBOX".into()],
        targets: Vec::new(),
        purge: false,
        trust: Trust::default(),
        timeout: Duration::from_millis(300),
        limits: Limits::default(),
        spool: Spool::new(&std::env::temp_dir()),
    }
}

fn login() -> Script {
    vec![("LOGIN \"me\" \"secret\"", "# OK [CAPABILITY IMAP4rev1 IDLE] in\r\n".into())]
}

fn opened(more: &[(&'static str, &str)]) -> Script {
    let mut script = login();
    script.push(("EXAMINE \"INBOX\"", EXAMINED.into()));
    script.extend(more.iter().map(|(command, reply)| (*command, (*reply).to_owned())));
    script
}

async fn session(more: &[(&'static str, &str)]) -> Session {
    Account::Imap(account(GREETING, opened(more)).await).open().await.unwrap()
}

fn key(uid: &str) -> MessageKey {
    MessageKey { mailbox: "INBOX".into(), uid_validity: 7, uid: uid.into() }
}

/// Fetches 5, 6 and 9: what arrives, and what the call gives.
async fn fetch(more: &[(&'static str, &str)]) -> (String, Result<Fetched, Error>) {
    let (sink, mut messages) = mpsc::channel(10);
    let result = session(more).await.fetch(&[key("5"), key("6"), key("9")], &sink).await;
    drop(sink);
    let mut arrived = String::new();
    while let Some(message) = messages.recv().await {
        arrived +=
            &format!("{}={} ", message.key.uid, String::from_utf8_lossy(&message.content.to_vec().unwrap()).trim());
    }
    (arrived, result)
}

/// What did not arrive, and why.
fn absences(fetched: &Fetched) -> Vec<String> {
    let vanished = fetched.vanished.iter().map(|key| format!("vanished {}", key.uid));
    let refused = fetched.refused.iter().map(|(key, cause)| format!("refused {}: {cause}", key.uid));
    let withheld = fetched.withheld.iter().map(|(key, cause)| format!("withheld {}: {cause}", key.uid));
    vanished.chain(refused).chain(withheld).collect()
}

#[tokio::test]
async fn opening_says_what_is_wrong() {
    async fn check(greeting: &str, script: Script, class: Class, expect: &str) {
        let error = Account::Imap(account(greeting, script).await).open().await.unwrap_err();
        assert_eq!(error.to_string(), expect);
        assert_eq!(error.class(), class, "{expect}");
        assert!(!error.to_string().contains("secret"), "a password in {error}");
    }
    let (passing, lasting) = (Class::Transient, Class::Permanent);
    check("* BYE too busy\r\n", vec![], passing, "127.0.0.1 refuses the connection: too busy").await;
    check(
        "220 smtp ready\r\n",
        vec![],
        passing,
        "127.0.0.1 does not greet as a mail server does: what it says is not IMAP; check port and security mode",
    )
    .await;
    check(
        SILENCE,
        vec![],
        passing,
        "127.0.0.1 does not greet as a mail server does: it says nothing; check port and security mode",
    )
    .await;
    check(
        GREETING,
        vec![("LOGIN", "# NO [AUTHENTICATIONFAILED] wrong.\r\n".into())],
        lasting,
        "127.0.0.1 refuses user \"me\" and its password: [AUTHENTICATIONFAILED] wrong; check both",
    )
    .await;
    check(
        GREETING,
        vec![("LOGIN", "# NO [UNAVAILABLE] try later\r\n".into())],
        passing,
        "127.0.0.1 refuses LOGIN: [UNAVAILABLE] try later",
    )
    .await;
    check(
        "* OK [CAPABILITY IMAP4rev1 LOGINDISABLED] hi\r\n",
        vec![],
        lasting,
        "127.0.0.1 cannot log in user \"me\": the server takes no password on this connection; use `security = \"tls\"`",
    )
    .await;
    check(GREETING, vec![("LOGIN", SILENCE.into())], passing, "127.0.0.1 did not answer LOGIN within 300 ms").await;
    check(
        GREETING,
        vec![("LOGIN", CLOSE.into())],
        passing,
        "127.0.0.1 closed the connection during LOGIN: it gave no reason",
    )
    .await;
}

#[tokio::test]
async fn a_mailbox_that_cannot_be_opened_is_named() {
    async fn check(reply: &str, expect: &str) {
        let mut script = login();
        script.push(("EXAMINE", reply.into()));
        let error = Account::Imap(account(GREETING, script).await).open().await.unwrap_err();
        assert_eq!(error.to_string(), expect);
        assert_eq!(error.class(), Class::Permanent);
    }
    check(
        "# NO no such mailbox\r\n",
        "127.0.0.1 cannot open mailbox \"INBOX\": no such mailbox; check its name and the user's rights",
    )
    .await;
    check(
        "* 1 EXISTS\r\n# OK done\r\n",
        "the answer of 127.0.0.1 to the last command makes no sense: \
         it gives no UIDVALIDITY, so its messages cannot be told apart",
    )
    .await;
}

#[tokio::test]
async fn a_server_that_knows_us_already_needs_no_login() {
    let script = vec![("EXAMINE", EXAMINED.into())];
    let account = account("* PREAUTH [CAPABILITY IMAP4rev1] hello\r\n", script).await;
    assert_eq!(Account::Imap(account).open().await.unwrap().waiting(), 3);
}

#[tokio::test]
async fn any_password_goes_through_plain_even_when_news_comes_first() {
    // "\0me\0s\"é" in base64.
    let script = vec![("AUTHENTICATE PLAIN", "* OK please wait\r\n+ \r\n".into()), ("AG1lAHMiw6k=", String::new())];
    let mut account = account("* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] ready\r\n", script).await;
    account.authentication = Authentication::Password("s\"é".to_owned().into());
    let error = Account::Imap(account).open().await.unwrap_err();
    assert_eq!(error.to_string(), "127.0.0.1 did not answer AUTHENTICATE within 300 ms");
}

#[tokio::test]
async fn listing_is_whole_or_an_error() {
    async fn check(more: &[(&'static str, &str)], expect: Result<&str, &str>) {
        let listed = session(more).await.list().await;
        let text = listed.map(|all| all.iter().map(|one| one.key.uid.clone()).collect::<Vec<_>>().join(" "));
        let text = text.map_err(|error| error.to_string());
        assert_eq!(text.as_deref().map_err(String::as_str), expect);
    }
    let noop = ("NOOP", "# OK\r\n");
    let nested = format!("* 1 FETCH {}", "(".repeat(400));
    check(&[noop, ("UID FETCH 1:* (UID RFC822.SIZE)", LISTED)], Ok("5 6 9")).await;
    check(&[("NOOP", "* 0 EXISTS\r\n# OK\r\n")], Ok("")).await;
    check(
        &[noop, ("UID FETCH", "* 3 FETCH (UID 9 RFC822.SIZE 2)\r\n* 1 FETCH (UID 5 RFC822.SIZE 2)\r\n* 3 FETCH (UID 9 RFC822.SIZE 2)\r\n* 3 FETCH (FLAGS (\\Seen) UID 9)\r\n# OK\r\n")],
        Ok("5 9"),
    )
    .await;
    check(&[("NOOP", "# NO go away\r\n")], Err("127.0.0.1 refuses NOOP: go away")).await;
    check(&[noop, ("UID FETCH", "# NO busy\r\n")], Err("127.0.0.1 refuses UID FETCH: busy")).await;
    check(&[noop, ("UID FETCH", "# BAD what?\r\n")], Err("127.0.0.1 refuses UID FETCH: what?")).await;
    check(
        &[noop, ("UID FETCH", "* 1 FETCH (UID 5 RFC822.SIZE 2)\r\nCLOSE")],
        Err("127.0.0.1 closed the connection during UID FETCH: it gave no reason"),
    )
    .await;
    check(
        &[noop, ("UID FETCH", "* BYE shutting down\r\nCLOSE")],
        Err("127.0.0.1 closed the connection during UID FETCH: shutting down"),
    )
    .await;
    check(
        &[noop, ("UID FETCH", &nested)],
        Err("the answer of 127.0.0.1 to UID FETCH makes no sense: a response holds more than 64 opening parentheses"),
    )
    .await;
    check(
        &[noop, ("UID FETCH", "* OK FLOOD")],
        Err("the answer of 127.0.0.1 to UID FETCH makes no sense: a response line is longer than 262144 bytes"),
    )
    .await;
    check(
        &[noop, ("UID FETCH", "* WHAT is this\r\n")],
        Err("the answer of 127.0.0.1 to UID FETCH makes no sense: a response that is not IMAP"),
    )
    .await;
    check(
        &[noop, ("UID FETCH", "X9 OK done\r\n")],
        Err("the answer of 127.0.0.1 to UID FETCH makes no sense: it completes a command that was not sent"),
    )
    .await;
    check(
        &[noop, ("UID FETCH", "* OK [UIDVALIDITY 8] changed\r\n# OK\r\n")],
        Err("mailbox \"INBOX\" on 127.0.0.1 was renumbered (UIDVALIDITY 7 became 8): list its messages again"),
    )
    .await;
}

#[tokio::test]
async fn messages_arrive_in_order_or_not_at_all() {
    async fn check(more: &[(&'static str, &str)], arrived: &str, expect: Result<&[&str], &str>) {
        let (got, result) = fetch(more).await;
        assert_eq!(got, arrived);
        match (result, expect) {
            (Ok(fetched), Ok(absent)) => assert_eq!(absences(&fetched), absent),
            (result, expect) => assert_eq!(result.map_err(|error| error.to_string()).err().as_deref(), expect.err()),
        }
    }
    let fetch = "UID FETCH 5,6,9 (UID INTERNALDATE BODY.PEEK[])";
    let all = "5=a 6=b 9=c ";
    check(&[(fetch, &[FIVE, SIX, NINE, "# OK\r\n"].concat())], all, Ok(&[])).await;
    check(&[(fetch, &[NINE, FIVE, NINE, FIVE, SIX, NINE, "# OK\r\n"].concat())], all, Ok(&[])).await;
    check(&[(fetch, &[FIVE, "* 2 FETCH (UID 2 BODY[] {2}\r\nz\n)\r\n", SIX, NINE, "# OK\r\n"].concat())], all, Ok(&[]))
        .await;
    check(
        &[(fetch, &[FIVE, NINE, "# OK\r\n"].concat()), ("UID FETCH 6 (UID RFC822.SIZE)", "# OK\r\n")],
        "5=a 9=c ",
        Ok(&["vanished 6"]),
    )
    .await;
    check(
        &[(fetch, &[FIVE, NINE, "# OK\r\n"].concat()), ("UID FETCH 6", "* 2 FETCH (UID 6 RFC822.SIZE 2)\r\n# OK\r\n")],
        "5=a 9=c ",
        Ok(&["withheld 6: 127.0.0.1 has message 6 but did not send it"]),
    )
    .await;
    check(
        &[(fetch, &[FIVE, "* 2 FETCH (UID 6 BODY[] NIL)\r\n", NINE, "# OK\r\n"].concat())],
        "5=a 9=c ",
        Ok(&["refused 6: 127.0.0.1 has the message but sends no text of it"]),
    )
    .await;
    check(&[(fetch, &[FIVE, "# NO disk\r\n"].concat())], "5=a ", Err("127.0.0.1 refuses UID FETCH: disk")).await;
    check(
        &[(fetch, &[FIVE, CLOSE].concat())],
        "5=a ",
        Err("127.0.0.1 closed the connection during UID FETCH: it gave no reason"),
    )
    .await;
    check(
        &[(fetch, &[FIVE, "* 2 FETCH (UID 6 BODY[] {9}\r\nhalfCLOSE"].concat())],
        "5=a ",
        Err("127.0.0.1 closed the connection during UID FETCH: in the middle of a response"),
    )
    .await;
    check(
        &[(fetch, &[FIVE, "* 2 FETCH (UID 6 BODY[] {99000000000}\r\n"].concat())],
        "5=a ",
        Err("the answer of 127.0.0.1 to UID FETCH makes no sense: a response holds more than 67108864 bytes of text"),
    )
    .await;
    check(&[(fetch, &[FIVE, SILENCE].concat())], "5=a ", Err("127.0.0.1 did not answer UID FETCH within 300 ms")).await;
}

#[tokio::test]
async fn many_messages_go_in_several_commands() {
    let uids: Vec<u32> = (1..=250).collect();
    let reply = |range: &[u32]| {
        let bodies: String =
            range.iter().map(|uid| format!("* {uid} FETCH (UID {uid} BODY[] {{1}}\r\nx)\r\n")).collect();
        bodies + "# OK\r\n"
    };
    let replies: Vec<String> = uids.chunks(100).map(reply).collect();
    let script: Vec<_> = replies.iter().map(|reply| ("UID FETCH", reply.as_str())).collect();
    let mut session = session(&script).await;
    let keys: Vec<_> = uids.iter().map(|uid| key(&uid.to_string())).collect();
    let (sink, mut messages) = mpsc::channel(300);
    assert_eq!(session.fetch(&keys, &sink).await.unwrap().delivered, 250);
    drop(sink);
    for expected in keys {
        assert_eq!(messages.recv().await.unwrap().key, expected);
    }
}

#[tokio::test]
async fn keys_of_another_numbering_are_refused() {
    let (sink, _messages) = mpsc::channel(1);
    let mut session = session(&[]).await;
    let old = MessageKey { uid_validity: 6, ..key("5") };
    assert!(!session.is_current(&old));
    let error = session.fetch(&[old], &sink).await.unwrap_err();
    assert!(matches!(error, Error::Renumbered { before: 6, now: 7, .. }), "{error}");
    let foreign = MessageKey { mailbox: "Spam".into(), ..key("5") };
    let error = session.fetch(&[foreign], &sink).await.unwrap_err();
    assert_eq!(error.class(), Class::Bug);
}

#[tokio::test]
async fn a_fetch_dropped_half_way_does_not_leak_into_the_next() {
    let mut session = session(&[("UID FETCH", SILENCE)]).await;
    let (sink, _messages) = mpsc::channel(1);
    let dropped = tokio::time::timeout(Duration::from_millis(50), session.fetch(&[key("5")], &sink)).await;
    assert!(dropped.is_err());
    assert!(matches!(session.list().await, Err(Error::Abandoned { .. })));
}

#[tokio::test]
async fn marks_are_gathered_by_what_they_do() {
    async fn check(more: &[(&'static str, &str)], expect: Result<(), &str>) {
        let seen = Disposition::SEEN;
        let both = Disposition { deleted: true, ..Disposition::SEEN };
        let marks = [
            (key("9"), seen.clone()),
            (key("5"), seen.clone()),
            (key("6"), seen),
            (key("7"), Disposition::default()),
            (key("8"), both),
        ];
        let result = session(more).await.mark(&marks).await.map_err(|error| error.to_string());
        assert_eq!(result, expect.map_err(str::to_owned));
    }
    let select = ("SELECT \"INBOX\"", SELECTED);
    check(
        &[
            select,
            ("UID STORE 5:6,9 +FLAGS.SILENT (\\Seen)", "# OK\r\n"),
            ("UID STORE 8 +FLAGS.SILENT (\\Seen \\Deleted)", "# OK\r\n"),
        ],
        Ok(()),
    )
    .await;
    check(&[select, ("UID STORE", "# NO denied\r\n")], Err("127.0.0.1 refuses UID STORE: denied")).await;
    check(
        &[("SELECT", EXAMINED)],
        Err("mailbox \"INBOX\" on 127.0.0.1 is read-only, so nothing can be marked there; check the user's rights"),
    )
    .await;
    check(
        &[("SELECT", "* 3 EXISTS\r\n* OK [UIDVALIDITY 8] new\r\n# OK done\r\n")],
        Err("mailbox \"INBOX\" on 127.0.0.1 was renumbered (UIDVALIDITY 7 became 8): list its messages again"),
    )
    .await;
}

#[tokio::test]
async fn waiting_ends_with_news_with_time_or_with_the_connection() {
    async fn check(more: &[(&'static str, &str)], at_most_ms: u64, expect: Result<(), &str>) {
        let listing = [("NOOP", "# OK\r\n"), ("UID FETCH", LISTED)];
        let mut session = session(&[&listing, more].concat()).await;
        session.wait(Duration::from_secs(60)).await.unwrap(); // What was never listed is news.
        session.list().await.unwrap();
        let result = session.wait(Duration::from_millis(at_most_ms)).await;
        assert_eq!(result.map_err(|error| error.to_string()), expect.map_err(str::to_owned));
    }
    let done = ("DONE", "M5 OK\r\n");
    check(&[("IDLE", "+ go\r\n* OK still here\r\n* 4 EXISTS\r\n"), done], 60_000, Ok(())).await;
    check(&[("IDLE", "* 4 EXISTS\r\n+ go\r\n"), done], 60_000, Ok(())).await;
    check(&[("IDLE", "+ go\r\n"), done], 50, Ok(())).await;
    check(&[("IDLE", "# NO not today\r\n")], 50, Ok(())).await;
    check(&[("IDLE", "+ go\r\nCLOSE")], 60_000, Err("127.0.0.1 closed the connection during IDLE: it gave no reason"))
        .await;
    check(&[("IDLE", SILENCE)], 60_000, Err("127.0.0.1 did not answer IDLE within 300 ms")).await;
}

#[tokio::test]
async fn leaving_needs_no_answer_after_a_goodbye() {
    session(&[("LOGOUT", "* BYE\r\n# OK\r\n")]).await.close().await.unwrap();
    session(&[("LOGOUT", "* BYE\r\nCLOSE")]).await.close().await.unwrap();
}

#[tokio::test]
async fn a_test_reports_each_step_and_the_one_that_failed() {
    let script = opened(&[("NOOP", "# OK\r\n"), ("UID FETCH", LISTED), ("LOGOUT", "# OK\r\n")]);
    let mut seen = Vec::new();
    let good = Account::Imap(account(GREETING, script).await);
    good.test(|step| seen.push((step.stage, step.outcome.unwrap()))).await.unwrap();
    assert_eq!(seen.last().unwrap(), &(Stage::Waiting, Seen::Waiting { messages: 3, mailboxes: Vec::new() }));
    assert_eq!(seen.len(), 7, "{seen:?}");

    let mut seen = Vec::new();
    let bad = Account::Imap(account(GREETING, vec![("LOGIN", "# NO no\r\n".into())]).await);
    bad.test(|step| seen.push((step.stage, step.outcome.is_ok()))).await.unwrap_err();
    assert_eq!(seen.last().unwrap(), &(Stage::Authentication, false));
}

#[test]
fn uids_become_ranges() {
    let check = |uids: &[u32], expect: &str| assert_eq!(ranges(uids.iter().copied().collect()).join(","), expect);
    check(&[], "");
    check(&[3, 1, 2, 7, 9, 10], "1:3,7,9:10");
    check(&[u32::MAX, u32::MAX - 1], "4294967294:4294967295");
}

#[tokio::test]
async fn leaving_in_the_middle_of_a_wait_ends_it_first() {
    let listing = [("NOOP", "# OK\r\n"), ("UID FETCH", LISTED)];
    let leave = [("IDLE", "+ go\r\n"), ("DONE", "M5 OK\r\n"), ("LOGOUT", "* BYE\r\n# OK\r\n")];
    let mut session = session(&[&listing[..], &leave].concat()).await;
    session.list().await.unwrap();
    let dropped = tokio::time::timeout(Duration::from_millis(100), session.wait(Duration::from_secs(60))).await;
    assert!(dropped.is_err());
    session.close().await.unwrap();
}

#[tokio::test]
async fn a_mailbox_that_cannot_be_marked_can_still_be_read() {
    async fn check(refusal: &[(&'static str, &str)]) {
        let listing = [("NOOP", "# OK\r\n"), ("UID FETCH 1:*", LISTED)];
        let mut session = session(&[refusal, &listing].concat()).await;
        let mark = (key("5"), Disposition::SEEN);
        let error = session.mark(&[mark]).await.unwrap_err();
        assert!(error.is_refusal(), "{error}");
        assert_eq!(session.list().await.unwrap().len(), 3);
    }
    check(&[("SELECT", EXAMINED)]).await;
    check(&[("SELECT", "# NO no rights\r\n"), ("EXAMINE", EXAMINED)]).await;
    check(&[("SELECT", SELECTED), ("UID STORE", "# NO no rights\r\n")]).await;
}
