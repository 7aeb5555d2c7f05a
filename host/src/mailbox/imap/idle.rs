//! Waiting for news: IDLE (RFC 2177) on the first mailbox that there is, or polling where the server cannot.
//!
//! Silence proves nothing: a firewall between here and the server may have forgotten the connection. So IDLE is ended and
//! begun again every few minutes, and a server that does not answer that is gone. The other mailboxes of the job have
//! no such push; they are looked at whenever the job's interval is over.

use super::select::Access;
use super::wire::Event;
use super::{Error, Session};
use imap_proto::Response;
use std::time::Duration;
use tokio::time::Instant;

/// How long nothing may be heard of the server. Servers log out a client that idles for 30 minutes (RFC 2177), and
/// routers forget a silent connection after 5 to 15.
pub(super) const SILENCE_MAX: Duration = Duration::from_secs(4 * 60);

/// How a wait for news ended.
#[derive(Debug, PartialEq, Eq)]
enum Heard {
    /// There is news, or the time is up.
    Enough,
    /// The server does not do it.
    Refused,
}

impl Session {
    pub(in crate::mailbox) async fn wait(&mut self, at_most: Duration) -> Result<(), Error> {
        let until = Instant::now() + at_most;
        if self.wire.told.news {
            return Ok(());
        }
        let at = self.mailboxes.iter().position(|mailbox| mailbox.fault.is_none()).unwrap_or_default();
        self.enter(at, Access::Read).await?;
        while !self.wire.told.news && Instant::now() < until {
            let next = until.min(Instant::now() + self.silence_max);
            if !self.pushes() {
                tokio::time::sleep_until(next).await;
                if next < until {
                    self.wire.run("NOOP", "NOOP").await?;
                }
            } else if self.idle(next).await? == Heard::Refused {
                // It offers what it does not do.
                self.refuses_idle = true;
            }
        }
        Ok(())
    }

    pub(in crate::mailbox) fn pushes(&self) -> bool {
        self.wire.offers("IDLE") && !self.refuses_idle
    }

    async fn idle(&mut self, until: Instant) -> Result<Heard, Error> {
        self.wire.send("IDLE", "IDLE").await?;
        loop {
            match self.wire.next(|response| matches!(response, Response::Continue(_))).await {
                Ok(Event::Data(true)) => break,
                Ok(Event::Data(false)) => {}
                Ok(Event::Done(_)) | Err(Error::Refused { .. }) => return Ok(Heard::Refused),
                Err(error) => return Err(error),
            }
        }
        self.idling = true;
        while !self.wire.told.news {
            match self.wire.next_within(until.saturating_duration_since(Instant::now()), |_| ()).await? {
                Some(Event::Data(())) => {}
                // It ends by itself what we are to end: asked again, it might do so at once, for ever.
                Some(Event::Done(_)) => {
                    self.idling = false;
                    return Ok(Heard::Refused);
                }
                None => break,
            }
        }
        self.end_idle().await?;
        Ok(Heard::Enough)
    }

    pub(super) async fn end_idle(&mut self) -> Result<(), Error> {
        self.idling = false;
        self.wire.go_on("DONE").await?;
        self.wire.finish().await
    }
}
