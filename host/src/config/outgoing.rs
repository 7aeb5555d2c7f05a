//! What leaves the system, and where it goes: `[smtp]`, `[outbox]`, `[webhook.NAME]` and `[maildir]`.

use super::above_zero;
use super::reader::{Setting, error_at, leaves};
use super::schema;
use super::settings::settings;
use crate::diagnostic::{Diagnostics, Source};
use crate::message::Address;
use crate::outgoing::{TagEnd, address};
use crate::schedule::Interval;
use crate::secret::SecretRef;
use crate::security::Security;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};
use toml::Spanned;
use toml::de::DeValue;

/// The longest name of a webhook or Maildir, in characters.
const NAME_CHARS_MAX: usize = 64;

leaves! {
    TagEnd: "\"beginning\", \"end\" or \"none\"" => schema::words(["beginning", "end", "none"]);
    Author: "an address such as \"Support <support@example.org>\"" => schema::text();
}

settings! {
    /// The server that takes our mail, and how that mail looks.
    pub struct Smtp {
        /// The server's name. Not set: no mail is sent.
        server: Option<String> => unset("\"smtp.example.org\""),
        /// The server's port. Not set: with `security = "tls"` 465, else 587.
        port: Option<u16> => unset("465"),
        /// How the connection is protected: `tls`, `starttls`, `starttls-if-available` or `none`, as for jobs.
        security: Security => default(Security::Tls),
        /// Whether the server's certificate must be in order.
        reject_invalid_certificates: bool => default(true),
        /// A PEM file with certificates to trust besides the system's.
        ca_file: Option<PathBuf> => unset("\"ca.pem\""),
        /// The user's name. Not set: mailmill does not log in.
        user: Option<String> => unset("\"support\""),
        /// Where the password is: `{ env = "NAME" }`, `{ file = "path" }` or `{ credential = "name" }` (systemd).
        password: Option<SecretRef> => unset("{ env = \"SMTP_PASSWORD\" }"),
        /// Who our mail is from: the address that people answer to, which a job reads.
        from: Option<Author> => unset("\"Support <support@example.org>\""),
        /// Where the subject has the ticket's tag: at the `beginning`, at the `end`, or (`none`) only where a rule has `{tag}`.
        tag: TagEnd => default(TagEnd::End),
        /// Whether answers have an empty return path, so that nothing can answer them (RFC 3834). `false` where the server
        /// does not take that: then it is the address of `from`.
        empty_return_path: bool => default(true),
        /// How long the server may be silent before the connection counts as lost; also how long it may take to connect and to log
        /// in. At the end of a mail it has at least 10 minutes to take it (RFC 5321 section 4.5.3.2.6).
        timeout: Interval => default(Interval::DEFAULT),
        /// The largest message that is forwarded, in bytes.
        forward_bytes_max: NonZeroU64 => default(above_zero(25 * 1024 * 1024)),
    }
}

settings! {
    /// What waits to be sent: how often that is tried, and how often anybody is written to.
    pub struct Outbox {
        /// How often sending something is tried before it is given up.
        attempts_max: NonZeroU64 => default(above_zero(20)),
        /// How long to wait after the first attempt that failed; each further wait is twice as long, give or take a quarter.
        retry_first: Interval => default(Interval::MINUTE),
        /// The longest wait between two attempts.
        retry_max: Interval => default(Interval::FOUR_HOURS),
        /// How many days what was sent is kept to be looked at.
        keep_days: NonZeroU64 => default(above_zero(30)),
        /// How many days what was given up is kept, to be looked at and sent after all.
        keep_dead_days: NonZeroU64 => default(above_zero(90)),
        /// The stretch of time in which the mails of the next three settings are counted.
        window: Interval => default(Interval::HOUR),
        /// The most answers to one address. What is more is not sent, and the report of the message says so.
        answers_per_sender_max: NonZeroU64 => default(above_zero(5)),
        /// The most mails about one ticket; beyond, nobody is answered about it.
        mails_per_ticket_max: NonZeroU64 => default(above_zero(10)),
        /// The most mails of any kind to one address, such as messages that are forwarded.
        mails_per_address_max: NonZeroU64 => default(above_zero(500)),
    }
}

