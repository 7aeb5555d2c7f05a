//! NTLM, version 2 only (MS-NLMP): mail programs call it SPA.
//!
//! The dialogue: we negotiate, the server challenges, we authenticate. Neither signing nor sealing is asked for: that
//! is TLS's work. A server that gives its time gets a message integrity code over all three messages.

use super::cram::hmac_md5;
use super::{Credentials, Fault, Message, Seed, Steps};
use md4::{Digest, Md4};
use secrecy::zeroize::Zeroizing;

const SIGNATURE: &[u8; 8] = b"NTLMSSP\0";
/// UNICODE, REQUEST_TARGET, NTLM, ALWAYS_SIGN, EXTENDED_SESSIONSECURITY, TARGET_INFO, 128 (MS-NLMP 2.2.2.5).
const FLAGS: u32 = FLAG_UNICODE | 0x4 | 0x200 | 0x8000 | 0x8_0000 | FLAG_TARGET_INFO | 0x2000_0000;
const FLAG_UNICODE: u32 = 0x1;
const FLAG_TARGET_INFO: u32 = 0x80_0000;
/// Where what the fields of an AUTHENTICATE message point to begins: behind the fields, 8 bytes of version and the
/// integrity code.
const PAYLOAD_OFFSET: usize = MIC_OFFSET + MIC_BYTES;
const MIC_OFFSET: usize = 72;
const MIC_BYTES: usize = 16;
/// What we say our machine is called.
const WORKSTATION: &str = "MAILMILL";

/// Pairs in the server's target information (MS-NLMP 2.2.2.1).
const PAIR_END: u16 = 0;
const NO_TARGET_INFO: &[u8] = &[0; 4];
const PAIR_FLAGS: u16 = 6;
const PAIR_TIMESTAMP: u16 = 7;
/// In [`PAIR_FLAGS`]: there is an integrity code.
const PAIR_FLAG_MIC: u32 = 2;

#[derive(Debug)]
pub(super) struct Ntlm {
    credentials: Credentials,
    seed: Seed,
    answered: bool,
}

impl Ntlm {
    pub(super) fn new(credentials: &Credentials, seed: &Seed) -> Self {
        Self { credentials: credentials.clone(), seed: seed.clone(), answered: false }
    }

    fn authenticate(&self, raw: &[u8]) -> Result<Message, Fault> {
        let challenge = Challenge::parse(raw)?;
        let target = Target::parse(challenge.target_info)?;
        let (domain, user) = self.identity(&challenge);
        let [nonce @ .., _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _] = self.seed.random;
        let key = response_key(user, &domain, self.credentials.exposed());

        let time = target.time.unwrap_or(self.seed.time);
        let blob = client_challenge(time, nonce, &target.answer());
        let proof = hmac_md5(&*key, &[&challenge.nonce, &blob]);
        let nt_response = [&proof[..], &blob].concat();
        // MS-NLMP 3.1.5.1.2: a server that gives its time gets no answer of the older kind.
        let lm_response = match target.time {
            Some(_) => vec![0; 24],
            None => [&hmac_md5(&*key, &[&challenge.nonce, &nonce])[..], &nonce].concat(),
        };
        let payload =
            [lm_response, nt_response, wide(&domain).to_vec(), wide(user).to_vec(), wide(WORKSTATION).to_vec()];
        let mut message = message(&payload, challenge.flags & FLAGS);
        if target.time.is_some() {
            let session_key = Zeroizing::new(hmac_md5(&*key, &[&proof]));
            let code = hmac_md5(&*session_key, &[&negotiate(), raw, &message]);
            message.splice(MIC_OFFSET..PAYLOAD_OFFSET, code);
        }
        Ok(Zeroizing::new(message))
    }

    /// The domain and the user's name in it. `user@domain` is a name of its own kind and goes as it is.
    fn identity(&self, challenge: &Challenge<'_>) -> (String, &str) {
        let name = self.credentials.user.as_str();
        match name.split_once('\\') {
            Some((domain, user)) => (domain.to_owned(), user),
            None if name.contains('@') => (String::new(), name),
            None => (challenge.target_name(), name),
        }
    }
}

impl Steps for Ntlm {
    fn initial(&mut self) -> Option<Message> {
        Some(Zeroizing::new(negotiate()))
    }

    fn respond(&mut self, challenge: &[u8]) -> Result<Message, Fault> {
        if std::mem::replace(&mut self.answered, true) {
            return Err(nonsense("it asks again"));
        }
        self.authenticate(challenge)
    }

    fn has_proved(&self) -> bool {
        self.answered
    }
}

/// The server's message (MS-NLMP 2.2.1.2).
struct Challenge<'a> {
    flags: u32,
    nonce: [u8; 8],
    target_name: &'a [u8],
    target_info: &'a [u8],
}

