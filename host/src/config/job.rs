//! Jobs: `jobs/NAME.toml`, one account each.

use super::follow_ups::{Brake, FollowUps};
use super::handling::Handling;
use super::oauth::OAuth;
use super::reader::{self, Section, Setting, leaves};
use super::schema;
use super::settings::{Described, Example, Settings, example, settings};
use super::steps::Steps;
use super::watched::{ExistingMail, Maildrop, Watched};
use crate::diagnostic::{Diagnostic, Diagnostics, Source};
use crate::mailbox::{Fingerprint, Protocol, Trust};
use crate::message::document::{CutKind, CutKinds};
use crate::schedule::Interval;
use crate::secret::SecretRef;
use crate::security::Security;
use serde::{Deserialize, Serialize};
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};
use toml::Spanned;
use toml::de::DeValue;

pub use super::schedule::Schedule;

/// One account, and what is done with its mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// Its name: the file's, without `.toml`.
    pub name: String,
    /// Where its mail comes from.
    pub source: JobSource,
    /// When it runs.
    pub schedule: Schedule,
    /// What is cut before the rules see a message.
    pub preprocess: Preprocess,
    /// Whose answers to tickets it takes.
    pub follow_ups: FollowUps,
    /// How many messages it takes.
    pub brake: Brake,
    /// What becomes of the original messages.
    pub handling: Handling,
    /// Its own limits.
    pub limits: JobLimits,
}

/// Where a job's mail comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobSource {
    /// An IMAP4 server.
    Imap(Imap),
    /// A POP3 server.
    Pop3(Pop3),
    /// A Maildir.
    Maildir(Maildir),
    /// A folder of `.eml` files.
    Folder(Folder),
}

/// How a job proves who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Authentication {
    /// By its password, in the strongest way that the server offers.
    Password,
    /// By its password and NTLM.
    #[serde(alias = "spa")]
    Ntlm,
    /// By an access token.
    OAuth2,
}

/// Which messages are preprocessed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ApplyTo {
    /// Those that follow up an active ticket.
    ActiveFollowUps,
    /// All.
    All,
}

leaves! {
    Security: "\"tls\", \"starttls\", \"starttls-if-available\" or \"none\"" => schema::words(["tls", "starttls", "starttls-if-available", "none"]);
    Fingerprint: "a SHA-256: 64 hexadecimal digits, with or without colons" => schema::text();
    Authentication: "\"password\", \"ntlm\" (or \"spa\") or \"oauth2\"" => schema::words(["password", "ntlm", "spa", "oauth2"]);
    ApplyTo: "\"active-follow-ups\" or \"all\"" => schema::words(["active-follow-ups", "all"]);
    Steps: "\"recommended\" or a list of steps" =>
        schema::any_of(&[schema::words(["recommended"]), schema::list(&schema::text())]);
}

/// A POP3 account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pop3 {
    /// The server, and who logs in.
    pub server: Server,
    /// What is watched there.
    pub watched: Maildrop,
}

/// An IMAP4 account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imap {
    /// The server, and who logs in.
    pub server: Server,
    /// What is watched there.
    pub watched: Watched,
}

settings! {
    /// A mail server, and who logs in.
    pub struct Server {
        /// The server's name.
        host: String => required("\"mail.example.org\""),
        /// The server's port. Not set: with `security = "tls"` 993, or 995 for POP3; else 143, or 110.
        port: Option<u16> => unset("993"),
        /// How the connection is protected: `tls` from the first byte; `starttls`, which begins in plain text and becomes
        /// TLS before anything secret is said, or fails; `starttls-if-available`, which stays in plain text where the
        /// server does not offer TLS, with a warning; `none`.
        security: Security => default(Security::Tls),
        /// Whether a server's certificate must be in order. If not, a faulty one is accepted with a warning: then anyone
        /// on the way can pass for the server. Better set `ca_file` or `fingerprint`.
        reject_invalid_certificates: bool => default(true),
        /// A PEM file with certificates to trust besides the system's.
        ca_file: Option<PathBuf> => unset("\"ca.pem\""),
        /// The SHA-256 of the server's certificate. Set, this certificate is accepted whatever its faults, and no other.
        fingerprint: Option<Fingerprint> => unset(
            "\"C4:5F:6B:49:1A:6C:D8:1E:0E:3F:2C:B7:0F:5A:9D:77:21:3B:8E:64:90:AF:12:D3:5E:48:B6:07:CC:19:F2:8A\""
        ),
        /// How to log in: `password`, in the strongest way that the server offers; `ntlm`, which mail programs call SPA;
        /// or `oauth2`.
        authentication: Authentication => default(Authentication::Password),
        /// The user's name; with `ntlm` also as `DOMAIN\\user`.
        user: String => required("\"support\""),
        /// Where the password is: `{ env = "NAME" }`, `{ file = "path" }` or `{ credential = "name" }` (systemd). With
        /// `oauth2`, and without `oauth`, where an access token is that another program keeps fresh.
        password: Option<SecretRef> => shown("{ env = \"SUPPORT_PASSWORD\" }"),
        /// With `oauth2`: the application that gets the access tokens; see docs/servers.md.
        oauth: Option<OAuth> => unset("{ provider = \"microsoft365\", tenant = \"example.org\", client_id = \"…\" }"),
        /// How long the server may be silent before the connection counts as lost.
        timeout: Interval => default(Interval::MINUTE),
    }
}

