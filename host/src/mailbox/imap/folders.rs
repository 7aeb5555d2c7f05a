//! The mailboxes of an account, and how an administrator's spelling finds one of them.
//!
//! What separates the levels of a name is the server's choice: `/` here, `.` there. Administrators may write either,
//! and so the server's own list is asked. On some servers (Courier, Cyrus) all mailboxes of a user are below INBOX:
//! there `Support` finds `INBOX.Support`.

use super::login::quoted;
use super::name;
use super::wire::{Event, Wire};
use crate::mailbox::Folder;
use crate::mailbox::error::Error;
use crate::tame::tame;
use imap_proto::{MailboxDatum, MailboxListData, NameAttribute, Response};

/// The most mailboxes that one account may list.
const MAILBOXES_MAX: usize = 100_000;
/// The most names that an error about a missing mailbox suggests.
const NEAR_MAX: usize = 5;
/// How alike two names must be to be taken for each other, between 0 and 1.
const LIKENESS_MIN: f64 = 0.75;
/// How much less alike than the best a name may be to be suggested as well.
const LIKENESS_RANGE: f64 = 0.08;
/// The one name that has the same meaning everywhere (RFC 9051 section 5.1).
const INBOX: &str = "INBOX";

/// A mailbox as the server lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// As the server spells it.
    pub(super) wire: String,
    name: String,
    separator: Option<char>,
    selectable: bool,
    purpose: Option<&'static str>,
}

impl Entry {
    fn of(list: &MailboxListData<'_>) -> Self {
        let has = |wanted: &NameAttribute<'_>| list.name_attributes.contains(wanted);
        let gone = |attribute: &NameAttribute<'_>| matches!(attribute, NameAttribute::Extension(name) if name.eq_ignore_ascii_case("\\NonExistent"));
        let wire = unescaped(&list.name);
        Self {
            name: name::decode(&wire).unwrap_or_else(|| wire.clone()),
            wire,
            separator: list.delimiter.as_deref().and_then(|text| unescaped(text).chars().next()),
            selectable: !has(&NameAttribute::NoSelect) && !list.name_attributes.iter().any(gone),
            purpose: list.name_attributes.iter().find_map(purpose),
        }
    }

    /// INBOX, which every account has, without asking.
    pub(super) fn inbox() -> Self {
        Self { wire: INBOX.into(), name: INBOX.into(), separator: None, selectable: true, purpose: None }
    }

    fn levels(&self) -> Vec<&str> {
        match self.separator {
            Some(separator) => self.name.split(separator).collect(),
            None => vec![&self.name],
        }
    }

    /// The one name of this mailbox, however it is spelt in settings: the levels, separated by `/`.
    pub(super) fn key(&self) -> String {
        let levels = self.levels();
        let is_odd = levels.iter().any(|level| level.contains('/') || level.contains("%2"));
        let first = levels.first().filter(|first| is_inbox(first)).map(|_| INBOX.to_owned());
        let spell = |level: &str| {
            // Two mailboxes must never share a key, even where a name holds what separates levels elsewhere.
            if is_odd { level.replace('%', "%25").replace('/', "%2F") } else { level.to_owned() }
        };
        let rest = levels.iter().skip(usize::from(first.is_some())).map(|level| spell(level));
        first.into_iter().chain(rest).collect::<Vec<_>>().join("/")
    }

    fn is_at(&self, wanted: &[&str]) -> bool {
        let levels = self.levels();
        levels.len() == wanted.len()
            && levels
                .iter()
                .zip(wanted)
                .enumerate()
                .all(|(depth, (have, want))| have == want || (depth == 0 && is_inbox(have) && is_inbox(want)))
    }
}

/// The mailboxes that a server listed.
#[derive(Debug, Default)]
pub(super) struct Folders {
    entries: Vec<Entry>,
}

impl Folders {
    /// Asks the server.
    pub(super) async fn ask(wire: &mut Wire) -> Result<Self, Error> {
        let mut entries = Vec::new();
        wire.send("LIST", "LIST \"\" \"*\"").await?;
        while let Event::Data(entry) = wire.next(listed).await? {
            entries.extend(entry);
            if entries.len() > MAILBOXES_MAX {
                return Err(wire.nonsense(format!("it lists more than {MAILBOXES_MAX} mailboxes")));
            }
        }
        Ok(Self { entries })
    }

    /// The mailbox that someone means who writes it like this. A name that is exactly so comes first.
    pub(super) fn find(&self, written: &str) -> Option<&Entry> {
        let selectable = || self.entries.iter().filter(|entry| entry.selectable);
        let exact = selectable().find(|entry| entry.name == written);
        let exact = exact.or_else(|| selectable().find(|entry| entry.key() == written));
        exact.or_else(|| {
            let spelt = ways(written);
            let below_inbox = spelt.iter().map(|way| [&[INBOX][..], way].concat());
            let all: Vec<Vec<&str>> = spelt.iter().cloned().chain(below_inbox).collect();
            all.iter().find_map(|way| selectable().find(|entry| entry.is_at(way)))
        })
    }

