//! How connections to servers are secured.

use serde::{Deserialize, Serialize};

/// How a connection is secured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Security {
    /// Not at all: the password and the mail can be read on the way.
    None,
    /// TLS once the server has offered it on a connection that begins in plain text; if it does not offer it, the
    /// connection stays in plain text.
    StarttlsIfAvailable,
    /// TLS once the server has offered it on a connection that begins in plain text; else no connection.
    Starttls,
    /// TLS from the first byte.
    Tls,
}
