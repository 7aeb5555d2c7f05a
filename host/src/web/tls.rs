//! HTTPS: the certificate and the key that the settings name, and a listener that speaks TLS with them.

use super::Error;
use crate::config::WebTls;
use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{self, ServerConfig};
use tokio_rustls::server::TlsStream;

/// How many connections may be at their handshake at the same time; others wait.
const HANDSHAKES_MAX: usize = 256;
/// How long a handshake may take.
const HANDSHAKE_MAX: Duration = Duration::from_secs(10);

/// Who is at the other end of a connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peer(pub(super) SocketAddr);

impl Connected<IncomingStream<'_, TcpListener>> for Peer {
    fn connect_info(stream: IncomingStream<'_, TcpListener>) -> Self {
        Self(*stream.remote_addr())
    }
}

impl Connected<IncomingStream<'_, Tls>> for Peer {
    fn connect_info(stream: IncomingStream<'_, Tls>) -> Self {
        Self(*stream.remote_addr())
    }
}

/// What we show ourselves with: read from files, and again when somebody asks for it.
#[derive(Debug)]
pub(super) struct Identity {
    files: WebTls,
    shown: RwLock<Arc<CertifiedKey>>,
}

impl Identity {
    /// Reads the certificate and its key.
    ///
    /// # Errors
    /// If they cannot be read or do not belong together; then the error names the file.
    pub(super) fn read(files: &WebTls) -> Result<Arc<Self>, Error> {
        let shown = RwLock::new(Arc::new(certified(files)?));
        Ok(Arc::new(Self { files: files.clone(), shown }))
    }

    /// Reads them again, as after a certificate was renewed; on an error, what was shown before is shown still.
    ///
    /// # Errors
    /// As of [`Self::read`].
    pub(super) fn read_again(&self) -> Result<(), Error> {
        let read = Arc::new(certified(&self.files)?);
        *self.shown.write().unwrap_or_else(PoisonError::into_inner) = read;
        Ok(())
    }
}

impl ResolvesServerCert for Identity {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.shown.read().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

/// Whether the files of the settings can be used.
///
/// # Errors
/// If they cannot be read or do not belong together; then the error names the file.
pub(super) fn check(files: &WebTls) -> Result<(), Error> {
    certified(files).map(drop)
}

fn certified(files: &WebTls) -> Result<CertifiedKey, Error> {
    let fault = |key, path: &Path, reason: String| Error::Tls { key, path: path.to_owned(), reason };
    let unread = |key, path| move |error| fault(key, path, in_words(&error));
    let (certificate, key) = (files.certificate.as_path(), files.key.as_path());
    let chain = CertificateDer::pem_file_iter(certificate).map_err(unread("certificate", certificate))?;
    let chain: Vec<_> = chain.collect::<Result<_, _>>().map_err(unread("certificate", certificate))?;
    if chain.is_empty() {
        return Err(fault("certificate", certificate, in_words(&pem::Error::NoItemsFound)));
    }
    let private = PrivateKeyDer::from_pem_file(key).map_err(unread("key", key))?;
    CertifiedKey::from_der(chain, private, &default_provider()).map_err(|error| match error {
        rustls::Error::InconsistentKeys(_) => {
            fault("key", key, format!("it is not the key of the certificate in {}", certificate.display()))
        }
        rustls::Error::InvalidCertificate(_) => fault("certificate", certificate, error.to_string()),
        _ => fault("key", key, error.to_string()),
    })
}

fn in_words(error: &pem::Error) -> String {
    match error {
        pem::Error::Io(error) => error.to_string(),
        pem::Error::NoItemsFound => "the file holds nothing of the kind in PEM form".to_owned(),
        other => format!("it is damaged: {other}"),
    }
}

/// A listener whose connections have their handshake behind them. No slow one holds up another.
#[derive(Debug)]
pub(super) struct Tls {
    address: SocketAddr,
    ready: mpsc::Receiver<(TlsStream<TcpStream>, SocketAddr)>,
    /// Ends with the listener.
    _task: JoinSet<()>,
}

impl Tls {
    /// Speaks TLS with whoever connects.
    ///
    /// # Errors
    /// If the system does not say where the listener is, or TLS cannot be set up.
    pub(super) fn new(listener: TcpListener, identity: Arc<Identity>) -> Result<Self, Error> {
        let failed = |reason: String| Error::Serve(reason);
        let address = listener.local_addr().map_err(|error| failed(error.to_string()))?;
        let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| failed(error.to_string()))?;
        let mut config = config.with_no_client_auth().with_cert_resolver(identity);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let (done, ready) = mpsc::channel(1);
        let mut task = JoinSet::new();
        task.spawn(shake_hands(listener, TlsAcceptor::from(Arc::new(config)), done));
        Ok(Self { address, ready, _task: task })
    }
}

async fn shake_hands(
    mut listener: TcpListener,
    acceptor: TlsAcceptor,
    done: mpsc::Sender<(TlsStream<TcpStream>, SocketAddr)>,
) {
    let places = Arc::new(Semaphore::new(HANDSHAKES_MAX));
    let mut handshakes = JoinSet::new();
    while let Ok(place) = places.clone().acquire_owned().await {
        let (stream, from) = Listener::accept(&mut listener).await;
        let (acceptor, done) = (acceptor.clone(), done.clone());
        handshakes.spawn(async move {
            match tokio::time::timeout(HANDSHAKE_MAX, acceptor.accept(stream)).await {
                Ok(Ok(stream)) => _ = done.send((stream, from)).await,
                Ok(Err(error)) => tracing::debug!(%from, %error, "a TLS handshake failed"),
                Err(_) => tracing::debug!(%from, "a TLS handshake took too long"),
            }
            drop(place);
        });
        while handshakes.try_join_next().is_some() {}
    }
}

impl Listener for Tls {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, SocketAddr) {
        match self.ready.recv().await {
            Some(connection) => connection,
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> std::io::Result<SocketAddr> {
        Ok(self.address)
    }
}
