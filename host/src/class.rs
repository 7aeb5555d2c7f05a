//! Classes of errors: what is to be done about one.

use serde::{Deserialize, Serialize};

/// How an error is to be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// It may go away by itself: try again, the message is untouched.
    Transient,
    /// It stays until someone does something.
    Permanent,
    /// mailmill is wrong.
    Bug,
}

impl Class {
    /// All classes.
    pub const ALL: [Self; 3] = [Self::Transient, Self::Permanent, Self::Bug];

    /// The name used in the database and in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Transient => "transient",
            Self::Permanent => "permanent",
            Self::Bug => "bug",
        }
    }

    /// The class of that name; none if there is none.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.name() == name)
    }
}
