//! What is in a maildrop: the answers to LIST (sizes) and UIDL (unique-ids), put together.

use std::collections::btree_map::{BTreeMap, Entry};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// The longest unique-id that is taken, in bytes. RFC 1939 section 7 says 70, but nothing depends on that.
const UID_BYTES_MAX: usize = 255;
/// The most unreadable messages that are told of one by one.
const TOLD_MAX: usize = 10;

/// A message's number in this session (RFC 1939 section 5).
pub(super) type Number = u32;

/// A message that can be told apart from all others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) number: Number,
    /// What it is called in every session (RFC 1939 section 7, UIDL).
    pub(super) uid: Arc<str>,
    /// Its size, where the server gives one that makes sense. Servers count line ends as they like.
    pub(super) size: Option<u64>,
}

/// The messages of a maildrop. They are the same throughout a session (RFC 1939 section 4).
#[derive(Debug, Default)]
pub(super) struct Listing {
    /// In ascending order of their numbers.
    pub(super) messages: Vec<Message>,
    /// What is wrong with the others.
    pub(super) unreadable: Vec<String>,
    places: HashMap<Arc<str>, usize>,
}

/// Where the lines of one answer are gathered.
#[derive(Debug)]
pub(super) struct Lines<T> {
    by_number: BTreeMap<Number, T>,
}

impl<T> Default for Lines<T> {
    fn default() -> Self {
        Self { by_number: BTreeMap::new() }
    }
}

impl<T> Lines<T> {
    pub(super) fn len(&self) -> usize {
        self.by_number.len()
    }

    /// Adds a line: a message's number, and what `read` makes of the rest.
    pub(super) fn add(&mut self, line: &str, read: fn(&str) -> T) -> Result<(), &'static str> {
        let (number, rest) = line.split_once(' ').unwrap_or((line, ""));
        let digits = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        let number = match number.parse::<Number>() {
            Ok(number) if digits && number > 0 => number,
            _ => return Err("a line of its listing does not begin with a message's number"),
        };
        match self.by_number.entry(number) {
            Entry::Occupied(_) => Err("it lists a message twice"),
            Entry::Vacant(place) => {
                place.insert(read(rest));
                Ok(())
            }
        }
    }
}

impl Listing {
    /// Puts the two answers together. A message without a unique-id of its own is left out, and told of.
    pub(super) fn new(sizes: &Lines<Option<u64>>, uids: Lines<Option<Arc<str>>>) -> Self {
        let mut listing = Self::default();
        let mut told = Told::default();
        for number in sizes.by_number.keys().filter(|number| !uids.by_number.contains_key(number)) {
            told.add(format!("message {number} has no unique-id (UIDL)"));
        }
        let shared = shared(&uids);
        for (number, uid) in uids.by_number {
            let Some(uid) = uid else {
                told.add(format!("message {number} has a unique-id (UIDL) that is none"));
                continue;
            };
            if shared.contains(&uid) {
                told.add(format!("message {number} shares its unique-id (UIDL) \"{uid}\" with others"));
                continue;
            }
            let size = sizes.by_number.get(&number).copied().flatten();
            listing.places.insert(uid.clone(), listing.messages.len());
            listing.messages.push(Message { number, uid, size });
        }
        listing.unreadable = told.sentences();
        listing
    }

    /// The message of this unique-id, if it is in the maildrop.
    pub(super) fn find(&self, uid: &str) -> Option<&Message> {
        self.messages.get(*self.places.get(uid)?)
    }
}

/// The unique-ids that more than one message bears. RFC 1939 section 7 lets identical messages share one; but servers
/// give one to different messages too, and nothing is deleted that was not read.
fn shared(uids: &Lines<Option<Arc<str>>>) -> HashSet<Arc<str>> {
    let mut seen = HashSet::new();
    uids.by_number.values().flatten().filter(|uid| !seen.insert(&**uid)).cloned().collect()
}

/// A unique-id: printable and without spaces (RFC 1939 section 7).
pub(super) fn uid(text: &str) -> Option<Arc<str>> {
    let uid = text.trim();
    let is_fit = (1..=UID_BYTES_MAX).contains(&uid.len()) && uid.bytes().all(|byte| byte.is_ascii_graphic());
    is_fit.then(|| uid.into())
}

