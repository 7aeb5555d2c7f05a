//! Message-IDs of our own mail, signed: whoever has not seen one cannot make one (RFC 5322 section 3.6.4 only asks that they
//! are unique).
//!
//! `mm.t00012.NONCE.MAC@domain`, all lower case. The MAC is over all that stands around it.

use crate::message::MessageId;
use crate::ticket::TicketNumber;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::fmt;

/// The length of the key.
pub const KEY_BYTES: usize = 32;
/// What the left side begins with.
const MARK: &str = "mm.";
/// In place of the ticket's number, if there is no ticket.
const NO_TICKET: &str = "none";
/// The digits of the nonce.
const NONCE_DIGITS: usize = 16;
/// The bytes of the MAC that are written. RFC 2104 section 5 asks for half of it at least.
const MAC_BYTES: usize = 16;

/// Issues and checks Message-IDs. The key cannot be printed.
#[derive(Clone)]
pub struct OwnIds {
    key: [u8; KEY_BYTES],
    domain: String,
}

/// What a Message-ID is to us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Checked {
    /// Somebody else's.
    Foreign,
    /// It looks like ours, and is not.
    Forged,
    /// Ours, with the ticket that it is about.
    Own(Option<TicketNumber>),
}

impl OwnIds {
    /// Those of a domain.
    #[must_use]
    pub fn new(key: [u8; KEY_BYTES], domain: &str) -> Self {
        Self { key, domain: domain.to_ascii_lowercase() }
    }

    /// The right side of our Message-IDs.
    #[must_use]
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// A Message-ID about a ticket: the same for the same seed, another for another one, and not to be guessed.
    #[must_use]
    pub fn issue(&self, ticket: Option<&TicketNumber>, seed: &str) -> MessageId {
        let ticket = ticket.map_or_else(|| NO_TICKET.to_owned(), |ticket| ticket.to_string().to_ascii_lowercase());
        let mut nonce = hex(&self.mac(&["nonce", seed]).finalize().into_bytes());
        nonce.truncate(NONCE_DIGITS);
        let mac = self.mac(&["id", &ticket, &nonce, &self.domain]).finalize().into_bytes();
        let mac = hex(mac.get(..MAC_BYTES).unwrap_or_default());
        MessageId(format!("{MARK}{ticket}.{nonce}.{mac}@{}", self.domain))
    }

    /// Whether a Message-ID is ours. Mail systems that change the case of letters do no harm.
    #[must_use]
    pub fn check(&self, id: &MessageId) -> Checked {
        let id = id.0.to_ascii_lowercase();
        let Some((local, domain)) = id.rsplit_once('@') else { return Checked::Foreign };
        let Some(rest) = local.strip_prefix(MARK).filter(|_| domain == self.domain) else { return Checked::Foreign };
        let mut parts = rest.split('.');
        let (Some(ticket), Some(nonce), Some(mac), None) = (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Checked::Forged;
        };
        let Some(mac) = bytes(mac).filter(|mac| mac.len() == MAC_BYTES) else { return Checked::Forged };
        // Compares in constant time.
        if self.mac(&["id", ticket, nonce, &self.domain]).verify_truncated_left(&mac).is_err() {
            return Checked::Forged;
        }
        Checked::Own(TicketNumber::parse(ticket))
    }

    /// Each part is told from the next one: none holds a NUL.
    fn mac(&self, parts: &[&str]) -> Hmac<Sha256> {
        // A key of a block or less is taken as it is, filled up with zeros (RFC 2104 section 2).
        let mut block = hmac::digest::Key::<Hmac<Sha256>>::default();
        block.iter_mut().zip(self.key).for_each(|(place, byte)| *place = byte);
        let mut mac = Hmac::new(&block);
        for part in parts {
            mac.update(part.as_bytes());
            mac.update(&[0]);
        }
        mac
    }
}

impl fmt::Debug for OwnIds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnIds").field("domain", &self.domain).finish_non_exhaustive()
    }
}

/// Bytes in lower-case hexadecimal.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = hex.chars().map(|c| c.to_digit(16).and_then(|d| u8::try_from(d).ok())).collect();
    let digits = digits.filter(|digits| digits.len() % 2 == 0)?;
    Some(digits.chunks_exact(2).map(|pair| pair.iter().fold(0, |byte, digit| byte * 16 + digit)).collect())
}
