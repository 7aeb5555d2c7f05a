//! STARTTLS (RFC 9051 section 6.2.1): a connection that begins in plain text and becomes secure.
//!
//! Until then, anyone on the way may be the one who answers: what is said counts for nothing but whether to begin.

#[cfg(test)]
mod tests;

use super::capabilities;
use super::wire::Wire;
use crate::mailbox::connection::Server;
use crate::mailbox::error::Error;
use crate::mailbox::report::Steps;

/// Secures the connection, if the server lets us. If not, it depends on the mode whether it stays as it is.
pub(super) async fn secure(
    server: &Server<'_>,
    mut wire: Wire,
    logged_in: bool,
    steps: &mut Steps<'_>,
) -> Result<Wire, Error> {
    match begin(&mut wire, logged_in).await? {
        None => wire.upgrade(server, steps).await,
        Some(refusal) => {
            server.stay_plain(refusal, steps).await?;
            Ok(wire)
        }
    }
}

/// Asks to begin TLS; why that cannot be, or nothing once the server waits for it.
async fn begin(wire: &mut Wire, logged_in: bool) -> Result<Option<String>, Error> {
    // RFC 9051 section 6.2.1: the command is for those who are not logged in.
    if logged_in {
        return Ok(Some("it says that we are logged in already, and then it is too late".into()));
    }
    capabilities(wire).await?;
    if !wire.offers("STARTTLS") {
        return Ok(Some("it does not offer STARTTLS".into()));
    }
    match wire.run("STARTTLS", "STARTTLS").await {
        Ok(()) => Ok(None),
        Err(Error::Refused { said, .. }) => Ok(Some(format!("it offers STARTTLS and then refuses it ({said})"))),
        Err(error) => Err(error),
    }
}