    /// What to say of a mailbox that does not exist: which ones are called almost so, or else which there are.
    pub(super) fn near(&self, written: &str) -> String {
        let keys: Vec<String> = self.entries.iter().filter(|entry| entry.selectable).map(Entry::key).collect();
        let mut near: Vec<(f64, &String)> = keys.iter().map(|key| (likeness(key, written), key)).collect();
        near.sort_by(|(one, _), (other, _)| other.total_cmp(one));
        let best = near.first().map_or(0.0, |(likeness, _)| *likeness);
        let quoted = |key: &String| format!("\"{}\"", tame(key));
        if best >= LIKENESS_MIN {
            near.retain(|(likeness, _)| *likeness >= LIKENESS_MIN.max(best - LIKENESS_RANGE));
            let shown: Vec<String> = near.iter().take(NEAR_MAX).map(|(_, key)| quoted(key)).collect();
            return format!("did you mean {}?", shown.join(" or "));
        }
        let shown: Vec<String> = keys.iter().take(NEAR_MAX).map(quoted).collect();
        match keys.len() {
            0 => "it lists no mailbox at all".to_owned(),
            count if count > NEAR_MAX => format!("there are {}, …", shown.join(", ")),
            _ => format!("there are {}", shown.join(", ")),
        }
    }

    /// The names under which a mailbox that does not exist may be made, the likeliest first.
    pub(super) fn to_make(&self, written: &str) -> Vec<Entry> {
        let separator = self.entries.iter().find_map(|entry| entry.separator).unwrap_or('/');
        // Who writes a slash means it; without one, a dot may be what separates.
        let levels: Vec<&str> = if written.contains('/') { split(written, &['/']) } else { split(written, &['.']) };
        let entry = |levels: &[&str]| {
            let name = levels.join(&separator.to_string());
            let wire = name::encode(&name);
            Entry { wire, name, separator: Some(separator), selectable: true, purpose: None }
        };
        vec![entry(&levels), entry(&[&[INBOX][..], &levels].concat())]
    }

    pub(super) fn add(&mut self, entry: Entry) {
        self.entries.push(entry);
    }

    /// What separates the levels of names.
    pub(super) fn separator(&self) -> Option<char> {
        self.entries.iter().find_map(|entry| entry.separator)
    }

    /// For people: all of them, by name.
    pub(super) fn into_shown(self) -> Vec<Folder> {
        let mut shown: Vec<Folder> = self
            .entries
            .into_iter()
            .map(|entry| Folder { name: entry.key(), holds_mail: entry.selectable, purpose: entry.purpose })
            .collect();
        shown.sort_by(|one, other| (one.name != INBOX, &one.name).cmp(&(other.name != INBOX, &other.name)));
        shown.dedup();
        shown
    }
}

/// Makes a mailbox, unless it is there by now.
pub(super) async fn make(wire: &mut Wire, entry: &Entry) -> Result<(), Error> {
    let name = quoted(&entry.wire);
    match wire.run("CREATE", &format!("CREATE {}", *name)).await {
        // RFC 5530 section 3: someone else was faster.
        Err(Error::Refused { said, .. }) if said.contains("[ALREADYEXISTS]") => {}
        made => made?,
    }
    // Mail clients show what is subscribed. A server that keeps no subscriptions is as good.
    match wire.run("SUBSCRIBE", &format!("SUBSCRIBE {}", *name)).await {
        Err(Error::Refused { .. }) => Ok(()),
        done => done,
    }
}

fn listed(response: &Response<'_>) -> Option<Entry> {
    match response {
        Response::MailboxData(MailboxDatum::List(list)) => Some(Entry::of(list)),
        _ => None,
    }
}

/// The parser leaves the escapes of a quoted string in.
fn unescaped(text: &str) -> String {
    text.replace("\\\"", "\"").replace("\\\\", "\\")
}

/// RFC 6154 section 2.
fn purpose(attribute: &NameAttribute<'_>) -> Option<&'static str> {
    match attribute {
        NameAttribute::All => Some("all mail"),
        NameAttribute::Archive => Some("archive"),
        NameAttribute::Drafts => Some("drafts"),
        NameAttribute::Flagged => Some("flagged"),
        NameAttribute::Junk => Some("junk"),
        NameAttribute::Sent => Some("sent"),
        NameAttribute::Trash => Some("trash"),
        _ => None,
    }
}

/// How alike two names are, as a whole or in their last level.
fn likeness(key: &str, written: &str) -> f64 {
    let (key, written) = (key.to_lowercase(), written.to_lowercase().replace('.', "/"));
    let last = |name: &str| name.rsplit('/').next().unwrap_or_default().to_owned();
    strsim::jaro_winkler(&key, &written).max(strsim::jaro_winkler(&last(&key), &last(&written)))
}

fn is_inbox(level: &str) -> bool {
    level.eq_ignore_ascii_case(INBOX)
}

fn split<'a>(written: &'a str, separators: &[char]) -> Vec<&'a str> {
    written.split(separators).filter(|level| !level.is_empty()).collect()
}

