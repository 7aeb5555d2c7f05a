//! One daemon with its jobs, the mail it gets, and what must be true of it in the end.

use anyhow::{Context, Result, ensure};
use jiff::Timestamp;
use mailmill_tests::records::{quarantine, receipts, tickets};
use mailmill_tests::servers::{PASSWORD, Protocol, Server, Tls};
use mailmill_tests::{Daemon, Dovecot, Installation, Mailbox, messages, wait_until};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// A daemon that was just started is looked at only then: its memory is that of a daemon that runs.
const GROWN_UP: Duration = Duration::from_secs(20);
/// Settings for a machine that does much else.
const SETTINGS: &str = "\n[plugin_limits]\ndeadline_ms = 60000\nconfigure_deadline_ms = 60000\n";

/// How a job reads its mail, and what becomes of it there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// IMAP: marked as read, and left.
    Seen,
    /// IMAP: marked as read, and moved.
    Moved,
    /// POP3: deleted.
    Deleted,
}

struct Job {
    user: String,
    kind: Kind,
    mailbox: Mailbox,
    sent: usize,
}

/// A size of the daemon.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Look {
    /// When, between 0 and 1, the beginning and the end of the run.
    pub(crate) progress: f64,
    /// Its own memory (RssAnon), in bytes: the pages of its program come and go as the system likes.
    pub(crate) bytes: u64,
}

/// What it came to.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// Its name.
    pub(crate) name: String,
    /// Messages that were sent.
    pub(crate) messages: usize,
    /// Those without a receipt, or without their ticket, or without their mark.
    pub(crate) lost: usize,
    /// Receipts and tickets beyond one for each message.
    pub(crate) doubled: usize,
    /// The sets of rules that messages ran on.
    pub(crate) revisions: usize,
    /// How long each message waited for its receipt, in seconds, with the time at which it was sent, between 0 and 1.
    pub(crate) lags: Vec<(f64, f64)>,
    /// The sizes of the daemon.
    pub(crate) looks: Vec<Look>,
}

pub(crate) struct Site {
    name: &'static str,
    installation: Installation,
    jobs: Vec<Job>,
    daemon: Daemon,
    started: Instant,
    begun: Timestamp,
    /// When each message was sent, by its Message-ID.
    sent: BTreeMap<String, Timestamp>,
    requests: usize,
    changes: usize,
    looks: Vec<Look>,
}

impl Site {
    /// A daemon that reads the mail of so many users of the server.
    pub(crate) fn start(server: &Dovecot, name: &'static str, jobs: usize) -> Result<Self> {
        let installation = Installation::new()?;
        installation.write("mailmill.toml", &(installation.read("mailmill.toml")? + SETTINGS))?;
        installation.write("password", PASSWORD)?;
        let add = |number: usize| {
            let kind = match number % 4 {
                0 => Kind::Moved,
                2 => Kind::Deleted,
                _ => Kind::Seen,
            };
            let user = format!("{name}{number}");
            write_job(&installation, server, &user, kind)?;
            let mailbox = server.mailbox(&user)?;
            Ok(Job { user, kind, mailbox, sent: 0 })
        };
        let jobs = (0..jobs).map(add).collect::<Result<Vec<_>>>()?;
        let daemon = Daemon::start(&installation, &[])?;
        let mut site = Self {
            name,
            installation,
            jobs,
            daemon,
            started: Instant::now(),
            begun: Timestamp::now(),
            sent: BTreeMap::new(),
            requests: 0,
            changes: 0,
            looks: Vec::new(),
        };
        site.daemon.wait_for("the start", 0, |line| line.contains("mailmill is running"))?;
        site.begun = Timestamp::now();
        Ok(site)
    }

    /// A message for the next job: two requests, then a reply to the second.
    pub(crate) fn deliver(&mut self) -> Result<()> {
        let count = self.jobs.len();
        let job = self.jobs.get_mut(self.sent.len() % count).context("no job")?;
        let sender = format!("ann@{}.example", job.user);
        job.sent += 1;
        let (text, id) = if job.sent % 3 == 0 {
            let number = job.sent - 1;
            (messages::reply(number, &sender), format!("<reply-{number}-{sender}>"))
        } else {
            self.requests += 1;
            (messages::request(job.sent, &sender), messages::message_id(job.sent, &sender))
        };
        job.mailbox.deliver(&text)?;
        self.sent.insert(id, Timestamp::now());
        Ok(())
    }

    /// Changes a rule file, another one each time, so that there is a new set of rules.
    pub(crate) fn change_rules(&mut self) -> Result<()> {
        let folder = self.installation.path("rules/preprocess");
        let mut names: Vec<String> = Vec::new();
        for entry in std::fs::read_dir(folder)? {
            names.push(entry?.file_name().to_string_lossy().into_owned());
        }
        names.retain(|name| !name.starts_with('.'));
        names.sort();
        let name = names.get(self.changes % names.len().max(1)).context("no rules")?;
        self.changes += 1;
        let path = format!("rules/preprocess/{name}");
        let text = self.installation.read(&path)?;
        let text = text.split("\n# Change ").next().unwrap_or_default();
        self.installation.write(&path, &format!("{text}\n# Change {}\n", self.changes))
    }

