//! What becomes of the original messages: each handling, each outcome, on servers that can more and less.

use anyhow::Result;
use mailmill_tests::records::{receipts, tickets};
use mailmill_tests::{Dovecot, Installation, Mailbox, messages};
use std::collections::BTreeMap;
use std::path::Path;

const SENDER: &str = "ann@client.example";
const STATEMENTS: &str = r#"
[[statement]]
name = "refuse"
if = 'subject starts with "Request 2"'
then = [{ do = "reject", reason = "asked for" }]
stop = true

[[statement]]
name = "ignore"
if = 'subject starts with "Request 3"'
then = [{ do = "ignore", reason = "asked for" }]
stop = true

[[statement]]
name = "comment on nothing"
if = 'subject starts with "Request 4"'
then = [{ do = "comment" }]
stop = true
"#;
/// The outcome of each message, by UID.
const OUTCOMES: [&str; 4] = ["accepted", "rejected", "ignored", "quarantined"];

/// What a server can do.
#[derive(Clone, Copy, PartialEq)]
enum Server {
    Able,
    WithoutMove,
    WithoutUidplus,
}

impl Server {
    fn start(self) -> Result<Dovecot> {
        Dovecot::start_configured(match self {
            Self::Able => "",
            Self::WithoutMove => "protocol imap {\n  imap_capability = IMAP4rev1 IDLE UIDPLUS LITERAL+\n}\n",
            Self::WithoutUidplus => "protocol imap {\n  imap_capability = IMAP4rev1 IDLE LITERAL+\n}\n",
        })
    }
}

/// A way to handle messages, and what it leaves: the flags in INBOX, if the message is still there; those in Done, if it
/// is there.
struct Handling {
    setting: &'static str,
    purge: bool,
    inbox: Option<&'static [&'static str]>,
    done: Option<&'static [&'static str]>,
}

fn handlings(server: Server) -> Vec<Handling> {
    let new = |setting, purge, inbox, done| Handling { setting, purge, inbox, done };
    let (deleted, moved): (&[&str], &[&str]) = (&["\\Deleted"], &["Handled", "\\Seen"]);
    let purges = server != Server::WithoutUidplus;
    vec![
        new("\"leave\"", true, Some(&[]), None),
        new("{ seen = true }", true, Some(&["\\Seen"]), None),
        new("{ deleted = true }", false, Some(deleted), None),
        new("{ deleted = true }", true, if purges { None } else { Some(deleted) }, None),
        new("{ keyword = \"Handled\" }", true, Some(&["Handled"]), None),
        new("{ move = \"Done\" }", true, if purges { None } else { Some(deleted) }, Some(&[])),
        new(
            "{ seen = true, keyword = \"Handled\", move = \"Done\" }",
            false,
            if purges { None } else { Some(&["Handled", "\\Deleted", "\\Seen"]) },
            Some(moved),
        ),
    ]
}

fn check_matrix(kind: Server) -> Result<()> {
    let server = kind.start()?;
    let installation = Installation::new()?;
    installation.write("rules/statements/00-test.toml", STATEMENTS)?;
    let mut cells = Vec::new();
    for (number, handling) in handlings(kind).into_iter().enumerate() {
        for on_success in [true, false] {
            let user = format!("user{number}{on_success}");
            installation.add_imap_job(&user, &server, &user)?;
            let job = format!("jobs/{user}.toml");
            let (one, other) = (handling.setting, "{}");
            let (success, rejection) = if on_success { (one, other) } else { (other, one) };
            installation.edit(&job, "on_success = { seen = true }", &format!("on_success = {success}"))?;
            installation.edit(
                &job,
                "on_rejection = { seen = true }",
                &format!("on_rejection = {rejection}\npurge = {}", handling.purge),
            )?;
            let mut mailbox = server.mailbox(&user)?;
            for number in 1..=4 {
                mailbox.deliver(&messages::request(number, SENDER))?;
            }
            cells.push((
                mailbox,
                on_success,
                format!("{} (purge {})", handling.setting, handling.purge),
                (handling.inbox, handling.done),
            ));
        }
    }
    for run in 1..=2 {
        let log = installation.mailmill(&["run", "--once"])?.success()?.stderr;
        for (mailbox, on_success, setting, expect) in &mut cells {
            check_cell(mailbox, *on_success, *expect)
                .map_err(|error| error.context(format!("{setting}, run {run}:\n{log}")))?;
        }
    }
    assert_eq!(receipts(&installation)?.len(), 4 * cells.len());
    assert_eq!(tickets(&installation)?.len(), cells.len());
    Ok(())
}

type Places = (Option<&'static [&'static str]>, Option<&'static [&'static str]>);

