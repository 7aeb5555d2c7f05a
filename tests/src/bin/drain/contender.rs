//! Those who are compared: each empties the same mailbox, leaves it as it is, and is checked to have got everything.

use crate::mail::MESSAGES;
use anyhow::{Context, Result, bail, ensure};
use mailmill_tests::servers::{Endpoint, PASSWORD, Protocol, Server, Tls};
use mailmill_tests::{Client, Dovecot, Installation};
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
    /// mailmill: all nine hops, into committed receipts with the raw message.
    Mailmill,
}

impl Contender {
    /// In the order in which they take turns.
    pub(crate) const ALL: [Self; 5] = [Self::Discard, Self::Mbsync, Self::Fetchmail, Self::Getmail, Self::Mailmill];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Discard => "discard",
            Self::Mbsync => "mbsync",
            Self::Fetchmail => "fetchmail with procmail",
            Self::Getmail => "getmail6",
            Self::Mailmill => "mailmill",
        }
    }

    /// What mailmill's time may be, as a multiple of this one's.
    pub(crate) fn target(self) -> Option<f64> {
        match self {
            Self::Discard => Some(3.0),
            Self::Mbsync => Some(1.0 / 1.5),
            Self::Fetchmail => Some(1.0 / 6.0),
            Self::Getmail => Some(1.0 / 12.0),
            Self::Mailmill => None,
        }
    }

    /// Drains the mailbox once, from nothing, and says how long it took.
    pub(crate) fn run(self, server: &Dovecot) -> Result<Duration> {
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
            Self::Mailmill => mailmill(server),
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

fn mailmill(server: &Dovecot) -> Result<Duration> {
    let installation = Installation::new()?;
    installation.add_imap_job("bench", server, USER)?;
    let job = installation.read("jobs/bench.toml")?;
    // The others do not mark either: their next turn would find nothing.
    let marks = job.find("[handling]").context("a job without handling")?;
    installation.write("jobs/bench.toml", job.get(..marks).unwrap_or_default())?;
    let begun = Instant::now();
    installation.mailmill(&["run", "--once"])?.success()?;
    let time = begun.elapsed();
    let sessions = installation.mailmill(&["log", "--json"])?.success()?.stdout;
    let sessions: serde_json::Value = serde_json::from_str(&sessions)?;
    let received = sessions.get(0).and_then(|session| session.get("received")).and_then(serde_json::Value::as_u64);
    ensure!(received == u64::try_from(MESSAGES).ok(), "mailmill received {received:?} messages");
    Ok(time)
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
