//! What the settings say of our own mail, as the commit and the rules have to know it.

use crate::config::reader::error_at;
use crate::config::{Config, Job, JobSource};
use crate::diagnostic::Diagnostics;
use crate::message::AddressPattern;
use crate::outgoing::{Limits, Outlets, OwnAddresses, Sender};
use crate::store::{self, Store};
use crate::thread::{OwnIds, Tags};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

/// Where things can be sent.
#[must_use]
pub fn outlets(config: &Config, jobs: &[Job]) -> Outlets {
    Outlets {
        mail: config.smtp.server.is_some(),
        own_addresses: own_addresses(config, jobs),
        webhooks: config.webhook.0.keys().cloned().collect(),
        maildirs: config.maildir.0.keys().cloned().collect(),
    }
}

/// Reports jobs that read where rules may store messages: each copy would be a message for the job, and be copied again.
///
/// # Errors
/// With each such job.
pub fn check_maildirs(config: &Config, jobs: &[Job]) -> Result<(), Diagnostics> {
    let mut found = Diagnostics::default();
    for job in jobs {
        let path = match &job.source {
            JobSource::Maildir(mail) => &mail.path,
            JobSource::Folder(mail) => &mail.path,
            JobSource::Imap(_) | JobSource::Pop3(_) => continue,
        };
        let read = real(path);
        for (name, folder) in &config.maildir.0 {
            let stored = real(folder);
            if !stored.starts_with(&read) && !read.starts_with(&stored) {
                continue;
            }
            let file = config.jobs.join(format!("{}.toml", job.name));
            let reason = format!(
                "the job reads {}, and rules may store messages in {} ([maildir] `{name}` of mailmill.toml): each of them \
                 would be a new message for the job, without end",
                path.display(),
                folder.display()
            );
            let help = "give one of them a folder that is not inside the other";
            found.push(error_at(&file, &["source", "path"], reason).help(help));
        }
    }
    if found.is_empty() { Ok(()) } else { Err(found) }
}

/// A path with neither links nor `..`, as far as it exists.
fn real(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let found = path.ancestors().find_map(|part| Some((part, part.canonicalize().ok()?)));
    let rest = found.as_ref().and_then(|(part, _)| path.strip_prefix(part).ok());
    let mut real = found.as_ref().map_or_else(PathBuf::new, |(_, real)| real.clone());
    for part in rest.unwrap_or(&path).components() {
        match part {
            Component::ParentDir => drop(real.pop()),
            Component::CurDir => {}
            Component::Normal(_) | Component::RootDir | Component::Prefix(_) => real.push(part),
        }
    }
    real
}

/// How our own mail looks; none if no mail is sent.
///
/// # Errors
/// If the store cannot give the key of our Message-IDs.
pub async fn sender(
    config: &Config,
    jobs: &[Job],
    tags: &Tags,
    store: &Store,
) -> Result<Option<Arc<Sender>>, store::Error> {
    let domain = config.smtp.from.as_ref().and_then(|from| from.address().email.rsplit_once('@'));
    let (Some(_), Some((_, domain)), Some(tag)) = (&config.smtp.server, domain, tags.tags.first()) else {
        return Ok(None);
    };
    let outbox = &config.outbox;
    Ok(Some(Arc::new(Sender {
        own_addresses: OwnAddresses::new(own_addresses(config, jobs)),
        ids: OwnIds::new(store.own_key().await?, domain),
        tag: tag.clone(),
        tag_end: config.smtp.tag,
        limits: Limits {
            window: outbox.window.duration(),
            per_sender: outbox.answers_per_sender_max.get(),
            per_ticket: outbox.mails_per_ticket_max.get(),
            per_address: outbox.mails_per_address_max.get(),
        },
    })))
}

/// The addresses of the desk: those that the settings name, `from`, and those that jobs log in with.
#[must_use]
pub fn own_addresses(config: &Config, jobs: &[Job]) -> Vec<AddressPattern> {
    let from = config.smtp.from.as_ref().and_then(|from| AddressPattern::parse(&from.address().email));
    let users = jobs.iter().filter_map(|job| match &job.source {
        JobSource::Imap(imap) => AddressPattern::parse(&imap.server.user),
        JobSource::Pop3(pop3) => AddressPattern::parse(&pop3.server.user),
        JobSource::Maildir(_) | JobSource::Folder(_) => None,
    });
    config.own_addresses.iter().cloned().chain(from).chain(users).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is said of a job that reads this folder, where rules store in that one; both below a folder with a link `link` to
    /// `mail`.
    fn check(read: &str, stored: &str, expect: bool) {
        let dir = tempfile::tempdir().unwrap();
        for folder in ["jobs", "mail/new"] {
            std::fs::create_dir_all(dir.path().join(folder)).unwrap();
        }
        std::os::unix::fs::symlink("mail", dir.path().join("link")).unwrap();
        let job = dir.path().join("jobs/desk.toml");
        std::fs::write(&job, format!("[source]\ntype = \"folder\"\npath = \"../{read}\"\n")).unwrap();
        let settings = dir.path().join("mailmill.toml");
        std::fs::write(&settings, format!("[maildir]\narchive = \"{stored}\"\n")).unwrap();
        let config = Config::load(&settings).unwrap();
        let refused = check_maildirs(&config, &Job::load_all(&config.jobs).unwrap()).err();
        assert_eq!(refused.is_some(), expect, "{read} {stored}: {refused:?}");
        if let Some(refused) = refused {
            let told = refused.to_string();
            assert!(told.contains("without end") && told.contains("desk.toml:3:"), "{told}");
        }
    }

    #[test]
    fn no_job_reads_what_rules_store() {
        check("mail", "archive", false);
        check("mail", "mail2", false);
        check("mail", "mail", true);
        check("mail", "mail/archive", true);
        check("mail/new", "mail", true);
        check("mail/in", "mail", true);
        check("link", "mail/archive", true);
        check("mail/../mail", "jobs/../link/a/b", true);
    }
}