/// Messages 1 and 3 are successes, 2 is rejected, 4 must stay as it was.
fn check_cell(mailbox: &mut Mailbox, on_success: bool, (inbox, done): Places) -> Result<()> {
    let handled: &[u32] = if on_success { &[1, 3] } else { &[2] };
    let mut expected = BTreeMap::new();
    for uid in 1..=4 {
        let left = if handled.contains(&uid) { inbox } else { Some(&[][..]) };
        expected.extend(left.map(|flags| (uid, flags.iter().map(ToString::to_string).collect::<Vec<_>>())));
    }
    let found: BTreeMap<u32, Vec<String>> = sorted(mailbox.flags()?);
    anyhow::ensure!(found == expected, "INBOX holds {found:?}, not {expected:?} ({OUTCOMES:?})");
    if let Some(flags) = done {
        let found: Vec<Vec<String>> = sorted(mailbox.flags_in("Done")?).into_values().collect();
        let expected = vec![flags.iter().map(ToString::to_string).collect::<Vec<_>>(); handled.len()];
        anyhow::ensure!(found == expected, "Done holds {found:?}, not {expected:?}");
        for number in handled {
            let hits = mailbox.command(&format!("UID SEARCH SUBJECT \"Request {number}\""))?;
            anyhow::ensure!(hits.iter().any(|line| line.trim_end() != "* SEARCH"), "Request {number} is not in Done");
        }
    } else {
        anyhow::ensure!(mailbox.flags_in("Done").is_err(), "there is a mailbox Done");
    }
    Ok(())
}

fn sorted(flags: BTreeMap<u32, Vec<String>>) -> BTreeMap<u32, Vec<String>> {
    flags
        .into_iter()
        .map(|(uid, mut flags)| {
            flags.sort();
            (uid, flags)
        })
        .collect()
}

#[test]
fn on_a_server_that_can_do_all() -> Result<()> {
    check_matrix(Server::Able)
}

#[test]
fn on_a_server_without_move() -> Result<()> {
    check_matrix(Server::WithoutMove)
}

#[test]
fn on_a_server_without_uidplus() -> Result<()> {
    check_matrix(Server::WithoutUidplus)
}

#[test]
fn what_other_clients_delete_is_not_purged() -> Result<()> {
    let server = Dovecot::start()?;
    let installation = Installation::new()?;
    installation.add_imap_job("desk", &server, "desk")?;
    installation.edit(
        "jobs/desk.toml",
        "on_success = { seen = true }",
        "purge = true\non_success = { deleted = true }",
    )?;
    let mut mailbox = server.mailbox("desk")?;
    installation.write("rules/statements/00-test.toml", STATEMENTS)?;
    mailbox.deliver(&messages::request(4, SENDER))?;
    installation.mailmill(&["run", "--once"])?.success()?;
    mailbox.command("SELECT INBOX")?;
    mailbox.command("UID STORE 1 +FLAGS.SILENT (\\Deleted)")?;
    mailbox.deliver(&messages::request(1, SENDER))?;
    installation.mailmill(&["run", "--once"])?.success()?;
    assert_eq!(mailbox.flags()?.into_iter().collect::<Vec<_>>(), [(1, vec!["\\Deleted".to_owned()])]);
    Ok(())
}

#[test]
fn a_warning_says_why_nothing_is_purged() -> Result<()> {
    let server = Server::WithoutUidplus.start()?;
    let installation = Installation::new()?;
    installation.add_imap_job("desk", &server, "desk")?;
    installation.edit(
        "jobs/desk.toml",
        "on_success = { seen = true }",
        "purge = true\non_success = { deleted = true }",
    )?;
    server.mailbox("desk")?.deliver(&messages::request(1, SENDER))?;
    let log = installation.mailmill(&["run", "--once"])?.success()?.stderr;
    let why = "it has no UIDPLUS (RFC 4315), and a plain EXPUNGE would remove what other clients deleted too";
    assert!(log.contains("deleted messages are not purged") && log.contains(why), "{log}");
    Ok(())
}

#[test]
fn files_are_handled_as_files_can_be() -> Result<()> {
    let check = |kind: &str, handling: &str, expect: &[&str]| -> Result<()> {
        let installation = Installation::new()?;
        for part in ["new", "cur", "tmp"] {
            std::fs::create_dir_all(installation.path("mail").join(part))?;
        }
        let source = format!("[source]\ntype = \"{kind}\"\npath = \"../mail\"\nexisting_mail = \"handle\"\n");
        installation.write("jobs/files.toml", &format!("{source}\n[handling]\n{handling}\n"))?;
        let place = if kind == "maildir" { "mail/new/1.a" } else { "mail/a.eml" };
        installation.write(place, &messages::request(1, SENDER))?;
        for _ in 0..2 {
            installation.mailmill(&["run", "--once"])?.success()?;
        }
        assert_eq!(receipts(&installation)?.len(), 1, "{kind} {handling}");
        assert_eq!(files_below(&installation.path("mail"))?, expect, "{kind} {handling}");
        Ok(())
    };
    check("maildir", "on_success = {}", &["new/1.a"])?;
    check("maildir", "on_success = { seen = true }", &["cur/1.a:2,S"])?;
    check("maildir", "on_success = { deleted = true }", &["cur/1.a:2,T"])?;
    check("maildir", "on_success = { deleted = true }\npurge = true", &[])?;
    check("maildir", "on_success = { seen = true, move = \"Archive/Done\" }", &[".Archive.Done/cur/1.a:2,S"])?;
    check("folder", "on_success = { seen = true }", &["a.eml"])?;
    check("folder", "on_success = { deleted = true }", &[])?;
    check("folder", "on_success = { move = \"Archive/Done\" }", &["Archive/Done/a.eml"])
}

/// The paths of all files, relative to `root`, sorted.
fn files_below(root: &Path) -> Result<Vec<String>> {
    let (mut folders, mut files) = (vec![root.to_owned()], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                files.push(path.strip_prefix(root)?.display().to_string());
            }
        }
    }
    files.sort();
    Ok(files)
}
