//! POP3 servers that lie, stammer, fall silent or hang up. Behind each stands a real Dovecot; a proxy does the mischief.
//! For every one of them: no password where it must not be, nothing lost and nothing twice, bounded memory, an error that
//! says what happened, and the next session works.

mod listing;
mod stls;

use anyhow::{Context, Result};
use mailmill_tests::records::{Quarantined, check_requests, quarantine, receipts, tickets};
use mailmill_tests::servers::{Protocol, Server, Tls};
use mailmill_tests::{Dovecot, Installation, Mailbox, Meddling, Proxy, Run, Said, Speaker, messages};
use std::collections::BTreeSet;
use std::sync::mpsc::channel;

const SENDER: &str = "ann@client.example";
const USER: &str = "desk";
const MESSAGES: usize = 3;
/// How many jobs share an installation, and so the start of the program.
const JOBS_AT_ONCE: usize = 8;
/// What the whole program may use in any of these cases, in KiB.
const MEMORY_MAX_KIB: u64 = 128 * 1024;
/// The limit of a message in those cases that come to it.
const MESSAGE_BYTES_MAX: usize = 100_000;
const REASON: &str = "for reasons of its own";
/// The SASL mechanisms are not offered, and APOP is not, so that the login is by USER and PASS.
const BY_COMMAND: &str = "auth_mechanisms = plain\n";

/// A server with some messages for a user, and an installation with a job that deletes what it has handled.
struct Scene {
    installation: Installation,
    server: Dovecot,
    mailbox: Mailbox,
}

impl Scene {
    fn new() -> Result<Self> {
        Self::configured("")
    }

    fn configured(settings: &str) -> Result<Self> {
        let server = Dovecot::start_configured(settings)?;
        let (installation, mailbox) = (Installation::new()?, server.mailbox(USER)?);
        let mut scene = Self { installation, server, mailbox };
        scene.deliver()?;
        Ok(scene)
    }

    fn deliver(&mut self) -> Result<()> {
        (0..MESSAGES).try_for_each(|number| self.mailbox.deliver(&messages::request(number, SENDER)))
    }

    /// The same server, with all as it was at first.
    fn renew(&mut self) -> Result<()> {
        self.installation = Installation::new()?;
        let left = self.waiting()?;
        assert_eq!(left, 0, "messages left from before");
        self.deliver()
    }

