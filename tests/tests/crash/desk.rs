//! A desk whose mail comes from a real server by IMAP and by POP3, and what must be true of it in the end.

use crate::receiver::Receiver;
use anyhow::{Context, Result, anyhow, ensure};
use mailmill_tests::records::{Ticket, comments, outbox, quarantine, receipts, tickets};
use mailmill_tests::servers::{PASSWORD, Protocol, Server, Tls};
use mailmill_tests::{Daemon, Dovecot, Installation, Mailbox, SmallDisk, wait_until};
use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;
use std::time::{Duration, Instant};

/// The names of the jobs, of the users whose mail they read, and of the protocols.
pub(crate) const JOBS: [&str; 2] = ["imap", "pop3"];
/// Each conversation is a request and a reply to it.
const MESSAGES: usize = 2;
/// How many conversations the jobs get at a time: 500 messages. They are shared unevenly, one way and the other, so that one job
/// is at its end while the other one is in the middle.
const BACKLOGS: [[usize; 2]; 2] = [[175, 75], [75, 175]];
/// How many conversations a job gets in addition that is alone, while the backlog of the other one waits.
const FEW: usize = 40;
/// With fewer messages in it, a mailbox gets more before the program starts.
pub(crate) const LEFT_MIN: usize = 50;
const STATEMENTS: &str = r#"
[[statement]]
name = "all"
then = [
    { if = 'ticket is blank', then = [{ do = "create-ticket", class = "incident" }],
      else = [{ do = "comment" }, { do = "webhook", name = "hook" }] },
]
stop = true
"#;

/// How often a mailbox is looked at of a daemon that is to be killed: whether it has drained it.
const DRAINED_EVERY: Duration = Duration::from_secs(3);

/// How many programs look at tickets at a time.
const LOOKING: usize = 4;

/// What a database with some messages needs, and its log of changes.
const DISK_SIZE: &str = "16m";
/// How long it stays full for a program that does not end.
const FULL_FOR: Duration = Duration::from_millis(1_500);
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// On a busy machine nothing may end for being slow. The address of the webhook is still to be added.
const SETTINGS: &str = r#"
[plugin_limits]
deadline_ms = 60000
configure_deadline_ms = 60000

[outbox]
retry_first = "1s"
retry_max = "2s"
# Of an attempt that was interrupted nobody knows whether it arrived: it counts.
attempts_max = 100000

[webhook.hook]
secret = { file = "hook-secret" }
"#;
/// A step for each hop that has plugins: what is looked at here does not depend on how many there are, and with all of them a start
/// takes a second.
const PIPELINE: &str = r#"
[[step]]
name = "gmail"
hop = "preprocess"
plugin = "reply"
rules = "preprocess/gmail.toml"
reuse = true

[[step]]
name = "fields"
hop = "extract"
plugin = "fields"
rules = "fields.toml"
reuse = true

[[step]]
name = "statements"
hop = "process"
plugin = "statements"
rules = "statements/*.toml"
reuse = true
"#;

pub(crate) struct Desk {
    /// The small disk that the database lies on, if it does. Before the installation, whose folder it is mounted in.
    pub(crate) disk: Option<SmallDisk>,
    pub(crate) installation: Installation,
    server: Dovecot,
    receiver: Receiver,
    /// How many conversations each job's mailbox was sent.
    sent: BTreeMap<&'static str, usize>,
    backlogs: usize,
}

/// What it came to.
#[derive(Debug)]
#[expect(dead_code, reason = "it is printed")]
pub(crate) struct Figures {
    messages: usize,
    tickets: usize,
    calls: usize,
    /// Calls that came more than once, each time with the same identifier and body.
    repeated: usize,
}

