//! What can go wrong with the store, and what to do about it.

use super::Holder;
use crate::class::Class;
use crate::content;

/// Why the store could not do something. `place` is the database file. Whatever the error, nothing of the failed call
/// has been recorded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the sentences say it")]
pub enum Error {
    #[error("cannot write {place}: the disk is full; free some space: nothing was lost")]
    DiskFull { place: String },
    #[error(
        "cannot use {place}: another program keeps it locked; nothing was lost, and it works again when that program lets go"
    )]
    Locked { place: String },
    #[error(
        "cannot run on {place}: another mailmill does ({}); stop that one first, or have it run a job now with \
         `mailmill job run JOB`", known(holder.as_ref())
    )]
    Held { place: String, holder: Option<Holder> },
    #[error("cannot use {place}: {detail}; nothing was lost")]
    Io { place: String, detail: String },
    #[error("cannot write {place}: it is read-only; let the user that runs mailmill write the file and its directory")]
    ReadOnly { place: String },
    #[error("cannot open {place}: {detail}; check `path` under [store] and the rights on that directory")]
    CannotOpen { place: String, detail: String },
    #[error(
        "cannot open {place}: it is not a SQLite database; it was left as it is: move it away, or set another `path` \
         under [store]"
    )]
    NotADatabase { place: String },
    #[error(
        "cannot open {place}: it is the database of another program; it was left as it is: set another `path` under \
         [store]"
    )]
    Foreign { place: String },
    #[error(
        "cannot use {place}: the database is damaged ({detail}); it was left as it is: stop mailmill, keep a copy, and \
         restore a backup or run `sqlite3 {place} .recover`"
    )]
    Corrupted { place: String, detail: String },
    #[error(
        "cannot open {place}: a newer mailmill wrote it (schema {found}, this one knows up to {known}); it was left as \
         it is: install that version again"
    )]
    NewerSchema { place: String, found: i64, known: i64 },
    #[error(
        "cannot read {place}: an older mailmill wrote it (schema {found}, this one reads {known}); mailmill run brings \
         it up to date"
    )]
    OlderSchema { place: String, found: i64, known: i64 },
    #[error(
        "the database needs a new schema, and a copy of it as it is cannot be kept as {place}: {detail}; it was left as it is: \
         make room there, or let the user that runs mailmill write in that directory"
    )]
    Backup { place: String, detail: String },
    #[error(
        "cannot use {place}: it has {found} bytes, and the messages in it reach to byte {expected}; it was left as it is: restore that file \
         from a backup, or, to go on without what it lacks, run `truncate --size={expected} {place}`"
    )]
    MessagesShort { place: String, found: u64, expected: u64 },
    #[error("cannot read {place}: {detail}; nothing else is affected: restore that file from a backup")]
    MessagesDamaged { place: String, detail: String },
    #[error(transparent)]
    Content(#[from] content::Error),
    #[error("there is no {what}")]
    NotFound { what: String },
    #[error("bug in the store: {0}")]
    Bug(String),
}

impl Error {
    /// How the error is to be answered.
    #[must_use]
    pub fn class(&self) -> Class {
        match self {
            Self::DiskFull { .. } | Self::Locked { .. } | Self::Io { .. } => Class::Transient,
            Self::ReadOnly { .. }
            | Self::Held { .. }
            | Self::CannotOpen { .. }
            | Self::NotADatabase { .. }
            | Self::Foreign { .. }
            | Self::Corrupted { .. }
            | Self::NewerSchema { .. }
            | Self::Backup { .. }
            | Self::MessagesShort { .. }
            | Self::MessagesDamaged { .. }
            | Self::OlderSchema { .. }
            | Self::NotFound { .. } => Class::Permanent,
            Self::Content(error) => error.class(),
            Self::Bug(_) => Class::Bug,
        }
    }
}

fn known(holder: Option<&Holder>) -> String {
    holder.map_or_else(|| "it has not said which".to_owned(), ToString::to_string)
}
