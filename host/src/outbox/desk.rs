//! What the settings say of our own mail, as the commit and the rules have to know it.

use crate::config::{Config, Job, JobSource};
use crate::message::AddressPattern;
use crate::outgoing::{Limits, Outlets, OwnIds, Sender};
use crate::store::{self, Store};
use crate::thread::Tags;
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
