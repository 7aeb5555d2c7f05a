//! The settings of an installation: `mailmill.toml`, and one file per job.
//!
//! Every setting is one documented field of [`Config`] or [`Job`]; the reader, the defaults and the example file are
//! made from the same declaration.

mod edit;
mod follow_ups;
mod handling;
mod job;
mod oauth;
mod outgoing;
pub(crate) mod reader;
mod schedule;
pub(crate) mod schema;
mod secret;
pub(crate) mod settings;
mod steps;
mod watched;

pub use edit::{Error as EditError, JobFile, Wanted, replace_text, with_values};
pub use follow_ups::{Brake, FollowUps, Methods, RequiredAuthentication};
pub use handling::Handling;
pub use job::{
    ApplyTo, Authentication, Folder, Imap, Job, JobLimits, JobSource, Maildir, Pop3, Preprocess, Schedule, Server,
    job_example, job_files,
};
pub use oauth::{Endpoints, Grant, OAuth, Provider};
pub use outgoing::{Author, Named, Outbox, Smtp, Webhook};
pub use steps::Steps;
pub use watched::{ExistingMail, Mailboxes, Maildrop, Watched, are_the_same as same_mailbox};

use crate::diagnostic::{Diagnostics, Source};
use crate::message::{self, AddressPattern};
use crate::thread::TagPlace;
use reader::{Section, Setting, leaves};
use serde::{Deserialize, Serialize};
use settings::{Settings, settings};
use std::net::SocketAddr;
use std::num::{NonZeroU64, NonZeroUsize};
use std::path::{Path, PathBuf};

const MIB: u64 = 1024 * 1024;

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogFormat {
    /// For people.
    Human,
    /// One JSON object per line.
    Json,
}

/// The least important lines that are still written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogLevel {
    /// Someone must act.
    Error,
    /// It recovered by itself.
    Warn,
    /// A change that an operator asked for.
    Info,
    /// For developers.
    Debug,
    /// For developers, in every detail.
    Trace,
}

/// A tag that was in use before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EarlierTag {
    /// What stood before the ticket's number.
    pub prefix: String,
    /// What stood after it.
    #[serde(default)]
    pub suffix: String,
}

leaves! {
    SocketAddr: "an address with a port such as \"127.0.0.1:9464\"" => schema::text();
    LogFormat: "\"human\" or \"json\"" => schema::words(["human", "json"]);
    LogLevel: "\"error\", \"warn\", \"info\", \"debug\" or \"trace\"" => schema::words(["error", "warn", "info", "debug", "trace"]);
    TagPlace: "\"subject\" or \"subject-and-body\"" => schema::words(["subject", "subject-and-body"]);
    Vec<EarlierTag>: "a list of tags such as { prefix = \"[Case \", suffix = \"]\" }" => schema::list(&schema::table(vec![
        schema::Property::required("prefix", "What stood before the ticket's number.", schema::text()),
        schema::Property::optional("suffix", "What stood after it.", schema::text()),
    ]));
}

settings! {
    /// `mailmill.toml`. Relative paths in the file start at the folder of the file.
    pub struct Config {
        /// The folder of the rules, with `pipeline.toml` in it.
        rules: PathBuf => default("rules".into()),
        /// A folder of other rules, which are run beside live mail: what they would have made of it is noted, and never acted on.
        /// `mailmill shadow` shows it.
        shadow: Option<PathBuf> => unset("\"rules-next\""),
        /// The folder of the plugins: `NAME.wasm` is the plugin NAME.
        plugins: PathBuf => default("plugins".into()),
        /// The folder of the jobs: `NAME.toml` is the job NAME.
        jobs: PathBuf => default("jobs".into()),
        /// The addresses of this desk besides that of `smtp.from` and the users of jobs: "support@example.org", "*@help.example.org".
        /// Nothing is ever sent to them; that they are on a ticket's mail lets nobody follow it up; and a message that bears one in
        /// X-Loop has come back.
        own_addresses: Vec<AddressPattern> => default(Vec::new()),
        /// Where tickets and receipts are kept.
        store: Store => table,
        /// How much is worked on at a time.
        limits: Limits => table,
        /// What a plugin may use up for one message.
        plugin_limits: PluginLimits => table,
        /// The tag in a subject that names the ticket which a message follows up.
        thread: Thread => table,
        /// The server that takes our mail, and how that mail looks.
        smtp: Smtp => table,
        /// What waits to be sent: how often that is tried, and how often anybody is written to.
        outbox: Outbox => table,
        /// Programs that are told of messages, by name: `[webhook.NAME]` with `url`, `secret` and `timeout`.
        webhook: Named<Webhook> => named("{ billing = { url = \"https://example.org/hook\", secret = { env = \"HOOK_SECRET\" } } }"),
        /// Folders in which rules may store messages, by name.
        maildir: Named<PathBuf> => named("{ archive = \"archive\" }"),
        /// Which attachments go to tickets. The others stay in the message as it was received; report and ticket name them.
        attachments: Attachments => table,
        /// The web admin.
        web: Web => table,
        /// What is logged, on standard error.
        log: Log => table,
        /// What the daemon shows over HTTP: /healthz, /readyz, /metrics.
        observe: Observe => table,
        /// The incoming mail log.
        incoming_log: IncomingLog => table,
        /// Where compiled plugins are kept, so that they need not be compiled again. One that nobody has used for 30 days is removed
        /// when others are compiled.
        plugins_cache: PluginsCache => table,
        /// How changes of rules, plugins, jobs and settings are noticed.
        reload: Reload => table,
    }
}