/// The levels that someone may mean, the likeliest first: separated by slashes, by dots, by both.
fn ways(written: &str) -> Vec<Vec<&str>> {
    let mut ways = vec![split(written, &['/']), split(written, &['.']), split(written, &['.', '/'])];
    ways.dedup();
    ways
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folders(separator: char, names: &[&str]) -> Folders {
        let entry = |name: &&str| Entry {
            wire: name::encode(name),
            name: (*name).to_owned(),
            separator: Some(separator),
            selectable: !name.starts_with('('),
            purpose: None,
        };
        Folders { entries: names.iter().map(entry).collect() }
    }

    #[test]
    fn either_spelling_finds_the_mailbox() {
        let check = |separator: char, names: &[&str], written: &str, expect: Option<&str>| {
            let found = folders(separator, names);
            assert_eq!(found.find(written).map(|entry| entry.name.as_str()), expect, "{written} among {names:?}");
        };
        let (slash, dot) = (&["INBOX", "INBOX/Support", "a.b"][..], &["INBOX", "INBOX.Support", "a/b"][..]);
        for written in ["INBOX.Support", "INBOX/Support", "inbox.Support", "Inbox/Support/", "Support"] {
            check('/', slash, written, Some("INBOX/Support"));
            check('.', dot, written, Some("INBOX.Support"));
        }
        check('/', slash, "inbox", Some("INBOX"));
        check('/', slash, "INBOX.support", None);
        check('/', slash, "a.b", Some("a.b"));
        check('/', slash, "a/b", None);
        check('.', dot, "a/b", Some("a/b"));
        check('/', &["a.b", "a/b"], "a.b", Some("a.b"));
        check('/', &["a.b", "a/b"], "a/b", Some("a/b"));
        check('/', &["a.b/c", "a/b.c", "a/b/c"], "a.b.c", Some("a/b/c"));
        check('.', &["a.b.c"], "a/b.c", Some("a.b.c"));
        check('/', &["Support", "INBOX/Support"], "Support", Some("Support"));
        check('/', &["Entwürfe/台北"], "Entwürfe.台北", Some("Entwürfe/台北"));
        check('/', &["(no mail)"], "(no mail)", None);
        check('.', &[], "INBOX", None);
    }

    #[test]
    fn a_mailbox_has_one_key_of_its_own() {
        let check = |separator: char, name: &str, expect: &str| {
            let found = folders(separator, &[name]);
            assert_eq!(found.entries[0].key(), expect);
            assert!(found.find(expect).is_some(), "{expect} finds {name}");
        };
        check('/', "INBOX/Support", "INBOX/Support");
        check('.', "Inbox.Support", "INBOX/Support");
        check('/', "a.b", "a.b");
        check('.', "a/b", "a%2Fb");
        check('.', "a%2Fb", "a%252Fb");
        check('.', "100%.x", "100%/x");
        check('\\', "a\\b", "a/b");
    }

    #[test]
    fn a_missing_mailbox_has_neighbours() {
        let check = |names: &[&str], written: &str, expect: &str| {
            assert_eq!(folders('.', names).near(written), expect, "{written} among {names:?}");
        };
        let names = ["INBOX", "INBOX.Support", "INBOX.Sales"];
        check(&names, "INBOX.Suport", "did you mean \"INBOX/Support\"?");
        check(&names, "support", "did you mean \"INBOX/Support\"?");
        check(&names, "Zebra", "there are \"INBOX\", \"INBOX/Support\", \"INBOX/Sales\"");
        check(&[], "Zebra", "it lists no mailbox at all");
    }

    #[test]
    fn a_mailbox_is_made_where_it_is_meant() {
        let check = |separator: char, written: &str, expect: [&str; 2]| {
            let names: Vec<String> =
                folders(separator, &["INBOX"]).to_make(written).into_iter().map(|entry| entry.wire).collect();
            assert_eq!(names, expect);
        };
        check('/', "Done", ["Done", "INBOX/Done"]);
        check('.', "Archive/2026.01", ["Archive.2026.01", "INBOX.Archive.2026.01"]);
        check('/', "INBOX.Done", ["INBOX/Done", "INBOX/INBOX/Done"]);
        check('/', "Entwürfe", ["Entw&APw-rfe", "INBOX/Entw&APw-rfe"]);
    }
}
