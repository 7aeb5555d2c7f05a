//! Several mailboxes over one connection, and what becomes of handled messages.

use super::*;
use crate::mailbox::Inner;

const LIST: &str =
    "* LIST (\\HasNoChildren) \"/\" INBOX\r\n* LIST () \"/\" \"INBOX/Support\"\r\n* LIST () \"/\" Done\r\n# OK\r\n";
const FIVE_DELETED: &str = "* 1 FETCH (UID 5 FLAGS (\\Seen))\r\n* 2 FETCH (UID 6 FLAGS (\\Deleted))\r\n# OK\r\n";
const LIKE_FIVE: &str = "* 1 FETCH (UID 5 RFC822.SIZE 9 INTERNALDATE \"01-Jan-2026 00:00:00 +0000\" BODY[HEADER.FIELDS (MESSAGE-ID)] \
     {19}\r\nMessage-ID: <a@b>\r\n)\r\n# OK\r\n";

fn other_validity(reply: &str) -> String {
    reply.replace("UIDVALIDITY 7", "UIDVALIDITY 8").replace("3 EXISTS", "1 EXISTS")
}

/// A session on a server with these capabilities, for an account that is changed by `change`.
async fn with(
    capabilities: &str,
    change: impl FnOnce(&mut ImapAccount),
    more: &[(&'static str, &str)],
) -> Result<Session, Error> {
    let capabilities = format!("# OK [CAPABILITY IMAP4rev1 {capabilities}] in\r\n");
    let mut script: Script = vec![("LOGIN", capabilities)];
    script.extend(more.iter().map(|(command, reply)| (*command, (*reply).to_owned())));
    let mut account = account(GREETING, script).await;
    change(&mut account);
    Account::Imap(account).open().await
}

fn moving(account: &mut ImapAccount) {
    account.targets = vec!["Done".into()];
}

fn disposition(text: &str) -> Disposition {
    toml::from_str(text).unwrap()
}

#[tokio::test]
async fn several_mailboxes_are_one_session() {
    let support = other_validity(EXAMINED);
    let one = "* 1 FETCH (UID 5 RFC822.SIZE 2)\r\n# OK\r\n";
    let script = [
        ("LIST \"\" \"*\"", LIST),
        ("EXAMINE \"INBOX\"", EXAMINED),
        ("EXAMINE \"INBOX/Support\"", &support),
        // The listing.
        ("EXAMINE \"INBOX\"", EXAMINED),
        ("NOOP", "# OK\r\n"),
        ("UID FETCH 1:*", LISTED),
        ("EXAMINE \"INBOX/Support\"", &support),
        ("NOOP", "# OK\r\n"),
        ("UID FETCH 1:*", one),
        // Two messages of the one, one of the other.
        ("EXAMINE \"INBOX\"", EXAMINED),
        ("UID FETCH 5,6", &[FIVE, SIX, "# OK\r\n"].concat()),
        ("EXAMINE \"INBOX/Support\"", &support),
        ("UID FETCH 5", &[FIVE, "# OK\r\n"].concat()),
        ("SELECT \"INBOX\"", SELECTED),
        ("UID STORE 5:6 +FLAGS.SILENT (\\Seen)", "# OK\r\n"),
        ("SELECT \"INBOX/Support\"", &other_validity(SELECTED)),
        ("UID STORE 5 +FLAGS.SILENT (\\Seen)", "# OK\r\n"),
        // News of the first is heard of.
        ("EXAMINE \"INBOX\"", &EXAMINED.replace("3 EXISTS", "4 EXISTS")),
    ];
    let names = |account: &mut ImapAccount| account.mailboxes = vec!["inbox".into(), "Support".into()];
    let mut session = with("IDLE", names, &script).await.unwrap();
    let listed: Vec<String> = session.list().await.unwrap().iter().map(|it| it.key.to_string()).collect();
    assert_eq!(listed, ["INBOX/7:5", "INBOX/7:6", "INBOX/7:9", "INBOX/Support/8:5"]);
    assert_eq!(session.waiting(), 4);
    let support = MessageKey { mailbox: "INBOX/Support".into(), uid_validity: 8, uid: "5".into() };
    assert!(session.is_current(&support) && !session.is_current(&MessageKey { uid_validity: 7, ..support.clone() }));
    let (sink, mut messages) = mpsc::channel(10);
    let keys = [key("5"), key("6"), support];
    assert_eq!(session.fetch(&keys, &sink).await.unwrap().delivered, 3);
    for expect in &keys {
        assert_eq!(messages.recv().await.unwrap().key, *expect);
    }
    session.mark(&keys.map(|key| (key, Disposition::SEEN))).await.unwrap();
    session.wait(Duration::from_secs(60)).await.unwrap();
}

#[tokio::test]
async fn mailboxes_that_are_missing_or_the_same_are_named() {
    async fn check(names: &[&str], targets: &[&str], more: &[(&'static str, &str)], expect: &str) {
        let change = |account: &mut ImapAccount| {
            account.mailboxes = names.iter().map(ToString::to_string).collect();
            account.targets = targets.iter().map(ToString::to_string).collect();
        };
        let script = [&[("LIST", LIST)], more].concat();
        let error = with("IDLE", change, &script).await.unwrap_err();
        assert_eq!(error.to_string(), expect);
        assert_eq!(error.class(), Class::Permanent);
    }
    check(
        &["Suport"],
        &[],
        &[("EXAMINE \"Suport\"", "# NO no such mailbox\r\n")],
        "127.0.0.1 has no mailbox \"Suport\"; did you mean \"INBOX/Support\"?",
    )
    .await;
    check(
        &["Support", "INBOX/Support"],
        &[],
        &[],
        "\"Support\" and \"INBOX/Support\" are the same mailbox on 127.0.0.1; name it once",
    )
    .await;
    check(
        &["INBOX/Support"],
        &["Support"],
        &[("EXAMINE", EXAMINED)],
        "messages cannot be moved to \"Support\": on 127.0.0.1 that is the mailbox \"INBOX/Support\", which this job \
         watches for new ones",
    )
    .await;
}

#[tokio::test]
async fn keywords_are_set_where_the_server_keeps_them() {
    async fn check(permanent: &str, stored: &[(&'static str, &str)], expect: Result<(), &str>) {
        let selected = format!("* OK [PERMANENTFLAGS ({permanent})] kept\r\n{SELECTED}");
        let script = [&[("EXAMINE", EXAMINED), ("SELECT", &selected)], stored].concat();
        let mut session = with("IDLE", |_| (), &script).await.unwrap();
        let marked = session.mark(&[(key("5"), disposition("seen = true\nkeyword = 'Handled'"))]).await;
        assert_eq!(marked.as_ref().map_err(ToString::to_string).err().as_deref(), expect.err());
        assert!(marked.err().is_none_or(|error| error.is_refusal()));
    }
    let seen = ("UID STORE 5 +FLAGS.SILENT (\\Seen)", "# OK\r\n");
    let keyword = ("UID STORE 5 +FLAGS.SILENT (Handled)", "# OK\r\n");
    check("\\Seen \\*", &[seen, keyword], Ok(())).await;
    check("\\Seen handled", &[seen, keyword], Ok(())).await;
    check(
        "\\Seen \\Deleted",
        &[seen],
        Err("mailbox \"INBOX\" on 127.0.0.1 does not keep the flag or keyword \"Handled\"; it keeps these: \\Seen \
             \\Deleted; change [handling], or the user's rights"),
    )
    .await;
    check(
        "",
        &[],
        Err(
            "mailbox \"INBOX\" on 127.0.0.1 does not keep the flag or keyword \"\\Seen\"; it keeps these: none; change \
             [handling], or the user's rights",
        ),
    )
    .await;
}

#[tokio::test]
async fn messages_move_as_well_as_the_server_can() {
    async fn check(capabilities: &str, again: bool, more: &[(&'static str, &str)]) {
        let opened = [("LIST", LIST), ("EXAMINE \"INBOX\"", EXAMINED), ("SELECT \"INBOX\"", SELECTED)];
        let mut session = with(capabilities, moving, &[&opened[..], more].concat()).await.unwrap();
        let marks = ["5", "6"].map(|uid| (key(uid), disposition("move = 'Done'")));
        let done = if again { session.mark_again(&marks).await } else { session.mark(&marks).await };
        done.unwrap();
        session.close().await.unwrap();
    }
    let logout = ("LOGOUT", "# OK\r\n");
    let (copy, delete) = (("UID COPY 5 \"Done\"", "# OK\r\n"), ("UID STORE 5:6 +FLAGS.SILENT (\\Deleted)", "# OK\r\n"));
    let flags = ("UID FETCH 5:6 (UID FLAGS)", FIVE_DELETED);
    let gone = ("UID FETCH 5:6 (UID FLAGS)", "# OK\r\n");
    let expunge = ("UID EXPUNGE 5:6", "# OK\r\n");
    check("MOVE UIDPLUS", false, &[("UID MOVE 5:6 \"Done\"", "* 1 EXPUNGE\r\n# OK\r\n"), logout]).await;
    check("MOVE UIDPLUS", true, &[gone, logout]).await;
    check("UIDPLUS", false, &[flags, copy, delete, expunge, logout]).await;
    check("IDLE", false, &[flags, copy, delete, logout]).await;
    // It broke off after the copy: the target has a message like 5 already.
    let like = ("UID FETCH 5 (UID RFC822.SIZE INTERNALDATE BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])", LIKE_FIVE);
    let examine = ("EXAMINE \"Done\"", EXAMINED);
    let search = |found: &'static str| ("UID SEARCH LARGER 8 SMALLER 10", found);
    let there = LIKE_FIVE.replace("UID 5", "UID 70").replace("01-Jan", "02-Jan");
    let select = ("SELECT \"INBOX\"", SELECTED);
    let found = [flags, like, examine, search("* SEARCH 70\r\n# OK\r\n"), ("UID FETCH 70", &there), select];
    check("UIDPLUS", true, &[&found[..], &[delete, expunge, logout]].concat()).await;
    // It broke off before the copy: what is there is another message of that size.
    let other = there.replace("<a@b>", "<c@d>");
    let found = [flags, like, examine, search("* SEARCH 70\r\n# OK\r\n"), ("UID FETCH 70", &other), select];
    check("UIDPLUS", true, &[&found[..], &[copy, delete, expunge, logout]].concat()).await;
    let none = [flags, like, examine, search("* SEARCH\r\n# OK\r\n"), select];
    check("UIDPLUS", true, &[&none[..], &[copy, delete, expunge, logout]].concat()).await;
}

#[tokio::test]
async fn a_target_that_does_not_exist_is_made() {
    async fn check(more: &[(&'static str, &str)], expect: Result<(), &str>) {
        let inbox = "* LIST () \".\" INBOX\r\n# OK\r\n";
        let opened = [("LIST", inbox), ("EXAMINE \"INBOX\"", EXAMINED), ("SELECT \"INBOX\"", SELECTED)];
        let mut session = with("MOVE UIDPLUS", moving, &[&opened[..], more].concat()).await.unwrap();
        let marked = session.mark(&[(key("5"), disposition("move = 'Done'"))]).await.map_err(|error| error.to_string());
        assert_eq!(marked, expect.map_err(str::to_owned));
    }
    let (create, subscribe) = (("CREATE \"Done\"", "# OK\r\n"), ("SUBSCRIBE \"Done\"", "# NO none kept\r\n"));
    check(&[create, subscribe, ("UID MOVE 5 \"Done\"", "# OK\r\n")], Ok(())).await;
    let refused = ("CREATE \"Done\"", "# NO not outside of INBOX\r\n");
    let below = [("CREATE \"INBOX.Done\"", "# OK\r\n"), ("SUBSCRIBE", "# OK\r\n")];
    check(&[&[refused], &below[..], &[("UID MOVE 5 \"INBOX.Done\"", "# OK\r\n")]].concat(), Ok(())).await;
    let exists = ("CREATE \"Done\"", "# NO [ALREADYEXISTS] it is there\r\n");
    check(&[exists, subscribe, ("UID MOVE 5 \"Done\"", "# OK\r\n")], Ok(())).await;
    let never = ("CREATE \"INBOX.Done\"", "# NO neither there\r\n");
    check(&[refused, never], Err("127.0.0.1 refuses CREATE: not outside of INBOX")).await;
    // It was there when the mailboxes were listed.
    let try_create = ("UID MOVE 5 \"Done\"", "# NO [TRYCREATE] gone\r\n");
    let again = [create, subscribe, try_create, create, subscribe, ("UID MOVE 5 \"Done\"", "# OK\r\n")];
    check(&again, Ok(())).await;
}

#[tokio::test]
async fn only_what_the_job_deleted_is_purged() {
    async fn check(capabilities: &str, more: &[(&'static str, &str)]) {
        let opened = [("EXAMINE", EXAMINED), ("SELECT", SELECTED)];
        let purging = |account: &mut ImapAccount| account.purge = true;
        let mut session = with(capabilities, purging, &[&opened[..], more].concat()).await.unwrap();
        assert!(session.settles());
        session.settle().await.unwrap();
        let marks = [(key("5"), disposition("deleted = true")), (key("6"), Disposition::SEEN)];
        session.mark(&marks).await.unwrap();
        session.settle().await.unwrap();
        session.settle().await.unwrap();
        session.close().await.unwrap();
    }
    let stores = [("UID STORE 5 +FLAGS.SILENT (\\Deleted)", "# OK\r\n"), ("UID STORE 6", "# OK\r\n")];
    let logout = [("LOGOUT", "# OK\r\n")];
    check("UIDPLUS", &[&stores[..], &[("UID EXPUNGE 5", "* 1 EXPUNGE\r\n# OK\r\n")], &logout].concat()).await;
    check("IDLE", &[&stores[..], &logout].concat()).await;
}

#[tokio::test]
async fn a_header_comes_without_its_body() {
    async fn check(reply: &str, expect: Result<Option<&str>, &str>) {
        let script = [("EXAMINE", EXAMINED), ("UID FETCH 5 (UID BODY.PEEK[HEADER]<0.65536>)", reply)];
        let header = with("IDLE", |_| (), &script).await.unwrap().fetch_header(&key("5")).await;
        let text = header.map(|bytes| bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()));
        let text = text.map_err(|error| error.to_string());
        assert_eq!(text.as_ref().map(|text| text.as_deref()).map_err(String::as_str), expect);
    }
    check("* 1 FETCH (UID 5 BODY[HEADER]<0> {9}\r\nTo: a\r\n\r\n)\r\n# OK\r\n", Ok(Some("To: a\r\n\r\n"))).await;
    check("* 2 FETCH (UID 6 BODY[HEADER]<0> {2}\r\n\r\n)\r\n# OK\r\n", Ok(None)).await;
    check("# OK\r\n", Ok(None)).await;
    check("# NO broken\r\n", Err("127.0.0.1 refuses UID FETCH: broken")).await;
}

#[tokio::test]
async fn a_silent_server_is_asked_whether_it_is_there() {
    async fn check(capabilities: &str, more: &[(&'static str, &str)], expect: Result<(), &str>) {
        let script = [&[("EXAMINE", EXAMINED), ("NOOP", "# OK\r\n"), ("UID FETCH", LISTED)], more].concat();
        let mut session = with(capabilities, |_| (), &script).await.unwrap();
        session.list().await.unwrap();
        if let Inner::Imap(session) = &mut session.inner {
            session.silence_max = Duration::from_millis(50);
        }
        let waited = session.wait(Duration::from_secs(30)).await.map_err(|error| error.to_string());
        assert_eq!(waited, expect.map_err(str::to_owned));
    }
    let idle = ("IDLE", "+ go\r\n");
    let news = ("IDLE", "+ go\r\n* 4 EXISTS\r\n");
    check("IDLE", &[idle, ("DONE", "M5 OK\r\n"), idle, ("DONE", "M6 OK\r\n"), news, ("DONE", "M7 OK\r\n")], Ok(()))
        .await;
    check("IDLE", &[idle, ("DONE", SILENCE)], Err("127.0.0.1 did not answer IDLE within 300 ms")).await;
    check("UIDPLUS", &[("NOOP", "# OK\r\n"), ("NOOP", "* 4 EXISTS\r\n# OK\r\n")], Ok(())).await;
    check("UIDPLUS", &[("NOOP", SILENCE)], Err("127.0.0.1 did not answer NOOP within 300 ms")).await;
    // What is offered and refused is not asked for again.
    check("IDLE", &[("IDLE", "# NO not today\r\n"), ("NOOP", "* 4 EXISTS\r\n# OK\r\n")], Ok(())).await;
    check("IDLE", &[("IDLE", "+ go\r\n# OK enough\r\n"), ("NOOP", "* 4 EXISTS\r\n# OK\r\n")], Ok(())).await;
}
