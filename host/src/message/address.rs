//! Addresses and message identifiers (RFC 5322 sections 3.4 and 3.6.4).

use serde::{Deserialize, Serialize};
use std::fmt;

/// A person: an address with the name that goes with it (RFC 5322 section 3.4).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Address {
    /// The display name, decoded; empty if none was given.
    pub name: String,
    /// `local@domain`, as written.
    pub email: String,
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.name.is_empty() { f.write_str(&self.email) } else { write!(f, "{} <{}>", self.name, self.email) }
    }
}

/// A Message-ID without its angle brackets (RFC 5322 section 3.6.4).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct MessageId(pub String);

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
