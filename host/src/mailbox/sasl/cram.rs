//! CRAM-MD5 (RFC 2195): a keyed hash of the server's challenge. APOP hashes likewise.

use super::{Credentials, Fault, Message, Steps};
use hmac::{Hmac, KeyInit, Mac};
use md5::{Digest, Md5};
use secrecy::zeroize::Zeroizing;
use std::fmt::Write as _;

/// MD5 works on blocks of this size.
const BLOCK_BYTES: usize = 64;

#[derive(Debug)]
pub(super) struct CramMd5 {
    credentials: Credentials,
    answered: bool,
}

impl CramMd5 {
    pub(super) fn new(credentials: &Credentials) -> Self {
        Self { credentials: credentials.clone(), answered: false }
    }
}

impl Steps for CramMd5 {
    fn initial(&mut self) -> Option<Message> {
        None
    }

    fn respond(&mut self, challenge: &[u8]) -> Result<Message, Fault> {
        let nonsense = |what| Fault::Nonsense { mechanism: "CRAM-MD5", what };
        if std::mem::replace(&mut self.answered, true) {
            return Err(nonsense("it asks again"));
        }
        if challenge.is_empty() {
            return Err(nonsense("it is empty"));
        }
        let digest = hmac_md5(self.credentials.exposed().as_bytes(), &[challenge]);
        let response = format!("{} {}", self.credentials.user, *hex(&digest));
        Ok(Zeroizing::new(response.into_bytes()))
    }

    fn has_proved(&self) -> bool {
        self.answered
    }
}

/// The keyed hash of the parts joined.
pub(super) fn hmac_md5(key: &[u8], parts: &[&[u8]]) -> [u8; 16] {
    // RFC 2104 section 2: a key longer than a block is hashed. So it always fits, and nothing can fail.
    let digest;
    let key = if key.len() > BLOCK_BYTES {
        digest = Zeroizing::new(<[u8; 16]>::from(Md5::digest(key)));
        &digest[..]
    } else {
        key
    };
    let mut block = Zeroizing::new([0; BLOCK_BYTES]);
    block.iter_mut().zip(key).for_each(|(to, from)| *to = *from);
    let mut mac = Hmac::<Md5>::new(&(*block).into());
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// What `APOP` sends behind the user: a hash of the time stamp in the greeting and the password (RFC 1939 section 7).
pub(in crate::mailbox) fn apop(timestamp: &str, credentials: &Credentials) -> Zeroizing<String> {
    hex(&Md5::new().chain_update(timestamp).chain_update(credentials.exposed()).finalize())
}

/// In lower-case hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> Zeroizing<String> {
    bytes.iter().fold(Zeroizing::new(String::new()), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
