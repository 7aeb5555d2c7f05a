//! Servers that lie, stammer, fall silent or hang up. Behind each stands a real Dovecot; a proxy does the mischief. For
//! every one of them: no password where it must not be, nothing lost and nothing twice, bounded memory, an error that
//! says what happened, and the next session works.

mod starttls;

use anyhow::Result;
use mailmill_tests::records::{check_requests, quarantine, receipts};
use mailmill_tests::{Dovecot, Installation, Mailbox, Meddling, Proxy, Run, Said, Speaker, messages};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;

const MESSAGES: usize = 3;
/// How many jobs share an installation, and so the start of the program.
const JOBS_AT_ONCE: usize = 8;
/// What the whole program may use in any of these cases, in KiB.
const MEMORY_MAX_KIB: u64 = 128 * 1024;

/// A server with some messages for one user, and an installation with a job for each connection to it.
struct Scene {
    installation: Installation,
    server: Dovecot,
}

impl Scene {
    fn new() -> Result<Self> {
        Ok(Self { installation: Installation::new()?, server: Dovecot::start()? })
    }

    /// Messages for a user, from a sender of the same name.
    fn deliver(&self, user: &str) -> Result<Mailbox> {
        let mut mailbox = self.server.mailbox(user)?;
        for number in 0..MESSAGES {
            mailbox.deliver(&messages::request(number, &sender(user)))?;
        }
        Ok(mailbox)
    }

    /// The job of a user behind a proxy.
    fn add_job(&self, user: &str, port: u16, security: &str) -> Result<()> {
        self.installation.write("password", Dovecot::PASSWORD)?;
        let authority = self.server.certificates.authority.display();
        self.installation.write(
            &format!("jobs/{user}.toml"),
            &format!(
                "[source]\ntype = \"imap\"\nhost = \"127.0.0.1\"\nport = {port}\nsecurity = \"{security}\"\n\
                 ca_file = '{authority}'\nuser = \"{user}\"\npassword = {{ file = '{}' }}\ntimeout = \"3s\"\n\
                 existing_mail = \"handle\"\n\
                 [schedule]\nevery = \"1s\"\n",
                self.installation.path("password").display()
            ),
        )
    }

    fn run_once(&self) -> Result<Run> {
        self.installation.mailmill(&["run", "--once"])
    }

    /// Each message of these users, and of nobody else, has one receipt, one ticket and its mark.
    fn assert_each_exactly_once(&self, mailboxes: &mut [(String, Mailbox)]) -> Result<()> {
        let senders: Vec<String> = mailboxes.iter().map(|(user, _)| sender(user)).collect();
        check_requests(&self.installation, &senders, MESSAGES)?;
        for (user, mailbox) in mailboxes {
            assert_eq!(mailbox.seen()?, MESSAGES, "marked messages of {user}");
        }
        Ok(())
    }
}

fn sender(user: &str) -> String {
    format!("{user}@client.example")
}

