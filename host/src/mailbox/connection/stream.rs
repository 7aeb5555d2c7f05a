//! A connected byte stream, secured or not.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, BufReader, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

/// What TLS runs over. On its own it reads 4 KiB at a time, a quarter of a record.
pub(in crate::mailbox) type Buffered = BufReader<TcpStream>;

/// How much is read of a connection under TLS at a time. What is not needed is not in memory.
const READ_BYTES: usize = 64 << 10;

/// A connection for TLS to run over.
pub(super) fn buffered(tcp: TcpStream) -> Buffered {
    BufReader::with_capacity(READ_BYTES, tcp)
}

/// A connected byte stream, secured or not.
#[derive(Debug)]
pub(in crate::mailbox) enum Stream {
    /// Anyone on the way can read and change it.
    Plain(TcpStream),
    /// TLS.
    Secured(Box<TlsStream<Buffered>>),
}

impl Stream {
    /// Whether nobody on the way can read it.
    pub(in crate::mailbox) fn encrypted(&self) -> bool {
        matches!(self, Self::Secured(_))
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_read(cx, buf),
            Self::Secured(tls) => Pin::new(tls.as_mut()).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_write(cx, bytes),
            Self::Secured(tls) => Pin::new(tls.as_mut()).poll_write(cx, bytes),
        }
    }
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_flush(cx),
            Self::Secured(tls) => Pin::new(tls.as_mut()).poll_flush(cx),
        }
    }
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_shutdown(cx),
            Self::Secured(tls) => Pin::new(tls.as_mut()).poll_shutdown(cx),
        }
    }
}
