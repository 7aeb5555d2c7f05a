//! Tickets: what mail becomes.

mod classes;
mod number;

pub use classes::{ClassSpec, Classes};
pub use number::{Series, TicketNumber};

use serde::{Deserialize, Serialize};
use std::fmt;

/// Makes types of names that the classes of an installation give.
macro_rules! names {
    ($($(#[doc = $doc:literal])+ $name:ident;)*) => {
        $(
            $(#[doc = $doc])+
            #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
            #[serde(transparent)]
            pub struct $name(String);

            impl $name {
                /// The one of this name. Whether there is such a one, [`Classes`] knows.
                #[must_use]
                pub fn new(name: &str) -> Self {
                    Self(name.to_owned())
                }

                /// The name used in rule files and in the database.
                #[must_use]
                pub fn name(&self) -> &str {
                    &self.0
                }
            }

            impl fmt::Display for $name {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    f.write_str(&self.0)
                }
            }
        )*
    };
}

names! {
    /// A kind of ticket, by its name, such as `incident`.
    TicketClass;
    /// Where a ticket stands, by its name, such as `open`. Which there are depends on the class of the ticket.
    Status;
}

/// Who can read a comment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Visibility {
    /// The requester too.
    Public,
    /// The desk only.
    Internal,
}

impl Visibility {
    /// Both, the one for more readers first.
    pub const ALL: [Self; 2] = [Self::Public, Self::Internal];

    /// The name used in rule files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Internal => "internal",
        }
    }

    /// The names of both, in the same order.
    #[must_use]
    pub fn names() -> Vec<&'static str> {
        Self::ALL.into_iter().map(Self::name).collect()
    }

    /// The visibility of that name; none if there is none.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|visibility| visibility.name() == name)
    }
}

/// What threading and rules know of a ticket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TicketSummary {
    /// Its number.
    pub number: TicketNumber,
    /// Its class.
    pub class: TicketClass,
    /// Its status.
    pub status: Status,
}
