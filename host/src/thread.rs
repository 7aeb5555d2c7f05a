//! Threading: which conversation a message belongs to.
//!
//! [`keys`] finds in a message what could name a ticket; the store looks the keys up, in their order.

mod admission;
mod own_id;

pub use admission::{
    AUTHORS_MAX, Candidate, Finding, FromOthers, Link, PEOPLE_MAX, Policy, Required, Threading, admit, authors,
    link_of_tag, people,
};

pub use own_id::{Checked, KEY_BYTES, OwnIds};

use crate::message::{Message, MessageId};
use crate::ticket::{TicketNumber, TicketSummary};
use regex::Regex;
use serde::{Deserialize, Serialize};

/// The most ticket tags of one message that are looked up.
pub const TICKETS_MAX: usize = 16;
/// The most message identifiers of one message that are looked up; of a longer chain the newest are taken.
pub const MESSAGE_IDS_MAX: usize = 100;
/// The longest prefix or suffix of a tag, in bytes.
pub const TAG_PART_BYTES_MAX: usize = 100;

/// The conversation that a message belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "state", content = "ticket")]
pub enum Conversation {
    /// It starts a new one.
    #[default]
    New,
    /// It follows up an active ticket.
    Active(TicketSummary),
    /// It follows up a ticket that is in a terminal state.
    Inactive(TicketSummary),
}

impl Conversation {
    /// The ticket that it is about; none if it is new.
    #[must_use]
    pub fn ticket(&self) -> Option<&TicketSummary> {
        match self {
            Self::New => None,
            Self::Active(ticket) | Self::Inactive(ticket) => Some(ticket),
        }
    }
}

/// What could name the ticket that a message follows up, most trustworthy first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ThreadKeys {
    /// The tickets that its tags name, in the order of the text, then those that the signed Message-IDs of our own mail name. At most [`TICKETS_MAX`].
    pub tickets: Vec<TicketNumber>,
    /// How many of these, the first ones, are named in the subject.
    pub tickets_in_subject: usize,
    /// How many are named by tags, wherever. The others are those of our own mail that it answers.
    pub tickets_in_tags: usize,
    /// The messages that it answers (In-Reply-To, RFC 5322 section 3.6.4). At most [`MESSAGE_IDS_MAX`].
    pub answered: Vec<MessageId>,
    /// The messages before them, from the newest to the oldest (References). They count only if the ticket has the same
    /// base subject: people start something new by answering something old. At most [`MESSAGE_IDS_MAX`].
    pub references: Vec<MessageId>,
    /// Its subject, for that comparison.
    pub subject: BaseSubject,
    /// Message-IDs that look like ours and are not: they lead nowhere.
    pub forged: Vec<MessageId>,
    /// Whether the message itself is a mail of ours that has come back: its Message-ID is signed with our key.
    pub is_ours: bool,
}

/// Where tags are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TagPlace {
    /// In the subject.
    #[default]
    Subject,
    /// In the subject, then in the whole body.
    SubjectAndBody,
}

/// The tags that are recognised, and where.
#[derive(Debug, Clone)]
pub struct Tags {
    /// The tag in use, then the earlier ones, which stay recognised.
    pub tags: Vec<ThreadTag>,
    /// Where they are looked for.
    pub place: TagPlace,
    /// Knows the Message-IDs of our own mail; none where none is sent.
    pub own_ids: Option<OwnIds>,
}

/// The keys of a message.
#[must_use]
pub fn keys(message: &Message, Tags { tags, place, own_ids }: &Tags) -> ThreadKeys {
    let mut tickets = Vec::new();
    let mut find = |text: &str| {
        tags.iter().flat_map(|tag| tag.tickets(text)).for_each(|ticket| push_new(&mut tickets, ticket, TICKETS_MAX));
        tickets.len()
    };
    let tickets_in_subject = find(&message.subject);
    if *place == TagPlace::SubjectAndBody {
        find(message.document.text());
    }
    let tickets_in_tags = tickets.len();
    let (mut answered, mut references, mut forged) = (Vec::new(), Vec::new(), Vec::new());
    for id in &message.in_reply_to {
        match check(own_ids.as_ref(), id) {
            Checked::Forged => push_new(&mut forged, id.clone(), MESSAGE_IDS_MAX),
            // Ours names its ticket by itself, whatever the index of the store has forgotten.
            Checked::Own(ticket) => {
                ticket.into_iter().for_each(|ticket| push_new(&mut tickets, ticket, TICKETS_MAX));
                push_new(&mut answered, id.clone(), MESSAGE_IDS_MAX);
            }
            Checked::Foreign => push_new(&mut answered, id.clone(), MESSAGE_IDS_MAX),
        }
    }
    for id in message.references.iter().rev().filter(|id| !message.in_reply_to.contains(id)) {
        match check(own_ids.as_ref(), id) {
            Checked::Forged => push_new(&mut forged, id.clone(), MESSAGE_IDS_MAX),
            Checked::Own(_) | Checked::Foreign => push_new(&mut references, id.clone(), MESSAGE_IDS_MAX),
        }
    }
    let subject = BaseSubject::of(&message.subject);
    let is_ours = message.message_id.as_ref().is_some_and(|id| matches!(check(own_ids.as_ref(), id), Checked::Own(_)));
    ThreadKeys { tickets, tickets_in_subject, tickets_in_tags, answered, references, subject, forged, is_ours }
}

