//! Mail, through a server that takes it (RFC 5321, RFC 6409).

use super::compose::{Composed, Form, compose};
use super::{Failure, Remedy, bytes_of};
use crate::config;
use crate::content::Content;
use crate::message::Address;
use crate::outgoing::Mail;
use crate::secret::SecretRef;
use crate::security::Security;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Certificate, TlsParameters};
use lettre::transport::smtp::commands::{self, Data, Quit, Rcpt, Rset};
use lettre::transport::smtp::extension::{ClientId, Extension, MailBodyParameter, MailParameter};
use lettre::transport::smtp::response::Response;
use secrecy::ExposeSecret;
use std::fmt::Display;
use std::path::PathBuf;
use std::pin::pin;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::timeout;

/// How to log in: the first one that the server offers.
const MECHANISMS: [Mechanism; 2] = [Mechanism::Plain, Mechanism::Login];
/// RFC 5321 section 4.5.3.2.6: how long the answer to the end of a mail may take at least. Whoever waits less sends twice what
/// a slow server has taken.
const TAKING: Duration = Duration::from_secs(600);
/// A mail goes out in pieces of so many bytes, each of which shows that the server still listens.
const PIECE_BYTES: usize = 16 * 1024;
/// How long taking leave may take.
const LEAVE: Duration = Duration::from_secs(5);
/// RFC 4954 section 6: authentication required.
const MUST_LOG_IN: &str = "530";

/// A server that takes mail.
#[derive(Debug, Clone)]
pub struct Smtp {
    host: String,
    port: u16,
    security: Security,
    reject_invalid_certificates: bool,
    ca_file: Option<PathBuf>,
    login: Option<(String, SecretRef)>,
    timeout: Duration,
    forward_bytes_max: u64,
    form: Form,
}

/// A connection to it, logged in.
pub struct Connection {
    inner: AsyncSmtpConnection,
    smtp: Smtp,
    /// Where the conversation stands is not known, or nobody answers: nothing more can be said over it.
    is_broken: bool,
}

impl Smtp {
    /// The server of the settings; none if none is set.
    #[must_use]
    pub fn new(settings: &config::Smtp) -> Option<Self> {
        let from = settings.from.as_ref()?.address().clone();
        Some(Self {
            host: settings.server.clone()?,
            port: settings.port(),
            security: settings.security,
            reject_invalid_certificates: settings.reject_invalid_certificates,
            ca_file: settings.ca_file.clone(),
            login: settings.user.clone().zip(settings.password.clone()),
            timeout: settings.timeout.duration(),
            forward_bytes_max: settings.forward_bytes_max.get(),
            form: Form { from, empty_return_path: settings.empty_return_path },
        })
    }

    /// Connects, secures the connection as the settings want it, and logs in.
    ///
    /// # Errors
    /// If any of that fails. It is never the fault of a mail: all of them can be tried again.
    pub async fn connect(&self) -> Result<Connection, Failure> {
        let what = format!("the mail server {}:{}", self.host, self.port);
        match timeout(self.timeout, self.open()).await {
            Ok(Ok(inner)) => Ok(Connection { inner, smtp: self.clone(), is_broken: false }),
            Ok(Err(reason)) => Err(Failure::passing(format!("{what}: {reason}"))),
            Err(_) => Err(Failure::passing(format!("{what} does not answer within {} s", self.timeout.as_secs()))),
        }
    }

    async fn open(&self) -> Result<AsyncSmtpConnection, String> {
        let hello = hello(&self.form.from);
        let from_the_start = match self.security {
            Security::Tls => Some(self.tls().await?),
            Security::Starttls | Security::StarttlsIfAvailable | Security::None => None,
        };
        let server = (self.host.as_str(), self.port);
        let connecting = AsyncSmtpConnection::connect_tokio1(server, Some(self.timeout), &hello, from_the_start, None);
        let mut connection = connecting.await.map_err(|error| told(&error))?;
        let upgrade = match self.security {
            Security::Starttls => true,
            Security::StarttlsIfAvailable => connection.can_starttls(),
            Security::Tls | Security::None => false,
        };
        if upgrade {
            if !connection.can_starttls() {
                return Err("it does not offer STARTTLS: check port and security mode".to_owned());
            }
            connection.starttls(self.tls().await?, &hello).await.map_err(|error| told(&error))?;
        }
        self.log_in(&mut connection).await?;
        Ok(connection)
    }

    async fn log_in(&self, connection: &mut AsyncSmtpConnection) -> Result<(), String> {
        let Some((user, password)) = &self.login else { return Ok(()) };
        // As with jobs: a password goes over an open connection only where the settings say so.
        if !connection.is_encrypted() && self.security != Security::None {
            return Err("it offers no TLS, and the password is not sent in clear text; to send it all the same, set \
                        security = \"none\""
                .to_owned());
        }
        let secret = password.resolve().map_err(|error| format!("the password: {error}"))?.secret;
        let credentials = Credentials::new(user.clone(), secret.expose_secret().to_owned());
        let done = connection.auth(&MECHANISMS, &credentials).await;
        done.map(drop).map_err(|error| format!("the login of \"{user}\" failed: {}", told(&error)))
    }

    async fn tls(&self) -> Result<TlsParameters, String> {
        let own = match &self.ca_file {
            Some(path) => Some(tokio::fs::read(path).await.map_err(|error| format!("{}: {error}", path.display()))?),
            None => None,
        };
        let mut builder = TlsParameters::builder(self.host.clone())
            .dangerous_accept_invalid_certs(!self.reject_invalid_certificates)
            .dangerous_accept_invalid_hostnames(!self.reject_invalid_certificates);
        if let Some(pem) = own {
            builder = builder.add_root_certificate(Certificate::from_pem(&pem).map_err(|error| told(&error))?);
        }
        // Reading the system's certificates takes milliseconds of disk and CPU.
        let built = tokio::task::spawn_blocking(move || builder.build_rustls());
        built.await.map_err(|error| error.to_string())?.map_err(|error| told(&error))
    }
}

