//! The desk as a whole: the addresses that it has, as long as its jobs are these.

use crate::config::{Config, Job};
use crate::outbox;
use crate::outgoing::{Outlets, Sender};
use std::sync::Arc;
use tokio::sync::watch;

/// What jobs and outbox have to know of the desk as a whole: the addresses that it has, as long as its jobs are these.
pub(super) struct Desk {
    outlets: watch::Sender<Arc<Outlets>>,
    sender: Option<Arc<Sender>>,
}

impl Desk {
    /// The desk of these jobs. `sender` if it sends mail.
    pub(super) fn new(config: &Config, jobs: &[Job], sender: Option<Arc<Sender>>) -> Self {
        Self { outlets: watch::Sender::new(Arc::new(outbox::outlets(config, jobs))), sender }
    }

    /// Where things can be sent.
    pub(super) fn outlets(&self) -> watch::Receiver<Arc<Outlets>> {
        self.outlets.subscribe()
    }

    /// From now on, these are its jobs.
    pub(super) fn has_jobs(&self, config: &Config, jobs: &[Job]) {
        let outlets = outbox::outlets(config, jobs);
        if let Some(sender) = &self.sender {
            sender.own_addresses.set(outlets.own_addresses.clone());
        }
        self.outlets.send_replace(Arc::new(outlets));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::daemon::tags;
    use crate::store::Store;

    #[tokio::test]
    async fn addresses_of_jobs_are_own_for_as_long_as_there_are_the_jobs() {
        let dir = tempfile::tempdir().unwrap();
        let job = |name: &str, user: &str| {
            let file = dir.path().join(format!("{name}.toml"));
            let source = format!("type = \"imap\"\nhost = \"mail.example.com\"\nuser = \"{user}\"");
            std::fs::write(&file, format!("[source]\n{source}\npassword = {{ env = \"P\" }}\n")).unwrap();
            Job::load(&file).unwrap()
        };
        let settings = dir.path().join("mailmill.toml");
        std::fs::write(&settings, "[smtp]\nserver = \"smtp.example.com\"\nfrom = \"desk@example.com\"\n").unwrap();
        let config = Config::load(&settings).unwrap();
        let (first, second) = (job("a", "a@example.com"), job("b", "b@example.com"));
        let store = Store::in_memory().await.unwrap();
        let jobs = [first.clone()];
        let sender = outbox::sender(&config, &jobs, &tags(&config).unwrap(), &store).await.unwrap().unwrap();
        let desk = Desk::new(&config, &jobs, Some(sender.clone()));
        let outlets = desk.outlets();
        let own = || {
            let known = |email: &str| {
                let (sends, plans) = (sender.own_addresses.has(email), outlets.borrow().own_addresses.clone());
                assert_eq!(sends, crate::outgoing::is_own(email, &plans), "{email}");
                sends
            };
            ["desk@example.com", "a@example.com", "b@example.com"].map(known)
        };
        assert_eq!(own(), [true, true, false]);
        desk.has_jobs(&config, &[first, second.clone()]);
        assert_eq!(own(), [true, true, true]);
        desk.has_jobs(&config, &[second]);
        assert_eq!(own(), [true, false, true]);
    }
}