    /// Kills the daemon in the middle of whatever it does, and starts another one.
    pub(crate) fn kill(&mut self) -> Result<()> {
        self.daemon.kill().with_context(|| self.daemon.log())?;
        self.daemon = Daemon::start(&self.installation, &[])?;
        self.started = Instant::now();
        Ok(())
    }

    /// Notes the daemon's size, if it has run for long enough.
    pub(crate) fn look(&mut self, progress: f64) -> Result<()> {
        if self.started.elapsed() >= GROWN_UP {
            let bytes = self.daemon.memory("RssAnon").with_context(|| self.daemon.log())?;
            self.looks.push(Look { progress, bytes });
        }
        Ok(())
    }

    /// How it stands, in a few words.
    pub(crate) fn news(&self) -> String {
        let mib = self.looks.last().map_or(0, |look| look.bytes >> 20);
        format!("{}: {} messages, {} changes, {mib} MiB", self.name, self.sent.len(), self.changes)
    }

    /// Waits until everything is handled, ends the daemon, and looks at what became of each message.
    pub(crate) fn finish(&mut self) -> Result<Outcome> {
        let jobs = &mut self.jobs;
        let done = wait_until("all mail to be handled", || {
            let open: Vec<usize> = jobs.iter_mut().map(Job::open).collect::<Result<_>>()?;
            Ok((open.iter().sum::<usize>() == 0).then_some(()))
        });
        let end = Timestamp::now();
        ensure!(self.daemon.terminate()?.success(), "{}", self.daemon.log());
        // Whether all were marked in the end is one of the questions.
        let unmarked = if done.is_ok() { 0 } else { self.jobs.iter_mut().map(Job::open).sum::<Result<usize>>()? };
        let receipts = receipts(&self.installation)?;
        let mut outcome = Outcome { name: self.name.to_owned(), messages: self.sent.len(), ..Outcome::default() };
        let mut seen = BTreeSet::new();
        let mut revisions = BTreeSet::new();
        for receipt in &receipts {
            let Some(sent) = self.sent.get(&receipt.message_id) else { continue };
            let is_whole = receipt.outcome == "accepted" && receipt.created.len() + receipt.updated.len() == 1;
            if !seen.insert(receipt.message_id.as_str()) {
                outcome.doubled += 1;
            } else if is_whole {
                let whole = end.duration_since(self.begun).as_secs_f64();
                let committed: Timestamp = receipt.committed_at.parse()?;
                let lag = committed.duration_since(*sent).as_secs_f64().max(0.0);
                outcome.lags.push((sent.duration_since(self.begun).as_secs_f64() / whole, lag));
            }
            revisions.insert(receipt.revision.as_str());
        }
        let tickets = tickets(&self.installation)?;
        let requests: BTreeSet<(&str, &str)> =
            tickets.iter().map(|ticket| (ticket.requester.as_str(), ticket.subject.as_str())).collect();
        outcome.lost = (outcome.messages - outcome.lags.len())
            .max(self.requests.saturating_sub(requests.len()))
            .max(unmarked)
            .max(quarantine(&self.installation)?.len());
        outcome.doubled += tickets.len().saturating_sub(requests.len());
        outcome.revisions = revisions.len();
        outcome.looks.clone_from(&self.looks);
        Ok(outcome)
    }
}

impl Job {
    /// How many messages still wait in its mailbox, as far as the server shows it.
    fn open(&mut self) -> Result<usize> {
        let flags = self.mailbox.flags()?;
        let is_open = |flags: &&Vec<String>| self.kind != Kind::Seen || !flags.iter().any(|flag| flag == "\\Seen");
        Ok(flags.values().filter(is_open).count())
    }
}

/// A job that takes any number of messages of one sender: an hour of them would be a flood.
fn write_job(installation: &Installation, server: &Dovecot, user: &str, kind: Kind) -> Result<()> {
    let (protocol, name, success) = match kind {
        Kind::Seen => (Protocol::Imap, "imap", "{ seen = true }"),
        Kind::Moved => (Protocol::Imap, "imap", "{ seen = true, move = \"Done\" }"),
        Kind::Deleted => (Protocol::Pop3, "pop3", "{ deleted = true }"),
    };
    let endpoint = server.endpoint(protocol, Tls::Implicit);
    installation.write(
        &format!("jobs/{user}.toml"),
        &format!(
            "[source]\ntype = \"{name}\"\nhost = \"{}\"\nport = {}\nsecurity = \"tls\"\nca_file = '{}'\nuser = \"{user}\"\n\
             password = {{ file = '{}' }}\nexisting_mail = \"handle\"\n\n[schedule]\nevery = \"1s\"\n\n\
             [preprocess]\nsteps = \"recommended\"\napply_to = \"all\"\n\n[handling]\non_success = {success}\n\n\
             [brake]\nsender_messages_max = 0\nthread_messages_max = 0\n",
            endpoint.host,
            endpoint.port,
            server.authority().display(),
            installation.path("password").display(),
        ),
    )
}