settings! {
    /// A Maildir.
    pub struct Maildir {
        /// The folder with `cur`, `new` and `tmp` in it.
        path: PathBuf => required("\"mail\""),
        /// What becomes of the mail that is there when the job sees it for the first time: "pass-over", or "handle".
        existing_mail: ExistingMail => default(ExistingMail::PassOver),
    }
}

settings! {
    /// A folder of `.eml` files.
    pub struct Folder {
        /// The folder.
        path: PathBuf => required("\"mail\""),
        /// How long a file must have been left alone before it is read, in milliseconds. Better than waiting: write it
        /// under another name and rename it.
        settle_ms: u64 => default(1000),
        /// What becomes of the mail that is there when the job sees it for the first time: "pass-over", or "handle".
        existing_mail: ExistingMail => default(ExistingMail::Handle),
    }
}

settings! {
    /// What is cut before the rules see a message.
    pub struct Preprocess {
        /// The enabled steps, in order, or "recommended" for those that `pipeline.toml` recommends.
        steps: Steps => default(Steps::Named(Vec::new())),
        /// Which kinds of cut apply: "quote", "forward", "signature", "disclaimer", "banner", "other".
        kinds: CutKinds => default(CutKinds::from_iter([CutKind::Quote])),
        /// Which messages are preprocessed: "active-follow-ups", or "all".
        apply_to: ApplyTo => default(ApplyTo::ActiveFollowUps),
    }
}

settings! {
    /// Limits of a job that differ from those in `mailmill.toml`.
    pub struct JobLimits {
        /// The largest message that is taken in, in bytes.
        message_bytes_max: Option<NonZeroU64> => unset("67108864"),
        /// How many bytes of messages may be fetched ahead of the workers.
        fetch_ahead_bytes: Option<NonZeroU64> => unset("33554432"),
    }
}

impl Job {
    /// Reads a job's file.
    ///
    /// # Errors
    /// With everything that is wrong with it.
    pub fn load(path: &Path) -> Result<Self, Diagnostics> {
        let mut out = Diagnostics::default();
        let job = Source::read(path, &mut out).and_then(|source| Self::read_source(&source, &mut out));
        out.or(job)
    }

    /// Reads what is to become a job's file.
    ///
    /// # Errors
    /// With everything that is wrong with it.
    pub fn parse(path: &Path, text: &str) -> Result<Self, Diagnostics> {
        let mut out = Diagnostics::default();
        let job = Self::read_source(&Source::new(path, text), &mut out);
        out.or(job)
    }

    /// The JSON Schema of a job's file.
    pub(crate) fn schema() -> serde_json::Value {
        let table = |key, doc, schema| schema::Property::optional(key, doc, schema);
        let source = JobSource::schema();
        schema::table(vec![
            schema::Property::required("source", "Where the mail comes from.", source),
            table("schedule", "When the job runs.", Schedule::schema()),
            table("preprocess", "What is cut before the rules see a message.", Preprocess::schema()),
            table("follow_ups", "Whose answers to tickets it takes.", FollowUps::schema()),
            table("brake", "How many messages it takes.", Brake::schema()),
            table("handling", "What becomes of the original messages.", Handling::schema()),
            table("limits", "Limits that differ from those in mailmill.toml.", JobLimits::schema()),
        ])
    }

    /// Reads all jobs of a folder, by name.
    ///
    /// # Errors
    /// With everything that is wrong with any of them.
    pub fn load_all(dir: &Path) -> Result<Vec<Self>, Diagnostics> {
        let files = job_files(dir)
            .map_err(|error| Diagnostic::error(dir, format!("cannot list the folder of the jobs: {error}")))?;
        let mut out = Diagnostics::default();
        let mut jobs = Vec::new();
        for file in files {
            match Self::load(&file) {
                Ok(job) => jobs.push(job),
                Err(diagnostics) => out.extend(diagnostics),
            }
        }
        out.or(Some(jobs))
    }