settings! {
    /// A program elsewhere that is told of messages (Standard Webhooks).
    pub struct Webhook {
        /// Where it is.
        url: String => required("\"https://example.org/hook\""),
        /// Where the secret is that calls are signed with, as for passwords; `whsec_` and base64, or any text.
        secret: SecretRef => required("{ env = \"HOOK_SECRET\" }"),
        /// How long an answer may take.
        timeout: Interval => default(Interval::HALF_MINUTE),
    }
}

/// The address that our mail is from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Author(Address);

impl Author {
    /// The address.
    #[must_use]
    pub fn address(&self) -> &Address {
        &self.0
    }
}

impl From<Author> for String {
    fn from(author: Author) -> Self {
        author.0.to_string()
    }
}

impl TryFrom<String> for Author {
    type Error = &'static str;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        address(&text).map(Self).ok_or("no address")
    }
}

/// Settings by the name of what they are about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named<T>(pub BTreeMap<String, T>);

impl<T> Default for Named<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<T: Setting> Setting for Named<T> {
    fn read(source: &Source, name: &str, value: &Spanned<DeValue<'_>>, out: &mut Diagnostics) -> Option<Self> {
        let Some(table) = value.get_ref().as_table() else {
            out.push(source.error(value.span(), format!("`{name}` must be a table of names")));
            return None;
        };
        let mut read = BTreeMap::new();
        for (key, value) in table {
            let word = key.get_ref().as_ref();
            if !is_name(word) {
                let reason =
                    format!("\"{word}\" is no name: lower-case letters, digits and `-`, at most {NAME_CHARS_MAX}");
                out.push(source.error(key.span(), reason));
            }
            read.insert(word.to_owned(), T::read(source, word, value, out));
        }
        let read: Option<BTreeMap<String, T>> =
            read.into_iter().map(|(name, value)| value.map(|value| (name, value))).collect();
        read.map(Self)
    }

    fn schema() -> serde_json::Value {
        serde_json::json!({ "type": "object", "additionalProperties": T::schema() })
    }
}

fn is_name(word: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    !word.is_empty() && word.len() <= NAME_CHARS_MAX && word.chars().all(is_plain)
}

impl Smtp {
    /// The port to use.
    #[must_use]
    pub fn port(&self) -> u16 {
        // RFC 8314 section 3.3: TLS from the first byte has a port of its own.
        self.port.unwrap_or(if self.security == Security::Tls { 465 } else { 587 })
    }

    /// Reports what does not go together.
    pub(super) fn check(&self, file: &Path, out: &mut Diagnostics) {
        let mut fault = |key, reason: &str| out.push(error_at(file, &["smtp", key], reason));
        if self.server.is_some() && self.from.is_none() {
            fault("server", "`smtp` has a `server`, but no `from`: say who the mail is from");
        }
        match (&self.user, &self.password) {
            (Some(_), None) => fault("user", "`smtp` has a `user`, but no `password`"),
            (None, Some(_)) => fault("password", "`smtp` has a `password`, but no `user`"),
            (Some(_), Some(_)) | (None, None) => {}
        }
    }

    /// Makes relative paths start at `dir`.
    pub(super) fn resolve(&mut self, dir: &Path) {
        self.ca_file.iter_mut().for_each(|path| *path = dir.join(&*path));
        self.password.iter_mut().for_each(|secret| resolve(secret, dir));
    }
}

impl Outbox {
    /// Reports what does not go together.
    pub(super) fn check(&self, file: &Path, out: &mut Diagnostics) {
        let mut fault = |key, reason: &str| out.push(error_at(file, &["outbox", key], reason));
        if self.retry_first.duration() > self.retry_max.duration() {
            fault("retry_first", "`retry_first` is longer than `retry_max`");
        }
        let shortest = self.keep_days.min(self.keep_dead_days).get();
        if self.window.duration().as_secs() > shortest.saturating_mul(24 * 3600) {
            fault(
                "window",
                "`window` is longer than `keep_days` or `keep_dead_days`: what is forgotten cannot be counted",
            );
        }
    }
}

impl Webhook {
    /// Reports what cannot be called.
    pub(super) fn check(&self, name: &str, file: &Path, out: &mut Diagnostics) {
        let host = self.url.strip_prefix("https://").or_else(|| self.url.strip_prefix("http://"));
        let is_odd = |c: char| c.is_whitespace() || c.is_control();
        if host.is_some_and(|host| !host.is_empty() && !host.starts_with('/')) && !self.url.contains(is_odd) {
            return;
        }
        out.push(error_at(
            file,
            &["webhook", name, "url"],
            "`url` must begin with https:// (or http://) and name a host",
        ));
    }

