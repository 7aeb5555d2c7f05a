//! SCRAM (RFC 5802, RFC 7677): client and server prove to each other that they know the password, and neither shows it.
//!
//! Channel binding (`-PLUS`) is not done: TLS has checked the server's certificate.

use super::{BASE64, Credentials, Fault, Message, Seed, Steps};
use aws_lc_rs::{constant_time, digest, hmac, pbkdf2};
use base64::Engine;
use secrecy::zeroize::Zeroizing;
use std::borrow::Cow;
use std::fmt;
use std::num::NonZeroU32;

/// The fewest rounds that are accepted (RFC 7677 section 4).
pub(super) const ROUNDS_MIN: u32 = 4096;
/// The most: about half a second of work.
pub(super) const ROUNDS_MAX: u32 = 1_000_000;
/// The longest nonce of a server, in bytes.
const NONCE_BYTES_MAX: usize = 1024;
/// In base64: "n,,", which says that we do no channel binding.
const NO_BINDING: &str = "biws";

/// What differs between the members of the family.
pub(super) struct Family {
    name: &'static str,
    hash: &'static digest::Algorithm,
    mac: hmac::Algorithm,
    stretch: pbkdf2::Algorithm,
}

impl fmt::Debug for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

pub(super) static SHA_256: Family = Family {
    name: "SCRAM-SHA-256",
    hash: &digest::SHA256,
    mac: hmac::HMAC_SHA256,
    stretch: pbkdf2::PBKDF2_HMAC_SHA256,
};

pub(super) static SHA_1: Family = Family {
    name: "SCRAM-SHA-1",
    hash: &digest::SHA1_FOR_LEGACY_USE_ONLY,
    mac: hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
    stretch: pbkdf2::PBKDF2_HMAC_SHA1,
};

#[derive(Debug)]
pub(super) struct Scram {
    family: &'static Family,
    credentials: Credentials,
    nonce: String,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    /// The server is to send salt and rounds.
    Asked,
    /// The server is to send this signature.
    Proved { signature: hmac::Tag },
    /// The server has sent it.
    Verified,
    /// The server has sent an error instead.
    Refused { cause: String },
}

impl Scram {
    pub(super) fn new(family: &'static Family, credentials: &Credentials, seed: &Seed) -> Self {
        Self::with_nonce(family, credentials, BASE64.encode(seed.random))
    }

    pub(super) fn with_nonce(family: &'static Family, credentials: &Credentials, nonce: String) -> Self {
        Self { family, credentials: credentials.clone(), nonce, stage: Stage::Asked }
    }

    /// Our first message without its head: what the proofs cover.
    fn first_bare(&self) -> String {
        format!("n={},r={}", escaped(&prepared(&self.credentials.user)), self.nonce)
    }

    fn nonsense(&self, what: &'static str) -> Fault {
        Fault::Nonsense { mechanism: self.family.name, what }
    }

    fn prove(&mut self, challenge: &str) -> Result<Message, Fault> {
        let first = self.server_first(challenge)?;
        let mut salted = Zeroizing::new(vec![0; self.family.hash.output_len()]);
        let password = prepared(self.credentials.exposed());
        pbkdf2::derive(self.family.stretch, first.rounds, &first.salt, password.as_bytes(), &mut salted);
        let salted = hmac::Key::new(self.family.mac, &salted);

        let without_proof = format!("c={NO_BINDING},r={}", first.nonce);
        let covered = format!("{},{challenge},{without_proof}", self.first_bare());
        let client_key = hmac::sign(&salted, b"Client Key");
        let stored_key = digest::digest(self.family.hash, client_key.as_ref());
        let client_signature = hmac::sign(&hmac::Key::new(self.family.mac, stored_key.as_ref()), covered.as_bytes());
        let pairs = client_key.as_ref().iter().zip(client_signature.as_ref());
        let proof = Zeroizing::new(pairs.map(|(key, signature)| key ^ signature).collect::<Vec<_>>());

        let server_key = hmac::sign(&salted, b"Server Key");
        let signature = hmac::sign(&hmac::Key::new(self.family.mac, server_key.as_ref()), covered.as_bytes());
        self.stage = Stage::Proved { signature };
        Ok(Zeroizing::new(format!("{without_proof},p={}", BASE64.encode(&*proof)).into_bytes()))
    }

