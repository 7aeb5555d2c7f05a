//! The dialogue below every IMAP command: tags, time-outs, refusals and lost connections.
//!
//! async-imap parses responses; its convenience calls are not used, because they report refusals and lost connections
//! as success. Nor does it write commands: its trace log would hold the password.

use crate::content::{Content, Spool};
use crate::mailbox::connection::{Server, Stream};
use crate::mailbox::error::{Error, one_line, said};
use crate::mailbox::guard::{Fault, Guard, Limits};
use crate::mailbox::report::{Seen, Steps};
use async_imap::Client;
use imap_proto::{Capability, MailboxDatum, Outcome, Response, ResponseCode, Status};
use secrecy::zeroize::Zeroizing;
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;

/// A server that sends at least so many bytes of an unfinished response in one time-out is slow, not silent.
const PROGRESS_BYTES_MIN: u64 = 4096;

const NOT_IMAP: &str = "what it says is not IMAP";

/// What the server tells about itself and the mailbox, asked or unasked.
#[derive(Debug, Default)]
pub(super) struct Told {
    pub(super) capabilities: Vec<String>,
    pub(super) exists: u32,
    pub(super) uid_validity: Option<u32>,
    pub(super) uid_next: Option<u32>,
    pub(super) read_only: bool,
    /// The flags that can be set for good; unknown if the server does not say.
    pub(super) permanent_flags: Option<Vec<String>>,
    /// The last refusal says that the mailbox could be made.
    pub(super) try_create: bool,
    /// Messages have arrived since this was last cleared.
    pub(super) news: bool,
}

/// What a response means to whoever waits for it.
#[derive(Debug)]
pub(super) enum Event<T> {
    /// Untagged, or a request to go on: what was taken of it.
    Data(T),
    /// The command with this tag succeeded.
    Done(Tag),
}

/// Names a command that was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tag(u64);

/// A connection that speaks IMAP.
#[derive(Debug)]
pub(super) struct Wire {
    client: Client<Guard<Stream>>,
    host: String,
    patience: Duration,
    last_tag: u64,
    /// How many responses were read.
    responses: u64,
    pending: VecDeque<(Tag, &'static str)>,
    writing: bool,
    leaving: bool,
    pub(super) told: Told,
}

impl Wire {
    pub(super) fn new(stream: Stream, host: &str, patience: Duration, limits: Limits, spool: Spool) -> Self {
        Self {
            client: Client::new(Guard::new(stream, limits, spool)),
            host: host.to_owned(),
            patience,
            last_tag: 0,
            responses: 0,
            pending: VecDeque::new(),
            writing: false,
            leaving: false,
            told: Told::default(),
        }
    }

    /// Begins TLS, which the server has just agreed to. What it told before may have come from anyone.
    pub(super) async fn upgrade(self, server: &Server<'_>, steps: &mut Steps<'_>) -> Result<Self, Error> {
        let guard = self.client.into_inner();
        if guard.responses() != self.responses || !guard.is_between_responses() {
            return Err(Error::Injected { host: self.host });
        }
        let (limits, spool) = (guard.limits(), guard.spool().clone());
        let stream = server.upgrade(guard.into_inner(), steps).await?;
        Ok(Self { last_tag: self.last_tag, ..Self::new(stream, server.host, self.patience, limits, spool) })
    }

    /// Reads the greeting.
    pub(super) async fn greeting(&mut self) -> Result<Seen, Error> {
        let greeting = self.read(self.patience, |wire, response| match response {
            Response::Data { status: status @ (Status::Ok | Status::PreAuth), outcome } => {
                wire.told.note_code(outcome);
                let greeting = one_line(outcome.information.as_deref().unwrap_or_default());
                Ok(Seen::Greeting { greeting, logged_in: *status == Status::PreAuth })
            }
            Response::Data { outcome, .. } => Err(wire.unwelcome(outcome.information.as_deref().unwrap_or_default())),
            _ => Err(wire.no_greeting(NOT_IMAP)),
        });
        match greeting.await {
            Err(Error::Protocol { .. }) => Err(self.no_greeting(NOT_IMAP)),
            Err(Error::Timeout { .. }) => Err(self.no_greeting("it says nothing")),
            other => other?,
        }
    }

    /// Whether nobody on the way can read what is said.
    pub(super) fn encrypted(&self) -> bool {
        self.client.get_ref().get_ref().encrypted()
    }

    pub(super) fn offers(&self, capability: &str) -> bool {
        self.told.capabilities.iter().any(|offered| offered.eq_ignore_ascii_case(capability))
    }

    /// Runs a command to its end. `during` names it in errors; what the server tells is in [`Wire::told`].
    pub(super) async fn run(&mut self, during: &'static str, command: &str) -> Result<(), Error> {
        self.send(during, command).await?;
        self.finish().await
    }

