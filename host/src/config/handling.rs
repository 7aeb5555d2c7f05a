//! What becomes of the original messages, and what of that a source cannot do.

use super::JobSource;
use super::reader::{Section, Setting, error_at};
use super::schema;
use super::settings::settings;
use super::watched::{are_the_same, levels};
use crate::diagnostic::{Diagnostic, Diagnostics, Source};
use crate::mailbox::Disposition;
use std::path::Path;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

settings! {
    /// What becomes of the original messages.
    pub struct Handling {
        /// When a message has changed a ticket, or needs no change. Any of `seen = true` (mark as read), `deleted = true`
        /// (mark as deleted), `keyword = "Handled"` and `move = "Done"` (a mailbox, made if there is none), in braces; or
        /// "leave". A Maildir has no keywords. In a folder of .eml files, `deleted` removes the file, `seen` means nothing.
        on_success: Disposition => default(Disposition::SEEN),
        /// When a statement has rejected it. As `on_success`.
        on_rejection: Disposition => default(Disposition::SEEN),
        /// Whether the messages that the job marks as deleted are removed for good at the end of each session. Those that
        /// others have deleted are never touched; an IMAP4 server without UIDPLUS cannot tell them apart and purges none.
        purge: bool => default(false),
    }
}

impl Handling {
    /// The mailboxes that messages are moved to, each once.
    #[must_use]
    pub fn targets(&self) -> Vec<String> {
        let mut targets: Vec<String> = self.each().into_iter().filter_map(|(_, it)| it.move_to.clone()).collect();
        targets.dedup();
        targets
    }

    /// POP3 has no marks: it deletes a message or leaves it. What is not written down is to leave it, and what cannot
    /// be done is reported.
    pub(super) fn for_pop3(&mut self, source: &Source, job: &DeTable<'_>, out: &mut Diagnostics) {
        let written = job.get("handling").and_then(|handling| handling.get_ref().as_table());
        for (key, disposition) in [("on_success", &mut self.on_success), ("on_rejection", &mut self.on_rejection)] {
            let Some(value) = written.and_then(|written| written.get(key)) else {
                *disposition = Disposition::default();
                continue;
            };
            if *disposition != (Disposition { deleted: disposition.deleted, ..Disposition::default() }) {
                let reason = format!("`{key}` asks for more than POP3 can do");
                let help = "there, a message is deleted ({ deleted = true }) or left as it is ({})";
                out.push(source.error(value.span(), reason).help(help));
            }
        }
    }

    fn each(&self) -> [(&'static str, &Disposition); 2] {
        [("on_success", &self.on_success), ("on_rejection", &self.on_rejection)]
    }

    /// Reports what cannot be done with the mail of a source.
    pub(super) fn check(&self, file: &Path, source: &JobSource, out: &mut Diagnostics) {
        for (key, disposition) in self.each() {
            let at = |part: &str, reason: String| error_at(file, &["handling", key, part], reason);
            out.extend(match source {
                JobSource::Imap(imap) => {
                    watched_target(disposition, imap.watched.mailbox.names()).map(|reason| at("move", reason))
                }
                // Read by rules of its own.
                JobSource::Pop3(_) => None,
                JobSource::Maildir(_) | JobSource::Folder(_) => files_cannot(disposition, &at),
            });
        }
    }
}

/// A message that is moved to where the job looks for new ones would be handled again and again.
fn watched_target(disposition: &Disposition, watched: &[String]) -> Option<String> {
    let target = disposition.move_to.as_ref()?;
    let same = watched.iter().find(|mailbox| are_the_same(mailbox, target))?;
    Some(format!("messages cannot be moved to \"{target}\": the job watches \"{same}\" for new ones"))
}

fn files_cannot(disposition: &Disposition, at: &impl Fn(&str, String) -> Diagnostic) -> Option<Diagnostic> {
    if disposition.keyword.is_some() {
        let reason = "files have no keywords: only IMAP4 messages do".to_owned();
        return Some(at("keyword", reason).help("move the message to a subfolder instead: `move = \"Done\"`"));
    }
    let target = disposition.move_to.as_ref()?;
    let is_odd = |level: &str| level.is_empty() || matches!(level, "." | "..") || level.starts_with('.');
    let reason = format!("\"{target}\" is no name for a subfolder");
    target.split('/').any(is_odd).then(|| at("move", reason).help("write a name such as \"Done\" or \"Archive/Done\""))
}

/// What is wrong with a disposition in itself, and with which of its keys.
fn fault(disposition: &Disposition) -> Option<(&'static str, String)> {
    if let Some(target) = &disposition.move_to {
        if disposition.deleted {
            return Some(("move", "a message is either moved or deleted: leave out one of the two".to_owned()));
        }
        if levels(target).is_empty() || target.contains(char::is_control) {
            return Some(("move", format!("{target:?} is no name for a mailbox")));
        }
    }
    let keyword = disposition.keyword.as_ref().filter(|keyword| !is_keyword(keyword))?;
    let reason = format!("{keyword:?} is no keyword: it must be made of ASCII letters, digits and signs such as $ - _");
    Some(("keyword", reason))
}

/// RFC 9051 section 9: a flag-keyword is an atom.
fn is_keyword(text: &str) -> bool {
    let is_special = |c: char| matches!(c, '(' | ')' | '{' | '%' | '*' | '"' | '\\' | ']');
    !text.is_empty() && text.chars().all(|c| c.is_ascii_graphic() && !is_special(c))
}

impl Setting for Disposition {
    fn read(source: &Source, name: &str, value: &Spanned<DeValue<'_>>, out: &mut Diagnostics) -> Option<Self> {
        match value.get_ref().as_str() {
            Some("leave") => return Some(Self::default()),
            Some(_) => {
                let reason = format!("`{name}` must be \"leave\" or a table such as {{ seen = true }}");
                out.push(source.error(value.span(), reason));
                return None;
            }
            None => {}
        }
        let mut section = Section::of(source, name, value, out)?;
        let (seen, deleted) = (section.optional("seen", false, out), section.optional("deleted", false, out));
        let (move_to, keyword) = (section.optional("move", None, out), section.optional("keyword", None, out));
        let read = Self { seen: seen?, deleted: deleted?, move_to: move_to?, keyword: keyword? };
        let fault = fault(&read);
        if let Some((key, reason)) = &fault {
            out.push(section.error(key, reason.clone()));
        }
        section.finish(out);
        fault.is_none().then_some(read)
    }

    fn schema() -> serde_json::Value {
        let marks = schema::table(vec![
            schema::Property::optional("seen", "Marks it as read.", schema::truth()),
            schema::Property::optional("deleted", "Marks it as deleted.", schema::truth()),
            schema::Property::optional("move", "Moves it to this mailbox.", schema::text()),
            schema::Property::optional("keyword", "Gives it this keyword.", schema::text()),
        ]);
        schema::any_of(&[schema::words(["leave"]), marks])
    }
}
