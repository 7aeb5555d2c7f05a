//! A connection to a mail server: find the host, connect, and secure the connection before the first byte.

use super::error::Error;
use super::report::{Stage, Steps};
use std::error::Error as _;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{self, CertificateError, ClientConfig, RootCertStore};

/// How a connection is secured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Security {
    /// TLS from the first byte.
    Tls,
    /// Not at all: the password and the mail can be read on the way.
    None,
}

/// Where a mail server is, and how to reach it.
#[derive(Debug, Clone)]
pub(super) struct Server<'a> {
    pub(super) host: &'a str,
    pub(super) port: u16,
    pub(super) security: Security,
    pub(super) ca_file: Option<&'a Path>,
    pub(super) timeout: Duration,
}

/// A connected byte stream, secured or not.
pub(super) trait ByteStream: AsyncRead + AsyncWrite + Unpin + Send + Sync + std::fmt::Debug {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send + Sync + std::fmt::Debug> ByteStream for T {}

impl Server<'_> {
    /// Connects, in the steps that [`Stage`] names.
    pub(super) async fn connect(&self, steps: &mut Steps<'_>) -> Result<Box<dyn ByteStream>, Error> {
        let addresses = steps
            .run(Stage::Resolve, self.resolve(), |found: &Vec<SocketAddr>| {
                found.iter().map(|address| address.ip().to_string()).collect::<Vec<_>>().join(", ")
            })
            .await?;
        let tcp = steps
            .run(Stage::Connect, self.connect_any(&addresses), |tcp: &TcpStream| {
                tcp.peer_addr().map_or_else(|_| "connected".into(), |peer| format!("connected to {peer}"))
            })
            .await?;
        match self.security {
            Security::None => Ok(Box::new(tcp)),
            Security::Tls => Ok(Box::new(steps.run(Stage::Tls, self.secure(tcp), describe_tls).await?)),
        }
    }

    async fn resolve(&self) -> Result<Vec<SocketAddr>, Error> {
        let failed = |cause: String| Error::Resolve { host: self.host.to_owned(), cause };
        let found = timeout(self.timeout, tokio::net::lookup_host((self.host, self.port)))
            .await
            .map_err(|_| failed("the name server does not answer".into()))?
            .map_err(|error| failed(error.to_string()))?
            .collect::<Vec<_>>();
        if found.is_empty() { Err(failed("the name has no address".into())) } else { Ok(found) }
    }

    /// Tries each address in turn, because a name often has one that is not reachable from here.
    async fn connect_any(&self, addresses: &[SocketAddr]) -> Result<TcpStream, Error> {
        let mut cause = String::new();
        for address in addresses {
            match timeout(self.timeout, TcpStream::connect(address)).await {
                Ok(Ok(tcp)) => {
                    // Commands are small and waited for: they must not wait for more to send.
                    tcp.set_nodelay(true).map_err(|error| self.unreachable(error.to_string()))?;
                    return Ok(tcp);
                }
                Ok(Err(error)) => cause = format!("{error} ({})", address.ip()),
                Err(_) => cause = format!("no answer within {} s ({})", self.timeout.as_secs_f32(), address.ip()),
            }
        }
        Err(self.unreachable(cause))
    }

    fn unreachable(&self, cause: String) -> Error {
        Error::Connect { host: self.host.to_owned(), port: self.port, cause }
    }

    async fn secure(&self, tcp: TcpStream) -> Result<TlsStream<TcpStream>, Error> {
        let failed = |cause: String| Error::Tls { host: self.host.to_owned(), cause };
        let name = ServerName::try_from(self.host.to_owned())
            .map_err(|_| failed("the host is not a name that a certificate can bear".into()))?;
        let ca_file = self.ca_file.map(Path::to_owned);
        // Reading the system's certificates takes milliseconds of disk and CPU.
        let roots = tokio::task::spawn_blocking(move || trusted_roots(ca_file))
            .await
            .map_err(|error| failed(error.to_string()))??;
        let config = client_config(roots).map_err(|error| failed(error.to_string()))?;
        timeout(self.timeout, TlsConnector::from(Arc::new(config)).connect(name, tcp))
            .await
            .map_err(|_| failed("the server does not answer; is this a TLS port?".into()))?
            .map_err(|error| self.handshake_error(&error))
    }

    fn handshake_error(&self, error: &io::Error) -> Error {
        let host = self.host.to_owned();
        match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            Some(rustls::Error::InvalidCertificate(fault)) => {
                Error::Certificate { host, cause: certificate_fault(fault, self.host) }
            }
            Some(rustls::Error::InvalidMessage(_)) => Error::Tls {
                host,
                cause: format!("port {} does not speak TLS; check port and security mode", self.port),
            },
            Some(rustls::Error::AlertReceived(alert)) => Error::Tls {
                host,
                cause: format!("the server ended the handshake ({alert:?}); it may be too old for TLS 1.2"),
            },
            Some(fault) => Error::Tls { host, cause: fault.to_string() },
            None => Error::Tls { host, cause: format!("{error}; check port and security mode") },
        }
    }
}

fn trusted_roots(ca_file: Option<PathBuf>) -> Result<RootCertStore, Error> {
    let mut roots = RootCertStore::empty();
    // A broken certificate among the system's own is no reason to distrust the rest.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(path) = ca_file {
        let failed = |cause: String| Error::Trust { path: path.clone(), cause };
        let mut added = 0_usize;
        for certificate in CertificateDer::pem_file_iter(&path).map_err(|error| failed(pem_fault(&error)))? {
            let certificate = certificate.map_err(|error| failed(pem_fault(&error)))?;
            roots.add(certificate).map_err(|error| failed(error.to_string()))?;
            added += 1;
        }
        if added == 0 {
            return Err(failed("the file holds no certificate in PEM form".into()));
        }
    }
    Ok(roots)
}

fn pem_fault(error: &rustls::pki_types::pem::Error) -> String {
    error.source().map_or_else(|| error.to_string(), ToString::to_string)
}

fn client_config(roots: RootCertStore) -> Result<ClientConfig, rustls::Error> {
    // Said out loud, so that a second provider in the tree can never be picked up by accident.
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth())
}

fn certificate_fault(fault: &CertificateError, host: &str) -> String {
    match fault {
        CertificateError::UnknownIssuer => {
            "its issuer is not known here; if it is your own authority, name its certificate in `ca_file`".into()
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "it has expired; renew it on the server, or correct this machine's clock".into()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "it is not valid yet; correct this machine's clock".into()
        }
        CertificateError::NotValidForNameContext { presented, .. } => {
            let names = presented.iter().map(|name| pattern_name(name)).collect::<Vec<_>>().join(", ");
            format!("it is for {names}, not for {host}; use one of its names as host")
        }
        CertificateError::NotValidForName => format!("it is not for {host}"),
        other => other.to_string(),
    }
}

/// The name inside of `DnsName("mail.example.org")`, which is how the TLS library prints what a certificate holds.
fn pattern_name(presented: &str) -> &str {
    presented.split('"').nth(1).unwrap_or(presented)
}

fn describe_tls(stream: &TlsStream<TcpStream>) -> String {
    let (_, session) = stream.get_ref();
    let version = match session.protocol_version() {
        Some(rustls::ProtocolVersion::TLSv1_2) => "TLS 1.2",
        Some(rustls::ProtocolVersion::TLSv1_3) => "TLS 1.3",
        _ => "TLS",
    };
    format!("{version}, certificate accepted")
}