    /// Reads on until the commands sent are all done, in no more than one time-out.
    pub(super) async fn finish(&mut self) -> Result<(), Error> {
        let during = self.during();
        match timeout(self.patience, self.drain()).await {
            Ok(result) => result,
            Err(_) => Err(self.timed_out(during)),
        }
    }

    /// Reads on until the server asks for more, and gives the text with which it asks; nothing if the command is done.
    /// News may come before, for no longer than one time-out.
    pub(super) async fn continuation(&mut self) -> Result<Option<String>, Error> {
        let (during, patience) = (self.during(), self.patience);
        let asked = async {
            loop {
                match self.next(request).await? {
                    Event::Data(None) => {}
                    Event::Data(asked) => return Ok(asked),
                    Event::Done(_) => return Ok(None),
                }
            }
        };
        match timeout(patience, asked).await {
            Ok(result) => result,
            Err(_) => Err(self.timed_out(during)),
        }
    }

    async fn drain(&mut self) -> Result<(), Error> {
        while !self.pending.is_empty() {
            self.next(|_| ()).await?;
        }
        Ok(())
    }

    /// Says that no more answers are wanted: a goodbye is no error from here on.
    pub(super) async fn log_out(&mut self) -> Result<(), Error> {
        self.leaving = true;
        match self.run("LOGOUT", "LOGOUT").await {
            // RFC 9051 section 3.4: the server may close before we have read its answer.
            Err(Error::Closed { .. } | Error::Broken { .. }) => Ok(()),
            other => other,
        }
    }

    /// Sends a command that nothing else is waiting before.
    pub(super) async fn send(&mut self, during: &'static str, command: &str) -> Result<Tag, Error> {
        if !self.pending.is_empty() {
            return Err(self.abandoned());
        }
        self.send_behind(during, command).await
    }

    /// Sends a command while the answers to earlier ones are still to come.
    pub(super) async fn send_behind(&mut self, during: &'static str, command: &str) -> Result<Tag, Error> {
        self.last_tag += 1;
        let tag = Tag(self.last_tag);
        self.pending.push_back((tag, during));
        self.write(&Zeroizing::new(format!("{} {command}\r\n", tag.text()))).await?;
        Ok(tag)
    }

    /// Sends what a command asked for when it asked us to go on.
    pub(super) async fn go_on(&mut self, line: &str) -> Result<(), Error> {
        self.write(&Zeroizing::new(format!("{line}\r\n"))).await
    }

    async fn write(&mut self, line: &str) -> Result<(), Error> {
        if self.writing {
            return Err(self.abandoned());
        }
        self.writing = true;
        let stream = self.client.get_mut();
        let sent = timeout(self.patience, async {
            stream.write_all(line.as_bytes()).await?;
            stream.flush().await
        })
        .await;
        match sent {
            Ok(Ok(())) => {
                self.writing = false;
                Ok(())
            }
            Ok(Err(error)) => Err(self.broken(&error)),
            Err(_) => Err(self.timed_out(self.during())),
        }
    }

