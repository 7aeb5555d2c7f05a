//! Hop 3, as a job wants it: which conversation a message belongs to, and whether it must wait for a person.

use crate::config::Job;
use crate::message::{AddressPattern, loop_sign};
use crate::pipeline::Parsed;
use crate::store::{self, Brake, Entry, Store};
use crate::thread::{self, FromOthers, Policy, Required, Threading};
use crate::ticket::Classes;
use std::num::NonZeroU64;
use std::time::Instant;

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
    /// Without a job, at a desk with these addresses.
    #[must_use]
    pub fn usual(own: &[AddressPattern]) -> Self {
        let mut usual = Self::default();
        usual.policy.own = own.to_vec();
        usual
    }

    /// What the job's settings say, at a desk with these addresses.
    #[must_use]
    pub fn of(job: &Job, own: &[AddressPattern]) -> Self {
        let (follow_ups, brake) = (&job.follow_ups, &job.brake);
        let required = follow_ups.authentication_results.as_ref();
        let most = |setting: u64| NonZeroU64::new(setting).map(NonZeroU64::get);
        Self {
            policy: Policy {
                own: own.to_vec(),
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
        let begun = Instant::now();
        let message = &parsed.message;
        let candidates = store.candidates(&parsed.keys, &thread::authors(message), classes).await?;
        let mut threading = thread::admit(message, &candidates, &self.policy);
        let circle = self.received_max.and_then(|max| {
            let comes_back = parsed.keys.is_ours.then(|| "its Message-ID is one of our own mail".to_owned());
            comes_back.or_else(|| loop_sign(message, &self.policy.own, max))
        });
        if let Some(sign) = circle {
            threading.held = Some(format!("it goes round in circles: {sign}"));
        }
        threading.took = begun.elapsed();
        Ok(threading)
    }

    /// An entry as it is committed: with the brake that applies to it, and without the desk itself among its people.
    #[must_use]
    pub fn admitted(&self, mut entry: Entry) -> Entry {
        let is_exempt =
            entry.sender.as_ref().is_some_and(|sender| self.exempt.iter().any(|exempt| exempt.matches(sender)));
        entry.brake = self.brake.filter(|_| !is_exempt);
        entry.people.retain(|email| !self.policy.own.iter().any(|own| own.matches(email)));
        entry
    }
}
