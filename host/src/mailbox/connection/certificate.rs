//! What a server proves itself with, and what is wrong with it.

use crate::mailbox::error::one_line;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::server::ParsedCertificate;
use tokio_rustls::rustls::{self, CertificateError, RootCertStore};
use tokio_rustls::rustls::{client, crypto::WebPkiSupportedAlgorithms};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::public_key::PublicKey;
use x509_parser::x509::{X509Name, X509Version};

/// The shortest RSA key that is not too weak, in bits.
const RSA_BITS_MIN: usize = 2048;
/// The most names of a certificate that are shown: some have hundreds.
const NAMES_SHOWN_MAX: usize = 8;
/// The bytes of a fingerprint.
const FINGERPRINT_BYTES: usize = 32;

/// The SHA-256 of a certificate. It is written in hexadecimal digits, in pairs with colons between them or without.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Fingerprint([u8; FINGERPRINT_BYTES]);

/// A text that is no fingerprint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a fingerprint is a SHA-256: 64 hexadecimal digits, with or without colons")]
pub struct NoFingerprint;

/// A server's certificate, for people to read. Nothing here says that it is to be trusted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Certificate {
    /// Whose it is, such as `CN=mail.example.org`.
    pub subject: String,
    /// The hosts that it is for.
    pub names: Vec<String>,
    /// Who has signed it.
    pub issuer: String,
    /// From when on it is valid.
    pub valid_from: Timestamp,
    /// Until when.
    pub valid_until: Timestamp,
    /// By what it can be pinned.
    pub fingerprint: Fingerprint,
}

/// What is wrong with a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fault {
    /// It was valid until then.
    Expired(Timestamp),
    /// It is valid from then on.
    NotValidYet(Timestamp),
    /// It is for other hosts.
    WrongHost { host: String, names: Vec<String>, common_name: Option<String> },
    /// Only it itself says that it is genuine.
    SelfSigned,
    /// Whoever signed it is not trusted here.
    UnknownIssuer(String),
    /// Its RSA key is this short, in bits.
    WeakKey(usize),
    /// It is signed in this way.
    WeakSignature(&'static str),
    /// A certificate between it and a trusted one was valid until then.
    IssuerExpired(Timestamp),
    /// It is an authority's own.
    Authority,
    /// It is of a version without names.
    OldVersion,
    /// It is for other uses.
    WrongPurpose,
    /// Anything else, in the words of the library that found it.
    Other(String),
}

/// What certificates are checked against.
#[derive(Debug)]
pub(super) struct Roots {
    /// The system's.
    pub(super) system: Arc<RootCertStore>,
    /// Those of the account.
    pub(super) extra: RootCertStore,
    /// The same, as they are written.
    pub(super) extra_written: Vec<CertificateDer<'static>>,
}

impl Default for Roots {
    fn default() -> Self {
        Self { system: Arc::new(RootCertStore::empty()), extra: RootCertStore::empty(), extra_written: Vec::new() }
    }
}

impl Fingerprint {
    pub(super) fn of(certificate: &CertificateDer<'_>) -> Self {
        Self(Sha256::digest(certificate).into())
    }
}

impl FromStr for Fingerprint {
    type Err = NoFingerprint;
    fn from_str(text: &str) -> Result<Self, NoFingerprint> {
        let pairs: Vec<&str> = match text.trim() {
            text if text.contains(':') => text.split(':').collect(),
            text => (0..text.len()).step_by(2).filter_map(|at| text.get(at..(at + 2).min(text.len()))).collect(),
        };
        let byte = |pair: &str| match pair.as_bytes() {
            [high, low] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => u8::from_str_radix(pair, 16).ok(),
            _ => None,
        };
        let bytes: Option<Vec<u8>> = pairs.into_iter().map(byte).collect();
        bytes.and_then(|bytes| bytes.try_into().ok()).map(Self).ok_or(NoFingerprint)
    }
}

impl TryFrom<String> for Fingerprint {
    type Error = NoFingerprint;
    fn try_from(text: String) -> Result<Self, NoFingerprint> {
        text.parse()
    }
}

