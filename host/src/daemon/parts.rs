//! The parts of the daemon, as the settings describe them.

use super::Error;
use crate::config::{Config, Job, PluginLimits};
use crate::job::{self, BatchSettings, Committer, Context, Limits, Order, Workers};
use crate::message::AttachmentLimits;
use crate::oauth::Tokens;
use crate::outbox;
use crate::outgoing::{Outlets, Sender};
use crate::plugin::{self, Compiler, Engine, EngineSettings};
use crate::rules::RuleSet;
use crate::store::Store;
use crate::thread::{Tags, ThreadTag};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;
use tokio::sync::watch;

/// Makes the plugin engine that the settings ask for; components are compiled in a child process.
///
/// # Errors
/// If the engine cannot be started.
pub fn engine(config: &Config) -> Result<Engine, Error> {
    let exe = std::env::current_exe()
        .map_err(|error| Error::System { what: "the path of this program is not known", error })?;
    let settings = EngineSettings {
        cache_dir: Some(config.plugins_cache.folder()),
        compiler: Compiler::Child(exe),
        limits: limits(&config.plugin_limits),
    };
    Ok(Engine::new(settings)?)
}

/// The limits of plugins, as the plugin host counts them.
fn limits(limits: &PluginLimits) -> plugin::Limits {
    let bytes = |count: u64| usize::try_from(count).unwrap_or(usize::MAX);
    plugin::Limits {
        deadline_ms: limits.deadline_ms.get(),
        configure_deadline_ms: limits.configure_deadline_ms.get(),
        memory_bytes: bytes(limits.memory_mb.get().saturating_mul(1024 * 1024)),
        host_calls: limits.host_calls_max.get(),
        output_bytes: bytes(limits.output_bytes_max.get()),
        copied_bytes: bytes(limits.copied_bytes_max.get()),
        handles: bytes(limits.handles_max.get()),
        messages: limits.instance_messages_max.get(),
    }
}

/// The ticket tags that the settings describe.
///
/// # Errors
/// If one cannot be used, such as for a blank prefix.
pub fn tags(config: &Config) -> Result<Tags, Error> {
    let thread = &config.thread;
    let earlier = thread.earlier.iter().map(|tag| (&tag.prefix, &tag.suffix));
    let tags = std::iter::once((&thread.prefix, &thread.suffix)).chain(earlier);
    let tags = tags.map(|(prefix, suffix)| ThreadTag::new(prefix, suffix)).collect::<Result<_, _>>()?;
    Ok(Tags { tags, place: thread.place, own_ids: None })
}

/// Which attachments go to tickets, as the settings say.
#[must_use]
pub fn attachment_limits(config: &Config) -> AttachmentLimits {
    let limits = &config.attachments;
    AttachmentLimits {
        count_max: limits.count_max.get(),
        bytes_max: limits.bytes_max.get(),
        total_bytes_max: limits.total_bytes_max.get(),
        refuse_types: limits.refused().collect(),
    }
}

/// What all jobs share.
pub(super) fn context(
    config: &Config,
    tags: Tags,
    store: Store,
    (rules, outlets): (watch::Receiver<Arc<RuleSet>>, watch::Receiver<Arc<Outlets>>),
    stop: watch::Receiver<bool>,
) -> Context {
    let batch = BatchSettings {
        messages_max: config.limits.batch_messages_max.get(),
        wait: Duration::from_millis(config.limits.batch_wait_ms),
    };
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    Context {
        workers: Workers::start(match config.limits.workers {
            0 => cores(),
            count => usize::from(count),
        }),
        committer: Committer::start(store.clone(), batch),
        store,
        order: Order::default(),
        turns: AtomicU64::new(0),
        rules,
        tokens: Tokens::beside(&config.store.path),
        tags: Arc::new(tags),
        outlets,
        attachments: Arc::new(attachment_limits(config)),
        limits: Limits {
            fetch_ahead_bytes: config.limits.fetch_ahead_bytes.get(),
            message_bytes_max: config.limits.message_bytes_max.get(),
        },
        spool: job::spool(config),
        stop,
        progress: None,
    }
}

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