    /// The name of the job that a file describes; none if it is no job file.
    #[must_use]
    pub fn name_of(path: &Path) -> Option<String> {
        let name = path.file_stem()?.to_str()?;
        let is_job = path.extension()? == "toml" && !name.starts_with('.');
        is_job.then(|| name.to_owned())
    }

    pub(super) fn read_source(source: &Source, out: &mut Diagnostics) -> Option<Self> {
        let name = Self::name_of(source.path());
        if name.is_none() {
            out.push(Diagnostic::error(source.path(), "this is no name for a job: expected NAME.toml"));
        }
        let table = reader::parse(source, out)?;
        let mut section = Section::root(source, &table);
        let (mail, schedule) = (section.required("source", out), section.table("schedule", out));
        let preprocess = section.table("preprocess", out);
        let mut handling: Option<Handling> = section.table("handling", out);
        let (follow_ups, brake) = (section.table("follow_ups", out), section.table("brake", out));
        let limits = section.table("limits", out);
        section.finish(out);
        if let (Some(JobSource::Pop3(_)), Some(handling)) = (&mail, &mut handling) {
            handling.for_pop3(source, table.get_ref(), out);
        }
        let mut job = Self {
            name: name?,
            source: mail?,
            schedule: schedule?,
            preprocess: preprocess?,
            follow_ups: follow_ups?,
            brake: brake?,
            handling: handling?,
            limits: limits?,
        };
        job.handling.check(source.path(), &job.source, out);
        job.source.resolve(super::folder_of(source.path()));
        Some(job)
    }
}

impl JobSource {
    /// What becomes of the mail that is in a mailbox when the job sees it for the first time.
    #[must_use]
    pub fn existing_mail(&self) -> ExistingMail {
        match self {
            Self::Imap(imap) => imap.watched.existing_mail,
            Self::Pop3(pop3) => pop3.watched.existing_mail,
            Self::Maildir(maildir) => maildir.existing_mail,
            Self::Folder(folder) => folder.existing_mail,
        }
    }

    /// Makes relative paths start at `dir`.
    fn resolve(&mut self, dir: &Path) {
        match self {
            Self::Imap(imap) => imap.server.resolve(dir),
            Self::Pop3(pop3) => pop3.server.resolve(dir),
            Self::Maildir(maildir) => maildir.path = dir.join(&maildir.path),
            Self::Folder(folder) => folder.path = dir.join(&folder.path),
        }
    }
}

impl Imap {
    fn read_section(section: &mut Section<'_, '_>, out: &mut Diagnostics) -> Option<Self> {
        let server = Server::read_for(Protocol::Imap, section, out);
        Some(Self { server: server?, watched: Watched::read_section(section, out)? })
    }
}

impl Pop3 {
    fn read_section(section: &mut Section<'_, '_>, out: &mut Diagnostics) -> Option<Self> {
        let server = Server::read_for(Protocol::Pop3, section, out);
        Some(Self { server: server?, watched: Maildrop::read_section(section, out)? })
    }
}

impl Server {
    /// Reads the settings, and whether there is what logging in takes.
    fn read_for(protocol: Protocol, section: &mut Section<'_, '_>, out: &mut Diagnostics) -> Option<Self> {
        let read = Self::read_section(section, out);
        let has_secret = section.has("password") || section.has("oauth");
        if !has_secret && !section.has("authentication") {
            out.push(section.error("", "`source` has no `password`"));
            return None;
        }
        let server = read?;
        let faults = server.login_faults(protocol);
        for (key, reason) in &faults {
            out.push(section.error(key, reason.as_str()));
        }
        faults.is_empty().then_some(server)
    }

    /// What is wrong about logging in, each with the key that it is about.
    fn login_faults(&self, protocol: Protocol) -> Vec<(&'static str, String)> {
        let fault = |key, reason: &str| vec![(key, reason.to_owned())];
        match (self.authentication, &self.oauth, &self.password) {
            (Authentication::OAuth2, Some(_), Some(_)) => {
                fault("password", "with `oauth`, tokens take the place of the password: leave out one of the two")
            }
            (Authentication::OAuth2, Some(oauth), None) => {
                let faults = oauth.endpoints(protocol).err().unwrap_or_default();
                faults.into_iter().map(|reason| ("oauth", reason)).collect()
            }
            (Authentication::OAuth2, None, None) => {
                fault("authentication", "`source` needs an `oauth` table, or a `password` where an access token is")
            }
            (Authentication::Password | Authentication::Ntlm, Some(_), _) => {
                fault("oauth", "it is used with authentication = \"oauth2\" only")
            }
            (Authentication::Password | Authentication::Ntlm, None, None) => {
                fault("authentication", "`source` has no `password`")
            }
            (_, None, Some(_)) => Vec::new(),
        }
    }