/// One session with a proxy that meddles, which fails with `expect` in its error, and one that does not.
fn check(expect: &str, meddler: impl FnMut(&Said<'_>) -> Meddling + Send + 'static) -> Result<()> {
    let scene = Scene::new()?;
    let user = "desk";
    let mailbox = scene.deliver(user)?;
    let proxy = Proxy::start(scene.server.imap, meddler)?;
    scene.add_job(user, proxy.port, "none")?;
    let (run, memory) = scene.installation.mailmill_measured(&["run", "--once"])?;
    assert!(run.stderr.contains(expect), "{expect}\n--- not in\n{}", run.stderr);
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    assert!(memory < MEMORY_MAX_KIB, "{memory} KiB");
    proxy.behave();
    scene.run_once()?.success()?;
    scene.assert_each_exactly_once(&mut [(user.to_owned(), mailbox)])
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

fn tagged(said: &Said<'_>, text: &str) -> Vec<u8> {
    format!("{} {text}\r\n", said.tag).into_bytes()
}

fn is_untagged_fetch(said: &Said<'_>) -> bool {
    said.by == Speaker::Server && said.command == "UID FETCH" && said.text.starts_with(b"* ")
}

fn has_body(said: &Said<'_>) -> bool {
    is_untagged_fetch(said) && said.text.windows(6).any(|part| part == b"BODY[]")
}

/// The commands of an ordinary session, in order, each once.
fn commands_of_a_session() -> Result<Vec<String>> {
    let scene = Scene::new()?;
    scene.deliver("desk")?;
    let (sender, seen) = channel();
    let proxy = Proxy::start(scene.server.imap, move |said| {
        if said.is_command(said.command) {
            // Nobody listens any more once the session is over.
            let _ = sender.send(said.command.to_owned());
        }
        Meddling::Pass
    })?;
    scene.add_job("desk", proxy.port, "none")?;
    scene.run_once()?.success()?;
    let mut commands = Vec::new();
    for command in seen.try_iter() {
        if !commands.contains(&command) {
            commands.push(command);
        }
    }
    Ok(commands)
}

type Meddler = Box<dyn FnMut(&Said<'_>) -> Meddling + Send>;

/// A session of each of these cases, meddled with in its own way, and then one that is not, which makes good what was left
/// undone. What fails says why: with `expect`.
fn check_each(cases: Vec<(String, Meddler)>, expect: &str) -> Result<()> {
    let mut scene = Scene::new()?;
    let mut cases = cases.into_iter().enumerate().peekable();
    while cases.peek().is_some() {
        scene.installation = Installation::new()?;
        let (mut proxies, mut mailboxes) = (Vec::new(), Vec::new());
        for (number, (name, meddler)) in cases.by_ref().take(JOBS_AT_ONCE) {
            let user = format!("desk{number}");
            let proxy = Proxy::start(scene.server.imap, meddler)?;
            scene.add_job(&user, proxy.port, "none")?;
            mailboxes.push((user.clone(), scene.deliver(&user)?));
            proxies.push((name, user, proxy));
        }
        let run = scene.run_once()?;
        assert!(matches!(run.code, Some(0 | 1)), "{:?}\n{}", run.code, run.stderr);
        for (name, user, proxy) in &proxies {
            let failed = |line: &&str| line.contains(" ERROR ") && line.contains(&format!("job=\"{user}\""));
            for line in run.stderr.lines().filter(failed) {
                assert!(line.contains(expect), "{name}: {expect}\n--- not in\n{line}");
            }
            proxy.behave();
        }
        scene.run_once()?.success()?;
        scene.assert_each_exactly_once(&mut mailboxes)?;
    }
    Ok(())
}

/// Each command of a session is refused once.
fn each_command_refused(with: &'static str) -> Result<()> {
    let cases = commands_of_a_session()?.into_iter().map(|command| {
        let name = format!("{command} refused");
        let refuse = once(move |said| said.is_command(&command), move |said| Meddling::Answer(tagged(said, with)));
        (name, Box::new(refuse) as Meddler)
    });
    check_each(cases.collect(), "for reasons of its own")
}

#[test]
fn each_command_is_refused() -> Result<()> {
    each_command_refused("NO for reasons of its own")
}

#[test]
fn each_command_is_not_understood() -> Result<()> {
    each_command_refused("BAD for reasons of its own")
}

/// The connection ends when so much was said of a line, for each line of an ordinary session.
fn cut_at_each_line(keep: fn(usize) -> usize) -> Result<()> {
    let lines = Arc::new(AtomicUsize::new(0));
    let scene = Scene::new()?;
    scene.deliver("desk")?;
    let count = lines.clone();
    let proxy = Proxy::start(scene.server.imap, move |said| {
        if said.by == Speaker::Server && said.connection == 0 {
            count.fetch_max(said.number + 1, Ordering::Relaxed);
        }
        Meddling::Pass
    })?;
    scene.add_job("desk", proxy.port, "none")?;
    scene.run_once()?.success()?;
    let lines = lines.load(Ordering::Relaxed);
    assert!(lines > 10, "only {lines} lines in a session");
    let cases = (0..lines).map(|line| {
        let cut = once(
            move |said| said.by == Speaker::Server && said.number == line,
            move |said| Meddling::CutAfter(said.text.iter().take(keep(said.text.len())).copied().collect()),
        );
        (format!("cut at line {line}"), Box::new(cut) as Meddler)
    });
    check_each(cases.collect(), "127.0.0.1")
}

#[test]
fn the_connection_ends_after_each_line() -> Result<()> {
    cut_at_each_line(|length| length)
}

#[test]
fn the_connection_ends_within_each_line() -> Result<()> {
    cut_at_each_line(|length| length / 2)
}

#[test]
fn a_message_is_announced_with_99_gigabytes() -> Result<()> {
    let scene = Scene::new()?;
    let mut mailbox = scene.deliver("desk")?;
    let proxy = Proxy::start(scene.server.imap, |said| {
        if has_body(said) && said.text.windows(5).any(|part| part == b"UID 2") {
            return Meddling::Instead(b"* 2 FETCH (UID 2 BODY[] {99000000000}\r\n".to_vec());
        }
        Meddling::Pass
    })?;
    scene.add_job("desk", proxy.port, "none")?;
    let (run, memory) = scene.installation.mailmill_measured(&["run", "--once"])?;
    assert!(memory < MEMORY_MAX_KIB, "{memory} KiB");
    let fault =
        "the answer of 127.0.0.1 to UID FETCH makes no sense: a response holds more than 67108864 bytes of text";
    let causes: Vec<String> = quarantine(&scene.installation)?.into_iter().map(|entry| entry.cause).collect();
    assert!(matches!(causes.as_slice(), [cause] if cause.starts_with(fault)), "{causes:?}\n{}", run.stderr);
    assert_eq!(receipts(&scene.installation)?.len(), MESSAGES, "it holds up no other one");
    assert_eq!(mailbox.seen()?, MESSAGES - 1, "what was not had is not marked");

    proxy.behave();
    scene.installation.mailmill(&["quarantine", "release", "1"])?.success()?;
    scene.run_once()?.success()?;
    scene.assert_each_exactly_once(&mut [("desk".to_owned(), mailbox)])
}

#[test]
fn a_message_is_cut_short() -> Result<()> {
    let mut in_body = false;
    check(
        "127.0.0.1 closed the connection during UID FETCH: in the middle of a response",
        once(
            move |said| std::mem::replace(&mut in_body, has_body(said)),
            |said| Meddling::CutAfter(said.text.iter().take(said.text.len() / 3).copied().collect()),
        ),
    )
}

#[test]
fn a_message_is_nil() -> Result<()> {
    let scene = Scene::new()?;
    let mut mailbox = scene.deliver("desk")?;
    let mut skip = false;
    let proxy = Proxy::start(scene.server.imap, move |said| {
        if has_body(said) && said.text.windows(5).any(|part| part == b"UID 2") {
            skip = true;
            return Meddling::Instead(b"* 2 FETCH (UID 2 BODY[] NIL)\r\n".to_vec());
        }
        if skip && said.by == Speaker::Server {
            // The content, and then the bracket behind it.
            skip = said.text != b")\r\n";
            return Meddling::Instead(Vec::new());
        }
        Meddling::Pass
    })?;
    scene.add_job("desk", proxy.port, "none")?;
    scene.run_once()?.success()?;
    let causes: Vec<String> = quarantine(&scene.installation)?.into_iter().map(|entry| entry.cause).collect();
    let fault = "127.0.0.1 has the message but sends no text of it";
    assert!(matches!(causes.as_slice(), [cause] if cause.starts_with(fault)), "{causes:?}");
    assert_eq!(receipts(&scene.installation)?.len(), MESSAGES);
    assert_eq!(mailbox.seen()?, MESSAGES - 1, "what was not had is not marked");
    Ok(())
}

#[test]
fn a_line_of_100_megabytes() -> Result<()> {
    check(
        "a response line is longer than 262144 bytes",
        once(is_untagged_fetch, |_| Meddling::Instead(vec![b'x'; 100 << 20])),
    )
}

#[test]
fn a_search_response_of_400000_messages() -> Result<()> {
    let uids: Vec<String> = (1..=400_000).map(|uid| uid.to_string()).collect();
    let line = format!("* SEARCH {}\r\n", uids.join(" ")).into_bytes();
    check(
        "a response line is longer than 262144 bytes",
        once(is_untagged_fetch, move |_| Meddling::Instead(line.clone())),
    )
}

#[test]
fn a_listing_of_400000_messages_that_are_not_there() -> Result<()> {
    let scene = Scene::new()?;
    let mailbox = scene.deliver("desk")?;
    let ghosts: String = (1000..401_000).map(|uid| format!("* 4 FETCH (UID {uid} RFC822.SIZE 100)\r\n")).collect();
    let list = once(is_untagged_fetch, move |said| Meddling::Instead([ghosts.as_bytes(), said.text].concat()));
    let proxy = Proxy::start(scene.server.imap, list)?;
    scene.add_job("desk", proxy.port, "none")?;
    let (run, memory) = scene.installation.mailmill_measured(&["run", "--once"])?;
    run.success()?;
    assert!(memory < MEMORY_MAX_KIB * 2, "{memory} KiB");
    scene.assert_each_exactly_once(&mut [("desk".to_owned(), mailbox)])
}

#[test]
fn messages_come_out_of_order_and_more_than_once() -> Result<()> {
    let scene = Scene::new()?;
    let mailbox = scene.deliver("desk")?;
    // All of the server's answer to the first fetch of texts is kept back, and said in another order, twice.
    let mut parts: Vec<Vec<u8>> = Vec::new();
    let mut open = false;
    let proxy = Proxy::start(scene.server.imap, move |said| {
        if said.by == Speaker::Client || said.command != "UID FETCH" {
            return Meddling::Pass;
        }
        if has_body(said) {
            open = true;
            parts.push(said.text.to_vec());
            return Meddling::Instead(Vec::new());
        }
        if open && !said.is_end_of("UID FETCH") {
            if let Some(last) = parts.last_mut() {
                last.extend_from_slice(said.text);
            }
            return Meddling::Instead(Vec::new());
        }
        if !open {
            return Meddling::Pass;
        }
        open = false;
        let mut answer: Vec<u8> = parts.iter().rev().flatten().copied().collect();
        answer.extend(parts.drain(..).flatten());
        answer.extend_from_slice(said.text);
        Meddling::Instead(answer)
    })?;
    scene.add_job("desk", proxy.port, "none")?;
    scene.run_once()?.success()?;
    scene.assert_each_exactly_once(&mut [("desk".to_owned(), mailbox)])
}

#[test]
fn uidvalidity_changes_within_a_session() -> Result<()> {
    check(
        "was renumbered (UIDVALIDITY",
        once(
            |said| said.is_end_of("UID FETCH"),
            |said| Meddling::Instead([b"* OK [UIDVALIDITY 7] surprise\r\n", said.text].concat()),
        ),
    )
}

#[test]
fn a_login_is_referred_to_another_server() -> Result<()> {
    let refer = |said: &Said<'_>| Meddling::Answer(tagged(said, "NO [REFERRAL imap://evil.example/] go there"));
    check("go there", once(|said| matches!(said.command, "LOGIN" | "AUTHENTICATE"), refer))
}

/// The server takes a command and says no more.
fn silent_at(command: &'static str) -> Result<()> {
    check(
        &format!("127.0.0.1 did not answer {command} within 3 s"),
        once(move |said| said.by == Speaker::Server && said.command == command, |_| Meddling::Silence),
    )
}

#[test]
fn a_server_never_answers() -> Result<()> {
    check("127.0.0.1 does not greet as a mail server does: it says nothing", |_| Meddling::Silence)
}

#[test]
fn a_server_never_answers_the_login() -> Result<()> {
    silent_at("AUTHENTICATE")
}

#[test]
fn a_server_never_opens_the_mailbox() -> Result<()> {
    silent_at("EXAMINE")
}

#[test]
fn a_server_never_sends_the_messages() -> Result<()> {
    silent_at("UID FETCH")
}

#[test]
fn a_server_never_marks() -> Result<()> {
    silent_at("UID STORE")
}

#[test]
fn a_goodbye_in_the_middle() -> Result<()> {
    check(
        "closing for the night",
        once(is_untagged_fetch, |_| Meddling::CutAfter(b"* BYE closing for the night\r\n".to_vec())),
    )
}
