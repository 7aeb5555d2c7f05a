//! Logging in with a password.

use super::wire::{Event, Wire};
use crate::mailbox::error::Error;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use imap_proto::Response;
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};

/// How a password is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Method {
    /// `LOGIN "user" "password"`.
    Login,
    /// `AUTHENTICATE PLAIN` (RFC 4616): any character goes.
    Plain,
}

/// Logs in, and asks what the server can do for this user; gives the method's name.
pub(super) async fn log_in(
    wire: &mut Wire,
    host: &str,
    user: &str,
    password: &SecretString,
) -> Result<&'static str, Error> {
    if wire.told.capabilities.is_empty() {
        wire.run("CAPABILITY", "CAPABILITY").await?;
    }
    let method = choose(wire, user, password.expose_secret()).map_err(|cause| Error::LoginMethod {
        host: host.to_owned(),
        user: user.to_owned(),
        cause: cause.to_owned(),
    })?;
    // What is offered may differ once we are somebody (RFC 9051 section 6.2.3).
    wire.told.capabilities.clear();
    let result = match method {
        Method::Login => {
            let (user, password) = (quoted(user), quoted(password.expose_secret()));
            wire.run("LOGIN", &Zeroizing::new(format!("LOGIN {} {}", *user, *password))).await
        }
        Method::Plain => plain(wire, user, password.expose_secret()).await,
    };
    result.map_err(|error| match error {
        Error::Refused { said, .. } if !is_passing(&said) => {
            Error::Login { host: host.to_owned(), user: user.to_owned(), said }
        }
        other => other,
    })?;
    if wire.told.capabilities.is_empty() {
        wire.run("CAPABILITY", "CAPABILITY").await?;
    }
    Ok(match method {
        Method::Login => "LOGIN",
        Method::Plain => "AUTHENTICATE PLAIN",
    })
}

/// Whether a refusal is about the server's present state, not about the password (RFC 5530).
fn is_passing(said: &str) -> bool {
    ["[UNAVAILABLE]", "[INUSE]", "[LIMIT]", "[SERVERBUG]"].iter().any(|code| said.starts_with(code))
}

/// Old servers trip over escapes in quoted strings, and none agrees on 8-bit characters there: both go by PLAIN.
fn choose(wire: &Wire, user: &str, password: &str) -> Result<Method, &'static str> {
    let both = || user.chars().chain(password.chars());
    let (plain, login) = (wire.offers("AUTH=PLAIN"), !wire.offers("LOGINDISABLED"));
    if both().any(|c| matches!(c, '\0' | '\r' | '\n')) {
        Err("the user name or the password holds a line end; check where the password comes from")
    } else if login && both().all(|c| matches!(c, ' '..='~') && c != '"' && c != '\\') {
        Ok(Method::Login)
    } else if plain {
        Ok(Method::Plain)
    } else if !login {
        Err("the server takes no password on this connection; use `security = \"tls\"`")
    } else if both().all(|c| c.is_ascii()) {
        Ok(Method::Login)
    } else {
        Err("the server takes only ASCII characters in user name and password")
    }
}

async fn plain(wire: &mut Wire, user: &str, password: &str) -> Result<(), Error> {
    wire.send("AUTHENTICATE", "AUTHENTICATE PLAIN").await?;
    loop {
        match wire.next(|response| matches!(response, Response::Continue(_))).await? {
            Event::Done(_) => return Ok(()),
            Event::Data(true) => break,
            // A server may send news before it asks for the password.
            Event::Data(false) => {}
        }
    }
    let message = Zeroizing::new(format!("\0{user}\0{password}"));
    wire.go_on(&Zeroizing::new(BASE64.encode(message.as_bytes()))).await?;
    wire.finish().await
}

/// A quoted string (RFC 9051 section 4.3).
pub(super) fn quoted(text: &str) -> Zeroizing<String> {
    Zeroizing::new(format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")))
}
