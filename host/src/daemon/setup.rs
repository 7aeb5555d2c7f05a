//! What the settings come to: the engine, the tags, the limits, and what all jobs share.

use super::Error;
use crate::config::{Config, LogFormat, PluginLimits};
use crate::job::{self, BatchSettings, Committer, Context, Limits, Order, Vitals, Workers};
use crate::message::AttachmentLimits;
use crate::oauth::Tokens;
use crate::outgoing::Outlets;
use crate::plugin::{self, Compiler, Engine, EngineSettings};
use crate::rules::RuleSet;
use crate::store::Store;
use crate::telemetry;
use crate::thread::{Tags, ThreadTag};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;
use tokio::sync::watch;
use tracing_subscriber::fmt::MakeWriter;

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
        faults_in_a_row: limits.faults_max.get(),
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

/// Starts logging to `lines`, as the settings say.
///
/// # Errors
/// If the level in the environment cannot be read.
pub fn start_log(
    config: &Config,
    colour: bool,
    lines: impl for<'w> MakeWriter<'w> + Send + Sync + 'static,
) -> Result<(), String> {
    telemetry::start(config.log.format == LogFormat::Json, config.log.level, colour, lines)
}

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
        metrics: Arc::default(),
        retention_days: watch::Sender::new(config.incoming_log.retention_days),
        vitals: Arc::new(Vitals::new(Duration::from_millis(config.observe.stall_ms.get()))),
    }
}
