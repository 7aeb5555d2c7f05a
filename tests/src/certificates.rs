//! Certificates for the servers of the tests: an authority that nobody else trusts, and what it signs.

use anyhow::Result;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use std::path::{Path, PathBuf};

/// The files of an authority and of a server certificate for `localhost` and the loopback addresses that tests use.
#[derive(Debug, Clone)]
pub struct Certificates {
    /// The authority's certificate, PEM: the one a client must trust.
    pub authority: PathBuf,
    /// The server's certificate, PEM.
    pub server: PathBuf,
    /// The server's private key, PEM.
    pub server_key: PathBuf,
}

impl Certificates {
    /// Makes an authority and a server certificate and writes them into `directory`.
    ///
    /// # Errors
    /// When a key cannot be made or a file cannot be written.
    pub fn write(directory: &Path) -> Result<Self> {
        let files = Self {
            authority: directory.join("ca.pem"),
            server: directory.join("server.pem"),
            server_key: directory.join("server.key"),
        };
        let issuer_key = KeyPair::generate()?;
        let authority = authority()?;
        std::fs::write(&files.authority, authority.self_signed(&issuer_key)?.pem())?;

        let server_key = KeyPair::generate()?;
        let names = ["localhost", "127.0.0.1", "127.0.0.2", "127.0.0.3", "::1"].map(String::from).to_vec();
        let server = CertificateParams::new(names)?.signed_by(&server_key, &Issuer::new(authority, issuer_key))?;
        std::fs::write(&files.server, server.pem())?;
        std::fs::write(&files.server_key, server_key.serialize_pem())?;
        Ok(files)
    }
}

fn authority() -> Result<CertificateParams> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.distinguished_name.push(DnType::CommonName, "mailmill test authority");
    Ok(params)
}
