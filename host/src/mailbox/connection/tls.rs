//! TLS: whom an account trusts, and the handshake.

use super::certificate::{Certificate, Fault, Fingerprint, Roots, parse};
use super::stream::{Buffered, buffered};
use super::verifier::{Policy, Refusal, Verifier, refusal};
use super::{Security, Server};
use crate::mailbox::error::{Error, one_line};
use crate::mailbox::report::Secured;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{
    self, AlertDescription, CertificateError, ClientConfig, PeerIncompatible, ProtocolVersion, RootCertStore,
};

/// How long the system's certificates, and what is made of them, are kept: they change when the system is updated.
const KEPT_MAX: Duration = Duration::from_secs(3600);
/// How long a server may take to show that it speaks TLS, when it is silent in plain text.
const PROBE_MAX: Duration = Duration::from_secs(5);

/// Whom an account trusts to be its server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trust {
    /// Whether a certificate with any fault ends the connection. If not, there is a warning instead.
    pub reject_invalid_certificates: bool,
    /// Certificates to trust beside the system's own, in PEM form.
    pub ca_file: Option<PathBuf>,
    /// The one certificate that is accepted, whatever its faults; then the rest does not matter.
    pub fingerprint: Option<Fingerprint>,
}

impl Default for Trust {
    fn default() -> Self {
        Self { reject_invalid_certificates: true, ca_file: None, fingerprint: None }
    }
}

impl Trust {
    /// Whether the certificates to trust can be read.
    ///
    /// # Errors
    /// If not.
    pub fn check(&self) -> Result<(), Error> {
        self.ca_file.as_deref().map_or(Ok(()), |path| own_certificates(path).map(drop))
    }

    fn policy(&self) -> Policy {
        match (self.fingerprint, self.reject_invalid_certificates) {
            (Some(fingerprint), _) => Policy::Pinned(fingerprint),
            (None, true) => Policy::Faultless,
            (None, false) => Policy::Any,
        }
    }
}

/// What all connections with the same trust share: also the sessions that can be resumed.
#[derive(Debug)]
struct Setup {
    config: Arc<ClientConfig>,
    verifier: Arc<Verifier>,
}

/// What is kept for all connections of the process: hundreds of jobs trust the same certificates.
struct Kept {
    system: Option<(Instant, Arc<RootCertStore>)>,
    setups: Vec<(Instant, Key, Arc<Setup>)>,
}

/// What a setup is made from: the policy, and the account's own certificates.
type Key = (Policy, Vec<CertificateDer<'static>>);

static KEPT: Mutex<Kept> = Mutex::const_new(Kept { system: None, setups: Vec::new() });

/// Makes a connection secure.
pub(super) async fn handshake(server: &Server<'_>, tcp: TcpStream) -> Result<(TlsStream<Buffered>, Secured), Error> {
    let setup = setup(server.trust).await?;
    let name = ServerName::try_from(server.host.to_owned())
        .map_err(|_| failed(server, "the host is not a name that a certificate can bear"))?;
    let stream = timeout(server.timeout, TlsConnector::from(setup.config.clone()).connect(name.clone(), buffered(tcp)))
        .await
        .map_err(|_| failed(server, "the server does not answer; check port and security mode"))?
        .map_err(|error| explain(server, &error))?;
    let secured = describe(server.host, &stream, &setup.verifier, &name);
    Ok((stream, secured))
}

/// Whether a server that says nothing in plain text waits for TLS.
pub(super) async fn is_spoken(server: &Server<'_>, tcp: TcpStream) -> bool {
    let trust = Trust { reject_invalid_certificates: false, ca_file: None, fingerprint: None };
    let Ok(setup) = setup(&trust).await else { return false };
    let Ok(name) = ServerName::try_from(server.host.to_owned()) else { return false };
    let handshake = TlsConnector::from(setup.config.clone()).connect(name, tcp);
    match timeout(PROBE_MAX.min(server.timeout), handshake).await {
        Ok(Ok(_)) => true,
        Ok(Err(error)) => library_error(&error)
            .is_some_and(|error| matches!(error, rustls::Error::AlertReceived(_) | rustls::Error::PeerIncompatible(_))),
        Err(_) => false,
    }
}

async fn setup(trust: &Trust) -> Result<Arc<Setup>, Error> {
    let policy = trust.policy();
    // Only one certificate is accepted: no authority has a say.
    let path = trust.ca_file.clone().filter(|_| !matches!(policy, Policy::Pinned(_)));
    let extra = match path {
        Some(path) => in_background(move || own_certificates(&path)).await??,
        None => Vec::new(),
    };
    let mut kept = KEPT.lock().await;
    // The system's certificates take milliseconds of disk and CPU.
    in_background(move || kept.setup(policy, extra)).await?.map_err(|error| Error::Bug { cause: error.to_string() })
}

async fn in_background<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Error> {
    spawn_blocking(work).await.map_err(|error| Error::Bug { cause: error.to_string() })
}

/// The account's own certificates.
fn own_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let failed = |cause: String| Error::Trust { path: path.to_owned(), cause };
    let pem_fault = |error| match error {
        pem::Error::Io(error) => failed(error.to_string()),
        _ => failed("a certificate in it is damaged".into()),
    };
    let read: Result<Vec<_>, _> = CertificateDer::pem_file_iter(path).map_err(pem_fault)?.collect();
    let read = read.map_err(pem_fault)?;
    if read.is_empty() {
        return Err(failed("the file holds no certificate in PEM form".into()));
    }
    if read.iter().any(|certificate| parse(certificate).is_none()) {
        return Err(failed("a certificate in it is damaged".into()));
    }
    Ok(read)
}