    /// The next response, and what `take` takes of it; a tagged `NO` or `BAD` is an error.
    pub(super) async fn next<T>(&mut self, take: impl FnOnce(&Response<'_>) -> T) -> Result<Event<T>, Error> {
        self.next_in(self.patience, take).await
    }

    async fn next_in<T>(
        &mut self,
        patience: Duration,
        take: impl FnOnce(&Response<'_>) -> T,
    ) -> Result<Event<T>, Error> {
        self.read(patience, |wire, response| match response {
            Response::Done { tag, status, outcome } => wire.done(&tag.0, status, outcome),
            Response::Data { status: Status::Bye, outcome } if !wire.leaving => {
                Err(wire.closed(outcome.information.as_deref()))
            }
            untagged => {
                wire.told.note(untagged);
                Ok(Event::Data(take(untagged)))
            }
        })
        .await?
    }

    /// Like [`Wire::next`], but the server may be silent for as long as `at_most`: then there is nothing.
    pub(super) async fn next_within<T>(
        &mut self,
        at_most: Duration,
        take: impl FnOnce(&Response<'_>) -> T,
    ) -> Result<Option<Event<T>>, Error> {
        match self.next_in(at_most, take).await {
            Err(Error::Timeout { .. }) => Ok(None),
            event => event.map(Some),
        }
    }

    fn done<T>(&mut self, tag: &str, status: &Status, outcome: &Outcome<'_>) -> Result<Event<T>, Error> {
        let Some(place) = self.pending.iter().position(|(pending, _)| pending.text() == tag) else {
            return Err(self.nonsense("it completes a command that was not sent"));
        };
        let Some((tag, during)) = self.pending.remove(place) else {
            return Err(self.nonsense("it completes a command twice"));
        };
        self.told.note_code(outcome);
        if *status == Status::Ok {
            return Ok(Event::Done(tag));
        }
        let said = said(outcome.information.as_deref().unwrap_or_default());
        Err(Error::Refused { host: self.host.clone(), command: during, said })
    }

    /// Waits for a response. The parser's type for it has no public name, so it is handed to `take` on the spot.
    async fn read<T>(
        &mut self,
        patience: Duration,
        take: impl FnOnce(&mut Self, &Response<'_>) -> T,
    ) -> Result<T, Error> {
        self.client.get_mut().forget();
        loop {
            let before = self.client.get_ref().received();
            match timeout(patience, self.client.read_response()).await {
                Ok(Ok(Some(response))) => {
                    self.responses += 1;
                    return Ok(take(self, response.parsed()));
                }
                Ok(Ok(None)) => return Err(self.closed(None)),
                Ok(Err(error)) => return Err(self.broken(&error)),
                Err(_) if self.client.get_ref().received() - before >= PROGRESS_BYTES_MIN => {}
                Err(_) => return Err(self.timed_out(self.during())),
            }
        }
    }

    /// The content for which a text in the last response stands; the text itself unless that was long.
    pub(super) fn exchange(&mut self, text: Arc<[u8]>) -> Content {
        self.client.get_mut().exchange(text)
    }

    fn during(&self) -> &'static str {
        self.pending.front().map_or("the last command", |(_, during)| during)
    }

    fn timed_out(&self, during: &'static str) -> Error {
        Error::Timeout { host: self.host.clone(), during, waited: self.patience }
    }

    fn abandoned(&self) -> Error {
        Error::Abandoned { host: self.host.clone() }
    }

    fn unwelcome(&self, text: &str) -> Error {
        Error::Greeting { host: self.host.clone(), said: said(text) }
    }

    fn no_greeting(&self, cause: &str) -> Error {
        Error::NoGreeting { host: self.host.clone(), cause: cause.to_owned() }
    }

    fn closed(&self, text: Option<&str>) -> Error {
        Error::Closed { host: self.host.clone(), during: self.during(), said: said(text.unwrap_or_default()) }
    }

    /// An answer that breaks the protocol.
    pub(super) fn nonsense(&self, what: impl Into<String>) -> Error {
        Error::Protocol { host: self.host.clone(), during: self.during(), what: what.into() }
    }

    fn broken(&self, error: &io::Error) -> Error {
        match error.get_ref().and_then(|inner| inner.downcast_ref::<Fault>()) {
            Some(Fault::Refusal(refusal)) => return self.nonsense(refusal.to_string()),
            Some(Fault::Content(error)) => return error.clone().into(),
            None => {}
        }
        match error.kind() {
            io::ErrorKind::UnexpectedEof => self.closed(Some("in the middle of a response")),
            // The parser's own text repeats the whole response: mail has no place in an error.
            io::ErrorKind::Other => self.nonsense("a response that is not IMAP"),
            _ => Error::Broken { host: self.host.clone(), during: self.during(), cause: said(&error.to_string()) },
        }
    }
}

/// The text with which a server asks to go on.
fn request(response: &Response<'_>) -> Option<String> {
    match response {
        Response::Continue(outcome) => Some(outcome.information.as_deref().unwrap_or_default().to_owned()),
        _ => None,
    }
}

impl Tag {
    fn text(self) -> String {
        format!("M{}", self.0)
    }
}

impl Told {
    fn note(&mut self, response: &Response<'_>) {
        match response {
            Response::Capabilities(offered) => self.note_capabilities(offered),
            Response::Data { outcome, .. } => self.note_code(outcome),
            Response::MailboxData(MailboxDatum::Exists(exists)) => {
                self.news |= *exists > self.exists;
                self.exists = *exists;
            }
            Response::Expunge(_) => self.exists = self.exists.saturating_sub(1),
            _ => {}
        }
    }

    fn note_code(&mut self, outcome: &Outcome<'_>) {
        match &outcome.code {
            Some(ResponseCode::Capabilities(offered)) => self.note_capabilities(offered),
            Some(ResponseCode::UidValidity(now)) => self.uid_validity = Some(*now),
            Some(ResponseCode::UidNext(next)) => self.uid_next = Some(*next),
            Some(ResponseCode::PermanentFlags(flags)) => {
                self.permanent_flags = Some(flags.iter().map(ToString::to_string).collect());
            }
            Some(ResponseCode::TryCreate) => self.try_create = true,
            Some(ResponseCode::ReadOnly) => self.read_only = true,
            Some(ResponseCode::ReadWrite) => self.read_only = false,
            _ => {}
        }
    }

    fn note_capabilities(&mut self, offered: &[Capability<'_>]) {
        self.capabilities = offered
            .iter()
            .map(|capability| match capability {
                Capability::Imap4rev1 => "IMAP4rev1".to_owned(),
                Capability::Auth(method) => format!("AUTH={method}"),
                Capability::Atom(name) => name.to_string(),
            })
            .collect();
    }
}