impl From<Fingerprint> for String {
    fn from(fingerprint: Fingerprint) -> Self {
        fingerprint.to_string()
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pairs: Vec<String> = self.0.iter().map(|byte| format!("{byte:02X}")).collect();
        f.write_str(&pairs.join(":"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Certificate {
    /// None if it cannot be read.
    pub(super) fn read(der: &CertificateDer<'_>) -> Option<Self> {
        let read = parse(der)?;
        Some(Self {
            subject: shown(read.subject()),
            names: names(&read),
            issuer: shown(read.issuer()),
            valid_from: Timestamp::from_second(read.validity().not_before.timestamp()).ok()?,
            valid_until: Timestamp::from_second(read.validity().not_after.timestamp()).ok()?,
            fingerprint: Fingerprint::of(der),
        })
    }
}

impl fmt::Display for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = if self.names.is_empty() { &self.subject } else { &listed(&self.names) };
        write!(f, "for {names}, issued by {}, valid until {}", self.issuer, date(self.valid_until))?;
        write!(f, ", SHA-256 {}", self.fingerprint)
    }
}

impl Roots {
    /// What is wrong with a server's certificates; nothing is wrong if this is empty.
    pub(super) fn faults(
        &self,
        leaf: &CertificateDer<'_>,
        above: &[CertificateDer<'_>],
        host: &ServerName<'_>,
        now: UnixTime,
        algorithms: &WebPkiSupportedAlgorithms,
    ) -> Vec<Fault> {
        let chain = self.chain(leaf, above, now, algorithms);
        let name = ParsedCertificate::try_from(leaf).and_then(|leaf| client::verify_server_name(&leaf, host));
        let mut faults = Vec::new();
        let Some(read) = parse(leaf) else {
            let verdict = chain.and(name).err().map(|error| other(&error));
            return vec![verdict.unwrap_or_else(|| Fault::Other("it cannot be read".into()))];
        };
        let (from, until) = (read.validity().not_before.timestamp(), read.validity().not_after.timestamp());
        faults.extend(validity(from, until, now));
        // The date is looked at first, and would hide what else there is.
        let then = clamped(now, from, until);
        let chain = if faults.is_empty() { chain } else { self.chain(leaf, above, then, algorithms) };
        faults.extend(weakness(&read));
        if read.version() != X509Version::V3 {
            // The library does not look at anything else in it.
            faults.push(Fault::OldVersion);
            return faults;
        }
        faults.extend(chain.err().and_then(|error| chain_fault(&error, &read, &faults)));
        faults.extend(name.err().map(|error| name_fault(&error, host, &read)));
        faults
    }

    /// Whether a chain of signatures leads to a certificate that is trusted, at a given time.
    fn chain(
        &self,
        leaf: &CertificateDer<'_>,
        above: &[CertificateDer<'_>],
        now: UnixTime,
        algorithms: &WebPkiSupportedAlgorithms,
    ) -> Result<(), rustls::Error> {
        if self.extra_written.iter().any(|trusted| trusted == leaf) {
            return Ok(());
        }
        let parsed = ParsedCertificate::try_from(leaf)?;
        let verify = |roots: &RootCertStore| {
            client::verify_server_cert_signed_by_trust_anchor(&parsed, roots, above, now, algorithms.all)
        };
        match verify(&self.extra) {
            Err(rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer)) => verify(&self.system),
            verdict => verdict,
        }
    }
}

impl Fault {
    /// What to do about it.
    pub(super) fn advice(&self) -> &'static str {
        match self {
            Self::Expired(_) => "renew it on the server, or correct this machine's clock",
            Self::NotValidYet(_) => "correct this machine's clock, or wait",
            Self::OldVersion => "have it issued anew with the host among its names",
            Self::WrongHost { names, .. } if names.is_empty() => "have it issued anew with the host among its names",
            Self::WrongHost { .. } => "use one of its names as host",
            Self::SelfSigned => "if it is your own server, name the certificate in `ca_file`, or its `fingerprint`",
            Self::UnknownIssuer(_) => "if it is your own authority, name its certificate in `ca_file`",
            Self::WeakKey(_) => "renew it with a key of 2048 bits or more",
            Self::WeakSignature(_) => "have it signed anew, with SHA-256",
            Self::IssuerExpired(_) => "renew the chain of certificates on the server, or correct this machine's clock",
            Self::Authority => "give the server a certificate of its own, or name this one's `fingerprint`",
            Self::WrongPurpose => "have it issued anew for servers",
            Self::Other(_) => "renew it on the server",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Expired(since) => write!(f, "it expired on {}", date(*since)),
            Self::NotValidYet(from) => write!(f, "it is not valid before {}", date(*from)),
            Self::WrongHost { host, names, common_name: Some(name) } if names.is_empty() => {
                write!(f, "it names no host (\"{name}\" is in a place that no longer counts), so it is not for {host}")
            }
            Self::WrongHost { host, names, .. } if names.is_empty() => {
                write!(f, "it names no host, so it is not for {host}")
            }
            Self::WrongHost { host, names, .. } => write!(f, "it is for {}, not for {host}", listed(names)),
            Self::SelfSigned => f.write_str("it is self-signed: nobody but itself says that it is genuine"),
            Self::UnknownIssuer(issuer) => write!(f, "its issuer, {issuer}, is not known here"),
            Self::WeakKey(bits) => write!(f, "its RSA key of {bits} bits is too weak"),
            Self::WeakSignature(algorithm) => write!(f, "it is signed with {algorithm}, which is too weak"),
            Self::IssuerExpired(since) => write!(f, "a certificate above it expired on {}", date(*since)),
            Self::Authority => f.write_str("it is an authority's certificate, not a server's"),
            Self::OldVersion => f.write_str("it is of an old version that names no hosts"),
            Self::WrongPurpose => f.write_str("it is not meant for servers"),
            Self::Other(what) => write!(f, "it is not acceptable ({what})"),
        }
    }
}

pub(super) fn parse<'d>(der: &'d CertificateDer<'_>) -> Option<X509Certificate<'d>> {
    x509_parser::parse_x509_certificate(der).ok().map(|(_, certificate)| certificate)
}

/// The length of an RSA key in bits; none if it is of another kind.
pub(super) fn rsa_bits(certificate: &X509Certificate<'_>) -> Option<usize> {
    match certificate.public_key().parsed() {
        Ok(PublicKey::RSA(key)) => Some(key.key_size()),
        _ => None,
    }
}

pub(super) fn is_weak(rsa_bits: usize) -> bool {
    rsa_bits < RSA_BITS_MIN
}

fn validity(from: i64, until: i64, now: UnixTime) -> Option<Fault> {
    let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    let at = |seconds| Timestamp::from_second(seconds).unwrap_or_default();
    if now > until {
        Some(Fault::Expired(at(until)))
    } else if now < from {
        Some(Fault::NotValidYet(at(from)))
    } else {
        None
    }
}

fn clamped(now: UnixTime, from: i64, until: i64) -> UnixTime {
    let seconds = |time: i64| u64::try_from(time).unwrap_or_default();
    let now = now.as_secs().min(seconds(until)).max(seconds(from));
    UnixTime::since_unix_epoch(std::time::Duration::from_secs(now))
}

fn weakness(leaf: &X509Certificate<'_>) -> Vec<Fault> {
    let key = rsa_bits(leaf).filter(|bits| is_weak(*bits)).map(Fault::WeakKey);
    let signature = match leaf.signature_algorithm.algorithm.to_id_string().as_str() {
        "1.2.840.113549.1.1.2" => Some("MD2"),
        "1.2.840.113549.1.1.4" => Some("MD5"),
        "1.2.840.113549.1.1.5" | "1.2.840.10045.4.1" | "1.2.840.10040.4.3" => Some("SHA-1"),
        _ => None,
    };
    key.into_iter().chain(signature.map(Fault::WeakSignature)).collect()
}

/// What a broken chain of signatures adds to what is known already.
fn chain_fault(error: &rustls::Error, leaf: &X509Certificate<'_>, known: &[Fault]) -> Option<Fault> {
    let rustls::Error::InvalidCertificate(fault) = error else { return Some(other(error)) };
    let is_weak = known.iter().any(|fault| matches!(fault, Fault::WeakKey(_) | Fault::WeakSignature(_)));
    let is_self_signed = leaf.subject() == leaf.issuer();
    Some(match fault {
        _ if is_self_signed => Fault::SelfSigned,
        CertificateError::UnknownIssuer => Fault::UnknownIssuer(shown(leaf.issuer())),
        CertificateError::ExpiredContext { not_after, .. } => {
            let seconds = i64::try_from(not_after.as_secs()).unwrap_or(i64::MAX);
            Fault::IssuerExpired(Timestamp::from_second(seconds).unwrap_or_default())
        }
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => Fault::WrongPurpose,
        CertificateError::BadSignature | CertificateError::UnsupportedSignatureAlgorithmContext { .. } if is_weak => {
            return None;
        }
        CertificateError::Other(inner) if format!("{inner:?}").contains("CaUsedAsEndEntity") => Fault::Authority,
        _ => other(error),
    })
}

fn name_fault(error: &rustls::Error, host: &ServerName<'_>, leaf: &X509Certificate<'_>) -> Fault {
    match error {
        rustls::Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ) => {
            let common_name = leaf.subject().iter_common_name().next().and_then(|name| name.as_str().ok());
            let common_name = common_name.map(one_line);
            Fault::WrongHost { host: host.to_str().into_owned(), names: names(leaf), common_name }
        }
        _ => other(error),
    }
}

fn other(error: &rustls::Error) -> Fault {
    Fault::Other(one_line(&match error {
        rustls::Error::InvalidCertificate(CertificateError::Other(inner)) => inner.to_string(),
        rustls::Error::InvalidCertificate(fault) => fault.to_string(),
        error => error.to_string(),
    }))
}

/// The hosts that a certificate names. A common name is no host any more (RFC 9525 section 2).
fn names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(names)) = certificate.subject_alternative_name() else { return Vec::new() };
    let name = |name: &GeneralName<'_>| match name {
        GeneralName::DNSName(name) => Some(one_line(name)),
        GeneralName::IPAddress(bytes) => address(bytes).map(|address| address.to_string()),
        _ => None,
    };
    names.value.general_names.iter().filter_map(name).collect()
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    let four = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    four.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from)).ok()
}

fn shown(name: &X509Name<'_>) -> String {
    one_line(&name.to_string())
}

fn listed(names: &[String]) -> String {
    let shown = names.iter().take(NAMES_SHOWN_MAX).map(String::as_str).collect::<Vec<_>>().join(", ");
    match names.len().checked_sub(NAMES_SHOWN_MAX) {
        Some(more @ 1..) => format!("{shown} and {more} more"),
        _ => shown,
    }
}

fn date(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M UTC").to_string()
}
