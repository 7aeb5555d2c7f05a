//! What a job's settings mean for the parts below: its account, its rules, its limits.

use super::tokens;
use crate::config::reader::error_at;
use crate::config::{Authentication, Config, Job, JobSource, Pop3, Server, Steps};
use crate::content::Spool;
use crate::diagnostic::{Diagnostics, suggestion};
use crate::mailbox::{self, Account, FolderAccount, FolderKind, ImapAccount, Pop3Account, Protocol};
use crate::oauth::Tokens;
use crate::pipeline::Cleaning;
use crate::rules::RuleSet;
use crate::secret::{self, SecretRef};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Where an installation keeps long messages until they are stored.
#[must_use]
pub fn spool(config: &Config) -> Spool {
    Spool::beside(&config.store.path).for_longer_than(config.limits.memory_message_bytes_max.get())
}

/// The account that a job watches, and of which it fetches messages of at most so many bytes, long ones into the spool.
/// Reads the password.
///
/// # Errors
/// If the password cannot be read.
pub fn account(
    job: &Job,
    message_bytes_max: u64,
    tokens: &Arc<Tokens>,
    spool: &Spool,
) -> Result<Account, secret::Error> {
    Ok(match &job.source {
        JobSource::Imap(imap) => {
            let server = &imap.server;
            Account::Imap(ImapAccount {
                host: server.host.clone(),
                port: server.port(Protocol::Imap),
                security: server.security,
                trust: server.trust(),
                user: server.user.clone(),
                authentication: authentication(job, server, tokens)?,
                memory: mailbox::LoginMemory::default(),
                mailboxes: imap.watched.mailbox.names().to_vec(),
                targets: job.handling.targets(),
                purge: job.handling.purge,
                timeout: server.timeout.duration(),
                limits: mailbox::Limits { literal_bytes_max: message_bytes_max, ..mailbox::Limits::default() },
                spool: spool.clone(),
            })
        }
        JobSource::Pop3(Pop3 { server, .. }) => Account::Pop3(Pop3Account {
            host: server.host.clone(),
            port: server.port(Protocol::Pop3),
            security: server.security,
            trust: server.trust(),
            user: server.user.clone(),
            authentication: authentication(job, server, tokens)?,
            memory: mailbox::LoginMemory::default(),
            timeout: server.timeout.duration(),
            message_bytes_max,
            spool: spool.clone(),
        }),
        JobSource::Maildir(maildir) => folder(&maildir.path, FolderKind::Maildir, 0, job, message_bytes_max, spool),
        JobSource::Folder(mail) => folder(&mail.path, FolderKind::Eml, mail.settle_ms, job, message_bytes_max, spool),
    })
}

fn authentication(job: &Job, server: &Server, tokens: &Arc<Tokens>) -> Result<mailbox::Authentication, secret::Error> {
    if server.authentication == Authentication::OAuth2 {
        return Ok(mailbox::Authentication::OAuth2(tokens::source(job, server, tokens)));
    }
    // That there is one was checked when the job was loaded.
    let nowhere = SecretRef::Env(String::new());
    let resolved = server.password.as_ref().unwrap_or(&nowhere).resolve()?;
    if let Some(warning) = &resolved.warning {
        tracing::warn!(job = job.name, "{warning}");
    }
    Ok(match server.authentication {
        Authentication::Ntlm => mailbox::Authentication::Ntlm(resolved.secret),
        Authentication::Password | Authentication::OAuth2 => mailbox::Authentication::Password(resolved.secret),
    })
}

fn folder(path: &Path, kind: FolderKind, settle_ms: u64, job: &Job, message_bytes_max: u64, spool: &Spool) -> Account {
    let settle = Duration::from_millis(settle_ms);
    let purge = job.handling.purge;
    Account::Folder(FolderAccount {
        path: path.to_owned(),
        kind,
        settle,
        message_bytes_max,
        purge,
        spool: spool.clone(),
    })
}

/// How a job wants its messages cleaned by these rules.
#[must_use]
pub fn cleaning(job: &Job, rules: &RuleSet) -> Cleaning {
    let steps = match &job.preprocess.steps {
        Steps::Recommended => rules.recommended_steps(),
        Steps::Named(names) => names.clone(),
    };
    Cleaning { steps, kinds: job.preprocess.kinds, apply_to: job.preprocess.apply_to }
}

/// Whether the rules have all the steps that the jobs ask for.
///
/// # Errors
/// One diagnostic for each step that they do not have.
pub fn check_steps(jobs: &[Job], folder: &Path, rules: &RuleSet) -> Result<(), Diagnostics> {
    let known = rules.preprocess_steps();
    let mut faults = Diagnostics::default();
    for job in jobs {
        let Steps::Named(names) = &job.preprocess.steps else { continue };
        for name in names.iter().filter(|name| !known.contains(name)) {
            let file = folder.join(format!("{}.toml", job.name));
            let reason = format!("pipeline.toml has no preprocess step \"{name}\"");
            let help = suggestion(name, known.iter().map(String::as_str));
            let help = help.unwrap_or_else(|| format!("it has: {}", known.join(", ")));
            faults.push(error_at(&file, &["preprocess", "steps", name], reason).help(help));
        }
    }
    faults.or(Some(()))
}