impl Kept {
    fn setup(&mut self, policy: Policy, extra: Vec<CertificateDer<'static>>) -> Result<Arc<Setup>, rustls::Error> {
        self.setups.retain(|(made, ..)| made.elapsed() < KEPT_MAX);
        let key = (policy, extra);
        if let Some((.., setup)) = self.setups.iter().find(|(_, known, _)| *known == key) {
            return Ok(setup.clone());
        }
        let setup = Arc::new(Setup::new(policy, self.roots(policy, &key.1))?);
        self.setups.push((Instant::now(), key, setup.clone()));
        Ok(setup)
    }

    fn roots(&mut self, policy: Policy, own: &[CertificateDer<'static>]) -> Roots {
        if matches!(policy, Policy::Pinned(_)) {
            return Roots::default();
        }
        let mut extra = RootCertStore::empty();
        // One that is no authority's cannot sign others; it can still be the server's own.
        extra.add_parsable_certificates(own.iter().cloned());
        Roots { system: self.system(), extra, extra_written: own.to_vec() }
    }

    fn system(&mut self) -> Arc<RootCertStore> {
        if let Some((read, roots)) = &self.system
            && read.elapsed() < KEPT_MAX
        {
            return roots.clone();
        }
        let mut roots = RootCertStore::empty();
        // A broken certificate among the system's own is no reason to distrust the rest.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        let roots = Arc::new(roots);
        self.system = Some((Instant::now(), roots.clone()));
        roots
    }
}

impl Setup {
    fn new(policy: Policy, roots: Roots) -> Result<Self, rustls::Error> {
        // Said out loud, so that a second provider in the tree can never be picked up by accident.
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let algorithms = provider.signature_verification_algorithms;
        let verifier = Arc::new(Verifier { policy, roots, algorithms });
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(verifier.clone())
            .with_no_client_auth();
        Ok(Self { config: Arc::new(config), verifier })
    }
}

/// What protects a connection. A resumed one is not verified anew, so what is accepted is looked at here.
fn describe(host: &str, stream: &TlsStream<Buffered>, verifier: &Verifier, name: &ServerName<'_>) -> Secured {
    let (_, session) = stream.get_ref();
    let chain = session.peer_certificates().unwrap_or_default();
    let faults = match verifier.policy {
        Policy::Any => verifier.faults(chain, name, UnixTime::now()),
        Policy::Faultless | Policy::Pinned(_) => Vec::new(),
    };
    let cipher = session.negotiated_cipher_suite().map(|suite| format!("{:?}", suite.suite()));
    Secured {
        host: host.to_owned(),
        version: match session.protocol_version() {
            Some(ProtocolVersion::TLSv1_2) => "TLS 1.2",
            Some(ProtocolVersion::TLSv1_3) => "TLS 1.3",
            _ => "TLS",
        },
        cipher: cipher.unwrap_or_default(),
        certificate: chain.first().and_then(Certificate::read),
        faults: faults.iter().map(ToString::to_string).collect(),
        pinned: matches!(verifier.policy, Policy::Pinned(_)),
    }
}

fn library_error(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref().and_then(|inner| inner.downcast_ref())
}

fn failed(server: &Server<'_>, cause: impl Into<String>) -> Error {
    Error::Tls { host: server.host.to_owned(), cause: cause.into() }
}

/// Why a handshake has failed, and what to do.
fn explain(server: &Server<'_>, error: &io::Error) -> Error {
    let Some(error) = library_error(error) else { return broken(server, error) };
    if let Some(refusal) = refusal(error) {
        return refused(server, refusal);
    }
    match error {
        rustls::Error::InvalidCertificate(CertificateError::BadSignature) => Error::Certificate {
            host: server.host.to_owned(),
            cause: "the server cannot prove that it is its own; check certificate and key on the server".into(),
        },
        rustls::Error::InvalidMessage(_) if server.security == Security::Tls => {
            Error::NoTls { host: server.host.to_owned(), port: server.port, tls_port: server.tls_port() }
        }
        rustls::Error::InvalidMessage(_) => failed(
            server,
            "it has agreed to begin TLS, but what it then sends is not TLS; someone may have put it there",
        ),
        rustls::Error::AlertReceived(AlertDescription::ProtocolVersion)
        | rustls::Error::PeerIncompatible(
            PeerIncompatible::ServerDoesNotSupportTls12Or13 | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig,
        ) => failed(server, "the server is too old for TLS 1.2, and what came before is no longer safe; update it"),
        rustls::Error::AlertReceived(AlertDescription::HandshakeFailure | AlertDescription::InsufficientSecurity) => {
            failed(server, "the server knows no encryption that is still safe; update it, or correct its TLS settings")
        }
        rustls::Error::AlertReceived(AlertDescription::UnrecognisedName) => {
            failed(server, "the server does not know itself by this name; check the host")
        }
        rustls::Error::AlertReceived(alert) => {
            failed(server, format!("the server ends the handshake ({alert:?}); look into its log"))
        }
        other => failed(server, one_line(&other.to_string())),
    }
}

fn broken(server: &Server<'_>, error: &io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => {
            failed(server, "the server closes the connection in the handshake; check port and security mode")
        }
        _ => failed(server, format!("{error}; check port and security mode")),
    }
}

fn refused(server: &Server<'_>, refusal: &Refusal) -> Error {
    let cause = match refusal {
        Refusal::Faults(faults) => {
            let facts: Vec<String> = faults.iter().map(ToString::to_string).collect();
            let mut advice: Vec<&str> = faults.iter().map(Fault::advice).collect();
            advice.dedup();
            format!("{}; {}", facts.join(", and "), advice.join("; "))
        }
        Refusal::NotPinned { pinned, presented } => format!(
            "its SHA-256 is {presented}, and `fingerprint` names {pinned}; if the server has a new one, correct the \
             setting"
        ),
        Refusal::Unprovable(bits) => format!(
            "its RSA key of {bits} bits is too weak to prove with TLS 1.3 that it is the server's; renew it with \
             a key of 2048 bits or more"
        ),
    };
    Error::Certificate { host: server.host.to_owned(), cause }
}

/// Whether connections with one trust and the other share what they can.
#[cfg(test)]
pub(super) async fn is_shared(one: &Trust, other: &Trust) -> bool {
    let (one, other) = (setup(one).await.unwrap(), setup(other).await.unwrap());
    Arc::ptr_eq(&one, &other)
}