impl Connection {
    /// Sends a mail, with the message that goes along.
    ///
    /// # Errors
    /// If the server does not take it: for good (a code of 5xx), or for now.
    pub async fn send(&mut self, mail: &Mail, original: Option<&Content>) -> Result<(), Failure> {
        let eight_bit = self.inner.server_info().supports_feature(Extension::EightBitMime);
        let original = match original {
            Some(original) if original.len() > self.smtp.forward_bytes_max => {
                let max = self.smtp.forward_bytes_max;
                return Err(Failure::lasting(format!(
                    "the message has {} bytes, and at most {max} are forwarded (forward_bytes_max)",
                    original.len()
                )));
            }
            Some(original) => Some(bytes_of(original)?),
            None => None,
        };
        let composed = compose(&self.smtp.form, mail, original, eight_bit)?;
        let sent = self.transact(&composed).await;
        if sent.is_err() && !self.is_broken {
            // RFC 5321 section 4.1.1.5: what was refused is forgotten, and the next mail can follow.
            self.is_broken = self.say(Rset).await.is_err();
        }
        sent
    }

    /// One mail transaction (RFC 5321 section 3.3), with a time for each step: lettre waits without end, also for the answer
    /// to the QUIT with which its own `send` ends a transaction that failed.
    async fn transact(&mut self, composed: &Composed) -> Result<(), Failure> {
        let mut parameters = Vec::new();
        let mut addresses = composed.envelope.to().iter().chain(composed.envelope.from());
        if addresses.any(|address| !AsRef::<str>::as_ref(address).is_ascii()) {
            if !self.inner.server_info().supports_feature(Extension::SmtpUtfEight) {
                return Err(Failure::lasting(
                    "the address is not ASCII, and the mail server takes no others (SMTPUTF8)",
                ));
            }
            parameters.push(MailParameter::SmtpUtfEight);
        }
        if !composed.bytes.is_ascii() {
            parameters.push(MailParameter::Body(MailBodyParameter::EightBitMime));
        }
        self.say(commands::Mail::new(composed.envelope.from().cloned(), parameters)).await?;
        for to in composed.envelope.to() {
            self.say(Rcpt::new(to.clone(), Vec::new())).await?;
        }
        self.say(Data).await?;
        self.hand_over(&composed.bytes).await
    }

    async fn say(&mut self, command: impl Display) -> Result<(), Failure> {
        let silence = self.smtp.timeout;
        let answer = timeout(silence, self.inner.command(command)).await;
        self.heard(answer.map_err(|_| silence))
    }

    /// The mail itself. The server may take as long as it likes, as long as it takes something.
    async fn hand_over(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let silence = self.smtp.timeout;
        let (progress, mut seen) = watch::channel(());
        let pieces = bytes.chunks(PIECE_BYTES).inspect(move |_| progress.send_replace(()));
        let answer = {
            let mut sending = pin!(self.inner.message_iter(pieces));
            loop {
                tokio::select! {
                    biased;
                    answer = &mut sending => break Ok(answer),
                    moved = timeout(silence, seen.changed()) => match moved {
                        Ok(Ok(())) => {}
                        // All pieces are out.
                        Ok(Err(_)) => {
                            let patience = silence.max(TAKING);
                            break timeout(patience, sending).await.map_err(|_| patience);
                        }
                        Err(_) => break Err(silence),
                    }
                }
            }
        };
        self.heard(answer)
    }

    /// What an answer means; or none, after so long.
    fn heard(&mut self, answer: Result<Result<Response, Error>, Duration>) -> Result<(), Failure> {
        match answer {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => {
                self.is_broken |= error.status().is_none();
                Err(Failure { reason: told(&error), remedy: remedy(&error) })
            }
            Err(patience) => {
                // An answer may still come, and must not be taken for the one to something else.
                self.is_broken = true;
                Err(Failure::passing(format!("the mail server has been silent for {} s", patience.as_secs())))
            }
        }
    }

    /// Whether another mail needs another connection.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        self.is_broken
    }

    /// Takes leave of the server.
    pub async fn close(mut self) {
        if !self.is_broken {
            // All mails are safe by now, whatever it answers.
            let _ = timeout(LEAVE, self.inner.command(Quit)).await;
        }
    }
}

/// RFC 5321 section 4.2.1: 4xx may pass, 5xx will not.
fn remedy(error: &Error) -> Remedy {
    let must_log_in = error.status().is_some_and(|code| code.to_string() == MUST_LOG_IN);
    let is_lasting = (error.is_permanent() && !must_log_in) || error.is_client();
    if is_lasting { Remedy::Nothing } else { Remedy::Retry(None) }
}

/// What the server said, or what happened to the connection.
fn told(error: &Error) -> String {
    use std::error::Error as _;
    match (error.status(), error.source()) {
        (Some(code), Some(said)) => format!("the server says {code} {said}"),
        (Some(code), None) => format!("the server says {code}"),
        (None, Some(cause)) => cause.to_string(),
        (None, None) => error.to_string(),
    }
}

/// RFC 5321 section 4.1.4: a name of ours; the domain of our mail is one.
fn hello(from: &Address) -> ClientId {
    let domain = from.email.rsplit_once('@').map(|(_, domain)| domain.to_owned());
    domain.filter(|domain| domain.is_ascii()).map_or_else(ClientId::default, ClientId::Domain)
}