fn check(own_ids: Option<&OwnIds>, id: &MessageId) -> Checked {
    own_ids.map_or(Checked::Foreign, |own_ids| own_ids.check(id))
}

fn push_new<T: PartialEq>(list: &mut Vec<T>, item: T, max: usize) {
    if list.len() < max && !list.contains(&item) {
        list.push(item);
    }
}

/// The text around a ticket number that makes it a tag: `MessageID:T01234#`.
///
/// Any case is found, and white space around the number is ignored.
#[derive(Debug, Clone)]
pub struct ThreadTag {
    prefix: String,
    suffix: String,
    pattern: Regex,
}

/// Why a tag cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TagError {
    /// Without a prefix, any word that looks like a number would be a tag.
    #[error("the prefix of the ticket tag is blank; it is what tells a tag from other text, such as \"MessageID:\"")]
    BlankPrefix,
    /// A part that is too long.
    #[error("the {part} of the ticket tag is {length} bytes long; at most {TAG_PART_BYTES_MAX} are allowed")]
    TooLong {
        /// Prefix or suffix.
        part: &'static str,
        /// Its length.
        length: usize,
    },
    /// A pattern could not be made of it.
    #[error("the ticket tag \"{prefix}\" … \"{suffix}\" makes no pattern: {reason}")]
    Pattern {
        /// The prefix.
        prefix: String,
        /// The suffix.
        suffix: String,
        /// Why not.
        reason: String,
    },
}

impl ThreadTag {
    /// The prefix of a tag, unless another is set.
    pub const PREFIX: &'static str = "MessageID:";
    /// The suffix of a tag, unless another is set.
    pub const SUFFIX: &'static str = "#";

    /// The tag of this prefix and suffix. The suffix may be empty.
    ///
    /// # Errors
    /// If the prefix is blank, or one of them is longer than [`TAG_PART_BYTES_MAX`].
    pub fn new(prefix: &str, suffix: &str) -> Result<Self, TagError> {
        let (prefix, suffix) = (prefix.trim(), suffix.trim());
        if prefix.is_empty() {
            return Err(TagError::BlankPrefix);
        }
        for (part, text) in [("prefix", prefix), ("suffix", suffix)] {
            if text.len() > TAG_PART_BYTES_MAX {
                return Err(TagError::TooLong { part, length: text.len() });
            }
        }
        // Without a suffix the number must end where the word ends.
        let end = if suffix.is_empty() { r"\b".to_owned() } else { format!(r"\s*{}", regex::escape(suffix)) };
        let source = format!(r"(?i){}\s*([A-Z][A-Z_-]{{0,9}}[0-9]{{3,18}}){end}", regex::escape(prefix));
        let (prefix, suffix) = (prefix.to_owned(), suffix.to_owned());
        match Regex::new(&source) {
            Ok(pattern) => Ok(Self { prefix, suffix, pattern }),
            Err(error) => Err(TagError::Pattern { prefix, suffix, reason: error.to_string() }),
        }
    }

    /// The tag of a ticket, for the subject of a notice.
    #[must_use]
    pub fn of(&self, ticket: &TicketNumber) -> String {
        format!("{}{ticket}{}", self.prefix, self.suffix)
    }

    /// The tickets that tags in `text` name, first to last, whatever the series of their numbers. Whether there are such
    /// tickets, the store knows.
    pub fn tickets<'a>(&'a self, text: &'a str) -> impl Iterator<Item = TicketNumber> + 'a {
        let numbers = self.pattern.captures_iter(text).filter_map(|found| found.get(1));
        numbers.filter_map(|number| TicketNumber::parse(number.as_str()))
    }
}

/// A subject without what replies, forwards and mailing lists put around it (RFC 5256 section 2.1): two messages of
/// a conversation have the same one. The prefixes of other languages are taken off too.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct BaseSubject(String);

/// What clients write before the colon when they reply or forward, in lower case. RFC 5256 knows the first three;
/// the others are Danish, Dutch, Finnish, French, German, Greek, Hungarian, Italian, Polish, Portuguese, Romanian,
/// Russian, Spanish, Swedish, Turkish, Welsh, Chinese.
const REPLY_PREFIXES: &str = "re fw fwd sv vs vb vl vá antw betr doorst aw wg rv res enc rif r i tr réf ref odp pd ynt \
    ilt i̇lt atb bls ang fs továbbítás απ πρθ σχετ на отв пересл 回复 答复 转发 回覆";

