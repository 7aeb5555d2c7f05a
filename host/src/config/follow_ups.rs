//! Whose answers a job takes, and how many messages.

use super::reader::{self, Setting, leaves};
use super::schema;
use super::settings::settings;
use crate::diagnostic::{Diagnostics, Source};
use crate::message::AddressPattern;
use crate::message::authentication::Method;
use crate::schedule::Interval;
use crate::thread::FromOthers;
use serde::{Deserialize, Serialize};
use toml::Spanned;
use toml::de::DeValue;

/// What must have passed: at least one way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Method>", into = "Vec<Method>")]
pub struct Methods(Vec<Method>);

leaves! {
    FromOthers: "\"quarantine\", \"new-ticket\" or \"accept\"" => schema::words(["quarantine", "new-ticket", "accept"]);
    Methods: "a list of \"spf\", \"dkim\" and \"dmarc\", at least one" => schema::list(&schema::words(["spf", "dkim", "dmarc"]));
}

settings! {
    /// Who may follow up a ticket besides its requester and the people who were on its mail.
    pub struct FollowUps {
        /// Addresses that may follow up any ticket: "ann@example.org", "*@example.org" for all of a domain, "*@*.example.org"
        /// for all of the domains below one.
        trusted: Vec<AddressPattern> => default(Vec::new()),
        /// What becomes of an answer to a ticket from anybody else: "quarantine"; "new-ticket", where it is handled as a
        /// message of its own; or "accept".
        from_others: FromOthers => default(FromOthers::Quarantine),
        /// What a mail server of yours must have confirmed in Authentication-Results (RFC 8601) before an answer is taken.
        /// Only the topmost field of that server counts. Not set: nothing.
        authentication_results: Option<RequiredAuthentication> => unset(
            "{ server = \"mx.example.org\", require = [\"dmarc\"] }"
        ),
    }
}

settings! {
    /// What a mail server must have confirmed.
    pub struct RequiredAuthentication {
        /// The server, as it calls itself in the field.
        server: String => required("\"mx.example.org\""),
        /// What must have passed for the domain of From, all of it: "spf", "dkim", "dmarc".
        require: Methods => default(Methods(vec![Method::Dmarc])),
    }
}

settings! {
    /// What keeps a flood of messages from becoming a flood of tickets: what is beyond waits in quarantine.
    pub struct Brake {
        /// The time in which messages are counted, by when they were received.
        window: Interval => default(Interval::HOUR),
        /// The most messages of one sender that are taken in that time. 0: any number.
        sender_messages_max: u64 => default(300),
        /// The most messages that change one ticket in that time. 0: any number.
        thread_messages_max: u64 => default(100),
        /// Senders that are not counted, such as a monitoring system: "monitor@example.org", "*@example.org".
        exempt: Vec<AddressPattern> => default(Vec::new()),
        /// The most mail servers that a message may have passed (RFC 5321 section 6.3); one that has passed more goes round in
        /// circles.
        received_fields_max: u64 => default(100),
    }
}

impl Methods {
    /// Which.
    #[must_use]
    pub fn list(&self) -> &[Method] {
        &self.0
    }
}

impl TryFrom<Vec<Method>> for Methods {
    type Error = &'static str;
    fn try_from(methods: Vec<Method>) -> Result<Self, Self::Error> {
        if methods.is_empty() { Err("expected at least one") } else { Ok(Self(methods)) }
    }
}

impl From<Methods> for Vec<Method> {
    fn from(methods: Methods) -> Self {
        methods.0
    }
}

impl Setting for Vec<AddressPattern> {
    fn read(source: &Source, name: &str, value: &Spanned<DeValue<'_>>, out: &mut Diagnostics) -> Option<Self> {
        let Some(items) = value.get_ref().as_array() else {
            return reader::read_value::<Vec<String>>(source, name, "a list of addresses", value, out)
                .map(|_| Vec::new());
        };
        let (mut patterns, mut is_sound) = (Vec::new(), true);
        for item in items.iter() {
            let text = String::read(source, name, item, out);
            let pattern = text.as_deref().and_then(AddressPattern::parse);
            if let (Some(text), None) = (&text, &pattern) {
                let help = "write an address, or \"*@example.org\" for all of a domain";
                out.push(source.error(item.span(), format!("\"{text}\" in `{name}` is no address")).help(help));
            }
            is_sound &= pattern.is_some();
            patterns.extend(pattern);
        }
        is_sound.then_some(patterns)
    }

    fn schema() -> serde_json::Value {
        schema::list(&schema::text())
    }
}
