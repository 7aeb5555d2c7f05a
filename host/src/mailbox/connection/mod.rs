//! A connection to a mail server: find the host, connect, and secure the connection as the account demands.

mod certificate;
mod stream;
#[cfg(test)]
pub(super) mod testing;
#[cfg(test)]
mod tests;
mod tls;
mod verifier;

pub use crate::security::Security;
pub use certificate::{Certificate, Fingerprint, NoFingerprint};
pub(super) use stream::Stream;
pub use tls::Trust;

use super::error::Error;
use super::report::{Secured, Seen, Stage, Steps};
use std::fmt;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long a greeting takes at most, as a rule. Later, it is time to find out whether the server waits for TLS.
const GREETING_USUAL_MAX: Duration = Duration::from_secs(5);

/// What is spoken on a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// IMAP4.
    Imap,
    /// POP3.
    Pop3,
}

/// Where a mail server is, and how to reach it.
#[derive(Debug, Clone)]
pub(super) struct Server<'a> {
    pub(super) protocol: Protocol,
    pub(super) host: &'a str,
    pub(super) port: u16,
    pub(super) security: Security,
    pub(super) trust: &'a Trust,
    pub(super) timeout: Duration,
}

impl Security {
    /// The port that is used by custom.
    #[must_use]
    pub fn port(self, protocol: Protocol) -> u16 {
        match (protocol, self) {
            (Protocol::Imap, Self::Tls) => 993,
            (Protocol::Imap, Self::None | Self::StarttlsIfAvailable | Self::Starttls) => 143,
            (Protocol::Pop3, Self::Tls) => 995,
            (Protocol::Pop3, Self::None | Self::StarttlsIfAvailable | Self::Starttls) => 110,
        }
    }

    /// Whether the connection is to be secured by a command, where the server offers it.
    pub(super) fn wants_starttls(self) -> bool {
        matches!(self, Self::Starttls | Self::StarttlsIfAvailable)
    }
}

impl fmt::Display for Security {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "none",
            Self::StarttlsIfAvailable => "starttls-if-available",
            Self::Starttls => "starttls",
            Self::Tls => "tls",
        })
    }
}

impl Server<'_> {
    /// Finds the host and connects; with TLS from the first byte if that is the mode.
    pub(super) async fn connect(&self, steps: &mut Steps<'_>) -> Result<Stream, Error> {
        let addresses = steps.run(Stage::Resolve, self.resolve(), |found| Seen::addresses(found)).await?;
        let tcp = steps
            .run(Stage::Connect, self.connect_any(&addresses), |tcp: &TcpStream| Seen::Connected {
                address: tcp.peer_addr().ok(),
            })
            .await?;
        match self.security {
            Security::Tls => self.secure(tcp, steps).await,
            Security::None | Security::StarttlsIfAvailable | Security::Starttls => Ok(Stream::Plain(tcp)),
        }
    }

    /// Secures a connection on which the server has just agreed to begin TLS. The caller has read nothing beyond the
    /// server's agreement, and forgets all that it was told before (RFC 9051 section 6.2.1, RFC 2595 section 4).
    pub(super) async fn upgrade(&self, stream: Stream, steps: &mut Steps<'_>) -> Result<Stream, Error> {
        match stream {
            Stream::Plain(tcp) => self.secure(tcp, steps).await,
            Stream::Secured(_) => Ok(stream),
        }
    }

    /// Goes on in plain text, with a warning, because the server would not begin TLS; an error if the mode demands it.
    pub(super) async fn stay_plain(&self, cause: String, steps: &mut Steps<'_>) -> Result<(), Error> {
        let step = async {
            match self.security {
                Security::None | Security::StarttlsIfAvailable => Ok(cause),
                Security::Starttls | Security::Tls => Err(Error::NoStarttls { host: self.host.to_owned(), cause }),
            }
        };
        steps
            .run(Stage::Tls, step, |cause| Seen::PlainText { host: self.host.to_owned(), cause: cause.clone() })
            .await?;
        Ok(())
    }

    /// Warns of a connection in plain text if it is so only because the mode is `none`: the server offers to secure it
    /// by this command.
    pub(super) fn leave_plain(&self, command: &'static str, steps: &mut Steps<'_>) {
        if self.security == Security::None {
            steps.note(Stage::Tls, Seen::LeftPlain { host: self.host.to_owned(), command });
        }
    }

    /// Waits for the server's greeting. A server that waits for TLS says nothing: that is found out when it fails.
    pub(super) async fn greeted<T>(&self, greeting: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        let mut greeting = pin!(greeting);
        match timeout(GREETING_USUAL_MAX, &mut greeting).await {
            Ok(Err(Error::NoGreeting { .. } | Error::Closed { .. } | Error::Broken { .. })) | Err(_)
                if self.waits_for_tls().await =>
            {
                Err(Error::TlsOnly { host: self.host.to_owned(), port: self.port })
            }
            Ok(greeted) => greeted,
            Err(_) => greeting.await,
        }
    }

    async fn waits_for_tls(&self) -> bool {
        if self.security == Security::Tls {
            return false;
        }
        let connect = async { self.connect_any(&self.resolve().await?).await };
        match connect.await {
            Ok(tcp) => tls::is_spoken(self, tcp).await,
            Err(_) => false,
        }
    }

    /// The port for TLS from the first byte, by custom.
    fn tls_port(&self) -> u16 {
        Security::Tls.port(self.protocol)
    }

    async fn secure(&self, tcp: TcpStream, steps: &mut Steps<'_>) -> Result<Stream, Error> {
        let handshake = tls::handshake(self, tcp);
        let (stream, _) =
            steps.run(Stage::Tls, handshake, |(_, seen): &(_, Secured)| Seen::Secured(Box::new(seen.clone()))).await?;
        Ok(Stream::Secured(Box::new(stream)))
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
}