impl BaseSubject {
    /// The base of `subject`. Takes time linear in its length.
    #[must_use]
    pub fn of(subject: &str) -> Self {
        let joined = subject.split_whitespace().collect::<Vec<_>>().join(" ");
        let mut rest = joined.as_str();
        loop {
            rest = without_leaders(without_trailers(rest));
            // RFC 5256 section 2.1 (6): `[Fwd: …]` around the whole, as Netscape wrote it.
            match strip_prefix_ignoring_case(rest, "[fwd:").and_then(|inner| inner.strip_suffix(']')) {
                Some(inner) => rest = inner.trim(),
                None => return Self(rest.to_owned()),
            }
        }
    }
}

/// RFC 5256 section 2.1 (2): `(fwd)` at the end, any number of times.
fn without_trailers(text: &str) -> &str {
    let mut rest = text.trim_end();
    while let Some(shorter) = strip_suffix_ignoring_case(rest, "(fwd)") {
        rest = shorter.trim_end();
    }
    rest
}

/// RFC 5256 section 2.1 (3) to (5): `Re:`, `[list] Re:`, and a `[list]` that stands before something else.
fn without_leaders(text: &str) -> &str {
    let mut rest = text.trim_start();
    loop {
        rest = match (without_reply_prefix(rest), without_blob(rest)) {
            (Some(shorter), _) => shorter,
            (None, Some(shorter)) if !shorter.is_empty() => shorter,
            (None, _) => return rest,
        };
    }
}

/// What follows `Re:`, `Re :`, `Re[2]:`, `RE(3):` or `AW：`, if the text starts with one of them.
fn without_reply_prefix(text: &str) -> Option<&str> {
    let (word, rest) = text.split_at(text.find([':', '：'])?);
    let word = word.trim_end();
    let word = match word.find(['[', '(', '^']) {
        Some(at) if is_counter(word.get(at..)?) => word.get(..at)?.trim_end(),
        _ => word,
    };
    // The longest prefix has 10 characters; lower-casing a whole subject for each colon would be wasteful.
    let short = word.chars().nth(12).is_none();
    let known = short && is_reply_prefix(&word.to_lowercase());
    known.then(|| rest.trim_start_matches([':', '：']).trim_start())
}

fn is_reply_prefix(word: &str) -> bool {
    REPLY_PREFIXES.split(' ').any(|prefix| prefix == word)
}

/// `[2]`, `(2)`, `^2`; RFC 5256 also allows any other `[…]` there.
fn is_counter(text: &str) -> bool {
    let digits = |inner: &str| !inner.is_empty() && inner.bytes().all(|byte| byte.is_ascii_digit());
    let wrapped = |open, close| text.strip_prefix(open).and_then(|rest| rest.strip_suffix(close));
    wrapped('[', ']').is_some_and(|inner| !inner.contains(['[', ']']))
        || wrapped('(', ')').is_some_and(digits)
        || text.strip_prefix('^').is_some_and(digits)
}

/// What follows `[…]`, if the text starts with one.
fn without_blob(text: &str) -> Option<&str> {
    let (blob, rest) = text.strip_prefix('[')?.split_once(']')?;
    // RFC 5256 section 2.1 (6) wants `[Fwd: …]` whole.
    let is_forward = strip_prefix_ignoring_case(blob, "fwd:").is_some();
    (!blob.contains('[') && !is_forward).then(|| rest.trim_start())
}

fn strip_prefix_ignoring_case<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let (start, rest) = text.split_at_checked(prefix.len())?;
    start.eq_ignore_ascii_case(prefix).then_some(rest)
}