/// A size, which may be followed by more (RFC 1939 section 5, LIST). One that no number holds is still very large.
pub(super) fn size(text: &str) -> Option<u64> {
    let size = text.split_ascii_whitespace().next().unwrap_or_default();
    let digits = !size.is_empty() && size.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| size.parse().unwrap_or(u64::MAX))
}

/// Sentences about messages, not too many of them.
#[derive(Debug, Default)]
struct Told {
    sentences: Vec<String>,
    more: usize,
}

impl Told {
    fn add(&mut self, what: String) {
        if self.sentences.len() < TOLD_MAX {
            self.sentences.push(format!("{what}: it cannot be told apart from others, and stays on the server"));
        } else {
            self.more += 1;
        }
    }

    fn sentences(mut self) -> Vec<String> {
        if self.more > 0 {
            self.sentences.push(format!("{} more messages cannot be told apart from others", self.more));
        }
        self.sentences
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines<T>(text: &[&str], read: fn(&str) -> T) -> Lines<T> {
        let mut lines = Lines::default();
        text.iter().for_each(|line| lines.add(line, read).unwrap());
        lines
    }

    fn put_together(sizes: &[&str], uids: &[&str]) -> Listing {
        Listing::new(&lines(sizes, size), lines(uids, uid))
    }

    #[test]
    fn sizes_and_unique_ids_are_put_together() {
        let check = |sizes: &[&str], uids: &[&str], expect: &str, unreadable: &[&str]| {
            let listing = put_together(sizes, uids);
            let one = |m: &Message| format!("{}={}/{}", m.number, m.uid, m.size.map_or("?".into(), |s| s.to_string()));
            assert_eq!(listing.messages.iter().map(one).collect::<Vec<_>>().join(" "), expect);
            for message in &listing.messages {
                assert_eq!(listing.find(&message.uid), Some(message));
            }
            assert_eq!(listing.unreadable.len(), unreadable.len(), "{:?}", listing.unreadable);
            for (told, expect) in listing.unreadable.iter().zip(unreadable) {
                assert!(told.starts_with(expect), "{told:?} is not {expect:?}");
            }
        };
        check(&[], &[], "", &[]);
        check(&["1 20", "2 30 more"], &["2 b", "1 a "], "1=a/20 2=b/30", &[]);
        check(&["1 -5", "2 ", "3 x"], &["1 a", "2 b", "3 c"], "1=a/? 2=b/? 3=c/?", &[]);
        check(&["1 99999999999999999999999"], &["1 a"], "1=a/18446744073709551615", &[]);
        check(&[], &["1 a"], "1=a/?", &[]);
        check(&["1 2", "2 2"], &["1 a"], "1=a/2", &["message 2 has no unique-id"]);
        check(
            &["1 2", "2 2", "3 2"],
            &["1 a", "2 b", "3 a"],
            "2=b/2",
            &["message 1 shares its unique-id (UIDL) \"a\" with others: it cannot be told", "message 3 shares"],
        );
        check(
            &[],
            &["1 ", "2 a b", "3 \u{e9}", "4 a\0"],
            "",
            &["message 1 has a unique-id", "message 2", "message 3", "message 4"],
        );
        check(&[], &[&format!("1 {}", "x".repeat(255))], &format!("1={}/?", "x".repeat(255)), &[]);
        check(&[], &[&format!("1 {}", "x".repeat(256))], "", &["message 1 has a unique-id (UIDL) that is none"]);
    }

    #[test]
    fn a_listing_that_makes_no_sense_is_refused() {
        let check = |text: &[&str], expect: &str| {
            let mut lines = Lines::default();
            let fault = text.iter().find_map(|line| lines.add(line, size).err());
            assert_eq!(fault, Some(expect), "{text:?}");
        };
        let no_number = "a line of its listing does not begin with a message's number";
        check(&["0 a"], no_number);
        check(&["-1 a"], no_number);
        check(&["+1 a"], no_number);
        check(&["4294967296 a"], no_number);
        check(&[""], no_number);
        check(&["\0"], no_number);
        check(&["1 a", "1 b"], "it lists a message twice");
    }

    #[test]
    fn many_unreadable_messages_are_told_of_together() {
        let sizes: Vec<String> = (1..=500).map(|number| format!("{number} 2")).collect();
        let sizes: Vec<&str> = sizes.iter().map(String::as_str).collect();
        let told = put_together(&sizes, &[]).unreadable;
        assert_eq!(told.len(), TOLD_MAX + 1);
        assert_eq!(told.last().unwrap(), "490 more messages cannot be told apart from others");
    }
}