impl<'a> Challenge<'a> {
    fn parse(raw: &'a [u8]) -> Result<Self, Fault> {
        let short = || nonsense("it is cut short");
        let flags = u32_at(raw, 20).ok_or_else(short)?;
        if !raw.starts_with(SIGNATURE) || u32_at(raw, 8) != Some(2) {
            return Err(nonsense("it is none of NTLM"));
        }
        if flags & FLAG_UNICODE == 0 {
            return Err(nonsense("it speaks no Unicode"));
        }
        // Cyrus tells nothing of itself, and takes version 2 all the same.
        let has_info = flags & FLAG_TARGET_INFO != 0;
        let target_info = if has_info { field(raw, 40).ok_or_else(short)? } else { NO_TARGET_INFO };
        Ok(Self {
            flags,
            nonce: raw.get(24..).and_then(|rest| rest.first_chunk().copied()).ok_or_else(short)?,
            target_name: field(raw, 12).ok_or_else(short)?,
            target_info,
        })
    }

    fn target_name(&self) -> String {
        let units = self.target_name.chunks_exact(2).filter_map(|unit| u16_at(unit, 0));
        char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
    }
}

/// What the server tells about itself.
struct Target<'a> {
    time: Option<u64>,
    flags: u32,
    /// The pairs that are to be repeated: all but the flags and the end.
    pairs: Vec<&'a [u8]>,
}

impl<'a> Target<'a> {
    fn parse(mut info: &'a [u8]) -> Result<Self, Fault> {
        let mut target = Self { time: None, flags: 0, pairs: Vec::new() };
        loop {
            let (Some(id), Some(len)) = (u16_at(info, 0), u16_at(info, 2)) else {
                return Err(nonsense("its target information has no end"));
            };
            let cut = || nonsense("its target information is cut short");
            let (pair, rest) = info.split_at_checked(4 + usize::from(len)).ok_or_else(cut)?;
            let value = pair.get(4..).unwrap_or_default();
            match id {
                PAIR_END => return Ok(target),
                PAIR_FLAGS => target.flags = u32_at(value, 0).ok_or_else(cut)?,
                PAIR_TIMESTAMP => {
                    let bytes = value.first_chunk().ok_or_else(cut)?;
                    target.time = Some(u64::from_le_bytes(*bytes));
                    target.pairs.push(pair);
                }
                _ => target.pairs.push(pair),
            }
            info = rest;
        }
    }

    /// The same, as we send it back.
    fn answer(&self) -> Vec<u8> {
        let mut answer = self.pairs.concat();
        let flags = if self.time.is_some() { self.flags | PAIR_FLAG_MIC } else { self.flags };
        if flags != 0 {
            answer.extend(PAIR_FLAGS.to_le_bytes());
            answer.extend(4_u16.to_le_bytes());
            answer.extend(flags.to_le_bytes());
        }
        answer.extend([0; 4]);
        answer
    }
}

/// MS-NLMP 2.2.1.1: what we can do, and no name.
fn negotiate() -> Vec<u8> {
    [&SIGNATURE[..], &1_u32.to_le_bytes(), &FLAGS.to_le_bytes(), &[0; 16]].concat()
}

/// MS-NLMP 2.2.1.3, with a blank in place of the integrity code.
fn message(payload: &[Vec<u8>; 5], flags: u32) -> Vec<u8> {
    let mut message = [&SIGNATURE[..], &3_u32.to_le_bytes()].concat();
    let mut offset = PAYLOAD_OFFSET;
    // The last field is the session key, of which there is none.
    for part in payload.iter().chain([&Vec::new()]) {
        let len = u16::try_from(part.len()).unwrap_or(u16::MAX).to_le_bytes();
        message.extend([len, len].concat());
        message.extend(u32::try_from(offset).unwrap_or(u32::MAX).to_le_bytes());
        offset += part.len();
    }
    message.extend(flags.to_le_bytes());
    message.resize(PAYLOAD_OFFSET, 0);
    message.extend(payload.concat());
    message
}

/// NTOWFv2 (MS-NLMP 3.3.2).
fn response_key(user: &str, domain: &str, password: &str) -> Zeroizing<[u8; 16]> {
    let hash: Zeroizing<[u8; 16]> = Zeroizing::new(Md4::digest(&*wide(password)).into());
    Zeroizing::new(hmac_md5(&*hash, &[&wide(&user.to_uppercase()), &wide(domain)]))
}

/// NTLMv2_CLIENT_CHALLENGE (MS-NLMP 2.2.2.7), and the four zeros behind it.
fn client_challenge(time: u64, nonce: [u8; 8], target: &[u8]) -> Vec<u8> {
    [&[1, 1, 0, 0, 0, 0, 0, 0][..], &time.to_le_bytes(), &nonce, &[0; 4], target, &[0; 4]].concat()
}

/// UTF-16, the lower byte first.
fn wide(text: &str) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(text.encode_utf16().flat_map(u16::to_le_bytes).collect())
}

/// What a field points to: its length, the length again, and where.
fn field(raw: &[u8], at: usize) -> Option<&[u8]> {
    let len = usize::from(u16_at(raw, at)?);
    let offset = usize::try_from(u32_at(raw, at + 4)?).ok()?;
    raw.get(offset..offset.checked_add(len)?)
}

fn u16_at(raw: &[u8], at: usize) -> Option<u16> {
    raw.get(at..)?.first_chunk().map(|bytes| u16::from_le_bytes(*bytes))
}

fn u32_at(raw: &[u8], at: usize) -> Option<u32> {
    raw.get(at..)?.first_chunk().map(|bytes| u32::from_le_bytes(*bytes))
}

fn nonsense(what: &'static str) -> Fault {
    Fault::Nonsense { mechanism: "NTLM", what }
}