fn strip_suffix_ignoring_case<'a>(text: &'a str, suffix: &str) -> Option<&'a str> {
    let (rest, end) = text.split_at_checked(text.len().checked_sub(suffix.len())?)?;
    end.eq_ignore_ascii_case(suffix).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Document, parse};

    #[test]
    fn tags_are_found_in_any_case() {
        let check = |prefix, suffix, text: &str, expect: &[u64]| {
            let tag = ThreadTag::new(prefix, suffix).expect("is a tag");
            let found: Vec<u64> = tag.tickets(text).map(|ticket| ticket.sequence()).collect();
            assert_eq!(found, expect, "{text:?}");
        };
        let default = |text, expect| check(ThreadTag::PREFIX, ThreadTag::SUFFIX, text, expect);
        default("Re: printer MessageID:T01234#", &[1234]);
        default("MESSAGEid: T01234 #", &[1234]);
        default("messageid:\tt01234\n#", &[1234]);
        default("MessageID:T00001# MessageID:T00002#", &[1, 2]);
        default("T01234 MessageID:T12# MessageID:12345#", &[]);
        default("MessageID:inc-01234#", &[1234]);
        default("MessageID:T01234", &[]);
        check("[Case ", "]", "Re: [case t00042 ] x", &[42]);
        check("Ticket", "", "ticket T00042, please", &[42]);
        check("Ticket", "", "ticket T00042x", &[]);
        check(".*(", "+", "a.*(T00042+", &[42]);
    }

    #[test]
    fn a_tag_is_written_as_it_is_read() {
        let tag = ThreadTag::new(ThreadTag::PREFIX, ThreadTag::SUFFIX).expect("is a tag");
        let number = TicketNumber::new(5);
        assert_eq!(tag.of(&number), "MessageID:T00005#");
        assert_eq!(tag.tickets(&tag.of(&number)).next(), Some(number));
    }

    #[test]
    fn a_tag_needs_a_prefix() {
        let check = |prefix: &str, suffix: &str, expect: &str| {
            assert_eq!(ThreadTag::new(prefix, suffix).expect_err("is refused").to_string(), expect);
        };
        check(
            " ",
            "#",
            "the prefix of the ticket tag is blank; it is what tells a tag from other text, such as \"MessageID:\"",
        );
        let long = "x".repeat(101);
        check(&long, "#", "the prefix of the ticket tag is 101 bytes long; at most 100 are allowed");
        check("x", &long, "the suffix of the ticket tag is 101 bytes long; at most 100 are allowed");
    }

    #[test]
    fn the_newest_references_come_first() {
        let ids = |names: &[&str]| names.iter().map(|name| MessageId((*name).to_owned())).collect::<Vec<_>>();
        let tags = [ThreadTag::new("Old:", "").expect("is a tag"), ThreadTag::new("New:", "").expect("is a tag")];
        let mut message = parse(b"", None);
        message.subject = "New:T00003".to_owned();
        message.document = Document::from_plain("Old:T00004 New:T00003");
        message.in_reply_to = ids(&["c@x"]);
        message.references = ids(&["a@x", "b@x", "c@x"]);
        let tickets = |numbers: &[u64]| numbers.iter().map(|number| TicketNumber::new(*number)).collect::<Vec<_>>();
        let check = |place, expect: &[u64]| {
            let expect = ThreadKeys {
                tickets: tickets(expect),
                tickets_in_subject: 1,
                tickets_in_tags: expect.len(),
                answered: ids(&["c@x"]),
                references: ids(&["b@x", "a@x"]),
                subject: BaseSubject::of("New:T00003"),
                forged: Vec::new(),
                is_ours: false,
            };
            assert_eq!(keys(&message, &Tags { tags: tags.to_vec(), place, own_ids: None }), expect);
        };
        check(TagPlace::Subject, &[3]);
        check(TagPlace::SubjectAndBody, &[3, 4]);
    }

    #[test]
    fn keys_are_limited() {
        let mut message = parse(b"", None);
        message.subject = (1..=17).map(|number| format!("MessageID:T{number:05}#")).collect();
        message.references = (1..=101).map(|number| MessageId(format!("{number}@x"))).collect();
        let tag = ThreadTag::new(ThreadTag::PREFIX, ThreadTag::SUFFIX).expect("is a tag");
        let keys = keys(&message, &Tags { tags: vec![tag], place: TagPlace::Subject, own_ids: None });
        assert_eq!(keys.tickets.len(), TICKETS_MAX);
        assert_eq!(keys.references.len(), MESSAGE_IDS_MAX);
        assert_eq!(keys.references.first(), Some(&MessageId("101@x".to_owned())));
    }

    #[test]
    fn a_base_subject_is_what_the_conversation_has_in_common() {
        let check = |subject: &str, expect: &str| assert_eq!(BaseSubject::of(subject).0, expect, "{subject:?}");
        check("printer", "printer");
        check("Re: printer", "printer");
        check("RE:  FW :\tprinter (fwd) (FWD)", "printer");
        check("Re[2]: Re(3): Re^4: printer", "printer");
        check("[support] Re: [support] printer", "printer");
        check("[support]", "[support]");
        check("Re: [support]", "[support]");
        check("[Fwd: Re: printer]", "printer");
        check("[Fwd: [Fwd: printer (fwd)]]", "printer");
        check("AW: WG: Drucker", "Drucker");
        check("Antw: SV: VS: Odp: TR: printer", "printer");
        check("回复：转发: 打印机", "打印机");
        check("ΑΠ: Отв: İLT: x", "x");
        check("Invoice: 4711", "Invoice: 4711");
        check("Reminder: printer", "Reminder: printer");
        check("Re:", "");
        check("", "");
        check("[a[b]: c", "[a[b]: c");
    }
}
