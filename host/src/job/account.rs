//! What a job's settings mean for the parts below: its account, its rules, its limits.

use crate::config::reader::error_at;
use crate::config::{Job, JobSource, Steps};
use crate::content::Spool;
use crate::diagnostic::{Diagnostics, suggestion};
use crate::mailbox::{self, Account, FolderAccount, FolderKind, ImapAccount, Protocol};
use crate::pipeline::Cleaning;
use crate::rules::RuleSet;
use crate::secret;
use std::path::Path;
use std::time::Duration;

/// How long a mail server may take to answer.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(60);

/// The account that a job watches, and of which it fetches messages of at most so many bytes, long ones into the spool.
/// Reads the password.
///
/// # Errors
/// If the password cannot be read.
pub fn account(job: &Job, message_bytes_max: u64, spool: &Spool) -> Result<Account, secret::Error> {
    Ok(match &job.source {
        JobSource::Imap(imap) => {
            let server = &imap.server;
            let password = server.password.resolve()?;
            if let Some(warning) = &password.warning {
                tracing::warn!(job = job.name, "{warning}");
            }
            Account::Imap(ImapAccount {
                host: server.host.clone(),
                port: server.port(Protocol::Imap),
                security: server.security,
                trust: server.trust(),
                user: server.user.clone(),
                password: password.secret,
                mailbox: imap.watched.mailbox.clone(),
                timeout: COMMAND_TIMEOUT,
                limits: mailbox::Limits { literal_bytes_max: message_bytes_max, ..mailbox::Limits::default() },
                spool: spool.clone(),
            })
        }
        JobSource::Maildir(maildir) => folder(&maildir.path, FolderKind::Maildir, 0, message_bytes_max, spool),
        JobSource::Folder(mail) => folder(&mail.path, FolderKind::Eml, mail.settle_ms, message_bytes_max, spool),
    })
}

fn folder(path: &Path, kind: FolderKind, settle_ms: u64, message_bytes_max: u64, spool: &Spool) -> Account {
    let settle = Duration::from_millis(settle_ms);
    Account::Folder(FolderAccount { path: path.to_owned(), kind, settle, message_bytes_max, spool: spool.clone() })
}

/// How a job wants its messages cleaned by these rules.
#[must_use]
pub fn cleaning(job: &Job, rules: &RuleSet) -> Cleaning {
    let steps = match &job.preprocess.steps {
        Steps::Recommended => rules.preprocess_steps(),
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
