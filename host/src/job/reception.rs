//! Hop 3, as a job wants it: which conversation a message belongs to, and whether it must wait for a person.

use crate::config::{Job, JobSource};
use crate::message::{AddressPattern, loop_sign};
use crate::pipeline::Parsed;
use crate::store::{self, Brake, Entry, Store};
use crate::thread::{self, FromOthers, Policy, Required, Threading};
use crate::ticket::Classes;
use std::num::NonZeroU64;

/// How many servers a message may have passed, unless a job says otherwise (RFC 5321 section 6.3).
const RECEIVED_MAX: u64 = 100;

/// Whose messages a job takes, and how many.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reception {
    policy: Policy,
    /// None: no message goes round in circles.
    received_max: Option<u64>,
    brake: Option<Brake>,
    exempt: Vec<AddressPattern>,
}

impl Default for Reception {
    fn default() -> Self {
        Self { policy: Policy::default(), received_max: Some(RECEIVED_MAX), brake: None, exempt: Vec::new() }
    }
}

impl Reception {
    /// What the job's settings say.
    #[must_use]
    pub fn of(job: &Job) -> Self {
        let (follow_ups, brake) = (&job.follow_ups, &job.brake);
        let user = match &job.source {
            JobSource::Imap(imap) => AddressPattern::parse(&imap.server.user),
            JobSource::Pop3(pop3) => AddressPattern::parse(&pop3.server.user),
            JobSource::Maildir(_) | JobSource::Folder(_) => None,
        };
        let required = follow_ups.authentication_results.as_ref();
        let most = |setting: u64| NonZeroU64::new(setting).map(NonZeroU64::get);
        Self {
            policy: Policy {
                own: follow_ups.own_addresses.iter().cloned().chain(user).collect(),
                trusted: follow_ups.trusted.clone(),
                from_others: follow_ups.from_others,
                required: required
                    .map(|it| Required { server: it.server.clone(), methods: it.require.list().to_vec() }),
            },
            received_max: Some(brake.received_fields_max),
            brake: Some(Brake {
                window_ms: i64::try_from(brake.window.duration().as_millis()).unwrap_or(i64::MAX),
                sender_messages_max: most(brake.sender_messages_max),
                thread_messages_max: most(brake.thread_messages_max),
            }),
            exempt: brake.exempt.clone(),
        }
    }

    /// The same for a message that a person has looked at: nothing holds it any more, except the answer of somebody who
    /// may not follow up the ticket, unless `others` says what becomes of that.
    #[must_use]
    pub fn released(self, others: Option<FromOthers>) -> Self {
        let from_others = others.unwrap_or(self.policy.from_others);
        Self { policy: Policy { from_others, ..self.policy }, received_max: None, brake: None, ..self }
    }

    /// The conversation that a message belongs to.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn thread(&self, store: &Store, parsed: &Parsed, classes: &Classes) -> Result<Threading, store::Error> {
        let message = &parsed.message;
        let candidates = store.candidates(&parsed.keys, &thread::authors(message), classes).await?;
        let mut threading = thread::admit(message, &candidates, &self.policy);
        let circle = self.received_max.and_then(|max| loop_sign(message, &self.policy.own, max));
        if let Some(sign) = circle {
            threading.held = Some(format!("it goes round in circles: {sign}"));
        }
        Ok(threading)
    }

    /// An entry with the brake that applies to it.
    #[must_use]
    pub fn braked(&self, entry: Entry) -> Entry {
        let is_exempt =
            entry.sender.as_ref().is_some_and(|sender| self.exempt.iter().any(|exempt| exempt.matches(sender)));
        Entry { brake: self.brake.filter(|_| !is_exempt), ..entry }
    }
}
