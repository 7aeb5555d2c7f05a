//! What the settings say of our own mail, as the commit and the rules have to know it.

use crate::config::{Config, Job, JobSource};
use crate::outgoing::{Limits, Outlets, OwnIds, Sender, address};
use crate::store::{self, Store};
use crate::thread::Tags;
use std::collections::BTreeSet;
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
        own_addresses: own_addresses(config, jobs),
        ids: OwnIds::new(store.own_key().await?, domain),
        tag: tag.clone(),
        tag_end: config.smtp.tag,
        limits: Limits {
            window: outbox.window.duration(),
            per_sender: outbox.answers_per_sender_max.get(),
            per_ticket: outbox.mails_per_ticket_max.get(),
        },
    })))
}

/// `from`, those that the settings name, and those that jobs log in with.
fn own_addresses(config: &Config, jobs: &[Job]) -> BTreeSet<String> {
    let from = config.smtp.from.as_ref().map(|from| from.address().email.clone());
    let named = config.smtp.own_addresses.iter().filter_map(|text| address(text)).map(|address| address.email);
    let users = jobs.iter().filter_map(|job| match &job.source {
        JobSource::Imap(imap) => Some(&imap.server.user),
        JobSource::Pop3(pop3) => Some(&pop3.server.user),
        JobSource::Maildir(_) | JobSource::Folder(_) => None,
    });
    let users = users.filter_map(|user| address(user)).map(|address| address.email);
    from.into_iter().chain(named).chain(users).map(|email| email.to_lowercase()).collect()
}