settings! {
    /// Where tickets and receipts are kept.
    pub struct Store {
        /// The SQLite database; created if it does not exist.
        path: PathBuf => default("mailmill.db".into()),
    }
}

settings! {
    /// How much is worked on at a time.
    pub struct Limits {
        /// The largest message that is taken in, in bytes. A larger one is quarantined, its text unread.
        message_bytes_max: NonZeroU64 => default(above_zero(64 * MIB)),
        /// The longest message that is worked on in memory, in bytes. A longer one is in a file beside the database, which
        /// nobody but mailmill sees, until it is stored.
        memory_message_bytes_max: NonZeroU64 => default(above_zero(MIB)),
        /// How many bytes of messages a job may fetch ahead of the workers.
        fetch_ahead_bytes: NonZeroU64 => default(above_zero(32 * MIB)),
        /// The most messages that one transaction commits.
        batch_messages_max: NonZeroUsize => default(NonZeroUsize::MIN.saturating_add(99)),
        /// How long a finished message waits for others to be committed with it, in milliseconds.
        batch_wait_ms: u64 => default(20),
        /// How many messages are worked on at the same time, at most 255. 0: one per processor core.
        workers: u8 => default(0),
    }
}

settings! {
    /// What a plugin may use up for one message.
    pub struct PluginLimits {
        /// Processor time, in milliseconds. What the host does for the plugin counts; what other programs do does not.
        deadline_ms: NonZeroU64 => default(above_zero(1000)),
        /// Processor time for taking its rules, when they are loaded, in milliseconds. Patterns are compiled there.
        configure_deadline_ms: NonZeroU64 => default(above_zero(5000)),
        /// Memory, in MiB.
        memory_mb: NonZeroU64 => default(above_zero(64)),
        /// Calls of the host.
        host_calls_max: NonZeroU64 => default(above_zero(100_000)),
        /// Bytes that the plugin returns.
        output_bytes_max: NonZeroU64 => default(above_zero(8 * MIB)),
        /// Bytes that one call of the host may hand over.
        copied_bytes_max: NonZeroU64 => default(above_zero(8 * MIB)),
        /// Patterns, pattern sets and selectors held at the same time.
        handles_max: NonZeroU64 => default(above_zero(1024)),
        /// Messages after which an instance of a plugin is renewed.
        instance_messages_max: NonZeroU64 => default(above_zero(10_000)),
        /// Faults in a row, one message after the other, after which a preprocessing step is left out, with a warning, until its plugin
        /// or its rules change.
        faults_max: NonZeroU64 => default(above_zero(5)),
    }
}

settings! {
    /// The tag in a subject that names the ticket which a message follows up.
    pub struct Thread {
        /// What stands before the ticket's number.
        prefix: String => default("MessageID:".into()),
        /// What stands after it.
        suffix: String => default("#".into()),
        /// Where it is looked for: in the "subject", or in "subject-and-body".
        place: TagPlace => default(TagPlace::Subject),
        /// Tags of before, which stay recognised: `[{ prefix = "[Case ", suffix = "]" }]`.
        earlier: Vec<EarlierTag> => default(Vec::new()),
    }
}

settings! {
    /// Which attachments go to tickets.
    pub struct Attachments {
        /// The most attachments of one message.
        count_max: NonZeroUsize => default(NonZeroUsize::MIN.saturating_add(99)),
        /// The largest one, in bytes.
        bytes_max: NonZeroU64 => default(above_zero(25 * MIB)),
        /// All of one message together, in bytes.
        total_bytes_max: NonZeroU64 => default(above_zero(50 * MIB)),
        /// Media types that are refused, as type and subtype, such as "application/vnd.microsoft.portable-executable" or "video/*". What the content shows counts, and
        /// what it is said to be.
        refuse_types: Vec<String> => default(Vec::new()),
    }
}

