//! Whether a server is who it says it is, by the account's own measure.

use super::certificate::{Fault, Fingerprint, Roots, is_weak, parse, rsa_bits};
use aws_lc_rs::signature::{
    RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY, RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY,
    RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY, RsaParameters, UnparsedPublicKey,
};
use std::sync::Arc;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::crypto::{self, WebPkiSupportedAlgorithms};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{CertificateError, DigitallySignedStruct, Error, OtherError, SignatureScheme};

/// Which certificates are accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Policy {
    /// Those without any fault.
    Faultless,
    /// All.
    Any,
    /// This one, whatever its faults.
    Pinned(Fingerprint),
}

/// Why a certificate is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    /// It has faults.
    #[error("{0:?}")]
    Faults(Vec<Fault>),
    /// It is not the one that is pinned.
    #[error("{presented} instead of {pinned}")]
    NotPinned {
        /// The one that is.
        pinned: Fingerprint,
        /// The one that the server has.
        presented: Fingerprint,
    },
    /// It is the one that is pinned, but its key is so weak that the server cannot prove to have it.
    #[error("an RSA key of {0} bits")]
    Unprovable(usize),
}

/// Checks certificates as a policy demands.
#[derive(Debug)]
pub(super) struct Verifier {
    pub(super) policy: Policy,
    pub(super) roots: Roots,
    pub(super) algorithms: WebPkiSupportedAlgorithms,
}

impl Verifier {
    /// What is wrong with a server's certificates.
    pub(super) fn faults(&self, chain: &[CertificateDer<'_>], host: &ServerName<'_>, now: UnixTime) -> Vec<Fault> {
        match chain {
            [leaf, above @ ..] => self.roots.faults(leaf, above, host, now, &self.algorithms),
            [] => vec![Fault::Other("there is none".into())],
        }
    }

    /// Where any certificate will do, and where one is pinned, it may be one that the library cannot handle: of an old
    /// version, or with a key that is too short. The server must still prove that it is its own.
    fn lenient(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
        verdict: Result<HandshakeSignatureValid, Error>,
    ) -> Result<HandshakeSignatureValid, Error> {
        if verdict.is_ok() || self.policy == Policy::Faultless {
            return verdict;
        }
        let Some(read) = parse(certificate) else { return verdict };
        let key: &[u8] = &read.public_key().subject_public_key.data;
        let mapping = self.algorithms.mapping.iter().find(|(scheme, _)| *scheme == signed.scheme);
        let mut algorithms = mapping.into_iter().flat_map(|(_, algorithms)| *algorithms);
        if algorithms.any(|algorithm| algorithm.verify_signature(key, message, signed.signature()).is_ok()) {
            return Ok(HandshakeSignatureValid::assertion());
        }
        let Some(bits) = rsa_bits(&read).filter(|bits| is_weak(*bits)) else { return verdict };
        match (legacy(signed.scheme), self.policy) {
            (Some(algorithm), _) => UnparsedPublicKey::new(algorithm, key)
                .verify(message, signed.signature())
                .map(|()| HandshakeSignatureValid::assertion())
                .or(verdict),
            // Nothing is lost: whoever is on the way could as well present a certificate of his own.
            (None, Policy::Any) => Ok(HandshakeSignatureValid::assertion()),
            (None, Policy::Pinned(_) | Policy::Faultless) => Err(refused(Refusal::Unprovable(bits))),
        }
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        above: &[CertificateDer<'_>],
        host: &ServerName<'_>,
        _ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match self.policy {
            Policy::Any => {}
            Policy::Pinned(pinned) => {
                let presented = Fingerprint::of(leaf);
                if presented != pinned {
                    return Err(refused(Refusal::NotPinned { pinned, presented }));
                }
            }
            Policy::Faultless => {
                let faults = self.roots.faults(leaf, above, host, now, &self.algorithms);
                if !faults.is_empty() {
                    return Err(refused(Refusal::Faults(faults)));
                }
            }
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let verdict = crypto::verify_tls12_signature(message, certificate, signed, &self.algorithms);
        self.lenient(message, certificate, signed, verdict)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let verdict = crypto::verify_tls13_signature(message, certificate, signed, &self.algorithms);
        self.lenient(message, certificate, signed, verdict)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let mut schemes = self.algorithms.supported_schemes();
        if self.policy != Policy::Faultless {
            // In order of preference: with a key that is too short for the library, only these can be checked.
            schemes.sort_by_key(|scheme| legacy(*scheme).is_none());
            // Some servers know nothing better.
            schemes.push(SignatureScheme::RSA_PKCS1_SHA1);
        }
        schemes
    }
}

fn refused(refusal: Refusal) -> Error {
    Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(refusal))))
}

/// Why a certificate was refused, if it was refused here.
pub(super) fn refusal(error: &Error) -> Option<&Refusal> {
    match error {
        Error::InvalidCertificate(CertificateError::Other(OtherError(inner))) => inner.downcast_ref(),
        _ => None,
    }
}

/// The algorithm for signatures with short keys.
fn legacy(scheme: SignatureScheme) -> Option<&'static RsaParameters> {
    match scheme {
        SignatureScheme::RSA_PKCS1_SHA1 => Some(&RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY),
        SignatureScheme::RSA_PKCS1_SHA256 => Some(&RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY),
        SignatureScheme::RSA_PKCS1_SHA512 => Some(&RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY),
        _ => None,
    }
}
