//! Those who are compared: each empties the same mailbox, leaves it as it is, and is checked to have got everything.

use crate::mail::MESSAGES;
use anyhow::{Context, Result, bail, ensure};
use mailmill_tests::records::receipts;
use mailmill_tests::servers::{Endpoint, PASSWORD, Protocol, Server, Tls};
use mailmill_tests::{Client, Daemon, Dovecot, Installation};
use std::fs::Permissions;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Whose mailbox is drained.
pub(crate) const USER: &str = "bench";

/// A program that fetches mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Contender {
    /// A client that fetches over TLS and throws away.
    Discard,
    /// mbsync, which writes a Maildir, with its syncs.
    Mbsync,
    /// fetchmail, which gives each message to procmail.
    Fetchmail,
    /// getmail6, into a Maildir.
    Getmail,
    /// mailmill: all nine hops, into committed receipts with the raw message. A daemon that runs, until it has handled all.
    Mailmill,
    /// The same by `mailmill run --once`: with the loading and testing of its rules, and what there is to do at the end.
    MailmillOnce,
}

/// Where the job's file is.
const JOB: &str = "jobs/bench.toml";
/// Eight steps, each a plugin and its rules, in the order in which a message goes through them: name, hop, plugin, rules.
const STEPS: [[&str; 4]; 8] = [
    ["gmail", "preprocess", "reply", "preprocess/gmail.toml"],
    ["apple-mail", "preprocess", "reply", "preprocess/apple-mail.toml"],
    ["outlook", "preprocess", "reply", "preprocess/outlook.toml"],
    ["attributions", "preprocess", "reply", "preprocess/attributions.toml"],
    ["quote-marks", "preprocess", "reply", "preprocess/quote-marks.toml"],
    ["signatures", "preprocess", "reply", "preprocess/signatures.toml"],
    ["fields", "extract", "fields", "fields.toml"],
    ["statements", "process", "statements", "statements/*.toml"],
];

impl Contender {
    /// In the order in which they take turns.
    pub(crate) const ALL: [Self; 6] =
        [Self::Discard, Self::Mbsync, Self::Fetchmail, Self::Getmail, Self::Mailmill, Self::MailmillOnce];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Discard => "discard",
            Self::Mbsync => "mbsync",
            Self::Fetchmail => "fetchmail with procmail",
            Self::Getmail => "getmail6",
            Self::Mailmill => "mailmill",
            Self::MailmillOnce => "mailmill run --once",
        }
    }

    /// What mailmill's time may be, as a multiple of this one's.
    pub(crate) fn target(self) -> Option<f64> {
        match self {
            Self::Discard => Some(3.0),
            Self::Mbsync => Some(1.0 / 1.5),
            Self::Fetchmail => Some(1.0 / 6.0),
            Self::Getmail => Some(1.0 / 12.0),
            Self::Mailmill | Self::MailmillOnce => None,
        }
    }

    /// Drains the mailbox once, from nothing, and says how long it took.
    pub(crate) fn run(self, server: &Dovecot) -> Result<Duration> {
        // What others have left to be written is not written in this one's time.
        timed(&mut Command::new("sync"))?;
        let place = tempfile::Builder::new().prefix("mailmill-drain-").tempdir()?;
        let place = place.path();
        let endpoint = server.endpoint(Protocol::Imap, Tls::Implicit);
        match self {
            Self::Discard => discard(endpoint, server.authority()),
            Self::Mbsync => {
                write(&place.join("rc"), &mbsync_rc(endpoint, server.authority(), place))?;
                let time = timed(Command::new("mbsync").arg("-q").arg("-c").arg(place.join("rc")).arg("-a"))?;
                delivered(&place.join("INBOX")).map(|()| time)
            }
            Self::Fetchmail => {
                let maildir = maildir(place)?;
                write(&place.join("procmail"), &format!(":0\n{}/\n", maildir.display()))?;
                write(&place.join("rc"), &fetchmail_rc(endpoint, server.authority(), place))?;
                let mut command = Command::new("fetchmail");
                command.arg("-s").arg("-f").arg(place.join("rc")).arg("--pidfile").arg(place.join("pid"));
                let time = timed(command.env("FETCHMAILHOME", place).env("HOME", place))?;
                delivered(&maildir).map(|()| time)
            }
            Self::Getmail => {
                let maildir = maildir(place)?;
                let mut rc = getmail_rc(endpoint, server.authority(), &maildir);
                if std::fs::metadata("/proc/self")?.uid() == 0 {
                    // It delivers no mail as root.
                    rc = rc.replace("\n\n[options]", "\nuser = nobody\n\n[options]");
                    std::fs::set_permissions(place, Permissions::from_mode(0o755))?;
                    timed(Command::new("chown").arg("-R").arg("nobody").arg(&maildir))?;
                }
                write(&place.join("rc"), &rc)?;
                let time = timed(Command::new("getmail").arg("-g").arg(place).arg("-r").arg("rc").arg("-q"))?;
                delivered(&maildir).map(|()| time)
            }
            Self::Mailmill => daemon(server),
            Self::MailmillOnce => once(server),
        }
    }
}

fn discard(endpoint: Endpoint, authority: &Path) -> Result<Duration> {
    let begun = Instant::now();
    let mut client = Client::connect_tls(Protocol::Imap, endpoint, authority)?;
    client.log_in(USER, PASSWORD)?;
    let messages = client.discard_all()?;
    let time = begun.elapsed();
    ensure!(messages == MESSAGES, "{messages} messages came");
    Ok(time)
}

