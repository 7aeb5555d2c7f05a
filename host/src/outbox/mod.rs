//! The outbox: sends what the commits have left there, until it arrives or is given up.
//!
//! What is sent one after the other is a lane: all mail, all Maildirs, each webhook. A lane that is slow holds up no other one.
//! An attempt is begun in the store before anything is sent, one at a time, and renewed while it goes on; a program that is
//! killed in the middle of one leaves it to the next start: see [`Outbox::take_up`].

mod backoff;
mod desk;

pub use backoff::Backoff;
pub use desk::{check_maildirs, outlets, own_addresses, sender};

use crate::carrier::{self, Connection, Failure, Remedy, Smtp, Webhook};
use crate::clock::Clock;
use crate::config::Config;
use crate::fault::{self, Point};
use crate::outgoing::{Mail, Parcel};
use crate::store::{self, Lane, OutboxState, Sha256, Store, Waiting};
use futures::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// How often the store is asked what is due.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often what was sent long ago is forgotten.
const FORGET_EVERY: Duration = Duration::from_secs(3600);
/// How many entries of a lane are worked through before it is asked again which lanes have some.
const IN_A_ROW_MAX: usize = 100;
/// After which time an attempt of which nothing was heard counts as failed.
const CLAIM: Duration = Duration::from_secs(300);
/// How often an attempt that goes on says so.
const RENEW_EVERY: Duration = Duration::from_secs(60);
/// How long an attempt may take, whatever a carrier waits for.
const ATTEMPT_MAX: Duration = Duration::from_secs(3600);
/// The first wait before something is noted again that could not be.
const NOTE_AGAIN: Duration = Duration::from_millis(200);

/// Why an attempt failed of which nothing more is known.
const INTERRUPTED: &str = "mailmill ended before it was known whether this was sent";

/// What sends.
#[derive(Debug)]
pub struct Outbox {
    store: Store,
    mail: Option<Smtp>,
    webhooks: BTreeMap<String, Webhook>,
    maildirs: BTreeMap<String, PathBuf>,
    backoff: Backoff,
    attempts_max: u64,
    keep_sent: SignedDuration,
    keep_dead: SignedDuration,
}

impl Outbox {
    /// The outbox of a store, with the carriers of the settings.
    #[must_use]
    pub fn new(store: Store, config: &Config) -> Self {
        let settings = &config.outbox;
        Self {
            store,
            mail: Smtp::new(&config.smtp),
            webhooks: config.webhook.0.iter().map(|(name, it)| (name.clone(), Webhook::new(it))).collect(),
            maildirs: config.maildir.0.clone(),
            backoff: Backoff { first: settings.retry_first.duration(), longest: settings.retry_max.duration() },
            attempts_max: settings.attempts_max.get(),
            keep_sent: days(settings.keep_days.get()),
            keep_dead: days(settings.keep_dead_days.get()),
        }
    }