impl Desk {
    pub(crate) fn new() -> Result<Self> {
        let (server, receiver, installation) = (Dovecot::start()?, Receiver::start()?, Installation::new()?);
        installation.write("password", PASSWORD)?;
        installation.write("hook-secret", "a secret that only the hook knows\n")?;
        installation.write("rules/statements/10-default.toml", STATEMENTS)?;
        installation.write("rules/pipeline.toml", PIPELINE)?;
        installation.write("mailmill.toml", &format!("{SETTINGS}url = \"http://127.0.0.1:{}/\"\n", receiver.port))?;
        for (job, protocol, success) in [
            ("imap", Protocol::Imap, "{ seen = true, move = \"Done\" }"),
            ("pop3", Protocol::Pop3, "{ deleted = true }"),
        ] {
            let endpoint = server.endpoint(protocol, Tls::Implicit);
            installation.write(
                &format!("jobs/{job}.toml"),
                &format!(
                    "[source]\ntype = \"{job}\"\nhost = \"{}\"\nport = {}\nsecurity = \"tls\"\nca_file = '{}'\n\
                     user = \"{job}\"\npassword = {{ file = '{}' }}\nexisting_mail = \"handle\"\n\n\
                     [schedule]\nevery = \"1s\"\n\n[handling]\non_success = {success}\n",
                    endpoint.host,
                    endpoint.port,
                    server.authority().display(),
                    installation.path("password").display(),
                ),
            )?;
        }
        Ok(Self { disk: None, installation, server, receiver, sent: JOBS.map(|job| (job, 0)).into(), backlogs: 0 })
    }

    /// The same with its database on a small disk; none without the right to mount one.
    pub(crate) fn on_a_small_disk() -> Result<Option<Self>> {
        let mut desk = Self::new()?;
        desk.disk = SmallDisk::mount(&desk.installation.path("disk"), DISK_SIZE)?;
        let settings = desk.installation.read("mailmill.toml")?;
        desk.installation.write("mailmill.toml", &format!("{settings}\n[store]\npath = \"disk/mailmill.db\"\n"))?;
        Ok(desk.disk.is_some().then_some(desk))
    }

    /// So many conversations arrive in a job's mailbox.
    pub(crate) fn deliver(&mut self, job: &'static str, conversations: usize) -> Result<()> {
        let mut mailbox = self.mailbox(job)?;
        for _ in 0..conversations {
            let number = self.sent.get_mut(job).context("no such job")?;
            *number += 1;
            mailbox.deliver(&message(job, *number, None))?;
            mailbox.deliver(&message(job, *number, Some("reply")))?;
        }
        Ok(())
    }

    /// How many messages are not marked yet.
    pub(crate) fn left(&self) -> Result<usize> {
        JOBS.iter().map(|job| Ok(self.mailbox(job)?.flags()?.len())).sum()
    }

    /// How many calls are not made yet.
    pub(crate) fn unsent(&self) -> Result<usize> {
        Ok(outbox(&self.installation)?.iter().filter(|entry| entry.state != "sent").count())
    }

