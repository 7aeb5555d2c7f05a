//! Servers for tests: certificates of every kind, and a TLS server that bears one.

use super::{Fingerprint, Protocol, Security, Server, Trust};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use std::sync::Arc;
use std::time::Duration;
use tempfile::NamedTempFile;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs::{default_provider, sign::any_supported_type};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::sign::{CertifiedKey, SingleCertAndKey};

/// An authority that only the tests trust.
pub(in crate::mailbox) struct Authority {
    pub(in crate::mailbox) issuer: Issuer<'static, KeyPair>,
    /// Its certificate, as an account names it.
    pub(in crate::mailbox) file: NamedTempFile,
}

/// What a server proves itself with.
pub(in crate::mailbox) struct Identity {
    pub(in crate::mailbox) chain: Vec<CertificateDer<'static>>,
    pub(in crate::mailbox) key: PrivateKeyDer<'static>,
}

impl Authority {
    pub(in crate::mailbox) fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let params = authority("a test authority");
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), file: file(&pem) }
    }

    /// A certificate for localhost, after `change`.
    pub(in crate::mailbox) fn issue(&self, change: impl FnOnce(&mut CertificateParams)) -> Identity {
        let key = KeyPair::generate().unwrap();
        let mut params = localhost();
        change(&mut params);
        Identity::new(vec![params.signed_by(&key, &self.issuer).unwrap().der().clone()], &key)
    }

    pub(in crate::mailbox) fn trust(&self) -> Trust {
        Trust { ca_file: Some(self.file.path().to_owned()), ..Trust::default() }
    }
}

impl Identity {
    pub(in crate::mailbox) fn new(chain: Vec<CertificateDer<'static>>, key: &KeyPair) -> Self {
        Self { chain, key: PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())) }
    }

    pub(in crate::mailbox) fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&self.chain[0])
    }

    /// Serves TLS. The library's own check that key and certificate fit is passed by.
    pub(in crate::mailbox) fn acceptor(&self) -> TlsAcceptor {
        let key = any_supported_type(&self.key).unwrap();
        let identity = SingleCertAndKey::from(CertifiedKey::new(self.chain.clone(), key));
        let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(identity));
        TlsAcceptor::from(Arc::new(config))
    }
}

/// A certificate's content, for localhost.
pub(in crate::mailbox) fn localhost() -> CertificateParams {
    let mut params = CertificateParams::new(["localhost".into(), "127.0.0.1".into()]).unwrap();
    params.distinguished_name.push(DnType::CommonName, "localhost");
    params
}

pub(in crate::mailbox) fn authority(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new([]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

pub(in crate::mailbox) fn file(text: &str) -> NamedTempFile {
    let file = NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    file
}

/// A server on this machine, as an account sees it.
pub(in crate::mailbox) fn server(port: u16, security: Security, trust: &Trust) -> Server<'_> {
    let timeout = Duration::from_millis(1000);
    Server { protocol: Protocol::Imap, host: "localhost", port, security, trust, timeout }
}