    /// Has attempts that a process before this one has begun, and not ended, tried again after the pause of a failed one. To be
    /// called before anything is sent, by the one process that sends.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn take_up(&self) -> Result<(), store::Error> {
        for (id, attempt) in self.store.outbox_interrupted().await? {
            let next = after(self.backoff.after(attempt)).unwrap_or_else(Timestamp::now);
            tracing::warn!(id, attempt, %next, "mailmill ended while this was being sent: it is tried again");
            self.store.outbox_failed(id, INTERRUPTED, Some(next)).await?;
        }
        Ok(())
    }

    /// Sends what is due, whenever it is, until told to stop; then what is being sent is finished.
    pub async fn run(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        let (mut lanes, mut busy) = (JoinSet::new(), BTreeSet::new());
        let (mut is_well, mut forgot_at) = (true, None::<Instant>);
        let (mut clock, mut shown_before) = (Clock::new(), Timestamp::now());
        // It may have been set back while nobody looked.
        let mut to_shorten = Some(self.backoff.longest.saturating_mul(2));
        loop {
            tokio::select! {
                biased;
                // An error says that nobody can tell any more: then it is over too.
                _ = stop.wait_for(|stop| *stop) => break,
                Some(ended) = lanes.join_next() => {
                    match ended {
                        // There may be more than it works through at a time: that does not wait.
                        Ok((lane, Ok(()))) => { busy.remove(&lane); }
                        Ok((lane, Err(_))) => { busy.remove(&lane); continue; }
                        // Which lane it was is not known: those that are alive begin nothing that another one has begun.
                        Err(error) => { tracing::error!(%error, "sending has ended early"); busy.clear(); continue; }
                    }
                }
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
            let shown = Timestamp::now();
            if shown < std::mem::replace(&mut shown_before, shown) {
                // How long each had still to wait is not known any more: another attempt soon does no harm.
                to_shorten = Some(self.backoff.first);
            }
            if let Some(longest) = to_shorten
                && self.shorten(longest).await
            {
                to_shorten = None;
            }
            if forgot_at.is_none_or(|at| at.elapsed() >= FORGET_EVERY) {
                forgot_at = Some(Instant::now());
                if let Some(now) = clock.believed() {
                    self.forget(now).await;
                }
            }
            match self.store.outbox_due().await {
                Ok(due) => {
                    is_well = true;
                    for lane in due.into_iter().filter(|lane| !busy.contains(lane)).collect::<Vec<_>>() {
                        busy.insert(lane.clone());
                        let (outbox, stop) = (self.clone(), stop.clone());
                        lanes.spawn(async move { outbox.work_through(lane, &stop).await });
                    }
                }
                Err(error) if is_well => {
                    is_well = false;
                    tracing::warn!(%error, "what is to be sent cannot be read");
                }
                Err(_) => {}
            }
        }
        while lanes.join_next().await.is_some() {}
    }

    /// Sends what is due now, each once.
    ///
    /// # Errors
    /// If the store fails. What could not be sent is no error: it waits for its next attempt.
    pub async fn drain(self: Arc<Self>) -> Result<(), store::Error> {
        let (_sender, never) = watch::channel(false);
        loop {
            let due = self.store.outbox_due().await?;
            if due.is_empty() {
                return Ok(());
            }
            let mut lanes = JoinSet::new();
            for lane in due {
                let (outbox, stop) = (self.clone(), never.clone());
                lanes.spawn(async move { outbox.work_through(lane, &stop).await });
            }
            let mut ended = Ok(());
            while let Some(joined) = lanes.join_next().await {
                if let Ok((_, Err(error))) = joined {
                    ended = Err(error);
                }
            }
            // Where nothing can be recorded, the same would be due again and again.
            ended?;
        }
    }

    /// Has nothing wait longer than that: what does was written before the clock was set back. Whether it was done.
    async fn shorten(&self, longest: Duration) -> bool {
        match self.store.outbox_wait_at_most(longest, CLAIM).await {
            Ok(0) => true,
            Ok(shortened) => {
                tracing::warn!(shortened, "the clock was set back: what is to be sent does not wait for it");
                true
            }
            Err(error) => {
                tracing::debug!(%error, "whether something waits for the clock cannot be read");
                false
            }
        }
    }

    /// Forgets what is old if it is `now`.
    async fn forget(&self, now: Timestamp) {
        for (state, keep) in [(OutboxState::Sent, self.keep_sent), (OutboxState::Dead, self.keep_dead)] {
            let Ok(before) = now.checked_sub(keep) else { continue };
            match self.store.outbox_forget(state, before).await {
                Ok(0) => {}
                Ok(forgotten) => {
                    tracing::debug!(forgotten, state = state.name(), "old entries of the outbox are forgotten")
                }
                Err(error) => tracing::warn!(%error, "old entries of the outbox could not be forgotten"),
            }
        }
    }

    /// Sends what is due in a lane, one after the other, until told to stop or the store fails. Returns the lane.
    async fn work_through(&self, lane: Lane, stop: &watch::Receiver<bool>) -> (Lane, Result<(), store::Error>) {
        let mut ended = Ok(());
        let mut connection = None;
        let mut unreachable: Option<Failure> = None;
        for _ in 0..IN_A_ROW_MAX {
            if *stop.borrow() {
                break;
            }
            let waiting = match self.store.outbox_claim(&lane, CLAIM, self.attempts_max).await {
                Ok(Some(waiting)) => waiting,
                Ok(None) => break,
                Err(error) => {
                    tracing::warn!(%lane, %error, "what is to be sent cannot be read");
                    ended = Err(error);
                    break;
                }
            };
            fault::pass(Point::OutboxClaimed);
            let outcome = match (&unreachable, &waiting.parcel) {
                // The server is not there for the others either.
                (Some(failure), _) => Err(failure.clone()),
                (None, Ok(parcel)) => self.attempt(&waiting, parcel, &mut connection, &mut unreachable).await,
                (None, Err(error)) => Err(Failure::lasting(format!("another version has written it: {error}"))),
            };
            self.record(&lane, &waiting, outcome).await;
        }
        if let Some(connection) = connection {
            connection.close().await;
        }
        (lane, ended)
    }

    /// Sends one entry; nobody else begins to, for as long as that takes.
    async fn attempt(
        &self,
        waiting: &Waiting,
        parcel: &Parcel,
        connection: &mut Option<Connection>,
        unreachable: &mut Option<Failure>,
    ) -> Result<(), Failure> {
        let sending = self.send(parcel, waiting.attempt > 1, connection, unreachable);
        let renewing = async {
            loop {
                tokio::time::sleep(RENEW_EVERY).await;
                if let Err(error) = self.store.outbox_renew(waiting.id, CLAIM).await {
                    tracing::warn!(id = waiting.id, %error, "that something is being sent could not be recorded");
                }
            }
        };
        tokio::select! {
            sent = tokio::time::timeout(ATTEMPT_MAX, sending) => sent.unwrap_or_else(|_| {
                Err(Failure::passing(format!("it has taken more than {} s", ATTEMPT_MAX.as_secs())))
            }),
            never = renewing => never,
        }
    }

    async fn send(
        &self,
        parcel: &Parcel,
        repeated: bool,
        connection: &mut Option<Connection>,
        unreachable: &mut Option<Failure>,
    ) -> Result<(), Failure> {
        match parcel {
            Parcel::Mail(mail) => self.send_mail(mail, connection, unreachable).await,
            Parcel::Webhook { name, id, body } => match self.webhooks.get(name) {
                Some(webhook) => webhook.call(id, body).await,
                None => Err(Failure::lasting(format!("mailmill.toml has no [webhook.{name}] any more"))),
            },
            Parcel::Maildir { folder, file, original } => match self.maildirs.get(folder) {
                Some(path) => carrier::store(path, file, &self.original(original).await?, repeated).await,
                None => Err(Failure::lasting(format!("[maildir] of mailmill.toml has no `{folder}` any more"))),
            },
        }
    }

    async fn send_mail(
        &self,
        mail: &Mail,
        connection: &mut Option<Connection>,
        unreachable: &mut Option<Failure>,
    ) -> Result<(), Failure> {
        let Some(smtp) = &self.mail else {
            return Err(Failure::passing("no mail server is set: [smtp] of mailmill.toml has no `server` any more"));
        };
        let original = match &mail.original {
            Some(digest) => Some(self.original(digest).await?),
            None => None,
        };
        let usable = match connection.take().filter(|connection| !connection.is_broken()) {
            Some(usable) => usable,
            None => smtp.connect().await.inspect_err(|failure| *unreachable = Some(failure.clone()))?,
        };
        // One that is given up in the middle is gone.
        let mut usable = usable;
        let sent = usable.send(mail, original.as_ref()).await;
        *connection = Some(usable);
        sent
    }

    async fn original(&self, digest: &str) -> Result<crate::content::Content, Failure> {
        let sha256 = Sha256::parse(digest).ok_or_else(|| Failure::lasting("the message is not named"))?;
        self.store.raw(&sha256).await.map_err(|error| match error {
            store::Error::NotFound { .. } => Failure::lasting("the message is not in the database any more"),
            error => Failure::passing(error.to_string()),
        })
    }

    async fn record(&self, lane: &Lane, waiting: &Waiting, outcome: Result<(), Failure>) {
        let Waiting { id, attempt, .. } = waiting;
        let Err(failure) = outcome else {
            fault::pass(Point::OutboxSent);
            tracing::info!(%lane, id, attempt, "sent");
            note(|| Box::pin(self.store.outbox_sent(*id))).await;
            return fault::pass(Point::OutboxRecorded);
        };
        let next = match failure.remedy {
            Remedy::Retry(wish) if *attempt < self.attempts_max => {
                after(self.backoff.after(*attempt).max(wish.unwrap_or_default().min(self.backoff.longest)))
            }
            Remedy::Retry(_) | Remedy::Nothing => None,
        };
        let reason = without_addresses(&failure.reason);
        match next {
            Some(next) => tracing::warn!(%lane, id, attempt, %next, "not sent, and tried again: {reason}"),
            None => tracing::error!(%lane, id, attempt, "given up: {reason}; see: mailmill outbox list"),
        }
        tracing::debug!(id, reason = failure.reason, "not sent");
        note(|| Box::pin(self.store.outbox_failed(*id, &failure.reason, next))).await;
    }
}