    /// Mail arrives in each mailbox that has fewer messages than `least`: a backlog, unless one of these jobs is alone.
    pub(crate) fn fill_up(&mut self, jobs: &[&'static str], least: usize) -> Result<()> {
        let backlog = BACKLOGS.get(self.backlogs % BACKLOGS.len()).context("no backlog")?;
        self.backlogs += 1;
        for (job, conversations) in JOBS.iter().zip(backlog) {
            if self.mailbox(job)?.flags()?.len() < least {
                let is_alone = jobs == [*job];
                self.deliver(job, if is_alone { FEW } else { *conversations })?;
            }
        }
        Ok(())
    }

    /// Runs the daemon with these jobs, which have a backlog, until it kills itself at the `nth` passing of a point.
    pub(crate) fn kill_at(&mut self, jobs: &[&'static str], point: &str, nth: usize) -> Result<()> {
        self.fill_up(jobs, LEFT_MIN)?;
        let others: Vec<&str> = JOBS.into_iter().filter(|job| !jobs.contains(job)).collect();
        others.iter().try_for_each(|job| self.rename(job, "toml", "aside"))?;
        let fault = format!("{point}:{nth}");
        let mut daemon = Daemon::start_in(&self.installation, &[], &[("MAILMILL_FAULT", &fault)])?;
        let mut looked = Instant::now();
        let killed = wait_until("the kill", || {
            // What is left may be too little for the point to be passed so often: then it is passed with the next backlog.
            if looked.elapsed() > DRAINED_EVERY {
                self.fill_up(jobs, 1)?;
                looked = Instant::now();
            }
            daemon.ended()
        });
        let status = killed.with_context(|| format!("{jobs:?}: {fault} is not reached:\n{}", daemon.log()))?;
        ensure!(status.signal() == Some(9), "{jobs:?}: {fault}: {status}\n{}", daemon.log());
        others.iter().try_for_each(|job| self.rename(job, "aside", "toml"))
    }

    /// A job is there whose file is called `toml`.
    fn rename(&self, job: &str, from: &str, to: &str) -> Result<()> {
        let path = |suffix: &str| self.installation.path(&format!("jobs/{job}.{suffix}"));
        Ok(std::fs::rename(path(from), path(to))?)
    }

    /// Runs the daemon on the backlog, and kills it after a while.
    pub(crate) fn kill_after(&mut self, life: Duration) -> Result<()> {
        self.fill_up(&JOBS, LEFT_MIN)?;
        let mut daemon = Daemon::start(&self.installation, &[])?;
        std::thread::sleep(life);
        daemon.kill().with_context(|| daemon.log())
    }

    /// Runs one session of a job, in the middle of which the disk is full, from the first passing of a point on; whoever waits for
    /// space gets it after a while. Whether the point was reached.
    pub(crate) fn fill_at(&self, job: &str, point: &str) -> Result<bool> {
        let filler = self.installation.path("disk/filler");
        let mut command = self.installation.command()?;
        let fault = format!("{point}:1:fill:{}", filler.display());
        command.env("MAILMILL_FAULT", fault).args(["run", "--once", job]);
        let child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
        let ended = std::thread::spawn(|| child.wait_with_output());
        let mut full_since = None;
        while !ended.is_finished() {
            std::thread::sleep(LOOK_EVERY);
            if filler.exists() && full_since.get_or_insert_with(Instant::now).elapsed() > FULL_FOR {
                std::fs::remove_file(&filler)?;
            }
        }
        let output = ended.join().map_err(|_| anyhow!("nobody waited for the program"))??;
        let log = String::from_utf8_lossy(&output.stderr);
        // It may have come through, or have failed in order.
        ensure!(matches!(output.status.code(), Some(0 | 1)), "{job}: {point}: {}\n{log}", output.status);
        ensure!(!log.contains("panicked") && !log.contains("bug in"), "{job}: {point}: {log}");
        if filler.exists() {
            std::fs::remove_file(&filler)?;
            return Ok(true);
        }
        Ok(full_since.is_some())
    }

    /// The server breaks all connections, and comes back.
    pub(crate) fn restart_server(&mut self) -> Result<()> {
        self.server.stop()?;
        self.server.start_again()
    }

    /// Runs until everything is done, and looks at what became of it.
    pub(crate) fn finish(&self) -> Result<Figures> {
        // It does not pause between calls, of which there are thousands.
        self.installation.mailmill(&["run", "--once"])?.success()?;
        let mut daemon = Daemon::start(&self.installation, &[])?;
        let mut undone = usize::MAX;
        // However much there is: as long as it becomes less, it gets its time.
        while undone > 0 {
            let fewer = wait_until("all to be done", || Ok(Some(self.undone()?).filter(|now| *now < undone)));
            undone = fewer.with_context(|| daemon.log())?;
        }
        ensure!(daemon.terminate()?.success(), "{}", daemon.log());
        self.check()
    }

    /// How many messages are not marked; once all are, how many calls are not made.
    fn undone(&self) -> Result<usize> {
        match self.left()? {
            0 => self.unsent(),
            // No more calls than that are made for messages.
            left => Ok(left + self.sent.values().sum::<usize>() * MESSAGES),
        }
    }

    fn check(&self) -> Result<Figures> {
        let conversations: usize = self.sent.values().sum();
        let messages = conversations * MESSAGES;
        ensure!(quarantine(&self.installation)?.is_empty(), "something is in quarantine");
        let receipts = receipts(&self.installation)?;
        let uids: BTreeSet<&str> = receipts.iter().map(|receipt| receipt.uid.as_str()).collect();
        ensure!(
            (receipts.len(), uids.len()) == (messages, messages),
            "{messages} messages have {} receipts, {} of them different",
            receipts.len(),
            uids.len()
        );
        self.check_tickets(conversations)?;
        let (calls, repeated) = self.check_calls(conversations)?;
        self.check_marks()?;
        Ok(Figures { messages, tickets: conversations, calls, repeated })
    }

    /// Each conversation is one ticket with one comment.
    fn check_tickets(&self, conversations: usize) -> Result<()> {
        let tickets = tickets(&self.installation)?;
        ensure!(tickets.len() == conversations, "{conversations} requests are {} tickets", tickets.len());
        let mut wanted = BTreeSet::new();
        for (job, count) in &self.sent {
            wanted.extend((1..=*count).map(|number| format!("Request {number} by {job}")));
        }
        for ticket in &tickets {
            ensure!(wanted.remove(&ticket.subject), "{}: {} has a ticket already", ticket.number, ticket.subject);
        }
        let check = |ticket: &Ticket| {
            let comments = comments(&self.installation, &ticket.number)?;
            let expected = format!("A reply to: {}.", ticket.subject);
            ensure!(comments == [expected.as_str()], "{} {}: {comments:?}", ticket.number, ticket.subject);
            Ok(())
        };
        // The program tells of one ticket at a time, and there are thousands.
        std::thread::scope(|scope| {
            let part = tickets.len().div_ceil(LOOKING).max(1);
            let parts: Vec<_> =
                tickets.chunks(part).map(|part| scope.spawn(|| part.iter().try_for_each(check))).collect();
            parts.into_iter().try_for_each(|part| part.join().map_err(|_| anyhow!("a check has panicked"))?)
        })
    }

    /// Each reply has one entry in the outbox, which was delivered at least once, always in the same way. Gives how many calls
    /// came, and how many of them were repeated.
    fn check_calls(&self, replies: usize) -> Result<(usize, usize)> {
        let entries: BTreeSet<String> =
            outbox(&self.installation)?.iter().map(|entry| format!("msg_{}", entry.key)).collect();
        ensure!(entries.len() == replies, "{replies} replies have {} entries in the outbox", entries.len());
        let calls = self.receiver.calls();
        let called: BTreeSet<String> = calls.keys().cloned().collect();
        ensure!(called == entries, "never sent, or sent and unknown: {:?}", called.symmetric_difference(&entries));
        for (id, bodies) in &calls {
            ensure!(bodies.iter().all(|body| Some(body) == bodies.first()), "{id} differs: {bodies:?}");
        }
        let all: usize = calls.values().map(Vec::len).sum();
        Ok((all, all - calls.len()))
    }

    /// What came by IMAP is moved, each message once, and read; what came by POP3 is gone.
    fn check_marks(&self) -> Result<()> {
        for job in JOBS {
            let left = self.mailbox(job)?.messages("INBOX")?;
            ensure!(left.is_empty(), "left in the mailbox of {job}: {left:?}");
        }
        let done = self.mailbox("imap")?.messages("Done")?;
        let ids: BTreeSet<&str> = done.iter().map(|message| message.message_id.as_str()).collect();
        let expected = self.sent.get("imap").copied().unwrap_or_default() * MESSAGES;
        ensure!((done.len(), ids.len()) == (expected, expected), "moved: {} messages of {expected}", done.len());
        let unread = done.iter().filter(|it| !it.flags.iter().any(|flag| flag == "\\Seen")).count();
        ensure!(unread == 0, "{unread} messages were moved and not marked as read");
        Ok(())
    }

    fn mailbox(&self, job: &str) -> Result<Mailbox> {
        self.server.mailbox(job)
    }
}

/// The request of a conversation, or the reply to it.
fn message(job: &str, number: usize, reply: Option<&str>) -> String {
    let (subject, request) = (format!("Request {number} by {job}"), format!("<{number}@{job}.example>"));
    let (id, head, text) = match reply {
        None => (request, String::new(), format!("This is it: {subject}.")),
        Some(name) => (
            format!("<{name}-{number}@{job}.example>"),
            format!("In-Reply-To: {request}\nReferences: {request}\n"),
            format!("A reply to: {subject}."),
        ),
    };
    let mark = if reply.is_some() { "Re: " } else { "" };
    format!(
        "From: Ann <ann{number}@{job}.example>\nTo: Desk <desk@desk.example>\nSubject: {mark}{subject}\nMessage-ID: {id}\n{head}\
         Date: Mon, 12 Jan 2026 09:00:00 +0000\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n\n{text}\n"
    )
}