    /// Makes relative paths start at `dir`.
    pub(super) fn resolve(&mut self, dir: &Path) {
        resolve(&mut self.secret, dir);
    }
}

fn resolve(secret: &mut SecretRef, dir: &Path) {
    if let SecretRef::File(path) = secret {
        *path = dir.join(&*path);
    }
}

#[cfg(test)]
mod tests {
    use super::super::Config;
    use super::super::tests::loaded;
    use super::*;

    #[test]
    fn nothing_is_sent_by_default() {
        let config = loaded("mailmill.toml", "", Config::load).unwrap();
        assert_eq!((config.smtp.server, config.webhook.0.len(), config.maildir.0.len()), (None, 0, 0));
    }

    #[test]
    fn all_is_read() {
        let text = "[smtp]\nserver = \"smtp.example.org\"\nsecurity = \"starttls\"\nfrom = \"Desk <desk@example.org>\"\n\
                    user = \"desk\"\npassword = { file = \"secret\" }\ntag = \"beginning\"\n\
                    [webhook.billing]\nurl = \"https://example.org/hook\"\nsecret = { file = \"hook\" }\n\
                    [maildir]\narchive = \"archive\"\n";
        let config = loaded("mailmill.toml", text, Config::load).unwrap();
        assert_eq!((config.smtp.port(), config.smtp.tag), (587, TagEnd::Beginning));
        assert_eq!(config.smtp.from.map(String::from).as_deref(), Some("Desk <desk@example.org>"));
        let is_absolute = |secret: &SecretRef| matches!(secret, SecretRef::File(path) if path.is_absolute());
        assert!(config.smtp.password.as_ref().is_some_and(is_absolute));
        assert!(is_absolute(&config.webhook.0["billing"].secret));
        assert!(config.maildir.0["archive"].is_absolute());
    }

    #[test]
    fn what_does_not_go_together_is_reported_at_once() {
        let text = "\
[smtp]
server = \"smtp.example.org\"
user = \"desk\"
[webhook.billing]
url = \"example.org/hook\"
secret = { env = \"S\" }
[webhook.\"no name\"]
url = \"https://example.org\"
secret = \"visible\"
[maildir]
archive = 1
";
        let told = loaded("mailmill.toml", text, Config::load).unwrap_err();
        let mut reasons: Vec<&str> = told.lines().filter(|line| line.starts_with("error: ")).collect();
        reasons.sort_unstable();
        // What cannot be read, and then, once all can be, what does not go together.
        let expect = [
            "error: \"no name\" is no name: lower-case letters, digits and `-`, at most 64",
            "error: `archive` must be a path, as a string, not 1",
            "error: `secret` must not stand in the file itself",
        ];
        assert_eq!(reasons, expect, "{told}");
        let sound = text
            .replace("\"no name\"", "other")
            .replace("\"visible\"", "{ env = \"S\" }")
            .replace("= 1\n", "= \"a\"\n");
        let told = loaded("mailmill.toml", &sound, Config::load).unwrap_err();
        let reasons: Vec<&str> = told.lines().filter(|line| line.starts_with("error: ")).collect();
        let expect = [
            "error: `smtp` has a `server`, but no `from`: say who the mail is from",
            "error: `smtp` has a `user`, but no `password`",
            "error: `url` must begin with https:// (or http://) and name a host",
        ];
        assert_eq!(reasons, expect, "{told}");
        assert!(!told.contains("visible"));
        let text = "[outbox]\nretry_first = \"5h\"\nkeep_days = 1\nwindow = \"25h\"\n";
        let told = loaded("mailmill.toml", text, Config::load).unwrap_err();
        let reasons: Vec<&str> = told.lines().filter(|line| line.starts_with("error: ")).collect();
        let expect = [
            "error: `retry_first` is longer than `retry_max`",
            "error: `window` is longer than `keep_days` or `keep_dead_days`: what is forgotten cannot be counted",
        ];
        assert_eq!(reasons, expect, "{told}");
        let from = loaded("mailmill.toml", "[smtp]\nfrom = \"desk\"", Config::load).unwrap_err();
        assert!(
            from.contains("`from` must be an address such as \"Support <support@example.org>\", not \"desk\""),
            "{from}"
        );
    }
}