    /// The port to use.
    #[must_use]
    pub fn port(&self, protocol: Protocol) -> u16 {
        self.port.unwrap_or_else(|| self.security.port(protocol))
    }

    /// Whom a connection trusts to be the server.
    #[must_use]
    pub fn trust(&self) -> Trust {
        Trust {
            reject_invalid_certificates: self.reject_invalid_certificates,
            ca_file: self.ca_file.clone(),
            fingerprint: self.fingerprint,
        }
    }

    /// Makes relative paths start at `dir`.
    fn resolve(&mut self, dir: &Path) {
        self.ca_file.iter_mut().for_each(|path| *path = dir.join(&*path));
        let client_secret = self.oauth.as_mut().and_then(|oauth| oauth.client_secret.as_mut());
        for secret in [self.password.as_mut(), client_secret].into_iter().flatten() {
            if let SecretRef::File(path) = secret {
                *path = dir.join(&*path);
            }
        }
    }
}

/// The files of a folder that describe a job, by name. A folder that does not exist has none.
///
/// # Errors
/// If the folder cannot be listed.
pub fn job_files(dir: &Path) -> std::io::Result<Vec<PathBuf>> {
    let entries = match std::fs::read_dir(dir) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let paths = entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>()?;
    let mut files: Vec<_> = paths.into_iter().filter(|path| Job::name_of(path).is_some()).collect();
    files.sort();
    Ok(files)
}

/// A complete file of an IMAP job: every setting with its documentation.
#[must_use]
pub fn job_example() -> String {
    const TYPE: &[&str] = &[
        " Where the mail is: `imap`; `pop3`, where `mailbox` means nothing; or, with `path` instead of a server: `maildir` or",
        " `folder` (of .eml files).",
    ];
    let mut source = vec![Described { key: "type", doc: TYPE, example: Example::Value("\"imap\"") }];
    source.extend(Server::describe());
    source.extend(Watched::describe());
    let table = |key, doc, settings| Described { key, doc, example: Example::Table(settings) };
    let tables = [
        table("source", &[" Where the mail comes from."][..], source),
        table("schedule", &[" When the job runs."], Schedule::describe()),
        table("preprocess", &[" What is cut before the rules see a message."], Preprocess::describe()),
        table(
            "follow_ups",
            &[" Who may follow up a ticket besides its requester and who was on its mail."],
            FollowUps::describe(),
        ),
        table("brake", &[" What keeps a flood of messages from becoming a flood of tickets."], Brake::describe()),
        table("handling", &[" What becomes of the original messages."], Handling::describe()),
        table("limits", &[" Limits that differ from those in mailmill.toml."], JobLimits::describe()),
    ];
    let head = "# A job of mailmill: one account. The file's name is the job's name.\n\
                # Relative paths start at the folder of this file.\n\n";
    head.to_owned() + example(&tables).trim_end() + "\n"
}

impl Setting for JobSource {
    fn read(source: &Source, name: &str, value: &Spanned<DeValue<'_>>, out: &mut Diagnostics) -> Option<Self> {
        let mut section = Section::of(source, name, value, out)?;
        let kind: String = section.required("type", out)?;
        let read = match kind.as_str() {
            "imap" => Imap::read_section(&mut section, out).map(Self::Imap),
            "pop3" => Pop3::read_section(&mut section, out).map(Self::Pop3),
            "maildir" => Maildir::read_section(&mut section, out).map(Self::Maildir),
            "folder" => Folder::read_section(&mut section, out).map(Self::Folder),
            _ => {
                let reason = format!("`type` must be \"imap\", \"pop3\", \"maildir\" or \"folder\", not \"{kind}\"");
                out.push(section.error("type", reason));
                return None;
            }
        };
        section.finish(out);
        read
    }

    fn schema() -> serde_json::Value {
        let of = |kind: &'static str, mut own: Vec<schema::Property>| {
            own.insert(0, schema::Property::required("type", "Where the mail is.", schema::words([kind])));
            schema::table(own)
        };
        let joined = |mut one: Vec<schema::Property>, other| {
            one.extend::<Vec<schema::Property>>(other);
            one
        };
        schema::any_of(&[
            of("imap", joined(Server::properties(), Watched::properties())),
            of("pop3", joined(Server::properties(), Maildrop::properties())),
            of("maildir", Maildir::properties()),
            of("folder", Folder::properties()),
        ])
    }
}