settings! {
    /// The web admin.
    pub struct Web {
        /// The address and port that it listens at: at the first start, a link is printed with which the administrator sets a
        /// password. Not set: there is no web admin.
        listen: Option<SocketAddr> => unset("\"127.0.0.1:8025\""),
        /// Whether a proxy that speaks HTTPS is before it. Then it may listen at an address that other hosts reach, and browsers
        /// send who is logged in over HTTPS only.
        behind_https_proxy: bool => default(false),
        /// Its own certificate and key, for HTTPS: then, too, it may listen at an address that other hosts reach. Not set: HTTP.
        tls: Option<WebTls> => unset("{ certificate = \"web.pem\", key = \"web.key\" }"),
    }
}

settings! {
    /// What the web admin speaks HTTPS with. The files are read at the start, and again at SIGHUP.
    pub struct WebTls {
        /// A PEM file: the certificate, and after it those that lead to an authority.
        certificate: PathBuf => required("\"web.pem\""),
        /// A PEM file: the private key of the certificate.
        key: PathBuf => required("\"web.key\""),
    }
}

settings! {
    /// What is logged, on standard error.
    pub struct Log {
        /// How the lines look: `human`, or `json`.
        format: LogFormat => default(LogFormat::Human),
        /// The least important lines that are written: `error`, `warn`, `info`, `debug` or `trace`.
        level: LogLevel => default(LogLevel::Info),
    }
}

settings! {
    /// What the daemon shows over HTTP, and when it counts as unwell.
    pub struct Observe {
        /// The address and port. There are no passwords: let nobody reach it who may not see the names of jobs, steps and plugins.
        /// Not set: it listens nowhere.
        listen: Option<SocketAddr> => unset("\"127.0.0.1:9464\""),
        /// How long a job may do nothing, in milliseconds, before /healthz says so and systemd's watchdog is left without a sign
        /// of life. It must be longer than the longest message takes to fetch.
        stall_ms: NonZeroU64 => default(above_zero(900_000)),
    }
}

settings! {
    /// The incoming mail log: `mailmill log`.
    pub struct IncomingLog {
        /// For how many days sessions, and the reports of their messages, are kept. Tickets and receipts stay. 0: for ever.
        retention_days: u16 => default(90),
    }
}

settings! {
    /// Where compiled plugins are kept.
    pub struct PluginsCache {
        /// The folder. Not set: `mailmill` in `$XDG_CACHE_HOME` or `~/.cache`, or else in the system's temporary folder.
        dir: Option<PathBuf> => unset("\"/var/cache/mailmill\""),
    }
}

settings! {
    /// How changes of rules, plugins, jobs and settings are noticed.
    pub struct Reload {
        /// How long the files must have been left alone before they are read again, in milliseconds.
        debounce_ms: u64 => default(100),
    }
}

impl Config {
    /// Reads `mailmill.toml`.
    ///
    /// # Errors
    /// With everything that is wrong with it.
    pub fn load(path: &Path) -> Result<Self, Diagnostics> {
        let mut out = Diagnostics::default();
        let config = Source::read(path, &mut out).and_then(|source| Self::read_source(&source, &mut out));
        out.or(config)
    }

    /// The settings that a text describes, as the file of that path.
    ///
    /// # Errors
    /// With everything that is wrong with it.
    pub fn parse(path: &Path, text: &str) -> Result<Self, Diagnostics> {
        let mut out = Diagnostics::default();
        let config = Self::read_source(&Source::new(path, text), &mut out);
        out.or(config)
    }

    /// Reads `mailmill.toml` as far as it is sound, with defaults for the rest, for a check that goes on with what the
    /// settings lead to. None if there is no file to read.
    #[must_use]
    pub fn load_what_is_sound(path: &Path) -> (Option<Self>, Diagnostics) {
        let mut out = Diagnostics::default();
        let Some(source) = Source::read(path, &mut out) else { return (None, out) };
        let config = Self::read_source(&source, &mut out).or_else(|| Self::read_sound_parts(&source));
        (config, out)
    }

    /// The defaults, for an installation in `dir`.
    #[must_use]
    pub fn defaults_in(dir: &Path) -> Option<Self> {
        Self::read_source(&Source::new(&dir.join("mailmill.toml"), ""), &mut Diagnostics::default())
    }