    fn server_first<'a>(&self, challenge: &'a str) -> Result<ServerFirst<'a>, Fault> {
        let mut fields = challenge.split(',');
        let mut field = |name: char, what| {
            let value =
                fields.next().and_then(|field| field.strip_prefix(name)).and_then(|rest| rest.strip_prefix('='));
            value.ok_or_else(|| self.nonsense(what))
        };
        // A mandatory extension would stand first, as `m=`; nobody has defined one.
        let nonce = field('r', "it does not begin with a nonce")?;
        let salt = field('s', "it has no salt")?;
        let rounds = field('i', "it does not say how many rounds")?;
        let is_ours = nonce.len() > self.nonce.len() && nonce.starts_with(&self.nonce);
        if !is_ours || nonce.len() > NONCE_BYTES_MAX || !nonce.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(self.nonsense("its nonce does not continue ours"));
        }
        let salt = BASE64.decode(salt).ok().filter(|salt| !salt.is_empty());
        let salt = salt.ok_or_else(|| self.nonsense("its salt is not base64"))?;
        let rounds: u64 = rounds.parse().map_err(|_| self.nonsense("its rounds are not a number"))?;
        let accepted = u32::try_from(rounds).ok().filter(|rounds| (ROUNDS_MIN..=ROUNDS_MAX).contains(rounds));
        let rounds = accepted.and_then(NonZeroU32::new).ok_or(Fault::Rounds(rounds))?;
        Ok(ServerFirst { nonce, salt, rounds })
    }

    fn verify(&self, signature: &hmac::Tag, challenge: &str) -> Result<Stage, Fault> {
        if let Some(cause) = challenge.strip_prefix("e=") {
            return Ok(Stage::Refused { cause: cause.chars().filter(|c| !c.is_control()).take(100).collect() });
        }
        let shown = challenge.strip_prefix("v=").and_then(|rest| rest.split(',').next());
        let shown = shown.and_then(|shown| BASE64.decode(shown).ok()).unwrap_or_default();
        constant_time::verify_slices_are_equal(signature.as_ref(), &shown).map_err(|_| Fault::Impostor)?;
        Ok(Stage::Verified)
    }
}

struct ServerFirst<'a> {
    nonce: &'a str,
    salt: Vec<u8>,
    rounds: NonZeroU32,
}

impl Steps for Scram {
    fn initial(&mut self) -> Option<Message> {
        Some(Zeroizing::new(format!("n,,{}", self.first_bare()).into_bytes()))
    }

    fn respond(&mut self, challenge: &[u8]) -> Result<Message, Fault> {
        let challenge = str::from_utf8(challenge).map_err(|_| self.nonsense("it is not UTF-8"))?;
        match &self.stage {
            Stage::Asked => self.prove(challenge),
            Stage::Proved { signature } => {
                self.stage = self.verify(signature, challenge)?;
                // The server tells its verdict once this is acknowledged.
                Ok(Message::default())
            }
            Stage::Verified | Stage::Refused { .. } => Err(self.nonsense("it asks again")),
        }
    }

    fn has_proved(&self) -> bool {
        !matches!(self.stage, Stage::Asked)
    }

    fn finish(&self) -> Result<(), Fault> {
        match self.stage {
            Stage::Verified => Ok(()),
            Stage::Asked | Stage::Proved { .. } | Stage::Refused { .. } => Err(Fault::Impostor),
        }
    }

    fn cause(&self) -> Option<&str> {
        match &self.stage {
            Stage::Refused { cause } => Some(cause),
            Stage::Asked | Stage::Proved { .. } | Stage::Verified => None,
        }
    }
}

/// Prepared by SASLprep (RFC 4013). What it forbids goes as it is: servers that do not prepare may know it so.
fn prepared(text: &str) -> Zeroizing<String> {
    Zeroizing::new(stringprep::saslprep(text).unwrap_or(Cow::Borrowed(text)).into_owned())
}

/// A name as `saslname` (RFC 5802 section 5.1).
pub(super) fn escaped(name: &str) -> String {
    name.replace('=', "=3D").replace(',', "=2C")
}