    fn proxy(&self, meddler: impl FnMut(&Said<'_>) -> Meddling + Send + 'static) -> Result<Proxy> {
        Proxy::start_pop3(self.server.endpoint(Protocol::Pop3, Tls::Offered), meddler)
    }

    /// The job, behind a proxy.
    fn add_job(&self, proxy: &Proxy, source: &str) -> Result<()> {
        self.add_job_of(USER, proxy, source)
    }

    fn add_job_of(&self, user: &str, proxy: &Proxy, source: &str) -> Result<()> {
        self.installation.write("password", Dovecot::PASSWORD)?;
        self.installation.write(
            &format!("jobs/{user}.toml"),
            &format!(
                "[source]\ntype = \"pop3\"\nhost = \"127.0.0.1\"\nport = {}\n{source}\nca_file = '{}'\nuser = \"{user}\"\n\
                 password = {{ file = '{}' }}\ntimeout = \"3s\"\nexisting_mail = \"handle\"\n\
                 [handling]\non_success = {{ deleted = true }}\non_rejection = {{ deleted = true }}\n\
                 [limits]\nmessage_bytes_max = {MESSAGE_BYTES_MAX}\n",
                proxy.port,
                self.server.authority().display(),
                self.installation.path("password").display(),
            ),
        )
    }

    /// Runs one session, and says what it took in memory: never too much.
    fn run_once(&self) -> Result<Run> {
        let (run, memory) = self.installation.mailmill_measured(&["run", "--once"])?;
        assert!(memory < MEMORY_MAX_KIB, "{memory} KiB");
        Ok(run)
    }

    fn waiting(&mut self) -> Result<usize> {
        Ok(self.mailbox.flags()?.len())
    }

    /// Each message has one receipt and one ticket, and so many are left on the server.
    fn assert_each_exactly_once(&mut self, left: usize) -> Result<()> {
        let receipts = receipts(&self.installation)?;
        let uids: BTreeSet<_> = receipts.iter().map(|receipt| &receipt.uid).collect();
        assert_eq!((receipts.len(), uids.len()), (MESSAGES, MESSAGES), "receipts, and messages that have one");
        let subjects: BTreeSet<_> = tickets(&self.installation)?.into_iter().map(|ticket| ticket.subject).collect();
        let expect = (0..MESSAGES).map(|number| format!("Request {number}")).collect();
        assert_eq!(subjects, expect, "tickets");
        assert_eq!(tickets(&self.installation)?.len(), MESSAGES, "tickets");
        assert_eq!(self.waiting()?, left, "messages left on the server");
        Ok(())
    }

    /// A session that is not meddled with makes good what the one before left undone.
    fn recover(&mut self, proxy: &Proxy) -> Result<()> {
        proxy.behave();
        self.run_once()?.success()?;
        self.assert_each_exactly_once(0)
    }
}

/// One session with a proxy that meddles, which fails with `expect` in its error, and one that does not.
fn check(expect: &str, meddler: impl FnMut(&Said<'_>) -> Meddling + Send + 'static) -> Result<()> {
    let mut scene = Scene::new()?;
    let proxy = scene.proxy(meddler)?;
    scene.add_job(&proxy, "security = \"none\"")?;
    let run = scene.run_once()?;
    assert!(run.stderr.contains(expect), "{expect}\n--- not in\n{}", run.stderr);
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    scene.recover(&proxy)
}

/// Meddles once, with the first thing that is right for it.
fn once(
    mut is_it: impl FnMut(&Said<'_>) -> bool + Send,
    with: impl Fn(&Said<'_>) -> Meddling + Send,
) -> impl FnMut(&Said<'_>) -> Meddling + Send {
    let mut done = false;
    move |said| {
        if !done && is_it(said) {
            done = true;
            return with(said);
        }
        Meddling::Pass
    }
}

/// Refuses the first such command; the server does not hear of it, but the answer comes in its turn.
fn refuse(command: &str, answer: &str) -> impl FnMut(&Said<'_>) -> Meddling + Send + use<> {
    let (command, answer, mut done) = (command.to_owned(), format!("{answer}\r\n"), false);
    move |said| {
        if !done && said.is_command(&command) {
            done = true;
            return Meddling::Instead(b"NOOP\r\n".to_vec());
        }
        if said.is_status_of("NOOP") {
            return Meddling::Instead(answer.clone().into_bytes());
        }
        Meddling::Pass
    }
}

/// Takes a capability out of all answers to CAPA, and a time stamp for APOP out of the greeting.
fn strip(said: &Said<'_>, capability: &str) -> Meddling {
    let text = String::from_utf8_lossy(said.text);
    if said.by == Speaker::Server && said.command == "CAPA" && text.starts_with(capability) {
        return Meddling::Instead(Vec::new());
    }
    if said.is_status_of("") && capability == "SASL" {
        return Meddling::Instead(b"+OK ready\r\n".to_vec());
    }
    Meddling::Pass
}

/// A session that goes through, whatever the proxy does, with each message exactly once.
fn check_harmless(meddler: impl FnMut(&Said<'_>) -> Meddling + Send + 'static) -> Result<()> {
    let mut scene = Scene::new()?;
    let proxy = scene.proxy(meddler)?;
    scene.add_job(&proxy, "security = \"none\"")?;
    scene.run_once()?.success()?;
    scene.assert_each_exactly_once(0)
}

/// How the session logs in.
#[derive(Clone, Copy, PartialEq)]
enum Login {
    Sasl,
    Command,
}

/// Each command of a session is refused once.
fn each_command_refused(login: Login, commands: &[(&str, &str)]) -> Result<()> {
    let mut scene = Scene::configured(if login == Login::Command { BY_COMMAND } else { "" })?;
    for (number, (command, expect)) in commands.iter().enumerate() {
        if number > 0 {
            scene.renew()?;
        }
        let (sender, asked) = channel();
        let (mut refuse, name) = (refuse(command, &format!("-ERR {REASON}")), (*command).to_owned());
        let proxy = scene.proxy(move |said| {
            if said.is_command(&name) {
                // Nobody listens any more once the session is over.
                let _ = sender.send(());
            }
            match (refuse(said), login) {
                (Meddling::Pass, Login::Command) => strip(said, "SASL"),
                (meddling, _) => meddling,
            }
        })?;
        scene.add_job(&proxy, "security = \"none\"")?;
        let run = scene.run_once()?;
        assert!(asked.try_recv().is_ok(), "{command} is not sent:\n{}", run.stderr);
        let code = if expect.is_empty() { 0 } else { 1 };
        assert_eq!(run.code, Some(code), "{command} refused:\n{}", run.stderr);
        let is_said = expect.is_empty() || run.stderr.contains(expect) && run.stderr.contains(REASON);
        assert!(is_said, "{command} refused:\n{}", run.stderr);
        proxy.behave();
        scene.run_once()?.success()?;
        scene.assert_each_exactly_once(0)?;
    }
    Ok(())
}

#[test]
fn each_command_is_refused() -> Result<()> {
    let commands = [
        // Who does not answer CAPA is older: then the time stamp in the greeting says how to log in.
        ("CAPA", ""),
        // The next mechanism is tried.
        ("AUTH", ""),
        ("STAT", "127.0.0.1 refuses STAT: "),
        ("UIDL", "127.0.0.1 refuses UIDL: "),
        ("LIST", "127.0.0.1 refuses LIST: "),
        ("RETR", "127.0.0.1 refuses message 1: "),
        ("DELE", "messages are fetched and handled, but not marked: 127.0.0.1 refuses DELE: "),
        ("QUIT", "messages are fetched and handled, but not marked: 127.0.0.1 refuses QUIT: "),
    ];
    each_command_refused(Login::Sasl, &commands)
}

#[test]
fn each_command_of_an_old_login_is_refused() -> Result<()> {
    let refused = "127.0.0.1 refuses user \"desk\" and its password: ";
    each_command_refused(Login::Command, &[("USER", refused), ("PASS", refused)])
}

#[test]
fn the_header_of_a_message_that_is_too_large_is_refused() -> Result<()> {
    let mut scene = Scene::new()?;
    let padding = "A line that makes it long.\n".repeat(MESSAGE_BYTES_MAX / 20);
    scene.mailbox.deliver(&format!("{}{padding}", messages::request(MESSAGES, SENDER)))?;
    let proxy = scene.proxy(refuse("TOP", &format!("-ERR {REASON}")))?;
    scene.add_job(&proxy, "security = \"none\"")?;
    scene.run_once()?.success()?;
    let entries = quarantine(&scene.installation)?;
    let limit = format!("the limit message_bytes_max is {MESSAGE_BYTES_MAX}");
    assert!(matches!(entries.as_slice(), [entry] if entry.cause.contains(&limit)), "{entries:?}");
    assert_eq!(tickets(&scene.installation)?.len(), MESSAGES, "it holds up no other one");
    assert_eq!(scene.waiting()?, 1, "it stays on the server");
    Ok(())
}

/// The lines of an ordinary session that matter: of long answers the first ones and the last one, and of the messages
/// those of the second.
fn lines_of_a_session() -> Result<Vec<usize>> {
    let scene = Scene::new()?;
    let (sender, said_lines) = channel();
    let mut of_answer = 0;
    let proxy = scene.proxy(move |said| {
        if said.by == Speaker::Server {
            of_answer = if said.is_status_of(said.command) { 0 } else { of_answer + 1 };
            let matters = of_answer < 2 || said.is_end_of(said.command);
            if matters && (said.command != "RETR" || said.arguments == "2") {
                let _ = sender.send(said.number);
            }
        }
        Meddling::Pass
    })?;
    scene.add_job(&proxy, "security = \"none\"")?;
    scene.run_once()?.success()?;
    Ok(said_lines.try_iter().collect())
}

type Meddler = Box<dyn FnMut(&Said<'_>) -> Meddling + Send>;

/// A session that is meddled with.
struct Case {
    name: String,
    meddler: Meddler,
    /// What it fails with.
    expect: String,
    /// Whether it can do nothing else.
    fails: bool,
}

/// A session of each of these cases, and then one that is not meddled with, which makes good what was left undone.
fn check_each(cases: Vec<Case>) -> Result<()> {
    let mut scene = Scene::new()?;
    let mut cases = cases.into_iter().enumerate().peekable();
    while cases.peek().is_some() {
        scene.installation = Installation::new()?;
        let mut under_way = Vec::new();
        for (number, Case { name, meddler, expect, fails }) in cases.by_ref().take(JOBS_AT_ONCE) {
            let user = format!("user{number}");
            let mut mailbox = scene.server.mailbox(&user)?;
            for number in 0..MESSAGES {
                mailbox.deliver(&messages::request(number, &format!("{user}@client.example")))?;
            }
            let proxy = scene.proxy(meddler)?;
            scene.add_job_of(&user, &proxy, "security = \"none\"")?;
            under_way.push((name, expect, fails, user, mailbox, proxy));
        }
        let run = scene.run_once()?;
        assert!(matches!(run.code, Some(0 | 1)), "{:?}\n{}", run.code, run.stderr);
        for (name, expect, fails, user, _, proxy) in &under_way {
            let is_failure = |line: &&str| line.contains(" ERROR ") && line.contains(&format!("job=\"{user}\""));
            let failures: Vec<&str> = run.stderr.lines().filter(is_failure).collect();
            let is_expected = failures.iter().all(|line| line.contains(expect)) && (!fails || !failures.is_empty());
            assert!(is_expected, "{name}: {expect}\n--- not in\n{}", run.stderr);
            proxy.behave();
        }
        scene.run_once()?.success()?;
        let senders: Vec<String> = under_way.iter().map(|case| format!("{}@client.example", case.3)).collect();
        check_requests(&scene.installation, &senders, MESSAGES)?;
        for (name, _, _, _, mailbox, _) in &mut under_way {
            assert!(mailbox.flags()?.is_empty(), "{name}: messages are left on the server");
        }
    }
    Ok(())
}

/// The connection ends when so much was said of a line, for each line of an ordinary session.
fn cut_at_each_line(keep: fn(usize) -> usize) -> Result<()> {
    let lines = lines_of_a_session()?;
    assert!(lines.len() > 18, "only {} lines in a session", lines.len());
    let cut = |line: usize| Case {
        name: format!("cut at line {line}"),
        meddler: Box::new(once(
            move |said| said.by == Speaker::Server && said.number == line,
            move |said| Meddling::CutAfter(said.text.iter().take(keep(said.text.len())).copied().collect()),
        )),
        expect: "127.0.0.1".to_owned(),
        fails: false,
    };
    check_each(lines.into_iter().map(cut).collect())
}

#[test]
fn the_connection_ends_after_each_line() -> Result<()> {
    cut_at_each_line(|length| length)
}

#[test]
fn the_connection_ends_within_each_line() -> Result<()> {
    cut_at_each_line(|length| length / 2)
}

/// The one message that is in quarantine is released, and all are had.
fn release(scene: &mut Scene, proxy: &Proxy, cause: &str) -> Result<()> {
    let entries = quarantine(&scene.installation)?;
    assert!(matches!(entries.as_slice(), [Quarantined { cause: found, .. }] if found.contains(cause)), "{entries:?}");
    assert_eq!(receipts(&scene.installation)?.len(), MESSAGES, "it holds up no other one");
    assert_eq!(scene.waiting()?, 1, "what was not had is not deleted");
    proxy.behave();
    let entry = entries.first().context("there is an entry")?;
    scene.installation.mailmill(&["quarantine", "release", &entry.id])?.success()?;
    scene.run_once()?.success()?;
    scene.assert_each_exactly_once(0)
}

#[test]
fn a_message_does_not_end() -> Result<()> {
    let mut scene = Scene::new()?;
    let proxy = scene.proxy(|said| {
        let is_text = said.by == Speaker::Server && said.command == "RETR" && !said.is_status_of("RETR");
        if is_text && said.arguments == "2" {
            return Meddling::Instead(vec![b'x'; 100 << 20]);
        }
        Meddling::Pass
    })?;
    scene.add_job(&proxy, "security = \"none\"")?;
    scene.run_once()?;
    let cause = format!("to RETR makes no sense: it sends a message of more than {MESSAGE_BYTES_MAX} bytes");
    release(&mut scene, &proxy, &cause)
}

#[test]
fn a_line_of_100_megabytes() -> Result<()> {
    for command in ["CAPA", "STAT", "UIDL", "DELE"] {
        check(
            "a line is longer than 16384 bytes",
            once(move |said| said.is_status_of(command), |_| Meddling::Instead(vec![b'x'; 100 << 20])),
        )?;
    }
    Ok(())
}

#[test]
fn there_are_no_unique_ids() -> Result<()> {
    let mut refuse = refuse("UIDL", "-ERR unknown command");
    check("127.0.0.1 has no unique-ids for its messages (UIDL: unknown command)", move |said| match refuse(said) {
        Meddling::Pass => strip(said, "UIDL"),
        meddling => meddling,
    })
}

#[test]
fn a_server_without_pipelining_or_capabilities() -> Result<()> {
    check_harmless(|said| strip(said, "PIPELINING"))?;
    check_harmless(refuse("CAPA", "-ERR unknown command"))
}

#[test]
fn an_answer_is_no_pop3() -> Result<()> {
    for command in ["STAT", "UIDL", "DELE"] {
        check(
            &format!("the answer of 127.0.0.1 to {command} makes no sense: a line that is neither +OK nor -ERR"),
            once(move |said| said.is_status_of(command), |_| Meddling::Instead(b"* OK surprise\r\n".to_vec())),
        )?;
    }
    Ok(())
}

/// It may be one message that a server stumbles over: so the session is run once more, with one message at a time.
#[test]
fn an_answer_to_retr_is_no_pop3() -> Result<()> {
    let expect = "the answer of 127.0.0.1 to RETR makes no sense: a line ";
    for status in [b"* OK surprise\r\n".to_vec(), vec![b'x'; 100 << 20]] {
        let mut scene = Scene::new()?;
        let proxy = scene.proxy(once(|said| said.is_status_of("RETR"), move |_| Meddling::Instead(status.clone())))?;
        scene.add_job(&proxy, "security = \"none\"")?;
        scene.run_once()?.success()?;
        assert_eq!(proxy.connections(), 2);
        let sessions = scene.installation.mailmill(&["log"])?.success()?.stdout;
        assert!(sessions.contains(expect), "{expect}\n--- not in\n{sessions}");
        scene.assert_each_exactly_once(0)?;
    }
    Ok(())
}

#[test]
fn a_server_never_answers() -> Result<()> {
    let silent = |command: &'static str| Case {
        name: format!("silent after {command}"),
        meddler: Box::new(once(
            move |said| said.by == Speaker::Server && said.command == command,
            |_| Meddling::Silence,
        )),
        expect: format!("127.0.0.1 did not answer {command} within 3 s"),
        fails: true,
    };
    let greets_not = Case {
        name: "silent".to_owned(),
        meddler: Box::new(|_| Meddling::Silence),
        expect: "127.0.0.1 does not greet as a mail server does: it says nothing".to_owned(),
        fails: true,
    };
    let commands = ["CAPA", "AUTH", "STAT", "UIDL", "LIST", "RETR", "DELE", "QUIT"];
    check_each(commands.into_iter().map(silent).chain([greets_not]).collect())
}

#[test]
fn a_server_refuses_the_connection() -> Result<()> {
    check("127.0.0.1 refuses the connection: closing for the night", |said| {
        if said.is_status_of("") {
            Meddling::CutAfter(b"-ERR closing for the night\r\n".to_vec())
        } else {
            Meddling::Pass
        }
    })
}