    fn read_source(source: &Source, out: &mut Diagnostics) -> Option<Self> {
        let table = reader::parse(source, out)?;
        let mut section = Section::root(source, &table);
        let config = Self::read_section(&mut section, out);
        section.finish(out);
        if let Some(config) = &config {
            config.smtp.check(source.path(), out);
            config.outbox.check(source.path(), out);
            config.attachments.check(source.path(), out);
            config.webhook.0.iter().for_each(|(name, webhook)| webhook.check(name, source.path(), out));
        }
        config.map(|config| config.in_folder_of(source.path()))
    }

    /// The same, with the default for whatever is wrong.
    fn read_sound_parts(source: &Source) -> Option<Self> {
        /// What is wrong was reported before.
        fn replace<T: Setting + Clone>(section: &mut Section<'_, '_>, key: &'static str, setting: &mut T) {
            if let Some(read) = section.optional(key, setting.clone(), &mut Diagnostics::default()) {
                *setting = read;
            }
        }
        let mut config = Self::defaults_in(Path::new(""))?;
        if let Some(table) = reader::parse(source, &mut Diagnostics::default()) {
            let mut section = Section::root(source, &table);
            replace(&mut section, "rules", &mut config.rules);
            replace(&mut section, "plugins", &mut config.plugins);
            replace(&mut section, "jobs", &mut config.jobs);
            replace(&mut section, "store", &mut config.store);
            replace(&mut section, "plugin_limits", &mut config.plugin_limits);
            replace(&mut section, "thread", &mut config.thread);
            replace(&mut section, "attachments", &mut config.attachments);
            replace(&mut section, "plugins_cache", &mut config.plugins_cache);
        }
        Some(config.in_folder_of(source.path()))
    }

    /// Makes relative paths start at the folder of the file.
    fn in_folder_of(mut self, file: &Path) -> Self {
        let dir = folder_of(file);
        let paths = [&mut self.rules, &mut self.plugins, &mut self.jobs, &mut self.store.path];
        let paths = paths
            .into_iter()
            .chain(&mut self.shadow)
            .chain(&mut self.plugins_cache.dir)
            .chain(self.web.tls.iter_mut().flat_map(|tls| [&mut tls.certificate, &mut tls.key]))
            .chain(self.maildir.0.values_mut());
        paths.for_each(|path| *path = dir.join(&*path));
        self.smtp.resolve(dir);
        self.webhook.0.values_mut().for_each(|webhook| webhook.resolve(dir));
        self
    }
}

impl Attachments {
    /// Reports what no attachment is.
    fn check(&self, file: &Path, out: &mut Diagnostics) {
        for odd in self.refuse_types.iter().filter(|kind| !message::can_match(&normal(kind))) {
            let reason =
                format!("`refuse_types` has \"{odd}\", which is no media type, so nothing would be refused for it");
            let help = "write a type and a subtype, `*` for any: \"application/zip\", \"video/*\"";
            out.push(reader::error_at(file, &["attachments", "refuse_types", odd], reason).help(help));
        }
    }

    /// The media types that are refused, as they are compared.
    pub fn refused(&self) -> impl Iterator<Item = String> {
        self.refuse_types.iter().map(|kind| normal(kind))
    }
}

fn normal(media_type: &str) -> String {
    media_type.trim().to_ascii_lowercase()
}

impl PluginsCache {
    /// The folder to use.
    #[must_use]
    pub fn folder(&self) -> PathBuf {
        let from_env = |name, below: &str| {
            std::env::var_os(name).map(PathBuf::from).filter(|dir| dir.is_absolute()).map(|dir| dir.join(below))
        };
        self.dir
            .clone()
            .or_else(|| from_env("XDG_CACHE_HOME", "mailmill"))
            .or_else(|| from_env("HOME", ".cache/mailmill"))
            .unwrap_or_else(|| std::env::temp_dir().join("mailmill"))
    }
}

/// A complete `mailmill.toml`: every setting with its documentation and its default.
#[must_use]
pub fn example() -> String {
    let head = "# The settings of mailmill. Every setting is shown, with its default: only what differs must be set.\n\
                # Relative paths start at the folder of this file.\n\n";
    head.to_owned() + settings::example(&Config::describe()).trim_end() + "\n"
}

/// The folder that a file is in.
fn folder_of(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new(""))
}

/// A number that is above zero as it is written here.
fn above_zero(number: u64) -> NonZeroU64 {
    NonZeroU64::new(number).unwrap_or(NonZeroU64::MIN)
}

#[cfg(test)]
mod tests;
