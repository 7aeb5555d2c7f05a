//! Whether what settings and jobs name is there: the daemon would not find out before it needs it.

use crate::config::reader::error_at;
use crate::config::{Config, Job, JobSource, Server};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::secret::{self, SecretRef};
use crate::thread::TagError;
use std::path::Path;

/// Looks at what the settings file says of tickets, and at the files that it names for HTTPS.
pub(super) fn settings(file: &Path, config: &Config, faults: &mut Diagnostics) {
    if let Err(crate::daemon::Error::Tag(error)) = crate::daemon::tags(config) {
        let key = if let TagError::TooLong { part, .. } = &error { part } else { "prefix" };
        faults.push(error_at(file, &["thread", key], error.to_string()));
    }
    if let Some(tls) = &config.web.tls
        && let Err(error) = crate::web::check_tls(tls)
    {
        let key = if let crate::web::Error::Tls { key, .. } = &error { key } else { "certificate" };
        faults.push(error_at(file, &["web", "tls", key], error.to_string()));
    }
}

/// Looks at what the jobs of a folder need: folders, certificates, passwords.
pub(super) fn jobs(folder: &Path, jobs: &[Job], faults: &mut Diagnostics) {
    for job in jobs {
        let file = folder.join(format!("{}.toml", job.name));
        match &job.source {
            JobSource::Imap(imap) => account(&file, &imap.server, faults),
            JobSource::Pop3(pop3) => account(&file, &pop3.server, faults),
            JobSource::Folder(mail) => faults.extend(no_folder(&file, &mail.path)),
            JobSource::Maildir(mail) => {
                let parts = [mail.path.clone(), mail.path.join("new"), mail.path.join("cur")];
                faults.extend(parts.iter().find_map(|part| no_folder(&file, part)));
            }
        }
    }
}

fn no_folder(file: &Path, folder: &Path) -> Option<Diagnostic> {
    let error = std::fs::read_dir(folder).err()?;
    let reason = format!("the folder {} cannot be opened: {error}", folder.display());
    Some(error_at(file, &["source", "path"], reason))
}

fn account(file: &Path, server: &Server, faults: &mut Diagnostics) {
    if let Some(password) = &server.password {
        secret(file, &["source", "password"], password, faults);
    }
    if let Some(password) = server.oauth.as_ref().and_then(|oauth| oauth.client_secret.as_ref()) {
        secret(file, &["source", "oauth", "client_secret"], password, faults);
    }
    if let Err(error) = server.trust().check() {
        faults.push(error_at(file, &["source", "ca_file"], error.to_string()));
    }
    if !server.reject_invalid_certificates && server.fingerprint.is_none() {
        let reason = "any certificate is accepted, so anyone on the way can pass for the server";
        let warning = error_at(file, &["source", "reject_invalid_certificates"], reason).warning();
        faults.push(warning.help("set `ca_file` or `fingerprint` instead"));
    }
}

/// Looks at whether a secret can be read.
fn secret(file: &Path, keys: &[&str], place: &SecretRef, faults: &mut Diagnostics) {
    let about = |sentence: String| error_at(file, keys, sentence);
    match place.resolve() {
        Ok(secret) => faults.extend(secret.warning.map(|warning| about(warning).warning())),
        // Only the service manager can say whether the service will have it.
        Err(error @ secret::Error::NoCredentials(_)) => faults.push(about(error.to_string()).warning()),
        Err(error) => faults.push(about(error.to_string())),
    }
}