/// An installation whose pipeline has the eight steps, and the file of a job that drains the mailbox.
fn installation(server: &Dovecot) -> Result<(Installation, String)> {
    let installation = Installation::new()?;
    let step = |[name, hop, plugin, rules]: [&str; 4]| {
        format!(
            "[[step]]\nname = \"{name}\"\nhop = \"{hop}\"\nplugin = \"{plugin}\"\nrules = \"{rules}\"\nreuse = true\n\n"
        )
    };
    installation.write("rules/pipeline.toml", &STEPS.map(step).concat())?;
    installation.add_imap_job(USER, server, USER)?;
    let job = installation.read(JOB)?;
    // The others do not mark either: their next turn would find nothing.
    let marks = job.find("[handling]").context("a job without handling")?;
    Ok((installation, job.get(..marks).unwrap_or_default().to_owned()))
}

/// A daemon that runs and is given the job: from the moment when the job starts until the last receipt is committed.
fn daemon(server: &Dovecot) -> Result<Duration> {
    let (installation, job) = installation(server)?;
    std::fs::remove_file(installation.path(JOB))?;
    // A daemon has to have a job.
    installation.add_folder_job("other")?;
    let mut daemon = Daemon::start(&installation, &[])?;
    daemon.wait_for("the daemon to work", 0, |line| line.contains("mailmill is running"))?;
    let skip = daemon.log_length();
    installation.write(JOB, &job)?;
    daemon.wait_for("its job", skip, |line| line.contains("the job starts"))?;
    let begun = Instant::now();
    daemon.wait_for_each("its messages", skip, MESSAGES, |line| line.contains("message handled"))?;
    let time = begun.elapsed();
    ensure!(daemon.terminate()?.success(), "{}", daemon.log());
    received(&installation).map(|()| time)
}

/// The command that runs each job once, from its start to its end.
fn once(server: &Dovecot) -> Result<Duration> {
    let (installation, job) = installation(server)?;
    installation.write(JOB, &job)?;
    let begun = Instant::now();
    installation.mailmill(&["run", "--once"])?.success()?;
    let time = begun.elapsed();
    received(&installation).map(|()| time)
}

/// Whether each message has its receipt, and was accepted.
fn received(installation: &Installation) -> Result<()> {
    let receipts = receipts(installation)?;
    let accepted = receipts.iter().filter(|receipt| receipt.outcome == "accepted").count();
    ensure!(accepted == MESSAGES, "mailmill accepted {accepted} messages of {MESSAGES}");
    Ok(())
}

fn timed(command: &mut Command) -> Result<Duration> {
    let begun = Instant::now();
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("cannot run {command:?}"))?;
    let time = begun.elapsed();
    if !output.status.success() {
        let said = [output.stdout, output.stderr].concat();
        bail!("{command:?} ended with {}:\n{}", output.status, String::from_utf8_lossy(&said).trim());
    }
    Ok(time)
}

fn delivered(maildir: &Path) -> Result<()> {
    let mut files = 0;
    for folder in ["new", "cur"] {
        files += std::fs::read_dir(maildir.join(folder))?.count();
    }
    ensure!(files == MESSAGES, "{} holds {files} messages", maildir.display());
    Ok(())
}

fn maildir(place: &Path) -> Result<std::path::PathBuf> {
    let maildir = place.join("Maildir");
    for folder in ["new", "cur", "tmp"] {
        std::fs::create_dir_all(maildir.join(folder))?;
    }
    Ok(maildir)
}

/// For our eyes only, as these programs want it.
fn write(path: &Path, text: &str) -> Result<()> {
    std::fs::write(path, text)?;
    Ok(std::fs::set_permissions(path, Permissions::from_mode(0o600))?)
}

fn mbsync_rc(endpoint: Endpoint, authority: &Path, place: &Path) -> String {
    format!(
        "IMAPAccount bench\nHost localhost\nPort {}\nUser {USER}\nPass {PASSWORD}\nSSLType IMAPS\nSystemCertificates no\n\
         CertificateFile {}\n\nIMAPStore far\nAccount bench\n\nMaildirStore near\nPath {}/\nInbox {}/INBOX\n\n\
         Channel bench\nFar :far:\nNear :near:\nPatterns INBOX\nCreate Near\nSync Pull\nSyncState *\n",
        endpoint.port,
        authority.display(),
        place.display(),
        place.display()
    )
}

fn fetchmail_rc(endpoint: Endpoint, authority: &Path, place: &Path) -> String {
    format!(
        "poll localhost service {} protocol imap user \"{USER}\" password \"{PASSWORD}\" keep fetchall ssl sslcertck \
         sslcertfile \"{}\" mda \"/usr/bin/procmail -m {}/procmail\"\n",
        endpoint.port,
        authority.display(),
        place.display()
    )
}

fn getmail_rc(endpoint: Endpoint, authority: &Path, maildir: &Path) -> String {
    format!(
        "[retriever]\ntype = SimpleIMAPSSLRetriever\nserver = localhost\nport = {}\nusername = {USER}\npassword = \
         {PASSWORD}\nmailboxes = (\"INBOX\",)\nca_certs = {}\n\n[destination]\ntype = Maildir\npath = {}/\n\n[options]\n\
         read_all = true\ndelete = false\n",
        endpoint.port,
        authority.display(),
        maildir.display()
    )
}