/// Why an attempt failed, for the log: a server that refuses a mail repeats whom it is for. The outbox has all of it.
fn without_addresses(reason: &str) -> String {
    let words = reason.split_whitespace().map(|word| if word.contains('@') { "(an address)" } else { word });
    words.collect::<Vec<_>>().join(" ")
}

/// The time when that much has passed; none beyond what can be written as a date.
fn after(wait: Duration) -> Option<Timestamp> {
    Timestamp::now().checked_add(SignedDuration::try_from(wait).unwrap_or_default()).ok()
}

/// Notes what became of an attempt; where that fails, again and again for as long as the attempt is ours. What is not noted by
/// then is sent once more.
async fn note<'n>(noting: impl Fn() -> BoxFuture<'n, Result<(), store::Error>>) {
    let began = Instant::now();
    let mut wait = NOTE_AGAIN;
    while let Err(error) = noting().await {
        if began.elapsed() + wait > CLAIM {
            tracing::error!(%error, "what became of an entry of the outbox could not be recorded");
            return;
        }
        tracing::warn!(%error, "what became of an entry of the outbox is not recorded yet");
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(RENEW_EVERY);
    }
}

fn days(count: u64) -> SignedDuration {
    SignedDuration::from_hours(i64::try_from(count.saturating_mul(24)).unwrap_or(i64::MAX / 3600).min(i64::MAX / 3600))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    #[test]
    fn addresses_are_not_logged() {
        let check = |reason: &str, expect: &str| assert_eq!(without_addresses(reason), expect);
        check(
            "the server says 550 5.1.1 <ann@client.example>: no such\nuser",
            "the server says 550 5.1.1 (an address) no such user",
        );
        check("the server says 450 try later", "the server says 450 try later");
    }

    #[tokio::test]
    async fn what_could_not_be_noted_is_noted_again() {
        let tries = AtomicU32::new(0);
        note(|| {
            let noted = match tries.fetch_add(1, Ordering::Relaxed) {
                0 | 1 => Err(store::Error::Bug("not now".to_owned())),
                _ => Ok(()),
            };
            Box::pin(std::future::ready(noted))
        })
        .await;
        assert_eq!(tries.into_inner(), 3);
    }
}
